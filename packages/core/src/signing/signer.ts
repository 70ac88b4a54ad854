// The signer: keys brought to life, made once. Chooses the key, completes the claims, signs. Where
// keys come from lies beside it.

import { AuthError, ConfigError } from '../errors.ts';
import { publish, warn } from '../events.ts';
import { createRefreshed } from '../net/refresh.ts';
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

/** What one call says of its token. */
export interface SignOptions {
  /** Makes `exp`. Default: the signer's. */
  readonly expiresIn?: Duration;
}

/** A public JWK Set, ready to be sent. */
export interface PublishedKeys {
  readonly jwks: { readonly keys: readonly JsonObject[] };
  readonly headers: { readonly 'Content-Type': string; readonly 'Cache-Control': string };
  /** The set as JSON. */
  readonly body: string;
}

/** How a signer fares. Holds no key material. */
export interface SignerReport {
  readonly source: string;
  /**
   * `fresh`: within its lifetime. `stale`: older, in use because the source fails. `empty`: nothing
   * usable.
   */
  readonly state: 'fresh' | 'stale' | 'empty';
  readonly ageMs: number | undefined;
  readonly failures: number;
  readonly keys: readonly {
    readonly kid: string | undefined;
    readonly alg: string;
    /** NumericDate; undefined for a key that signs since ever. */
    readonly signsFrom: number | undefined;
    /** NumericDate: the greatest `exp` that this signer has signed with it. */
    readonly greatestExp: number | undefined;
  }[];
}

/** A private or symmetric key brought to life. */
export interface Signer {
  /**
   * Signs claims as a compact JWS (RFC 7515 §7.1). Adds `iat`, `jti` and what the signer's options
   * say, each where it is absent. The header is the signer's alone: nothing in claims or options
   * reaches it. Does *not* encrypt: everybody can read the claims.
   * @throws TypeError for claims that are not JSON, without `exp`, living longer than
   *   `maxLifetime`, or of another issuer
   * @throws Error if there is no key to sign with. Nothing of claims or keys is in either message
   */
  sign(claims: ClaimsToSign, ...options: readonly [options?: SignOptions]): Promise<string>;
  /**
   * The public half of the keys, those that sign no more and those that do not sign yet included.
   * @throws AuthError `keyset_unavailable` if the source cannot be read
   * @throws Error if the keys are symmetric: they have no public half
   */
  publish(): Promise<PublishedKeys>;
  /**
   * Makes the next key, and publishes it: it signs when `publishAhead` has passed, and every signer
   * over the same secret takes turns at that moment. While a next key is waiting, nothing is made.
   * The first key of an empty secret signs at once. Call it in every process, by the same schedule:
   * over a store with `update`, such as a directory, processes take turns. Over a store that only
   * writes, call it from one place.
   * @throws ConfigError unless keys are in a secret, as a JWK Set that `kid` does not pin to one
   *   key, in a store that can be written
   */
  rotate(): Promise<RotatedKey>;
  /**
   * Drops the keys whose last token has expired, and says of the others that sign no more when they
   * can be.
   */
  retire(): Promise<RetiredKeys>;
  /**
   * Resolves when there is a key to sign with. Rejects with what is wrong, or with the first
   * attempt's error.
   */
  ready(): Promise<void>;
  report(): SignerReport;
  /** Stops all background work. */
  close(): Promise<void>;
}

/**
 * Makes a signer. Reads no secret and no URL before the first `sign()`, `publish()` or `ready()`.
 * @throws ConfigError for options that cannot be right, and for `jwks` without a key that signs
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
  const refreshed = createRefreshed<SigningKeys, SigningKeys>({
    source,
    refreshIntervalMs: settings.refreshIntervalMs,
    maxStaleMs: settings.maxStaleMs,
    accept: (loaded) => loaded,
    refreshed: ({ keys }, lifetimeMs) =>
      publish('latchkey:signer:refreshed', { ...about, keys: keys.length, lifetimeMs }),
    failed: (error, failures, retryInMs) =>
      publish('latchkey:signer:failed', { ...about, error, failures, retryInMs }),
    stale: (ageMs) => publish('latchkey:signer:stale', { ...about, ageMs }),
    unavailable: ({ cause }) => new Error(`signer: no usable keys from ${source.description}`, { cause }),
  });
  const greatestExps = new Map<string | undefined, number>();
  const rotation = createRotation(settings, greatestExps);

  return Object.freeze<Signer>({
    async sign(claims, ...options) {
      const seconds = options.length === 0 ? undefined : readCall(options[0]);
      const nowMs = settings.clock.now();
      const { iss, exp, json } = completeClaims(claims, settings.claims, seconds, nowMs);
      const found = refreshed.current();
      // Not awaited unless it has to be: keys are at hand, but for the first time.
      const key = selectSigningKey(isPromise(found) ? await found : found, iss, nowMs / 1000);
      if (key === undefined) throw new Error('signer: no key for this issuer at this time');
      // When a key is dropped is written beside it, and whoever reads it there relies on that.
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
      if (published.length === 0) throw new Error('signer: its keys are symmetric, and have no public half');
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
        throw new Error('signer: the time of its keys has not come');
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
 * The key that signs: of those pinned to the issuer, or else of those pinned to none, the one whose
 * time came last; of several, the first. For claims without an issuer all are candidates.
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
    warn('LATCHKEY_UNSAFE', 'jwkUrl: private keys come over plain HTTP; whoever reads along has them');
}

function sourceOf(settings: SignerSettings): ReturnType<typeof createSigningSource> {
  try {
    return createSigningSource(settings);
  } catch (cause) {
    // Only keys that stand in the options are looked at so early.
    const reason = cause instanceof Error ? cause.message : 'expected a JWK Set';
    throw new ConfigError('jwks', reason, { cause });
  }
}

function readCall(options: unknown): number | undefined {
  try {
    const { expiresIn } = readObject(options, ['expiresIn'], 'sign');
    return expiresIn === undefined ? undefined : readLifetime(expiresIn, 'sign.expiresIn');
  } catch (error) {
    // A ConfigError is for what is built once.
    throw error instanceof ConfigError ? new TypeError(error.message) : error;
  }
}

function remember(greatest: Map<string | undefined, number>, kid: string | undefined, exp: number): void {
  if (exp > (greatest.get(kid) ?? Number.NEGATIVE_INFINITY)) greatest.set(kid, exp);
}

/** Whoever asks for keys is told to come back, as by every source of keys that cannot be read. */
async function published503(load: () => SigningKeys | Promise<SigningKeys>): Promise<SigningKeys> {
  try {
    return await load();
  } catch (cause) {
    throw new AuthError('keyset_unavailable', { detail: 'the keys to publish cannot be read', cause });
  }
}
