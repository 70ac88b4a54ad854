// The registered claims (RFC 7519 §4.1): times, audience and identifiers. Each check is declared
// once, for the decision and for `explain`. The checks run on verified claims only; the rules of
// options are not here.
import { AuthError, refusalIn } from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, own } from '../values/json.ts';
import { kindOf } from '../values/kind.ts';
import { actorOf } from './actor.ts';
import { type AudiencePolicy, audienceText, checkAudience } from './audience.ts';
import { IDENTIFIER, isIdentifier } from './identifier.ts';
import { isNumericSub } from './numeric-sub.ts';

/** How the registered claims are checked. */
export interface RegisteredClaimsPolicy extends AudiencePolicy {
  /** Leeway for clocks that disagree, in both directions. */
  readonly clockSkewMs: number;
  readonly requireExp: boolean;
  /** `iat` is required, and the token is not valid before it. */
  readonly treatIatAsNbf?: boolean | undefined;
  /** `iat` only informs: a time in the future is accepted. Not with the other uses of `iat`. */
  readonly allowFutureIat?: boolean | undefined;
  /** How long after `iat` a token is accepted; `iat` is then required. */
  readonly maxTokenAgeMs?: number | undefined;
  /** The longest time from `iat` to `exp`; both are then required. */
  readonly maxLifetimeMs?: number | undefined;
  /** A `sub` that is a whole number is accepted: `withTextSub` has made it a text. */
  readonly numericSub?: boolean | undefined;
  /** Claims that must be present. */
  readonly required?: readonly string[] | undefined;
  /** The checks of a profile and of a tenant, in addition to these. */
  readonly profile?: readonly RegisteredCheck[] | undefined;
  /** A token that is bound to a key (`cnf`, RFC 7800) is accepted without proof of the key. */
  readonly acceptSenderConstrained?: boolean | undefined;
  /**
   * Says what is wrong with the `cnf` of a token whose proof is judged next, with its request.
   * Undefined: no proof is judged, so a token with `cnf` is refused.
   */
  readonly whyNotProvable?: ((cnf: JsonValue) => string | undefined) | undefined;
  /** The token has to be a security event token (RFC 8417). Default: it must not be one. */
  readonly isSecurityEvent?: boolean | undefined;
}

/** One check of the registered claims. */
export interface RegisteredCheck {
  readonly claim: string;
  /** Returns why the claims are refused; undefined if they pass. */
  readonly judge: (claims: JsonObject, nowMs: number) => AuthError | undefined;
  /** The expectation, for `explain`. */
  readonly expected: (now: string) => string;
  /**
   * When `explain` shows the check: only if the claim is present, or only if the check failed.
   * Default: always.
   */
  readonly shown?: 'if present' | 'if failed';
  /** Why there is nothing to check, for `explain`. Default: there is. */
  readonly skipped?: string | undefined;
}

/**
 * A time in the year 2242. A greater number is not a time in seconds; it is usually in
 * milliseconds.
 */
export const MAX_NUMERIC_DATE = 2 ** 33;

