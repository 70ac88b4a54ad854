// Imports of Envoy's filter for JWTs: a whole configuration, providers, places, and rules.
import { randomBytes } from 'node:crypto';
import type { JsonObject } from '@latchkey/core';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningHosts, startHosts } from '../hosts.ts';
import { admits, decides, fixture, hour, importData, importText, load } from './imported.ts';

const CUSTOMERS = 'https://idp.example.com/';
const WORKLOADS = 'https://spire.example.com';
let key: SigningKey;
let other: SigningKey;
let hosts: RunningHosts;

beforeAll(async () => {
  key = await generateSigningKey('RS256', 'k1');
  other = await generateSigningKey('ES256', 'k2');
  hosts = await startHosts({
    'idp.example.com': { '/.well-known/jwks.json': { keys: [key.publicJwk] } },
    'spire.example.com': { '/keys': { keys: [other.publicJwk] } },
  });
});

afterAll(() => hosts.close());

const customer = (claims: JsonObject = {}, header = {}) =>
  mint(key, { iss: CUSTOMERS, aud: 'bookstore_web', sub: 'alice', ...hour(), ...claims }, header);
const workload = (claims: JsonObject = {}) =>
  mint(other, {
    iss: WORKLOADS,
    aud: 'bookstore_admin',
    sub: 'spiffe://example.com/billing',
    ...hour(),
    ...claims,
  });
const local = (...keys: readonly object[]) => ({ local_jwks: { inline_string: JSON.stringify({ keys }) } });
const one = (members: object = {}) => ({ issuer: CUSTOMERS, ...local(key.publicJwk), ...members });
const two = (members: object = {}) => ({ issuer: WORKLOADS, ...local(other.publicJwk), ...members });
const ALL = { match: { prefix: '/' }, requires: { provider_name: 'one' } };
const filter = (providers: object, rules: readonly object[] = [ALL], more: object = {}) => ({
  name: 'envoy.filters.http.jwt_authn',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
    providers,
    rules,
    ...more,
  },
});
const at = (path: string, requires: object) => ({ match: { path }, requires });
const anyOf = (...requirements: readonly object[]) => ({ requires_any: { requirements } });
const allOf = (...requirements: readonly object[]) => ({ requires_all: { requirements } });
const ONE = { provider_name: 'one' };
const TWO = { provider_name: 'two' };
const texts = async (source: object, kind: string) =>
  (await importData(source)).notes.filter((note) => note.kind === kind).map(({ text }) => text);

