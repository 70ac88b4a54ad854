// The signer: imports keys once, chooses the key, completes the claims, signs. The sources of keys
// are in source.ts.

import { AuthError, ConfigError } from '../errors.ts';
import { publish, warn } from '../events.ts';
import { createStateNotice, inSeconds } from '../net/outage.ts';
import { createRefreshed, type SourceState } from '../net/refresh.ts';
import { causeText } from '../plain-text.ts';
import { monotonicOf } from '../values/clock.ts';
import type { Duration } from '../values/duration.ts';
import type { JsonObject } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import { readObject } from '../values/readers.ts';
import { type ClaimsToSign, completeClaims } from './claims.ts';
import type { SignerOptions } from './options.ts';
import { readLifetime, readSignerOptions, type SignerSettings } from './options.ts';
import { createRotation, type RetiredKeys, type RotatedKey } from './rotation.ts';
import type { SigningKey } from './signing-key.ts';
import { createSigningSource, type SigningKeys } from './source.ts';

/** The options of one token. */
export interface SignOptions {
  /** Sets `exp`. Default: the signer's `expiresIn`. */
  readonly expiresIn?: Duration;
}

/** A public JWK Set as an HTTP reply. */
export interface PublishedKeys {
  readonly jwks: { readonly keys: readonly JsonObject[] };
  readonly headers: { readonly 'Content-Type': string; readonly 'Cache-Control': string };
  /** The set as JSON. */
  readonly body: string;
}

/** The state of a signer. Contains no key material. */
export interface SignerReport {
  readonly source: string;
  /** As in `KeysetReport`. */
  readonly state: SourceState;
  /** Whole milliseconds since the keys in use were read. */
  readonly ageMs: number | undefined;
  readonly failures: number;
  /** Why the last attempt failed, without secrets. Undefined if it did not fail. */
  readonly lastError: string | undefined;
  /** Whole milliseconds until the source is read again. Undefined if no reading is planned. */
  readonly nextAttemptInMs: number | undefined;
  readonly keys: readonly {
    readonly kid: string | undefined;
    readonly alg: string;
    /** NumericDate; undefined for a key without a start time. */
    readonly signsFrom: number | undefined;
    /** NumericDate: the greatest `exp` that this signer has signed with it. */
    readonly greatestExp: number | undefined;
  }[];
}

/** Signs tokens with private or symmetric keys. */
export interface Signer {
  /**
   * Signs claims as a compact JWS (RFC 7515 §7.1). Adds `iat`, `jti` and the values of the signer's
   * options, each if it is absent. The header comes from the signer alone: claims and options
   * cannot change it. Does *not* encrypt: everyone can read the claims.
   * @throws TypeError for claims that are not JSON, have no `exp`, have a lifetime over
   *   `maxLifetime`, or have another issuer
   * @throws Error if there is no key to sign with. Both messages contain no part of claims or keys
   */
  sign(claims: ClaimsToSign, ...options: readonly [options?: SignOptions]): Promise<string>;
  /**
   * Returns the public half of all keys, including those that no longer sign or do not sign yet.
   * @throws AuthError `keyset_unavailable` if the source cannot be read
   * @throws Error if the keys are symmetric: they have no public half
   */
  publish(): Promise<PublishedKeys>;
  /**
   * Makes the next key and publishes it. It signs after `publishAhead`: at that moment every signer
   * over the same secret starts to use it. While there is a next key, no other is made. The first
   * key of an empty secret signs at once. Call it in every process on the same schedule: over a
   * store with `update`, such as a directory, processes take turns. Over a store with `write` only,
   * call it from one process.
   * @throws ConfigError unless the keys are a JWK Set in a secret of a writable store, and `kid`
   *   does not pin one key
   */
  rotate(): Promise<RotatedKey>;
  /**
   * Removes the keys whose last token has expired, and returns, for the other keys that no longer
   * sign, when that will be.
   */
  retire(): Promise<RetiredKeys>;
  /**
   * Resolves when there is a key to sign with. Rejects with the fault, or with the error of the
   * first attempt.
   */
  ready(): Promise<void>;
  report(): SignerReport;
  /** Stops all background work. */
  close(): Promise<void>;
}

