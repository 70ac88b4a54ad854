// How a session begins: TCP, TLS, bind, and the question whether searches can be answered at all. A
// session that does not get through all of it is never searched. And how it is searched.
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
  /** The entry itself, or it and all under it. */
  readonly scope: 'base' | 'sub';
  readonly filter: Filter;
  /** `1.1` for none, RFC 4511 §4.5.1.8. */
  readonly attributes: string[];
  /** How many entries the directory is to stop after. Default: its own limit. */
  readonly sizeLimit?: number;
  /** More entries than that are not waited for, and the result code is 4. */
  readonly maxEntries: number;
  /** Whether it is asked for again page by page, RFC 2696, if there is more than a page. */
  readonly isPaged?: boolean;
}

/** Searches. The answer may have any result code but the one for a referral. */
export type Search = (query: Query) => Promise<Answer>;

/** RFC 4511 §4.14.1. */
const START_TLS = '1.3.6.1.4.1.1466.20037';
/** LDAP_SERVER_DOMAIN_SCOPE_OID: no referrals of Active Directory, [MS-ADTS] §3.1.1.3.4.1.5. */
const DOMAIN_SCOPE = '1.2.840.113556.1.4.1339';
/** LDAP_CAP_ACTIVE_DIRECTORY_OID, which Samba has too, and LDAP_CAP_ACTIVE_DIRECTORY_ADAM_OID. */
const KNOWS_CHAINS = ['1.2.840.113556.1.4.800', '1.2.840.113556.1.4.1851'];
const [REFERRAL, INVALID_CREDENTIALS] = [10, 49];
/** How long a refused password is not tried again: each try may count for a lockout. */
const REFUSED_HOLD_MS = 10_000;
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 30_000, noDelay: true };

/**
 * Opens a session, to the point where it can be searched. Rejects with one of the failures, or with
 * the signal's reason; nothing is left open then.
 */
export async function openSession(settings: Settings, signal: AbortSignal): Promise<Session> {
  const { host, port, security, tls } = settings;
  let socket = connectTcp({ host, port, ...KEEP_ALIVE });
  const tcp = socket;
  // An error without a listener ends the process. Each wait below has a listener of its own.
  tcp.on('error', () => {});
  // Not every store of the password ends with the signal.
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

/** Searches over a session. The signal ends a search that is under way. */
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
      // A page may be empty and not the last. Only the cookie says which is.
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

/** RFC 4511 §4.14. What came before TLS is never read as if it came through TLS. */
async function startTls(tcp: Socket, signal: AbortSignal): Promise<void> {
  const session = createSession(tcp);
  const request = (messageId: number) => new ExtendedRequest({ messageId, oid: START_TLS });
  const { code } = await session.ask({ request, response: TAGS.extended, maxEntries: 0 }, signal);
  if (code !== 0) throw failure(`the directory refused StartTLS: ${resultOf(code)}`);
  if (!session.detach()) throw failure('something followed the answer to StartTLS that TLS does not protect');
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
  // What an editor leaves at the end of a file.
  const password = decodeText(bytes).replace(/\r?\n$/, '');
  // RFC 4513 §5.1.2: a bind without a password succeeds as the anonymous user.
  if (password === '') throw failure('the bind password is empty');
  return password;
}

/** Asks whether a search that finds nothing found nothing, or could not see it. */
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
  // DNs in `via` are compared here and not by the directory, and all of them would be elsewhere.
  if (via !== undefined && (base === undefined || keyOf(base) !== keyOf(groups.base)))
    throw failure('groups.base: the directory spells this DN otherwise; write it as the directory does');
  if (nested !== 'in-chain') return;
  const { entries } = await read('', anyEntry, ['supportedCapabilities']);
  const capabilities = entries.flatMap(({ attributes }) => attributes.flatMap(({ values }) => values));
  const isAbsent = !capabilities.some((value) => KNOWS_CHAINS.includes(value.toString('latin1')));
  const notThere = `'in-chain' is for Active Directory, and this directory does not say that it is one`;
  if (isAbsent) throw failure(`groups.nested: ${notThere}`);
}

/** Waits for a socket to be open. Rejects if it will not be. */
async function opened(socket: Socket, event: string, signal: AbortSignal): Promise<void> {
  try {
    await once(socket, event, { signal });
  } catch (error) {
    throw unreachable(error);
  }
}
