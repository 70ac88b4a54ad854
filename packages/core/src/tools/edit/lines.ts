// Changes the lines of a YAML text that has one option per line, as people write it. All other
// lines stay, byte for byte. edit.ts handles other layouts and checks the result.
import type * as yaml from 'yaml';
import type { DescriptorDocument } from '../../descriptor/document.ts';
import {
  Document,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Scalar,
  visit,
} from '../../descriptor/yaml.ts';
import type { JsonValue } from '../../values/json.ts';
import { columnOf, cut, endOf, endOfBlock, endOfLine, insert, startOf, startOfLine } from './text.ts';

type Path = readonly (string | number)[];

/** Comments on the members of an object, by their names. */
export type Comments = { readonly [member: string]: string };

/**
 * Adds an item at the end of a list, which may be missing or empty.
 * @returns undefined for an unsupported layout
 */
export function appendItem(
  document: DescriptorDocument,
  path: Path,
  item: JsonValue,
  comments: Comments = {},
): string | undefined {
  const { text, yaml: tree } = document;
  const list = tree.getIn(path, true);
  if (isSeq(list) && list.items.length > 0) {
    if (list.flow === true) return undefined;
    const column = columnOf(text, startOf(list));
    const { isTight, spaced } = styleOf(document, path, column);
    const end = endOfBlock(text, endOf(list), column + 1);
    return insert(text, end, [...(spaced ? [''] : []), ...itemLines(item, column, isTight, comments)]);
  }
  return insertNested(document, path, item, comments);
}

/** Adds a list with one item, and the maps around it that are missing or empty. */
function insertNested(
  document: DescriptorDocument,
  path: Path,
  item: JsonValue,
  comments: Comments,
): string | undefined {
  const { text, yaml: tree } = document;
  const depth = path.findLastIndex((_, at) => blockMapAt(tree, path.slice(0, at)) !== undefined);
  const isTight = !isIndented(document);
  const linesAt = (names: Path, column: number) => [
    ...names.map((name, at) => `${' '.repeat(column + 2 * at)}${name}:`),
    ...itemLines(item, column + 2 * names.length - (isTight ? 2 : 0), isTight, comments),
  ];
  const parent = depth === -1 ? undefined : blockMapAt(tree, path.slice(0, depth));
  if (parent === undefined)
    return isEmpty(tree.contents) ? insert(text, text.length, linesAt(path, 0)) : undefined;
  const column = columnOf(text, startOf(parent));
  const pair = pairOf(parent, String(path[depth]));
  if (pair === undefined) {
    const end = endOfBlock(text, endOf(parent), column + 1);
    return insert(text, end, linesAt(path.slice(depth), column));
  }
  if (!isEmpty(pair.value)) return undefined;
  // Replaces `[]`, `{}`, `~` or an empty value; a comment after it stays.
  const { value } = pair;
  const [from, to] = [startOf(value), endOf(value)];
  const emptied = text.slice(0, from).replace(from === to ? '' : / +$/, '') + text.slice(to);
  const end = endOfLine(emptied, emptied.length - (text.length - to));
  return insert(emptied, end, linesAt(path.slice(depth + 1), column + 2));
}

function isEmpty(node: unknown): boolean {
  if (isCollection(node)) return node.items.length === 0;
  return node === null || (isScalar(node) && node.value === null);
}

/**
 * Removes an item of a list. Instead of the last item, `[]` is left.
 * @returns undefined for an unsupported layout
 */
export function removeItem(
  { text, yaml: tree }: DescriptorDocument,
  path: Path,
  index: number,
): string | undefined {
  const list = tree.getIn(path, true);
  const parent = blockMapAt(tree, path.slice(0, -1));
  if (!isSeq(list) || list.flow === true || parent === undefined) return undefined;
  const column = columnOf(text, startOf(list));
  const item = list.items[index];
  const from = startOfLine(text, startOf(item));
  const to = endOfBlock(text, endOf(item), column + 1);
  if (list.items.length > 1) return cut(text, from, to);
  const key = pairOf(parent, String(path.at(-1)))?.key;
  const colon = text.indexOf(':', endOf(key));
  const rest = cut(text, from, to);
  return `${rest.slice(0, colon + 1)} []${rest.slice(colon + 1)}`;
}

/** Removes a member of a map. @returns undefined for an unsupported layout */
export function removeMember(
  { text, yaml: tree }: DescriptorDocument,
  path: Path,
  name: string,
): string | undefined {
  const map = blockMapAt(tree, path);
  const pair = map === undefined ? undefined : pairOf(map, name);
  if (map === undefined || pair === undefined || map.items.length < 2) return undefined;
  const start = startOf(pair.key);
  const end = endOfBlock(text, endOf(pair), columnOf(text, start) + 1);
  // The first member is after a dash: the next one moves up to the dash.
  const next = map.items[map.items.indexOf(pair) + 1];
  if (map.items[0] === pair && next !== undefined && /\S/.test(text.slice(startOfLine(text, start), start))) {
    if (text.slice(end, startOfLine(text, startOf(next.key))).includes('#')) return undefined;
    return text.slice(0, start) + text.slice(startOf(next.key));
  }
  return cut(text, startOfLine(text, start), end);
}

