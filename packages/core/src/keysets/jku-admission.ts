// Decides which new key URLs (`jku`) are fetched. Any client can make up such URLs, so only a few
// are fetched in each window of time; URLs that have verified a token are not delayed by made-up
// ones. Nothing is fetched here.
import { LRUCache } from 'lru-cache';

/** Decides which new URLs are fetched. */
export interface Admission {
  /**
   * Asks for leave to fetch a URL.
   * @param issuer as the token says; unverified
   * @returns undefined if the URL may be fetched, else the milliseconds until it makes sense to ask
   *   again
   */
  ask(href: string, issuer: string | undefined): number | undefined;
  /** Records that a key from this URL has verified a token of this issuer. */
  confirm(href: string, issuer: string | undefined): void;
  /** True for a confirmed URL. */
  isConfirmed(href: string): boolean;
  /** Records that the URL gave no keys: it is not fetched again for ten seconds, for any token. */
  failed(href: string): void;
}

export const WINDOW_MS = 10_000;
/** New URLs that one share fetches within one window, in the order of their requests. */
export const MAX_NEW_URLS = 4;
/**
 * Further URLs per window: those requested most often in the window before, and not fetched then.
 */
const MAX_FAVOURED_URLS = 4;
/** Confirmed URLs and issuers that are remembered. */
export const MAX_CONFIRMED_URLS = 128;
export const MAX_CONFIRMED_ISSUERS = 32;
/** Failed URLs that are remembered, with the time of their failure. */
export const MAX_FAILED_URLS = 256;
const COUNTERS = 2 ** 16;

/**
 * The fetches that the tokens of one confirmed issuer, or of all other issuers together, may cause.
 */
interface Share {
  windowStart: number;
  admitted: number;
  favoured: ReadonlySet<string>;
  /** The URLs refused most often in this window, each with its approximate count. */
  readonly most: Map<string, number>;
  /** How often each URL was refused, indexed by its hash. Allocated when it is first needed. */
  counters: Uint16Array | undefined;
}

/** Makes an admission that has no URLs yet. */
export function createAdmission(monotonic = () => performance.now()): Admission {
  const urls = new LRUCache<string, true>({ max: MAX_CONFIRMED_URLS });
  const issuers = new LRUCache<string, Share>({ max: MAX_CONFIRMED_ISSUERS });
  const failedAt = new LRUCache<string, number>({ max: MAX_FAILED_URLS });
  const others = createShare();
  // A random seed: a client cannot compute which URLs share a counter.
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
      const now = monotonic();
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
    failed: (href) => void failedAt.set(href, monotonic()),
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
