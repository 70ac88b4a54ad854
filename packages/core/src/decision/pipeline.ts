// The decision, in the order of its checks: the credentials of a request; who vouches for its token
// (vouch.ts); the claims; groups and the principal; then, each time anew, the mode and what the
// route asks. A refusal is a value here; it is thrown at the public edge.
import { type ClaimCheck, type CompiledRules, firstFailure } from '../claims/compile.ts';
import { judgeRegisteredClaims, registeredChecks, validityOf } from '../claims/registered.ts';
import type { RequestParameters } from '../claims/rules.ts';
import { keyOf, parametersOf, type RequestView } from '../credentials/request.ts';
import { AuthError, asError, refusalIn } from '../errors.ts';
import type { Groups } from '../groups/groups.ts';
import type { Keyset } from '../keysets/keyset.ts';
import { type JsonObject, own } from '../values/json.ts';
import { isPromise } from '../values/promise.ts';
import type { CompiledAccess } from './access.ts';
import { judgeRoute, judgeRules, traceRules } from './authorize.ts';
import type { AuthenticatorSettings } from './options.ts';
import { createPrincipal, type Principal } from './principal.ts';
import type { Trace } from './trace.ts';
import { createVerifiedTokens } from './verified-tokens.ts';
import {
  createVouch,
  ends,
  isIssuer,
  notTheSystem,
  type Verdict,
  type Vouched,
  type VouchingParts,
} from './vouch.ts';

/** What a request comes to. */
export type Decision<T = Principal | undefined> =
  | { readonly ok: true; readonly principal: T }
  | { readonly ok: false; readonly error: AuthError };

/** What decisions ask, made by the authenticator. */
export interface PipelineParts extends VouchingParts {
  /** Those whose tokens may be of the system's subject, and name every group. */
  readonly system: ReadonlySet<Keyset>;
  readonly groups: Groups | undefined;
}

/** Decides, by the options of one authenticator. */
export interface Pipeline {
  /**
   * Decides on a request: its token, then what the route asks. Synchronous when everything is at
   * hand, which is nearly always. Never throws; rejects, with an Error, only with faults that are
   * not refusals.
   */
  decide(request: RequestView, access: CompiledAccess, trace?: Trace): Decision | Promise<Decision>;
  /**
   * Decides on a token alone, then by a route's rules. Throws, or rejects with, faults that are not
   * refusals.
   */
  decideOnToken(
    token: string,
    rules?: CompiledRules,
    trace?: Trace,
  ): Decision<Principal> | Promise<Decision<Principal>>;
  /** Forgets all tokens. */
  clear(): void;
}

/**
 * What a token comes to. A traced refusal has the claims that were judged, where they could be
 * read.
 */
type TokenDecision = Decision<Principal> & { readonly claims?: JsonObject | undefined };
type RequestDecision = Decision & Pick<TokenDecision, 'claims'>;

interface Refused {
  readonly ok: false;
  readonly error: AuthError;
}

