// The answer of introspection is checked like a token (RFC 7662 §4): its audience, the type of the
// token, its identifiers. Against a real authorization server (oidc-provider), and against answers
// that it would not give.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';
import { describe, expect, it, vi } from 'vitest';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import type { IntrospectionRemoteOptions } from '../../src/remote/options.ts';
import { listen } from '../support/servers.ts';
import { alone, ask, endpoint, introspecting, jwt, NOW } from './endpoints.ts';

const API = 'https://api.example.com';
const MISMATCH = '401 token_audience_mismatch';

/** An authenticator of the API, with an endpoint that answers with these members. */
async function asked(
  members: object,
  more: Partial<IntrospectionRemoteOptions> = {},
  others: Partial<AuthenticatorOptions> = {},
) {
  const remote = await endpoint({ body: { active: true, sub: 'alice', ...members } });
  return introspecting(remote.url, { audience: API, ...others }, more);
}

describe('T-152: an answer without aud', () => {
  it('is refused where an audience is required, and the detail says what to do', async () => {
    const authenticator = await asked({});
    expect(await ask(authenticator)).toBe(MISMATCH);
    await expect(authenticator.verify('t')).rejects.toMatchObject({
      status: 401,
      detail: expect.stringMatching(/answer with aud, or set remote\.unsafeMissingAudience$/),
    });
  });

  it.each<[title: string, claims: Parameters<typeof jwt>[0], expected: string]>([
    ['names this API', { aud: API }, 'accepted'],
    ['names this API and another', { aud: ['https://other.example', API] }, 'accepted'],
    ['names another API', { aud: 'https://other.example' }, MISMATCH],
    ['names no API', {}, MISMATCH],
    ['has an empty list', { aud: [] }, MISMATCH],
    ['has null', { aud: null }, MISMATCH],
  ])('counts if the token is a JWT that %s: %s', async (_, claims, expected) => {
    const authenticator = await asked({}, { cacheFor: '1m' });
    const token = jwt({ sub: 'alice', ...claims });
    expect(await ask(authenticator, token)).toBe(expected);
    // The same with the answer from the cache.
    expect(await ask(authenticator, token)).toBe(expected);
  });

  it('audMatch all: the JWT has to name all audiences', async () => {
    const audiences = { audience: [API, 'https://second.example'], audMatch: 'all' } as const;
    const authenticator = await asked({}, {}, audiences);
    expect(await ask(authenticator, jwt({ aud: API }))).toBe(MISMATCH);
    expect(await ask(authenticator, jwt({ aud: [...audiences.audience] }))).toBe('accepted');
  });

  it('unsafeIgnoreTokenClaims: the audience of the JWT does not count', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const authenticator = await asked({}, { unsafeIgnoreTokenClaims: true });
    expect(await ask(authenticator, jwt({ aud: API }))).toBe(MISMATCH);
  });

  it('audMatch only: the answer and the JWT may name no other audience', async () => {
    const only = { audMatch: 'only' } as const;
    expect(await ask(await asked({ aud: [API, 'https://other.example'] }, {}, only))).toBe(MISMATCH);
    const authenticator = await asked({ aud: API }, {}, only);
    expect(await ask(authenticator)).toBe('accepted');
    expect(await ask(authenticator, jwt({ aud: [API, 'https://other.example'] }))).toBe(MISMATCH);
  });

  it('maxLifetime: an answer has to show the life of its token', async () => {
    const limit = { maxLifetime: '5m' } as const;
    const lives = (seconds: number) => ({ aud: API, iat: NOW, exp: NOW + seconds });
    expect(await ask(await asked(lives(300), {}, limit))).toBe('accepted');
    expect(await ask(await asked(lives(301), {}, limit))).toBe('401 token_claims_invalid');
    expect(await ask(await asked({ aud: API }, {}, limit))).toBe('401 token_claims_invalid');
  });

  it('aud: null is not a missing audience', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const authenticator = await asked({ aud: null }, { unsafeMissingAudience: true });
    expect(await ask(authenticator)).toBe(MISMATCH);
  });

  it('is accepted with audience: null', async () => {
    expect(await ask(await asked({}, {}, { audience: null }))).toBe('accepted');
  });

  it('is accepted with unsafeMissingAudience, which warns; a wrong aud is not', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    expect(await ask(await asked({}, { unsafeMissingAudience: true }))).toBe('accepted');
    expect(warned.mock.calls.flat()).toContain(
      'remote.unsafeMissingAudience: tokens without an audience are accepted',
    );
    const other = await asked({ aud: 'https://other.example' }, { unsafeMissingAudience: true });
    expect(await ask(other)).toBe(MISMATCH);
    const itself = await asked({}, { unsafeMissingAudience: true });
    expect(await ask(itself, jwt({ aud: 'https://other.example' }))).toBe(MISMATCH);
  });

  it('OK-12: an endpoint that answers with a subject need not name an audience', async () => {
    const remote = await endpoint({ body: { sub: 'alice' } });
    expect(await ask(alone(remote.url, { audience: API }))).toBe('accepted');
  });

  it('explain shows the refusal, and which audience counts', async () => {
    const authenticator = await asked({});
    const aud = async (token: string) =>
      (await authenticator.explain(token)).checks.filter(({ about }) => about.startsWith('aud'));
    expect(await aud('t')).toMatchObject([{ outcome: 'failed', code: 'token_audience_mismatch' }]);
    expect(await aud(jwt({ aud: API }))).toMatchObject([
      { about: 'aud', outcome: 'skipped', detail: 'the answer names no audience' },
      { about: 'aud of the token itself', outcome: 'passed' },
    ]);
  });
});

