// Makes the parts of proof of possession from checked options: the kinds of proofs, and where their
// tokens are found.
import type { TokenFinder } from '../credentials/find.ts';
import { checkB64Token } from '../credentials/header.ts';
import { AuthError, ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import type { Clock } from '../values/clock.ts';
import type { JsonValue } from '../values/json.ts';
import { createDpop, dpopBinding, readDpopToken } from './dpop.ts';
import type { DpopSettings } from './options.ts';
import { createPossession, type Possession, refuseConfirmation } from './possession.ts';
import type { ReplayStore } from './replay.ts';
import { createReplayGuard, replayMemory } from './replay-guard.ts';

/**
 * Makes the judge of proofs.
 * @param store of used proofs. Default: the memory of this process
 */
export function possessionOf(
  dpop: DpopSettings,
  clock: Clock,
  store: ReplayStore = replayMemory(dpop.replayEntries, clock),
): Possession {
  const kinds = [createDpop(dpop, clock, createReplayGuard(store, dpop.acceptsReplayFailure))];
  return createPossession(kinds, dpop.isRequired);
}

/** Says what is wrong with the `cnf` of a token; undefined if its proof will be judged. */
export function whyNotProvable(cnf: JsonValue): string | undefined {
  return refuseConfirmation(cnf, [dpopBinding]);
}

/** Warns of what makes proofs worth less. */
export function warnOfPossession({ acceptsReplayFailure }: DpopSettings): void {
  if (acceptsReplayFailure)
    warn('LATCHKEY_UNSAFE', 'dpop.unsafeReplayFailure: a proof may be used again while the store fails');
}

/**
 * Adds the scheme `DPoP` of the header Authorization to the places of tokens (RFC 9449 §7.1).
 * @throws ConfigError if the places have it already, or read any scheme there
 */
export function withDpopScheme(finder: TokenFinder): TokenFinder {
  if (finder.readsAnyScheme)
    throw new ConfigError(
      'tokenFrom',
      'expected no place that reads DPoP of Authorization, because dpop adds it; remove that place',
    );
  return {
    ...finder,
    find(request, note) {
      const bound = readDpopToken(request);
      const other = finder.find(request, note);
      note?.('header Authorization with DPoP', bound, undefined);
      if (bound === undefined) return other;
      checkB64Token(bound);
      if (other === undefined) return bound;
      throw new AuthError('credentials_ambiguous', {
        detail: 'tokens in header Authorization and in another place; a request may have one (RFC 6750 §2)',
      });
    },
  };
}
