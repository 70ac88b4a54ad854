// Bound tokens over the whole way (RFC 9449): a real authorization server binds a token to the key
// of a client that others have written, and the client sends it with proofs that it makes itself.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Authenticator, createAuthenticator } from '@latchkey/core';
import express, { type Express } from 'express';
import * as oauth from 'oauth4webapi';
import { Provider } from 'oidc-provider';
import { afterEach, expect, it } from 'vitest';
import { type AuthenticatedRequest, authenticate } from '../src/index.ts';

const API = 'https://api.example.com';
const insecure = { [oauth.allowInsecureRequests]: true } as const;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An authorization server whose access tokens are JWTs for the service. */
async function provide(): Promise<string> {
  const server = createServer();
  const issuer = await listen(server);
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'job',
        client_secret: 'a secret of this test',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => API,
        getResourceServerInfo: () => ({ scope: 'pay', audience: API, accessTokenFormat: 'jwt' }),
      },
    },
    ttl: { ClientCredentials: 600 },
  });
  server.on('request', provider.callback());
  return issuer;
}

/** The service, at a path of its own. */
async function start(issuer: string, nonce: boolean): Promise<{ url: string; authenticator: Authenticator }> {
  const app: Express = express();
  app.set('env', 'test');
  const url = await listen(createServer(app));
  const authenticator = createAuthenticator({
    keySets: [{ issuer, useOidcDiscovery: true, allowHttp: true }],
    audience: API,
    dpop: { mode: 'allowed', publicUrl: url, ...(nonce ? { nonce: {} } : {}) },
  });
  closers.push(() => authenticator.close());
  const router = express.Router();
  // A router shortens the URL that its handlers see.
  router.use(authenticate(authenticator, { dpop: 'required' }));
  router.all('/orders', (request, response) => {
    response.json({ client: (request as unknown as AuthenticatedRequest).auth.clientId });
  });
  app.use('/v1', router);
  return { url: `${url}/v1/orders`, authenticator };
}

/** The client: gets a token that is bound to its key. */
async function login(issuer: string) {
  const client: oauth.Client = { client_id: 'job' };
  const discovered = await oauth.discoveryRequest(new URL(issuer), insecure);
  const server = await oauth.processDiscoveryResponse(new URL(issuer), discovered);
  const proofs = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
  const answer = await oauth.clientCredentialsGrantRequest(
    server,
    client,
    oauth.ClientSecretPost('a secret of this test'),
    { scope: 'pay', resource: API },
    { ...insecure, DPoP: proofs },
  );
  const { access_token: token, token_type: type } = await oauth.processClientCredentialsResponse(
    server,
    client,
    answer,
  );
  expect(type).toBe('dpop');
  const ask = (url: string, method = 'GET', handle = proofs) =>
    oauth.protectedResourceRequest(token, method, new URL(url), undefined, undefined, {
      ...insecure,
      DPoP: handle,
    });
  return { ask, token, other: oauth.DPoP(client, await oauth.generateKeyPair('ES256')) };
}

it('the proofs of oauth4webapi are accepted, and a stolen token is not', async () => {
  const issuer = await provide();
  const { url } = await start(issuer, false);
  const { ask, token, other } = await login(issuer);
  for (const method of ['GET', 'GET', 'POST', 'DELETE']) {
    const answer = await ask(`${url}?page=2`, method);
    expect([answer.status, await answer.json()]).toEqual([200, { client: 'job' }]);
  }
  const stolen = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  expect(stolen.status).toBe(401);
  // The client of the thief understands the challenge.
  await expect(ask(url, 'GET', other)).rejects.toMatchObject({
    status: 401,
    cause: [
      { scheme: 'dpop', parameters: { error: 'invalid_token', algs: expect.stringContaining('ES256') } },
      { scheme: 'bearer' },
    ],
  });
});

it('oauth4webapi reads the nonce of the service, and tries again', async () => {
  const issuer = await provide();
  const { url } = await start(issuer, true);
  const { ask } = await login(issuer);
  const first = await ask(url).catch((error: unknown) => error);
  expect(oauth.isDPoPNonceError(first)).toBe(true);
  expect((await ask(url)).status).toBe(200);
  expect((await ask(url, 'POST')).status).toBe(200);
});
