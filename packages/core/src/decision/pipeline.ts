// The decision: every check that can refuse a request, in its order, from top to bottom.
// What depends on the token alone is judged once and cached; what depends on the request, each time.
// A refusal is a value here; it is thrown at the public edge.
import { type ClaimCheck, type CompiledRules, firstFailure } from '../claims/compile.ts';
import { judgeRegisteredClaims, registeredChecks, validityOf } from '../claims/registered.ts';
import type { RequestParameters } from '../claims/rules.ts';
import { keyOf, parametersOf, type RequestView } from '../credentials/request.ts';
import { AuthError, asError, refusalIn } from '../errors.ts';
import type { Groups } from '../groups/groups.ts';
import type { Keyset } from '../keysets/keyset.ts';
import type { KeysetIndex } from '../keysets/select.ts';
import { isBearerToken, type RemoteEndpoint } from '../remote/endpoint.ts';
import { type AlgorithmName, findAlgorithm } from '../token/algorithms.ts';
import { normalizeType, parseToken, type UnverifiedHeader, type UnverifiedToken } from '../token/parse.ts';
import { type JsonObject, own } from '../values/json.ts';
import type { CompiledAccess } from './access.ts';
import { judgeRoute, judgeRules, traceRules } from './authorize.ts';
import type { AuthenticatorSettings } from './options.ts';
import { createPrincipal, type Principal } from './principal.ts';
import { findSigningKey, type SignedBy } from './signing-key.ts';
import { run, type Steps, wait } from './steps.ts';
import type { Trace } from './trace.ts';
import { createVerifiedTokens } from './verified-tokens.ts';

/** What a request comes to. */
export type Decision<T = Principal | undefined> =
  | { readonly ok: true; readonly principal: T }
  | { readonly ok: false; readonly error: AuthError };

/** What decisions ask, made by the authenticator. */
export interface PipelineParts {
  readonly index: KeysetIndex;
  /** All keysets, for a trace. */
  readonly keysets: readonly Keyset[];
  /** Those whose tokens may be of the system's subject, and name every group. */
  readonly system: ReadonlySet<Keyset>;
  readonly remote: RemoteEndpoint | undefined;
  readonly groups: Groups | undefined;
}

/** Decides, by the options of one authenticator. */
export interface Pipeline {
  /**
   * Decides on a request: its token, then what the route asks. Synchronous when everything is at hand,
   * which is nearly always. Never throws; rejects, with an Error, only with faults that are not refusals.
   */
  decide(request: RequestView, access: CompiledAccess, trace?: Trace): Decision | Promise<Decision>;
  /** Decides on a token alone, then by a route's rules. Throws, or rejects with, faults that are not refusals. */
  decideOnToken(
    token: string,
    rules?: CompiledRules,
    trace?: Trace,
  ): Decision<Principal> | Promise<Decision<Principal>>;
  /** Forgets all tokens. */
  clear(): void;
}

/** What a token comes to. A traced refusal has the claims that were judged, where they could be read. */
type TokenDecision = Decision<Principal> & { readonly claims?: JsonObject | undefined };
type RequestDecision = Decision & Pick<TokenDecision, 'claims'>;

interface Refused {
  readonly ok: false;
  readonly error: AuthError;
}

/** Claims, and who stands behind them: a key, an endpoint, or, in a trace only, neither. */
interface Vouched {
  readonly claims: JsonObject;
  readonly by: SignedBy | undefined;
  readonly isRemote: boolean;
}

/** Collects the first refusal, which decides. Without a trace it also ends the decision. */
interface Verdict {
  readonly trace: Trace | undefined;
  refusal: AuthError | undefined;
}

const ANONYMOUS: Decision<undefined> = Object.freeze({ ok: true, principal: undefined });
/** Issuers write a handful of headers, one for each key. Together they take less than half a megabyte. */
const MAX_HEADERS = 256;
const MAX_HEADER_LENGTH = 512;

// Why a permissive authenticator let a request pass without a principal, by the request's key.
const refusals = new WeakMap<object, AuthError>();
let hasRefusals = false;

