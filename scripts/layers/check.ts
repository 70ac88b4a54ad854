// Checks every import of the workspace against the table of allowed imports. The table is in
// scripts/check-layers.ts; how imports are found is in imports.ts.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import { type Import, importsOf } from './imports.ts';

/** The table of allowed imports. */
export interface Rules {
  /**
   * The folder whose top-level folders and files are rooms. The room of a file is its name without
   * `.ts`.
   */
  readonly house: string;
  /**
   * The rooms in lines, lowest first. A room may import from itself, from every room of a lower
   * line, and from the rooms of its own line that its entry lists.
   */
  readonly lines: readonly { readonly [room: string]: readonly string[] }[];
  /**
   * For each folder with a package: the specifiers of the workspace that its sources may import.
   * `*` allows all.
   */
  readonly packages: { readonly [folder: string]: readonly string[] };
  /**
   * Folders whose sources may import only these other packages; `node:*` means all modules of Node.
   * A folder without an entry may import every package that its package.json declares.
   */
  readonly foreign: { readonly [folder: string]: readonly string[] };
  /**
   * Imports that are not allowed but still exist, as `file -> file`. An entry that is not needed
   * fails.
   */
  readonly pending: readonly string[];
}

interface Arrow extends Import {
  readonly from: string;
  /** The file or folder that a relative specifier names, from the root of the workspace. */
  readonly to: string | undefined;
}

/**
 * Checks the TypeScript files of a workspace: sources, tests and scripts.
 * @param root the folder that holds `packages`, `apps` and `scripts`
 * @returns one line for each violation
 */
export function checkLayers(root: string, rules: Rules): readonly string[] {
  const files = ['packages', 'apps', 'scripts'].flatMap((folder) => filesIn(root, folder));
  const arrows = files.flatMap((from) =>
    importsOf(readFileSync(join(root, from), 'utf8')).map((found): Arrow => {
      const { specifier } = found;
      const to = specifier?.startsWith('.') === true ? normalize(join(dirname(from), specifier)) : undefined;
      return { ...found, from, to };
    }),
  );
  const names = namesOf(root, Object.keys(rules.packages));
  const problems = [...checkLines(rules), ...checkHomes(files, rules)];
  const isPending = ({ from, to }: Arrow) => rules.pending.includes(`${from} -> ${to}`);
  const needed = new Set<string>();
  for (const arrow of arrows) {
    const problem = judge(arrow, rules, names);
    if (problem === undefined) continue;
    if (isPending(arrow)) needed.add(`${arrow.from} -> ${arrow.to}`);
    else
      problems.push(
        `${arrow.from}:${arrow.line} imports ${arrow.specifier ?? 'a computed name'}: ${problem}`,
      );
  }
  const next = nextOf(arrows.filter((arrow) => !isPending(arrow)));
  for (const cycle of circles(files, next)) problems.push(`a circle of imports: ${cycle.join(' -> ')}`);
  for (const name of rules.pending) {
    const [from = '', to = ''] = name.split(' -> ');
    const closes = () =>
      arrows.some((arrow) => arrow.from === from && arrow.to === to) && reaches(to, from, next);
    if (!needed.has(name) && !closes())
      problems.push(`expected an import that is not allowed in pending, got ${name}; remove it`);
  }
  return problems;
}

/** The reason why an import is not allowed; undefined if it is allowed. */
function judge({ from, to, specifier, isUrl }: Arrow, rules: Rules, names: ReadonlySet<string>) {
  const home = packageOf(from, rules);
  if (home === undefined) return undefined;
  const isSource = !from.startsWith(`${home}/test/`);
  if (to !== undefined) {
    const target = packageOf(to, rules);
    if (target !== home) {
      // A URL may name the root of the workspace, or a file there that is not in a package.
      if (isUrl && target === undefined) return undefined;
      return `by path it may import only its own package, ${home}`;
    }
    if (isSource && to.startsWith(`${home}/test/`)) return 'sources may not import tests';
    return judgeRoom(from, to, rules);
  }
  if (specifier === undefined)
    return home.startsWith('packages/') && isSource ? 'expected a literal name' : undefined;
  const name = nameOf(specifier);
  if (names.has(name)) {
    const allowed = rules.packages[home] ?? [];
    if (!isSource || allowed.includes('*') || allowed.includes(specifier)) return undefined;
    return `of this workspace ${home} may import: ${list(allowed)}`;
  }
  const foreign = rules.foreign[home];
  if (!isSource || foreign === undefined || foreign.includes(name)) return undefined;
  if (specifier.startsWith('node:') && foreign.includes('node:*')) return undefined;
  return `of other packages ${home} may import: ${list(foreign)}`;
}

