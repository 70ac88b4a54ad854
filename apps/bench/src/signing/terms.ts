// What the services of the rotation have agreed on, and how long things take in it.

/** Whose tokens they are, and whom they are for. */
export const ISSUER = 'urn:bench:login';
export const AUDIENCE = 'urn:bench:friends';

/** The secret that all signers read. */
export const SECRET = { name: 'signing', key: 'jwks.json' } as const;

/** How long a key is published before it signs. */
export const PUBLISH_AHEAD = '20s';
export const TOKEN_LIFETIME = '10s';
/** Short, because a key is kept that much longer. */
export const MAX_STALE = '1s';

/** What a login answers with. Times are milliseconds since the epoch, around the signing. */
export interface LoginReply {
  readonly access_token: string;
  readonly began: number;
  readonly ended: number;
}
