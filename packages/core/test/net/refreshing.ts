// What the tests of the refresh engine share: a clock that they move, sources that are objects of a
// test, keysets over them, and what the keysets and the events say. Nothing is fetched.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { generateSigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, beforeEach, vi } from 'vitest';
import { isAuthError } from '../../src/errors.ts';
import type { LatchkeyEvents } from '../../src/events.ts';
import { importJwks, type KeyPolicy } from '../../src/jwk/import-jwks.ts';
import type { KeySnapshot, Keyset } from '../../src/keysets/keyset.ts';
import {
  createRefreshedKeyset,
  type KeySource,
  type LoadedKeys,
  type RefreshedKeysetSettings,
} from '../../src/keysets/refreshed-keyset.ts';
import type { UnverifiedHeader } from '../../src/token/parse.ts';
import type { JsonObject } from '../../src/values/json.ts';

export const PUBLIC: KeyPolicy = { origin: 'public' };
/** The engine does not read it. */
export const HEADER: UnverifiedHeader = {
  alg: 'ES256',
  kid: undefined,
  x5t: undefined,
  x5tS256: undefined,
  typ: undefined,
  jku: undefined,
};
export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;

export const jwks: JsonObject[] = [];

beforeAll(async () => {
  for (const kid of ['a', 'b', 'c']) jwks.push((await generateSigningKey('ES256', kid)).publicJwk);
});

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});

const keysets: Keyset[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(keysets.splice(0).map((keyset) => keyset.close()));
  vi.useRealTimers();
});

/** What a source with these of the keys a, b and c returns. */
export function published(kids: string, lifetimeMs?: number): LoadedKeys {
  const keys = jwks.filter(({ kid }) => kids.includes(kid as string));
  return { ...importJwks({ keys }, PUBLIC), lifetimeMs };
}

export interface TestSource extends KeySource {
  /** When each load began. */
  readonly attempts: number[];
  /** The most loads that ran at the same time. */
  readonly atOnce: number;
  readonly closed: number;
}

/** A source that answers each load with `answer`. */
export function createSource(
  answer: (attempt: number, signal: AbortSignal) => LoadedKeys | Promise<LoadedKeys>,
): TestSource {
  const attempts: number[] = [];
  let running = 0;
  let atOnce = 0;
  let closed = 0;
  return {
    description: 'a test source',
    attempts,
    get atOnce() {
      return atOnce;
    },
    get closed() {
      return closed;
    },
    async load(signal) {
      attempts.push(performance.now());
      atOnce = Math.max(atOnce, ++running);
      try {
        return await answer(attempts.length, signal);
      } finally {
        running--;
      }
    },
    async close() {
      closed++;
    },
  };
}

export function open(source: KeySource, settings: Partial<RefreshedKeysetSettings> = {}): Keyset {
  const keyset = createRefreshedKeyset({
    name: 'keySets[0]',
    issuer: 'https://issuer.example',
    allowed: undefined,
    selection: { kidless: 'first' },
    source,
    refreshIntervalMs: HOUR,
    maxStaleMs: 24 * HOUR,
    ...settings,
  });
  keysets.push(keyset);
  return keyset;
}

/** A load that ends after this time on the clock of the test, or when it is told to stop. */
export function after<T>(delayMs: number, end: () => T, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      try {
        resolve(end());
      } catch (error) {
        reject(error);
      }
    }, delayMs);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

export function outage(): never {
  throw new Error('the source is down');
}

export const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
/** Runs what is ready, and no time passes. */
export const settle = () => pass(0);

/** With 0 pauses have the widest jitter, with 1 they have none. */
export const fixJitter = (random: number) => vi.spyOn(Math, 'random').mockReturnValue(random);

/** A source that fails after the first load. */
export const onceGood = (attempt: number) => (attempt === 1 ? published('a') : outage());

/** A keyset over a source with these answers. */
export function opened(
  answer: Parameters<typeof createSource>[0],
  settings: Partial<RefreshedKeysetSettings> = {},
) {
  const source = createSource(answer);
  return { source, keyset: open(source, settings) };
}

/** The same, after the first load, which takes no time. */
export async function loaded(...given: Parameters<typeof opened>): Promise<ReturnType<typeof opened>> {
  const made = opened(...given);
  await made.keyset.ready();
  return made;
}

/** The kids in use; throws if the keyset returns a promise. */
export function kidsAtOnce(keyset: Keyset, look: 'keys' | 'refetch' = 'keys'): string {
  const found = keyset[look](HEADER);
  if (found instanceof Promise) throw new Error(`${look}() waits`);
  return kidsOf(found);
}

export function kidsOf({ keys }: KeySnapshot): string {
  return keys.map(({ kid }) => kid).join('');
}

/** The refusal that is thrown at once; a promise is an error. */
export function refusal(ask: () => unknown): {
  readonly code: string;
  readonly retryAfter: string | undefined;
} {
  try {
    const found = ask();
    throw new Error(found instanceof Promise ? 'waits' : 'was not refused');
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return { code: error.code, retryAfter: error.headers['Retry-After'] };
  }
}

/** The kids after a refetch, or the code of the refusal. */
export async function lookedFor(keyset: Keyset): Promise<string> {
  try {
    return kidsOf(await keyset.refetch(HEADER));
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.code;
  }
}

export interface Told {
  readonly name: string;
  readonly event: unknown;
}

/** Runs something and returns the events that were published meanwhile. */
export async function listening(run: () => Promise<unknown>): Promise<readonly Told[]> {
  const told: Told[] = [];
  const listeners = (
    ['refreshed', 'failed', 'stale', 'key-added', 'key-removed', 'key-skipped'] as const
  ).map((short) => {
    const name = `latchkey:keyset:${short}` as const satisfies keyof LatchkeyEvents;
    const listener = (event: unknown) => told.push({ name: short, event });
    subscribe(name, listener);
    return () => unsubscribe(name, listener);
  });
  try {
    await run();
  } finally {
    for (const stop of listeners) stop();
  }
  return told;
}

export function named(told: readonly Told[], name: string): readonly unknown[] {
  return told.filter((one) => one.name === name).map(({ event }) => event);
}
