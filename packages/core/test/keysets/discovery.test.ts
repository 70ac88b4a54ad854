// OpenID Connect Discovery, from an issuer to a verified token: against a real provider
// (oidc-provider), and against servers whose metadata are wrong, move, or are not there.
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { createIssuer, generateSigningKey, mint, type SigningKey, type TestIssuer } from '@latchkey/testing';
import { type JWK, Provider } from 'oidc-provider';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { ConfigError, isAuthError } from '../../src/errors.ts';
import { metadataUrls } from '../../src/keysets/discovery.ts';
import type { DiscoveryKeysetOptions } from '../../src/keysets/options.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { closing } from '../support/closing.ts';
import { nextEvent } from '../support/observed.ts';
import { listen } from '../support/servers.ts';

const AUDIENCE = 'https://api.example.com';
const WELL_KNOWN = '/.well-known/openid-configuration';

const issuers: TestIssuer[] = [];

beforeEach(() => {
  // The provider warns that it is not set up for production, each time.
  for (const method of ['info', 'warn'] as const) vi.spyOn(console, method).mockImplementation(() => {});
});

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await Promise.all(issuers.splice(0).map((issuer) => issuer.close()));
});

/**
 * Starts a server on loopback, and returns its origin. The listener may be chosen once the origin
 * is known.
 */
async function serve(listener: RequestListener, connected = () => {}): Promise<string> {
  const server = createServer(listener).on('connection', connected);
  return `http://127.0.0.1:${await listen(server)}`;
}

async function start(): Promise<TestIssuer> {
  const issuer = await createIssuer({ audience: AUDIENCE });
  issuers.push(issuer);
  return issuer;
}

function trust(issuer: string, options: Partial<DiscoveryKeysetOptions> = {}): Authenticator {
  return closing(
    createAuthenticator({
      keySets: [{ issuer, useOidcDiscovery: true, allowHttp: true, ...options }],
      audience: AUDIENCE,
    }),
  );
}

/** Why a keyset could not be read: the cause that is for logs. */
async function failure(authenticator: Authenticator): Promise<string> {
  const error = await authenticator.ready().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'keyset_unavailable' });
  let last = error;
  while (last instanceof Error && last.cause !== undefined) last = last.cause;
  return last instanceof Error ? last.message : String(last);
}

/** An issuer whose documents are given by path. */
async function documents(
  make: (origin: string) => Readonly<Record<string, JsonObject>>,
  connected?: () => void,
): Promise<{ readonly origin: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const origin = await serve((request, response) => {
    asked.push(request.url ?? '');
    const found = make(origin);
    const path = request.url ?? '';
    if (!Object.hasOwn(found, path)) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(found[path]));
  }, connected);
  return { origin, asked };
}

function claims(iss: string) {
  const now = Math.floor(Date.now() / 1000);
  return { iss, aud: AUDIENCE, sub: 'alice', iat: now, exp: now + 300 };
}

/**
 * The timers and ages of keysets go by the test's clock from here on; sockets and claims do not.
 */
function holdTime(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
}

