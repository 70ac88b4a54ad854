// Descriptors as files: those that gateways are configured with load unchanged, all options may be
// in them, and tokens are judged by them.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { createClock, createIssuer, generateSigningKey, mint, type TestIssuer } from '@latchkey/testing';
import { decodeJwt, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createResponseSigner } from '../../src/adapter/index.ts';
import { MAX_DESCRIPTOR_BYTES } from '../../src/descriptor/document.ts';
import { loadText } from '../../src/descriptor/load.ts';
import {
  authorize,
  ConfigError,
  createAuthenticator,
  createMemoryStore,
  type DescriptorOptions,
  loadDescriptor,
  route,
} from '../../src/index.ts';
import { createSigner, generateJwk } from '../../src/signing/index.ts';
import { closing, temporaryFolder } from '../support/closing.ts';
import { defined } from '../support/defined.ts';
import { outcome } from '../support/outcome.ts';
import { configErrorOf } from '../support/refusals.ts';
import { DISCOVERY, JWKS_URL, MULTIPLE, SECRET } from './descriptors.ts';

const FILE = 'service.yaml';
const DISCOVERED = { keySets: [{ issuer: 'https://i.example', useOidcDiscovery: true }] };
const KEYSET = 'keySets: [{ issuer: https://i.example, useOidcDiscovery: true }]';

let directory: string;
let issuer: TestIssuer;
let warnings: string[];

beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

beforeEach(async () => {
  directory = await temporaryFolder();
  warnings = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const textOf = (jwt: unknown) => JSON.stringify({ name: 'test', service: { jwt } });

async function save(jwt: unknown, name = FILE): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, typeof jwt === 'string' ? jwt : textOf(jwt));
  return path;
}

/** The options, without the stores. */
const written = (text: string, more: Partial<DescriptorOptions> = {}) => {
  const { secrets, ...options } = loadText(text, { descriptor: FILE, ...more }).loaded.options;
  return { hasSecrets: secrets !== undefined, ...options };
};

/** A block as YAML, with one line for each of these. */
const block = (...lines: readonly string[]) =>
  ['service:', '  jwt:', ...lines.map((line) => `    ${line}`), ''].join('\n');

function faultOf(load: () => unknown): ConfigError {
  const error = configErrorOf(load);
  if (error === undefined) throw new Error('it was loaded');
  return error;
}

/** A key in a folder that a descriptor names. */
async function put(content: string | Buffer, ...path: readonly string[]): Promise<void> {
  const file = join(directory, ...path);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, content, { mode: 0o600 });
}

const setOf = (...keys: readonly object[]) => JSON.stringify({ keys });
const storeOf = (name: string, key: string, text: string) => createMemoryStore({ [name]: { [key]: text } });
const soon = () => Math.floor(Date.now() / 1000) + 60;

/** `keys`, as they were before there were keysets. */
const KEYS = `name: my-service
service:
  image: my-image:latest
  jwt:
    keys:
    - keyId: my-key-id
      algorithm: HS256
      issuer: my-issuer
      secret:
        name: my-secret-name
`;

