// An explanation of a token or a request has the outcome of the decision, and names the check that
// made it. Endpoints, groups and keys are in explain-sources.test.ts.
import { randomBytes } from 'node:crypto';
import { seeded } from '@latchkey/test-kit/random';
import { forge } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { type CompiledRules, compileRules, type RequestView } from '../../src/adapter/index.ts';
import {
  type AuthenticatorOptions,
  type Explanation,
  isAuthError,
  type JsonValue,
  type Rules,
  route,
} from '../../src/index.ts';
import { given } from '../support/defined.ts';
import {
  agreed,
  bearer,
  type Claims,
  claimsOf,
  decide,
  decides,
  down,
  endpoint,
  firstCode,
  forEveryIssuer,
  forged,
  inline,
  key,
  now,
  requestOf,
  rsa,
  schemaOf,
  start,
  stranger,
  tokenOf,
} from './explaining.ts';

describe('faults of the application', () => {
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

describe('tokens', () => {
  type Options = Partial<AuthenticatorOptions>;
  const CRIT = Buffer.from('{"alg":"ES256","kid":"one","crit":["exp"]}').toString('base64url');
  const tokens: readonly [title: string, make: () => string | Promise<string>][] = [
    ['good', () => tokenOf()],
    ['for several audiences', () => tokenOf({ aud: ['you', 'me'] })],
    ['expired', () => tokenOf({ exp: now() - 60 })],
    ['without exp', () => tokenOf({ exp: undefined })],
    ['with an exp that is not a time', () => tokenOf({ exp: 'soon' })],
    ['with an exp in milliseconds', () => tokenOf({ exp: Date.now() })],
    ['not valid yet', () => tokenOf({ nbf: now() + 60 })],
    ['of the future', () => tokenOf({ iat: now() + 60 })],
    ['whose iat is after exp', () => tokenOf({ iat: now() + 3, exp: now() + 1 })],
    ['for another audience', () => tokenOf({ aud: 'you' })],
    ['for no audience', () => tokenOf({ aud: undefined })],
    ['for an audience that is not a text', () => tokenOf({ aud: 5 })],
    ['of another issuer', () => tokenOf({ iss: 'other' })],
    ['of no issuer', () => tokenOf({ iss: undefined })],
    ['of an empty issuer', () => tokenOf({ iss: '' })],
    ['of an issuer that is not a text', () => tokenOf({ iss: ['i'] })],
    ['of a blank subject', () => tokenOf({ sub: ' ' })],
    ['of a subject that is not a text', () => tokenOf({ sub: 7 })],
    ['bound to a key', () => tokenOf({ cnf: { jkt: 'x' } })],
    ['of an unknown key', () => tokenOf({}, stranger)],
    ['of an unknown key with a known kid', () => tokenOf({}, stranger, { kid: 'one' })],
    ['without a kid', () => tokenOf({}, key, { kid: undefined })],
    ['of an unknown key without a kid', () => tokenOf({}, stranger, { kid: undefined })],
    ['of another type', () => tokenOf({}, key, { typ: 'dpop+jwt' })],
    ['without a type', () => tokenOf({}, key, { typ: undefined })],
    ['signed with RS256', () => tokenOf({}, rsa, { kid: 'one' })],
    ['of another key of the options', () => tokenOf({}, rsa)],
    ['with crit', () => tokenOf().then((token) => token.replace(/^[^.]+/, CRIT))],
    ['alg none', () => forge({ header: { alg: 'none' }, payload: claimsOf() })],
    ['alg HS256 by the public key', () => forged({ alg: 'HS256', kid: 'one' }, randomBytes(32))],
    ['an unknown alg', () => forged({ alg: 'XX999', kid: 'one' })],
    ['an empty signature', () => forge({ header: { alg: 'ES256', kid: 'one' }, payload: claimsOf() })],
    ['zeros for a signature', () => forged({ alg: 'ES256', kid: 'one' })],
    ['a member twice', () => forge({ header: { alg: 'ES256' }, payload: '{"iss":"i","iss":"j"}' })],
    ['claims that are a list', () => forge({ header: { alg: 'ES256' }, payload: [] })],
    ['a JWE', () => 'a.b.c.d.e'],
    ['nothing', () => ''],
    ['dots', () => '..'],
    ['not a token', () => 'hello'],
    ['control characters', () => '\u001b[31m.\u0000.x'],
    ['too long', async () => `${await tokenOf({ long: 'x'.repeat(18_000) })}`],
  ];

  const all: readonly [title: string, options: () => Options | Promise<Options>][] = [
    ['one keyset', () => ({})],
    [
      'several keysets',
      () => ({ keySets: [inline(rsa), inline(key), inline(stranger, { issuer: 'other' })] }),
    ],
    ['a keyset for every issuer', () => ({ keySets: [forEveryIssuer(key)] })],
    ['allowed algorithms', () => ({ keySets: [inline(rsa, { allowedAlgorithms: ['RS256'] })] })],
    ['kidless: refuse', () => ({ keySets: [inline(key, { kidless: 'refuse' })] })],
    [
      'kidless: try-all',
      () => ({ keySets: [inline(stranger, { kidless: 'try-all' }), inline(key, { kidless: 'try-all' })] }),
    ],
    ['issuers', () => ({ keySets: [forEveryIssuer(key)], issuers: ['other', { pattern: '^x' }] })],
    ['no audience', () => ({ audience: null })],
    ['all audiences', () => ({ audience: ['me', 'you'], audMatch: 'all' })],
    ['the profile at+jwt', () => ({ profile: 'at+jwt' })],
    ['another type', () => ({ typ: 'dpop+jwt' })],
    ['all the times', () => ({ requireExp: false, treatIatAsNbf: true, maxTokenAge: '1m', clockSkew: '0s' })],
    ['bound tokens', () => ({ unsafeAcceptSenderConstrained: true })],
    ['no cache', () => ({ cache: false })],
    ['keys that are down', () => ({ keySets: [down] })],
    [
      'an endpoint that accepts',
      async () => ({ remote: decides(await endpoint({ status: 200, body: { sub: 'alice' } })) }),
    ],
  ];

  it.each(all)('%s: each token is explained as it is decided', async (_, options) => {
    const authenticator = start(await options());
    for (const [title, make] of tokens) {
      const token = await make();
      await agreed(authenticator, token).catch((error) => {
        throw new Error(`${title}: ${error instanceof Error ? error.message : error}`, { cause: error });
      });
    }
  });

  // 20 s: the test explains a thousand tokens.
  it('R15: a thousand mutations of a good token and of its claims', { timeout: 20_000 }, async () => {
    const authenticator = start({
      keySets: [inline(key), inline(rsa), inline(stranger, { issuer: 'other' })],
    });
    const random = seeded(7);
    const pick = (below: number) => Math.floor(random() * below);
    const texts = ['i', 'me', 'other', ''];
    const values: readonly (JsonValue | undefined)[] = [...texts, 5, -1, null, [], {}, undefined, true];
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

  it('verified is true if a key has signed the token, also if it is refused otherwise', async () => {
    const authenticator = start();
    expect((await agreed(authenticator, await tokenOf())).verified).toBe(true);
    expect((await agreed(authenticator, await tokenOf({ aud: 'you' }))).verified).toBe(true);
    expect((await agreed(authenticator, await tokenOf({}, stranger))).verified).toBe(false);
    expect((await agreed(authenticator, await tokenOf({}, stranger, { kid: 'one' }))).verified).toBe(false);
    expect((await agreed(authenticator, 'x')).verified).toBe(false);
  });

  it('expired, and with an nbf that is not a time', async () => {
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
      orders: { audience: ['orders', 'invoices'], issuers: ['i'] },
      both: { claims: { role: 'admin' }, issuers: ['i'] },
      write: { claims: { scope: ['write'] } },
      acting: { actors: ['gateway'] },
      pay: { acr: ['mfa'], maxAge: '5m' },
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
    [{ tenant: 'acme' }, () => route('acting'), 'claims_insufficient'],
    [{ tenant: 'acme', act: { sub: 'gateway' } }, () => route('acting'), undefined],
    [{ tenant: 'acme', act: 'gateway' }, () => route('acting'), 'token_claims_invalid'],
    [{ tenant: 'acme', acr: 'mfa' }, () => route('pay'), 'authentication_insufficient'],
    [{ tenant: 'acme', acr: 'mfa', auth_time: now() }, () => route('pay'), undefined],
    [{ tenant: 'acme' }, () => route('write'), 'scope_insufficient'],
    [{ tenant: 'acme' }, () => route('partner'), 'token_issuer_untrusted'],
    [{ tenant: 'acme', iss: 'partner' }, () => route('partner'), undefined],
    [{ tenant: 'acme', iss: 'partner', role: 'admin' }, () => route('both'), 'token_issuer_untrusted'],
    [{ tenant: 'acme' }, () => route('orders'), 'token_audience_mismatch'],
    [{ tenant: 'acme', aud: ['me', 'invoices'] }, () => route('orders'), undefined],
    [{ tenant: 'acme', iss: 'partner' }, () => route('orders'), 'token_issuer_untrusted'],
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

  it('that compare with the request are unknown without a request', async () => {
    const { checks } = await start().explain(await tokenOf(), { sub: { fromRequest: 'params.id' } });
    expect(checks.at(-1)).toMatchObject({ check: 'route', outcome: 'unknown' });
  });

  it('an unknown route is a TypeError, as for a request', async () => {
    await expect(start().explain(await tokenOf(), route('missing'))).rejects.toThrow(TypeError);
  });

  it('a token without claims is explained for a route too', async () => {
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

  it.each(requests)('%s: as decided, in modes optional and permissive', async (_, make) => {
    for (const mode of ['optional', 'permissive'] as const)
      for (const rules of [undefined, { sub: 'alice' }] as const)
        for (const token of [await tokenOf(), await tokenOf({ exp: 1 }), 'x']) {
          const authenticator = start({ ...places, mode });
          const before = await decide(authenticator, make(token), rules);
          const { allowed, status, code } = await authenticator.explain(make(token), ...given(rules));
          expect({ allowed, status, code }).toEqual(before);
        }
  });

  it('an anonymous request in mode optional fails no check', async () => {
    await agreed(start({ mode: 'optional' }), requestOf([]));
  });

  it('a bad token in mode permissive is refused by the route as anonymous', async () => {
    await agreed(start({ mode: 'permissive' }), bearer('x'), { sub: 'alice' });
  });

  it('names each place and whether a token is in it', async () => {
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
