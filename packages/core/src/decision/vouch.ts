// Finds the key that vouches for the claims of a token. Checks form, type, algorithm, issuer and
// signature, in this order. The claims are not checked here. The remote endpoint is asked in
// vouch-by-endpoint.ts.
import { AuthError, refusalIn } from '../errors.ts';
import type { Keyset } from '../keysets/keyset.ts';
import type { KeysetIndex } from '../keysets/select.ts';
import { type AlgorithmName, findAlgorithm } from '../token/algorithms.ts';
import { normalizeType, parseToken, type UnverifiedHeader, type UnverifiedToken } from '../token/parse.ts';
import { type JsonObject, type JsonValue, own } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import { issuerText, noKeysetText, notAllowedText, unsupportedText } from './details.ts';
import { type DecisionFacts, noteKeyset } from './outcome.ts';
import type { Reports } from './report-only.ts';
import type { AuthenticatorSettings } from './settings.ts';
import { findSigningKey, type SignedBy } from './signing-key.ts';
import { run } from './steps.ts';
import type { TokenPolicies } from './token-policy.ts';
import type { Trace } from './trace.ts';

/**
 * Claims, and who vouches for them: a key (`by`) or the endpoint (`isRemote`). With a trace, a
 * refused token has claims too, and nothing may vouch for them.
 */
export interface Vouched {
  readonly claims: JsonObject;
  readonly by: SignedBy | undefined;
  /**
   * The keyset whose options say what the token must be: that of its key. With a trace, for a token
   * that no key has signed, the first keyset that was asked. Undefined: the options for all.
   */
  readonly keyset: Keyset | undefined;
  readonly isRemote: boolean;
  /**
   * The claims in the JWT that the endpoint was asked about. Undefined if the token is not a JWT,
   * or the options say that only the answer of the endpoint counts.
   */
  readonly tokenClaims?: JsonObject | undefined;
}

/**
 * The state of a decision. The first refusal decides. Without a trace it also ends the decision;
 * with a trace the other checks go on, to show their results.
 */
export interface Verdict {
  readonly trace: Trace | undefined;
  /** Gets the keyset of the token; undefined without a listener to the decision. */
  readonly facts: DecisionFacts | undefined;
  refusal: AuthError | undefined;
  /** Gets what rules with `enforce` would refuse. */
  readonly reports?: Reports | undefined;
}

/** True if no further checks are needed. */
export function hasEnded({ refusal, trace }: Verdict): boolean {
  return refusal !== undefined && trace === undefined;
}

/** Records a refusal, if there is one, and returns true if the decision has ended. */
export function ends(verdict: Verdict, refusal: AuthError | undefined): boolean {
  verdict.refusal ??= refusal;
  return hasEnded(verdict);
}

/** The keysets that may vouch for a token. */
export interface KeysetParts {
  readonly index: KeysetIndex;
  /** All keysets, to show in a trace which were not asked. */
  readonly keysets: readonly Keyset[];
  readonly policies: TokenPolicies;
}

/**
 * Finds out who vouches for a token, and records a refusal in the verdict.
 * @returns undefined if the decision has ended, or the claims could not be read
 */
export type Vouch = (token: string, verdict: Verdict) => Vouched | undefined | Promise<Vouched | undefined>;

/**
 * Limits of the cache of parsed headers. Issuers use a handful of headers, one for each key. A full
 * cache takes less than half a megabyte.
 */
const MAX_HEADERS = 256;
const MAX_HEADER_LENGTH = 512;

/** A token before its keysets are known. */
interface KnownToken {
  readonly unverified: UnverifiedToken;
  readonly algorithm: AlgorithmName | undefined;
  readonly algorithmRefusal: AuthError | undefined;
  readonly issuer: JsonValue | undefined;
}