describe('a real OpenID provider', () => {
  const CLIENT = { id: 'service', secret: 'a-secret-of-the-test-client' };

  type PrivateJwk = JWK & { readonly alg: 'RS256' | 'ES256' };

  interface RunningProvider {
    readonly issuer: string;
    /** Goes on under the same issuer with this key only. */
    publish(key: PrivateJwk): void;
    /** A JWT access token by the client credentials grant. */
    token(): Promise<string>;
  }

  function privateKey(alg: 'RS256' | 'ES256', kid: string): PrivateJwk {
    const { privateKey } =
      alg === 'RS256'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return { ...(privateKey.export({ format: 'jwk' }) as JWK), kid, alg, use: 'sig' };
  }

  async function provide(key: PrivateJwk): Promise<RunningProvider> {
    let handle: RequestListener = (_, response) => void response.writeHead(503).end();
    const issuer = await serve((request, response) => handle(request, response));
    const publish = (published: PrivateJwk) => {
      const provider = new Provider(issuer, {
        jwks: { keys: [published] },
        scopes: ['friends:read'],
        clients: [
          {
            client_id: CLIENT.id,
            client_secret: CLIENT.secret,
            grant_types: ['client_credentials'],
            redirect_uris: [],
            response_types: [],
            // Has to fit the provider's key, although no ID token is issued.
            id_token_signed_response_alg: published.alg,
          },
        ],
        ttl: { ClientCredentials: () => 600 },
        features: {
          devInteractions: { enabled: false },
          clientCredentials: { enabled: true },
          resourceIndicators: {
            enabled: true,
            defaultResource: () => AUDIENCE,
            useGrantedResource: () => true,
            getResourceServerInfo: () => ({
              scope: 'friends:read',
              audience: AUDIENCE,
              accessTokenFormat: 'jwt',
              jwt: { sign: { alg: published.alg } },
            }),
          },
        },
      });
      handle = provider.callback();
    };
    publish(key);
    return {
      issuer,
      publish,
      async token() {
        const response = await fetch(`${issuer}/token`, {
          method: 'POST',
          headers: { authorization: `Basic ${btoa(`${CLIENT.id}:${CLIENT.secret}`)}` },
          body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'friends:read' }),
        });
        const body = (await response.json()) as { access_token?: string };
        if (body.access_token === undefined) throw new Error(JSON.stringify(body));
        return body.access_token;
      },
    };
  }

  it.each(['RS256', 'ES256'] as const)('AK-11: its %s access token is verified end to end', async (alg) => {
    const provider = await provide(privateKey(alg, 'first'));
    const authenticator = trust(provider.issuer);
    await authenticator.ready();
    const token = await provider.token();
    const principal = await authenticator.verify(token, { scope: 'friends:read' });
    expect(principal).toMatchObject({
      issuer: provider.issuer,
      subject: CLIENT.id,
      scopes: ['friends:read'],
      claims: { client_id: CLIENT.id, aud: AUDIENCE },
    });
    await expect(authenticator.verify(token, { scope: 'friends:write' })).rejects.toMatchObject({
      code: 'scope_insufficient',
    });
    expect(authenticator.report().keysets).toEqual([
      expect.objectContaining({
        issuer: provider.issuer,
        source: 'oidc-discovery',
        state: 'fresh',
        kids: ['first'],
      }),
    ]);
  });

  it('its token for one audience is none for another', async () => {
    const provider = await provide(privateKey('ES256', 'first'));
    const authenticator = createAuthenticator({
      keySets: [{ issuer: provider.issuer, useOidcDiscovery: true, allowHttp: true }],
      audience: 'https://other.example.com',
    });
    closing(authenticator);
    await expect(authenticator.verify(await provider.token())).rejects.toMatchObject({
      code: 'token_audience_mismatch',
    });
  });

  it('AK-9: a key that it rotates to is picked up, and the one that it dropped is refused', async () => {
    const provider = await provide(privateKey('ES256', 'first'));
    const authenticator = trust(provider.issuer);
    const old = await provider.token();
    await authenticator.verify(old);
    provider.publish(privateKey('ES256', 'second'));
    const fresh = await provider.token();
    expect((await authenticator.verify(fresh)).subject).toBe(CLIENT.id);
    await expect(authenticator.verify(old)).rejects.toMatchObject({ code: 'token_key_unknown' });
  });

  it('AK-9: keys of another type may follow', async () => {
    const provider = await provide(privateKey('ES256', 'first'));
    const authenticator = trust(provider.issuer);
    await authenticator.verify(await provider.token());
    provider.publish(privateKey('RS256', 'second'));
    await authenticator.verify(await provider.token());
    expect(authenticator.report().keysets[0]?.kids).toEqual(['second']);
  });

  it('AK-16: algorithms that the options leave out stay out, whatever its metadata list', async () => {
    const provider = await provide(privateKey('RS256', 'first'));
    const authenticator = trust(provider.issuer, { allowedAlgorithms: ['ES256', 'PS256'] });
    await expect(authenticator.verify(await provider.token())).rejects.toMatchObject({
      code: 'token_algorithm_refused',
    });
  });
});

