// Cases of requests with logout tokens and security event tokens, as data: a body and the expected
// answer. Every adapter must read the body, and hand on the answer of core.

/** A token of a case: the kind, and how it differs from a good one. */
export interface EventToken {
  readonly kind: 'logout' | 'event' | 'access';
  /** Undefined removes a claim. */
  readonly claims?: { readonly [name: string]: unknown };
  readonly typ?: string | null;
  readonly alg?: 'none';
  /** Signed by the key of another issuer, which may not speak for the first one. */
  readonly by?: 'another issuer' | 'a stranger';
}

/** One case. */
export interface EventCase {
  readonly name: string;
  readonly method?: string;
  readonly token?: EventToken;
  /** How the body is written. Default: as its kind of token is sent. */
  readonly body?: (token: string) => string;
  readonly contentType?: string | null;
  /** The same request has been accepted before. */
  readonly isRepeated?: boolean;
  readonly expect: {
    readonly status: number;
    /** Members of the JSON body. Default: the body is empty. */
    readonly json?: { readonly [name: string]: string };
    /** Whether the session ends. Default: as the status says. */
    readonly ends?: boolean;
  };
}

const FORM = 'application/x-www-form-urlencoded';
const PUSH = 'application/secevent+jwt';
const invalid = { status: 400, json: { error: 'invalid_request' } } as const;
const pushError = (err: string) => ({ status: 400, json: { err } }) as const;
const logout = (claims: EventToken['claims'] = {}, more: Partial<EventToken> = {}): EventToken => ({
  kind: 'logout',
  claims,
  ...more,
});
const event = (claims: EventToken['claims'] = {}, more: Partial<EventToken> = {}): EventToken => ({
  kind: 'event',
  claims,
  ...more,
});

const refused = (name: string, token: EventToken): EventCase => ({ name, token, expect: invalid });

/** The cases. */
export const eventCases: readonly EventCase[] = [
  { name: 'a logout token ends its session', token: logout(), expect: { status: 200 } },
  {
    name: 'a logout token between other fields',
    token: logout(),
    body: (token) => `state=a%20b&logout_token=${token}&x=`,
    contentType: `${FORM};charset=utf-8`,
    expect: { status: 200 },
  },
  { name: 'session-revoked ends its session', token: event(), expect: { status: 202 } },
  {
    name: 'session-revoked for a user ends the tokens of the user',
    token: event({ sub_id: { format: 'iss_sub', iss: '{issuer}', sub: '{user}' } }),
    expect: { status: 202 },
  },
  {
    name: 'an unknown event is acknowledged',
    token: event({
      events: { 'https://schemas.openid.net/secevent/ssf/event-type/verification': { state: 'x' } },
    }),
    expect: { status: 202, ends: false },
  },
  // Logout tokens, OpenID Connect Back-Channel Logout 1.0 §2.6.
  refused('a logout token for another client', logout({ aud: 'other' })),
  refused('a logout token for the API', logout({ aud: '{api}' })),
  refused('a logout token of an unknown issuer', logout({ iss: 'https://evil.example' })),
  refused('a logout token of another issuer that names the first one', logout({}, { by: 'another issuer' })),
  refused('a logout token with a nonce', logout({ nonce: 'n' })),
  refused('a logout token without events', logout({ events: undefined })),
  refused('a logout token that has expired', logout({ iat: -400, exp: -300 })),
  refused('a logout token of alg none', logout({}, { alg: 'none' })),
  refused('a logout token of a stranger', logout({}, { by: 'a stranger' })),
  refused('a logout token of typ JWT', logout({}, { typ: 'JWT' })),
  {
    name: 'a logout token that comes again',
    token: logout(),
    isRepeated: true,
    expect: { ...invalid, ends: true },
  },
  {
    name: 'an access token as a logout token',
    token: { kind: 'access', claims: { aud: 'web', jti: 'j' } },
    body: (token) => `logout_token=${token}`,
    contentType: FORM,
    expect: invalid,
  },
  {
    name: 'a security event token as a logout token',
    token: event({ aud: 'web', sub: '{user}' }),
    body: (token) => `logout_token=${token}`,
    contentType: FORM,
    expect: invalid,
  },
  // Security event tokens, RFC 8935 §2.4.
  {
    name: 'an event for another receiver',
    token: event({ aud: 'other' }),
    expect: pushError('invalid_audience'),
  },
  {
    name: 'an event of an unknown issuer',
    token: event({ iss: 'https://evil.example' }),
    expect: pushError('invalid_issuer'),
  },
  {
    name: 'an event about a subject of another issuer',
    token: event(
      { iss: '{another}', sub_id: { format: 'iss_sub', iss: '{issuer}', sub: '{user}' } },
      { by: 'another issuer' },
    ),
    expect: pushError('access_denied'),
  },
  {
    name: 'an event of a stranger',
    token: event({}, { by: 'a stranger' }),
    expect: pushError('authentication_failed'),
  },
  { name: 'an event of alg none', token: event({}, { alg: 'none' }), expect: pushError('invalid_key') },
  {
    name: 'an event of typ at+jwt',
    token: event({}, { typ: 'at+jwt' }),
    expect: pushError('invalid_request'),
  },
  { name: 'an event that comes again', token: event(), isRepeated: true, expect: { status: 202 } },
  {
    name: 'a logout token as an event',
    token: logout({ aud: '{events}' }),
    body: (token) => token,
    contentType: PUSH,
    expect: pushError('invalid_request'),
  },
  // Requests.
  {
    name: 'two logout tokens',
    token: logout(),
    body: (token) => `logout_token=${token}&logout_token=${token}`,
    expect: invalid,
  },
  { name: 'a form without a token', token: logout(), body: () => 'a=b', expect: invalid },
  { name: 'an empty form', token: logout(), body: () => '', expect: invalid },
  { name: 'a token of no type', token: logout(), contentType: null, expect: invalid },
  {
    name: 'a token in JSON',
    token: logout(),
    body: (token) => JSON.stringify({ logout_token: token }),
    contentType: 'application/json',
    expect: invalid,
  },
  {
    name: 'a token as text',
    token: logout(),
    body: (token) => token,
    contentType: 'text/plain',
    expect: invalid,
  },
  {
    name: 'a body that is too long',
    token: logout(),
    body: (token) => `logout_token=${token}&filler=${'x'.repeat(50_000)}`,
    expect: invalid,
  },
  {
    name: 'a token that is too long',
    token: event({ filler: 'x'.repeat(60_000) }),
    expect: pushError('invalid_request'),
  },
  { name: 'GET', method: 'GET', expect: { status: 405 } },
  { name: 'PUT', method: 'PUT', token: logout(), expect: { status: 405, ends: false } },
];

/** The content types of the kinds. */
export const CONTENT_TYPES = { logout: FORM, event: PUSH, access: FORM } as const;
