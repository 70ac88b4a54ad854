// A token taken apart for people to look at. Nothing here has been verified, and nothing may be decided by it.

import { parseToken } from '../token/parse.ts';
import { type JsonObject, parseJsonObject } from '../values/json.ts';

/** What somebody has written in a token. */
export interface UnverifiedTokenText {
  /** The whole JOSE header: also parameters that are never looked at when a token is verified. */
  readonly header: JsonObject;
  readonly claims: JsonObject;
}

/** The longest token that any authenticator can be told to take. */
const MAX_BYTES = 65_536;

/**
 * Reads a token as strictly as an authenticator does. Does *not* verify it.
 * @throws AuthError `token_malformed`
 */
export function readUnverifiedToken(token: string): UnverifiedTokenText {
  const { claims } = parseToken(token, MAX_BYTES);
  return { header: parseJsonObject(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url')), claims };
}