describe('where the metadata are', () => {
  it.each([
    ['https://example.com', 'https://example.com/.well-known/openid-configuration'],
    ['https://example.com/', 'https://example.com/.well-known/openid-configuration'],
    ['https://example.com//', 'https://example.com//.well-known/openid-configuration'],
    ['https://example.com/tenant', 'https://example.com/tenant/.well-known/openid-configuration'],
    ['https://example.com/tenant/', 'https://example.com/tenant/.well-known/openid-configuration'],
    ['https://example.com:8443/a/b', 'https://example.com:8443/a/b/.well-known/openid-configuration'],
  ])('settlement 15: of %s at %s', (issuer, url) => {
    expect(metadataUrls(issuer, 'oidc').map(({ href }) => href)).toEqual([url]);
  });

  it.each(['', '/', '/tenant', '/tenant/', '/a/b'])(
    'T-136: an issuer with the path "%s" is read',
    async (path) => {
      const key = await generateSigningKey();
      const { origin, asked } = await documents((here) => ({
        [`${path.replace(/\/$/, '')}${WELL_KNOWN}`]: { issuer: here + path, jwks_uri: `${here}/keys` },
        '/keys': { keys: [key.publicJwk] },
      }));
      const authenticator = trust(origin + path);
      expect((await authenticator.verify(await mint(key, claims(origin + path)))).issuer).toBe(origin + path);
      expect(asked).toEqual([`${path.replace(/\/$/, '')}${WELL_KNOWN}`, '/keys']);
    },
  );

  it.each(['http://127.0.0.1:1', 'ftp://example.com', 'https://user@example.com', 'example.com'])(
    'T-119: the issuer %s is no place to ask without allowHttp',
    (issuer) => {
      expect(() => trust(issuer, { allowHttp: false })).toThrow(ConfigError);
    },
  );
});

describe('metadata of another issuer', () => {
  it.each<[title: string, given: (configured: string) => JsonObject]>([
    ['another host', () => ({ issuer: 'https://evil.example' })],
    ['one more slash', (configured) => ({ issuer: `${configured}/` })],
    ['another case', (configured) => ({ issuer: configured.replace('http', 'HTTP') })],
    ['a path', (configured) => ({ issuer: `${configured}/tenant` })],
    ['another name of the host', (configured) => ({ issuer: configured.replace('127.0.0.1', 'localhost') })],
    ['none', () => ({})],
    ['null', () => ({ issuer: null })],
    ['a list', (configured) => ({ issuer: [configured] })],
    ['white space', (configured) => ({ issuer: `${configured} ` })],
  ])('settlement 15, T-135: %s: the keyset has no keys', async (_, given) => {
    const key = await generateSigningKey();
    const { origin, asked } = await documents((here) => ({
      [WELL_KNOWN]: { ...given(here), jwks_uri: `${here}/keys` },
      '/keys': { keys: [key.publicJwk] },
    }));
    const authenticator = trust(origin);
    expect(await failure(authenticator)).toContain(
      `keySets[0].issuer is '${origin}', and the metadata says `,
    );
    // Not even looked for.
    expect(asked).toEqual([WELL_KNOWN]);
    await expect(authenticator.verify(await mint(key, claims(origin)))).rejects.toMatchObject({
      code: 'keyset_unavailable',
    });
  });

  it('settlement 15, T-135: one slash less', async () => {
    const { origin } = await documents((here) => ({
      [WELL_KNOWN]: { issuer: here, jwks_uri: `${here}/keys` },
      '/keys': { keys: [] },
    }));
    expect(await failure(trust(`${origin}/`))).toBe(
      `keySets[0].issuer is '${origin}/', and the metadata says '${origin}'; they differ by the last slash`,
    );
    await trust(origin).ready();
  });

  it('T-135: the issuer of the metadata is not adopted', async () => {
    const evil = 'https://evil.example';
    const key = await generateSigningKey();
    const { origin } = await documents((here) => ({
      [WELL_KNOWN]: { issuer: evil, jwks_uri: `${here}/keys` },
      '/keys': { keys: [key.publicJwk] },
    }));
    const authenticator = trust(origin);
    await failure(authenticator);
    await expect(authenticator.verify(await mint(key, claims(evil)))).rejects.toMatchObject({
      code: 'token_issuer_untrusted',
    });
  });
});

