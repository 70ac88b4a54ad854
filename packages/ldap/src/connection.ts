// One connection to the directory, as it is opened: TCP, TLS, bind, and the question whether a search can be answered here at all. A
// connection that does not get through all of it is never searched.
import { isUtf8 } from 'node:buffer';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { BindRequest, Control, ExtendedRequest, PagedResultsControl, SearchRequest } from 'ldapts';
import { failures } from './failures.ts';
import { all, anyEntry, type Filter, known } from './filters.ts';
import { decodeText, RESPONSES } from './messages.ts';
import type { Settings } from './settings.ts';
import { type Answer, createWire, type Expected, type Wire } from './wire.ts';

/** A search, RFC 4511 §4.5.1. Aliases are not followed. */
export interface Query {
  readonly base: string;
  /** The entry itself, or it and all under it. */
  readonly scope: 'base' | 'sub';
  readonly filter: Filter;
  /** `1.1` for none, RFC 4511 §4.5.1.8. */
  readonly attributes: readonly string[];
  /** How many entries the directory is to stop after. Default: its own limit. */
  readonly sizeLimit?: number;
  /** One page of the answer, the one after the page that ended with this cookie. Default: the whole. */
  readonly page?: { readonly size: number; readonly cookie: Buffer | undefined };
  readonly expected: NonNullable<Expected['entries']>;
}

/** A connection that is bound. For one lookup at a time. */
export interface Connection {
  readonly wire: Wire;
  /** Searches. The answer may have any result code but the one for a referral. */
  search(query: Query, signal: AbortSignal): Promise<Answer>;
}

/** RFC 4511 §4.14.1. */
const START_TLS = '1.3.6.1.4.1.1466.20037';
/** LDAP_SERVER_DOMAIN_SCOPE_OID. */
const DOMAIN_SCOPE = '1.2.840.113556.1.4.1339';
/** LDAP_CAP_ACTIVE_DIRECTORY_OID, which Samba has too, and LDAP_CAP_ACTIVE_DIRECTORY_ADAM_OID. */
const KNOWS_CHAINS = ['1.2.840.113556.1.4.800', '1.2.840.113556.1.4.1851'];
const REFERRAL = 10;
const KEEP_ALIVE_MS = 30_000;
const ONE_ENTRY = { max: 1, tooMany: failures.unreadable };

/**
 * Opens a connection, to the point where it can be searched. Rejects with one of `failures`, or the signal's reason; nothing is left
 * open then.
 */
export async function openConnection(settings: Settings, signal: AbortSignal): Promise<Connection> {
  signal.throwIfAborted();
  const { host, port, security } = settings;
  const tcp = connectTcp({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
  });
  // An error that nobody listens for ends the process. Whoever waits has a listener of its own.
  tcp.on('error', () => {});
  try {
    await opened(tcp, 'connect', signal);
    if (security === 'starttls') await startTls(tcp, signal);
    const wire = createWire(security === 'none' ? tcp : await secure(tcp, settings, signal));
    await bind(wire, settings, signal);
    const connection: Connection = {
      wire,
      search: (query, signal) => search(wire, settings, query, signal),
    };
    await probe(connection, settings, signal);
    return connection;
  } catch (error) {
    tcp.destroy();
    throw error;
  }
}

/** RFC 4511 §4.14. Done by hand, so that nothing that came in the clear is read as part of what came through TLS. */
async function startTls(tcp: Socket, signal: AbortSignal): Promise<void> {
  const wire = createWire(tcp);
  const { code } = await wire.ask(
    (messageId) => new ExtendedRequest({ messageId, oid: START_TLS }),
    { response: RESPONSES.extended },
    signal,
  );
  if (code !== 0) throw failures.startTlsRefused(code);
  if (!wire.detach()) throw failures.startTlsFollowed();
}

async function secure(tcp: Socket, settings: Settings, signal: AbortSignal): Promise<Socket> {
  const socket = connectTls({ ...settings.tls, socket: tcp });
  socket.on('error', () => {});
  await opened(socket, 'secureConnect', signal);
  return socket;
}

async function bind(wire: Wire, { bind: reader }: Settings, signal: AbortSignal): Promise<void> {
  const password = reader === undefined ? '' : await readPassword(reader, signal);
  const dn = reader?.dn ?? '';
  const { code } = await wire.ask(
    (messageId) => new BindRequest({ messageId, dn, password }),
    { response: RESPONSES.bind },
    signal,
  );
  if (code !== 0) throw failures.bindRefused(code);
}

