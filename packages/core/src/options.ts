// AuthenticatorOptions: checked once, defaulted, frozen. What is wrong is a ConfigError that names the path and the mend.
import { isHeaderText } from './challenge.ts';
import { type CompiledRules, compileRules } from './claims/compile.ts';
import type { RegisteredClaimsPolicy } from './claims/registered.ts';
import type { Rules } from './claims/rules.ts';
import { type Duration, parseDuration } from './duration.ts';
import { ConfigError } from './errors.ts';
import type { FetchSettings, KeysetSettings } from './keysets/create.ts';
import { refuseUrl } from './keysets/https.ts';
import type { JwkSet } from './keysets/jwk.ts';
import { type AlgorithmName, algorithmNames, findAlgorithm } from './token/algorithms.ts';
import { isJsonObject } from './token/json.ts';

/** What every keyset may say beside its source. */
interface KeysetCommon {
  /**
   * The algorithms that are accepted from this keyset. Narrows what each key says of itself; a key that says nothing takes
   * these. Default: the key's own `alg`, else those of its type without RSASSA-PSS.
   */
  readonly allowedAlgorithms?: readonly AlgorithmName[] | undefined;
}

/** What a keyset that is fetched may say. */
interface FetchedKeysetCommon extends KeysetCommon {
  /** Upper bound of how long fetched keys are used; the source's cache headers may shorten it, to 60 s at the least. Default 1h. */
  readonly refreshInterval?: Duration | undefined;
  /** How long keys are used when their source fails, counted from their reading. Default 24h. */
  readonly maxStale?: Duration | undefined;
  /** Permits plain HTTP. For loopback and tests: anybody on the way can put in keys of his own. Default false. */
  readonly allowHttp?: boolean | undefined;
  /** `ready()` does not wait for this keyset. For a source that cannot be reached yet. Default false. */
  readonly skipValidation?: boolean | undefined;
}

/** Keys that the issuer's OpenID Connect metadata point to (OpenID Connect Discovery 1.0 §4). */
export interface DiscoveryKeysetOptions extends FetchedKeysetCommon {
  /** The issuer, exactly as it stands in its metadata and in `iss`. */
  readonly issuer: string;
  readonly useOidcDiscovery: true;
  readonly jwksUrl?: never;
  readonly jwks?: never;
}

/** Keys behind a URL. */
export interface JwksUrlKeysetOptions extends FetchedKeysetCommon {
  /** Without an issuer the keyset is for tokens whose `iss` no other keyset names, and for those without one. */
  readonly issuer?: string | undefined;
  /** Must be https, unless `allowHttp`. */
  readonly jwksUrl: string;
  readonly useOidcDiscovery?: never;
  readonly jwks?: never;
}

/** Keys that stand here. */
export interface InlineKeysetOptions extends KeysetCommon {
  /** Without an issuer the keyset is for tokens whose `iss` no other keyset names, and for those without one. */
  readonly issuer?: string | undefined;
  /** Public keys only. */
  readonly jwks: JwkSet;
  readonly useOidcDiscovery?: never;
  readonly jwksUrl?: never;
}

/** One issuer's keys: exactly one source. */
export type KeysetOptions = DiscoveryKeysetOptions | JwksUrlKeysetOptions | InlineKeysetOptions;

/** A wall clock. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Whom a service trusts, and what a token must be. */
export interface AuthenticatorOptions {
  /** At least one. Several may be of one issuer; they are asked in this order. */
  readonly keySets: readonly KeysetOptions[];
  /** The audience of this service; a token for any of these will do. Null says aloud that `aud` is not checked. */
  readonly audience: string | readonly string[] | null;
  /** For every token. What does not hold makes the token invalid: 401. */
  readonly claims?: Rules | undefined;
  /** Leeway for `exp`, `nbf` and `iat`, 0s to 60s. Default 5s. */
  readonly clockSkew?: Duration | undefined;
  /** `optional`: a request without a token is anonymous; a bad token is refused all the same. Default `strict`. */
  readonly mode?: 'strict' | 'optional' | undefined;
  /**
   * The `typ` values that are accepted (RFC 8725 §3.11), and then one must be there. Default: none, `JWT` or `at+jwt`. Compared
   * without case and without `application/`.
   */
  readonly typ?: string | readonly string[] | undefined;
  /** A token without `exp` is refused. Default true. */
  readonly requireExp?: boolean | undefined;
  /** Longer tokens are refused unread. Bytes, 256 to 65536. Default 8192. */
  readonly maxTokenBytes?: number | undefined;
  /** The protection space that challenges name. Printable ASCII. Default: challenges name none. */
  readonly realm?: string | undefined;
  /** For tests. Ages of fetched keys do not follow it; they are monotonic. Default: the system's. */
  readonly clock?: Clock | undefined;
}