describe('jwks_uri', () => {
  const MISSING = 'the metadata has no jwks_uri';

  it.each<[title: string, metadata: (here: string) => JsonObject, cause: string]>([
    ['missing', () => ({}), MISSING],
    ['null', () => ({ jwks_uri: null }), MISSING],
    ['empty', () => ({ jwks_uri: '' }), MISSING],
    ['a number', () => ({ jwks_uri: 1 }), MISSING],
    ['an array', (here) => ({ jwks_uri: [`${here}/keys`] }), MISSING],
    ['an object', (here) => ({ jwks_uri: { href: `${here}/keys` } }), MISSING],
    ['a path', () => ({ jwks_uri: '/keys' }), MISSING],
    ['without a scheme', (here) => ({ jwks_uri: here.replace('http:', '') }), MISSING],
    ['no URL', () => ({ jwks_uri: 'http://[' }), MISSING],
    ['a file', () => ({ jwks_uri: 'file:///etc/passwd' }), 'jwks_uri must be https'],
    ['data', () => ({ jwks_uri: 'data:application/json,{"keys":[]}' }), 'jwks_uri must be https'],
    [
      'with credentials',
      (here) => ({ jwks_uri: `${here.replace('//', '//user:secret@')}/keys` }),
      'jwks_uri must not contain credentials',
    ],
  ])('T-136: %s: the keyset has no keys', async (_, metadata, cause) => {
    const { origin, asked } = await documents((here) => ({
      [WELL_KNOWN]: { issuer: here, ...metadata(here) },
      '/keys': { keys: [] },
    }));
    expect(await failure(trust(origin))).toBe(cause);
    expect(asked).toEqual([WELL_KNOWN]);
  });

  it('T-136: plain http without allowHttp is refused, before anything is asked for there', async () => {
    const { createDiscoverySource } = await import('../../src/keysets/discovery.ts');
    const asked: string[] = [];
    const source = createDiscoverySource({
      name: 'keySets[0]',
      issuer: 'https://issuer.example',
      discovery: 'oidc',
      allowHttp: false,
      policy: { origin: 'public' },
      refreshIntervalMs: 60_000,
      // No issuer with a certificate can be had here; what comes after the fetching is the same.
      fetcher: {
        async fetch(url) {
          asked.push(url.href);
          const json = { issuer: 'https://issuer.example', jwks_uri: 'http://issuer.example/keys' };
          return { json, lifetimeMs: undefined };
        },
        close: async () => {},
      },
      headersOf: async () => ({}),
    });
    await expect(source.load(new AbortController().signal)).rejects.toThrow(
      new Error('jwks_uri must be https (allowHttp permits http)'),
    );
    expect(asked).toEqual(['https://issuer.example/.well-known/openid-configuration']);
  });

  it('may be on another host', async () => {
    const key = await generateSigningKey();
    const keys = await documents(() => ({ '/keys': { keys: [key.publicJwk] } }));
    const { origin } = await documents((here) => ({
      [WELL_KNOWN]: { issuer: here, jwks_uri: `${keys.origin}/keys` },
    }));
    await trust(origin).verify(await mint(key, claims(origin)));
    expect(keys.asked).toEqual(['/keys']);
  });

  it('T-121: that has no JWK Set is a failure', async () => {
    const { origin } = await documents((here) => ({
      [WELL_KNOWN]: { issuer: here, jwks_uri: here + WELL_KNOWN },
    }));
    expect(await failure(trust(origin))).toMatch(/^expected a JWK Set/);
  });

  it('T-022: lists of algorithms in the metadata are not used', async () => {
    const key = await generateSigningKey('ES256');
    const { origin } = await documents((here) => ({
      [WELL_KNOWN]: {
        issuer: here,
        jwks_uri: `${here}/keys`,
        id_token_signing_alg_values_supported: ['none', 'HS256', 'RS256'],
      },
      '/keys': { keys: [key.publicJwk] },
    }));
    const authenticator = trust(origin);
    await authenticator.verify(await mint(key, claims(origin)));
    const unsigned = [{ alg: 'none' }, claims(origin)]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    await expect(authenticator.verify(`${unsigned}.AA`)).rejects.toMatchObject({
      code: 'token_algorithm_refused',
    });
  });
});

