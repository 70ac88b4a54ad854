// Why a request gets what it gets: every check of the decision by itself, where the decision stops at the first that fails. What comes of it
// is not said by these checks: the pipeline is asked, like for any request.
import { authorize } from '../authorize.ts';
import type { CompiledRules } from '../claims/compile.ts';
import { readTokenFrom } from '../credentials/find.ts';
import { parametersOf, type RequestView } from '../credentials/request.ts';
import { AuthError, type AuthErrorCode, isAuthError } from '../errors.ts';
import type { Settings } from '../options.ts';
import type { Principal } from '../principal.ts';
import { isBearerToken } from '../remote/validate.ts';
import type { JsonObject } from '../token/json.ts';
import { normalizeType, parseToken, type UnverifiedToken } from '../token/parse.ts';
import { attempt, type ExplainedCheck, refusalIn, textOf } from './check.ts';
import { explainRegistered, explainRules, explainSystem } from './claims.ts';
import { explainKeys, type KeysAsked } from './keys.ts';

/** A decision, and how it comes about. For people who run the service: never for whoever sent the request. */
export interface Explanation {
  readonly allowed: boolean;
  /** 200, or what the request is answered with. */
  readonly status: number;
  /** Undefined where it is allowed. */
  readonly code: AuthErrorCode | undefined;
  readonly detail: string | undefined;
  /** Whether the claims in it are those of a token that somebody trusted stands for. */
  readonly verified: boolean;
  /** In the order of the decision. Those after one that failed say what they would have been. */
  readonly checks: readonly ExplainedCheck[];
}

/** The pipeline, and what it is made of. */
export interface Explained {
  readonly settings: Settings;
  readonly keys: KeysAsked;
  readonly systemKeysets: ReadonlySet<unknown>;
  /** What a remote endpoint says of a token: undefined, it refuses it. */
  readonly askRemote: ((token: string) => Promise<JsonObject | undefined>) | undefined;
  authenticate(request: RequestView): Promise<Principal | undefined>;
  verify(token: string): Promise<Principal>;
}

/** Explains what becomes of a token, or of a request, on a route with these rules. */
export async function explain(
  subject: string | RequestView,
  rules: CompiledRules | undefined,
  pipeline: Explained,
): Promise<Explanation> {
  const { settings } = pipeline;
  const request = typeof subject === 'string' ? undefined : parametersOf(subject);
  const { principal, ...outcome } = await decide(subject, rules, pipeline);
  const { token, checks } =
    typeof subject === 'string' ? { token: subject, checks: [] } : findToken(subject, settings);
  if (token === undefined) return { ...outcome, verified: false, checks };
  const remote = await explainRemote(token, pipeline);
  const isRemote = remote.claims !== undefined;
  // What an endpoint has accepted need not be a JWS; what says of itself that it is the system has to be signed all the same.
  const isSigned =
    !isRemote || (isSystemSubject(remote.claims, settings) && settings.remote?.isSystem !== true);
  const { unverified, checks: form } = isSigned
    ? readForm(token, settings)
    : { unverified: undefined, checks: [] };
  const keys = unverified === undefined ? undefined : await explainKeys(unverified, settings, pipeline.keys);
  const claims = remote.claims ?? unverified?.claims;
  const signed = [...checks, ...remote.checks, ...form, ...(keys?.checks ?? [])];
  if (claims === undefined) return { ...outcome, verified: false, checks: signed };
  const isSystem =
    isRemote && !isSigned ? settings.remote?.isSystem === true : pipeline.systemKeysets.has(keys?.keyset);
  const context = { delimiter: settings.delimiter, request };
  return {
    ...outcome,
    verified: isRemote || keys?.keyset !== undefined,
    checks: [
      ...signed,
      ...explainRegistered(claims, isRemote, settings),
      ...explainSystem(claims, isSystem, settings),
      ...explainRules('claims', settings.claims, claims, context),
      ...explainGroups(principal, outcome, settings),
      ...explainRoute(rules, principal, claims, { ...context, settings }),
    ],
  };
}

function isSystemSubject(claims: JsonObject, { systemSubject }: Settings): boolean {
  return systemSubject !== undefined && Object.hasOwn(claims, 'sub') && claims.sub === systemSubject;
}

type Outcome = Pick<Explanation, 'allowed' | 'status' | 'code' | 'detail'>;

async function decide(
  subject: string | RequestView,
  rules: CompiledRules | undefined,
  { authenticate, verify }: Explained,
): Promise<Outcome & { readonly principal: Principal | undefined }> {
  let principal: Principal | undefined;
  try {
    principal = await (typeof subject === 'string' ? verify(subject) : authenticate(subject));
    if (rules !== undefined)
      authorize(principal, rules, typeof subject === 'string' ? undefined : parametersOf(subject));
    return { principal, allowed: true, status: 200, code: undefined, detail: undefined };
  } catch (error) {
    if (!isAuthError(error)) throw error;
    const { code, status, detail } = error;
    return { principal, allowed: false, status, code, detail };
  }
}

