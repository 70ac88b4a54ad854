// Mutation testing: `pnpm mutation [PLACE…]`. Changes the source of core in one place at a time, in
// memory only, runs the tests of its room and of the decision, prints each change that no test
// notices, and ends with the share that was noticed. PLACE is a file or a folder; without one, it
// is the code that decides. `--every 10` takes one change in ten, `--quick` leaves out slow tests,
// `--lines 10-20` takes some lines of a file, `--tests FOLDER` other tests.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Mutant, mutantsOf } from './mutation/mutants.ts';
import { filesOf, roomOf } from './mutation/places.ts';
import { type Places, start } from './mutation/start.ts';

/** The rooms of core that decide. */
const ROOMS = ['decision', 'token', 'claims', 'keysets', 'credentials'].map(
  (room) => `packages/core/src/${room}`,
);
/** What share of the changes the tests have to notice, in percent. */
const GOAL = 92;

interface Count {
  readonly noticed: number;
  readonly all: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tests: { type: 'string', multiple: true },
    lines: { type: 'string' },
    every: { type: 'string', default: '1' },
    quick: { type: 'boolean', default: false },
  },
});
const every = Number(values.every);
if (!Number.isInteger(every) || every < 1) throw new TypeError('--every: expected a number of 1 or more');
const [first = 0, last = first] = values.lines?.split('-').map(Number) ?? [0, Number.POSITIVE_INFINITY];
const files = filesOf(positionals.length > 0 ? positionals : ROOMS);
if (files.length === 0) throw new TypeError('PLACE: expected source files or folders of packages/core/src');

const counts: Count[] = [];
for (const [room, members] of Map.groupBy(files, roomOf)) counts.push(await judge(room, members));
const noticed = counts.reduce((sum, count) => sum + count.noticed, 0);
const all = counts.reduce((sum, count) => sum + count.all, 0);
const percent = (100 * noticed) / all;
console.log(`${noticed} of ${all} noticed: ${percent.toFixed(1)} %, goal ${GOAL} %`);
process.exitCode = percent >= GOAL ? 0 : 1;

/** Judges files of one room, and prints what no test notices. */
async function judge(room: string, members: readonly string[]): Promise<Count> {
  // Most changes are noticed in the room itself.
  const own = values.tests ?? [`packages/core/test/${room}/`];
  const others = values.tests === undefined && room !== 'decision' ? ['packages/core/test/decision/'] : [];
  const mutants = new Map(members.map((file) => [file, mutantsOf(readFileSync(file, 'utf8'))]));
  const mutantAt = ({ file, index }: Places[number]) => mutants.get(file)?.[index] as Mutant;
  const places = [...mutants]
    .flatMap(([file, list]) => list.map((mutant, index) => ({ file, index, mutant })))
    .filter(({ mutant: { line } }) => line >= first && line <= last)
    .filter((_, position) => position % every === every >> 1);
  let survived = await start(places, own, false);
  if (others.length > 0) survived = await start(survived, others, false);
  if (!values.quick) survived = await start(survived, [...own, ...others], true);
  for (const place of survived) {
    const { line, before, after } = mutantAt(place);
    console.log(`${place.file}:${line}  ${oneLine(before)}  ->  ${oneLine(after)}`);
  }
  const count = { noticed: places.length - survived.length, all: places.length };
  console.log(`${room}: ${count.noticed} of ${count.all} noticed`);
  return count;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 100);
}
