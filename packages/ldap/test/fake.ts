// A fake directory that gives the answers of a test, correct or wrong. It reads and writes messages
// with ldapts. There are no tests here.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { Certified } from '@latchkey/test-kit/certificate';
import { BerReader, BerWriter, PagedResultsControl, PresenceFilter, SearchRequest } from 'ldapts';

export type Attributes = { readonly [type: string]: readonly string[] };

export interface SeenRequest {
  readonly id: number;
  readonly operation: 'bind' | 'unbind' | 'search' | 'extended' | 'other';
  /** Set for a search. */
  readonly base: string;
  readonly scope: string;
  /** In the spelling of ldapts. */
  readonly filter: string;
  readonly attributes: readonly string[];
  readonly sizeLimit: number;
  readonly page: { readonly size: number; readonly cookie: string } | undefined;
  /** The whole message. */
  readonly bytes: Buffer;
  /** True if it came through TLS. */
  readonly secured: boolean;
}

/** The data to send for a request; undefined to send no answer. */
export type Answer = (request: SeenRequest, socket: Socket) => readonly Buffer[] | undefined;

export interface FakeDirectory {
  readonly url: string;
  readonly requests: SeenRequest[];
  /** All data received, without TLS. */
  readonly received: Buffer[];
  /** Open sockets. */
  readonly sockets: Set<Socket>;
  /** The number of connections so far. */
  connections: number;
  answer: Answer;
  /** Resolves when a matching request has arrived. */
  asked(matches: (request: SeenRequest) => boolean): Promise<SeenRequest>;
  close(): Promise<void>;
}

const OPERATIONS: { readonly [tag: number]: SeenRequest['operation'] } = {
  96: 'bind',
  66: 'unbind',
  99: 'search',
  119: 'extended',
};

/**
 * Starts a fake directory. With a certificate it accepts StartTLS, and starts TLS when it has sent
 * an answer with code 0.
 */
