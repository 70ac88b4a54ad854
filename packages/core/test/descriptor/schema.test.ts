// The published JSON Schema of descriptors: what it takes and refuses, and that it knows the same
// options as the readers of core.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Ajv2020, type AnySchema } from 'ajv/dist/2020.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { compileRules } from '../../src/claims/compile.ts';
import { normalizeRule } from '../../src/claims/normalize.ts';
import { readTokenFrom } from '../../src/credentials/find.ts';
import { routes } from '../../src/decision/access.ts';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { cacheOptions } from '../../src/decision/options.ts';
import { readOptions } from '../../src/decision/settings.ts';
import { loadText } from '../../src/descriptor/load.ts';
import { ConfigError } from '../../src/errors.ts';
import { readGroupEndpoint, readGroups } from '../../src/groups/options.ts';
import { readAlgorithm } from '../../src/keysets/algorithm-options.ts';
import { readLegacyKeys } from '../../src/keysets/legacy-options.ts';
import { readKeyset } from '../../src/keysets/options.ts';
import { readTls } from '../../src/net/tls.ts';
import { readRemote } from '../../src/remote/options.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import { readSignerOptions } from '../../src/signing/options.ts';
import { createResponseSigner } from '../../src/signing/response.ts';
import { BIG, SEEDS } from './descriptors.ts';

interface Node {
  readonly $ref?: string;
  readonly description?: string;
  readonly properties?: { readonly [name: string]: Node | false };
  readonly dependentSchemas?: { readonly [name: string]: Node };
  readonly items?: Node;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Node[];
  readonly [keyword: string]: unknown;
}

const text = readFileSync(new URL('../../descriptor.schema.json', import.meta.url), 'utf8');
const schema = JSON.parse(text) as Node & { readonly $defs: { readonly [name: string]: Node } };
const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, strictRequired: false });
const validate = ajv.compile(schema as AnySchema);

beforeEach(() => void vi.spyOn(process, 'emitWarning').mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

/** What the schema says against a descriptor: where, in each case. */
function faults(descriptor: unknown): readonly string[] {
  return validate(descriptor) ? [] : (validate.errors ?? []).map(({ instancePath }) => instancePath);
}

const store = { ...createMemoryStore(), watch: () => () => {} };

/** What core says against it: the path, or nothing. */
function refusal(descriptorText: string): string | undefined {
  try {
    const { loaded } = loadText(descriptorText, {
      descriptor: '/nowhere/service.yaml',
      secrets: store,
      externalSecrets: store,
      environment: ENV,
    });
    // Some of it is seen only when it is brought to life.
    void createAuthenticator(loaded.options).close();
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error.path === '' ? 'service' : error.path;
    throw error;
  }
}

const ENV = { HOST: 'a.example', AUDIENCE: 'api', SKEW: '5s' };

const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });

const A = { issuer: 'a', jwksUrl: 'https://a.example/jwks' };

