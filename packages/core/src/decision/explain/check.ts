// One check of an explanation, and how its texts are written. Judges nothing.

import { type AuthErrorCode, isAuthError } from '../../errors.ts';
import { textOf } from '../../values/text.ts';

export { ruleText } from '../../claims/normalize.ts';
export { textOf };

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
  /** `out`: has no say here. `unknown`: it could not be found out. */
  readonly outcome: 'passed' | 'failed' | 'out' | 'unknown';
  readonly expected?: string | undefined;
  readonly actual?: string | undefined;
  readonly detail?: string | undefined;
  /** Why a request is refused for it. */
  readonly code?: AuthErrorCode | undefined;
  /** What it consists of. */
  readonly checks?: readonly ExplainedCheck[] | undefined;
}

/** Runs one check that throws where it does not hold. What is no refusal passes on as it is. */
export function attempt(
  about: Pick<ExplainedCheck, 'check' | 'about' | 'expected' | 'actual'>,
  judge: () => void,
): ExplainedCheck {
  try {
    judge();
    return { ...about, outcome: 'passed' };
  } catch (error) {
    return { ...about, ...refusalIn(error) };
  }
}

/** What a refusal says. @throws what is none */
export function refusalIn(error: unknown): Pick<ExplainedCheck, 'outcome' | 'code' | 'detail'> {
  if (!isAuthError(error)) throw error;
  return {
    outcome: error.status === 503 ? 'unknown' : 'failed',
    code: error.code,
    detail: error.detail ?? error.message,
  };
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
