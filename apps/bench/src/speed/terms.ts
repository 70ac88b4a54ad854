// The values that every contestant checks, and the settings of each server. Nothing is checked
// here.

/** The algorithms that are compared. */
export const ALGORITHMS = ['RS256', 'ES256', 'EdDSA', 'HS256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export const ISSUER = 'https://login.example.com/';
export const AUDIENCE = 'https://api.example.com';
/** Every token has this scope, and Latchkey's routes require it. */
export const SCOPE = 'friends:read';
export const ROUTE = '/friends';

/**
 * The number of tokens in rotation that every contestant has seen before: the size of fast-jwt's
 * cache.
 */
export const SEEN_TOKENS = 1_000;

/** The settings of a server. */
export interface Terms {
  /** An algorithm that every contestant supports. */
  readonly algorithm: 'RS256' | 'ES256';
  readonly issuer: string;
  readonly audience: string;
  /** The URL of the JWK Set, over plain HTTP on loopback. */
  readonly jwksUrl: string;
  /** The same key in PEM, for packages that do not accept a JWK Set. */
  readonly publicKey: string;
}