/** Sets the value of a member of a map. @returns undefined for an unsupported layout */
export function setMember(
  document: DescriptorDocument,
  path: Path,
  name: string,
  value: JsonValue,
  comments: Comments = {},
): string | undefined {
  const { text, yaml: tree } = document;
  const map = blockMapAt(tree, path);
  if (map === undefined) return undefined;
  const column = columnOf(text, startOf(map));
  const isTight = !isIndented(document);
  const before = pairOf(map, name)?.value;
  if (before === undefined) {
    const end = endOfBlock(text, endOf(map), column);
    return insert(text, end, indented(commented({ [name]: value }, comments), column, isTight));
  }
  if (!isNode(before)) return undefined;
  const [from, to] = [startOf(before), endOf(before)];
  if (isScalar(before) && !Array.isArray(value)) {
    if (before.type?.startsWith('BLOCK') === true || from === to) return undefined;
    return text.slice(0, from) + scalarText(value, before.type) + text.slice(to);
  }
  if (!isSeq(before) || !Array.isArray(value)) return undefined;
  if (before.flow === true) {
    const padding = /^\[\s/.test(text.slice(from)) ? ' ' : '';
    const items = value.map((item) => scalarText(item));
    return `${text.slice(0, from)}[${padding}${items.join(', ')}${padding}]${text.slice(to)}`;
  }
  // Items that stay keep their lines and their comments.
  const dash = columnOf(text, from);
  const lineOf = (item: JsonValue) => {
    const kept = before.items.find((known) => isScalar(known) && known.value === item);
    const shown =
      kept === undefined ? scalarText(item) : text.slice(startOf(kept), endOfLine(text, endOf(kept)));
    return `${' '.repeat(dash)}- ${shown.trimEnd()}`;
  };
  const cleared = cut(text, startOfLine(text, from), endOfBlock(text, to, dash + 1));
  return insert(cleared, startOfLine(text, from), value.map(lineOf));
}

/**
 * The lines of an item of a list. The comment on the first member is after its value: on a line
 * before the dash, it would be outside of the item.
 */
function itemLines(item: JsonValue, column: number, isTight: boolean, comments: Comments): readonly string[] {
  const [first = '', ...others] = indented(commented(item, comments, true), column + 2, isTight);
  return [`${' '.repeat(column)}- ${first.slice(column + 2)}`, ...others];
}

/**
 * A value with comments, each before its member.
 * @param firstIsAfter the comment on the first member is after its value, which is a scalar
 */
export function commented(value: JsonValue, comments: Comments, firstIsAfter = false): yaml.Document {
  const document = new Document(value);
  const pairs = isMap(document.contents) ? document.contents.items : [];
  for (const [index, { key, value: member }] of pairs.entries()) {
    const comment = isScalar(key) ? comments[String(key.value)]?.replaceAll(/^/gm, ' ') : undefined;
    if (comment === undefined) continue;
    if (index === 0 && firstIsAfter && isScalar(member)) member.comment = comment;
    else if (isScalar(key)) key.commentBefore = comment;
  }
  return document;
}

function indented(value: yaml.Document, column: number, isTight: boolean): readonly string[] {
  const written = value.toString({ lineWidth: 0, indentSeq: !isTight });
  return written
    .trimEnd()
    .split('\n')
    .map((line) => ' '.repeat(column) + line);
}

/** The scalar as text, with the quotes of the previous value. */
function scalarText(value: JsonValue, type?: yaml.Scalar.Type | null): string {
  const scalar = new Scalar(value);
  if (typeof value === 'string' && type !== undefined && type !== null) scalar.type = type;
  return new Document(scalar).toString({ lineWidth: 0 }).trimEnd();
}

/**
 * The layout of the list at a path: whether its dashes are indented, and whether empty lines
 * separate its items.
 */
function styleOf(
  { text, yaml: tree }: DescriptorDocument,
  path: Path,
  column: number,
): { readonly isTight: boolean; readonly spaced: boolean } {
  const parent = tree.getIn(path.slice(0, -1), true);
  const list = tree.getIn(path, true);
  const [first, second] = isSeq(list) ? list.items : [];
  const between = second === undefined ? '' : text.slice(endOfLine(text, endOf(first)), startOf(second));
  return {
    isTight: column <= columnOf(text, startOf(parent)),
    spaced: /^[^\S\n]*\r?\n/.test(between),
  };
}

/** True if a list of the file is indented further than its name. */
function isIndented({ text, yaml: tree }: DescriptorDocument): boolean {
  let found = false;
  visit(tree, {
    Pair(_, { key, value }) {
      if (!isSeq(value) || value.flow === true || !isNode(key)) return undefined;
      found ||= columnOf(text, startOf(value)) > columnOf(text, startOf(key));
      return undefined;
    },
  });
  return found;
}

function blockMapAt(tree: yaml.Document, path: Path): yaml.YAMLMap | undefined {
  const map = tree.getIn(path, true);
  return isMap(map) && map.flow !== true && map.items.length > 0 ? map : undefined;
}

function pairOf(map: yaml.YAMLMap, name: string): yaml.Pair | undefined {
  return map.items.find(({ key }) => isScalar(key) && key.value === name);
}