describe('token_type, RFC 7662 §2.2', () => {
  const REFUSED = '401 token_type_refused';

  it.each<[type: unknown, expected: string, bound: string]>([
    ['Bearer', 'accepted', 'accepted'],
    ['bearer', 'accepted', 'accepted'],
    ['access_token', 'accepted', 'accepted'],
    [undefined, 'accepted', 'accepted'],
    ['DPoP', REFUSED, 'accepted'],
    ['dpop', REFUSED, 'accepted'],
    ['refresh_token', REFUSED, REFUSED],
    ['N_A', REFUSED, REFUSED],
    ['mac', REFUSED, REFUSED],
    ['', REFUSED, REFUSED],
    [['Bearer'], REFUSED, REFUSED],
    [null, REFUSED, REFUSED],
    [true, REFUSED, REFUSED],
  ])('%j: %s; with unsafeAcceptSenderConstrained %s', async (type, expected, bound) => {
    const members = { aud: API, token_type: type };
    expect(await ask(await asked(members))).toBe(expected);
    const accepting = await asked(members, {}, { unsafeAcceptSenderConstrained: true });
    expect(await ask(accepting)).toBe(bound);
  });

  it('RFC 9449 §6.2: an answer that is bound to a key is refused, whatever its type', async () => {
    const members = { aud: API, cnf: { jkt: 'x' } };
    for (const type of [{}, { token_type: 'Bearer' }])
      expect(await ask(await asked({ ...members, ...type }))).toBe('401 token_claims_invalid');
    const dpop = { ...members, token_type: 'DPoP' };
    expect(await ask(await asked(dpop, {}, { unsafeAcceptSenderConstrained: true }))).toBe('accepted');
  });

  it('is not of the other contract, where it may be any claim', async () => {
    const remote = await endpoint({ body: { sub: 'alice', token_type: 'access' } });
    expect(await ask(alone(remote.url))).toBe('accepted');
  });

  it('the refusal does not repeat it', async () => {
    const authenticator = await asked({ aud: API, token_type: 'x-private' });
    await expect(authenticator.verify('t')).rejects.toMatchObject({
      detail: 'token_type: expected Bearer, got another type',
    });
  });
});

