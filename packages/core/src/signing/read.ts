// Reading signer options: what is wrong is a ConfigError with the path and the mend.

import { ConfigError } from '../errors.ts';
import type { LegacyKeySettings } from '../keysets/legacy-keys.ts';
import { isLegacyName, readAlgorithm } from '../keysets/read-algorithms.ts';
import { readLegacyKeys } from '../keysets/read-legacy-keys.ts';
import { isLoopback } from '../net/addresses.ts';
import { refuseUrl } from '../net/https.ts';
import { readTls, type TlsSettings } from '../net/tls.ts';
import { checkSecretName, readStore, type SecretReference, type SecretStore } from '../secrets/store.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import { type Clock, readClock } from '../values/clock.ts';
import { type Duration, parseDuration } from '../values/duration.ts';
import {
  readBoolean,
  readChoice,
  readList,
  readMaxTokenBytes,
  readObject,
  readText,
  type UncheckedOptions,
} from '../values/readers.ts';
import type { ClaimsPolicy } from './claims.ts';
import type { SecretFormat, SignerSourceName } from './options.ts';

/** Where a signer's keys come from, checked. */
export type SignerSource =
  | { readonly source: 'jwks'; readonly jwks: unknown }
  | {
      readonly source: 'secret' | 'externalSecret';
      readonly reference: SecretReference;
      readonly format: SecretFormat;
      readonly store: SecretStore;
    }
  | { readonly source: 'jwkUrl'; readonly url: URL; readonly tls: TlsSettings }
  | { readonly source: 'keys'; readonly keys: readonly LegacyKeySettings[]; readonly store: SecretStore };

/** A signer's options, checked. */
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

const SOURCES = ['secret', 'externalSecret', 'jwkUrl', 'jwks', 'keys'] as const satisfies SignerSourceName[];
const COMMON = [
  'alg',
  'kid',
  'issuer',
  'audience',
  'expiresIn',
  'maxLifetime',
  'requireExp',
  'typ',
  'maxTokenBytes',
  'clock',
] as const;
const READ = [...COMMON, 'refreshInterval', 'maxStale'] as const;
const MIN_PUBLISH_AHEAD_MS = 180_000;
/** What may stand beside each source. */
const NAMES = {
  secret: [...READ, 'secrets', 'publishAhead'],
  externalSecret: [...READ, 'externalSecrets', 'publishAhead'],
  jwkUrl: [...READ, 'allowHttp', 'tls'],
  jwks: COMMON,
  keys: [...READ, 'secrets'],
} as const satisfies Record<SignerSourceName, readonly string[]>;

/** The names that may stand in a signer's options. */
export const signerOptionNames: readonly string[] = [
  ...new Set([...SOURCES, ...Object.values(NAMES).flat()]),
];

/** Checks a signer's options. @throws ConfigError */
export function readSignerOptions(value: unknown): SignerSettings {
  const given = typeof value === 'object' && value !== null ? (value as UncheckedOptions) : {};
  const [source, ...others] = SOURCES.filter((candidate) => given[candidate] !== undefined);
  if (source === undefined || others.length > 0)
    throw new ConfigError('signer', `exactly one source is needed: ${SOURCES.join(', ')}`);
  const options = readObject(value, [source, ...NAMES[source]], '');
  const publishAheadMs = readDuration(options, 'publishAhead', '15m');
  const rotates = source === 'secret' || source === 'externalSecret';
  const refreshIntervalMs = readDuration(
    options,
    'refreshInterval',
    `${rotates ? publishAheadMs / 3 : 3_600_000}ms`,
  );
  const from = readSource(source, options);
  if (rotates && 'store' in from) checkPublishAhead(publishAheadMs, refreshIntervalMs, from.store);
  return {
    ...from,
    algorithm: readSigningAlgorithm(options.alg),
    kid: options.kid === undefined ? undefined : readText(options.kid, 'kid'),
    typ: readTyp(options.typ),
    claims: readClaimsPolicy(options),
    maxTokenBytes: readMaxTokenBytes(options.maxTokenBytes),
    clock: readClock(options.clock),
    refreshIntervalMs,
    maxStaleMs: readDuration(options, 'maxStale', '24h'),
    publishAheadMs,
  };
}

function readSource(source: SignerSourceName, options: UncheckedOptions): SignerSource {
  switch (source) {
    case 'jwks':
      return { source, jwks: options.jwks };
    case 'secret':
      return { source, ...readSecret(options, source), store: readStore(options.secrets, 'secrets') };
    case 'externalSecret':
      return {
        source,
        ...readSecret(options, source),
        store: readStore(options.externalSecrets, 'externalSecrets'),
      };
    case 'jwkUrl':
      return { source, url: readKeyUrl(options), tls: readTls(options.tls, 'tls') };
    case 'keys':
      return { source, keys: readLegacyKeys(options.keys), store: readStore(options.secrets, 'secrets') };
  }
}

