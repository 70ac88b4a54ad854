// Requests and responses over one socket, RFC 4511 §4.1.1: many at a time, matched by their ids.
// ldapts writes the requests. Its Client is not used, for the reasons in ../upstream. TLS and bind
// are in connect.ts.
import type { Socket } from 'node:net';
import { AbandonRequest, type Message as Request, UnbindRequest } from 'ldapts';
import { asFailure, type Failure, lost, referred, unreachable, unreadable } from './failures.ts';
import { createMessageReader, type Entry, type Message, TAGS } from './messages.ts';

/** The complete answer to a request: the last message, and the entries before it. */
export interface Answer {
  readonly code: number;
  readonly entries: readonly Entry[];
  readonly cookie: Buffer | undefined;
}

/** A request, and its expected answer. */
export interface Asking {
  /** Makes the request with this message id. */
  request(messageId: number): Request;
  /** The tag of its response. */
  readonly response: number;
  /** With more entries, the answer ends: see `SIZE_LIMIT_EXCEEDED`. */
  readonly maxEntries: number;
}

interface Asked extends Asking {
  readonly entries: Entry[];
  bytes: number;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** A socket that speaks LDAP. */
export type Session = ReturnType<typeof createSession>;

/**
 * RFC 4511 Appendix A.2. Also the result code of an answer that is cut off because it has more than
 * `maxEntries`.
 */
export const SIZE_LIMIT_EXCEEDED = 4;
/** Concurrent requests. Further requests wait. */
const MAX_BUSY = 64;
/** Bytes of all messages of one answer. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** RFC 4511 §4.1.1.1, less one for the final unbind request. */
const MAX_ID = 2 ** 31 - 2;

/**
 * Speaks LDAP over an open socket. The socket keeps the process alive only while requests are open.
 */
export function createSession(socket: Socket) {
  const reader = createMessageReader();
  const asked = new Map<number, Asked>();
  const turns: (() => void)[] = [];
  const openedAt = performance.now();
  let heardAt = openedAt;
  let ended: Failure | undefined;
  let lastId = 0;
  let hasAbandoned = false;
  let queue: Promise<unknown> = Promise.resolve();

  const fail = (error: Failure) => {
    ended ??= error;
    for (const { reject } of asked.values()) reject(ended);
    asked.clear();
    for (const next of turns.splice(0)) next();
    socket.destroy();
  };
  const onData = (chunk: Buffer) => {
    try {
      for (const message of reader.push(chunk)) accept(message);
    } catch (error) {
      fail(asFailure(error));
    }
  };
  const onError = (error: Error) => fail(unreachable(error));
  const onClose = () => fail(lost());
  socket.on('data', onData).on('error', onError).on('close', onClose);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));

  function accept({ id, size, tag, entry, code, cookie }: Message): void {
    // RFC 4511 §4.4.1: a notice of disconnection.
    if (id === 0) throw lost();
    const waiting = asked.get(id);
    heardAt = performance.now();
    // The directory may have answered before it received the abandon request.
    if (waiting === undefined && hasAbandoned && id <= lastId) return;
    if (waiting === undefined) throw unreadable();
    waiting.bytes += size;
    if (tag === waiting.response && code !== undefined) {
      asked.delete(id);
      waiting.resolve({ code, entries: waiting.entries, cookie });
    } else if (tag === TAGS.reference) waiting.reject(referred());
    else if (entry === undefined || waiting.maxEntries === 0 || waiting.bytes > MAX_ANSWER_BYTES)
      waiting.reject(unreadable());
    else if (waiting.entries.length < waiting.maxEntries) waiting.entries.push(entry);
    else waiting.resolve({ code: SIZE_LIMIT_EXCEEDED, entries: waiting.entries, cookie: undefined });
  }

  /** Removes a request, and sends the next waiting one. */
  function settle(id: number, response: number): void {
    if (asked.delete(id) && response === TAGS.result && ended === undefined) {
      hasAbandoned = true;
      socket.write(new AbandonRequest({ messageId: ++lastId, abandonId: id }).write());
    }
    if (asked.size === 0) socket.unref();
    turns.shift()?.();
  }

  return {
    /**
     * Sends a request. A wrong answer ends its request; an error of the connection ends all
     * requests. The signal ends the request, and an abandon request is sent to the directory.
     */
    async ask(asking: Asking, signal: AbortSignal): Promise<Answer> {
      while (asked.size >= MAX_BUSY && ended === undefined)
        await new Promise<void>((next) => turns.push(next));
      if (signal.aborted) turns.shift()?.();
      signal.throwIfAborted();
      if (lastId >= MAX_ID) fail(lost());
      if (ended !== undefined) throw ended;
      const id = ++lastId;
      let stop = () => {};
      try {
        return await new Promise<Answer>((resolve, reject) => {
          stop = () => reject(signal.reason);
          signal.addEventListener('abort', stop);
          asked.set(id, { ...asking, entries: [], bytes: 0, resolve, reject });
          socket.ref();
          socket.write(asking.request(id).write());
        });
      } finally {
        signal.removeEventListener('abort', stop);
        settle(id, asking.response);
      }
    },
    /** Runs operations that the directory allows only one at a time for each connection. */
    alone<T>(work: () => Promise<T>): Promise<T> {
      const result = queue.then(work);
      queue = result.catch(() => {});
      return result;
    },
    /** The error with which it has ended; undefined while it is open. */
    ended: () => ended,
    /** The time when it was opened, and the time when data last arrived; monotonic milliseconds. */
    openedAt,
    heardAt: () => heardAt,
    /** Requests that wait for their answer, and those that wait for their turn. */
    report: () => ({ busy: asked.size, waiting: turns.length }),
    /** Releases the socket for TLS. @returns false if more data arrived than was requested */
    detach(): boolean {
      socket.off('data', onData).off('error', onError).off('close', onClose);
      return ended === undefined && asked.size === 0 && !reader.isStarted();
    },
    /** Ends it, with this error for all requests; sends an unbind request if there are none. */
    async end(error: Failure): Promise<void> {
      if (asked.size > 0 || ended !== undefined) fail(error);
      else {
        ended = error;
        socket.end(new UnbindRequest({ messageId: ++lastId }).write());
        socket.destroySoon();
      }
      await closed;
    },
  };
}
