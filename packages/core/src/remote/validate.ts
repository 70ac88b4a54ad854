// The remote endpoint before the keysets, or alone: who is asked next, and what it means when nobody can say.

import { AuthError, isAuthError } from '../errors.ts';
import type { JsonObject } from '../values/json.ts';
import type { RemoteEndpoint } from './endpoint.ts';
import type { RemoteSettings } from './options.ts';

/** Who is asked next, and what is too long to be asked about. */
export interface RemoteStage extends Pick<RemoteSettings, 'onReject' | 'onError'> {
  readonly maxTokenBytes: number;
}

// RFC 6750 §2.1. Anything else would be another request than was meant.
const BEARER_TOKEN = /^[\w.~+/-]+=*$/;

/** True for what an endpoint can be asked about. */
export function isBearerToken(token: string, maxTokenBytes: number): boolean {
  return token.length <= maxTokenBytes && BEARER_TOKEN.test(token);
}

/**
 * Asks the endpoint, and where the options say so, the keysets next.
 * @param byKeys verifies the token by the keysets
 * @throws AuthError `token_malformed`, `token_rejected`, `remote_unavailable`, or what the keysets say
 */
export async function validateRemotely<Verified>(
  token: string,
  endpoint: RemoteEndpoint,
  { onReject, onError, maxTokenBytes }: RemoteStage,
  byKeys: (token: string) => Promise<Verified>,
): Promise<Verified | { readonly claims: JsonObject; readonly by: undefined }> {
  if (!isBearerToken(token, maxTokenBytes))
    throw new AuthError('token_malformed', { detail: 'not a bearer token, or too long' });
  let claims: JsonObject | undefined;
  let unavailable: unknown;
  try {
    claims = await endpoint.validate(token);
  } catch (error) {
    if (onError === 'deny') throw error;
    unavailable = error;
  }
  if (claims !== undefined) return { claims, by: undefined };
  if (unavailable === undefined && onReject === 'deny') throw new AuthError('token_rejected');
  try {
    return await byKeys(token);
  } catch (error) {
    // It may be a token that only the endpoint knows: while that does not answer, nobody can say that it is bad.
    throw unavailable !== undefined && isAuthError(error) && error.status === 401 ? unavailable : error;
  }
}
