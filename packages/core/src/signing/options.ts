// Options of signers and of signed members in replies: their types, the checked settings, and the
// tables that read them. Signers are made in signer.ts.
import { ConfigError } from '../errors.ts';
import type { JwkSet } from '../jwk/import-jwks.ts';
import { algorithm, isLegacyName, safeNames } from '../keysets/algorithm-options.ts';
import { type LegacyKeyOptions, type LegacyKeySettings, legacyKeys } from '../keysets/legacy-options.ts';
import { isLoopback } from '../net/addresses.ts';
import type { ProxyChoice } from '../net/connections.ts';
import { checkUrl, httpsUnlessAllowed, proxy, url } from '../net/options.ts';
import { type TlsOptions, type TlsSettings, tls } from '../net/tls.ts';
import { ENCODINGS, type SecretEncoding } from '../secrets/encoding.ts';
import { name, secretName, store } from '../secrets/options.ts';
import type { SecretReference, SecretStore } from '../secrets/store.ts';
import type { AlgorithmName, LegacyAlgorithmName } from '../token/algorithms.ts';
import { type Clock, readClock } from '../values/clock.ts';
import { type Duration, parseDuration } from '../values/duration.ts';
import { exchanged, flag, lasting, listed, other, ranked } from '../values/judge.ts';
import {
  boolean,
  choice,
  defaulted,
  duration,
  fromCode,
  list,
  maxTokenBytes,
  needed,
  object,
  oneOrMany,
  oneSourceOf,
  optional,
  orNull,
  type ReadBy,
  readTable,
  refined,
  type Schema,
  shared,
  type TableOf,
  text,
  wordSchemas,
} from '../values/option.ts';
import type { UncheckedOptions } from '../values/readers.ts';
import type { ClaimsPolicy } from './claims.ts';

/** An algorithm for signing: all supported algorithms except the legacy ones. */
export type SigningAlgorithm = Exclude<AlgorithmName, LegacyAlgorithmName>;

interface SignerCommon {
  /**
   * The algorithm. Required if the key does not define it: for RSA and symmetric keys without
   * `alg`, and for keys that are not JWKs.
   */
  readonly alg?: SigningAlgorithm;
  /**
   * The key that signs. Default: of the keys that fit, the one with the latest past `nbf`, as
   * `rotate()` sets it; else the first. A PEM or symmetric key gets this kid; a PEM key without it
   * gets its thumbprint (RFC 7638).
   */
  readonly kid?: string;
  /** Added to claims as `iss`; claims with another `iss` are refused. */
  readonly issuer?: string;
  /** Added to claims without `aud`. */
  readonly audience?: string | readonly string[];
  /** Sets `exp` if neither the claims nor the call set it. */
  readonly expiresIn?: Duration;
  /**
   * Claims with a longer lifetime are refused. Default: `expiresIn`, or 366d without it. It
   * determines when a rotation ends.
   */
  readonly maxLifetime?: Duration;
  /** False permits claims that never expire. Default true. */
  readonly requireExp?: boolean;
  /** Adds `iat`, the time of signing, to claims without it. Default true. */
  readonly addIat?: boolean;
  /** Adds `jti`, a random UUID, to claims without it. Default true. */
  readonly addJti?: boolean;
  /** The JOSE header's `typ`; null for none. Default `JWT`. */
  readonly typ?: string | null;
  /**
   * Longer tokens are refused. Bytes, 256 to 65536. Default 8192: many servers and proxies refuse a
   * longer line of a header, though an authenticator reads tokens of 16384.
   */
  readonly maxTokenBytes?: number;
  /** For `iat`, `exp` and the times of keys. Default `Date`. */
  readonly clock?: Clock;
}

