// One check of an explanation, and how its texts are written. It judges nothing.

import { ruleText } from '../claims/normalize.ts';
import type { AuthError, AuthErrorCode } from '../errors.ts';
import type { VerificationKey } from '../jwk/import-jwks.ts';
import type { Keyset } from '../keysets/keyset.ts';
import { textOf } from '../values/text.ts';
import type { AuthenticatorSettings } from './options.ts';
import type { TraceEvent } from './trace.ts';

/** An event of one stage. */
export type StageEvent<Stage extends TraceEvent['stage']> = Extract<TraceEvent, { readonly stage: Stage }> &
  Pick<TraceEvent, 'refusal'>;

/** One check. Its texts may hold claims of the token, and nothing of its signature or of a key. */
export interface ExplainedCheck {
  /** What is checked, in the order of the decision. */
  readonly check:
    | 'credentials'
    | 'form'
    | 'type'
    | 'algorithm'
    | 'issuer'
    | 'keys'
    | 'remote'
    | 'registered claims'
    | 'claims'
    | 'groups'
    | 'route';
  /** What of it: `keySets[0]`, `exp`, `dept`. */
  readonly about: string;
  /** `skipped`: it does not count here. `unknown`: it could not be found out. */
  readonly outcome: 'passed' | 'failed' | 'skipped' | 'unknown';
  readonly expected?: string | undefined;
  readonly actual?: string | undefined;
  readonly detail?: string | undefined;
  /** Why a request is refused for it. */
  readonly code?: AuthErrorCode | undefined;
  /** What it consists of. */
  readonly checks?: readonly ExplainedCheck[] | undefined;
}

/** What a refusal says. */
export function refusalText({ status, code, detail, message }: AuthError) {
  return { outcome: status === 503 ? 'unknown' : 'failed', code, detail: detail ?? message } as const;
}

/** Passed, or what the refusal says. */
export function outcomeOf(
  refusal: AuthError | undefined,
): Pick<ExplainedCheck, 'outcome' | 'code' | 'detail'> {
  return refusal === undefined ? { outcome: 'passed' } : refusalText(refusal);
}

/** The same checks, where they are not what a request is refused for. */
export function withoutCodes(checks: readonly ExplainedCheck[]): readonly ExplainedCheck[] {
  return checks.map(({ code: _code, ...check }) =>
    check.checks === undefined ? check : { ...check, checks: withoutCodes(check.checks) },
  );
}

/** A time of a claim, which is seconds, as people read it. */
export function timeText(value: unknown): string {
  const isTime = typeof value === 'number' && Math.abs(value) < 8.64e12;
  return isTime ? `${value} (${new Date(value * 1000).toISOString()})` : textOf(value);
}

/** What one keyset has for the token. */
export function keysetCheck({
  keyset,
  kid,
  snapshot,
  tried,
  known,
  refusal,
}: StageEvent<'keyset'>): ExplainedCheck {
  const about = { check: 'keys', about: keyset.name, actual: `kid ${textOf(kid)}` } as const;
  if (refusal !== undefined) return { ...about, ...refusalText(refusal) };
  const names = snapshot?.keys.map(nameOf) ?? [];
  const checks = tried.map(
    ({ key, hasSigned }): ExplainedCheck => ({
      check: 'keys',
      about: nameOf(key),
      outcome: hasSigned ? 'passed' : 'failed',
      detail: hasSigned ? 'has signed it' : 'has not signed it',
    }),
  );
  return {
    ...about,
    expected: `${keyset.report().source}, with ${names.length === 0 ? 'no keys' : names.join(', ')}`,
    outcome: tried.some(({ hasSigned }) => hasSigned) ? 'passed' : 'failed',
    detail: tried.length > 0 ? undefined : known ? 'none takes its algorithm' : 'has no such key',
    checks,
  };
}

/** Why a keyset is not asked; undefined for one that may be. */
export function whySkipped(
  keyset: Keyset,
  { candidates, issuer, algorithm }: StageEvent<'signature'>,
): string | undefined {
  if (!candidates.includes(keyset)) {
    if (keyset.issuer !== undefined) return `is for tokens of ${textOf(keyset.issuer)} alone`;
    return issuer === undefined
      ? 'is not for tokens without iss'
      : 'is for tokens whose iss no other keyset names';
  }
  if (algorithm === undefined) return 'is not asked about such an algorithm';
  if (keyset.allowed === undefined || keyset.allowed.has(algorithm)) return undefined;
  return `its allowedAlgorithms are ${[...keyset.allowed].join(', ')}`;
}

/** Never by its thumbprint: that of a symmetric key is a digest of the secret (RFC 7638 §7). */
function nameOf({ kid }: VerificationKey): string {
  return kid === undefined ? 'a key without a kid' : `key ${kid}`;
}

const TIMES: ReadonlySet<string> = new Set(['exp', 'nbf', 'iat']);

/** What a check of a registered claim says. */
export function registeredTexts(
  { check, claims, nowMs, isRemote, refusal }: StageEvent<'registered claim'>,
  { registered }: AuthenticatorSettings,
): Pick<ExplainedCheck, 'outcome' | 'expected' | 'actual' | 'detail' | 'code'> {
  const { claim } = check;
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (claim === 'aud' && (registered.audience === null || (isRemote && value === undefined)))
    return { outcome: 'skipped', actual: textOf(value), detail: 'the audience is not checked' };
  const actual = claim === 'cnf' ? 'there' : TIMES.has(claim) ? timeText(value) : textOf(value);
  return { expected: check.expected(new Date(nowMs).toISOString()), actual, ...outcomeOf(refusal) };
}

/** What a rule says of a claim. */
export function ruleCheck({
  stage,
  check,
  value,
  holds,
  refusal,
}: StageEvent<'claims' | 'route'>): ExplainedCheck {
  const about = {
    check: stage,
    about: check.claim === '' ? 'all claims' : check.claim,
    expected: ruleText(check.rule),
    actual: textOf(value),
  };
  if (holds === undefined)
    return {
      ...about,
      outcome: 'unknown',
      code: refusal?.code,
      detail: 'compares with the request, and there is none',
    };
  return refusal === undefined
    ? { ...about, outcome: 'passed' }
    : { ...about, outcome: 'failed', code: refusal.code };
}
