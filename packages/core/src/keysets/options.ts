// Keyset options, one shape per source. Only shapes: what is checked and how stands in read.ts.

import type { JwkSet } from '../jwk/import-jwks.ts';
import type { TlsOptions } from '../net/tls.ts';
import type { AlgorithmName, LegacyAlgorithmName } from '../token/algorithms.ts';
import type { Duration } from '../values/duration.ts';

/** What every keyset may say beside its source. */
interface KeysetCommon {
  /**
   * The algorithms that are accepted from this keyset. Narrows what each key says of itself; a key that says nothing takes
   * these. Default: the key's own `alg`, else those of its type without RSASSA-PSS; a symmetric key has to say, here or itself.
   */
  readonly allowedAlgorithms?: readonly AlgorithmName[] | undefined;
  /**
   * A token without a kid: `first` tries the first key that takes its algorithm, and only that; `try-all` tries up to four;
   * `refuse` refuses the token. Default `first`.
   */
  readonly kidless?: 'first' | 'try-all' | 'refuse' | undefined;
  /** A key also verifies the other hash sizes of its own algorithm, RS512 for RS256. For migrations. Default: exactly its own. */
  readonly unsafeAlgorithmMatch?: 'family' | undefined;
  /** Its keys are this system's own: its tokens may be of the `systemSubject`, and say reserved groups. Default false. */
  readonly system?: boolean | undefined;
}

/** What a keyset that is read from somewhere may say. */
interface ReadKeysetCommon extends KeysetCommon {
  /** Upper bound of how long keys are used before they are read again; cache headers may shorten it, to 60 s at the least. Default 1h. */
  readonly refreshInterval?: Duration | undefined;
  /** How long keys are used when their source fails, counted from their reading. Default 24h. */
  readonly maxStale?: Duration | undefined;
  /** `ready()` does not wait for this keyset. For a source that cannot be reached yet. Default false. */
  readonly skipValidation?: boolean | undefined;
}

/** What a keyset that is fetched over HTTP may say. */
interface FetchedKeysetCommon extends ReadKeysetCommon {
  /** Permits plain HTTP. For loopback and tests: anybody on the way can put in keys of his own. Says nothing of TLS. Default false. */
  readonly allowHttp?: boolean | undefined;
  readonly tls?: TlsOptions | undefined;
}

/** What a keyset whose keys are secret may say. */
interface SecretKeysetCommon extends ReadKeysetCommon {
  /** Accepts tokens signed with these broken or unregistered algorithms, by keys that name both them and a kid. Needs `issuer`. Warns. */
  readonly unsafeLegacyAlgorithms?: readonly LegacyAlgorithmName[] | undefined;
}

/** No other source beside this one. */
type Only<Source extends SourceName> = { readonly [Other in Exclude<SourceName, Source>]?: never };

/** Keys that the issuer's OpenID Connect metadata point to (OpenID Connect Discovery 1.0 §4). */
export interface DiscoveryKeysetOptions extends FetchedKeysetCommon, Only<'useOidcDiscovery'> {
  /** The issuer, exactly as it stands in its metadata and in `iss`. */
  readonly issuer: string;
  readonly useOidcDiscovery: true;
}

/** Keys behind a URL. The token's own `jku` is ignored. */
export interface JwksUrlKeysetOptions extends FetchedKeysetCommon, Only<'jwksUrl'> {
  /** Without an issuer the keyset is for tokens whose `iss` no other keyset names, and for those without one. */
  readonly issuer?: string | undefined;
  /** Must be https, unless `allowHttp`. */
  readonly jwksUrl: string;
}

/** Keys from where the token's `jku` says, on listed hosts only. */
export interface JkuKeysetOptions extends FetchedKeysetCommon, Only<'jwksHosts'> {
  readonly issuer?: string | undefined;
  /** `keys.example.com`, with a port if it is not 443, and with a path if keys may only be under it: `keys.example.com/tenants/`. */
  readonly jwksHosts: readonly string[];
  /** Also asks listed hosts that are at private, loopback or link-local addresses. Default false. */
  readonly unsafeAllowPrivateAddresses?: boolean | undefined;
}

/** Keys in the option `secrets`' store: a JWK Set, which may hold private and symmetric keys. */
export interface SecretKeysetOptions extends SecretKeysetCommon, Only<'secret'> {
  readonly issuer?: string | undefined;
  /** `key` is the entry in the secret. Default `jwks.json`. */
  readonly secret: { readonly name: string; readonly key?: string | undefined };
}

/** Keys in the option `externalSecrets`' store, such as a vault: a JWK Set, which may hold private and symmetric keys. */
export interface ExternalSecretKeysetOptions extends SecretKeysetCommon, Only<'externalSecret'> {
  readonly issuer?: string | undefined;
  readonly externalSecret: { readonly name: string; readonly key?: string | undefined };
}

/** Public keys that stand here, as a JWK Set. */
export interface InlineKeysetOptions extends KeysetCommon, Only<'jwks'> {
  readonly issuer?: string | undefined;
  readonly jwks: JwkSet;
}

/** A primary public key and its backups, PEM. Up to ten; each is tried for any token, in this order. */
export interface PublicKeysKeysetOptions extends ReadKeysetCommon, Only<'publicKeys'> {
  readonly issuer?: string | undefined;
  readonly publicKeys: readonly PublicKeyOptions[];
}

/** One public key, in a file or in place, and the one algorithm that it is for. `RSA256` and `RSA512` are other names of RS256 and RS512. */
export type PublicKeyOptions = { readonly algorithm: AlgorithmName | 'RSA256' | 'RSA512' } & (
  | { readonly file: string; readonly pem?: never }
  | { readonly pem: string; readonly file?: never }
);

/** One issuer's keys: exactly one source. */
export type KeysetOptions =
  | DiscoveryKeysetOptions
  | JwksUrlKeysetOptions
  | JkuKeysetOptions
  | SecretKeysetOptions
  | ExternalSecretKeysetOptions
  | InlineKeysetOptions
  | PublicKeysKeysetOptions;

/** One key of the deprecated `keys` list. */
export interface LegacyKeyOptions {
  /** Unique in the list. */
  readonly keyId: string;
  /** A token of this issuer is verified by its keys only. */
  readonly issuer?: string | undefined;
  readonly algorithm: AlgorithmName;
  /** Its entry `secret.key` (symmetric) or `public.key` (PEM). */
  readonly secret: { readonly name: string };
  /** See `SecretKeysetOptions`. Needs `issuer`. */
  readonly unsafeLegacyAlgorithms?: readonly LegacyAlgorithmName[] | undefined;
}

/** The name of a source. */
export type SourceName =
  | 'useOidcDiscovery'
  | 'jwksUrl'
  | 'jwksHosts'
  | 'secret'
  | 'externalSecret'
  | 'jwks'
  | 'publicKeys';
