// Strict JSON: closes what RFC 8259 leaves open. Does not know what the members mean.
import { isUtf8 } from 'node:buffer';

/** A JSON object as it was parsed. Trust only its own properties. */
export type JsonObject = { readonly [name: string]: JsonValue };
/** Any JSON value. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

const MAX_DEPTH = 32;

/**
 * Parses one JSON object from bytes, and deep-freezes it. Refuses everything that two parsers may
 * read differently: invalid UTF-8 and a byte order mark (RFC 8259 §8.1), repeated members (RFC 7515
 * §4, RFC 7519 §4), lone surrogates (RFC 8259 §8.2), numbers beyond a double, and nesting deeper
 * than 32.
 * @throws SyntaxError whose message contains nothing of the input
 */
export function parseJsonObject(bytes: Uint8Array): JsonObject {
  if (!isUtf8(bytes)) throw new SyntaxError('not UTF-8');
  const text = (
    bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  ).toString('utf8');
  const written = countWrittenMembers(text);
  const value = parse(text);
  if (!isJsonObject(value)) throw new SyntaxError('not a JSON object');
  // A repeated member, however it is escaped, is written twice but parsed once.
  if (freezeMembers(value, text.includes('\\u')) !== written) {
    throw new SyntaxError('a member is repeated');
  }
  return value;
}

/** True for a JSON object: neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The own member of that name; inherited ones do not count: `__proto__` and `constructor` are data
 * here.
 */
export function own<T>(object: { readonly [name: string]: T }, name: string): T | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** True for a list that has strings only. */
export function isTexts(value: unknown): value is readonly string[] {
  // Array.from, because `every` skips holes.
  return Array.isArray(value) && Array.from(value).every((item) => typeof item === 'string');
}

/** Freezes a parsed value deeply, and returns it. */
export function deepFreeze<T extends JsonValue>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    const members = value as { readonly [name: string]: JsonValue };
    for (const name of Object.keys(members)) {
      const member = members[name];
      if (typeof member === 'object') deepFreeze(member);
    }
    Object.freeze(value);
  }
  return value;
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch {
    // The engine's own message quotes the input.
    throw new SyntaxError('not JSON');
  }
}

/** The characters that a JSON value, or white space before it, can begin with. */
const BEGINS_JSON = /^[{[" \t\r\n\d\-tfn]/;

/**
 * Counts the colons outside strings: one for each member as written. Runs before the parser, so
 * that the depth is bounded first. It also refuses text that is clearly not JSON, because an error
 * of the parser is expensive.
 */
function countWrittenMembers(text: string): number {
  if (!BEGINS_JSON.test(text)) throw new SyntaxError('not JSON');
  let members = 0;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case 0x22: // "
        index = closingQuote(text, index);
        break;
      case 0x3a: // :
        members++;
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > MAX_DEPTH) throw new SyntaxError('nested too deep');
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
    }
  }
  if (depth !== 0) throw new SyntaxError('not JSON');
  return members;
}

function closingQuote(text: string, opening: number): number {
  let quote = text.indexOf('"', opening + 1);
  while (quote !== -1) {
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return quote;
    quote = text.indexOf('"', quote + 1);
  }
  throw new SyntaxError('not JSON');
}

/**
 * In one walk: freezes the parsed value, counts the members that the parser kept, and refuses the
 * values that a claim must not have.
 */
function freezeMembers(value: JsonValue, mayHoldSurrogates: boolean): number {
  if (typeof value === 'string') {
    // Valid UTF-8 contains no lone surrogate; only an escape can produce one.
    if (mayHoldSurrogates && !value.isWellFormed()) throw new SyntaxError('a lone surrogate');
    return 0;
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new SyntaxError('a number out of range');
    return 0;
  }
  if (typeof value !== 'object' || value === null) return 0;
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += freezeMembers(item, mayHoldSurrogates);
  } else {
    const object = value as JsonObject;
    for (const name of Object.keys(object)) {
      if (mayHoldSurrogates && !name.isWellFormed()) throw new SyntaxError('a lone surrogate');
      const member = object[name];
      // Most claims are short strings: they save the recursive call.
      members +=
        typeof member === 'string' && !mayHoldSurrogates
          ? 1
          : 1 + freezeMembers(member ?? null, mayHoldSurrogates);
    }
  }
  Object.freeze(value);
  return members;
}