describe('descriptors', () => {
  it.each(SEEDS)('AK-29 %s of the seed is right', (_name, descriptor) => {
    expect(faults(parse(descriptor))).toEqual([]);
    expect(refusal(descriptor)).toBeUndefined();
  });

  it('takes everything at once, as core does', () => {
    const big = BIG({ pem, jwk });
    expect(faults(big)).toEqual([]);
    expect(refusal(JSON.stringify(big))).toBeUndefined();
  });

  it('the big example has every option but those that exclude each other', () => {
    const block = BIG({ pem, jwk }).service.jwt as { readonly [name: string]: unknown };
    const left = Object.keys(schema.$defs.jwt?.properties ?? {}).filter(
      (name) => !Object.hasOwn(block, name),
    );
    expect(left).toEqual(['allowFutureIat', 'profile']);
  });

  it.each([
    ['profile', { profile: 'at+jwt' }],
    ['iat in the future', { allowFutureIat: true }],
    ['cache: false', { cache: false }],
    ['null audience', { audience: null }],
    ['a resource', { resource: { url: 'http://localhost:3000/mcp/' } }],
    ['a resource by http', { resource: { url: 'http://api.example', allowHttp: true } }],
    ['one typ', { typ: 'at+jwt' }],
    [
      'the system is remote',
      { remote: { url: 'http://127.0.0.1:8080/check', onReject: 'deny', onError: 'next', system: true } },
    ],
    [
      'a signer behind a URL',
      { signing: { jwkUrl: 'https://keys.example/private', kid: 'k1', alg: 'RS256', tls: {} } },
    ],
    ['a signer of keys', { signing: { keys: [{ keyId: 'a', algorithm: 'HS256', secret: { name: 'a' } }] } }],
    ['keys alone', { keySets: null, keys: [{ keyId: 'a', algorithm: 'RS256', secret: { name: 'a' } }] }],
    ['a remote alone', { keySets: [], remote: { url: 'https://check.example' } }],
    [
      'variables',
      { audience: '${AUDIENCE}', clockSkew: '${SKEW}', keySets: [{ jwksUrl: 'https://${HOST}/jwks' }] },
    ],
    [
      'a route by issuers',
      { routes: { 'GET /admin': { issuers: ['a', { pattern: 'https://[a-z]+\\.example' }] } } },
    ],
    [
      'any tenant',
      { keySets: [{ issuer: 'https://a.example/{t}', useOidcDiscovery: true, unsafeAnyTenant: true }] },
    ],
    [
      'tenants of a host in a variable',
      { keySets: [{ issuer: 'https://${HOST}/{t}', useOidcDiscovery: true, tenants: ['a'] }] },
    ],
    ['an issuer in a variable', { keySets: [{ issuer: 'https://${HOST}/', useOidcDiscovery: true }] }],
    ['a null audience of a keyset', { keySets: [{ ...A, audience: null }] }],
    ['audiences of keysets alone', { audience: undefined, keySets: [{ ...A, audience: 'a' }] }],
    [
      'rules of a keyset',
      { keySets: [{ ...A, claims: [{ name: 'dept', required: true }], typ: ['a', 'b'] }] },
    ],
    ['a profile of a keyset', { keySets: [{ ...A, profile: 'at+jwt', maxTokenAge: '1h' }] }],
    ['audMatch only', { audMatch: 'only' }],
    [
      'a route by its audience',
      { routes: { orders: { audience: 'orders' }, all: { audience: ['a', 'b'] } } },
    ],
    ['trust', { groups: { trust: { a: 'all', b: 'none', c: { only: ['x'] }, d: { prefix: 'd:' } } } }],
  ])('S33 AM-24 right for both: %s', (_name, options) => {
    const descriptor = {
      service: {
        jwt: { audience: 'api', keySets: [{ issuer: 'a', jwksUrl: 'https://a.example/jwks' }], ...options },
      },
    };
    expect(faults(descriptor)).toEqual([]);
    expect(refusal(JSON.stringify(descriptor))).toBeUndefined();
  });
});

