// Requests and responses over one socket, RFC 4511 §4.1.1. ldapts writes the requests. Its Client is not used: after a lost connection
// it goes on over a new one that nobody has bound or secured.
import type { Socket } from 'node:net';
import { type Message as Request, UnbindRequest } from 'ldapts';
import { failures } from './failures.ts';
import { createMessageReader, type Entry, type Message } from './messages.ts';

/** What a request was answered with, whole. */
export interface Answer {
  /** The result code, RFC 4511 §4.1.9. */
  readonly code: number;
  readonly entries: readonly Entry[];
  /** RFC 2696: empty on the last page; undefined if the answer is not paged. */
  readonly cookie: Buffer | undefined;
}

/** How a request is answered. */
export interface Expected {
  /** The tag of its response. */
  readonly response: number;
  /** What more entries than that end with. Default: an answer without entries. */
  readonly entries?: { readonly max: number; tooMany(): Error } | undefined;
}

/** A socket that speaks LDAP. */
export interface Wire {
  /**
   * Asks. Several requests may be under way. Whatever is wrong with the connection or an answer ends all of them, and so does
   * the signal.
   */
  ask(request: (messageId: number) => Request, expected: Expected, signal: AbortSignal): Promise<Answer>;
  /** True while the socket is open and no answer is waited for. */
  readonly sound: boolean;
  /** True if it was the other side, or the network, that ended it. */
  readonly lost: boolean;
  /** Called once, when the socket has closed. */
  onClosed(listener: () => void): void;
  /** Whether an open connection keeps the process alive. */
  keepAlive(wanted: boolean): void;
  /** Lets go of a socket that is to speak something else now. @returns false if it has said more than it was asked */
  detach(): boolean;
  /** Ends it: politely if nobody waits, at once otherwise, with this error for who does. */
  end(error: Error): void;
}

interface Asked {
  readonly expected: Expected;
  readonly entries: Entry[];
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** Bytes that are read until all requests of a connection are answered. 10,000 groups take a few megabytes. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Speaks LDAP over an open socket. */
export function createWire(socket: Socket): Wire {
  const reader = createMessageReader();
  const asked = new Map<number, Asked>();
  let failure: { readonly error: unknown } | undefined;
  let lost = false;
  let lastId = 0;
  let received = 0;
  let closed: (() => void) | undefined;

  const fail = (error: unknown) => {
    failure ??= { error };
    const { error: first } = failure;
    for (const { reject } of asked.values()) reject(first);
    asked.clear();
    socket.destroy();
  };
  const loseWith = (error: Error) => {
    lost ||= failure === undefined;
    fail(error);
  };
  const onData = (chunk: Buffer) => {
    try {
      for (const message of reader.push(chunk)) accept(message);
    } catch (error) {
      fail(error);
    }
  };
  const onError = (error: Error) => loseWith(failures.unreachable(error));
  const onClose = () => {
    loseWith(failures.lost());
    closed?.();
  };
  socket.on('data', onData).on('error', onError).on('close', onClose);

  function accept(message: Message): void {
    const waiting = asked.get(message.id);
    if (waiting === undefined) {
      // RFC 4511 §4.4.1: a notice of disconnection, and all others are no better.
      if (message.id !== 0) throw failures.unreadable();
      loseWith(failures.lost());
      return;
    }
    received += message.size;
    if (received > MAX_ANSWER_BYTES) throw failures.tooLarge();
    const { expected, entries } = waiting;
    if (message.kind === 'entry') {
      if (expected.entries === undefined) throw failures.unreadable();
      entries.push(message.entry);
      if (entries.length > expected.entries.max) throw expected.entries.tooMany();
    } else if (message.kind === 'reference') {
      throw failures.referred();
    } else if (message.response !== expected.response) {
      throw failures.unreadable();
    } else {
      asked.delete(message.id);
      if (asked.size === 0) received = 0;
      waiting.resolve({ code: message.code, entries, cookie: message.cookie });
    }
  }

  return {
    async ask(request, expected, signal) {
      if (failure !== undefined) throw failure.error;
      signal.throwIfAborted();
      const messageId = ++lastId;
      const bytes = request(messageId).write();
      const stop = () => fail(signal.reason);
      signal.addEventListener('abort', stop);
      try {
        return await new Promise<Answer>((resolve, reject) => {
          asked.set(messageId, { expected, entries: [], resolve, reject });
          socket.write(bytes);
        });
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },
    get sound() {
      return failure === undefined && asked.size === 0;
    },
    get lost() {
      return lost;
    },
    onClosed(listener) {
      closed = listener;
    },
    keepAlive(wanted) {
      if (wanted) socket.ref();
      else socket.unref();
    },
    detach() {
      socket.off('data', onData).off('error', onError).off('close', onClose);
      return failure === undefined && asked.size === 0 && !reader.started;
    },
    end(error) {
      if (failure === undefined && asked.size === 0) {
        failure = { error };
        socket.end(new UnbindRequest({ messageId: ++lastId }).write());
        socket.destroySoon();
      } else {
        fail(error);
      }
    },
  };
}