describe('as time passes', () => {
  it('the metadata are read again before the refresh interval has passed', async () => {
    const keys = await Promise.all([generateSigningKey('ES256', 'one'), generateSigningKey('ES256', 'two')]);
    let at = 0;
    const { origin, asked } = await documents((here) => ({
      [WELL_KNOWN]: { issuer: here, jwks_uri: `${here}/keys-${at}` },
      '/keys-0': { keys: [keys[0]!.publicJwk] },
      '/keys-1': { keys: [keys[1]!.publicJwk] },
    }));
    holdTime();
    const authenticator = trust(origin, { refreshInterval: '10m' });
    await authenticator.ready();
    // The issuer moves its keys, and forgets to take the old place down.
    at = 1;
    const refreshed = nextEvent('latchkey:keyset:refreshed');
    // To the refresh ahead at 80 %, and not beyond: the deadline of the fetch goes by the same
    // clock.
    vi.advanceTimersByTime(8 * 60_000);
    await refreshed;
    expect(asked).toEqual([WELL_KNOWN, '/keys-0', WELL_KNOWN, '/keys-1']);
    expect(authenticator.report().keysets[0]?.kids).toEqual(['two']);
  });

  it('a look for an unknown kid reads the keys, not the metadata', async () => {
    const issuer = await start();
    const authenticator = trust(issuer.issuer);
    await authenticator.verify(await issuer.mint());
    await issuer.rotate();
    await authenticator.verify(await issuer.mint());
    expect(issuer.requests).toEqual({ metadata: 1, jwks: 2 });
  });

  it('keys that are gone from where they were are looked for anew', async () => {
    const key = await generateSigningKey();
    let path = '/keys-0';
    const { origin } = await documents((here) => ({
      [WELL_KNOWN]: { issuer: here, jwks_uri: here + path },
      [path]: { keys: [key.publicJwk] },
    }));
    holdTime();
    const authenticator = trust(origin, { refreshInterval: '10m' });
    await authenticator.ready();
    path = '/keys-1';
    // The metadata are too young to be read again, were it not for the failure.
    const unknown = await generateSigningKey();
    const failed = nextEvent('latchkey:keyset:failed');
    await expect(authenticator.verify(await mint(unknown, claims(origin)))).rejects.toMatchObject({
      code: 'keyset_unavailable',
    });
    expect(await failed).toMatchObject({
      failures: 1,
      error: { cause: { message: 'answered with status 404' } },
    });
    const refreshed = nextEvent('latchkey:keyset:refreshed');
    vi.advanceTimersByTime(1_100);
    await refreshed;
    expect(authenticator.report().keysets[0]).toMatchObject({ state: 'fresh', failures: 0 });
  });

  it('R9: 1,000 cold requests are one discovery and one JWK Set', async () => {
    const issuer = await start();
    const authenticator = trust(issuer.issuer);
    const token = await issuer.mint();
    const principals = await Promise.all(Array.from({ length: 1_000 }, () => authenticator.verify(token)));
    expect(principals.every(({ subject }) => subject === 'alice')).toBe(true);
    expect(issuer.requests).toEqual({ metadata: 1, jwks: 1 });
  });
});

