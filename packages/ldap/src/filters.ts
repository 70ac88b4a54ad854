// Filters, RFC 4515, as trees that ldapts writes in BER. A subject or a DN becomes a value of the
// tree and is never part of a filter's text: nothing in it needs an escape. Options are parsed.
import { ConfigError } from '@latchkey/core';
import * as ldap from 'ldapts';

export type Filter = ldap.Filter;

/** [MS-ADTS] §3.1.1.3.4.4.3: the value is reached through any number of links. */
const IN_CHAIN = '1.2.840.113556.1.4.1941';

/** True for every entry. */
export const anyEntry: Filter = new ldap.PresenceFilter({ attribute: 'objectClass' });

/** `(attribute=value)`, whatever the value holds. */
export const equal = (attribute: string, value: string): Filter =>
  new ldap.EqualityFilter({ attribute, value: Buffer.from(value, 'utf8') });

/** `(attribute:1.2.840.113556.1.4.1941:=value)`. Finds nothing where the rule is not known. */
export const inChain = (attribute: string, value: string): Filter =>
  new ldap.ExtensibleFilter({ matchType: attribute, rule: IN_CHAIN, value });

/** All of them; those that are undefined do not count. */
export const all = (...filters: readonly (Filter | undefined)[]): Filter =>
  new ldap.AndFilter({ filters: filters.filter((filter) => filter !== undefined) });

/** One of them. */
export const some = (filters: Filter[]): Filter => new ldap.OrFilter({ filters });

/**
 * True for every entry if the directory knows the attribute and lets the reader search by it. If
 * not, RFC 4511 §4.5.1.7 makes both halves Undefined and nothing is found, as by a search for it.
 */
export function known(attribute: string): Filter {
  const present = new ldap.PresenceFilter({ attribute });
  return some([present, new ldap.NotFilter({ filter: present })]);
}

/**
 * Reads the text of a filter, if there is one. ldapts parses it, but overlooks missing parentheses,
 * and makes a character of each escaped byte.
 * @throws ConfigError
 */
export function readFilter(value: unknown, path: string): Filter | undefined {
  if (value === undefined) return undefined;
  try {
    if (typeof value !== 'string' || !isBalanced(value)) throw new Error('not a filter');
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const joined = value.replace(/(?:\\[89A-Fa-f][0-9A-Fa-f])+/g, (bytes) =>
      decoder.decode(Buffer.from(bytes.replaceAll('\\', ''), 'hex')),
    );
    return ldap.FilterParser.parseString(joined);
  } catch {
    throw new ConfigError(
      path,
      `expected a filter in parentheses, like '(objectClass=person)'; its escaped bytes have to be UTF-8`,
    );
  }
}

/** True for one pair of parentheses around everything. Those in values are escaped. */
function isBalanced(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth++;
    else if (character === ')') depth--;
    if (depth <= 0 && character !== ')') return false;
  }
  return depth === 0;
}
