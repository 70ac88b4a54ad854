// Creates the parts of a sample service: keys, login, friends, messages, and an authenticator. The
// framework is not here.
import { type Authenticator, createAuthenticator } from '@latchkey/core';
import type { Signer } from '@latchkey/core/signing';
import { createFriends, type Friends } from './friends.ts';
import { createOwnKeys } from './keys.ts';
import { createLogin, type Login } from './login.ts';
import { createLogout, type Logout } from './logout.ts';
import { createMessages, type Messages } from './messages.ts';
import type { ServiceSettings } from './settings.ts';
import { openSystem, SYSTEM_SUBJECT } from './system.ts';

/** The parts of a sample service. */
export interface Sample {
  /** Trusts the provider of the settings, the service's own login, and the system. */
  readonly authenticator: Authenticator;
  readonly signer: Signer;
  readonly login: Login;
  readonly logout: Logout;
  readonly friends: Friends;
  readonly messages: Messages;
  /**
   * Call this when the service listens. The service is its own friends service, unless the settings
   * name another one.
   */
  listening(url: string): void;
  close(): Promise<void>;
}

/** Creates all parts. */
export async function createSample(settings: ServiceSettings): Promise<Sample> {
  const { audience, keySets, publicUrl, realm } = settings;
  const own = await createOwnKeys();
  const login = createLogin(audience, own);
  const system = await openSystem(settings.authDirectory, audience);
  const { secrets, signer } = own;
  const authenticator = createAuthenticator({
    keySets: [...keySets, login.keySet, system.keySet],
    secrets,
    audience,
    realm,
    systemSubject: SYSTEM_SUBJECT,
    groups: { reserved: ['root'] },
    // In memory, because one process is the whole service.
    revocation: {},
    dpop: { mode: 'allowed', publicUrl, algorithms: ['ES256'] },
  });
  // The service starts even if its issuer cannot be reached, and answers 503 until then.
  authenticator
    .ready()
    .catch((error: Error) => console.error(`the keys are not loaded yet: ${error.message}`));
  const messages = createMessages({ systemToken: system.files.systemToken, audience });
  return {
    authenticator,
    signer,
    login,
    logout: createLogout(authenticator),
    friends: createFriends(own),
    messages,
    listening(url) {
      messages.connect(settings.friendsUrl ?? url);
      console.log(`listening on ${url}`);
    },
    async close() {
      messages.close();
      await Promise.all([authenticator.close(), signer.close()]);
    },
  };
}
