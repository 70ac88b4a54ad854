// Finds out who vouches for the claims of a token: a key of its issuer, or the remote endpoint.
// Checks form, type, algorithm, issuer and signature, in this order. The claims are not checked
// here.
import { AuthError, refusalIn } from '../errors.ts';
import type { Keyset } from '../keysets/keyset.ts';
import type { KeysetIndex } from '../keysets/select.ts';
import { isOverloaded } from '../net/breaker.ts';
import { isBearerToken, type RemoteEndpoint, unverifiedClaims } from '../remote/endpoint.ts';
import { createRefusals } from '../remote/refusals.ts';
import { findAlgorithm } from '../token/algorithms.ts';
import { normalizeType, parseToken, type UnverifiedHeader, type UnverifiedToken } from '../token/parse.ts';
import { type JsonObject, own } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import { issuerText, noKeysetText, notAllowedText, unsupportedText } from './details.ts';
import type { AuthenticatorSettings } from './options.ts';
import { findSigningKey, type SignedBy } from './signing-key.ts';
import { run } from './steps.ts';
import type { Trace } from './trace.ts';

/** Claims, and who vouches for them: a key or an endpoint. In a trace, it may be neither. */
export interface Vouched {
  readonly claims: JsonObject;
  readonly by: SignedBy | undefined;
  readonly isRemote: boolean;
  /** The claims of the JWT itself, if the endpoint vouches for a JWT and its own claims count. */
  readonly token?: JsonObject | undefined;
}

/** Holds the first refusal, which decides. Without a trace, it also ends the decision. */
export interface Verdict {
  readonly trace: Trace | undefined;
  refusal: AuthError | undefined;
}

/** Records a refusal, if there is one. Returns true if the decision ends with it. */
export function ends(verdict: Verdict, refusal: AuthError | undefined): boolean {
  verdict.refusal ??= refusal;
  return verdict.refusal !== undefined && verdict.trace === undefined;
}

/** The parts that are asked about a token. */
export interface VouchingParts {
  readonly index: KeysetIndex;
  /** All keysets, for a trace. */
  readonly keysets: readonly Keyset[];
  readonly remote: RemoteEndpoint | undefined;
}

/**
 * Finds out who vouches for a token.
 * @returns undefined if the verdict has a refusal and the claims could not be read or are not
 *   needed
 */
export type Vouch = (token: string, verdict: Verdict) => Vouched | undefined | Promise<Vouched | undefined>;

/**
 * The cache of parsed headers. Issuers use a handful of headers, one for each key. A full cache
 * takes less than half a megabyte.
 */
const MAX_HEADERS = 256;
const MAX_HEADER_LENGTH = 512;

/**
 * Makes the function that asks the keysets, or the remote endpoint and then, if the options say so,
 * the keysets.
 */
