// The reasons for which core refuses a token that jose accepts: each is a code of core, and a sign
// of the token. No other difference between the two is allowed.
import type { AuthErrorCode } from '../../src/index.ts';
import { type Config, MAX_BYTES, NOW_S } from './configs.ts';

/** A token that jose has accepted, so its parts can be read. */
interface Accepted {
  readonly token: string;
  readonly segments: readonly string[];
  /** The texts of the header and of the payload. */
  readonly texts: readonly string[];
  readonly header: { readonly [name: string]: unknown };
  readonly claims: { readonly [name: string]: unknown };
  readonly config: Config;
}

type Reason = readonly [code: AuthErrorCode, why: string, is: (token: Accepted) => boolean];

const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown) => typeof value === 'string' && value !== '';
const isName = (value: unknown) => typeof value === 'string' && value.trim() !== '' && !/\p{Cc}/u.test(value);
const members = (text: string) => text.match(/"(?:[^"\\]|\\.)*"\s*:/gs)?.length ?? 0;

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

function hasNumber(value: unknown, is: (number: number) => boolean): boolean {
  if (typeof value === 'number') return is(value);
  return (
    typeof value === 'object' && value !== null && Object.values(value).some((one) => hasNumber(one, is))
  );
}

const NAMES = ['alg', 'kid', 'typ', 'cty', 'jku', 'x5t', 'x5t#S256'];

const UNNAMED = 'RSASSA-PSS with a key that does not name it';
const isPss = ({ alg }: Accepted['header']) => String(alg).startsWith('PS');

/**
 * In one of 256 signatures the first byte is zero; OpenSSL also accepts it without that byte. A
 * long run need not have such a token.
 */
export const BY_CHANCE = 'an RSA signature is not as long as the modulus (RFC 8017 §8.1.2, §8.2.2)';

