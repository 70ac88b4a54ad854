// Options: a wrong one is a ConfigError with its path and the fix, a missing one has its default,
// and options that were read do not change.
import { createClock, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { firstFailure } from '../../src/claims/compile.ts';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { readOptions } from '../../src/decision/settings.ts';
import { ConfigError } from '../../src/errors.ts';
import { normalizeType } from '../../src/token/parse.ts';

const JWKS_URL = 'https://issuer.example/jwks.json';
const ISSUER = 'https://issuer.example';
const AUDIENCE = 'https://api.example.com';

let key: SigningKey;
beforeAll(async () => {
  key = await generateSigningKey('ES256');
});

const good = { keySets: [{ issuer: ISSUER, jwksUrl: JWKS_URL }], audience: AUDIENCE };
const withKeyset = (keyset: unknown) => ({ ...good, keySets: [keyset] });
const url = (more: object) => withKeyset({ jwksUrl: JWKS_URL, ...more });
const discovery = (more: object) => withKeyset({ issuer: ISSUER, useOidcDiscovery: true, ...more });

/** The ConfigError of these options; undefined if they are good. */
function configError(
  options: unknown,
  build: (options: AuthenticatorOptions) => unknown = readOptions,
): ConfigError | undefined {
  try {
    build(options as AuthenticatorOptions);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

describe('what is wrong', () => {
  const table: readonly (readonly [string, unknown, string, string])[] = [
    // The whole
    ['no options', undefined, 'options', 'got undefined'],
    ['null', null, 'options', 'got null'],
    ['a list', [good], 'options', 'got a list'],
    ['a string', 'x', 'options', 'got a string'],
    ['an unknown option', { ...good, foo: 1 }, 'foo', 'unknown option; expected one of'],
    ['an unknown option that is undefined', { ...good, foo: undefined }, 'foo', 'unknown option'],
    ['a misspelled option', { ...good, clockskew: '5s' }, 'clockskew', 'did you mean clockSkew?'],
    [
      'keysets for keySets',
      { keysets: good.keySets, audience: AUDIENCE },
      'keysets',
      'did you mean keySets?',
    ],
    [
      'Audience for audience',
      { keySets: good.keySets, Audience: AUDIENCE },
      'Audience',
      'did you mean audience?',
    ],
    ['__proto__ from JSON', JSON.parse('{"__proto__":{"audience":null}}'), '__proto__', 'unknown option'],
    // keySets
    ['no keySets', { audience: AUDIENCE }, 'keySets', 'is required'],
    ['keySets undefined', { ...good, keySets: undefined }, 'keySets', 'got undefined'],
    ['keySets null', { ...good, keySets: null }, 'keySets', 'got null'],
    ['keySets of nothing', { ...good, keySets: [] }, 'keySets', 'at least one keyset'],
    [
      'keySets that is one keyset',
      { ...good, keySets: good.keySets[0] },
      'keySets',
      'put the keyset into [ ]',
    ],
    ['a keyset that is a string', withKeyset(JWKS_URL), 'keySets[0]', 'got a string'],
    ['a keyset that is null', withKeyset(null), 'keySets[0]', 'got null'],
    ['a keyset that is undefined', withKeyset(undefined), 'keySets[0]', 'got undefined'],
    ['the second of two', { ...good, keySets: [good.keySets[0], {}] }, 'keySets[1]', 'exactly one source'],
    ['no source', withKeyset({ issuer: ISSUER }), 'keySets[0]', 'exactly one source'],
    ['a source that is undefined', withKeyset({ jwksUrl: undefined }), 'keySets[0].jwksUrl', 'got undefined'],
    ['a URL and discovery', discovery({ jwksUrl: JWKS_URL }), 'keySets[0]', 'exactly one source'],
    ['a URL and an inline set', url({ jwks: { keys: [] } }), 'keySets[0]', 'exactly one source'],
    ['a URL and an inline set that is null', url({ jwks: null }), 'keySets[0]', 'exactly one source'],
    ['discovery and an inline set', discovery({ jwks: { keys: [] } }), 'keySets[0]', 'exactly one source'],
    ['an unknown keyset option', url({ foo: 1 }), 'keySets[0].foo', 'unknown option'],
    ['jwksURL for jwksUrl', url({ jwksURL: JWKS_URL }), 'keySets[0].jwksURL', 'did you mean jwksUrl?'],
    ['allowHTTP for allowHttp', url({ allowHTTP: true }), 'keySets[0].allowHTTP', 'did you mean allowHttp?'],
    [
      'refreshInterval on an inline set',
      withKeyset({ jwks: { keys: [] }, refreshInterval: '1h' }),
      'keySets[0].refreshInterval',
      'is not allowed next to jwks',
    ],
    // issuer
    ['issuer empty', url({ issuer: '' }), 'keySets[0].issuer', 'string that is not empty'],
    ['issuer of spaces', url({ issuer: ' ' }), 'keySets[0].issuer', 'string that is not empty'],
    ['issuer null', url({ issuer: null }), 'keySets[0].issuer', 'string that is not empty'],
    ['issuer a list', url({ issuer: [ISSUER] }), 'keySets[0].issuer', 'string that is not empty'],
    ['discovery without issuer', withKeyset({ useOidcDiscovery: true }), 'keySets[0].issuer', 'is required'],
    ['discovery with no URL', discovery({ issuer: 'internal' }), 'keySets[0].issuer', 'expected a URL'],
    [
      'discovery over http',
      discovery({ issuer: 'http://issuer.example' }),
      'keySets[0].issuer',
      'must be https',
    ],
    [
      'discovery false',
      discovery({ useOidcDiscovery: false }),
      'keySets[0].useOidcDiscovery',
      'expected true',
    ],
    [
      'discovery "true"',
      discovery({ useOidcDiscovery: 'true' }),
      'keySets[0].useOidcDiscovery',
      'expected true',
    ],
    ['discovery 1', discovery({ useOidcDiscovery: 1 }), 'keySets[0].useOidcDiscovery', 'expected true'],
    [
      'user information in an issuer',
      discovery({ issuer: 'https://a:b@issuer.example' }),
      'keySets[0].issuer',
      'must not contain credentials',
    ],
    // jwksUrl
    ['jwksUrl empty', url({ jwksUrl: '' }), 'keySets[0].jwksUrl', 'string that is not empty'],
    ['jwksUrl null', url({ jwksUrl: null }), 'keySets[0].jwksUrl', 'string that is not empty'],
    ['jwksUrl a number', url({ jwksUrl: 5 }), 'keySets[0].jwksUrl', 'string that is not empty'],
    ['jwksUrl that is no URL', url({ jwksUrl: '/jwks.json' }), 'keySets[0].jwksUrl', 'expected a URL'],
    [
      'jwksUrl without scheme',
      url({ jwksUrl: 'issuer.example/jwks' }),
      'keySets[0].jwksUrl',
      'expected a URL',
    ],
    ['http', url({ jwksUrl: 'http://issuer.example/jwks' }), 'keySets[0].jwksUrl', 'allowHttp'],
    ['http on loopback', url({ jwksUrl: 'http://127.0.0.1/jwks' }), 'keySets[0].jwksUrl', 'allowHttp'],
    [
      'http with allowHttp false',
      url({ jwksUrl: 'http://issuer.example/jwks', allowHttp: false }),
      'keySets[0].jwksUrl',
      'allowHttp',
    ],
    ['file', url({ jwksUrl: 'file:///etc/jwks.json' }), 'keySets[0].jwksUrl', 'must be https'],
    ['ftp', url({ jwksUrl: 'ftp://issuer.example/jwks' }), 'keySets[0].jwksUrl', 'must be https'],
    ['data', url({ jwksUrl: 'data:application/json,{}' }), 'keySets[0].jwksUrl', 'must be https'],
    [
      'file with allowHttp',
      url({ jwksUrl: 'file:///x', allowHttp: true }),
      'keySets[0].jwksUrl',
      'must be https',
    ],
    [
      'a user name',
      url({ jwksUrl: 'https://a@issuer.example/jwks' }),
      'keySets[0].jwksUrl',
      'must not contain credentials',
    ],
    [
      'a password',
      url({ jwksUrl: 'https://:b@issuer.example/jwks' }),
      'keySets[0].jwksUrl',
      'must not contain credentials',
    ],
    // allowedAlgorithms
    ['no algorithm', url({ allowedAlgorithms: [] }), 'keySets[0].allowedAlgorithms', 'at least one item'],
    [
      'algorithms null',
      url({ allowedAlgorithms: null }),
      'keySets[0].allowedAlgorithms',
      'at least one item',
    ],
    [
      'one as a string',
      url({ allowedAlgorithms: 'RS256' }),
      'keySets[0].allowedAlgorithms',
      'at least one item',
    ],
    ['none', url({ allowedAlgorithms: ['none'] }), 'keySets[0].allowedAlgorithms[0]', 'expected one of'],
    [
      'None',
      url({ allowedAlgorithms: ['RS256', 'None'] }),
      'keySets[0].allowedAlgorithms[1]',
      'expected one of',
    ],
    ['rs256', url({ allowedAlgorithms: ['rs256'] }), 'keySets[0].allowedAlgorithms[0]', 'expected one of'],
    ['an empty name', url({ allowedAlgorithms: [''] }), 'keySets[0].allowedAlgorithms[0]', 'expected one of'],
    ['a name null', url({ allowedAlgorithms: [null] }), 'keySets[0].allowedAlgorithms[0]', 'expected one of'],
    [
      'a comma list',
      url({ allowedAlgorithms: ['RS256,ES256'] }),
      'keySets[0].allowedAlgorithms[0]',
      'expected one of',
    ],
    [
      '__proto__',
      url({ allowedAlgorithms: ['__proto__'] }),
      'keySets[0].allowedAlgorithms[0]',
      'expected one of',
    ],
    // Fetching
    ['interval a number', url({ refreshInterval: 60 }), 'keySets[0].refreshInterval', 'duration with a unit'],
    [
      'interval without unit',
      url({ refreshInterval: '60' }),
      'keySets[0].refreshInterval',
      'duration with a unit',
    ],
    [
      'interval negative',
      url({ refreshInterval: '-1s' }),
      'keySets[0].refreshInterval',
      'duration with a unit',
    ],
    ['maxStale empty', url({ maxStale: '' }), 'keySets[0].maxStale', 'duration with a unit'],
    [
      'maxStale Infinity',
      url({ maxStale: Number.POSITIVE_INFINITY }),
      'keySets[0].maxStale',
      'duration with a unit',
    ],
    ['allowHttp "true"', url({ allowHttp: 'true' }), 'keySets[0].allowHttp', 'true or false'],
    ['allowHttp null', url({ allowHttp: null }), 'keySets[0].allowHttp', 'true or false'],
    ['allowHttp 1', url({ allowHttp: 1 }), 'keySets[0].allowHttp', 'true or false'],
    [
      'skipValidation "false"',
      url({ skipValidation: 'false' }),
      'keySets[0].skipValidation',
      'true or false',
    ],
    // audience
    ['no audience', { keySets: good.keySets }, 'audience', 'or null to accept any'],
    ['audience undefined', { ...good, audience: undefined }, 'audience', 'got undefined'],
    ['audience empty', { ...good, audience: '' }, 'audience', 'string that is not empty'],
    ['audience of spaces', { ...good, audience: ' ' }, 'audience', 'string that is not empty'],
    ['audience of nothing', { ...good, audience: [] }, 'audience', 'at least one item'],
    ['an audience empty', { ...good, audience: [AUDIENCE, ''] }, 'audience[1]', 'string that is not empty'],
    ['an audience undefined', { ...good, audience: [undefined] }, 'audience[0]', 'string that is not empty'],
    ['an audience null', { ...good, audience: [null] }, 'audience[0]', 'string that is not empty'],
    ['audience with a hole', { ...good, audience: new Array(1) }, 'audience[0]', 'string that is not empty'],
    ['keySets with a hole', { ...good, keySets: new Array(1) }, 'keySets[0]', 'got undefined'],
    [
      'fromRequest for every token',
      { ...good, claims: { a: { fromRequest: 'params.a' } } },
      'claims',
      'route',
    ],
    ['claims null', { ...good, claims: null }, 'claims', 'rules by claim name'],
    ['claims a Map', { ...good, claims: new Map([['dept', 'IT']]) }, 'claims', 'rules by claim name'],
    ['claims a text', { ...good, claims: 'x' }, 'claims', 'rules by claim name'],
    ['inherited options', Object.create(good), 'options', 'got an object that inherits members'],
    ['a clock without a time', { ...good, clock: { now: () => Number.NaN } }, 'clock', 'milliseconds'],
    ['audience false', { ...good, audience: false }, 'audience', 'string that is not empty'],
    ['audience NaN', { ...good, audience: Number.NaN }, 'audience', 'string that is not empty'],
    ['audience a RegExp', { ...good, audience: /.*/ }, 'audience', 'string that is not empty'],
    ['audience a Set', { ...good, audience: new Set([AUDIENCE]) }, 'audience', 'string that is not empty'],
    // clockSkew
    ['clockSkew 61s', { ...good, clockSkew: '61s' }, 'clockSkew', '0s to 60s'],
    ['clockSkew 60001ms', { ...good, clockSkew: '60001ms' }, 'clockSkew', '0s to 60s'],
    ['clockSkew 1h', { ...good, clockSkew: '1h' }, 'clockSkew', '0s to 60s'],
    ['clockSkew a number', { ...good, clockSkew: 5 }, 'clockSkew', 'duration with a unit'],
    ['clockSkew without unit', { ...good, clockSkew: '5' }, 'clockSkew', 'duration with a unit'],
    ['clockSkew empty', { ...good, clockSkew: '' }, 'clockSkew', 'duration with a unit'],
    ['clockSkew null', { ...good, clockSkew: null }, 'clockSkew', 'duration with a unit'],
    ['clockSkew NaN', { ...good, clockSkew: Number.NaN }, 'clockSkew', 'duration with a unit'],
    [
      'clockSkew Infinity',
      { ...good, clockSkew: Number.POSITIVE_INFINITY },
      'clockSkew',
      'duration with a unit',
    ],
    ['clockSkew negative', { ...good, clockSkew: '-5s' }, 'clockSkew', 'duration with a unit'],
    // claims
    ['claims an empty list', { ...good, claims: [] }, 'claims', 'at least one rule'],
    ['a rule undefined', { ...good, claims: { dept: undefined } }, 'claims.dept', 'expected a rule'],
    ['a rule null', { ...good, claims: { dept: null } }, 'claims.dept', 'expected a rule'],
    ['a rule of nothing', { ...good, claims: { roles: [] } }, 'claims.roles', 'at least one value'],
    [
      'a rule unknown',
      { ...good, claims: { roles: { oneOf: ['a'] } } },
      'claims.roles.oneOf',
      'unknown rule',
    ],
    ['a rule with flag m', { ...good, claims: { sub: /a/m } }, 'claims.sub', 'flag m'],
    ['a rule that never holds', { ...good, claims: { scope: 'a b' } }, 'claims.scope', 'can never hold'],
    // mode
    ['mode empty', { ...good, mode: '' }, 'mode', `'strict' or 'optional'`],
    ['mode null', { ...good, mode: null }, 'mode', `'strict' or 'optional'`],
    ['mode Strict', { ...good, mode: 'Strict' }, 'mode', `'strict' or 'optional'`],
    ['mode lax', { ...good, mode: 'lax' }, 'mode', `'strict' or 'optional'`],
    ['mode true', { ...good, mode: true }, 'mode', `'strict' or 'optional'`],
    // typ
    ['typ empty', { ...good, typ: '' }, 'typ', 'string that is not empty'],
    ['typ null', { ...good, typ: null }, 'typ', 'string that is not empty'],
    ['typ of nothing', { ...good, typ: [] }, 'typ', 'at least one item'],
    ['a typ undefined', { ...good, typ: ['JWT', undefined] }, 'typ[1]', 'string that is not empty'],
    ['typ a number', { ...good, typ: 5 }, 'typ', 'string that is not empty'],
    // requireExp
    ['requireExp "false"', { ...good, requireExp: 'false' }, 'requireExp', 'true or false'],
    ['requireExp null', { ...good, requireExp: null }, 'requireExp', 'true or false'],
    ['requireExp 0', { ...good, requireExp: 0 }, 'requireExp', 'true or false'],
    ['requireExp empty', { ...good, requireExp: '' }, 'requireExp', 'true or false'],
    // maxTokenBytes
    ['maxTokenBytes 255', { ...good, maxTokenBytes: 255 }, 'maxTokenBytes', '256 to 65536'],
    ['maxTokenBytes 65537', { ...good, maxTokenBytes: 65_537 }, 'maxTokenBytes', '256 to 65536'],
    ['maxTokenBytes 0', { ...good, maxTokenBytes: 0 }, 'maxTokenBytes', '256 to 65536'],
    ['maxTokenBytes NaN', { ...good, maxTokenBytes: Number.NaN }, 'maxTokenBytes', '256 to 65536'],
    [
      'maxTokenBytes Infinity',
      { ...good, maxTokenBytes: Number.POSITIVE_INFINITY },
      'maxTokenBytes',
      '256 to 65536',
    ],
    ['maxTokenBytes half', { ...good, maxTokenBytes: 8192.5 }, 'maxTokenBytes', '256 to 65536'],
    ['maxTokenBytes a string', { ...good, maxTokenBytes: '8192' }, 'maxTokenBytes', '256 to 65536'],
    ['maxTokenBytes null', { ...good, maxTokenBytes: null }, 'maxTokenBytes', '256 to 65536'],
    // realm
    ['realm empty', { ...good, realm: '' }, 'realm', 'string that is not empty'],
    ['realm null', { ...good, realm: null }, 'realm', 'string that is not empty'],
    ['realm with a line break', { ...good, realm: 'api\r\nSet-Cookie: a=b' }, 'realm', 'printable ASCII'],
    ['realm with a tab', { ...good, realm: 'a\tb' }, 'realm', 'printable ASCII'],
    ['realm beyond ASCII', { ...good, realm: 'caf\u00e9' }, 'realm', 'printable ASCII'],
    ['realm beyond latin1', { ...good, realm: '\u20ac' }, 'realm', 'printable ASCII'],
    // clock
    ['clock null', { ...good, clock: null }, 'clock', 'now()'],
    ['clock a number', { ...good, clock: 5 }, 'clock', 'now()'],
    ['clock empty', { ...good, clock: {} }, 'clock', 'now()'],
    ['clock with a number', { ...good, clock: { now: 5 } }, 'clock', 'now()'],
  ];

  it.each(table)('T-056: %s', (_, options, path, fragment) => {
    const error = configError(options);
    expect(error?.path).toBe(path);
    expect(error?.message).toContain(fragment);
    expect(error?.message.startsWith(`${path}: `)).toBe(true);
  });

  it.each(table)(
    'T-056: createAuthenticator throws at once, and not when a request comes: %s',
    (_, options, path) => {
      expect(configError(options, createAuthenticator)?.path).toBe(path);
    },
  );

  it.each<[string, () => unknown, string]>([
    ['no keys', () => ({ keys: [] }), 'expected at least one key'],
    ['no set', () => ({}), 'expected a JWK Set'],
    ['null', () => null, 'expected a JWK Set'],
    ['a string', () => '{"keys":[]}', 'expected a JWK Set'],
    ['a bare key', () => key.publicJwk, 'expected a JWK Set'],
    ['a bare list', () => [key.publicJwk], 'expected a JWK Set'],
    ['a private key', () => ({ keys: [key.privateKey.export({ format: 'jwk' })] }), 'leave only public keys'],
    [
      'a private key next to a public one',
      () => ({ keys: [key.publicJwk, { ...key.publicJwk, d: 'AA' }] }),
      'leave only public keys',
    ],
    [
      'a key of an algorithm that is not its own',
      () => ({ keys: [{ ...key.publicJwk, alg: 'RS256' }] }),
      'no usable key',
    ],
  ])('T-019: an inline set that is %s', (_, jwks, fragment) => {
    const error = configError(withKeyset({ issuer: ISSUER, jwks: jwks() }), createAuthenticator);
    expect(error?.path).toBe('keySets[0].jwks');
    expect(error?.message).toContain(fragment);
  });
});

describe('what is left out', () => {
  const settings = readOptions(good as AuthenticatorOptions);

  it('AM-6, S30: the defaults', () => {
    expect(settings.policy.registered.clockSkewMs).toBe(5_000);
    expect(settings.policy.registered.requireExp).toBe(true);
    expect([...(settings.policy.registered.audience ?? [])]).toEqual([AUDIENCE]);
    expect(settings.mode).toBe('strict');
    expect(settings.maxTokenBytes).toBe(16_384);
    expect(settings.space).toBeUndefined();
    expect(settings.clock).toBe(Date);
    expect([...settings.policy.types]).toEqual([undefined, 'jwt', 'at+jwt']);
    expect(settings.policy.claims.map((rules) => firstFailure(rules, {}))).toEqual([undefined]);
  });

  it('AK-17: the defaults of a keyset that is fetched', () => {
    expect(settings.keysets[0]).toMatchObject({
      name: 'keySets[0]',
      issuer: ISSUER,
      policy: { allowed: undefined },
      refresh: { refreshIntervalMs: 3_600_000, maxStaleMs: 86_400_000 },
      skipValidation: false,
    });
  });
});

describe('what is given', () => {
  const read = (more: object) => readOptions({ ...good, ...more } as AuthenticatorOptions);

  it.each([
    ['0s', 0],
    ['5s', 5_000],
    ['60s', 60_000],
    ['1m', 60_000],
    ['1500ms', 1_500],
  ])('AM-6: clockSkew %s', (clockSkew, ms) => {
    expect(read({ clockSkew }).policy.registered.clockSkewMs).toBe(ms);
  });

  it('S25: audience null is not checked, and a list is a list', () => {
    expect(read({ audience: null }).policy.registered.audience).toBeNull();
    expect([...(read({ audience: ['a', 'b'] }).policy.registered.audience ?? [])]).toEqual(['a', 'b']);
  });

  it.each([['strict'], ['optional'], ['permissive']])('S36: mode %s', (mode) => {
    expect(read({ mode }).mode).toBe(mode);
  });

  it.each<[unknown, readonly string[]]>([
    ['JWT', ['jwt']],
    ['at+jwt', ['at+jwt']],
    ['application/at+jwt', ['at+jwt']],
    ['AT+JWT', ['at+jwt']],
    [
      ['JWT', 'Application/Secevent+JWT'],
      ['jwt', 'secevent+jwt'],
    ],
  ])('T-046: typ %j', (typ, types) => {
    expect([...read({ typ }).policy.types]).toEqual(types);
  });

  it.each([
    ['JWT', 'jwt'],
    ['application/JWT', 'jwt'],
    ['application/application/jwt', 'application/jwt'],
    ['text/jwt', 'text/jwt'],
    ['xapplication/jwt', 'xapplication/jwt'],
  ])('RFC 7515 §4.1.9: typ %s is compared as %s', (typ, normalized) => {
    expect(normalizeType(typ)).toBe(normalized);
  });

  it.each([256, 8192, 65_536])('T-006: maxTokenBytes %i', (maxTokenBytes) => {
    expect(read({ maxTokenBytes }).maxTokenBytes).toBe(maxTokenBytes);
  });

  it('T-057: requireExp false', () => {
    expect(read({ requireExp: false }).policy.registered.requireExp).toBe(false);
  });

  it('RFC 9110 §11.5: a realm may hold quotes', () => {
    expect(read({ realm: 'the "api" \\' }).space?.realm).toBe('the "api" \\');
  });

  it('T-060: a clock', () => {
    const clock = createClock();
    expect(read({ clock }).clock).toBe(clock);
  });

  it('AK-8, AK-10: several keysets, in their order, each with its source and its path', () => {
    const { keysets } = read({
      keySets: [
        { issuer: 'https://a.example/', useOidcDiscovery: true },
        {
          issuer: 'b',
          jwksUrl: 'http://127.0.0.1:1/jwks',
          allowHttp: true,
          refreshInterval: '30m',
          maxStale: '0s',
        },
        {
          jwks: { keys: [key.publicJwk] },
          allowedAlgorithms: ['ES256', 'RS256', 'ES256'],
          unsafeOtherIssuers: true,
        },
      ],
    });
    expect(keysets.map(({ name, issuer, source }) => [name, issuer, source])).toEqual([
      ['keySets[0]', 'https://a.example/', 'useOidcDiscovery'],
      ['keySets[1]', 'b', 'jwksUrl'],
      ['keySets[2]', undefined, 'jwks'],
    ]);
    expect(keysets[1]).toMatchObject({ refresh: { refreshIntervalMs: 1_800_000, maxStaleMs: 0 } });
    expect([...(keysets[2]?.policy.allowed ?? [])]).toEqual(['ES256', 'RS256']);
  });
});

describe('a snapshot', () => {
  it('T-056: what was read is frozen', () => {
    const settings = readOptions(good as AuthenticatorOptions);
    for (const part of [
      settings,
      settings.keysets,
      settings.policy,
      settings.policy.registered,
      ...settings.policy.claims,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('T-056: changing the options afterwards changes nothing', async () => {
    const clock = createClock(1_800_000_000_000);
    const options = {
      keySets: [{ issuer: ISSUER, jwks: { keys: [{ ...key.publicJwk }] }, allowedAlgorithms: ['ES256'] }],
      audience: [AUDIENCE],
      claims: { roles: ['admin'], dept: { anyOf: ['IT', 'HR'] } } as Record<string, unknown>,
      typ: ['JWT'],
      clockSkew: '0s',
      requireExp: true,
      mode: 'strict',
      realm: 'api',
      maxTokenBytes: 8192,
      clock,
    };
    const authenticator = createAuthenticator(options as unknown as AuthenticatorOptions);
    const claims = {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'alice',
      roles: ['admin'],
      dept: 'HR',
      exp: 1_800_000_060,
    };
    const stranger = await generateSigningKey('ES256', key.kid);
    const token = await mint(key, claims);
    const refused = [
      ['token_signature_invalid', await mint(stranger, claims)],
      ['token_issuer_untrusted', await mint(key, { ...claims, iss: 'https://evil.example' })],
      ['token_audience_mismatch', await mint(key, { ...claims, aud: 'evil' })],
      ['token_claims_invalid', await mint(key, { ...claims, roles: [] })],
      ['token_claims_invalid', await mint(key, { ...claims, dept: 'evil' })],
      ['token_claims_invalid', await mint(key, { ...claims, exp: undefined })],
      ['token_expired', await mint(key, { ...claims, exp: 1_800_000_000 })],
      ['token_type_refused', await mint(key, claims, { typ: 'evil' })],
    ] as const;

    const keyset = options.keySets[0]!;
    Object.assign(keyset.jwks.keys[0]!, stranger.publicJwk);
    keyset.jwks.keys.push({ ...stranger.publicJwk });
    keyset.allowedAlgorithms[0] = 'RS256';
    keyset.issuer = 'https://evil.example';
    options.audience[0] = 'evil';
    (options.claims.roles as string[]).length = 0;
    (options.claims.dept as { anyOf: string[] }).anyOf[1] = 'evil';
    delete options.claims.roles;
    options.typ[0] = 'evil';
    Object.assign(options, {
      clockSkew: '60s',
      requireExp: false,
      mode: 'optional',
      realm: 'evil',
      maxTokenBytes: 256,
    });
    options.clock = createClock(0);
    options.keySets.length = 0;

    await expect(authenticator.verify(token)).resolves.toMatchObject({ subject: 'alice' });
    for (const [code, bad] of refused)
      await expect(authenticator.verify(bad)).rejects.toMatchObject({ code });
    await expect(authenticator.authenticate({ headers: {}, rawHeaders: [] })).rejects.toMatchObject({
      code: 'credentials_missing',
      headers: { 'WWW-Authenticate': 'Bearer realm="api"' },
    });
    await authenticator.close();
  });
});

describe('reading', () => {
  it('makes nothing that can call the network, open a file or start a timer', () => {
    const timers = vi.spyOn(globalThis, 'setTimeout');
    const intervals = vi.spyOn(globalThis, 'setInterval');
    const settings = readOptions({
      keySets: [{ issuer: 'https://a.example', useOidcDiscovery: true }],
      audience: 'me',
      remote: { url: 'https://b.example/validate', onReject: 'deny', onError: 'deny' },
      groups: { endpoint: { url: 'https://c.example/{sub}' } },
    });
    expect(timers).not.toHaveBeenCalled();
    expect(intervals).not.toHaveBeenCalled();
    // Checked, and not brought to life: nothing in it can be called.
    const endpoint = settings.groups?.resolvers.get('endpoint');
    expect(endpoint).toMatchObject({ template: 'https://c.example/{sub}', timeoutMs: 2_000 });
    const members = [endpoint, settings.remote, settings.keysets[0]].flatMap((part) =>
      Object.values(part ?? {}),
    );
    expect(members.filter((member) => typeof member === 'function')).toEqual([]);
    vi.restoreAllMocks();
  });
});
