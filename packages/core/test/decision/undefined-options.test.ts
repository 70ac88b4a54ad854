// An option that is present and undefined comes from a misspelt name or a missing import. Each is
// refused where it is read, by its path: an option that narrows or identifies would be off without
// a word.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIssuer, generateSigningKey, mint } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareAuthentication, toAuthenticator } from '../../src/adapter/decide.ts';
import { checkRoutes } from '../../src/adapter/route-report.ts';
import { compileRules } from '../../src/claims/compile.ts';
import { authenticatorOf } from '../../src/decision/authenticator.ts';
import { readOptions } from '../../src/decision/settings.ts';
import {
  authorize,
  ConfigError,
  createAuthenticator,
  createDirectoryStore,
  createEnvironmentStore,
  createEventReceiver,
  createMemoryStore,
  type DescriptorOptions,
  type EventReceiverOptions,
  type LogoutOptions,
  loadDescriptor,
  type RouteAccess,
  requireAll,
  requireAny,
  route,
  type SecurityEventOptions,
} from '../../src/index.ts';
import { initAuthDirectory, loadEnvironmentStart, openAuthDirectory } from '../../src/own-keys/index.ts';
import {
  createCapabilityIssuer,
  createCapabilityVerifier,
  createExchange,
  createServiceFetch,
  createSigner,
  type ExchangeOptions,
  type SignOptions,
} from '../../src/signing/index.ts';
import { createResponseSigner } from '../../src/signing/response.ts';
import { optionTables } from '../../src/tools/index.ts';

const UNDEFINED = /expected a value, got undefined/;

const secrets = createMemoryStore();
const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const signingKey = await generateSigningKey('ES256');
const { publicJwk } = signingKey;
const privateJwk = { ...signingKey.privateKey.export({ format: 'jwk' }), alg: 'ES256' };
const goodToken = () =>
  mint(signingKey, { iss: 'i', sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300 });
const KEYSET = { issuer: 'i', jwks: { keys: [publicJwk] } };
const GOOD = { keySets: [KEYSET], audience: null };
const SIGNER = { jwks: { keys: [privateJwk] }, alg: 'ES256', expiresIn: '5m' } as const;
const CAPABILITY = { typ: 'friend+jwt', issuer: 'i', audience: 'a', relation: { friendOf: 'sub' } };
const URL_OF_KEYS = 'https://keys.example/jwks';
const EXCHANGE = {
  tokenEndpoint: 'https://i.example/token',
  clientAuthentication: {
    method: 'client_secret_basic',
    clientId: 'me',
    secret: { name: 's', key: 'k' },
  },
  secrets,
} as const;
const CLIENT = { id: 'me', secret: { name: 's', key: 'k' } };

/** A place where options are read: what builds it, where it is, and options that are good there. */
interface Place {
  readonly build: (options: object) => unknown;
  readonly at: string;
  readonly bases: readonly object[];
  readonly names?: readonly string[];
}

const inAuthenticator = (wrap: (options: object) => object) => (options: object) =>
  createAuthenticator({ ...GOOD, secrets, externalSecrets: secrets, ...wrap(options) } as never);
const keysetWith = (wrap: (options: object) => object) =>
  inAuthenticator((options) => ({ keySets: [wrap(options)] }));

const KEYSET_BASES = [
  KEYSET,
  { issuer: 'https://i.example', useOidcDiscovery: true },
  { jwksUrl: URL_OF_KEYS },
  { issuer: 'https://i.example/{t}', jwksUrl: URL_OF_KEYS, tenants: ['a'] },
  { jwksHosts: ['keys.example'] },
  { issuer: 'i', secret: { name: 's' } },
  { issuer: 'i', externalSecret: { name: 's' } },
  { publicKeys: [{ pem, algorithm: 'ES256' }] },
];
const SIGNER_BASES = [
  SIGNER,
  { secret: { name: 's' }, secrets, alg: 'ES256' },
  { externalSecret: { name: 's' }, externalSecrets: secrets },
  { jwkUrl: URL_OF_KEYS, kid: 'k' },
  { keys: [{ keyId: 'k', algorithm: 'ES256', secret: { name: 's' } }], secrets },
];