interface ReadSignerCommon extends SignerCommon {
  /**
   * The longest time between two readings of the source. Default: a third of `publishAhead`; for a
   * URL 1h. At least 60 s.
   */
  readonly refreshInterval?: Duration;
  /** How long keys are used while their source fails. Default 24h. */
  readonly maxStale?: Duration;
  /**
   * How long `rotate()` publishes a key before it signs. The published set may be cached for a
   * third of this time, so that all verifiers have the key before its first token. At least 10s,
   * and 3m with a store that cannot watch. Default 15m.
   */
  readonly publishAhead?: Duration;
}

type Only<Source extends SignerSourceName> = {
  readonly [Other in Exclude<SignerSourceName, Source>]?: never;
};

/**
 * The format of the entry of a secret. `jwks`: a JWK Set with private or symmetric keys. `pem`: a
 * private key. `symmetric`: the secret itself. The format is never guessed from the bytes.
 */
export type SecretFormat = 'jwks' | 'pem' | 'symmetric';

interface SigningSecret {
  readonly name: string;
  /** Default `jwks.json`. */
  readonly key?: string;
  /**
   * Default: `pem` for an entry named `private.key` or `*.pem`, `symmetric` for `secret.key`,
   * `jwks` for all others.
   */
  readonly format?: SecretFormat;
  /**
   * How a symmetric secret is written, as in `secret` of a keyset; the format is then `symmetric`.
   * Default: its bytes are the key.
   */
  readonly encoding?: SecretEncoding;
}

/** Keys in a secret. If it is a JWK Set in a writable store, it can be rotated. */
export interface SecretSignerOptions extends ReadSignerCommon, Only<'secret'> {
  readonly secret: SigningSecret;
  /** The store of the secret. */
  readonly secrets: SecretStore;
}

/** Keys in an external secret, such as in a vault. */
export interface ExternalSecretSignerOptions extends ReadSignerCommon, Only<'externalSecret'> {
  readonly externalSecret: SigningSecret;
  /** The store of the secret. */
  readonly externalSecrets: SecretStore;
}

/** A JWK Set of private or symmetric keys at a URL, on a machine that you own. */
export interface JwkUrlSignerOptions extends Omit<ReadSignerCommon, 'publishAhead'>, Only<'jwkUrl'> {
  readonly jwkUrl: string;
  /** Required: the set may hold keys that are not for this signer. */
  readonly kid: string;
  /**
   * Permits plain HTTP: private keys cross the network unencrypted. In production, this is
   * permitted to loopback only: see `LATCHKEY_ALLOW_HTTP_KEYS`.
   */
  readonly allowHttp?: boolean;
  readonly tls?: TlsOptions;
  /**
   * The outbound proxy, such as `http://proxy.example.com:3128`; false for none. Default: the one
   * in `HTTPS_PROXY` or `HTTP_PROXY`, except for hosts in `NO_PROXY` and for loopback.
   */
  readonly proxy?: string | false;
}

/** Keys in the options: for tests, and for applications that obtain keys in their own way. */
export interface JwksSignerOptions extends SignerCommon, Only<'jwks'> {
  readonly jwks: JwkSet;
}

/**
 * The deprecated `keys` list, with `private.key` or `secret.key` of its secrets. The first key that
 * fits `alg` and `kid` signs, of these candidates: the keys pinned to the issuer of the claims;
 * else the keys without an issuer; for claims without `iss`, all keys.
 */
export interface LegacyKeysSignerOptions extends Omit<ReadSignerCommon, 'publishAhead'>, Only<'keys'> {
  readonly keys: readonly LegacyKeyOptions[];
  readonly secrets: SecretStore;
}

/** The source of a signer's keys, and the options for its tokens. Exactly one source. */
export type SignerOptions =
  | SecretSignerOptions
  | ExternalSecretSignerOptions
  | JwkUrlSignerOptions
  | JwksSignerOptions
  | LegacyKeysSignerOptions;

/** The name of a source. */
export type SignerSourceName = 'secret' | 'externalSecret' | 'jwkUrl' | 'jwks' | 'keys';

