// The registered claims (RFC 7519 §4.1): what times, audience and identifiers must say. Each check
// is declared once, for the decision and for `explain`. They run only on claims that can be
// trusted.
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

/** One check of the registered claims. */
export interface RegisteredCheck {
  readonly claim: string;
  /** Why the claims are refused; undefined if they pass this check. */
  readonly judge: (claims: JsonObject, nowMs: number) => AuthError | undefined;
  /** What is expected, for `explain`. */
  readonly expected: (now: string) => string;
  /**
   * `explain` leaves out the check of an absent claim, or one that passed. Default: it shows all.
   */
  readonly shown?: 'if present' | 'if failed';
}

/** The year 2242. A larger number is not a time in seconds; milliseconds are the usual mistake. */
export const MAX_NUMERIC_DATE = 2 ** 33;

/** The checks of a policy, in the order of the decision. */
export function registeredChecks(policy: RegisteredClaimsPolicy): readonly RegisteredCheck[] {
  const skew = `give or take ${policy.clockSkewMs / 1000} s`;
  return Object.freeze([
    ...(['exp', 'nbf', 'iat'] as const).map(
      (claim): RegisteredCheck => ({
        claim,
        judge: (claims) => checkNumericDate(claims, claim),
        expected: () => 'a time in seconds',
        shown: 'if failed',
      }),
    ),
    {
      claim: 'exp',
      judge: (claims, nowMs) => checkExp(own(claims, 'exp'), policy, nowMs),
      expected: (now) => `${policy.requireExp ? '' : 'if there: '}after ${now}, ${skew}`,
    },
    {
      claim: 'nbf',
      // §4.1.5: before nbf the token must not be accepted.
      judge: (claims, nowMs) =>
        isBefore(own(claims, 'nbf'), policy, nowMs) ? new AuthError('token_not_yet_valid') : undefined,
      expected: (now) => `if there: not after ${now}, ${skew}`,
    },
    {
      claim: 'iat',
      judge: (claims, nowMs) => checkIat(own(claims, 'iat'), own(claims, 'exp'), policy, nowMs),
      expected: (now) => {
        const { maxTokenAgeMs } = policy;
        const age = maxTokenAgeMs === undefined ? '' : `, and not older than ${maxTokenAgeMs / 1000} s`;
        return `not after ${now} or exp, ${skew}${age}`;
      },
    },
    ...(policy.required ?? []).map(
      (claim): RegisteredCheck => ({
        claim,
        judge: (claims) =>
          (own(claims, claim) ?? null) === null ? invalid(`${claim} is missing`) : undefined,
        expected: () => 'there',
      }),
    ),
    {
      claim: 'cnf',
      // RFC 7800 §3.1: the presenter has to prove that it holds the key. A bearer proves nothing.
      judge: (claims) =>
        policy.acceptSenderConstrained !== true && Object.hasOwn(claims, 'cnf')
          ? invalid('the token is bound to a key')
          : undefined,
      expected: () => 'absent: the proof of a key is not checked',
      shown: 'if present',
    },
    ...(['sub', 'jti', 'client_id'] as const).map(
      (claim): RegisteredCheck => ({
        claim,
        judge: (claims) => {
          const value = own(claims, claim);
          const isGood = value === undefined || isIdentifier(value);
          return isGood ? undefined : invalid(`${claim} is not a string that names somebody`);
        },
        expected: () => 'a text that names somebody',
        shown: 'if present',
      }),
    ),
    {
      claim: 'aud',
      judge: (claims) => checkAudience(own(claims, 'aud'), policy),
      expected: () =>
        `${policy.audienceMatch === 'all' ? 'all' : 'one'} of ${JSON.stringify([...(policy.audience ?? [])])}`,
    },
  ]);
}

/**
 * The first refusal of these checks; undefined if all pass.
 * @param nowMs the wall clock, milliseconds since the epoch
 * @param note called with each check; where it is given, all of them run
 * @throws TypeError if the clock gave no time
 */
export function judgeRegisteredClaims(
  checks: readonly RegisteredCheck[],
  claims: JsonObject,
  nowMs: number,
  note?: (check: RegisteredCheck, refusal: AuthError | undefined) => void,
): AuthError | undefined {
  // Every comparison with NaN is false, and would let the token pass.
  if (!Number.isFinite(nowMs)) throw new TypeError('the clock gave no time');
  let first: AuthError | undefined;
  for (const check of checks) {
    const refusal = check.judge(claims, nowMs);
    first ??= refusal;
    note?.(check, refusal);
    if (first !== undefined && note === undefined) break;
  }
  return first;
}

