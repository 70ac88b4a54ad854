// The results of decisions. A refusal is a value here; the public functions throw it.
import type { AuthError } from '../errors.ts';
import type { JsonObject } from '../values/json.ts';
import type { Principal } from './principal.ts';
import type { Report } from './report-only.ts';

/** The result for a request. */
export type Decision<T = Principal | undefined> =
  | { readonly ok: true; readonly principal: T }
  | { readonly ok: false; readonly error: AuthError };

/** A refusal. */
export interface Refused {
  readonly ok: false;
  readonly error: AuthError;
}

/** With a trace, a refusal also has the claims, if they could be read. */
interface Traced {
  readonly claims?: JsonObject | undefined;
}

interface Reporting {
  /** What rules with `enforce` would have refused. Absent: nothing. */
  readonly reports?: readonly Report[] | undefined;
}

/** A refusal of a token. */
export type RefusedToken = Refused & Traced;

/** The result for a token. */
export type TokenDecision = Decision<Principal> & Traced & Reporting;

/** The result for a request, before it is known what its route requires. */
export type RequestDecision = Decision & Traced & Reporting;
