// What every adapter must answer, as data: a request, and what comes of it. `{name}` in a header stands for that token.
import type { AuthErrorCode, JsonValue } from '@latchkey/core';
import type { TokenName } from './tokens.ts';

/** The authenticators that cases ask; suite.ts has their options. */
export type Variant = 'strict' | 'optional' | 'permissive' | 'realm' | 'carriers' | 'nested' | 'profile';

/** One case. */
export interface ConformanceCase {
  /** Starts with the requirement, row or code that it is for. */
  readonly name: string;
  /** Which authenticator is asked. Default `strict`. */
  readonly authenticator?: Variant | undefined;
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'OPTIONS' | undefined;
  /** `{name}` in it stands for that token. */
  readonly path: string;
  /** Sent as written, in this order. */
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
  readonly expect: Expectation;
}

/** Either a refusal by its code, or an answer. */
export type Expectation =
  | { readonly code: AuthErrorCode; readonly scope?: string }
  | {
      readonly status: number;
      /** Members that the JSON body must have. */
      readonly body?: { readonly [name: string]: JsonValue };
      /** Headers that the answer must have, by lower-case name. */
      readonly headers?: { readonly [name: string]: string };
      /** Whether the handler ran. Default: it did. */
      readonly handled?: boolean;
    };

const bearer = (token: TokenName) => [['Authorization', `Bearer {${token}}`]] as const;

/** A token on a route, and the code that refuses it. */
const refused = (code: AuthErrorCode, ...names: readonly TokenName[]): readonly ConformanceCase[] =>
  names.map((token) => ({
    name: `${code}: ${token}`,
    path: '/token',
    headers: bearer(token),
    expect: { code },
  }));

const allowed = (path: string, token: TokenName, name = 'allowed'): ConformanceCase => ({
  name: `${name}: ${path}, ${token}`,
  path,
  headers: bearer(token),
  expect: { status: 200 },
});

const lacking = (path: string, token: TokenName, name = 'claims_insufficient'): ConformanceCase => ({
  name: `${name}: ${path}, ${token}`,
  path,
  headers: bearer(token),
  expect: { code: 'claims_insufficient' },
});

const carried = (
  name: string,
  headers: ConformanceCase['headers'],
  expect: Expectation,
): ConformanceCase => ({
  name,
  path: '/token',
  headers,
  expect,
});

const ok = { status: 200, body: { subject: 'alice' } } as const;
const missing = { code: 'credentials_missing' } as const;
const malformed = { code: 'credentials_malformed' } as const;

const ambiguous = { code: 'credentials_ambiguous' } as const;
const refusedOrigin = { code: 'origin_refused' } as const;

/** A request to the authenticator that looks in many places. */
const inCarriers = (
  name: string,
  rest: Pick<ConformanceCase, 'method' | 'headers' | 'expect'> & { readonly path?: string },
): ConformanceCase => ({ name, authenticator: 'carriers', path: '/token', ...rest });

