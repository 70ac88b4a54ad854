// The clock of the inspector: now, or the time that a question asks for. One question at a time.

/** A clock that another time can be set on. */
export interface AskedClock {
  now(): number;
  /** Does work as at a time; undefined: now. Works wait for each other. */
  during<T>(atMs: number | undefined, work: () => Promise<T>): Promise<T>;
}

/** Makes the clock. */
export function createAskedClock(): AskedClock {
  let asked: number | undefined;
  let last: Promise<unknown> = Promise.resolve();
  return {
    now: () => asked ?? Date.now(),
    during(atMs, work) {
      const mine = last.then(async () => {
        asked = atMs;
        try {
          return await work();
        } finally {
          asked = undefined;
        }
      });
      last = mine.catch(() => {});
      return mine;
    },
  };
}
