// The registered claims, RFC 7519 §4.1: what time, audience and identity have to say. Runs only after the signature is good.
import { AuthError } from '../errors.ts';
import { type JsonObject, type JsonValue, own } from '../values/json.ts';

/** How the registered claims are judged. */
export interface RegisteredClaimsPolicy {
  /** Null: the audience is not checked. */
  readonly audience: ReadonlySet<string> | null;
  /** Whether the token has to name one of them, or each. Default any. */
  readonly audienceMatch?: 'any' | 'all' | undefined;
  /** Leeway for clocks that disagree, in both directions. */
  readonly clockSkewMs: number;
  readonly requireExp: boolean;
  /** `iat` has to be there, and the token is not valid before it. */
  readonly treatIatAsNbf?: boolean | undefined;
  /** How long after `iat`, which has to be there, a token is accepted. */
  readonly maxTokenAgeMs?: number | undefined;
  /** Claims that have to be there. */
  readonly required?: readonly string[] | undefined;
  /** A token bound to a key (`cnf`, RFC 7800) is accepted without proof of it. */
  readonly acceptSenderConstrained?: boolean | undefined;
}

/** The year 2242. A larger number is no time in seconds: most likely milliseconds were written. */
export const MAX_NUMERIC_DATE = 2 ** 33;

/**
 * Judges exp, nbf, iat, sub and aud, in that order.
 * @param nowMs the wall clock, milliseconds since the epoch
 * @throws AuthError `token_expired`, `token_not_yet_valid`, `token_audience_mismatch`, `token_claims_invalid`
 * @throws TypeError if the clock gave no time
 */
export function checkRegisteredClaims(
  claims: JsonObject,
  policy: RegisteredClaimsPolicy,
  nowMs: number,
): void {
  const { audience, clockSkewMs, requireExp, treatIatAsNbf = false, maxTokenAgeMs } = policy;
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
    if (maxTokenAgeMs !== undefined && nowMs >= iat * 1000 + maxTokenAgeMs + clockSkewMs) {
      throw new AuthError('token_expired', { detail: 'the token is older than maxTokenAge' });
    }
  } else if (treatIatAsNbf || maxTokenAgeMs !== undefined) {
    throw invalid('iat is missing');
  }
  for (const name of policy.required ?? []) {
    if ((own(claims, name) ?? null) === null) throw invalid(`${name} is missing`);
  }
  // RFC 7800 §3.1: whoever presents it has to prove that the key is theirs, and a bearer proves nothing.
  if (policy.acceptSenderConstrained !== true && Object.hasOwn(claims, 'cnf')) {
    throw invalid('the token is bound to a key');
  }
  for (const name of ['sub', 'jti', 'client_id'] as const) checkIdentifier(claims, name);
  if (audience !== null) checkAudience(own(claims, 'aud'), audience, policy.audienceMatch ?? 'any');
}

/** When claims that were judged before are to be judged anew. Milliseconds since the epoch. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** The times between which `checkRegisteredClaims` says of these claims, which it has accepted, what it said then. */
export function validityOf(
  claims: JsonObject,
  { clockSkewMs, maxTokenAgeMs = Number.POSITIVE_INFINITY }: RegisteredClaimsPolicy,
): Validity {
  const [exp, nbf, iat] = (['exp', 'nbf', 'iat'] as const).map((name) => readNumericDate(claims, name));
  const notBefore = Math.max(nbf ?? 0, iat ?? 0) * 1000;
  const expiry = exp === undefined ? Number.POSITIVE_INFINITY : exp * 1000;
  const tooOld = iat === undefined ? Number.POSITIVE_INFINITY : iat * 1000 + maxTokenAgeMs;
  return { fromMs: notBefore - clockSkewMs, untilMs: Math.min(expiry, tooOld) + clockSkewMs };
}

/** §4.1.3: audiences of the token that are ours, compared by code points. */
function checkAudience(
  aud: JsonValue | undefined,
  audience: ReadonlySet<string>,
  match: 'any' | 'all',
): void {
  const values: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (values.length === 0 || !values.every((value) => typeof value === 'string' && value !== '')) {
    throw new AuthError('token_audience_mismatch', { detail: 'aud is missing or no list of strings' });
  }
  const named: ReadonlySet<unknown> = audience;
  const holds =
    match === 'all'
      ? new Set(values.filter((value) => named.has(value))).size === audience.size
      : values.some((value) => named.has(value));
  if (!holds) throw new AuthError('token_audience_mismatch');
}

/** NumericDate, RFC 7519 §2: seconds, possibly with a fraction. */
export function readNumericDate(claims: JsonObject, name: string): number | undefined {
  const value = own(claims, name);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value >= 0 && value < MAX_NUMERIC_DATE)) {
    throw invalid(`${name} is not a time in seconds`);
  }
  return value;
}

function checkIdentifier(claims: JsonObject, name: string): void {
  const value = own(claims, name);
  if (value !== undefined && !isIdentifier(value))
    throw invalid(`${name} is not a string that names somebody`);
}

/** Printable ASCII, with no blank in it. */
const PLAIN = /^[\x21-\x7e]+$/;

/** Identifiers end up in logs, directories and headers: blank ones and control characters are nobody's. */
export function isIdentifier(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  return PLAIN.test(value) || (value.trim() !== '' && !/\p{Cc}/u.test(value));
}

function invalid(detail: string): AuthError {
  return new AuthError('token_claims_invalid', { detail });
}
