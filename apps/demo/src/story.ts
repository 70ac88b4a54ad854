// The steps of the demo as data: each request, its token and the expected status. Nothing is sent
// here.
import { createHmac, createPublicKey } from 'node:crypto';
import { createDpopKey, type DpopKey, forge, generateSigningKey, mint } from '@latchkey/testing';
import { audience, type DemoProvider, otherAudience } from './provider.ts';
import type { DemoService } from './service.ts';

/** One step: a request and the expected status of the answer. */
export interface Step {
  readonly title: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly expected: number;
  /** Changes the provider before the request. */
  readonly before?: (provider: DemoProvider) => Promise<void>;
  /** The bearer token; undefined for none. */
  readonly token?: (cast: Cast) => string | Promise<string>;
  /** Headers in place of a bearer token. */
  readonly headers?: (cast: Cast) => Promise<Readonly<Record<string, string>>>;
  readonly body?: (cast: Cast) => Promise<unknown>;
}

/** Steps about one subject. */
export interface Story {
  readonly about: string;
  readonly steps: readonly Step[];
}

/** The tokens that the provider issued before the first step. */
export interface Tokens {
  readonly alice: string;
  readonly bob: string;
  readonly aliceWithoutScope: string;
  readonly forAnotherService: string;
  /** Bound to the key of Alice (DPoP, RFC 9449). */
  readonly bound: string;
  readonly aliceKey: DpopKey;
  /** The one that Alice ends. */
  readonly leaving: string;
}

/** The tokens and actions that the steps use, for one service. */
export interface Cast extends Tokens {
  readonly provider: DemoProvider;
  /** Requests the caller's friends from the service. */
  readonly friendsOf: (token: string) => Promise<readonly { name: string; friendToken: string }[]>;
  /** Logs in at the service as John. */
  readonly logIn: () => Promise<{ access_token: string; refresh_token: string }>;
  /** The token that services call each other with. */
  readonly systemToken: () => Promise<string>;
}

/** Gets the tokens. */
export async function getTokens(provider: DemoProvider): Promise<Tokens> {
  const all = 'friends:read messages:write';
  const aliceKey = await createDpopKey();
  const [alice, bob, aliceWithoutScope, forAnotherService, bound, leaving] = await Promise.all([
    provider.token('alice', all),
    provider.token('bob', all),
    provider.token('alice', 'messages:write'),
    provider.token('alice', all, otherAudience),
    provider.boundToken('alice', all, aliceKey),
    provider.token('alice', all),
  ]);
  return { alice, bob, aliceWithoutScope, forAnotherService, bound, aliceKey, leaving };
}

const john = { user: 'john', pass: 'doe' } as const;

