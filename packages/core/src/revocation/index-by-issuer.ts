// The revocations in force, by issuer and id: bounded, and ended by a time wheel. A look-up
// allocates nothing. Which claims are looked up is decided here; where they come from is not.
import { type Clock, monotonicOf } from '../values/clock.ts';
import { type JsonObject, own } from '../values/json.ts';
import {
  kindOfRevocation,
  MOST_SKEW_MS,
  REVOCATION_KINDS,
  type RevocationKind,
  type StoredRevocation,
} from './revocation.ts';

/** The revocations that are in force. */
export interface RevocationIndex {
  /**
   * Adds entries, or merges them with known ones. Those that do not fit make it overfull.
   * @returns false if one does not fit
   */
  add(entries: Iterable<StoredRevocation>): boolean;
  /** Replaces all. */
  replace(entries: Iterable<StoredRevocation>): void;
  /** Returns which kind of revocation ends the token of these claims; undefined if none does. */
  find(claims: JsonObject): RevocationKind | undefined;
  /** Changes the greatest number. Forgets nothing. */
  resize(entries: number): void;
  /** The number of revocations that are remembered. */
  size(): number;
  /**
   * True while a revocation that did not fit may still be needed. It cannot be known which tokens
   * it ends.
   */
  isOverfull(): boolean;
}

/** One revocation. */
interface Entry {
  readonly kind: RevocationKind;
  readonly issuer: string;
  readonly id: string;
  /** In seconds: tokens with a smaller `iat` are ended. Infinite for `jti` and `sid`. */
  endsBefore: number;
  /** Milliseconds since the epoch, the clock skew included. */
  untilMs: number;
  /**
   * The same in monotonic time, by the clock when it was added, and `KEPT_MS` later. It is
   * remembered until both are over.
   */
  untilMonotonic: number;
}

/** By issuer, then by id. An issuer without revocations is not in it. */
type Held = Map<string, Map<string, Entry>>;

/** The length of a slot of the wheel: entries end up to this late. */
const SLOT_MS = 60_000;
/** An entry is kept this much longer, so that a clock that is set ahead and back ends none. */
const KEPT_MS = 3_600_000;
/** How many entries end in one call, so that no request waits for all of them. */
const ENDS_PER_CALL = 1000;
/** The id of the entry for all tokens of an issuer. */
const ALL = '';

/**
 * Makes an empty index.
 * @param most the greatest number of revocations. None is forgotten for a new one
 */
