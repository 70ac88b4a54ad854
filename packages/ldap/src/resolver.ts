// The resolver that an application makes: options in, groups out. Keeps time, and tries again where that cannot change an answer.
import type { GroupResolver } from '@latchkey/core';
import { openConnection } from './connection.ts';
import { asFailure, failures } from './failures.ts';
import { lookUp } from './lookup.ts';
import type { LdapGroupsOptions } from './options.ts';
import { createPool, type Deadline, type Lease } from './pool.ts';
import { readOptions, type Settings } from './settings.ts';

/** How the resolver fares. Nothing secret, and nobody's name. */
export interface LdapGroupsReport {
  readonly url: string;
  /** How what is said is protected. */
  readonly security: 'tls' | 'starttls' | 'none';
  /** Connections that are open, and how many of them are in use. */
  readonly open: number;
  readonly busy: number;
  /** Lookups that wait for a connection. */
  readonly waiting: number;
  /** Failed attempts to connect in a row. */
  readonly failures: number;
  /** What the last of them ended with; undefined if there was none since the last connection. */
  readonly lastFailure: string | undefined;
}

/** Groups of a directory. */
export interface LdapGroups extends GroupResolver {
  /** Connects, binds, and asks whether users and groups can be searched. Rejects as `resolve` does. */
  ready(): Promise<void>;
  report(): LdapGroupsReport;
  /** Ends all connections, and every lookup that is under way. */
  close(): Promise<void>;
}

/** Longer than any `sub` of OpenID Connect (255), and than what directories take for a user's name. */
const MAX_SUBJECT_BYTES = 1_024;

/**
 * Makes a resolver that looks groups up in a directory, over LDAP. Connects when it is first asked, and keeps a few connections. It
 * does not cache, follow referrals or dereference aliases.
 *
 * `resolve` gives the names of all groups, or undefined for a subject that is not in the directory: none of its entries has it as
 * `users.attribute`, it is empty or longer than 1024 bytes, or it is of an issuer that is not among `issuers`. It rejects in every
 * other case, also where it has a part of the answer: with a constant text, in which there is no name, password or word of the
 * directory, and with `retryAfterMs` (milliseconds) while the directory is left alone after a failure.
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
  if (settings.security === 'none') {
    process.emitWarning(
      'LDAP without TLS: whoever is on the way reads the bind password, and decides who has which groups',
      { type: 'SecurityWarning', code: 'LATCHKEY_UNSAFE' },
    );
  }
  const pool = createPool(settings.connections, (signal) => openConnection(settings, signal));

  async function withConnection<T>(deadline: Deadline, use: (lease: Lease) => Promise<T>): Promise<T> {
    // Every connection that waited may have been cut while it did. One more is new.
    for (let attempt = 0; ; attempt++) {
      const lease = await pool.acquire(deadline);
      try {
        return await use(lease);
      } catch (error) {
        // Nobody knows whether the others would have answered.
        if (deadline.signal.aborted) pool.doubt();
        const again = lease.reused && lease.connection.wire.lost && attempt < settings.connections;
        if (!again || deadline.signal.aborted) throw error;
      } finally {
        pool.release(lease);
      }
    }
  }

  return Object.freeze<LdapGroups>({
    description: 'ldap',
    async resolve({ subject, issuer }, signal) {
      signal.throwIfAborted();
      if (!isKnowable(settings, subject, issuer)) return undefined;
      return withinDeadline(settings.timeoutMs, signal, (deadline) =>
        withConnection(deadline, ({ connection }) => lookUp(connection, subject, settings, deadline.signal)),
      );
    },
    ready: () =>
      withinDeadline(settings.timeoutMs, new AbortController().signal, (deadline) =>
        withConnection(deadline, async () => {}),
      ),
    report: () => ({ url: settings.url, security: settings.security, ...pool.report() }),
    close: () => pool.close(),
  });
}

/** False for a subject that no entry has, so that nobody needs to be asked. */
function isKnowable({ issuers }: Settings, subject: string, issuer: string | undefined): boolean {
  if (issuers !== undefined && (issuer === undefined || !issuers.has(issuer))) return false;
  // Half a surrogate pair has no UTF-8: different subjects would become one.
  return subject !== '' && subject.isWellFormed() && Buffer.byteLength(subject) <= MAX_SUBJECT_BYTES;
}

async function withinDeadline<T>(
  timeoutMs: number,
  signal: AbortSignal,
  run: (deadline: Deadline) => Promise<T>,
): Promise<T> {
  const stopping = new AbortController();
  let late = false;
  const leave = () => stopping.abort(signal.reason);
  const timer = setTimeout(() => {
    late = true;
    stopping.abort(failures.late(timeoutMs));
  }, timeoutMs);
  signal.addEventListener('abort', leave);
  try {
    return await run({ signal: stopping.signal, late: () => late });
  } catch (error) {
    if (signal.aborted && error === signal.reason) throw error;
    throw asFailure(error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', leave);
  }
}
