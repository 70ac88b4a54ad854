// The contestants that verify a token in this process: Latchkey, node:crypto alone, and other
// packages, each in its fastest form with the same checks. Nothing is measured here.
import { createHmac, timingSafeEqual, verify, webcrypto } from 'node:crypto';
import { type Authenticator, createAuthenticator, createMemoryStore } from '@latchkey/core';
import { JwtVerifier } from 'aws-jwt-verify';
import { createVerifier } from 'fast-jwt';
import { importJWK, jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import type { Deck } from './deck.ts';
import { atOnce, type Contestant, inTurn } from './rounds.ts';
import { AUDIENCE, ISSUER } from './terms.ts';

type Copies = (count: number) => string[];

export const LATCHKEY = 'Latchkey';
export const NODE = 'node:crypto';
export const FAST_JWT = 'fast-jwt';
export const FAST_JWT_CACHED = 'fast-jwt, cache on';

/** Creates an authenticator for one key and loads the key. */
export async function authenticatorOf({ algorithm, jwk }: Deck): Promise<Authenticator> {
  const jwks = { keys: [jwk] };
  const common = { issuer: ISSUER, allowedAlgorithms: [algorithm] };
  const authenticator =
    algorithm === 'HS256'
      ? createAuthenticator({
          keySets: [{ ...common, secret: { name: 'login' } }],
          secrets: createMemoryStore({ login: { 'jwks.json': JSON.stringify(jwks) } }),
          audience: AUDIENCE,
        })
      : createAuthenticator({ keySets: [{ ...common, jwks }], audience: AUDIENCE });
  await authenticator.ready();
  return authenticator;
}

/** Latchkey, with new tokens or with cached ones. */
export function latchkey(authenticator: Authenticator, copies: Copies): Contestant {
  return inTurn(LATCHKEY, copies, (token) => authenticator.verify(token));
}

/**
 * fast-jwt with its cache: with hashes as cache keys, which is the default, and with the tokens as
 * cache keys, which its README warns about.
 */
export function cachedExisting(deck: Deck, copies: Copies): readonly Contestant[] {
  const hashed = createVerifier({ ...fastJwtOptions(deck), cache: true });
  const whole = createVerifier({ ...fastJwtOptions(deck), cache: true, cacheKeyBuilder: (token) => token });
  return [
    atOnce(FAST_JWT_CACHED, copies, (token) => hashed(token)),
    atOnce(`${FAST_JWT_CACHED}, tokens as cache keys`, copies, (token) => whole(token)),
  ];
}

/**
 * node:crypto alone, which checks only the signature; bytes and key are ready. It runs twice to
 * show the noise.
 */
export function nodeAlone({ algorithm, key }: Deck, tokens: readonly string[]): readonly Contestant[] {
  const signed = tokens.map((token) => {
    const at = token.lastIndexOf('.');
    const signature = Buffer.from(token.slice(at + 1), 'base64url');
    return {
      input: Buffer.from(token.slice(0, at)),
      // OpenSSL needs DER; Node would convert the other form at each call.
      signature: algorithm === 'ES256' ? toDer(signature) : signature,
    };
  });
  const hash = algorithm === 'EdDSA' ? null : 'sha256';
  const isGood =
    algorithm === 'HS256'
      ? (input: Buffer, signature: Buffer) =>
          timingSafeEqual(createHmac('sha256', key).update(input).digest(), signature)
      : (input: Buffer, signature: Buffer) => verify(hash, input, key, signature);
  const named = (name: string): Contestant => {
    let next = 0;
    return {
      name,
      prepare: (times) => () => {
        for (let done = 0; done < times; done++) {
          const one = signed[next++ % signed.length];
          if (one === undefined || !isGood(one.input, one.signature)) throw new Error('node:crypto refused');
        }
      },
    };
  };
  return [named(NODE), named(`${NODE} again`)];
}

/** The packages without a cache that support the algorithm. */
export async function existing(deck: Deck, copies: Copies): Promise<readonly Contestant[]> {
  const { algorithm, key, jwk } = deck;
  const fastJwt = createVerifier(fastJwtOptions(deck));
  const joseKey = algorithm === 'HS256' ? await importSecret(deck) : await importJWK(jwk, algorithm);
  const checks = { issuer: ISSUER, audience: AUDIENCE };
  const contestants = [
    atOnce(FAST_JWT, copies, (token) => fastJwt(token)),
    inTurn('jose', copies, (token) => jwtVerify(token, joseKey, { ...checks, algorithms: [algorithm] })),
  ];
  if (algorithm !== 'EdDSA')
    contestants.push(
      atOnce('jsonwebtoken', copies, (token) =>
        jsonwebtoken.verify(token, key, { ...checks, algorithms: [algorithm] }),
      ),
    );
  if (algorithm !== 'HS256') {
    const aws = JwtVerifier.create({ ...checks, jwksUri: `${ISSUER}jwks.json` });
    const keys: unknown = [jwk];
    aws.cacheJwks({ keys } as Parameters<typeof aws.cacheJwks>[0]);
    contestants.push(atOnce('aws-jwt-verify', copies, (token) => aws.verifySync(token)));
  }
  return contestants;
}

/** jose gets a CryptoKey, so that it need not convert another form. */
function importSecret({ text }: Deck): Promise<webcrypto.CryptoKey> {
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  return webcrypto.subtle.importKey('raw', Buffer.from(text), hmac, false, ['verify']);
}

function fastJwtOptions({ algorithm, text }: Deck) {
  return { key: text, algorithms: [algorithm], allowedIss: ISSUER, allowedAud: AUDIENCE };
}

/** Converts an ECDSA P-256 signature, two numbers of 32 bytes, to DER. */
function toDer(signature: Buffer): Buffer {
  const integers = [signature.subarray(0, 32), signature.subarray(32)].map((number) => {
    let first = 0;
    while (first < 31 && number[first] === 0) first++;
    const digits = number.subarray(first);
    // DER adds a zero byte before a number that would look negative.
    const value = (digits[0] ?? 0) > 127 ? Buffer.concat([Buffer.from([0]), digits]) : digits;
    return Buffer.concat([Buffer.from([0x02, value.length]), value]);
  });
  const all = Buffer.concat(integers);
  return Buffer.concat([Buffer.from([0x30, all.length]), all]);
}