/** Why core refuses a token that jose accepts. */
export const REASONS: readonly Reason[] = [
  [
    'token_malformed',
    'a segment is not canonical base64url (RFC 4648 §3.5)',
    ({ segments }) => segments.some((one) => Buffer.from(one, 'base64url').toString('base64url') !== one),
  ],
  ['token_malformed', 'longer than maxTokenBytes', ({ token }) => token.length > MAX_BYTES],
  [
    'token_malformed',
    'the header has crit, b64, zip or enc',
    ({ header }) => ['crit', 'b64', 'zip', 'enc'].some((name) => Object.hasOwn(header, name)),
  ],
  [
    'token_malformed',
    'cty says that the payload is a token (RFC 7519 §5.2)',
    ({ header }) => /^(application\/)?jwt$/i.test(String(header.cty)),
  ],
  [
    'token_malformed',
    'a header parameter is not a text, or empty',
    ({ header }) => NAMES.some((name) => Object.hasOwn(header, name) && !isText(header[name])),
  ],
  [
    'token_malformed',
    'a header parameter that names a key has more than 256 characters',
    ({ header }) => NAMES.some((name) => String(header[name]).length > 256),
  ],
  [
    'token_malformed',
    'a member is repeated (RFC 7515 §4, RFC 7519 §4)',
    ({ texts }) => texts.some((text) => members(text) !== members(JSON.stringify(JSON.parse(text)))),
  ],
  [
    'token_malformed',
    'a lone surrogate',
    ({ texts }) => texts.some((text) => /\\u[dD][89a-fA-F]/.test(JSON.stringify(JSON.parse(text)))),
  ],
  [
    'token_malformed',
    'a number beyond a double',
    ({ header, claims }) => hasNumber([header, claims], (number) => !Number.isFinite(number)),
  ],
  [
    'token_malformed',
    'deeper than 32',
    ({ header, claims }) => Math.max(depthOf(header), depthOf(claims)) > 32,
  ],
  [
    'token_malformed',
    'a byte order mark (RFC 8259 §8.1)',
    ({ segments }) => segments.some((one) => Buffer.from(one, 'base64url').indexOf('\ufeff') === 0),
  ],
  [
    'token_type_refused',
    'another type than that of access tokens',
    ({ header, config }) =>
      !config.types.includes((header.typ as string | undefined)?.toLowerCase().replace(/^application\//, '')),
  ],
  ['token_algorithm_refused', UNNAMED, ({ header }) => header.kid === 'rsa' && isPss(header)],
  ['token_signature_invalid', UNNAMED, ({ header }) => header.kid === undefined && isPss(header)],
  [
    'token_key_unknown',
    'no kid, with kidless: refuse',
    ({ header, config }) => header.kid === undefined && config.kidless === 'refuse',
  ],
  [
    'token_signature_invalid',
    'no kid, and not signed by the first key, with kidless: first',
    ({ header, config }) => header.kid === undefined && config.kidless === 'first',
  ],
  [
    'token_signature_invalid',
    BY_CHANCE,
    ({ header, segments }) =>
      /^[RP]S/.test(String(header.alg)) && Buffer.from(segments[2] ?? '', 'base64url').length !== 256,
  ],
  [
    'token_claims_invalid',
    'exp, nbf or iat is not a time in seconds from 1970 to 2242',
    ({ claims }) =>
      [claims.exp, claims.nbf, claims.iat].some((time) => Number(time) < 0 || Number(time) >= 2 ** 33),
  ],
  ['token_claims_invalid', 'iat is after exp', ({ claims }) => Number(claims.iat) > Number(claims.exp)],
  [
    'token_claims_invalid',
    'sub, jti, client_id, azp or sid is not a name',
    ({ claims }) =>
      ['sub', 'jti', 'client_id', 'azp', 'sid'].some(
        (name) => Object.hasOwn(claims, name) && !isName(claims[name]),
      ),
  ],
  ['token_claims_invalid', 'bound to a key (RFC 7800)', ({ claims }) => Object.hasOwn(claims, 'cnf')],
  ['token_claims_invalid', 'a security event token (RFC 8417)', ({ claims }) => isObject(claims.events)],
  [
    'token_claims_invalid',
    'act does not name an actor at each depth (RFC 8693 §4.1)',
    ({ claims }) => {
      for (let act = claims.act; act !== undefined; act = (act as { readonly act?: unknown }).act) {
        if (!isObject(act)) return true;
        const { sub, iss = 'x', client_id = 'x' } = act as { readonly [name: string]: unknown };
        if (![sub, iss, client_id].every(isName)) return true;
      }
      return false;
    },
  ],
  [
    'token_claims_invalid',
    'scope or scp is neither a text nor a list of texts',
    ({ claims }) =>
      [claims.scope, claims.scp].some(
        (scope = null) =>
          scope !== null &&
          typeof scope !== 'string' &&
          !(Array.isArray(scope) && scope.every((one) => typeof one === 'string')),
      ),
  ],
  [
    'token_not_yet_valid',
    'iat is in the future, which jose judges with maxTokenAge only',
    ({ claims, config }) => Number(claims.iat) > NOW_S + config.skewS,
  ],
  [
    'token_expired',
    'iat is exactly as old as maxTokenAge',
    ({ claims, config: { maxAgeS = Number.NaN, skewS } }) => Number(claims.iat) + maxAgeS + skewS === NOW_S,
  ],
  [
    'token_claims_invalid',
    'exp is longer after iat than maxLifetime, or one of them is missing',
    ({ claims, config: { maxLifetimeS = Number.POSITIVE_INFINITY } }) =>
      !(Number(claims.exp) - Number(claims.iat) <= maxLifetimeS),
  ],
  [
    'token_audience_mismatch',
    'aud does not name all audiences, or names others, with audMatch',
    ({ claims, config: { audience, audMatch } }) => {
      const names = [claims.aud].flat();
      if (audMatch === 'all') return !audience.every((name) => names.includes(name));
      return audMatch === 'only' && !names.every((name) => audience.includes(String(name)));
    },
  ],
  [
    'token_audience_mismatch',
    'an item of aud is not a text, or empty',
    ({ claims: { aud } }) => Array.isArray(aud) && !aud.every(isText),
  ],
];

/** The reason for which core refuses a token that jose accepts, or undefined: there is none. */
export function reasonFor(token: string, code: string, config: Config): string | undefined {
  const segments = token.split('.');
  const texts = segments.slice(0, 2).map((one) => new TextDecoder().decode(Buffer.from(one, 'base64url')));
  const [header, claims] = texts.map((text) => JSON.parse(text));
  const accepted: Accepted = { token, segments, texts, header, claims, config };
  return REASONS.find(([known, , is]) => known === code && is(accepted))?.[1];
}