/** The tables of the documentation, by their titles. */
const TABLES: { readonly [title: string]: Place } = {
  'An authenticator': { build: inAuthenticator((options) => options), at: '', bases: [GOOD] },
  'A protected resource: `resource`': {
    build: inAuthenticator((resource) => ({ resource })),
    at: 'resource.',
    bases: [{ url: 'https://api.example.com' }],
  },
  'Proof of possession: `dpop`': {
    build: inAuthenticator((dpop) => ({ dpop })),
    at: 'dpop.',
    bases: [{ mode: 'allowed', publicUrl: 'https://api.example.com' }],
  },
  'Nonces of proofs: `dpop.nonce`': {
    build: inAuthenticator((nonce) => ({
      dpop: { mode: 'allowed', publicUrl: 'https://api.example.com', nonce },
    })),
    at: 'dpop.nonce.',
    bases: [{}],
  },
  'Revoked tokens: `revocation`': {
    build: inAuthenticator((revocation) => ({ revocation })),
    at: 'revocation.',
    bases: [{}],
  },
  'Certificates of clients: `mutualTls`': {
    build: inAuthenticator((mutualTls) => ({ mutualTls })),
    at: 'mutualTls.',
    bases: [{ mode: 'allowed', header: 'Client-Cert', trustedPeers: ['10.0.0.0/8'] }],
  },
  'A keyset: `keySets`': { build: keysetWith((keyset) => keyset), at: 'keySets[0].', bases: KEYSET_BASES },
  'TLS: `tls`': {
    build: keysetWith((tls) => ({ jwksUrl: URL_OF_KEYS, tls })),
    at: 'keySets[0].tls.',
    bases: [{}],
  },
  'Places of a token: `tokenFrom`': {
    build: inAuthenticator((carrier) => ({ tokenFrom: [carrier] })),
    at: 'tokenFrom[0].',
    bases: [{ header: 'A' }, { cookie: 'a' }, { query: 'a' }, { body: 'a' }],
  },
  'Remote validation: `remote`': {
    build: inAuthenticator((remote) => ({ remote })),
    at: 'remote.',
    bases: [{ url: URL_OF_KEYS, onReject: 'deny', onError: 'deny' }],
  },
  'Groups: `groups`': { build: inAuthenticator((groups) => ({ groups })), at: 'groups.', bases: [{}] },
  'An endpoint of groups: `groups.endpoint`': {
    build: inAuthenticator((endpoint) => ({ groups: { endpoint } })),
    at: 'groups.endpoint.',
    bases: [{ url: 'https://groups.example/{sub}' }],
  },
  'The token cache: `cache`': {
    build: inAuthenticator((cache) => ({ cache })),
    at: 'cache.',
    bases: [{}],
  },
  'A named route: `routes`': {
    build: inAuthenticator((admin) => ({ routes: { admin } })),
    at: 'routes.admin.',
    bases: [{ claims: {}, issuers: ['i'], audience: 'a' }],
  },
  'How scopes are read: `scopes`': {
    build: inAuthenticator((scopes) => ({ scopes })),
    at: 'scopes.',
    bases: [{}],
  },
  'Signing: `createSigner`, `signing`': {
    build: (options) => createResponseSigner({ keysToSign: ['a'], ...options } as never),
    at: '',
    bases: SIGNER_BASES,
  },
};