/** Where the token stands. Each place by itself, and then all of them together. */
function findToken(
  request: RequestView,
  { carriers, tokens }: Settings,
): { readonly token: string | undefined; readonly checks: readonly ExplainedCheck[] } {
  const places = carriers.map((carrier): ExplainedCheck => {
    const about = { check: 'credentials', about: Object.entries(carrier)[0]?.join(' ') ?? '' } as const;
    try {
      const found = readTokenFrom([carrier]).find(request);
      return {
        ...about,
        outcome: found === undefined ? 'out' : 'passed',
        detail: found === undefined ? 'no token here' : 'a token is here',
      };
    } catch (error) {
      return { ...about, ...refusalIn(error) };
    }
  });
  const about = {
    check: 'credentials',
    about: 'the request',
    expected: 'one token in one place',
    checks: places,
  } as const;
  try {
    const token = tokens.find(request);
    if (token === undefined)
      return {
        token,
        checks: [{ ...about, outcome: 'failed', code: 'credentials_missing', actual: 'none' }],
      };
    return { token, checks: [{ ...about, outcome: 'passed' }] };
  } catch (error) {
    return { token: undefined, checks: [{ ...about, ...refusalIn(error) }] };
  }
}

/** What can be read of a token before anybody is believed. */
function readForm(
  token: string,
  { maxTokenBytes, types }: Settings,
): { readonly unverified: UnverifiedToken | undefined; readonly checks: readonly ExplainedCheck[] } {
  const about = { check: 'form', about: 'the token', expected: 'a compact JWS of strict JSON' } as const;
  let unverified: UnverifiedToken;
  try {
    unverified = parseToken(token, maxTokenBytes);
  } catch (error) {
    return { unverified: undefined, checks: [{ ...about, ...refusalIn(error) }] };
  }
  const { typ } = unverified.header;
  const expected = [...types].map((type) => type ?? 'absent').join(' or ');
  const type = attempt({ check: 'type', about: 'typ', expected, actual: textOf(typ) }, () => {
    if (!types.has(typ === undefined ? undefined : normalizeType(typ)))
      throw new AuthError('token_type_refused');
  });
  return { unverified, checks: [{ ...about, outcome: 'passed' }, type] };
}

async function explainRemote(
  token: string,
  { askRemote, settings }: Explained,
): Promise<{ readonly claims: JsonObject | undefined; readonly checks: readonly ExplainedCheck[] }> {
  if (askRemote === undefined || settings.remote === undefined) return { claims: undefined, checks: [] };
  const { onReject, onError, url } = settings.remote;
  const about = { check: 'remote', about: `${url.origin}${url.pathname}` } as const;
  if (!isBearerToken(token, settings.maxTokenBytes))
    return {
      claims: undefined,
      checks: [{ ...about, outcome: 'out', detail: 'is not asked about what is no bearer token' }],
    };
  try {
    const claims = await askRemote(token);
    if (claims !== undefined)
      return { claims, checks: [{ ...about, outcome: 'passed', detail: 'the endpoint accepts it' }] };
    const isLast = onReject === 'deny';
    return {
      claims,
      checks: [
        {
          ...about,
          outcome: isLast ? 'failed' : 'out',
          code: isLast ? 'token_rejected' : undefined,
          detail: 'the endpoint refuses it',
        },
      ],
    };
  } catch (error) {
    const refusal = refusalIn(error);
    return {
      claims: undefined,
      checks: [{ ...about, ...refusal, outcome: onError === 'deny' ? refusal.outcome : 'out' }],
    };
  }
}

function explainGroups(
  principal: Principal | undefined,
  { code, detail }: Outcome,
  { groups }: Settings,
): readonly ExplainedCheck[] {
  if (groups === undefined) return [];
  const about = { check: 'groups', about: groups.order.join(', ') } as const;
  if (principal !== undefined) return [{ ...about, outcome: 'passed', actual: textOf(principal.groups) }];
  return code === 'groups_unavailable'
    ? [{ ...about, outcome: 'unknown', code, detail }]
    : [{ ...about, outcome: 'out', detail: 'nobody is asked for the groups of a token that is refused' }];
}

/** By what the route is judged by: the groups of a principal are not what its token says. */
function explainRoute(
  rules: CompiledRules | undefined,
  principal: Principal | undefined,
  claims: JsonObject,
  context: Parameters<typeof explainRules>[3] & { readonly settings: Settings },
): readonly ExplainedCheck[] {
  if (rules === undefined) return [];
  const named = rules.route === undefined ? undefined : context.settings.routes.get(rules.route);
  const judged = explainRules(
    'route',
    named?.claims ?? rules,
    (principal?.claims ?? claims) as JsonObject,
    context,
  );
  if (named?.welcomes === undefined) return judged;
  const issuer = Object.hasOwn(claims, 'iss') ? claims.iss : undefined;
  const welcome = attempt(
    { check: 'route', about: 'iss', expected: 'one of its issuers', actual: textOf(issuer) },
    () => {
      if (named.welcomes?.(typeof issuer === 'string' ? issuer : undefined) === false)
        throw new AuthError('token_issuer_untrusted');
    },
  );
  return [welcome, ...judged];
}
