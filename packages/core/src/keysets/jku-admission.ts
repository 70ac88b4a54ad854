// Which key URLs of tokens are fetched that were not fetched before. Anybody can make up such URLs,
// so few are fetched in a window of time, and what has proved good is not held up by what anybody
// can make up.
import { LRUCache } from 'lru-cache';

/** Decides which new URLs are fetched. */
export interface Admission {
  /**
   * Asks for a fetch.
   * @param issuer as the token says; unverified
   * @returns undefined if the URL may be fetched, else the milliseconds until it makes sense to ask
   *   again
   */
  ask(href: string, issuer: string | undefined): number | undefined;
  /** A key from this URL has verified a token of this issuer. */
  confirm(href: string, issuer: string | undefined): void;
  /** True for a URL that was confirmed. */
  isConfirmed(href: string): boolean;
  /** The URL gave nothing: it is not fetched again in the next ten seconds, whoever asks. */
  failed(href: string): void;
}

export const WINDOW_MS = 10_000;
/** New URLs that are fetched within one window for one share, whichever come first. */
export const MAX_NEW_URLS = 4;
/** And those that were asked for most in the window before, and were not fetched. */
const MAX_FAVOURED_URLS = 4;
/** URLs and issuers that are known to be good. */
export const MAX_CONFIRMED_URLS = 128;
export const MAX_CONFIRMED_ISSUERS = 32;
/** URLs that gave nothing, and when. */
export const MAX_FAILED_URLS = 256;
const COUNTERS = 2 ** 16;

/** What the tokens of one confirmed issuer, or of all others together, may cause. */
interface Share {
  windowStart: number;
  admitted: number;
  favoured: ReadonlySet<string>;
  /** The URLs that were turned away most often in this window, and how often about. */
  readonly most: Map<string, number>;
  /** How often each was turned away, by its hash. Made when it is needed. */
  counters: Uint16Array | undefined;
}

/** Makes an admission with nothing in it. */
export function createAdmission(): Admission {
  const urls = new LRUCache<string, true>({ max: MAX_CONFIRMED_URLS });
  const issuers = new LRUCache<string, Share>({ max: MAX_CONFIRMED_ISSUERS });
  const failedAt = new LRUCache<string, number>({ max: MAX_FAILED_URLS });
  const others = createShare();
  // Nobody can tell which URLs share a counter.
  const seed = Math.trunc(Math.random() * 2 ** 32);

  function turnAway(share: Share, href: string): void {
    share.counters ??= new Uint16Array(COUNTERS);
    const place = hash(href, seed) % COUNTERS;
    const count = Math.min((share.counters[place] ?? 0) + 1, 2 ** 16 - 1);
    share.counters[place] = count;
    if (count < 2) return;
    share.most.set(href, count);
    if (share.most.size <= MAX_FAVOURED_URLS) return;
    const [least] = [...share.most].sort(([, one], [, other]) => one - other);
    if (least !== undefined) share.most.delete(least[0]);
  }

  return {
    ask(href, issuer) {
      const now = performance.now();
      const failed = failedAt.get(href);
      if (failed !== undefined && now - failed < WINDOW_MS) return failed + WINDOW_MS - now;
      if (urls.has(href)) return undefined;
      const share = (issuer === undefined ? undefined : issuers.get(issuer)) ?? others;
      if (now - share.windowStart >= WINDOW_MS) beginWindow(share, now);
      if (share.favoured.has(href)) return undefined;
      if (share.admitted < MAX_NEW_URLS) {
        share.admitted++;
        return undefined;
      }
      turnAway(share, href);
      return share.windowStart + WINDOW_MS - now;
    },
    confirm(href, issuer) {
      urls.set(href, true);
      if (issuer !== undefined && !issuers.has(issuer)) issuers.set(issuer, createShare());
    },
    isConfirmed: (href) => urls.has(href),
    failed: (href) => void failedAt.set(href, performance.now()),
  };
}

function createShare(): Share {
  return {
    windowStart: Number.NEGATIVE_INFINITY,
    admitted: 0,
    favoured: new Set(),
    most: new Map(),
    counters: undefined,
  };
}

function beginWindow(share: Share, now: number): void {
  share.windowStart = now;
  share.admitted = 0;
  share.favoured = new Set(share.most.keys());
  share.most.clear();
  share.counters = undefined;
}

function hash(text: string, seed: number): number {
  let mixed = seed;
  for (let index = 0; index < text.length; index++)
    mixed = Math.imul(mixed ^ text.charCodeAt(index), 0x9e3779b1);
  return Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) >>> 16;
}
