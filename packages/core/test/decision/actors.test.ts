// `actors` of a route: who may act for the subject of a token (RFC 8693 §4.1). Only the current
// actor counts, and whose name it is.
import { generateSigningKey, mint } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { compileAccess } from '../../src/adapter/index.ts';
import {
  type AuthenticatorOptions,
  authorize,
  ConfigError,
  isAuthError,
  type RouteAccess,
  route,
} from '../../src/index.ts';
import { endpoint, introspecting } from '../remote/endpoints.ts';
import { requestWith, startAuthenticator } from '../support/authenticators.ts';

const key = await generateSigningKey('ES256', 'one');
const create = (options: Partial<AuthenticatorOptions> = {}) =>
  startAuthenticator({
    keySets: [{ issuer: 'https://i.example', jwks: { keys: [key.publicJwk] } }],
    audience: null,
    ...options,
  });
const tokenOf = (act: unknown) =>
  mint(key, {
    iss: 'https://i.example',
    sub: 'alice',
    exp: Math.floor(Date.now() / 1000) + 300,
    may_act: { sub: 'root' },
    ...(act === undefined ? {} : { act }),
  } as Parameters<typeof mint>[1]);

async function outcome(deciding: Promise<unknown>) {
  try {
    await deciding;
    return 'passed';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return `${error.status} ${error.code}`;
  }
}

const REFUSED = '403 claims_insufficient';
const OTHER = 'https://other.example';

describe('T-064: actors', () => {
  it.each<[actors: NonNullable<RouteAccess['actors']>, act: unknown, expected: string]>([
    // By subject.
    [['gateway'], { sub: 'gateway' }, 'passed'],
    [['gateway', 'bff'], { sub: 'bff' }, 'passed'],
    [['gateway'], { sub: 'other' }, REFUSED],
    [['gateway'], { sub: 'GATEWAY' }, REFUSED],
    // A token without an actor is not one of them, unless the list says so.
    [['gateway'], undefined, REFUSED],
    [[false, 'gateway'], undefined, 'passed'],
    [[false, 'gateway'], { sub: 'gateway' }, 'passed'],
    [[false, 'gateway'], { sub: 'other' }, REFUSED],
    // No delegation at all.
    [false, undefined, 'passed'],
    [false, { sub: 'gateway' }, REFUSED],
    [[false], { sub: 'gateway' }, REFUSED],
    // Patterns match the whole subject.
    [[{ pattern: 'svc-[a-z]+' }], { sub: 'svc-orders' }, 'passed'],
    [[/svc-[a-z]+/], { sub: 'svc-orders' }, 'passed'],
    [[/svc-[a-z]+/], { sub: 'x-svc-orders' }, REFUSED],
    // A subject is a name that the issuer of the token has given.
    [['gateway'], { sub: 'gateway', iss: 'https://i.example' }, 'passed'],
    [['gateway'], { sub: 'gateway', iss: OTHER }, REFUSED],
    [[/.+/], { sub: 'gateway', iss: OTHER }, REFUSED],
    [[{ subject: 'gateway', issuer: OTHER }], { sub: 'gateway', iss: OTHER }, 'passed'],
    [[{ subject: /gate.*/, issuer: OTHER }], { sub: 'gateway', iss: OTHER }, 'passed'],
    [[{ subject: { pattern: 'gate.*' }, issuer: OTHER }], { sub: 'x', iss: OTHER }, REFUSED],
    [[{ subject: 'gateway', issuer: OTHER }], { sub: 'gateway' }, REFUSED],
    [[{ subject: 'gateway', issuer: OTHER }], undefined, REFUSED],
    [[{ subject: 'gateway', issuer: 'https://i.example' }], { sub: 'gateway' }, 'passed'],
    // RFC 8693 §4.1: earlier actors are not considered. §4.4: nor is may_act.
    [['gateway'], { sub: 'other', act: { sub: 'gateway' } }, REFUSED],
    [['gateway'], { sub: 'gateway', act: { sub: 'other' } }, 'passed'],
    [['root'], { sub: 'other' }, REFUSED],
    [['alice'], undefined, REFUSED],
  ])('%o, act %o: %s', async (actors, act, expected) => {
    const authenticator = create({ routes: { one: { actors } } });
    const token = await tokenOf(act);
    for (let time = 0; time < 3; time++)
      expect(await outcome(authenticator.authenticate(requestWith(token), { actors }))).toBe(expected);
    const principal = await authenticator.verify(token);
    const named = async () => authorize(principal, route('one'));
    expect(await outcome(named())).toBe(expected);
  });

  it('a route without actors accepts every actor, and none', async () => {
    for (const act of [undefined, { sub: 'gateway' }])
      expect(await outcome(create().authenticate(requestWith(await tokenOf(act))))).toBe('passed');
  });

  it.each(['optional', 'permissive'] as const)(
    'a request without a token is refused: mode %s',
    async (mode) => {
      const authenticator = create({ mode });
      for (const actors of [false, [false], ['gateway']] as const)
        expect(await outcome(authenticator.authenticate(requestWith(), { actors }))).toBe(
          '401 credentials_missing',
        );
    },
  );

  it('RFC 8693 §4.1: an answer of introspection may have act', async () => {
    const remote = await endpoint();
    const authenticator = introspecting(remote.url);
    const ask = async (members: object) => {
      remote.says = { body: { active: true, sub: 'alice', iss: 'https://i.example', ...members } };
      return outcome(authenticator.authenticate(requestWith('opaque'), { actors: ['gateway'] }));
    };
    expect(await ask({ act: { sub: 'gateway' } })).toBe('passed');
    expect(await ask({ act: { sub: 'other' } })).toBe(REFUSED);
    expect(await ask({})).toBe(REFUSED);
    expect(await ask({ act: 'gateway' })).toBe('401 token_claims_invalid');
  });
});

