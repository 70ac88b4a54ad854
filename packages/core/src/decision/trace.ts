// The events of a decision, one for each check. `explain` is a listener. A trace changes nothing
// about a decision, except that the checks go on after a refusal.

import type { ClaimCheck } from '../claims/compile.ts';
import type { RegisteredCheck } from '../claims/registered.ts';
import type { AuthError } from '../errors.ts';
import type { VerificationKey } from '../jwk/import-jwks.ts';
import type { KeySnapshot, Keyset } from '../keysets/keyset.ts';
import type { RevocationKind } from '../revocation/revocation.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { KeyName } from '../token/parse.ts';
import type { JsonObject, JsonValue } from '../values/json.ts';
import type { AuthenticationMode } from './access.ts';
import type { Principal } from './principal.ts';
import type { JudgedRequirement } from './requirements.ts';

/**
 * One check, and its refusal; `refusal` is undefined if the check passed. `wouldRefuse`: it did not
 * pass, and `enforce` says that this refuses nothing.
 */
export type TraceEvent = {
  readonly refusal?: AuthError | undefined;
  readonly wouldRefuse?: AuthError | undefined;
} & (
  | { readonly stage: 'place'; readonly place: string; readonly hasToken: boolean }
  | { readonly stage: 'credentials'; readonly hasToken: boolean }
  | {
      readonly stage: 'remote';
      readonly outcome: 'not asked' | 'accepted' | 'rejected' | 'unavailable';
      readonly detail?: string | undefined;
    }
  /** The endpoint was unavailable, and the keysets refuse the token: the 503 is the answer. */
  | { readonly stage: 'remote undecided' }
  /** The endpoint vouched for the system subject, which only a key of the system may do. */
  | { readonly stage: 'remote system' }
  | { readonly stage: 'form' }
  /** First by the types of all keysets; then, where they differ, by those of the keyset. */
  | {
      readonly stage: 'typ';
      readonly typ: string | undefined;
      readonly types: ReadonlySet<string | undefined>;
      readonly keyset?: Keyset;
    }
  | { readonly stage: 'algorithm'; readonly alg: string }
  | {
      readonly stage: 'issuer';
      readonly issuer: JsonValue | undefined;
      readonly vouchedBy: 'endpoint' | 'key';
    }
  | {
      readonly stage: 'keyset';
      readonly keyset: Keyset;
      /** What the token says of its key. */
      readonly named: KeyName;
      readonly snapshot?: KeySnapshot;
      readonly tried: readonly { readonly key: VerificationKey; readonly hasSigned: boolean }[];
      /** The keyset knows the token's key. */
      readonly known: boolean;
    }
  | {
      readonly stage: 'signature';
      readonly keysets: readonly Keyset[];
      readonly candidates: readonly Keyset[];
      readonly issuer: JsonValue | undefined;
      readonly algorithm: AlgorithmName | undefined;
      readonly signedBy: Keyset | undefined;
    }
  /** The checks of the claims follow. */
  | { readonly stage: 'claims set'; readonly claims: JsonObject; readonly isVerified: boolean }
  | {
      readonly stage: 'registered claim';
      readonly check: RegisteredCheck;
      readonly claims: JsonObject;
      readonly nowMs: number;
    }
  /** A claim of the JWT itself, which the endpoint accepted. */
  | {
      readonly stage: 'token itself';
      readonly claim: 'aud' | 'iss' | 'events';
      readonly value: JsonValue | undefined;
    }
  | { readonly stage: 'system subject' }
  | {
      readonly stage: 'claims' | 'route';
      readonly check: ClaimCheck;
      readonly value: JsonValue | undefined;
      /** Undefined: the rule compares with the request, but no request was given. */
      readonly holds: boolean | undefined;
    }
  | { readonly stage: 'groups'; readonly principal: Principal | undefined }
  /** A part of the proof that the sender has the key of the token. */
  | { readonly stage: 'possession'; readonly about: string }
  /** Whether the token was ended before it expires. `kind`: by which of its claims. */
  | { readonly stage: 'revocation'; readonly kind: RevocationKind | undefined }
  | { readonly stage: 'anonymous'; readonly mode: AuthenticationMode }
  | { readonly stage: 'route caller' }
  | ({ readonly stage: 'route requirement' } & JudgedRequirement)
);

/** Called with every check of one decision, in order. Must not throw. */
export type Trace = (event: TraceEvent) => void;

/**
 * Runs a check that may throw a fault. With a trace, checks go on after a refusal, and a fault in
 * one of them must not replace the refusal.
 */
export function ignoringFaultsAfter<T>(refusal: AuthError | undefined, judge: () => T): T | undefined {
  try {
    return judge();
  } catch (fault) {
    if (refusal === undefined) throw fault;
    return undefined;
  }
}