describe('a whole configuration', () => {
  it('decides on tokens as the gateway does', async () => {
    const { authenticator } = load(await importText(fixture('envoy.yaml')));
    expect(await decides(authenticator, await customer())).toBe(200);
    expect(await decides(authenticator, await customer({ aud: ['x', 'bookstore_android'] }))).toBe(200);
    expect(await decides(authenticator, await customer({}, { kid: undefined }))).toBe(200);
    expect(await decides(authenticator, await customer({ aud: 'bookstore_admin' }))).toBe(401);
    expect(await decides(authenticator, await customer({ iss: WORKLOADS }))).toBe(401);
    expect(await decides(authenticator, await customer({ iat: 0, exp: hour().iat - 40 }))).toBe(401);
    expect(await decides(authenticator, await customer({ iat: 0, exp: hour().iat - 20 }))).toBe(200);
    expect(await decides(authenticator, await workload())).toBe(200);
    expect(await decides(authenticator, await workload({ sub: 'spiffe://example.org/billing' }))).toBe(401);
    expect(await decides(authenticator, await workload({ sub: 'x spiffe://example.com/' }))).toBe(401);
    expect(await decides(authenticator, await workload({ exp: hour().iat + 86_500 }))).toBe(401);
    expect(await decides(authenticator, await workload({ aud: 'bookstore_web' }))).toBe(401);
    await authenticator.close();
  });

  it('names a route for each rule', async () => {
    const { authenticator } = load(await importText(fixture('envoy.yaml')));
    const android = await customer({ aud: 'bookstore_android' });
    for (const [name, token, status] of [
      ['POST /admin*', await customer(), 401],
      ['POST /admin*', await workload(), 200],
      ['/apps', await customer(), 401],
      ['/apps', android, 200],
      ['/apps', await workload(), 401],
      ['/*', await customer(), 200],
      ['/*', await workload(), 200],
    ] as const)
      expect(await decides(authenticator, token, name), name).toBe(status);
    await authenticator.close();
  });

  it('says what is open, and what else has no equivalent', async () => {
    const { notes } = await importData(fixture('envoy.yaml'));
    const all = notes.map(({ kind, text }) => `${kind}: ${text}`).join('\n');
    expect(all).toContain('safer: "/health*" is open at the gateway');
    expect(all).toContain('safer: is open at the gateway');
    expect(all).toContain('the cluster "idp_cluster"');
    expect(all).toContain('check: preflight requests');
    expect(all).not.toContain('unknown setting');
  });

  it('refuses filters that differ', async () => {
    const filters = (second: object) => ({ http_filters: [filter({ one: one() }), filter({ one: second })] });
    expect((await importText(filters(one()))).code).toBe(0);
    const { code, stderr } = await importText(filters(two()));
    expect([code, stderr]).toEqual([2, expect.stringContaining('http_filters[1].typed_config')]);
    expect((await importText({ http_filters: [] })).stderr).toContain('has no filter');
  });
});

describe('the forms of a file', () => {
  it.each<[string, (whole: ReturnType<typeof filter>) => object]>([
    ['a filter', (whole) => whole],
    ['a list of filters', (whole) => [{ name: 'envoy.filters.http.router' }, whole]],
    ['the content of a filter', ({ typed_config: { '@type': _type, ...bare } }) => bare],
    ['a filter of Istio', (whole) => ({ static_resources: { patch: { value: whole } } })],
  ])('reads %s', async (_what, form) => {
    const { jwt } = await importData(form(filter({ one: one() })));
    expect(jwt.keySets).toMatchObject([{ issuer: CUSTOMERS, jwks: { keys: [key.publicJwk] } }]);
  });

  it('reads names in camelCase, and refuses a name in both spellings', async () => {
    const provider = {
      issuer: CUSTOMERS,
      localJwks: { inlineString: JSON.stringify({ keys: [key.publicJwk] }) },
      fromHeaders: [{ name: 'x-token', valuePrefix: 'JWT ' }],
      maxLifetime: '3600s',
      clockSkewSeconds: 10,
    };
    const source = {
      name: 'envoy.filters.http.jwt_authn',
      typedConfig: {
        providers: { one: provider },
        rules: [{ match: { prefix: '/' }, requires: { providerName: 'one' } }],
        bypassCorsPreflight: true,
      },
    };
    const { jwt, notes } = await importData(source);
    expect(jwt).toMatchObject({
      keySets: [{ maxLifetime: '3600s' }],
      tokenFrom: [{ header: 'x-token', scheme: 'JWT' }],
      clockSkew: '10s',
    });
    expect(notes.map(({ text }) => text).join()).not.toContain('unknown');
    const both = await importText(filter({ one: { ...provider, clock_skew_seconds: 5 } }));
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('another spelling')]);
  });

  it('notes each member that it does not know', async () => {
    const noted = await texts(filter({ one: one({ new_setting: 1 }) }, [ALL], { other: 1 }), 'no-equivalent');
    expect(noted.join()).toContain('"new_setting" is an unknown setting of a provider');
    expect(noted.join()).toContain('"other" is an unknown setting of the filter');
  });
});