describe('descriptors of gateways', () => {
  const GOOGLE = { issuer: 'https://accounts.google.com', useOidcDiscovery: true };
  const AUTH0 = { issuer: 'https://my-org.auth0.com/', useOidcDiscovery: true };
  const EXAMPLE = { issuer: 'https://example.com', jwksUrl: 'https://example.com/.well-known/jwks.json' };
  const INTERNAL = {
    issuer: 'internal-issuer',
    secret: { name: 'internal-jwks', key: 'jwks.json' },
    allowedAlgorithms: ['RS256'],
  };
  it.each<[title: string, text: string, keySets: unknown]>([
    ['discovery', DISCOVERY, [GOOGLE, AUTH0]],
    ['a JWKS URL', JWKS_URL, [{ ...EXAMPLE, refreshInterval: '30m' }]],
    ['a secret', SECRET, [{ issuer: 'my-issuer', secret: { name: 'my-jwks-secret', key: 'jwks.json' } }]],
    ['several keysets', MULTIPLE, [GOOGLE, EXAMPLE, INTERNAL]],
    ['keys alone', KEYS, []],
  ])('AK-29: %s', async (_, text, keySets) => {
    const { name, options, signing, signResponse } = loadDescriptor(await save(text));
    expect(name).toBe('my-service');
    expect(options.keySets).toEqual(keySets);
    expect([signing, signResponse]).toEqual([undefined, undefined]);
    await createAuthenticator(options).close();
  });

  it('AK-29, AK-30: all that is in one is in force: a token of each of its issuers, and of no other', async () => {
    const internal = await generateSigningKey('RS256', 'internal');
    const [es, stranger] = await Promise.all([generateSigningKey('ES256', 'es'), generateSigningKey()]);
    const secrets = storeOf('internal-jwks', 'jwks.json', setOf(internal.publicJwk, es.publicJwk));
    const { options } = loadDescriptor({ descriptor: await save(MULTIPLE), secrets, audience: 'me' });
    const { verify } = closing(createAuthenticator(options));
    const claims = { iss: 'internal-issuer', aud: 'me', sub: 'alice', exp: soon() };
    expect(await verify(await mint(internal, claims))).toMatchObject({ subject: 'alice' });
    for (const [key, changed, refusal] of [
      [es, {}, { code: 'token_algorithm_refused' }],
      [stranger, {}, { status: 401 }],
      [internal, { iss: 'other' }, { code: 'token_issuer_untrusted' }],
      [internal, { aud: 'you' }, { code: 'token_audience_mismatch' }],
    ] as const)
      await expect(verify(await mint(key, { ...claims, ...changed }))).rejects.toMatchObject(refusal);
  });

  it('AK-29: keys alone verify, from secret.key next to the descriptor, and warn that they are deprecated', async () => {
    const secret = randomBytes(32);
    await put(secret, 'secrets', 'my-secret-name', 'secret.key');
    const authenticator = closing(createAuthenticator({ descriptor: await save(KEYS), audience: null }));
    const token = await new SignJWT({ sub: 'alice' })
      .setProtectedHeader({ alg: 'HS256', kid: 'my-key-id' })
      .setIssuer('my-issuer')
      .setExpirationTime('1m')
      .sign(secret);
    await expect(authenticator.verify(token)).resolves.toMatchObject({ subject: 'alice' });
    expect(warnings.join('\n')).toMatch(/keys/);
  });

  it.each(['json', 'yaml', 'yml', 'conf'])('AM-24: JSON under the name service.%s', async (ending) => {
    const jwt = { ...DISCOVERED, audience: 'a' };
    expect(loadDescriptor(await save(jwt, `service.${ending}`)).options).toMatchObject(jwt);
  });
});

