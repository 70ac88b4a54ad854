// Runs mutants in processes of their own: after a change that makes a loop without end, another
// process goes on with the rest.
import { fork } from 'node:child_process';

/** Mutants, by file and position in it. */
export type Places = readonly { readonly file: string; readonly index: number }[];

/** What the process is asked. */
export interface Job {
  readonly places: Places;
  readonly tests: readonly string[];
  /** True to run test files one after the other, apart from each other. */
  readonly isAlone: boolean;
}

/** What the process tells. `position` is that of the mutant in the job. */
export type Message =
  | { readonly position: number; readonly outcome: 'noticed' | 'survived' | 'started' }
  | { readonly leftOut: readonly string[] };

/** What a run found: the mutants that survived, and the tests that it did not run. */
export interface Found {
  readonly survived: Places;
  readonly leftOut: readonly string[];
}

/** The first run is of all tests, without a change. */
const MAX_FIRST_RUN_MS = 900_000;
/** A change that makes tests run for longer has been noticed. */
const MAX_RUN_MS = 180_000;
/** The same for the slow tests, which run apart from each other. */
const MAX_ALONE_RUN_MS = 1_200_000;

/** Runs the tests for each of these mutants. @throws Error if they do not run without a change */
export async function start(
  room: string,
  places: Places,
  tests: readonly string[],
  isAlone: boolean,
): Promise<Found> {
  const survived: Places[number][] = [];
  let leftOut: readonly string[] = [];
  let todo = places;
  while (todo.length > 0) {
    const job: Job = { places: todo, tests, isAlone };
    const done = new Set<number>();
    const child = fork(new URL('worker.ts', import.meta.url), [], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    let timer = setTimeout(() => child.kill('SIGKILL'), MAX_FIRST_RUN_MS);
    child.on('message', (message: Message) => {
      clearTimeout(timer);
      timer = setTimeout(() => child.kill('SIGKILL'), isAlone ? MAX_ALONE_RUN_MS : MAX_RUN_MS);
      if ('leftOut' in message) {
        leftOut = message.leftOut;
        return;
      }
      done.add(message.position);
      if (message.outcome === 'survived') survived.push(job.places[message.position] as Places[number]);
    });
    child.send(job);
    await new Promise((resolve) => child.on('exit', resolve));
    clearTimeout(timer);
    if (done.size === 0) throw new Error(`${room}: its tests do not run`);
    todo = todo.filter((_, position) => !done.has(position));
  }
  return { survived, leftOut };
}