/** When accepted claims have to be judged again. Milliseconds since the epoch. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** The times between which the registered claims that were accepted once are accepted again. */
export function validityOf(
  claims: JsonObject,
  {
    clockSkewMs,
    maxTokenAgeMs = Number.POSITIVE_INFINITY,
  }: Pick<RegisteredClaimsPolicy, 'clockSkewMs' | 'maxTokenAgeMs'>,
): Validity {
  const [exp, nbf, iat] = ['exp', 'nbf', 'iat'].map((name) => own(claims, name)) as (number | undefined)[];
  const notBefore = Math.max(nbf ?? 0, iat ?? 0) * 1000;
  const expiry = exp === undefined ? Number.POSITIVE_INFINITY : exp * 1000;
  const tooOld = iat === undefined ? Number.POSITIVE_INFINITY : iat * 1000 + maxTokenAgeMs;
  return { fromMs: notBefore - clockSkewMs, untilMs: Math.min(expiry, tooOld) + clockSkewMs };
}

/** NumericDate, RFC 7519 §2: seconds, possibly with a fraction. */
function isNumericDate(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < MAX_NUMERIC_DATE;
}

/** Printable ASCII without blanks. */
const PLAIN = /^[\x21-\x7e]+$/;

/**
 * True for a name that can go into logs, directories and headers: not blank, no control characters.
 */
export function isIdentifier(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  return PLAIN.test(value) || (value.trim() !== '' && !/\p{Cc}/u.test(value));
}

function checkNumericDate(claims: JsonObject, name: string): AuthError | undefined {
  const value = own(claims, name);
  return value === undefined || isNumericDate(value)
    ? undefined
    : invalid(`${name} is not a time in seconds`);
}

function checkExp(
  exp: JsonValue | undefined,
  { requireExp, clockSkewMs }: RegisteredClaimsPolicy,
  nowMs: number,
): AuthError | undefined {
  if (exp === undefined) return requireExp ? invalid('exp is missing') : undefined;
  // §4.1.4: on or after exp the token must not be accepted.
  return nowMs >= Number(exp) * 1000 + clockSkewMs ? new AuthError('token_expired') : undefined;
}

function checkIat(
  iat: JsonValue | undefined,
  exp: JsonValue | undefined,
  { clockSkewMs, treatIatAsNbf = false, maxTokenAgeMs }: RegisteredClaimsPolicy,
  nowMs: number,
): AuthError | undefined {
  if (iat === undefined)
    return treatIatAsNbf || maxTokenAgeMs !== undefined ? invalid('iat is missing') : undefined;
  if (isBefore(iat, { clockSkewMs }, nowMs))
    return new AuthError('token_not_yet_valid', { detail: 'iat is in the future' });
  if (exp !== undefined && Number(iat) > Number(exp)) return invalid('iat is after exp');
  if (maxTokenAgeMs !== undefined && nowMs >= Number(iat) * 1000 + maxTokenAgeMs + clockSkewMs)
    return new AuthError('token_expired', { detail: 'the token is older than maxTokenAge' });
  return undefined;
}

function isBefore(
  time: JsonValue | undefined,
  { clockSkewMs }: Pick<RegisteredClaimsPolicy, 'clockSkewMs'>,
  nowMs: number,
): boolean {
  return time !== undefined && nowMs < Number(time) * 1000 - clockSkewMs;
}

/** §4.1.3: the token's audiences that this service has, compared by code points. */
function checkAudience(
  aud: JsonValue | undefined,
  { audience, audienceMatch = 'any' }: RegisteredClaimsPolicy,
): AuthError | undefined {
  if (audience === null) return undefined;
  const values: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (values.length === 0 || !values.every((value) => typeof value === 'string' && value !== ''))
    return new AuthError('token_audience_mismatch', { detail: 'aud is missing or no list of strings' });
  const named: ReadonlySet<unknown> = audience;
  const holds =
    audienceMatch === 'all'
      ? new Set(values.filter((value) => named.has(value))).size === audience.size
      : values.some((value) => named.has(value));
  return holds ? undefined : new AuthError('token_audience_mismatch');
}

function invalid(detail: string): AuthError {
  return new AuthError('token_claims_invalid', { detail });
}
