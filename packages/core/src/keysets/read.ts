// Reading keyset options: what is wrong is a ConfigError with the path and the mend.
import { readBoolean, readChoice, readList, readObject, readText, type UncheckedOptions } from '../checks.ts';
import { type Duration, parseDuration } from '../duration.ts';
import { ConfigError } from '../errors.ts';
import { publicJwkFromPem } from '../secrets/pem.ts';
import { checkSecretName, type SecretReference } from '../secrets/store.ts';
import { type AlgorithmName, algorithmNames, findAlgorithm, isLegacy } from '../token/algorithms.ts';
import type { KeysetSettings, RefreshPolicy } from './create.ts';
import { refuseUrl } from './https.ts';
import type { JwksHost } from './jku.ts';
import type { JwkSet } from './jwk.ts';
import type { LegacyKeySettings } from './legacy-keys.ts';
import type { SourceName } from './options.ts';
import type { PublicKeySettings } from './public-keys.ts';
import { readTls } from './tls.ts';

const SOURCES = [
  'useOidcDiscovery',
  'jwksUrl',
  'jwksHosts',
  'secret',
  'externalSecret',
  'jwks',
  'publicKeys',
] as const satisfies readonly SourceName[];

const COMMON = ['issuer', 'allowedAlgorithms', 'kidless', 'unsafeAlgorithmMatch'] as const;
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

/** Checks the deprecated `keys` list. @throws ConfigError */
export function readLegacyKeys(value: unknown): readonly LegacyKeySettings[] {
  const keys = readList(value, readLegacyKey, 'keys');
  for (const [index, { keyId }] of keys.entries()) {
    const first = keys.findIndex((key) => key.keyId === keyId);
    if (first !== index)
      throw new ConfigError(`keys[${index}].keyId`, `is the same as that of keys[${first}]`);
  }
  return keys;
}

function readLegacyKey(value: unknown, path: string): LegacyKeySettings {
  const known = ['keyId', 'issuer', 'algorithm', 'secret', 'unsafeLegacyAlgorithms'];
  const options = readObject(value, known, path);
  const issuer = options.issuer === undefined ? undefined : readText(options.issuer, `${path}.issuer`);
  const algorithm = readAlgorithm(options.algorithm, `${path}.algorithm`);
  const legacy = readLegacy(options.unsafeLegacyAlgorithms, issuer, path);
  if (isLegacyName(algorithm) && !legacy.has(algorithm)) {
    throw new ConfigError(
      `${path}.algorithm`,
      `${algorithm} is unsafe; name it in unsafeLegacyAlgorithms to accept it all the same`,
    );
  }
  const secret = readObject(options.secret, ['name'], `${path}.secret`);
  return {
    keyId: readText(options.keyId, `${path}.keyId`),
    issuer,
    algorithm,
    secretName: checkSecretName(readText(secret.name, `${path}.secret.name`), `${path}.secret.name`),
    legacy,
  };
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

function readAllowed(
  value: unknown,
  origin: 'public' | 'secret',
  legacy: ReadonlySet<AlgorithmName>,
  path: string,
): ReadonlySet<AlgorithmName> | undefined {
  if (value === undefined) return undefined;
  const names = readList(value, readAlgorithm, path);
  for (const [index, name] of names.entries()) {
    const at = `${path}[${index}]`;
    if (origin === 'public' && findAlgorithm(name)?.kty === 'oct') {
      throw new ConfigError(
        at,
        `${name} takes a secret, and this source is public; use secret or externalSecret`,
      );
    }
    if (isLegacyName(name) && !legacy.has(name)) {
      throw new ConfigError(
        at,
        `${name} is unsafe; name it in unsafeLegacyAlgorithms to accept it all the same`,
      );
    }
  }
  // RFC 9864 §2.2: two names of one algorithm.
  return new Set(names.flatMap((name) => (findAlgorithm(name)?.kty === 'OKP' ? ['EdDSA', 'Ed25519'] : name)));
}

function readAlgorithm(value: unknown, path: string): AlgorithmName {
  const algorithm = typeof value === 'string' ? findAlgorithm(value) : undefined;
  if (algorithm === undefined) throw new ConfigError(path, `expected one of ${algorithmNames.join(', ')}`);
  return algorithm.name;
}

function readLegacy(value: unknown, issuer: string | undefined, name: string): ReadonlySet<AlgorithmName> {
  const path = `${name}.unsafeLegacyAlgorithms`;
  if (value === undefined) return new Set();
  const names = readList(value, readAlgorithm, path);
  if (!names.every(isLegacyName))
    throw new ConfigError(path, 'expected HMD5 or HS224; others need no such permission');
  if (issuer === undefined) throw new ConfigError(path, 'needs an issuer beside it');
  return new Set(names);
}

function isLegacyName(name: AlgorithmName): boolean {
  const algorithm = findAlgorithm(name);
  return algorithm !== undefined && isLegacy(algorithm);
}

/** A snapshot: what the application does to its object afterwards has no effect. */
function copyOf(jwks: unknown, path: string): JwkSet {
  try {
    return structuredClone(jwks) as JwkSet;
  } catch (cause) {
    throw new ConfigError(path, 'expected a JWK Set: { keys: [ … ] }', { cause });
  }
}
