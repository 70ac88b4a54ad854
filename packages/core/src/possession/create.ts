// Makes the parts of proof of possession from checked options: the kinds of proofs, and where their
// tokens are found.
import type { TokenFinder } from '../credentials/find.ts';
import { checkB64Token } from '../credentials/header.ts';
import { AuthError, ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import type { Clock } from '../values/clock.ts';
import { isJsonObject, type JsonObject, type JsonValue, own } from '../values/json.ts';
import { createDpop, dpopBinding, readDpopToken } from './dpop.ts';
import type { ProofKind } from './kind.ts';
import { modeOf } from './mode.ts';
import { createMutualTls, mutualTlsBinding } from './mutual-tls.ts';
import type { MutualTlsSettings } from './mutual-tls-options.ts';
import type { DpopSettings } from './options.ts';
import { createPossession, type Possession, refuseConfirmation } from './possession.ts';
import type { ReplayStore } from './replay.ts';
import { createReplayGuard, replayMemory } from './replay-guard.ts';
import { BINDINGS, type BindingModes } from './route.ts';

/** What the options say of bound tokens. At least one kind is on. */
export interface PossessionSettings {
  readonly dpop: DpopSettings | undefined;
  readonly mutualTls: MutualTlsSettings | undefined;
  /** A token that is bound in no way is refused. */
  readonly isRequired: boolean;
}

/**
 * Completes what the options say of bound tokens; undefined if they accept none.
 * @throws ConfigError if they require bound tokens, and accept none
 */
export function completePossession({
  dpop,
  mutualTls,
  senderConstrained,
}: {
  readonly dpop: DpopSettings | undefined;
  readonly mutualTls: MutualTlsSettings | undefined;
  readonly senderConstrained: 'required' | 'allowed';
}): PossessionSettings | undefined {
  const isRequired = senderConstrained === 'required';
  if (dpop === undefined && mutualTls === undefined) {
    if (isRequired) throw new ConfigError('senderConstrained', `needs ${BINDINGS.senderConstrained.needs}`);
    return undefined;
  }
  // With one kind, the challenge can say that this one is required.
  return Object.freeze<PossessionSettings>({
    dpop: dpop && (isRequired && mutualTls === undefined ? { ...dpop, isRequired } : dpop),
    mutualTls: mutualTls && (isRequired && dpop === undefined ? { ...mutualTls, isRequired } : mutualTls),
    isRequired,
  });
}

/** How tokens are accepted that are bound by each kind, and by any. */
export function bindingModes(possession: PossessionSettings | undefined): BindingModes {
  const [dpop, mutualTls] = [modeOf(possession?.dpop), modeOf(possession?.mutualTls)];
  const isRequired = possession?.isRequired === true || dpop === 'required' || mutualTls === 'required';
  return { dpop, mutualTls, senderConstrained: modeOf(possession && { isRequired }) };
}

/**
 * Makes the judge of proofs.
 * @param store of used proofs. Default: the memory of this process
 */
export function possessionOf(
  { dpop, mutualTls, isRequired }: PossessionSettings,
  clock: Clock,
  store: ReplayStore | undefined,
): Possession {
  const kinds: ProofKind[] = [];
  // First, because it uses nothing up.
  if (mutualTls !== undefined) kinds.push(createMutualTls(mutualTls));
  if (dpop !== undefined) {
    const guard = createReplayGuard(
      store ?? replayMemory(dpop.replayEntries, clock),
      dpop.acceptsReplayFailure,
    );
    kinds.push(createDpop(dpop, clock, guard));
  }
  return createPossession(kinds, isRequired);
}

/** Says what is wrong with the `cnf` of a token; undefined if its proof will be judged. */
export function whyNotProvable({
  dpop,
  mutualTls,
}: PossessionSettings): (cnf: JsonValue) => string | undefined {
  const bindings = [
    ...(dpop === undefined ? [] : [dpopBinding]),
    ...(mutualTls === undefined ? [] : [mutualTlsBinding]),
  ];
  return (cnf) => refuseConfirmation(cnf, bindings);
}

/** True for a token that is bound by DPoP, by its claims. */
export function isByDpop(claims: JsonObject): boolean {
  const cnf = own(claims, 'cnf');
  return isJsonObject(cnf) && Object.hasOwn(cnf, dpopBinding.member);
}

/** Warns of what makes proofs worth less. */
export function warnOfPossession({ dpop }: PossessionSettings): void {
  if (dpop?.acceptsReplayFailure === true)
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
