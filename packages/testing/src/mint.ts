// Valid and invalid tokens. `mint` signs as the header says; `forge` joins any bytes for tests of
// refusals.
import { constants, createHmac, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { JsonValue } from '@latchkey/core';
import type { SigningKey } from './keys.ts';

/** Claims to sign. A claim that is undefined is left out, even if it has a default. */
export type MintClaims = { readonly [name: string]: JsonValue | undefined };

/**
 * Signs claims without adding defaults. The token's header has `alg`, `kid` and `typ: 'JWT'`; the
 * members of `header` are added and replace these.
 * @throws TypeError if the key does not fit `alg`
 * @example
 * ```ts
 * const key = await generateSigningKey();
 * const token = await mint(key, { iss: 'partner', sub: 'alice' }, { typ: 'at+jwt' });
 * ```
 */
export async function mint(
  key: SigningKey,
  claims: MintClaims,
  header: { readonly [name: string]: JsonValue | undefined } = {},
): Promise<string> {
  const joined = { alg: key.alg, kid: key.kid, typ: 'JWT', ...header };
  return signParts({ alg: String(joined.alg), privateKey: key.privateKey }, joined, claims);
}

/**
 * Signs a header and a payload, each as JSON, text or bytes, without checking them.
 * @param key its algorithm signs, whatever the header says
 */
export async function signParts(
  { alg, privateKey }: { readonly alg: string; readonly privateKey: KeyObject },
  header: unknown,
  payload: unknown,
): Promise<string> {
  const input = `${encode(header)}.${encode(payload)}`;
  const signature = await signBy(alg, Buffer.from(input), privateKey);
  return `${input}.${signature.toString('base64url')}`;
}

const signing = promisify(sign);

/** The names in node:crypto, by the first two letters of `alg`. */
const KEY_TYPES: ReadonlyMap<string, string> = new Map([
  ['HS', 'secret'],
  ['RS', 'rsa'],
  ['PS', 'rsa'],
  ['ES', 'ec'],
]);

/** RFC 7518 §3.2 to §3.5, RFC 8037 §3.1. @throws TypeError for a key of another type */
async function signBy(alg: string, input: Buffer, key: KeyObject): Promise<Buffer> {
  const [, family = '', bits] = /^(HS|RS|PS|ES)(256|384|512)$/.exec(alg) ?? [];
  const type = KEY_TYPES.get(family) ?? (alg === 'EdDSA' ? 'ed25519' : alg.toLowerCase());
  const given = key.asymmetricKeyType ?? key.type;
  if (given !== type) throw new TypeError(`mint: expected a key for ${alg}, got one of type ${given}`);
  const hash = `sha${bits}`;
  if (family === 'HS') return createHmac(hash, key).update(input).digest();
  if (family === '') return signing(null, input, key);
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  return signing(hash, input, { key, dsaEncoding: 'ieee-p1363', ...(family === 'PS' ? pss : {}) });
}

/** The parts of a compact JWS, each as JSON, text or bytes. */
export interface ForgedParts {
  readonly header: unknown;
  readonly payload: unknown;
  /** Default: no bytes. */
  readonly signature?: Uint8Array | ((signingInput: Buffer) => Uint8Array);
}

/**
 * Joins the parts to a compact JWS without checking them.
 * @example
 * ```ts
 * const unsigned = forge({ header: { alg: 'none' }, payload: { sub: 'alice' } });
 * ```
 */
export function forge({ header, payload, signature }: ForgedParts): string {
  const input = `${encode(header)}.${encode(payload)}`;
  const bytes = typeof signature === 'function' ? signature(Buffer.from(input)) : signature;
  return `${input}.${Buffer.from(bytes ?? []).toString('base64url')}`;
}

function encode(part: unknown): string {
  const bytes = part instanceof Uint8Array ? part : typeof part === 'string' ? part : JSON.stringify(part);
  return Buffer.from(bytes).toString('base64url');
}
