// The actor of a token (`act`, RFC 8693 §4.1): who acts for the subject. Reads the claim; which
// actors a route accepts is in actors.ts.
import { AuthError } from '../errors.ts';
import { isJsonObject, type JsonObject, own } from '../values/json.ts';
import { kindOf } from '../values/kind.ts';
import { IDENTIFIER, isIdentifier } from './identifier.ts';

/** A party that acts, or has acted, for the subject of a token. */
export interface ActingParty {
  /** The `sub` of the party. */
  readonly subject: string;
  /** The `iss` of the party: whose name `subject` is. Undefined: that of the token. */
  readonly issuer: string | undefined;
  /** The `client_id` of the party. */
  readonly clientId: string | undefined;
}

/** The party that acts for the subject now. */
export interface Actor extends ActingParty {
  /**
   * The parties that acted before, the latest first. For audits only: RFC 8693 §4.1 forbids using
   * them in a decision. Undefined if there are none.
   */
  readonly chain: readonly ActingParty[] | undefined;
}

/**
 * Reads `act`.
 * @returns undefined for a token without it
 * @throws AuthError `token_claims_invalid` for anything that does not name a subject, at any depth
 */
export function actorOf(claims: JsonObject): Actor | undefined {
  const parties: ActingParty[] = [];
  for (let act = own(claims, 'act'); act !== undefined; act = own(act, 'act')) {
    if (!isJsonObject(act)) throw malformed(`expected an object, got ${kindOf(act)}`);
    parties.push(partyOf(act));
  }
  const [current, ...chain] = parties;
  if (current === undefined) return undefined;
  const before = chain.length === 0 ? undefined : Object.freeze(chain);
  return Object.freeze({ ...current, chain: before });
}

function partyOf(act: JsonObject): ActingParty {
  const [subject, issuer, clientId] = (['sub', 'iss', 'client_id'] as const).map((name) => {
    const value = own(act, name);
    if (value === undefined ? name !== 'sub' : isIdentifier(value)) return value;
    throw malformed(`expected ${name} to be ${IDENTIFIER}, got ${kindOf(value)}`);
  }) as [string, string | undefined, string | undefined];
  return Object.freeze({ subject, issuer, clientId });
}

/** Never the claim itself: it names people and services. */
function malformed(problem: string): AuthError {
  return new AuthError('token_claims_invalid', { detail: `act: ${problem}` });
}
