// The registered claims, RFC 7519 §4.1: what time, audience and identity have to say. Runs only after the signature is good.
import { AuthError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../token/json.ts';

/** How the registered claims are judged. */
export interface RegisteredClaimsPolicy {
  /** Any of these will do. Null: the audience is not checked. */
  readonly audience: ReadonlySet<string> | null;
  /** Leeway for clocks that disagree, in both directions. */
  readonly clockSkewMs: number;
  readonly requireExp: boolean;
}

// The year 2242. A larger number is no time in seconds: most likely milliseconds were written.
const MAX_NUMERIC_DATE = 2 ** 33;

/**
 * Judges exp, nbf, iat, sub and aud, in that order.
 * @param nowMs the wall clock, milliseconds since the epoch
 * @throws AuthError `token_expired`, `token_not_yet_valid`, `token_audience_mismatch`, `token_claims_invalid`
 * @throws TypeError if the clock gave no time
 */
export function checkRegisteredClaims(
  claims: JsonObject,
  { audience, clockSkewMs, requireExp }: RegisteredClaimsPolicy,
  nowMs: number,
): void {
  // Every comparison with NaN is false, and would let the token pass.
  if (!Number.isFinite(nowMs)) throw new TypeError('the clock gave no time');
  const exp = readNumericDate(claims, 'exp');
  const nbf = readNumericDate(claims, 'nbf');
  const iat = readNumericDate(claims, 'iat');
  if (exp === undefined) {
    if (requireExp) throw invalid('exp is missing');
    // §4.1.4: on or after exp the token must not be accepted.
  } else if (nowMs >= exp * 1000 + clockSkewMs) {
    throw new AuthError('token_expired');
  }
  // §4.1.5: before nbf the token must not be accepted.
  if (nbf !== undefined && nowMs < nbf * 1000 - clockSkewMs) throw new AuthError('token_not_yet_valid');
  if (iat !== undefined) {
    if (nowMs < iat * 1000 - clockSkewMs) {
      throw new AuthError('token_not_yet_valid', { detail: 'iat is in the future' });
    }
    if (exp !== undefined && iat > exp) throw invalid('iat is after exp');
  }
  for (const name of ['sub', 'jti', 'client_id'] as const) checkIdentifier(claims, name);
  if (audience !== null) checkAudience(own(claims, 'aud'), audience);
}

/** §4.1.3: any audience of the token that is one of ours, compared by code points. */
function checkAudience(aud: JsonValue | undefined, audience: ReadonlySet<string>): void {
  const values = Array.isArray(aud) ? aud : [aud];
  if (values.length === 0 || !values.every((value) => typeof value === 'string' && value !== '')) {
    throw new AuthError('token_audience_mismatch', { detail: 'aud is missing or no list of strings' });
  }
  if (!values.some((value) => audience.has(value))) throw new AuthError('token_audience_mismatch');
}

/** NumericDate, RFC 7519 §2: seconds, possibly with a fraction. */
function readNumericDate(claims: JsonObject, name: string): number | undefined {
  const value = own(claims, name);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value >= 0 && value < MAX_NUMERIC_DATE)) {
    throw invalid(`${name} is not a time in seconds`);
  }
  return value;
}

/** Identifiers end up in logs, directories and headers: blank ones and control characters are nobody's. */
function checkIdentifier(claims: JsonObject, name: string): void {
  const value = own(claims, name);
  if (value !== undefined && (typeof value !== 'string' || value.trim() === '' || /\p{Cc}/u.test(value))) {
    throw invalid(`${name} is not a string that names somebody`);
  }
}

function own(claims: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

function invalid(detail: string): AuthError {
  return new AuthError('token_claims_invalid', { detail });
}
