// Reads the form of what several copies of core share, from the sources: the types of the objects
// that one copy gives to another, and the states that all copies use. It is recorded next to
// `SHAPE`, so that a change of the form without a new `SHAPE` is seen.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '@babel/parser';

/** The file of the record. */
export const SHAPE_FILE = 'packages/core/src/values/shape.json';

/** The form of what copies share. */
export interface Shape {
  /** `SHAPE` of `values/copies.ts`. */
  readonly shape: number;
  /** The members of each type, as written. An alias has one member without a name. */
  readonly types: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** What makes each state, by the name of the state. */
  readonly states: Readonly<Record<string, string>>;
}

/** The types whose objects one copy makes and another one reads, by file. */
const SHARED: Readonly<Record<string, readonly string[]>> = {
  'adapter/decorated.ts': ['DecoratedClass', 'AccessNote'],
  'notices/receiver.ts': ['EventReceiver'],
  'challenge.ts': ['ProtectionSpace'],
  'claims/compile.ts': ['ClaimCheck', 'CompiledRules'],
  'claims/form.ts': ['Holds', 'NormalRule'],
  'claims/issuers.ts': ['IssuerMatcher'],
  'claims/rules.ts': ['RequestParameters'],
  'credentials/query.ts': ['Concealment'],
  'credentials/request.ts': ['RequestView', 'KeyedView'],
  'decision/access.ts': ['CompiledAccess', 'NamedRoutes'],
  'decision/authenticator.ts': ['Authenticator'],
  'decision/combine.ts': ['CombinedAuthenticator'],
  'decision/decision.ts': ['Decision'],
  'decision/principal.ts': ['Principal', 'RoutesInForce', 'PrincipalContext'],
  'decision/refusal-hook.ts': ['RefusalHook'],
  'decision/requirements.ts': ['RouteRequirements'],
  'errors.ts': ['AuthErrorContext', 'AuthError', 'ConfigError'],
  'signing/signer.ts': ['Signer'],
  'values/copies.ts': ['Copy', 'Marked'],
};

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [member: string]: unknown;
}

/** Reads the form from the sources in a folder. @throws Error if a shared type is not there */
export function shapeIn(source: string): Shape {
  const files = new Map(
    globSync('**/*.ts', { cwd: source })
      .toSorted()
      .map((file) => [file.replaceAll('\\', '/'), readFileSync(join(source, file), 'utf8')] as const),
  );
  const number = /\bSHAPE = (-?\d+)/.exec(files.get('values/copies.ts') ?? '')?.[1];
  const types = Object.entries(SHARED).flatMap(([file, names]) => {
    const declared = declaredIn(files.get(file) ?? '');
    return names.map((name) => {
      const members = declared.get(name);
      if (members === undefined) throw new Error(`${file}: expected a type with the name ${name}`);
      return [name, members] as const;
    });
  });
  const states = [...files.values()].flatMap((text) =>
    [...text.matchAll(/\bsharedState\(\s*'([^']+)',\s*(.*?)\);\n/gs)].map(([, name = '', made = '']) => [
      name,
      line(made),
    ]),
  );
  return { shape: Number(number), types: Object.fromEntries(types), states: Object.fromEntries(states) };
}

/**
 * Compares the form with the recorded one.
 * @returns what is wrong; empty if nothing changed, or if `SHAPE` says so
 */
export function shapeProblems(recorded: Shape, now: Shape): readonly string[] {
  // A state has no mark: two copies always use it together.
  const states = Object.entries(now.states)
    .filter(([name, made]) => (recorded.states[name] ?? made) !== made)
    .map(([name]) => `the state '${name}' has another form; give it another name`);
  if (recorded.shape !== now.shape) return states;
  const names = Object.keys({ ...recorded.types, ...now.types });
  const members = names.flatMap((name) => {
    const [before = {}, after = {}] = [recorded.types[name], now.types[name]];
    return Object.keys({ ...before, ...after })
      .filter((member) => before[member] !== after[member])
      .map(
        (member) =>
          `${name}${member && `.${member}`} has changed; increment SHAPE, or, if each copy reads what the other one makes, change ${SHAPE_FILE} by hand`,
      );
  });
  return [...states, ...members];
}

/** The members of each declared type, by its name. A method is without its body. */
function declaredIn(text: string): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const { program } = parse(text, { sourceType: 'module', plugins: ['typescript'] });
  const declared = new Map<string, Readonly<Record<string, string>>>();
  for (const statement of program.body as unknown as readonly Node[]) {
    const node = (statement.declaration ?? statement) as Node;
    const { name } = (node.id ?? {}) as { readonly name?: string };
    if (name === undefined) continue;
    if (node.type === 'TSTypeAliasDeclaration')
      declared.set(name, { '': written(text, node.typeAnnotation as Node) });
    if (node.type !== 'TSInterfaceDeclaration' && node.type !== 'ClassDeclaration') continue;
    const members = ((node.body as Node).body as readonly Node[]).filter(
      ({ type, static: isStatic }) => type !== 'StaticBlock' && isStatic !== true,
    );
    declared.set(
      name,
      Object.fromEntries(members.map((member) => [nameOf(text, member), written(text, member)])),
    );
  }
  return declared;
}

function nameOf(text: string, { key }: Node): string {
  const { start, end } = key as Node;
  return text.slice(start, end);
}

function written(text: string, node: Node): string {
  const { start } = (node.body ?? { start: node.end }) as { readonly start: number };
  return line(text.slice(node.start, start));
}

/** Without comments, on one line, however the formatter breaks it. */
function line(text: string): string {
  return text
    .replaceAll(/\/\*.*?\*\/|\/\/[^\n]*/gs, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/(?<=[(<[]) | ?,? (?=[)>\]])/g, '')
    .trim();
}
