// Finds places in the text of a YAML document, and inserts and removes whole lines. What is changed
// is decided in lines.ts.
import { isCollection, isMap, isNode, isPair } from '../../descriptor/yaml.ts';

/**
 * The start of a node, without its comments.
 * @throws TypeError for a node without a place in the text
 */
export function startOf(node: unknown): number {
  // A block map starts at its first name: its own range may start at an anchor.
  if (isMap(node) && node.flow !== true && node.items[0] !== undefined) return startOf(node.items[0].key);
  return rangeOf(node)[0];
}

/**
 * The end of the content of a node, without comments after it.
 * @throws TypeError for a node without a place in the text
 */
export function endOf(node: unknown): number {
  if (isPair(node)) return node.value === null ? endOf(node.key) : endOf(node.value);
  if (isCollection(node) && node.flow !== true && node.items.length > 0) return endOf(node.items.at(-1));
  return rangeOf(node)[1];
}

function rangeOf(node: unknown): readonly [number, number, number] {
  const range = isNode(node) ? node.range : undefined;
  if (range === undefined || range === null) throw new TypeError('expected a node with a place in the text');
  return range;
}

/** The start of the line of an offset. */
export function startOfLine(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1;
}

/**
 * The offset after the line break. A node that ends with a line break, like a block scalar, is
 * already there.
 */
export function endOfLine(text: string, offset: number): number {
  if (offset > 0 && text[offset - 1] === '\n') return offset;
  const end = text.indexOf('\n', offset);
  return end === -1 ? text.length : end + 1;
}

/**
 * The offset after the last line of a block, and after comments that are indented enough to belong
 * to it.
 */
export function endOfBlock(text: string, contentEnd: number, column: number): number {
  const end = endOfLine(text, contentEnd);
  const [comments = ''] = new RegExp(`^(?: {${column},}#[^\\n]*(?:\\n|$))*`).exec(text.slice(end)) ?? [];
  return end + comments.length;
}

/** The column of an offset on its line, from 0. */
export function columnOf(text: string, offset: number): number {
  return offset - startOfLine(text, offset);
}

/** Inserts whole lines, with the line breaks of the text. */
export function insert(text: string, at: number, lines: readonly string[]): string {
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  const before = text.slice(0, at);
  const open = before === '' || before.endsWith('\n') ? '' : lineBreak;
  const written = lines.map((line) => `${line}${lineBreak}`).join('');
  return `${before}${open}${written}${text.slice(at)}`;
}

/** Removes whole lines. If two empty lines then meet, one of them is removed, too. */
export function cut(text: string, from: number, to: number): string {
  const before = text.slice(0, from);
  const after = text.slice(to);
  const meets = /(?:^|\n)[^\S\n]*\r?\n$/.test(before) && /^(?:[^\S\n]*\r?\n|$)/.test(after);
  return (meets ? before.replace(/[^\S\n]*\r?\n$/, '') : before) + after;
}
