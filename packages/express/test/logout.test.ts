// Back-channel logout over the whole way: a user logs in at a real authorization server
// (oidc-provider), logs out there, the server tells the service, and the next request with the
// access token of the session is refused.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAuthenticator, createEventReceiver, type ReceivedEvent } from '@latchkey/core';
import express from 'express';
import { Provider } from 'oidc-provider';
import { afterEach, expect, it } from 'vitest';
import { authenticate, receiveEvents } from '../src/index.ts';

const API = 'https://api.example.com';
const REDIRECT = 'https://client.example/callback';
const VERIFIER = 'a'.repeat(64);

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

/**
 * The authorization server.
 * @param hasSid access tokens name their session
 */
async function provide(logoutUrl: string, hasSid: boolean): Promise<string> {
  const server = createServer();
  const issuer = await listen(server);
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'app',
        redirect_uris: [REDIRECT],
        token_endpoint_auth_method: 'none',
        backchannel_logout_uri: logoutUrl,
        backchannel_logout_session_required: true,
      },
    ],
    scopes: ['openid'],
    cookies: { keys: ['only for this test'] },
    interactions: { url: (_context, { uid }) => `/login/${uid}` },
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => API,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'pay', audience: API, accessTokenFormat: 'jwt' }),
      },
    },
    // The dispatcher of the provider calls no service on loopback.
    fetch(input, init) {
      Reflect.deleteProperty(init ?? {}, 'dispatcher');
      return fetch(input, init);
    },
    findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    async loadExistingGrant({ oidc }) {
      const grant = new provider.Grant({ accountId: oidc.session?.accountId, clientId: 'app' });
      grant.addOIDCScope('openid');
      grant.addResourceScope(API, 'pay');
      await grant.save();
      return grant;
    },
    extraTokenClaims: ({ oidc }) => (hasSid ? { sid: oidc.entities.AuthorizationCode?.sid } : {}),
    ttl: {
      AccessToken: 600,
      AuthorizationCode: 60,
      Grant: 600,
      IdToken: 600,
      Interaction: 600,
      Session: 600,
    },
  });
  const login = async (request: IncomingMessage, response: ServerResponse) =>
    provider.interactionFinished(request, response, { login: { accountId: 'alice', amr: ['pwd'] } });
  const answer = provider.callback();
  server.on('request', (request, response) => {
    if (request.url?.startsWith('/login/') === true)
      login(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    else void answer(request, response);
  });
  return issuer;
}

/** A browser of one user, which keeps cookies. */
function browserOf(issuer: string) {
  const cookies = new Map<string, string>();
  const open = async (url: URL, init: RequestInit = {}): Promise<Response> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { redirect: 'manual', ...init, headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    return response;
  };
  /** Follows redirects as far as the client. */
  const browse = async (first: URL): Promise<URL> => {
    let url = first;
    for (let hops = 0; hops < 12 && !url.href.startsWith(REDIRECT); hops++)
      url = new URL((await open(url)).headers.get('location') ?? 'none:', issuer);
    return url;
  };
  return { open, browse };
}

/** The client: logs the user in. */
async function login(issuer: string, browse: (first: URL) => Promise<URL>) {
  const url = new URL('/auth', issuer);
  url.search = new URLSearchParams({
    client_id: 'app',
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'openid pay',
    resource: API,
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    code_challenge_method: 'S256',
  }).toString();
  const returned = await browse(url);
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: 'app',
      redirect_uri: REDIRECT,
      code: returned.searchParams.get('code') ?? `none: ${returned}`,
      code_verifier: VERIFIER,
    }),
  });
  return (await response.json()) as { readonly access_token: string; readonly id_token: string };
}

/** The user logs out at the authorization server, which asks for a confirmation. */
async function logout(issuer: string, open: ReturnType<typeof browserOf>['open'], hint: string) {
  const page = await (await open(new URL(`/session/end?id_token_hint=${hint}`, issuer))).text();
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(page)?.[1] ?? '';
  const body = new URLSearchParams({ xsrf, logout: 'yes' });
  const { status } = await open(new URL('/session/end/confirm', issuer), { method: 'POST', body });
  expect(status).toBeLessThan(400);
}

it.each([
  ['names its session', true, 'session'],
  ['does not name its session', false, 'subject'],
] as const)('a token that %s is refused after the logout', async (_, hasSid, ends) => {
  const app = express();
  app.set('env', 'test');
  const url = await listen(createServer(app));
  const issuer = await provide(`${url}/backchannel-logout`, hasSid);
  const authenticator = createAuthenticator({
    keySets: [{ issuer, useOidcDiscovery: true, allowHttp: true }],
    audience: API,
    revocation: {},
  });
  closers.push(() => authenticator.close());
  const told: ReceivedEvent[] = [];
  const receiver = createEventReceiver(authenticator, {
    logout: { clientId: 'app', ends },
    onEvent: (event) => void told.push(event),
  });
  app.use('/backchannel-logout', receiveEvents(receiver));
  app.get('/orders', authenticate(authenticator), (_request, response) => {
    response.json([]);
  });
  const { open, browse } = browserOf(issuer);
  const { access_token: token, id_token: hint } = await login(issuer, browse);
  const ask = async () => {
    const { status, headers } = await fetch(`${url}/orders`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return [status, headers.get('www-authenticate')];
  };
  expect(await ask()).toEqual([200, null]);
  await logout(issuer, open, hint);
  expect(told).toEqual([expect.objectContaining({ kind: 'logout', issuer, sub: 'alice' })]);
  expect(await ask()).toEqual([401, expect.stringContaining('error="invalid_token"')]);
  // The next login is a new session, and by sub only tokens from before end.
  const again = await login(issuer, browserOf(issuer).browse);
  expect(again.access_token).not.toBe(token);
});