describe('an outage', () => {
  it('T-114: cold: 503 with Retry-After, never 401; then it recovers by itself', async () => {
    const issuer = await start();
    issuer.fail({ kind: 'status', status: 503 });
    const token = await issuer.mint();
    holdTime();
    const authenticator = trust(issuer.issuer);
    for (let request = 0; request < 3; request++) {
      const error = await authenticator.verify(token).catch((thrown: unknown) => thrown);
      if (!isAuthError(error)) throw new Error('was not refused');
      expect(error).toMatchObject({ code: 'keyset_unavailable', status: 503 });
      expect(error.headers['Retry-After']).toMatch(/^[12]$/);
      expect(error.headers).not.toHaveProperty('WWW-Authenticate');
    }
    expect(issuer.requests).toEqual({ metadata: 1, jwks: 0 });

    issuer.fail();
    const refreshed = nextEvent('latchkey:keyset:refreshed');
    vi.advanceTimersByTime(1_100);
    await refreshed;
    expect((await authenticator.verify(token)).subject).toBe('alice');
    expect(issuer.requests).toEqual({ metadata: 2, jwks: 1 });
  });

  it.each([
    ['5xx', { kind: 'status', status: 500 }],
    ['resets', { kind: 'reset' }],
    ['a page instead of keys', { kind: 'body', body: '<html>', contentType: 'text/html' }],
    ['an object that is no JWK Set', { kind: 'body', body: '{"error":"maintenance"}' }],
  ] as const)('T-113: warm: %s: the keys at hand go on verifying', async (_, fault) => {
    const issuer = await start();
    holdTime();
    const authenticator = trust(issuer.issuer, { refreshInterval: '10m' });
    const token = await issuer.mint();
    await authenticator.verify(token);
    issuer.fail(fault);
    const failed = nextEvent('latchkey:keyset:failed');
    vi.advanceTimersByTime(8 * 60_000);
    await failed;
    expect((await authenticator.verify(token)).subject).toBe('alice');
    // Past the lifetime of the set too.
    vi.advanceTimersByTime(10 * 60_000);
    expect((await authenticator.verify(token)).subject).toBe('alice');
    expect(authenticator.report().keysets[0]).toMatchObject({ state: 'stale' });
  });

  it('T-113: the server has stopped', async () => {
    const issuer = await createIssuer({ audience: AUDIENCE });
    holdTime();
    const authenticator = trust(issuer.issuer, { refreshInterval: '10m' });
    const token = await issuer.mint();
    await authenticator.verify(token);
    await issuer.close();
    const failed = nextEvent('latchkey:keyset:failed');
    vi.advanceTimersByTime(8 * 60_000);
    await failed;
    expect((await authenticator.verify(token)).subject).toBe('alice');
  });
});

describe('an issuer that no option names', () => {
  it('T-053: is not asked, nor is anybody else', async () => {
    let connections = 0;
    const attacker: SigningKey = await generateSigningKey();
    const { origin } = await documents(
      (here) => ({
        [WELL_KNOWN]: { issuer: here, jwks_uri: `${here}/keys` },
        '/keys': { keys: [attacker.publicJwk] },
      }),
      () => connections++,
    );
    const issuer = await start();
    const authenticator = trust(issuer.issuer);
    for (const iss of [
      origin,
      `${issuer.issuer}/`,
      `${issuer.issuer}@evil.example`,
      'https://unknown.example',
    ]) {
      await expect(authenticator.verify(await mint(attacker, claims(iss)))).rejects.toMatchObject({
        code: 'token_issuer_untrusted',
      });
    }
    expect(connections).toBe(0);
    expect(issuer.requests).toEqual({ metadata: 0, jwks: 0 });
    // The attacker's server does answer: it is the tokens that do not lead there.
    expect((await fetch(origin + WELL_KNOWN)).status).toBe(200);
    expect(connections).toBe(1);
  });
});
