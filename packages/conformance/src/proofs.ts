// The proofs of DPoP that cases name, as data, and how they are made for one request.
import type { JsonValue } from '@latchkey/core';
import type { DpopKey } from '@latchkey/testing';
import type { TokenName, World } from './tokens.ts';

/** The URL of the service, as clients write it. Nothing listens there. */
export const PUBLIC_URL = 'https://api.example.com';

/** A proof. Each has a `jti` of its own, unless it says another one. */
export interface CaseProof {
  /** Default: that of the request. */
  readonly method?: string;
  /** Default: `PUBLIC_URL` and the path of the request. */
  readonly url?: string;
  /** The token that the proof is for. Default `bound to the key`. */
  readonly token?: TokenName;
  /** Default: the key of the token. */
  readonly key?: 'another' | 'RSA';
  /** How long ago it was made, in seconds. Default 0. */
  readonly age?: number;
  /** A nonce, which the service is asked for first, or any other text. Default: none. */
  readonly nonce?: 'served' | 'invented';
  /** Claims that are added, and replace others. Null leaves one out. */
  readonly claims?: { readonly [name: string]: JsonValue };
  /** Members that are added to the header, and replace others. Null leaves one out. */
  readonly header?: { readonly [name: string]: JsonValue };
  /** Members that are added to the key in the header. */
  readonly jwk?: { readonly [name: string]: JsonValue };
  /** What becomes of the signed proof. Default: it is sent as it is. */
  readonly change?: (proof: string) => string;
}

/** What a proof is made of besides its own parts. */
interface Made {
  readonly world: Pick<World, 'dpop'>;
  readonly method: string;
  readonly path: string;
  readonly token: string;
  readonly nonce: string | undefined;
}

/** Makes a proof for a request. */
export async function proofFor(
  proof: CaseProof,
  { world, method, path, token, nonce }: Made,
): Promise<string> {
  const key: DpopKey =
    proof.key === 'RSA' ? world.dpop.rsa : proof.key === 'another' ? world.dpop.another : world.dpop.key;
  const jwk = proof.jwk === undefined ? {} : { jwk: { ...key.jwk, ...proof.jwk } };
  const made = await key.proof({
    method: proof.method ?? method,
    url: proof.url ?? `${PUBLIC_URL}${path}`,
    token,
    atMs: Date.now() - (proof.age ?? 0) * 1000,
    ...(nonce === undefined ? {} : { nonce }),
    claims: withoutNull(proof.claims),
    header: { ...jwk, ...withoutNull(proof.header) },
  });
  return proof.change?.(made) ?? made;
}

function withoutNull(members: { readonly [name: string]: JsonValue } = {}) {
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [name, value ?? undefined]));
}