/** All cases. */
export const cases: readonly ConformanceCase[] = [
  // Carriage: RFC 6750 §2.1, RFC 9110 §11.
  {
    name: 'AK-42: a public route asks for nothing',
    path: '/public',
    expect: { status: 200, body: { public: true } },
  },
  carried('A0: no credentials', [], missing),
  carried('A0: an empty Authorization header', [['Authorization', '']], missing),
  carried('T-076: another scheme', [['Authorization', 'Basic YTpi']], missing),
  carried('T-076: a scheme that only starts like Bearer', [['Authorization', 'BearerX {good}']], missing),
  carried('T-076: the scheme is compared without case', [['Authorization', 'bEARER {good}']], ok),
  carried('T-076: the header name is compared without case', [['aUTHORIZATION', 'Bearer {good}']], ok),
  carried('T-076: no token after the scheme', [['Authorization', 'Bearer']], malformed),
  carried('T-076: only spaces after the scheme', [['Authorization', 'Bearer   ']], malformed),
  carried('T-077: several spaces', [['Authorization', 'Bearer   {good}']], ok),
  carried('T-077: a tab', [['Authorization', 'Bearer\t{good}']], malformed),
  carried('T-077: a no-break space', [['Authorization', 'Bearer\u00a0{good}']], malformed),
  carried('T-077: something after the token', [['Authorization', 'Bearer {good} x']], malformed),
  carried('T-075: two tokens, comma-joined', [['Authorization', 'Bearer {good}, Bearer {good}']], malformed),
  carried('T-075: quoted', [['Authorization', 'Bearer "{good}"']], malformed),
  carried(
    'T-074: two Authorization headers',
    [
      ['Authorization', 'Bearer {good}'],
      ['authorization', 'Bearer {expired}'],
    ],
    { code: 'credentials_ambiguous' },
  ),
  carried(
    'T-074: two Authorization headers, the first of another scheme',
    [
      ['Authorization', 'Basic YTpi'],
      ['Authorization', 'Bearer {good}'],
    ],
    { code: 'credentials_ambiguous' },
  ),
  carried(
    'T-092: forwarded headers decide nothing',
    [
      ['X-Original-URL', '/public'],
      ['X-Rewrite-URL', '/public'],
    ],
    missing,
  ),
  carried(
    'T-085: Proxy-Authorization is not Authorization',
    [['Proxy-Authorization', 'Bearer {good}']],
    missing,
  ),

  // Methods: RFC 9110 §9. Nothing is exempt by method.
  { name: 'T-090: HEAD without a token', method: 'HEAD', path: '/token', expect: missing },
  { name: 'T-090: POST without a token', method: 'POST', path: '/token', expect: missing },
  { name: 'T-090: OPTIONS without a token', method: 'OPTIONS', path: '/token', expect: missing },
  { name: 'T-090: POST with a token', method: 'POST', path: '/token', headers: bearer('good'), expect: ok },

  // The token: RFC 7515, RFC 7519, RFC 8725.
  allowed('/token', 'good', 'AK-1'),
  allowed('/token', 'good, audience in a list', 'AM-18'),
  allowed('/token', 'good, typ at+jwt', 'T-046'),
  allowed('/token', 'good, no typ', 'T-046'),
  allowed('/token', 'good, no kid', 'T-127'),
  ...refused(
    'token_malformed',
    'two segments',
    'four segments',
    'padded signature',
    'unused bits set',
    'too long',
    'payload is a list',
    'payload is null',
    'payload is no JSON',
    'payload with a byte order mark',
    'payload with invalid UTF-8',
    'payload with a repeated member',
    'payload with an escaped twin',
    'payload with a lone surrogate',
    'payload nested deep',
    'exp beyond a double',
    'crit',
    'b64 false',
    'zip',
    'nested token',
    'encrypted',
    'kid as number',
    'kid too long',
    'alg as list',
    'without alg',
    'alg none, no signature',
  ),
  ...refused(
    'token_algorithm_refused',
    'alg none',
    'alg nOnE',
    'alg __proto__',
    'alg rs256',
    'alg PS256 with an RS256 key',
    'HS256 with the public PEM',
    'HS256 with the public JWK',
    'HS256 with an empty secret',
  ),
  ...refused('token_type_refused', 'typ logout+jwt'),
  ...refused(
    'token_issuer_untrusted',
    'other issuer',
    'issuer with a slash',
    'issuer in a list',
    'without issuer',
  ),
  ...refused('token_key_unknown', 'stranger, own kid', 'stranger, kid __proto__'),
  ...refused(
    'token_signature_invalid',
    'stranger, known kid',
    'stranger, key in the header',
    'payload changed',
    'signature cut',
    'signature of another token',
  ),
  ...refused('token_expired', 'expired'),
  ...refused('token_not_yet_valid', 'not yet valid', 'issued in the future'),
  ...refused(
    'token_audience_mismatch',
    'other audience',
    'audience in other case',
    'without audience',
    'empty audience',
  ),
  ...refused(
    'token_claims_invalid',
    'without exp',
    'exp as text',
    'exp in milliseconds',
    'sub as number',
    'sub with a newline',
    'groups as text',
  ),
  ...refused('keyset_unavailable', 'issuer down'),

  // Rules of a route.
  allowed('/scope', 'good, friends:read', 'AK-42'),
  allowed('/scope', 'good, scope as array', 'AK-42'),
  allowed('/scopes', 'good, friends:read and friends:write', 'AK-42'),
  ...(['good', 'good, notfriends:read'] as const).map((token) => ({
    name: `T-063, scope_insufficient: ${token}`,
    path: '/scope',
    headers: bearer(token),
    expect: { code: 'scope_insufficient', scope: 'friends:read' } as const,
  })),
  {
    name: 'scope_insufficient: one of two scopes',
    path: '/scopes',
    headers: bearer('good, friends:read'),
    expect: { code: 'scope_insufficient', scope: 'friends:read friends:write' },
  },
  allowed('/roles', 'good, admin and dev', 'AM-23'),
  lacking('/roles', 'good, admin only', 'AM-23'),
  lacking('/roles', 'good, roles as text', 'S28'),
  lacking('/roles', 'good'),
  allowed('/all-of', 'good, admin and dev', 'AM-22'),
  lacking('/all-of', 'good, admin only', 'AM-22'),
  allowed('/any-of', 'good, admin only'),
  lacking('/any-of', 'good, roles as text'),
  allowed('/literal', 'good, IT', 'AM-23'),
  lacking('/literal', 'good, it', 'AM-16'),
  lacking('/literal', 'good, IT, internal as text', 'S27'),
  lacking('/literal', 'good, IT, floor as text', 'S27'),
  allowed('/pattern', 'good, my-subject-456', 'S22'),
  lacking('/pattern', 'good, not-my-subject-456', 'S22'),
  lacking('/pattern', 'good, my-subject-456 with a newline', 'T-067'),
  allowed('/present', 'good, IT', 'AM-13'),
  lacking('/present', 'good', 'AM-13'),
  lacking('/present', 'good, dept null', 'S26'),
  allowed('/optional', 'good', 'AM-14'),
  allowed('/optional', 'good, bldg 4', 'AM-23'),
  lacking('/optional', 'good, bldg 5', 'AM-23'),
  lacking('/optional', 'good, bldg null', 'S26'),
  { name: 'A route with rules asks for a token', path: '/roles', expect: missing },

  allowed('/none-of', 'good, admin and dev', 'T-065'),
  lacking('/none-of', 'good, banned', 'T-065'),
  lacking('/none-of', 'good', 'T-065'),
  allowed('/exactly', 'good, admin, dev and no other', 'S24'),
  lacking('/exactly', 'good, admin and dev', 'S24'),
  allowed('/values', 'good, admin and dev', 'S23'),
  lacking('/values', 'good, admin only', 'S23'),
  allowed('/path', 'good, nested admin', 'S31'),
  lacking('/path', 'good, admin in a dotted claim', 'S31'),
  allowed('/nested', 'good, admin in a dotted claim', 'S31'),
  lacking('/nested', 'good, nested admin', 'AG-6, S31'),
  { ...allowed('/nested', 'good, nested admin', 'AG-6, with a delimiter'), authenticator: 'nested' },
  {
    ...lacking('/nested', 'good, admin in a dotted claim', 'S31, with a delimiter'),
    authenticator: 'nested',
  },
  allowed('/rows', 'good, IT in building 4', 'AM-23'),
  allowed('/rows', 'good, IT', 'AM-14'),
  lacking('/rows', 'good, IT in building 5', 'AM-23'),
  lacking('/rows', 'good, IT in building "4"', 'S27'),
  lacking('/rows', 'good', 'AM-13'),
  allowed('/tenants/acme', 'good, tenant acme', 'fromRequest'),
  lacking('/tenants/other', 'good, tenant acme', 'fromRequest'),
  lacking('/tenants/acme', 'good', 'fromRequest'),
  lacking('/tenants/__proto__', 'good, tenant acme', 'T-014'),

  // What a route says instead of the options.
  {
    name: 'S4: an issuer that this route does not welcome',
    path: '/issuers',
    headers: bearer('good'),
    expect: { code: 'token_issuer_untrusted' },
  },
  {
    name: 'AM-9: anonymous is welcome here',
    path: '/may-be-anonymous',
    expect: { status: 200, body: { subject: null } },
  },
  {
    name: 'T-079: a bad token is not welcome where anonymous is',
    path: '/may-be-anonymous',
    headers: bearer('expired'),
    expect: { code: 'token_expired' },
  },
  {
    name: 'AM-9: a good token counts where anonymous is welcome',
    path: '/may-be-anonymous',
    headers: bearer('good'),
    expect: ok,
  },
  ...(['expired', 'alg none', 'stranger, known kid'] as const).map((token) => ({
    name: `D9: permissive, and nothing of a bad token: ${token}`,
    path: '/may-be-bad',
    headers: bearer(token),
    expect: { status: 200, body: { subject: null, claims: null } } as const,
  })),
  {
    name: 'D9: permissive for the whole service',
    authenticator: 'permissive',
    path: '/token',
    headers: bearer('expired'),
    expect: { status: 200, body: { subject: null, claims: null } },
  },
  {
    name: 'D9: permissive, a bad token on a route with rules',
    authenticator: 'permissive',
    path: '/roles',
    headers: bearer('stranger, known kid'),
    expect: missing,
  },

  // Where a token stands.
  ...(
    [
      ['a header of its own', [['X-Token', '{good}']]],
      ['a scheme of its own', [['X-Scheme', 'Token {good}']]],
      ['a cookie', [['Cookie', 'a=1; token={good}; b=2']]],
      ['the same cookie twice', [['Cookie', 'token="{good}"; token={good}']]],
      ['Authorization, of several places', [['Authorization', 'Bearer {good}']]],
    ] as const
  ).map(([name, headers]) => inCarriers(`AM-5: ${name}`, { headers, expect: ok })),
  inCarriers('S35: no token in any place', { expect: missing }),
  inCarriers('T-085: two of a header of its own', {
    headers: [
      ['X-Token', '{good}'],
      ['X-Token', '{good}'],
    ],
    expect: ambiguous,
  }),
  inCarriers('T-085: another scheme in a header of its own', {
    headers: [['X-Scheme', 'Bearer {good}']],
    expect: missing,
  }),
  inCarriers('T-078: a header and a cookie', {
    headers: [
      ['Authorization', 'Bearer {good}'],
      ['Cookie', 'token={good}'],
    ],
    expect: ambiguous,
  }),
  inCarriers('T-080: two different cookies of one name', {
    headers: [['Cookie', 'token={good}; token={expired}']],
    expect: ambiguous,
  }),
  inCarriers('T-080: two Cookie headers', {
    headers: [
      ['Cookie', 'token={good}'],
      ['Cookie', 'token={expired}'],
    ],
    expect: ambiguous,
  }),
  ...(
    [
      ['same origin', [['Sec-Fetch-Site', 'same-origin']], ok],
      ['the own origin, old browser', [['Origin', 'http://localhost']], ok],
      [
        'an origin that is listed',
        [
          ['Origin', 'https://app.example.com'],
          ['Sec-Fetch-Site', 'cross-site'],
        ],
        ok,
      ],
      ['another site', [['Sec-Fetch-Site', 'cross-site']], refusedOrigin],
      ['another origin of the same site', [['Sec-Fetch-Site', 'same-site']], refusedOrigin],
      ['another origin, old browser', [['Origin', 'https://evil.example']], refusedOrigin],
      ['Origin: null', [['Origin', 'null']], refusedOrigin],
      ['nothing said', [], refusedOrigin],
    ] as const
  ).map(([name, headers, expectation]) =>
    inCarriers(`T-081: POST with a cookie: ${name}`, {
      method: 'POST',
      headers: [['Cookie', 'token={good}'], ...headers],
      expect: expectation,
    }),
  ),
  inCarriers('T-081: GET with a cookie from another site', {
    headers: [
      ['Cookie', 'token={good}'],
      ['Sec-Fetch-Site', 'cross-site'],
    ],
    expect: ok,
  }),
  inCarriers('T-082: the query', {
    path: '/token?a=1&access_token={good}',
    expect: { ...ok, headers: { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' } },
  }),
  inCarriers('T-083: a token in the query is gone from the URL', {
    path: '/url?a=%20&access_token={good}&b=2',
    expect: { status: 200, body: { url: '/url?a=%20&b=2' } },
  }),
  inCarriers('T-083: a bad token in the query stays out of the answer', {
    path: '/token?access_token={expired}',
    expect: { code: 'token_expired' },
  }),
  inCarriers('T-082: two in the query', {
    path: '/token?access_token={good}&access_token={good}',
    expect: ambiguous,
  }),
  inCarriers('T-082: a name that only looks like it', {
    path: '/token?access_token[]={good}',
    expect: missing,
  }),
  {
    name: 'D11: the query is not looked at unless asked',
    path: '/token?access_token={good}',
    expect: missing,
  },
  {
    name: 'D12: cookies are not looked at unless asked',
    path: '/token',
    headers: [['Cookie', 'token={good}; access_token={good}; Authorization=Bearer {good}']],
    expect: missing,
  },

  // Kinds of tokens.
  ...refused('token_claims_invalid', 'bound to a key'),
  {
    name: 'T-046: the access-token profile wants its type',
    authenticator: 'profile',
    path: '/token',
    headers: bearer('good'),
    expect: { code: 'token_type_refused' },
  },
  {
    name: 'T-046: the access-token profile wants its claims',
    authenticator: 'profile',
    path: '/token',
    headers: bearer('good, typ at+jwt'),
    expect: { code: 'token_claims_invalid' },
  },

  // What surrounds the decision.
  {
    name: 'T-086: the realm is in the challenge',
    authenticator: 'realm',
    path: '/token',
    expect: missing,
  },
  {
    name: 'T-086: the realm is in the challenge of a rule',
    authenticator: 'realm',
    path: '/scope',
    headers: bearer('good'),
    expect: { code: 'scope_insufficient', scope: 'friends:read' },
  },
  {
    name: 'T-079: optional, no token',
    authenticator: 'optional',
    path: '/token',
    expect: { status: 200, body: { subject: null } },
  },
  {
    name: 'T-079: optional, a good token',
    authenticator: 'optional',
    path: '/token',
    headers: bearer('good'),
    expect: ok,
  },
  {
    name: 'T-079: optional, a bad token',
    authenticator: 'optional',
    path: '/token',
    headers: bearer('expired'),
    expect: { code: 'token_expired' },
  },
  {
    name: 'T-079: optional, a malformed credential',
    authenticator: 'optional',
    path: '/token',
    headers: [['Authorization', 'Bearer']],
    expect: malformed,
  },
  {
    name: 'T-079: optional, no token on a route with rules',
    authenticator: 'optional',
    path: '/roles',
    expect: missing,
  },
  {
    name: "T-099: a handler's own fault stays what it is",
    path: '/fault',
    headers: bearer('good'),
    expect: { status: 500 },
  },
  {
    name: 'T-107: a handler cannot change the principal',
    path: '/mutate',
    headers: bearer('good, admin only'),
    expect: { status: 200, body: { outcomes: ['refused', 'refused', 'refused'], subject: 'alice' } },
  },
  {
    name: 'T-109: an unknown path, no token',
    path: '/nowhere',
    expect: { status: 404, handled: false },
  },
];
