// Distinguished names as text, RFC 4514: reading, one spelling for each, and comparing. Knows no
// directory.
import { isUtf8 } from 'node:buffer';

interface NamePart {
  /** In lower case, and by its short name where RFC 4514 §3 has one. */
  readonly type: string;
  /** Unescaped; for a value in hexadecimal, `#` and the digits. */
  readonly value: string;
  readonly isEncoded: boolean;
}

/** A distinguished name, taken apart. */
export interface DistinguishedName {
  /**
   * The one spelling: types in lower case, no spaces around separators, the fewest escapes. Values
   * keep their case.
   */
  readonly text: string;
  /** Its relative names: the case of ASCII letters and the number of spaces make no difference. */
  readonly folded: readonly string[];
}

/** RFC 4514 §3: the types that have a short name, by their other names in lower case. */
const OTHER_NAMES = {
  c: ['2.5.4.6', 'countryname'],
  cn: ['2.5.4.3', 'commonname'],
  dc: ['0.9.2342.19200300.100.1.25', 'domaincomponent'],
  l: ['2.5.4.7', 'localityname'],
  o: ['2.5.4.10', 'organizationname'],
  ou: ['2.5.4.11', 'organizationalunitname'],
  st: ['2.5.4.8', 'stateorprovincename'],
  street: ['2.5.4.9', 'streetaddress'],
  uid: ['0.9.2342.19200300.100.1.1', 'userid'],
};
const SHORT_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries(OTHER_NAMES).flatMap(([short, names]) => names.map((name) => [name, short] as const)),
);

const VALUE = /(?: *(?:[^\\,+";<>\0 ]+|\\[ "#+,;<=>\\]|\\[0-9A-Fa-f]{2}))*/;
/**
 * RFC 4514 §3: a type, a value in hexadecimal or as text, and what is between it and the next.
 * Spaces at the end of a text that no escape protects are not part of it. The look-ahead keeps what
 * it found, so that a wrong text is refused in linear time.
 */
const PART = new RegExp(
  ` *([A-Za-z][A-Za-z0-9-]*|\\d+(?:\\.\\d+)+) *= *(?:(#(?:[0-9A-Fa-f]{2})+)|(?!#)(?=(${VALUE.source}))\\3) *(?:([,+])(?!$)|$)`,
  'suy',
);

/**
 * Takes a DN apart.
 * @returns undefined if it is not a DN; the empty text is the DN without parts
 */
export function parseDn(text: string): DistinguishedName | undefined {
  const names: NamePart[][] = [];
  let separator: string | undefined = ',';
  for (PART.lastIndex = 0; text !== '' && separator !== undefined; ) {
    const [found, type = '', encoded, written = '', next] = PART.exec(text) ?? [];
    const value = encoded === undefined ? unescapeValue(written) : asciiLower(encoded);
    if (found === undefined || value === undefined) return undefined;
    const lower = asciiLower(type);
    const part = { type: SHORT_NAMES.get(lower) ?? lower, value, isEncoded: encoded !== undefined };
    if (separator === ',') names.push([part]);
    else names.at(-1)?.push(part);
    separator = next;
  }
  return {
    text: names.map((name) => join(name, escapeValue)).join(','),
    folded: names.map((name) => join(name, foldValue)),
  };
}

/** What two spellings of one DN have in common. */
export function keyOf({ folded }: DistinguishedName): string {
  return folded.join(',');
}

/** True for an entry of the subtree of `base`, the base itself too. */
export function isWithin({ folded }: DistinguishedName, base: DistinguishedName): boolean {
  const offset = folded.length - base.folded.length;
  return offset >= 0 && base.folded.every((name, index) => name === folded[offset + index]);
}

/**
 * ASCII letters in lower case, all else as it is: what Unicode folds together, such as the KELVIN
 * SIGN and k, are the names of different people.
 */
export function asciiLower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** @returns undefined for bytes that are not UTF-8 */
function unescapeValue(text: string): string | undefined {
  let isText = true;
  const value = text.replace(/\\([ "#+,;<=>\\])|(?:\\[0-9A-Fa-f]{2})+/g, (found, special?: string) => {
    const bytes = Buffer.from(found.replaceAll('\\', ''), 'hex');
    isText &&= special !== undefined || isUtf8(bytes);
    return special ?? bytes.toString();
  });
  return isText ? value : undefined;
}

/** RFC 4514 §2.4. */
function escapeValue({ value, isEncoded }: NamePart): string {
  if (isEncoded) return value;
  return value.replace(/["+,;<>\\]|^[ #]| $/g, '\\$&').replaceAll('\0', '\\00');
}

function foldValue(part: NamePart): string {
  const value = asciiLower(part.value).replace(/ +/g, ' ').replace(/^ | $/g, '');
  return escapeValue({ ...part, value });
}

/** A relative name of several parts is the same in any order. */
function join(name: readonly NamePart[], spell: (part: NamePart) => string): string {
  const parts = name.map((part) => `${part.type}=${spell(part)}`);
  return parts.sort().join('+');
}