describe('everything in one descriptor', () => {
  const all = `name: orders
service:
  image: orders:latest
  jwt:
    keySets:
      - issuer: ISSUER
        jwksUrl: JWKS
        allowHttp: true
        allowedAlgorithms: [ES256]
        kidless: refuse
        system: true
      - publicKeys:
          - file: keys/partner.pem
            algorithm: ES256
        unsafeOtherIssuers: true
    remote: { url: "http://127.0.0.1:9/validate", onReject: deny, onError: next, timeout: 1s, cacheFor: 5s }
    groups: { claim: groups, groupCase: insensitive, reserved: [root] }
    systemSubject: okera
    audience: [ https://api.example.com, orders ]
    audMatch: any
    issuers: [ ISSUER, { pattern: "^https://partner-[a-z]+/$" } ]
    tokenFrom: [ { header: Authorization }, { cookie: __Host-token, allowedOrigins: [ https://app.example.com ] } ]
    claims: { tenant: [ acme ], dept: { anyOf: [ engineering, sales ] } }
    routes:
      admin: { claims: { role: admin } }
      partner: { issuers: [ https://partner.example/ ] }
    nestedClaimDelimiter: "."
    clockSkew: 10s
    mode: optional
    typ: [ JWT, at+jwt ]
    requireExp: true
    treatIatAsNbf: true
    maxTokenAge: 1h
    cache: { tokens: 100, bytes: 1048576 }
    maxTokenBytes: 4096
    realm: orders
    signing: { secret: { name: signing }, issuer: orders, expiresIn: 5m, keysToSign: [ access_token ], onMissing: error }
`;

  it('every option of code, in the same shape', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await put(publicKey.export({ type: 'spki', format: 'pem' }), 'keys', 'partner.pem');
    const text = all.replaceAll('ISSUER', issuer.issuer).replaceAll('JWKS', issuer.jwksUrl);
    const path = await save(text);
    const { name, options, signing, signResponse } = loadDescriptor(path);
    expect(name).toBe('orders');
    expect(signing).toMatchObject({ secret: { name: 'signing' }, issuer: 'orders', expiresIn: '5m' });
    expect(signing).not.toHaveProperty('keysToSign');
    expect(signResponse).toMatchObject({ keysToSign: ['access_token'], onMissing: 'error' });
    expect(Object.keys(options).sort()).toEqual(
      [
        ...['keySets', 'remote', 'groups', 'systemSubject', 'audience', 'audMatch', 'issuers', 'tokenFrom'],
        ...['claims', 'routes', 'nestedClaimDelimiter', 'clockSkew', 'mode', 'typ', 'requireExp'],
        ...['treatIatAsNbf', 'maxTokenAge', 'cache', 'maxTokenBytes', 'realm', 'secrets'],
      ].sort(),
    );

    // And it takes effect: the endpoint does not answer, so the keyset is asked.
    const authenticator = closing(createAuthenticator({ descriptor: path }));
    const claims = { tenant: ['acme'], dept: 'sales', role: 'admin', groups: ['Ops', 'root'] };
    const principal = await authenticator.verify(await issuer.mint(claims));
    authorize(principal, route('admin'));
    expect(principal.groups).toEqual(['ops', 'root']);
    expect(() => authorize(principal, route('partner'))).toThrow(/not trusted/);
    expect(authenticator.mode).toBe('optional');
    const verifying = authenticator.verify(await issuer.mint({ ...claims, dept: 'hr' }));
    await expect(verifying).rejects.toMatchObject({ code: 'token_claims_invalid' });
  });

  it('the same options in code decide the same', async () => {
    const jwt = {
      keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
      audience: issuer.audience,
      claims: { dept: ['a', 'b'] },
    } as const;
    const described = closing(createAuthenticator({ descriptor: await save(jwt) }));
    const coded = closing(createAuthenticator(jwt));
    for (const claims of [{ dept: ['a', 'b'] }, { dept: 'a' }, {}, { dept: ['b', 'a'], exp: 1 }]) {
      const token = await issuer.mint(claims);
      expect(await outcome(described.verify(token))).toBe(await outcome(coded.verify(token)));
    }
  });
});

describe('variables', () => {
  const environment = { ISSUER: 'https://i.example', AUDIENCE: 'orders', EMPTY: '', lower: 'x' };

  it('S33: in values and issuers, at any depth; nothing else is one', () => {
    const text = block(
      'keySets: [{ issuer: "${ISSUER}", jwksUrl: "${ISSUER}/jwks" }]',
      'audience: [ "${AUDIENCE}", "x-${AUDIENCE}-${AUDIENCE}" ]',
      'issuers: [ "${ISSUER}" ]',
      'claims: { "${AUDIENCE}": [ "${AUDIENCE}" ] }',
      'realm: "$AUDIENCE ${lower} ${} ${A-B} $${AUDIENCE}"',
    );
    expect(written(text, { environment })).toMatchObject({
      keySets: [{ issuer: 'https://i.example', jwksUrl: 'https://i.example/jwks' }],
      audience: ['orders', 'x-orders-orders'],
      issuers: ['https://i.example'],
      claims: { '${AUDIENCE}': ['orders'] },
      realm: '$AUDIENCE ${lower} ${} ${A-B} $orders',
    });
  });

  it('S33: by default those of the process', () => {
    vi.stubEnv('LATCHKEY_TEST_AUDIENCE', 'from-process');
    expect(written(block(KEYSET, 'audience: "${LATCHKEY_TEST_AUDIENCE}"')).audience).toBe('from-process');
  });

  it('S33: the value of a variable is neither a variable nor YAML', () => {
    const nasty = '${ISSUER}", requireExp: false, x: "';
    const options = written(block(KEYSET, 'audience: "${A}"'), { environment: { A: nasty } });
    expect(options.audience).toBe(nasty);
    expect(options).not.toHaveProperty('requireExp');
  });

  it.each<[title: string, line: string, path: string, column: number]>([
    ['in a value', 'realm: "${NOT_THERE}"', 'realm', 5],
    ['in an issuer', 'issuers: [ a, "${NOT_THERE}" ]', 'issuers[1]', 19],
    ['in a rule', 'claims: { a: { anyOf: [ "${NOT_THERE}" ] } }', 'claims.a.anyOf[0]', 29],
    ['in what signs', 'signing: { secret: { name: "${NOT_THERE}" } }', 'signing.secret.name', 26],
    ['that every object has', 'realm: "${CONSTRUCTOR}"', 'realm', 5],
  ])('S33: one that is not set is a fault, with its place: %s', (_, line, path, column) => {
    const error = faultOf(() => written(block(KEYSET, 'audience: a', line), { environment: {} }));
    expect(error.path).toBe(path);
    expect(error.place).toEqual({ file: FILE, line: 5, column });
    expect(error.problem).toMatch(/^the variable [A-Z_]+ is not set$/);
  });

  it('S33: an empty one is a fault where an option needs a value', () => {
    const text = block(KEYSET, 'audience: "${EMPTY}"');
    expect(faultOf(() => written(text, { environment })).path).toBe('audience');
  });
});

