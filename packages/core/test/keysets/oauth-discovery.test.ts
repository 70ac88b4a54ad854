// Discovery by RFC 8414 and by both kinds of metadata: against a real authorization server
// (oidc-provider), and against servers whose metadata do not exist, fail, or are of another issuer.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { generateSigningKey, mint } from '@latchkey/testing';
import { type JWK, Provider } from 'oidc-provider';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { ConfigError } from '../../src/errors.ts';
import { type Discovery, metadataUrls } from '../../src/keysets/discovery.ts';
import { closing } from '../support/closing.ts';
import { listen } from '../support/servers.ts';

const AUDIENCE = 'https://api.example.com';
const OAUTH = '/.well-known/oauth-authorization-server';
const OIDC = '/.well-known/openid-configuration';
const TENANT = '/tenant';

afterEach(() => {
  vi.restoreAllMocks();
});

function trust(issuer: string, useDiscovery: Discovery, more: object = {}): Authenticator {
  const keyset = { issuer, useDiscovery, allowHttp: true, ...more };
  return closing(createAuthenticator({ keySets: [keyset], audience: AUDIENCE }));
}

/** An answer: a document, a status, or where it redirects to. */
type Document = object | number | string;

/** An issuer whose documents are given by path. Others do not exist. */
async function documents(make: (origin: string) => Readonly<Record<string, Document>>) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const found = make(origin)[path] ?? 404;
    if (typeof found === 'number') response.writeHead(found).end();
    else if (typeof found === 'string') response.writeHead(302, { location: found }).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(found));
  });
  const origin = `http://127.0.0.1:${await listen(server)}`;
  return { origin, asked, server };
}

/** Why a keyset could not be read: the message for the person who starts the service. */
async function failure(authenticator: Authenticator): Promise<string> {
  const error = await authenticator.ready().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof Error ? error.message : String(error);
}

describe('where the metadata are', () => {
  it.each<[issuer: string, oauth: string, others: readonly string[]]>([
    ['https://a.example', 'https://a.example/OAUTH', ['https://a.example/OIDC']],
    ['https://a.example/', 'https://a.example/OAUTH', ['https://a.example/OIDC']],
    [
      'https://a.example/tenant',
      'https://a.example/OAUTH/tenant',
      ['https://a.example/OIDC/tenant', 'https://a.example/tenant/OIDC'],
    ],
    [
      'https://a.example/tenant/',
      'https://a.example/OAUTH/tenant',
      ['https://a.example/OIDC/tenant', 'https://a.example/tenant/OIDC'],
    ],
    [
      'https://a.example:8443/a/b',
      'https://a.example:8443/OAUTH/a/b',
      ['https://a.example:8443/OIDC/a/b', 'https://a.example:8443/a/b/OIDC'],
    ],
  ])('RFC 8414 §3.1: of %s at %s', (issuer, oauth, others) => {
    const short = (kind: Discovery) =>
      metadataUrls(issuer, kind).map(({ href }) => href.replace(OAUTH, '/OAUTH').replace(OIDC, '/OIDC'));
    expect(short('oauth')).toEqual([oauth]);
    expect(short('any')).toEqual([oauth, ...others]);
    expect(short('oidc')).toEqual(others.slice(-1));
  });

  it.each<[kind: Discovery, path: string, asked: readonly string[]]>([
    ['oauth', '', [OAUTH]],
    ['oauth', TENANT, [OAUTH + TENANT]],
    ['oidc', TENANT, [TENANT + OIDC]],
    ['any', '', [OAUTH]],
    ['any', TENANT, [OAUTH + TENANT]],
    ['any', '', [OAUTH, OIDC]],
    ['any', TENANT, [OAUTH + TENANT, OIDC + TENANT]],
    ['any', TENANT, [OAUTH + TENANT, OIDC + TENANT, TENANT + OIDC]],
  ])('%s of an issuer with the path "%s" reads %j', async (kind, path, places) => {
    const key = await generateSigningKey();
    const { origin, asked } = await documents((here) => ({
      [places.at(-1) ?? '']: { issuer: here + path, jwks_uri: `${here}/keys` },
      '/keys': { keys: [key.publicJwk] },
    }));
    const authenticator = trust(origin + path, kind);
    const now = Math.floor(Date.now() / 1000);
    const token = await mint(key, { iss: origin + path, aud: AUDIENCE, sub: 'alice', exp: now + 60 });
    expect((await authenticator.verify(token)).issuer).toBe(origin + path);
    expect(asked).toEqual([...places, '/keys']);
    const source = kind === 'any' ? 'discovery' : `${kind}-discovery`;
    expect(authenticator.report().keysets).toMatchObject([{ source, state: 'fresh' }]);
  });
});

