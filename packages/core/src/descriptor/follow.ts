// An authenticator that follows a file. What a changed file forbids is refused at once. The whole
// change takes effect when the file is complete and everything that it needs is loaded, or not at
// all.

import { basename, dirname, resolve } from 'node:path';
import {
  type Authenticator,
  type AuthenticatorLimits,
  type AuthenticatorReport,
  authenticatorOf,
} from '../decision/authenticator.ts';
import { type Deciding, narrow } from '../decision/narrow.ts';
import { noteRouteNames, routeNamesOf } from '../decision/route-names.ts';
import { asError, ConfigError, isAuthError } from '../errors.ts';
import { publish, warn } from '../events.ts';
import type { GroupResolver } from '../groups/resolver.ts';
import type { Keyset } from '../keysets/keyset.ts';
import { watchFileAt, watchPath } from '../secrets/directory.ts';
import { ofThisCopy } from '../values/copies.ts';
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

/** The state of a descriptor. */
export interface DescriptorReport {
  readonly file: string;
  /**
   * `refused`: the file has changed and cannot be used, so the options from before are in force.
   * What the change forbids is refused already.
   */
  readonly state: 'applied' | 'refused';
  /** The reason, for logs. */
  readonly problem: string | undefined;
}

/** The state of an authenticator and of the file that it follows. */
export interface DescribedAuthenticatorReport extends AuthenticatorReport {
  readonly descriptor: DescriptorReport;
}

/** An authenticator that follows a descriptor. */
export interface DescribedAuthenticator extends Authenticator {
  report(): DescribedAuthenticatorReport;
  /**
   * Reads the file now; this also happens by itself whenever the file changes. Resolves when the
   * content of the file is in force. A file without an end mark must first stay unchanged for two
   * seconds.
   * @throws ConfigError, AuthError if the file cannot be used; the options from before then stay in
   *   force, and what the change forbids is refused
   */
  reload(): Promise<void>;
}

/** Editors may write a file in several steps, and tools may change several files. */
const SETTLE_MS = 100;
/** For file systems that do not report changes, such as network file systems. */
const LOOK_AGAIN_MS = 30_000;
/** How often to check whether the keys that a text waits for are loaded. */
const WAITING_MS = 1_000;
/** Requests that began with the old options end with them. Longer than any deadline in them. */
const RETIRE_MS = 35_000;

/** A text with its checked options. */
interface Readable extends Pick<CheckedDescriptor, 'settings' | 'end'> {
  readonly text: string;
}

