// The steps of a scenario: each call that core makes to something outside of it. One of them is cut
// by a fault, or all of them end in an order that a seed decides. What core makes of it is judged
// in world.ts.
import { seeded } from '@latchkey/test-kit/random';

/** A place where core calls something outside of it. */
export interface Boundary {
  readonly name: string;
  /** How long core may wait for its answer, in milliseconds. */
  readonly deadlineMs: number;
  /** Answers that say nothing: core must take none of them for an answer. */
  readonly wrong: readonly unknown[];
  /** Its answer is not a promise, so it can only throw, or return something wrong. */
  readonly isSync?: boolean;
  /** It is a part of Node, which throws Errors only. */
  readonly isNode?: boolean;
  /** Core waits for it as long as it takes: the time is that of the application. */
  readonly isUnbounded?: boolean;
}

/** What happens to one step in place of its answer. */
export interface Fault {
  readonly name: string;
  /** The fault is that of an outage: it also hits the later steps of the boundary. */
  readonly lasts?: boolean;
  /** Much like another one: in a short run, it hits half as many steps. */
  readonly isAlike?: boolean;
  /** False: the boundary cannot have this fault. */
  fits(boundary: Boundary): boolean;
  act(call: Call): unknown;
}

/** A step that a fault has hit. */
interface Call {
  readonly boundary: Boundary;
  answer(): unknown;
  /** Resolves when a later step of the boundary has its answer, or the faults are over. */
  readonly superseded: Promise<void>;
  close(): void;
}

/** Which step is cut, and how. */
export interface Cut {
  /** The number of the step, from 0. */
  readonly at: number;
  readonly fault: Fault;
}

/** A text that no message may contain. */
export const SECRET = 'eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LW9mLXRoZS10ZXN0.YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo';

const failure = () => new Error(`the store has failed for ${SECRET}`);
const isAsync = ({ isSync }: Boundary) => isSync !== true;
const isBounded = ({ isSync, isUnbounded }: Boundary) => isSync !== true && isUnbounded !== true;
/** The answer of this moment, after a time. */
function later(ms: number, answer: () => unknown): Promise<unknown> {
  const made = Promise.resolve(answer());
  made.catch(() => {});
  return new Promise((resolve) => {
    setTimeout(() => resolve(made), ms);
  });
}

/** Every fault of an answer, and the end of the authenticator at this moment. */
const FAULTS: readonly Fault[] = [
  ...[failure, () => undefined, () => null, () => 'a text'].map(
    (make, index): Fault => ({
      isAlike: index > 1,
      name: `rejects with ${String(make()).slice(0, 9)}`,
      fits: isAsync,
      act: () => Promise.reject(make()),
    }),
  ),
  ...[failure, () => undefined].map(
    (make): Fault => ({
      name: `throws ${String(make()).slice(0, 9)}`,
      fits: ({ isNode }) => isNode !== true || make() instanceof Error,
      act() {
        throw make();
      },
    }),
  ),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map(
    (index): Fault => ({
      isAlike: index > 1,
      name: `gives wrong answer ${index}`,
      fits: ({ wrong }) => index < wrong.length,
      act: ({ boundary: { wrong, isSync } }) =>
        isSync === true ? wrong[index] : Promise.resolve(wrong[index]),
    }),
  ),
  {
    name: 'is slow',
    fits: isAsync,
    act: ({ boundary: { deadlineMs }, answer }) => later(deadlineMs * 0.4, answer),
  },
  {
    name: 'is late',
    fits: isAsync,
    act: ({ boundary: { deadlineMs }, answer }) => later(deadlineMs + 500, answer),
  },
  { name: 'never ends', fits: isBounded, act: () => new Promise(() => {}) },
  {
    name: 'ends after a newer one',
    fits: isBounded,
    act: ({ answer, superseded }) => {
      const made = answer();
      return superseded.then(() => made);
    },
  },
  { name: 'fails from now on', lasts: true, fits: isAsync, act: () => Promise.reject(failure()) },
  { name: 'hangs from now on', lasts: true, fits: isBounded, act: () => new Promise(() => {}) },
  {
    name: 'comes while all is closed',
    // Nothing else runs while a function of Node works.
    fits: ({ isSync, isNode }) => isSync !== true || isNode !== true,
    act: ({ answer, close }) => {
      close();
      return answer();
    },
  },
];

