// DPoP (RFC 9449): judges that a proof belongs to the token and to the request, is recent, and is
// used once.
import { createHash } from 'node:crypto';
import { headerReader } from '../credentials/header.ts';
import { countHeader, headerOf, keyOf, type RequestView } from '../credentials/request.ts';
import { AuthError, refusalIn } from '../errors.ts';
import type { Clock } from '../values/clock.ts';
import { type JsonObject, type JsonValue, own } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import { type KeyBinding, type NoteProof, type PresentedToken, type ProofKind, THUMBPRINT } from './kind.ts';
import { createNonces, type Nonces } from './nonce.ts';
import type { DpopSettings } from './options.ts';
import { mismatch } from './possession.ts';
import { invalid, type OpenProof, openProof } from './proof.ts';
import type { ReplayGuard } from './replay-guard.ts';
import { createTargetJudge } from './target.ts';

/** The greatest length of `jti`, in characters. */
const MAX_JTI_LENGTH = 256;

/** RFC 9449 §6.1: `jkt` is the thumbprint of a key. */
export const dpopBinding: KeyBinding = Object.freeze({
  member: 'jkt',
  isConfirmation: (value: JsonValue) => typeof value === 'string' && THUMBPRINT.test(value),
});

/** Reads the token of `Authorization: DPoP …`. */
export const readDpopToken: (request: RequestView) => string | undefined = headerReader(
  'authorization',
  'DPoP',
);

/** Returns why one part of a proof is refused; undefined if it is not. */
type ProofJudge = (proof: OpenProof, presented: PresentedToken) => AuthError | undefined;

/** Makes the kind of proof. */
export function createDpop(settings: DpopSettings, clock: Clock, replay: ReplayGuard): ProofKind {
  const { algorithms, maxAgeMs, clockSkewMs } = settings;
  const isTarget = createTargetJudge(settings.publicUrls);
  const nonces = settings.nonce && createNonces(settings.nonce.lifetime, clock, settings.nonce.secret);
  // Requests are decided on several times: by guards, by authenticators that are combined, and for
  // each message of a socket. The proof is that of the moment when the request came.
  const accepted = new WeakMap<object, { readonly proof: string; readonly token: string }>();

  async function finish(
    pending: Promise<AuthError | undefined>,
    done: () => void,
    note: NoteProof | undefined,
  ) {
    const refusal = await pending;
    note?.('jti', refusal);
    if (refusal === undefined) done();
    return refusal;
  }

  function prove(presented: PresentedToken): AuthError | undefined | Promise<AuthError | undefined> {
    const { request, token, note } = presented;
    try {
      const text = readProof(request);
      note?.('the header DPoP', undefined);
      const key = keyOf(request);
      const before = accepted.get(key);
      if (before?.proof === text && before.token === token) return undefined;
      const proof = openProof(text, algorithms);
      note?.('the form of the proof', undefined);
      for (const [about, judge] of CHECKS) {
        const refusal = judge(proof, presented);
        note?.(about, refusal);
        if (refusal !== undefined) return refusal;
      }
      const issuedAtMs = Number(own(proof.claims, 'iat')) * 1000;
      const done = () => void accepted.set(key, { proof: text, token });
      const used = replay(idOf(proof), issuedAtMs + maxAgeMs + clockSkewMs, key);
      if (isPromise(used)) return finish(used, done, note);
      note?.('jti', used);
      if (used === undefined) done();
      return used;
    } catch (error) {
      const refusal = refusalIn(error);
      note?.('the proof', refusal);
      return refusal;
    }
  }

  function judgeTimes({ claims }: OpenProof): AuthError | undefined {
    const nowMs = clock.now();
    const iat = own(claims, 'iat');
    if (typeof iat !== 'number') return invalid('iat of the proof is not a number');
    if (!(iat * 1000 <= nowMs + clockSkewMs)) return invalid('iat of the proof is in the future');
    if (!(iat * 1000 + maxAgeMs + clockSkewMs > nowMs)) return invalid('the proof is older than dpop.maxAge');
    const [exp, nbf] = [own(claims, 'exp'), own(claims, 'nbf')];
    if (exp !== undefined && !(typeof exp === 'number' && exp * 1000 + clockSkewMs > nowMs))
      return invalid('the proof has expired');
    if (nbf !== undefined && !(typeof nbf === 'number' && nbf * 1000 - clockSkewMs <= nowMs))
      return invalid('the proof is not valid yet');
    return undefined;
  }

  /** In the order of the decision. RFC 9449 §4.3 lists them. */
  const CHECKS: readonly (readonly [about: string, judge: ProofJudge])[] = [
    [
      'jkt',
      ({ thumbprint }, { confirmation }) =>
        thumbprint === confirmation
          ? undefined
          : mismatch('the proof is of another key than the token', 'DPoP'),
    ],
    [
      'the signature of the proof',
      (proof) => (proof.isSigned() ? undefined : invalid('the signature of the proof is not valid')),
    ],
    [
      'htm',
      ({ claims }, { request: { method } }) =>
        method !== undefined && own(claims, 'htm') === method
          ? undefined
          : invalid('htm of the proof is not the method of the request'),
    ],
    [
      'htu',
      ({ claims }, { request }) => {
        const htu = own(claims, 'htu');
        if (typeof htu === 'string' && isTarget(htu, request)) return undefined;
        return invalid(
          `htu of the proof is not the URL of the request; compare dpop.publicUrl (${settings.publicUrls.join(', ')}) with the URL that clients use`,
        );
      },
    ],
    [
      'ath',
      ({ claims }, { token }) =>
        own(claims, 'ath') === createHash('sha256').update(token, 'latin1').digest('base64url')
          ? undefined
          : invalid('ath of the proof is not the hash of the token'),
    ],
    ...(nonces === undefined ? [] : [['nonce', nonceJudge(nonces)] as const]),
    ['iat', judgeTimes],
    ['the form of jti', ({ claims }) => judgeId(claims)],
  ];

  /** The next proof of the client can then have a nonce, whatever was wrong with this one. */
  const withNonce = (refusal: AuthError | undefined) =>
    nonces === undefined ? refusal : refusal?.withChallenge({ nonce: nonces.current() });

  return Object.freeze<ProofKind>({
    ...dpopBinding,
    thing: 'key',
    scheme: 'DPoP',
    isRequired: settings.isRequired,
    isPresented,
    prove: (presented) => {
      const { request, note } = presented;
      const refusal = isPresented(request)
        ? undefined
        : mismatch('the token is bound to a key, but did not come by the scheme DPoP', 'DPoP');
      note?.('the scheme DPoP', refusal);
      const proven = refusal ?? prove(presented);
      return isPromise(proven) ? proven.then(withNonce) : withNonce(proven);
    },
  });
}