/** Makes the function that asks the keysets. It fetches keys only if a token needs them. */
export function createVouchByKey(
  { maxTokenBytes, issuers }: AuthenticatorSettings,
  { index, keysets, policies }: KeysetParts,
): Vouch {
  const knownHeaders = new Map<string, UnverifiedHeader>();

  function byKey(token: string, verdict: Verdict): Vouched | undefined | Promise<Vouched | undefined> {
    const { trace } = verdict;
    let unverified: UnverifiedToken;
    try {
      unverified = parseToken(token, maxTokenBytes, knownHeaders);
    } catch (error) {
      const refusal = formRefusal(refusalIn(error), token, maxTokenBytes);
      trace?.({ stage: 'form', refusal });
      verdict.refusal ??= refusal;
      return undefined;
    }
    trace?.({ stage: 'form' });
    const { header, claims } = unverified;

    // The keyset is not known yet: a type that any of them accepts passes here.
    const { types } = policies;
    if (types !== undefined) {
      const typeRefusal = judgeType(header, types);
      trace?.({ stage: 'typ', typ: header.typ, types, refusal: typeRefusal });
      if (ends(verdict, typeRefusal)) return undefined;
    }

    const algorithm = findAlgorithm(header.alg)?.name;
    const algorithmRefusal =
      algorithm === undefined
        ? new AuthError('token_algorithm_refused', { detail: unsupportedText(header.alg) })
        : undefined;
    trace?.({ stage: 'algorithm', alg: header.alg, refusal: algorithmRefusal });
    if (ends(verdict, algorithmRefusal)) return undefined;

    // The claim is unverified: it only narrows which keysets are asked.
    const issuer = own(claims, 'iss');
    const known: KnownToken = { unverified, algorithm, algorithmRefusal, issuer };
    const undecided = (error: unknown) => judgeByKeysets(known, [], verdict, refusalIn(error));
    let candidates: ReturnType<KeysetIndex['forIssuer']>;
    try {
      // The application is not asked about an issuer that the options refuse.
      const isAsked = isIssuer(issuer) && (isWelcome(issuer) || trace !== undefined);
      candidates = isAsked ? index.forIssuer(issuer) : [];
    } catch (error) {
      return undecided(error);
    }
    return isPromise(candidates)
      ? candidates.then((found) => judgeByKeysets(known, found, verdict), undecided)
      : judgeByKeysets(known, candidates, verdict);
  }

  /**
   * Asks the keysets of the issuer.
   * @param undecided why it is not known which keysets these are
   */
  function judgeByKeysets(
    { unverified, algorithm, algorithmRefusal, issuer }: KnownToken,
    candidates: readonly Keyset[],
    verdict: Verdict,
    undecided?: AuthError,
  ): Vouched | undefined | Promise<Vouched | undefined> {
    const { trace } = verdict;
    const { header, claims, newHeader } = unverified;
    if (verdict.facts !== undefined) noteKeyset(verdict.facts, candidates[0], keysets, false);
    const issuerRefusal = undecided ?? judgeIssuer(issuer, candidates);
    trace?.({ stage: 'issuer', issuer, vouchedBy: 'key', refusal: issuerRefusal });
    if (ends(verdict, issuerRefusal)) return undefined;

    const allows = ({ allowed }: Keyset) =>
      algorithm !== undefined && (allowed === undefined || allowed.has(algorithm));
    // Nearly always all keysets allow the algorithm, and then no list is made.
    const asked = candidates.every(allows) ? candidates : candidates.filter(allows);
    const conclude = (found: SignedBy | AuthError): Vouched | undefined => {
      const refusal = found instanceof AuthError ? found : undefined;
      const by = found instanceof AuthError ? undefined : found;
      const signedBy = by?.keyset;
      trace?.({ stage: 'signature', keysets, candidates, issuer, algorithm, signedBy, refusal });
      if (ends(verdict, refusal)) return undefined;
      if (by !== undefined && newHeader !== undefined) rememberHeader(newHeader, header);
      const keyset = by?.keyset ?? candidates[0];
      const { types } = policies.of(keyset);
      if (keyset !== undefined && types !== policies.types) {
        const typeRefusal = judgeType(header, types);
        trace?.({ stage: 'typ', typ: header.typ, types, keyset, refusal: typeRefusal });
        if (ends(verdict, typeRefusal)) return undefined;
      }
      return { claims, by, keyset, isRemote: false };
    };
    if (algorithm === undefined)
      return conclude(algorithmRefusal ?? new AuthError('token_algorithm_refused'));
    if (asked.length === 0) {
      const detail = notAllowedText(algorithm, candidates);
      return conclude(new AuthError('token_algorithm_refused', { detail }));
    }
    const found = run(findSigningKey(unverified, algorithm, asked, trace));
    return isPromise(found) ? found.then(conclude) : conclude(found);
  }

  function judgeIssuer(issuer: unknown, candidates: readonly Keyset[]): AuthError | undefined {
    const untrusted = (detail: string) => new AuthError('token_issuer_untrusted', { detail });
    if (isIssuer(issuer) && !isWelcome(issuer))
      return untrusted(`issuers does not accept ${issuerText(issuer)}`);
    return candidates.length === 0 ? untrusted(noKeysetText(issuer, keysets, index)) : undefined;
  }

  function isWelcome(issuer: string | undefined): boolean {
    return issuers?.(issuer) !== false;
  }

  /** Caches the parsed header of a token that a trusted key signed. */
  function rememberHeader(encoded: string, header: UnverifiedHeader): void {
    if (encoded.length > MAX_HEADER_LENGTH || knownHeaders.size >= MAX_HEADERS) return;
    // A copy: a part of a string keeps the whole string, here the token, in memory.
    knownHeaders.set(Buffer.from(encoded, 'latin1').toString('latin1'), header);
  }

  return byKey;
}

function judgeType({ typ }: UnverifiedHeader, types: ReadonlySet<string | undefined>): AuthError | undefined {
  if (types.has(typ === undefined ? undefined : normalizeType(typ))) return undefined;
  const names = [...types].map((type) => type ?? 'absent').join(' or ');
  return new AuthError('token_type_refused', { detail: `typ is not ${names}` });
}

/** Adds to the refusal what the parser does not know: the limit, and that the text is not a JWT. */
function formRefusal(refusal: AuthError, token: string, maxTokenBytes: number): AuthError {
  if (token.length > maxTokenBytes)
    return new AuthError('token_malformed', { detail: `longer than maxTokenBytes (${maxTokenBytes})` });
  if (token.startsWith('{')) return new AuthError('token_malformed', { detail: JSON_FORM });
  const dots = token.split('.').length - 1;
  if (dots > 1) return refusal;
  const detail = dots === 0 ? OPAQUE : `${refusal.detail}; ${OPAQUE}`;
  return new AuthError('token_malformed', { detail });
}

/** RFC 7519 §1; RFC 7515 §7.2. */
const JSON_FORM = 'the JSON serialization of JOSE; a JWT is in the compact one: ask the issuer for that';

const OPAQUE =
  'not a JWT: an opaque token? Ask the issuer for one for this audience, or use remote with introspection';

/** True if keysets can be looked up by this value of `iss`; a token may have no issuer. */
export function isIssuer(issuer: unknown): issuer is string | undefined {
  return issuer === undefined || (typeof issuer === 'string' && issuer !== '');
}

/** The refusal of a token with the system subject that no keyset of the system has signed. */
export function notTheSystem(): AuthError {
  return new AuthError('token_claims_invalid', {
    detail: '`sub` is the systemSubject, but the token is not signed by a `system: true` keyset',
  });
}