describe('faults', () => {
  const place = (line: number, column: number) => ({ file: FILE, line, column });

  it.each<[title: string, lines: readonly string[], path: string, line: number, column: number]>([
    ['an unknown option', ['audiance: a'], 'audiance', 5, 5],
    ['an option in another case', ['keysets: []'], 'keysets', 5, 5],
    ['a member of none', ['claims: { a: { anyof: [x] } }'], 'claims.a.anyof', 5, 20],
    ['a wrong type', ['requireExp: "yes"'], 'requireExp', 5, 5],
    ['a number for a text', ['realm: 5'], 'realm', 5, 5],
    ['nothing for something', ['clockSkew:'], 'clockSkew', 5, 5],
    ['no unit', ['clockSkew: 5'], 'clockSkew', 5, 5],
    ['deep in claims', ['claims:', '  a:', '    anyOf:', '      - { b: c }'], 'claims.a.anyOf[0]', 8, 13],
    ['a pattern', ['claims:', '  a: { pattern: "(" }'], 'claims.a.pattern', 6, 12],
    ['a rule on iss', ['claims: { iss: a }'], 'claims.iss', 5, 15],
    ['deep in tokenFrom', ['tokenFrom:', '  - header: X', '  - cookie: "a b"'], 'tokenFrom[1].cookie', 7, 9],
    ['deep in groups', ['groups:', '  order: [ claim, ldap ]'], 'groups.order[1]', 6, 23],
    [
      'deep in remote',
      ['remote:', '  url: https://r.example/', '  onReject: maybe'],
      'remote.onReject',
      7,
      7,
    ],
    ['plain HTTP', ['remote: { url: "http://r.example/", onReject: deny }'], 'remote.url', 5, 15],
    ['deep in signing', ['signing:', '  secret: { name: ../x }'], 'signing.secret.name', 6, 17],
    ['an option of signing', ['signing: { secret: { name: x }, bogus: 1 }'], 'signing.bogus', 5, 37],
    ['signing by nothing', ['signing:', '  issuer: i'], 'signing', 5, 5],
    ['signing that is a list', ['signing: []'], 'signing', 5, 5],
    ['fields that are not signed', ['signing: { secret: { name: x }, full: true }'], 'signing', 5, 5],
    [
      'deep in routes',
      ['routes:', '  admin:', '    claims: { a: { exactly: 5 } }'],
      'routes.admin.claims.a.exactly',
      7,
      24,
    ],
    ['an option of a route', ['routes: { admin: { claim: { a: b } } }'], 'routes.admin.claim', 5, 24],
    ['a route that asks nothing', ['routes:', '  admin: {}'], 'routes.admin', 6, 7],
    ['a route that is a list', ['routes: { admin: [] }'], 'routes.admin', 5, 15],
  ])('%s: file, line, column and path', (_, lines, path, line, column) => {
    const error = faultOf(() => written(block(KEYSET, 'audience: a', ...lines)));
    expect([error.path, error.place]).toEqual([path, place(line, column)]);
    expect(error.message).toBe(`${FILE}:${line}:${column}: ${path}: ${error.problem}`);
  });

  it.each<[title: string, keySets: string, path: string, column: number]>([
    ['no source', '[{ issuer: i }]', 'keySets[0]', 15],
    ['two sources', '[{ issuer: i, jwksUrl: https://a.example/, useOidcDiscovery: true }]', 'keySets[0]', 15],
    ['plain HTTP', '[{ jwksUrl: "http://a.example/" }]', 'keySets[0].jwksUrl', 17],
    [
      'no algorithm',
      '[{ jwksUrl: https://a.example/, allowedAlgorithms: [ none ] }]',
      'keySets[0].allowedAlgorithms[0]',
      67,
    ],
    ['a name that climbs', '[{ secret: { name: ../../etc } }]', 'keySets[0].secret.name', 27],
    ['a list of nothing', '[]', 'keySets', 5],
    ['no list', '{}', 'keySets', 5],
  ])('of a keyset: %s', (_, keySets, path, column) => {
    const error = faultOf(() => written(block('audience: a', `keySets: ${keySets}`)));
    expect([error.path, error.place]).toEqual([path, place(4, column)]);
  });

  it('that only createAuthenticator finds has its place too', async () => {
    const keySets = '[{ issuer: i, jwks: { keys: [ { kty: oct, k: c2VjcmV0 } ] } }, { issuer: i, jwks: 5 }]';
    const path = await save(block('audience: a', `keySets: ${keySets}`));
    const error = faultOf(() => createAuthenticator({ descriptor: path }));
    expect(error.place).toMatchObject({ file: path, line: 4 });
    expect(error.message).not.toContain('c2VjcmV0');
  });

  it.each(['secrets', 'externalSecrets', 'clock'])('%s is for code to give', (option) => {
    const error = faultOf(() => written(block(KEYSET, 'audience: a', `${option}: x`)));
    expect([error.path, error.place]).toEqual([option, place(5, 5)]);
    expect(error.problem).toMatch(/code/);
  });

  it('groups.directory is for code to give, and arguments of loadDescriptor are not options', () => {
    const error = faultOf(() => written(block(KEYSET, 'audience: a', 'groups: { directory: x }')));
    expect([error.path, error.place]).toEqual(['groups.directory', place(5, 15)]);
    for (const option of ['descriptor', 'directory', 'environment'])
      expect(faultOf(() => written(block(KEYSET, 'audience: a', `${option}: x`))).path).toBe(option);
  });

  it('arguments that loadDescriptor does not know are refused', async () => {
    const descriptor = await save({ keySets: [], audience: 'a' });
    const load = (options: unknown) => faultOf(() => loadDescriptor(options as DescriptorOptions));
    expect(load({ descriptor, keySets: [] }).path).toBe('keySets');
    expect(load({ descriptor: '' }).path).toBe('descriptor');
    expect(load({ descriptor: 5 }).path).toBe('descriptor');
    expect(load('').path).toBe('descriptor');
    expect(load(undefined)).toBeInstanceOf(ConfigError);
  });

  it('a member called __proto__ is an unknown option like any other, at any depth', () => {
    for (const [line, path] of [
      ['__proto__: { requireExp: false }', '__proto__'],
      ['groups: { __proto__: { claim: x } }', 'groups.__proto__'],
      ['signing: { secret: { name: a, __proto__: { format: pem } } }', 'signing.secret.__proto__'],
      ['routes: { a: { __proto__: { issuers: [x] } } }', 'routes.a.__proto__'],
    ] as const)
      expect(faultOf(() => written(block(KEYSET, 'audience: a', line))).path).toBe(path);
  });

  it('a store in signing is for code to give', () => {
    const text = block(KEYSET, 'audience: a', 'signing: { secret: { name: x }, secrets: ./elsewhere }');
    expect(() => loadText(text, { descriptor: FILE })).toThrow(ConfigError);
  });

  it('the fields that are signed are checked with the rest', () => {
    const line = 'signing: { secret: { name: x }, keysToSign: 5, full: 3, onMissing: x }';
    const text = block(KEYSET, 'audience: a', line);
    expect(() => loadText(text, { descriptor: FILE })).toThrow(ConfigError);
  });
});

