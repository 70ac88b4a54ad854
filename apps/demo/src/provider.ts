// A real OpenID provider on loopback: the npm package oidc-provider, with two clients. Every
// resource server has the same scopes. Its tokens are JWTs, so it keeps nothing.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type DpopKey, generateSigningKey, type SigningKey } from '@latchkey/testing';
import Provider, { type Adapter } from 'oidc-provider';

/** The audiences of the demo's service and of another service of the same provider. */
export const audience = 'https://friends.example.com';
export const otherAudience = 'https://calendar.example.com';

const SCOPE = 'friends:read messages:write notes:read notes:write';
const ROLES: ReadonlyMap<string, readonly string[]> = new Map([
  ['alice', ['admin', 'dev']],
  ['bob', ['dev']],
]);
const CLIENTS = ['alice', 'bob'] as const;

/** A client of the provider. The subject of its tokens is its name. */
export type ClientName = (typeof CLIENTS)[number];

/** A running provider. */
export interface DemoProvider {
  readonly issuer: string;
  /** The current signing key. */
  key(): SigningKey;
  /** An access token by the client-credentials grant (RFC 6749 §4.4) for a resource (RFC 8707). */
  token(client: ClientName, scope: string, resource?: string): Promise<string>;
  /** The same, for a token that is bound to a key (DPoP, RFC 9449 §5). */
  boundToken(client: ClientName, scope: string, key: DpopKey): Promise<string>;
  /** Signs with a new key from now on; the old one stays published. */
  rotate(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the provider on a free port. */
export async function startProvider(): Promise<DemoProvider> {
  let keys = [await generateSigningKey('RS256')];
  let answer: ReturnType<Provider['callback']> | undefined;
  const server = createServer((request, response) => answer?.(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  answer = createProvider(issuer, keys).callback();

  async function askForToken(client: ClientName, scope: string, resource: string, proof: HeadersInit) {
    const response = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${client}:${secretOf(client)}`)}`, ...proof },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope, resource }),
    });
    const body = (await response.json()) as { access_token?: string };
    if (body.access_token === undefined)
      throw new Error(`expected a token from the provider, got status ${response.status}`);
    return body.access_token;
  }

  return {
    issuer,
    key: () => newest(keys),
    token: (client, scope, resource = audience) => askForToken(client, scope, resource, {}),
    boundToken: async (client, scope, key) =>
      askForToken(client, scope, audience, {
        dpop: await key.proof({ method: 'POST', url: `${issuer}/token` }),
      }),
    async rotate() {
      keys = [await generateSigningKey('RS256'), ...keys];
      answer = createProvider(issuer, keys).callback();
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function newest(keys: readonly SigningKey[]): SigningKey {
  const [key] = keys;
  if (key === undefined) throw new Error('the provider has no key');
  return key;
}

/** The secret of a client. */
export function secretOf(client: ClientName): string {
  return `${client}-secret`;
}

/** Stores nothing: the provider needs no store for JWTs, and warns about its own one. */
function noStore(): Adapter {
  const nothing = async () => undefined;
  return {
    upsert: nothing,
    find: nothing,
    findByUserCode: nothing,
    findByUid: nothing,
    consume: nothing,
    destroy: nothing,
    revokeByGrantId: nothing,
  };
}

function createProvider(issuer: string, keys: readonly SigningKey[]): Provider {
  return new Provider(issuer, {
    adapter: noStore,
    clients: CLIENTS.map((client) => ({
      client_id: client,
      client_secret: secretOf(client),
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    })),
    jwks: {
      keys: keys.map(({ privateKey, kid, alg }) => ({
        ...privateKey.export({ format: 'jwk' }),
        kid,
        alg,
        use: 'sig',
      })),
    },
    scopes: SCOPE.split(' '),
    ttl: { ClientCredentials: 300 },
    extraTokenClaims: (_context, token) => ({ roles: ROLES.get(token.clientId ?? '') ?? [] }),
    features: {
      dPoP: { enabled: true },
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: () => ({
          scope: SCOPE,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256', kid: newest(keys).kid } },
        }),
      },
    },
  });
}
