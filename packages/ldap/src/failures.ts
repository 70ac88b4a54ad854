// The errors of a failed lookup: constant texts, with a number or an error code of Node. They never
// contain text from the directory.
import { inconclusive } from '@latchkey/core/adapter';

/**
 * An error of the resolver. It has no `cause`, because errors of Node or of a secret store may
 * contain names.
 */
export type Failure = Error & {
  /** Milliseconds after which a retry makes sense. */
  readonly retryAfterMs?: number;
};

/** The common result codes of RFC 4511 Appendix A. */
const RESULTS: Readonly<Record<number, string>> = {
  1: 'operations error',
  2: 'protocol error',
  3: 'time limit exceeded',
  4: 'size limit exceeded',
  8: 'stronger authentication required',
  11: 'administrative limit exceeded',
  13: 'confidentiality required',
  32: 'no such object',
  49: 'invalid credentials',
  50: 'insufficient access rights',
  51: 'busy',
  52: 'unavailable',
  53: 'unwilling to perform',
};

/** The errors that this file made: they contain no secret. */
const made = new WeakSet<Error>();

/** An error of the directory, or of the connection to it. */
export function failure(message: string, retryAfterMs?: number): Failure {
  const error: Failure = Object.assign(new Error(message), retryAfterMs && { retryAfterMs });
  made.add(error);
  return error;
}

/** An error about one subject: the directory works, and lookups of other subjects continue. */
export function odd(message: string): Failure {
  const error = inconclusive(message);
  made.add(error);
  return error;
}

export const lost = (): Failure => failure('the directory closed the connection before its answer was whole');
export const unreadable = (): Failure => failure('the directory gave an answer that cannot be read');
export const referred = (): Failure =>
  failure('the directory answered with a referral, and referrals are not followed');

/**
 * A connection error, with the code of Node, such as ECONNREFUSED or CERT_HAS_EXPIRED, and no other
 * part of the error.
 */
export function unreachable(error: unknown): Failure {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  const isCode = typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code);
  return failure(`the directory cannot be reached${isCode ? `: ${code}` : ''}`);
}

/**
 * Returns errors of this file unchanged. Replaces any other error by a constant text, because it
 * may contain secrets.
 */
export function asFailure(error: unknown): Failure {
  return error instanceof Error && made.has(error)
    ? error
    : failure('the lookup failed, and not because of the directory; please report it');
}

/** A secret store may ask for more time; its secret may be there long before. */
const MAX_ASKED_MS = 30_000;

/** The `retryAfterMs` of an error, at most 30 s; undefined if it has none that is a time. */
export function retryAfterOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('retryAfterMs' in error)) return undefined;
  const { retryAfterMs: ms } = error;
  return typeof ms === 'number' && ms >= 0 ? Math.min(ms, MAX_ASKED_MS) : undefined;
}

/** A result code, with its name. */
export function resultOf(code: number): string {
  const name = RESULTS[code];
  return `result code ${code}${name === undefined ? '' : `, ${name}`}`;
}
