// What every adapter must answer, as data: a request, and what comes of it. `{name}` in a header stands for that token.
import type { AuthErrorCode, JsonValue } from '@latchkey/core';
import type { TokenName } from './tokens.ts';

/** One case. */
export interface ConformanceCase {
  /** Starts with the requirement, row or code that it is for. */
  readonly name: string;
  /** Which authenticator is asked. Default `strict`. */
  readonly authenticator?: 'strict' | 'optional' | 'realm' | undefined;
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'OPTIONS' | undefined;
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
