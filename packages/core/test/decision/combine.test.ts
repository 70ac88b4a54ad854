// Trees of tokens: all of them, or any, nested, with rules on a leaf. Which refusal is the answer,
// and that modes weaken nothing.
import {
  createClock,
  createIssuer,
  generateSigningKey,
  mint,
  type SigningKey,
  type TestIssuer,
} from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromRequest } from '../../src/claims/rules.ts';
import type { AuthenticationMode } from '../../src/decision/access.ts';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { requireAll, requireAny } from '../../src/decision/combine.ts';
import { ConfigError, isAuthError } from '../../src/errors.ts';
import { given } from '../support/defined.ts';

const NOW = 1_700_000_000;
const clock = createClock(NOW * 1000);

let key: SigningKey;
let down: TestIssuer;
const good: Record<string, string> = {};
let expired: string;
let unjudged: string;

/** Reads the header x-NAME. */
let on: (name: string, mode?: AuthenticationMode) => Authenticator;

beforeAll(async () => {
  key = await generateSigningKey();
  down = await createIssuer();
  down.fail({ kind: 'status', status: 500 });
  const claims = { iss: 'i', exp: NOW + 300 };
  for (const sub of ['user', 'device', 'admin'])
    good[sub] = await mint(key, { ...claims, sub, tenant: 't1', scope: sub });
  expired = await mint(key, { ...claims, exp: NOW - 300, sub: 'user' });
  unjudged = await mint(key, { iss: down.issuer, exp: NOW + 300, sub: 'user' });
  on = (name, mode = 'strict') =>
    createAuthenticator({
      keySets: [
        { issuer: 'i', jwks: { keys: [key.publicJwk] } },
        { issuer: down.issuer, jwksUrl: down.jwksUrl, allowHttp: true },
      ],
      audience: null,
      tokenFrom: [{ header: `x-${name}` }],
      mode,
      clock,
    });
});

afterAll(() => down.close());

const request = (headers: Record<string, string>, params?: object) => ({
  method: 'GET',
  headers,
  rawHeaders: [],
  ...(params === undefined ? {} : { params }),
});

interface Tree {
  authenticate(
    request: Parameters<Authenticator['authenticate']>[0],
    ...access: readonly [access?: object]
  ): Promise<unknown>;
}

/** The subjects by name, or the code of the refusal. */
async function outcome(tree: Tree, headers: Record<string, string>, overrides?: object): Promise<unknown> {
  try {
    const found = await tree.authenticate(request(headers), ...given(overrides));
    return JSON.parse(
      JSON.stringify(found, (name, value) => (name !== '' && value?.claims ? value.subject : value)),
    );
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.code;
  }
}

/** good, expired, unjudged, malformed or none of the names. */
function headersOf(states: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(states).flatMap(([name, state]) => {
      if (state === 'none') return [];
      const token = { good: good[name], expired, unjudged, malformed: 'a b' }[state] as string;
      return [[`x-${name}`, token]];
    }),
  );
}

describe('requireAll', () => {
  it.each<[user: string, device: string, expected: unknown]>([
    ['good', 'good', { user: 'user', device: 'device' }],
    ['good', 'none', 'credentials_missing'],
    ['none', 'good', 'credentials_missing'],
    ['none', 'none', 'credentials_missing'],
    ['good', 'expired', 'token_expired'],
    ['expired', 'good', 'token_expired'],
    ['good', 'malformed', 'credentials_malformed'],
    ['good', 'unjudged', 'keyset_unavailable'],
    ['unjudged', 'good', 'keyset_unavailable'],
    // The first that is missing or bad is the answer.
    ['none', 'expired', 'credentials_missing'],
    ['expired', 'none', 'token_expired'],
    ['malformed', 'expired', 'credentials_malformed'],
    ['expired', 'unjudged', 'token_expired'],
    ['unjudged', 'expired', 'keyset_unavailable'],
  ])('AK-42: all: user %s, device %s: %j', async (user, device, expected) => {
    const tree = requireAll({ user: on('user'), device: on('device') });
    expect(await outcome(tree, headersOf({ user, device }))).toEqual(expected);
  });

  it('AK-42: what it gives is frozen', async () => {
    const found = await requireAll({ user: on('user') }).authenticate(request(headersOf({ user: 'good' })));
    expect(Object.isFrozen(found)).toBe(true);
    expect(found.user.subject).toBe('user');
  });
});

