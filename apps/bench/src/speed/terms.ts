// What everybody is asked to check, and what each server is told of it. Nothing is checked here.

/** The algorithms that are compared. */
export const ALGORITHMS = ['RS256', 'ES256', 'EdDSA', 'HS256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export const ISSUER = 'https://login.example.com/';
export const AUDIENCE = 'https://api.example.com';
/** Every token has it, and Latchkey's routes ask for it. */
export const SCOPE = 'friends:read';
export const ROUTE = '/friends';

/** So many tokens are in rotation that everybody has seen before: the size of fast-jwt's cache. */
export const SEEN_TOKENS = 1_000;

/** What a server is told. */
export interface Terms {
  /** One that everybody has. */
  readonly algorithm: 'RS256' | 'ES256';
  readonly issuer: string;
  readonly audience: string;
  /** Where the JWK Set is, over plain HTTP on loopback. */
  readonly jwksUrl: string;
  /** The same key in PEM, for those who take no JWK Set. */
  readonly publicKey: string;
}