/** Names of options that are in no table of the documentation, checked by their types. */
const namesOf = <T>(names: Record<keyof T, true>) => Object.keys(names);
const OTHERS: { readonly [title: string]: Place & { readonly names: readonly string[] } } = {
  'the access of a route': {
    build: (access) => prepareAuthentication(createAuthenticator(GOOD), access),
    at: 'access.',
    bases: [{}],
    names: namesOf<RouteAccess>({
      claims: true,
      issuers: true,
      audience: true,
      resource: true,
      actors: true,
      dpop: true,
      mutualTls: true,
      senderConstrained: true,
      acr: true,
      maxAge: true,
      enforce: true,
      mode: true,
    }),
  },
  'a receiver of events': {
    build: (options) => createEventReceiver(createAuthenticator(GOOD), options),
    at: '',
    bases: [{ logout: { clientId: 'web' }, onEvent: () => {} }],
    names: namesOf<EventReceiverOptions>({
      logout: true,
      securityEvents: true,
      keySets: true,
      tokenIssuers: true,
      onEvent: true,
    }),
  },
  'logout tokens of a receiver': {
    build: (logout) => createEventReceiver(createAuthenticator(GOOD), { logout, onEvent() {} } as never),
    at: 'logout.',
    bases: [{ clientId: 'web' }],
    names: namesOf<LogoutOptions>({ clientId: true, ends: true, drafts: true }),
  },
  'security events of a receiver': {
    build: (securityEvents) =>
      createEventReceiver(createAuthenticator(GOOD), { securityEvents, onEvent() {} } as never),
    at: 'securityEvents.',
    bases: [{ audience: 'a' }],
    names: namesOf<SecurityEventOptions>({ audience: true, drafts: true }),
  },
  'a key of the deprecated list': {
    build: inAuthenticator((one) => ({ keys: [one] })),
    at: 'keys[0].',
    bases: [{ keyId: 'k', algorithm: 'RS256', secret: { name: 's' } }],
    names: ['keyId', 'issuer', 'algorithm', 'secret', 'unsafeLegacyAlgorithms'],
  },
  'a public key': {
    build: keysetWith((key) => ({ publicKeys: [key] })),
    at: 'keySets[0].publicKeys[0].',
    bases: [{ pem, algorithm: 'ES256' }],
    names: ['pem', 'file', 'algorithm'],
  },
  'a secret of a keyset': {
    build: keysetWith((secret) => ({ issuer: 'i', secret })),
    at: 'keySets[0].secret.',
    bases: [{ name: 's' }],
    names: ['name', 'key'],
  },
  'a secret of a signer': {
    build: (secret) => createSigner({ secret, secrets, alg: 'ES256' } as never),
    at: 'secret.',
    bases: [{ name: 's' }],
    names: ['name', 'key', 'format'],
  },
  'a CA': {
    build: keysetWith((ca) => ({ jwksUrl: URL_OF_KEYS, tls: { ca } })),
    at: 'keySets[0].tls.ca.',
    bases: [{}],
    names: ['file', 'pem'],
  },
  'a client of an endpoint': {
    build: inAuthenticator((client) => ({
      remote: { url: URL_OF_KEYS, onReject: 'deny', onError: 'deny', contract: 'introspection', client },
    })),
    at: 'remote.client.',
    bases: [CLIENT],
    names: ['id', 'secret'],
  },
  'trust in groups': {
    build: inAuthenticator((trust) => ({ groups: { trust: { i: trust } } })),
    at: 'groups.trust.i.',
    bases: [{ only: ['a'] }],
    names: ['only', 'prefix'],
  },
  'a token of an endpoint of groups': {
    build: inAuthenticator((token) => ({
      groups: { endpoint: { url: 'https://groups.example/{sub}', token } },
    })),
    at: 'groups.endpoint.token.',
    bases: [{ name: 's', key: 'k', secrets }],
    names: ['name', 'key', 'secrets'],
  },
  'an issuer by pattern': {
    build: inAuthenticator((issuer) => ({ issuers: [issuer] })),
    at: 'issuers[0].',
    bases: [{}],
    names: ['pattern'],
  },
  'a rule': {
    build: (rule) => compileRules({ dept: rule } as never),
    at: 'claims.dept.',
    bases: [{ pattern: 'a' }],
    names: ['split', 'match'],
  },
  'a row': {
    build: (row) => compileRules([row] as never),
    at: 'claims[0].',
    bases: [{ name: 'dept', required: true }],
    names: ['name', 'required', 'validate', 'type', 'value'],
  },
  'options next to a descriptor': {
    build: (options) => loadDescriptor({ descriptor: descriptor(), ...options } as DescriptorOptions),
    at: '',
    bases: [{}],
    names: namesOf<DescriptorOptions>({
      descriptor: true,
      secrets: true,
      externalSecrets: true,
      directory: true,
      audience: true,
      environment: true,
      keysetFor: true,
      onRefusal: true,
      replayStore: true,
      revocationFeed: true,
      clock: true,
    }),
  },
  'a service fetch': {
    build: (options) => createServiceFetch(options as never),
    at: '',
    bases: [{ tokens: [{ file: 'f', audience: null, hosts: ['h'] }] }],
    names: ['tokens', 'allowHttp', 'proxy', 'clock'],
  },
  'a token of a service fetch': {
    build: (token) => createServiceFetch({ tokens: [token] } as never),
    at: 'tokens[0].',
    bases: [{ file: 'f', audience: null, hosts: ['h'] }],
    names: ['file', 'audience', 'hosts', 'subject'],
  },
  'an exchanged token of a service fetch': {
    build: (token) => createServiceFetch({ tokens: [token] } as never),
    at: 'tokens[0].',
    bases: [{ exchange: createExchange(EXCHANGE), hosts: ['h'] }],
    names: ['exchange', 'hosts', 'audience', 'resource', 'scope'],
  },
  'an exchange': {
    build: (options) => createExchange(options as never),
    at: '',
    bases: [EXCHANGE],
    names: namesOf<ExchangeOptions>({
      issuer: true,
      tokenEndpoint: true,
      clientAuthentication: true,
      parameters: true,
      timeout: true,
      allowHttp: true,
      tls: true,
      proxy: true,
      audience: true,
      resource: true,
      scope: true,
      grant: true,
      subjectTokenType: true,
      requestedTokenType: true,
      actor: true,
      resourceAuthorizationServer: true,
      secrets: true,
      cacheEntries: true,
      clock: true,
    }),
  },
  'a client of an exchange': {
    build: (client) => createExchange({ ...EXCHANGE, clientAuthentication: client } as never),
    at: 'clientAuthentication.',
    bases: [EXCHANGE.clientAuthentication],
    names: ['method', 'clientId', 'secret', 'signer', 'audience'],
  },
  'an actor of an exchange': {
    build: (actor) => createExchange({ ...EXCHANGE, actor } as never),
    at: 'actor.',
    bases: [{ token: () => 'token' }],
    names: ['token', 'tokenType'],
  },
  'a capability': {
    build: (capability) => createCapabilityIssuer(capability as never, SIGNER),
    at: 'capability.',
    bases: [CAPABILITY],
    names: ['typ', 'issuer', 'audience', 'relation'],
  },
  'a verifier of capabilities': {
    build: (options) => createCapabilityVerifier(CAPABILITY, options as never),
    at: '',
    bases: [{ keySet: { jwks: { keys: [publicJwk] } } }],
    names: ['keySet', 'secrets', 'externalSecrets', 'clockSkew', 'clock'],
  },
  'an environment store': {
    build: (options) => createEnvironmentStore(options),
    at: '',
    bases: [{}],
    names: ['prefix', 'environment'],
  },
  'one of several sources': {
    build: (source) => requireAll({ user: source as never }),
    at: 'sources.user.',
    bases: [{ from: createAuthenticator(GOOD), claims: {} }],
    names: ['from', 'claims'],
  },
  'the route report': {
    build: (options) => checkRoutes([], options),
    at: 'routes.',
    bases: [{}],
    names: ['failOnUndecided'],
  },
  'the limits of a framework': {
    build: (limits) => authenticatorOf(readOptions(GOOD), limits),
    at: 'limits.',
    bases: [{}],
    names: ['bodies'],
  },
};