/** Creates the cast for one service. */
export function createCast(
  provider: DemoProvider,
  tokens: Tokens,
  { url: serviceUrl, systemToken }: Pick<DemoService, 'url' | 'systemToken'>,
): Cast {
  return {
    provider,
    systemToken,
    ...tokens,
    async friendsOf(token) {
      const response = await fetch(`${serviceUrl}/friends`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return ((await response.json()) as { friends: { name: string; friendToken: string }[] }).friends;
    },
    async logIn() {
      const response = await fetch(`${serviceUrl}/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(john),
      });
      return (await response.json()) as { access_token: string; refresh_token: string };
    },
  };
}

const internal = { method: 'GET', path: '/internal/friends/alice' } as const;
const token = { method: 'POST', path: '/token' } as const;
const refresh = { method: 'POST', path: '/token/refresh' } as const;
const friends = { method: 'GET', path: '/friends' } as const;
const admin = { method: 'GET', path: '/admin' } as const;
const logout = { method: 'POST', path: '/logout' } as const;
const messages = { method: 'POST', path: '/messages' } as const;

/** The body of a message from Alice to Bob, with Alice's friend token for Bob. */
const messageToBob = async ({ friendsOf, alice }: Cast) => ({
  friendToken: (await friendsOf(alice)).find(({ name }) => name === 'bob')?.friendToken,
  text: 'Hello, Bob',
});

/** The headers that a thief has seen, and sends again. */
const sent = new WeakMap<Cast, ReturnType<typeof proven>>();

/** All stories, in order. */
export const stories: readonly Story[] = [
  {
    about: 'Who may ask for what',
    steps: [
      { title: 'the public health check', method: 'GET', path: '/health', expected: 200 },
      { title: 'no token', ...friends, expected: 401 },
      { title: 'a good token', ...friends, expected: 200, token: ({ alice }) => alice },
      {
        title: 'a token without the scope',
        ...friends,
        expected: 403,
        token: ({ aliceWithoutScope }) => aliceWithoutScope,
      },
      { title: 'a token with both roles', ...admin, expected: 200, token: ({ alice }) => alice },
      { title: 'a token with one of two roles', ...admin, expected: 403, token: ({ bob }) => bob },
    ],
  },
  {
    about: 'Tokens that are not what they seem',
    steps: [
      { title: 'not a bearer token at all', ...friends, expected: 400, token: () => 'x y' },
      { title: 'forged: alg none', ...friends, expected: 401, token: ({ alice }) => withoutSignature(alice) },
      { title: 'forged: HMAC with the public key', ...friends, expected: 401, token: hmacWithPublicKey },
      { title: "forged: another issuer's key, same kid", ...friends, expected: 401, token: byAStranger },
      { title: 'forged: payload changed', ...admin, expected: 401, token: ({ bob }) => withRoles(bob) },
      { title: 'expired ten minutes ago', ...friends, expected: 401, token: expired },
      {
        title: 'for another service',
        ...friends,
        expected: 401,
        token: ({ forAnotherService }) => forAnotherService,
      },
    ],
  },
  {
    about: 'Tokens that the service signs',
    steps: [
      {
        title: "a message with a friend's token",
        ...messages,
        expected: 201,
        token: ({ alice }) => alice,
        body: messageToBob,
      },
      {
        title: "the same friend's token, used by Bob",
        ...messages,
        expected: 403,
        token: ({ bob }) => bob,
        body: messageToBob,
      },
      {
        title: 'a message without a friend token',
        ...messages,
        expected: 400,
        token: ({ alice }) => alice,
        body: async () => ({ text: 'Hello' }),
      },
    ],
  },
  {
    about: 'A login',
    steps: [
      { title: 'a login', ...token, expected: 200, body: async () => john },
      {
        title: 'a login with a wrong password',
        ...token,
        expected: 401,
        body: async () => ({ ...john, pass: 'dove' }),
      },
      {
        title: 'its access token',
        ...friends,
        expected: 200,
        token: async ({ logIn }) => (await logIn()).access_token,
      },
      {
        title: 'its refresh token, as an access token',
        ...friends,
        expected: 401,
        token: async ({ logIn }) => (await logIn()).refresh_token,
      },
      {
        title: 'its refresh token, to refresh',
        ...refresh,
        expected: 200,
        body: async ({ logIn }) => ({ refresh_token: (await logIn()).refresh_token }),
      },
      {
        title: 'its access token, to refresh',
        ...refresh,
        expected: 401,
        body: async ({ logIn }) => ({ refresh_token: (await logIn()).access_token }),
      },
    ],
  },
  {
    about: 'Services among themselves',
    steps: [
      {
        title: "the system's token",
        ...internal,
        expected: 200,
        token: ({ systemToken }) => systemToken(),
      },
      {
        title: "a user's token",
        ...internal,
        expected: 403,
        token: ({ alice }) => alice,
      },
      {
        title: "a user's token with the system's subject",
        ...friends,
        expected: 401,
        token: calledLikeTheSystem,
      },
    ],
  },
  {
    about: 'Tokens that cannot be stolen',
    steps: [
      { title: 'a bound token with its proof', ...friends, expected: 200, headers: proven },
      { title: 'the same token without a proof', ...friends, expected: 401, token: ({ bound }) => bound },
      {
        title: "the same token with a thief's proof",
        ...friends,
        expected: 401,
        headers: async (cast) => proven({ ...cast, aliceKey: await createDpopKey() }),
      },
      {
        title: 'a proof for another request',
        ...friends,
        expected: 401,
        headers: (cast) => proven(cast, '/admin'),
      },
      { title: 'a proof that is used for the first time', ...friends, expected: 200, headers: repeated },
      { title: 'the same request, repeated', ...friends, expected: 401, headers: repeated },
    ],
  },
  {
    about: 'Tokens that end before they expire',
    steps: [
      { title: 'a token before the logout', ...friends, expected: 200, token: ({ leaving }) => leaving },
      { title: 'the logout', ...logout, expected: 204, token: ({ leaving }) => leaving },
      { title: 'the same token afterwards', ...friends, expected: 401, token: ({ leaving }) => leaving },
      { title: 'another token of the same user', ...friends, expected: 200, token: ({ alice }) => alice },
    ],
  },
  {
    about: 'The provider changes its keys, and stops',
    steps: [
      {
        title: 'keys rotated at the provider, new key',
        ...friends,
        expected: 200,
        before: (provider) => provider.rotate(),
        token: ({ provider }) => provider.token('alice', 'friends:read'),
      },
      { title: 'keys rotated, token of the old key', ...friends, expected: 200, token: ({ alice }) => alice },
      {
        title: 'provider stopped',
        ...friends,
        expected: 200,
        before: (provider) => provider.stop(),
        token: ({ alice }) => alice,
      },
    ],
  },
];

/** The headers of a request with the bound token and a new proof. */
async function proven({ bound, aliceKey }: Cast, path: string = friends.path) {
  const url = `${audience}${path}`;
  return { authorization: `DPoP ${bound}`, dpop: await aliceKey.proof({ url, token: bound }) };
}

/** Headers that are the same each time, for one service. */
function repeated(cast: Cast) {
  const headers = sent.get(cast) ?? proven(cast);
  sent.set(cast, headers);
  return headers;
}

function withoutSignature(token: string): string {
  return forge({
    header: { alg: 'none', typ: 'at+jwt' },
    payload: payloadOf(token),
    signature: Buffer.from('none'),
  });
}

/** The classic attack: an HMAC with the public key, which is not secret. */
function hmacWithPublicKey({ alice, provider }: Cast): string {
  const { kid, privateKey } = provider.key();
  const pem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' });
  return forge({
    header: { alg: 'HS256', kid, typ: 'at+jwt' },
    payload: payloadOf(alice),
    signature: (input) => createHmac('sha256', pem).update(input).digest(),
  });
}

async function byAStranger({ alice, provider }: Cast): Promise<string> {
  const stranger = await generateSigningKey('RS256', provider.key().kid);
  return mint(stranger, payloadOf(alice), { typ: 'at+jwt' });
}

/** Signed by the provider's own key; only `exp` is wrong. */
function expired({ alice, provider }: Cast): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { ...payloadOf(alice), aud: audience, iat: now - 900, exp: now - 600 };
  return mint(provider.key(), claims, { typ: 'at+jwt' });
}

/** Signed by the provider's own key, with a subject that only the system's keyset may use. */
function calledLikeTheSystem({ alice, provider }: Cast): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    ...payloadOf(alice),
    sub: 'okera',
    groups: ['root'],
    aud: audience,
    iat: now,
    exp: now + 60,
  };
  return mint(provider.key(), claims, { typ: 'at+jwt' });
}

function withRoles(token: string): string {
  const [header, , signature] = token.split('.');
  const payload = JSON.stringify({ ...payloadOf(token), roles: ['admin', 'dev'] });
  return `${header}.${Buffer.from(payload).toString('base64url')}.${signature}`;
}

function payloadOf(token: string): Record<string, string> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}
