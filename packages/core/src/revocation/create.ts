// Makes the list of revocations of an authenticator from checked options, and revokes with it.
import { ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import type { Clock } from '../values/clock.ts';
import type { RevocationFeed } from './feed.ts';
import { createFileFeed } from './file-feed.ts';
import { createRevocationList, type RevocationList } from './list.ts';
import type { RevocationSettings } from './options.ts';
import { readRevocation } from './revocation.ts';

/** The settings of an authenticator that are about revocation. */
interface Settings {
  readonly revocation: RevocationSettings | undefined;
  readonly revocationFeed: RevocationFeed | undefined;
  readonly clock: Clock;
}

/** Returns a list that exists already, or makes it. `isShared`: it is that of a file or a feed. */
export type RevocationTaker = (
  settings: RevocationSettings,
  isShared: boolean,
  make: () => RevocationList,
) => RevocationList;

/** Returns the list of an authenticator; undefined if none is judged. */
export function revocationsOf(
  { revocation, revocationFeed, clock }: Settings,
  take: RevocationTaker = (_settings, _isShared, make) => make(),
): RevocationList | undefined {
  if (revocation === undefined) return undefined;
  const { entries, maxStaleMs, file } = revocation;
  const feed = file === undefined ? revocationFeed : createFileFeed(file, clock);
  return take(revocation, feed !== undefined, () =>
    createRevocationList({ entries, maxStaleMs, feed, clock }),
  );
}

/** Warns of what lets revoked tokens pass. */
export function warnOfRevocation({ revocation }: Settings): void {
  if (revocation?.acceptsStale === true)
    warn(
      'LATCHKEY_UNSAFE',
      'revocation.unsafeStale: revoked tokens may be accepted while the list of revocations is unavailable',
    );
}

/**
 * Revokes tokens, as a caller says.
 * @throws ConfigError, also where the options have no `revocation`
 */
export async function revokeIn(
  list: RevocationList | undefined,
  given: unknown,
  { revocation, clock }: Settings,
): Promise<void> {
  if (list === undefined || revocation === undefined)
    throw new ConfigError('revocation', 'revoke needs it in the options; add revocation: {}');
  await list.publish(readRevocation(given, clock.now(), revocation.rememberMs));
}
