// One lookup over one connection: the entry of a subject, and its groups. All of them, or an error; nothing is built from text.
import { foldCase } from '@latchkey/core/adapter';
import type { Connection, Query } from './connection.ts';
import { type DistinguishedName, isWithin, keyOf, parseDn } from './dn.ts';
import { failures } from './failures.ts';
import { all, anyEntry, equal, type Filter, inChain, some } from './filters.ts';
import { decodeText, type Entry } from './messages.ts';
import type { Settings } from './settings.ts';

interface Context extends Connection {
  readonly settings: Settings;
  readonly signal: AbortSignal;
}

/** Groups found so far. */
interface Found {
  readonly names: Set<string>;
  /** Keys of DNs: no group is looked through twice, however groups contain each other. */
  readonly seen: Set<string>;
}

const NO_SUCH_OBJECT = 32;
/** How many DNs one filter asks for: well under the 64 KiB where a filter's length takes another byte. */
const MAX_FILTER_DNS = 50;
const MAX_FILTER_BYTES = 32_768;
const MAX_DN_BYTES = 8_192;
/** How many entries are read at a time. */
const MAX_READS = 50;

/**
 * Looks up all groups of a subject.
 * @returns their names, each once; undefined if no entry is of this subject. Rejects with one of `failures`, or the signal's reason
 */
export async function lookUp(
  connection: Connection,
  subject: string,
  settings: Settings,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const context: Context = { ...connection, settings, signal };
  const user = await findUser(context, subject);
  if (user === undefined) return undefined;
  const found: Found = { names: new Set(), seen: new Set([keyOf(dnOf(user.dn))]) };
  if (settings.groups.via === undefined) await searchGroups(context, user.dn, found);
  else await readGroups(context, user, settings.groups.via, found);
  return [...found.names];
}

async function findUser({ search, settings, signal }: Context, subject: string): Promise<Entry | undefined> {
  const { base, attribute, filter, ignoreCase } = settings.users;
  const { via } = settings.groups;
  const { code, entries } = await search(
    {
      base,
      scope: 'sub',
      filter: all(equal(attribute, subject), filter),
      attributes: via === undefined ? [attribute] : [attribute, via],
      // Two are one too many: there is no need to see the others.
      sizeLimit: 2,
      expected: { max: 2, tooMany: failures.ambiguous },
    },
    signal,
  );
  if (entries.length > 1) throw failures.ambiguous();
  if (code !== 0) throw failures.searchFailed('the user', code);
  const [user] = entries;
  if (user === undefined) return undefined;
  const values = valuesOf(user, attribute);
  if (values.length === 0) throw failures.userHidden();
  const fold = (text: string) => (ignoreCase ? foldCase(text) : text);
  const wanted = fold(subject);
  return values.some((value) => fold(value.toString('utf8')) === wanted) ? user : undefined;
}

/** Groups that have a DN among their members, and those that have one of these, and so on. */
async function searchGroups(context: Context, userDn: string, found: Found): Promise<void> {
  const { member, nested } = context.settings.groups;
  const { maxDepth } = context.settings;
  if (nested === 'in-chain') {
    await searchBy(context, inChain(member, userDn), found);
    return;
  }
  let level = [userDn];
  for (let depth = 1; level.length > 0; depth++) {
    const above: string[] = [];
    for (const dns of portionsOf(level)) {
      const filter = some(dns.map((dn) => equal(member, dn)));
      for (const dn of await searchBy(context, filter, found)) above.push(dn);
    }
    if (!nested) return;
    if (above.length > 0 && depth > maxDepth) throw failures.tooDeep(maxDepth);
    level = above;
  }
}

/** Page after page, RFC 2696. @returns the DNs of groups that were not found before */
async function searchBy(
  { search, settings, signal }: Context,
  filter: Filter,
  found: Found,
): Promise<string[]> {
  const { groups, pageSize, maxGroups } = settings;
  const fresh: string[] = [];
  let cookie: Buffer | undefined;
  do {
    const answer = await search(
      {
        base: groups.base,
        scope: 'sub',
        filter: all(filter, groups.filter),
        attributes: [groups.name ?? '1.1'],
        page: { size: pageSize, cookie },
        expected: { max: maxGroups, tooMany: () => failures.tooMany(maxGroups) },
      },
      signal,
    );
    if (answer.code !== 0) throw failures.searchFailed('groups', answer.code);
    for (const entry of answer.entries) {
      if (add(settings, entry, found)) fresh.push(entry.dn);
    }
    // A page may be empty and not the last. Only the cookie says which is.
    cookie = answer.cookie;
  } while (cookie !== undefined && cookie.length > 0);
  return fresh;
}

