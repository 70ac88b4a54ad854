// Places in the text of a YAML document, and whole lines put in and taken out of it. What is to be
// changed is not known here.
import { loadYaml } from '../../descriptor/document.ts';

/**
 * Where a node begins, its comments not counted.
 * @throws TypeError for what does not stand in the text
 */
export function startOf(node: unknown): number {
  const { isMap } = loadYaml();
  // Of a block map, where its first name is: its own may be that of an anchor.
  if (isMap(node) && node.flow !== true && node.items[0] !== undefined) return startOf(node.items[0].key);
  return rangeOf(node)[0];
}

/**
 * Where what is in a node ends, comments after it not counted.
 * @throws TypeError for what does not stand in the text
 */
export function endOf(node: unknown): number {
  const { isCollection, isPair } = loadYaml();
  if (isPair(node)) return node.value === null ? endOf(node.key) : endOf(node.value);
  if (isCollection(node) && node.flow !== true && node.items.length > 0) return endOf(node.items.at(-1));
  return rangeOf(node)[1];
}

function rangeOf(node: unknown): readonly [number, number, number] {
  const { isNode } = loadYaml();
  const range = isNode(node) ? node.range : undefined;
  if (range === undefined || range === null) throw new TypeError('stands nowhere');
  return range;
}

/** Where the line of an offset begins. */
export function startOfLine(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1;
}

/**
 * After its line break. A node that ends with one, as block scalars do, is at the end of its line.
 */
export function endOfLine(text: string, offset: number): number {
  if (offset > 0 && text[offset - 1] === '\n') return offset;
  const end = text.indexOf('\n', offset);
  return end === -1 ? text.length : end + 1;
}

/**
 * After the line that what is in a block ends with, and the comments that stand so far in that they
 * are of the block.
 */
export function endOfBlock(text: string, contentEnd: number, column: number): number {
  const end = endOfLine(text, contentEnd);
  const [comments = ''] = new RegExp(`^(?: {${column},}#[^\\n]*(?:\\n|$))*`).exec(text.slice(end)) ?? [];
  return end + comments.length;
}

/** How far in an offset stands on its line, from 0. */
export function columnOf(text: string, offset: number): number {
  return offset - startOfLine(text, offset);
}

/** Puts whole lines in, with the line breaks that the text has. */
export function insert(text: string, at: number, lines: readonly string[]): string {
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  const before = text.slice(0, at);
  const open = before === '' || before.endsWith('\n') ? '' : lineBreak;
  const written = lines.map((line) => `${line}${lineBreak}`).join('');
  return `${before}${open}${written}${text.slice(at)}`;
}

/** Takes whole lines away, and of two empty lines that meet then, one. */
export function cut(text: string, from: number, to: number): string {
  const before = text.slice(0, from);
  const after = text.slice(to);
  const meets = /(?:^|\n)[^\S\n]*\r?\n$/.test(before) && /^(?:[^\S\n]*\r?\n|$)/.test(after);
  return (meets ? before.replace(/[^\S\n]*\r?\n$/, '') : before) + after;
}
