// Finds the places where a source file can be changed so that a good test notices: one mutant for
// each. It reads text and gives text; what runs the tests is worker.ts.
import { parse } from '@babel/parser';

/** One change of a source file. */
export interface Mutant {
  readonly line: number;
  readonly before: string;
  readonly after: string;
  /** The whole file with the change. */
  readonly text: string;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly loc: { readonly start: { readonly line: number } };
  readonly [name: string]: unknown;
}

/** What a comparison is changed to: the boundary, and the opposite. */
const COMPARISONS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['===', ['!==']],
  ['!==', ['===']],
  ['<', ['<=', '>=']],
  ['<=', ['<', '>']],
  ['>', ['>=', '<=']],
  ['>=', ['>', '<']],
  ['-', ['+']],
  ['*', ['/']],
]);
const CALLS: ReadonlyMap<unknown, string> = new Map([
  ['some', 'every'],
  ['every', 'some'],
  ['min', 'max'],
  ['max', 'min'],
]);

/** All mutants of a TypeScript file, in the order of their places. */
export function mutantsOf(source: string): readonly Mutant[] {
  const mutants: Mutant[] = [];
  const seen = new Set<string>();

  function put(node: Node, after: string, start = node.start, end = node.end): void {
    const before = source.slice(start, end);
    const text = source.slice(0, start) + after + source.slice(end);
    if (before === after || seen.has(text)) return;
    seen.add(text);
    mutants.push({ line: node.loc.start.line, before, after, text });
  }

  function mutate(node: Node): void {
    const { type, operator } = node;
    const textOf = (name: string) => source.slice(nodeIn(node, name).start, nodeIn(node, name).end);
    switch (type) {
      case 'IfStatement':
      case 'ConditionalExpression':
        put(nodeIn(node, 'test'), 'true');
        put(nodeIn(node, 'test'), 'false');
        return;
      case 'WhileStatement':
        // A loop that never ends would tell nothing.
        put(nodeIn(node, 'test'), 'false');
        return;
      case 'LogicalExpression':
        put(node, textOf('left'));
        put(node, textOf('right'));
        return;
      case 'BinaryExpression': {
        const [left, right] = [nodeIn(node, 'left'), nodeIn(node, 'right')];
        const found = source.slice(left.end, right.start).indexOf(String(operator)) + left.end;
        for (const other of COMPARISONS.get(operator) ?? [])
          put(node, other, found, found + String(operator).length);
        return;
      }
      case 'UnaryExpression':
        if (operator === '!') put(node, textOf('argument'));
        return;
      case 'BooleanLiteral':
        put(node, String(node.value !== true));
        return;
      case 'ThrowStatement':
        put(node, ';');
        return;
      case 'ExpressionStatement':
        if (nodeIn(node, 'expression').type !== 'AssignmentExpression') put(node, ';');
        return;
      case 'MemberExpression': {
        const property = nodeIn(node, 'property');
        const other = CALLS.get(property.name);
        if (other !== undefined) put(property, other);
      }
    }
  }

  function visit(value: unknown): void {
    if (Array.isArray(value)) for (const item of value) visit(item);
    if (!isNode(value)) return;
    // Types are gone when the code runs.
    if (value.type.startsWith('TS') && !value.type.endsWith('Expression')) return;
    mutate(value);
    for (const name of Object.keys(value)) if (!name.endsWith('omments')) visit(value[name]);
  }

  visit(parse(source, { sourceType: 'module', plugins: ['typescript'] }).program);
  return mutants.sort((a, b) => a.line - b.line);
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

function nodeIn(node: Node, name: string): Node {
  const value = node[name];
  if (!isNode(value)) throw new TypeError(`${node.type}.${name}: expected a node`);
  return value;
}