describe('which failure leads to the next place', () => {
  it.each([404, 410])('%i does', async (status) => {
    const { origin, asked } = await documents((here) => ({
      [OAUTH]: status,
      [OIDC]: { issuer: here, jwks_uri: `${here}/keys` },
      '/keys': { keys: [] },
    }));
    await trust(origin, 'any').ready();
    expect(asked).toEqual([OAUTH, OIDC, '/keys']);
  });

  it.each([400, 401, 403, 405, 429, 500, 502, 503, 204])('T-135: %i does not', async (status) => {
    const { origin, asked } = await documents((here) => ({
      [OAUTH]: status,
      [OIDC]: { issuer: here, jwks_uri: `${here}/keys` },
    }));
    expect(await failure(trust(origin, 'any'))).toContain(
      `no keys from ${origin}${OAUTH}: answered with status ${status}`,
    );
    expect(asked).toEqual([OAUTH]);
  });

  it.each<[title: string, answer: Document, cause: RegExp]>([
    ['metadata of another issuer', { issuer: 'https://evil.example' }, /and the metadata says/],
    ['metadata without an issuer', {}, /the metadata says no issuer/],
    ['metadata without jwks_uri', { issuer: 'HERE' }, /the metadata has no jwks_uri/],
    ['a redirect to another origin', 'http://localhost:1/', /redirects to another origin/],
  ])('T-135: %s does not', async (_, answer, cause) => {
    const { origin, asked } = await documents((here) => ({
      [OAUTH]: JSON.stringify(answer).includes('HERE') ? { issuer: here } : answer,
      [OIDC]: { issuer: here, jwks_uri: `${here}/keys` },
    }));
    expect(await failure(trust(origin, 'any'))).toMatch(cause);
    expect(asked).toEqual([OAUTH]);
  });

  it('a server that hangs up does not', async () => {
    const made = await documents(() => ({}));
    made.server.prependListener('request', (request) => request.socket.destroy());
    expect(await failure(trust(made.origin, 'any'))).toContain(`no keys from ${made.origin}${OAUTH}: `);
    expect(made.asked.length).toBeLessThanOrEqual(1);
  });

  it('with oauth alone there is no next place', async () => {
    const { origin, asked } = await documents((here) => ({ [OIDC]: { issuer: here } }));
    expect(await failure(trust(origin, 'oauth'))).toContain(`${origin}${OAUTH}: answered with status 404`);
    expect(asked).toEqual([OAUTH]);
  });
});

describe('messages', () => {
  it('name every place where there are no metadata', async () => {
    const { origin } = await documents(() => ({}));
    expect(await failure(trust(origin + TENANT, 'any'))).toContain(
      `no keys from ${origin}${OAUTH}${TENANT}: there are no metadata, nor at ${origin}${OIDC}${TENANT}, nor at ${origin}${TENANT}${OIDC}`,
    );
  });

  it.each([OIDC + TENANT, TENANT + OIDC])('T-135: name %s with metadata of another issuer', async (place) => {
    const { origin, asked } = await documents((here) => ({
      [place]: { issuer: here, jwks_uri: `${here}/keys` },
    }));
    expect(await failure(trust(origin + TENANT, 'any'))).toContain(
      `${origin}${place}: keySets[0].issuer is '${origin}${TENANT}', and the metadata says '${origin}'`,
    );
    expect(asked.at(-1)).toBe(place);
    expect(asked).not.toContain('/keys');
  });

  it('name the second place that fails, and no token is decided', async () => {
    const { origin } = await documents(() => ({ [OIDC]: 503 }));
    const authenticator = trust(origin, 'any');
    expect(await failure(authenticator)).toContain(`${origin}${OIDC}: answered with status 503`);
    const key = await generateSigningKey();
    await expect(authenticator.verify(await mint(key, { iss: origin }))).rejects.toMatchObject({
      code: 'keyset_unavailable',
    });
  });
});