const WRONG: readonly (readonly [name: string, options: { readonly [name: string]: unknown }])[] = [
  ['AK-8 two sources', { keySets: [{ issuer: 'a', jwksUrl: 'https://a.example', useOidcDiscovery: true }] }],
  ['AK-8 no source', { keySets: [{ issuer: 'a' }] }],
  ['AK-11 discovery without an issuer', { keySets: [{ useOidcDiscovery: true }] }],
  ['AK-11 any discovery without an issuer', { keySets: [{ useDiscovery: 'any' }] }],
  ['AK-11 discovery of no kind', { keySets: [{ issuer: 'https://a.example', useDiscovery: true }] }],
  ['discovery over http', { keySets: [{ issuer: 'http://a.example', useDiscovery: 'oauth' }] }],
  ['a resource without a url', { resource: { name: 'a' } }],
  ['a resource with a query', { resource: { url: 'https://a.example?b' } }],
  ['a resource with a fragment', { resource: { url: 'https://a.example#b' } }],
  ['a resource with a name and password', { resource: { url: 'https://me:secret@a.example' } }],
  ['a resource in upper case', { resource: { url: 'https://A.example' } }],
  ['a resource with an odd path', { resource: { url: 'https://a.example/:b' } }],
  ['a resource without scopes', { resource: { url: 'https://a.example', scopes: [] } }],
  ['a scope with a space', { resource: { url: 'https://a.example', scopes: ['a b'] } }],
  [
    'an issuer with a query',
    { resource: { url: 'https://a.example', authorizationServers: ['https://b.example?c'] } },
  ],
  ['no algorithm of replies', { resource: { url: 'https://a.example', signingAlgorithms: ['none'] } }],
  ['a template without tenants', { keySets: [{ issuer: 'https://a.example/{t}', useOidcDiscovery: true }] }],
  [
    'a template with no tenant',
    { keySets: [{ issuer: 'https://a.example/{t}', useOidcDiscovery: true, unsafeAnyTenant: false }] },
  ],
  [
    'a template with some tenants and any',
    {
      keySets: [
        { issuer: 'https://a.example/{t}', useOidcDiscovery: true, tenants: ['a'], unsafeAnyTenant: true },
      ],
    },
  ],
  ['tenants without a template', { keySets: [{ ...A, tenants: ['a'] }] }],
  ['any tenant without a template', { keySets: [{ ...A, unsafeAnyTenant: true }] }],
  ['bind without a template', { keySets: [{ ...A, bind: { t: 'tid' } }] }],
  ['maxTenants without a template', { keySets: [{ ...A, maxTenants: 10 }] }],
  ['tenants without an issuer', { keySets: [{ jwksUrl: 'https://a.example', tenants: ['a'] }] }],
  [
    'an odd tenant',
    { keySets: [{ issuer: 'https://a.example/{t}', useOidcDiscovery: true, tenants: ['a/b'] }] },
  ],
  ['tenants and jwksHosts', { keySets: [{ issuer: 'https://a.example/{t}', jwksHosts: ['a.example'] }] }],
  ['AK-13 plain http', { keySets: [{ jwksUrl: 'http://a.example/jwks' }] }],
  ['no URL', { keySets: [{ jwksUrl: 'a.example/jwks' }] }],
  ['a name and password in a URL', { keySets: [{ jwksUrl: 'https://me:secret@a.example/jwks' }] }],
  ['no keysets at all', { keySets: [] }],
  ['S8 an empty list of algorithms', { keySets: [{ jwksUrl: 'https://a.example', allowedAlgorithms: [] }] }],
  ['D6 HMAC on a URL', { keySets: [{ jwksUrl: 'https://a.example', allowedAlgorithms: ['HS256'] }] }],
  ['an algorithm that is none', { keySets: [{ jwksUrl: 'https://a.example', allowedAlgorithms: ['none'] }] }],
  ['a duration without a unit', { clockSkew: '5' }],
  ['a duration that is a number', { clockSkew: 5 }],
  ['refreshInterval of inline keys', { keySets: [{ jwks: { keys: [jwk] }, refreshInterval: '1h' }] }],
  ['a private key in place', { keySets: [{ jwks: { keys: [{ ...jwk, d: 'AAAA' }] } }] }],
  [
    'D1 a legacy algorithm without an issuer',
    { keySets: [{ secret: { name: 'a' }, unsafeLegacyAlgorithms: ['HMD5'] }] },
  ],
  [
    'D1 a legacy algorithm on a URL',
    { keySets: [{ issuer: 'a', jwksUrl: 'https://a.example', unsafeLegacyAlgorithms: ['HMD5'] }] },
  ],
  ['a secret with a path', { keySets: [{ secret: { name: '../a' } }] }],
  ['a misspelt option', { audiences: ['api'] }],
  ['what only code gives', { clock: {} }],
  ['a function that finds keysets', { keysetFor: 'find' }],
  ['AK-31 a key without an algorithm', { keys: [{ keyId: 'a', secret: { name: 'a' } }] }],
  ['an empty audience', { audience: [] }],
  ['an unknown mode', { mode: 'lenient' }],
  ['profile with typ', { profile: 'at+jwt', typ: 'jwt' }],
  ['two places in one', { tokenFrom: [{ header: 'X-Token', cookie: 'token' }] }],
  ['origins of a header', { tokenFrom: [{ header: 'X-Token', allowedOrigins: ['https://a.example'] }] }],
  ['S34 a rule on iss', { claims: { iss: 'a' } }],
  ['a rule of two forms', { claims: { dept: { anyOf: ['a'], allOf: ['b'] } } }],
  ['an unknown form', { claims: { dept: { oneOf: ['a'] } } }],
  ['an empty form', { claims: { dept: { anyOf: [] } } }],
  ['optional in optional', { claims: { dept: { optional: { optional: 'a' } } } }],
  ['split with present', { claims: { dept: { present: true, split: ',' } } }],
  ['match with anyOf', { claims: { dept: { anyOf: ['a'], match: 'search' } } }],
  ['AM-13 a row with a word for a switch', { claims: [{ name: 'dept', required: 'yes' }] }],
  ['AM-14 a row that validates nothing', { claims: [{ name: 'dept', validate: true }] }],
  ['AM-21 a row of no type', { claims: [{ name: 'dept', validate: true, value: 'a', type: 'DATE' }] }],
  ['a null rule', { claims: { dept: null } }],
  ['a route that asks nothing', { routes: { admin: {} } }],
  ['an empty audience of a keyset', { keySets: [{ ...A, audience: [] }] }],
  ['profile with typ on a keyset', { keySets: [{ ...A, profile: 'at+jwt', typ: 'jwt' }] }],
  ['a null rule of a keyset', { keySets: [{ ...A, claims: { dept: null } }] }],
  ['a lifetime that is a number', { keySets: [{ ...A, maxLifetime: 60 }] }],
  ['a lifetime without exp', { maxLifetime: '1h', requireExp: false }],
  ['a lifetime with iat in the future', { maxLifetime: '1h', allowFutureIat: true }],
  ['an unknown audMatch', { audMatch: 'none' }],
  ['an empty audience of a route', { routes: { admin: { audience: [] } } }],
  ['a null audience of a route', { routes: { admin: { audience: null } } }],
  ['a mode of a route', { routes: { admin: { mode: 'strict', claims: { a: 1 } } } }],
  ['remote without a URL', { remote: { onReject: 'deny', onError: 'deny' } }],
  [
    'introspection without a client',
    { remote: { url: 'https://a.example', contract: 'introspection', onReject: 'deny', onError: 'deny' } },
  ],
  [
    'unsafeMissingAudience without introspection',
    {
      remote: { url: 'https://a.example', onReject: 'deny', onError: 'deny', unsafeMissingAudience: true },
    },
  ],
  [
    'a client without introspection',
    {
      remote: {
        url: 'https://a.example',
        onReject: 'deny',
        onError: 'deny',
        client: { id: 'a', secret: { name: 'a', key: 'b' } },
      },
    },
  ],
  ['a directory, which code gives', { groups: { directory: {} } }],
  ['an endpoint without {sub}', { groups: { endpoint: { url: 'https://a.example/groups' } } }],
  ['trust that says nothing', { groups: { trust: { a: {} } } }],
  ['KD-8 a signer behind a URL without kid', { signing: { jwkUrl: 'https://keys.example' } }],
  ['two signers', { signing: { secret: { name: 'a' }, jwkUrl: 'https://keys.example', kid: 'a' } }],
  ['signing with HMD5', { signing: { secret: { name: 'a' }, alg: 'HMD5' } }],
  ['S42 onMissing without fields', { signing: { secret: { name: 'a' }, onMissing: 'skip' } }],
  [
    'S45 a cipher suite that is broken',
    { keySets: [{ jwksUrl: 'https://a.example', tls: { cipherSuites: [5] } }] },
  ],
  [
    'S43 a fingerprint of a text',
    {
      keySets: [
        {
          jwksUrl: 'https://a.example',
          tls: { fingerprints: ['S3Jha2VuRCBpcyB0aGUgYmVzdCBnYXRld2F5LCBhbmQgeW91IGtub3cgaXQ='] },
        },
      ],
    },
  ],
  ['a cache of nothing', { cache: { tokens: 0 } }],
  ['tokens too long', { maxTokenBytes: 100_000 }],
];

