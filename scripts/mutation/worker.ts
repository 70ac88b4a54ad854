// The process that runs tests for mutants, one after the other, and reports each to its parent.
import { existsSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { BaseSequencer, createVitest, type TestSpecification } from 'vitest/node';
import { mutantsOf } from './mutants.ts';
import type { Job, Message } from './start.ts';

/** A test that waits for what does not come any more has noticed it. */
const MAX_TEST_MS = 20_000;
/**
 * Test files that took longer are slow, unless they have the name of a changed file. They run only
 * for changes that the others do not notice.
 */
const MAX_FILE_MS = 2_000;
/** What `pnpm test` writes. */
const REPORT = 'reports/tests.json';

process.once('message', (job: Job) => void run(job));

async function run({ places, tests: folders, areSlow }: Job): Promise<void> {
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
      bail: 1,
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
  for (const { config } of vitest.projects) config.bail = 1;
  const times = timesOfLastTests();
  const isSlow = ({ moduleId }: TestSpecification) =>
    (times.get(moduleId) ?? 0) >= MAX_FILE_MS && !places.some(({ file }) => isOf(file, moduleId));
  let tests = (await vitest.getRelevantTestSpecifications([...folders])).filter(
    (test) => isSlow(test) === areSlow,
  );
  for (const [position, { file, index }] of places.entries()) {
    tell({ position, outcome: 'started' });
    const path = resolve(file);
    const text = mutantsOf(readFileSync(file, 'utf8'))[index]?.text;
    let found = await runWith({ path, text }, tests);
    // A test that fails without the change tells nothing about it.
    while (found !== undefined && (await failsWithoutChange(found))) {
      const failing = found;
      tests = tests.filter((test) => test !== failing);
      found = await runWith({ path, text }, tests);
    }
    if (found !== undefined) noticedAt.set(found.moduleId, position + 1);
    tell({ position, outcome: found === undefined ? 'survived' : 'noticed' });
  }
  process.exit(0);

  /** Runs tests with a file changed, until one fails. @returns the test that failed */
  async function runWith(
    change: typeof changed,
    specifications: readonly TestSpecification[],
  ): Promise<TestSpecification | undefined> {
    if (changed !== undefined) vitest.invalidateFile(changed.path);
    changed = change;
    if (changed !== undefined) vitest.invalidateFile(changed.path);
    const { testModules } = await vitest.runTestSpecifications([...specifications], false);
    const failed = testModules.find((one) => one.state() === 'failed');
    return specifications.find(({ moduleId }) => moduleId === failed?.moduleId);
  }

  /** True for a test that fails twice: one may fail because the machine is slow. */
  async function failsWithoutChange(test: TestSpecification): Promise<boolean> {
    const again = async () => (await runWith(undefined, [test])) !== undefined;
    return (await again()) && (await again());
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
