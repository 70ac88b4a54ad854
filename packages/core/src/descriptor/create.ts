// createAuthenticator: makes an authenticator from options in code, or from a descriptor that it
// follows.
import {
  type Authenticator,
  type AuthenticatorLimits,
  createAuthenticator as createOf,
} from '../decision/authenticator.ts';
import type { AuthenticatorOptions } from '../decision/options.ts';
import { ConfigError } from '../errors.ts';
import { isPlainObject } from '../values/readers.ts';
import type { DescribedAuthenticator } from './described.ts';
import { followDescriptor } from './follow.ts';
import type { DescriptorOptions } from './load.ts';

/**
 * Makes an authenticator from options, or from a descriptor whose changes it follows. Fetches
 * nothing before `ready()`, `start()` or the first token.
 * @param limits for adapters: what their framework cannot do; also applies to a changed file
 * @throws ConfigError
 * @example
 * ```ts
 * const authenticator = createAuthenticator({
 *   keySets: [{ issuer: 'https://accounts.google.com', useOidcDiscovery: true }],
 *   audience: 'https://api.example.com',
 * });
 * const principal = await authenticator.verify(token, { roles: ['admin', 'dev'] });
 * ```
 */
export function createAuthenticator(
  options: DescriptorOptions,
  limits?: AuthenticatorLimits,
): DescribedAuthenticator;
export function createAuthenticator(
  options: AuthenticatorOptions | DescriptorOptions,
  limits?: AuthenticatorLimits,
): Authenticator;
export function createAuthenticator(
  options: AuthenticatorOptions | DescriptorOptions,
  limits?: AuthenticatorLimits,
): Authenticator {
  if (typeof options === 'string')
    throw new ConfigError(
      'options',
      "expected options, such as { keySets, audience }, got a string; for a file write { descriptor: 'service.yaml' }",
    );
  return isDescribed(options) ? followDescriptor(options, limits) : createOf(options, limits);
}

function isDescribed(options: AuthenticatorOptions | DescriptorOptions): options is DescriptorOptions {
  return isPlainObject(options) && Object.hasOwn(options, 'descriptor');
}
