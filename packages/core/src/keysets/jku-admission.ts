// Decides which new sources of keys are fetched that only tokens name: key URLs (`jku`), and the
// issuers of tenants. Any client can make them up, so only a few are fetched in each window of
// time; those that have verified a token are not delayed by made-up ones. Nothing is fetched here.
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

/** How many fetches an admission allows. */
export interface AdmissionLimits {
  readonly windowMs: number;
  /** New sources that one share fetches within one window, in the order of their requests. */
  readonly fresh: number;
  /** Further ones per window: those requested most often in the window before, and not fetched. */
  readonly favoured: number;
  /** Confirmed sources that are remembered. */
  readonly confirmed: number;
  /** A source that is confirmed in its window does not count among the new ones of the window. */
  readonly givesBack: boolean;
}

/** The limits for key URLs. */
const FOR_URLS: AdmissionLimits = {
  windowMs: WINDOW_MS,
  fresh: MAX_NEW_URLS,
  favoured: MAX_FAVOURED_URLS,
  confirmed: MAX_CONFIRMED_URLS,
  givesBack: false,
};

/**
 * The fetches that the tokens of one confirmed issuer, or of all other issuers together, may cause.
 */
interface Share {
  windowStart: number;
  admitted: number;
  /** Those that count in `admitted`. Stays empty unless the limits give back. */
  readonly counted: Set<string>;
  favoured: ReadonlySet<string>;
  /** The URLs refused most often in this window, each with its approximate count. */
  readonly most: Map<string, number>;
  /** How often each URL was refused, indexed by its hash. Allocated when it is first needed. */
  counters: Uint16Array | undefined;
}

/** Makes an admission that has no URLs yet. */
export function createAdmission(
  monotonic = () => performance.now(),
  { windowMs, fresh, favoured, confirmed, givesBack }: AdmissionLimits = FOR_URLS,
): Admission {
  const urls = new LRUCache<string, true>({ max: confirmed });
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
    if (share.most.size <= favoured) return;
    let least: string | undefined;
    for (const [one, times] of share.most)
      if (least === undefined || times < (share.most.get(least) ?? 0)) least = one;
    if (least !== undefined) share.most.delete(least);
  }

  return {
    ask(href, issuer) {
      const now = monotonic();
      const failed = failedAt.get(href);
      if (failed !== undefined && now - failed < WINDOW_MS) return failed + WINDOW_MS - now;
      if (urls.has(href)) return undefined;
      const share = (issuer === undefined ? undefined : issuers.get(issuer)) ?? others;
      if (now - share.windowStart >= windowMs) beginWindow(share, now);
      if (share.favoured.has(href)) return undefined;
      if (share.admitted < fresh) {
        share.admitted++;
        if (givesBack) share.counted.add(href);
        return undefined;
      }
      turnAway(share, href);
      return share.windowStart + windowMs - now;
    },
    confirm(href, issuer) {
      urls.set(href, true);
      if (others.counted.delete(href)) others.admitted--;
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
    counted: new Set(),
    favoured: new Set(),
    most: new Map(),
    counters: undefined,
  };
}

function beginWindow(share: Share, now: number): void {
  share.windowStart = now;
  share.admitted = 0;
  share.counted.clear();
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