/** A text with the authenticator made from it. */
interface Made extends Readable {
  readonly authenticator: Authenticator;
  readonly leases: KeysetLeases;
  /** Lets go of what is kept for requests to come. */
  rest(): void;
}

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
  const carrier = createCarrier();
  const stopping = new AbortController();
  const retired = new Map<Made, NodeJS.Timeout>();
  let current = makeFirst();
  /** The last complete text, while it waits for its keys. A request that it refuses is refused. */
  let whole: Made | undefined;
  /**
   * The last text that was read, before its turn, or while it may be incomplete. A request that
   * only it refuses is answered with 503.
   */
  let partial: Made | undefined;
  /** The authenticator of a text whose keys are being loaded. */
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

  /**
   * Makes an authenticator from a text. On failure, releases the keysets that were taken for it.
   */
  function make({ text, settings, end }: Readable, leases: KeysetLeases, quiet: boolean): Made {
    const resting = new AbortController();
    try {
      const now = () => current.settings;
      const making = { take: leases.take, quiet, resting: resting.signal, now };
      const authenticator = authenticatorOf(settings, limits, making);
      return { text, end, settings, authenticator, leases, rest: () => resting.abort() };
    } catch (error) {
      void leases.release();
      throw placed(error, parseDescriptor(text, file));
    }
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
      if (stopping.signal.aborted || [current, whole, partial].some((made) => made?.text === text)) return;
      const read = { text, ...loadText(text, kept) };
      if (isPossible(read)) judgeBy({ partial: judgeOf(read, false) });
    } catch {
      // Its own reload reports this error.
    }
  }

  /** False for a text without the end mark that the last one had. */
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
      const closed = whole === undefined ? '' : '. What the change forbids is refused already';
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
    const known = [current, whole].find((made) => made?.text === text);
    if (known === current && whole === undefined && partial === undefined) return true;
    const read: Readable = known ?? { text, ...loadText(text, kept) };
    const isWaiting = known !== undefined && known === whole;
    // The text that was being written over this one has been undone.
    if (isWaiting) judgeBy({ partial: undefined });
    else if (!(await settle(read)) || stopping.signal.aborted) return false;
    if (known === current) return judgeBy({ whole: undefined, partial: undefined });
    return put(read, isAwaited);
  }

  /**
   * Waits until a text is complete. What it forbids is refused meanwhile.
   * @returns false if the file has changed meanwhile
   */
  async function settle(read: Readable): Promise<boolean> {
    if (read.end !== undefined) return true;
    if (!isPossible(read))
      throw new ConfigError(
        'descriptor',
        `expected "..." as the last line of ${file}, as before; write the whole file`,
      );
    if (read !== current && partial?.text !== read.text) judgeBy({ partial: judgeOf(read, false) });
    return (await staysStill(path, stopping.signal)) && readDescriptorFile(file) === read.text;
  }

  /**
   * Puts a complete text in force once its new keys are loaded. Until then, what it forbids is
   * refused.
   * @returns false if the file has changed again
   */
  async function put(read: Readable, isAwaited: boolean): Promise<boolean> {
    const isNew = whole?.text !== read.text;
    const next = make(read, carrier.inForce(current.leases), !isNew);
    waited = next;
    try {
      const fresh = next.leases.fresh();
      const isAtHand = fresh.every((keyset) => keyset.isLoaded());
      if (isNew && !isAtHand) judgeBy({ whole: judgeOf(read, true), partial: undefined });
      // No request may wait for keys that the text before had loaded.
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

  /** @param isWhole false: endpoints and sources may be incomplete, so no token is sent to them */
  function judgeOf(read: Readable, isWhole: boolean): Made {
    const { remote, groups } = isWhole ? read.settings : current.settings;
    const settings = { ...read.settings, remote, groups };
    return make({ ...read, settings }, carrier.judging(current.leases, settings, isWhole), true);
  }

  /** Sets the texts that also judge. @returns true, because the text is dealt with */
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
    old.rest();
    const end = () => {
      retired.delete(old);
      // No decision uses it any more.
      close(old).catch(() => {});
    };
    retired.set(old, setTimeout(end, RETIRE_MS).unref());
  }

  /**
   * Checks whether the keys of a waiting text are loaded. Their sources retry on their own
   * schedule.
   */
  function awaitKeys(): void {
    clearTimeout(waiting);
    if (whole === undefined) return;
    const isAtHand = whole.leases.fresh().every((keyset) => keyset.isLoaded());
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

  const described = Object.freeze<DescribedAuthenticator>({
    ...ofThisCopy,
    kind: 'authenticator',
    get mode() {
      return current.authenticator.mode;
    },
    get readsBody() {
      return current.authenticator.readsBody;
    },
    onRefusal: current.settings.onRefusal,
    authenticate: (request, ...access) => deciding.authenticate(request, ...access),
    decide: (request, ...access) => deciding.decide(request, ...access),
    verify: (token, ...rules) => deciding.verify(token, ...rules),
    explain: (subject, ...rules) => deciding.explain(subject, ...rules),
    conceal: (request) => deciding.conceal(request),
    ready: () => current.authenticator.ready(),
    start: (...wait) => current.authenticator.start(...wait),
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
      for (const stop of unwatch) stop();
      clearTimeout(settling);
      clearInterval(polling);
      clearTimeout(waiting);
      for (const timer of retired.values()) clearTimeout(timer);
      const all = [current, whole, partial, waited, ...retired.keys()];
      retired.clear();
      await Promise.all(all.map((made) => made && close(made)));
      await options.directory?.close?.();
    },
  });
  noteRouteNames(described, () => routeNamesOf(current.authenticator) ?? []);
  return described;
}

async function close({ authenticator, leases }: Made): Promise<void> {
  await Promise.all([authenticator.close(), leases.release()]);
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
