// Reading keyset options: what is wrong is a ConfigError with the path and the mend.

import { ConfigError } from '../errors.ts';
import type { JwkSet } from '../jwk/import-jwks.ts';
import { refuseUrl } from '../net/https.ts';
import { readTls } from '../net/tls.ts';
import { publicJwkFromPem } from '../secrets/pem.ts';
import { checkSecretName, type SecretReference } from '../secrets/store.ts';
import { findAlgorithm } from '../token/algorithms.ts';
import { type Duration, parseDuration } from '../values/duration.ts';
import {
  readBoolean,
  readChoice,
  readList,
  readObject,
  readText,
  type UncheckedOptions,
} from '../values/readers.ts';
import type { KeysetSettings, RefreshPolicy } from './create.ts';
import type { JwksHost } from './jku.ts';
import type { SourceName } from './options.ts';
import type { PublicKeySettings } from './public-keys.ts';
import { readAlgorithm, readAllowed, readLegacy } from './read-algorithms.ts';

const SOURCES = [
  'useOidcDiscovery',
  'jwksUrl',
  'jwksHosts',
  'secret',
  'externalSecret',
  'jwks',
  'publicKeys',
] as const satisfies readonly SourceName[];

const COMMON = ['issuer', 'allowedAlgorithms', 'kidless', 'unsafeAlgorithmMatch', 'system'] as const;
const READ = [...COMMON, 'refreshInterval', 'maxStale', 'skipValidation'] as const;
const FETCHED = [...READ, 'allowHttp', 'tls'] as const;
const SECRET = [...READ, 'unsafeLegacyAlgorithms'] as const;
/** What may stand beside each source. */
const NAMES = {
  useOidcDiscovery: FETCHED,
  jwksUrl: FETCHED,
  jwksHosts: [...FETCHED, 'unsafeAllowPrivateAddresses'],
  secret: SECRET,
  externalSecret: SECRET,
  jwks: COMMON,
  publicKeys: READ,
} as const satisfies Record<SourceName, readonly string[]>;

const MAX_PUBLIC_KEYS = 10;

/** Checks one keyset. @throws ConfigError */
export function readKeyset(value: unknown, name: string): KeysetSettings {
  const source = findSource(value, name);
  const options = readObject(value, [source, ...NAMES[source]], name);
  const issuer = options.issuer === undefined ? undefined : readText(options.issuer, `${name}.issuer`);
  const origin =
    source === 'secret' || source === 'externalSecret' ? ('secret' as const) : ('public' as const);
  const legacy = readLegacy(options.unsafeLegacyAlgorithms, issuer, name);
  const common = {
    name,
    issuer,
    policy: {
      origin,
      allowed: readAllowed(options.allowedAlgorithms, origin, legacy, `${name}.allowedAlgorithms`),
      legacy,
      matchFamily:
        readChoice(options.unsafeAlgorithmMatch, ['family'], `${name}.unsafeAlgorithmMatch`) === 'family',
    },
    selection: {
      kidless: readChoice(options.kidless, ['first', 'try-all', 'refuse'], `${name}.kidless`) ?? 'first',
      unnamed: source === 'publicKeys',
    },
    isSystem: readBoolean(options.system, false, `${name}.system`),
    refresh: readRefresh(options, name),
    skipValidation: readBoolean(options.skipValidation, false, `${name}.skipValidation`),
  };
  const path = `${name}.${source}`;
  const allowHttp = readBoolean(options.allowHttp, false, `${name}.allowHttp`);
  switch (source) {
    case 'jwks':
      return { ...common, source, jwks: copyOf(options.jwks, path) };
    case 'publicKeys':
      return { ...common, source, publicKeys: readPublicKeys(options.publicKeys, path) };
    case 'secret':
    case 'externalSecret':
      return { ...common, source, reference: readReference(options[source], path) };
    case 'jwksHosts':
      return {
        ...common,
        source,
        hosts: readList(options.jwksHosts, readHost, path),
        allowHttp,
        tls: readTls(options.tls, `${name}.tls`),
        publicOnly: !readBoolean(
          options.unsafeAllowPrivateAddresses,
          false,
          `${name}.unsafeAllowPrivateAddresses`,
        ),
      };
    case 'jwksUrl': {
      const url = readUrl(options.jwksUrl, allowHttp, path);
      return { ...common, source, url, tls: readTls(options.tls, `${name}.tls`) };
    }
    case 'useOidcDiscovery': {
      if (options.useOidcDiscovery !== true) throw new ConfigError(path, 'expected true');
      if (issuer === undefined) throw new ConfigError(`${name}.issuer`, 'is needed with useOidcDiscovery');
      // OpenID Connect Core 1.0 §2: an issuer has neither query nor fragment.
      const { search, hash } = readUrl(issuer, allowHttp, `${name}.issuer`);
      if (search !== '' || hash !== '')
        throw new ConfigError(`${name}.issuer`, 'must not have a query or a fragment');
      return { ...common, issuer, source, allowHttp, tls: readTls(options.tls, `${name}.tls`) };
    }
  }
}

