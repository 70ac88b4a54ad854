// Runs mutants in processes of their own: after a change that makes a loop without end, another
// process goes on with the rest.
import { fork } from 'node:child_process';

/** Mutants, by file and position in it. */
export type Places = readonly { readonly file: string; readonly index: number }[];

/** What the process is asked. */
export interface Job {
  readonly places: Places;
  /** Folders of tests. */
  readonly tests: readonly string[];
  /** True to run the slow test files, false for all others. */
  readonly areSlow: boolean;
}

/** What the process tells of a mutant, by its position in the job. */
export interface Message {
  readonly position: number;
  readonly outcome: 'noticed' | 'survived' | 'started';
}

/** A change that makes tests run for longer has been noticed. */
const MAX_RUN_MS = 300_000;
/** The same for slow tests. */
const MAX_SLOW_RUN_MS = 1_800_000;

/**
 * Runs tests for each of these mutants. @returns those that no test noticed
 * @throws Error if the process does not run
 */
export async function start(places: Places, tests: readonly string[], areSlow: boolean): Promise<Places> {
  const survived: Places[number][] = [];
  let todo = places;
  while (todo.length > 0) {
    const job: Job = { places: todo, tests, areSlow };
    const done = new Set<number>();
    const child = fork(new URL('worker.ts', import.meta.url), [], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const limit = areSlow ? MAX_SLOW_RUN_MS : MAX_RUN_MS;
    let timer = setTimeout(() => child.kill('SIGKILL'), limit);
    child.on('message', ({ position, outcome }: Message) => {
      clearTimeout(timer);
      timer = setTimeout(() => child.kill('SIGKILL'), limit);
      done.add(position);
      if (outcome === 'survived') survived.push(job.places[position] as Places[number]);
    });
    child.send(job);
    await new Promise((resolve) => child.on('exit', resolve));
    clearTimeout(timer);
    if (done.size === 0) throw new Error(`the tests in ${tests.join(' and ')} do not run`);
    todo = todo.filter((_, position) => !done.has(position));
  }
  return survived;
}