function readSecret(
  options: UncheckedOptions,
  source: 'secret' | 'externalSecret',
): { readonly reference: SecretReference; readonly format: SecretFormat } {
  const secret = readObject(options[source], ['name', 'key', 'format'], source);
  const name = checkSecretName(readText(secret.name, `${source}.name`), `${source}.name`);
  const key = checkSecretName(readText(secret.key ?? 'jwks.json', `${source}.key`), `${source}.key`);
  const format = readChoice(secret.format, ['jwks', 'pem', 'symmetric'], `${source}.format`) ?? formatOf(key);
  if (format !== 'jwks' && options.alg === undefined)
    throw new ConfigError('alg', `is needed with a key that is no JWK (${source}.format is '${format}')`);
  return { reference: { name, key }, format };
}

function formatOf(key: string): SecretFormat {
  if (key === 'secret.key') return 'symmetric';
  return key === 'private.key' || key.endsWith('.pem') ? 'pem' : 'jwks';
}

/** Whoever reads along on the way has the keys: https, or what says aloud that it is not. */
function readKeyUrl(options: UncheckedOptions): URL {
  if (options.kid === undefined)
    throw new ConfigError('kid', 'is needed with jwkUrl: the set may hold other keys');
  const text = readText(options.jwkUrl, 'jwkUrl');
  if (!URL.canParse(text)) throw new ConfigError('jwkUrl', 'expected a URL');
  const url = new URL(text);
  const refusal = refuseUrl(url, readBoolean(options.allowHttp, false, 'allowHttp'));
  if (refusal !== undefined) throw new ConfigError('jwkUrl', refusal);
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && refusesHttpKeys(process.env)) {
    throw new ConfigError(
      'jwkUrl',
      'private keys over plain HTTP in production; use https, or set LATCHKEY_ALLOW_HTTP_KEYS=true',
    );
  }
  return url;
}

/** In production, private keys come over plain HTTP only where the environment permits it. */
function refusesHttpKeys({ NODE_ENV, LATCHKEY_ALLOW_HTTP_KEYS }: NodeJS.ProcessEnv): boolean {
  return NODE_ENV === 'production' && LATCHKEY_ALLOW_HTTP_KEYS !== 'true';
}

function readSigningAlgorithm(value: unknown): AlgorithmName | undefined {
  if (value === undefined) return undefined;
  const algorithm = readAlgorithm(value, 'alg');
  if (isLegacyName(algorithm)) throw new ConfigError('alg', `nothing is signed with ${algorithm}`);
  return algorithm;
}

function readClaimsPolicy(options: UncheckedOptions): ClaimsPolicy {
  const lifetimeSeconds =
    options.expiresIn === undefined ? undefined : readLifetime(options.expiresIn, 'expiresIn');
  const maxLifetimeSeconds =
    options.maxLifetime === undefined
      ? (lifetimeSeconds ?? readLifetime('366d', 'maxLifetime'))
      : readLifetime(options.maxLifetime, 'maxLifetime');
  if (lifetimeSeconds !== undefined && lifetimeSeconds > maxLifetimeSeconds)
    throw new ConfigError('expiresIn', 'is longer than maxLifetime');
  const { audience } = options;
  return {
    issuer: options.issuer === undefined ? undefined : readText(options.issuer, 'issuer'),
    audience:
      audience === undefined
        ? undefined
        : Array.isArray(audience)
          ? readList(audience, readText, 'audience')
          : readText(audience, 'audience'),
    lifetimeSeconds,
    maxLifetimeSeconds,
    requireExp: readBoolean(options.requireExp, true, 'requireExp'),
  };
}

/** Every process has to have seen the next key, and every verifier, before it signs. */
function checkPublishAhead(publishAheadMs: number, refreshIntervalMs: number, store: SecretStore): void {
  // Verifiers look for a kid that they do not know once in ten seconds.
  if (publishAheadMs < 10_000) throw new ConfigError('publishAhead', 'expected at least 10s');
  // A store that tells of changes is read at once; any other at most once a minute.
  if (store.watch !== undefined) return;
  if (publishAheadMs < MIN_PUBLISH_AHEAD_MS)
    throw new ConfigError('publishAhead', 'expected at least 3m with a store that tells of no changes');
  if (refreshIntervalMs > publishAheadMs / 2)
    throw new ConfigError('refreshInterval', 'expected at most half of publishAhead');
}

function readTyp(value: unknown): string | null {
  if (value === null) return null;
  const typ = value === undefined ? 'JWT' : readText(value, 'typ');
  if (!/^[\x21-\x7e]+$/.test(typ)) throw new ConfigError('typ', 'expected a media type, such as at+jwt');
  return typ;
}

/** How long a token lives. @returns whole seconds @throws ConfigError */
export function readLifetime(value: unknown, path: string): number {
  const seconds = Math.floor(parseDuration(value, path) / 1000);
  if (seconds < 1) throw new ConfigError(path, 'expected at least one second');
  return seconds;
}

function readDuration(options: UncheckedOptions, name: string, fallback: Duration): number {
  return parseDuration(options[name] === undefined ? fallback : options[name], name);
}
