// Revokes tokens from outside of a service, as the command line does: completes a revocation, and
// opens the file that services follow.

import type { RevocationFeed } from '../revocation/feed.ts';
import { createFileFeed } from '../revocation/file-feed.ts';
import { type Revocation, readRevocation, type StoredRevocation } from '../revocation/revocation.ts';
import { type Duration, parseDuration } from '../values/duration.ts';

/**
 * Checks a revocation, and fills in what it leaves out.
 * @param remember how long it is remembered, if it has no `until`
 * @throws ConfigError with paths such as `revocation.jti`; `remember` for a wrong duration
 */
export function completeRevocation(revocation: Revocation, remember: Duration = '24h'): StoredRevocation {
  return readRevocation(revocation, Date.now(), parseDuration(remember, 'remember'));
}

/** The file of `revocation.file`, for `publish`. It must exist. */
export function openRevocationFile(path: string): RevocationFeed {
  return createFileFeed(path, Date);
}
