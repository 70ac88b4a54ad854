// Reads the signer configuration of KrakenD from the text of KrakenD's file: two namespaces and two
// spellings with the same meaning. Nothing is signed here.

import { ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import { plain } from '../plain-text.ts';
import {
  argument,
  isPlainObject,
  readBoolean,
  readList,
  readObject,
  readText,
  type UncheckedOptions,
} from '../values/readers.ts';
import type { JwkUrlSignerOptions, SignedFields } from './options.ts';
import { readSignedFields, readSignerOptions } from './options.ts';
import type { SignResponseOptions } from './response.ts';

/**
 * The options of KrakenD's signer in the current spelling. `jwk-url` and `keys-to-sign` are the
 * older spelling.
 */
export interface KrakendSigner {
  readonly alg: string;
  readonly kid: string;
  readonly jwk_url?: string;
  readonly 'jwk-url'?: string;
  readonly keys_to_sign?: readonly string[];
  readonly 'keys-to-sign'?: readonly string[];
  /** Like `full: true`: the JWS JSON Serialization, as text. */
  readonly full?: boolean;
  /**
   * Permits plain HTTP for `jwk_url`, like `allowHttp`. Does *not* turn off certificate checks,
   * unlike in KrakenD.
   */
  readonly disable_jwk_security?: boolean;
  /** SHA-256 of public keys (SubjectPublicKeyInfo), base64. */
  readonly jwk_fingerprints?: readonly string[];
  /** IANA numbers. 5 and 10 (RC4 and 3DES) are refused: OpenSSL 3 does not have them. */
  readonly cipher_suites?: readonly number[];
  /** The path of a CA certificate, PEM. */
  readonly jwk_local_ca?: string;
  readonly typ?: string;
}

/**
 * The configuration of the signer: alone, in its namespace, in `extra_config`, or in the whole
 * endpoint.
 */
export type KrakendConfiguration =
  | KrakendSigner
  | { readonly 'github.com/devopsfaith/krakend-jose/signer': KrakendSigner }
  | { readonly 'auth/signer': KrakendSigner }
  | { readonly extra_config: { readonly [namespace: string]: unknown } };

const NAMESPACES = ['github.com/devopsfaith/krakend-jose/signer', 'auth/signer'] as const;
const NAMES = [
  'jwk-url',
  'jwk_url',
  'keys-to-sign',
  'keys_to_sign',
  'alg',
  'kid',
  'full',
  'disable_jwk_security',
  'jwk_fingerprints',
  'cipher_suites',
  'jwk_local_ca',
  'typ',
] as const;

/** What the gateway has no option for. See `SignerOptions`. */
export type KrakendAdditions = Pick<
  JwkUrlSignerOptions & SignedFields,
  | 'expiresIn'
  | 'maxLifetime'
  | 'requireExp'
  | 'issuer'
  | 'audience'
  | 'addIat'
  | 'addJti'
  | 'typ'
  | 'onMissing'
>;

const ADDITIONS = [
  'expiresIn',
  'maxLifetime',
  'requireExp',
  'issuer',
  'audience',
  'addIat',
  'addJti',
  'typ',
  'onMissing',
] as const satisfies readonly (keyof KrakendAdditions)[];

/**
 * Converts the configuration of KrakenD's signer to options for `signResponse`. Does *not* forward
 * a request: other members of an endpoint, such as `backend`, have no effect, with a warning
 * (`LATCHKEY_ROUTES`) that names them. Unlike the gateway, a signer adds `iat`, `jti` and `typ`,
 * and refuses claims without `exp` or with a lifetime of more than 366 days; `additions` changes
 * that.
 * @param additions options that the gateway does not have
 * @throws ConfigError for everything that `signResponse` would refuse, with the names of KrakenD's
 *   file
 * @example
 * ```ts
 * const options = fromKrakend({
 *   'auth/signer': {
 *     alg: 'RS256',
 *     kid: 'sim2',
 *     jwk_url: 'https://keys.example.com/jwks.json',
 *     keys_to_sign: ['access_token'],
 *   },
 * }, { maxLifetime: '400d' }); // for signResponse
 * ```
 */
export function fromKrakend(
  configuration: KrakendConfiguration,
  ...given: readonly [additions?: KrakendAdditions]
): SignResponseOptions {
  const additions = readObject(argument(given, 'additions', {}), ADDITIONS, 'additions');
  const found = findConfiguration(configuration);
  const options = { ...translate(found), ...additions };
  warnOfOthers(configuration);
  const { keysToSign, full, onMissing, ...signer } = options as UncheckedOptions;
  try {
    readSignedFields({ keysToSign, full, ...(onMissing === undefined ? {} : { onMissing }) });
    readSignerOptions(signer);
  } catch (error) {
    throw error instanceof ConfigError && !Object.hasOwn(additions, error.path)
      ? inKrakendTerms(error, found)
      : error;
  }
  // The type is safe: the options were just checked.
  return options as unknown as SignResponseOptions;
}

/** An endpoint of the gateway also calls a backend. Here, the route of the application does. */
function warnOfOthers(configuration: KrakendConfiguration): void {
  if (!Object.hasOwn(configuration, 'extra_config')) return;
  const others = Object.keys(configuration).filter((name) => !OF_ROUTES.test(name));
  if (others.length > 0)
    warn(
      'LATCHKEY_ROUTES',
      `fromKrakend: ${plain(others.join(', '))}: no effect here; the handler of the route calls the backend`,
    );
}

/** What a route says itself, and comments. */
const OF_ROUTES = /^(?:extra_config|endpoint|method|[@$#_].*)$/;

/** Returns the options with the same meaning as KrakenD's. @throws ConfigError */
function translate(found: Found): UncheckedOptions {
  const given = readObject(found.configuration, NAMES, found.path);
  const at = (name: string) => asWritten(name, found);
  const one = (first: string, second: string): unknown => {
    if (given[first] !== undefined && given[second] !== undefined)
      throw new ConfigError(at(first), `expected only one of two spellings; remove it or ${second}`);
    return given[first] ?? given[second];
  };
  const { alg, kid, full, typ, jwk_fingerprints, cipher_suites, jwk_local_ca, disable_jwk_security } = given;
  const tls = {
    ...(jwk_fingerprints === undefined ? {} : { fingerprints: jwk_fingerprints }),
    ...(cipher_suites === undefined ? {} : { cipherSuites: cipher_suites }),
    ...(jwk_local_ca === undefined ? {} : { ca: { file: readText(jwk_local_ca, at('jwk_local_ca')) } }),
  };
  return {
    alg: readText(alg, at('alg')),
    kid: readText(kid, at('kid')),
    jwkUrl: readText(one('jwk-url', 'jwk_url'), at('jwk_url')),
    keysToSign: readList(one('keys-to-sign', 'keys_to_sign'), readText, at('keys_to_sign')),
    full: readBoolean(full, false, at('full')),
    allowHttp: readBoolean(disable_jwk_security, false, at('disable_jwk_security')),
    ...(typ === undefined ? {} : { typ }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
  };
}

/** Our option names, and KrakenD's. */
const TERMS = [
  ['tls.cipherSuites', 'cipher_suites'],
  ['tls.fingerprints', 'jwk_fingerprints'],
  ['tls.ca', 'jwk_local_ca'],
  ['keysToSign', 'keys_to_sign'],
  ['allowHttp', 'disable_jwk_security'],
  ['jwkUrl', 'jwk_url'],
] as const;

/** Converts an error of the translated options to the names of KrakenD's file. */
function inKrakendTerms(error: ConfigError, found: Found): ConfigError {
  const [ours, theirs] = TERMS.find(([name]) => error.path.startsWith(name)) ?? [error.path, error.path];
  const path = asWritten(theirs, found) + error.path.slice(ours.length);
  const problem = error.problem
    .replace('allowHttp', 'disable_jwk_security')
    .replace('cipherSuites', 'cipher_suites');
  return new ConfigError(path, problem, { cause: error });
}

/** The path of an option in the file, in the spelling of the file. */
function asWritten(name: string, { configuration, path }: Found): string {
  const dashed = name.replaceAll('_', '-');
  const written = isPlainObject(configuration) && configuration[dashed] !== undefined ? dashed : name;
  return path === '' ? written : `${path}.${written}`;
}

interface Found {
  readonly configuration: unknown;
  readonly path: string;
}

function findConfiguration(value: unknown): Found {
  if (!isPlainObject(value)) throw new ConfigError('configuration', 'expected an object');
  // Other members of an endpoint, and the configuration of other components, are not checked.
  const inside = value.extra_config === undefined ? value : value.extra_config;
  if (!isPlainObject(inside)) throw new ConfigError('extra_config', 'expected an object');
  const [namespace, other] = NAMESPACES.filter((name) => inside[name] !== undefined);
  if (other !== undefined)
    throw new ConfigError(other, 'expected only one namespace of the signer; remove one');
  if (namespace !== undefined) return { configuration: inside[namespace], path: namespace };
  if (value.extra_config !== undefined)
    throw new ConfigError('extra_config', `expected a signer, ${NAMESPACES.join(' or ')}`);
  return { configuration: value, path: '' };
}