/** Which members of a reply are signed, and how. */
export interface SignedFields {
  /** The members of the reply's JSON object to sign. Each must be an object of claims. */
  readonly keysToSign: readonly string[];
  /**
   * True: writes a flattened JWS JSON Serialization (RFC 7515 §7.2.2) as text instead of a compact
   * one, like the gateway. `object`: writes it as an object. Default false.
   */
  readonly full?: boolean | 'object';
  /**
   * What happens to a reply without one of the members: `skip` sends it, `error` answers 500.
   * Default `skip`.
   */
  readonly onMissing?: 'skip' | 'error';
}

/** The source of a signer's keys, checked. */
export type SignerSource =
  | { readonly source: 'jwks'; readonly jwks: unknown }
  | {
      readonly source: 'secret' | 'externalSecret';
      readonly reference: SecretReference;
      readonly format: SecretFormat;
      readonly encoding: SecretEncoding | undefined;
      readonly store: SecretStore;
    }
  | { readonly source: 'jwkUrl'; readonly url: URL; readonly tls: TlsSettings; readonly proxy: ProxyChoice }
  | { readonly source: 'keys'; readonly keys: readonly LegacyKeySettings[]; readonly store: SecretStore };

/** The options of a signer, checked. */
export type SignerSettings = SignerSource & {
  readonly algorithm: AlgorithmName | undefined;
  readonly kid: string | undefined;
  readonly typ: string | null;
  readonly claims: ClaimsPolicy;
  readonly maxTokenBytes: number;
  readonly clock: Clock;
  readonly refreshIntervalMs: number;
  readonly maxStaleMs: number;
  readonly publishAheadMs: number;
};

const MIN_PUBLISH_AHEAD_MS = 180_000;
const anotherKey = other('another key signs');

const secret = object({
  name,
  key: defaulted(secretName, 'jwks.json', 'The entry in the secret.'),
  format: optional(
    choice('jwks', 'pem', 'symmetric'),
    'How the entry is written. Default: pem for private.key and *.pem, symmetric for secret.key, else jwks.',
  ),
  encoding: optional(
    choice(...ENCODINGS),
    'The entry is a symmetric secret, written in this encoding. Default: its bytes are the key.',
  ),
} satisfies TableOf<SigningSecret>);
const sharedSecret = {
  ...secret,
  schema: shared('signingSecret', { ...secret.schema, description: 'A secret with signing keys.' }),
};

const SOURCES = {
  secret: needed(sharedSecret, 'Signing keys are in a secret of the service.', anotherKey),
  externalSecret: needed(sharedSecret, 'Signing keys are in a secret of an external store.', anotherKey),
  jwkUrl: needed(
    url,
    'Signing keys come from this URL, on a machine of your own. Needs kid.',
    exchanged('another key signs'),
  ),
  jwks: needed(
    { read: (value): unknown => value, schema: jwksSchema() },
    'Signing keys in place. Do not put private keys into a shared file: use secret.',
    anotherKey,
  ),
  keys: needed(
    { ...legacyKeys, schema: { ...legacyKeys.schema, deprecated: true } },
    'The deprecated list: private.key or secret.key of its secrets signs.',
  ),
} satisfies Pick<TableOf<SignerOptions>, SignerSourceName>;

const lifetime = { read: readLifetime, schema: duration.schema };

