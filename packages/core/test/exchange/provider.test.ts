// Exchanges at real authorization servers (oidc-provider), whose grants are those of the RFCs: from
// the token of a request, to a token that another service accepts.
import { createServer } from 'node:http';
import { createRemoteJWKSet, importJWK, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { type ClientMetadata, errors, Provider, type TokenEndpointGrantContext } from 'oidc-provider';
import { expect, it, vi } from 'vitest';
import { createExchange } from '../../src/exchange/exchange.ts';
import { generateJwk, publicJwk } from '../../src/jwk/generate.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import { createSigner } from '../../src/signing/signer.ts';
import { startAuthenticator } from '../support/authenticators.ts';
import { closing } from '../support/closing.ts';
import { listen } from '../support/servers.ts';
import { GRANT, outcomeOf, REFUSED, UNAVAILABLE, URN } from './token-servers.ts';

const ORDERS = 'https://orders.example.com';
const INVOICES = 'https://invoices.example.com';
const CHAT = 'https://chat.example.com';

interface GrantParameters {
  readonly subject_token?: string;
  readonly requested_token_type?: string;
  readonly assertion?: string;
  readonly audience?: string;
  readonly resource?: string;
}

type Context = TokenEndpointGrantContext<GrantParameters & Record<string, unknown>>;

const SECRET_CLIENT = {
  client_id: 'orders',
  client_secret: 'the secret of orders',
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: [`${GRANT}token-exchange`],
} satisfies ClientMetadata;

/** A provider with a key that is known here, and its clients. */
async function provide(clients: readonly ClientMetadata[]) {
  const key = { ...(await generateJwk('ES256', 'provider')), use: 'sig' };
  const server = createServer();
  const issuer = `http://127.0.0.1:${await listen(server)}`;
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  vi.spyOn(console, 'info').mockImplementation(() => {});
  const provider = new Provider(issuer, {
    jwks: { keys: [key as never] },
    clients: clients.map((client) => ({
      redirect_uris: [],
      response_types: [],
      ...client,
    })),
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, audience) => ({
          scope: 'read write',
          audience,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    ttl: { AccessToken: 300, Grant: 600 },
  });
  server.on('request', provider.callback());
  const privateKey = await importJWK(key as never, 'ES256');
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  return { issuer, provider, privateKey, keys };
}

type Provided = Awaited<ReturnType<typeof provide>>;

/** An access token of the provider for a user of a client and a resource. */
async function tokenFor(
  { provider }: Provided,
  clientId: string,
  sub: string,
  resource: string,
  scope = 'read',
) {
  const client = await provider.Client.find(clientId);
  if (client === undefined) throw new Error('no client');
  const grant = new provider.Grant({ accountId: sub, clientId });
  const token = new provider.AccessToken({
    accountId: sub,
    client,
    grantId: await grant.save(),
    gty: 'test',
    scope,
  } as never);
  token.resourceServer = new provider.ResourceServer(resource, {
    scope: 'read write',
    audience: resource,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'ES256' } },
  });
  return token.save();
}

/** Refuses a token that another server signed. */
async function verified(token: unknown, provided: Pick<Provided, 'keys' | 'issuer'>, audience: string) {
  try {
    const { keys, issuer } = provided;
    return (await jwtVerify(String(token), keys, { issuer, audience })).payload;
  } catch {
    throw new errors.InvalidGrant('the token is not good');
  }
}

/** Adds the grant of RFC 8693: tokens for `orders` become those for the asked resource. */
function addTokenExchange(provided: Provided): void {
  provided.provider.registerGrantType(
    `${GRANT}token-exchange`,
    async (context: Context) => {
      const { client, params } = context.oidc;
      const payload = await verified(params.subject_token, provided, ORDERS);
      const { sub = '' } = payload;
      if (sub === 'mallory') throw new errors.AccessDenied('not for mallory');
      const answer =
        params.requested_token_type === `${URN}id-jag`
          ? await assertionFor(provided, payload, params.audience)
          : {
              access_token: await tokenFor(
                provided,
                client.clientId,
                sub,
                params.resource ?? '',
                // Of the scopes that were asked for, one is granted.
                'read',
              ),
              token_type: 'Bearer',
              expires_in: 300,
              scope: 'read',
            };
      context.body = { ...answer, issued_token_type: params.requested_token_type };
    },
    ['subject_token', 'subject_token_type', 'requested_token_type', 'audience', 'resource', 'scope'],
  );
}

/** An ID-JAG about the subject of a token. */
async function assertionFor(
  { issuer, privateKey }: Provided,
  { sub = '' }: JWTPayload,
  audience: string | undefined,
) {
  const token = await new SignJWT({ client_id: 'orders-at-chat', scope: 'read' })
    .setProtectedHeader({ alg: 'ES256', typ: 'oauth-id-jag+jwt', kid: 'provider' })
    .setIssuer(issuer)
    .setSubject(sub)
    .setAudience(audience ?? '')
    .setIssuedAt()
    .setExpirationTime('1m')
    .setJti(crypto.randomUUID())
    .sign(privateKey);
  return { access_token: token, token_type: 'N_A', expires_in: 60, scope: 'read' };
}

