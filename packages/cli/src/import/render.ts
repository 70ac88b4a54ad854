// Renders a draft as the text of a descriptor: YAML with the notes as comments. Text from the
// source appears only as scalars, without control characters.
import { Document, isCollection, isMap, isNode, isPair, isScalar, type Node, Scalar, visit } from 'yaml';
import type { Draft, NoteKind, Place } from './draft.ts';

const WIDTH = 100;
const HEADS: Readonly<Record<NoteKind, string>> = {
  safer: 'safer',
  'no-equivalent': 'no equivalent',
  check: 'check',
};
// The characters that `plain` of the output escapes, except the line breaks of YAML.
const ODD = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\u2028\u2029]/u;
const ODD_IN_TEXT = /(?!\n)[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\u2028\u2029]/gu;

/** The descriptor as data, as it is loaded. */
export function descriptorOf({ name, jwt }: Pick<Draft, 'name' | 'jwt'>): Record<string, unknown> {
  return { ...(name === undefined ? {} : { name }), service: { jwt } };
}

/**
 * Renders a draft.
 * @param head the first lines, about its origin
 */
export function renderDraft(draft: Draft, head: readonly string[]): string {
  const document = new Document(descriptorOf(draft), { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === 'string' && needsEscapes(node.value)) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  const whole: string[] = head.flatMap((line) => wrap(line));
  for (const { kind, text, path, at } of draft.notes) {
    const lines = wrap(`${HEADS[kind]}: ${text} [${path}]`);
    const target = at.length === 0 ? undefined : commentTarget(document, ['service', 'jwt', ...at]);
    if (target === undefined) whole.push(...lines);
    else target.commentBefore = [...(target.commentBefore?.split('\n') ?? []), ...lines].join('\n');
  }
  document.commentBefore = whole.join('\n');
  // These characters occur only inside double quotes, where the escape means the character.
  return document.toString({ lineWidth: 0 }).replace(ODD_IN_TEXT, escapeInYaml);
}

/**
 * Several lines of ordinary characters become a block; other special texts are quoted, so that they
 * can be escaped.
 */
function needsEscapes(text: string): boolean {
  return ODD.test(text.replaceAll('\n', ''));
}

function escapeInYaml(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code > 0xffff
    ? `\\U${code.toString(16).padStart(8, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}

/**
 * Returns the node for a comment: the name of a member, or an item. For a missing place, the
 * nearest node around it.
 */
function commentTarget(document: Document, place: Place): Node | undefined {
  for (let length = place.length; length > 0; length--) {
    const parent: unknown =
      length === 1 ? document.contents : document.getIn(place.slice(0, length - 1), true);
    const last = place[length - 1];
    if (!isCollection(parent)) continue;
    const found: unknown = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && key.value === last)
      : typeof last === 'number'
        ? parent.items[last]
        : undefined;
    const target: unknown = isPair(found) ? found.key : found;
    if (isNode(target)) return target;
  }
  return undefined;
}

/** Wraps a comment into lines, each with the space after the #. */
function wrap(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length >= WIDTH) {
      lines.push(` ${line}`);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, ` ${line}`];
}
