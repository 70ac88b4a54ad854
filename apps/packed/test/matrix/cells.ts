// The cells of `pnpm matrix`. Each package runs on each kind of its versions in every way: that is
// one project for each kind and package manager. Managers and versions of Node are not multiplied:
// they move on from way to way, from version to version and from package to package, so that each
// of them meets each package, each kind of version, each way, and each other. cells.test.ts holds
// this.
import { published } from '../installed/published.ts';
import { KINDS, type Kind, type Ranges, SUBJECTS, type Subject } from './subjects.ts';

export const WAYS = ['import', 'require', 'node:test', 'vitest', 'jest', 'bundle', 'types'] as const;
export type Way = (typeof WAYS)[number];
export const MANAGERS = ['npm', 'pnpm', 'yarn'] as const;
export type Manager = (typeof MANAGERS)[number];

const [LOWEST_NODE = ''] = new Set(published.map(({ manifest }) => manifest.engines.node.replace('>=', '')));

/** The lowest version that the packages take, and the newest ones of the lines of Node after it. */
export const NODES: readonly string[] = [LOWEST_NODE, '24', '26'];

export interface Cell {
  readonly subject: Subject;
  readonly kind: Kind;
  readonly versions: Ranges;
  readonly manager: Manager;
  readonly way: Way;
  readonly node: string;
}

/** Programs run in six ways. Libraries are loaded in two, and their types are checked. */
export const waysOf = ({ kind }: Subject): readonly Way[] =>
  kind === 'libraries' ? ['import', 'require', 'types'] : WAYS.filter((way) => way !== 'types');

export const CELLS: readonly Cell[] = SUBJECTS.flatMap((subject, start) =>
  [...subject.versions].flatMap(([kind, versions], turn, { length }) =>
    waysOf(subject)
      .map((way, index): Cell => {
        // The last kind has all managers that the kinds before it have not.
        const manager = start + turn + (turn === length - 1 ? index % (MANAGERS.length - turn) : 0);
        const node = start + turn + index + Math.floor(index / NODES.length);
        return { subject, kind, versions, manager: at(MANAGERS, manager), way, node: at(NODES, node) };
      })
      .toSorted((one, other) => MANAGERS.indexOf(one.manager) - MANAGERS.indexOf(other.manager)),
  ),
);

/** The cells that a command asks for. @throws Error that names the values of a wrong option */
export function choose(
  names: readonly string[],
  asked: Readonly<Partial<Record<'versions' | 'manager' | 'way' | 'node', string>>>,
): readonly Cell[] {
  check('a package', names, [...SUBJECTS.map(({ name }) => name)]);
  const known = { versions: KINDS, manager: MANAGERS, way: WAYS, node: NODES };
  for (const [option, value] of Object.entries(asked))
    check(`--${option}`, [value], known[option as keyof typeof known]);
  const { versions, manager, way, node } = asked;
  return CELLS.filter(
    (cell) =>
      (names.length === 0 || names.includes(cell.subject.name)) &&
      (versions ?? cell.kind) === cell.kind &&
      (manager ?? cell.manager) === cell.manager &&
      (way ?? cell.way) === cell.way &&
      (node ?? cell.node) === cell.node,
  );
}

/** The command that runs a cell alone. */
export function commandOf({ subject, kind, manager, way, node }: Cell): string {
  return `pnpm matrix ${subject.name} --versions ${kind} --manager ${manager} --way ${way} --node ${node}`;
}

function check(what: string, given: readonly string[], known: readonly string[]): void {
  for (const one of given)
    if (!known.includes(one)) throw new Error(`expected ${what} of ${known.join(', ')}, got ${one}`);
}

function at<T>(all: readonly T[], index: number): T {
  const item = all[index % all.length];
  if (item === undefined) throw new Error('expected a list with items');
  return item;
}
