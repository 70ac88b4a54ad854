// The endpoint's answer that accepts one token, and the check that a principal comes from exactly
// that answer. No request is made here.
import { createHash } from 'node:crypto';
import type { Principal } from '@latchkey/core';

/** The body that accepts this token and no other. */
export function acceptanceOf(token: string): { readonly sub: string; readonly proof: string } {
  const proof = createHash('sha256').update(token).digest('base64url');
  return { sub: `user-${proof.slice(0, 6)}`, proof };
}

/** True if the principal comes from the endpoint's acceptance of this token. */
export function isOfAcceptance({ subject, claims }: Principal, token: string): boolean {
  const { sub, proof } = acceptanceOf(token);
  return subject === sub && claims.proof === proof;
}
