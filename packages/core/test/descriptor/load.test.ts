// Descriptors as files: the ones that gateways are configured with load as they stand, all options
// may be in them, and tokens are judged so.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
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
import { temporaryFolder } from '../support/closing.ts';
import { DISCOVERY, JWKS_URL, MULTIPLE, SECRET } from './descriptors.ts';

const FILE = 'service.yaml';
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
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const textOf = (jwt: unknown) => JSON.stringify({ name: 'test', service: { jwt } });

async function save(jwt: unknown, name = FILE): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, typeof jwt === 'string' ? jwt : textOf(jwt));
  return path;
}

/** The options, without what stands for stores. */
const written = (text: string, more: Partial<DescriptorOptions> = {}) => {
  const { secrets, ...options } = loadText(text, { descriptor: FILE, ...more }).loaded.options;
  return { hasSecrets: secrets !== undefined, ...options };
};

/** A block, as YAML of an own line for each of these. */
const block = (...lines: readonly string[]) =>
  ['service:', '  jwt:', ...lines.map((line) => `    ${line}`), ''].join('\n');

function faultOf(load: () => unknown): ConfigError {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('it was loaded');
}

/** As `keys` stood before there were keysets. */
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

describe('descriptors as they stand', () => {
  it.each<[title: string, text: string, keySets: unknown]>([
    [
      'discovery',
      DISCOVERY,
      [
        { issuer: 'https://accounts.google.com', useOidcDiscovery: true },
        { issuer: 'https://my-org.auth0.com/', useOidcDiscovery: true },
      ],
    ],
    [
      'a JWKS URL',
      JWKS_URL,
      [
        {
          issuer: 'https://example.com',
          jwksUrl: 'https://example.com/.well-known/jwks.json',
          refreshInterval: '30m',
        },
      ],
    ],
    ['a secret', SECRET, [{ issuer: 'my-issuer', secret: { name: 'my-jwks-secret', key: 'jwks.json' } }]],
    [
      'several keysets',
      MULTIPLE,
      [
        { issuer: 'https://accounts.google.com', useOidcDiscovery: true },
        { issuer: 'https://example.com', jwksUrl: 'https://example.com/.well-known/jwks.json' },
        {
          issuer: 'internal-issuer',
          secret: { name: 'internal-jwks', key: 'jwks.json' },
          allowedAlgorithms: ['RS256'],
        },
      ],
    ],
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
    const secrets = createMemoryStore();
    secrets.set(
      { name: 'internal-jwks', key: 'jwks.json' },
      JSON.stringify({ keys: [internal.publicJwk, es.publicJwk] }),
    );
    const { options } = loadDescriptor({ descriptor: await save(MULTIPLE), secrets, audience: 'me' });
    const authenticator = createAuthenticator(options);
    const exp = Math.floor(Date.now() / 1000) + 60;
    const claims = { iss: 'internal-issuer', aud: 'me', sub: 'alice', exp };
    await expect(authenticator.verify(await mint(internal, claims))).resolves.toMatchObject({
      subject: 'alice',
    });
    await expect(authenticator.verify(await mint(es, claims))).rejects.toMatchObject({
      code: 'token_algorithm_refused',
    });
    await expect(authenticator.verify(await mint(stranger, claims))).rejects.toMatchObject({ status: 401 });
    await expect(
      authenticator.verify(await mint(internal, { ...claims, iss: 'other' })),
    ).rejects.toMatchObject({
      code: 'token_issuer_untrusted',
    });
    await expect(authenticator.verify(await mint(internal, { ...claims, aud: 'you' }))).rejects.toMatchObject(
      {
        code: 'token_audience_mismatch',
      },
    );
    await authenticator.close();
  });

  it('AK-29: keys alone verify, from secret.key beside the descriptor, and say that they are deprecated', async () => {
    await mkdir(join(directory, 'secrets', 'my-secret-name'), { recursive: true });
    const secret = randomBytes(32);
    await writeFile(join(directory, 'secrets', 'my-secret-name', 'secret.key'), secret);
    const authenticator = createAuthenticator({ descriptor: await save(KEYS), audience: null });
    const token = await new SignJWT({ sub: 'alice' })
      .setProtectedHeader({ alg: 'HS256', kid: 'my-key-id' })
      .setIssuer('my-issuer')
      .setExpirationTime('1m')
      .sign(secret);
    await expect(authenticator.verify(token)).resolves.toMatchObject({ subject: 'alice' });
    expect(warnings.join('\n')).toMatch(/keys/);
    await authenticator.close();
  });

  it.each(['json', 'yaml', 'yml', 'conf'])('AM-24: JSON under the name service.%s', async (ending) => {
    const jwt = { keySets: [{ issuer: 'https://i.example', useOidcDiscovery: true }], audience: 'a' };
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
    await mkdir(join(directory, 'keys'));
    await writeFile(
      join(directory, 'keys', 'partner.pem'),
      publicKey.export({ type: 'spki', format: 'pem' }),
    );
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

    // It is done, too: the endpoint does not answer, so the keyset is asked.
    const authenticator = createAuthenticator({ descriptor: path });
    const claims = { tenant: ['acme'], dept: 'sales', role: 'admin', groups: ['Ops', 'root'] };
    const principal = await authenticator.verify(await issuer.mint(claims));
    authorize(principal, route('admin'));
    expect(principal.groups).toEqual(['ops', 'root']);
    expect(() => authorize(principal, route('partner'))).toThrow(/not trusted/);
    expect(authenticator.mode).toBe('optional');
    await expect(authenticator.verify(await issuer.mint({ ...claims, dept: 'hr' }))).rejects.toMatchObject({
      // While the endpoint is down nobody can say that it is bad.
      code: 'token_claims_invalid',
    });
    await authenticator.close();
  });

  it('the same, said in code, is the same', async () => {
    const jwt = {
      keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
      audience: issuer.audience,
      claims: { dept: ['a', 'b'] },
    } as const;
    const described = createAuthenticator({ descriptor: await save(jwt) });
    const coded = createAuthenticator(jwt);
    for (const claims of [{ dept: ['a', 'b'] }, { dept: 'a' }, {}, { dept: ['b', 'a'], exp: 1 }]) {
      const token = await issuer.mint(claims);
      const outcomes = await Promise.all(
        [described, coded].map((each) =>
          each.verify(token).then(
            () => 'good',
            ({ code }) => code,
          ),
        ),
      );
      expect(outcomes[0]).toBe(outcomes[1]);
    }
    await Promise.all([described.close(), coded.close()]);
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

  it('S33: what a variable says is no variable, and no YAML', () => {
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

  it('S33: an empty one is as good as none, where something has to be said', () => {
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
      ['remote:', '  url: https://r.example/', '  onReject: maybe', '  onError: deny'],
      'remote.onReject',
      7,
      7,
    ],
    [
      'plain HTTP',
      ['remote: { url: "http://r.example/", onReject: deny, onError: deny }'],
      'remote.url',
      5,
      15,
    ],
    ['deep in signing', ['signing:', '  secret: { name: ../x }'], 'signing.secret.name', 6, 17],
    ['an option of signing', ['signing: { secret: { name: x }, bogus: 1 }'], 'signing.bogus', 5, 37],
    ['signing by nothing', ['signing:', '  issuer: i'], 'signing', 5, 5],
    ['signing that is a list', ['signing: []'], 'signing', 5, 5],
    ['fields that are not signed', ['signing: { secret: { name: x }, full: true }'], 'signing', 5, 5],
    [
      'deep in routes',
      ['routes:', '  admin:', '    claims:', '      role: { exactly: 5 }'],
      'routes.admin.claims.role.exactly',
      8,
      19,
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

  it('that only bringing it to life finds has its place too', async () => {
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

  it('groups.directory is for code to give, and other things that stand beside a descriptor are no options', () => {
    const error = faultOf(() => written(block(KEYSET, 'audience: a', 'groups: { directory: x }')));
    expect([error.path, error.place]).toEqual(['groups.directory', place(5, 15)]);
    for (const option of ['descriptor', 'directory', 'environment'])
      expect(faultOf(() => written(block(KEYSET, 'audience: a', `${option}: x`))).path).toBe(option);
  });

  it('beside a descriptor there is only what can be there', async () => {
    const descriptor = await save({ keySets: [], audience: 'a' });
    const load = (options: unknown) => faultOf(() => loadDescriptor(options as DescriptorOptions));
    expect(load({ descriptor, keySets: [] }).path).toBe('keySets');
    expect(load({ descriptor: '' }).path).toBe('descriptor');
    expect(load({ descriptor: 5 }).path).toBe('descriptor');
    expect(load('').path).toBe('descriptor');
    expect(load(undefined)).toBeInstanceOf(ConfigError);
  });

  it('a member called __proto__ is an unknown option like any other, wherever it stands', () => {
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
    const text = block(
      KEYSET,
      'audience: a',
      'signing: { secret: { name: x }, keysToSign: 5, full: 3, onMissing: x }',
    );
    expect(() => loadText(text, { descriptor: FILE })).toThrow(ConfigError);
  });
});

describe('what is left blank', () => {
  // To YAML it is null: nothing that was meant to be asked may be asked no more.
  it.each([
    ...[
      'claims',
      'routes',
      'issuers',
      'mode',
      'groups',
      'remote',
      'tokenFrom',
      'signing',
      'typ',
      'requireExp',
      'keys',
    ],
    ...[
      'clockSkew',
      'maxTokenAge',
      'cache',
      'realm',
      'profile',
      'systemSubject',
      'audMatch',
      'treatIatAsNbf',
    ],
    ...['nestedClaimDelimiter', 'maxTokenBytes', 'unsafeMissingIssuer', 'unsafeAcceptSenderConstrained'],
    ...['routes.admin', 'routes.admin.claims', 'routes.admin.issuers', 'claims.dept'],
    ...[
      'trust',
      'reserved',
      'claim',
      'onUnknown',
      'order',
      'groupCase',
      'endpoint',
      'cacheFor',
      'timeout',
    ].map((name) => `groups.${name}`),
    ...[
      'url',
      'onReject',
      'onError',
      'timeout',
      'cacheFor',
      'issuer',
      'system',
      'allowHttp',
      'tls',
      'contract',
    ].map((name) => `remote.${name}`),
  ])('%s: is refused, at its place', (path) => {
    const names = path.split('.');
    const lines = names.map((name, depth) => `${'  '.repeat(depth)}${name}:`);
    // What has to stand beside it.
    const remote = { url: 'https://r.example', onReject: 'deny', onError: 'deny' };
    const beside = names[0] === 'remote' && names.length > 1 ? Object.entries(remote) : [];
    const others = beside.filter(([name]) => name !== names[1]).map(([name, value]) => `  ${name}: ${value}`);
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
    // Where there is nothing to make one with, it is not there.
    [
      'a FIFO, without waiting for anybody',
      (path) => (mkfifo === undefined ? undefined : execFileSync(mkfifo, [path])),
    ],
    ['a device', (path) => symlink('/dev/zero', path)],
    [
      'not UTF-8',
      (path) => writeFile(path, Buffer.from(textOf({ keySets: [], audience: '\xe4' }), 'latin1')),
    ],
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
    const text = textOf({
      keySets: [{ issuer: 'https://i.example', useOidcDiscovery: true }],
      audience: 'last',
    });
    const path = await save(`${' '.repeat(MAX_DESCRIPTOR_BYTES - text.length)}${text}`);
    expect(loadDescriptor(path).options.audience).toBe('last');
  });

  it('a link is followed, and by a path from where the process stands', async () => {
    const path = await save({
      keySets: [{ issuer: 'https://i.example', useOidcDiscovery: true }],
      audience: 'a',
    });
    await symlink(FILE, join(directory, 'link.yaml'));
    expect(loadDescriptor(join(directory, 'link.yaml')).options.audience).toBe('a');
    expect(loadDescriptor(relative(process.cwd(), path)).options.audience).toBe('a');
  });

  it('secrets are beside it, and so are files that it names, wherever the process stands', async () => {
    const key = await generateSigningKey('ES256', 'in-secret');
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await mkdir(join(directory, 'secrets', 'partner'), { recursive: true });
    await mkdir(join(directory, 'keys'));
    await writeFile(
      join(directory, 'secrets', 'partner', 'jwks.json'),
      JSON.stringify({ keys: [key.publicJwk] }),
    );
    await writeFile(join(directory, 'keys', 'a.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
    const descriptor = await save({
      keySets: [
        { issuer: 'secret', secret: { name: 'partner' } },
        { issuer: 'file', publicKeys: [{ file: 'keys/a.pem', algorithm: 'ES256' }] },
      ],
      audience: null,
    });
    const authenticator = createAuthenticator({ descriptor: relative(process.cwd(), descriptor) });
    const exp = Math.floor(Date.now() / 1000) + 60;
    await authenticator.verify(await mint(key, { iss: 'secret', exp }));
    await authenticator.verify(
      await new SignJWT({ iss: 'file', exp }).setProtectedHeader({ alg: 'ES256' }).sign(privateKey),
    );
    await authenticator.close();
  });

  it('a path that is whole stays so', () => {
    const text = block(
      'audience: a',
      'keySets: [{ publicKeys: [{ file: /etc/keys/a.pem, algorithm: ES256 }] }]',
    );
    expect(written(text).keySets).toEqual([
      { publicKeys: [{ file: '/etc/keys/a.pem', algorithm: 'ES256' }] },
    ]);
  });
});

describe('the audience', () => {
  it('that neither says is not checked, and that warns', async () => {
    expect(written(block(KEYSET)).audience).toBeNull();
    expect(warnings).toEqual([expect.stringMatching(/^service\.yaml: no audience/)]);
  });

  it.each<
    [title: string, line: string, beside: DescriptorOptions['audience'] | undefined, audience: unknown]
  >([
    ['beside it, where the file says none', '', 'orders', 'orders'],
    ['beside it as a list', '', ['a', 'b'], ['a', 'b']],
    ['beside it as null', '', null, null],
    ['of the file', 'audience: file', undefined, 'file'],
    ['of the file before that beside it', 'audience: file', 'orders', 'file'],
  ])('%s, and nothing warns', (_, line, audience, expected) => {
    expect(written(block(KEYSET, line), audience === undefined ? {} : { audience }).audience).toEqual(
      expected,
    );
    expect(warnings).toEqual([]);
  });

  it.each([
    ['the audience', `none: &none\nservice:\n  jwt:\n    ${KEYSET}\n    audience: *none\n`],
    ['the block', `base: &base\n  ${KEYSET}\n  audience:\nservice:\n  jwt: *base\n`],
    ['the service', `base: &base\n  jwt:\n    ${KEYSET}\n    audience:\nservice: *base\n`],
  ])('that is left blank behind an alias does not either: %s', (_, text) => {
    expect(faultOf(() => written(text)).path).toBe('audience');
  });

  it('that is left blank does not switch the check off unsaid', () => {
    expect(() => written(block(KEYSET, 'audience:'), { audience: 'orders' })).toThrow(/audience: is blank/);
  });
});

describe('what code gives', () => {
  it('a clock decides, and a directory knows the groups', async () => {
    const clock = createClock(1_000_000_000_000);
    const key = await generateSigningKey();
    const asked: unknown[] = [];
    const descriptor = await save({
      keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
      audience: null,
    });
    const authenticator = createAuthenticator({
      descriptor,
      clock,
      directory: {
        description: 'test',
        resolve: async (subject) => {
          asked.push(subject);
          return ['ops'];
        },
      },
    });
    const token = await mint(key, { iss: 'i', sub: 'alice', exp: 1_000_000_060 });
    await expect(authenticator.verify(token)).resolves.toMatchObject({ groups: ['ops'] });
    expect(asked).toEqual([{ issuer: 'i', subject: 'alice' }]);
    clock.advance(120_000);
    await expect(authenticator.verify(token)).rejects.toMatchObject({ code: 'token_expired' });
    await authenticator.close();
  });

  it('external secrets', async () => {
    const key = await generateSigningKey();
    const externalSecrets = createMemoryStore();
    externalSecrets.set({ name: 'vault', key: 'keys.json' }, JSON.stringify({ keys: [key.publicJwk] }));
    const keySets = [{ issuer: 'i', externalSecret: { name: 'vault', key: 'keys.json' } }];
    const descriptor = await save({ keySets, audience: null });
    const authenticator = createAuthenticator({ descriptor, externalSecrets });
    const exp = Math.floor(Date.now() / 1000) + 60;
    await expect(authenticator.verify(await mint(key, { iss: 'i', exp }))).resolves.toBeDefined();
    await authenticator.close();
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
    const secrets = createMemoryStore();
    secrets.set(
      { name: 'signing', key: 'jwks.json' },
      JSON.stringify({ keys: [await generateJwk('ES256', 'k1')] }),
    );
    const descriptor = await save(jwt);
    const { signing, signResponse, options } = loadDescriptor({ descriptor, secrets });
    if (signing === undefined) throw new Error('there is no signing');
    expect(signResponse).toBeUndefined();
    const signer = createSigner(signing);
    const authenticator = createAuthenticator(options);
    const token = await signer.sign({ sub: 'alice' });
    await expect(authenticator.verify(token)).resolves.toMatchObject({ subject: 'alice', issuer: 'orders' });
    await Promise.all([signer.close(), authenticator.close()]);
  });

  it('a reply is signed as the descriptor says, by files beside it', async () => {
    await mkdir(join(directory, 'secrets', 'signing'), { recursive: true, mode: 0o700 });
    const set = JSON.stringify({ keys: [await generateJwk('ES256', 'k1')] });
    await writeFile(join(directory, 'secrets', 'signing', 'jwks.json'), set, { mode: 0o600 });
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
    const authenticator = createAuthenticator({ descriptor });
    await expect(authenticator.verify(token ?? '')).resolves.toMatchObject({ subject: 'alice' });
    await Promise.all([responses.signer.close(), authenticator.close()]);
  });

  it.each<[title: string, signing: unknown]>([
    ['an external secret', { externalSecret: { name: 's' }, alg: 'ES256' }],
    ['a URL', { jwkUrl: 'https://keys.example/jwk', kid: 'k1' }],
    ['keys', { keys: [{ keyId: 'a', algorithm: 'HS256', secret: { name: 'a' } }] }],
    [
      'a set that stands there',
      { jwks: { keys: [{ kty: 'oct', k: 'x'.repeat(43), alg: 'HS256', kid: 'k' }] } },
    ],
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
