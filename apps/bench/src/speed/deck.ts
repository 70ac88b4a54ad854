// One key and its tokens, signed by node:crypto: thousands in seconds, with the same claims except
// `jti`. Nothing is verified here.
import {
  createHmac,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
} from 'node:crypto';
import type { JsonObject } from '@latchkey/core';
import { type Algorithm, AUDIENCE, ISSUER, SCOPE } from './terms.ts';

/** A key and its tokens. */
export interface Deck {
  readonly algorithm: Algorithm;
  readonly kid: string;
  /** The key as in a JWK Set. A symmetric key is complete. */
  readonly jwk: JsonObject;
  /** The key that verifies: the public key or the secret. */
  readonly key: KeyObject;
  /** The public key in PEM, or the symmetric secret as text. */
  readonly text: string;
  /** The first `count` tokens, valid for a day. Every call gives the same ones. */
  tokens(count: number): Promise<readonly string[]>;
  /** Signs `count` new tokens with these claims in place of the defaults. */
  mint(count: number, claims: JsonObject): Promise<readonly string[]>;
}

type Sign = (input: Buffer) => Promise<Buffer>;

const DAY = 86_400;

/** The options of a deck. */
export interface DeckOptions {
  /** Default: the issuer of the terms. */
  readonly issuer?: string;
  /** Default: a random one. */
  readonly kid?: string;
}

/** Creates a key. RSA keys have 2048 bits, as at nearly every provider. */
export function createDeck(
  algorithm: Algorithm,
  { issuer = ISSUER, kid = randomUUID() }: DeckOptions = {},
): Deck {
  const { key, text, jwk, signBytes } = createKey(algorithm);
  const made: string[] = [];

  async function mint(count: number, claims: JsonObject): Promise<readonly string[]> {
    const tokens: string[] = [];
    const now = Math.floor(Date.now() / 1000);
    const header = encode({ alg: algorithm, typ: 'JWT', kid });
    const one = async () => {
      const all = { ...commonClaims(issuer), iat: now, exp: now + DAY, jti: randomUUID(), ...claims };
      const input = `${header}.${encode(all)}`;
      tokens.push(`${input}.${(await signBytes(Buffer.from(input))).toString('base64url')}`);
    };
    // Signs as many tokens concurrently as the thread pool can use.
    let left = count;
    const worker = async () => {
      while (left-- > 0) await one();
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    return tokens;
  }

  return {
    algorithm,
    kid,
    jwk: { ...jwk, kid, alg: algorithm, use: 'sig' },
    key,
    text,
    mint,
    async tokens(count) {
      if (made.length < count) made.push(...(await mint(count - made.length, {})));
      return made.slice(0, count);
    },
  };
}

/** The usual claims of a provider's access token. */
function commonClaims(issuer: string): JsonObject {
  return {
    iss: issuer,
    aud: AUDIENCE,
    sub: '1234567890qwertyuio',
    client_id: 'web-frontend',
    scope: `${SCOPE} messages:write profile`,
    roles: ['role_a', 'role_b'],
  };
}

/** Changes one character of the signature, which stays canonical base64url. */
export function withWrongSignature(token: string): string {
  const at = token.lastIndexOf('.') + 20;
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
}

function createKey(algorithm: Algorithm): Pick<Deck, 'key' | 'text' | 'jwk'> & { readonly signBytes: Sign } {
  if (algorithm === 'HS256') {
    const text = randomBytes(32).toString('hex').slice(0, 32);
    const key = createSecretKey(text, 'utf8');
    const jwk = { kty: 'oct', k: Buffer.from(text).toString('base64url') };
    return { key, text, jwk, signBytes: async (input) => createHmac('sha256', key).update(input).digest() };
  }
  const privateKey = generate(algorithm);
  const key = createPublicKey(privateKey);
  const hash = algorithm === 'EdDSA' ? null : 'sha256';
  return {
    key,
    text: String(key.export({ type: 'spki', format: 'pem' })),
    jwk: key.export({ format: 'jwk' }) as JsonObject,
    signBytes: (input) =>
      new Promise((resolve, reject) => {
        sign(hash, input, { key: privateKey, dsaEncoding: 'ieee-p1363' }, (error, signature) =>
          error === null ? resolve(signature) : reject(error),
        );
      }),
  };
}

function generate(algorithm: Exclude<Algorithm, 'HS256'>): KeyObject {
  switch (algorithm) {
    case 'RS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    case 'EdDSA':
      return generateKeyPairSync('ed25519').privateKey;
  }
}

function encode(value: JsonObject): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
