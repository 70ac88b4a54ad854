// Authenticators and issuers that end with their test, and requests for them. Does not choose
// options or tokens.
import { createIssuer, type IssuerOptions, type TestIssuer } from '@latchkey/testing';
import { onTestFinished } from 'vitest';
import type { RequestView } from '../../src/adapter/index.ts';
import { type Authenticator, type AuthenticatorOptions, createAuthenticator } from '../../src/index.ts';

/** Creates an authenticator and closes it after the test. Call it in a test or in `beforeEach`. */
export function startAuthenticator(options: AuthenticatorOptions): Authenticator {
  const authenticator = createAuthenticator(options);
  onTestFinished(() => authenticator.close());
  return authenticator;
}

/** Starts an issuer with a server and closes it after the test. */
export async function startIssuer(options: IssuerOptions = {}): Promise<TestIssuer> {
  const issuer = await createIssuer(options);
  onTestFinished(() => issuer.close());
  return issuer;
}

/** A GET request with the token in its Authorization header, or without a token. */
export function requestWith(token?: string): RequestView {
  if (token === undefined) return { method: 'GET', url: '/', headers: {}, rawHeaders: [] };
  const authorization = `Bearer ${token}`;
  return {
    method: 'GET',
    url: '/',
    headers: { authorization },
    rawHeaders: ['Authorization', authorization],
  };
}
