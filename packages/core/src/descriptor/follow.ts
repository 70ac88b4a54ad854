// An authenticator that follows a file: when the file is read, and when a text takes effect. What a
// changed file forbids is refused at once. The whole change takes effect when the file is complete
// and everything that it needs is loaded, or not at all. How several texts decide is in texts.ts.

import { basename, dirname, resolve } from 'node:path';
import type { AuthenticatorLimits } from '../decision/authenticator.ts';
import { asError, ConfigError, isAuthError } from '../errors.ts';
import { publish, warn } from '../events.ts';
import type { GroupResolver } from '../groups/resolver.ts';
import type { Keyset } from '../keysets/keyset.ts';
import { closeForeign } from '../net/deadline.ts';
import { watchFileAt, watchPath } from '../secrets/directory.ts';
import { type DescribedAuthenticator, describedBy } from './described.ts';
import { type DescriptorOptions, loadText, readDescriptorFile, readDescriptorOptions } from './load.ts';
import { staysStill } from './still.ts';
import {
  type CheckedText,
  closeText,
  createTexts,
  keysetsOf,
  type PendingTexts,
  type RunningText,
} from './texts.ts';

/** Editors may write a file in several steps, and tools may change several files. */
const SETTLE_MS = 100;
/** For file systems that do not report changes, such as network file systems. */
const LOOK_AGAIN_MS = 30_000;
/** How often to check whether the keys that a text waits for are loaded. */
const WAITING_MS = 1_000;