describe('wrong descriptors, for both', () => {
  it.each(WRONG)('%s', (_name, options) => {
    const descriptor = {
      service: {
        jwt: { audience: 'api', keySets: [{ issuer: 'a', jwksUrl: 'https://a.example/jwks' }], ...options },
      },
    };
    expect(faults(descriptor)).not.toEqual([]);
    expect(refusal(JSON.stringify(descriptor))).toBeDefined();
  });

  it('says where', () => {
    const descriptor = {
      service: { jwt: { keySets: [{ issuer: 'a', jwksUrl: 'https://a.example' }, { issuer: 'b' }] } },
    };
    expect(faults(descriptor)).toContain('/service/jwt/keySets/1');
  });

  it.each([
    ['no service', { name: 'a' }],
    ['no jwt', { service: { image: 'a' } }],
    ['a list', []],
  ])('%s', (_name, descriptor) => {
    expect(faults(descriptor)).not.toEqual([]);
    expect(refusal(JSON.stringify(descriptor))).toBeDefined();
  });
});

/** The names that a reader expects, out of its own mouth. */
function namesIn(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    const found =
      error instanceof ConfigError
        ? /unknown (?:option|rule); expected one of (.+)$/.exec(error.problem)
        : null;
    if (found?.[1] !== undefined) return found[1].split(', ').sort();
    throw error;
  }
  throw new Error('nothing was refused');
}

