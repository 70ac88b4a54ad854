// A value that is undefined, by a misspelt name or a missing import, is refused when the class is
// declared.
import { ConfigError } from '@latchkey/core';
import { describe, expect, it } from 'vitest';
import { Authenticate, LatchkeyModule, RequireClaims } from '../src/index.ts';
import { authenticateWebSockets } from '../src/websockets.ts';

const application = { get: () => ({}) } as never;
const server = { create: () => ({}) } as never;

describe('undefined is a ConfigError', () => {
  it.each<[title: string, declare: () => unknown]>([
    ['rules', () => RequireClaims(undefined as never)],
    ['a rule', () => RequireClaims({ roles: undefined } as never)],
    ['access', () => Authenticate(undefined as never)],
    ['claims', () => Authenticate({ claims: undefined } as never)],
    ['issuers', () => Authenticate({ issuers: undefined } as never)],
    ['mode', () => Authenticate({ mode: undefined } as never)],
    ['options of the module', () => LatchkeyModule.forRoot(undefined as never)],
    ['access of handshakes', () => authenticateWebSockets(application, server, undefined as never)],
    [
      'claims of handshakes',
      () => authenticateWebSockets(application, server, { claims: undefined } as never),
    ],
  ])('%s', (_, declare) => {
    expect(declare).toThrow(ConfigError);
  });
});
