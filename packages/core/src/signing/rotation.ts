// Rotation of own keys: the next key is published before it signs, and the old key stays until its
// last token has expired. All state is in the JWK Set: a key signs from its `nbf`, and can be
// dropped after its `exp`. So an interrupted rotation can continue at any point.

import { ConfigError } from '../errors.ts';
import { generateJwk } from '../jwk/generate.ts';
import { MAX_KEYS } from '../jwk/import-jwks.ts';
import { withDeadline } from '../net/deadline.ts';
import { DEADLINE_MS } from '../net/limits.ts';
import { checkSecret, findSecret } from '../secrets/read.ts';
import { MAX_SECRET_BYTES, type SecretReference, type SecretStore } from '../secrets/store.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import { isJsonObject, type JsonObject, parseJsonObject } from '../values/json.ts';
import type { SignerSettings } from './options.ts';
import { importSigningKey, type SigningKey } from './signing-key.ts';

/** The key that signs next. */
export interface RotatedKey {
  readonly kid: string | undefined;
  /** NumericDate; undefined for the first key, which signs at once. */
  readonly signsFrom: number | undefined;
}

/** The result for keys that no longer sign. */
export interface RetiredKeys {
  /** The kids of the removed keys. */
  readonly dropped: readonly (string | undefined)[];
  /**
   * The remaining keys, each with the NumericDate from which it is safe to drop: the greatest `exp`
   * of its tokens.
   */
  readonly kept: readonly { readonly kid: string | undefined; readonly safeToDropAt: number }[];
}

/** The two steps of a rotation. */
interface Rotation {
  rotate(): Promise<RotatedKey>;
  retire(): Promise<RetiredKeys>;
}

interface Place {
  readonly store: SecretStore;
  readonly reference: SecretReference;
  readonly update: NonNullable<SecretStore['update']>;
}

/**
 * A member of the set, with its signing key; undefined for keys of other signers, which are not
 * changed.
 */
interface Member {
  readonly jwk: JsonObject;
  readonly own: SigningKey | undefined;
}

/** The clocks of other machines may be behind when the next key starts to sign. */
const CLOCK_SKEW_SECONDS = 60;

/**
 * Makes the rotation of a signer's keys.
 * @param greatestExps the greatest `exp` that this process has signed, by kid
 */
export function createRotation(
  settings: SignerSettings,
  greatestExps: ReadonlyMap<string | undefined, number>,
): Rotation {
  let last: Promise<unknown> = Promise.resolve();

  /** Runs one step at a time: each reads what the step before has written. */
  function inTurn<T>(move: () => Promise<T>): Promise<T> {
    const turn = last.then(move);
    last = turn.catch(() => {});
    return turn;
  }

  return {
    rotate: () => inTurn(() => rotate(settings)),
    retire: () => inTurn(() => retire(settings, greatestExps)),
  };
}

async function rotate(settings: SignerSettings): Promise<RotatedKey> {
  const place = placeOf(settings);
  const seconds = () => settings.clock.now() / 1000;
  const before = nextOf(membersOf(await readDocument(place), settings), seconds());
  if (before !== undefined) return before;
  // Generated before the lock is taken: it takes time, and other processes would wait.
  const jwk = await generateJwk(await algorithmOf(place, settings));
  const rotated = await changeKeys(place, (document) => {
    const now = seconds();
    const members = membersOf(document, settings);
    const waiting = nextOf(members, now);
    if (waiting !== undefined) return { result: waiting };
    const current = currentOf(members, now);
    const signsFrom = current === undefined ? undefined : Math.ceil(now + settings.publishAheadMs / 1000);
    const next = signsFrom === undefined ? jwk : { ...jwk, nbf: signsFrom };
    // A set that is longer is no set to anybody any more, and neither can it be retired from.
    if (members.length >= MAX_KEYS)
      throw new Error(
        `rotate: expected fewer than ${MAX_KEYS} keys in the secret, got ${members.length}; retire() first`,
      );
    const others = members.map((member) => retiring(member, member === current, signsFrom, settings));
    return { result: { kid: String(jwk.kid), signsFrom }, keys: [...others, next] };
  });
  // Read again: without locking, another process may have written last.
  const written = membersOf(await readDocument(place), settings);
  if (written.some((member) => member.jwk.kid === rotated.kid)) return rotated;
  const theirs =
    nextOf(written, seconds()) ??
    (rotated.signsFrom === undefined ? turnOf(currentOf(written, seconds())) : undefined);
  if (theirs === undefined)
    throw new Error('rotate: another process changed the secret at the same time; try again');
  return theirs;
}

function retire(
  settings: SignerSettings,
  greatestExps: ReadonlyMap<string | undefined, number>,
): Promise<RetiredKeys> {
  return changeKeys(placeOf(settings), (document) => {
    const now = settings.clock.now() / 1000;
    const members = membersOf(document, settings).map((member) => ({
      ...member,
      safeToDropAt:
        member.own?.signedUntil === undefined
          ? Number.POSITIVE_INFINITY
          : Math.max(member.own.signedUntil, greatestExps.get(member.own.kid) ?? 0),
    }));
    const due = members.filter(({ safeToDropAt }) => safeToDropAt <= now);
    const kept = members.filter(({ safeToDropAt }) => safeToDropAt > now);
    return {
      result: {
        dropped: due.map(({ own }) => own?.kid),
        kept: kept.flatMap(({ own, safeToDropAt }) =>
          own?.signedUntil === undefined ? [] : [{ kid: own.kid, safeToDropAt }],
        ),
      },
      keys: due.length === 0 ? undefined : kept.map(({ jwk }) => jwk),
    };
  });
}