/** Lists the checks of a policy, in the order of the decision. */
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
      expected: (now) => `${policy.requireExp ? '' : 'if present: '}after ${now}, ${skew}`,
    },
    {
      claim: 'nbf',
      // §4.1.5: before nbf the token must not be accepted.
      judge: (claims, nowMs) =>
        isBefore(own(claims, 'nbf'), policy, nowMs)
          ? new AuthError('token_not_yet_valid', {
              detail: `valid in ${seconds(Number(own(claims, 'nbf')) * 1000 - nowMs)} (nbf)`,
            })
          : undefined,
      expected: (now) => `if present: not after ${now}, ${skew}`,
    },
    {
      claim: 'iat',
      judge: (claims, nowMs) => checkIat(own(claims, 'iat'), own(claims, 'exp'), policy, nowMs),
      expected: (now) => {
        const { maxTokenAgeMs } = policy;
        const age = maxTokenAgeMs === undefined ? '' : `, and not older than ${maxTokenAgeMs / 1000} s`;
        const limit = policy.allowFutureIat === true ? 'exp' : `${now} or exp`;
        return `not after ${limit}, ${skew}${age}`;
      },
    },
    ...(policy.maxLifetimeMs === undefined ? [] : [lifetimeCheck(policy.maxLifetimeMs)]),
    ...(policy.required ?? []).map(
      (claim): RegisteredCheck => ({
        claim,
        judge: (claims) =>
          (own(claims, claim) ?? null) === null ? invalid(`${claim} is missing`) : undefined,
        expected: () => 'present',
      }),
    ),
    {
      claim: 'cnf',
      // RFC 7800 §3.1: the presenter must prove that it has the key. A bearer token proves nothing.
      judge: (claims) => {
        if (policy.acceptSenderConstrained === true || !Object.hasOwn(claims, 'cnf')) return undefined;
        if (policy.whyNotProvable === undefined) return invalid('the token is bound to a key');
        const problem = policy.whyNotProvable(own(claims, 'cnf') ?? null);
        return problem === undefined ? undefined : invalid(problem);
      },
      expected: () =>
        policy.whyNotProvable === undefined
          ? 'absent: the proof of a key is not checked'
          : 'only keys whose proof is checked',
      shown: 'if present',
    },
    {
      claim: 'events',
      // A logout token without typ, whose aud is this API, would be an access token otherwise.
      judge: (claims) => checkEvents(claims, policy),
      expected: () =>
        policy.isSecurityEvent === true
          ? 'an object with events'
          : 'no object: a token of events grants nothing',
      shown: 'if present',
    },
    ...(['sub', 'jti', 'client_id', 'azp', 'sid'] as const).map(
      (claim): RegisteredCheck => ({
        claim,
        judge: (claims) => {
          const value = own(claims, claim);
          if (value === undefined || isIdentifier(value)) return undefined;
          const advice = claim === 'sub' ? adviceOnSub(value, policy) : '';
          return invalid(`${claim}: expected ${IDENTIFIER}, got ${kindOf(value)}${advice}`);
        },
        expected: () => IDENTIFIER,
        shown: 'if present',
      }),
    ),
    ...(policy.profile ?? []),
    {
      claim: 'act',
      judge: (claims) => {
        try {
          actorOf(claims);
          return undefined;
        } catch (error) {
          return refusalIn(error);
        }
      },
      expected: () => 'an object with the sub of the actor',
      shown: 'if present',
    },
    {
      claim: 'aud',
      judge: (claims) => checkAudience(own(claims, 'aud'), policy),
      expected: () => audienceText(policy),
      skipped: policy.audience === null ? 'the audience is not checked' : undefined,
    },
  ]);
}

/**
 * Returns the first refusal of these checks; undefined if all pass.
 * @param nowMs the wall clock, milliseconds since the epoch
 * @param note called with each check; if given, the checks go on after a refusal
 * @throws TypeError if the clock returned no finite number
 */