/** A step, and a fault of it. */
export interface Variant extends Cut {
  /** For messages. */
  readonly name: string;
}

/**
 * The faults of the steps of a scenario: each of each step in a long run. In a short one, each step
 * has every third of them, and the next step the next ones.
 * @param offset another one for each scenario, so that a boundary has all faults in some of them
 */
export function variantsOf(taken: readonly Boundary[], isLong: boolean, offset = 0): readonly Variant[] {
  return taken.flatMap((boundary, at) => {
    const isDue = ({ isAlike }: Fault, index: number) =>
      isLong || (at + index + offset) % (isAlike === true ? 6 : 3) === 0;
    return FAULTS.filter((fault, index) => fault.fits(boundary) && isDue(fault, index)).map((fault) => ({
      at,
      fault,
      name: `step ${at}, ${boundary.name}, ${fault.name}`,
    }));
  });
}

/** The steps of one run. */
export interface Steps {
  /** The boundary of each step since `arm`. */
  readonly taken: readonly Boundary[];
  /** Makes one step: gives the answer, or the fault that is planned for it. */
  take<T>(boundary: Boundary, answer: () => T): T;
  /** From here on, steps are counted and cut. */
  arm(): void;
  /** Ends all faults. What was to come late comes now. */
  heal(): void;
  /** Answers one of the calls that wait, in a run whose order is decided by a seed. */
  release(): boolean;
}

/** Makes the steps of a run in which one of them is cut, or none. */
export function cutSteps(cut: Cut | undefined, close: () => void): Steps {
  const taken: Boundary[] = [];
  const waiting = new Map<string, (() => void)[]>();
  let isArmed = false;
  let outage: { readonly name: string; readonly fault: Fault } | undefined;

  function supersede(name: string): void {
    for (const one of waiting.get(name) ?? []) one();
    waiting.delete(name);
  }

  return {
    taken,
    take<T>(boundary: Boundary, answer: () => T): T {
      const { name } = boundary;
      const isCut = isArmed && taken.length === cut?.at && cut.fault.fits(boundary);
      if (isArmed) taken.push(boundary);
      if (isCut && cut.fault.lasts === true) outage = { name, fault: cut.fault };
      const fault = isCut ? cut.fault : outage?.name === name ? outage.fault : undefined;
      if (fault === undefined) {
        const given = answer();
        if (waiting.has(name))
          Promise.resolve(given).then(
            () => queueMicrotask(() => supersede(name)),
            () => {},
          );
        return given;
      }
      const superseded = new Promise<void>((resolve) => {
        waiting.set(name, [...(waiting.get(name) ?? []), resolve]);
      });
      // What a boundary really gives is unknown to the types of its callers, as in real life.
      return fault.act({ boundary, answer, superseded, close }) as T;
    },
    arm() {
      isArmed = true;
    },
    heal() {
      isArmed = false;
      outage = undefined;
      for (const name of [...waiting.keys()]) supersede(name);
    },
    release: () => false,
  };
}

// How many calls fail, give something wrong, and are still waited for when time passes, while the
// order is decided by a seed.
const FAILS = 0.15;
const WRONG = 0.1;
const WAITS = 0.2;

/** Makes the steps of a run whose calls wait until they are released, in an order of the seed. */
export function shuffledSteps(seed: number): Steps {
  const random = seeded(seed);
  const taken: Boundary[] = [];
  const calls: (() => void)[] = [];
  let isArmed = false;

  return {
    taken,
    take<T>(boundary: Boundary, answer: () => T): T {
      if (isArmed) taken.push(boundary);
      if (!isArmed || boundary.isSync === true) return answer();
      const chance = random();
      const wrong = boundary.wrong[Math.floor(random() * boundary.wrong.length)];
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      // The answer is that of the moment of the call, however late it comes.
      const given = chance < FAILS ? undefined : answer();
      calls.push(() => {
        if (chance < FAILS) reject(failure());
        else if (chance < FAILS + WRONG && boundary.wrong.length > 0) resolve(wrong);
        else resolve(given);
      });
      return promise as T;
    },
    arm() {
      isArmed = true;
    },
    heal() {
      isArmed = false;
      for (const call of calls.splice(0)) call();
    },
    release() {
      if (random() < WAITS) return false;
      const [call] = calls.splice(Math.floor(random() * calls.length), 1);
      call?.();
      return call !== undefined;
    },
  };
}