describe('requireAny', () => {
  it.each<[user: string, device: string, expected: unknown]>([
    ['good', 'good', { user: 'user' }],
    ['good', 'none', { user: 'user' }],
    ['none', 'good', { device: 'device' }],
    ['expired', 'good', { device: 'device' }],
    ['malformed', 'good', { device: 'device' }],
    ['unjudged', 'good', { device: 'device' }],
    ['good', 'expired', { user: 'user' }],
    ['none', 'none', 'credentials_missing'],
    // The first that is not about a missing token; 503 before all others.
    ['none', 'expired', 'token_expired'],
    ['expired', 'none', 'token_expired'],
    ['expired', 'malformed', 'token_expired'],
    ['malformed', 'expired', 'credentials_malformed'],
    ['expired', 'unjudged', 'keyset_unavailable'],
    ['unjudged', 'expired', 'keyset_unavailable'],
    ['none', 'unjudged', 'keyset_unavailable'],
  ])('AK-42: any: user %s, device %s: %j', async (user, device, expected) => {
    const tree = requireAny({ user: on('user'), device: on('device') });
    expect(await outcome(tree, headersOf({ user, device }))).toEqual(expected);
  });

  it.each([requireAny, requireAll])('T-056: nothing to ask for is a ConfigError', (make) => {
    expect(() => make({})).toThrow(ConfigError);
  });

  it('T-082: a token in the query is found by every leaf, also after one has removed it', async () => {
    const query = createAuthenticator({
      keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
      audience: null,
      tokenFrom: [{ query: 'access_token' }],
      clock,
    });
    const tree = requireAll({ first: query, second: query });
    const asked = { ...request({}), url: `/x?access_token=${good.user}` };
    const authenticated = tree.authenticate(asked);
    asked.url = tree.conceal(asked)?.strip(asked.url) ?? '';
    expect(asked.url).toBe('/x');
    expect(Object.keys(await authenticated)).toEqual(['first', 'second']);
    await expect(tree.authenticate(asked)).resolves.toBeDefined();
  });

  it('T-071: what is no refusal passes on, and the next is not asked', async () => {
    const fault = new RangeError('broken');
    const broken = { ...on('user'), decide: () => Promise.reject(fault) };
    const tree = requireAny({ broken, device: on('device') });
    await expect(tree.authenticate(request(headersOf({ device: 'good' })))).rejects.toBe(fault);
  });
});

describe('nested trees', () => {
  it.each<[user: string, device: string, admin: string, expected: unknown]>([
    ['good', 'good', 'none', { who: { user: 'user' }, device: 'device' }],
    ['none', 'good', 'good', { who: { admin: 'admin' }, device: 'device' }],
    ['none', 'good', 'none', 'credentials_missing'],
    ['expired', 'good', 'none', 'token_expired'],
    ['good', 'none', 'good', 'credentials_missing'],
    ['good', 'expired', 'good', 'token_expired'],
    ['expired', 'expired', 'unjudged', 'keyset_unavailable'],
  ])('AK-42: any in all: user %s, device %s, admin %s: %j', async (user, device, admin, expected) => {
    const tree = requireAll({
      who: requireAny({ user: on('user'), admin: on('admin') }),
      device: on('device'),
    });
    expect(await outcome(tree, headersOf({ user, device, admin }))).toEqual(expected);
  });

  it.each<[user: string, device: string, admin: string, expected: unknown]>([
    ['good', 'good', 'none', { both: { user: 'user', device: 'device' } }],
    ['good', 'none', 'good', { admin: 'admin' }],
    ['good', 'none', 'none', 'credentials_missing'],
    ['good', 'expired', 'none', 'token_expired'],
    ['good', 'expired', 'good', { admin: 'admin' }],
  ])('AK-42: all in any: user %s, device %s, admin %s: %j', async (user, device, admin, expected) => {
    const tree = requireAny({
      both: requireAll({ user: on('user'), device: on('device') }),
      admin: on('admin'),
    });
    expect(await outcome(tree, headersOf({ user, device, admin }))).toEqual(expected);
  });
});

