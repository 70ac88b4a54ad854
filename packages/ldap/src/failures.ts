// What a lookup ends with when it cannot say: constant texts with a number or a code of Node's, never a word of the directory's.
import { inconclusive } from '@latchkey/core/adapter';

/** An error as the resolver gives it. Has no `cause`: what ldapts, Node or a secret store say may hold names and more. */
export type Failure = Error & {
  /** When asking again makes sense, milliseconds. */
  readonly retryAfterMs?: number;
};

/** RFC 4511 Appendix A, those that somebody will meet. */
const RESULTS: Readonly<Record<number, string>> = {
  1: 'operations error',
  2: 'protocol error',
  3: 'time limit exceeded',
  4: 'size limit exceeded',
  7: 'authentication method not supported',
  8: 'stronger authentication required',
  10: 'referral',
  11: 'administrative limit exceeded',
  12: 'unavailable critical extension',
  13: 'confidentiality required',
  32: 'no such object',
  34: 'invalid DN syntax',
  48: 'inappropriate authentication',
  49: 'invalid credentials',
  50: 'insufficient access rights',
  51: 'busy',
  52: 'unavailable',
  53: 'unwilling to perform',
};
const INVALID_CREDENTIALS = 49;
/** How long a refused password is not tried again: every try may count for a lockout. */
const REFUSED_HOLD_MS = 10_000;

/** Errors that were made here, and so have nothing in them. */
const made = new WeakSet<Error>();

export const failures = {
  unreachable: (error: unknown) => failure(`the directory cannot be reached${codeOf(error)}`),
  late: (timeoutMs: number) => failure(`the directory gave no answer within ${timeoutMs} ms`),
  lost: () => failure('the directory closed the connection before its answer was whole'),
  unreadable: () => failure('the directory gave an answer that cannot be read'),
  tooLarge: () => odd('the directory gave an answer that is too large'),
  closed: () => failure('the LDAP resolver is closed'),
  startTlsRefused: (code: number) => failure(`the directory refused StartTLS: ${resultOf(code)}`),
  startTlsFollowed: () => failure('something followed the answer to StartTLS that TLS does not protect'),
  bindRefused: (code: number) =>
    failure(
      `the directory refused the bind: ${resultOf(code)}`,
      code === INVALID_CREDENTIALS ? REFUSED_HOLD_MS : undefined,
    ),
  passwordUnreadable: (error: unknown) =>
    failure('the bind password cannot be read from its secret store', retryAfterOf(error)),
  passwordMissing: () => failure('the bind password is not in its secret store'),
  passwordEmpty: () => failure('the bind password is empty'),
  passwordNoText: () => failure('the bind password is no UTF-8 text'),
  searchFailed: (what: 'the user' | 'groups', code: number) =>
    failure(`the search for ${what} failed: ${resultOf(code)}`),
  referred: () => failure('the directory answered with a referral, and referrals are not followed'),
  ambiguous: () => odd('more than one entry is of this subject'),
  userHidden: () => odd("the user's entry does not show users.attribute by this name"),
  groupUnnamed: () => odd('the entry of a group does not show groups.name by this name'),
  tooMany: (maxGroups: number) => odd(`the subject has more than ${maxGroups} groups`),
  tooDeep: (maxDepth: number) => odd(`the groups are nested deeper than ${maxDepth}`),
  baseMissing: (option: string, code: number) =>
    failure(`${option}: the reader does not see this entry: ${resultOf(code)}`),
  attributeUnknown: (option: string) =>
    failure(`${option}: the directory does not know it, or the reader may not search by it`),
  noChain: () =>
    failure(
      "groups.nested: 'in-chain' is for Active Directory, and this directory does not say that it is one",
    ),
  /** What had been said before, for whoever comes before it is tried again. */
  held: (message: string, retryAfterMs: number) => failure(message, retryAfterMs),
} as const satisfies Record<string, (...details: never[]) => Failure>;

/** Lets through what was made here. Whatever else went wrong may hold anything, so that only the fact is told. */
export function asFailure(error: unknown): Failure {
  return error instanceof Error && made.has(error)
    ? error
    : failure('the lookup failed, and not for the directory: please report it');
}

/** The `retryAfterMs` of an error; undefined if it has none that is a time. */
export function retryAfterOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('retryAfterMs' in error)) return undefined;
  const { retryAfterMs } = error;
  return typeof retryAfterMs === 'number' && retryAfterMs >= 0 && Number.isFinite(retryAfterMs)
    ? retryAfterMs
    : undefined;
}

/** About one subject: the directory is there, and may be asked about others. */
function odd(message: string): Failure {
  const error = inconclusive(message);
  made.add(error);
  return error;
}

function failure(message: string, retryAfterMs?: number): Failure {
  const error = new Error(message);
  made.add(error);
  return retryAfterMs === undefined ? error : Object.assign(error, { retryAfterMs });
}

function resultOf(code: number): string {
  const name = RESULTS[code];
  return name === undefined ? `result code ${code}` : `result code ${code}, ${name}`;
}

/** Node's code, such as ECONNREFUSED or SELF_SIGNED_CERT_IN_CHAIN. Whatever else it might be is not repeated. */
function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code) ? `: ${code}` : '';
}
