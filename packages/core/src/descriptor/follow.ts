// An authenticator that does what a file says. What a changed file closes is closed at once; the
// rest is done when the file is whole and all that it needs is at hand, or not at all.

import { basename, dirname, resolve } from 'node:path';
import {
  type Authenticator,
  type AuthenticatorLimits,
  type AuthenticatorReport,
  authenticatorOf,
} from '../decision/authenticator.ts';
import { type Deciding, narrow } from '../decision/narrow.ts';
import { asError, ConfigError, isAuthError } from '../errors.ts';
import { publish, warn } from '../events.ts';
import type { GroupResolver } from '../groups/resolver.ts';
import type { Keyset } from '../keysets/keyset.ts';
import { watchPath } from '../secrets/directory.ts';
import { createCarrier, type KeysetLeases } from './carry.ts';
import { parseDescriptor, placed } from './document.ts';
import {
  type CheckedDescriptor,
  type DescriptorOptions,
  loadText,
  readDescriptorFile,
  readDescriptorOptions,
} from './load.ts';
import { staysStill } from './still.ts';

/** How a descriptor fares. */
export interface DescriptorReport {
  readonly file: string;
  /**
   * `refused`: the file says something else than what is done, and cannot be followed. What it
   * closes is closed all the same.
   */
  readonly state: 'applied' | 'refused';
  /** Why; for logs. */
  readonly problem: string | undefined;
}

/** How an authenticator fares, and the file that it follows. */
export interface DescribedAuthenticatorReport extends AuthenticatorReport {
  readonly descriptor: DescriptorReport;
}

/** An authenticator that follows a descriptor. */
export interface DescribedAuthenticator extends Authenticator {
  report(): DescribedAuthenticatorReport;
  /**
   * Looks at the file now, as it does by itself whenever the file changes. Resolves when what the
   * file says is in force: for a file that does not say itself where it ends, when it has been
   * still for two seconds.
   * @throws ConfigError, AuthError if what it says cannot be followed; what was done before is done
   *   on, but for what it closes
   */
  reload(): Promise<void>;
}

/** For editors that write a file in several steps, and tools that change several things. */
const SETTLE_MS = 100;
/** Where changes are not told of (network file systems). */
const LOOK_AGAIN_MS = 30_000;
/** Between two looks whether the keys that a text waits for are there. */
const WAITING_MS = 1_000;
/**
 * What was begun with the options before is ended with them. Longer than any deadline of theirs.
 */
const RETIRE_MS = 35_000;

/** A text, and its options once they are checked. */
interface Readable extends Pick<CheckedDescriptor, 'settings' | 'end'> {
  readonly text: string;
}

/** A text, and an authenticator that does what it says. */
interface Made extends Readable {
  readonly authenticator: Authenticator;
  readonly leases: KeysetLeases;
}