const folder = mkdtempSync(join(tmpdir(), 'latchkey-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function descriptor(): string {
  const file = join(mkdtempSync(join(folder, 'a-')), 'service.json');
  writeFileSync(file, JSON.stringify({ service: { jwt: { ...GOOD, audience: 'a' } } }));
  return file;
}

/** What comes of an option that is undefined, with each of the good options around it. */
function refusals(
  { build, bases }: Place,
  name: string,
): readonly (readonly [path: string, message: string])[] {
  return bases.map((base) => {
    try {
      build({ ...base, [name]: undefined });
    } catch (error) {
      const { path, message } = error as { readonly path: string; readonly message: string };
      return [path, message];
    }
    throw new Error(`${name}: undefined was accepted next to ${Object.keys(base)}`);
  });
}

/** What comes of a value, with each of the good options around it. Undefined: it was accepted. */
function errorsOf({ build, bases }: Place, name: string, value: unknown): readonly unknown[] {
  return bases.map((base) => {
    try {
      build({ ...base, [name]: value });
      return undefined;
    } catch (error) {
      return error;
    }
  });
}

/** Of a CA, and of a rule, the whole may be named, or the member that it goes with. */
const isAbout = ({ path, problem }: ConfigError, { at }: Place, name: string) =>
  path.startsWith(`${at}${name}`) ||
  `${path}.` === at ||
  (path.startsWith(at) && problem.startsWith(`${name}:`));

/** Next to some sources an option belongs to another source. */
const isOfAnother = (error: unknown) =>
  error instanceof ConfigError && /unknown option|exactly one/.test(error.message);

const rows = optionTables().flatMap(({ title, rows }) =>
  rows.map(({ name }) => [title, name, TABLES[title]] as const),
);
const others = Object.entries(OTHERS).flatMap(([title, place]) =>
  place.names.map((name) => [title, name, place] as const),
);

describe('an option that is undefined', () => {
  it('is tried in each table of options', () => {
    expect(optionTables().map(({ title }) => title)).toEqual(Object.keys(TABLES));
  });

  it.each([...rows, ...others])('%s, %s: is a ConfigError that names it', (_, name, place) => {
    if (place === undefined) throw new Error('not tried');
    const found = refusals(place, name);
    const named = found.filter(([path, message]) => path === `${place.at}${name}` && UNDEFINED.test(message));
    // Next to some sources it belongs to another one, and is unknown or one too many.
    expect(named.length, String(found)).toBeGreaterThan(0);
    expect(found.filter((one) => !named.includes(one) && !/unknown option|exactly one/.test(one[1]))).toEqual(
      [],
    );
  });

  it.each<[title: string, call: () => unknown]>([
    ['options', () => createAuthenticator(undefined as never)],
    ['options of an adapter', () => toAuthenticator(undefined as never)],
    ['access', () => prepareAuthentication(createAuthenticator(GOOD), undefined as never)],
    ['a descriptor', () => loadDescriptor(undefined as never)],
    ['rules', () => compileRules(undefined as never)],
    ['a rule', () => compileRules({ roles: undefined } as never)],
    ['an optional rule', () => compileRules({ roles: { optional: undefined } } as never)],
    ['rules of authorize', () => authorize(undefined, undefined as never)],
    ['the name of a route', () => route(undefined as never)],
    ['a source of requireAll', () => requireAll({ user: undefined as never })],
    ['a source of requireAny', () => requireAny({ user: undefined as never })],
    ['options of a signer', () => createSigner(undefined as never)],
    ['options of a store', () => createEnvironmentStore(undefined as never)],
    ['options of the route report', () => checkRoutes([], undefined as never)],
  ])('%s: undefined is a ConfigError', (_, call) => {
    expect(call).toThrow(expect.objectContaining({ name: 'ConfigError' }));
  });

  it('the directory of a store: undefined is refused', () => {
    expect(() => createDirectoryStore(undefined as never)).toThrow(ConfigError);
  });

  it.each<[title: string, call: () => Promise<unknown>]>([
    ['the directory of own keys', () => openAuthDirectory({ directory: undefined } as never)],
    ['the options of own keys', () => openAuthDirectory(undefined as never)],
    ['the audience of own keys', () => initAuthDirectory({ audience: undefined } as never)],
    ['the environment of own keys', () => loadEnvironmentStart({ environment: undefined } as never)],
    ['the options of the start by environment', () => loadEnvironmentStart(undefined as never)],
  ])('%s: undefined is a ConfigError', async (_, call) => {
    await expect(call()).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(UNDEFINED),
    });
  });
});

