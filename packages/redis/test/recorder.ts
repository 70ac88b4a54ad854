// A sink that keeps what it was given. There are no tests here.
import { ConfigError, type RevocationSink, type StoredRevocation } from '@latchkey/core';

/** What a feed has called, in order. */
export interface Recorder {
  readonly sink: RevocationSink;
  readonly calls: readonly (readonly [name: string, given: unknown])[];
  readonly failures: readonly Error[];
  /** All entries, each once, in the order of their first delivery. */
  entries(): readonly StoredRevocation[];
  /** The last time that was given to `current`; 0 before the first. */
  currentAt(): number;
  /** Resolves when this holds after a call. */
  until(holds: () => boolean): Promise<void>;
}

export function createRecorder(maxStaleMs: number): Recorder {
  const calls: [string, unknown][] = [];
  const failures: Error[] = [];
  const entries = new Map<string, StoredRevocation>();
  const waiting = new Set<() => void>();
  let currentAt = 0;
  const called = (name: string, given: unknown) => {
    calls.push([name, given]);
    for (const look of waiting) look();
  };
  const take = (name: string) => (all: readonly StoredRevocation[]) => {
    // As the sink of core does: all or none.
    for (const one of all)
      if (one.until === undefined)
        throw new ConfigError('revocations[0].until', 'is required in a list of revocations');
    for (const one of all) entries.set(JSON.stringify(one), one);
    called(name, all);
  };
  return {
    sink: {
      maxStaleMs,
      now: () => performance.now(),
      add: take('add'),
      replace: take('replace'),
      current(at) {
        currentAt = at;
        called('current', at);
      },
      failed(error) {
        failures.push(error instanceof Error ? error : new Error('not an Error'));
        called('failed', error);
      },
    },
    calls,
    failures,
    entries: () => [...entries.values()],
    currentAt: () => currentAt,
    until: (holds) =>
      new Promise((resolve) => {
        const look = () => {
          if (!holds()) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}