describe('a provider', () => {
  it.each<[object, Record<string, number>]>([
    [{ exact: 'alice' }, { alice: 200, Alice: 401, alice2: 401 }],
    [
      { exact: 'alice', ignore_case: true },
      { ALICE: 200, 'al\u0131ce': 401, alice2: 401 },
    ],
    [{ prefix: 'a.b' }, { 'a.bc': 200, axb: 401, 'xa.b': 401 }],
    [{ suffix: '@example.com' }, { 'a@example.com': 200, 'a@example.com.org': 401 }],
    [
      { contains: 'Kim', ignoreCase: true },
      { 'x-kIM-y': 200, '\u212aim': 401 },
    ],
    [{ safe_regex: { google_re2: {}, regex: '[a-z]+' } }, { alice: 200, alice1: 401 }],
  ])('accepts the subjects of %j', async (subjects, expected) => {
    const { authenticator } = load(await importText(filter({ one: one({ subjects }) })));
    for (const [sub, status] of Object.entries(expected))
      expect(await decides(authenticator, await customer({ sub })), sub).toBe(status);
    await authenticator.close();
  });

  it.each([
    ['a matcher that is an extension', { subjects: { custom: { name: 'x' } } }, 'subjects.custom'],
    ['an unknown condition of a matcher', { subjects: { exact: 'a', only: 'b' } }, 'subjects.only'],
    ['a pattern with flags', { subjects: { safe_regex: { regex: '(?i)a' } } }, 'subjects'],
    ['a prefix that is no scheme', { from_headers: [{ name: 'x', value_prefix: 'v=' }] }, 'value_prefix'],
    ['no keys', { local_jwks: null }, 'remote_jwks or local_jwks'],
    ['keys twice', { remote_jwks: { http_uri: { uri: 'https://a.example.com/' } } }, 'conflicts with'],
    ['a duration without a unit', { max_lifetime: '300' }, 'max_lifetime'],
  ])('is refused with %s', async (_what, members, problem) => {
    const { code, stdout, stderr } = await importText(filter({ one: one(members) }));
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(problem)]);
  });

  it('has its default skew, and at most a minute', async () => {
    const skew = async (...seconds: readonly (number | undefined)[]) => {
      const [first, second] = seconds.map((clock_skew_seconds) => ({ clock_skew_seconds }));
      const rules = [at('/', anyOf(ONE, TWO))];
      return importData(filter({ one: one(first), two: two(second) }, rules));
    };
    expect((await skew(undefined, undefined)).jwt.clockSkew).toBe('60s');
    expect((await skew(0, 20)).jwt.clockSkew).toBe('20s');
    const long = await skew(600, 600);
    expect(long.jwt.clockSkew).toBe('60s');
    expect(long.notes).toContainEqual(
      expect.objectContaining({ kind: 'safer', text: expect.stringContaining('clocks') }),
    );
  });

  it('omits a symmetric key, and names the file of others', async () => {
    const secret = { kty: 'oct', alg: 'HS256', kid: 's', k: randomBytes(32).toString('base64url') };
    const imported = await importText(filter({ one: one(local(secret)) }));
    expect(imported.stdout).not.toContain(secret.k);
    const { authenticator } = load(imported, { secrets: { 'idp-example-com': { keys: [secret] } } });
    await authenticator.close();
    const file = filter({ one: one({ local_jwks: { filename: '/etc/envoy/jwks.json' } }) });
    expect((await texts(file, 'check')).join()).toContain(
      'put the JWK Set of "/etc/envoy/jwks.json" into secrets/idp-example-com/jwks.json',
    );
  });

  it('that no rule requires is left out', async () => {
    const source = filter({ one: one(), two: two() });
    const { authenticator } = load(await importText(source));
    expect(await decides(authenticator, await customer())).toBe(200);
    expect(await decides(authenticator, await workload())).toBe(401);
    await authenticator.close();
    expect((await texts(source, 'check')).join()).toContain('no rule requires this provider');
  });

  it('without an issuer accepts tokens of every issuer', async () => {
    const { authenticator } = load(await importText(filter({ one: { ...local(key.publicJwk) } })));
    expect(await decides(authenticator, await customer({ iss: 'https://any.example.com' }))).toBe(200);
    await authenticator.close();
    const next = await importText(
      filter({ one: { ...local(key.publicJwk) }, two: two() }, [at('/', anyOf(ONE, TWO))]),
    );
    expect([next.code, next.stderr]).toEqual([2, expect.stringContaining('unsafeOtherIssuers')]);
  });

  it('shares the keyset of another one with the same issuer and keys, and no other', async () => {
    const source = (members: object) =>
      filter({ one: one({ audiences: ['a'] }), two: one({ audiences: ['b'], ...members }) }, [
        at('/a', ONE),
        at('/b', TWO),
      ]);
    const { authenticator } = load(await importText(source({})));
    for (const [aud, first, second] of [
      ['a', 200, 401],
      ['b', 401, 200],
    ] as const) {
      expect(await decides(authenticator, await customer({ aud }), '/a')).toBe(first);
      expect(await decides(authenticator, await customer({ aud }), '/b')).toBe(second);
    }
    await authenticator.close();
    expect((await importText(source({ subjects: { exact: 'a' } }))).stderr).toContain('has the issuer of');
  });

  it('keeps the size of its cache', async () => {
    const sized = (size?: number) => ({
      jwt_cache_config: size === undefined ? {} : { jwt_cache_size: size },
    });
    const rules = [at('/', anyOf(ONE, TWO))];
    const { jwt } = await importData(filter({ one: one(sized(50)), two: two(sized()) }, rules));
    expect(jwt.cache).toEqual({ tokens: 150 });
  });
});

