// Rotation of own keys, in two steps. `rotate` publishes the next key before it signs, and sets the
// end of the current one. `retire` removes keys whose last token has expired. All state is in the
// JWK Set: a key signs from its `nbf`, and can be dropped after its `exp`. So an interrupted
// rotation can continue at any point.

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

/** The secret with the JWK Set, and how it is changed. */
interface KeySecret {
  readonly store: SecretStore;
  readonly reference: SecretReference;
  readonly update: NonNullable<SecretStore['update']>;
}

/** A member of the set. */
interface Member {
  readonly jwk: JsonObject;
  /** Undefined for a key that this signer cannot use. Such keys stay as they are. */
  readonly own: SigningKey | undefined;
}

/** When the next key starts to sign, a machine whose clock is behind still uses the old one. */
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
  function inTurn<T>(step: () => Promise<T>): Promise<T> {
    const running = last.then(step);
    last = running.catch(() => {});
    return running;
  }

  return {
    rotate: () => inTurn(() => rotate(settings)),
    retire: () => inTurn(() => retire(settings, greatestExps)),
  };
}

async function rotate(settings: SignerSettings): Promise<RotatedKey> {
  const secret = secretOf(settings);
  const seconds = () => settings.clock.now() / 1000;
  const planned = nextOf(membersOf(await readDocument(secret), settings), seconds());
  if (planned !== undefined) return planned;
  // Generated before the lock is taken: it takes time, and other processes would wait.
  const jwk = await generateJwk(await algorithmOf(secret, settings));
  const rotated = await changeKeys(secret, (document) => {
    const now = seconds();
    const members = membersOf(document, settings);
    // Another process may have added the next key since.
    const added = nextOf(members, now);
    if (added !== undefined) return { result: added };
    const current = currentOf(members, now);
    const signsFrom = current === undefined ? undefined : Math.ceil(now + settings.publishAheadMs / 1000);
    const next = signsFrom === undefined ? jwk : { ...jwk, nbf: signsFrom };
    // Readers refuse a set with more keys than this.
    if (members.length >= MAX_KEYS)
      throw new Error(
        `rotate: expected fewer than ${MAX_KEYS} keys in the secret, got ${members.length}; retire() first`,
      );
    const others = members.map((member) => withEnd(member, member === current, signsFrom, settings));
    return { result: { kid: String(jwk.kid), signsFrom }, keys: [...others, next] };
  });
  // Read again: without locking, another process may have overwritten the set.
  const written = membersOf(await readDocument(secret), settings);
  if (written.some((member) => member.jwk.kid === rotated.kid)) return rotated;
  const isFirstKey = rotated.signsFrom === undefined;
  const ofOtherProcess =
    nextOf(written, seconds()) ?? (isFirstKey ? rotatedKeyOf(currentOf(written, seconds())) : undefined);
  if (ofOtherProcess === undefined)
    throw new Error('rotate: another process changed the secret at the same time; try again');
  return ofOtherProcess;
}

function retire(
  settings: SignerSettings,
  greatestExps: ReadonlyMap<string | undefined, number>,
): Promise<RetiredKeys> {
  return changeKeys(secretOf(settings), (document) => {
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
 * Finds the secret with the keys.
 * @throws ConfigError for keys that cannot be rotated here
 */
function secretOf(settings: SignerSettings): KeySecret {
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
function updateByWriting(store: SecretStore): KeySecret['update'] | undefined {
  const write = store.write?.bind(store);
  if (write === undefined) return undefined;
  return async (reference, change, signal) => {
    const value = change(await findSecret(store, reference, signal));
    if (value !== undefined) await write(reference, value, signal);
  };
}

/** What a step returns, and the new keys of the set. */
interface Change<T> {
  readonly result: T;
  /** Undefined: the set is not changed. */
  readonly keys?: readonly JsonObject[] | undefined;
}

/** Changes the set, locked against other processes if the store has `update`. */
async function changeKeys<T>(
  { reference, update }: KeySecret,
  plan: (document: JsonObject) => Change<T>,
): Promise<T> {
  let change: Change<T> | undefined;
  const rewrite = (bytes: Uint8Array | undefined) => {
    const document = documentOf(checkSecret(bytes, reference));
    change = plan(document);
    if (change.keys === undefined) return undefined;
    const written = Buffer.from(`${JSON.stringify({ ...document, keys: change.keys }, undefined, 2)}\n`);
    // A store may accept more bytes than are read. An entry that is too long may become shorter.
    if (written.length > MAX_SECRET_BYTES && written.length > (bytes?.length ?? 0))
      throw new Error(`rotate: the secret would be longer than ${MAX_SECRET_BYTES} bytes; retire() first`);
    return written;
  };
  const { signal } = new AbortController();
  await withDeadline(DEADLINE_MS, signal, (inner) => update(reference, rewrite, inner));
  if (change === undefined) throw new Error('rotate: the store did not call change()');
  return change.result;
}

async function readDocument({ store, reference }: KeySecret): Promise<JsonObject> {
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

/** The key that signs later, if there is one: its `nbf` is in the future. */
function nextOf(members: readonly Member[], now: number): RotatedKey | undefined {
  const next = members.find(({ own }) => own !== undefined && own.signsFrom > now);
  return rotatedKeyOf(next);
}

function rotatedKeyOf(member: Member | undefined): RotatedKey | undefined {
  if (member?.own === undefined) return undefined;
  const { kid, signsFrom } = member.own;
  return { kid, signsFrom: Number.isFinite(signsFrom) ? signsFrom : undefined };
}

/** The key that signs now: of those whose `nbf` has passed, the last. */
function currentOf(members: readonly Member[], now: number): Member | undefined {
  let current: Member | undefined;
  for (const member of members) {
    const from = member.own?.signsFrom ?? Number.POSITIVE_INFINITY;
    if (from <= now && (current?.own === undefined || from > current.own.signsFrom)) current = member;
  }
  return current;
}

/**
 * Returns a key with the `exp` after which it can be dropped. The key signs until `signsFrom`, when
 * the next key takes over; a process that cannot read the secret may sign with it for some time
 * longer. Its last token is valid for `maxLifetime` at most.
 */
function withEnd(
  { jwk, own }: Member,
  isCurrent: boolean,
  signsFrom: number | undefined,
  { claims, maxStaleMs, refreshIntervalMs }: SignerSettings,
): JsonObject {
  if (signsFrom === undefined || own === undefined) return jwk;
  // A key that no longer signs keeps its end. The current key may have one too, if the next key of
  // an earlier rotation was removed by hand; it is set again, because the key has signed since.
  if (own.signedUntil !== undefined && !isCurrent) return jwk;
  // A token that never expires may need its key for ever.
  if (!claims.requireExp) return jwk;
  const missedSeconds = Math.max(maxStaleMs, refreshIntervalMs) / 1000;
  const end = Math.ceil(signsFrom + missedSeconds + claims.maxLifetimeSeconds + CLOCK_SKEW_SECONDS);
  return { ...jwk, exp: Math.max(end, own.signedUntil ?? 0) };
}

/** The algorithm of the next key: the option, else that of the last key. */
async function algorithmOf(secret: KeySecret, settings: SignerSettings): Promise<AlgorithmName> {
  const members = membersOf(await readDocument(secret), settings);
  const algorithm = settings.algorithm ?? members.findLast(({ own }) => own !== undefined)?.own?.algorithm;
  if (algorithm === undefined) throw new ConfigError('alg', 'is required to make the first key');
  return algorithm;
}
