// One run of a scenario: its steps, its requests, and what must hold of them whatever fault there
// was. What a scenario does is in scenarios/.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { vi } from 'vitest';
import { AuthError, isAuthError } from '../../src/errors.ts';
import { type Boundary, type Cut, cutSteps, SECRET, type Steps, shuffledSteps } from './steps.ts';

/** When every run begins. Tokens are made for it. */
export const START = Date.UTC(2030, 0, 1);
/** An attempt that has just begun to hang ends, and the longest pause passes after it. */
const RECOVERY_MS = 10_000 + 31_000;
/** How long `close()` may take (R19). */
const CLOSE_MS = 1_000;

/**
 * What must become of a request.
 * - `sure`: it is accepted, whatever the fault.
 * - `good`: it is accepted, or answered with 503.
 * - a list of codes: it is refused with one of them, or with 503. With `accepted`, it may pass too.
 * - `exactly` a code: it is refused with this one.
 * - `ends`: it gives a result or an Error.
 */
export type Expected = 'sure' | 'good' | 'ends' | readonly string[] | { readonly exactly: string };

/** What a scenario works with. */
export interface World {
  /** A call of a boundary: gives the answer, unless a fault cuts it. */
  take<T>(boundary: Boundary, answer: () => T): T;
  /** Starts a request, which has to end within its deadline. */
  ask(what: string, expected: Expected, call: () => unknown, deadlineMs?: number): void;
  /** Waits until every request has ended, or is overdue. */
  settle(): Promise<void>;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  /** From here on, steps are counted and cut. */
  arm(): void;
  /** Has to be closed at the end, and may be closed at any step. */
  closes<T extends { close(): unknown }>(open: T): T;
  /** Closes all of them now. */
  close(): void;
  /** Anything else that is wrong. */
  fails(problem: string): void;
  /** How a request has ended; undefined while it runs. */
  outcomeOf(what: string): string | undefined;
}

/** A scenario that is set up. */
export interface Play {
  /** The requests, and what happens meanwhile. Its steps are cut. */
  run(): Promise<unknown>;
  /** What must work again when the fault is over and the longest pause has passed. */
  after?(): unknown;
}

/** Something that can happen to a service. */
export interface Scenario {
  readonly name: string;
  open(world: World): Play | Promise<Play>;
}

interface Asked {
  readonly what: string;
  readonly expected: Expected;
  readonly startedAt: number;
  readonly deadlineMs: number;
  outcome?: string;
}

/** What came of a run. */
export interface Outcome {
  readonly taken: readonly Boundary[];
  /** What was wrong. Empty: nothing. */
  readonly problems: readonly string[];
}

/** Plays a scenario with one of its steps cut, or with none. */
export function play(scenario: Scenario, cut?: Cut): Promise<Outcome> {
  return playWith(scenario, (close) => cutSteps(cut, close));
}

/** Plays a scenario whose calls are answered in an order of the seed. */
export function playShuffled(scenario: Scenario, seed: number): Promise<Outcome> {
  return playWith(scenario, () => shuffledSteps(seed));
}

// The cache of answers keeps the object that was there when it was loaded.
const realPerformance = performance;

async function playWith(scenario: Scenario, makeSteps: (close: () => void) => Steps): Promise<Outcome> {
  const problems: string[] = [];
  const restore = watchProcess(problems);
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
    now: START - 1_000,
  });
  const ageOfAnswers = vi.spyOn(realPerformance, 'now').mockImplementation(() => performance.now());
  // For the cache, the age of what came at 0 is not known.
  vi.advanceTimersByTime(1_000);
  try {
    return await playHere(scenario, makeSteps, problems);
  } catch (error) {
    return { taken: [], problems: [...problems, `the scenario failed: ${inspect(error)}`] };
  } finally {
    await turns();
    ageOfAnswers.mockRestore();
    vi.useRealTimers();
    restore();
  }
}

