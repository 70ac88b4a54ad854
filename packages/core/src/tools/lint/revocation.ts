// Lint rules about the revocation of tokens. How many processes a service has, and which feed they
// share, cannot be seen in a descriptor.
import type { UncheckedOptions } from '../../values/readers.ts';
import { isLonger, type LintRule, membersOf, spotIf } from './rule.ts';

/** A revoked token may pass for this long in another process. */
const LONG_STALE_MS = 120_000;

/** The rules about revocation, with their paths. */
export const revocationRules: readonly LintRule[] = [
  {
    id: 'revocation-long-stale',
    severity: 'warning',
    message: 'a revoked token may be accepted for more than 2m while the list of revocations is unavailable',
    fix: 'write 30s, which is the default',
    find: (jwt) => spotIf(isLonger(revocationIn(jwt).maxStale, LONG_STALE_MS), 'revocation.maxStale'),
  },
  {
    id: 'revocation-unsafe-stale',
    severity: 'warning',
    message: 'a revoked token is accepted while the list of revocations is unavailable',
    fix: 'remove it: requests are then answered with 503 until the list can be read',
    find: (jwt) => spotIf(revocationIn(jwt).unsafeStale === 'accept', 'revocation.unsafeStale'),
  },
];

function revocationIn(jwt: UncheckedOptions): UncheckedOptions {
  return membersOf(jwt.revocation);
}