describe('an option that is of no kind at all', () => {
  it.each([...rows, ...others])('%s, %s: is a ConfigError that names it', (_, name, place) => {
    if (place === undefined) throw new Error('not tried');
    const symbol = Symbol('x');
    const nothing = Object.assign(Object.create(null), { a: symbol });
    const hidden = Object.defineProperty({}, 'a', { value: symbol });
    // What no text can be made of: by itself, in a list and in objects; and a list of nothing but a
    // hole.
    for (const value of [symbol, [symbol], nothing, hidden, new Array(1)]) {
      const found = errorsOf(place, name, value);
      const named = found.filter((error) => error instanceof ConfigError && isAbout(error, place, name));
      expect(named.length, String(found)).toBeGreaterThan(0);
      expect(found.filter((error) => !named.includes(error as ConfigError) && !isOfAnother(error))).toEqual(
        [],
      );
    }
  });

  it('a source or a rule that is hidden from a loop is asked all the same', async () => {
    const authenticator = createAuthenticator(GOOD);
    const sources = Object.defineProperty({ user: authenticator }, 'admin', { value: 5 });
    expect(() => requireAll(sources)).toThrow(expect.objectContaining({ path: 'sources.admin' }));
    const claims = Object.defineProperty({}, 'role', { value: 'admin' });
    const principal = await authenticator.verify(await goodToken());
    expect(() => authorize(principal, claims)).toThrow(expect.objectContaining({ status: 403 }));
  });

  it.each<[title: string, value: unknown]>([
    ['null', null],
    ['a number', 5],
    ['a text', 'x'],
    ['a list', []],
    ['a function', () => undefined],
    ['an object that cannot look groups up', {}],
  ])('a directory next to a descriptor that is followed: %s is refused at the start', (_, directory) => {
    const options = { descriptor: descriptor(), directory } as never;
    expect(() => createAuthenticator(options)).toThrow(expect.objectContaining({ path: 'directory' }));
  });

  it.each<[title: string, value: unknown, path: string]>([
    ['null', null, 'environment'],
    ['a text', 'A=b', 'environment'],
    ['a list', ['A=b'], 'environment'],
    ['a number in it', { A: 5 }, 'environment.A'],
  ])(
    'an environment: %s is refused, whether or not a variable is asked for',
    async (_, environment, path) => {
      const refused = expect.objectContaining({ name: 'ConfigError', path });
      const given = { environment } as never;
      expect(() => createAuthenticator({ descriptor: descriptor(), ...(given as object) } as never)).toThrow(
        refused,
      );
      expect(() => createEnvironmentStore(given)).toThrow(refused);
      await expect(loadEnvironmentStart(given)).rejects.toEqual(refused);
    },
  );

  it.each(['directory', 'issuer', 'audience', 'systemSubject', 'clock', 'force'])(
    'own keys, %s: is a ConfigError before anything is made',
    async (name) => {
      const at = mkdtempSync(join(folder, 'a-'));
      for (const value of [null, Symbol('x'), NaN, '', [], {}]) {
        const options = { directory: join(at, '.auth'), [name]: value } as never;
        await expect(openAuthDirectory(options)).rejects.toMatchObject({ name: 'ConfigError', path: name });
      }
      expect(readdirSync(at)).toEqual([]);
    },
  );
});

