// Strict compact JWS (RFC 7515 §7.1): form and JOSE header. Nothing that leaves here has been
// verified.
import { AuthError } from '../errors.ts';
import { foldCase } from '../values/fold.ts';
import { type JsonObject, parseJsonObject } from '../values/json.ts';

/**
 * The JOSE header parameters that are read (RFC 7515 §4.1). Others are ignored; `jwk`, `x5u` and
 * `x5c` always are.
 */
export interface UnverifiedHeader {
  readonly alg: string;
  readonly kid: string | undefined;
  readonly typ: string | undefined;
  /** A URL that somebody wrote (RFC 7515 §4.1.2). Only a keyset with `jwksHosts` looks at it. */
  readonly jku: string | undefined;
}

/** A token taken apart. Every field is what somebody wrote, until its signature is good. */
export interface UnverifiedToken {
  readonly header: UnverifiedHeader;
  readonly claims: JsonObject;
  /** What was signed: the encoded header, a dot, the encoded payload (RFC 7515 §5.2). */
  readonly signingInput: Buffer;
  readonly signature: Buffer;
  /** The header as it is encoded, if it is none of those that were known. */
  readonly newHeader: string | undefined;
}

const HEADER = 'the JOSE header';
const NO_FORM = 'not three base64url segments';
/** A brace, or white space before it (RFC 8259 §2). */
const BEGINS_OBJECT: ReadonlySet<number | undefined> = new Set([0x7b, 0x20, 0x09, 0x0a, 0x0d]);
/** Characters of the longest `kid`, in a token and in a key. */
export const MAX_KID_LENGTH = 256;
// For payloads on their way to being parsed: no memory has to be had for each.
const SCRATCH = Buffer.allocUnsafeSlow(8192);
// Each of these changes what the payload is or how it is read, and none is supported (RFC 7515
// §4.1.11, RFC 7797, RFC 7516).
const REFUSED_PARAMETERS = ['crit', 'b64', 'zip', 'enc'] as const;

/**
 * Takes a compact JWS apart. Does *not* verify anything.
 * @param maxBytes the longest token that is looked at; checked before anything is decoded
 * @param knownHeaders by how they are encoded: issuers write the same one again and again, and it
 *   need not be read again
 * @throws AuthError `token_malformed`
 */
export function parseToken(
  token: string,
  maxBytes: number,
  knownHeaders?: ReadonlyMap<string, UnverifiedHeader>,
): UnverifiedToken {
  if (token.length > maxBytes) throw malformed('the token is too long');
  const start = token.indexOf('.');
  const end = token.indexOf('.', start + 1);
  // A further dot stands in the last segment, which is no base64url then.
  if (end === -1 || !isPlainText(token)) throw malformed(NO_FORM);
  const encodedHeader = token.slice(0, start);
  const known = knownHeaders?.get(encodedHeader);
  // The form of all three comes before what any of them says.
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
  const kid = readString(header, 'kid');
  if (kid !== undefined && kid.length > MAX_KID_LENGTH) throw malformed('kid is too long');
  // RFC 7519 §5.2: cty "JWT" says that the payload is itself a token.
  const cty = readString(header, 'cty');
  if (cty !== undefined && /^(?:application\/)?jwt$/i.test(cty)) throw malformed('a nested token');
  return { alg, kid, typ: readString(header, 'typ'), jku: readString(header, 'jku') };
}

function readString(header: JsonObject, name: string): string | undefined {
  if (!Object.hasOwn(header, name)) return undefined;
  const value = header[name];
  if (typeof value !== 'string' || value === '') throw malformed(`${name} is not a string`);
  return value;
}

function parseObject(bytes: Buffer, what: string): JsonObject {
  // What begins otherwise is no object, and needs no parser to say so.
  if (!BEGINS_OBJECT.has(bytes[0])) throw malformed(`${what} is not strict JSON: not a JSON object`);
  // The engine's own error would note where it was made, which costs more than all the rest, and
  // goes no further than this.
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
 * True for what Node's decoder may be given: ASCII, because of other characters it may take a part
 * for a letter, and nothing of the other base64 alphabet, which it takes as well.
 */
function isPlainText(token: string): boolean {
  return Buffer.byteLength(token, 'utf8') === token.length && !token.includes('+') && !token.includes('/');
}

/**
 * Decodes base64url, of plain text, that has one spelling for each byte string (RFC 4648 §3.5).
 * @param into is used where there is room for it: for bytes that are read before anything else is
 *   decoded into it, and not kept
 */
function decodeBase64url(segment: string, what: string, into?: Buffer): Buffer {
  const trailing = segment.length % 4;
  const bytes =
    into !== undefined && segment.length <= into.length
      ? into.subarray(0, into.write(segment, 'base64url'))
      : Buffer.from(segment, 'base64url');
  // The decoder passes over what is not of the alphabet, and is short of a byte then at least.
  if (segment === '' || trailing === 1 || bytes.length !== Math.floor((segment.length * 3) / 4)) {
    throw malformed(NO_FORM);
  }
  const spare = trailing === 2 ? 0b1111 : trailing === 3 ? 0b11 : 0;
  if (spare !== 0 && (sextet(segment.charCodeAt(segment.length - 1)) & spare) !== 0) {
    throw malformed(`${what} is not canonical base64url`);
  }
  return bytes;
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
