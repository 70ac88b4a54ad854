// Mutation testing: `pnpm mutate FILE…`. Changes a source file of core in one place at a time, in
// memory only, and runs the tests of its room and of the decision. Prints each change that no test
// notices. `--quick` leaves out slow tests, `--lines 10-20` takes some lines, `--tests FOLDER`
// other tests.
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { BaseSequencer, createVitest, type TestSpecification } from 'vitest/node';
import { type Mutant, mutantsOf } from './mutate/mutants.ts';

type Message =
  | { readonly index: number; readonly outcome: 'noticed' | 'survived' | 'started' }
  | { readonly leftOut: readonly string[] };

/** A change that makes tests run for longer has been noticed. */
const MAX_RUN_MS = 180_000;
/** A test that waits for what does not come any more has noticed it. */
const MAX_TEST_MS = 5_000;
/** Slower test files run only for changes that the others do not notice. */
const MAX_FILE_MS = 1_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tests: { type: 'string', multiple: true },
    lines: { type: 'string' },
    quick: { type: 'boolean' },
    // For the processes that this one starts.
    mutants: { type: 'string' },
    alone: { type: 'boolean' },
  },
});
const files = positionals.map((file) => relative(process.cwd(), resolve(file)));

if (values.mutants !== undefined) {
  await run(files[0] ?? '', values.mutants.split(',').map(Number), values.tests ?? []);
} else {
  if (files.length === 0) throw new TypeError('FILE: expected source files of packages/core/src');
  let survivors = 0;
  for (const file of files) survivors += await judge(file);
  process.exitCode = survivors === 0 ? 0 : 1;
}

/** Judges one file. @returns how many of its changes no test notices */
async function judge(file: string): Promise<number> {
  const room = `packages/core/test/${file.split('/')[3]}/`;
  const tests = values.tests ?? [room, 'packages/core/test/decision/'];
  const [first = 0, last = first] = values.lines?.split('-').map(Number) ?? [0, Number.POSITIVE_INFINITY];
  const mutants = mutantsOf(readFileSync(file, 'utf8'));
  const all = [...mutants.keys()].filter((index) => {
    const { line } = mutants[index] as Mutant;
    return line >= first && line <= last;
  });
  const { survived: quickly, leftOut } = await start(file, all, tests, []);
  const isThorough = values.quick !== true && leftOut.length > 0;
  const { survived } = isThorough ? await start(file, quickly, leftOut, ['--alone']) : { survived: quickly };
  for (const { line, before, after } of survived.map((index) => mutants[index] as Mutant))
    console.log(`${file}:${line}  ${oneLine(before)}  ->  ${oneLine(after)}`);
  console.log(`${file}: ${all.length - survived.length} of ${all.length} noticed`);
  return survived.length;
}

/**
 * Runs tests in a process of their own, and in another one after a change that makes a loop without
 * end.
 */
async function start(
  file: string,
  mutants: readonly number[],
  tests: readonly string[],
  flags: readonly string[],
): Promise<{ readonly survived: readonly number[]; readonly leftOut: readonly string[] }> {
  const survived: number[] = [];
  let leftOut: readonly string[] = [];
  let todo = mutants;
  while (todo.length > 0) {
    const options = [...tests.flatMap((each) => ['--tests', each]), '--mutants', todo.join(','), ...flags];
    const child = fork(new URL(import.meta.url), [...options, file], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    let timer: NodeJS.Timeout | undefined;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => child.kill('SIGKILL'), MAX_RUN_MS);
    };
    watch();
    child.on('message', (message: Message) => {
      watch();
      if ('leftOut' in message) {
        leftOut = message.leftOut;
        return;
      }
      todo = todo.filter((index) => index !== message.index);
      if (message.outcome === 'survived') survived.push(message.index);
    });
    const before = todo.length;
    await new Promise((done) => child.on('exit', done));
    clearTimeout(timer);
    if (todo.length === before) throw new Error(`${file}: its tests do not run`);
  }
  return { survived, leftOut };
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 100);
}

/** Runs the tests for some mutants of a file, and reports to the parent. */
async function run(file: string, indices: readonly number[], folders: readonly string[]): Promise<void> {
  const path = resolve(file);
  const mutants = mutantsOf(readFileSync(file, 'utf8'));
  let text: string | undefined;
  // What noticed a change lately is likely to notice the next one: it runs first.
  const noticedAt = new Map<string, number>();
  const rank = (id: string) => noticedAt.get(id) ?? (isOf(file, id) ? 0 : -1);
  class Sequencer extends BaseSequencer {
    override async sort(tests: TestSpecification[]) {
      return tests.sort((a, b) => rank(b.moduleId) - rank(a.moduleId));
    }
  }
  const mutate = {
    name: 'mutate',
    enforce: 'pre',
    transform: (_code: string, id: string) => (id.split('?')[0] === path ? text : undefined),
  } as const;
  const vitest = await createVitest(
    'test',
    {
      watch: false,
      // One worker for all test files, which is several times as fast.
      isolate: values.alone === true,
      pool: 'threads',
      maxWorkers: 1,
      reporters: [{}],
      sequence: { sequencer: Sequencer },
      // It goes by what is on the disk.
      fsModuleCache: false,
      testTimeout: MAX_TEST_MS,
      hookTimeout: MAX_TEST_MS,
    },
    { plugins: [mutate] },
  );
  let tests = await vitest.getRelevantTestSpecifications([...folders]);
  if (values.alone !== true) {
    // A test that replaces a module would replace it for the others too.
    const replaces = ({ moduleId }: TestSpecification) => readFileSync(moduleId, 'utf8').includes('vi.mock(');
    const together = tests.filter((test) => !replaces(test));
    const { testModules } = await vitest.runTestSpecifications(together, false);
    const isQuick = ({ moduleId }: TestSpecification) =>
      testModules.some(
        (one) =>
          one.moduleId === moduleId &&
          one.ok() &&
          (isOf(file, moduleId) || one.diagnostic().duration < MAX_FILE_MS),
      );
    const quick = together.filter(isQuick);
    const leftOut = tests.filter((test) => !quick.includes(test)).map(({ moduleId }) => moduleId);
    process.send?.({ leftOut: leftOut.map((id) => relative(process.cwd(), id)) } satisfies Message);
    tests = quick;
  }
  // Without tests every change would seem to survive.
  if (tests.length === 0) process.exit(1);
  for (const { config } of [vitest, ...vitest.projects]) config.bail = 1;
  for (const index of indices) {
    process.send?.({ index, outcome: 'started' } satisfies Message);
    text = mutants[index]?.text;
    vitest.invalidateFile(path);
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications(tests, false);
    const failed = testModules.find((one) => one.state() === 'failed');
    if (failed !== undefined) noticedAt.set(failed.moduleId, index + 1);
    const survived = failed === undefined && unhandledErrors.length === 0;
    process.send?.({ index, outcome: survived ? 'survived' : 'noticed' } satisfies Message);
  }
  process.exit(0);
}

/** True for the tests of a file, by their name. */
function isOf(file: string, test: string): boolean {
  return test.includes(`/${basename(file, '.ts')}.`);
}
