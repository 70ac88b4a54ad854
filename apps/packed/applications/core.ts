// Core without a framework, and the issuer for tests. Only compiled.
import {
  AuthError,
  type Authenticator,
  type AuthenticatorOptions,
  allOf,
  authorize,
  ConfigError,
  createAuthenticator,
  isAuthError,
  type Principal,
} from '@latchkey/core';
import { type CompiledAccess, compileAccess, decide } from '@latchkey/core/adapter';
import { openAuthDirectory } from '@latchkey/core/own-keys';
import { createSigner, type Signer } from '@latchkey/core/signing';
import { lintDescriptor } from '@latchkey/core/tools';
import { createClock, createIssuer, type TestIssuer } from '@latchkey/testing';

export const parts: readonly unknown[] = [openAuthDirectory, createSigner, lintDescriptor, decide];
export const access: CompiledAccess = compileAccess({ claims: { scope: 'a' } });
export type Keys = Signer;

export async function subjectOf(token: string): Promise<string | undefined> {
  const issuer: TestIssuer = await createIssuer({ clock: createClock() });
  const options: AuthenticatorOptions = issuer.options;
  const authenticator: Authenticator = createAuthenticator(options);
  // @ts-expect-error: without types of the package, these two lines would be no error.
  const audience: number = options.audience;
  // @ts-expect-error: a number is not a token.
  void authenticator.verify(audience);
  try {
    const principal: Principal = await authenticator.verify(token);
    authorize(principal, { scope: 'a' });
    const { claims } = await authenticator.verify(token, { roles: allOf('admin') });
    const roles: readonly string[] = claims.roles;
    return roles[0];
  } catch (error) {
    if (error instanceof ConfigError) return error.path;
    if (error instanceof AuthError || isAuthError(error)) return error.code;
    throw error;
  }
}
