// Proofs of possession for tests: keys that tokens are bound to, and DPoP proofs (RFC 9449 §4.2).
import { createHash, randomUUID } from 'node:crypto';
import type { AlgorithmName, JsonObject, JsonValue } from '@latchkey/core';
import { generateSigningKey } from './keys.ts';
import { mint } from './mint.ts';

/** The request that a proof is for. */
export interface ProofParts {
  /** The method of the request. Default `GET`. */
  readonly method?: string;
  /** The URL of the request, as the client writes it. Its query and its fragment are left out. */
  readonly url: string;
  /** The token that the request has. Without it, the proof has no `ath`. */
  readonly token?: string;
  /** The nonce that the service has sent, in `DPoP-Nonce`. Default: none. */
  readonly nonce?: string;
  /** When the proof is made, in milliseconds since the epoch. Default: now. */
  readonly atMs?: number;
  /** Claims that are added, and replace others. Undefined leaves one out. */
  readonly claims?: { readonly [name: string]: JsonValue | undefined };
  /** Members that are added to the header, and replace others. Undefined leaves one out. */
  readonly header?: { readonly [name: string]: JsonValue | undefined };
}

/** A key that tokens can be bound to. */
export interface DpopKey {
  /** The public key, as proofs have it. */
  readonly jwk: JsonObject;
  /** The thumbprint of the key, RFC 7638. */
  readonly jkt: string;
  /** The claim of a token that is bound to the key: `mint({ cnf: key.cnf })`. */
  readonly cnf: { readonly jkt: string };
  /** Makes a proof, for the header `DPoP`. Each has a `jti` of its own. */
  proof(parts: ProofParts): Promise<string>;
}

/**
 * Makes a key, and with it the proofs of a client. Default algorithm: ES256.
 * @throws TypeError for an algorithm of shared secrets, such as HS256
 * @example
 * ```ts
 * const issuer = await createIssuer();
 * const key = await createDpopKey();
 * const token = await issuer.mint({ sub: 'alice', cnf: key.cnf });
 * const url = 'https://api.example.com/orders';
 * const headers = {
 *   authorization: `DPoP ${token}`,
 *   dpop: await key.proof({ method: 'GET', url, token }),
 * };
 * ```
 */
export async function createDpopKey(alg: AlgorithmName = 'ES256'): Promise<DpopKey> {
  const key = await generateSigningKey(alg);
  const { kid: _kid, use: _use, alg: _alg, ...members } = key.publicJwk;
  // The algorithm is a part of these keys, and of their thumbprint.
  const jwk: JsonObject = alg.startsWith('ML-DSA') ? { ...members, alg } : members;
  const jkt = thumbprintOf(jwk);
  return Object.freeze<DpopKey>({
    jwk,
    jkt,
    cnf: Object.freeze({ jkt }),
    proof: ({ method = 'GET', url, token, nonce, atMs = Date.now(), claims, header }) =>
      mint(
        key,
        {
          jti: randomUUID(),
          htm: method,
          htu: url.replace(/[?#].*$/s, ''),
          iat: Math.floor(atMs / 1000),
          ath: token === undefined ? undefined : createHash('sha256').update(token).digest('base64url'),
          nonce,
          ...claims,
        },
        { typ: 'dpop+jwt', jwk, kid: undefined, ...header },
      ),
  });
}

/** RFC 7638 §3: the members that make the key, in the order of their names. */
function thumbprintOf(jwk: JsonObject): string {
  const required = ['alg', 'crv', 'e', 'kty', 'n', 'pub', 'x', 'y'].filter((name) =>
    Object.hasOwn(jwk, name),
  );
  const members = Object.fromEntries(required.map((name) => [name, jwk[name]]));
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}
