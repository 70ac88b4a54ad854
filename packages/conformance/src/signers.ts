// The signers of routes under test: one that works, one whose keys cannot be read, and one whose
// keys are symmetric.
import { randomBytes } from 'node:crypto';
import type { JsonObject, JwkSet } from '@latchkey/core';
import { createSigner, type Signer } from '@latchkey/core/signing';
import { generateSigningKey } from '@latchkey/testing';

/** The signers, and the issuer of their tokens. */
export interface Signers {
  readonly login: Signer;
  /** The public half of `login`, for authenticators. */
  readonly jwks: JwkSet;
  readonly down: Signer;
  readonly symmetric: Signer;
  readonly close: () => Promise<void>;
}

/** The issuer of the tokens of `login`. */
export const LOGIN_ISSUER = 'https://login.example';

/** Makes the signers, each with its own key. */
export async function createSigners(): Promise<Signers> {
  const { publicJwk, privateKey } = await generateSigningKey('ES256', 'login');
  const jwk = { ...publicJwk, ...(privateKey.export({ format: 'jwk' }) as JsonObject) };
  const login = createSigner({ issuer: LOGIN_ISSUER, jwks: { keys: [jwk] } });
  const down = createSigner({
    secret: { name: 'signing' },
    secrets: { description: 'a store', read: () => Promise.reject(new Error('the store is down')) },
  });
  const oct = { kty: 'oct', alg: 'HS256', k: randomBytes(32).toString('base64url') };
  const symmetric = createSigner({ jwks: { keys: [oct] } });
  return {
    login,
    jwks: (await login.publish()).jwks,
    down,
    symmetric,
    close: async () => {
      await Promise.all([login.close(), down.close(), symmetric.close()]);
    },
  };
}
