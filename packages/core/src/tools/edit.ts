// Changes a descriptor: makes a new text from a document, in which only the requested part differs.
// Files are written elsewhere, and the content of a keyset is not checked here.
import { isDeepStrictEqual } from 'node:util';
import type * as yaml from 'yaml';
import { BLOCK, type DescriptorDocument, parseDescriptor, placed } from '../descriptor/document.ts';
import { ConfigError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../values/json.ts';
import { isPlainObject, type UncheckedOptions } from '../values/readers.ts';
import { appendItem, type Comments, commented, removeItem, removeMember, setMember } from './edit/lines.ts';

export type { Comments } from './edit/lines.ts';

/** The new values of the options of a keyset; undefined removes an option. */
export type KeysetChanges = { readonly [name: string]: JsonValue | undefined };

/**
 * One change. It is made in the lines of the text if possible, else in the tree of the YAML
 * library, which may format some of the file anew.
 */
interface Change {
  /** The data of the whole file after the change. */
  readonly after: UncheckedOptions;
  /** Returns undefined if this function does not support the layout of the lines. */
  inLines(document: DescriptorDocument): string | undefined;
  inTree(tree: yaml.Document): void;
}

/**
 * Adds a keyset at the end of `keySets`, which is created if it is missing.
 * @param comments on the options of the keyset, by their names; JSON has none
 * @returns the new text
 * @throws ConfigError if `keySets` is not a list
 */
export function addKeyset(document: DescriptorDocument, keyset: JsonObject, comments?: Comments): string {
  return append(document, 'keySets', keyset, comments);
}

/**
 * Changes single options of a keyset, and keeps its other options.
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
    current = parse(text, document.file);
  }
  return current.text;
}

/**
 * Removes a keyset. If it was the last one, an empty list stays. Comments around it, on their own
 * lines, stay.
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

/**
 * Sets the audience of a descriptor that has none, next to its keysets.
 * @throws ConfigError if it has another one
 */
export function setAudience(document: DescriptorDocument, audience: readonly string[]): string {
  return setOption(document, 'audience', audience.length === 1 ? (audience[0] ?? '') : audience);
}

/**
 * Sets an option of a descriptor that does not have it, next to its keysets.
 * @param comment a comment before the option; JSON has none
 * @throws ConfigError if the option has another value
 */
export function setOption(
  document: DescriptorDocument,
  name: string,
  value: JsonValue,
  comment?: string,
): string {
  const current = document.jwt[name];
  if (isDeepStrictEqual(current, value)) return document.text;
  if (current !== undefined)
    throw placed(new ConfigError(name, 'is set already; change it in the file'), document);
  return apply(document, {
    after: withJwt(document, { ...document.jwt, [name]: value }),
    inLines: (from) => setMember(from, BLOCK, name, value, comment === undefined ? {} : { [name]: comment }),
    inTree: (tree) => setDeep(tree, [...BLOCK, name], value),
  });
}

/** Adds a key at the end of the deprecated `keys`, like `addKeyset`. */
export function addKey(document: DescriptorDocument, key: JsonObject): string {
  return append(document, 'keys', key);
}

/** Removes the deprecated option `keys` with its content. Without it, the text stays as it is. */
export function removeKeys(document: DescriptorDocument): string {
  if (!Object.hasOwn(document.jwt, 'keys')) return document.text;
  const { keys: _keys, ...rest } = document.jwt;
  return apply(document, {
    after: withJwt(document, rest),
    inLines: (from) => removeMember(from, BLOCK, 'keys'),
    inTree: (tree) => void tree.deleteIn([...BLOCK, 'keys']),
  });
}

function append(
  document: DescriptorDocument,
  name: 'keySets' | 'keys',
  item: JsonObject,
  comments: Comments = {},
): string {
  const items = listAt(document, name);
  const path = [...BLOCK, name];
  const made = () => commented(item, comments, true).contents;
  return apply(document, {
    after: withList(document, name, [...items, item]),
    inLines: (from) => appendItem(from, path, item, comments),
    inTree: (tree) => (items.length === 0 ? setDeep(tree, path, [made()]) : tree.addIn(path, made())),
  });
}

/** Sets a value, and makes the maps around it that are missing or blank. */
function setDeep(tree: yaml.Document, path: readonly string[], value: unknown): void {
  for (const [index] of path.entries()) {
    const around = path.slice(0, index);
    if (isBlankIn(tree, around)) tree.setIn(around, tree.createNode({}));
  }
  tree.setIn(path, tree.createNode(value));
}

function isBlankIn(tree: yaml.Document, path: readonly string[]): boolean {
  const value: unknown = tree.getIn(path);
  return value === undefined || value === null;
}

/**
 * Makes a change by lines or by tree, and checks that the result has exactly the requested data.
 */
function apply(document: DescriptorDocument, change: Change): string {
  const ways = isJson(document)
    ? [() => writeJson(document.text, change.after)]
    : [() => change.inLines(document), () => writeTree(document, change)];
  for (const way of ways) {
    const text = attempt(way);
    if (text !== undefined && says(text, document.file, change.after)) return text;
  }
  throw placed(new ConfigError('', 'the layout of the file is not supported; change it by hand'), document);
}

/** Tries a way that may fail for this file: for example, an alias whose anchor would be removed. */
function attempt(way: () => string | undefined): string | undefined {
  try {
    return way();
  } catch {
    return undefined;
  }
}

function says(text: string, file: string, wanted: UncheckedOptions): boolean {
  try {
    return isDeepStrictEqual(parse(text, file).yaml.toJS() ?? {}, wanted);
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

/** Also a descriptor without the block of options is edited. */
function parse(text: string, file: string): DescriptorDocument {
  return parseDescriptor(text, file, { mayLackBlock: true });
}

/** A scalar, such as `null`, is JSON only in a file of that name. */
function isJson({ text, file }: DescriptorDocument): boolean {
  try {
    return isPlainObject(JSON.parse(text)) || file.endsWith('.json');
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
  throw placed(new ConfigError(path, item === undefined ? 'does not exist' : 'expected an object'), document);
}

function withList(document: DescriptorDocument, name: string, list: readonly unknown[]): UncheckedOptions {
  return withJwt(document, { ...document.jwt, [name]: list });
}

function withJwt({ yaml: tree }: DescriptorDocument, jwt: UncheckedOptions): UncheckedOptions {
  const whole: unknown = tree.toJS();
  const others = isPlainObject(whole) ? whole : {};
  return { ...others, service: { ...(isPlainObject(others.service) ? others.service : {}), jwt } };
}