/**
 * Why `mode: 'permissive'` let a request with a bad token pass; undefined if it did not. For logs:
 * it grants nothing.
 * @param request the framework's own request object
 * @example
 * ```ts
 * const principal = await authenticator.authenticate(request); // mode: 'permissive'
 * if (principal === undefined) console.warn(refusalOf(request)?.code);
 * ```
 */
export function refusalOf(request: object): AuthError | undefined {
  return refusals.get(request);
}

/** Makes a pipeline. Fetches nothing before the first token. */
export function createPipeline(settings: AuthenticatorSettings, parts: PipelineParts): Pipeline {
  const {
    tokens,
    types,
    maxTokenBytes,
    issuers,
    registered,
    systemSubject,
    clock,
    delimiter,
    realm,
    routes,
  } = settings;
  const { keysets, index, system, remote, groups } = parts;
  const context = Object.freeze({ realm, delimiter, routes });
  const knownHeaders = new Map<string, UnverifiedHeader>();
  // A remote endpoint can revoke a token, so only its own cache (`cacheFor`) may remember one.
  const cache =
    settings.cache === undefined || remote !== undefined
      ? undefined
      : createVerifiedTokens<TokenDecision>(settings.cache, clock);
  // Group resolvers are asked for each request, and cache their answers themselves.
  const isFinal = (settings.groups?.resolvers.size ?? 0) === 0;
  const ownChecks = registeredChecks(registered);
  // What an endpoint answers need not have an end or an audience. What it has is judged.
  const remoteChecks = registeredChecks({ ...registered, requireExp: false });
  const remoteChecksWithoutAudience = registeredChecks({ ...registered, requireExp: false, audience: null });

  function refused(error: AuthError): Refused {
    return { ok: false, error: realm === undefined ? error : error.inRealm(realm) };
  }

  // -- A request: where its token is, the token, the mode, the route --

  function decide(request: RequestView, access: CompiledAccess, trace?: Trace): Decision | Promise<Decision> {
    if (hasRefusals) refusals.delete(keyOf(request));
    try {
      const judged = judgeCredentials(request, access, trace);
      if (!(judged instanceof Promise)) return admit(judged, request, access, trace);
      return judged.then((decision) => admit(decision, request, access, trace)).catch(fail);
    } catch (fault) {
      return fail(fault);
    }
  }

  function judgeCredentials(
    request: RequestView,
    { mode = settings.mode }: CompiledAccess,
    trace: Trace | undefined,
  ): RequestDecision | Promise<RequestDecision> {
    let token: string | undefined;
    try {
      token = tokens.find(request, trace && placesOf(trace));
      const known = token === undefined || trace !== undefined ? undefined : recall(token);
      if (known !== undefined) return known;
      if (token !== undefined) tokens.check(token);
    } catch (error) {
      const refusal = refusalIn(error);
      trace?.({ stage: 'credentials', hasToken: false, refusal });
      return refused(refusal);
    }
    if (token !== undefined) {
      trace?.({ stage: 'credentials', hasToken: true });
      return run(tokenSteps(token, trace));
    }
    const refusal = new AuthError('credentials_missing');
    trace?.({ stage: 'credentials', hasToken: false, refusal });
    return mode === 'strict' ? refused(refusal) : ANONYMOUS;
  }

  function admit(
    judged: RequestDecision,
    request: RequestView,
    { mode = settings.mode, welcomes, claims: rules }: CompiledAccess,
    trace: Trace | undefined,
  ): Decision {
    let decision: Decision = judged;
    if (judged.ok && judged.principal !== undefined && welcomes?.(judged.principal.issuer) === false)
      decision = refused(new AuthError('token_issuer_untrusted'));
    // A 503 is the answer in every mode: the token may be good.
    if (!decision.ok && mode === 'permissive' && decision.error.status !== 503) {
      hasRefusals = true;
      refusals.set(keyOf(request), decision.error);
      decision = ANONYMOUS;
    }
    if (decision === ANONYMOUS) trace?.({ stage: 'anonymous', mode });
    return judgeAccess(decision, rules, rules && parametersOf(request), trace);
  }

  /** What a route's rules say of a decision. A trace also hears what they say of claims that are refused. */
  function judgeAccess<D extends RequestDecision>(
    decision: D,
    rules: CompiledRules | undefined,
    request: RequestParameters | undefined,
    trace: Trace | undefined,
  ): D | Refused {
    if (rules === undefined) return decision;
    if (decision.ok) {
      const refusal = judgeRoute(decision.principal, rules, request, trace);
      return refusal === undefined ? decision : refused(refusal);
    }
    const { claims } = decision;
    if (trace !== undefined && claims !== undefined) {
      const issuer = own(claims, 'iss');
      judgeRules(
        rules,
        { ...context, claims, request, issuer: isIssuer(issuer) ? issuer : undefined },
        trace,
      );
    }
    return decision;
  }

  // -- A token: who vouches for its claims, the claims, groups, the principal --

  function decideOnToken(
    token: string,
    rules?: CompiledRules,
    trace?: Trace,
  ): Decision<Principal> | Promise<Decision<Principal>> {
    const known = trace === undefined ? recall(token) : undefined;
    const judged = known ?? run(tokenSteps(token, trace));
    return judged instanceof Promise
      ? judged.then((decision) => judgeAccess(decision, rules, undefined, trace))
      : judgeAccess(judged, rules, undefined, trace);
  }

  /** The decision on a token that verified before. Rules run again: a schema is the application's code. */
  function recall(token: string): TokenDecision | Promise<TokenDecision> | undefined {
    const verified = cache?.get(token);
    if (verified === undefined || firstFailure(settings.claims, verified.claims, context) !== undefined)
      return undefined;
    return verified.made ?? run(principalSteps(verified.claims, system.has(verified.keyset)));
  }

  function* tokenSteps(token: string, trace: Trace | undefined): Steps<TokenDecision> {
    const verdict: Verdict = { trace, refusal: undefined };
    const vouched = yield* remote === undefined
      ? signatureSteps(token, verdict)
      : remoteSteps(remote, token, verdict);
    if (vouched !== undefined) {
      const { claims, by, isRemote } = vouched;
      const isSystem =
        by === undefined ? isRemote && settings.remote?.isSystem === true : system.has(by.keyset);
      trace?.({ stage: 'claims set', claims, isVerified: isRemote || by !== undefined });
      judgeClaims(vouched, isSystem, verdict);
      if (verdict.refusal === undefined) {
        const decision = yield* principalSteps(claims, isSystem, trace);
        if (decision.ok && by !== undefined && trace === undefined)
          cache?.set(
            token,
            { claims, by, made: isFinal ? decision : undefined },
            validityOf(claims, registered),
          );
        return decision;
      }
      trace?.({ stage: 'groups', principal: undefined });
    }
    return { ...refused(verdict.refusal ?? new AuthError('token_rejected')), claims: vouched?.claims };
  }

  /** The endpoint, and, where the options or the system's subject say so, the keysets after it. */
  function* remoteSteps(
    endpoint: RemoteEndpoint,
    token: string,
    verdict: Verdict,
  ): Steps<Vouched | undefined> {
    const { trace } = verdict;
    // What is not a bearer token is not a token for the keysets either, and is refused there.
    if (!isBearerToken(token, maxTokenBytes)) {
      trace?.({ stage: 'remote', outcome: 'not asked' });
      return yield* signatureSteps(token, verdict);
    }
    let claims: JsonObject | undefined;
    let unavailable: AuthError | undefined;
    try {
      claims = yield* wait(endpoint.validate(token));
    } catch (error) {
      unavailable = refusalIn(error);
    }
    const outcome =
      claims !== undefined ? 'accepted' : unavailable !== undefined ? 'unavailable' : 'rejected';
    const next = outcome === 'unavailable' ? settings.remote?.onError : settings.remote?.onReject;
    const isLast = outcome !== 'accepted' && next !== 'next';
    const refusal = isLast ? (unavailable ?? new AuthError('token_rejected')) : undefined;
    trace?.({ stage: 'remote', outcome, detail: unavailable?.detail, refusal });
    if (ends(verdict, refusal)) return undefined;
    const mayNotSpeak =
      systemSubject !== undefined &&
      settings.remote?.isSystem !== true &&
      own(claims ?? {}, 'sub') === systemSubject;
    if (claims !== undefined && !mayNotSpeak) return { claims, by: undefined, isRemote: true };
    const keyed: Verdict = { trace, refusal: undefined };
    const signed = yield* signatureSteps(token, keyed);
    if (claims !== undefined) {
      // Whatever the endpoint says, only a key of the system speaks for the system.
      if (keyed.refusal === undefined && signed?.claims.sub === systemSubject) return signed;
      const undecided = keyed.refusal?.status === 401 ? undefined : keyed.refusal;
      trace?.({ stage: 'remote system', refusal: undecided ?? notTheSystem() });
      ends(verdict, undecided ?? notTheSystem());
      return trace === undefined ? undefined : { claims, by: undefined, isRemote: true };
    }
    // Only the endpoint may know the token: while it does not answer, the token may be good.
    const isUndecided = unavailable !== undefined && keyed.refusal?.status === 401;
    if (isUndecided) trace?.({ stage: 'remote undecided', refusal: unavailable });
    ends(verdict, isUndecided ? unavailable : keyed.refusal);
    return signed;
  }

  /** The token's form, type, algorithm, issuer and signature. */
  function* signatureSteps(token: string, verdict: Verdict): Steps<Vouched | undefined> {
    const { trace } = verdict;
    let unverified: UnverifiedToken;
    try {
      unverified = parseToken(token, maxTokenBytes, knownHeaders);
    } catch (error) {
      const refusal = refusalIn(error);
      trace?.({ stage: 'form', refusal });
      ends(verdict, refusal);
      return undefined;
    }
    trace?.({ stage: 'form' });
    const { header, claims, newHeader } = unverified;

    const isAccepted = types.has(header.typ === undefined ? undefined : normalizeType(header.typ));
    const typeRefusal = isAccepted ? undefined : new AuthError('token_type_refused');
    trace?.({ stage: 'typ', typ: header.typ, refusal: typeRefusal });
    if (ends(verdict, typeRefusal)) return undefined;

    const algorithm = findAlgorithm(header.alg)?.name;
    const algorithmRefusal = algorithm === undefined ? new AuthError('token_algorithm_refused') : undefined;
    trace?.({ stage: 'algorithm', alg: header.alg, refusal: algorithmRefusal });
    if (ends(verdict, algorithmRefusal)) return undefined;

    // The claim is unverified: it only narrows which keysets are asked.
    const issuer = own(claims, 'iss');
    const candidates = isIssuer(issuer) ? index.forIssuer(issuer) : [];
    const issuerRefusal = judgeIssuer(issuer, candidates);
    trace?.({ stage: 'issuer', issuer, vouchedBy: 'key', refusal: issuerRefusal });
    if (ends(verdict, issuerRefusal)) return undefined;

    const signed = yield* judgeSignature(unverified, algorithm, candidates, trace);
    const signatureRefusal = signed instanceof AuthError ? signed : undefined;
    const by = signed instanceof AuthError ? undefined : signed;
    trace?.({
      stage: 'signature',
      keysets,
      candidates,
      issuer,
      algorithm,
      signedBy: by?.keyset,
      refusal: signatureRefusal,
    });
    if (ends(verdict, signatureRefusal)) return undefined;
    // A copy, which does not hold on to the token. Only headers that a trusted key signed fill the room.
    if (
      by !== undefined &&
      newHeader !== undefined &&
      newHeader.length <= MAX_HEADER_LENGTH &&
      knownHeaders.size < MAX_HEADERS
    )
      knownHeaders.set(Buffer.from(newHeader, 'latin1').toString('latin1'), header);
    return { claims, by, isRemote: false };
  }

  function judgeIssuer(issuer: unknown, candidates: readonly Keyset[]): AuthError | undefined {
    if (!isIssuer(issuer)) return new AuthError('token_issuer_untrusted', { detail: 'iss is not a string' });
    if (candidates.length === 0)
      return new AuthError('token_issuer_untrusted', { detail: 'no keyset is for it' });
    if (issuers?.(issuer) === false)
      return new AuthError('token_issuer_untrusted', { detail: 'it is not one of issuers' });
    return undefined;
  }

  function* judgeSignature(
    token: UnverifiedToken,
    algorithm: AlgorithmName | undefined,
    candidates: readonly Keyset[],
    trace: Trace | undefined,
  ): Steps<SignedBy | AuthError> {
    const allows = ({ allowed }: Keyset) =>
      algorithm !== undefined && (allowed === undefined || allowed.has(algorithm));
    // Nearly always all do.
    const asked = candidates.every(allows) ? candidates : candidates.filter(allows);
    if (algorithm === undefined || asked.length === 0)
      return new AuthError('token_algorithm_refused', { detail: 'no keyset takes its algorithm' });
    return yield* findSigningKey(token, algorithm, asked, trace);
  }

  /** What must hold for every token: the registered claims, the issuer of an endpoint's answer, the system's subject, rules. */
  function judgeClaims({ claims, isRemote }: Vouched, isSystem: boolean, verdict: Verdict): void {
    const { trace } = verdict;
    const nowMs = clock.now();
    const remotely = Object.hasOwn(claims, 'aud') ? remoteChecks : remoteChecksWithoutAudience;
    const checks = isRemote ? remotely : ownChecks;
    const refusal = judgeRegisteredClaims(
      checks,
      claims,
      nowMs,
      trace &&
        ((check, found) =>
          trace({ stage: 'registered claim', check, claims, nowMs, isRemote, refusal: found })),
    );
    if (ends(verdict, refusal)) return;
    if (isRemote) {
      const issuer = own(claims, 'iss');
      const isWelcome = (issuer === undefined || typeof issuer === 'string') && issuers?.(issuer) !== false;
      const untrusted = isWelcome ? undefined : new AuthError('token_issuer_untrusted');
      trace?.({ stage: 'issuer', issuer, vouchedBy: 'endpoint', refusal: untrusted });
      if (ends(verdict, untrusted)) return;
    }
    if (systemSubject !== undefined && own(claims, 'sub') === systemSubject) {
      const impostor = isSystem ? undefined : notTheSystem();
      trace?.({ stage: 'system subject', refusal: impostor });
      if (ends(verdict, impostor)) return;
    }
    const judge = trace === undefined ? firstFailure : traceRules('claims', ruleFailed, trace);
    const failed = judge(settings.claims, claims, { delimiter });
    ends(verdict, failed === undefined ? undefined : ruleFailed(failed));
  }

  function* principalSteps(claims: JsonObject, isSystem: boolean, trace?: Trace): Steps<TokenDecision> {
    try {
      const { iss: issuer, sub: subject } = claims as { readonly [name in 'iss' | 'sub']?: string };
      const found =
        groups === undefined ? undefined : yield* wait(groups.of({ claims, issuer, subject, isSystem }));
      const principal = createPrincipal(claims, context, found);
      trace?.({ stage: 'groups', principal });
      return Object.freeze({ ok: true, principal });
    } catch (error) {
      const refusal = refusalIn(error);
      trace?.({ stage: 'groups', principal: undefined, refusal });
      return { ...refused(refusal), claims };
    }
  }

  return { decide, decideOnToken, clear: () => cache?.clear() };
}

/** Notes a refusal, if there is one. True: the decision ends with it. */
function ends(verdict: Verdict, refusal: AuthError | undefined): boolean {
  verdict.refusal ??= refusal;
  return verdict.refusal !== undefined && verdict.trace === undefined;
}

function fail(fault: unknown): Promise<never> {
  return Promise.reject(asError(fault));
}

function placesOf(trace: Trace) {
  return (place: string, token: string | undefined, refusal: AuthError | undefined): void =>
    trace({ stage: 'place', place, hasToken: token !== undefined, refusal });
}

function isIssuer(issuer: unknown): issuer is string | undefined {
  return issuer === undefined || (typeof issuer === 'string' && issuer !== '');
}

function notTheSystem(): AuthError {
  return new AuthError('token_claims_invalid', {
    detail: '`sub` is the systemSubject, but the token is not signed by a `system: true` keyset',
  });
}

function ruleFailed({ claim }: ClaimCheck): AuthError {
  return new AuthError('token_claims_invalid', { detail: `the rule on ${claim} does not hold` });
}
