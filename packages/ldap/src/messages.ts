// Reads the messages of a directory, RFC 4511 §4, strictly and within bounds. The reader of ldapts
// has no bounds, and does not end for some wrong lengths. Requests are written elsewhere.
import { isUtf8 } from 'node:buffer';
import { unreadable } from './failures.ts';

/** One entry that a search found. */
export interface Entry {
  readonly dn: string;
  readonly attributes: readonly {
    /** As the directory spells it, including options: `memberOf;range=0-1499`. */
    readonly type: string;
    readonly values: readonly Buffer[];
  }[];
}

/** The parts of a message that are read. */
export interface Message {
  readonly id: number;
  /** Bytes. */
  readonly size: number;
  /** The kind of message, one of `TAGS`. Undefined: only the id can be read. */
  readonly tag: number | undefined;
  /** Set for an entry. */
  readonly entry?: Entry;
  /** Set for a result, RFC 4511 §4.1.9. */
  readonly code?: number;
  /** Set for the result of a page, RFC 2696: empty on the last page. */
  readonly cookie?: Buffer | undefined;
}

/** Tags of messages. */
export const TAGS = { bind: 0x61, entry: 0x64, result: 0x65, reference: 0x73, extended: 0x78 } as const;

const PAGED_RESULTS = '1.2.840.113556.1.4.319';
/**
 * The maximum bytes of one message. The longest is the entry of a user with all groups in
 * `memberOf`.
 */
const MAX_BYTES = 4 * 1024 * 1024;
/** The maximum elements of one message: each takes far more memory than its two bytes or more. */
const MAX_ELEMENTS = 16_384;
const [INTEGER, OCTETS, ENUMERATED, SEQUENCE, SET, CONTROLS] = [0x02, 0x04, 0x0a, 0x30, 0x31, 0xa0];

type Element = { readonly tag: number; readonly content: Buffer } | undefined;
/** Splits the content of an element with this tag into elements, which must fill it exactly. */
type Cut = (element: Element, tag: number | undefined) => readonly Element[];

/** Makes a reader of a stream. */
export function createMessageReader() {
  /** Its first `length` bytes are the received part of the next message. */
  let held: Buffer = Buffer.alloc(0);
  let length = 0;
  /** The number of bytes that must arrive before the next attempt to read. */
  let needed = 2;
  return {
    /**
     * Returns the messages that end in a chunk. @throws Error for data that is not LDAP, or a
     * message that is too long
     */
    push(chunk: Buffer): readonly Message[] {
      const end = length + chunk.length;
      // Allocates a whole message at once, because it may arrive in millions of chunks.
      if (length === 0) held = chunk;
      else if (end > held.length) held = Buffer.concat([held.subarray(0, length)], Math.max(needed, end));
      if (length > 0) held.set(chunk, length);
      length = end;
      const messages: Message[] = [];
      while (length >= needed) {
        const size = sizeOf(held.subarray(0, length));
        needed = size ?? length + 1;
        if (size === undefined || length < size) break;
        messages.push(readMessage(held.subarray(0, size)));
        held = held.subarray(size, length);
        length = held.length;
        needed = 2;
      }
      return messages;
    },
    /** True if a part of a message has arrived. */
    isStarted: () => length > 0,
  };
}

/** Returns the bytes of the message that begins here; undefined if its length has not arrived. */
function sizeOf(bytes: Buffer): number | undefined {
  if (bytes[0] !== SEQUENCE) throw unreadable();
  const header = readHeader(bytes, 0);
  if (header !== undefined && header.end > MAX_BYTES) throw unreadable();
  return header?.end;
}

function readMessage(bytes: Buffer): Message {
  const cut = createCut();
  const [whole] = cut({ tag: 0, content: bytes }, 0);
  const [idElement, operation, controls] = cut(whole, SEQUENCE);
  const [id, size, tag] = [readNumber(idElement, INTEGER), bytes.length, operation?.tag];
  try {
    if (tag === TAGS.entry) return { id, size, tag, entry: readEntry(operation, cut) };
    if (tag === TAGS.reference) return { id, size, tag };
    if (tag === TAGS.bind || tag === TAGS.result || tag === TAGS.extended) {
      const [code, matchedDn, diagnostics] = cut(operation, tag);
      contentOf(matchedDn, OCTETS);
      contentOf(diagnostics, OCTETS);
      const cookie = controls?.tag === CONTROLS ? readCookie(controls, cut) : undefined;
      return { id, size, tag, code: readNumber(code, ENUMERATED), cookie };
    }
  } catch {
    // The start of the next message is known, so one wrong entry does not end other lookups.
  }
  return { id, size, tag: undefined };
}

/** RFC 4511 §4.5.2, SearchResultEntry. */
function readEntry(element: Element, cut: Cut): Entry {
  const [dn, list] = cut(element, TAGS.entry);
  const attributes = cut(list, SEQUENCE).map((attribute) => {
    const [type, values] = cut(attribute, SEQUENCE);
    return {
      type: contentOf(type, OCTETS).toString('latin1'),
      values: cut(values, SET).map((value) => contentOf(value, OCTETS)),
    };
  });
  return { dn: decodeText(contentOf(dn, OCTETS)), attributes };
}

/** RFC 2696 §2, realSearchControlValue. */
function readCookie(controls: Element, cut: Cut): Buffer | undefined {
  for (const control of cut(controls, CONTROLS)) {
    const [type, ...rest] = cut(control, SEQUENCE);
    if (contentOf(type, OCTETS).toString('latin1') !== PAGED_RESULTS) continue;
    const [paged] = cut(
      rest.find((element) => element?.tag === OCTETS),
      OCTETS,
    );
    const [, cookie] = cut(paged, SEQUENCE);
    return Buffer.from(contentOf(cookie, OCTETS));
  }
  return undefined;
}

/** Reads a text that must be UTF-8, such as a DN or a name. */
export function decodeText(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw unreadable();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

/**
 * Makes a splitter for one message, which counts its elements and throws before there are too many.
 */
function createCut(): Cut {
  let left = MAX_ELEMENTS;
  return (element, tag) => {
    const bytes = contentOf(element, tag);
    const elements: Element[] = [];
    for (let at = 0; at < bytes.length; ) {
      const header = readHeader(bytes, at);
      if (--left < 0 || header === undefined || header.end > bytes.length) throw unreadable();
      elements.push({ tag: header.tag, content: bytes.subarray(header.start, header.end) });
      at = header.end;
    }
    return elements;
  };
}

/** RFC 4511 §5.1: definite lengths only. All tags that are read here have one byte. */
function readHeader(bytes: Buffer, at: number) {
  const [tag, first] = [bytes[at], bytes[at + 1]];
  if (tag === undefined || first === undefined) return undefined;
  if ((tag & 0x1f) === 0x1f) throw unreadable();
  if (first < 0x80) return { tag, start: at + 2, end: at + 2 + first };
  const count = first & 0x7f;
  if (count === 0 || count > 4) throw unreadable();
  const start = at + 2 + count;
  return start > bytes.length ? undefined : { tag, start, end: start + bytes.readUIntBE(at + 2, count) };
}

function contentOf(element: Element, tag: number | undefined): Buffer {
  if (element?.tag !== tag || element === undefined) throw unreadable();
  return element.content;
}

/** Message ids and result codes: at most 2^31 - 1, RFC 4511 §4.1.1. */
function readNumber(element: Element, tag: number | undefined): number {
  const content = contentOf(element, tag);
  const number = content.length > 0 && content.length <= 4 ? content.readIntBE(0, content.length) : -1;
  if (number < 0) throw unreadable();
  return number;
}