const OTHERS = {
  alg: optional(
    refined(
      algorithm,
      (read, path) => {
        if (isLegacyName(read)) throw new ConfigError(path, `${read} is for verifying only`);
        return read;
      },
      { anyOf: wordSchemas(...safeNames) },
    ),
    'The algorithm. Required if the key does not define it.',
    exchanged('algorithm'),
  ),
  kid: optional(
    text,
    'The id of the key that signs. Default: the active one.',
    exchanged('another key signs'),
  ),
  issuer: optional(text, 'The iss of all tokens.', exchanged('iss of signed tokens')),
  audience: optional(
    oneOrMany(text),
    'The aud of tokens that have none.',
    other('signed tokens have another audience'),
  ),
  expiresIn: optional(
    lifetime,
    'The lifetime of tokens whose claims have no exp.',
    lasting('opens', 'signed tokens live for'),
  ),
  maxLifetime: optional(
    lifetime,
    'Claims with a longer lifetime are refused. Default: expiresIn, or else 366d.',
    lasting('opens', 'signed tokens live at most for'),
  ),
  requireExp: defaulted(
    boolean,
    true,
    'Whether tokens must expire.',
    flag('closes', 'signed tokens have to expire'),
  ),
  addIat: defaulted(
    boolean,
    true,
    'Whether iat, the time of signing, is added to claims without it.',
    other('iat is added to signed tokens, or is not'),
  ),
  addJti: defaulted(
    boolean,
    true,
    'Whether jti, a random UUID, is added to claims without it.',
    other('jti is added to signed tokens, or is not'),
  ),
  typ: defaulted(
    orNull(
      refined(
        text,
        (typ, path) => {
          if (!/^[\x21-\x7e]+$/.test(typ))
            throw new ConfigError(path, 'expected a media type, such as at+jwt');
          return typ;
        },
        { type: 'string', pattern: '^[\\x21-\\x7e]+$' },
      ),
    ),
    'JWT',
    'The typ of the header. null: none.',
    exchanged('typ of signed tokens'),
  ),
  maxTokenBytes: maxTokenBytes(8192, 'Longer tokens are refused. In bytes.'),
  clock: needed(fromCode(readClock), 'A clock for tests. Default: the system clock.'),
  refreshInterval: optional(
    duration,
    'The longest time between two readings of the keys. Default: a third of publishAhead; for a URL 1h.',
    lasting('opens', 'keys are read again after'),
  ),
  maxStale: defaulted(
    duration,
    '24h',
    'How long keys are used while their source cannot be read.',
    lasting('opens', 'keys are used without their source for'),
  ),
  secrets: optional(
    fromCode((value) => value),
    'The store of secret, and of keys.',
  ),
  externalSecrets: optional(
    fromCode((value) => value),
    'The store of externalSecret.',
  ),
  publishAhead: defaulted(
    duration,
    '15m',
    'How long a new key is published before it signs.',
    other('keys are published for another time before they sign'),
  ),
  allowHttp: defaulted(
    boolean,
    false,
    'Whether plain http is allowed: private keys then cross the network unencrypted.',
    flag('opens', 'plain http to other machines is allowed'),
  ),
  tls,
  proxy,
} satisfies Omit<TableOf<SignerOptions>, SignerSourceName>;

const COMMON = [
  'alg',
  'kid',
  'issuer',
  'audience',
  'expiresIn',
  'maxLifetime',
  'requireExp',
  'addIat',
  'addJti',
  'typ',
  'maxTokenBytes',
  'clock',
] as const;
const READ = [...COMMON, 'refreshInterval', 'maxStale'] as const;
/** Which options may be next to each source. */
const BESIDES = {
  secret: [...READ, 'secrets', 'publishAhead'],
  externalSecret: [...READ, 'externalSecrets', 'publishAhead'],
  jwkUrl: [...READ, 'allowHttp', 'tls', 'proxy'],
  jwks: COMMON,
  keys: [...READ, 'secrets'],
} as const satisfies Record<SignerSourceName, readonly (keyof typeof OTHERS)[]>;

/** The options of a signer. */
const signerOptions = oneSourceOf(SOURCES, OTHERS, BESIDES, {
  whole: 'signer',
  like: "options of a signer, such as { secret: { name: 'signing' }, secrets }",
});

/** The option names of a signer. */
export const signerOptionNames: readonly string[] = Object.keys(signerOptions.table);