/** Follows a descriptor. Reads it at once, and fetches nothing. @throws ConfigError */
export function followDescriptor(
  value: DescriptorOptions,
  limits?: AuthenticatorLimits,
): DescribedAuthenticator {
  const options = readDescriptorOptions(value);
  const { descriptor: file, directory } = options;
  // One after the other uses it: none of them closes it.
  const kept =
    directory === undefined ? options : readDescriptorOptions({ ...options, directory: unclosed(directory) });
  const path = resolve(file);
  const carrier = createCarrier();
  const stopping = new AbortController();
  const retired = new Map<Made, NodeJS.Timeout>();
  let current = makeFirst();
  /** The last text that is whole, while it waits for its keys: what it refuses is refused. */
  let whole: Made | undefined;
  /**
   * The last text that was read, before its turn, or while it may be the beginning of another: what
   * it refuses then is a 503.
   */
  let partial: Made | undefined;
  /** What a text makes that is waited for. */
  let waited: Made | undefined;
  let deciding: Deciding = current.authenticator;
  let refusal: { readonly text: string | undefined; readonly problem: string } | undefined;
  let reloading: Promise<void> | undefined;
  let settling: NodeJS.Timeout | undefined;
  let waiting: NodeJS.Timeout | undefined;

  function makeFirst(): Made {
    const text = readDescriptorFile(file);
    return make({ text, ...loadText(text, kept) }, carrier.inForce(), false);
  }

  /** Makes an authenticator of a text, or lets go of what was taken for it. */
  function make({ text, settings, end }: Readable, leases: KeysetLeases, quiet: boolean): Made {
    try {
      const authenticator = authenticatorOf(settings, limits, { take: leases.take, quiet });
      return { text, end, settings, authenticator, leases };
    } catch (error) {
      void leases.release();
      throw placed(error, parseDescriptor(text, file));
    }
  }

  /**
   * One at a time: of two changes, the later one is done last. What it closes does not wait for its
   * turn.
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

  /**
   * Closes what a text closes that comes while another waits until it is whole, or for its keys.
   */
  function glance(): void {
    try {
      const text = readDescriptorFile(file);
      if (stopping.signal.aborted || [current, whole, partial].some((made) => made?.text === text)) return;
      const read = { text, ...loadText(text, kept) };
      if (isPossible(read)) judgeBy({ partial: judgeOf(read, false) });
    } catch {
      // Is said when it is its turn.
    }
  }

  /** False for a text that lacks the end that the last one had. */
  function isPossible({ end }: Readable): boolean {
    return end !== undefined || (whole ?? current).end !== 'marked';
  }

  async function apply(isAwaited: boolean): Promise<void> {
    let seen: string | undefined;
    try {
      for (let isDone = false; !isDone && !stopping.signal.aborted; ) {
        seen = readDescriptorFile(file);
        isDone = await take(seen, isAwaited);
      }
      refusal = undefined;
    } catch (thrown) {
      if (stopping.signal.aborted) return;
      const error = asError(thrown);
      tell(seen, error);
      throw error;
    }
  }

  /** Said once for each text, and once for none. */
  function tell(seen: string | undefined, error: Error): void {
    const problem = problemOf(error);
    if (refusal === undefined || refusal.text !== seen) {
      const closed = whole === undefined ? '' : '. What it closes is closed';
      warn('LATCHKEY_UNAVAILABLE', `${file} has changed and cannot be followed: ${problem}${closed}`);
      publish('latchkey:descriptor:refused', { file, error });
    }
    refusal = { text: seen, problem };
  }

  /**
   * Does what a text says, as far as it can.
   * @returns false if the file says something else by then
   */
  async function take(text: string, isAwaited: boolean): Promise<boolean> {
    const known = [current, whole].find((made) => made?.text === text);
    if (known === current && whole === undefined && partial === undefined) return true;
    const read: Readable = known ?? { text, ...loadText(text, kept) };
    const isWaiting = known !== undefined && known === whole;
    // What was written over it, and was not whole, is gone.
    if (isWaiting) judgeBy({ partial: undefined });
    else if (!(await settle(read)) || stopping.signal.aborted) return false;
    if (known === current) return judgeBy({ whole: undefined, partial: undefined });
    return put(read, isAwaited);
  }

  /**
   * Waits until a text is whole. What it closes is closed meanwhile.
   * @returns false if the file has changed before
   */
  async function settle(read: Readable): Promise<boolean> {
    if (read.end !== undefined) return true;
    if (!isPossible(read))
      throw new ConfigError(
        'descriptor',
        `expected "..." as the last line of ${file}, as it was; write it whole`,
      );
    if (read !== current && partial?.text !== read.text) judgeBy({ partial: judgeOf(read, false) });
    return (await staysStill(path, stopping.signal)) && readDescriptorFile(file) === read.text;
  }

  /**
   * Puts a whole text in force, when the keys that it adds are at hand. Until then, what it closes
   * is closed.
   * @returns false if the file says something else by then
   */
  async function put(read: Readable, isAwaited: boolean): Promise<boolean> {
    const isNew = whole?.text !== read.text;
    const next = make(read, carrier.inForce(current.leases), !isNew);
    waited = next;
    try {
      const fresh = next.leases.fresh();
      const isAtHand = fresh.every((keyset) => keyset.report().state !== 'empty');
      if (isNew && !isAtHand) judgeBy({ whole: judgeOf(read, true), partial: undefined });
      // No request is to wait for keys that the text before had at hand.
      await Promise.all(fresh.map((keyset) => (isAwaited ? lookAt(keyset) : keyset.ready())));
      stopping.signal.throwIfAborted();
      if (readDescriptorFile(file) !== read.text) {
        await close(next);
        return false;
      }
    } catch (error) {
      await close(next);
      throw error;
    } finally {
      waited = undefined;
    }
    retire(current);
    current = next;
    judgeBy({ whole: undefined, partial: undefined });
    publish('latchkey:descriptor:applied', { file });
    return true;
  }

  /**
   * @param isWhole false: endpoints and sources may be named by half, and no token is sent there
   */
  function judgeOf(read: Readable, isWhole: boolean): Made {
    const { remote, groups } = isWhole ? read.settings : current.settings;
    const settings = { ...read.settings, remote, groups };
    return make({ ...read, settings }, carrier.judging(current.leases, settings, isWhole), true);
  }

  /** Says what else is asked. @returns true, for a text that is done with */
  function judgeBy(next: { readonly whole?: Made | undefined; readonly partial?: Made | undefined }): true {
    const before = [whole, partial];
    if ('whole' in next) whole = next.whole;
    if ('partial' in next) partial = next.partial;
    deciding = narrow(current.authenticator, [
      ...(whole === undefined ? [] : [{ authenticator: whole.authenticator, isCertain: true }]),
      ...(partial === undefined
        ? []
        : [{ authenticator: partial.authenticator, isCertain: partial.end !== undefined }]),
    ]);
    if (whole !== before[0]) awaitKeys();
    for (const made of before) if (made !== undefined && made !== whole && made !== partial) retire(made);
    return true;
  }

  function retire(old: Made): void {
    const end = () => {
      retired.delete(old);
      // Nothing is decided by it any more.
      close(old).catch(() => {});
    };
    retired.set(old, setTimeout(end, RETIRE_MS).unref());
  }

  /** While a text waits for its keys, whose sources are tried again on their own time. */
  function awaitKeys(): void {
    clearTimeout(waiting);
    if (whole === undefined) return;
    const isAtHand = whole.leases.fresh().every((keyset) => keyset.report().state !== 'empty');
    if (isAtHand && reloading === undefined) lookAgain();
    waiting = setTimeout(awaitKeys, WAITING_MS).unref();
  }

  function lookAgain(): void {
    reload(false).catch(() => {
      // Has been said.
    });
  }

  const unwatch = watchPath(
    dirname(path),
    () => {
      clearTimeout(settling);
      settling = setTimeout(lookAgain, SETTLE_MS).unref();
    },
    new Set([basename(path)]),
  );
  const polling = setInterval(lookAgain, LOOK_AGAIN_MS).unref();

  return Object.freeze<DescribedAuthenticator>({
    kind: 'authenticator',
    get mode() {
      return current.authenticator.mode;
    },
    authenticate: (request, ...access) => deciding.authenticate(request, ...access),
    decide: (request, ...access) => deciding.decide(request, ...access),
    verify: (token, ...rules) => deciding.verify(token, ...rules),
    explain: (subject, ...rules) => deciding.explain(subject, ...rules),
    conceal: (request) => deciding.conceal(request),
    ready: () => current.authenticator.ready(),
    report: () => ({
      ...current.authenticator.report(),
      descriptor: {
        file,
        state: refusal === undefined ? 'applied' : 'refused',
        problem: refusal?.problem,
      },
    }),
    reload: () => reload(true),
    async close() {
      stopping.abort();
      unwatch();
      clearTimeout(settling);
      clearInterval(polling);
      clearTimeout(waiting);
      for (const timer of retired.values()) clearTimeout(timer);
      const all = [current, whole, partial, waited, ...retired.keys()];
      await Promise.all(all.map((made) => made && close(made)));
      await options.directory?.close?.();
    },
  });
}

async function close({ authenticator, leases }: Made): Promise<void> {
  await Promise.all([authenticator.close(), leases.release()]);
}

/** Looks at the source of a keyset that has no keys, now. */
async function lookAt(keyset: Keyset): Promise<void> {
  if (keyset.report().state === 'empty') await (keyset.reload ?? keyset.ready)();
}

function unclosed(directory: GroupResolver): GroupResolver {
  return {
    description: directory.description,
    resolve: (subject, signal) => directory.resolve(subject, signal),
  };
}

/** Of a refusal, what it says to those who run the service. */
function problemOf(error: Error): string {
  return isAuthError(error) && error.detail !== undefined
    ? `${error.message}: ${error.detail}`
    : error.message;
}
