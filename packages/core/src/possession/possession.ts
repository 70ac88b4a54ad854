// Proof of possession (RFC 7800): a token with `cnf` is accepted only from a sender that proves to
// have the key, or the certificate. How a kind of proof is judged is in the file of that kind.
import type { RequestView } from '../credentials/request.ts';
import { AuthError } from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, own } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import type { KeyBinding, NoteProof, PresentedToken, ProofKind } from './kind.ts';

/** Judges the proofs of requests, by the options of one authenticator. */
export interface Possession {
  /** A token that is bound in no way, or not in each required one, is refused. */
  readonly isRequired: boolean;
  /** The claims of the token have been verified, and `refuseConfirmation` has accepted `cnf`. */
  judge(presented: JudgedPossession): AuthError | undefined | Promise<AuthError | undefined>;
  /** The scheme of the token of a request, if it is one that is only for bound tokens. */
  schemeOf(request: RequestView): ProofKind['scheme'];
}

/** A token, and the request that it came with. */
export interface JudgedPossession extends Pick<PresentedToken, 'request' | 'token'> {
  readonly claims: JsonObject;
  readonly note: NoteProof | undefined;
}

type Refusal = AuthError | undefined;

/**
 * Makes the judge.
 * @param isRequired a token that is bound in no way is refused
 */
export function createPossession(kinds: readonly ProofKind[], isRequired: boolean): Possession {
  function judge({ claims, token, request, note }: JudgedPossession): Refusal | Promise<Refusal> {
    const cnf = own(claims, 'cnf');
    const refusal = judgeBinding(cnf, request);
    note?.('cnf', refusal);
    if (refusal !== undefined || !isJsonObject(cnf)) return refusal;
    return proveAll(
      kinds.filter(({ member }) => Object.hasOwn(cnf, member)),
      ({ member }) => ({ request, token, note, confirmation: own(cnf, member) ?? null }),
    );
  }

  function judgeBinding(cnf: JsonValue | undefined, request: RequestView): Refusal {
    const wrong = cnf === undefined ? undefined : refuseConfirmation(cnf, kinds);
    if (wrong !== undefined) return mismatch(wrong, schemeOf(request));
    const isBound = ({ member }: ProofKind) => isJsonObject(cnf) && Object.hasOwn(cnf, member);
    for (const kind of kinds) {
      if (isBound(kind)) continue;
      if (kind.isPresented(request))
        return mismatch(
          `the token came by the scheme ${kind.scheme}, but is bound to no ${kind.thing}`,
          kind.scheme,
        );
      if (kind.isRequired)
        return mismatch(`the token is bound to no ${kind.thing}, and the options require it`, kind.scheme);
    }
    return isRequired && !kinds.some(isBound)
      ? mismatch('the token is bound to neither a key nor a certificate, and the options require it')
      : undefined;
  }

  function schemeOf(request: RequestView): ProofKind['scheme'] {
    return kinds.find((kind) => kind.isPresented(request))?.scheme;
  }

  return Object.freeze({
    judge,
    schemeOf,
    isRequired: isRequired || kinds.some((kind) => kind.isRequired),
  });
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

/**
 * The refusal of a token that came in another way than its binding asks for.
 * @param scheme the one by which the token has to come, if it is not Bearer
 */
export function mismatch(detail: string, scheme?: ProofKind['scheme']): AuthError {
  return new AuthError('token_binding_mismatch', { detail, scheme });
}
