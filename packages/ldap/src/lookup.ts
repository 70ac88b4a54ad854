// One lookup: finds the entry of a subject and all its groups, or rejects. It never returns a part
// of the groups. Connections are in session.ts.
import { setImmediate } from 'node:timers/promises';
import type { Search } from './connect.ts';
import { asciiLower, type DistinguishedName, isWithin, keyOf, parseDn } from './dn.ts';
import { failure, odd, resultOf, unreadable } from './failures.ts';
import { all, anyEntry, equal, type Filter, inChain, some } from './filters.ts';
import { decodeText, type Entry } from './messages.ts';
import type { Settings } from './options.ts';

const NO_SUCH_OBJECT = 32;
const RANGE = /;range=\d+-(\d+|\*)$/i;
const MAX_DN_BYTES = 4_096;
/** The number of DNs in one filter. ldapts can write 64 KiB, which the longest DNs fill. */
const DNS_AT_ONCE = 15;
/**
 * The number of entries that are read at once, and of DNs that are compared before other work may
 * run.
 */
const MANY = 50;

/**
 * Looks up all groups of a subject.
 * @returns their names, each once; undefined if no entry has this subject. Rejects with one of the
 *   failures, or as `search` does
 */
export async function lookUp(search: Search, subject: string, settings: Settings) {
  const { groups, maxGroups, maxDepth } = settings;
  const { via, member, nested } = groups;
  const named = groups.name === undefined ? [] : [groups.name];
  const user = await findUser(search, subject, settings);
  if (user === undefined) return undefined;
  const names = new Set<string>();
  /** The keys of the DNs of the user and the groups, so that none is searched twice. */
  const seen = new Set([keyOf(dnOf(user.dn))]);

  /** @returns true if the group is new */
  function add(entry: Entry): boolean {
    const dn = dnOf(entry.dn);
    const own = groups.name === undefined ? [dn.text] : valuesOf(entry, groups.name).map(decodeText);
    if (own.length === 0) throw odd('the entry of a group has no attribute with the name in groups.name');
    for (const name of own) names.add(name);
    const isNew = seen.size < seen.add(keyOf(dn)).size;
    if (Math.max(seen.size - 1, names.size) > maxGroups) throw tooMany();
    return isNew;
  }
  const tooMany = () => odd(`the subject has more than ${maxGroups} groups`);

  async function searchBy(filter: Filter): Promise<readonly Entry[]> {
    const query = { base: groups.base.text, scope: 'sub', filter: all(filter, groups.filter) } as const;
    const attributes = named.length === 0 ? ['1.1'] : named;
    const { code, entries } = await search({ ...query, attributes, maxEntries: maxGroups, isPaged: true });
    const fresh = await sift(entries, add);
    if (code !== 0) throw failure(`the search for groups failed: ${resultOf(code)}`);
    return fresh;
  }

  /** @returns undefined if the reader sees no such entry, or it does not satisfy the filter */
  async function read(dn: string, attributes: string[], filter = anyEntry): Promise<Entry | undefined> {
    const { code, entries } = await search({ base: dn, scope: 'base', filter, attributes, maxEntries: 1 });
    if (code !== 0 && code !== NO_SUCH_OBJECT)
      throw failure(`the search for groups failed: ${resultOf(code)}`);
    return entries[0];
  }

  /** Returns the DNs under `groups.base` in the attribute `via` of an entry. */
  async function namedIn(entry: Entry, type: string): Promise<readonly string[]> {
    const dns: string[] = [];
    // Active Directory gives a long attribute in parts: `memberOf;range=0-1499` and so on.
    for (let part: Entry | undefined = entry; part !== undefined; ) {
      const held = part.attributes.filter((one) => isNamed(one.type.replace(RANGE, ''), type));
      // An answer must contain the requested part.
      if (part !== entry && held.length === 0) throw unreadable();
      const values = held.flatMap((one) => one.values.map(decodeText));
      dns.push(...(await sift(values, (dn) => isWithin(dnOf(dn), groups.base))));
      if (dns.length > maxGroups) throw tooMany();
      const end = held.map((one) => RANGE.exec(one.type)?.[1]).find((last) => Number(last) >= 0);
      if (end === undefined) return dns;
      part = await read(entry.dn, [`${type};range=${Number(end) + 1}-*`]);
    }
    throw unreadable();
  }

  /** Returns the new groups of these entries. */
  async function groupsOf(entries: readonly Entry[]): Promise<readonly Entry[]> {
    const fresh: Entry[] = [];
    if (via === undefined) {
      for (const part of portionsOf(entries, DNS_AT_ONCE))
        fresh.push(...(await searchBy(some(part.map(({ dn }) => equal(member, dn))))));
      return fresh;
    }
    const attributes = nested ? [...named, via] : named.length === 0 ? ['1.1'] : named;
    const dns = new Set<string>();
    for (const entry of entries) for (const dn of await namedIn(entry, via)) dns.add(dn);
    const unseen = await sift([...dns], (dn) => !seen.has(keyOf(dnOf(dn))));
    for (const part of portionsOf(unseen, MANY)) {
      const found = await Promise.all(part.map((dn) => read(dn, attributes, groups.filter)));
      fresh.push(...found.filter((entry) => entry !== undefined).filter(add));
    }
    return fresh;
  }

  if (nested === 'in-chain') await searchBy(inChain(member, user.dn));
  else {
    let entries = await groupsOf([user]);
    for (let depth = 1; nested && entries.length > 0; depth++) {
      if (depth > maxDepth) throw odd(`the groups are nested deeper than ${maxDepth}`);
      entries = await groupsOf(entries);
    }
  }
  return [...names];
}