/** Adds the grant of RFC 7523: assertions of another server about users of it. */
function addJwtBearer(provided: Provided, trusted: Provided): void {
  provided.provider.registerGrantType(
    `${GRANT}jwt-bearer`,
    async (context: Context) => {
      const { client, params } = context.oidc;
      const payload = await verified(params.assertion, trusted, provided.issuer);
      if (payload.client_id !== client.clientId) throw new errors.InvalidGrant('of another client');
      context.body = {
        access_token: await tokenFor(provided, client.clientId, payload.sub ?? '', CHAT),
        token_type: 'Bearer',
        expires_in: 300,
      };
    },
    ['assertion'],
  );
}

const verifierOf = ({ issuer }: Provided, audience: string) =>
  startAuthenticator({ keySets: [{ issuer, useOidcDiscovery: true, allowHttp: true }], audience });

const secrets = createMemoryStore({ login: { secret: SECRET_CLIENT.client_secret, old: 'an old secret' } });
const clientOf = (key: string) =>
  ({ method: 'client_secret_basic', clientId: 'orders', secret: { name: 'login', key } }) as const;

it('the token of a request becomes one that another service accepts, for the same subject', async () => {
  const provided = await provide([SECRET_CLIENT]);
  addTokenExchange(provided);
  const { issuer } = provided;
  const principal = await verifierOf(provided, ORDERS).verify(
    await tokenFor(provided, 'orders', 'alice', ORDERS),
    {},
  );
  const exchange = closing(
    createExchange({ issuer, clientAuthentication: clientOf('secret'), secrets, resource: INVOICES }),
  );
  const token = await exchange.tokenFor(principal, { scope: 'read write' });
  expect(token.scopes).toEqual(['read']);
  const invoices = verifierOf(provided, INVOICES);
  const seen = await invoices.verify(token.token, { scope: 'read' });
  expect([seen.subject, seen.clientId]).toEqual(['alice', 'orders']);
  // The token of the request itself is for no other service.
  await expect(exchange.tokenFor(principal, { scope: 'read write' })).resolves.toBe(token);
  await expect(
    invoices.verify(await tokenFor(provided, 'orders', 'alice', ORDERS), {}),
  ).rejects.toMatchObject({
    code: 'token_audience_mismatch',
  });
});

it('a caller that the server refuses, and a client with an old secret, get no token', async () => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const provided = await provide([SECRET_CLIENT]);
  addTokenExchange(provided);
  const options = { issuer: provided.issuer, secrets, resource: INVOICES };
  const exchange = closing(createExchange({ ...options, clientAuthentication: clientOf('secret') }));
  const mallory = await tokenFor(provided, 'orders', 'mallory', ORDERS);
  expect(await outcomeOf(exchange.tokenFor(mallory))).toBe(REFUSED);
  // A token for another service is none that this one may exchange.
  expect(await outcomeOf(exchange.tokenFor(await tokenFor(provided, 'orders', 'alice', CHAT)))).toBe(REFUSED);
  const alice = await tokenFor(provided, 'orders', 'alice', ORDERS);
  const old = closing(createExchange({ ...options, clientAuthentication: clientOf('old') }));
  expect(await outcomeOf(old.tokenFor(alice))).toBe(UNAVAILABLE);
});

it('ID-JAG: an assertion of the one server gets a token of the other, with a key in place of a secret', async () => {
  const idp = await provide([SECRET_CLIENT]);
  addTokenExchange(idp);
  const clientKey = await generateJwk('ES256', 'client');
  const chat = await provide([
    {
      client_id: 'orders-at-chat',
      grant_types: [`${GRANT}jwt-bearer`],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [publicJwk(clientKey) ?? {}] },
    },
  ]);
  addJwtBearer(chat, idp);
  const exchange = closing(
    createExchange({
      issuer: idp.issuer,
      clientAuthentication: clientOf('secret'),
      secrets,
      subjectTokenType: 'access_token',
      resourceAuthorizationServer: {
        issuer: chat.issuer,
        clientAuthentication: {
          method: 'private_key_jwt',
          clientId: 'orders-at-chat',
          signer: closing(createSigner({ jwks: { keys: [clientKey] } })),
        },
      },
    }),
  );
  const alice = await tokenFor(idp, 'orders', 'alice', ORDERS);
  const { token } = await exchange.tokenFor(alice);
  const seen = await verifierOf(chat, CHAT).verify(token, {});
  expect([seen.issuer, seen.subject, seen.clientId]).toEqual([chat.issuer, 'alice', 'orders-at-chat']);
});
