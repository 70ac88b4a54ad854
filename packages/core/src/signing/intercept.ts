// Holding back a reply that is written straight to Node's response, however it is written, until its fields are signed.
import type { ServerResponse } from 'node:http';
import { asError } from '../errors.ts';
import { MAX_REPLY_BYTES, type OutgoingReply, type SignedReply } from './response.ts';

type Held = 'writeHead' | 'write' | 'end' | 'flushHeaders';

/**
 * Holds a reply back until it has ended, and lets go of what `sign` makes of it, or of the reply itself where that makes nothing. A reply
 * that is no 2xx passes as it is written. Nothing has left when `fail` is called: the head is cleared of what spoke of the body, and
 * the framework may answer with an error.
 */
export function holdReply(
  response: ServerResponse,
  sign: (reply: OutgoingReply) => Promise<SignedReply | undefined>,
  fail: (error: Error) => void,
): void {
  const { writeHead, write, end, flushHeaders } = response;
  const chunks: Buffer[] = [];
  let size = 0;
  let ended = false;

  function release(): void {
    Object.assign(response, { writeHead, write, end, flushHeaders } satisfies Pick<ServerResponse, Held>);
  }

  function take(chunk: unknown, encoding: unknown): void {
    const bytes =
      chunk instanceof Uint8Array
        ? Buffer.from(chunk)
        : Buffer.from(String(chunk), typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
    size += bytes.length;
    // No more than is needed to know that it is too much.
    if (size <= MAX_REPLY_BYTES) chunks.push(bytes);
  }

  async function finish(ending: (() => void)[]): Promise<void> {
    const body = Buffer.concat(chunks);
    let signed: SignedReply | undefined;
    try {
      if (size > MAX_REPLY_BYTES)
        throw new Error(`signResponse: the reply is longer than ${MAX_REPLY_BYTES} bytes`);
      const header = (name: string) => response.getHeader(name);
      signed = await sign({ status: response.statusCode, header, body });
    } catch (error) {
      release();
      for (const name of response.getHeaderNames())
        if (/^(?:content-|etag$|last-modified$|cache-control$|transfer-encoding$)/.test(name))
          response.removeHeader(name);
      fail(asError(error));
      return;
    }
    release();
    if (signed !== undefined) {
      for (const name of signed.without) response.removeHeader(name);
      for (const [name, value] of Object.entries(signed.headers)) response.setHeader(name, value);
    }
    response.end(signed?.body ?? body, () => {
      for (const callback of ending) callback();
    });
  }

  /** A refusal or a redirect has nothing to be signed, and may be a stream. */
  function passes(): boolean {
    if (response.statusCode >= 200 && response.statusCode <= 299) return false;
    if (size > 0 || ended) return false;
    release();
    return true;
  }

  Object.assign(response, {
    writeHead(status: number, ...rest: unknown[]) {
      response.statusCode = status;
      const [message, headers] = typeof rest[0] === 'string' ? rest : [undefined, rest[0]];
      if (typeof message === 'string') response.statusMessage = message;
      for (const [name, value] of headerEntries(headers)) response.setHeader(name, value);
      return response;
    },
    flushHeaders() {},
    write(chunk: unknown, ...rest: unknown[]) {
      if (passes()) return Reflect.apply(response.write, response, [chunk, ...rest]);
      if (!ended) take(chunk, rest[0]);
      callbackOf(rest)?.();
      return true;
    },
    end(...given: unknown[]) {
      if (passes()) return Reflect.apply(response.end, response, given);
      const [chunk, encoding] = given;
      if (ended) return response;
      if (chunk !== undefined && chunk !== null && typeof chunk !== 'function') take(chunk, encoding);
      ended = true;
      const callback = callbackOf(given);
      void finish(callback === undefined ? [] : [callback]);
      return response;
    },
  });
}

function callbackOf(values: readonly unknown[]): (() => void) | undefined {
  return values.find((value): value is () => void => typeof value === 'function');
}

/** What `writeHead` takes: an object, a flat list, or a list of pairs. */
function headerEntries(
  headers: unknown,
): readonly (readonly [string, string | number | readonly string[]])[] {
  if (typeof headers !== 'object' || headers === null) return [];
  if (!Array.isArray(headers)) return Object.entries(headers).filter(([, value]) => value !== undefined);
  if (headers.every(Array.isArray)) return headers as [string, string][];
  return Array.from({ length: headers.length / 2 }, (_, index) => [
    String(headers[2 * index]),
    headers[2 * index + 1] as string,
  ]);
}
