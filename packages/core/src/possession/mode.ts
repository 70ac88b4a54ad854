// The modes of a kind of proof, which are the same for all kinds.
import { type Judge, replaced, verdict } from '../values/judge.ts';
import { choice, type Kind } from '../values/option.ts';

/**
 * `off`: tokens that are bound in this way are refused. `allowed`: they need their proof.
 * `required`: every token has to be bound in this way, and needs its proof.
 */
export type ProofMode = 'off' | 'allowed' | 'required';

/** `mode`. */
export const proofMode: Kind<ProofMode> = choice('off', 'allowed', 'required');

const ACCEPTED: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['off', ['bearer tokens']],
  ['allowed', ['bearer tokens', 'bound tokens with their proof']],
  ['required', ['bound tokens with their proof']],
]);

/** Says which tokens come and go. A variable may be any mode. */
export const modeJudge: Judge = (before, after) => {
  const [old, current] = [ACCEPTED.get(before ?? 'off'), ACCEPTED.get(after ?? 'off')];
  if (old === undefined || current === undefined)
    return replaced('the mode of the proof has changed')(before, after);
  return [
    ...current
      .filter((kind) => !old.includes(kind))
      .map((kind) => verdict('opens', `accepted now: ${kind}`, after)),
    ...old
      .filter((kind) => !current.includes(kind))
      .map((kind) => verdict('closes', `no longer accepted: ${kind}`, after)),
  ];
};

/** The mode of checked options, which are undefined where it is off. */
export function modeOf(settings: { readonly isRequired: boolean } | undefined): ProofMode {
  return settings === undefined ? 'off' : settings.isRequired ? 'required' : 'allowed';
}