/** Groups that an entry names, and those that these name, and so on. */
async function readGroups(context: Context, user: Entry, via: string, found: Found): Promise<void> {
  const { settings } = context;
  const { groups, maxDepth } = settings;
  let level = await namedIn(context, user, via);
  for (let depth = 1; level.length > 0; depth++) {
    const fresh: Entry[] = [];
    for (let at = 0; at < level.length; at += MAX_READS) {
      const dns = level.slice(at, at + MAX_READS).filter((dn) => !found.seen.has(keyOf(dnOf(dn))));
      const entries = await Promise.all(dns.map((dn) => readGroup(context, dn, via)));
      for (const entry of entries) if (entry !== undefined && add(settings, entry, found)) fresh.push(entry);
    }
    if (!groups.nested) return;
    if (fresh.length > 0 && depth > maxDepth) throw failures.tooDeep(maxDepth);
    const above = new Set<string>();
    for (const entry of fresh) for (const dn of await namedIn(context, entry, via)) above.add(dn);
    level = [...above];
  }
}

/** @returns undefined if the reader sees no such entry, or `groups.filter` is not true of it */
async function readGroup(context: Context, dn: string, via: string): Promise<Entry | undefined> {
  const { name, filter, nested } = context.settings.groups;
  const attributes = [...(name === undefined ? [] : [name]), ...(nested ? [via] : [])];
  return readEntry(context, dn, filter, attributes.length === 0 ? ['1.1'] : attributes);
}

async function readEntry(
  { search, signal }: Context,
  dn: string,
  filter: Filter | undefined,
  attributes: readonly string[],
): Promise<Entry | undefined> {
  const expected: Query['expected'] = { max: 1, tooMany: failures.unreadable };
  const query = { base: dn, scope: 'base', filter: filter ?? anyEntry, attributes, expected } as const;
  const { code, entries } = await search(query, signal);
  if (code === NO_SUCH_OBJECT) return undefined;
  if (code !== 0) throw failures.searchFailed('groups', code);
  return entries[0];
}

/** The DNs under `groups.base` that an attribute of an entry holds. */
async function namedIn(context: Context, entry: Entry, via: string): Promise<string[]> {
  const { maxGroups, groups } = context.settings;
  const dns: string[] = [];
  // Active Directory gives a long attribute in parts: `memberOf;range=0-1499`, and so on to `memberOf;range=4500-*`.
  for (let part: Entry | undefined = entry; part !== undefined; ) {
    const held = part.attributes.filter(({ type }) =>
      isNamed(type.replace(/;range=\d+-(?:\d+|\*)$/i, ''), via),
    );
    for (const dn of held.flatMap(({ values }) => values.map(decodeText))) {
      if (isWithin(dnOf(dn), groups.baseDn)) dns.push(dn);
    }
    if (dns.length > maxGroups) throw failures.tooMany(maxGroups);
    // The part that was asked for has to be there.
    if (part !== entry && held.length === 0) throw failures.unreadable();
    const ends = held.map(({ type }) => /;range=\d+-(\d+)$/i.exec(type)?.[1]);
    const end = ends.find((last) => last !== undefined);
    if (end === undefined) return dns;
    part = await readEntry(context, entry.dn, undefined, [`${via};range=${Number(end) + 1}-*`]);
  }
  throw failures.unreadable();
}

/** Adds a group. @returns true if it was not found before */
function add({ groups, maxGroups }: Settings, entry: Entry, { names, seen }: Found): boolean {
  const dn = dnOf(entry.dn);
  const own = groups.name === undefined ? [dn.text] : valuesOf(entry, groups.name).map(decodeText);
  if (own.length === 0) throw failures.groupUnnamed();
  for (const name of own) names.add(name);
  if (names.size > maxGroups) throw failures.tooMany(maxGroups);
  const key = keyOf(dn);
  if (seen.has(key)) return false;
  seen.add(key);
  // The user is one of those that were seen.
  if (seen.size - 1 > maxGroups) throw failures.tooMany(maxGroups);
  return true;
}

/** Values of an attribute, without those of its options: `cn;lang-de` is not `cn`. */
function valuesOf(entry: Entry, name: string): readonly Buffer[] {
  return entry.attributes.filter(({ type }) => isNamed(type, name)).flatMap(({ values }) => values);
}

function isNamed(type: string, name: string): boolean {
  return type.toLowerCase() === name.toLowerCase();
}

function dnOf(text: string): DistinguishedName {
  const dn = Buffer.byteLength(text) > MAX_DN_BYTES ? undefined : parseDn(text);
  if (dn === undefined || dn.folded.length === 0) throw failures.unreadable();
  return dn;
}

/** As many at a time as one filter is to hold. */
function portionsOf(dns: readonly string[]): readonly (readonly string[])[] {
  const portions: string[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const dn of dns) {
    bytes += Buffer.byteLength(dn);
    const last = portions.at(-1);
    if (last === undefined || last.length === MAX_FILTER_DNS || bytes > MAX_FILTER_BYTES) {
      portions.push([dn]);
      bytes = Buffer.byteLength(dn);
    } else {
      last.push(dn);
    }
  }
  return portions;
}