/** The options of signed members. */
const signedFieldsOptions = object({
  keysToSign: needed(
    list(text),
    'The members of replies to sign. Each must be an object of claims.',
    listed({ more: 'opens', thing: 'signed member of replies' }),
  ),
  full: defaulted(
    {
      read: (value, path) => (value === 'object' ? value : boolean.read(value, path)),
      schema: { enum: [true, false, 'object'] },
    },
    false,
    'true: the JSON serialization of JWS, as a string. object: the same as an object.',
    other('signed members are written in another way'),
  ),
  onMissing: defaulted(
    choice('skip', 'error'),
    'skip',
    'A reply without one of the members: skip sends it, error answers 500.',
    ranked(['error', 'skip'], 'a reply without one of the members'),
  ),
} satisfies TableOf<SignedFields>);

/** `signing` of a descriptor: a signer, and the members of replies that it signs. */
export const signingOptions = oneSourceOf(
  SOURCES,
  { ...OTHERS, ...signedFieldsOptions.table },
  {
    secret: [...BESIDES.secret, 'keysToSign', 'full', 'onMissing'],
    externalSecret: [...BESIDES.externalSecret, 'keysToSign', 'full', 'onMissing'],
    jwkUrl: [...BESIDES.jwkUrl, 'keysToSign', 'full', 'onMissing'],
    jwks: [...BESIDES.jwks, 'keysToSign', 'full', 'onMissing'],
    keys: [...BESIDES.keys, 'keysToSign', 'full', 'onMissing'],
  },
);

/** The schema of `signing`. */
export const signingSchema: Schema = shared('signing', {
  ...signingOptions.schema({
    dependentRequired: { jwkUrl: ['kid'], full: ['keysToSign'], onMissing: ['keysToSign'] },
    dependentSchemas: { jwkUrl: httpsUnlessAllowed('jwkUrl') },
  }),
  description: 'The tokens that the service signs, with keys from exactly one source.',
});

/** Checks a signer's options. @throws ConfigError */
export function readSignerOptions(value: unknown): SignerSettings {
  const { source, options } = signerOptions.open(value, '');
  const read = readTable(OTHERS, options, '');
  const rotates = source === 'secret' || source === 'externalSecret';
  const { publishAhead: publishAheadMs, refreshInterval = rotates ? publishAheadMs / 3 : 3_600_000 } = read;
  const from = readSource(source, options, read);
  if (rotates && 'store' in from) checkPublishAhead(publishAheadMs, refreshInterval, from.store);
  return {
    ...from,
    algorithm: read.alg,
    kid: read.kid,
    typ: read.typ,
    claims: claimsPolicyOf(read),
    maxTokenBytes: read.maxTokenBytes,
    clock: read.clock,
    refreshIntervalMs: refreshInterval,
    maxStaleMs: read.maxStale,
    publishAheadMs,
  };
}

type Read = ReadBy<typeof OTHERS>;

function readSource(source: SignerSourceName, options: UncheckedOptions, read: Read): SignerSource {
  const given = options[source];
  switch (source) {
    case 'jwks':
      return { source, jwks: given };
    case 'secret':
    case 'externalSecret': {
      const { name, key, encoding, ...written } = secret.read(given, source);
      const { format = encoding === undefined ? formatOf(key) : 'symmetric' } = written;
      if (encoding !== undefined && format !== 'symmetric')
        throw new ConfigError(`${source}.encoding`, "is allowed with format: 'symmetric' only; remove one");
      if (format !== 'jwks' && read.alg === undefined)
        throw new ConfigError(
          'alg',
          `is required with a key that is not a JWK (${source}.format is '${format}')`,
        );
      const stores = `${source}s` as const;
      return {
        source,
        reference: { name, key },
        format,
        encoding,
        store: store.read(options[stores], stores),
      };
    }
    case 'jwkUrl':
      return {
        source,
        url: checkKeyUrl(SOURCES.jwkUrl.read(given, source), read),
        tls: read.tls,
        proxy: read.proxy,
      };
    case 'keys':
      return { source, keys: legacyKeys.read(given, source), store: store.read(options.secrets, 'secrets') };
  }
}

