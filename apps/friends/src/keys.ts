// The service's own keys. They are in memory and end with the process; a directory store or a vault
// would keep them.
import { createMemoryStore } from '@latchkey/core';
import { createSigner, type Signer, type SigningAlgorithm } from '@latchkey/core/signing';

/** The store of the keys, and the signer. */
export interface OwnKeys {
  readonly secrets: ReturnType<typeof createMemoryStore>;
  readonly secret: { readonly name: string };
  readonly alg: SigningAlgorithm;
  /** Signs the tokens of a login. */
  readonly signer: Signer;
}

/** Creates the store, the signer and the first key. */
export async function createOwnKeys(): Promise<OwnKeys> {
  const secrets = createMemoryStore();
  const secret = { name: 'signing' };
  const alg = 'ES256';
  const signer = createSigner({ secret, secrets, alg, maxLifetime: '1h' });
  await signer.rotate();
  return { secrets, secret, alg, signer };
}