function propertiesOf(name: string): readonly string[] {
  // Messages do not offer unsafe options.
  return Object.keys(schema.$defs[name]?.properties ?? {})
    .filter((option) => !option.startsWith('unsafe'))
    .sort();
}

function nested(node: Node | false | undefined, ...path: readonly string[]): Node {
  if (node === undefined || node === false) throw new Error(`there is no ${path.join('.')}`);
  const [next, ...rest] = path;
  if (next === undefined) return node;
  const reached = node.$ref === undefined ? node : (schema.$defs[node.$ref.replace('#/$defs/', '')] ?? {});
  return nested(reached.properties?.[next], ...rest);
}

const OF_CODE = [
  ...['secrets', 'externalSecrets', 'onRefusal', 'replayStore', 'revocationFeed', 'keysetFor', 'clock'],
  ...['directory', 'signer'],
];
const X = { 'what-no-option-is-called': 1 };
const without = (names: readonly string[], left: readonly string[] = OF_CODE) =>
  names.filter((name) => !left.includes(name));

describe('the names of options', () => {
  it.each<readonly [string, () => unknown, () => readonly string[]]>([
    // Signing is the block's own: no option of an authenticator.
    ['jwt', () => readOptions(X as never), () => without(propertiesOf('jwt'), ['signing'])],
    ['legacyKey', () => readLegacyKeys([X]), () => propertiesOf('legacyKey')],
    [
      'legacyKey.secret',
      () => readLegacyKeys([{ keyId: 'a', algorithm: 'RS256', secret: X }]),
      () => Object.keys(nested(schema.$defs.legacyKey, 'secret').properties ?? {}).sort(),
    ],
    ['publicKey', () => readKeyset({ publicKeys: [X] }, 'k'), () => propertiesOf('publicKey')],
    [
      'keySet.secret',
      () => readKeyset({ secret: X }, 'k'),
      () => Object.keys(nested(schema.$defs.keySet, 'secret').properties ?? {}).sort(),
    ],
    [
      'keySet.externalSecret',
      () => readKeyset({ externalSecret: X }, 'k'),
      () => Object.keys(nested(schema.$defs.keySet, 'externalSecret').properties ?? {}).sort(),
    ],
    ['tls', () => readTls(X, 'tls'), () => propertiesOf('tls')],
    [
      'tls.ca',
      () => readTls({ ca: X }, 'tls'),
      () => Object.keys(nested(schema.$defs.tls, 'ca').properties ?? {}).sort(),
    ],
    ['carrier', () => readTokenFrom([X]), () => propertiesOf('carrier')],
    ['remote', () => readRemote(X, true), () => propertiesOf('remote')],
    [
      'remote.client',
      () => readRemote({ url: 'https://a.example', contract: 'introspection', client: X }, true),
      () => Object.keys(nested(schema.$defs.remote, 'client').properties ?? {}).sort(),
    ],
    [
      'remote.client.secret',
      () =>
        readRemote(
          { url: 'https://a.example', contract: 'introspection', client: { id: 'a', secret: X } },
          true,
        ),
      () => Object.keys(nested(schema.$defs.remote, 'client', 'secret').properties ?? {}).sort(),
    ],
    ['groups', () => readGroups(X, undefined), () => propertiesOf('groups')],
    [
      'groups.endpoint',
      () => readGroupEndpoint(X, 'groups.endpoint'),
      () => Object.keys(nested(schema.$defs.groups, 'endpoint').properties ?? {}).sort(),
    ],
    [
      'groups.endpoint.token',
      () => readGroupEndpoint({ url: 'https://a.example/{sub}', token: X }, 'groups.endpoint'),
      () => Object.keys(nested(schema.$defs.groups, 'endpoint', 'token').properties ?? {}).sort(),
    ],
    [
      'groups.trust',
      () => readGroups({ trust: { a: X } }, undefined),
      () =>
        Object.keys(
          schema.$defs.groupTrust?.anyOf?.find(({ properties }) => properties !== undefined)?.properties ??
            {},
        ).sort(),
    ],
    [
      'cache',
      () => cacheOptions.read(X, 'cache'),
      () =>
        Object.keys(
          nested(schema.$defs.jwt, 'cache').anyOf?.find(({ properties }) => properties !== undefined)
            ?.properties ?? {},
        ).sort(),
    ],
    ['route', () => routes.read({ a: X }, 'routes'), () => propertiesOf('route')],
    ['row', () => compileRules([{ name: 'a', required: true, ...X }] as never), () => propertiesOf('row')],
    [
      'signing',
      () => createResponseSigner({ keysToSign: ['a'], ...X } as never),
      () => propertiesOf('signing'),
    ],
    [
      'signing.secret',
      () => readSignerOptions({ secret: X, secrets: store }),
      () => propertiesOf('signingSecret'),
    ],
  ])('%s: the schema knows those of core, and no others', (_name, read, known) => {
    expect(known()).toEqual(without(namesIn(read)));
  });

  const forms = namesIn(() => normalizeRule(X, 'rule'));
  it('rules: the schema knows every form', () => {
    const known = without(propertiesOf('ruleForm'), ['split', 'match']);
    expect([...known, 'optional'].sort()).toEqual(forms);
  });

  it.each([
    'useOidcDiscovery',
    'useDiscovery',
    'jwksUrl',
    'jwksHosts',
    'secret',
    'externalSecret',
    'jwks',
    'publicKeys',
  ])('keySet: the options that %s allows', (source) => {
    const taken = namesIn(() => readKeyset({ [source]: true, ...X }, 'k'));
    expect(allowedWith('keySet', source)).toEqual(taken);
  });

  it.each(['secret', 'externalSecret', 'jwkUrl', 'jwks', 'keys'])(
    'signing: the options that %s allows',
    (source) => {
      const taken = namesIn(() => readSignerOptions({ [source]: true, ...X }));
      expect(without(allowedWith('signing', source), ['keysToSign', 'full', 'onMissing'])).toEqual(
        without(taken),
      );
    },
  );

  it('every algorithm, and every cipher suite that core takes', () => {
    const names = (() => {
      try {
        return readAlgorithm('x', 'a');
      } catch (error) {
        return /expected one of (.+), got a string$/
          .exec(error instanceof ConfigError ? error.problem : '')?.[1]
          ?.split(', ');
      }
    })();
    // The legacy algorithms are not offered.
    expect(schema.$defs.algorithm?.anyOf?.[0]?.enum).toEqual([...(names ?? []), 'HS224', 'HMD5']);
    const { stackTraceLimit } = Error;
    // A stack trace for each refused number would take most of the time of the test.
    Error.stackTraceLimit = 0;
    const suites = [...Array(65_536).keys()].filter((suite) => {
      try {
        readTls({ cipherSuites: [suite] }, 'tls');
        return true;
      } catch {
        return false;
      }
    });
    Error.stackTraceLimit = stackTraceLimit;
    const known = nested(schema.$defs.tls, 'cipherSuites').items?.enum as readonly number[];
    expect([...known].sort((a, b) => a - b)).toEqual(suites);
  });
});

