// Runs in each runtime: reads a probe from each line, uses its options as a service would, and
// prints the outcome. The servers are in the tests.
import { createInterface } from 'node:readline';
import { type AuthenticatorOptions, ConfigError, createAuthenticator, isAuthError } from '@latchkey/core';
import {
  createServiceFetch,
  createSigner,
  type ServiceFetchOptions,
  type SignerOptions,
} from '@latchkey/core/signing';
import { createLdapGroups, type LdapGroupsOptions } from '@latchkey/ldap';

/** What to use, and how. */
export type Probe =
  | { readonly use: 'authenticator'; readonly options: AuthenticatorOptions; readonly token: string }
  | { readonly use: 'signer'; readonly options: SignerOptions }
  | { readonly use: 'serviceFetch'; readonly options: ServiceFetchOptions; readonly url: string }
  | { readonly use: 'ldap'; readonly options: LdapGroupsOptions };

/** `works`, `refused` with the text of a ConfigError, or `fails`. */
export interface Outcome {
  readonly is: 'works' | 'refused' | 'fails';
  readonly text: string;
}

const secrets = { description: 'a store', read: async () => Buffer.from('canary-password') };

async function used(probe: Probe): Promise<void> {
  switch (probe.use) {
    case 'authenticator': {
      const authenticator = createAuthenticator(probe.options);
      try {
        await authenticator.verify(probe.token);
      } finally {
        await authenticator.close();
      }
      return;
    }
    case 'signer': {
      const signer = createSigner(probe.options);
      try {
        await signer.publish();
      } finally {
        await signer.close();
      }
      return;
    }
    case 'serviceFetch': {
      const service = createServiceFetch(probe.options);
      try {
        await (await service.fetch(probe.url)).text();
      } finally {
        service.close();
      }
      return;
    }
    case 'ldap': {
      const directory = createLdapGroups({ ...probe.options, secrets });
      try {
        await directory.ready();
      } finally {
        await directory.close();
      }
    }
  }
}

async function outcome(probe: Probe): Promise<Outcome> {
  try {
    await used(probe);
    return { is: 'works', text: '' };
  } catch (error) {
    if (error instanceof ConfigError) return { is: 'refused', text: error.message };
    return { is: 'fails', text: isAuthError(error) ? `${error.code}` : String(error) };
  }
}

for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await outcome(JSON.parse(line) as Probe)));
