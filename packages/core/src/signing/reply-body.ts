// Reads the bodies of replies, in any form that a framework was given, and removes them. Signing
// them is in response.ts.
import { isUtf8 } from 'node:buffer';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';

/** A reply that is about to be sent. */
export interface OutgoingReply {
  readonly status: number;
  /**
   * The body given to the framework: an object, text, bytes or a stream of bytes. A Blob is
   * refused.
   */
  readonly body: unknown;
  // Called without `this`: an adapter passes its own functions.
  getHeader(name: string): unknown;
  setHeader(name: string, value: string): unknown;
  removeHeader(name: string): unknown;
  /**
   * Node's response. When it has closed, the stream of its body is destroyed, because it has no
   * reader.
   */
  readonly response?: Pick<ServerResponse, 'destroyed' | 'once'>;
}

/** The reply to send instead. */
export interface SignedReply {
  /**
   * The reply's object with its fields signed, otherwise unchanged. Undefined: the reply is sent
   * without a body.
   */
  readonly object: unknown;
  /**
   * The same as text; for a stream without anything to sign, the bytes that were read. Empty: the
   * reply is sent without a body.
   */
  readonly body: string | Buffer;
}

/** Largest body in bytes: a reply with tokens is small. */
export const MAX_REPLY_BYTES = 1024 * 1024;

/** Headers that describe the original body. */
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

/**
 * Removes the body of a reply: its status is sent, with the headers that do not describe a body.
 */
export function removeBody({ removeHeader }: Pick<OutgoingReply, 'removeHeader'>): SignedReply {
  for (const name of OF_A_BODY) removeHeader(name);
  return { object: undefined, body: '' };
}

/**
 * True for JSON, also for types with the suffix +json (RFC 6839 §3.1). False for lines or sequences
 * of JSON.
 */
export function isJsonType(type: unknown): boolean {
  return /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(String(type));
}

/**
 * Returns the body; for a stream, its bytes.
 * @throws Error for a body that is compressed, too long, or fails
 */
export async function readBody({ getHeader, body }: OutgoingReply): Promise<unknown> {
  if ((getHeader('content-encoding') ?? 'identity') !== 'identity')
    throw new Error('signResponse: expected an uncompressed reply');
  return isStream(body) ? await collect(body) : body;
}

/**
 * Parses the body.
 * @throws Error if it is not JSON, or not declared as JSON
 */
export function parseBody(text: string, isJson: boolean): unknown {
  if (!isJson) throw notJson();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('signResponse: the reply is not JSON');
  }
}

/** The body as the framework would write it, without a byte order mark, which readers ignore. */
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
  // JSON must be UTF-8 (RFC 8259 §8.1).
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

/** Makes the error for a reply that is too long to be buffered. */
export function tooLong(): Error {
  return new Error(`signResponse: the reply is longer than ${MAX_REPLY_BYTES} bytes`);
}

/** True for Node's streams, old and new, and for web streams. */
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
 * A body that can be let go of. What is not read to its end would keep what it comes from open, a
 * file or a connection, and its failure would find no listener.
 */
export function heldBody(body: unknown): { readonly body: unknown; discard(): void } {
  // A web stream with a reader can only be canceled by that reader.
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

/** Makes the error for a reply with another type. */
export function notJson(): Error {
  return new Error('signResponse: the reply is not declared as JSON');
}
