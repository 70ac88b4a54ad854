// Filters, RFC 4515, as trees that ldapts writes in BER. A subject or a DN becomes a value of the
// tree and never a part of a filter's text, so no character in it needs an escape. Only the texts
// of options are parsed.
import { ConfigError } from '@latchkey/core';
import * as ldap from 'ldapts';

export type Filter = ldap.Filter;

/** [MS-ADTS] §3.1.1.3.4.4.3: matches if the value is reached through any number of links. */
const IN_CHAIN = '1.2.840.113556.1.4.1941';

/** True for every entry. */
export const anyEntry: Filter = new ldap.PresenceFilter({ attribute: 'objectClass' });

/** Makes `(attribute=value)`, for any value. */
export const equal = (attribute: string, value: string): Filter =>
  new ldap.EqualityFilter({ attribute, value: Buffer.from(value, 'utf8') });

/**
 * Makes `(attribute:1.2.840.113556.1.4.1941:=value)`. It finds no entry if the directory does not
 * know the rule.
 */
export const inChain = (attribute: string, value: string): Filter =>
  new ldap.ExtensibleFilter({ matchType: attribute, rule: IN_CHAIN, value });

/** Makes a filter that requires all of them; undefined ones are skipped. */
export const all = (...filters: readonly (Filter | undefined)[]): Filter =>
  new ldap.AndFilter({ filters: filters.filter((filter) => filter !== undefined) });

/** Makes a filter that requires one of them. */
export const some = (filters: Filter[]): Filter => new ldap.OrFilter({ filters });

/**
 * True for every entry if the directory knows the attribute and lets the reader search by it. If
 * not, both halves are Undefined (RFC 4511 §4.5.1.7), and the filter finds no entry, as a search by
 * the attribute would.
 */
export function known(attribute: string): Filter {
  const present = new ldap.PresenceFilter({ attribute });
  return some([present, new ldap.NotFilter({ filter: present })]);
}

/**
 * Reads the text of a filter, if it is set. ldapts parses it; this function also checks the
 * parentheses, which ldapts does not, and decodes escaped bytes as UTF-8, which ldapts turns into a
 * character each.
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
      `expected a filter in parentheses, like '(objectClass=person)'; its escaped bytes must be UTF-8`,
    );
  }
}

/** True if one pair of parentheses encloses the whole text. Parentheses in values are escaped. */
function isBalanced(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth++;
    else if (character === ')') depth--;
    if (depth <= 0 && character !== ')') return false;
  }
  return depth === 0;
}
