// Reads the bodies of requests with logout tokens and security event tokens, for all adapters: at
// most as many bytes as a token can have, and not for long. The receiver in notices/ decides.
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { ConfigError } from '../errors.ts';
import { withDeadline } from '../net/deadline.ts';
import { type EventAnswer, notPost } from '../notices/answers.ts';
import type { EventReceiver } from '../notices/receiver.ts';
import { checkCopy } from '../values/copies.ts';
import { refuseRequest } from './misuse.ts';

/** What an adapter says of a request. */
export interface EventMessage {
  readonly method: string | undefined;
  /** The header Content-Type. */
  readonly contentType: string | null | undefined;
  /**
   * Reads the body, or returns what a parser of the framework has made of it. Undefined: there is
   * none, or it is longer than the limit.
   * @param limit in bytes
   */
  read(limit: number): unknown;
}

/** How long a sender may take for its body. */
const BODY_DEADLINE_MS = 10_000;

/**
 * Makes the function that answers requests with tokens.
 * @throws ConfigError for anything but a receiver
 */
export function eventAnswerer(receiver: EventReceiver): (message: EventMessage) => Promise<EventAnswer> {
  refuseRequest(receiver, 'receiveEvents', 'a receiver');
  if (typeof receiver?.receive !== 'function')
    throw new ConfigError('receiveEvents', 'expected a receiver; make one with createEventReceiver');
  checkCopy(receiver, 'receiveEvents');
  return async ({ method, contentType, read }) => {
    if (method !== 'POST') return notPost;
    const limit = receiver.maxBodyBytes;
    const body = await read(limit);
    // A parser of the framework may have another limit.
    const isLong = (typeof body === 'string' || body instanceof Uint8Array) && body.length > limit;
    return receiver.receive({ contentType: contentType ?? undefined, body: isLong ? undefined : body });
  };
}

/**
 * Makes the function that answers requests of Node with tokens. If the body was not read to its
 * end, the answer ends the connection: the next request on it would wait for the rest of the body.
 * @throws ConfigError for anything but a receiver
 */
export function nodeEventAnswerer(
  receiver: EventReceiver,
): (request: IncomingMessage, parsed: unknown, source?: Readable) => Promise<EventAnswer> {
  const answer = eventAnswerer(receiver);
  return async (request, parsed, source = request) => {
    let isCut = false;
    const made = await answer({
      method: request.method,
      contentType: request.headers['content-type'],
      async read(limit) {
        const wasRead = source.readableEnded;
        const body = await readNodeBody(source, limit, parsed);
        isCut = body === undefined && !wasRead;
        return body;
      },
    });
    // HTTP/2 has no such header, and its requests do not wait for each other.
    if (!isCut || request.httpVersionMajor > 1) return made;
    return { ...made, headers: { ...made.headers, Connection: 'close' } };
  };
}

/**
 * Reads the body of a request of Node.
 * @param parsed what a parser has made of it; used if the request was read already
 */
export function readNodeBody(request: Readable, limit: number, parsed: unknown): Promise<unknown> {
  if (request.readableDidRead || request.readableEnded || request.destroyed) return Promise.resolve(parsed);
  return bounded(
    (signal) =>
      new Promise((resolve, reject) => {
        const chunks: Buffer[] = [];
        let length = 0;
        const end = (body: Buffer | undefined) => {
          request.off('data', take).off('end', finish).off('error', reject).off('close', stop);
          resolve(body);
        };
        const stop = () => {
          end(undefined);
          // What still comes is dropped: a socket that is closed with bytes unread resets the
          // connection, and the client may lose the answer.
          request.resume();
        };
        const finish = () => end(Buffer.concat(chunks));
        const take = (chunk: Buffer | string) => {
          const bytes = Buffer.from(chunk as string);
          length += bytes.length;
          if (length > limit) stop();
          else chunks.push(bytes);
        };
        request.on('data', take).once('end', finish).once('error', reject).once('close', stop);
        signal.addEventListener('abort', stop, { once: true });
      }),
  );
}

/** Reads the body of a web-standard request. */
export async function readWebBody(request: Request, limit: number): Promise<Uint8Array | undefined> {
  if (request.bodyUsed || request.body === null) return undefined;
  const reader = request.body.getReader();
  return bounded(async (signal) => {
    const cancel = () => void reader.cancel().catch(() => {});
    signal.addEventListener('abort', cancel, { once: true });
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      length += next.value.length;
      if (length > limit) {
        cancel();
        return undefined;
      }
      chunks.push(next.value);
    }
    return signal.aborted ? undefined : Buffer.concat(chunks);
  });
}

/** A body that does not come, or breaks off, is none. */
async function bounded<T>(read: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
  try {
    return await withDeadline(BODY_DEADLINE_MS, new AbortController().signal, read);
  } catch {
    return undefined;
  }
}