describe('what is left blank', () => {
  // In YAML it is null. A check that is left blank by mistake must not be switched off.
  const GROUPS = 'trust reserved claim onUnknown order groupCase endpoint cacheFor timeout'.split(' ');
  const REMOTE = 'url onReject onError timeout cacheFor issuer system allowHttp tls contract'.split(' ');
  it.each([
    ...['claims', 'routes', 'issuers', 'mode', 'groups', 'remote', 'tokenFrom', 'signing', 'typ', 'keys'],
    ...[
      'requireExp',
      'clockSkew',
      'maxTokenAge',
      'maxLifetime',
      'cache',
      'realm',
      'profile',
      'systemSubject',
      'audMatch',
    ],
    ...['treatIatAsNbf', 'nestedClaimDelimiter', 'maxTokenBytes', 'unsafeMissingIssuer'],
    ...['unsafeAcceptSenderConstrained', 'claims.dept'],
    ...['routes.admin', 'routes.admin.claims', 'routes.admin.issuers', 'routes.admin.audience'],
    ...GROUPS.map((name) => `groups.${name}`),
    ...REMOTE.map((name) => `remote.${name}`),
  ])('%s: is refused, at its place', (path) => {
    const names = path.split('.');
    const lines = names.map((name, depth) => `${'  '.repeat(depth)}${name}:`);
    // The options that remote requires.
    const remote = { url: 'https://r.example', onReject: 'deny', onError: 'deny' };
    const required = names[0] === 'remote' && names.length > 1 ? Object.entries(remote) : [];
    const others = required
      .filter(([name]) => name !== names[1])
      .map(([name, value]) => `  ${name}: ${value}`);
    const error = faultOf(() => written(block(KEYSET, 'audience: a', ...lines, ...others)));
    expect(error.place).toBeDefined();
    expect(error.path.startsWith(path)).toBe(true);
  });
});

