// The input of the guard: one symmetric key, a thousand tokens, and an authenticator with and
// without its cache. Nothing is measured here.
import { createSecretKey, type KeyObject } from 'node:crypto';
import { type Authenticator, createAuthenticator, createMemoryStore } from '@latchkey/core';
import { createSigner, generateJwk } from '@latchkey/core/signing';

/** The input of the guard. */
export interface Scene {
  readonly key: KeyObject;
  readonly tokens: readonly string[];
  readonly cached: Authenticator;
  readonly fresh: Authenticator;
}

const ISSUER = 'https://issuer.example';
const AUDIENCE = 'https://api.example';

/**
 * Creates the input. HS256 has the cheapest signature, so the rest of the verification has the
 * largest share.
 */
export async function createScene(): Promise<Scene> {
  const jwk = await generateJwk('HS256', 'bench');
  const secrets = createMemoryStore({ bench: { 'jwks.json': JSON.stringify({ keys: [jwk] }) } });
  const signer = createSigner({
    secret: { name: 'bench' },
    secrets,
    issuer: ISSUER,
    audience: AUDIENCE,
    expiresIn: '1h',
  });
  const tokens = await Promise.all(
    Array.from({ length: 1_000 }, (_, index) =>
      signer.sign({ sub: `user-${index}`, scope: 'friends:read messages:write', roles: ['admin', 'dev'] }),
    ),
  );
  const options = {
    keySets: [{ issuer: ISSUER, secret: { name: 'bench' } }],
    secrets,
    audience: AUDIENCE,
  } as const;
  const cached = createAuthenticator(options);
  const fresh = createAuthenticator({ ...options, cache: false });
  await Promise.all([cached.ready(), fresh.ready()]);
  return { key: createSecretKey(Buffer.from(String(jwk.k), 'base64url')), tokens, cached, fresh };
}
