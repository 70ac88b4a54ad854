// The names and durations that the services of the rotation share. No code is here.

/** The issuer and the audience of the tokens. */
export const ISSUER = 'urn:bench:login';
export const AUDIENCE = 'urn:bench:friends';

/** The secret that all signers read. */
export const SECRET = { name: 'signing', key: 'jwks.json' } as const;

/** How long a key is published before it signs. */
export const PUBLISH_AHEAD = '20s';
export const TOKEN_LIFETIME = '10s';
/** Short, because a key is kept longer by this time. */
export const MAX_STALE = '1s';

/**
 * The answer of a login. The times are before and after the signing, in milliseconds since the
 * epoch.
 */
export interface LoginReply {
  readonly access_token: string;
  readonly began: number;
  readonly ended: number;
}
