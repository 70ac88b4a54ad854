// What the tests of the token cache share: authenticators whose keys a test replaces, and answers
// that say whether a token came from the cache. Import counted.ts before src in these tests.
import { createClock } from '@latchkey/testing';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import {
  type Authenticator,
  type AuthenticatorOptions,
  createMemoryStore,
  isAuthError,
  type MemoryStore,
} from '../../src/index.ts';
import { requestWith, startAuthenticator } from '../support/authenticators.ts';
import { defined } from '../support/defined.ts';
import { nextEvent } from '../support/observed.ts';
import { work } from './counted.ts';
import { AUDIENCE, ISSUER, jwk, NOW, one, REF, setOf } from './mac-tokens.ts';

export const clock = createClock(NOW);

beforeEach(() => {
  clock.set(NOW);
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** The memory store of a test: the keys at `REF`, unless they are undefined. */
export const storeWith = (keys: string = setOf(jwk(one, 'one'))): MemoryStore =>
  createMemoryStore({ [REF.name]: { [REF.key]: keys } });

/** An authenticator with one issuer, whose only key is `one`, unless the options say otherwise. */
export function build(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  return startAuthenticator({
    keySets: [{ issuer: ISSUER, secret: { name: REF.name } }],
    secrets: storeWith(),
    audience: AUDIENCE,
    clock,
    ...options,
  });
}

interface Service {
  readonly authenticator: Authenticator;
  readonly store: MemoryStore;
}

/** An authenticator, and the store of its keys for `publish`. */
export function serve(keys?: string, options: Partial<AuthenticatorOptions> = {}): Service {
  const store = storeWith(keys);
  return { authenticator: build({ secrets: store, ...defined(options) }), store };
}

/** Replaces keys in a store and waits until that many keysets have read them. */
export async function publish(store: MemoryStore, keys: string, reference = REF, readers = 1): Promise<void> {
  const read = nextEvent('latchkey:keyset:refreshed', readers);
  store.set(reference, keys);
  await read;
}

/** `accepted`, `anonymous` for a request without a principal, or the code of the refusal. */
export async function outcome(decision: Promise<unknown>): Promise<string> {
  try {
    return (await decision) === undefined ? 'anonymous' : 'accepted';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.code;
  }
}

/**
 * The outcome of a decision. In place of `accepted` it is `kept` if the token was neither parsed
 * nor verified, and otherwise `verified`.
 */
export async function answerOf(decide: () => Promise<unknown>): Promise<string> {
  const before = { ...work };
  const result = await outcome(decide());
  if (result !== 'accepted') return result;
  const [parsed, verified] = [work.parsed - before.parsed, work.verified - before.verified];
  if (parsed === 0 && verified === 0) return 'kept';
  expect(parsed).toBe(1);
  expect(verified).toBeGreaterThan(0);
  return 'verified';
}

/** Verifies tokens one after another; returns the answers with a space between them. */
export async function ask(authenticator: Authenticator, ...tokens: readonly string[]): Promise<string> {
  const answers: string[] = [];
  for (const token of tokens) answers.push(await answerOf(() => authenticator.verify(token)));
  return answers.join(' ');
}

/** As `ask`, for a request with the token. */
export const askByRequest = (authenticator: Authenticator, token: string) =>
  answerOf(() => authenticator.authenticate(requestWith(token)));