describe('the file', () => {
  const mkfifo = ['/usr/bin/mkfifo', '/bin/mkfifo'].find((path) => existsSync(path));
  it.each<[title: string, make: (path: string) => unknown]>([
    ['that is not there', () => {}],
    ['a directory', (path) => mkdir(path)],
    // Without mkfifo, the file is missing.
    ['a FIFO, without waiting for a writer', (path) => mkfifo && execFileSync(mkfifo, [path])],
    ['a device', (path) => symlink('/dev/zero', path)],
    ['not UTF-8', (path) => writeFile(path, textOf({ keySets: [], audience: '\xe4' }), 'latin1')],
    ['too large', (path) => writeFile(path, `#${' '.repeat(MAX_DESCRIPTOR_BYTES)}`)],
    ['a link to nothing', (path) => symlink('nowhere', path)],
    ['a link to itself', (path) => symlink(path, path)],
  ])('%s is a ConfigError with its name', async (_, make) => {
    const path = join(directory, 'x.yaml');
    await make(path);
    for (const start of [() => loadDescriptor(path), () => createAuthenticator({ descriptor: path })]) {
      const error = faultOf(start);
      expect(error.path).toBe('descriptor');
      expect(error.message).toContain(path);
    }
  });

  it('as large as it may be is read whole', async () => {
    const text = textOf({ ...DISCOVERED, audience: 'last' });
    const path = await save(`${' '.repeat(MAX_DESCRIPTOR_BYTES - text.length)}${text}`);
    expect(loadDescriptor(path).options.audience).toBe('last');
  });

  it('a link is followed, and a relative path is one from the working directory', async () => {
    const path = await save({ ...DISCOVERED, audience: 'a' });
    await symlink(FILE, join(directory, 'link.yaml'));
    expect(loadDescriptor(join(directory, 'link.yaml')).options.audience).toBe('a');
    expect(loadDescriptor(relative(process.cwd(), path)).options.audience).toBe('a');
  });

  it('secrets are next to it, and so are files that it names, whatever the working directory', async () => {
    const key = await generateSigningKey('ES256', 'in-secret');
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await put(setOf(key.publicJwk), 'secrets', 'partner', 'jwks.json');
    await put(publicKey.export({ type: 'spki', format: 'pem' }), 'keys', 'a.pem');
    const descriptor = await save({
      keySets: [
        { issuer: 'secret', secret: { name: 'partner' } },
        { issuer: 'file', publicKeys: [{ file: 'keys/a.pem', algorithm: 'ES256' }] },
      ],
      audience: null,
    });
    const { verify } = closing(createAuthenticator({ descriptor: relative(process.cwd(), descriptor) }));
    await verify(await mint(key, { iss: 'secret', exp: soon() }));
    const byFile = new SignJWT({ iss: 'file', exp: soon() }).setProtectedHeader({ alg: 'ES256' });
    await verify(await byFile.sign(privateKey));
  });

  it('a full path stays as it is', () => {
    const text = block('audience: a', 'keySets: [{ publicKeys: [{ file: /etc/a.pem, algorithm: ES256 }] }]');
    expect(written(text).keySets).toEqual([{ publicKeys: [{ file: '/etc/a.pem', algorithm: 'ES256' }] }]);
  });
});