/** The options that the schema allows with a source, the source included. */
function allowedWith(definition: string, source: string): readonly string[] {
  const node = schema.$defs[definition];
  const others = ((node?.oneOf ?? []) as readonly { readonly required: readonly string[] }[]).flatMap(
    ({ required }) => required,
  );
  const shut = Object.entries(node?.dependentSchemas?.[source]?.properties ?? {}).flatMap(([name, value]) =>
    value === false ? [name] : [],
  );
  return propertiesOf(definition).filter(
    (name) => name === source || !(others.includes(name) || shut.includes(name)),
  );
}

describe('for editors', () => {
  it('every option says what it is', () => {
    const silent: string[] = [];
    const walk = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null) return;
      const { properties } = value as Node;
      for (const [name, node] of Object.entries(properties ?? {})) {
        // What is shut, and what only conditions speak of, is said elsewhere.
        if (node === false || /\/(?:if|then|else|dependentSchemas|anyOf|oneOf|not)\b/.test(path)) continue;
        if (
          node.description === undefined &&
          (node.$ref === undefined ||
            schema.$defs[node.$ref.replace('#/$defs/', '')]?.description === undefined)
        )
          silent.push(`${path}.${name}`);
      }
      for (const [name, member] of Object.entries(value)) walk(member, `${path}/${name}`);
    };
    walk(schema, '');
    expect(silent).toEqual([]);
  });

  it('is a schema of its draft, with no unused definition', () => {
    expect(ajv.validateSchema(schema as AnySchema)).toBe(true);
    const unused = Object.keys(schema.$defs).filter((name) => !text.includes(`"#/$defs/${name}"`));
    expect(unused).toEqual([]);
  });
});
