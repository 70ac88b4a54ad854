// What rules with `enforce` would have refused. Collected while a decision is made, and told when
// the request passes: see tell-reports.ts. Decides nothing.
import type { AuthError } from '../errors.ts';

/** One refusal that was not made. */
export interface Report {
  readonly refusal: AuthError;
  /** The claims whose rules do not hold. Empty for what a route requires besides rules. */
  readonly claims: readonly string[];
  /** The route of the options whose rules they are. */
  readonly route?: string | undefined;
}

/** What was not refused in one decision, in its order. */
export type Reports = Report[];

/** Adds reports to a decision that lets pass. */
export function withReports<D extends { readonly ok: boolean }>(decision: D, reports: readonly Report[]): D {
  return reports.length === 0 || !decision.ok ? decision : Object.freeze({ ...decision, reports });
}
