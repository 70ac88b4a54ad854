// The system's own token, with which services call each other: made once, in a directory that they
// share.
import type { KeysetOptions } from '@latchkey/core';
import { type AuthDirectory, openAuthDirectory } from '@latchkey/core/own-keys';

/** Whom the system's tokens are from, and who they are. No user can be called so. */
const ISSUER = 'urn:friends-and-messages:system';
export const SYSTEM_SUBJECT = 'okera';
/** What a route for services asks. */
export const systemOnly = { sub: SYSTEM_SUBJECT, groups: 'root' } as const;

/** The system's files, and the keyset that trusts them. */
export interface System {
  readonly files: AuthDirectory;
  readonly keySet: KeysetOptions;
}

/** Opens the directory, and makes what is missing in it. */
export async function openSystem(directory: string, audience: string): Promise<System> {
  const files = await openAuthDirectory({
    directory,
    issuer: ISSUER,
    audience,
    systemSubject: SYSTEM_SUBJECT,
  });
  const publicKeys = [{ file: files.publicKey, algorithm: 'RS512' }] as const;
  return { files, keySet: { issuer: ISSUER, publicKeys, system: true } };
}
