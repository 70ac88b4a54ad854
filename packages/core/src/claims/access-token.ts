// The claims of OAuth access tokens (RFC 9068), for `profile: 'at+jwt'`: which are required, and of
// which types. The checks of every token are in registered.ts.
import { AuthError } from '../errors.ts';
import { type JsonValue, own } from '../values/json.ts';
import { kindOf } from '../values/kind.ts';
import { IDENTIFIER, isIdentifier } from './identifier.ts';
import { isNumericDate, type RegisteredCheck } from './registered.ts';

/** RFC 9068 §2.2. */
export const ACCESS_TOKEN_CLAIMS = ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'] as const;

/** RFC 6749 §3.3: the characters of scopes, and spaces. Some servers write no scope as ''. */
const SCOPE = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

type Type = readonly [claim: string, expected: string, is: (value: JsonValue) => boolean];

const TYPES: readonly Type[] = [
  // RFC 9068 §2.2.1, OpenID Connect Core 1.0 §2.
  ['auth_time', 'a time in seconds', isNumericDate],
  ['acr', IDENTIFIER, isIdentifier],
  ['amr', 'a list of strings only', (value) => Array.isArray(value) && value.every(isIdentifier)],
  // RFC 9068 §2.2.3, RFC 8693 §4.2.
  [
    'scope',
    'scopes in ASCII, with spaces between',
    (value) => typeof value === 'string' && SCOPE.test(value),
  ],
];

/** The checks of claims that an access token may have. */
export const accessTokenChecks: readonly RegisteredCheck[] = TYPES.map(
  ([claim, expected, is]): RegisteredCheck => ({
    claim,
    judge: (claims) => {
      const value = own(claims, claim);
      if (value === undefined || is(value)) return undefined;
      const detail = `${claim}: expected ${expected}, got ${kindOf(value)}`;
      return new AuthError('token_claims_invalid', { detail });
    },
    expected: () => expected,
    shown: 'if present',
  }),
);