function isPresented(request: RequestView): boolean {
  try {
    return readDpopToken(request) !== undefined;
  } catch {
    // Several headers, or no token in it: the request has been refused, or has another token.
    return false;
  }
}

/** RFC 9449 §4.3: there is one header, with one proof. */
function readProof(request: RequestView): string {
  const value = headerOf(request.headers, 'dpop');
  if (value === undefined || value === '') throw invalid('the request has no header DPoP');
  if (typeof value !== 'string' || countHeader(request, 'dpop') > 1) throw invalid('several headers DPoP');
  return value;
}

/** RFC 9449 §9: the client gets the nonce of now, and tries again. */
function nonceJudge(nonces: Nonces): ProofJudge {
  return ({ claims }) => {
    const nonce = own(claims, 'nonce');
    if (typeof nonce === 'string' && nonces.isRecent(nonce)) return undefined;
    const detail =
      nonce === undefined
        ? 'the proof has no nonce'
        : 'the nonce of the proof is old, or not of this service';
    return new AuthError('proof_nonce_required', { detail });
  };
}

function judgeId(claims: JsonObject): AuthError | undefined {
  const jti = own(claims, 'jti');
  const isGood = typeof jti === 'string' && jti !== '' && jti.length <= MAX_JTI_LENGTH;
  return isGood
    ? undefined
    : invalid(`jti of the proof is not a string of 1 to ${MAX_JTI_LENGTH} characters`);
}

/** What the store remembers: the `jti` of one key, so that no other client can use it up. */
function idOf({ thumbprint, claims }: OpenProof): string {
  return createHash('sha256')
    .update(`${thumbprint}.${String(own(claims, 'jti'))}`)
    .digest('base64url');
}
