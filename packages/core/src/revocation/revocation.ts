// What a revocation is, as applications, files and other stores write it, and the readers that
// check it. Which tokens it refuses is decided in index-by-issuer.ts.
import { IDENTIFIER, isIdentifier } from '../claims/identifier.ts';
import { ConfigError } from '../errors.ts';
import { durationText } from '../values/duration.ts';
import { kindOf } from '../values/kind.ts';
import { readObject } from '../values/readers.ts';

/**
 * Ends tokens before they expire: one token (`jti`), those of a session (`sid`), of a subject
 * (`sub`) or of a client (`client`); with none of these, all tokens of the issuer. At most one of
 * them may be there.
 * @example
 * ```ts
 * const one: Revocation = { issuer: 'https://login.example.com', jti: 'b7c1…' };
 * const all: Revocation = { issuer: 'https://login.example.com', sub: 'alice' };
 * ```
 */
export interface Revocation {
  /**
   * The `iss` of the tokens, character by character. A token without `iss` may be from any issuer,
   * so the revocations of all issuers apply to it. The empty text means only tokens without `iss`.
   */
  readonly issuer: string;
  /** The `jti` of one token. A token without `jti` is not affected. */
  readonly jti?: string;
  /** The `sid` of a session (OpenID Connect Back-Channel Logout 1.0 §2.1). */
  readonly sid?: string;
  /** The `sub` of the tokens: all tokens of a user. */
  readonly sub?: string;
  /** The client that the tokens were made for: their `client_id` or their `azp`. */
  readonly client?: string;
  /**
   * Tokens that were issued before this time are ended, by their `iat`; also those of the same
   * second, because `iat` is in seconds, and those without `iat`. Milliseconds since the epoch, by
   * the clock of the issuer: the clock skew is not added. Not with `jti` and `sid`, which end all
   * their tokens. Default: now.
   */
  readonly issuedBefore?: number;
  /**
   * How long the revocation is remembered: until the last of its tokens expires (`exp`). It is
   * remembered for an hour longer, because clocks may be wrong. Milliseconds since the
   * epoch, not in the past. Default: `revocation.remember` from now on.
   */
  readonly until?: number;
}

/**
 * A revocation as a feed has it. `issuedBefore` is always there, unless it is of a `jti` or a
 * `sid`.
 */
export interface StoredRevocation extends Revocation {
  readonly until: number;
}

/** The claims that a revocation may name. */
export const REVOCATION_KINDS = ['jti', 'sid', 'sub', 'client'] as const;
/** Which tokens a revocation ends. */
export type RevocationKind = (typeof REVOCATION_KINDS)[number] | 'issuer';

/** The greatest `clockSkew`: a token may be accepted for this long after its `exp`. */
export const MOST_SKEW_MS = 60_000;
/** A longer id would let few revocations fill the memory. */
const MAX_ID_LENGTH = 1024;
/** A smaller number is a time in seconds: it would be in 1973. */
const LEAST_TIME_MS = 100_000_000_000;
/** A greater number is not a time in milliseconds: it would be in the year 2242. */
const MOST_TIME_MS = 2 ** 33 * 1000;
const NAMES = ['issuer', ...REVOCATION_KINDS, 'issuedBefore', 'until'] as const;
const LIKE = { like: "a revocation, such as { issuer: 'https://…', sub: 'alice' }", whole: 'revocation' };

/** Says which tokens a revocation ends. */
export function kindOfRevocation(revocation: Revocation): RevocationKind {
  return REVOCATION_KINDS.find((kind) => revocation[kind] !== undefined) ?? 'issuer';
}

/**
 * Checks a revocation of a caller, and fills in what it leaves out.
 * @param rememberMs how long it is remembered by default
 * @throws ConfigError
 */
export function readRevocation(
  value: unknown,
  nowMs: number,
  rememberMs: number,
  path = 'revocation',
): StoredRevocation {
  const read = readMembers(value, path);
  const until = read.until ?? nowMs + rememberMs;
  if (until + MOST_SKEW_MS <= nowMs)
    throw new ConfigError(
      `${path}.until`,
      `expected a time in the future; the tokens until then expired more than ${durationText(MOST_SKEW_MS)} ago`,
    );
  // Also what was filled in: an entry that cannot be read again would end the whole list.
  return readStoredRevocation(complete({ issuedBefore: nowMs, ...read, until }), path);
}

/**
 * Checks an entry of a feed, which has everything. One whose time is over is good.
 * @throws ConfigError
 */
export function readStoredRevocation(value: unknown, path: string): StoredRevocation {
  const { until, ...read } = readMembers(value, path);
  if (until === undefined) throw new ConfigError(`${path}.until`, 'is required in a list of revocations');
  const isTimed = read.jti === undefined && read.sid === undefined;
  if (isTimed && read.issuedBefore === undefined)
    throw new ConfigError(`${path}.issuedBefore`, 'is required in a list of revocations');
  return complete({ ...read, until });
}

/** Without a prototype and without members that are undefined, and frozen. */
function complete({ issuedBefore, ...entry }: StoredRevocation): StoredRevocation {
  const isTimed = entry.jti === undefined && entry.sid === undefined;
  return Object.freeze({ ...entry, ...(isTimed && issuedBefore !== undefined && { issuedBefore }) });
}

function readMembers(value: unknown, path: string): Revocation {
  const members = readObject(value, NAMES, path, LIKE);
  const { issuer } = members;
  if (issuer !== '') readId(issuer, `${path}.issuer`);
  const [kind, other] = REVOCATION_KINDS.filter((name) => members[name] !== undefined);
  if (other !== undefined)
    throw new ConfigError(`${path}.${other}`, `is not allowed next to ${kind}; revoke each of them`);
  if (kind !== undefined) readId(members[kind], `${path}.${kind}`);
  for (const name of ['issuedBefore', 'until']) readTime(members[name], `${path}.${name}`);
  if ((kind === 'jti' || kind === 'sid') && members.issuedBefore !== undefined)
    throw new ConfigError(
      `${path}.issuedBefore`,
      `is not allowed next to ${kind}, which ends all its tokens`,
    );
  // A copy, because the object of a caller may change later. Each member has been checked.
  return { ...members } as unknown as Revocation;
}

function readId(value: unknown, path: string): void {
  if (typeof value === 'string' && !value.isWellFormed())
    throw new ConfigError(path, 'expected a text in Unicode; it has half a character');
  if (!isIdentifier(value)) throw new ConfigError(path, `expected ${IDENTIFIER}, got ${kindOf(value)}`);
  if (typeof value === 'string' && value.length > MAX_ID_LENGTH)
    throw new ConfigError(path, `expected at most ${MAX_ID_LENGTH} characters, got ${value.length}`);
}

function readTime(value: unknown, path: string): void {
  if (value === undefined) return;
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new ConfigError(path, `expected milliseconds since the epoch, got ${kindOf(value)}`);
  if (value < LEAST_TIME_MS || value > MOST_TIME_MS)
    throw new ConfigError(
      path,
      `expected milliseconds since the epoch, got a time in ${value < LEAST_TIME_MS ? 'seconds; multiply by 1000' : 'the far future'}`,
    );
}
