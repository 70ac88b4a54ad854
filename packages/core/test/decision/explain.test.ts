// An explanation says what is decided: of every kind of token and request it names the same outcome
// as the pipeline, and the check that made it.
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createIssuer, forge, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CompiledRules, compileRules, type RequestView } from '../../src/adapter/index.ts';
import type { ExplainedCheck, Explanation } from '../../src/index.ts';
import {
  type Authenticator,
  type AuthenticatorOptions,
  authorize,
  createAuthenticator,
  createMemoryStore,
  isAuthError,
  type JsonValue,
  type KeysetOptions,
  type Rules,
  route,
} from '../../src/index.ts';
import { given } from '../support/defined.ts';

type Claims = { readonly [name: string]: JsonValue | undefined };

const now = () => Math.floor(Date.now() / 1000);
let key: SigningKey;
let rsa: SigningKey;
let stranger: SigningKey;
let server: Server;
let url: string;
/** What the endpoint does. */
let remote: { readonly status: number; readonly body?: unknown };
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  [key, rsa, stranger] = await Promise.all([
    generateSigningKey('ES256', 'one'),
    generateSigningKey('RS256', 'two'),
    generateSigningKey('ES256', 'stranger'),
  ]);
  server = createServer((_, response) => {
    response
      .writeHead(remote.status, { 'content-type': 'application/json' })
      .end(JSON.stringify(remote.body ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/validate`;
});
afterAll(() => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});

beforeEach(() => {
  remote = { status: 200, body: { sub: 'alice' } };
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closers.splice(0)) await close();
});

const inline = (by: SigningKey, more: Partial<KeysetOptions> = {}) =>
  ({ issuer: 'i', jwks: { keys: [by.publicJwk] }, ...more }) as KeysetOptions;
const forEverybody = (by: SigningKey) =>
  ({ jwks: { keys: [by.publicJwk] }, unsafeOtherIssuers: true }) as KeysetOptions;

function start(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  const made = createAuthenticator({ keySets: [inline(key)], audience: 'me', ...options });
  closers.push(made.close);
  return made;
}

const claimsOf = (claims: Claims = {}): Claims => ({
  iss: 'i',
  aud: 'me',
  sub: 'alice',
  exp: now() + 300,
  ...claims,
});
const tokenOf = (claims: Claims = {}, by = key, header: Claims = {}) => mint(by, claimsOf(claims), header);

interface Outcome {
  readonly allowed: boolean;
  readonly status: number;
  readonly code: string | undefined;
}

/** What the pipeline says, asked like for any request. */
async function decide(
  authenticator: Authenticator,
  subject: string | RequestView,
  rules: Rules | CompiledRules | undefined,
): Promise<Outcome> {
  try {
    if (typeof subject === 'string') await authenticator.verify(subject, ...given(rules));
    else {
      const principal = await authenticator.authenticate(subject);
      const { method, headers, params = {} } = subject;
      if (rules !== undefined)
        authorize(principal, rules as Rules, { method, headers, params: params as never });
    }
    return { allowed: true, status: 200, code: undefined };
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return { allowed: false, status: error.status, code: error.code };
  }
}

describe('faults of the application', () => {
  /** A schema that throws. */
  const throwing = (thrown: unknown) =>
    schemaOf(() => {
      throw thrown;
    });

  it('S53: a rule that throws does not hide why a token is refused', async () => {
    const authenticator = start({ claims: { roles: throwing(new TypeError('no roles')) } });
    const expired = await tokenOf({ exp: now() - 300 });
    for (const rules of [undefined, { scope: throwing(new TypeError('no scope')) }, route('none')]) {
      const { allowed, checks } = await authenticator.explain(expired, ...given(rules));
      expect([allowed, firstCode({ checks } as Explanation)]).toEqual([false, 'token_expired']);
    }
  });

  it.each(['the options', 'the route'])(
    'T-071: a refusal that a schema of %s throws is a fault, whether the token was seen before or not',
    async (place) => {
      const wanted = start();
      const refusal = await wanted.verify('a.b.c').catch((error: unknown) => error);
      let isThrowing = false;
      const claims = {
        sub: schemaOf((value) => {
          if (isThrowing) throw refusal;
          return { value };
        }),
      };
      const authenticator = start(place === 'the options' ? { claims } : {});
      const rules = place === 'the route' ? claims : undefined;
      const token = await tokenOf();
      for (let time = 0; time < 3; time++) await authenticator.verify(token, ...given(rules));
      isThrowing = true;
      for (const asked of [token, await tokenOf({ jti: 'new' })]) {
        const fault = await authenticator.verify(asked, ...given(rules)).catch((error: unknown) => error);
        expect(isAuthError(fault)).toBe(false);
        expect(fault).toMatchObject({ cause: refusal });
      }
    },
  );
});

function schemaOf(validate: (value: unknown) => unknown) {
  return { '~standard': { version: 1, vendor: 'test', validate } } as never;
}

const firstCode = ({ checks }: Explanation) =>
  checks.find(({ outcome, code }) => (outcome === 'failed' || outcome === 'unknown') && code !== undefined)
    ?.code;

/** Explains, and holds it against what is decided before and after it. */
async function agreed(
  authenticator: Authenticator,
  subject: string | RequestView,
  rules?: Rules | CompiledRules,
): Promise<Explanation> {
  const before = await decide(authenticator, subject, rules);
  const explanation = await authenticator.explain(subject, ...given(rules));
  const after = await decide(authenticator, subject, rules);
  const { allowed, status, code } = explanation;
  expect({ allowed, status, code }).toEqual(before);
  expect(after).toEqual(before);
  expect(firstCode(explanation), JSON.stringify(explanation.checks, null, 1)).toBe(code);
  return explanation;
}

const flat = (checks: readonly ExplainedCheck[]): readonly ExplainedCheck[] =>
  checks.flatMap((check) => [check, ...flat(check.checks ?? [])]);

function requestOf(
  headers: readonly (readonly [name: string, value: string])[],
  more: Partial<RequestView> = {},
): RequestView {
  const given: Record<string, string> = {};
  for (const [name, value] of headers) given[name.toLowerCase()] ??= value;
  return { method: 'GET', url: '/', headers: given, rawHeaders: headers.flat(), ...more };
}

const bearer = (token: string) => requestOf([['Authorization', `Bearer ${token}`]]);

/** mulberry32: the same in every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

describe('tokens', () => {
  const tokens: readonly [title: string, make: () => string | Promise<string>][] = [
    ['good', () => tokenOf()],
    ['for several audiences', () => tokenOf({ aud: ['you', 'me'] })],
    ['expired', () => tokenOf({ exp: now() - 60 })],
    ['without exp', () => tokenOf({ exp: undefined })],
    ['with an exp that is no time', () => tokenOf({ exp: 'soon' })],
    ['with an exp in milliseconds', () => tokenOf({ exp: Date.now() })],
    ['not valid yet', () => tokenOf({ nbf: now() + 60 })],
    ['of the future', () => tokenOf({ iat: now() + 60 })],
    ['whose iat is after exp', () => tokenOf({ iat: now() + 3, exp: now() + 1 })],
    ['for another audience', () => tokenOf({ aud: 'you' })],
    ['for no audience', () => tokenOf({ aud: undefined })],
    ['for an audience that is no text', () => tokenOf({ aud: 5 })],
    ['of another issuer', () => tokenOf({ iss: 'other' })],
    ['of no issuer', () => tokenOf({ iss: undefined })],
    ['of an empty issuer', () => tokenOf({ iss: '' })],
    ['of an issuer that is no text', () => tokenOf({ iss: ['i'] })],
    ['of a blank subject', () => tokenOf({ sub: ' ' })],
    ['of a subject that is no text', () => tokenOf({ sub: 7 })],
    ['bound to a key', () => tokenOf({ cnf: { jkt: 'x' } })],
    ['of an unknown key', () => tokenOf({}, stranger)],
    ['of a stranger who says he is one of us', () => tokenOf({}, stranger, { kid: 'one' })],
    ['without a kid', () => tokenOf({}, key, { kid: undefined })],
    ['of a stranger without a kid', () => tokenOf({}, stranger, { kid: undefined })],
    ['of another type', () => tokenOf({}, key, { typ: 'dpop+jwt' })],
    ['without a type', () => tokenOf({}, key, { typ: undefined })],
    ['signed with RS256', () => tokenOf({}, rsa, { kid: 'one' })],
    ['of another key of ours', () => tokenOf({}, rsa)],
    [
      'with crit',
      () =>
        tokenOf({}, key).then((token) =>
          token.replace(
            /^[^.]+/,
            Buffer.from('{"alg":"ES256","kid":"one","crit":["exp"]}').toString('base64url'),
          ),
        ),
    ],
    ['alg none', () => forge({ header: { alg: 'none' }, payload: claimsOf() })],
    [
      'alg HS256 by the public key',
      () => forge({ header: { alg: 'HS256', kid: 'one' }, payload: claimsOf(), signature: randomBytes(32) }),
    ],
    [
      'an alg of nobody',
      () => forge({ header: { alg: 'XX999', kid: 'one' }, payload: claimsOf(), signature: Buffer.alloc(64) }),
    ],
    ['an empty signature', () => forge({ header: { alg: 'ES256', kid: 'one' }, payload: claimsOf() })],
    [
      'zeros for a signature',
      () => forge({ header: { alg: 'ES256', kid: 'one' }, payload: claimsOf(), signature: Buffer.alloc(64) }),
    ],
    ['a member twice', () => forge({ header: { alg: 'ES256' }, payload: '{"iss":"i","iss":"j"}' })],
    ['claims that are a list', () => forge({ header: { alg: 'ES256' }, payload: [] })],
    ['a JWE', () => 'a.b.c.d.e'],
    ['nothing', () => ''],
    ['dots', () => '..'],
    ['no token', () => 'hello'],
    ['control characters', () => '\u001b[31m.\u0000.x'],
    ['too long', async () => `${await tokenOf({ long: 'x'.repeat(9_000) })}`],
  ];

  const all: readonly [title: string, options: () => Partial<AuthenticatorOptions>][] = [
    ['one keyset', () => ({})],
    [
      'several keysets',
      () => ({ keySets: [inline(rsa), inline(key), inline(stranger, { issuer: 'other' })] }),
    ],
    ['a keyset for everybody', () => ({ keySets: [forEverybody(key)] })],
    ['allowed algorithms', () => ({ keySets: [inline(rsa, { allowedAlgorithms: ['RS256'] })] })],
    ['kidless: refuse', () => ({ keySets: [inline(key, { kidless: 'refuse' })] })],
    [
      'kidless: try-all',
      () => ({ keySets: [inline(stranger, { kidless: 'try-all' }), inline(key, { kidless: 'try-all' })] }),
    ],
    ['issuers', () => ({ keySets: [forEverybody(key)], issuers: ['other', { pattern: '^x' }] })],
    ['no audience', () => ({ audience: null })],
    ['all audiences', () => ({ audience: ['me', 'you'], audMatch: 'all' })],
    ['the profile at+jwt', () => ({ profile: 'at+jwt' })],
    ['a type of our own', () => ({ typ: 'dpop+jwt' })],
    ['all the times', () => ({ requireExp: false, treatIatAsNbf: true, maxTokenAge: '1m', clockSkew: '0s' })],
    ['bound tokens', () => ({ unsafeAcceptSenderConstrained: true })],
    ['no cache', () => ({ cache: false })],
    [
      'keys that are down',
      () => ({ keySets: [{ issuer: 'i', jwksUrl: 'http://127.0.0.1:1/', allowHttp: true }] }),
    ],
    ['an endpoint that accepts', () => ({ remote: { url, onReject: 'deny', onError: 'deny' } })],
  ];

  it.each(all)('%s: each of them gets what it is explained to get', async (_, options) => {
    const authenticator = start(options());
    for (const [title, make] of tokens) {
      const token = await make();
      await agreed(authenticator, token).catch((error) => {
        throw new Error(`${title}: ${error instanceof Error ? error.message : error}`, { cause: error });
      });
    }
  });

  it('R15: a thousand mutations of a good one, and of its claims', async () => {
    const authenticator = start({
      keySets: [inline(key), inline(rsa), inline(stranger, { issuer: 'other' })],
    });
    const pick = random(7);
    const values: readonly (JsonValue | undefined)[] = [
      'i',
      'me',
      'other',
      5,
      -1,
      null,
      [],
      {},
      '',
      undefined,
      true,
    ];
    const names = ['iss', 'sub', 'aud', 'cnf', 'jti', 'client_id', 'scope', 'groups', 'dept'];
    for (let round = 0; round < 1_000; round++) {
      const token = await tokenOf(
        {
          [names[pick(names.length - 2)] ?? '']: values[pick(values.length)],
          exp: now() + (pick(4) === 0 ? -pick(600) : pick(600)) - 30,
        },
        [key, rsa, stranger][pick(3)] ?? key,
      );
      const at = pick(token.length);
      const mutated =
        pick(2) === 0 ? token : `${token.slice(0, at)}${'Az09-_.='[pick(8)]}${token.slice(at + pick(3))}`;
      const explanation = await authenticator.explain(mutated);
      const { allowed, status, code } = explanation;
      expect({ allowed, status, code }).toEqual(await decide(authenticator, mutated, undefined));
      if (code !== undefined && explanation.detail?.includes('list of strings') !== true)
        expect(firstCode(explanation), mutated).toBe(code);
      if (allowed) expect(explanation.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
      expect(explanation.verified).toBe(allowed || explanation.verified);
    }
  });

  it('is verified where a key has signed it, also where it is refused for something else', async () => {
    const authenticator = start();
    expect((await agreed(authenticator, await tokenOf())).verified).toBe(true);
    expect((await agreed(authenticator, await tokenOf({ aud: 'you' }))).verified).toBe(true);
    expect((await agreed(authenticator, await tokenOf({}, stranger))).verified).toBe(false);
    expect((await agreed(authenticator, await tokenOf({}, stranger, { kid: 'one' }))).verified).toBe(false);
    expect((await agreed(authenticator, 'x')).verified).toBe(false);
  });

  it('expired, and of a time that is none', async () => {
    await agreed(start(), await tokenOf({ exp: now() - 60, nbf: 'x' }));
  });

  it.each([{ scope: 5 }, { groups: 'ops' }])(
    'with a claim that is not what its name says: %o',
    async (claims) => {
      await agreed(start(), await tokenOf(claims));
    },
  );
});

describe('rules', () => {
  const options = (): Partial<AuthenticatorOptions> => ({
    claims: { tenant: { anyOf: ['acme', 'other'] } },
    routes: {
      admin: { claims: { role: 'admin' } },
      partner: { issuers: ['partner'] },
      both: { claims: { role: 'admin' }, issuers: ['i'] },
      write: { claims: { scope: ['write'] } },
    },
    keySets: [inline(key), inline(key, { issuer: 'partner' })],
  });

  it.each<[claims: Claims, rules: () => Rules | CompiledRules | undefined, code: string | undefined]>([
    [{}, () => undefined, 'token_claims_invalid'],
    [{ tenant: 'acme' }, () => undefined, undefined],
    [{ tenant: 'acme' }, () => ({ role: 'admin' }), 'claims_insufficient'],
    [{ tenant: 'acme', role: 'admin' }, () => ({ role: 'admin' }), undefined],
    [{ tenant: 'acme' }, () => ({ scope: ['read'] }), 'scope_insufficient'],
    [{ tenant: 'acme', scope: 'read' }, () => ({ scope: ['read'], role: 'x' }), 'claims_insufficient'],
    [{ tenant: 'acme' }, () => ({ role: 'x', scope: ['read'] }), 'claims_insufficient'],
    [{ tenant: 'acme' }, () => compileRules([{ name: 'role', required: true }]), 'claims_insufficient'],
    [{ tenant: 'acme', role: 'admin' }, () => route('admin'), undefined],
    [{ tenant: 'acme' }, () => route('admin'), 'claims_insufficient'],
    [{ tenant: 'acme' }, () => route('write'), 'scope_insufficient'],
    [{ tenant: 'acme' }, () => route('partner'), 'token_issuer_untrusted'],
    [{ tenant: 'acme', iss: 'partner' }, () => route('partner'), undefined],
    [{ tenant: 'acme', iss: 'partner', role: 'admin' }, () => route('both'), 'token_issuer_untrusted'],
    [{ exp: 1, role: 'x' }, () => route('admin'), 'token_expired'],
  ])('claims %o: as decided', async (claims, rules, code) => {
    const authenticator = start(options());
    const token = await tokenOf(claims);
    expect((await agreed(authenticator, token, rules())).code).toBe(code);
    expect((await agreed(authenticator, bearer(token), rules())).code).toBe(code);
  });

  it('that compare with the request', async () => {
    const authenticator = start();
    const rules = { sub: { fromRequest: 'params.id' } } as const;
    const request = (id: string) => ({ ...bearer(token), params: { id } });
    const token = await tokenOf();
    expect((await agreed(authenticator, request('alice'), rules)).allowed).toBe(true);
    expect((await agreed(authenticator, request('bob'), rules)).code).toBe('claims_insufficient');
  });

  it('that compare with the request, where there is none, are unknown', async () => {
    const { checks } = await start().explain(await tokenOf(), { sub: { fromRequest: 'params.id' } });
    expect(checks.at(-1)).toMatchObject({ check: 'route', outcome: 'unknown' });
  });

  it('a route that is not there is a TypeError, as it is for a request', async () => {
    await expect(start().explain(await tokenOf(), route('nobody'))).rejects.toThrow(TypeError);
  });

  it('a token without claims to judge is explained on a route all the same', async () => {
    expect((await agreed(start(options()), 'x', route('admin'))).code).toBe('token_malformed');
  });
});

describe('requests', () => {
  const places = {
    tokenFrom: [{ header: 'Authorization' }, { cookie: 'token' }, { query: 'token' }],
  } as const;
  const requests: readonly [title: string, make: (token: string) => RequestView][] = [
    ['none', () => requestOf([])],
    ['a bearer token', bearer],
    ['a bearer token in another case', (token) => requestOf([['authorization', `bEaReR ${token}`]])],
    ['another scheme', (token) => requestOf([['Authorization', `Basic ${token}`]])],
    ['a scheme alone', () => requestOf([['Authorization', 'Bearer']])],
    [
      'the header twice',
      (token) =>
        requestOf([
          ['Authorization', `Bearer ${token}`],
          ['authorization', `Bearer ${token}`],
        ]),
    ],
    ['two tokens in one header', (token) => requestOf([['Authorization', `Bearer ${token} ${token}`]])],
    ['a cookie', (token) => requestOf([['Cookie', `a=b; token=${token}`]])],
    ['a cookie twice', (token) => requestOf([['Cookie', `token=${token}; token=x`]])],
    [
      'a cookie from another origin',
      (token) =>
        requestOf(
          [
            ['Cookie', `token=${token}`],
            ['Origin', 'https://evil.example'],
            ['Host', 'us.example'],
          ],
          { method: 'POST' },
        ),
    ],
    ['the query', (token) => requestOf([], { url: `/x?a=b&token=${token}` })],
    ['the query twice', (token) => requestOf([], { url: `/x?token=${token}&token=${token}` })],
    ['two places', (token) => requestOf([['Authorization', `Bearer ${token}`]], { url: `/?token=${token}` })],
  ];

  it.each(requests)('%s: as decided, in mode strict', async (_, make) => {
    const token = await tokenOf();
    await agreed(start(places), make(token));
    await agreed(start(places), make(token), { sub: 'alice' });
    await agreed(start(places), make(await tokenOf({ exp: 1 })));
    await agreed(start(), make(token));
  });

  it.each(requests)(
    '%s: what comes of it is as decided, in modes optional and permissive',
    async (_, make) => {
      for (const mode of ['optional', 'permissive'] as const)
        for (const rules of [undefined, { sub: 'alice' }] as const)
          for (const token of [await tokenOf(), await tokenOf({ exp: 1 }), 'x']) {
            const authenticator = start({ ...places, mode });
            const before = await decide(authenticator, make(token), rules);
            const { allowed, status, code } = await authenticator.explain(make(token), ...given(rules));
            expect({ allowed, status, code }).toEqual(before);
          }
    },
  );

  it('nobody, where that is fine, fails no check', async () => {
    await agreed(start({ mode: 'optional' }), requestOf([]));
  });
  it('a bad token that is let pass is refused by the route as nobody', async () => {
    await agreed(start({ mode: 'permissive' }), bearer('x'), { sub: 'alice' });
  });

  it('says of each place whether a token is there', async () => {
    const token = await tokenOf();
    const { checks } = await start(places).explain(requestOf([['Cookie', `token=${token}`]]));
    expect(checks[0]).toMatchObject({
      check: 'credentials',
      about: 'the request',
      outcome: 'passed',
      checks: [
        { about: 'header Authorization', outcome: 'skipped' },
        { about: 'cookie token', outcome: 'passed' },
        { about: 'query token', outcome: 'skipped' },
      ],
    });
    const two = await start(places).explain(requestOf([['Cookie', `token=${token}`]], { url: `/?token=x` }));
    expect(two.checks[0]).toMatchObject({ outcome: 'failed', code: 'credentials_ambiguous' });
    expect(two.checks).toHaveLength(1);
  });
});

describe('remote endpoints', () => {
  const answers: readonly [title: string, answer: typeof remote][] = [
    ['accepts', { status: 200, body: { sub: 'alice' } }],
    ['accepts for another audience', { status: 200, body: { sub: 'alice', aud: 'you' } }],
    ['accepts what is expired', { status: 200, body: { sub: 'alice', exp: 1 } }],
    ['refuses', { status: 401 }],
    ['is down', { status: 503 }],
    ['is odd', { status: 200, body: {} }],
  ];
  const next = ['deny', 'next'] as const;

  it.each(answers)('alone, it %s', async (_, answer) => {
    remote = answer;
    const authenticator = start({ keySets: [], remote: { url } });
    await agreed(authenticator, 'opaque');
    await agreed(authenticator, await tokenOf());
    await agreed(authenticator, 'no bearer token');
    await agreed(authenticator, bearer('opaque'), { sub: 'alice' });
    await agreed(authenticator, bearer('opaque'), { sub: 'bob' });
  });

  it.each(answers)('before keysets, it %s: what comes of it is as decided', async (_, answer) => {
    remote = answer;
    for (const onReject of next)
      for (const onError of next)
        for (const token of [
          'opaque',
          await tokenOf(),
          await tokenOf({ exp: 1 }),
          await tokenOf({}, stranger),
        ]) {
          const authenticator = start({ remote: { url, onReject, onError } });
          const before = await decide(authenticator, token, undefined);
          const explanation = await authenticator.explain(token);
          const { allowed, status, code } = explanation;
          expect({ allowed, status, code }).toEqual(before);
          if (code !== 'remote_unavailable') expect(firstCode(explanation)).toBe(code);
        }
  });

  it('a good answer says whose claims are judged', async () => {
    remote = { status: 200, body: { sub: 'bob', tenant: 'x' } };
    const authenticator = start({ remote: { url, onReject: 'deny', onError: 'deny' } });
    const { verified, checks } = await authenticator.explain(await tokenOf({ tenant: 'y' }), { tenant: 'x' });
    expect(verified).toBe(true);
    expect(checks.at(-1)).toMatchObject({ about: 'tenant', outcome: 'passed', actual: '"x"' });
    // Its keysets are not asked, so nothing is said of them.
    expect(checks.some(({ check }) => check === 'keys' || check === 'form')).toBe(false);
  });

  it('down, and the keysets refuse', async () => {
    remote = { status: 503 };
    await agreed(start({ remote: { url, onReject: 'next', onError: 'next' } }), 'opaque');
  });

  it('of an issuer that is not welcome', async () => {
    remote = { status: 200, body: { sub: 'alice', iss: 'other' } };
    await agreed(start({ keySets: [], issuers: ['i'], remote: { url } }), 'opaque');
  });
});

describe('the system', () => {
  const options = (more: Partial<AuthenticatorOptions> = {}): Partial<AuthenticatorOptions> => ({
    systemSubject: 'okera',
    keySets: [inline(key, { system: true }), inline(stranger, { issuer: 'users' })],
    ...more,
  });

  it('by its own key, and by another', async () => {
    const authenticator = start(options());
    expect((await agreed(authenticator, await tokenOf({ sub: 'okera' }))).allowed).toBe(true);
    expect((await agreed(authenticator, await tokenOf({ sub: 'okera', iss: 'users' }, stranger))).code).toBe(
      'token_claims_invalid',
    );
    expect((await agreed(authenticator, await tokenOf({ iss: 'users' }, stranger))).allowed).toBe(true);
  });

  it('by an endpoint that may say so, and by one that may not, with its own key', async () => {
    remote = { status: 200, body: { sub: 'okera' } };
    const one = start(options({ remote: { url, onReject: 'deny', onError: 'deny', system: true } }));
    expect((await agreed(one, 'opaque')).allowed).toBe(true);
    const two = start(options({ remote: { url, onReject: 'deny', onError: 'deny' } }));
    expect((await agreed(two, await tokenOf({ sub: 'okera' }))).allowed).toBe(true);
  });

  it('by an endpoint that may not, without its key', async () => {
    remote = { status: 200, body: { sub: 'okera' } };
    await agreed(start(options({ remote: { url, onReject: 'deny', onError: 'deny' } })), 'opaque');
  });

  it('by an endpoint that may not, while its keys cannot be asked: unverified', async () => {
    remote = { status: 200, body: { sub: 'okera' } };
    const down: KeysetOptions = { issuer: 'i', jwksUrl: 'http://127.0.0.1:1/', allowHttp: true };
    const endpoint = { url, onReject: 'deny', onError: 'deny' } as const;
    const authenticator = start({ systemSubject: 'okera', keySets: [down], remote: endpoint });
    const explanation = await agreed(authenticator, await tokenOf({ sub: 'okera' }));
    expect(explanation).toMatchObject({ code: 'keyset_unavailable', verified: false });
  });

  it('by an endpoint that may not, with a token that would never end', async () => {
    remote = { status: 200, body: { sub: 'okera' } };
    const authenticator = start(options({ remote: { url, onReject: 'deny', onError: 'deny' } }));
    await agreed(authenticator, await tokenOf({ sub: 'okera', exp: undefined }));
  });
});

describe('groups', () => {
  const directory = (resolve: () => Promise<readonly string[] | undefined>) => ({
    description: 'test',
    resolve,
  });

  it('that are found, and that cannot be', async () => {
    const token = await tokenOf({ groups: ['claimed'] });
    const order = ['directory'] as const;
    const found = start({ groups: { order, directory: directory(async () => ['ops']) } });
    const explanation = await agreed(found, token, { groups: ['ops'] });
    expect(explanation.checks).toContainEqual({
      check: 'groups',
      about: 'directory',
      outcome: 'passed',
      actual: '["ops"]',
    });
    expect((await agreed(found, token, { groups: ['claimed'] })).code).toBe('claims_insufficient');
    const down = start({ groups: { order, directory: directory(() => Promise.reject(new Error('down'))) } });
    expect((await agreed(down, token)).code).toBe('groups_unavailable');
    expect((await agreed(down, await tokenOf({ exp: 1 }))).code).toBe('token_expired');
  });

  it('of a subject that nobody knows', async () => {
    const groups = {
      order: ['directory'],
      directory: directory(async () => undefined),
      onUnknown: 'deny',
    } as const;
    await agreed(start({ groups }), await tokenOf());
  });
  it('that are no list', async () => {
    await agreed(start({ groups: { claim: 'groups' } }), await tokenOf({ groups: 'ops' }));
  });
});

describe('keys', () => {
  it('of the deprecated list', async () => {
    const secret = randomBytes(32);
    const authenticator = start({
      keySets: [],
      keys: [{ keyId: 'old', algorithm: 'HS256', issuer: 'legacy', secret: { name: 's' } }],
      secrets: createMemoryStore({ s: { 'secret.key': secret } }),
    });
    const sign = (kid: string, by: Uint8Array) =>
      new SignJWT({ iss: 'legacy', aud: 'me', exp: now() + 60 })
        .setProtectedHeader({ alg: 'HS256', kid })
        .sign(by);
    expect((await agreed(authenticator, await sign('old', secret))).allowed).toBe(true);
    await agreed(authenticator, await sign('old', randomBytes(32)));
    await agreed(authenticator, await sign('new', secret));
    await agreed(authenticator, await tokenOf({ iss: 'legacy' }));
    await agreed(authenticator, await tokenOf());
  });

  it('why each keyset has no say', async () => {
    const keySets = [
      inline(rsa, { issuer: 'other' }),
      inline(rsa, { allowedAlgorithms: ['RS256'] }),
      inline(key),
      inline(stranger),
      forEverybody(key),
    ];
    const { checks } = await agreed(start({ keySets }), await tokenOf());
    expect(checks.find(({ check }) => check === 'keys')?.checks).toMatchObject([
      { about: 'keySets[0]', outcome: 'skipped', detail: 'is only for tokens of "other"' },
      { about: 'keySets[1]', outcome: 'skipped', detail: 'its allowedAlgorithms are RS256' },
      { about: 'keySets[2]', outcome: 'passed', checks: [{ about: 'key one', outcome: 'passed' }] },
      { about: 'keySets[3]', outcome: 'skipped', detail: 'is not asked: an earlier keyset has decided' },
      {
        about: 'keySets[4]',
        outcome: 'skipped',
        detail: 'is only for tokens whose iss no other keyset names',
      },
    ]);
    const missing = start({ keySets: [inline(key), forEverybody(rsa)] });
    const without = await agreed(missing, await tokenOf({ iss: undefined }));
    expect(flat(without.checks)).toContainEqual(
      expect.objectContaining({
        about: 'keySets[0]',
        outcome: 'skipped',
        detail: 'is only for tokens of "i"',
      }),
    );
    const odd = forge({
      header: { alg: 'XX1', kid: 'one' },
      payload: claimsOf(),
      signature: Buffer.alloc(64),
    });
    expect(flat((await agreed(missing, odd)).checks)).toContainEqual(
      expect.objectContaining({
        about: 'keySets[0]',
        detail: 'is not asked: the algorithm is not supported',
      }),
    );
  });

  it('of which one cannot be asked, and the token is of another', async () => {
    const down: KeysetOptions = { issuer: 'i', jwksUrl: 'http://127.0.0.1:1/', allowHttp: true };
    const authenticator = start({ keySets: [down, inline(key)] });
    expect((await agreed(authenticator, await tokenOf())).allowed).toBe(true);
    expect((await agreed(authenticator, await tokenOf({}, stranger))).code).toBe('keyset_unavailable');
    expect((await agreed(authenticator, await tokenOf({}, stranger, { kid: 'one' }))).code).toBe(
      'keyset_unavailable',
    );
  });

  it('of which one cannot be asked, and a token without a kid', async () => {
    const down: KeysetOptions = { issuer: 'i', jwksUrl: 'http://127.0.0.1:1/', allowHttp: true };
    await agreed(start({ keySets: [down, inline(key)] }), await tokenOf({}, stranger, { kid: undefined }));
  });

  it('are looked for at the source as for any request, and no more often', async () => {
    const issuer = await createIssuer({ audience: 'me' });
    closers.push(issuer.close);
    const authenticator = start({
      keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
    });
    const token = await issuer.mint();
    await agreed(authenticator, token);
    expect(issuer.requests.jwks).toBe(1);
    await issuer.rotate({ keepOld: true });
    expect((await authenticator.explain(await issuer.mint())).allowed).toBe(true);
    expect(issuer.requests.jwks).toBe(2);
    for (let time = 0; time < 5; time++)
      await authenticator.explain(await issuer.mint({}, { kid: `k${time}` }));
    expect(issuer.requests.jwks).toBe(2);
  });

  it('nothing that is decided later changes by an explanation', async () => {
    const [one, two] = [await createIssuer({ audience: 'me' }), await createIssuer({ audience: 'me' })];
    closers.push(one.close, two.close);
    const of = ({ jwksUrl }: typeof one): KeysetOptions => ({ issuer: 'shared', jwksUrl, allowHttp: true });
    const authenticator = start({ keySets: [of(one), of(two)] });
    await authenticator.ready();
    expect((await authenticator.explain(await two.mint({ iss: 'shared' }))).allowed).toBe(true);
    await one.rotate();
    expect((await decide(authenticator, await one.mint({ iss: 'shared' }), undefined)).code).toBeUndefined();
  });
});

describe('what explaining costs', () => {
  it('a remote endpoint is asked once, and what it says is what is explained', async () => {
    let calls = 0;
    const counting = createServer((_, response) => {
      calls++;
      response.writeHead(200, { 'content-type': 'application/json' }).end(`{"sub":"alice-${calls}"}`);
    });
    await new Promise<void>((resolve) => counting.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => counting.close(resolve)));
    const { port } = counting.address() as AddressInfo;
    const authenticator = start({ keySets: [], remote: { url: `http://127.0.0.1:${port}/` } });
    const { allowed, checks } = await authenticator.explain('opaque', { sub: 'alice-1' });
    expect(allowed).toBe(true);
    expect(checks.at(-1)).toMatchObject({ about: 'sub', actual: '"alice-1"', outcome: 'passed' });
    expect(calls).toBe(1);
    await authenticator.close();
  });

  it('groups are resolved once', async () => {
    let calls = 0;
    const resolve = async () => [`ops-${++calls}`];
    const directory = { description: 'test', resolve };
    const authenticator = start({ groups: { order: ['directory'], directory, cacheFor: '0s' } });
    const { allowed } = await authenticator.explain(await tokenOf(), { groups: ['ops-1'] });
    expect([allowed, calls]).toEqual([true, 1]);
  });
});
