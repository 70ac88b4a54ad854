// What an endpoint's acceptance of one token looks like, and whether a principal comes of exactly
// that. Knows no endpoint.
import { createHash } from 'node:crypto';
import type { Principal } from '@latchkey/core';

/** The body that accepts this token and no other. */
export function acceptanceOf(token: string): { readonly sub: string; readonly proof: string } {
  const proof = createHash('sha256').update(token).digest('base64url');
  return { sub: `user-${proof.slice(0, 6)}`, proof };
}

/** True if the endpoint's word was for this token. */
export function isOfAcceptance({ subject, claims }: Principal, token: string): boolean {
  const { sub, proof } = acceptanceOf(token);
  return subject === sub && claims.proof === proof;
}
