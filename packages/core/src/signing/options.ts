// Signer options, one shape per source of keys. Only shapes: what is checked and how stands in read.ts.

import type { JwkSet } from '../jwk/import-jwks.ts';
import type { LegacyKeyOptions } from '../keysets/options.ts';
import type { TlsOptions } from '../net/tls.ts';
import type { SecretStore } from '../secrets/store.ts';
import type { AlgorithmName, LegacyAlgorithmName } from '../token/algorithms.ts';
import type { Clock } from '../values/clock.ts';
import type { Duration } from '../values/duration.ts';

/** An algorithm that tokens are signed with: all that are verified, but the legacy ones. */
export type SigningAlgorithm = Exclude<AlgorithmName, LegacyAlgorithmName>;

interface SignerCommon {
  /** Needed where the keys do not say it themselves: RSA and symmetric keys without `alg`, and keys that are no JWK. */
  readonly alg?: SigningAlgorithm | undefined;
  /**
   * The one key that signs. Default: of those that fit, the one whose `nbf` came last, as `rotate()` has it; else the first. A PEM or
   * symmetric key is called this; a PEM key without it by its thumbprint (RFC 7638).
   */
  readonly kid?: string | undefined;
  /** Put into claims as `iss`; claims with another one are refused. */
  readonly issuer?: string | undefined;
  /** Put into claims as `aud` where they have none. */
  readonly audience?: string | readonly string[] | undefined;
  /** Makes `exp` where claims have none and the call does not say. */
  readonly expiresIn?: Duration | undefined;
  /** Claims that live longer are refused. Default: `expiresIn`, or 366d without it. The end of a rotation is reckoned by it. */
  readonly maxLifetime?: Duration | undefined;
  /** False signs claims that never expire. Default true. */
  readonly requireExp?: boolean | undefined;
  /** The JOSE header's `typ`; null for none. Default `JWT`. */
  readonly typ?: string | null | undefined;
  /** Longer tokens are not made: nobody would take them. Default 8192, what `createAuthenticator` takes. */
  readonly maxTokenBytes?: number | undefined;
  /** For `iat`, `exp` and the turn of keys. Default `Date`. */
  readonly clock?: Clock | undefined;
}

interface ReadSignerCommon extends SignerCommon {
  /** Upper bound between two looks at the source. Default a third of `publishAhead`, for a URL 1h. At least 60 s. */
  readonly refreshInterval?: Duration | undefined;
  /** How long keys are used when their source fails. Default 24h. */
  readonly maxStale?: Duration | undefined;
  /**
   * How long before it signs a key is published by `rotate()`. Verifiers are told to look again after a third of it, so that all have
   * the key when its first token comes. At least 10s, and 3m with a store that tells of no changes. Default 15m.
   */
  readonly publishAhead?: Duration | undefined;
}

type Only<Source extends SignerSourceName> = {
  readonly [Other in Exclude<SignerSourceName, Source>]?: never;
};

/**
 * How the entry of a secret is written: `jwks`, a JWK Set with private or symmetric keys; `pem`, a private key; `symmetric`, the secret
 * itself. Never guessed from the bytes.
 */
export type SecretFormat = 'jwks' | 'pem' | 'symmetric';

interface SigningSecret {
  readonly name: string;
  /** Default `jwks.json`. */
  readonly key?: string | undefined;
  /** Default: `pem` for an entry called `private.key` or `*.pem`, `symmetric` for `secret.key`, `jwks` for all others. */
  readonly format?: SecretFormat | undefined;
}

/** Keys in a secret. A JWK Set there can be rotated, if the store can be written. */
export interface SecretSignerOptions extends ReadSignerCommon, Only<'secret'> {
  readonly secret: SigningSecret;
  /** Where the secret is. */
  readonly secrets: SecretStore;
}

/** Keys in a secret outside, such as in a vault. */
export interface ExternalSecretSignerOptions extends ReadSignerCommon, Only<'externalSecret'> {
  readonly externalSecret: SigningSecret;
  /** Where the secret is. */
  readonly externalSecrets: SecretStore;
}

/** A JWK Set of private or symmetric keys behind a URL, on a machine that you own. */
export interface JwkUrlSignerOptions extends Omit<ReadSignerCommon, 'publishAhead'>, Only<'jwkUrl'> {
  readonly jwkUrl: string;
  /** Needed: the set may hold keys that are not for this signer. */
  readonly kid: string;
  /** Permits plain HTTP: private keys in clear on the wire. In production only to loopback: see `LATCHKEY_ALLOW_HTTP_KEYS`. */
  readonly allowHttp?: boolean | undefined;
  readonly tls?: TlsOptions | undefined;
}

/** Keys that stand here: for tests, and for applications that get them in a way of their own. */
export interface JwksSignerOptions extends SignerCommon, Only<'jwks'> {
  readonly jwks: JwkSet;
}

/**
 * The deprecated `keys` list, with `private.key` or `secret.key` of its secrets. Of the keys pinned to the claims' issuer, or else of
 * those without one, or for claims without `iss` of all, the first signs that fits `alg` and `kid`.
 */
export interface LegacyKeysSignerOptions extends Omit<ReadSignerCommon, 'publishAhead'>, Only<'keys'> {
  readonly keys: readonly LegacyKeyOptions[];
  readonly secrets: SecretStore;
}

/** Where a signer's keys come from, and what its tokens are like. Exactly one source. */
export type SignerOptions =
  | SecretSignerOptions
  | ExternalSecretSignerOptions
  | JwkUrlSignerOptions
  | JwksSignerOptions
  | LegacyKeysSignerOptions;

/** The name of a source. */
export type SignerSourceName = 'secret' | 'externalSecret' | 'jwkUrl' | 'jwks' | 'keys';