describe('the audience', () => {
  it('that is in neither place is not checked, and warns', async () => {
    expect(written(block(KEYSET)).audience).toBeNull();
    expect(warnings).toEqual([expect.stringMatching(/^service\.yaml: no audience/)]);
  });

  it.each<[title: string, line: string, given: DescriptorOptions['audience'], expected: unknown]>([
    ['of the code, where the file has none', '', 'orders', 'orders'],
    ['of the code as a list', '', ['a', 'b'], ['a', 'b']],
    ['of the code as null', '', null, null],
    ['of the file', 'audience: file', undefined, 'file'],
    ['of the file before that of the code', 'audience: file', 'orders', 'file'],
  ])('%s, and nothing warns', (_, line, audience, expected) => {
    expect(written(block(KEYSET, line), defined({ audience })).audience).toEqual(expected);
    expect(warnings).toEqual([]);
  });

  it.each([
    ['the audience', `none: &none\nservice:\n  jwt:\n    ${KEYSET}\n    audience: *none\n`],
    ['the block', `base: &base\n  ${KEYSET}\n  audience:\nservice:\n  jwt: *base\n`],
    ['the service', `base: &base\n  jwt:\n    ${KEYSET}\n    audience:\nservice: *base\n`],
  ])('that is left blank behind an alias does not either: %s', (_, text) => {
    expect(faultOf(() => written(text)).path).toBe('audience');
  });

  const OWN = (more: string) => `keySets: [ { issuer: i, jwksUrl: "https://i.example"${more} } ]`;

  it('of each keyset: the file needs no other, and nothing warns', () => {
    const options = written(block(OWN(', audience: orders')));
    expect(options).not.toHaveProperty('audience');
    expect(warnings).toEqual([]);
  });

  it('of some keysets: the others are refused, and not left unchecked', () => {
    const text = block(
      'keySets: [ { issuer: i, jwksUrl: "https://i.example", audience: a }, { issuer: j, jwksUrl: "https://j.example" } ]',
    );
    expect(faultOf(() => written(text)).message).toMatch(/keySets\[1\] has none of its own/);
    expect(written(text, { audience: 'orders' }).audience).toBe('orders');
  });

  it.each([
    ['of a keyset', OWN(', audience: ')],
    [
      'of a keyset in a block',
      'keySets:\n      - issuer: i\n        jwksUrl: https://i.example\n        audience:',
    ],
  ])('that is left blank does not switch the check off silently: %s', (_, text) => {
    const fault = faultOf(() => written(block(text), { audience: 'orders' }));
    expect(fault.path).toBe('keySets[0].audience');
    expect(fault.message).toMatch(/is blank; write null/);
    expect(fault.place).toBeDefined();
  });

  it('that is left blank does not switch the check off silently', () => {
    expect(() => written(block(KEYSET, 'audience:'), { audience: 'orders' })).toThrow(/audience: is blank/);
  });
});

describe('what code gives', () => {
  it('a clock decides, and a directory knows the groups', async () => {
    const clock = createClock(1_000_000_000_000);
    const key = await generateSigningKey();
    const asked: unknown[] = [];
    const keySets = [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }];
    const descriptor = await save({ keySets, audience: null });
    const resolve = async (subject: unknown) => {
      asked.push(subject);
      return ['ops'];
    };
    const people = { description: 'test', resolve };
    const authenticator = closing(createAuthenticator({ descriptor, clock, directory: people }));
    const token = await mint(key, { iss: 'i', sub: 'alice', exp: 1_000_000_060 });
    await expect(authenticator.verify(token)).resolves.toMatchObject({ groups: ['ops'] });
    expect(asked).toEqual([{ issuer: 'i', subject: 'alice' }]);
    clock.advance(120_000);
    await expect(authenticator.verify(token)).rejects.toMatchObject({ code: 'token_expired' });
  });

  it('external secrets', async () => {
    const key = await generateSigningKey();
    const externalSecrets = storeOf('vault', 'keys.json', setOf(key.publicJwk));
    const keySets = [{ issuer: 'i', externalSecret: { name: 'vault', key: 'keys.json' } }];
    const descriptor = await save({ keySets, audience: null });
    const { verify } = closing(createAuthenticator({ descriptor, externalSecrets }));
    expect(await verify(await mint(key, { iss: 'i', exp: soon() }))).toBeDefined();
    expect(() => createAuthenticator({ descriptor })).toThrow(/externalSecrets/);
  });
});

