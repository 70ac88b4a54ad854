// The resolver that an application creates. It keeps one session for all lookups, opens it when it
// is needed, and replaces it when it is lost. Searches are in lookup.ts.
import type { GroupResolver } from '@latchkey/core';
import { withDeadline } from '@latchkey/core/adapter';
import { openSession, type Search, searchOver } from './connect.ts';
import { asFailure, type Failure, failure, retryAfterOf } from './failures.ts';
import { lookUp } from './lookup.ts';
import { type LdapGroupsOptions, readOptions, type Settings } from './options.ts';
import type { Session } from './session.ts';

/** The state of the resolver. It contains no secret and no name of a user. */
export interface LdapGroupsReport {
  readonly url: string;
  /** How the connection is protected. */
  readonly security: 'tls' | 'starttls' | 'none';
  /** Whether the connection is open and bound. */
  readonly connected: boolean;
  /** Searches that wait for their answer, and searches that wait because 64 are running. */
  readonly busy: number;
  readonly waiting: number;
  /** Failed attempts to connect in a row. */
  readonly failures: number;
  /** The error of the last attempt; undefined if it succeeded. */
  readonly lastFailure: string | undefined;
}

/** Groups of a directory. */
export interface LdapGroups extends GroupResolver {
  /** Connects, binds, and checks that searches can be answered. Rejects as `resolve` does. */
  ready(): Promise<void>;
  report(): LdapGroupsReport;
  /** Ends the connection, and all lookups. */
  close(): Promise<void>;
}

/** Longer than a `sub` of OpenID Connect (255), and than user names of directories. */
const MAX_SUBJECT_BYTES = 1_024;
/** Milliseconds between attempts to connect: longer after each failure, up to a second. */
const [FIRST_HOLD_MS, MAX_HOLD_MS] = [100, 1_000];

/**
 * Makes a resolver that looks groups up in a directory, over LDAP. The first lookup connects. The
 * resolver does not cache, follow referrals or dereference aliases.
 *
 * `resolve` gives the names of all groups, or undefined for an unknown subject: no entry has it as
 * `users.attribute`, it is empty or longer than 1024 bytes, or its issuer is not in `issuers`. In
 * all other cases it rejects, also if it has a part of the answer. The error is a constant text
 * without names, passwords or text from the directory; it has `retryAfterMs` (milliseconds) while
 * no attempt is made after a failure.
 * @throws ConfigError
 * @example
 * ```ts
 * const directory = createLdapGroups({
 *   url: 'ldaps://ldap.example.com',
 *   bind: { dn: 'cn=reader,dc=example,dc=com', password: { name: 'ldap', key: 'password' } },
 *   secrets: createDirectoryStore('/run/secrets'),
 *   users: { base: 'ou=people,dc=example,dc=com' },
 *   groups: { base: 'ou=groups,dc=example,dc=com' },
 * });
 * ```
 */
export function createLdapGroups(options: LdapGroupsOptions): LdapGroups {
  const settings = readOptions(options);
  const { url, security, timeoutMs } = settings;
  if (security === 'none') {
    process.emitWarning(
      'LDAP without TLS: an attacker on the network can read the bind password and change groups',
      { type: 'SecurityWarning', code: 'LATCHKEY_UNSAFE' },
    );
  }
  const closing = new AbortController();
  let current: Session | undefined;
  let opening: Promise<Session> | undefined;
  let failed = 0;
  let lastFailure: Failure | undefined;
  let heldUntil = 0;

  const isOpen = (session: Session | undefined) => session !== undefined && session.ended() === undefined;
  const late = () => failure(`the directory gave no answer within ${timeoutMs} ms`);
  const closed = () => failure('the LDAP resolver is closed');

  /**
   * Returns the session. Rejects if none can be opened, and for a while afterwards without a new
   * attempt.
   */
  async function session(): Promise<Session> {
    closing.signal.throwIfAborted();
    if (current !== undefined && isOpen(current)) return current;
    const heldMs = heldUntil - performance.now();
    if (lastFailure !== undefined && heldMs > 0) throw failure(lastFailure.message, Math.ceil(heldMs));
    // All waiting lookups share one attempt. It continues without them, with its own deadline.
    opening ??= open().finally(() => {
      opening = undefined;
    });
    return opening;
  }

  async function open(): Promise<Session> {
    const work = (signal: AbortSignal) => openSession(settings, signal);
    try {
      current = await withDeadline(timeoutMs, closing.signal, work, late);
      failed = 0;
      lastFailure = undefined;
      return current;
    } catch (error) {
      if (closing.signal.aborted) throw error;
      lastFailure = asFailure(error);
      const holdMs = Math.min(MAX_HOLD_MS, FIRST_HOLD_MS * 2 ** failed++);
      heldUntil = performance.now() + Math.max(holdMs, retryAfterOf(error) ?? 0);
      throw error;
    }
  }

  async function ask<T>(work: (search: Search) => Promise<T>, outer: AbortSignal): Promise<T> {
    const began = performance.now();
    const attempt = async (signal: AbortSignal): Promise<T> => {
      const used = await session();
      try {
        return await work(searchOver(used, settings, signal));
      } catch (error) {
        // The session may have been lost before this lookup, or ended by another lookup. A new
        // session has not.
        if (isOpen(used) || used.openedAt > began || signal.aborted) throw error;
        return attempt(signal);
      }
    };
    const doubt = () => {
      // No data arrived for as long as this lookup waited, so other lookups would time out too.
      if (current !== undefined && current.heardAt() < began) current.end(late());
      return late();
    };
    try {
      return await withDeadline(timeoutMs, outer, attempt, doubt);
    } catch (error) {
      if (outer.aborted && error === outer.reason) throw error;
      throw asFailure(error);
    }
  }

  return Object.freeze<LdapGroups>({
    description: 'ldap',
    async resolve({ subject, issuer }, signal) {
      signal.throwIfAborted();
      if (!isKnowable(settings, subject, issuer)) return undefined;
      return ask((search) => lookUp(search, subject, settings), signal);
    },
    ready: () => ask(async () => {}, new AbortController().signal),
    report: () => ({
      url,
      security,
      connected: isOpen(current),
      ...(current?.report() ?? { busy: 0, waiting: 0 }),
      failures: failed,
      lastFailure: lastFailure?.message,
    }),
    async close() {
      closing.abort(closed());
      await opening?.catch(() => {});
      await current?.end(closed());
    },
  });
}

/** False for a subject that no entry can have; the directory is not asked then. */
function isKnowable({ issuers }: Settings, subject: string, issuer: string | undefined): boolean {
  if (issuers !== undefined && (issuer === undefined || !issuers.includes(issuer))) return false;
  // A lone surrogate has no UTF-8 form, so different subjects would become one.
  return subject !== '' && subject.isWellFormed() && Buffer.byteLength(subject) <= MAX_SUBJECT_BYTES;
}
