// Reads the members of an interface or of a constant object in a TypeScript file, with their TSDoc.
// It supports only the forms that the tables of core use.
import { parse } from '@babel/parser';

/** A declared member. */
export interface Member {
  readonly name: string;
  /** The text of the TSDoc before its first tag, on one line. Empty without TSDoc. */
  readonly meaning: string;
  /** The text after `@remarks`. Empty without that tag. */
  readonly remarks: string;
  /** The type of a member of an interface, or the value of a member of an object, as written. */
  readonly written: string;
  /**
   * The members of the member's type, if that is an object type. Members of an intersection are in
   * the order of its parts.
   */
  readonly fields: readonly Member[];
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly leadingComments?: readonly { readonly type: string; readonly value: string }[];
  readonly [member: string]: unknown;
}

/**
 * Reads the members of the interface or object of this name.
 * @throws Error if the file declares no such interface or object
 */
export function membersOf(text: string, name: string): readonly Member[] {
  const { program } = parse(text, { sourceType: 'module', plugins: ['typescript'] });
  const declared = new Map<string, readonly Node[]>();
  for (const statement of program.body as unknown as readonly Node[]) declare(statement);

  function declare(statement: Node): void {
    if (statement.type === 'ExportNamedDeclaration' && isNode(statement.declaration))
      declare(statement.declaration);
    if (statement.type === 'TSInterfaceDeclaration')
      declared.set(nameOf(statement.id), listIn((statement.body as Node).body));
    if (statement.type !== 'VariableDeclaration') return;
    for (const { id, init } of listIn(statement.declarations)) {
      const object = unwrap(init as Node | null);
      if (object?.type === 'ObjectExpression') declared.set(nameOf(id), listIn(object.properties));
    }
  }

  function memberOf(node: Node): Member {
    const annotation = node.typeAnnotation as Node | undefined;
    const value = (annotation?.typeAnnotation ?? node.value) as Node;
    return {
      name: nameOf(node.key),
      ...docOf(node),
      written: text.slice(value.start, value.end),
      fields: fieldsOf(value).map(memberOf),
    };
  }

  function fieldsOf(type: Node): readonly Node[] {
    if (type.type === 'TSTypeLiteral') return listIn(type.members);
    if (type.type === 'TSIntersectionType') return listIn(type.types).flatMap(fieldsOf);
    return type.type === 'TSTypeReference' ? (declared.get(nameOf(type.typeName)) ?? []) : [];
  }

  const members = declared.get(name);
  if (members === undefined) throw new Error(`expected an interface or object with the name ${name}`);
  return members.map(memberOf);
}

function docOf({ leadingComments = [] }: Node): Pick<Member, 'meaning' | 'remarks'> {
  const comment = leadingComments.findLast(({ type, value }) => type === 'CommentBlock' && value[0] === '*');
  const lines = (comment?.value ?? '').split('\n').map((line) => line.replace(/^\s*\*+\s?/, '').trim());
  const [meaning = '', ...tags] = lines
    .join(' ')
    .trim()
    .split(/\s*@(?=[a-z]+ )/);
  const remarks = tags.find((tag) => tag.startsWith('remarks ')) ?? '';
  return { meaning: meaning.trim(), remarks: remarks.slice('remarks '.length).trim() };
}

/** The expression inside `as const` and `satisfies`. */
function unwrap(node: Node | null): Node | null {
  return node !== null && isNode(node.expression) ? unwrap(node.expression) : node;
}

function nameOf(node: unknown): string {
  const { name, value } = node as { readonly name?: string; readonly value?: string };
  return name ?? value ?? '';
}

function listIn(nodes: unknown): readonly Node[] {
  return nodes as readonly Node[];
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value;
}
