// Step-up over the whole way (RFC 9470 §1), against a real authorization server (oidc-provider):
// the service refuses a token, the client reads the challenge and sends the user to authenticate
// again, and the new token passes.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { interactionPolicy, Provider } from 'oidc-provider';
import { expect, it } from 'vitest';
import { createAuthenticator, isAuthError, type RouteAccess } from '../../src/index.ts';
import { requestWith } from '../support/authenticators.ts';
import { listen } from '../support/servers.ts';

const API = 'https://api.example.com';
const REDIRECT = 'https://client.example/callback';
const VERIFIER = 'a'.repeat(64);
const [PASSWORD, MFA] = ['urn:example:pwd', 'urn:example:mfa'];

/** Its users authenticate with a password, or with more where `acr_values` asks for it. */
async function provide() {
  const server = createServer();
  const issuer = `http://127.0.0.1:${await listen(server)}`;
  const policy = interactionPolicy.base();
  policy.get('login')?.checks.add(
    new interactionPolicy.Check('acr_values', 'a stronger authentication is required', ({ oidc }) => {
      const asked = String(oidc.params?.acr_values ?? '');
      const isMet = asked === '' || asked.split(' ').includes(String(oidc.session?.acr));
      return !isMet && oidc.result?.login === undefined;
    }),
  );
  const provider = new Provider(issuer, {
    acrValues: [PASSWORD, MFA],
    clients: [{ client_id: 'app', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' }],
    scopes: ['openid'],
    cookies: { keys: ['only for this test'] },
    interactions: { policy, url: (_context, { uid }) => `/login/${uid}` },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => API,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'pay', audience: API, accessTokenFormat: 'jwt' }),
      },
    },
    findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    async loadExistingGrant({ oidc }) {
      const grant = new provider.Grant({ accountId: oidc.session?.accountId, clientId: 'app' });
      grant.addOIDCScope('openid');
      grant.addResourceScope(API, 'pay');
      await grant.save();
      return grant;
    },
    extraTokenClaims: ({ oidc }) => {
      const { acr, authTime } = oidc.entities.AuthorizationCode ?? {};
      return { acr, auth_time: authTime };
    },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, Interaction: 600, Session: 86_400 },
  });
  const epoch = () => Math.floor(Date.now() / 1000);
  // At the first login, the user authenticated an hour ago.
  let isFirst = true;
  async function login(request: IncomingMessage, response: ServerResponse) {
    const { params } = await provider.interactionDetails(request, response);
    const acr = String(params.acr_values ?? '').includes(MFA) ? MFA : PASSWORD;
    const ts = isFirst ? epoch() - 3600 : epoch();
    isFirst = false;
    await provider.interactionFinished(request, response, {
      login: { accountId: 'alice', acr, amr: ['pwd'], ts },
    });
  }
  const answer = provider.callback();
  server.on('request', (request, response) => {
    if (request.url?.startsWith('/login/') === true)
      login(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    else void answer(request, response);
  });
  return issuer;
}

/** A browser of one user, which keeps cookies and follows redirects as far as the client. */
function browserOf(issuer: string) {
  const cookies = new Map<string, string>();
  return async (first: URL): Promise<URL> => {
    let url = first;
    for (let hops = 0; hops < 12; hops++) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        if (value === '') cookies.delete(name);
        else cookies.set(name, value);
      }
      const location = response.headers.get('location');
      if (location === null) throw new Error(`${url.pathname}: ${response.status} ${await response.text()}`);
      url = new URL(location, issuer);
      if (url.href.startsWith(REDIRECT)) return url;
    }
    throw new Error('expected the redirect to the client, got too many others');
  };
}

/** The client: gets a token by the authorization code grant, with what a challenge asks for. */
async function authorize(
  issuer: string,
  browse: (first: URL) => Promise<URL>,
  challenge: Readonly<Record<string, string>>,
): Promise<string> {
  const { acr_values, max_age } = challenge;
  const url = new URL('/auth', issuer);
  url.search = new URLSearchParams({
    client_id: 'app',
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'openid pay',
    resource: API,
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    code_challenge_method: 'S256',
    ...(acr_values === undefined ? {} : { acr_values }),
    ...(max_age === undefined ? {} : { max_age }),
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
  const body = (await response.json()) as { readonly access_token?: string };
  if (body.access_token === undefined) throw new Error(JSON.stringify(body));
  return body.access_token;
}

/** The parameters of a Bearer challenge, by name. */
function parametersOf(challenge: string): Readonly<Record<string, string>> {
  const pairs = [...challenge.matchAll(/(\w+)="([^"]*)"/g)];
  return Object.fromEntries(pairs.map(([, name, value]) => [name, value]));
}

it('RFC 9470 §1: the challenge, the authorization request that it asks for, and the new token', async () => {
  const issuer = await provide();
  const authenticator = createAuthenticator({
    keySets: [{ issuer, useOidcDiscovery: true, allowHttp: true }],
    audience: API,
  });
  const ask = async (token: string, access: RouteAccess) => {
    try {
      return await authenticator.authenticate(requestWith(token), access);
    } catch (error) {
      if (!isAuthError(error)) throw error;
      return parametersOf(error.headers['WWW-Authenticate'] ?? '');
    }
  };
  const browse = browserOf(issuer);
  const description = { error: 'insufficient_user_authentication', error_description: expect.any(String) };

  // The user authenticated an hour ago, with a password.
  const first = await authorize(issuer, browse, {});
  const transfer = { claims: { scope: 'pay' }, acr: [MFA], maxAge: '5m' } as const;
  expect(await ask(first, { claims: { scope: 'pay' } })).toMatchObject({ subject: 'alice', clientId: 'app' });
  const challenge = await ask(first, transfer);
  expect(challenge).toEqual({ ...description, scope: 'pay', acr_values: MFA, max_age: '300' });

  // Without what the challenge asks for, the next token is no better: the provider knows the user.
  const same = await authorize(issuer, browse, {});
  expect(await ask(same, transfer)).toEqual(challenge);

  // With it, the provider has the user authenticate again.
  const second = await authorize(issuer, browse, challenge as Readonly<Record<string, string>>);
  expect(await ask(second, transfer)).toMatchObject({
    subject: 'alice',
    claims: { acr: MFA, auth_time: expect.any(Number) },
  });
  await authenticator.close();
});
