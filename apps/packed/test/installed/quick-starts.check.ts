// A part of `pnpm matrix` that takes seconds: the program of each README with the newest
// frameworks, in turn by import and by require(). The commands of the README ask it.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@latchkey/test-kit/free-port';
import { expect, inject, it } from 'vitest';
import { write } from '../matrix/programs.ts';
import { SUBJECTS } from '../matrix/subjects.ts';
import { runsNode } from './run.ts';

const today = join(inject('folder'), 'today');
const cells = SUBJECTS.filter(({ kind }) => kind !== 'libraries').map(
  (subject, index) => ({ subject, way: index % 2 === 0 ? 'import' : 'require' }) as const,
);

it('has the programs of the READMEs', () => {
  expect(cells.length).toBeGreaterThan(8);
});

it.each(cells)('$subject.name by $way', async ({ subject, way }) => {
  const folder = join(today, `quick-start-${subject.name}`);
  mkdirSync(folder);
  const args = await write({ subject, way, versions: {} }, folder, today, await freePort());
  await runsNode(args, folder);
});
