// Checks the workflows of GitHub: pinned actions, least permissions, and scripts that exist.
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface Step {
  readonly uses?: string;
  readonly run?: string;
}
interface Job extends Step {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly environment?: string;
  readonly 'timeout-minutes'?: number;
  readonly steps?: readonly Step[];
}
interface Workflow {
  readonly permissions?: unknown;
  readonly concurrency?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};
/** Commands of pnpm itself. */
const COMMANDS = ['install', 'run'];
const files = globSync('.github/workflows/*.yml').toSorted();

it('has the workflows', () => {
  expect(files.length).toBeGreaterThanOrEqual(3);
});

describe.each(files)('%s', (file) => {
  const text = readFileSync(file, 'utf8');
  const workflow = parse(text) as Workflow;
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps ?? []);

  it('pins each action by a commit, with its version', () => {
    const uses = text.split('\n').filter((line) => /^[\s-]*uses:/.test(line));
    expect(uses.length).toBe([...jobs, ...steps].filter((one) => one.uses !== undefined).length);
    for (const line of uses)
      expect(line).toMatch(
        /uses: (\.\/\.github\/workflows\/[\w-]+\.yml|[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/,
      );
  });

  it('gives no permission but to jobs', () => {
    expect(workflow.permissions).toEqual({});
    expect(workflow.concurrency).toBeDefined();
    for (const job of jobs) {
      expect(job.permissions).toBeDefined();
      if (job.uses === undefined) expect(job['timeout-minutes']).toBeTypeOf('number');
      const writes = Object.values(job.permissions ?? {}).includes('write');
      // Who may publish is decided by the environment.
      if (writes) expect([file, job.environment]).toEqual(['.github/workflows/release.yml', 'npm']);
    }
  });

  it('runs scripts that exist', () => {
    for (const { run = '' } of steps)
      for (const [, isRun, name = ''] of run.matchAll(/(?:^|npx )pnpm(?:@\d+)? (run )?([\w:-]+)/gm))
        if (isRun !== undefined || !COMMANDS.includes(name)) expect(Object.keys(scripts)).toContain(name);
  });
});
