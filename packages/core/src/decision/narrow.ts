// An authenticator while its options change. It accepts what the current options accept and the
// pending options do not refuse. So a change that closes takes effect at once, and a change that
// opens never takes effect in part. Where options come from is not known here.
import type { CompiledRules, SchemaOutputs } from '../claims/compile.ts';
import type { RequestParameters } from '../claims/rules.ts';
import type { RequestView } from '../credentials/request.ts';
import { AuthError, asError, isAuthError } from '../errors.ts';
import { isPromise } from '../values/promise.ts';
import { argument } from '../values/readers.ts';
import {
  type AuthenticationMode,
  accessWith,
  type CompiledAccess,
  compileAccess,
  NOTHING_ASKED,
  type RouteAccess,
} from './access.ts';
import { type Authenticator, authenticateBy, principalOf } from './authenticator.ts';
import { judgeRoute } from './authorize.ts';
import { concealAll } from './combine.ts';
import type { Decision } from './decision.ts';
import {
  contextOf,
  createPrincipal,
  type Principal,
  signedClaims,
  withOutputs,
  withTokenOf,
} from './principal.ts';

/** Options that are not in force yet. */
export interface PendingJudge {
  readonly authenticator: Authenticator;
  /**
   * True if the file is meant to contain these options. While that is not known, a request that
   * only they refuse is answered with 503.
   */
  readonly isCertain: boolean;
}

/** The methods of an authenticator that decide on requests and tokens. */
export type Deciding = Pick<Authenticator, 'decide' | 'authenticate' | 'verify' | 'explain' | 'conceal'>;

type Accepted = Extract<Decision, { readonly ok: true }>;

const RETRY_SECONDS = 2;

/** Accepts what `main` accepts and no judge refuses. Without judges, returns `main`. */
export function narrow(main: Authenticator, judges: readonly PendingJudge[]): Deciding {
  if (judges.length === 0) return main;
  const all = [main, ...judges.map(({ authenticator }) => authenticator)];

  function decide(
    request: RequestView,
    ...access: readonly [access?: RouteAccess | CompiledAccess]
  ): Decision | Promise<Decision> {
    let compiled: CompiledAccess;
    try {
      compiled = compileAccess(argument(access, 'access', NOTHING_ASKED));
    } catch (fault) {
      return Promise.reject(asError(fault));
    }
    // All decide before the adapter removes a token from the URL, because each has to find its own.
    // Judges are asked in strict mode; their own mode applies afterwards.
    const first = main.decide(request, compiled);
    const others = judges.map(({ authenticator }) =>
      authenticator.decide(request, accessWith(compiled, { mode: 'strict' })),
    );
    const modes = judges.map(({ authenticator }) => compiled.mode ?? authenticator.mode);
    let decision = first;
    for (const [index, other] of others.entries()) {
      if (isPromise(decision) || isPromise(other)) return decideLater(first, others, modes);
      decision = agree(decision, other, index, modes[index]);
    }
    return decision;
  }

  async function decideLater(
    first: Decision | Promise<Decision>,
    others: readonly (Decision | Promise<Decision>)[],
    modes: readonly AuthenticationMode[],
  ): Promise<Decision> {
    const heard = others.map((other, index) => hear(other, index));
    // One that is not waited for, since another has refused or failed, must not take the process
    // with it.
    for (const other of heard) other.catch(() => {});
    let decision = await first;
    for (const [index, other] of heard.entries()) {
      if (!decision.ok) break;
      decision = agree(decision, await other, index, modes[index]);
    }
    return decision;
  }

  /**
   * A judge fails if the route is not in its options. That is a fault, unless its options may be
   * incomplete: then the request is undecided.
   */
  async function hear(other: Decision | Promise<Decision>, index: number): Promise<Decision> {
    try {
      return await other;
    } catch (fault) {
      if (judges[index]?.isCertain === false) return undecided();
      throw fault;
    }
  }

  function agree(
    decision: Decision,
    other: Decision,
    index: number,
    mode: AuthenticationMode = 'strict',
  ): Decision {
    const isCertain = judges[index]?.isCertain === true;
    if (!decision.ok) return decision;
    if (!other.ok) {
      if (decision.principal === undefined && letsPass(other.error, mode)) return decision;
      return isCertain ? other : undecided();
    }
    return decision.principal === undefined ? decision : narrowed(decision.principal, other, isCertain);
  }

  return {
    decide,
    authenticate: (request, ...access) => authenticateBy(decide, request, ...access),
    async verify(token, ...rules) {
      const [first, ...others] = all.map(async (one): Promise<Decision> => {
        try {
          return { ok: true, principal: await one.verify(token, ...rules) };
        } catch (error) {
          if (isAuthError(error)) return { ok: false, error };
          throw error;
        }
      });
      const decision = await decideLater(first ?? undecided(), others, []);
      // The claims satisfy the rules, which have just been checked.
      return principalOf(decision) as Principal<never>;
    },
    async explain(subject, ...asked) {
      const explanations = await Promise.all(
        all
          .filter((one) => judges.every(({ authenticator, isCertain }) => authenticator !== one || isCertain))
          .map((one) => one.explain(subject, ...asked)),
      );
      const [own] = explanations;
      return explanations.find(({ allowed }) => !allowed) ?? own ?? main.explain(subject, ...asked);
    },
    conceal: (request) => concealAll(all, request),
  };
}

