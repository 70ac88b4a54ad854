// Step-up authentication (RFC 9470): which tokens pass `acr` and `maxAge` of a route, and what the
// client is told. Judged on each request, cached tokens included.
import { createClock, generateSigningKey, mint } from '@latchkey/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { compileAccess } from '../../src/adapter/index.ts';
import {
  type AuthenticatorOptions,
  authorize,
  ConfigError,
  isAuthError,
  type RouteAccess,
  requireAll,
  route,
} from '../../src/index.ts';
import { endpoint, introspecting } from '../remote/endpoints.ts';
import { requestWith, startAuthenticator } from '../support/authenticators.ts';

const NOW = 1_800_000_000;
const key = await generateSigningKey('ES256', 'one');
const clock = createClock(NOW * 1000);
beforeEach(() => clock.set(NOW * 1000));

const create = (options: Partial<AuthenticatorOptions> = {}) =>
  startAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: null,
    clock,
    ...options,
  });

const tokenOf = (claims: Parameters<typeof mint>[1]) =>
  mint(key, { iss: 'i', sub: 'alice', exp: NOW + 86_400, ...claims });

/** The code, status and challenge of a refusal; `passed` if there is none. */
async function outcome(deciding: Promise<unknown>) {
  try {
    await deciding;
    return 'passed';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return `${error.status} ${error.code} ${error.headers['WWW-Authenticate']}`;
  }
}

const REFUSED =
  '401 authentication_insufficient Bearer error="insufficient_user_authentication", error_description="A stronger or more recent authentication of the user is required"';

describe('RFC 9470 §3: acr', () => {
  const access: RouteAccess = { acr: ['urn:mfa', 'urn:hw'] };
  const challenge = `${REFUSED}, acr_values="urn:mfa urn:hw"`;

  it.each<[claims: Parameters<typeof mint>[1], expected: string]>([
    [{ acr: 'urn:mfa' }, 'passed'],
    [{ acr: 'urn:hw' }, 'passed'],
    [{}, challenge],
    [{ acr: 'urn:pwd' }, challenge],
    [{ acr: 'URN:MFA' }, challenge],
    [{ acr: 'urn:mfa ' }, challenge],
    [{ acr: 'urn:mfa urn:hw' }, challenge],
    [{ acr: ['urn:mfa'] }, challenge],
    [{ acr: null }, challenge],
    [{ acr: 0 }, challenge],
    [{ amr: ['urn:mfa'], acr_values: 'urn:mfa' }, challenge],
  ])('%o: %s', async (claims, expected) => {
    const authenticator = create();
    const request = requestWith(await tokenOf(claims));
    // The third time is from the cache.
    for (let time = 0; time < 3; time++)
      expect(await outcome(authenticator.authenticate(request, access))).toBe(expected);
  });
});

describe('RFC 9470 §3: maxAge', () => {
  const access: RouteAccess = { maxAge: '5m' };
  const challenge = `${REFUSED}, max_age="300"`;

  it.each<[authTime: unknown, expected: string]>([
    [NOW, 'passed'],
    [NOW - 300, 'passed'],
    [NOW - 305, 'passed'],
    [NOW - 306, challenge],
    [NOW - 305.001, challenge],
    [NOW + 5, 'passed'],
    [NOW + 6, challenge],
    [0, challenge],
    [-1, challenge],
    [undefined, challenge],
    [null, challenge],
    [String(NOW), challenge],
    [NOW * 1000, challenge],
    [[NOW], challenge],
  ])('auth_time %o with a clock skew of 5s: %s', async (authTime, expected) => {
    const authenticator = create();
    const request = requestWith(await tokenOf({ auth_time: authTime } as Parameters<typeof mint>[1]));
    for (let time = 0; time < 3; time++)
      expect(await outcome(authenticator.authenticate(request, access))).toBe(expected);
  });

  it('the clockSkew of the options counts', async () => {
    const authenticator = create({ clockSkew: '0s' });
    const at = async (authTime: number) =>
      outcome(authenticator.authenticate(requestWith(await tokenOf({ auth_time: authTime })), access));
    expect([await at(NOW - 300), await at(NOW - 301), await at(NOW + 1)]).toEqual([
      'passed',
      challenge,
      challenge,
    ]);
  });

  it('a token that passes is refused later, from the cache too, and passes elsewhere', async () => {
    const authenticator = create({ realm: 'bank' });
    const request = requestWith(await tokenOf({ auth_time: NOW }));
    for (let time = 0; time < 3; time++)
      expect(await outcome(authenticator.authenticate(request, access))).toBe('passed');
    clock.set((NOW + 306) * 1000);
    expect(await outcome(authenticator.authenticate(request, access))).toBe(
      challenge.replace('Bearer ', 'Bearer realm="bank", '),
    );
    expect(await outcome(authenticator.authenticate(request))).toBe('passed');
  });
});

