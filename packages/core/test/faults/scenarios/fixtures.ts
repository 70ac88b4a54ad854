// The keys and the tokens of the scenarios. All times are relative to the start of a run.
import { generateSigningKey, type MintClaims, mint, type SigningKey } from '@latchkey/testing';
import {
  AuthError,
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
  type KeysetOptions,
} from '../../../src/index.ts';
import { requestWith } from '../../support/authenticators.ts';
import type { Boundary } from '../steps.ts';
import { START, type World } from '../world.ts';

export const ISSUER = 'https://issuer.example';
export const OTHER_ISSUER = 'https://other.example';
export const AUDIENCE = 'https://api.example.com';
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

const [a, b, stranger, newA] = await Promise.all([
  generateSigningKey('ES256', 'a'),
  generateSigningKey('ES256', 'b'),
  // The kid is that of a good key.
  generateSigningKey('ES256', 'a'),
  generateSigningKey('ES256', 'a'),
]);
/** `newA` has the kid of `a`, as after a rotation in place. */
export const keys = { a, b, newA };

/** Signs claims for the service, by default of alice. */
export function token(key: SigningKey, claims: MintClaims = {}, header: MintClaims = {}): Promise<string> {
  const iat = START / 1000 - 60;
  return mint(
    key,
    { iss: ISSUER, sub: 'alice', aud: AUDIENCE, iat, exp: iat + 40 * 86_400, ...claims },
    header,
  );
}

/** Tokens that are good in no run. */
const BAD: readonly (readonly [what: string, token: string, code: string])[] = [
  ['a token of another key', await token(stranger), 'token_signature_invalid'],
  ['an expired token', await token(a, { exp: START / 1000 - 3_600 }), 'token_expired'],
  ['a token for another service', await token(a, { aud: 'other' }), 'token_audience_mismatch'],
];
export const GOOD = await token(a);
export const GOOD_B = await token(b);
export const GOOD_NEW_A = await token(newA);

/** A JWK Set. */
export const setOf = (...all: readonly SigningKey[]) => ({ keys: all.map(({ publicJwk }) => publicJwk) });
/** A JWK Set as the bytes of a secret. */
export const bytesOf = (...all: readonly SigningKey[]): Uint8Array =>
  Buffer.from(JSON.stringify(setOf(...all)));

/** An authenticator of a world, for the audience of all tokens. */
export function authenticatorOf(
  world: World,
  options: Omit<AuthenticatorOptions, 'audience'>,
): Authenticator {
  return world.closes(createAuthenticator({ audience: AUDIENCE, ...options }));
}

/** A keyset that needs nothing from outside. */
export const INLINE: KeysetOptions = { issuer: ISSUER, jwks: setOf(a) };

/** Decides on a request with a token. */
export const asking = (authenticator: Authenticator, presented: string) => () =>
  authenticator.authenticate(requestWith(presented));

/** Asks for an explanation, which must say of a token what a decision says. */
export const explaining = (authenticator: Authenticator, presented: string) => async () => {
  const { allowed, code } = await authenticator.explain(presented);
  if (code !== undefined) throw new AuthError(code);
  return allowed;
};

/** Asks about every bad token. */
export function askBad(
  world: World,
  authenticator: Authenticator,
  deadlineMs?: number,
  isExact = false,
): void {
  for (const [what, bad, code] of BAD)
    world.ask(what, isExact ? { exactly: code } : [code], asking(authenticator, bad), deadlineMs);
}

/** The reading of a secret: whatever is no bytes, or no whole set, is not an answer. */
export const READING: Boundary = {
  name: 'read of the secret store',
  deadlineMs: 5_000,
  wrong: [
    null,
    '{"keys":[]}',
    new Uint8Array(),
    Buffer.from('{"keys":[{"kty":"EC"'),
    { keys: [] },
    Buffer.from('{"keys":null}'),
    Buffer.from('[]'),
    7,
  ],
};
