// The system token, with which services call each other. It is created once, in a directory that
// the services share.
import type { KeysetOptions } from '@latchkey/core';
import { type AuthDirectory, openAuthDirectory } from '@latchkey/core/own-keys';

/** The issuer and the subject of the system token. No user can have this subject. */
const ISSUER = 'urn:friends-and-messages:system';
export const SYSTEM_SUBJECT = 'okera';
/** The rules of a route for services. */
export const systemOnly = { sub: SYSTEM_SUBJECT, groups: 'root' } as const;

/** The files of the system, and the keyset that trusts its token. */
export interface System {
  readonly files: AuthDirectory;
  readonly keySet: KeysetOptions;
}

/** Opens the directory and creates its missing files. */
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
