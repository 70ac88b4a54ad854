// Rotation of own keys: the next key is published before it signs, the old one stays until its last token has expired. All state is in the
// JWK Set itself: a key's `nbf` says from when it signs, its `exp` when it can be dropped. So a rotation that stops anywhere goes on.
import { ConfigError } from '../errors.ts';
import { findSecret } from '../keysets/secret.ts';
import { generateJwk } from '../secrets/generate.ts';
import type { SecretReference, SecretStore } from '../secrets/store.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJsonObject } from '../token/json.ts';
import type { SignerSettings } from './read.ts';

/** The key that signs next. */
export interface RotatedKey {
  readonly kid: string;
  /** NumericDate; undefined for the first key, which signs at once. */
  readonly signsFrom: number | undefined;
}

/** What became of keys that sign no more. */
export interface RetiredKeys {
  /** The kids of those that are gone. */
  readonly dropped: readonly string[];
  /** The others, and the NumericDate from which each is safe to drop: the greatest `exp` of its tokens. */
  readonly kept: readonly { readonly kid: string | undefined; readonly safeToDropAt: number }[];
}

/** The two moves of a rotation. */
export interface Rotation {
  rotate(): Promise<RotatedKey>;
  retire(): Promise<RetiredKeys>;
}

interface Place {
  readonly store: SecretStore;
  readonly reference: SecretReference;
  readonly write: NonNullable<SecretStore['write']>;
}

/** Other machines' clocks may be behind when keys take turns. */
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

  /** One at a time: each reads what the one before has written. */
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
  const document = await readDocument(place);
  const now = settings.clock.now() / 1000;
  const waiting = nextKey(document, now);
  if (waiting !== undefined) return waiting;
  const signing = keysOf(document).filter(isPrivate);
  const current = currentKey(signing, now);
  const signsFrom = signing.length === 0 ? undefined : Math.ceil(now + settings.publishAheadMs / 1000);
  const jwk = await generateJwk(settings.algorithm ?? algorithmOf(signing));
  const next = signsFrom === undefined ? jwk : { ...jwk, nbf: signsFrom };
  await writeDocument(place, {
    ...document,
    keys: [...keysOf(document).map((key) => retiring(key, key === current, signsFrom, settings)), next],
  });
  // Whoever wrote last has the say, also for this process.
  const kid = String(jwk.kid);
  const written = keysOf(await readDocument(place));
  if (written.some((key) => key.kid === kid)) return { kid, signsFrom };
  const theirs = nextKey({ keys: written }, now);
  if (theirs === undefined)
    throw new Error('rotate: another process changed the secret meanwhile; try again');
  return theirs;
}

async function retire(
  settings: SignerSettings,
  greatestExps: ReadonlyMap<string | undefined, number>,
): Promise<RetiredKeys> {
  const place = placeOf(settings);
  const document = await readDocument(place);
  const now = settings.clock.now() / 1000;
  const safeToDropAt = (key: JsonObject): number | undefined => {
    const exp = readDate(key, 'exp');
    return exp === undefined ? undefined : Math.max(exp, greatestExps.get(kidOf(key)) ?? 0);
  };
  const isDue = (key: JsonObject) => (safeToDropAt(key) ?? Number.POSITIVE_INFINITY) <= now;
  const keys = keysOf(document);
  const due = keys.filter(isDue);
  if (due.length > 0) await writeDocument(place, { ...document, keys: keys.filter((key) => !isDue(key)) });
  return {
    dropped: due.map((key) => String(key.kid)),
    kept: keys.flatMap((key) => {
      const at = safeToDropAt(key);
      return at === undefined || isDue(key) ? [] : [{ kid: kidOf(key), safeToDropAt: at }];
    }),
  };
}

/** @throws ConfigError for keys that cannot be rotated here */
function placeOf(settings: SignerSettings): Place {
  if (settings.source !== 'secret' && settings.source !== 'externalSecret')
    throw new ConfigError(
      settings.source,
      'only keys in a secret can be rotated here; others where they are',
    );
  const { reference, store } = settings;
  if (settings.format !== 'jwks')
    throw new ConfigError(`${settings.source}.format`, 'only a JWK Set can hold two keys at a time');
  if (settings.kid !== undefined)
    throw new ConfigError('kid', 'pins the signer to one key; leave it out to rotate');
  if (store.write === undefined) throw new ConfigError('secrets', 'this store cannot be written');
  return { store, reference, write: store.write.bind(store) };
}

/** @returns an empty set where there is no entry yet */
async function readDocument({ store, reference }: Place): Promise<JsonObject> {
  const bytes = await findSecret(store, reference, new AbortController().signal);
  if (bytes === undefined) return { keys: [] };
  const document = parseJsonObject(bytes);
  if (!Array.isArray(document.keys) || !document.keys.every(isJsonObject))
    throw new Error('rotate: the secret is no JWK Set');
  return document;
}

async function writeDocument({ reference, write }: Place, document: JsonObject): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify(document, undefined, 2)}\n`);
  await write(reference, bytes, new AbortController().signal);
}

/** The key whose time has not come, if there is one. */
function nextKey(document: JsonObject, now: number): RotatedKey | undefined {
  for (const key of keysOf(document)) {
    const signsFrom = readDate(key, 'nbf');
    if (signsFrom !== undefined && signsFrom > now) return { kid: String(key.kid), signsFrom };
  }
  return undefined;
}

/** The key that signs now. */
function currentKey(keys: readonly JsonObject[], now: number): JsonObject | undefined {
  const startOf = (key: JsonObject) => readDate(key, 'nbf') ?? Number.NEGATIVE_INFINITY;
  return keys
    .filter((key) => startOf(key) <= now)
    .reduce<JsonObject | undefined>(
      (latest, key) => (latest === undefined || startOf(key) > startOf(latest) ? key : latest),
      undefined,
    );
}

/**
 * A key that signs at most until the next one does. Its last token is signed then, or later by a process that could not read the secret
 * meanwhile, and lives as long as any may.
 */
function retiring(
  key: JsonObject,
  isCurrent: boolean,
  signsFrom: number | undefined,
  { claims, maxStaleMs }: SignerSettings,
): JsonObject {
  if (signsFrom === undefined || !isPrivate(key)) return key;
  // A next key that somebody took away has left its date on the one that went on signing.
  if (readDate(key, 'exp') !== undefined && !isCurrent) return key;
  // A token that never expires may need its key for ever.
  if (!claims.requireExp) return key;
  return {
    ...key,
    exp: Math.ceil(signsFrom + maxStaleMs / 1000 + claims.maxLifetimeSeconds + CLOCK_SKEW_SECONDS),
  };
}

/** The next key is of the last one's kind. */
function algorithmOf(keys: readonly JsonObject[]): AlgorithmName {
  const alg = keys.at(-1)?.alg;
  if (typeof alg !== 'string') throw new ConfigError('alg', 'is needed to make a key');
  return alg as AlgorithmName;
}

function keysOf({ keys }: JsonObject): readonly JsonObject[] {
  return Array.isArray(keys) ? (keys as readonly JsonValue[]).filter(isJsonObject) : [];
}

function isPrivate(key: JsonObject): boolean {
  return ['d', 'k', 'priv'].some((name) => Object.hasOwn(key, name));
}

function kidOf(key: JsonObject): string | undefined {
  return typeof key.kid === 'string' ? key.kid : undefined;
}

function readDate(key: JsonObject, name: 'nbf' | 'exp'): number | undefined {
  const value = Object.hasOwn(key, name) ? key[name] : undefined;
  return typeof value === 'number' ? value : undefined;
}