describe('the places of a token', () => {
  it('are those of the provider', async () => {
    const { authenticator } = load(
      await importText(
        filter({
          one: one({
            from_headers: [{ name: 'x-token' }, { name: 'Authorization', value_prefix: 'JWT ' }],
            from_params: ['jwt'],
            from_cookies: ['session'],
          }),
        }),
      ),
    );
    const token = await customer();
    expect(await admits(authenticator, { 'x-token': token })).toBe(200);
    expect(await admits(authenticator, { authorization: `JWT ${token}` })).toBe(200);
    expect(await admits(authenticator, { cookie: `session=${token}` })).toBe(200);
    expect(await admits(authenticator, {}, { url: `/?jwt=${token}` })).toBe(200);
    expect(await admits(authenticator, { authorization: `Bearer ${token}` })).toBe(401);
    await authenticator.close();
  });

  it('leave out the query unless a provider names it, with a note', async () => {
    const source = filter({ one: one() });
    const { authenticator } = load(await importText(source));
    const token = await customer();
    expect(await admits(authenticator, { authorization: `Bearer ${token}` })).toBe(200);
    expect(await admits(authenticator, {}, { url: `/?access_token=${token}` })).toBe(401);
    await authenticator.close();
    expect((await texts(source, 'safer')).join()).toContain('{ query: access_token } in tokenFrom');
  });

  it('are noted as a restriction if providers differ', async () => {
    const source = filter(
      { one: one(), two: two({ from_headers: [{ name: 'x-goog-iap-jwt-assertion' }] }) },
      [at('/', anyOf(ONE, TWO))],
    );
    const { jwt, notes } = await importData(source);
    expect(jwt.tokenFrom).toEqual([
      { header: 'Authorization', scheme: 'Bearer' },
      { header: 'x-goog-iap-jwt-assertion', scheme: null },
    ]);
    expect(notes.filter(({ text }) => text.startsWith('this was a restriction'))).toHaveLength(1);
  });
});