export async function startFake(answer: Answer, certified?: Certified): Promise<FakeDirectory> {
  let waiting: { matches: (request: SeenRequest) => boolean; resolve: (request: SeenRequest) => void }[] = [];
  const serve = (socket: Socket) => {
    let pending = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      fake.received.push(chunk);
      pending = Buffer.concat([pending, chunk]);
      for (;;) {
        // This is not LDAP but the start of TLS, in one chunk.
        const size = pending[0] === 0x16 && !(socket instanceof TLSSocket) ? pending.length : sizeOf(pending);
        if (size === undefined || pending.length < size) return;
        const request = readRequest(Buffer.from(pending.subarray(0, size)), socket instanceof TLSSocket);
        pending = pending.subarray(size);
        fake.requests.push(request);
        for (const { resolve } of waiting.filter(({ matches }) => matches(request))) resolve(request);
        waiting = waiting.filter(({ matches }) => !matches(request));
        const parts = fake.answer(request, socket);
        if (parts !== undefined && !socket.destroyed) socket.write(Buffer.concat(parts));
        if (request.operation !== 'extended' || certified === undefined || parts === undefined) continue;
        socket.off('data', onData);
        const secured = new TLSSocket(socket, {
          isServer: true,
          secureContext: createSecureContext(certified),
        });
        secured.on('error', () => {});
        serve(secured);
        return;
      }
    };
    socket.on('data', onData);
  };
  const server = createServer((socket) => {
    fake.connections++;
    fake.sockets.add(socket);
    socket.on('error', () => {}).on('close', () => fake.sockets.delete(socket));
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const fake: FakeDirectory = {
    url: `ldap://localhost:${(server.address() as AddressInfo).port}`,
    requests: [],
    received: [],
    sockets: new Set(),
    connections: 0,
    answer,
    asked: (matches) => new Promise((resolve) => waiting.push({ matches, resolve })),
    async close() {
      server.close();
      for (const socket of fake.sockets) socket.destroy();
      await once(server, 'close');
    },
  };
  return fake;
}

/** True for a search of one entry (`scope: 'base'`) whose filter tests what the directory knows. */
export const isProbe = ({ filter, base }: SeenRequest) => filter.includes('(!(') || base === '';

/** The answers of a directory with one user and its groups, without any fault. */
export function answerWith(
  user: readonly [dn: string, attributes: Attributes],
  groups: readonly (readonly [dn: string, attributes: Attributes])[],
): Answer {
  return (request) => {
    const { id, operation, base, filter } = request;
    if (operation === 'bind') return [result(id, 'bind', 0)];
    if (operation === 'extended') return [result(id, 'extended', 0)];
    if (operation !== 'search') return undefined;
    if (isProbe(request)) return [entry(id, base, {}), result(id, 'search', 0)];
    if (filter.includes('member')) {
      const found = filter.includes(user[0]) ? groups : [];
      return [...found.map(([dn, attributes]) => entry(id, dn, attributes)), result(id, 'search', 0)];
    }
    return [entry(id, ...user), result(id, 'search', 0)];
  };
}

/**
 * Makes a BindResponse, SearchResultDone or ExtendedResponse. Its texts contain the canary, which
 * no error may repeat.
 */
export function result(
  id: number,
  kind: 'bind' | 'search' | 'extended',
  code: number,
  cookie?: string,
): Buffer {
  return message(id, (writer) => {
    writer.startSequence({ bind: 0x61, search: 0x65, extended: 0x78 }[kind]);
    writer.writeEnumeration(code);
    writer.writeString('cn=canary-matched');
    writer.writeString('canary diagnostics');
    writer.endSequence();
    if (cookie === undefined) return;
    const value = new BerWriter();
    value.startSequence();
    value.writeInt(0);
    value.writeString(cookie);
    value.endSequence();
    writer.startSequence(0xa0);
    writer.startSequence();
    writer.writeString(PagedResultsControl.type);
    writer.writeBuffer(Buffer.from(value.buffer), 0x04);
    writer.endSequence();
    writer.endSequence();
  });
}

/** SearchResultEntry. */
export function entry(id: number, dn: string, attributes: Attributes): Buffer {
  return message(id, (writer) => {
    writer.startSequence(0x64);
    writer.writeString(dn);
    writer.startSequence();
    for (const [type, values] of Object.entries(attributes)) {
      writer.startSequence();
      writer.writeString(type);
      writer.startSequence(0x31);
      for (const value of values) writer.writeString(value);
      writer.endSequence();
      writer.endSequence();
    }
    writer.endSequence();
    writer.endSequence();
  });
}

/** SearchResultReference. */
export function reference(id: number, url: string): Buffer {
  return message(id, (writer) => {
    writer.startSequence(0x73);
    writer.writeString(url);
    writer.endSequence();
  });
}

export function message(id: number, write: (writer: BerWriter) => void): Buffer {
  const writer = new BerWriter();
  writer.startSequence();
  writer.writeInt(id);
  write(writer);
  writer.endSequence();
  return Buffer.from(writer.buffer);
}

function sizeOf(bytes: Buffer): number | undefined {
  const reader = new BerReader(bytes);
  return bytes.length < 2 || reader.readSequence() === null ? undefined : reader.offset + reader.length;
}

function readRequest(bytes: Buffer, secured: boolean): SeenRequest {
  const reader = new BerReader(bytes[0] === 0x16 ? Buffer.from('300502010260', 'hex') : bytes);
  reader.readSequence();
  const id = reader.readInt() ?? -1;
  const operation = bytes[0] === 0x16 ? 'other' : (OPERATIONS[reader.readSequence() ?? -1] ?? 'other');
  const search = new SearchRequest({ messageId: id, filter: new PresenceFilter() });
  if (operation === 'search') search.parse(reader, []);
  const paged = search.controls?.find((control) => control instanceof PagedResultsControl);
  return {
    id,
    operation,
    base: search.baseDN ?? '',
    scope: search.scope,
    filter: operation === 'search' ? search.filter.toString() : '',
    attributes: search.attributes,
    sizeLimit: search.sizeLimit,
    page:
      paged?.value === undefined
        ? undefined
        : { size: paged.value.size, cookie: String(paged.value.cookie ?? '') },
    bytes,
    secured,
  };
}