describe('an argument that is undefined', () => {
  let issuer: Awaited<ReturnType<typeof createIssuer>>;
  let token: string;
  let authenticator: ReturnType<typeof createAuthenticator>;
  beforeAll(async () => {
    issuer = await createIssuer();
    token = await issuer.mint({ sub: 'alice' });
    const { issuer: name, jwksUrl, audience } = issuer;
    authenticator = createAuthenticator({ keySets: [{ issuer: name, jwksUrl, allowHttp: true }], audience });
  });
  afterAll(() => Promise.all([authenticator.close(), issuer.close()]));

  const request = () => ({ headers: { authorization: `Bearer ${token}` } });

  it.each<[title: string, call: () => unknown]>([
    ['rules of verify', () => authenticator.verify(token, undefined as never)],
    ['rules of explain', () => authenticator.explain(token, undefined as never)],
    ['access of authenticate', () => authenticator.authenticate(request(), undefined as never)],
    ['claims in the access', () => authenticator.authenticate(request(), { claims: undefined } as never)],
    ['access of decide', () => authenticator.decide(request(), undefined as never)],
    [
      'access of a combination',
      () => requireAll({ user: authenticator }).authenticate(request(), undefined as never),
    ],
    [
      'access of a decision of a combination',
      () => requireAny({ user: authenticator }).decide(request(), undefined as never),
    ],
  ])('%s: is a ConfigError, and no request passes', async (_, call) => {
    await expect(call()).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(UNDEFINED),
    });
  });

  it('null is no access either', async () => {
    await expect(authenticator.authenticate(request(), null as never)).rejects.toThrow('got null');
    await expect(authenticator.verify(token, null as never)).rejects.toThrow('expected rules');
  });

  it('left out, all of them are as before', async () => {
    await expect(authenticator.verify(token)).resolves.toMatchObject({ subject: 'alice' });
    await expect(authenticator.authenticate(request())).resolves.toMatchObject({ subject: 'alice' });
    await expect(authenticator.explain(token)).resolves.toMatchObject({ allowed: true });
  });

  it('options of a signature: undefined is refused', async () => {
    const signer = createSigner(SIGNER as never);
    await expect(signer.sign({ sub: 'alice' }, undefined as never)).rejects.toThrow(TypeError);
    const options = { expiresIn: undefined } as unknown as SignOptions;
    await expect(signer.sign({ sub: 'alice' }, options)).rejects.toThrow(UNDEFINED);
    await signer.close();
  });
});
