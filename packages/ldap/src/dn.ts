// Distinguished names as text, RFC 4514: reading, one spelling for each, and comparing. Knows no directory.

interface NamePart {
  /** In lower case, and by its short name where RFC 4514 §3 has one. */
  readonly type: string;
  /** Unescaped; for a value in hexadecimal, `#` and the digits. */
  readonly value: string;
  readonly encoded: boolean;
}

/** A distinguished name, taken apart. */
export interface DistinguishedName {
  /** The one spelling: types in lower case, no spaces around separators, the fewest escapes. Values keep their case. */
  readonly text: string;
  /** Its relative names, each folded as most directories compare: no difference of case, width or number of spaces. */
  readonly folded: readonly string[];
}

/** RFC 4514 §3, and the same by their long names. */
const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'cn'],
  ['commonname', 'cn'],
  ['2.5.4.7', 'l'],
  ['localityname', 'l'],
  ['2.5.4.8', 'st'],
  ['stateorprovincename', 'st'],
  ['2.5.4.10', 'o'],
  ['organizationname', 'o'],
  ['2.5.4.11', 'ou'],
  ['organizationalunitname', 'ou'],
  ['2.5.4.6', 'c'],
  ['countryname', 'c'],
  ['2.5.4.9', 'street'],
  ['streetaddress', 'street'],
  ['0.9.2342.19200300.100.1.25', 'dc'],
  ['domaincomponent', 'dc'],
  ['0.9.2342.19200300.100.1.1', 'uid'],
  ['userid', 'uid'],
]);

const TYPE = / *([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+) *= */y;
const HEXADECIMAL = /#((?:[0-9A-Fa-f]{2})+) *(?=[,+]|$)/y;
/** RFC 4514 §3: an escaped character, an escaped byte, or a character that may stand for itself. */
const CHARACTER = /\\([ "#+,;<=>\\])|\\([0-9A-Fa-f]{2})|[^\\,+";<>\0]/suy;

/**
 * Takes a DN apart.
 * @returns undefined if it is none; the empty DN is one, with no parts
 */
export function parseDn(text: string): DistinguishedName | undefined {
  const names: NamePart[][] = [[]];
  let at = 0;
  while (at < text.length) {
    const type = match(TYPE, text, at);
    if (type?.[1] === undefined) return undefined;
    at += type[0].length;
    const value = readValue(text, at);
    if (value === undefined) return undefined;
    const lowered = type[1].toLowerCase();
    names.at(-1)?.push({ type: SHORT_NAMES.get(lowered) ?? lowered, ...value });
    at = value.end;
    if (at === text.length) break;
    if (text[at] === ',') names.push([]);
    // A separator with nothing after it.
    if (++at === text.length) return undefined;
  }
  const parts = text === '' ? [] : names;
  return {
    text: parts.map((name) => join(name, escapeValue)).join(','),
    folded: parts.map((name) => join(name, fold)),
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

function readValue(
  text: string,
  start: number,
): { readonly value: string; readonly encoded: boolean; readonly end: number } | undefined {
  if (text[start] === '#') {
    const hexadecimal = match(HEXADECIMAL, text, start);
    if (hexadecimal?.[1] === undefined) return undefined;
    const value = `#${hexadecimal[1].toLowerCase()}`;
    return { value, encoded: true, end: start + hexadecimal[0].length };
  }
  const bytes: Buffer[] = [];
  let at = start;
  // Spaces at the end that no escape protects are no part of the value.
  let lasting = 0;
  for (;;) {
    const found = match(CHARACTER, text, at);
    if (found === null) break;
    const [whole, special, hexadecimal] = found;
    bytes.push(
      hexadecimal === undefined ? Buffer.from(special ?? whole, 'utf8') : Buffer.from(hexadecimal, 'hex'),
    );
    if (whole !== ' ') lasting = bytes.length;
    at += whole.length;
  }
  if (at < text.length && text[at] !== ',' && text[at] !== '+') return undefined;
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return { value: decoder.decode(Buffer.concat(bytes.slice(0, lasting))), encoded: false, end: at };
  } catch {
    return undefined;
  }
}

/** RFC 4514 §2.4. */
function escapeValue({ value, encoded }: NamePart): string {
  if (encoded) return value;
  const characters = [...value];
  return characters
    .map((character, index) => {
      if (character === '\0') return '\\00';
      const outermost =
        (index === 0 && (character === ' ' || character === '#')) ||
        (index === characters.length - 1 && character === ' ');
      return outermost || '"+,;<>\\'.includes(character) ? `\\${character}` : character;
    })
    .join('');
}

function fold(part: NamePart): string {
  const value = part.value.normalize('NFKC').toLowerCase().replace(/\s+/gu, ' ').trim();
  return escapeValue({ ...part, value });
}

/** A relative name of several parts is the same in any order. */
function join(name: readonly NamePart[], spell: (part: NamePart) => string): string {
  return name
    .map((part) => `${part.type}=${spell(part)}`)
    .sort()
    .join('+');
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