/** True if a mode lets a request pass without a principal: see `mode` of the options. */
function letsPass({ code, status }: AuthError, mode: AuthenticationMode): boolean {
  return mode === 'permissive' ? status !== 503 : mode === 'optional' && code === 'credentials_missing';
}

/**
 * The principal on which both agree, with the groups and the scopes that both have. Later rules
 * must hold for both.
 */
function narrowed(one: Principal, { principal: other }: Accepted, isCertain: boolean): Decision {
  const context = contextOf(one);
  const isSame = other !== undefined && one.issuer === other.issuer && one.subject === other.subject;
  if (context === undefined || !isSame) return undecided();
  const groups = one.groups.filter((group) => other.groups.includes(group));
  const also = (rules: CompiledRules<unknown>, request: RequestParameters | undefined) =>
    context.also?.(rules, request) ?? judgeAlso(other, rules, request, isCertain);
  // What the caller opens ends by the shorter of both.
  const ages = [context, contextOf(other)].flatMap((each) => each?.maxTokenAgeMs ?? []);
  const maxTokenAgeMs = ages.length === 0 ? undefined : Math.min(...ages);
  const fewer = groups.length === one.groups.length ? undefined : groups;
  const { signed } = context;
  const scopes = one.scopes.filter((scope) => other.scopes.includes(scope));
  const made = createPrincipal(
    signedClaims(one),
    { ...context, signed: undefined, maxTokenAgeMs, also },
    fewer,
    scopes,
  );
  const principal = withTokenOf(one, made);
  if (signed === undefined) return { ok: true, principal };
  const outputs: SchemaOutputs = [{ path: [], value: one.claims }];
  if (fewer !== undefined) outputs.push({ path: ['groups'], value: principal.groups });
  return { ok: true, principal: withOutputs(principal, outputs) };
}

function judgeAlso(
  other: Principal,
  rules: CompiledRules<unknown>,
  request: RequestParameters | undefined,
  isCertain: boolean,
): AuthError | undefined {
  if (isCertain) return judgeRoute(other, rules, request);
  try {
    return judgeRoute(other, rules, request) && undecidedError();
  } catch {
    return undecidedError();
  }
}

function undecided(): Extract<Decision, { readonly ok: false }> {
  return { ok: false, error: undecidedError() };
}

function undecidedError(): AuthError {
  return new AuthError('keyset_unavailable', {
    detail: 'the descriptor is being written, and its present content refuses the request',
    retryAfterSeconds: RETRY_SECONDS,
  });
}
