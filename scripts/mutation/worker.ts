// The process that runs tests for mutants, one after the other, and reports each to its parent.
import { existsSync, readFileSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import { BaseSequencer, createVitest, type TestSpecification } from 'vitest/node';
import { mutantsOf } from './mutants.ts';
import type { Job, Message } from './start.ts';

/** A test that waits for what does not come any more has noticed it. */
const MAX_TEST_MS = 20_000;
/**
 * Slower test files run only for changes that the others do not notice, unless they have the name
 * of a changed file.
 */
const MAX_FILE_MS = 2_000;
/** What `pnpm test` writes. */
const REPORT = 'reports/tests.json';

process.once('message', (job: Job) => void run(job));

async function run({ places, tests: folders, isAlone }: Job): Promise<void> {
  /** The file that is changed at the moment, and its text. */
  let changed: { readonly path: string; readonly text: string | undefined } | undefined;
  // What noticed a change lately is likely to notice the next one: it runs first.
  const noticedAt = new Map<string, number>();
  const rank = (id: string) => noticedAt.get(id) ?? (isOf(changed?.path, id) ? 0 : -1);
  class Sequencer extends BaseSequencer {
    override async sort(tests: TestSpecification[]) {
      return tests.sort((a, b) => rank(b.moduleId) - rank(a.moduleId));
    }
  }
  const mutate = {
    name: 'mutate',
    enforce: 'pre',
    transform: (_code: string, id: string) =>
      id.split('?')[0] === changed?.path ? changed?.text : undefined,
  } as const;
  const vitest = await createVitest(
    'test',
    {
      watch: false,
      // One worker for all test files, which is several times as fast.
      isolate: isAlone,
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
  const all = await vitest.getRelevantTestSpecifications([...folders]);
  let tests = isAlone ? all : await quickOf(all);
  // Without tests every change would seem to survive.
  if (tests.length === 0) process.exit(1);
  for (const { config } of [vitest, ...vitest.projects]) config.bail = 1;
  for (const [position, { file, index }] of places.entries()) {
    tell({ position, outcome: 'started' });
    const path = resolve(file);
    const text = mutantsOf(readFileSync(file, 'utf8'))[index]?.text;
    let found = await runWith({ path, text }, tests);
    // In one worker, some tests fail sooner or later without a change: they are left out then.
    while (typeof found === 'object' && (await failsWithoutChange(found))) {
      const failing = found;
      tests = tests.filter((test) => test !== failing);
      found = await runWith({ path, text }, tests);
    }
    if (typeof found === 'object') noticedAt.set(found.moduleId, position + 1);
    tell({ position, outcome: found === undefined ? 'survived' : 'noticed' });
  }
  process.exit(0);

  /** True for a test that fails twice: one may fail because the machine is slow. */
  async function failsWithoutChange(test: TestSpecification): Promise<boolean> {
    return (
      (await runWith(undefined, [test])) !== undefined && (await runWith(undefined, [test])) !== undefined
    );
  }

  /**
   * Runs tests with a file changed, until one fails. @returns the test that failed, `error` for an
   * error outside of tests, or undefined if nothing failed
   */
  async function runWith(
    change: typeof changed,
    specifications: readonly TestSpecification[],
  ): Promise<TestSpecification | 'error' | undefined> {
    if (changed !== undefined) vitest.invalidateFile(changed.path);
    changed = change;
    if (changed !== undefined) vitest.invalidateFile(changed.path);
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications([...specifications], false);
    const failed = testModules.find((one) => one.state() === 'failed');
    if (failed === undefined) return unhandledErrors.length === 0 ? undefined : 'error';
    return specifications.find(({ moduleId }) => moduleId === failed.moduleId);
  }

  /**
   * Runs those that take a short time, without a change.
   * @returns those of them that pass, all in one worker
   */
  async function quickOf(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const times = timesOfLastTests();
    const isOwn = ({ moduleId }: TestSpecification) => places.some(({ file }) => isOf(file, moduleId));
    // A test that replaces a module would replace it for the others too.
    const replaces = ({ moduleId }: TestSpecification) => readFileSync(moduleId, 'utf8').includes('vi.mock(');
    const together = specifications.filter(
      (test) => !replaces(test) && (isOwn(test) || (times.get(test.moduleId) ?? 0) < MAX_FILE_MS),
    );
    const { testModules } = await vitest.runTestSpecifications(together, false);
    const quick = together.filter(({ moduleId }) =>
      testModules.some((one) => one.moduleId === moduleId && one.ok()),
    );
    const leftOut = specifications.filter((test) => !quick.includes(test));
    tell({ leftOut: leftOut.map(({ moduleId }) => relative(process.cwd(), moduleId)) });
    return quick;
  }
}

/** How long each test file took in the last `pnpm test`, in ms. Empty if there was none. */
function timesOfLastTests(): ReadonlyMap<string, number> {
  if (!existsSync(REPORT)) return new Map();
  const report: {
    readonly testResults: readonly {
      readonly name: string;
      readonly startTime: number;
      readonly endTime: number;
    }[];
  } = JSON.parse(readFileSync(REPORT, 'utf8'));
  return new Map(report.testResults.map(({ name, startTime, endTime }) => [name, endTime - startTime]));
}

function tell(message: Message): void {
  process.send?.(message);
}

/** True for the tests of a file, by their name. */
function isOf(path: string | undefined, test: string): boolean {
  return path !== undefined && test.includes(`/${basename(path, '.ts')}.`);
}