describe('both', () => {
  const access: RouteAccess = { acr: ['urn:mfa'], maxAge: '1h' };
  const challenge = `${REFUSED}, acr_values="urn:mfa", max_age="3600"`;

  it.each([
    [{ acr: 'urn:mfa', auth_time: NOW }, 'passed'],
    [{ acr: 'urn:mfa' }, challenge],
    [{ auth_time: NOW }, challenge],
    [{ acr: 'urn:mfa', auth_time: NOW - 4000 }, challenge],
  ])('%o: the challenge has both, because the next token needs both', async (claims, expected) => {
    expect(await outcome(create().authenticate(requestWith(await tokenOf(claims)), access))).toBe(expected);
  });

  it('T-087: the detail names the option, and no claim', async () => {
    const authenticator = create();
    const detail = async (claims: Parameters<typeof mint>[1]) =>
      authenticator.authenticate(requestWith(await tokenOf(claims)), access).catch((error) => error.detail);
    expect(await detail({ acr: 'urn:secret', auth_time: NOW })).toBe('acr of the token is none of urn:mfa');
    expect(await detail({ acr: 'urn:mfa', auth_time: 'x' })).toBe(
      'auth_time is not a time in seconds, or is missing',
    );
    expect(await detail({ acr: 'urn:mfa', auth_time: NOW - 4000 })).toBe(
      'the user authenticated 4000 s ago; maxAge of the route is 3600 s',
    );
    expect(await detail({ acr: 'urn:mfa', auth_time: NOW + 60 })).toBe('auth_time is in the future');
  });

  it('a token that is refused for its issuer gets no challenge to authenticate again', async () => {
    const refused = create().authenticate(requestWith(await tokenOf({})), { ...access, issuers: ['j'] });
    expect(await outcome(refused)).toMatch(/^401 token_issuer_untrusted/);
  });
});

describe('a named route', () => {
  const routes = { pay: { acr: ['urn:mfa'], maxAge: '5m' }, both: { claims: { role: 'a' }, acr: ['x'] } };
  const challenge = `${REFUSED}, acr_values="urn:mfa", max_age="300"`;

  it('judges each time, by the clock of the authenticator', async () => {
    const authenticator = create({ routes });
    const token = await tokenOf({ acr: 'urn:mfa', auth_time: NOW });
    const principal = await authenticator.verify(token);
    authorize(principal, route('pay'));
    const access = { claims: route('pay') };
    expect(await outcome(authenticator.authenticate(requestWith(token), access))).toBe('passed');
    clock.set((NOW + 306) * 1000);
    const later = async () => authorize(principal, route('pay'));
    expect(await outcome(later())).toBe(challenge);
    expect(await outcome(authenticator.authenticate(requestWith(token), access))).toBe(challenge);
    expect(await outcome(authenticator.verify(token, route('pay')))).toBe(challenge);
  });

  it('is asked before its rules, and refuses an anonymous request', async () => {
    const authenticator = create({ routes, mode: 'optional' });
    const principal = await authenticator.verify(await tokenOf({}));
    const judge = async () => authorize(principal, route('both'));
    expect(await outcome(judge())).toBe(`${REFUSED}, acr_values="x"`);
    expect(await outcome(authenticator.authenticate(requestWith(), { claims: route('pay') }))).toMatch(
      /^401 credentials_missing/,
    );
  });
});

describe('an anonymous request', () => {
  it.each(['optional', 'permissive'] as const)(
    'is refused in the mode %s of the options, as is a token that does not meet the route',
    async (mode) => {
      const authenticator = create({ mode });
      expect(await outcome(authenticator.authenticate(requestWith(), { maxAge: '5m' }))).toMatch(
        /^401 credentials_missing/,
      );
      const request = requestWith(await tokenOf({}));
      expect(await outcome(authenticator.authenticate(request, { maxAge: '5m' }))).toMatch(REFUSED);
      expect(await outcome(authenticator.authenticate(requestWith()))).toBe('passed');
    },
  );
});

