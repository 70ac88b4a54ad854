// Holding back a reply that is written straight to Node's response, however it is written, until its fields are signed.
import type { ServerResponse } from 'node:http';
import { asError } from '../errors.ts';
import { MAX_REPLY_BYTES, type OutgoingReply, type SignedReply, tooLong } from './response.ts';

/** What the wrapped methods do: hold a reply back, wait for its signing, or hand on to Node. */
type State = 'holding' | 'signing' | 'open';

/**
 * Holds a reply back until it has ended, and lets go of what `sign` makes of it, or of the reply itself where that makes nothing. A reply
 * that is no 2xx passes as it is written, and what was held before it is dropped: a handler that failed midway. Nothing has left when
 * `fail` is called, and the framework may answer with an error; a 2xx that comes after it is held again.
 */
export function holdReply(
  response: ServerResponse,
  sign: (reply: OutgoingReply) => Promise<SignedReply | undefined>,
  fail: (error: Error) => void,
): void {
  // Its head is all that there is.
  if (response.req?.method === 'HEAD') return;
  const own = { writeHead: response.writeHead, write: response.write, end: response.end } as const;
  const { flushHeaders } = response;
  let state: State = 'holding';
  let chunks: Buffer[] = [];
  let size = 0;
  /** The head as it was when it would have left: what is set afterwards would not have counted. */
  let head: Head | undefined;
  let swallows = false;

  function handOn(name: keyof typeof own, given: readonly unknown[]): unknown {
    return Reflect.apply(own[name], response, given);
  }

  function hold(chunk: unknown, encoding: unknown): void {
    const bytes =
      chunk instanceof Uint8Array
        ? Buffer.from(chunk)
        : Buffer.from(String(chunk), typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
    size += bytes.length;
    chunks.push(bytes);
    if (size <= MAX_REPLY_BYTES) return;
    // Whoever writes on is not listened to any more: only an error may still be answered with.
    swallows = true;
    giveUp(tooLong());
  }

  function giveUp(error: unknown): void {
    state = 'holding';
    chunks = [];
    size = 0;
    head = undefined;
    for (const name of response.getHeaderNames())
      if (/^(?:content-|etag$|last-modified$|cache-control$|transfer-encoding$)/.test(name))
        response.removeHeader(name);
    try {
      fail(asError(error));
    } catch {
      response.destroy();
    }
  }

  async function finish(): Promise<void> {
    const body = Buffer.concat(chunks);
    try {
      const reply = {
        status: response.statusCode,
        body,
        getHeader: (name: string) => response.getHeader(name),
        setHeader: (name: string, value: string) => response.setHeader(name, value),
        removeHeader: (name: string) => response.removeHeader(name),
      };
      const signed = await sign(reply);
      if (signed === undefined) restore(response, head);
      else response.statusCode = head?.status ?? 200;
      const left = signed?.body ?? body;
      if (signed !== undefined) response.setHeader('Content-Length', Buffer.byteLength(left));
      state = 'open';
      handOn('end', [left]);
    } catch (error) {
      // What Node refuses to send, as a status message with a line end, it would refuse again.
      Reflect.deleteProperty(response, 'statusMessage');
      giveUp(error);
    }
  }

  /** A refusal or a redirect has nothing to be signed, and may be a stream. */
  function passes(): boolean {
    if (state === 'open') return true;
    if (state === 'signing' || (response.statusCode >= 200 && response.statusCode <= 299)) return false;
    state = 'open';
    chunks = [];
    return true;
  }

  Object.assign(response, {
    writeHead(status: number, ...rest: unknown[]) {
      if (state === 'open') return handOn('writeHead', [status, ...rest]);
      if (state === 'signing') return response;
      response.statusCode = status;
      if (typeof rest[0] === 'string') response.statusMessage = rest[0];
      setHeaders(
        response,
        rest.findLast((value) => typeof value === 'object' && value !== null),
      );
      head = headOf(response);
      return response;
    },
    flushHeaders() {
      if (state === 'open') Reflect.apply(flushHeaders, response, []);
    },
    write(...given: unknown[]) {
      if (passes()) return swallows && response.writableEnded ? true : handOn('write', given);
      const callback = callbackOf(given);
      if (callback !== undefined) queueMicrotask(callback);
      if (state === 'signing' || swallows) return true;
      head ??= headOf(response);
      hold(given[0], given[1]);
      return true;
    },
    end(...given: unknown[]) {
      if (passes()) return swallows && response.writableEnded ? response : handOn('end', given);
      if (state === 'signing' || swallows) return response;
      const callback = callbackOf(given);
      // As Node calls it: when a reply has been sent, whichever that is.
      if (callback !== undefined) response.once('finish', callback);
      head ??= headOf(response);
      const [chunk, encoding] = given;
      if (chunk !== undefined && chunk !== null && typeof chunk !== 'function') hold(chunk, encoding);
      if (swallows) return response;
      state = 'signing';
      void finish();
      return response;
    },
  });
  // So that whoever asks before answering again is told: a head that is held is as good as sent.
  Object.defineProperty(response, 'headersSent', {
    configurable: true,
    get: () =>
      state === 'open'
        ? Reflect.get(Object.getPrototypeOf(response), 'headersSent', response)
        : head !== undefined,
  });
}

interface Head {
  readonly status: number;
  readonly headers: ReturnType<ServerResponse['getHeaders']>;
}

function headOf(response: ServerResponse): Head {
  return { status: response.statusCode, headers: { ...response.getHeaders() } };
}

function restore(response: ServerResponse, head: Head | undefined): void {
  if (head === undefined) return;
  response.statusCode = head.status;
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  for (const [name, value] of Object.entries(head.headers))
    if (value !== undefined) response.setHeader(name, value);
}

function callbackOf(values: readonly unknown[]): (() => void) | undefined {
  return values.find((value): value is () => void => typeof value === 'function');
}

/** What `writeHead` takes: an object, a flat list, or a list of pairs. A name that is repeated there has several values. */
function setHeaders(response: ServerResponse, headers: unknown): void {
  if (typeof headers !== 'object' || headers === null) return;
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers))
      if (value !== undefined) response.setHeader(name, value);
    return;
  }
  const pairs: readonly (readonly [string, string])[] = headers.every(Array.isArray)
    ? (headers as [string, string][])
    : Array.from({ length: headers.length / 2 }, (_, index) => [headers[2 * index], headers[2 * index + 1]]);
  const seen = new Set<string>();
  for (const [name, value] of pairs) {
    if (seen.has(name.toLowerCase())) response.appendHeader(name, value);
    else response.setHeader(name, value);
    seen.add(name.toLowerCase());
  }
}
