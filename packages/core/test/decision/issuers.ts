// What the tests of whole authenticators share: issuers with servers, authenticators that fetch
// their keys, and verdicts as one word.
import { forge, type TestIssuer } from '@latchkey/testing';
import { afterEach, vi } from 'vitest';
import type { Authenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import type { KeysetOptions } from '../../src/keysets/options.ts';
import { startAuthenticator, startIssuer } from '../support/authenticators.ts';
import { outcome } from '../support/outcome.ts';

export const AUDIENCE = 'https://api.example.com';

afterEach(() => {
  vi.useRealTimers();
});

export const start = () => startIssuer({ audience: AUDIENCE });

export function create(
  keySets: readonly KeysetOptions[],
  options: Partial<Omit<AuthenticatorOptions, 'keySets'>> = {},
): Authenticator {
  return startAuthenticator({ keySets, audience: AUDIENCE, ...options });
}

export function fetched(
  { issuer, jwksUrl }: TestIssuer,
  options: { readonly skipValidation?: boolean } = {},
): KeysetOptions {
  return { issuer, jwksUrl, allowHttp: true, ...options };
}

/** An issuer, and an authenticator that fetches its keys. */
export async function trusting(options: Parameters<typeof create>[1] = {}) {
  const issuer = await start();
  return { issuer, authenticator: create([fetched(issuer)], options) };
}

/** `accepted`, or the code of the refusal. */
export const ask = (authenticator: Authenticator, ...given: Parameters<Authenticator['verify']>) =>
  outcome(authenticator.verify(...given));

/** A token with this kid, whose signature is not valid. */
export function unsigned(iss: string, kid: string): string {
  return forge({
    header: { alg: 'ES256', kid, typ: 'JWT' },
    payload: { iss, aud: AUDIENCE, sub: 'mallory', exp: 4_000_000_000 },
    signature: Buffer.alloc(64, 1),
  });
}
