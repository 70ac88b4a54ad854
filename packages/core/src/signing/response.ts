// Signing fields of a reply: which replies, which fields, and what leaves instead. How a framework hands the reply over is the adapter's.
import { isUtf8 } from 'node:buffer';
import { ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import { isPlainObject, readObject, type UncheckedOptions } from '../values/readers.ts';
import type { SignerOptions } from './options.ts';
import { readSignedFields, type SignedFields, signerOptionNames } from './options.ts';
import { createSigner, type Signer } from './signer.ts';

/** Which fields are signed, and by whom: a signer made before, or the options of one. */
export type SignResponseOptions =
  | (SignedFields & { readonly signer: Signer })
  | (SignedFields & SignerOptions);

/** A reply that is about to leave. */
export interface OutgoingReply {
  readonly status: number;
  /** What the framework was given: an object, text, bytes or a stream of bytes. A Blob is refused. */
  readonly body: unknown;
  // Called without their object: an adapter passes functions of its own.
  getHeader(name: string): unknown;
  setHeader(name: string, value: string): unknown;
  removeHeader(name: string): unknown;
}

/** What leaves instead. */
export interface SignedReply {
  /** The reply's object with its fields signed, and everything else as it was; or of a stream that is no JSON, its bytes. */
  readonly object: unknown;
  /** The same as text; or of a stream that has nothing to sign, what was read of it. */
  readonly body: string | Buffer;
}

/** Signs the replies of one route. */
export interface ResponseSigner {
  readonly signer: Signer;
  /**
   * Signs a reply's fields, and puts its headers right: those of a reply with tokens, or after a failure, none that spoke of its body.
   * @returns undefined for a reply that leaves as it is: it is no 2xx, no JSON object, or has none of the fields
   * @throws Error if a field is there and cannot be signed: nothing may leave then. Nothing of the body is in its message
   */
  sign(reply: OutgoingReply): Promise<SignedReply | undefined>;
}

/** A reply with tokens is small. */
export const MAX_REPLY_BYTES = 1024 * 1024;

/** RFC 6749 §5.1: no cache keeps tokens. */
const HEADERS = {
  'Content-Type': 'application/json; charset=utf-8',
  'Cache-Control': 'no-store',
  Pragma: 'no-cache',
} as const;
/** What speaks of the body as it was. */
const NO_LONGER_TRUE = [
  'Content-Length',
  'ETag',
  'Last-Modified',
  'Content-MD5',
  'Digest',
  'Content-Digest',
  'Repr-Digest',
] as const;
/** What is about a body that does not leave at all. */
const OF_A_BODY = [...NO_LONGER_TRUE, 'Content-Type', 'Content-Encoding', 'Cache-Control'] as const;

/**
 * Makes the signer of a route's replies, and begins to load its keys.
 * @throws ConfigError
 */
export function createResponseSigner(options: SignResponseOptions): ResponseSigner {
  const { keysToSign, full, onMissing, ...rest } = readObject(
    options,
    ['keysToSign', 'full', 'onMissing', 'signer', ...signerOptionNames],
    '',
  );
  const { names, form, mustHaveAll } = readSignedFields({ keysToSign, full, onMissing });
  const signer = readSigner(rest);

  async function signField(name: string, claims: unknown): Promise<unknown> {
    if (!isPlainObject(claims)) throw new Error(`signResponse: ${name} is not an object`);
    const token = await signer.sign(claims);
    if (form === 'compact') return token;
    const [header, payload, signature] = token.split('.');
    const flattened = { payload, protected: header, signature };
    return form === 'object' ? flattened : JSON.stringify(flattened);
  }

  async function signReply({ getHeader, body }: OutgoingReply): Promise<SignedReply | undefined> {
    const type = getHeader('content-type');
    const isJson = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(String(type ?? ''));
    // JSONP: by a parameter of its URL, whoever asks would get the object in a script.
    if (/javascript/i.test(String(type ?? ''))) throw new Error('signResponse: the reply is a script');
    if ((getHeader('content-encoding') ?? 'identity') !== 'identity')
      throw new Error('signResponse: the reply is compressed already');
    const given = isStream(body) ? await collect(body) : body;
    const text = textOf(given);
    const reply = parse(text, isJson);
    const present = isPlainObject(reply) ? names.filter((name) => Object.hasOwn(reply, name)) : [];
    if (mustHaveAll && present.length < names.length)
      throw new Error('signResponse: a field to sign is missing');
    if (!isPlainObject(reply) || present.length === 0) {
      // A stream has been read, and cannot be sent any more.
      return Buffer.isBuffer(given) && given !== body
        ? { object: isJson ? reply : given, body: given }
        : undefined;
    }
    // Beside a type that is not JSON's, nobody can say how it would be read.
    if (!isJson && type !== undefined)
      throw new Error('signResponse: the reply has a field to sign, and is not declared as JSON');
    const signed = new Map<string, unknown>();
    for (const name of present) signed.set(name, await signField(name, reply[name]));
    // Parsed again, so that numbers longer than a double stay as they were written.
    const members = Object.entries(JSON.parse(text, keepDigits) as Record<string, unknown>);
    const object = Object.fromEntries(
      members.map(([name, value]) => [name, signed.has(name) ? signed.get(name) : value]),
    );
    return { object, body: JSON.stringify(object) };
  }

  return Object.freeze<ResponseSigner>({
    signer,
    async sign(reply) {
      if (reply.status < 200 || reply.status > 299) return undefined;
      let signed: SignedReply | undefined;
      try {
        signed = await signReply(reply);
      } catch (error) {
        for (const name of OF_A_BODY) reply.removeHeader(name);
        throw error;
      }
      if (typeof signed?.body === 'string') {
        for (const name of NO_LONGER_TRUE) reply.removeHeader(name);
        for (const [name, value] of Object.entries(HEADERS)) reply.setHeader(name, value);
      }
      return signed;
    },
  });
}

function readSigner({ signer, ...options }: UncheckedOptions): Signer {
  if (signer === undefined) {
    const made = createSigner(options as unknown as SignerOptions);
    made.ready().catch((error: Error) => {
      const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
      warn('LATCHKEY_UNAVAILABLE', `signResponse: nothing can be signed yet: ${error.message}${cause}`);
    });
    return made;
  }
  const [other] = Object.keys(options);
  if (other !== undefined) throw new ConfigError(other, 'stands beside a signer that was made before');
  if (typeof (signer as Partial<Signer> | null)?.sign !== 'function')
    throw new ConfigError('signer', 'expected what createSigner makes');
  return signer as Signer;
}

/** @returns undefined for text that is no JSON, and does not say that it is */
function parse(text: string, isJson: boolean): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    if (isJson) throw new Error('signResponse: the reply says that it is JSON, and is not');
    return undefined;
  }
}

/** The body as the framework would write it. A byte order mark is nothing that a reader would keep. */
function textOf(body: unknown): string {
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

/** Why a reply that nobody could hold back does not leave. */
export function tooLong(): Error {
  return new Error(`signResponse: the reply is longer than ${MAX_REPLY_BYTES} bytes`);
}

/** Node's streams, old and new, and the web's. */
function isStream(body: unknown): body is object {
  return (
    typeof body === 'object' &&
    body !== null &&
    (Symbol.asyncIterator in body ||
      'getReader' in body ||
      ('pipe' in body && typeof body.pipe === 'function'))
  );
}

/** A Response or a Blob: what they hold is not in their members. */
function isSealed(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'arrayBuffer' in body;
}

/** ECMAScript 2026: the text of a number is at hand while JSON is parsed, and can be written as it was. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

function keepDigits(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' && source !== undefined && source !== String(value)
    ? rawJSON(source)
    : value;
}