/**
 * Makes a signer. Reads no secret and no URL before the first `sign()`, `publish()` or `ready()`.
 * @throws ConfigError for invalid options, and for `jwks` without a key that can sign
 * @example
 * ```ts
 * const signer = createSigner({
 *   secret: { name: 'signing' }, // /run/secrets/signing/jwks.json
 *   secrets: createDirectoryStore('/run/secrets'),
 *   alg: 'ES256',
 *   issuer: 'https://login.example.com',
 *   expiresIn: '10m',
 * });
 * const token = await signer.sign({ sub: 'alice', aud: 'https://api.example.com' });
 * ```
 */
export function createSigner(options: SignerOptions): Signer {
  const settings = readSignerOptions(options);
  const source = sourceOf(settings);
  warnOf(settings);
  const about = { signer: source.description };
  const tell = createStateNotice<'failing' | 'down'>();
  const refreshed = createRefreshed<SigningKeys, SigningKeys>({
    source,
    monotonic: monotonicOf(settings.clock),
    refreshIntervalMs: settings.refreshIntervalMs,
    maxStaleMs: settings.maxStaleMs,
    accept: (loaded) => loaded,
    refreshed({ keys }, lifetimeMs) {
      publish('latchkey:signer:refreshed', { ...about, keys: keys.length, lifetimeMs });
      tell('well', () => `signer: keys from ${source.description} again`);
    },
    failed({ error, failures, retryInMs, isUsable }) {
      publish('latchkey:signer:failed', { ...about, error, failures, retryInMs });
      const meanwhile = isUsable ? 'its last keys sign meanwhile' : 'nothing can be signed';
      const next = `${meanwhile}; trying again ${inSeconds(retryInMs)}`;
      tell(
        isUsable ? 'failing' : 'down',
        () => `signer: no keys from ${source.description}: ${causeText(error)}; ${next}`,
      );
    },
    stale: (ageMs) => publish('latchkey:signer:stale', { ...about, ageMs }),
    unavailable: ({ cause }) => {
      const why = cause === undefined ? '' : `: ${causeText(cause)}`;
      return new Error(`signer: no usable keys from ${source.description}${why}`, { cause });
    },
  });
  const greatestExps = new Map<string | undefined, number>();
  const rotation = createRotation(settings, greatestExps);

  return Object.freeze<Signer>({
    async sign(claims, ...options) {
      const seconds = options.length === 0 ? undefined : readCall(options[0]);
      const nowMs = settings.clock.now();
      const { iss, exp, json } = completeClaims(claims, settings.claims, seconds, nowMs);
      const found = refreshed.current();
      // Awaited only if needed: except for the first time, the keys are in memory.
      const key = selectSigningKey(isPromise(found) ? await found : found, iss, nowMs / 1000);
      if (key === undefined) throw new Error('signer: no active key for this issuer');
      // The time when a key can be dropped is published with it, and other processes rely on it.
      if (key.signedUntil !== undefined && (exp === undefined || exp > key.signedUntil))
        throw new Error('signer: the token would outlive its key; maxLifetime was shorter at its rotation');
      const signingInput = `${key.header}${Buffer.from(json).toString('base64url')}`;
      const signature = key.sign(Buffer.from(signingInput, 'latin1')).toString('base64url');
      if (signingInput.length + 1 + signature.length > settings.maxTokenBytes)
        throw new TypeError(`claims: the token would be longer than ${settings.maxTokenBytes} bytes`);
      remember(greatestExps, key.kid, exp ?? Number.POSITIVE_INFINITY);
      return `${signingInput}.${signature}`;
    },
    async publish() {
      const { published } = await published503(() => refreshed.current());
      if (published.length === 0) throw new Error('signer: the keys are symmetric and have no public half');
      const jwks = { keys: published };
      const maxAge = Math.max(1, Math.floor(settings.publishAheadMs / 3000));
      return {
        jwks,
        headers: {
          'Content-Type': 'application/jwk-set+json',
          'Cache-Control': `public, max-age=${maxAge}`,
        },
        body: JSON.stringify(jwks),
      };
    },
    async rotate() {
      const rotated = await rotation.rotate();
      await refreshed.reload();
      return rotated;
    },
    async retire() {
      const retired = await rotation.retire();
      if (retired.dropped.length > 0) await refreshed.reload();
      return retired;
    },
    async ready() {
      await refreshed.ready();
      const now = settings.clock.now() / 1000;
      if (refreshed.report().value?.keys.some(({ signsFrom }) => signsFrom <= now) !== true)
        throw new Error('signer: no active key: the nbf of every key is in the future');
    },
    report() {
      const { value, ...state } = refreshed.report();
      return {
        source: source.description,
        ...state,
        keys:
          value?.keys.map(({ kid, algorithm, signsFrom }) => ({
            kid,
            alg: algorithm,
            signsFrom: signsFrom === Number.NEGATIVE_INFINITY ? undefined : signsFrom,
            greatestExp: greatestExps.get(kid),
          })) ?? [],
      };
    },
    close: refreshed.close,
  });
}

