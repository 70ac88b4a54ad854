// Bodies of replies: reading them, whatever a framework was given, and taking them off. What is
// signed in them is in response.ts.
import { isUtf8 } from 'node:buffer';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';

/** A reply that is about to leave. */
export interface OutgoingReply {
  readonly status: number;
  /**
   * What the framework was given: an object, text, bytes or a stream of bytes. A Blob is refused.
   */
  readonly body: unknown;
  // Called without their object: an adapter passes functions of its own.
  getHeader(name: string): unknown;
  setHeader(name: string, value: string): unknown;
  removeHeader(name: string): unknown;
  /** Node's response: when it has closed, nobody reads the reply any more, and a stream of it ends. */
  readonly response?: Pick<ServerResponse, 'destroyed' | 'once'>;
}

/** What leaves instead. */
export interface SignedReply {
  /**
   * The reply's object with its fields signed, and everything else as it was. Undefined: the reply
   * leaves without its body.
   */
  readonly object: unknown;
  /**
   * The same as text; or of a stream that has nothing to sign, what was read of it. Empty: the
   * reply leaves without its body.
   */
  readonly body: string | Buffer;
}

/** A reply with tokens is small. */
export const MAX_REPLY_BYTES = 1024 * 1024;

/** What speaks of the body as it was. */
export const NO_LONGER_TRUE = [
  'Content-Length',
  'ETag',
  'Last-Modified',
  'Content-MD5',
  'Digest',
  'Content-Digest',
  'Repr-Digest',
] as const;
/** What is about a body that does not leave at all. */
const OF_A_BODY = [
  ...NO_LONGER_TRUE,
  'Content-Type',
  'Content-Encoding',
  'Content-Disposition',
  'Content-Range',
] as const;

/** Takes the body off a reply: its status leaves, with the headers that say nothing of a body. */
export function removeBody({ removeHeader }: Pick<OutgoingReply, 'removeHeader'>): SignedReply {
  for (const name of OF_A_BODY) removeHeader(name);
  return { object: undefined, body: '' };
}

/**
 * JSON, also under another name with the suffix (RFC 6839 §3.1). Lines or sequences of JSON are
 * not.
 */
export function isJsonType(type: unknown): boolean {
  return /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(String(type));
}

/**
 * The body; of a stream, its bytes.
 * @throws Error for a body that is compressed, too long or fails
 */
export async function readBody({ getHeader, body }: OutgoingReply): Promise<unknown> {
  if ((getHeader('content-encoding') ?? 'identity') !== 'identity')
    throw new Error('signResponse: the reply is compressed already');
  return isStream(body) ? await collect(body) : body;
}

/** @throws Error for what is not JSON, or not declared as JSON */
export function parseBody(text: string, isJson: boolean): unknown {
  if (!isJson) throw notJson();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('signResponse: the reply is not JSON');
  }
}

/**
 * The body as the framework would write it. A byte order mark is nothing that a reader would keep.
 */
export function textOf(body: unknown): string {
  if (body === undefined || body === null) return '';
  if (isSealed(body)) throw new Error('signResponse: a reply of this kind cannot be read');
  const text =
    typeof body === 'string'
      ? body
      : body instanceof Uint8Array
        ? decode(body)
        : (JSON.stringify(body) ?? '');
  if (text.length > MAX_REPLY_BYTES) throw tooLong();
  return text.replace(/^\uFEFF/, '');
}

function decode(bytes: Uint8Array): string {
  // What is not UTF-8 is not JSON (RFC 8259 §8.1).
  return isUtf8(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
    : '\uFFFD';
}

async function collect(stream: object): Promise<Buffer> {
  if (!(Symbol.asyncIterator in stream)) throw new Error('signResponse: a reply of this kind cannot be read');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<unknown>) {
    const bytes = chunk instanceof Uint8Array ? Buffer.from(chunk) : Buffer.from(String(chunk));
    size += bytes.length;
    if (size > MAX_REPLY_BYTES) throw tooLong();
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, size);
}

/** Why a reply that is too long to be held back does not leave. */
export function tooLong(): Error {
  return new Error(`signResponse: the reply is longer than ${MAX_REPLY_BYTES} bytes`);
}

/** Node's streams, old and new, and the web's. */
export function isStream(body: unknown): body is object {
  return (
    typeof body === 'object' &&
    body !== null &&
    (Symbol.asyncIterator in body ||
      'getReader' in body ||
      ('pipe' in body && typeof body.pipe === 'function'))
  );
}

/**
 * A body that can be let go of. What is not read to its end would keep what it comes from open, a file or a connection, and its failure
 * would find no listener.
 */
export function heldBody(body: unknown): { readonly body: unknown; discard(): void } {
  // While somebody reads a stream of the web, nobody else can cancel it.
  const held = body instanceof ReadableStream && !body.locked ? Readable.fromWeb(body) : body;
  const source: unknown = isSealed(held) ? Reflect.get(held, 'body') : held;
  if (!isStream(source)) return { body: held, discard: () => {} };
  return {
    body: held,
    discard() {
      if ('on' in source && typeof source.on === 'function') source.on('error', () => {});
      if ('destroy' in source && typeof source.destroy === 'function') source.destroy();
      else if ('cancel' in source && typeof source.cancel === 'function')
        Promise.resolve(source.cancel()).catch(() => {});
    },
  };
}

/** A Response or a Blob: what they hold is not in their members. */
function isSealed(body: unknown): body is object {
  return typeof body === 'object' && body !== null && 'arrayBuffer' in body;
}

/** Why a reply of another type does not leave. */
export function notJson(): Error {
  return new Error('signResponse: the reply is not declared as JSON');
}
