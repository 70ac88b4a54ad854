// A cache by token, looked up by a hash and compared as a whole. Bounded by number and by bytes.
// The caller decides what an entry contains and whether it is still valid.
//
// A hit touches a table, a slot and the token, and moves nothing: which slot goes is decided when a
// token comes in (CLOCK). A token replaces another one only if it was used more often lately, so a
// workload that is larger than the cache does not push out what is used (TinyLFU).
import { createTokenFrequency } from './token-frequency.ts';
import { createTokenHash } from './token-hash.ts';

/** The limits of a cache. */
export interface CacheLimits {
  readonly tokens: number;
  /** The estimated memory of the entries: tokens and claims. */
  readonly bytes: number;
}

/** What the cache has to know about an entry. */
export interface Weight {
  /** The estimated size of the entry, without the token. */
  readonly bytes: number;
  /** When the entry is of no use any more. */
  readonly untilMs: number;
  /** What `note` said. */
  readonly uses: number;
}

/** Stores one entry for each of the tokens that are used most. */
export interface TokenCache<T extends object> {
  /** @returns the entry of exactly this token */
  get(token: string): T | undefined;
  /**
   * Counts a token that has verified and is not in the cache.
   * @returns how often it was used, if the cache may take it; undefined for a token that is new,
   *   too long, or used less than one that would have to go
   */
  note(token: string, nowMs: number): number | undefined;
  /**
   * Stores an entry, if no entry has to go that was used more.
   * @returns a copy of the token, which the entry has; undefined if it is not stored
   */
  set(token: string, entry: T, weight: Weight, nowMs: number): string | undefined;
  delete(token: string): void;
}

interface Slot<T> {
  readonly hash: number;
  readonly token: string;
  readonly kept: T;
  readonly bytes: number;
  readonly untilMs: number;
  /** Its place among all slots. */
  at: number;
  /** The next slot of the same bucket. */
  next: Slot<T> | undefined;
  /** How often it was used in `generation`, and in the one before. */
  uses: number;
  before: number;
  generation: number;
}

/** Longer tokens are rare, and each would evict many others. */
const MAX_TOKEN_LENGTH = 4096;
/** The memory of an entry in addition to its content. */
const BYTES_PER_ENTRY = 600;
/**
 * The most uses of a slot that count. Fewer than those of a token outside, so that a token that is
 * used again and again comes in at last.
 */
const MAX_USES = 15;
/** From how many uses on a token is stored. */
const MIN_USES = 2;
/** How many slots a new token is compared with. */
const CANDIDATES = 4;
/** The buckets of an empty cache. They double when there are more entries. */
const FIRST_BUCKETS = 64;

/** The largest number of entries. */
function mostOf({ tokens, bytes }: CacheLimits): number {
  return Math.max(1, Math.min(tokens, Math.ceil(bytes / BYTES_PER_ENTRY)));
}

/** Makes an empty cache. */
export function createTokenCache<T extends object>(limits: CacheLimits): TokenCache<T> {
  const most = mostOf(limits);
  const frequency = createTokenFrequency(most);
  const hashOf = createTokenHash();
  const slots: Slot<T>[] = [];
  let buckets = emptyBuckets<T>(FIRST_BUCKETS);
  let bytes = 0;
  /** The slot that goes next, unless it was used more than the token that comes in. */
  let hand = 0;

  function find(hash: number): Slot<T> | undefined {
    let slot = buckets[hash & (buckets.length - 1)];
    while (slot !== undefined && slot.hash !== hash) slot = slot.next;
    return slot;
  }

  function link(slot: Slot<T>): void {
    const bucket = slot.hash & (buckets.length - 1);
    slot.next = buckets[bucket];
    buckets[bucket] = slot;
  }

  function add(slot: Slot<T>): void {
    slots.push(slot);
    bytes += slot.bytes;
    link(slot);
    if (slots.length <= buckets.length) return;
    buckets = emptyBuckets(2 * buckets.length);
    for (const each of slots) link(each);
  }

  function remove(slot: Slot<T>): void {
    const bucket = slot.hash & (buckets.length - 1);
    let other = buckets[bucket];
    if (other === slot) buckets[bucket] = slot.next;
    while (other !== undefined && other.next !== slot) other = other.next;
    if (other !== undefined) other.next = slot.next;
    bytes -= slot.bytes;
    const last = slots.pop();
    if (last === undefined || last === slot) return;
    put(last, slot.at);
  }

  function put(slot: Slot<T>, at: number): void {
    slots[at] = slot;
    slot.at = at;
  }

  /** Gives the newest slot the place of one that has gone, so that all others go before it. */
  function takePlace(slot: Slot<T>, place: number): void {
    const moved = slots[place];
    if (moved !== undefined) put(moved, slot.at);
    put(slot, place);
    hand = place + 1;
  }

  /** Lets a slot know the present generation. */
  function age(slot: Slot<T>): void {
    const passed = frequency.generation - slot.generation;
    if (passed === 0) return;
    slot.before = passed === 1 ? slot.uses : 0;
    slot.uses = 0;
    slot.generation += passed;
  }

  /** The slot that would have to go for a token; undefined if the slots stay that are next. */
  function victimOf(uses: number, nowMs: number): Slot<T> | undefined {
    for (let tried = 0; tried < CANDIDATES; tried++) {
      if (hand >= slots.length) hand = 0;
      const slot = slots[hand];
      if (slot === undefined) return undefined;
      age(slot);
      if (slot.untilMs <= nowMs || Math.min(slot.uses + slot.before, MAX_USES) < uses) return slot;
      hand++;
    }
    return undefined;
  }

  const isFull = (size: number): boolean => slots.length >= most || bytes + size > limits.bytes;

  return {
    get(token) {
      const slot = find(hashOf(token));
      // Others may have the same hash.
      if (slot === undefined || slot.token !== token) return undefined;
      if (slot.generation !== frequency.generation) age(slot);
      if (slot.uses < MAX_USES) slot.uses++;
      return slot.kept;
    },
    note(token, nowMs) {
      if (token.length > MAX_TOKEN_LENGTH) return undefined;
      const uses = frequency.note(hashOf(token));
      if (uses < MIN_USES) return undefined;
      const isTaken = !isFull(BYTES_PER_ENTRY + token.length) || victimOf(uses, nowMs) !== undefined;
      return isTaken ? uses : undefined;
    },
    set(given, kept, { bytes: content, untilMs, uses }, nowMs) {
      const size = BYTES_PER_ENTRY + given.length + content;
      if (given.length > MAX_TOKEN_LENGTH || size > limits.bytes) return undefined;
      const hash = hashOf(given);
      const same = find(hash);
      if (same !== undefined) remove(same);
      let place: number | undefined;
      while (isFull(size)) {
        const victim = victimOf(uses, nowMs);
        if (victim === undefined) return undefined;
        place = victim.at;
        remove(victim);
      }
      // A copy: V8 represents the token as a slice of its header, and would keep the whole header
      // in memory.
      const token = Buffer.from(given, 'latin1').toString('latin1');
      const slot: Slot<T> = {
        hash,
        token,
        kept,
        bytes: size,
        untilMs,
        at: slots.length,
        next: undefined,
        uses: Math.min(uses, MAX_USES),
        before: 0,
        generation: frequency.generation,
      };
      add(slot);
      if (place !== undefined) takePlace(slot, place);
      return token;
    },
    delete(token) {
      const slot = find(hashOf(token));
      if (slot?.token === token) remove(slot);
    },
  };
}

function emptyBuckets<T>(length: number): (Slot<T> | undefined)[] {
  return new Array<Slot<T> | undefined>(length).fill(undefined);
}
