// Filters, RFC 4515, as trees that ldapts writes in BER. A subject or a DN becomes a value of the tree and is never part of a filter's
// text: there is nothing in it to escape, and nothing that could be forgotten. Only an option's text is ever parsed.
import { ConfigError } from '@latchkey/core';
import {
  AndFilter,
  EqualityFilter,
  ExtensibleFilter,
  type Filter,
  FilterParser,
  NotFilter,
  OrFilter,
  PresenceFilter,
} from 'ldapts';

export type { Filter };

/** [MS-ADTS] §3.1.1.3.4.4.3: the value is reached through any number of links. */
const IN_CHAIN = '1.2.840.113556.1.4.1941';

/** True for every entry. */
export const anyEntry: Filter = new PresenceFilter({ attribute: 'objectClass' });

/** `(attribute=value)`, whatever the value holds. */
export function equal(attribute: string, value: string): Filter {
  return new EqualityFilter({ attribute, value: Buffer.from(value, 'utf8') });
}

/** `(attribute:1.2.840.113556.1.4.1941:=value)`. A directory that does not know the rule finds nothing, and does not say so. */
export function inChain(attribute: string, value: string): Filter {
  return new ExtensibleFilter({ matchType: attribute, rule: IN_CHAIN, value });
}

/** All of them; those that are undefined do not count. */
export function all(...filters: readonly (Filter | undefined)[]): Filter {
  const given = filters.filter((filter) => filter !== undefined);
  const [only] = given;
  return given.length === 1 && only !== undefined ? only : new AndFilter({ filters: given });
}

/** One of them. */
export function some(filters: readonly Filter[]): Filter {
  const [only] = filters;
  return filters.length === 1 && only !== undefined ? only : new OrFilter({ filters: [...filters] });
}

/**
 * True for every entry if the directory knows the attribute and lets the reader search by it. If not, RFC 4511 §4.5.1.7 makes both
 * halves Undefined, and nothing is found. The same silence is what a search by an unknown attribute ends with.
 */
export function known(attribute: string): Filter {
  const present = new PresenceFilter({ attribute });
  return new OrFilter({ filters: [present, new NotFilter({ filter: present })] });
}

/**
 * Reads the text of a filter.
 * @throws ConfigError
 */
export function readFilter(value: unknown, path: string): Filter | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !isBalanced(value)) throw notAFilter(path);
  try {
    return FilterParser.parseString(joinBytes(value));
  } catch {
    throw notAFilter(path);
  }
}

/** Parentheses that are no structure stand there escaped. ldapts overlooks some that are missing. */
function isBalanced(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth++;
    else if (character === ')') depth--;
    if (depth <= 0 && character !== ')') return false;
  }
  return depth === 0;
}

/** Bytes of one character, each escaped by itself: ldapts makes a character of each. @throws TypeError if they are no UTF-8 */
function joinBytes(text: string): string {
  return text.replace(/(?:\\[89A-Fa-f][0-9A-Fa-f])+/g, (bytes) =>
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      Buffer.from(bytes.replaceAll('\\', ''), 'hex'),
    ),
  );
}

function notAFilter(path: string): ConfigError {
  return new ConfigError(
    path,
    `expected a filter in parentheses, like '(objectClass=person)'; bytes that are no UTF-8 cannot be written`,
  );
}
