// Parses strict compact JWS (RFC 7515 §7.1): its form and its JOSE header. Nothing is verified
// here.
import { AuthError } from '../errors.ts';
import { foldCase } from '../values/fold.ts';
import { type JsonObject, parseJsonObject } from '../values/json.ts';

/** What names the key of a token, RFC 7515 §4.1.4, §4.1.7 and §4.1.8. It proves nothing. */
export interface KeyName {
  readonly kid: string | undefined;
  /** The SHA-1 thumbprint of a certificate. Undefined for a token with a `kid`. */
  readonly x5t: string | undefined;
  /** `x5t#S256`, the SHA-256 thumbprint. Undefined for a token with a `kid`. */
  readonly x5tS256: string | undefined;
}

/**
 * The JOSE header parameters that are read (RFC 7515 §4.1). All others are ignored, `jwk`, `x5u`
 * and `x5c` in particular.
 */
export interface UnverifiedHeader extends KeyName {
  readonly alg: string;
  readonly typ: string | undefined;
  /** A URL that is not trusted (RFC 7515 §4.1.2). Only a keyset with `jwksHosts` reads it. */
  readonly jku: string | undefined;
}

/** A parsed token. Do not trust any field before the signature is verified. */
export interface UnverifiedToken {
  readonly header: UnverifiedHeader;
  readonly claims: JsonObject;
  /** The signed text: the encoded header, a dot, the encoded payload (RFC 7515 §5.2). */
  readonly signingInput: Buffer;
  readonly signature: Buffer;
  /** The encoded header, if it is not one of the known headers. */
  readonly newHeader: string | undefined;
}

const HEADER = 'the JOSE header';
const NO_FORM = 'not three base64url segments';
/** An opening brace, or white space before it (RFC 8259 §2). */
const BEGINS_OBJECT: ReadonlySet<number | undefined> = new Set([0x7b, 0x20, 0x09, 0x0a, 0x0d]);
/** The greatest length of a `kid` or a thumbprint in characters, in a token and in a key. */
export const MAX_KID_LENGTH = 256;
// A reused buffer for payloads, which are parsed at once: saves an allocation for each token.
const SCRATCH = Buffer.allocUnsafeSlow(8192);
// Each of these changes what the payload is or how it is read, and none is supported (RFC 7515
// §4.1.11, RFC 7797, RFC 7516).
const REFUSED_PARAMETERS = ['crit', 'b64', 'zip', 'enc'] as const;

/**
 * Parses a compact JWS. Does *not* verify anything.
 * @param maxBytes the greatest length of a token; checked before anything is decoded
 * @param knownHeaders parsed headers by their encoded form: an issuer sends the same header in most
 *   tokens, and it is parsed once
 * @throws AuthError `token_malformed`
 */
export function parseToken(
  token: string,
  maxBytes: number,
  knownHeaders?: ReadonlyMap<string, UnverifiedHeader>,
): UnverifiedToken {
  if (token.length > maxBytes) throw malformed(`longer than ${maxBytes} bytes`);
  const start = token.indexOf('.');
  const end = token.indexOf('.', start + 1);
  // A third dot would be in the last segment, which is then not base64url.
  if (end === -1) throw malformed(`${start === -1 ? 'one part' : 'two parts'} instead of three`);
  if (!isPlainText(token)) throw malformed(NO_FORM);
  const encodedHeader = token.slice(0, start);
  const known = knownHeaders?.get(encodedHeader);
  // The form of all three segments is checked before the content of any.
  const signature = decodeBase64url(token.slice(end + 1), 'the signature');
  const payload = decodeBase64url(token.slice(start + 1, end), 'the payload', SCRATCH);
  return {
    header: known ?? readHeader(parseObject(decodeBase64url(encodedHeader, HEADER), HEADER)),
    claims: parseObject(payload, 'the payload'),
    signingInput: Buffer.from(token.slice(0, end), 'latin1'),
    signature,
    newHeader: known === undefined ? encodedHeader : undefined,
  };
}