/** Follows a descriptor. Reads it synchronously, and fetches nothing. @throws ConfigError */
export function followDescriptor(
  value: DescriptorOptions,
  limits?: AuthenticatorLimits,
): DescribedAuthenticator {
  const options = readDescriptorOptions(value);
  const { descriptor: file, directory } = options;
  // All authenticators use it one after the other, so none may close it.
  const kept =
    directory === undefined ? options : readDescriptorOptions({ ...options, directory: unclosed(directory) });
  const path = resolve(file);
  const texts = createTexts(readNow(), file, limits);
  const stopping = new AbortController();
  /** The authenticator of a text whose keys are being loaded. */
  let loading: RunningText | undefined;
  let refusal: { readonly text: string | undefined; readonly problem: string } | undefined;
  let reloading: Promise<void> | undefined;
  let settling: NodeJS.Timeout | undefined;
  let waiting: NodeJS.Timeout | undefined;

  function readNow(): CheckedText {
    const text = readDescriptorFile(file);
    return { text, ...loadText(text, kept) };
  }

  /** See `DescriptorTexts`. @returns true, because nothing is left to do for the text */
  function judgeBy(next: PendingTexts<CheckedText>): true {
    const before = texts.whole;
    texts.judgeBy(next);
    if (texts.whole !== before) awaitKeys();
    return true;
  }

  /**
   * One reload at a time, so that the later of two changes takes effect last. What a change forbids
   * does not wait for its turn.
   */
  function reload(isAwaited: boolean): Promise<void> {
    if (reloading !== undefined) glance();
    const before = reloading ?? Promise.resolve();
    const look = () => apply(isAwaited);
    const running = before.then(look, look).finally(() => {
      if (reloading === running) reloading = undefined;
    });
    reloading = running;
    return running;
  }

  /** Refuses what a new text forbids while another text waits for its end or its keys. */
  function glance(): void {
    try {
      const text = readDescriptorFile(file);
      if (
        stopping.signal.aborted ||
        [texts.current, texts.whole, texts.partial].some((one) => one?.text === text)
      )
        return;
      const read = { text, ...loadText(text, kept) };
      if (isPossible(read)) judgeBy({ partial: read });
    } catch {
      // Its own reload reports this error.
    }
  }

  /** False for a text without the end mark that the last one had. */
  function isPossible({ end }: CheckedText): boolean {
    return end !== undefined || (texts.whole ?? texts.current).end !== 'marked';
  }

  async function apply(isAwaited: boolean): Promise<void> {
    let seen: string | undefined;
    try {
      for (let isDone = false; !isDone && !stopping.signal.aborted; ) {
        seen = readDescriptorFile(file);
        isDone = await take(seen, isAwaited);
      }
      if (refusal !== undefined) warn('LATCHKEY_RECOVERED', `${file} can be used again`);
      refusal = undefined;
    } catch (thrown) {
      if (stopping.signal.aborted) return;
      const error = asError(thrown);
      tell(seen, error);
      throw error;
    }
  }

  /** Warns once for each text, and once if the file cannot be read. */
  function tell(seen: string | undefined, error: Error): void {
    const problem = problemOf(error);
    if (refusal === undefined || refusal.text !== seen) {
      const closed = texts.whole === undefined ? '' : '. What the change forbids is refused already';
      warn('LATCHKEY_UNAVAILABLE', `${file} has changed and cannot be used: ${problem}${closed}`);
      publish('latchkey:descriptor:refused', { file, error });
    }
    refusal = { text: seen, problem };
  }

  /**
   * Applies a text as far as possible.
   * @returns false if the file has changed again
   */
  async function take(text: string, isAwaited: boolean): Promise<boolean> {
    const { current, whole, partial } = texts;
    const known = [current, whole].find((one) => one?.text === text);
    if (known === current && whole === undefined && partial === undefined) return true;
    const read: CheckedText = known ?? { text, ...loadText(text, kept) };
    const isWaiting = known !== undefined && known === whole;
    // The text that was being written over this one has been undone.
    if (isWaiting) judgeBy({ partial: undefined });
    else if (!(await settle(read)) || stopping.signal.aborted) return false;
    if (known === texts.current) return judgeBy({ whole: undefined, partial: undefined });
    return put(read, isAwaited);
  }

  /**
   * Waits until a text is complete. What it forbids is refused meanwhile.
   * @returns false if the file has changed meanwhile
   */
  async function settle(read: CheckedText): Promise<boolean> {
    if (read.end !== undefined) return true;
    if (!isPossible(read))
      throw new ConfigError(
        'descriptor',
        `expected "..." as the last line of ${file}, as before; write the whole file`,
      );
    if (read !== texts.current && texts.partial?.text !== read.text) judgeBy({ partial: read });
    return (await staysStill(path, stopping.signal)) && readDescriptorFile(file) === read.text;
  }

  /**
   * Puts a complete text in force once its new keys are loaded. Until then, what it forbids is
   * refused.
   * @returns false if the file has changed again
   */
  async function put(read: CheckedText, isAwaited: boolean): Promise<boolean> {
    const isNew = texts.whole?.text !== read.text;
    const next = texts.prepare(read, !isNew);
    loading = next;
    try {
      const fresh = next.leases.fresh();
      const isAtHand = fresh.every((keyset) => keyset.isLoaded());
      if (isNew && !isAtHand) judgeBy({ whole: read, partial: undefined });
      // No request may wait for keys that the text before had loaded.
      await Promise.all([
        ...fresh.map((keyset) => (isAwaited ? lookAt(keyset) : keyset.ready())),
        next.revocations.fresh()?.ready(),
      ]);
      stopping.signal.throwIfAborted();
      if (readDescriptorFile(file) !== read.text) {
        await closeText(next);
        return false;
      }
    } catch (error) {
      await closeText(next);
      throw error;
    } finally {
      loading = undefined;
    }
    const change = keysetsOf(texts.current, next);
    texts.putInForce(next);
    clearTimeout(waiting);
    publish('latchkey:descriptor:applied', { file, ...change });
    return true;
  }

  /**
   * Checks whether the keys of a waiting text are loaded. Their sources retry on their own
   * schedule.
   */
  function awaitKeys(): void {
    clearTimeout(waiting);
    if (texts.whole === undefined) return;
    const isAtHand = texts.whole.leases.fresh().every((keyset) => keyset.isLoaded());
    if (isAtHand && reloading === undefined) lookAgain();
    waiting = setTimeout(awaitKeys, WAITING_MS).unref();
  }

  function lookAgain(): void {
    reload(false).catch(() => {
      // The error has been reported.
    });
  }

  function lookSoon(): void {
    clearTimeout(settling);
    settling = setTimeout(lookAgain, SETTLE_MS).unref();
  }

  const unwatch = [
    watchPath(dirname(path), lookSoon, new Set([basename(path)])),
    watchFileAt(path, lookSoon),
  ];
  const polling = setInterval(lookAgain, LOOK_AGAIN_MS).unref();

  return describedBy(texts, {
    report: () => ({
      file,
      state: refusal === undefined ? 'applied' : 'refused',
      problem: refusal?.problem,
    }),
    reload: () => reload(true),
    async close() {
      stopping.abort();
      for (const stop of unwatch) stop();
      clearTimeout(settling);
      clearInterval(polling);
      clearTimeout(waiting);
      try {
        await Promise.all([texts.close(), loading && closeText(loading)]);
      } finally {
        await closeForeign(() => directory?.close?.(), 'directory');
      }
    },
  });
}

/** Reads the source of a keyset that has no keys, now. */
async function lookAt(keyset: Keyset): Promise<void> {
  if (!keyset.isLoaded()) await (keyset.reload ?? keyset.ready)();
}

function unclosed(directory: GroupResolver): GroupResolver {
  return {
    description: directory.description,
    resolve: (subject, signal) => directory.resolve(subject, signal),
  };
}

/** The text of an error for operators, with the detail of a refusal. */
function problemOf(error: Error): string {
  return isAuthError(error) && error.detail !== undefined
    ? `${error.message}: ${error.detail}`
    : error.message;
}
