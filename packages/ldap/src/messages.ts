// Messages that a directory sends, RFC 4511 §4, read strictly: what does not fit the grammar to the last byte is refused. ldapts writes
// what is sent; its own reading runs out of memory, or for ever, over lengths that lie.
import { failures } from './failures.ts';

/** One attribute of an entry. */
export interface Attribute {
  /** As the directory spells it, with options if it has any: `memberOf;range=0-1499`. */
  readonly type: string;
  readonly values: readonly Buffer[];
}

/** One entry that a search found. */
export interface Entry {
  readonly dn: string;
  readonly attributes: readonly Attribute[];
}

/** A message, as far as it is looked at. */
export type Message = {
  readonly id: number;
  /** Bytes of the whole message, which an entry of it holds on to. */
  readonly size: number;
} & (
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'reference' }
  | {
      readonly kind: 'result';
      /** The tag of the response: `RESPONSES`. */
      readonly response: number;
      readonly code: number;
      /** RFC 2696: empty on the last page; undefined if the answer is not paged. */
      readonly cookie: Buffer | undefined;
    }
);

/** Cuts a stream into messages. */
export interface MessageReader {
  /** Takes what has come, and gives the messages that are whole by now. @throws Error for what is no message, or too long */
  push(chunk: Buffer): readonly Message[];
  /** True if there is a part of a message. */
  readonly started: boolean;
}

/** Tags of the responses that are waited for. */
export const RESPONSES = { bind: 0x61, search: 0x65, extended: 0x78 } as const;

const PAGED_RESULTS = '1.2.840.113556.1.4.319';
/** A user's entry with every group in `memberOf` is long; nothing else that is asked for is. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Elements of one message. An entry of 10,000 groups has as many values; more only make work. */
export const MAX_ELEMENTS = 20_000;
const TAGS = {
  boolean: 0x01,
  integer: 0x02,
  octets: 0x04,
  enumerated: 0x0a,
  sequence: 0x30,
  set: 0x31,
  controls: 0xa0,
  entry: 0x64,
  reference: 0x73,
} as const;

interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

/** Makes a reader at the beginning of a stream. */
export function createMessageReader(): MessageReader {
  let chunks: Buffer[] = [];
  let length = 0;
  /** How many bytes there have to be before looking again. */
  let needed = 2;
  return {
    push(chunk) {
      chunks.push(chunk);
      length += chunk.length;
      const messages: Message[] = [];
      if (length < needed) return messages;
      let rest = chunks.length === 1 ? chunk : Buffer.concat(chunks);
      for (;;) {
        const size = sizeOf(rest);
        if (size === undefined || rest.length < size) {
          needed = size ?? rest.length + 1;
          break;
        }
        messages.push(readMessage(rest.subarray(0, size)));
        rest = rest.subarray(size);
      }
      chunks = rest.length === 0 ? [] : [rest];
      length = rest.length;
      return messages;
    },
    get started() {
      return length > 0;
    },
  };
}

/** Bytes of the message that begins here; undefined if that cannot be seen yet. */
function sizeOf(bytes: Buffer): number | undefined {
  if (bytes.length > 0 && bytes[0] !== TAGS.sequence) throw failures.unreadable();
  const header = readHeader(bytes, 0);
  if (header === undefined) return undefined;
  if (header.end > MAX_MESSAGE_BYTES) throw failures.tooLarge();
  return header.end;
}