async function playHere(
  scenario: Scenario,
  makeSteps: (close: () => void) => Steps,
  problems: string[],
): Promise<Outcome> {
  let asked: Asked[] = [];
  const outcomes = new Map<string, string>();
  const open = new Set<{ close(): unknown }>();
  let closing: Promise<unknown> | undefined;
  const fails = (problem: string) => void problems.push(problem);

  function close(): void {
    // It is waited for at the end only: until then, a rejection would be an unhandled one.
    closing ??= Promise.all([...open].map(async (one) => one.close()));
    closing.catch(() => {});
  }

  const steps = makeSteps(close);
  const isClosed = () => closing !== undefined;

  async function settle(): Promise<void> {
    const startedAt = performance.now();
    for (;;) {
      await turns();
      if (steps.release()) continue;
      const running = asked.filter(({ outcome }) => outcome === undefined);
      if (running.length === 0) break;
      const now = performance.now();
      const overdue = running.filter((one) => now - one.startedAt > one.deadlineMs);
      for (const one of overdue) fails(`${one.what}: has not ended within ${one.deadlineMs} ms`);
      asked = asked.filter((one) => !overdue.includes(one));
      if (overdue.length === running.length) break;
      await vi.advanceTimersByTimeAsync(now - startedAt < 1_000 ? 250 : 500);
    }
    asked = [];
  }

  const world: World = {
    take: steps.take,
    arm: steps.arm,
    close,
    fails,
    settle,
    ask(what, expected, call, deadlineMs = 5_000) {
      const one: Asked = { what, expected, startedAt: performance.now(), deadlineMs };
      asked.push(one);
      outcomes.delete(what);
      void outcomeOf(call).then((outcome) => {
        one.outcome = outcome.text;
        outcomes.set(what, outcome.text);
        const tookMs = performance.now() - one.startedAt;
        if (tookMs > deadlineMs) fails(`${what}: took ${tookMs} ms of ${deadlineMs} ms`);
        for (const problem of problemsOf(outcome, expected, isClosed())) fails(`${what}: ${problem}`);
      });
    },
    async pass(ms) {
      await vi.advanceTimersByTimeAsync(ms);
      await turns();
    },
    closes(one) {
      open.add(one);
      return one;
    },
    outcomeOf: (what) => outcomes.get(what),
  };

  const scene = await scenario.open(world);
  await scene.run();
  await settle();
  steps.heal();
  await world.pass(RECOVERY_MS);
  if (!isClosed()) {
    await scene.after?.();
    await settle();
  }
  // The end has steps too.
  steps.arm();
  await end();
  return { taken: steps.taken, problems };

  async function end(): Promise<void> {
    let isDone = false;
    close();
    void closing?.then(
      () => {
        isDone = true;
      },
      (error) => {
        isDone = true;
        if (!(error instanceof Error)) fails(`close() rejected with ${inspect(error)}`);
      },
    );
    await world.pass(CLOSE_MS);
    if (!isDone) fails(`close() has not ended within ${CLOSE_MS} ms`);
    // A boundary that is late has a timer of its own.
    await world.pass(CLOSE_MS);
    const timers = vi.getTimerCount();
    if (timers > 0) fails(`${timers} timers are left after close()`);
  }
}

/** Runs what is ready. No time passes. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await nextTurn();
}

interface Ended {
  readonly text: string;
  /** Also where nothing was thrown. */
  readonly error?: unknown;
}

async function outcomeOf(call: () => unknown): Promise<Ended> {
  try {
    const given = await call();
    return { text: given === false ? 'refused' : 'accepted' };
  } catch (error) {
    if (isAuthError(error)) return { text: error.code, error };
    return { text: `not a refusal: ${inspect(error)}`, error };
  }
}

function problemsOf({ text, error }: Ended, expected: Expected, isClosed: boolean): readonly string[] {
  const problems: string[] = [];
  const isUnavailable = isAuthError(error) && error.status === 503;
  const shown = isAuthError(error) ? `${text} (${error.detail})` : text;
  if (expected === 'ends') {
    if (text.startsWith('not a refusal') && !(error instanceof Error)) problems.push(text);
    if (error instanceof TypeError) problems.push(`crashed: ${shown}`);
  } else if (text.startsWith('not a refusal')) problems.push(shown);
  else if (expected === 'sure' || expected === 'good') {
    const isFine = text === 'accepted' || (isUnavailable && (expected === 'good' || isClosed));
    if (!isFine) problems.push(`expected ${expected}, got ${shown}`);
  } else if (text === 'accepted' && !('exactly' in expected) && expected.includes(text)) return [];
  else if (text === 'accepted') problems.push('was accepted, and must not be');
  else if ('exactly' in expected) {
    if (text !== expected.exactly && !isClosed) problems.push(`expected ${expected.exactly}, got ${shown}`);
  } else if (!isUnavailable && !expected.includes(text))
    problems.push(`expected ${expected.join(' or ')} or a 503, got ${shown}`);
  if (isAuthError(error)) {
    if (error.message !== new AuthError(error.code).message)
      problems.push(`the message of ${text} is not constant: ${error.message}`);
    // `inspect` writes the causes too, as a log does.
    if (showsSecret(`${error.detail} ${JSON.stringify(error)} ${inspect(error)} ${inspect(error.headers)}`))
      problems.push(`${text} shows a secret`);
  }
  return problems;
}

/** True for a text that has a part of what no text may have. */
function showsSecret(text: string): boolean {
  return SECRET.split('.').some((part) => text.includes(part));
}

/** Notes warnings with secrets, and what would end the process. Returns how to stop. */
function watchProcess(problems: string[]): () => void {
  const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation((warning) => {
    if (showsSecret(String(warning))) problems.push(`a warning shows a secret: ${warning}`);
  });
  const restores = (['unhandledRejection', 'uncaughtException'] as const).map((event) => {
    const before = process.rawListeners(event);
    const note = (error: unknown) => void problems.push(`${event}: ${inspect(error)}`);
    process.removeAllListeners(event);
    process.on(event, note);
    return () => {
      process.off(event, note);
      for (const listener of before) process.on(event, listener as (error: unknown) => void);
    };
  });
  return () => {
    emitWarning.mockRestore();
    for (const one of restores) one();
  };
}