it.each<[name: string, value: unknown, expected: string]>([
  ['sub', 5, '401 token_claims_invalid'],
  ['sub', ['alice'], '401 token_claims_invalid'],
  ['sub', null, '401 token_claims_invalid'],
  ['sub', '', '401 token_claims_invalid'],
  ['client_id', 5, '401 token_claims_invalid'],
  ['client_id', null, '401 token_claims_invalid'],
  ['jti', 5, '401 token_claims_invalid'],
  ['scope', 5, '401 token_claims_invalid'],
  ['iss', 5, '401 token_issuer_untrusted'],
  ['exp', NOW - 6, '401 token_expired'],
  ['nbf', NOW + 6, '401 token_not_yet_valid'],
  ['iat', NOW + 6, '401 token_not_yet_valid'],
])('an answer with %s: %j is refused: %s', async (name, value, expected) => {
  const authenticator = await asked({ aud: API, [name]: value }, { cacheFor: '1h' });
  expect(await ask(authenticator)).toBe(expected);
  expect(await ask(authenticator)).toBe(expected);
});

it('RFC 9068: with the profile, an answer has to have the claims of an access token', async () => {
  const members = { aud: API, iss: 'https://idp', client_id: 'app', iat: NOW, exp: NOW + 60, jti: 'j' };
  const profile = { profile: 'at+jwt' } as const;
  expect(await ask(await asked({ ...members, scope: 'read' }, {}, profile))).toBe('accepted');
  for (const wrong of [{ scope: ['read'] }, { amr: 'otp' }, { client_id: undefined }])
    expect(await ask(await asked({ ...members, ...wrong }, {}, profile))).toBe('401 token_claims_invalid');
});

describe('a real authorization server', () => {
  const SECRET = 's3cret';

  /** A provider of opaque tokens, for one API and for its own. */
  async function provide() {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    vi.spyOn(console, 'info').mockImplementation(() => {});
    const server = createServer();
    const issuer = `http://127.0.0.1:${await listen(server)}`;
    const client = { redirect_uris: [], response_types: [], client_secret: SECRET };
    const provider = new Provider(issuer, {
      scopes: ['read', 'openid', 'offline_access'],
      clients: [
        { ...client, client_id: 'app', grant_types: ['client_credentials'] },
        { ...client, client_id: 'me', grant_types: [] },
      ],
      ttl: { ClientCredentials: () => 600, RefreshToken: () => 600, Grant: () => 600 },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        introspection: { enabled: true, allowedPolicy: () => true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_context, audience) => ({
            scope: 'read',
            audience,
            accessTokenFormat: 'opaque',
          }),
        },
      },
    });
    server.on('request', provider.callback());
    async function token(resource?: string): Promise<string> {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`app:${SECRET}`)}` },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          ...(resource === undefined ? {} : { resource, scope: 'read' }),
        }),
      });
      return ((await response.json()) as { access_token: string }).access_token;
    }
    async function refreshToken(): Promise<string> {
      const grantId = await new provider.Grant({ accountId: 'alice', clientId: 'app' }).save();
      const found = await provider.Client.find('app');
      if (found === undefined) throw new Error('no client');
      return new provider.RefreshToken({
        accountId: 'alice',
        client: found,
        grantId,
        gty: 'authorization_code',
        scope: 'openid',
      }).save();
    }
    return { issuer, url: `${issuer}/token/introspection`, token, refreshToken };
  }

  it('its opaque token for this API is accepted, others and refresh tokens are not', async () => {
    const provider = await provide();
    const authenticator = introspecting(
      provider.url,
      { audience: API, clock: Date },
      { issuer: provider.issuer },
    );
    const principal = await authenticator.verify(await provider.token(API), { scope: 'read' });
    expect(principal).toMatchObject({
      issuer: provider.issuer,
      claims: { aud: API, client_id: 'app', token_type: 'Bearer' },
    });
    expect(await ask(authenticator, await provider.token('https://other.example'))).toBe(MISMATCH);
    expect(await ask(authenticator, await provider.token())).toBe(MISMATCH);
    expect(await ask(authenticator, await provider.refreshToken())).toBe(MISMATCH);
    expect(await ask(authenticator, 'made-up')).toBe('401 token_rejected');
  });

  it('with unsafeMissingAudience its refresh tokens are accepted, too', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const provider = await provide();
    const authenticator = introspecting(
      provider.url,
      { audience: API, clock: Date },
      { unsafeMissingAudience: true },
    );
    expect(await ask(authenticator, await provider.refreshToken())).toBe('accepted');
  });
});
