// The service's own keys. Here they live as long as the process; with a directory or a vault for a
// store they would outlive it.
import { createMemoryStore } from '@latchkey/core';
import { createSigner, type Signer, type SigningAlgorithm } from '@latchkey/core/signing';

/** Where the keys are, and who signs with them. */
export interface OwnKeys {
  readonly secrets: ReturnType<typeof createMemoryStore>;
  readonly secret: { readonly name: string };
  readonly alg: SigningAlgorithm;
  /** Signs what a login gives out. */
  readonly signer: Signer;
}

/** Makes the first key. */
export async function createOwnKeys(): Promise<OwnKeys> {
  const secrets = createMemoryStore();
  const secret = { name: 'signing' };
  const alg = 'ES256';
  const signer = createSigner({ secret, secrets, alg, maxLifetime: '1h' });
  await signer.rotate();
  return { secrets, secret, alg, signer };
}
