// Distinguished names as text, RFC 4514: parses, normalizes and compares them. No request to a
// directory is made here.
import { isUtf8 } from 'node:buffer';

interface NamePart {
  /** In lower case; the short name if RFC 4514 §3 has one. */
  readonly type: string;
  /** The unescaped value; for a value in hexadecimal, `#` and the digits. */
  readonly value: string;
  readonly isEncoded: boolean;
}

/** A parsed distinguished name. */
export interface DistinguishedName {
  /**
   * The normal spelling: types in lower case, no spaces around separators, the fewest escapes.
   * Values keep their case.
   */
  readonly text: string;
  /**
   * Its relative names for comparison, without differences in the case of ASCII letters and the
   * number of spaces.
   */
  readonly folded: readonly string[];
}

/** RFC 4514 §3: the short names of types, by their other names in lower case. */
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
 * RFC 4514 §3: a type, a value in hexadecimal or as text, and the separator. Unescaped spaces at
 * the end of a text are not part of it. The look-ahead does not backtrack, so that a wrong text is
 * refused in linear time.
 */
const PART = new RegExp(
  ` *([A-Za-z][A-Za-z0-9-]*|\\d+(?:\\.\\d+)+) *= *(?:(#(?:[0-9A-Fa-f]{2})+)|(?!#)(?=(${VALUE.source}))\\3) *(?:([,+])(?!$)|$)`,
  'suy',
);

/**
 * Parses a DN.
 * @returns undefined if the text is not a DN; the empty text is the DN without parts
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

/** Returns a key that all spellings of one DN share. */
export function keyOf({ folded }: DistinguishedName): string {
  return folded.join(',');
}

/** True for an entry of the subtree of `base`, the base itself too. */
export function isWithin({ folded }: DistinguishedName, base: DistinguishedName): boolean {
  const offset = folded.length - base.folded.length;
  return offset >= 0 && base.folded.every((name, index) => name === folded[offset + index]);
}

/**
 * Returns the text with ASCII letters in lower case and all other characters unchanged: characters
 * that Unicode folds together, such as the KELVIN SIGN and k, may distinguish two users.
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

/** Escapes a value, RFC 4514 §2.4. */
function escapeValue({ value, isEncoded }: NamePart): string {
  if (isEncoded) return value;
  return value.replace(/["+,;<>\\]|^[ #]| $/g, '\\$&').replaceAll('\0', '\\00');
}

function foldValue(part: NamePart): string {
  const value = asciiLower(part.value).replace(/ +/g, ' ').replace(/^ | $/g, '');
  return escapeValue({ ...part, value });
}

/** Sorts the parts of a relative name, because their order has no meaning. */
function join(name: readonly NamePart[], spell: (part: NamePart) => string): string {
  const parts = name.map((part) => `${part.type}=${spell(part)}`);
  return parts.sort().join('+');
}
