// An authenticator that does what a file says: a changed file is taken whole, when all that it needs is at hand, or not at all.

import { basename, dirname, resolve } from 'node:path';
import {
  type Authenticator,
  type AuthenticatorLimits,
  type AuthenticatorReport,
  authenticatorOf,
} from '../decision/authenticator.ts';
import { asError, ConfigError, isAuthError } from '../errors.ts';
import { publish, warn } from '../events.ts';
import type { GroupResolver } from '../groups/resolver.ts';
import { watchPath } from '../secrets/directory.ts';
import { parseDescriptor, placed } from './document.ts';
import { type DescriptorOptions, loadText, readDescriptorFile, readDescriptorOptions } from './load.ts';

/** How a descriptor fares. */
export interface DescriptorReport {
  readonly file: string;
  /** `refused`: the file says something else than what is done, and cannot be followed. */
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
   * Looks at the file now, as it does by itself whenever the file changes.
   * @throws ConfigError, AuthError if what it says cannot be followed; what was done before is done on
   */
  reload(): Promise<void>;
}

/** For editors that write a file in several steps, and tools that change several things. */
const SETTLE_MS = 100;
/** Where changes are not told of (network file systems), and for a source that could not be reached. */
const LOOK_AGAIN_MS = 30_000;
/** What was begun with the options before is ended with them. Longer than any deadline of theirs. */
const RETIRE_MS = 35_000;

/** Follows a descriptor. Reads it at once, and fetches nothing. @throws ConfigError */
export function followDescriptor(
  value: DescriptorOptions,
  limits?: AuthenticatorLimits,
): DescribedAuthenticator {
  const options = readDescriptorOptions(value);
  const { descriptor: file, directory } = options;
  // One after the other uses it: none of them closes it.
  const kept = directory === undefined ? options : { ...options, directory: unclosed(directory) };
  const path = resolve(file);
  let isClosed = false;
  const retired = new Map<Authenticator, NodeJS.Timeout>();
  /** What is done, and what was last seen to be impossible. */
  let text = readDescriptorFile(file);
  let current = build(text);
  let refusal: { readonly text: string | undefined; readonly problem: string } | undefined;
  let candidate: Authenticator | undefined;
  let reloading: Promise<void> | undefined;
  let settling: NodeJS.Timeout | undefined;

  function build(of: string): Authenticator {
    const { settings } = loadText(of, kept);
    try {
      return authenticatorOf(settings, limits);
    } catch (error) {
      throw placed(error, parseDescriptor(of, file));
    }
  }

  /** One at a time: of two changes, the later one is done last. */
  function reload(): Promise<void> {
    const before = reloading ?? Promise.resolve();
    const running = before.then(apply, apply).finally(() => {
      if (reloading === running) reloading = undefined;
    });
    reloading = running;
    return running;
  }

  async function apply(): Promise<void> {
    if (isClosed) return;
    let seen: string | undefined;
    try {
      seen = readDescriptorFile(file);
      if (seen !== text) await replace(seen);
      refusal = undefined;
    } catch (thrown) {
      const error = asError(thrown);
      const problem = problemOf(error);
      // Said once for each text, and once for none.
      if (refusal === undefined || refusal.text !== seen) {
        warn('LATCHKEY_UNAVAILABLE', `${file} has changed and cannot be followed: ${problem}`);
        publish('latchkey:descriptor:refused', { file, error });
      }
      refusal = { text: seen, problem };
      throw error;
    }
  }

  async function replace(seen: string): Promise<void> {
    const next = build(seen);
    candidate = next;
    try {
      // Nobody is to wait for keys that the one before had at hand.
      await next.ready();
      if (isClosed) return void (await next.close());
      // Written on meanwhile: that text is next, and this one was none.
      if (readDescriptorFile(file) !== seen) throw new ConfigError('descriptor', `${file} is being written`);
    } catch (error) {
      await next.close();
      throw error;
    } finally {
      candidate = undefined;
    }
    retire(current);
    current = next;
    text = seen;
    publish('latchkey:descriptor:applied', { file });
  }

  function retire(old: Authenticator): void {
    const close = () => {
      retired.delete(old);
      old.close().catch(() => {
        // Nobody is served by it any more.
      });
    };
    retired.set(old, setTimeout(close, RETIRE_MS).unref());
  }

  function lookAgain(): void {
    reload().catch(() => {
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
      return current.mode;
    },
    authenticate: (request, access) => current.authenticate(request, access),
    decide: (request, access) => current.decide(request, access),
    verify: (token, rules) => current.verify(token, rules),
    explain: (subject, rules) => current.explain(subject, rules),
    conceal: (request) => current.conceal(request),
    ready: () => current.ready(),
    report: () => ({
      ...current.report(),
      descriptor: {
        file,
        state: refusal === undefined ? 'applied' : 'refused',
        problem: refusal?.problem,
      },
    }),
    reload,
    async close() {
      isClosed = true;
      unwatch();
      clearTimeout(settling);
      clearInterval(polling);
      for (const timer of retired.values()) clearTimeout(timer);
      await Promise.all([current, candidate, ...retired.keys()].map((each) => each?.close()));
      await options.directory?.close?.();
    },
  });
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
