// Names of routes that the options do not have: an application with one does not start.
import { ConfigError, route } from '@latchkey/core';
import { createIssuer } from '@latchkey/testing';
import { Controller, Get, type Type } from '@nestjs/common';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Authenticate, type AuthenticatorOptions, LatchkeyModule, RequireClaims } from '../src/index.ts';
import { create, listen, onMethod } from './application.ts';

let options: AuthenticatorOptions;

beforeAll(async () => {
  const issuer = await createIssuer();
  options = { ...issuer.options, routes: { admin: { claims: { roles: ['admin'] } } } };
  afterAll(() => issuer.close());
});

const controller = (name: string, on: 'class' | 'method'): Type => {
  class Subject {
    admin() {
      return {};
    }
  }
  onMethod(Subject, 'admin', Get(), ...(on === 'method' ? [RequireClaims(route(name))] : []));
  if (on === 'class') Authenticate({ claims: route(name) })(Subject);
  Controller()(Subject);
  return Subject;
};

const start = async (subject: Type) => {
  const app = await create({ imports: [LatchkeyModule.forRoot(options)], controllers: [subject] });
  try {
    await listen(app);
  } finally {
    await app.close();
  }
};

it.each(['class', 'method'] as const)('a misspelt name on a %s is refused at start', async (on) => {
  await expect(start(controller('admn', on))).rejects.toThrow(ConfigError);
  await expect(start(controller('admn', on))).rejects.toThrow(
    /^Subject\.admin: expected a route of the options, got route admn; there are admin/,
  );
});

it.each(['class', 'method'] as const)('a name of the options on a %s starts', async (on) => {
  await expect(start(controller('admin', on))).resolves.toBeUndefined();
});
