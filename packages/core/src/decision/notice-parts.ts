// What other code needs of an authenticator to judge tokens that are no access tokens, by the same
// keysets and limits, and to end access tokens. Decides about no request.
import type { Keyset } from '../keysets/keyset.ts';
import type { KeysetIndex } from '../keysets/select.ts';
import type { Revocation } from '../revocation/revocation.ts';
import { sharedState } from '../values/copies.ts';
import type { AuthenticatorSettings } from './settings.ts';
import type { TokenPolicy } from './token-policy.ts';

/** The parts of one authenticator. */
export interface NoticeParts {
  readonly settings: AuthenticatorSettings;
  readonly keysets: readonly Keyset[];
  readonly index: KeysetIndex;
  /** By keysets with token options of their own. */
  readonly policies: ReadonlyMap<Keyset, TokenPolicy>;
  /** Ends tokens. Undefined without the option `revocation`. */
  readonly revoke: ((revocation: Revocation) => Promise<void>) | undefined;
}

const known = sharedState('notice parts', () => new WeakMap<object, () => readonly NoticeParts[]>());

/** Notes the parts of an authenticator, or those of several. They may change with its options. */
export function noteParts(authenticator: object, parts: () => readonly NoticeParts[]): void {
  known.set(authenticator, parts);
}

/** The parts of an authenticator; undefined for one that an application has written. */
export function partsOf(authenticator: object): readonly NoticeParts[] | undefined {
  return known.get(authenticator)?.();
}
