// Finds the preset of a name, and checks the flags for it. No network and no file is used here.
import { meant } from '@latchkey/core/tools';
import { misused } from '../failure.ts';
import { auth0, okta } from './auth0-okta.ts';
import { clerk } from './clerk.ts';
import { cloudflareAccess } from './cloudflare-access.ts';
import { cognito } from './cognito.ts';
import { entra, entraV1 } from './entra.ts';
import { FLAGS, type FlagName, type FlagValues, flagOf } from './flags.ts';
import { githubActions } from './github-actions.ts';
import { firebase, google, iap } from './google.ts';
import { keycloak } from './keycloak.ts';
import { kubernetes } from './kubernetes.ts';
import type { Provider } from './preset.ts';
import { spiffe } from './spiffe.ts';
import { supabase } from './supabase.ts';

/** All providers, in the order of the alphabet. */
export const PROVIDERS: readonly Provider[] = [
  auth0,
  clerk,
  cloudflareAccess,
  cognito,
  entra,
  entraV1,
  firebase,
  githubActions,
  google,
  iap,
  keycloak,
  kubernetes,
  okta,
  spiffe,
  supabase,
];

/** Other names of providers. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['azure', 'entra'],
  ['azure-ad', 'entra'],
  ['aws-cognito', 'cognito'],
  ['cloudflare', 'cloudflare-access'],
  ['github', 'github-actions'],
  ['google-iap', 'iap'],
  ['k8s', 'kubernetes'],
  ['microsoft', 'entra'],
  ['spire', 'spiffe'],
]);

/**
 * Finds a provider by its name, or by another name that it has.
 * @throws Failure that lists the names
 */
export function findProvider(name: string): Provider {
  const found = PROVIDERS.find((provider) => provider.name === (ALIASES.get(name) ?? name));
  if (found !== undefined) return found;
  const names = PROVIDERS.map((provider) => provider.name);
  throw misused(`--provider: expected one of ${names.join(', ')}${meant(name, names)}`);
}

/**
 * Checks the flags of a call.
 * @param given all flags of the call that a provider may take
 * @throws Failure that names the flag and shows an example
 */
export function readFlags(
  provider: Provider,
  given: { readonly [Name in FlagName]?: string | readonly string[] | undefined },
): FlagValues {
  const known = new Set([...provider.needs.flat(), ...provider.takes]);
  const names = Object.keys(FLAGS) as FlagName[];
  // Has every name of the table, which Object.fromEntries cannot say.
  const values = Object.fromEntries(
    names.map((name) => [name, [given[name] ?? []].flat()]),
  ) as unknown as FlagValues;
  for (const name of names) {
    const those = values[name];
    if (those.length === 0) continue;
    if (!known.has(name))
      throw misused(
        `${flagOf(name)} is not a flag of ${provider.name}; it takes ${[...known].map(flagOf).join(', ')}`,
      );
    if (!those.every((value) => FLAGS[name].fits(value)))
      throw misused(`${flagOf(name)}: expected ${FLAGS[name].expected}`);
  }
  for (const needed of provider.needs)
    if (needed.every((name) => values[name].length === 0))
      throw misused(
        `${provider.name} needs ${needed.map(flagOf).join(' or ')}, as in: latchkey jwks add --provider ${provider.name} ${provider.example}`,
      );
  return values;
}