function findSource(value: unknown, name: string): SourceName {
  const given = typeof value === 'object' && value !== null ? (value as UncheckedOptions) : {};
  const [source, ...others] = SOURCES.filter((candidate) => given[candidate] !== undefined);
  if (source === undefined || others.length > 0) {
    throw new ConfigError(name, `exactly one source is needed: ${SOURCES.join(', ')}`);
  }
  return source;
}

function readRefresh(options: UncheckedOptions, name: string): RefreshPolicy {
  const duration = (option: string, fallback: Duration) =>
    parseDuration(options[option] === undefined ? fallback : options[option], `${name}.${option}`);
  return { refreshIntervalMs: duration('refreshInterval', '1h'), maxStaleMs: duration('maxStale', '24h') };
}

function readUrl(value: unknown, allowHttp: boolean, path: string): URL {
  const text = readText(value, path);
  if (!URL.canParse(text)) throw new ConfigError(path, 'expected a URL');
  const url = new URL(text);
  const refusal = refuseUrl(url, allowHttp);
  if (refusal !== undefined) throw new ConfigError(path, refusal);
  return url;
}

function readHost(value: unknown, path: string): JwksHost {
  const text = readText(value, path);
  const url = URL.canParse(`https://${text}`) ? new URL(`https://${text}`) : undefined;
  // What the parser would change or take away is not what was meant.
  if (url === undefined || ![url.host, `${url.host}${url.pathname}`].includes(text) || /[*?#@]/.test(text)) {
    throw new ConfigError(
      path,
      'expected a host in lower case, like keys.example.com, :port and /path/ if needed',
    );
  }
  if (!url.pathname.endsWith('/')) throw new ConfigError(path, 'a path has to end with /');
  return { host: url.host, pathPrefix: url.pathname };
}

function readReference(value: unknown, path: string): SecretReference {
  const { name, key = 'jwks.json' } = readObject(value, ['name', 'key'], path);
  return {
    name: checkSecretName(readText(name, `${path}.name`), `${path}.name`),
    key: checkSecretName(readText(key, `${path}.key`), `${path}.key`),
  };
}

function readPublicKeys(value: unknown, path: string): readonly PublicKeySettings[] {
  const keys = readList(value, readPublicKey, path);
  if (keys.length > MAX_PUBLIC_KEYS) throw new ConfigError(path, `expected at most ${MAX_PUBLIC_KEYS} keys`);
  return keys;
}

function readPublicKey(value: unknown, path: string): PublicKeySettings {
  const { file, pem, algorithm: named } = readObject(value, ['file', 'pem', 'algorithm'], path);
  const renamed = named === 'RSA256' ? 'RS256' : named === 'RSA512' ? 'RS512' : named;
  const algorithm = readAlgorithm(renamed, `${path}.algorithm`);
  if (findAlgorithm(algorithm)?.kty === 'oct')
    throw new ConfigError(`${path}.algorithm`, 'is not for public keys');
  if ((file === undefined) === (pem === undefined))
    throw new ConfigError(path, 'expected either file or pem');
  if (file !== undefined) return { file: readText(file, `${path}.file`), algorithm };
  const text = readText(pem, `${path}.pem`);
  try {
    publicJwkFromPem(text);
  } catch (cause) {
    throw new ConfigError(`${path}.pem`, cause instanceof Error ? cause.message : 'expected PEM', { cause });
  }
  return { pem: text, algorithm };
}

/** A snapshot: what the application does to its object afterwards has no effect. */
function copyOf(jwks: unknown, path: string): JwkSet {
  try {
    return structuredClone(jwks) as JwkSet;
  } catch (cause) {
    throw new ConfigError(path, 'expected a JWK Set: { keys: [ … ] }', { cause });
  }
}
