// What a sample service is made of besides its framework: its own keys, its login, its friends and
// messages, and whom it trusts.
import { type Authenticator, createAuthenticator } from '@latchkey/core';
import type { Signer } from '@latchkey/core/signing';
import { createFriends, type Friends } from './friends.ts';
import { createOwnKeys } from './keys.ts';
import { createLogin, type Login } from './login.ts';
import { createMessages, type Messages } from './messages.ts';
import type { ServiceSettings } from './settings.ts';
import { openSystem, SYSTEM_SUBJECT } from './system.ts';

/** The parts of a sample service. */
export interface Sample {
  /** Trusts the provider that the settings name, the service's own login, and the system. */
  readonly authenticator: Authenticator;
  readonly signer: Signer;
  readonly login: Login;
  readonly friends: Friends;
  readonly messages: Messages;
  /**
   * To be called when the service listens: it is its own friends service, unless the settings name
   * another.
   */
  listening(url: string): void;
  close(): Promise<void>;
}

/** Makes all parts. */
export async function createSample(settings: ServiceSettings): Promise<Sample> {
  const { audience, keySets, realm } = settings;
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
  });
  // The service starts all the same, and answers 503 until its issuer can be reached.
  authenticator.ready().catch((error: Error) => console.error(`keys are not there yet: ${error.message}`));
  const messages = createMessages({ systemToken: system.files.systemToken, audience });
  return {
    authenticator,
    signer,
    login,
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
