// Opens a session: TCP, TLS, bind, and a check that searches can be answered. Only a session that
// passes all of them is searched. Also searches over a session. The meaning of entries is in
// lookup.ts.
import { isUtf8 } from 'node:buffer';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { BindRequest, Control, ExtendedRequest, PagedResultsControl, SearchRequest } from 'ldapts';
import { keyOf, parseDn } from './dn.ts';
import { failure, referred, resultOf, retryAfterOf, unreachable } from './failures.ts';
import { all, anyEntry, type Filter, known } from './filters.ts';
import { decodeText, type Entry, TAGS } from './messages.ts';
import type { Settings } from './options.ts';
import { type Answer, createSession, type Session, SIZE_LIMIT_EXCEEDED } from './session.ts';

/** A search, RFC 4511 §4.5.1. Aliases are not followed. */
export interface Query {
  readonly base: string;
  /** Only the entry itself, or it and all entries under it. */
  readonly scope: 'base' | 'sub';
  readonly filter: Filter;
  /** `1.1` for none, RFC 4511 §4.5.1.8. */
  readonly attributes: string[];
  /** The number of entries after which the directory stops. Default: its own limit. */
  readonly sizeLimit?: number;
  /** After this number of entries the search ends, with the result code 4. */
  readonly maxEntries: number;
  /** Whether the result is read page by page, RFC 2696, if it has more than one page. */
  readonly isPaged?: boolean;
}

/** Searches. The answer may have any result code except that of a referral. */
export type Search = (query: Query) => Promise<Answer>;

/** RFC 4511 §4.14.1. */
const START_TLS = '1.3.6.1.4.1.1466.20037';
/** LDAP_SERVER_DOMAIN_SCOPE_OID: no referrals of Active Directory, [MS-ADTS] §3.1.1.3.4.1.5. */
const DOMAIN_SCOPE = '1.2.840.113556.1.4.1339';
/** LDAP_CAP_ACTIVE_DIRECTORY_OID, which Samba has too, and LDAP_CAP_ACTIVE_DIRECTORY_ADAM_OID. */
const KNOWS_CHAINS = ['1.2.840.113556.1.4.800', '1.2.840.113556.1.4.1851'];
const [REFERRAL, INVALID_CREDENTIALS] = [10, 49];
/**
 * Milliseconds for which a refused password is not tried again, because each attempt may count
 * towards a lockout.
 */
const REFUSED_HOLD_MS = 10_000;
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 30_000, noDelay: true };

/**
 * Opens a session that can be searched. Rejects with one of the failures, or with the signal's
 * reason; in both cases it closes the socket.
 */
export async function openSession(settings: Settings, signal: AbortSignal): Promise<Session> {
  const { host, port, security, tls } = settings;
  let socket = connectTcp({ host, port, ...KEEP_ALIVE });
  const tcp = socket;
  // An `error` event without a listener ends the process. Each wait below adds its own listener.
  tcp.on('error', () => {});
  // Some secret stores do not stop when the signal aborts.
  signal.addEventListener('abort', () => tcp.destroy(), { once: true });
  try {
    await opened(tcp, 'connect', signal);
    if (security === 'starttls') await startTls(tcp, signal);
    if (security !== 'none') {
      socket = connectTls({ ...tls, socket: tcp }).on('error', () => {});
      await opened(socket, 'secureConnect', signal);
    }
    const session = createSession(socket);
    await bind(session, settings, signal);
    await probe(searchOver(session, settings, signal), settings);
    return session;
  } catch (error) {
    tcp.destroy();
    throw error;
  }
}

/** Searches over a session. The signal ends a running search. */
export function searchOver(session: Session, settings: Settings, signal: AbortSignal): Search {
  const { pageSize, isActiveDirectory, timeoutMs } = settings;
  const ask = async ({ base, maxEntries, isPaged, ...query }: Query, page?: PagedResultsControl) => {
    const controls = isActiveDirectory ? [new Control(DOMAIN_SCOPE)] : [];
    if (page !== undefined) controls.push(page);
    const more = { baseDN: base, timeLimit: Math.ceil(timeoutMs / 1_000), controls };
    const request = (messageId: number) => new SearchRequest({ ...query, ...more, messageId });
    const most = isPaged ? pageSize : maxEntries;
    const answer = await session.ask({ request, response: TAGS.result, maxEntries: most }, signal);
    if (answer.code === REFERRAL) throw referred();
    return answer;
  };
  const askForPages = async (query: Query): Promise<Answer> => {
    const entries: Entry[] = [];
    for (let cookie: Buffer | undefined; ; ) {
      const value = cookie === undefined ? { size: pageSize } : { size: pageSize, cookie };
      const page = await ask(query, new PagedResultsControl({ value }));
      entries.push(...page.entries);
      cookie = page.cookie;
      // An empty page may not be the last one. Only the cookie tells.
      if (page.code !== 0 || cookie === undefined || cookie.length === 0) return { ...page, entries };
      if (entries.length > query.maxEntries) return { code: SIZE_LIMIT_EXCEEDED, entries, cookie };
    }
  };
  return async (query) => {
    const answer = await ask(query);
    const isPart = query.isPaged && answer.code === SIZE_LIMIT_EXCEEDED;
    // OpenLDAP remembers one cookie for each connection.
    return isPart ? session.alone(() => askForPages(query)) : answer;
  };
}

