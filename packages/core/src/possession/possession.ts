// Proof of possession (RFC 7800): a token with `cnf` is accepted only from a sender that proves to
// have the key. How a kind of proof is judged is in the file of that kind.
import type { RequestView } from '../credentials/request.ts';
import { AuthError } from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, own } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import type { KeyBinding, NoteProof, PresentedToken, ProofKind } from './kind.ts';

/** Judges the proofs of requests, by the options of one authenticator. */
export interface Possession {
  /** The claims of the token have been verified, and `refuseConfirmation` has accepted `cnf`. */
  judge(presented: JudgedPossession): AuthError | undefined | Promise<AuthError | undefined>;
  /** True if the request has its token in a place that is only for bound tokens. */
  isPresented(request: RequestView): boolean;
}

/** A token, and the request that it came with. */
export interface JudgedPossession extends Pick<PresentedToken, 'request' | 'token'> {
  readonly claims: JsonObject;
  readonly note: NoteProof | undefined;
}

type Refusal = AuthError | undefined;

/**
 * Makes the judge.
 * @param isRequired a token that is bound to no key is refused
 */
export function createPossession(kinds: readonly ProofKind[], isRequired: boolean): Possession {
  const isPresented = (request: RequestView) => kinds.some((kind) => kind.isPresented(request));

  function judge({ claims, token, request, note }: JudgedPossession): Refusal | Promise<Refusal> {
    const cnf = own(claims, 'cnf');
    if (cnf === undefined) {
      const refusal = judgeUnbound(request);
      note?.('cnf', refusal);
      return refusal;
    }
    const wrong = refuseConfirmation(cnf, kinds);
    const refusal = wrong === undefined ? undefined : mismatch(wrong);
    note?.('cnf', refusal);
    if (refusal !== undefined || !isJsonObject(cnf)) return refusal ?? mismatch(NOT_AN_OBJECT);
    return proveAll(
      kinds.filter(({ member }) => Object.hasOwn(cnf, member)),
      ({ member }) => ({ request, token, note, confirmation: own(cnf, member) ?? null }),
    );
  }

  function judgeUnbound(request: RequestView): Refusal {
    const kind = kinds.find((one) => one.isPresented(request));
    if (kind !== undefined)
      return mismatch(`the token came by the scheme ${kind.name}, but is bound to no key`);
    return isRequired ? mismatch('the token is bound to no key, and the options require it') : undefined;
  }

  return Object.freeze({ judge, isPresented });
}

/** Every kind has to be proven: a token may be bound to several keys. */
function proveAll(
  [kind, ...others]: readonly ProofKind[],
  presented: (kind: ProofKind) => PresentedToken,
): Refusal | Promise<Refusal> {
  if (kind === undefined) return undefined;
  const refusal = kind.prove(presented(kind));
  if (isPromise(refusal)) return refusal.then((found) => found ?? proveAll(others, presented));
  return refusal ?? proveAll(others, presented);
}

const NOT_AN_OBJECT = 'cnf is not an object with the name of a key';

/**
 * Says what is wrong with `cnf`; undefined if each of its members can be proven. A member of
 * another kind refuses the token, because that proof would not be checked.
 */
export function refuseConfirmation(cnf: JsonValue, kinds: readonly KeyBinding[]): string | undefined {
  if (!isJsonObject(cnf) || Object.keys(cnf).length === 0) return NOT_AN_OBJECT;
  for (const name of Object.keys(cnf)) {
    const kind = kinds.find(({ member }) => member === name);
    if (kind === undefined) return 'the token is bound to a key in a way that is not checked';
    if (!kind.isConfirmation(own(cnf, name) ?? null)) return `${name} of cnf does not name a key`;
  }
  return undefined;
}

/** The refusal of a token that came in another way than its binding asks for. */
export function mismatch(detail: string): AuthError {
  return new AuthError('token_binding_mismatch', { detail });
}
