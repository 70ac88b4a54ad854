// Who is whose friend, and the tokens that say so: object capabilities, one token per friend, signed by this service.
import { type Authenticator, createAuthenticator, type JwkSet } from '@latchkey/core';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

const ISSUER = 'urn:friends-and-messages';
const AUDIENCE = 'urn:friends-and-messages:messages';
// A type of its own: such a token is never taken for an access token, nor an access token for it (RFC 8725 §3.11).
const TYPE = 'friend+jwt';

const friendships: ReadonlyMap<string, readonly string[]> = new Map([
  ['alice', ['bob', 'carol']],
  ['bob', ['alice']],
]);

/** A friend, and the token with which the caller may write to them. */
export interface Friend {
  readonly name: string;
  readonly friendToken: string;
}

/** What the service does with friendships. */
export interface Friends {
  /** The friends of a user, each with a token that says `friendOf: user`. */
  of(user: string): Promise<readonly Friend[]>;
  /** Verifies friend tokens, and nothing else. */
  readonly tokens: Authenticator;
  /** The public half of the key that signs friend tokens. */
  readonly jwks: JwkSet;
}

/** Makes a signing key that lives as long as the process. */
export async function createFriends(): Promise<Friends> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const { kty = '', crv = '', x = '', y = '' } = await exportJWK(publicKey);
  const jwks = { keys: [{ kty, crv, x, y, kid: 'friends-1', alg: 'ES256', use: 'sig' }] };
  return {
    of: (user) =>
      Promise.all(
        (friendships.get(user) ?? []).map(async (name) => ({
          name,
          friendToken: await new SignJWT({ friendOf: user })
            .setProtectedHeader({ alg: 'ES256', kid: 'friends-1', typ: TYPE })
            .setIssuer(ISSUER)
            .setAudience(AUDIENCE)
            .setSubject(name)
            .setIssuedAt()
            .setExpirationTime('10m')
            .sign(privateKey),
        })),
      ),
    tokens: createAuthenticator({ keySets: [{ issuer: ISSUER, jwks }], audience: AUDIENCE, typ: TYPE }),
    jwks,
  };
}
