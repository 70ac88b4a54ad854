// Keysets of issuers that the options do not name. The application finds them, for example in a
// database; what it finds is checked like an entry of `keySets`. How long its answers are used is
// in answers.ts.
import { LRUCache } from 'lru-cache';
import { AuthError, asError, isAuthError } from '../errors.ts';
import { isPromise } from '../values/promise.ts';
import { createAnswers } from './answers.ts';
import { createAdmission } from './jku-admission.ts';
import type { Keyset } from './keyset.ts';
import { identityOf, type KeysetOptions, type KeysetSettings } from './options.ts';
import type { KeysState } from './refreshed-keyset.ts';
import { MAX_CANDIDATE_TENANTS, NEW_TENANTS } from './tenant-keysets.ts';
import { createTenantNotice } from './tenant-notice.ts';

/**
 * Finds the keyset of an issuer that no keyset of the options names. Its answer is used for a
 * minute, and a no for ten seconds.
 * @param issuer of a token, unverified: an https URL of at most 512 characters
 * @returns a keyset whose `issuer` is this one; undefined if there is none
 */
export type KeysetFor = (issuer: string) => KeysetOptions | undefined | Promise<KeysetOptions | undefined>;

/** The option, checked. */
export interface KeysetForSettings {
  readonly find: KeysetFor;
  /** Checks what the application found. @throws ConfigError */
  read(given: unknown, issuer: string, path: string): KeysetSettings;
}

/** The state of the keysets that the application finds. */
export interface KeysetForReport {
  /** How many keysets are kept. */
  readonly keysets: number;
  /** How many of them cannot be used now. */
  readonly failing: number;
  /** Why the application failed last, without secrets. Undefined if it did not. */
  readonly lastError: string | undefined;
}

/** The keysets that the application finds. */
export interface FoundKeysets {
  /**
   * Returns the keyset of an issuer, synchronously if it is known.
   * @throws AuthError `keyset_unavailable` (or rejects with it) if the application fails, or its
   *   answer cannot be used
   */
  of(issuer: string): Keyset | undefined | Promise<Keyset | undefined>;
  /** The settings of a keyset that was found; undefined for every other one. */
  settingsOf(keyset: Keyset): KeysetSettings | undefined;
  report(): KeysetForReport;
  close(): Promise<void>;
}

/** Keysets that are kept, of issuers whose tokens have verified. */
export const MAX_FOUND = 1_000;
/** A longer issuer is not asked for. */
export const MAX_ISSUER_LENGTH = 512;
/** How much of an issuer a name has. */
const MAX_SHOWN = 100;

/** The keys of a keyset, as long as an answer has them. */
interface Engine {
  readonly identity: string;
  readonly keyset: Keyset;
  users: number;
}

interface Found {
  readonly keyset: Keyset;
  readonly engine: Engine;
}

/** @param make makes a keyset, whose sources are told of by `tell` */
export function createFoundKeysets(
  { find, read }: KeysetForSettings,
  make: (settings: KeysetSettings, tell: (state: KeysState | 'well', text: () => string) => void) => Keyset,
  monotonic: () => number,
): FoundKeysets {
  const engines = new Map<string, Engine>();
  const settingsOf = new WeakMap<Keyset, KeysetSettings>();
  const admission = createAdmission(monotonic, NEW_TENANTS);
  const notice = createTenantNotice(() => 'keysetFor');
  const closing = new Set<Promise<void>>();
  /** The issuers whose keyset was wrong. */
  const unusable = new LRUCache<string, true>({
    max: MAX_FOUND,
    dispose: (_, issuer, reason) => {
      if (reason === 'evict') notice.forget(issuer);
    },
  });

  const answers = createAnswers<KeysetOptions, Found>({
    name: 'keysetFor',
    ask: (issuer) => find(issuer),
    make: found,
    dropped: ({ engine }, issuer) => leave(issuer, engine),
    most: MAX_FOUND,
    candidates: MAX_CANDIDATE_TENANTS,
    monotonic,
  });

  /** The keyset of an answer. Where only other options have changed, it keeps its keys. */
  function found(issuer: string, given: KeysetOptions): Found {
    const name = `keysetFor(${issuer.slice(0, MAX_SHOWN)}${issuer.length > MAX_SHOWN ? '…' : ''})`;
    let settings: KeysetSettings;
    let engine: Engine;
    try {
      settings = read(given, issuer, name);
      engine = engineOf(issuer, settings);
    } catch (cause) {
      if (isAuthError(cause)) throw cause;
      // The answers about others may be good, so this is not a failure of the function.
      unusable.set(issuer, true);
      notice.tell(issuer, 'down', () => `${asError(cause).message}; its tokens are answered with 503`);
      throw refusal('the answer cannot be used', undefined, cause);
    }
    if (unusable.delete(issuer)) notice.tell(issuer, 'well', () => `${name}: its keyset can be used again`);
    engine.users++;
    const keyset: Keyset = Object.freeze<Keyset>({
      ...engine.keyset,
      name,
      selection: settings.selection,
      accepts(asked) {
        const now = answers.of(asked);
        const is = (one: Found | undefined) => one?.keyset === keyset;
        return isPromise(now) ? now.then(is) : is(now);
      },
      confirm(header, asked) {
        engine.keyset.confirm?.(header, asked);
        admission.confirm(issuer, undefined);
        answers.confirm(issuer);
      },
    });
    settingsOf.set(keyset, settings);
    return { keyset, engine };
  }

  function engineOf(issuer: string, settings: KeysetSettings): Engine {
    const identity = identityOf(settings);
    const before = engines.get(issuer);
    if (before?.identity === identity) return before;
    const waitMs = admission.ask(issuer, undefined);
    if (waitMs !== undefined) throw refusal('too many new issuers', waitMs);
    const keyset = make(settings, (state, text) => notice.tell(issuer, state, text));
    const engine: Engine = { identity, keyset, users: 0 };
    engines.set(issuer, engine);
    return engine;
  }

  function leave(issuer: string, engine: Engine): void {
    if (--engine.users > 0) return;
    if (engines.get(issuer) === engine) {
      engines.delete(issuer);
      notice.forget(issuer);
    }
    const ended = engine.keyset.close().finally(() => closing.delete(ended));
    closing.add(ended);
  }

  return {
    of(issuer) {
      if (!isAskedFor(issuer)) return undefined;
      const answer = answers.of(issuer);
      return isPromise(answer) ? answer.then((one) => one?.keyset) : answer?.keyset;
    },
    settingsOf: (keyset) => settingsOf.get(keyset),
    report: () => ({
      keysets: answers.size(),
      failing: notice.failing(),
      lastError: answers.lastError(),
    }),
    async close() {
      answers.close();
      await Promise.all(closing);
    },
  };
}

function refusal(detail: string, waitMs = 1_000, cause?: unknown): AuthError {
  return new AuthError('keyset_unavailable', {
    detail: `keysetFor: ${detail}`,
    retryAfterSeconds: waitMs / 1000,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** True for an https URL without a user name, a query or a fragment. */
function isAskedFor(issuer: string): boolean {
  if (issuer.length > MAX_ISSUER_LENGTH || !/^https:\/\/[\x21-\x7e]+$/.test(issuer)) return false;
  if (!URL.canParse(issuer)) return false;
  const { username, password } = new URL(issuer);
  return username === '' && password === '' && !/[?#\\]/.test(issuer);
}