export function judgeRegisteredClaims(
  checks: readonly RegisteredCheck[],
  claims: JsonObject,
  nowMs: number,
  note?: (check: RegisteredCheck, refusal: AuthError | undefined) => void,
): AuthError | undefined {
  // Every comparison with NaN is false, so the token would pass.
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

/** RFC 8417 §2.2: an object of events makes a JWT a security event token, whatever `typ` says. */
export function checkEvents(
  claims: JsonObject,
  { isSecurityEvent = false }: Pick<RegisteredClaimsPolicy, 'isSecurityEvent'> = {},
): AuthError | undefined {
  if (isJsonObject(own(claims, 'events')) === isSecurityEvent) return undefined;
  return invalid(isSecurityEvent ? 'events is not an object' : 'it is a security event token (events)');
}

function adviceOnSub(value: JsonValue, { numericSub }: RegisteredClaimsPolicy): string {
  if (typeof value !== 'number') return '';
  if (numericSub === true) return '; numericSub accepts whole numbers below 2^53 only';
  return isNumericSub(value) ? '; numericSub: true accepts whole numbers' : '';
}

/** The time in which accepted claims stay accepted. Milliseconds since the epoch. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Returns the time in which registered claims that were accepted once stay accepted. */
export function validityOf(
  claims: JsonObject,
  {
    clockSkewMs,
    maxTokenAgeMs = Number.POSITIVE_INFINITY,
    allowFutureIat = false,
  }: Pick<RegisteredClaimsPolicy, 'clockSkewMs' | 'maxTokenAgeMs' | 'allowFutureIat'>,
): Validity {
  const exp = own(claims, 'exp') as number | undefined;
  const nbf = own(claims, 'nbf') as number | undefined;
  const iat = own(claims, 'iat') as number | undefined;
  const notBefore = Math.max(nbf ?? 0, allowFutureIat ? 0 : (iat ?? 0)) * 1000;
  const expiry = exp === undefined ? Number.POSITIVE_INFINITY : exp * 1000;
  const tooOld = iat === undefined ? Number.POSITIVE_INFINITY : iat * 1000 + maxTokenAgeMs;
  return { fromMs: notBefore - clockSkewMs, untilMs: Math.min(expiry, tooOld) + clockSkewMs };
}

/** Both times come from the clock of the issuer, so no skew applies. */
function lifetimeCheck(maxLifetimeMs: number): RegisteredCheck {
  return {
    claim: 'exp',
    judge: (claims) => {
      const [exp, iat] = [own(claims, 'exp'), own(claims, 'iat')];
      if (exp === undefined || iat === undefined)
        return invalid(`${exp === undefined ? 'exp' : 'iat'} is missing; maxLifetime needs it`);
      const lifetimeMs = (Number(exp) - Number(iat)) * 1000;
      const isShort = lifetimeMs <= maxLifetimeMs;
      const limit = seconds(maxLifetimeMs);
      return isShort
        ? undefined
        : invalid(`exp is ${seconds(lifetimeMs)} after iat; maxLifetime is ${limit}`);
    },
    expected: () => `at most ${seconds(maxLifetimeMs)} after iat`,
  };
}

/** NumericDate, RFC 7519 §2: seconds, possibly with a fraction. */
export function isNumericDate(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < MAX_NUMERIC_DATE;
}

function checkNumericDate(claims: JsonObject, name: string): AuthError | undefined {
  const value = own(claims, name);
  if (value === undefined || isNumericDate(value)) return undefined;
  const isLarge = typeof value === 'number' && value >= MAX_NUMERIC_DATE;
  const got = isLarge ? 'a number that is too large; is it in milliseconds?' : kindOf(value);
  return invalid(`${name}: expected a time in seconds, got ${got}`);
}

/** A time span in whole seconds. */
function seconds(spanMs: number): string {
  return `${Math.floor(spanMs / 1000)} s`;
}

function checkExp(
  exp: JsonValue | undefined,
  { requireExp, clockSkewMs }: RegisteredClaimsPolicy,
  nowMs: number,
): AuthError | undefined {
  if (exp === undefined) return requireExp ? invalid('exp is missing') : undefined;
  // §4.1.4: on or after exp the token must not be accepted.
  return nowMs >= Number(exp) * 1000 + clockSkewMs
    ? new AuthError('token_expired', { detail: `expired ${seconds(nowMs - Number(exp) * 1000)} ago` })
    : undefined;
}

function checkIat(
  iat: JsonValue | undefined,
  exp: JsonValue | undefined,
  { clockSkewMs, treatIatAsNbf = false, allowFutureIat = false, maxTokenAgeMs }: RegisteredClaimsPolicy,
  nowMs: number,
): AuthError | undefined {
  if (iat === undefined)
    return treatIatAsNbf || maxTokenAgeMs !== undefined ? invalid('iat is missing') : undefined;
  if (!allowFutureIat && isBefore(iat, { clockSkewMs }, nowMs))
    return new AuthError('token_not_yet_valid', {
      detail: `iat is ${seconds(Number(iat) * 1000 - nowMs)} in the future`,
    });
  if (exp !== undefined && Number(iat) > Number(exp)) return invalid('iat is after exp');
  if (maxTokenAgeMs !== undefined && nowMs >= Number(iat) * 1000 + maxTokenAgeMs + clockSkewMs)
    return new AuthError('token_expired', {
      detail: `issued ${seconds(nowMs - Number(iat) * 1000)} ago; maxTokenAge is ${seconds(maxTokenAgeMs)}`,
    });
  return undefined;
}

function isBefore(
  time: JsonValue | undefined,
  { clockSkewMs }: Pick<RegisteredClaimsPolicy, 'clockSkewMs'>,
  nowMs: number,
): boolean {
  return time !== undefined && nowMs < Number(time) * 1000 - clockSkewMs;
}

function invalid(detail: string): AuthError {
  return new AuthError('token_claims_invalid', { detail });
}