export function createRevocationIndex(most: number, clock: Clock): RevocationIndex {
  const monotonic = monotonicOf(clock);
  let entries = most;
  let held = nothing();
  let wheel = new Map<number, Entry[]>();
  /** The entries of slots that are over. */
  let ending: Entry[] = [];
  let size = 0;
  let sweptSlot = Number.NEGATIVE_INFINITY;
  let overfullUntil = Number.NEGATIVE_INFINITY;

  function sweep(): void {
    const now = monotonic();
    const slot = Math.floor(now / SLOT_MS);
    if (slot !== sweptSlot) {
      sweptSlot = slot;
      for (const [end, due] of wheel) {
        if (end > slot) continue;
        wheel.delete(end);
        ending = ending.length === 0 ? due : ending.concat(due);
      }
    }
    for (let left = ENDS_PER_CALL; left > 0; left--) {
      const entry = ending.pop();
      if (entry === undefined) return;
      // The clock may have been ahead when it was added, or the entry was extended.
      if (!(clock.now() >= entry.untilMs)) entry.untilMonotonic = monotonicEnd(entry.untilMs);
      if (entry.untilMonotonic > now) enterWheel(entry);
      else remove(entry);
    }
  }

  function remove({ kind, issuer, id }: Entry): void {
    const ofIssuer = held[kind].get(issuer);
    if (ofIssuer?.delete(id) !== true) return;
    size--;
    if (ofIssuer.size === 0) held[kind].delete(issuer);
  }

  function monotonicEnd(untilMs: number): number {
    const left = untilMs - clock.now();
    // A clock that gives no number tells nothing.
    return monotonic() + (Number.isFinite(left) ? Math.max(left, 0) : 0) + KEPT_MS;
  }

  /** An entry is in one slot only; if its time is extended, it moves when that slot is over. */
  function enterWheel(entry: Entry): void {
    const slot = Math.floor(entry.untilMonotonic / SLOT_MS) + 1;
    const there = wheel.get(slot);
    if (there === undefined) wheel.set(slot, [entry]);
    else there.push(entry);
  }

  /** @returns false if it does not fit */
  function addOne(revocation: StoredRevocation): boolean {
    const untilMs = revocation.until + MOST_SKEW_MS;
    if (untilMs + KEPT_MS <= clock.now()) return true;
    const { issuer } = revocation;
    const kind = kindOfRevocation(revocation);
    const id = kind === 'issuer' ? ALL : (revocation[kind] ?? ALL);
    // `iat` is in whole seconds, as a rule: a token of the same second counts as issued before.
    const endsBefore =
      revocation.issuedBefore === undefined
        ? Number.POSITIVE_INFINITY
        : Math.floor(revocation.issuedBefore / 1000) + 1;
    const ofIssuer = held[kind].get(issuer) ?? new Map<string, Entry>();
    const known = ofIssuer.get(id);
    if (known !== undefined) {
      known.endsBefore = Math.max(known.endsBefore, endsBefore);
      known.untilMs = Math.max(known.untilMs, untilMs);
      known.untilMonotonic = Math.max(known.untilMonotonic, monotonicEnd(untilMs));
      return true;
    }
    // Many may have ended at once.
    while (size >= entries && ending.length > 0) sweep();
    if (size >= entries) {
      overfullUntil = Math.max(overfullUntil, monotonicEnd(untilMs));
      return false;
    }
    const untilMonotonic = monotonicEnd(untilMs);
    const entry: Entry = { kind, issuer, id, endsBefore, untilMs, untilMonotonic };
    held[kind].set(issuer, ofIssuer.set(id, entry));
    size++;
    enterWheel(entry);
    return true;
  }

  function add(added: Iterable<StoredRevocation>): boolean {
    sweep();
    let fits = true;
    for (const one of added) fits = addOne(one) && fits;
    return fits;
  }

  return Object.freeze<RevocationIndex>({
    add,
    replace(all) {
      held = nothing();
      wheel = new Map();
      ending = [];
      size = 0;
      overfullUntil = Number.NEGATIVE_INFINITY;
      add(all);
    },
    find(claims) {
      if (size === 0) return undefined;
      sweep();
      for (const kind of KINDS)
        for (const claim of CLAIMS[kind]) if (isFound(held[kind], claim, claims)) return kind;
      return undefined;
    },
    resize(next) {
      entries = next;
    },
    size() {
      sweep();
      return size;
    },
    isOverfull: () => overfullUntil !== Number.NEGATIVE_INFINITY && monotonic() < overfullUntil,
  });
}

function nothing(): { readonly [Kind in RevocationKind]: Held } {
  return { jti: new Map(), sid: new Map(), sub: new Map(), client: new Map(), issuer: new Map() };
}

const KINDS: readonly RevocationKind[] = [...REVOCATION_KINDS, 'issuer'];
/** The claims whose values are the ids of a kind. None: the id is the same for all tokens. */
const CLAIMS: { readonly [Kind in RevocationKind]: readonly (string | undefined)[] } = {
  jti: ['jti'],
  sid: ['sid'],
  sub: ['sub'],
  client: ['client_id', 'azp'],
  issuer: [undefined],
};

function isFound(held: Held, claim: string | undefined, claims: JsonObject): boolean {
  if (held.size === 0) return false;
  const id = claim === undefined ? ALL : own(claims, claim);
  // The id of a revocation is a string, so another value does not match.
  if (typeof id !== 'string') return false;
  const issuer = own(claims, 'iss');
  if (typeof issuer === 'string') return isEnded(held.get(issuer)?.get(id), claims);
  // It is not known which issuer the token is from.
  for (const ofIssuer of held.values()) if (isEnded(ofIssuer.get(id), claims)) return true;
  return false;
}

function isEnded(entry: Entry | undefined, claims: JsonObject): boolean {
  if (entry === undefined) return false;
  const issuedAt = own(claims, 'iat');
  // True also without `iat`, and where it is not a number.
  return !(typeof issuedAt === 'number' && issuedAt >= entry.endsBefore);
}
