// The cells of the matrix meet in pairs, and the documents say what they are.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { published, ROOT } from '../installed/published.ts';
import { CELLS, type Cell, choose, commandOf, MANAGERS, NODES, WAYS, waysOf } from './cells.ts';
import { KINDS, SUBJECTS } from './subjects.ts';

const ran = WAYS.filter((way) => way !== 'types');
const parts = { versions: KINDS, manager: MANAGERS, way: ran, node: NODES } as const;
const partOf = (cell: Cell, part: keyof typeof parts) => (part === 'versions' ? cell.kind : cell[part]);

it('has each published package', () => {
  const all = new Set(SUBJECTS.flatMap(({ own }) => own));
  expect([...all].toSorted()).toEqual(published.map(({ manifest }) => manifest.name).toSorted());
});

it('has as many cells as can be run', () => {
  expect(CELLS.length).toBeGreaterThan(60);
  expect(CELLS.length).toBeLessThanOrEqual(120);
});

const names = Object.keys(parts) as (keyof typeof parts)[];
const pairs = names.flatMap((one, index) => names.slice(index + 1).map((other) => [one, other] as const));

it.each(pairs)('has each pair of %s and %s', (one, other) => {
  const met = new Set(CELLS.map((cell) => `${partOf(cell, one)} ${partOf(cell, other)}`));
  const missing = parts[one].flatMap((first) =>
    parts[other].map((second) => `${first} ${second}`).filter((pair) => !met.has(pair)),
  );
  expect(missing).toEqual([]);
});

it.each(SUBJECTS)('$name meets each of its versions in each way, each manager, each Node', (subject) => {
  const cells = CELLS.filter((cell) => cell.subject === subject);
  const met = new Set(cells.map(({ kind, way }) => `${kind} ${way}`));
  expect(met.size).toBe(subject.versions.size * waysOf(subject).length);
  expect(new Set(cells.map(({ manager }) => manager))).toEqual(new Set(MANAGERS));
  expect(new Set(cells.map(({ node }) => node))).toEqual(new Set(NODES));
});

it('finds a cell by its command', () => {
  for (const cell of CELLS) {
    const [, , name = '', ...words] = commandOf(cell).split(' ');
    const options = words.flatMap((word, index) =>
      word.startsWith('--') ? [[word.slice(2), words[index + 1]]] : [],
    );
    expect(choose([name], Object.fromEntries(options))).toEqual([cell]);
  }
  expect(() => choose(['expres'], {})).toThrow('expected a package of express, koa');
  expect(() => choose([], { way: 'deno' })).toThrow('expected --way of import, require');
});

it('takes programs that print tokens, and commands that get each answer', () => {
  for (const { kind, program, commands, name } of SUBJECTS) {
    if (kind !== 'server') continue;
    expect(program, name).toContain('3000');
    const statuses = [...commands.matchAll(/# (\d{3})$/gm)].map(([, status]) => status);
    expect(new Set(statuses), name).toEqual(new Set(['200', '401', '403']));
  }
});

it('is what SUPPORT.md says', () => {
  const support = readFileSync(join(ROOT, 'SUPPORT.md'), 'utf8').replaceAll('\n', ' ');
  expect(support).toContain(`Node ${NODES[0]}, and the newest of Node ${NODES.slice(1).join(' and ')}`);
  expect(support).toContain(`${MANAGERS.slice(0, -1).join(', ')} and ${MANAGERS.at(-1)}`);
});