function formatOf(key: string): SecretFormat {
  if (key === 'secret.key') return 'symmetric';
  return key === 'private.key' || key.endsWith('.pem') ? 'pem' : 'jwks';
}

/** Private keys are transferred: requires https, unless `allowHttp` permits http. */
function checkKeyUrl(checked: URL, { kid, allowHttp }: Read): URL {
  if (kid === undefined) throw new ConfigError('kid', 'is required with jwkUrl: the set may hold other keys');
  checkUrl(checked, allowHttp, 'jwkUrl');
  if (checked.protocol === 'http:' && !isLoopback(checked.hostname) && refusesHttpKeys(process.env)) {
    throw new ConfigError(
      'jwkUrl',
      'expected https for private keys in production, got http; use https, or set LATCHKEY_ALLOW_HTTP_KEYS=true',
    );
  }
  return checked;
}

function claimsPolicyOf({ issuer, audience, expiresIn, maxLifetime, ...rest }: Read): ClaimsPolicy {
  const { requireExp, addIat, addJti } = rest;
  const maxLifetimeSeconds = maxLifetime ?? expiresIn ?? readLifetime('366d', 'maxLifetime');
  if (expiresIn !== undefined && expiresIn > maxLifetimeSeconds)
    throw new ConfigError('expiresIn', 'expected at most maxLifetime');
  return { issuer, audience, lifetimeSeconds: expiresIn, maxLifetimeSeconds, requireExp, addIat, addJti };
}

/** Checks that every process and every verifier has read the next key before it signs. */
function checkPublishAhead(publishAheadMs: number, refreshIntervalMs: number, store: SecretStore): void {
  // Verifiers read the keys again for an unknown kid, at most once in ten seconds.
  if (publishAheadMs < 10_000) throw new ConfigError('publishAhead', 'expected at least 10s');
  // A store that can watch is read at once after a change; any other at most once a minute.
  if (store.watch !== undefined) return;
  if (publishAheadMs < MIN_PUBLISH_AHEAD_MS)
    throw new ConfigError('publishAhead', 'expected at least 3m with a store that cannot watch');
  if (refreshIntervalMs > publishAheadMs / 2)
    throw new ConfigError('refreshInterval', 'expected at most half of publishAhead');
}

/** Reads the lifetime of a token. @returns whole seconds @throws ConfigError */
export function readLifetime(value: unknown, path: string): number {
  const seconds = Math.floor(parseDuration(value, path) / 1000);
  if (seconds < 1) throw new ConfigError(path, 'expected at least one second');
  return seconds;
}

/** Checks which members of a reply are signed, and how. @throws ConfigError */
export function readSignedFields(given: UncheckedOptions): {
  readonly names: readonly string[];
  readonly form: 'compact' | 'text' | 'object';
  readonly mustHaveAll: boolean;
} {
  const { keysToSign, full, onMissing } = readTable(signedFieldsOptions.table, given, '');
  return {
    names: keysToSign,
    form: full === 'object' ? full : full ? 'text' : 'compact',
    mustHaveAll: onMissing === 'error',
  };
}

function jwksSchema(): Schema {
  const keys = { description: 'The keys.', type: 'array', minItems: 1, items: { type: 'object' } };
  return { type: 'object', required: ['keys'], properties: { keys }, deprecated: true };
}

/**
 * True if private keys over plain HTTP are refused: in production, unless the environment permits
 * it.
 */
function refusesHttpKeys({ NODE_ENV, LATCHKEY_ALLOW_HTTP_KEYS }: NodeJS.ProcessEnv): boolean {
  return NODE_ENV === 'production' && LATCHKEY_ALLOW_HTTP_KEYS !== 'true';
}
