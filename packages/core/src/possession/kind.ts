// What the stage "proof of possession" needs of a kind of proof, such as DPoP. A further kind is
// one file that makes a `ProofKind`, and its entry in create.ts.
import type { RequestView } from '../credentials/request.ts';
import type { AuthError } from '../errors.ts';
import type { JsonValue } from '../values/json.ts';

/** SHA-256 in base64url. */
export const THUMBPRINT: RegExp = /^[A-Za-z0-9_-]{43}$/;

/** Called with each part of a proof that is checked: for `explain`. */
export type NoteProof = (about: string, refusal: AuthError | undefined) => void;

/** The token of a request, whose proof is judged. */
export interface PresentedToken {
  readonly request: RequestView;
  readonly token: string;
  /** The value of the member of `cnf` that the kind proves. */
  readonly confirmation: JsonValue;
  readonly note: NoteProof | undefined;
}

/** How a kind of proof names the key of a token. */
export interface KeyBinding {
  /** The member of `cnf` (RFC 7800 §3.1) that names the key: `jkt`. */
  readonly member: string;
  /** True for a value of that member that can name a key. */
  isConfirmation(value: JsonValue): boolean;
}

/** One kind of proof. */
export interface ProofKind extends KeyBinding {
  /** What a token is bound to, in messages. */
  readonly thing: 'key' | 'certificate';
  /** The scheme of Authorization that is only for bound tokens of this kind, if there is one. */
  readonly scheme: 'DPoP' | undefined;
  /** A token that is not bound in this way is refused. */
  readonly isRequired: boolean;
  /** True if the request has its token in a place that is only for bound tokens of this kind. */
  isPresented(request: RequestView): boolean;
  /**
   * Judges the proof of a request. Never throws a refusal.
   * @returns why it is refused; undefined if the request proves the key
   */
  prove(presented: PresentedToken): AuthError | undefined | Promise<AuthError | undefined>;
}
