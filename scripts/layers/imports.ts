// Finds every import of one TypeScript file, in each form that can name a module. It does not judge
// the imports: see check.ts.
import { parse } from '@babel/parser';

/** One place where a file names another module. */
export interface Import {
  /** The name as written; undefined if it is computed at run time. */
  readonly specifier: string | undefined;
  readonly line: number;
  /** True for `new URL('...', import.meta.url)`, which may also name a folder or a text file. */
  readonly isUrl: boolean;
}

interface Node {
  readonly type: string;
  readonly loc: { readonly start: { readonly line: number } };
  readonly [member: string]: unknown;
}

/** Functions whose first argument names a module. */
const LOADERS: ReadonlySet<string> = new Set([
  'require',
  'require.resolve',
  'import.meta.resolve',
  ...['mock', 'doMock', 'unmock', 'doUnmock', 'importActual', 'importMock'].map((name) => `vi.${name}`),
]);

/**
 * Finds static imports, `export from`, dynamic imports, types by `import('...')`, `require`,
 * `declare module '...'`, `vi.mock` and similar functions, and `new URL('...', import.meta.url)`.
 * Type imports are included.
 * @throws SyntaxError for a text that is not TypeScript
 */
export function importsOf(text: string): readonly Import[] {
  const found: Import[] = [];
  const { program } = parse(text, { sourceType: 'module', plugins: ['typescript', 'decorators-legacy'] });
  visit(program as unknown as Node);
  return found;

  function visit(node: Node): void {
    const named = moduleNamedBy(node);
    if (named !== undefined) {
      found.push({
        specifier: textOf(named),
        line: node.loc.start.line,
        isUrl: node.type === 'NewExpression',
      });
    }
    for (const member of Object.values(node)) {
      for (const child of Array.isArray(member) ? member : [member]) if (isNode(child)) visit(child);
    }
  }
}

/** The child node that names a module. A computed name is reported only for `import()`. */
function moduleNamedBy(node: Node): Node | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return nodeOf(node.source);
    case 'TSExternalModuleReference':
      return nodeOf(node.expression);
    case 'TSModuleDeclaration':
      return literal(node.id);
    case 'CallExpression':
      return LOADERS.has(nameOf(node.callee)) ? literal(firstOf(node.arguments)) : undefined;
    case 'NewExpression': {
      const [first, base] = Array.isArray(node.arguments) ? node.arguments : [];
      return nameOf(node.callee) === 'URL' && nameOf(base) === 'import.meta.url' ? literal(first) : undefined;
    }
    default:
      return undefined;
  }
}

/** The text of a chain of names, such as `vi.mock`; empty for other nodes. */
function nameOf(value: unknown): string {
  const node = nodeOf(value);
  if (node?.type === 'Identifier') return String(node.name);
  if (node?.type === 'MetaProperty') return `${nameOf(node.meta)}.${nameOf(node.property)}`;
  return node?.type === 'MemberExpression' ? `${nameOf(node.object)}.${nameOf(node.property)}` : '';
}

function textOf(node: Node): string | undefined {
  if (node.type === 'StringLiteral') return String(node.value);
  if (node.type !== 'TemplateLiteral' || firstOf(node.expressions) !== undefined) return undefined;
  return (firstOf(node.quasis) as { readonly value: { readonly cooked: string } }).value.cooked;
}

const literal = (value: unknown): Node | undefined => {
  const node = nodeOf(value);
  return node !== undefined && textOf(node) !== undefined ? node : undefined;
};
const firstOf = (value: unknown): unknown => (Array.isArray(value) ? value[0] : undefined);
const nodeOf = (value: unknown): Node | undefined => (isNode(value) ? value : undefined);
const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && 'loc' in value;