describe('options', () => {
  it.each<[actors: unknown, path: string, problem: string]>([
    [[], 'access.actors', 'expected a list with at least one item'],
    [
      'gateway',
      'access.actors',
      'expected a list of actors, or false for tokens without an actor, got a string',
    ],
    [true, 'access.actors', 'expected a list of actors, or false'],
    [null, 'access.actors', 'expected a list of actors, or false'],
    [undefined, 'access.actors', 'expected a value, got undefined'],
    [[''], 'access.actors[0]', 'expected an actor, { subject, issuer }, false or a pattern'],
    [[null], 'access.actors[0]', 'expected an actor'],
    [[true], 'access.actors[0]', 'expected an actor'],
    [['a', { pattern: '(' }], 'access.actors[1]', 'cannot be matched in linear time'],
    [[{ subject: 'a' }], 'access.actors[0].issuer', 'is required next to subject; for an actor that'],
    [[{ issuer: 'a' }], 'access.actors[0]', "expected an actor: its subject, like 'gateway'"],
    [[{ sub: 'a' }], 'access.actors[0]', 'or { subject, issuer }'],
    [[{ subject: '', issuer: 'a' }], 'access.actors[0].subject', 'expected a subject or a pattern'],
    [[{ subject: 'a', issuer: 'b', x: 1 }], 'access.actors[0].x', 'unknown option'],
  ])('%o is a ConfigError', (actors, path, problem) => {
    const compile = () => compileAccess({ actors } as RouteAccess);
    expect(compile).toThrow(ConfigError);
    expect(compile).toThrow(expect.objectContaining({ path, problem: expect.stringContaining(problem) }));
  });

  it('next to a mode that lets anonymous requests pass', () => {
    expect(() => compileAccess({ actors: false, mode: 'optional' })).toThrow(
      expect.objectContaining({ path: 'access.mode' }),
    );
  });
});