/**
 * Selects the key that signs: of the keys pinned to the issuer, else of the keys without an issuer,
 * the one with the latest `nbf`; of several, the first. For claims without an issuer, all keys are
 * candidates.
 */
function selectSigningKey(
  { keys, pinned }: SigningKeys,
  issuer: string | undefined,
  now: number,
): SigningKey | undefined {
  const pin = issuer !== undefined && pinned.has(issuer) ? issuer : undefined;
  let selected: SigningKey | undefined;
  for (const key of keys) {
    if (issuer !== undefined && key.issuer !== pin) continue;
    if (key.signsFrom <= now && (selected === undefined || key.signsFrom > selected.signsFrom))
      selected = key;
  }
  return selected;
}

function warnOf(settings: SignerSettings): void {
  if (settings.source === 'keys') warn('LATCHKEY_DEPRECATED', 'keys: deprecated; move them into a JWK Set');
  if (settings.source === 'jwkUrl' && settings.url.protocol === 'http:')
    warn(
      'LATCHKEY_UNSAFE',
      'jwkUrl: private keys come over plain HTTP, where any host on the network path can read them',
    );
}

function sourceOf(settings: SignerSettings): ReturnType<typeof createSigningSource> {
  try {
    return createSigningSource(settings);
  } catch (cause) {
    // Only keys in the options are imported this early.
    const reason = cause instanceof Error ? cause.message : 'expected a JWK Set';
    throw new ConfigError('jwks', reason, { cause });
  }
}

function readCall(options: unknown): number | undefined {
  try {
    const { expiresIn } = readObject(options, ['expiresIn'], 'sign');
    return expiresIn === undefined ? undefined : readLifetime(expiresIn, 'sign.expiresIn');
  } catch (error) {
    // ConfigError is for faults in options at creation, so a call throws a TypeError.
    throw error instanceof ConfigError ? new TypeError(error.message) : error;
  }
}

function remember(greatest: Map<string | undefined, number>, kid: string | undefined, exp: number): void {
  if (exp > (greatest.get(kid) ?? Number.NEGATIVE_INFINITY)) greatest.set(kid, exp);
}

/** Turns a failure into a 503 with Retry-After, like every source of keys that cannot be read. */
async function published503(load: () => SigningKeys | Promise<SigningKeys>): Promise<SigningKeys> {
  try {
    return await load();
  } catch (cause) {
    throw new AuthError('keyset_unavailable', { detail: 'the keys to publish cannot be read', cause });
  }
}