export function createVouch(
  settings: AuthenticatorSettings,
  { index, keysets, remote }: VouchingParts,
): Vouch {
  const { types, maxTokenBytes, issuers, systemSubject, remote: remoteSettings, registered } = settings;
  const knownHeaders = new Map<string, UnverifiedHeader>();
  const refusals =
    remoteSettings?.onReject === 'deny' && remoteSettings.onError === 'next'
      ? createRefusals(settings.clock, registered.clockSkewMs)
      : undefined;

  function byKey(token: string, verdict: Verdict): Vouched | undefined | Promise<Vouched | undefined> {
    const { trace } = verdict;
    let unverified: UnverifiedToken;
    try {
      unverified = parseToken(token, maxTokenBytes, knownHeaders);
    } catch (error) {
      const refusal = formRefusal(refusalIn(error), token, maxTokenBytes);
      trace?.({ stage: 'form', refusal });
      ends(verdict, refusal);
      return undefined;
    }
    trace?.({ stage: 'form' });
    const { header, claims, newHeader } = unverified;

    const isAccepted = types.has(header.typ === undefined ? undefined : normalizeType(header.typ));
    const typeRefusal = isAccepted
      ? undefined
      : new AuthError('token_type_refused', {
          detail: `typ is not ${[...types].map((type) => type ?? 'absent').join(' or ')}`,
        });
    trace?.({ stage: 'typ', typ: header.typ, refusal: typeRefusal });
    if (ends(verdict, typeRefusal)) return undefined;

    const algorithm = findAlgorithm(header.alg)?.name;
    const algorithmRefusal =
      algorithm === undefined
        ? new AuthError('token_algorithm_refused', { detail: unsupportedText(header.alg) })
        : undefined;
    trace?.({ stage: 'algorithm', alg: header.alg, refusal: algorithmRefusal });
    if (ends(verdict, algorithmRefusal)) return undefined;

    // The claim is unverified: it only narrows which keysets are asked.
    const issuer = own(claims, 'iss');
    const candidates = isIssuer(issuer) ? index.forIssuer(issuer) : [];
    const issuerRefusal = judgeIssuer(issuer, candidates);
    trace?.({ stage: 'issuer', issuer, vouchedBy: 'key', refusal: issuerRefusal });
    if (ends(verdict, issuerRefusal)) return undefined;

    const allows = ({ allowed }: Keyset) =>
      algorithm !== undefined && (allowed === undefined || allowed.has(algorithm));
    // Nearly always all keysets allow the algorithm.
    const asked = candidates.every(allows) ? candidates : candidates.filter(allows);
    const conclude = (signed: SignedBy | AuthError): Vouched | undefined => {
      const refusal = signed instanceof AuthError ? signed : undefined;
      const by = signed instanceof AuthError ? undefined : signed;
      const keyset = by?.keyset;
      trace?.({ stage: 'signature', keysets, candidates, issuer, algorithm, signedBy: keyset, refusal });
      if (ends(verdict, refusal)) return undefined;
      if (by !== undefined && newHeader !== undefined) rememberHeader(newHeader, header);
      return { claims, by, isRemote: false };
    };
    if (algorithm === undefined)
      return conclude(algorithmRefusal ?? new AuthError('token_algorithm_refused'));
    if (asked.length === 0) {
      const detail = notAllowedText(algorithm, candidates);
      return conclude(new AuthError('token_algorithm_refused', { detail }));
    }
    const signed = run(findSigningKey(unverified, algorithm, asked, trace));
    return isPromise(signed) ? signed.then(conclude) : conclude(signed);
  }

  function judgeIssuer(issuer: unknown, candidates: readonly Keyset[]): AuthError | undefined {
    const untrusted = (detail: string) => new AuthError('token_issuer_untrusted', { detail });
    if (candidates.length === 0) return untrusted(noKeysetText(issuer, keysets, index));
    return isIssuer(issuer) && issuers?.(issuer) === false
      ? untrusted(`issuers does not accept ${issuerText(issuer)}`)
      : undefined;
  }

  /**
   * Caches only headers that a trusted key signed. A copy, so that the token is not kept in memory.
   */
  function rememberHeader(encoded: string, header: UnverifiedHeader): void {
    if (encoded.length > MAX_HEADER_LENGTH || knownHeaders.size >= MAX_HEADERS) return;
    knownHeaders.set(Buffer.from(encoded, 'latin1').toString('latin1'), header);
  }

  /** Asks the endpoint and then, if the options or the system subject require it, the keysets. */
  async function byEndpoint(
    endpoint: RemoteEndpoint,
    token: string,
    verdict: Verdict,
  ): Promise<Vouched | undefined> {
    const { trace } = verdict;
    // A text that is not a bearer token is not sent to the endpoint; the keysets refuse it too.
    if (!isBearerToken(token, maxTokenBytes)) {
      trace?.({ stage: 'remote', outcome: 'not asked' });
      return byKey(token, verdict);
    }
    let claims: JsonObject | undefined;
    let unavailable: AuthError | undefined;
    const ours = remoteSettings?.onError === 'next' ? claimsByKey(token) : undefined;
    try {
      claims = await endpoint.validate(token, isAtHand(ours) ? 'signed' : 'any');
    } catch (error) {
      unavailable = refusalIn(error);
    }
    if (claims !== undefined) refusals?.remove(token);
    else if (unavailable === undefined) void rememberRefusal(token, ours);
    // The endpoint refused this token before the failure, while it was available.
    else if (refusals?.has(token) === true) unavailable = undefined;
    const outcome = claims === undefined ? (unavailable ? 'unavailable' : 'rejected') : 'accepted';
    // An overload of this process is not a failure of the endpoint.
    const onError = isOverloaded(unavailable?.cause) ? 'deny' : remoteSettings?.onError;
    const next = unavailable === undefined ? remoteSettings?.onReject : onError;
    const isLast = claims === undefined && next !== 'next';
    const refusal = isLast ? (unavailable ?? new AuthError('token_rejected')) : undefined;
    trace?.({ stage: 'remote', outcome, detail: unavailable?.detail, refusal });
    if (ends(verdict, refusal)) return undefined;
    const isOfSystem = (of: JsonObject = {}) =>
      systemSubject !== undefined && own(of, 'sub') === systemSubject;
    const itself = remoteSettings?.ignoresToken === true ? undefined : unverifiedClaims(token, maxTokenBytes);
    if (claims !== undefined && (remoteSettings?.isSystem === true || !isOfSystem(claims)))
      return { claims, by: undefined, isRemote: true, token: itself };
    const keyed: Verdict = { trace, refusal: undefined };
    const signed = await byKey(token, keyed);
    if (claims !== undefined) {
      // Whatever the endpoint answers, only a key of the system vouches for the system subject.
      if (keyed.refusal === undefined && isOfSystem(signed?.claims)) return signed;
      const impostor = keyed.refusal?.status === 503 ? keyed.refusal : notTheSystem();
      trace?.({ stage: 'remote system', refusal: impostor });
      ends(verdict, impostor);
      return impostor === keyed.refusal ? signed : { claims, by: undefined, isRemote: true, token: itself };
    }
    // Only the endpoint may know the token, so the token may be valid while it is unavailable.
    const isUndecided = unavailable !== undefined && keyed.refusal?.status === 401;
    if (isUndecided) trace?.({ stage: 'remote undecided', refusal: unavailable });
    ends(verdict, isUndecided ? unavailable : keyed.refusal);
    return signed;
  }

  /**
   * Returns the claims of a token that a key signed and that has not expired; synchronous if that
   * key is loaded. Never throws or rejects.
   */
  function claimsByKey(token: string): JsonObject | undefined | Promise<JsonObject | undefined> {
    const verdict: Verdict = { trace: undefined, refusal: undefined };
    const alive = (vouched: Vouched | undefined): JsonObject | undefined => {
      const exp = vouched === undefined ? undefined : own(vouched.claims, 'exp');
      // With the leeway: for so long the keysets would accept it.
      return Number(exp ?? Number.POSITIVE_INFINITY) * 1000 + registered.clockSkewMs > settings.clock.now()
        ? vouched?.claims
        : undefined;
    };
    try {
      const vouched = byKey(token, verdict);
      return isPromise(vouched) ? vouched.then(alive, () => undefined) : alive(vouched);
    } catch {
      return undefined;
    }
  }

  async function rememberRefusal(token: string, ours: ReturnType<typeof claimsByKey>): Promise<void> {
    if (refusals === undefined) return;
    const claims = isAtHand(ours) ? ours : await ours;
    if (claims !== undefined) refusals.add(token, claims);
  }

  return remote === undefined ? byKey : (token, verdict) => byEndpoint(remote, token, verdict);
}

/** Names the option, or advises the client's developer, where the parser knows neither. */
function formRefusal(refusal: AuthError, token: string, maxTokenBytes: number): AuthError {
  const isOpaque = !token.includes('.');
  if (token.length <= maxTokenBytes && !isOpaque) return refusal;
  const detail = token.length > maxTokenBytes ? `longer than maxTokenBytes (${maxTokenBytes})` : OPAQUE;
  return new AuthError('token_malformed', { detail });
}

const OPAQUE =
  'not a JWT: an opaque token? Ask the issuer for one for this audience, or use remote with introspection';

function isAtHand(claims: JsonObject | undefined | Promise<JsonObject | undefined>): claims is JsonObject {
  return claims !== undefined && !isPromise(claims);
}

/** True for an issuer by which keysets can be found. */
export function isIssuer(issuer: unknown): issuer is string | undefined {
  return issuer === undefined || (typeof issuer === 'string' && issuer !== '');
}

/** The refusal of a token with the system subject that no keyset of the system has signed. */
export function notTheSystem(): AuthError {
  return new AuthError('token_claims_invalid', {
    detail: '`sub` is the systemSubject, but the token is not signed by a `system: true` keyset',
  });
}