/** Options, checked and complete. */
export interface Settings {
  readonly keysets: readonly KeysetSettings[];
  readonly registered: RegisteredClaimsPolicy;
  readonly claims: CompiledRules;
  readonly anonymous: boolean;
  /** Lower case, without `application/`. Undefined in the set: no typ at all. */
  readonly types: ReadonlySet<string | undefined>;
  readonly maxTokenBytes: number;
  readonly realm: string | undefined;
  readonly clock: Clock;
}

const OPTION_NAMES = [
  'keySets',
  'audience',
  'claims',
  'clockSkew',
  'mode',
  'typ',
  'requireExp',
  'maxTokenBytes',
  'realm',
  'clock',
] as const satisfies readonly (keyof AuthenticatorOptions)[];

const SOURCES = ['useOidcDiscovery', 'jwksUrl', 'jwks'] as const;
const KEYSET_NAMES = ['issuer', ...SOURCES, 'allowedAlgorithms'] as const;
const FETCHED_NAMES = ['refreshInterval', 'maxStale', 'allowHttp', 'skipValidation'] as const;

const MAX_CLOCK_SKEW_MS = 60_000;

/**
 * Checks options. The result is a snapshot: later changes to the object have no effect.
 * @throws ConfigError
 */
export function readOptions(options: AuthenticatorOptions): Settings {
  if (!isJsonObject(options)) throw new ConfigError('options', 'expected an object');
  refuseUnknown(options, OPTION_NAMES, '');
  if (!Array.isArray(options.keySets) || options.keySets.length === 0) {
    throw new ConfigError('keySets', 'expected at least one keyset');
  }
  const clockSkewMs = options.clockSkew === undefined ? 5_000 : parseDuration(options.clockSkew, 'clockSkew');
  if (clockSkewMs > MAX_CLOCK_SKEW_MS) throw new ConfigError('clockSkew', 'expected 0s to 60s');
  return Object.freeze({
    keysets: Object.freeze(options.keySets.map((keyset, index) => readKeyset(keyset, `keySets[${index}]`))),
    registered: Object.freeze({
      audience: readAudience(options.audience),
      clockSkewMs,
      requireExp: readBoolean(options.requireExp, true, 'requireExp'),
    }),
    claims: compileRules(options.claims ?? {}, 'claims'),
    anonymous: readMode(options.mode),
    types: readTypes(options.typ),
    maxTokenBytes: readMaxTokenBytes(options.maxTokenBytes),
    realm: readRealm(options.realm),
    clock: readClock(options.clock),
  });
}

function readKeyset(keyset: unknown, name: string): KeysetSettings {
  if (!isJsonObject(keyset)) throw new ConfigError(name, 'expected an object');
  const sources = SOURCES.filter((source) => keyset[source] !== undefined);
  const [source, ...others] = sources;
  if (source === undefined || others.length > 0) {
    throw new ConfigError(name, `exactly one source is needed: ${SOURCES.join(', ')}`);
  }
  refuseUnknown(keyset, source === 'jwks' ? KEYSET_NAMES : [...KEYSET_NAMES, ...FETCHED_NAMES], name);
  const issuer = keyset.issuer === undefined ? undefined : readText(keyset.issuer, `${name}.issuer`);
  const allowed = readAlgorithms(keyset.allowedAlgorithms, `${name}.allowedAlgorithms`);
  if (source === 'jwks') {
    return Object.freeze({
      name,
      issuer,
      allowed,
      source,
      jwks: structuredClone(keyset.jwks) as unknown as JwkSet,
    });
  }
  const fetching = readFetching(keyset, name);
  if (source === 'jwksUrl') {
    const url = readUrl(keyset.jwksUrl, fetching.allowHttp, `${name}.jwksUrl`);
    return Object.freeze({ name, issuer, allowed, source, url, ...fetching });
  }
  if (keyset.useOidcDiscovery !== true) throw new ConfigError(`${name}.useOidcDiscovery`, 'expected true');
  if (issuer === undefined) throw new ConfigError(`${name}.issuer`, 'is needed with useOidcDiscovery');
  readUrl(issuer, fetching.allowHttp, `${name}.issuer`);
  return Object.freeze({ name, issuer, allowed, source, ...fetching });
}

