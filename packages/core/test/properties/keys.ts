// The keys that generated tokens are signed with, and the key sets that know them. Made once for
// each process. Tokens are not made here.
import { createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import type { JsonObject } from '../../src/index.ts';

/** The issuers: two publish their keys, the third shares secrets. */
export const ISSUERS = {
  a: 'https://a.example',
  b: 'https://b.example',
  secret: 'https://secret.example',
} as const;

/** A key, and the token header that it usually signs with. */
export interface SignerKey {
  readonly issuer: string;
  readonly alg: string;
  readonly kid: string | undefined;
  readonly privateKey: KeyObject;
  /** As the key set of its issuer has it. Undefined: no set has the key. */
  readonly jwk: JsonObject | undefined;
}

type PublishedKey = SignerKey & { readonly jwk: JsonObject };

interface Pair {
  readonly privateKey: KeyObject;
  readonly jwk: JsonObject;
}

function pairOf({ publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }): Pair {
  return { privateKey, jwk: publicKey.export({ format: 'jwk' }) as JsonObject };
}

const rsa = () => pairOf(generateKeyPairSync('rsa', { modulusLength: 2048 }));
const ec = (namedCurve: string) => pairOf(generateKeyPairSync('ec', { namedCurve }));

function published(
  issuer: keyof typeof ISSUERS,
  alg: string,
  { privateKey, jwk }: Pair,
  { kid, ...members }: JsonObject & { readonly kid?: string },
): PublishedKey {
  const named = kid === undefined ? members : { kid, ...members };
  return { issuer: ISSUERS[issuer], alg, kid, privateKey, jwk: { ...jwk, ...named } };
}

function shared(alg: string, kid: string): SignerKey {
  const bytes = randomBytes(64);
  const jwk = { kty: 'oct', k: bytes.toString('base64url'), kid, alg };
  return { issuer: ISSUERS.secret, alg, kid, privateKey: createSecretKey(bytes), jwk };
}

const pss = rsa();

/** All keys by name, in the order of their sets. */
export const SIGNERS = {
  // Without alg: RS256, RS384 and RS512.
  rsa: published('a', 'RS256', rsa(), { kid: 'rsa', use: 'sig' }),
  ps256: published('a', 'PS256', pss, { kid: 'ps256', alg: 'PS256' }),
  ps384: published('a', 'PS384', pss, { kid: 'ps384', alg: 'PS384' }),
  ps512: published('a', 'PS512', pss, { kid: 'ps512', alg: 'PS512' }),
  es256: published('a', 'ES256', ec('P-256'), { kid: 'ec', alg: 'ES256', key_ops: ['verify'] }),
  es384: published('a', 'ES384', ec('P-384'), { kid: 'ec-384' }),
  es512: published('a', 'ES512', ec('P-521'), { kid: 'ec-521', alg: 'ES512' }),
  // Without alg: EdDSA, and the same under its name Ed25519.
  eddsa: published('a', 'EdDSA', pairOf(generateKeyPairSync('ed25519')), { kid: 'ed' }),
  // Two keys with the same kid, of which one signs at a time.
  twin: published('a', 'ES256', ec('P-256'), { kid: 'twin', alg: 'ES256' }),
  otherTwin: published('a', 'ES256', ec('P-256'), { kid: 'twin', alg: 'ES256' }),
  forEncryption: published('a', 'ES256', ec('P-256'), { kid: 'enc', use: 'enc' }),
  withoutKid: published('a', 'ES256', ec('P-256'), {}),
  // The kid of another key of the first issuer.
  ofB: published('b', 'ES256', ec('P-256'), { kid: 'ec', alg: 'ES256' }),
  hs256: shared('HS256', 'hs256'),
  hs384: shared('HS384', 'hs384'),
  hs512: shared('HS512', 'hs512'),
  // No set has this key, although its kid is in one.
  stranger: { ...published('a', 'ES256', ec('P-256'), { kid: 'ec' }), jwk: undefined },
} as const satisfies { readonly [name: string]: SignerKey };

/** The name of a key. */
export type SignerName = keyof typeof SIGNERS;

/** The names of all keys. */
export const SIGNER_NAMES = Object.keys(SIGNERS) as readonly SignerName[];

/** The keys of an issuer, as its key set has them. */
export function keysOf(issuer: string): readonly JsonObject[] {
  return Object.values<SignerKey>(SIGNERS).flatMap((key) =>
    key.issuer === issuer && key.jwk !== undefined ? [key.jwk] : [],
  );
}
