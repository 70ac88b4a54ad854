// Tokens with a MAC, which are the cheapest to make, and the keys and key sets for them.
import { createHmac, randomBytes } from 'node:crypto';
import { forge } from '@latchkey/testing';
import type { JsonObject } from '../../src/index.ts';

export const ISSUER = 'https://issuer.example';
export const AUDIENCE = 'https://api.example.com';
export const REF = { name: 'keys', key: 'jwks.json' };
/** A whole second, in milliseconds. */
export const NOW = 1_700_000_000_000;
export const SOON = NOW / 1000 + 300;

/** Random bytes; the last one does not look like the end of a text. */
export const secret = () => Buffer.concat([randomBytes(63), Buffer.from([0x21])]);
export const one = secret();
export const two = secret();

type Members = { readonly [name: string]: unknown };

/**
 * A token with a MAC. Its `kid` is `one` unless the header has
 * another; undefined leaves it out.
 */
export function sign(claims: Members | string = {}, header: Members = {}, bytes = one): string {
  const { alg = 'HS256' } = header;
  const payload = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: SOON };
  return forge({
    header: { kid: 'one', typ: 'JWT', ...header, alg },
    payload: typeof claims === 'string' ? claims : { ...payload, ...claims },
    signature: (input) =>
      createHmac(`sha${String(alg).slice(2)}`, bytes)
        .update(input)
        .digest(),
  });
}

/** A key. With null as `alg` it is for each algorithm that its keyset allows. */
export const jwk = (bytes: Buffer, kid?: string, alg: string | null = 'HS256'): JsonObject => ({
  kty: 'oct',
  k: bytes.toString('base64url'),
  ...(kid === undefined ? {} : { kid }),
  ...(alg === null ? {} : { alg }),
});

export const setOf = (...keys: readonly JsonObject[]) => JSON.stringify({ keys });