describe('options', () => {
  it.each<[title: string, keyset: object, path: string]>([
    ['no issuer', { useDiscovery: 'any' }, 'keySets[0].issuer'],
    ['another kind', { issuer: 'https://a.example', useDiscovery: 'saml' }, 'keySets[0].useDiscovery'],
    ['true', { issuer: 'https://a.example', useDiscovery: true }, 'keySets[0].useDiscovery'],
    ['http', { issuer: 'http://a.example', useDiscovery: 'oauth' }, 'keySets[0].issuer'],
    ['a query', { issuer: 'https://a.example?a', useDiscovery: 'oauth' }, 'keySets[0].issuer'],
    [
      'both spellings',
      { issuer: 'https://a.example', useDiscovery: 'any', useOidcDiscovery: true },
      'keySets[0]',
    ],
  ])('%s is refused at %s', (_, keyset, path) => {
    expect(() => createAuthenticator({ keySets: [keyset as never], audience: null })).toThrow(
      expect.objectContaining({ path }),
    );
  });

  it.each([
    ['https://a.example/.well-known/oauth-authorization-server/tenant', "'https://a.example/tenant'"],
    ['https://a.example/tenant/.well-known/openid-configuration', "'https://a.example/tenant'"],
    ['https://a.example/.well-known/openid-configuration', "'https://a.example'"],
  ])('AK-11: the URL of metadata, %s, is no issuer', (issuer, fix) => {
    const make = () => trust(issuer, 'any');
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(`write ${fix} or `);
  });
});

describe('a real authorization server', () => {
  const CLIENT = { id: 'service', secret: 's3cret' };

  /** A provider for an issuer with a path, as its documentation mounts one. */
  async function provide() {
    for (const method of ['info', 'warn'] as const) vi.spyOn(console, method).mockImplementation(() => {});
    const server = createServer();
    const origin = `http://127.0.0.1:${await listen(server)}`;
    const issuer = origin + TENANT;
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = { ...privateKey.export({ format: 'jwk' }), kid: 'first', alg: 'ES256', use: 'sig' } as JWK;
    const provider = new Provider(issuer, {
      jwks: { keys: [key] },
      clients: [
        {
          client_id: CLIENT.id,
          client_secret: CLIENT.secret,
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
          id_token_signed_response_alg: 'ES256',
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
            scope: '',
            audience: AUDIENCE,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'ES256' } },
          }),
        },
      },
    });
    const asked: string[] = [];
    const handle = provider.callback();
    server.on('request', (request, response) => {
      const { url = '' } = request;
      asked.push(url);
      // RFC 8414 §3.1: the server of the host passes these requests on to the issuer.
      const mounted = url === OAUTH + TENANT ? TENANT + OAUTH : url;
      if (!mounted.startsWith(`${TENANT}/`)) return void response.writeHead(404).end();
      Object.assign(request, { originalUrl: mounted, url: mounted.slice(TENANT.length) });
      return void handle(request, response);
    });
    async function token(): Promise<string> {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${CLIENT.id}:${CLIENT.secret}`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      });
      return ((await response.json()) as { access_token: string }).access_token;
    }
    return { issuer, token, asked };
  }

  it.each<[kind: Discovery, place: string]>([
    ['oauth', OAUTH + TENANT],
    ['any', OAUTH + TENANT],
    ['oidc', TENANT + OIDC],
  ])('AK-11: its access token is verified by the metadata of %s', async (kind, place) => {
    const { issuer, token, asked } = await provide();
    const authenticator = trust(issuer, kind);
    await authenticator.ready();
    expect(asked).toEqual([place, `${TENANT}/jwks`]);
    expect(await authenticator.verify(await token())).toMatchObject({ issuer, subject: CLIENT.id });
  });
});
