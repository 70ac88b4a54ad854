// What a sample service is made of besides its framework: its own keys, its login, its friends, and whom it trusts.
import { type Authenticator, createAuthenticator, type Signer } from '@latchkey/core';
import { createFriends, type Friends } from './friends.ts';
import { createOwnKeys } from './keys.ts';
import { createLogin, type Login } from './login.ts';
import type { ServiceSettings } from './settings.ts';

/** The parts of a sample service. */
export interface Sample {
  /** Trusts the provider that the settings name, and the service's own login. */
  readonly authenticator: Authenticator;
  readonly signer: Signer;
  readonly login: Login;
  readonly friends: Friends;
}

/** Makes all parts. */
export async function createSample({ audience, keySets, realm }: ServiceSettings): Promise<Sample> {
  const own = await createOwnKeys();
  const login = createLogin(audience, own);
  const { secrets, signer } = own;
  const authenticator = createAuthenticator({
    keySets: [...keySets, login.keySet],
    secrets,
    audience,
    realm,
  });
  // The service starts all the same, and answers 503 until its issuer can be reached.
  authenticator.ready().catch((error: Error) => console.error(`keys are not there yet: ${error.message}`));
  return { authenticator, signer, login, friends: createFriends(own) };
}