function judgeRoom(from: string, to: string, { house, lines }: Rules): string | undefined {
  const [room, target] = [roomOf(from, house), roomOf(to, house)];
  if (room === undefined || target === undefined || room === target) return undefined;
  const line = lines.findIndex((rooms) => Object.hasOwn(rooms, room));
  const allowed = [
    ...lines.slice(0, line).flatMap((rooms) => Object.keys(rooms)),
    ...(lines[line]?.[room] ?? []),
  ];
  return allowed.includes(target) ? undefined : `${room} may import: ${list(allowed)}`;
}

/**
 * Checks the table itself: each room that an entry lists is in the same line, and there is no
 * circle.
 */
function checkLines({ lines }: Rules): string[] {
  const problems: string[] = [];
  for (const rooms of lines) {
    for (const [room, allowed] of Object.entries(rooms)) {
      for (const other of allowed)
        if (!Object.hasOwn(rooms, other)) problems.push(`the table: ${other} is not in the line of ${room}`);
    }
    for (const cycle of circles(Object.keys(rooms), (room) => rooms[room] ?? []))
      problems.push(`the table has a circle: ${cycle.join(' -> ')}`);
  }
  return problems;
}

/** Checks that the package of each file, and its room in the house, are in the table. */
function checkHomes(files: readonly string[], rules: Rules): string[] {
  const rooms = new Set(rules.lines.flatMap((line) => Object.keys(line)));
  const unknown = new Set<string>();
  for (const file of files) {
    const room = roomOf(file, rules.house);
    if (packageOf(file, rules) === undefined)
      unknown.add(`${file.split('/', 2).join('/')} is not in the table of packages`);
    if (room !== undefined && !rooms.has(room))
      unknown.add(`the room ${room} of ${rules.house} is not in the table`);
  }
  return [...unknown];
}

type Next = (node: string) => readonly string[];

/** The files that a file imports by path. */
function nextOf(arrows: readonly Arrow[]): Next {
  const targets = new Map<string, string[]>();
  for (const { from, to, isUrl } of arrows) {
    if (to !== undefined && !isUrl) targets.set(from, [...(targets.get(from) ?? []), to]);
  }
  return (file) => targets.get(file) ?? [];
}

function reaches(start: string, end: string, next: Next, seen = new Set<string>()): boolean {
  if (start === end) return true;
  if (seen.has(start)) return false;
  seen.add(start);
  return next(start).some((node) => reaches(node, end, next, seen));
}

/** Finds circles depth first: one for each import that closes a circle. */
function circles(nodes: readonly string[], next: Next): readonly string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const walk = (node: string) => {
    const at = path.indexOf(node);
    if (at >= 0) found.push([...path.slice(at), node]);
    if (at >= 0 || done.has(node)) return;
    path.push(node);
    for (const target of next(node)) walk(target);
    path.pop();
    done.add(node);
  };
  for (const node of nodes) walk(node);
  return found;
}

function filesIn(root: string, folder: string): readonly string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return ['node_modules', 'dist'].includes(entry.name) ? [] : filesIn(root, path);
    return /\.[cm]?ts$/.test(entry.name) ? [path] : [];
  });
}

/** The names of the packages of the workspace. */
function namesOf(root: string, folders: readonly string[]): ReadonlySet<string> {
  const manifests = folders
    .map((folder) => join(root, folder, 'package.json'))
    .filter((path) => existsSync(path));
  return new Set(
    manifests.map((path) => (JSON.parse(readFileSync(path, 'utf8')) as { readonly name: string }).name),
  );
}

/** `@latchkey/core` of `@latchkey/core/tools`. */
function nameOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function packageOf(path: string, { packages }: Rules): string | undefined {
  return Object.keys(packages).find((folder) => path === folder || path.startsWith(`${folder}/`));
}

function roomOf(path: string, house: string): string | undefined {
  return path.startsWith(`${house}/`)
    ? path
        .slice(house.length + 1)
        .split('/')[0]
        ?.replace(/\.ts$/, '')
    : undefined;
}

const list = (names: readonly string[]) => (names.length === 0 ? 'none' : names.join(', '));