describe('with other authenticators', () => {
  it('each token of requireAll has to meet the route', async () => {
    const tree = requireAll({ user: create(), device: create({ tokenFrom: [{ header: 'x-device' }] }) });
    const [good, plain] = [await tokenOf({ acr: 'urn:mfa' }), await tokenOf({})];
    const request = (user: string, device: string) => ({
      ...requestWith(user),
      headers: { authorization: `Bearer ${user}`, 'x-device': device },
      rawHeaders: ['authorization', `Bearer ${user}`, 'x-device', device],
    });
    const access = { acr: ['urn:mfa'] };
    expect(await outcome(tree.authenticate(request(good, good), access))).toBe('passed');
    expect(await outcome(tree.authenticate(request(good, plain), access))).toMatch(REFUSED);
    expect(await outcome(tree.authenticate(request(plain, good), access))).toMatch(REFUSED);
  });

  it('RFC 9470 §6.2: an answer of introspection may have acr and auth_time', async () => {
    const remote = await endpoint();
    const authenticator = introspecting(remote.url, { clock });
    const ask = async (members: object) => {
      remote.says = { body: { active: true, sub: 'alice', ...members } };
      return outcome(authenticator.authenticate(requestWith('opaque'), { acr: ['a'], maxAge: '1m' }));
    };
    expect(await ask({ acr: 'a', auth_time: NOW })).toBe('passed');
    for (const members of [{}, { acr: 'a' }, { acr: 'b', auth_time: NOW }, { acr: 'a', auth_time: NOW - 66 }])
      expect(await ask(members)).toBe(`${REFUSED}, acr_values="a", max_age="60"`);
  });
});

describe('options', () => {
  it.each<[access: object, path: string, problem: string]>([
    [{ acr: [] }, 'access.acr', 'expected a list with at least one item, got an empty list'],
    [{ acr: 'urn:mfa' }, 'access.acr', 'got a string; put it into [ ]'],
    ...['a b', 'a"b', 'a\\b', 'é', 'a\n'].map((value): [object, string, string] => [
      { acr: ['a', value] },
      'access.acr[1]',
      'expected printable ASCII without spaces, quotes and backslashes',
    ]),
    [{ acr: [''] }, 'access.acr[0]', 'expected a string that is not empty, got an empty string'],
    [{ acr: [1] }, 'access.acr[0]', 'expected a string that is not empty, got a number'],
    [{ acr: ['a'.repeat(250), 'b'.repeat(250)] }, 'access.acr', 'expected values of at most 500 characters'],
    [{ maxAge: '0s' }, 'access.maxAge', 'expected whole seconds, 1s or more, got 0ms'],
    [{ maxAge: '1500ms' }, 'access.maxAge', 'expected whole seconds, 1s or more, got 1500ms'],
    [{ maxAge: '-5m' }, 'access.maxAge', 'expected a duration with a unit'],
    [{ maxAge: 300 }, 'access.maxAge', 'expected a duration with a unit'],
    [{ maxAge: undefined }, 'access.maxAge', 'expected a value, got undefined'],
    [{ acr: undefined }, 'access.acr', 'expected a value, got undefined'],
    [{ maxAge: '5m', mode: 'optional' }, 'access.mode', 'expected strict, or none'],
    [{ acr: ['a'], mode: 'permissive' }, 'access.mode', 'expected strict, or none'],
  ])('%o is a ConfigError', (access, path, problem) => {
    const compile = () => compileAccess(access as RouteAccess);
    expect(compile).toThrow(ConfigError);
    expect(compile).toThrow(expect.objectContaining({ path, problem: expect.stringContaining(problem) }));
  });

  it('the longest list of acr fits', () => {
    expect(() => compileAccess({ acr: ['a'.repeat(250), 'b'.repeat(249)] })).not.toThrow();
  });

  it('the same for a named route', () => {
    expect(() => create({ routes: { pay: { acr: ['a b'] } } })).toThrow(
      expect.objectContaining({ path: 'routes.pay.acr[0]' }),
    );
    expect(() => create({ routes: { pay: { maxAge: '0s' } } })).toThrow(
      expect.objectContaining({ path: 'routes.pay.maxAge' }),
    );
  });
});
