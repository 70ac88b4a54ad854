// Requests and responses over one socket, RFC 4511 §4.1.1: many at a time, each found by its id.
// ldapts writes the requests. Its Client is not used, for the reasons in ../upstream.
import type { Socket } from 'node:net';
import { AbandonRequest, type Message as Request, UnbindRequest } from 'ldapts';
import { asFailure, type Failure, lost, referred, unreachable, unreadable } from './failures.ts';
import { createMessageReader, type Entry, type Message, TAGS } from './messages.ts';

/** What a request was answered with, whole: the last message, and the entries before it. */
export interface Answer {
  readonly code: number;
  readonly entries: readonly Entry[];
  readonly cookie: Buffer | undefined;
}

/** A request, and how it is answered. */
export interface Asking {
  /** Makes the request with this message id. */
  request(messageId: number): Request;
  /** The tag of its response. */
  readonly response: number;
  /** With more entries than that, the answer ends: see `SIZE_LIMIT_EXCEEDED`. */
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

/** RFC 4511 Appendix A.2: also the result code of an answer of which no more is wanted. */
export const SIZE_LIMIT_EXCEEDED = 4;
/** Requests at a time. More wait for their turn. */
const MAX_BUSY = 64;
/** Bytes of all messages of one answer. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** RFC 4511 §4.1.1.1, less one for the last word. */
const MAX_ID = 2 ** 31 - 2;

/** Speaks LDAP over an open socket. The socket keeps the process alive while it is busy. */
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
    // What was abandoned may have been answered before the directory knew.
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

  /** Forgets a request, and lets the next have its turn. */
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
     * Asks. What is wrong with an answer ends its request; what is wrong with the connection ends
     * all. The signal ends the request, and the directory is told to abandon it.
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
    /** Does what the directory lets a connection do once at a time. */
    alone<T>(work: () => Promise<T>): Promise<T> {
      const result = queue.then(work);
      queue = result.catch(() => {});
      return result;
    },
    /** Why it has ended; undefined while it has not. */
    ended: () => ended,
    /** When it was opened, monotonic milliseconds; and when the directory last said something. */
    openedAt,
    heardAt: () => heardAt,
    /** Requests that wait for their answer, and those that wait for their turn. */
    report: () => ({ busy: asked.size, waiting: turns.length }),
    /** Lets go of a socket that is to speak TLS. @returns false if more came than was asked */
    detach(): boolean {
      socket.off('data', onData).off('error', onError).off('close', onClose);
      return ended === undefined && asked.size === 0 && !reader.isStarted();
    },
    /** Ends it, with this error for all requests: politely if there are none. */
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
