// Changes to a descriptor: from a document to a new text, of which nothing else has changed.
// Nothing is written to a file here, and what a keyset may be is not judged here.
import { isDeepStrictEqual } from 'node:util';
import type * as yaml from 'yaml';
import { BLOCK, type DescriptorDocument, parseDescriptor, placed } from '../descriptor/document.ts';
import { ConfigError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../values/json.ts';
import { isPlainObject, type UncheckedOptions } from '../values/readers.ts';
import { appendItem, removeItem, removeMember, setMember } from './edit/lines.ts';

/** What an option of a keyset becomes; undefined takes it away. */
export type KeysetChanges = { readonly [name: string]: JsonValue | undefined };

/**
 * One change: in the lines of the text where it can be, else in the tree of the YAML library, which
 * lays some of the file out anew.
 */
interface Change {
  /** The whole file as data, afterwards. */
  readonly after: UncheckedOptions;
  /** Undefined where the lines are not laid out in a way that this knows. */
  inLines(document: DescriptorDocument): string | undefined;
  inTree(tree: yaml.Document): void;
}

/**
 * Adds a keyset at the end of `keySets`, which is made if it is not there.
 * @returns the new text
 * @throws ConfigError if what stands there is no list
 */
export function addKeyset(document: DescriptorDocument, keyset: JsonObject): string {
  return append(document, 'keySets', keyset);
}

/**
 * Changes single options of a keyset, and leaves its other options as they are.
 * @param index counts from 0
 * @throws ConfigError if there is no such keyset
 */
export function updateKeyset(document: DescriptorDocument, index: number, changes: KeysetChanges): string {
  let current = document;
  for (const [name, value] of Object.entries(changes)) {
    const before = itemAt(current, index);
    if (isDeepStrictEqual(before[name], value)) continue;
    const { [name]: _old, ...others } = before;
    const after = value === undefined ? others : { ...before, [name]: value };
    const path = [...BLOCK, 'keySets', index];
    const text = apply(current, {
      after: withList(
        current,
        'keySets',
        listAt(current, 'keySets').map((item, at) => (at === index ? after : item)),
      ),
      inLines: (from) =>
        value === undefined ? removeMember(from, path, name) : setMember(from, path, name, value),
      inTree: (tree) =>
        value === undefined
          ? void tree.deleteIn([...path, name])
          : tree.setIn([...path, name], tree.createNode(value)),
    });
    current = parseDescriptor(text, document.file);
  }
  return current.text;
}

/**
 * Takes a keyset away. An empty list stays where the last one is taken. Comments on lines of their
 * own, around it, stay.
 * @param index counts from 0
 * @throws ConfigError if there is no such keyset
 */
export function removeKeyset(document: DescriptorDocument, index: number): string {
  itemAt(document, index);
  const rest = listAt(document, 'keySets').filter((_, at) => at !== index);
  const list = [...BLOCK, 'keySets'];
  return apply(document, {
    after: withList(document, 'keySets', rest),
    inLines: (from) => removeItem(from, list, index),
    inTree: (tree) =>
      rest.length === 0 ? tree.setIn(list, tree.createNode([])) : void tree.deleteIn([...list, index]),
  });
}

/** Adds a key at the end of the deprecated `keys`: see `addKeyset`. */
export function addKey(document: DescriptorDocument, key: JsonObject): string {
  return append(document, 'keys', key);
}

/**
 * Takes the deprecated `keys` away, the option with all that is in it. Without one, the text stays
 * as it is.
 */
export function removeKeys(document: DescriptorDocument): string {
  if (!Object.hasOwn(document.jwt, 'keys')) return document.text;
  const { keys: _keys, ...rest } = document.jwt;
  return apply(document, {
    after: withJwt(document, rest),
    inLines: (from) => removeMember(from, BLOCK, 'keys'),
    inTree: (tree) => void tree.deleteIn([...BLOCK, 'keys']),
  });
}

function append(document: DescriptorDocument, name: 'keySets' | 'keys', item: JsonObject): string {
  const items = listAt(document, name);
  const path = [...BLOCK, name];
  return apply(document, {
    after: withList(document, name, [...items, item]),
    inLines: (from) => appendItem(from, path, item),
    inTree: (tree) =>
      items.length === 0
        ? tree.setIn(path, tree.createNode([item]))
        : tree.addIn(path, tree.createNode(item)),
  });
}

/** Whatever the way, what comes out has to say exactly what was asked. */
function apply(document: DescriptorDocument, change: Change): string {
  const ways = isJson(document.text)
    ? [() => writeJson(document.text, change.after)]
    : [() => change.inLines(document), () => writeTree(document, change)];
  for (const way of ways) {
    const text = attempt(way);
    if (text !== undefined && says(text, document.file, change.after)) return text;
  }
  throw placed(new ConfigError('', 'cannot be changed as it is laid out; change it by hand'), document);
}

/**
 * A way that does not lead anywhere for this file, such as over an alias whose anchor would be
 * gone.
 */
function attempt(way: () => string | undefined): string | undefined {
  try {
    return way();
  } catch {
    return undefined;
  }
}

function says(text: string, file: string, wanted: UncheckedOptions): boolean {
  try {
    return isDeepStrictEqual(parseDescriptor(text, file).yaml.toJS(), wanted);
  } catch {
    return false;
  }
}

function writeTree({ yaml: original, text }: DescriptorDocument, { inTree }: Change): string {
  const tree = original.clone();
  inTree(tree);
  return tree.toString({
    lineWidth: 0,
    indentSeq: !/^( *)[^\s#-][^\n]*:[^\S\n]*\r?\n\1- /m.test(text),
    flowCollectionPadding: !/[[{][^\s\]}]/.test(text),
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function writeJson(text: string, value: UncheckedOptions): string {
  const indent = /\n([ \t]+)"/.exec(text)?.[1];
  const end = /\r?\n$/.exec(text)?.[0] ?? '';
  return `${JSON.stringify(value, undefined, indent)}${end}`;
}

function listAt(document: DescriptorDocument, name: 'keySets' | 'keys'): readonly unknown[] {
  const list = document.jwt[name] ?? [];
  if (!Array.isArray(list)) throw placed(new ConfigError(name, 'expected a list'), document);
  return list;
}

function itemAt(document: DescriptorDocument, index: number): UncheckedOptions {
  const item = listAt(document, 'keySets')[index];
  if (isPlainObject(item)) return item;
  const path = `keySets[${index}]`;
  throw placed(new ConfigError(path, item === undefined ? 'is not there' : 'expected an object'), document);
}

function withList(document: DescriptorDocument, name: string, list: readonly unknown[]): UncheckedOptions {
  return withJwt(document, { ...document.jwt, [name]: list });
}

function withJwt({ yaml: tree }: DescriptorDocument, jwt: UncheckedOptions): UncheckedOptions {
  const whole: unknown = tree.toJS();
  const { service, ...others } = isPlainObject(whole) ? whole : {};
  return { ...others, service: { ...(isPlainObject(service) ? service : {}), jwt } };
}
