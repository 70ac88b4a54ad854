// The README of @latchkey/testing on Nest: an application as it is shipped, whose authenticator a
// test replaces. Its own options name an issuer that does not exist.
import { createAuthenticator } from '@latchkey/core';
import { runBlock } from '@latchkey/test-kit/quick-start';
import { createIssuer } from '@latchkey/testing';
import { Controller, Get } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { expect, it } from 'vitest';
import { Auth, LATCHKEY_AUTHENTICATOR, LatchkeyModule, type Principal } from '../src/index.ts';
import { moduleOf, onMethod } from './application.ts';

const trusted = {
  keySets: [{ issuer: 'https://issuer.invalid', useOidcDiscovery: true }],
  audience: 'https://api.example.com',
} as const;

it.each([
  ['forRoot', () => LatchkeyModule.forRoot(trusted)],
  [
    'forRootAsync, whose options have holes here',
    () =>
      LatchkeyModule.forRootAsync({
        useFactory: () => ({ keySets: trusted.keySets, audience: process.env.NO_SUCH_VARIABLE as string }),
      }),
  ],
])('the recipe replaces the authenticator of %s', async (_, imported) => {
  const subjects: (string | undefined)[] = [];
  class MeController {
    me(auth: Principal) {
      subjects.push(auth.subject);
    }
  }
  Auth()(MeController.prototype, 'me', 0);
  onMethod(MeController, 'me', Get('me'));
  Controller()(MeController);
  const AppModule = moduleOf({ imports: [imported()], controllers: [MeController] });
  const given = { AppModule, Test, LATCHKEY_AUTHENTICATOR, createIssuer, createAuthenticator };
  const failed: unknown[] = [];
  const console = { assert: (holds: boolean) => failed.push(...(holds ? [] : ['an assertion'])) };
  const mark = 'overrideProvider(LATCHKEY_AUTHENTICATOR)';
  await runBlock(import.meta.url, mark, { ...given, console }, '../../testing/README.md');
  expect(failed).toEqual([]);
  expect(subjects).toEqual(['alice']);
});