async function findUser(search: Search, subject: string, { users, groups }: Settings) {
  const { attribute, ignoreCase } = users;
  const { code, entries } = await search({
    base: users.base.text,
    scope: 'sub',
    filter: all(equal(attribute, subject), users.filter),
    attributes: groups.via === undefined ? [attribute] : [attribute, groups.via],
    // The search stops at the second entry, which is already an error.
    sizeLimit: 2,
    maxEntries: 2,
  });
  const [user, another] = entries;
  if (another !== undefined) throw odd('more than one entry has this subject');
  if (code !== 0) throw failure(`the search for the user failed: ${resultOf(code)}`);
  if (user === undefined) return undefined;
  const values = valuesOf(user, attribute).map(decodeText);
  if (values.length === 0) throw odd("the user's entry has no attribute with the name in users.attribute");
  const fold = (text: string) => (ignoreCase ? asciiLower(text) : text);
  return values.some((value) => fold(value) === fold(subject)) ? user : undefined;
}

/** Returns the values of an attribute, without those of its options: `cn;lang-de` is not `cn`. */
function valuesOf(entry: Entry, name: string): readonly Buffer[] {
  return entry.attributes.filter(({ type }) => isNamed(type, name)).flatMap(({ values }) => values);
}

function isNamed(type: string, name: string): boolean {
  return asciiLower(type) === asciiLower(name);
}

function dnOf(text: string): DistinguishedName {
  const dn = Buffer.byteLength(text) > MAX_DN_BYTES ? undefined : parseDn(text);
  if (dn === undefined || dn.folded.length === 0) throw unreadable();
  return dn;
}

/**
 * Filters a list, and lets other work run in between, because an answer may contain thousands of
 * DNs.
 */
async function sift<T>(items: readonly T[], isWanted: (item: T) => boolean): Promise<readonly T[]> {
  const wanted: T[] = [];
  for (const part of portionsOf(items, MANY)) {
    wanted.push(...part.filter(isWanted));
    if (items.length > MANY) await setImmediate();
  }
  return wanted;
}

function portionsOf<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, at) => items.slice(at * size, (at + 1) * size));
}