/**
 * Finds the entry to rotate.
 * @throws ConfigError for keys that cannot be rotated here
 */
function placeOf(settings: SignerSettings): Place {
  if (settings.source !== 'secret' && settings.source !== 'externalSecret')
    throw new ConfigError(settings.source, 'expected keys in a secret; rotate other keys at their source');
  const { reference, store } = settings;
  if (settings.format !== 'jwks')
    throw new ConfigError(`${settings.source}.format`, 'expected jwks; only a JWK Set can hold two keys');
  if (settings.kid !== undefined)
    throw new ConfigError(
      'kid',
      'expected no kid, because it pins the signer to one key; remove it to rotate',
    );
  const update = store.update?.bind(store) ?? updateByWriting(store);
  if (update === undefined)
    throw new ConfigError(`${settings.source}s`, 'expected a store that can be written');
  return { store, reference, update };
}

/** For a store with `write` only: another process may write between reading and writing. */
function updateByWriting(store: SecretStore): Place['update'] | undefined {
  const write = store.write?.bind(store);
  if (write === undefined) return undefined;
  return async (reference, change, signal) => {
    const value = change(await findSecret(store, reference, signal));
    if (value !== undefined) await write(reference, value, signal);
  };
}

/** The result of a step. */
interface Changed<T> {
  readonly result: T;
  /** Undefined: the set is not changed. */
  readonly keys?: readonly JsonObject[] | undefined;
}

/** Changes the set, locked against other processes if the store has `update`. */
async function changeKeys<T>(
  { reference, update }: Place,
  change: (document: JsonObject) => Changed<T>,
): Promise<T> {
  let changed: Changed<T> | undefined;
  const made = (bytes: Uint8Array | undefined) => {
    const document = documentOf(checkSecret(bytes, reference));
    changed = change(document);
    if (changed.keys === undefined) return undefined;
    const written = Buffer.from(`${JSON.stringify({ ...document, keys: changed.keys }, undefined, 2)}\n`);
    // Some stores would take more than is read from them.
    if (written.length > MAX_SECRET_BYTES && written.length > (bytes?.length ?? 0))
      throw new Error(`rotate: the secret would be longer than ${MAX_SECRET_BYTES} bytes; retire() first`);
    return written;
  };
  const { signal } = new AbortController();
  await withDeadline(DEADLINE_MS, signal, (inner) => update(reference, made, inner));
  if (changed === undefined) throw new Error('rotate: the store did not call change()');
  return changed.result;
}

async function readDocument({ store, reference }: Place): Promise<JsonObject> {
  return documentOf(await findSecret(store, reference, new AbortController().signal));
}

/**
 * Reads the JWK Set.
 * @returns an empty set if the entry does not exist yet
 */
function documentOf(bytes: Uint8Array | undefined): JsonObject {
  const document = bytes === undefined ? { keys: [] } : parseJsonObject(bytes);
  if (!Array.isArray(document.keys) || !document.keys.every(isJsonObject))
    throw new Error('rotate: expected a JWK Set in the secret');
  return document;
}

function membersOf({ keys }: JsonObject, settings: SignerSettings): readonly Member[] {
  return (keys as readonly JsonObject[]).map((jwk) => {
    const key = importSigningKey(jwk, settings);
    return { jwk, own: 'reason' in key ? undefined : key };
  });
}

/** The key whose `nbf` is in the future, if there is one. */
function nextOf(members: readonly Member[], now: number): RotatedKey | undefined {
  const next = members.find(({ own }) => own !== undefined && own.signsFrom > now);
  return turnOf(next);
}

function turnOf(member: Member | undefined): RotatedKey | undefined {
  if (member?.own === undefined) return undefined;
  const { kid, signsFrom } = member.own;
  return { kid, signsFrom: Number.isFinite(signsFrom) ? signsFrom : undefined };
}

/** The key that signs now. */
function currentOf(members: readonly Member[], now: number): Member | undefined {
  let current: Member | undefined;
  for (const member of members) {
    const from = member.own?.signsFrom ?? Number.POSITIVE_INFINITY;
    if (from <= now && (current?.own === undefined || from > current.own.signsFrom)) current = member;
  }
  return current;
}

/**
 * Sets the `exp` of a key that signs until the next key does. Its last token is signed at that
 * time, or later by a process that could not read the secret; it is valid for `maxLifetime` at
 * most.
 */
function retiring(
  { jwk, own }: Member,
  isCurrent: boolean,
  signsFrom: number | undefined,
  { claims, maxStaleMs, refreshIntervalMs }: SignerSettings,
): JsonObject {
  if (signsFrom === undefined || own === undefined) return jwk;
  // If the next key was removed by hand, its date is still on the key that continues to sign.
  if (own.signedUntil !== undefined && !isCurrent) return jwk;
  // A token that never expires may need its key for ever.
  if (!claims.requireExp) return jwk;
  const missedSeconds = Math.max(maxStaleMs, refreshIntervalMs) / 1000;
  const end = Math.ceil(signsFrom + missedSeconds + claims.maxLifetimeSeconds + CLOCK_SKEW_SECONDS);
  return { ...jwk, exp: Math.max(end, own.signedUntil ?? 0) };
}

/** The next key has the algorithm of the last one. */
async function algorithmOf(place: Place, settings: SignerSettings): Promise<AlgorithmName> {
  const members = membersOf(await readDocument(place), settings);
  const algorithm = settings.algorithm ?? members.findLast(({ own }) => own !== undefined)?.own?.algorithm;
  if (algorithm === undefined) throw new ConfigError('alg', 'is required to make the first key');
  return algorithm;
}