function readMessage(bytes: Buffer): Message {
  const readElements = createElementReader();
  const [whole] = readElements(bytes);
  const [id, operation, controls] = readElements(contentOf(whole, TAGS.sequence));
  const messageId = readNumber(id, TAGS.integer);
  if (operation === undefined) throw failures.unreadable();
  switch (operation.tag) {
    case TAGS.entry:
      return {
        id: messageId,
        size: bytes.length,
        kind: 'entry',
        entry: readEntry(operation.content, readElements),
      };
    case TAGS.reference:
      return { id: messageId, size: bytes.length, kind: 'reference' };
    case RESPONSES.bind:
    case RESPONSES.search:
    case RESPONSES.extended: {
      const [code, matchedDn, diagnostics] = readElements(operation.content);
      contentOf(matchedDn, TAGS.octets);
      contentOf(diagnostics, TAGS.octets);
      return {
        id: messageId,
        size: bytes.length,
        kind: 'result',
        response: operation.tag,
        code: readNumber(code, TAGS.enumerated),
        cookie: controls?.tag === TAGS.controls ? readCookie(controls.content, readElements) : undefined,
      };
    }
    default:
      throw failures.unreadable();
  }
}

/** RFC 4511 §4.5.2, SearchResultEntry. */
function readEntry(content: Buffer, readElements: ElementReader): Entry {
  const [dn, list] = readElements(content);
  const attributes = readElements(contentOf(list, TAGS.sequence)).map((attribute): Attribute => {
    const [type, values] = readElements(contentOf(attribute, TAGS.sequence));
    return {
      type: contentOf(type, TAGS.octets).toString('latin1'),
      values: readElements(contentOf(values, TAGS.set)).map((value) => contentOf(value, TAGS.octets)),
    };
  });
  return { dn: decodeText(contentOf(dn, TAGS.octets)), attributes };
}

/** RFC 2696 §2, realSearchControlValue. */
function readCookie(controls: Buffer, readElements: ElementReader): Buffer | undefined {
  for (const control of readElements(controls)) {
    const [type, ...rest] = readElements(contentOf(control, TAGS.sequence));
    if (contentOf(type, TAGS.octets).toString('latin1') !== PAGED_RESULTS) continue;
    const value = rest.find(({ tag }) => tag === TAGS.octets);
    const [paged] = readElements(contentOf(value, TAGS.octets));
    const [, cookie] = readElements(contentOf(paged, TAGS.sequence));
    return Buffer.from(contentOf(cookie, TAGS.octets));
  }
  return undefined;
}

/** Text that has to be UTF-8, as DNs and names have. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw failures.unreadable();
  }
}

/** RFC 4511 §5.1: definite lengths only. What is read here has tags of one byte only. */
function readHeader(
  bytes: Buffer,
  at: number,
): { readonly tag: number; readonly start: number; readonly end: number } | undefined {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) return undefined;
  if ((tag & 0x1f) === 0x1f) throw failures.unreadable();
  if (first < 0x80) return { tag, start: at + 2, end: at + 2 + first };
  const count = first & 0x7f;
  if (count === 0 || count > 4) throw failures.unreadable();
  const start = at + 2 + count;
  if (start > bytes.length) return undefined;
  return { tag, start, end: start + bytes.readUIntBE(at + 2, count) };
}

/** Reads elements side by side that fill the bytes exactly. */
type ElementReader = (bytes: Buffer) => readonly Element[];

/** Reads those of one message, up to a number of them: the smallest take two bytes, and a hundred times that in memory. */
function createElementReader(): ElementReader {
  let count = 0;
  return (bytes) => {
    const elements: Element[] = [];
    for (let at = 0; at < bytes.length; ) {
      const header = readHeader(bytes, at);
      if (header === undefined || header.end > bytes.length) throw failures.unreadable();
      if (++count > MAX_ELEMENTS) throw failures.tooLarge();
      elements.push({ tag: header.tag, content: bytes.subarray(header.start, header.end) });
      at = header.end;
    }
    return elements;
  };
}

function contentOf(element: Element | undefined, tag: number): Buffer {
  if (element?.tag !== tag) throw failures.unreadable();
  return element.content;
}

/** Message ids and result codes: at most 2^31 - 1, RFC 4511 §4.1.1. */
function readNumber(element: Element | undefined, tag: number): number {
  const content = contentOf(element, tag);
  if (content.length === 0 || content.length > 4) throw failures.unreadable();
  const number = content.readIntBE(0, content.length);
  if (number < 0) throw failures.unreadable();
  return number;
}