async function readPassword(reader: NonNullable<Settings['bind']>, signal: AbortSignal): Promise<string> {
  let bytes: Uint8Array | undefined;
  try {
    // Not every store ends with the signal. The waiting does.
    bytes = await Promise.race([reader.secrets.read(reader.password, signal), whenAborted(signal)]);
  } catch (error) {
    signal.throwIfAborted();
    throw failures.passwordUnreadable(error);
  }
  if (bytes === undefined) throw failures.passwordMissing();
  if (!(bytes instanceof Uint8Array) || !isUtf8(bytes)) throw failures.passwordNoText();
  // What an editor leaves at the end of a file.
  const password = decodeText(bytes).replace(/\r?\n$/, '');
  // RFC 4513 §5.1.2: a bind without a password succeeds as nobody.
  if (password === '') throw failures.passwordEmpty();
  return password;
}

/** Asks what a search for a subject would not tell: whether nothing was found because there is nothing, or because it cannot be seen. */
async function probe(connection: Connection, settings: Settings, signal: AbortSignal): Promise<void> {
  const { users, groups } = settings;
  const byUser = all(known(users.attribute), groups.via === undefined ? undefined : known(groups.via));
  await probeBase(connection, ['users.base', 'users.attribute'], users.base, byUser, signal);
  const { via, nested } = groups;
  const byGroup = via === undefined ? known(groups.member) : nested ? known(via) : anyEntry;
  const names = ['groups.base', via === undefined ? 'groups.member' : 'groups.via'] as const;
  await probeBase(connection, names, groups.base, byGroup, signal);
  if (nested === 'in-chain') await probeChains(connection, signal);
}

async function probeBase(
  { search }: Connection,
  [baseOption, attributeOption]: readonly [string, string],
  base: string,
  filter: Filter,
  signal: AbortSignal,
): Promise<void> {
  const query = { base, scope: 'base', attributes: ['1.1'], expected: ONE_ENTRY } as const;
  const { code, entries } = await search({ ...query, filter }, signal);
  if (code !== 0) throw failures.baseMissing(baseOption, code);
  if (entries.length === 0) throw failures.attributeUnknown(attributeOption);
}

async function probeChains({ search }: Connection, signal: AbortSignal): Promise<void> {
  const attributes = ['supportedCapabilities'];
  const root = { base: '', scope: 'base', filter: anyEntry, attributes, expected: ONE_ENTRY } as const;
  const { code, entries } = await search(root, signal);
  const capabilities = entries.flatMap((entry) => entry.attributes.flatMap(({ values }) => values));
  const knowing = capabilities.some((value) => KNOWS_CHAINS.includes(value.toString('latin1')));
  if (code !== 0 || !knowing) throw failures.noChain();
}

async function search(
  wire: Wire,
  { domainScope, timeoutMs }: Settings,
  { page, sizeLimit = 0, expected, base, scope, filter, attributes }: Query,
  signal: AbortSignal,
): Promise<Answer> {
  const { size = 0, cookie } = page ?? {};
  const controls = [
    ...(domainScope ? [new Control(DOMAIN_SCOPE)] : []),
    ...(page === undefined
      ? []
      : [new PagedResultsControl({ value: cookie === undefined ? { size } : { size, cookie } })]),
  ];
  const answer = await wire.ask(
    (messageId) =>
      new SearchRequest({
        messageId,
        baseDN: base,
        scope,
        filter,
        attributes: [...attributes],
        sizeLimit,
        timeLimit: Math.ceil(timeoutMs / 1_000),
        controls,
      }),
    { response: RESPONSES.search, entries: expected },
    signal,
  );
  if (answer.code === REFERRAL) throw failures.referred();
  return answer;
}

/** Waits for a socket to be open. Rejects if it will not be. */
function opened(socket: Socket, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const settle = (then: () => void) => {
      socket.off(event, onOpen).off('error', onError).off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      then();
    };
    const onOpen = () => settle(resolve);
    const onError = (error: Error) => settle(() => reject(failures.unreachable(error)));
    const onClose = () => settle(() => reject(failures.lost()));
    const onAbort = () => settle(() => reject(signal.reason));
    socket.on(event, onOpen).on('error', onError).on('close', onClose);
    signal.addEventListener('abort', onAbort);
  });
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
