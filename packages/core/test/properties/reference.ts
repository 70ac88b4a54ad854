// An independent verifier, to compare core with: written from the RFCs and the documented defaults,
// on node:crypto, without a line of core. It says no reason, and has no other use.
import {
  constants,
  createHmac,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { type Config, MAX_BYTES, NOW_S } from './configs.ts';

type Data = Record<string, unknown>;

const isObject = (x: unknown): x is Data => typeof x === 'object' && x !== null && !Array.isArray(x);
const isText = (x: unknown) => typeof x === 'string' && x !== '';
const isName = (x: unknown) => typeof x === 'string' && x.trim() !== '' && !/\p{Cc}/u.test(x);
const isTime = (x: unknown) => typeof x === 'number' && x >= 0 && x < 2 ** 33;
const isTextList = (x: unknown) => Array.isArray(x) && x.every((one) => typeof one === 'string');
/** Where a member is there, it is of this kind. JSON has no undefined. */
const ifAny = (x: unknown, is: (x: unknown) => boolean) => x === undefined || is(x);

/** True if the token is accepted. `keysOf` returns the JWK Set of an issuer, empty for others. */
export function accepts(token: string, config: Config, keysOf: (issuer: string) => readonly Data[]): boolean {
  const parts = token.split('.');
  if (token.length > MAX_BYTES || parts.length !== 3) return false;
  const [head = '', payload = '', signature = ''] = parts;
  if (!parts.every((part) => part !== '' && bytesOf(part).toString('base64url') === part)) return false;
  const [header, claims] = [parse(bytesOf(head)), parse(bytesOf(payload))];
  if (!isObject(header) || !isObject(claims) || !isFineHeader(header, config)) return false;
  const { kid, alg } = header;
  const usable = keysOf(String(claims.iss)).filter(
    (key) =>
      typeof claims.iss === 'string' && (key.use ?? 'sig') === 'sig' && algorithmsOf(key).includes(alg),
  );
  const tried =
    kid === undefined
      ? usable.slice(0, { first: 1, 'try-all': 4, refuse: 0 }[config.kidless])
      : usable.filter((key) => key.kid === kid).slice(0, 3);
  const input = Buffer.from(`${head}.${payload}`);
  return (
    tried.some((key) => isSigned(String(alg), key, input, bytesOf(signature))) &&
    areFineClaims(claims, config)
  );
}

function isFineHeader(header: Data, { types }: Config): boolean {
  const thumbprints = header.kid === undefined ? [header.x5t, header['x5t#S256']] : [];
  const texts = [header.kid, header.typ, header.cty, header.jku, ...thumbprints];
  if (!isText(header.alg) || !texts.every((one) => ifAny(one, isText))) return false;
  if ([header.kid, ...thumbprints].some((one) => String(one).length > 256)) return false;
  if ([header.crit, header.b64, header.zip, header.enc].some((one) => one !== undefined)) return false;
  if (/^(application\/)?jwt$/i.test(String(header.cty))) return false;
  const typ =
    header.typ === undefined ? undefined : String(header.typ).replace(/[A-Z]/g, (x) => x.toLowerCase());
  return types.includes(typ?.replace(/^application\//, ''));
}

function areFineClaims(claims: Data, config: Config): boolean {
  const { exp, nbf = 0, iat, sub, scope, scp } = claims;
  const { skewS, maxAgeS, maxLifetimeS, numericSub } = config;
  if (![exp, nbf, iat].every((time) => ifAny(time, isTime))) return false;
  const [ends, starts] = [Number(exp ?? Infinity), Number(iat ?? 0)];
  if (exp === undefined && config.requireExp) return false;
  if (iat === undefined && (config.iat === 'nbf' || maxAgeS !== undefined)) return false;
  if (NOW_S >= ends + skewS || NOW_S < Number(nbf) - skewS || starts > ends) return false;
  if (config.iat !== 'free' && NOW_S < starts - skewS) return false;
  if (maxAgeS !== undefined && NOW_S >= starts + maxAgeS + skewS) return false;
  if (maxLifetimeS !== undefined && !(Number(exp) - Number(iat) <= maxLifetimeS)) return false;
  if (claims.cnf !== undefined || isObject(claims.events)) return false;
  const isSub = (x: unknown) => isName(x) || (numericSub && Number.isSafeInteger(x) && !Object.is(x, -0));
  if (![claims.jti, claims.client_id, claims.azp, claims.sid].every((one) => ifAny(one, isName)))
    return false;
  if (!ifAny(sub, isSub)) return false;
  for (let { act } = claims; act !== undefined; act = act.act)
    if (!isObject(act) || !isName(act.sub) || !ifAny(act.iss, isName) || !ifAny(act.client_id, isName))
      return false;
  const isScope = (x: unknown) => x === null || typeof x === 'string' || isTextList(x);
  return ifAny(scope, isScope) && ifAny(scp, isScope) && isForUs([claims.aud].flat(), config);
}

function isForUs(aud: readonly unknown[], { audience, audMatch }: Config): boolean {
  if (!aud.every(isText)) return false;
  if (audMatch === 'all') return audience.every((name) => aud.includes(name));
  const ours = aud.filter((name) => audience.includes(String(name)));
  return ours.length > 0 && (audMatch === 'any' || ours.length === aud.length);
}

const bytesOf = (text: string) => Buffer.from(text, 'base64url');

/** Strict JSON: the value, or undefined. */
function parse(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const open: Set<string>[] = [];
    for (const [token, written, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[[\]{}]/gs)) {
      const string: string = written === undefined ? '' : JSON.parse(written);
      if (!string.isWellFormed() || (colon !== undefined && open[0]?.has(string))) return undefined;
      if (colon !== undefined) open[0]?.add(string);
      if ((token === '{' || token === '[') && open.unshift(new Set()) > 32) return undefined;
      if (token === '}' || token === ']') open.shift();
    }
    let isInRange = true;
    const value = JSON.parse(text, (_, one) => {
      if (typeof one === 'number') isInRange &&= Number.isFinite(one);
      return one;
    });
    return isInRange ? value : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 7518 §3.1. A key without `alg` has those of its type, without RSASSA-PSS and HMAC. */
function algorithmsOf({ kty, crv, alg }: Data): readonly unknown[] {
  if (crv === 'Ed25519') return ['EdDSA', 'Ed25519'];
  if (alg !== undefined) return [alg];
  return (
    { RSA: ['RS256', 'RS384', 'RS512'], 'P-384': ['ES384'], 'P-256': ['ES256'] }[String(crv ?? kty)] ?? []
  );
}

const keys = new WeakMap<object, KeyObject>();

/** Verifies a signature of a 2048-bit RSA key, of another key pair, or of a secret. */
export function isSigned(alg: string, jwk: Data, input: Buffer, signature: Buffer): boolean {
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('HS')) {
    const mac = createHmac(hash, bytesOf(String(jwk.k)))
      .update(input)
      .digest();
    return mac.length === signature.length && timingSafeEqual(mac, signature);
  }
  const key = keys.get(jwk) ?? createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
  keys.set(jwk, key);
  if (alg.startsWith('Ed')) return verify(null, input, key, signature);
  if (alg.startsWith('ES')) return verify(hash, input, { key, dsaEncoding: 'ieee-p1363' }, signature);
  const padding = alg.startsWith('PS') ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  // RFC 8017 §8.1.2: as long as the modulus, here 2048 bits.
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
  return signature.length === 256 && verify(hash, input, { key, padding, saltLength }, signature);
}
