// A value that is undefined, by a misspelt name or a missing import, is refused when the
// application is made.
import { ConfigError, createAuthenticator, type RouteAccess } from '@latchkey/core';
import { generateSigningKey } from '@latchkey/testing';
import Koa from 'koa';
import { describe, expect, it } from 'vitest';
import {
  authenticate,
  publishKeys,
  receiveEvents,
  recentDecisions,
  requireClaims,
  routes,
} from '../src/index.ts';

const { publicJwk } = await generateSigningKey();
const options = { keySets: [{ issuer: 'i', jwks: { keys: [publicJwk] } }], audience: null };
const access = (given: object) => given as RouteAccess;

describe('undefined is a ConfigError', () => {
  it.each<[title: string, build: () => unknown]>([
    ['options', () => authenticate(undefined as never)],
    ['an option', () => authenticate({ ...options, issuers: undefined } as never)],
    ['access', () => authenticate(options, undefined as never)],
    ['access to an authenticator', () => authenticate(createAuthenticator(options), undefined as never)],
    ['claims', () => authenticate(options, access({ claims: undefined }))],
    ['issuers', () => authenticate(options, access({ issuers: undefined }))],
    ['mode', () => authenticate(options, access({ mode: undefined }))],
    ['rules', () => requireClaims(undefined as never)],
    ['a handler', () => requireClaims({ scope: 'a' }, undefined as never)],
    ['a signer', () => publishKeys(undefined as never)],
    ['a receiver', () => receiveEvents(undefined as never)],
    ['a rule', () => requireClaims({ roles: undefined } as never)],
    ['readers of decisions', () => recentDecisions(undefined as never)],
    ['options of the route report', () => routes(new Koa(), undefined as never)],
    ['failOnUndecided', () => routes(new Koa(), { failOnUndecided: undefined } as never)],
  ])('%s', (_, build) => {
    expect(build).toThrow(ConfigError);
  });
});