function readFetching(keyset: Readonly<Record<string, unknown>>, name: string): FetchSettings {
  const duration = (option: string, fallback: Duration) =>
    parseDuration(keyset[option] ?? fallback, `${name}.${option}`);
  return {
    refreshIntervalMs: duration('refreshInterval', '1h'),
    maxStaleMs: duration('maxStale', '24h'),
    allowHttp: readBoolean(keyset.allowHttp, false, `${name}.allowHttp`),
    skipValidation: readBoolean(keyset.skipValidation, false, `${name}.skipValidation`),
  };
}

function readUrl(value: unknown, allowHttp: boolean, path: string): URL {
  const text = readText(value, path);
  if (!URL.canParse(text)) throw new ConfigError(path, 'expected a URL');
  const url = new URL(text);
  const refusal = refuseUrl(url, allowHttp);
  if (refusal !== undefined) throw new ConfigError(path, refusal);
  return url;
}

function readAlgorithms(value: unknown, path: string): ReadonlySet<AlgorithmName> | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length === 0) {
    throw new ConfigError(path, 'expected at least one algorithm; leave it out to accept what the keys say');
  }
  return new Set(
    value.map((name: unknown, index) => {
      const algorithm = typeof name === 'string' ? findAlgorithm(name) : undefined;
      if (algorithm === undefined) {
        throw new ConfigError(`${path}[${index}]`, `expected one of ${algorithmNames.join(', ')}`);
      }
      return algorithm.name;
    }),
  );
}

function readAudience(value: unknown): ReadonlySet<string> | null {
  if (value === null) return null;
  if (value === undefined) {
    throw new ConfigError('audience', 'is needed; null says aloud that aud is not checked');
  }
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) throw new ConfigError('audience', 'expected at least one audience, or null');
  return new Set(values.map((audience) => readText(audience, 'audience')));
}

function readMode(value: unknown): boolean {
  if (value !== undefined && value !== 'strict' && value !== 'optional') {
    throw new ConfigError('mode', `expected 'strict' or 'optional'`);
  }
  return value === 'optional';
}

function readTypes(value: unknown): ReadonlySet<string | undefined> {
  if (value === undefined) return new Set([undefined, 'jwt', 'at+jwt']);
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) throw new ConfigError('typ', 'expected at least one type');
  return new Set(values.map((type) => normalizeType(readText(type, 'typ'))));
}

/** RFC 7515 §4.1.9: media types are compared without case, and `application/` may be left out. */
export function normalizeType(type: string): string {
  return type.toLowerCase().replace(/^application\//, '');
}

function readMaxTokenBytes(value: unknown): number {
  if (value === undefined) return 8192;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 256 || value > 65_536) {
    throw new ConfigError('maxTokenBytes', 'expected a whole number of bytes from 256 to 65536');
  }
  return value;
}

function readRealm(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const realm = readText(value, 'realm');
  if (!isHeaderText(realm)) throw new ConfigError('realm', 'expected printable ASCII');
  return realm;
}

function readClock(value: unknown): Clock {
  if (value === undefined) return Date;
  if (typeof value !== 'object' || value === null || !('now' in value) || typeof value.now !== 'function') {
    throw new ConfigError('clock', 'expected an object with now()');
  }
  return value as Clock;
}

function readText(value: unknown, path: string): string {
  if (typeof value !== 'string' || value.trim() === '')
    throw new ConfigError(path, 'expected a string that is not empty');
  return value;
}

function readBoolean(value: unknown, fallback: boolean, path: string): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw new ConfigError(path, 'expected true or false');
  return value;
}

function refuseUnknown(value: object, known: readonly string[], path: string): void {
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const nearest = known.find((candidate) => candidate.toLowerCase() === name.toLowerCase());
    const at = path === '' ? name : `${path}.${name}`;
    throw new ConfigError(
      at,
      nearest === undefined
        ? `unknown option; expected one of ${known.join(', ')}`
        : `unknown option; did you mean ${nearest}?`,
    );
  }
}