describe('a leaf that is broken', () => {
  it.each([requireAll, requireAny])('that throws fails the call, and not the process', async (combine) => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    const leaf = (decide: () => never) => ({ ...on('user'), decide });
    const rejecting = leaf((() => Promise.reject(new Error('first'))) as never);
    const throwing = leaf(() => {
      throw new Error('second');
    });
    const tree = combine({ rejecting, throwing });
    await expect(tree.authenticate(request({}))).rejects.toThrow('first');
    // Node reports a rejection that nothing handles after the microtasks of this turn.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});

describe('a leaf with rules', () => {
  it.each<[string, Record<string, string>, unknown]>([
    ['all', { user: 'good', device: 'good' }, 'claims_insufficient'],
    ['any', { user: 'good', device: 'good' }, { device: 'device' }],
    ['any', { user: 'good', device: 'none' }, 'claims_insufficient'],
    ['any', { user: 'none', device: 'expired' }, 'token_expired'],
  ])('AK-42: %s, %j, where the user lacks a claim: %j', async (kind, states, expected) => {
    const sources = { user: { from: on('user'), claims: { dept: 'IT' } }, device: on('device') };
    const tree = kind === 'all' ? requireAll(sources) : requireAny(sources);
    expect(await outcome(tree, headersOf(states))).toEqual(expected);
  });

  it('AK-42: a scope of a leaf is a scope', async () => {
    const tree = requireAll({ user: { from: on('user'), claims: { scope: 'write' } } });
    const refusal = await tree
      .authenticate(request(headersOf({ user: 'good' })))
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'scope_insufficient', status: 403 });
  });

  it('AK-42: fromRequest sees the parameters of the path', async () => {
    const tree = requireAll({ user: { from: on('user'), claims: { tenant: fromRequest('params.tenant') } } });
    const ask = (params?: object) => tree.authenticate(request(headersOf({ user: 'good' }), params));
    await expect(ask({ tenant: 't1' })).resolves.toMatchObject({ user: { subject: 'user' } });
    for (const params of [{ tenant: 't2' }, {}, undefined])
      await expect(ask(params)).rejects.toMatchObject({ code: 'claims_insufficient' });
  });

  it.each([undefined, null, [], 'x', { c: { typo: 1 } }])(
    'T-056: rules that are %j are refused at once',
    (claims) => {
      const source = { from: on('user'), claims: claims as never };
      expect(() => requireAll({ user: source })).toThrow(ConfigError);
      expect(() => requireAny({ user: source })).toThrow(ConfigError);
    },
  );
});

describe('T-079: modes weaken no tree', () => {
  it.each(['optional', 'permissive'] as const)('T-079: authenticators of mode %s', async (mode) => {
    const all = requireAll({ user: on('user', mode), device: { from: on('device', mode), claims: {} } });
    const any = requireAny({ user: on('user', mode), inner: requireAll({ device: on('device', mode) }) });
    for (const overrides of [undefined, { mode }, { mode: 'strict' }]) {
      expect(await outcome(all, headersOf({ user: 'good' }), overrides)).toBe('credentials_missing');
      expect(await outcome(all, headersOf({ user: 'expired', device: 'good' }), overrides)).toBe(
        'token_expired',
      );
      expect(await outcome(any, {}, overrides)).toBe('credentials_missing');
      expect(await outcome(any, headersOf({ user: 'expired' }), overrides)).toBe('token_expired');
      expect(await outcome(any, headersOf({ user: 'none', device: 'unjudged' }), overrides)).toBe(
        'keyset_unavailable',
      );
      expect(await outcome(any, headersOf({ device: 'good' }), overrides)).toEqual({
        inner: { device: 'device' },
      });
    }
  });

  it('S4: issuers of a route are asked of every leaf', async () => {
    const tree = requireAll({ user: on('user'), inner: requireAny({ device: on('device') }) });
    const headers = headersOf({ user: 'good', device: 'good' });
    expect(await outcome(tree, headers, { issuers: ['i'] })).toEqual({
      user: 'user',
      inner: { device: 'device' },
    });
    expect(await outcome(tree, headers, { issuers: ['other'] })).toBe('token_issuer_untrusted');
  });
});

describe('D11: conceal', () => {
  it('D11: goes to every leaf, however deep', () => {
    const queried = (query: string) =>
      createAuthenticator({
        keySets: [{ jwks: { keys: [key.publicJwk] } }],
        audience: null,
        tokenFrom: [{ query }],
      });
    const tree = requireAll({
      a: queried('a'),
      inner: requireAny({ b: { from: queried('b'), claims: {} }, header: on('user') }),
    });
    const concealment = tree.conceal({ url: '/?a=1&b=2&c=3', headers: {} });
    expect(concealment?.names).toEqual(['a', 'b']);
    expect(concealment?.strip('/x?a=1&b=2&c=3')).toBe('/x?c=3');
    expect(concealment?.headers).toEqual({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' });
  });
});
