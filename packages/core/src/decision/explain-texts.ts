// The checks of an explanation, and their texts. Decides nothing.

import { ruleText } from '../claims/normalize.ts';
import type { AuthError, AuthErrorCode } from '../errors.ts';
import type { VerificationKey } from '../jwk/import-jwks.ts';
import type { Keyset } from '../keysets/keyset.ts';
import type { KeyName } from '../token/parse.ts';
import { textOf } from '../values/text.ts';
import type { TraceEvent } from './trace.ts';

/** A trace event of one stage. */
export type StageEvent<Stage extends TraceEvent['stage']> = Extract<TraceEvent, { readonly stage: Stage }> &
  Pick<TraceEvent, 'refusal' | 'wouldRefuse'>;

/**
 * One check. Its texts may contain claims of the token, but nothing of its signature or of a key.
 */
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
    | 'possession'
    | 'revocation'
    | 'route';
  /** The part that is checked: `keySets[0]`, `exp`, `dept`. */
  readonly about: string;
  /**
   * `skipped`: the check does not apply. `unknown`: the result could not be determined. `would
   * refuse`: it fails, and `enforce` says that this refuses nothing; `code` is that of the refusal.
   */
  readonly outcome: 'passed' | 'failed' | 'skipped' | 'unknown' | 'would refuse';
  readonly expected?: string | undefined;
  readonly actual?: string | undefined;
  readonly detail?: string | undefined;
  /** The code of the refusal that this check causes. */
  readonly code?: AuthErrorCode | undefined;
  /** The parts of this check. */
  readonly checks?: readonly ExplainedCheck[] | undefined;
}

/** The texts of a refusal. */
export function refusalText({ status, code, detail, message }: AuthError) {
  return { outcome: status === 503 ? 'unknown' : 'failed', code, detail: detail ?? message } as const;
}

/** `passed`, or the texts of the refusal. */
export function outcomeOf(
  refusal: AuthError | undefined,
): Pick<ExplainedCheck, 'outcome' | 'code' | 'detail'> {
  return refusal === undefined ? { outcome: 'passed' } : refusalText(refusal);
}

/** The same, for a check that may also fail without a refusal, because of `enforce`. */
export function outcomeOfEither({
  refusal,
  wouldRefuse,
}: Pick<TraceEvent, 'refusal' | 'wouldRefuse'>): Pick<ExplainedCheck, 'outcome' | 'code' | 'detail'> {
  return wouldRefuse === undefined
    ? outcomeOf(refusal)
    : { ...refusalText(wouldRefuse), outcome: 'would refuse' };
}

/** The same checks without codes, because the request is not refused for them. */
export function withoutCodes(checks: readonly ExplainedCheck[]): readonly ExplainedCheck[] {
  return checks.map(({ code: _code, ...check }) =>
    check.checks === undefined ? check : { ...check, checks: withoutCodes(check.checks) },
  );
}

/** Shows a claim in seconds as a readable time. */
export function timeText(value: unknown): string {
  const isTime = typeof value === 'number' && Math.abs(value) < 8.64e12;
  return isTime ? `${value} (${new Date(value * 1000).toISOString()})` : textOf(value);
}

/** What one keyset contains for the token. */
export function keysetCheck({
  keyset,
  named,
  snapshot,
  tried,
  known,
  refusal,
}: StageEvent<'keyset'>): ExplainedCheck {
  const about = { check: 'keys', about: keyset.name, actual: keyNameText(named) } as const;
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
    detail: tried.length > 0 ? undefined : known ? 'has no key for its algorithm' : 'has no key that fits',
    checks,
  };
}

function keyNameText({ kid, x5t, x5tS256 }: KeyName): string {
  if (x5tS256 !== undefined) return `x5t#S256 ${textOf(x5tS256)}`;
  return x5t === undefined ? `kid ${textOf(kid)}` : `x5t ${textOf(x5t)}`;
}

/** Returns why a keyset is not asked; undefined if it may be asked. */
export function whySkipped(
  keyset: Keyset,
  { candidates, issuer, algorithm }: StageEvent<'signature'>,
): string | undefined {
  if (!candidates.includes(keyset)) {
    if (keyset.issuer !== undefined) return `is only for tokens of ${textOf(keyset.issuer)}`;
    return issuer === undefined
      ? 'is not for tokens without iss'
      : 'is only for tokens whose iss no other keyset names';
  }
  if (algorithm === undefined) return 'is not asked: the algorithm is not supported';
  if (keyset.allowed === undefined || keyset.allowed.has(algorithm)) return undefined;
  return `its allowedAlgorithms are ${[...keyset.allowed].join(', ')}`;
}

/** Never shows the thumbprint: that of a symmetric key is a digest of the secret (RFC 7638 §7). */
function nameOf({ kid }: VerificationKey): string {
  return kid === undefined ? 'a key without a kid' : `key ${kid}`;
}

const TIMES: ReadonlySet<string> = new Set(['exp', 'nbf', 'iat']);

/** The texts of a check of a registered claim. */
export function registeredTexts({
  check,
  claims,
  nowMs,
  refusal,
}: StageEvent<'registered claim'>): Pick<
  ExplainedCheck,
  'outcome' | 'expected' | 'actual' | 'detail' | 'code'
> {
  const { claim } = check;
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (check.skipped !== undefined)
    return { outcome: 'skipped', actual: textOf(value), detail: check.skipped };
  const actual = claim === 'cnf' ? 'present' : TIMES.has(claim) ? timeText(value) : textOf(value);
  return { expected: check.expected(new Date(nowMs).toISOString()), actual, ...outcomeOf(refusal) };
}

/** The check of a rule on a claim. */
export function ruleCheck({
  stage,
  check,
  value,
  holds,
  refusal,
  wouldRefuse,
}: StageEvent<'claims' | 'route'>): ExplainedCheck {
  const about = {
    check: stage,
    about: check.claim === '' ? 'all claims' : check.claim,
    expected: ruleText(check.rule),
    actual: textOf(value),
  };
  if (wouldRefuse !== undefined) return { ...about, ...outcomeOfEither({ wouldRefuse }) };
  if (holds === undefined)
    return {
      ...about,
      outcome: 'unknown',
      code: refusal?.code,
      detail: 'compares with the request, but no request was given',
    };
  return refusal === undefined
    ? { ...about, outcome: 'passed' }
    : {
        ...about,
        outcome: 'failed',
        code: refusal.code,
        ...(value === undefined && { detail: refusal.detail }),
      };
}
