// `pnpm matrix`: packs the packages, installs them, and runs the program of each README. Names of
// packages and options choose cells: `pnpm matrix express --versions lowest --way jest --node 26`.
// `pnpm build` must have run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort } from '@latchkey/test-kit/free-port';
import { pack } from '../installed/pack.ts';
import { run } from '../installed/run.ts';
import { type Cell, choose, commandOf } from './cells.ts';
import { write } from './programs.ts';
import { installProject, installTools, nodeIn } from './projects.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    versions: { type: 'string' },
    manager: { type: 'string' },
    way: { type: 'string' },
    node: { type: 'string' },
  },
});
const cells = choose(positionals, { ...values });
if (cells.length === 0) throw new Error('no cell has all of these options; name fewer');
const projects = Map.groupBy(cells, ({ subject, kind, manager }) => `${subject.name}-${kind}-${manager}`);

const seconds = () => performance.now() / 1000;
const folder = mkdtempSync(join(tmpdir(), 'latchkey-matrix-'));
const tools = join(folder, 'tools');
const failed: Cell[] = [];
const startedAt = seconds();
try {
  const tarballs = await pack(folder);
  await installTools(tools);
  console.log(`packed, and the tools installed: ${(seconds() - startedAt).toFixed(0)} s`);
  for (const [name, [first, ...others]] of projects) {
    if (first === undefined) continue;
    const project = join(folder, name);
    const from = seconds();
    const fault = await faultOf(() => installProject(first, project, tools, tarballs));
    const packages = Object.entries(first.versions).map((entry) => entry.join('@'));
    console.log(
      `\n${first.subject.name}${packages.map((text) => ` ${text}`).join('')}, by ${first.manager}: ${(seconds() - from).toFixed(1)} s`,
    );
    if (fault !== undefined) console.log(fault);
    for (const cell of [first, ...others]) await report(cell, project, fault);
    rmSync(project, { recursive: true, force: true });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const took = (seconds() - startedAt).toFixed(0);
console.log(`\n${cells.length - failed.length} passed, ${failed.length} failed, in ${took} s`);
for (const cell of failed) console.log(`FAILED: ${commandOf(cell)}`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** Runs a cell, if its project is installed. */
async function report(cell: Cell, project: string, notInstalled: string | undefined): Promise<void> {
  const from = seconds();
  const fault = notInstalled ?? (await faultOf(() => runCell(cell, project)));
  const name = `${cell.way}, Node ${cell.node}`;
  if (fault === undefined) return console.log(`  passed ${name}: ${(seconds() - from).toFixed(1)} s`);
  failed.push(cell);
  console.log(`  FAILED ${name}. It alone: ${commandOf(cell)}`);
  if (notInstalled === undefined) console.log(fault);
}

async function runCell(cell: Cell, project: string): Promise<void> {
  const args = await write(cell, project, tools, await freePort());
  const { code, output } = await run(nodeIn(tools, cell.node), args, project);
  if (code !== 0) throw new Error(output);
}

async function faultOf(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return String(error);
  }
}