describe('rules', () => {
  const both = (...rules: readonly object[]) => filter({ one: one(), two: two() }, rules);

  it.each<[string, object, string, number, number]>([
    ['a provider', ONE, 'strict', 401, 401],
    ['a provider or nothing', anyOf(ONE, { allow_missing: {} }), 'optional', 200, 401],
    ['a provider or anything', anyOf(ONE, { allow_missing_or_failed: {} }), 'permissive', 200, 200],
    ['nothing', { allow_missing: {} }, 'optional', 200, 401],
    ['anything', { allow_missing_or_failed: {} }, 'permissive', 200, 200],
    ['a provider, and anything', allOf(ONE, { allow_missing_or_failed: {} }), 'strict', 401, 401],
    ['a provider, and another or nothing', allOf(anyOf(ONE, { allow_missing: {} }), ONE), 'strict', 401, 401],
  ])('that accept %s', async (_what, requires, mode, without, bad) => {
    const imported = await importText(both({ match: { prefix: '/' }, requires }));
    const { authenticator } = load(imported);
    expect(imported.stdout).toContain(`mode: ${mode}`);
    expect(await admits(authenticator, {})).toBe(without);
    expect(await admits(authenticator, { authorization: `Bearer ${await customer({ iss: 'x' })}` })).toBe(
      bad,
    );
    await authenticator.close();
  });

  it('that differ in what may be missing are strict, with a note', async () => {
    const source = both(at('/a', ONE), at('/b', anyOf(ONE, { allow_missing_or_failed: {} })));
    expect((await importData(source)).jwt.mode).toBe('strict');
    expect((await texts(source, 'safer')).join()).toContain('at the gateway "/b" is permissive');
  });

  it('that require two tokens are noted as a restriction', async () => {
    const source = both({ match: { prefix: '/' }, requires: allOf(ONE, TWO) });
    const { stdout, stderr } = await importText(source);
    expect(stderr).toContain('some of it restricted access');
    expect(stdout).toContain('several tokens in one request');
    const { authenticator } = load(await importText(source));
    expect(await decides(authenticator, await customer())).toBe(200);
    expect(await decides(authenticator, await workload())).toBe(401);
    await authenticator.close();
  });

  it('that no request reaches have no effect', async () => {
    const source = both(ALL, { match: { path: '/a' }, requires: TWO });
    const { authenticator } = load(await importText(source));
    expect(await decides(authenticator, await workload())).toBe(401);
    await authenticator.close();
    expect((await texts(source, 'no-equivalent')).join()).toContain('has no effect');
    const methods = (method: string) => ({
      match: { prefix: '/a', headers: [{ name: ':method', exact_match: method }] },
      requires: ONE,
    });
    const reached = await importData(both(methods('GET'), methods('POST'), at('/a/b', TWO), at('/c', TWO)));
    expect(Object.keys(reached.jwt.routes ?? {})).toEqual(['GET /a*', 'POST /a*', '/a/b', '/c']);
    const hidden = await importData(
      both({ match: { prefix: '/a' }, requires: ONE }, at('/a/b', TWO), at('/c', TWO)),
    );
    expect(Object.keys(hidden.jwt.routes ?? {})).toEqual(['/a*', '/c']);
  });

  it('of path_separated_prefix match whole segments, and the path without a slash', async () => {
    const separated = (path: string) => ({ path_separated_prefix: path });
    const names = async (first: object, then: object) => {
      const source = both({ match: first, requires: ONE }, { match: then, requires: TWO });
      return Object.keys((await importData(source)).jwt.routes ?? {});
    };
    expect(await names({ prefix: '/a/' }, separated('/a'))).toEqual(['/a/*', '/a/* (2)']);
    expect(await names(separated('/a'), { prefix: '/a' })).toEqual(['/a/*', '/a*']);
    expect(await names({ path: '/a*' }, { prefix: '/a' })).toEqual(['/a*', '/a* (2)']);
    expect(await names({ prefix: '/' }, { connect_matcher: {} })).toEqual(['/*', 'CONNECT']);
    for (const hidden of [
      { path: '/a' },
      { path: '/a/b' },
      { prefix: '/a/' },
      separated('/a'),
      separated('/a/b'),
    ])
      expect(await names(separated('/a'), hidden)).toEqual([]);
    for (const hidden of [{ path: '/a' }, separated('/a'), { prefix: '/ab' }])
      expect(await names({ prefix: '/a' }, hidden)).toEqual([]);
  });

  it('with conditions that a name cannot express are noted', async () => {
    const rule = (more: object, requires: object) => ({ match: { prefix: '/a', ...more }, requires });
    const source = both(
      rule(
        { headers: [{ name: 'x-internal', present_match: true }], query_parameters: [{ name: 'q' }] },
        ONE,
      ),
      rule({ case_sensitive: false }, TWO),
      rule({}, anyOf(ONE, TWO)),
    );
    const { jwt, notes } = await importData(source);
    expect(Object.keys(jwt.routes ?? {})).toEqual(['/a*', '/a* (2)', '/a* (3)']);
    const said = notes.map(({ text }) => text).join();
    expect(said).toContain('"the header x-internal", "query_parameters"');
    expect(said).toContain('"case_sensitive"');
  });

  it('of other filters and routes are named, too', async () => {
    const source = filter(
      { one: one(), two: two() },
      [{ match: { prefix: '/a' }, requirement_name: 'first' }],
      {
        requirement_map: { first: ONE, second: TWO },
        filter_state_rules: { name: 'jwt_selector', requires: { issuer_2: TWO } },
      },
    );
    const { authenticator } = load(await importText(source));
    expect(await decides(authenticator, await customer(), '/a*')).toBe(200);
    expect(await decides(authenticator, await workload(), '/a*')).toBe(401);
    expect(await decides(authenticator, await workload(), 'second')).toBe(200);
    expect(await decides(authenticator, await customer(), 'issuer_2')).toBe(401);
    await authenticator.close();
  });

  it('of two lists with one name are two routes', async () => {
    const source = filter({ one: one(), two: two() }, [at('api', ONE)], {
      requirement_map: { api: anyOf(ONE, TWO) },
      filter_state_rules: { name: 'jwt_selector', requires: { api: TWO } },
    });
    const { authenticator } = load(await importText(source));
    expect(await decides(authenticator, await customer(), 'api')).toBe(200);
    expect(await decides(authenticator, await workload(), 'api')).toBe(401);
    expect(await decides(authenticator, await workload(), 'api (2)')).toBe(200);
    expect(await decides(authenticator, await customer(), 'api (2)')).toBe(401);
    expect(await decides(authenticator, await customer(), 'api (3)')).toBe(200);
    await authenticator.close();
    expect((await texts(source, 'check')).join()).toContain('"api (2)"');
  });

  it.each<[string, object]>([
    ['name no provider', at('/a', { provider_name: 'three' })],
    ['name no requirement', { match: { path: '/a' }, requirement_name: 'three' }],
    ['have an unknown requirement', at('/a', { requires_none: {} })],
    ['have two requirements', at('/a', { provider_name: 'one', allow_missing: {} })],
    ['have no match', { requires: ONE }],
    ['match in an unknown way', { match: { host: 'x' }, requires: ONE }],
  ])('are refused if they %s', async (_what, rule) => {
    const { code, stderr } = await importText(both(rule));
    expect([code, stderr]).toEqual([2, expect.stringContaining('rules[0]')]);
  });

  it('are refused if audiences cannot be told apart', async () => {
    const demand = (name: string, ...audiences: readonly string[]) => ({
      provider_and_audiences: { provider_name: name, audiences },
    });
    const { code, stderr } = await importText(
      both(
        at('/a', anyOf(demand('one', 'a'), demand('two', 'b'))),
        at('/b', anyOf(demand('one', 'c'), demand('two', 'd'))),
      ),
    );
    expect([code, stderr]).toEqual([2, expect.stringContaining('different audiences')]);
  });

  it('are refused if they require no token', async () => {
    const { code, stderr } = await importText(both({ match: { prefix: '/' } }));
    expect([code, stderr]).toEqual([2, expect.stringContaining('requires no token anywhere')]);
  });
});