/** RFC 7515 §4.1.9: media types are compared without case, and `application/` may be left out. */
export function normalizeType(type: string): string {
  return foldCase(type).replace(/^application\//, '');
}

function readHeader(header: JsonObject): UnverifiedHeader {
  for (const name of REFUSED_PARAMETERS) {
    if (Object.hasOwn(header, name)) throw malformed(`the header parameter ${name} is not supported`);
  }
  const alg = readString(header, 'alg');
  if (alg === undefined) throw malformed('the header has no alg');
  const kid = readName(header, 'kid');
  const thumbprint = (name: string) => (kid === undefined ? readName(header, name) : undefined);
  // RFC 7519 §5.2: cty "JWT" says that the payload is itself a token.
  const cty = readString(header, 'cty');
  if (cty !== undefined && /^(?:application\/)?jwt$/i.test(cty)) throw malformed('a nested token');
  return {
    alg,
    kid,
    x5t: thumbprint('x5t'),
    x5tS256: thumbprint('x5t#S256'),
    typ: readString(header, 'typ'),
    jku: readString(header, 'jku'),
  };
}

function readName(header: JsonObject, name: string): string | undefined {
  const value = readString(header, name);
  if (value !== undefined && value.length > MAX_KID_LENGTH) throw malformed(`${name} is too long`);
  return value;
}

function readString(header: JsonObject, name: string): string | undefined {
  if (!Object.hasOwn(header, name)) return undefined;
  const value = header[name];
  if (typeof value !== 'string' || value === '') throw malformed(`${name} is not a string`);
  return value;
}

function parseObject(bytes: Buffer, what: string): JsonObject {
  // A text that begins differently is not an object; the parser is not needed.
  if (!BEGINS_OBJECT.has(bytes[0])) throw malformed(`${what} is not strict JSON: not a JSON object`);
  // No stack trace: the engine's error is caught here, and its trace costs more than all the rest.
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return parseJsonObject(bytes);
  } catch (cause) {
    throw malformed(`${what} is not strict JSON: ${(cause as SyntaxError).message}`);
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/**
 * True for text that Node's decoder reads strictly. It must be ASCII, because the decoder may take
 * part of another character for a letter, and must not contain the letters of the standard base64
 * alphabet, which the decoder also accepts.
 */
function isPlainText(token: string): boolean {
  return Buffer.byteLength(token, 'utf8') === token.length && !token.includes('+') && !token.includes('/');
}

/**
 * Decodes base64url, and accepts only one spelling of each byte string (RFC 4648 §3.5). The segment
 * must have passed `isPlainText`.
 * @param into is used if it is large enough. The caller must read the bytes before the next call
 *   with the same buffer, and must not keep them.
 */
function decodeBase64url(segment: string, what: string, into?: Buffer): Buffer {
  const trailing = segment.length % 4;
  const bytes =
    into !== undefined && segment.length <= into.length
      ? into.subarray(0, into.write(segment, 'base64url'))
      : Buffer.from(segment, 'base64url');
  // The decoder skips characters outside the alphabet, and the result is then at least a byte
  // short.
  if (segment === '' || trailing === 1 || bytes.length !== Math.floor((segment.length * 3) / 4)) {
    throw malformed(/^[\w-]*\.[\w.-]*$/.test(segment) ? partsText(segment) : NO_FORM);
  }
  const spare = trailing === 2 ? 0b1111 : trailing === 3 ? 0b11 : 0;
  if (spare !== 0 && (sextet(segment.charCodeAt(segment.length - 1)) & spare) !== 0) {
    throw malformed(`${what} is not canonical base64url`);
  }
  return bytes;
}

/** Says what a token with more than three parts is. RFC 7516 §7.1: an encrypted one has five. */
function partsText(last: string): string {
  const parts = 2 + last.split('.').length;
  return parts === 5
    ? 'an encrypted token (JWE), which is not supported; ask the issuer for a signed one'
    : `${parts} parts instead of three`;
}

/** The value of one base64url character. */
function sextet(code: number): number {
  if (code >= 0x61) return code - 71; // a-z
  if (code === 0x5f) return 63; // _
  if (code >= 0x41) return code - 65; // A-Z
  if (code >= 0x30) return code + 4; // 0-9
  return 62; // -
}

function malformed(detail: string): AuthError {
  return new AuthError('token_malformed', { detail });
}