/**
 * Starts TLS, RFC 4511 §4.14. Data that arrived before TLS is never read as if it came through TLS.
 */
async function startTls(tcp: Socket, signal: AbortSignal): Promise<void> {
  const session = createSession(tcp);
  const request = (messageId: number) => new ExtendedRequest({ messageId, oid: START_TLS });
  const { code } = await session.ask({ request, response: TAGS.extended, maxEntries: 0 }, signal);
  if (code !== 0) throw failure(`the directory refused StartTLS: ${resultOf(code)}`);
  if (!session.detach()) throw failure('data that TLS does not protect followed the answer to StartTLS');
}

async function bind(session: Session, { bind: reader }: Settings, signal: AbortSignal): Promise<void> {
  const dn = reader?.dn ?? '';
  const password = reader === undefined ? '' : await readPassword(reader, signal);
  const request = (messageId: number) => new BindRequest({ messageId, dn, password });
  const { code } = await session.ask({ request, response: TAGS.bind, maxEntries: 0 }, signal);
  const holdMs = code === INVALID_CREDENTIALS ? REFUSED_HOLD_MS : undefined;
  if (code !== 0) throw failure(`the directory refused the bind: ${resultOf(code)}`, holdMs);
}

type Reader = NonNullable<Settings['bind']>;

async function readPassword({ secrets, password: at }: Reader, signal: AbortSignal): Promise<string> {
  let bytes: unknown;
  try {
    bytes = await secrets.read(at, signal);
  } catch (error) {
    throw failure('the bind password cannot be read from its secret store', retryAfterOf(error));
  }
  if (bytes === undefined) throw failure('the bind password is not in its secret store');
  if (!(bytes instanceof Uint8Array) || !isUtf8(bytes)) throw failure('the bind password is not UTF-8 text');
  // Editors add a line break at the end of a file.
  const password = decodeText(bytes).replace(/\r?\n$/, '');
  // RFC 4513 §5.1.2: a bind without a password succeeds as the anonymous user.
  if (password === '') throw failure('the bind password is empty');
  return password;
}

/**
 * Checks that a search without results means that there is no such entry, and not that the reader
 * cannot see it.
 */
async function probe(search: Search, { users, groups }: Settings): Promise<void> {
  const { via, nested, member } = groups;
  const read = (base: string, filter: Filter, attributes = ['1.1']) =>
    search({ base, scope: 'base', filter, attributes, maxEntries: 1 });
  const probeBase = async (option: string, base: string, attribute: string, filter: Filter) => {
    const { code, entries } = await read(base, filter);
    if (code !== 0) throw failure(`${option}: the reader does not see this entry: ${resultOf(code)}`);
    const unknown = 'the directory does not know it, or the reader may not search by it';
    if (entries[0] === undefined) throw failure(`${attribute}: ${unknown}`);
    return entries[0].dn;
  };
  const byUser = all(known(users.attribute), via === undefined ? undefined : known(via));
  await probeBase('users.base', users.base.text, 'users.attribute', byUser);
  const byGroup = via === undefined ? known(member) : nested ? known(via) : anyEntry;
  const attribute = via === undefined ? 'groups.member' : 'groups.via';
  const base = parseDn(await probeBase('groups.base', groups.base.text, attribute, byGroup));
  // DNs in `via` are compared here, not by the directory. With another spelling of the base, none
  // would be under it.
  if (via !== undefined && (base === undefined || keyOf(base) !== keyOf(groups.base)))
    throw failure('groups.base: the directory spells this DN differently; write it as the directory does');
  if (nested !== 'in-chain') return;
  const { entries } = await read('', anyEntry, ['supportedCapabilities']);
  const capabilities = entries.flatMap(({ attributes }) => attributes.flatMap(({ values }) => values));
  const isAbsent = !capabilities.some((value) => KNOWS_CHAINS.includes(value.toString('latin1')));
  const notThere = `'in-chain' is for Active Directory, and this directory does not report that it is one`;
  if (isAbsent) throw failure(`groups.nested: ${notThere}`);
}

/** Waits until a socket is open. Rejects if it closes or fails before. */
async function opened(socket: Socket, event: string, signal: AbortSignal): Promise<void> {
  try {
    await once(socket, event, { signal });
  } catch (error) {
    throw unreachable(error);
  }
}