const ANONYMOUS: Decision<undefined> = Object.freeze({ ok: true, principal: undefined });
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
  const { tokens, issuers, registered, systemSubject, clock, delimiter, realm, routes } = settings;
  const { system, remote, groups } = parts;
  const vouch = createVouch(settings, parts);
  const context = Object.freeze({
    realm,
    delimiter,
    routes,
    maxTokenAgeMs: registered.maxTokenAgeMs,
    foldsGroups: settings.groups?.ignoreCase === true,
    clock,
  });
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

  const audienceChecks = ownChecks.filter(({ claim }) => claim === 'aud');

  function refused(error: AuthError): Refused {
    return { ok: false, error: realm === undefined ? error : error.inRealm(realm) };
  }

  // -- A request: where its token is, the token, the mode, the route --

  function decide(request: RequestView, access: CompiledAccess, trace?: Trace): Decision | Promise<Decision> {
    if (hasRefusals) refusals.delete(keyOf(request));
    try {
      const judged = judgeCredentials(request, access, trace);
      if (!isPromise(judged)) return admit(judged, request, access, trace);
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
      return judgeToken(token, trace);
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

  /**
   * What a route's rules say of a decision. A trace also hears what they say of claims that are
   * refused.
   */
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
      const asked = { ...context, claims, request, issuer: isIssuer(issuer) ? issuer : undefined };
      orFault(decision.error, () => judgeRules(rules, asked, trace));
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
    const judged = known ?? judgeToken(token, trace);
    return isPromise(judged)
      ? judged.then((decision) => judgeAccess(decision, rules, undefined, trace))
      : judgeAccess(judged, rules, undefined, trace);
  }

  /**
   * The decision on a token that verified before. Rules run again: a schema is the application's
   * code.
   */
  function recall(token: string): TokenDecision | Promise<TokenDecision> | undefined {
    const verified = cache?.get(token);
    if (verified === undefined || firstFailure(settings.claims, verified.claims, context) !== undefined)
      return undefined;
    return verified.made ?? decidePrincipal(verified.claims, system.has(verified.keyset));
  }

  function judgeToken(token: string, trace: Trace | undefined): TokenDecision | Promise<TokenDecision> {
    const verdict: Verdict = { trace, refusal: undefined };
    const vouched = vouch(token, verdict);
    return isPromise(vouched)
      ? vouched.then((found) => judgeVouched(token, found, verdict))
      : judgeVouched(token, vouched, verdict);
  }

  function judgeVouched(
    token: string,
    vouched: Vouched | undefined,
    verdict: Verdict,
  ): TokenDecision | Promise<TokenDecision> {
    const { trace } = verdict;
    // Without a trace, a refusal has ended the decision.
    if (vouched === undefined || ends(verdict, undefined)) return refuse(verdict, vouched?.claims);
    const { claims, by, isRemote } = vouched;
    const isSystem =
      by === undefined ? isRemote && settings.remote?.isSystem === true : system.has(by.keyset);
    trace?.({ stage: 'claims set', claims, isVerified: isRemote || by !== undefined });
    judgeClaims(vouched, isSystem, verdict);
    if (verdict.refusal !== undefined) {
      trace?.({ stage: 'groups', principal: undefined });
      return refuse(verdict, claims);
    }
    const keep = (decision: TokenDecision): TokenDecision => {
      if (!decision.ok || by === undefined || trace !== undefined) return decision;
      const made = isFinal ? decision : undefined;
      cache?.set(token, { claims, by, made }, validityOf(claims, registered));
      return decision;
    };
    const decision = decidePrincipal(claims, isSystem, trace);
    return isPromise(decision) ? decision.then(keep) : keep(decision);
  }

  function refuse({ refusal, trace }: Verdict, claims: JsonObject | undefined): TokenDecision {
    const decision = refused(refusal ?? new AuthError('token_rejected'));
    return trace === undefined ? decision : { ...decision, claims };
  }

  /**
   * What must hold for every token: the registered claims, the issuer of an endpoint's answer, the
   * system's subject, rules.
   */
  function judgeClaims({ claims, isRemote, token }: Vouched, isSystem: boolean, verdict: Verdict): void {
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
      if (token !== undefined && ends(verdict, judgeTokenItself(token, claims, nowMs, trace))) return;
    }
    if (systemSubject !== undefined && own(claims, 'sub') === systemSubject) {
      const impostor = isSystem ? undefined : notTheSystem();
      trace?.({ stage: 'system subject', refusal: impostor });
      if (ends(verdict, impostor)) return;
    }
    const judge = trace === undefined ? firstFailure : traceRules('claims', ruleFailed, trace);
    const failed = orFault(verdict.refusal, () => judge(settings.claims, claims, { delimiter }));
    ends(verdict, failed === undefined ? undefined : ruleFailed(failed));
  }

  /**
   * What a JWT says of itself only narrows: one of another API or issuer is refused, whatever the
   * endpoint says.
   */
  function judgeTokenItself(
    token: JsonObject,
    claims: JsonObject,
    nowMs: number,
    trace: Trace | undefined,
  ): AuthError | undefined {
    const audience = Object.hasOwn(token, 'aud')
      ? judgeRegisteredClaims(audienceChecks, token, nowMs)
      : undefined;
    const [issuer, expected] = [own(token, 'iss'), own(claims, 'iss')];
    const isTrusted =
      issuer === undefined ||
      (typeof issuer === 'string' &&
        (expected === undefined || issuer === expected) &&
        issuers?.(issuer) !== false);
    const untrusted = isTrusted ? undefined : new AuthError('token_issuer_untrusted');
    for (const [claim, refusal] of [
      ['aud', audience],
      ['iss', untrusted],
    ] as const) {
      if (Object.hasOwn(token, claim))
        trace?.({ stage: 'token itself', claim, value: own(token, claim), refusal });
    }
    return audience ?? untrusted;
  }

  /** Finds the groups of a subject, and makes the principal. */
  function decidePrincipal(
    claims: JsonObject,
    isSystem: boolean,
    trace?: Trace,
  ): TokenDecision | Promise<TokenDecision> {
    const refuseFor = (error: unknown): TokenDecision => {
      const refusal = refusalIn(error);
      trace?.({ stage: 'groups', principal: undefined, refusal });
      return refuse({ refusal, trace }, claims);
    };
    const make = (found: readonly string[] | undefined): TokenDecision => {
      try {
        const principal = createPrincipal(claims, context, found);
        trace?.({ stage: 'groups', principal });
        return Object.freeze({ ok: true, principal });
      } catch (error) {
        return refuseFor(error);
      }
    };
    if (groups === undefined) return make(undefined);
    // Both are texts, or absent: that has been checked.
    const issuer = own(claims, 'iss') as string | undefined;
    const subject = own(claims, 'sub') as string | undefined;
    return groups.of({ claims, issuer, subject, isSystem }).then(make, refuseFor);
  }

  return { decide, decideOnToken, clear: () => cache?.clear() };
}

/** Judges. With a trace, judging goes on after a refusal, and a fault must not take its place. */
function orFault<T>(refusal: AuthError | undefined, judge: () => T): T | undefined {
  try {
    return judge();
  } catch (fault) {
    if (refusal === undefined) throw fault;
    return undefined;
  }
}

function fail(fault: unknown): Promise<never> {
  return Promise.reject(asError(fault));
}

function placesOf(trace: Trace) {
  return (place: string, token: string | undefined, refusal: AuthError | undefined): void =>
    trace({ stage: 'place', place, hasToken: token !== undefined, refusal });
}

function ruleFailed({ claim }: ClaimCheck): AuthError {
  return new AuthError('token_claims_invalid', { detail: `the rule on ${claim} does not hold` });
}