describe('signing', () => {
  const jwt = {
    keySets: [{ issuer: 'orders', secret: { name: 'signing' } }],
    audience: 'orders',
    signing: { secret: { name: 'signing' }, issuer: 'orders', audience: 'orders', expiresIn: '5m' },
  };

  it('a signer by the descriptor makes tokens that an authenticator by it takes', async () => {
    const secrets = storeOf('signing', 'jwks.json', setOf(await generateJwk('ES256', 'k1')));
    const descriptor = await save(jwt);
    const { signing, signResponse, options } = loadDescriptor({ descriptor, secrets });
    if (signing === undefined) throw new Error('there is no signing');
    expect(signResponse).toBeUndefined();
    const signer = closing(createSigner(signing));
    const authenticator = closing(createAuthenticator(options));
    const token = await signer.sign({ sub: 'alice' });
    await expect(authenticator.verify(token)).resolves.toMatchObject({ subject: 'alice', issuer: 'orders' });
  });

  it('a reply is signed as the descriptor says, by files next to it', async () => {
    await put(setOf(await generateJwk('ES256', 'k1')), 'secrets', 'signing', 'jwks.json');
    const signing = { ...jwt.signing, keysToSign: ['access_token'], onMissing: 'error' };
    const descriptor = await save({ ...jwt, signing });
    const { signResponse } = loadDescriptor(descriptor);
    if (signResponse === undefined) throw new Error('there is no signResponse');
    const responses = createResponseSigner(signResponse);
    const headers = new Map<string, string>([['content-type', 'application/json']]);
    const reply = {
      status: 200,
      body: { access_token: { sub: 'alice' }, other: 1 },
      getHeader: (name: string) => headers.get(name.toLowerCase()),
      setHeader: (name: string, value: string) => headers.set(name.toLowerCase(), value),
      removeHeader: (name: string) => headers.delete(name.toLowerCase()),
    };
    const signed = await responses.sign(reply);
    const { access_token: token, other } = JSON.parse(String(signed?.body)) as Record<string, string>;
    expect(other).toBe(1);
    expect(decodeJwt(token ?? '')).toMatchObject({ iss: 'orders', sub: 'alice', aud: 'orders' });
    closing(responses.signer);
    const authenticator = closing(createAuthenticator({ descriptor }));
    await expect(authenticator.verify(token ?? '')).resolves.toMatchObject({ subject: 'alice' });
  });

  it.each<[title: string, signing: unknown]>([
    ['an external secret', { externalSecret: { name: 's' }, alg: 'ES256' }],
    ['a URL', { jwkUrl: 'https://keys.example/jwk', kid: 'k1' }],
    ['keys', { keys: [{ keyId: 'a', algorithm: 'HS256', secret: { name: 'a' } }] }],
    ['a set in place', { jwks: { keys: [{ kty: 'oct', k: 'x'.repeat(43), alg: 'HS256', kid: 'k' }] } }],
  ])('from %s: with the store that goes with it, and no other', (_, signing) => {
    const externalSecrets = createMemoryStore();
    const text = textOf({ ...jwt, signing });
    const loaded = loadText(text, { descriptor: FILE, externalSecrets }).loaded.signing;
    expect(loaded).toMatchObject(signing as object);
    const stores = Object.keys(loaded ?? {}).filter((name) => /secrets$/i.test(name));
    const [source = ''] = Object.keys(signing as object);
    expect(stores).toEqual({ externalSecret: ['externalSecrets'], keys: ['secrets'] }[source] ?? []);
  });
});
