// The authenticators that cases ask: one trusted issuer, one that cannot be reached, what signs replies, and what each variant says
// beside.
import { type Authenticator, type AuthenticatorOptions, createAuthenticator } from '@latchkey/core';
import type { Variant } from './cases.ts';
import { LOGIN_ISSUER } from './signers.ts';
import type { World } from './tokens.ts';

/** Needs quoting in a challenge. */
export const REALM = 'friends "and" messages';

/** By name. */
export const VARIANTS: { readonly [Name in Variant]: Partial<AuthenticatorOptions> } = {
  strict: {},
  optional: { mode: 'optional' },
  permissive: { mode: 'permissive' },
  realm: { realm: REALM },
  carriers: {
    tokenFrom: [
      { header: 'Authorization' },
      { header: 'X-Token' },
      { header: 'X-Scheme', scheme: 'Token' },
      { cookie: 'token', allowedOrigins: ['https://app.example.com'] },
      { query: 'access_token' },
    ],
  },
  nested: { nestedClaimDelimiter: '.' },
  profile: { profile: 'at+jwt' },
};

/** Makes one. */
export function authenticatorFor({ trusted, down, signers }: World, variant: Variant): Authenticator {
  return createAuthenticator({
    keySets: [
      { issuer: trusted.issuer, useOidcDiscovery: true, allowHttp: true },
      { issuer: down.issuer, jwksUrl: down.jwksUrl, allowHttp: true },
      { issuer: LOGIN_ISSUER, jwks: signers.jwks },
    ],
    audience: trusted.audience,
    ...VARIANTS[variant],
  });
}
