// Why a request gets what it gets: every check of the decision by itself, where the decision stops at the first that fails. What comes of it
// is not said by these checks: the pipeline is asked, like for any request.
import type { CompiledRules } from '../../claims/compile.ts';
import { parametersOf, type RequestView } from '../../credentials/request.ts';
import { AuthError } from '../../errors.ts';
import type { JsonObject } from '../../values/json.ts';
import type { Settings } from '../options.ts';
import { attempt, type ExplainedCheck, textOf, withoutCodes } from './check.ts';
import { explainRules } from './claims.ts';
import { type Decided, decide, type Explained, type Outcome, rulesOf } from './decided.ts';
import { findToken } from './request.ts';
import { explainToken } from './token.ts';

/** A decision, and how it comes about. For people who run the service: never for whoever sent the request. */
export interface Explanation extends Outcome {
  /** Whether the claims in it are those of a token that somebody trusted stands for. */
  readonly verified: boolean;
  /** In the order of the decision. Those after one that failed say what they would have been. */
  readonly checks: readonly ExplainedCheck[];
}

/** Explains what becomes of a token, or of a request, on a route with these rules. */
export async function explain(
  subject: string | RequestView,
  rules: CompiledRules | undefined,
  pipeline: Explained,
): Promise<Explanation> {
  const { settings } = pipeline;
  const decided = await decide(subject, rules, pipeline);
  const { principal, ...outcome } = decided;
  const found = typeof subject === 'string' ? { token: subject, checks: [] } : findToken(subject, settings);
  const judged =
    found.token === undefined
      ? { verified: false, checks: [] }
      : await explainToken(found.token, decided, pipeline);
  const checks = [...found.checks, ...judged.checks];
  // Whoever is let pass as nobody is refused for nothing that is wrong with the token.
  const isNobody = principal === undefined && typeof subject !== 'string' && isLetPass(decided, settings);
  return {
    ...outcome,
    verified: judged.verified,
    checks: [
      ...(isNobody ? [...withoutCodes(checks), anonymous(settings.mode)] : checks),
      ...explainRoute(rules, subject, judged.claims, decided, settings),
    ],
  };
}

/** The mode lets this request pass without a principal; what a route then says is another matter. */
function isLetPass({ allowed, code }: Decided, { mode }: Settings): boolean {
  return mode !== 'strict' && (allowed || code === 'credentials_missing');
}

function anonymous(mode: Settings['mode']): ExplainedCheck {
  return {
    check: 'credentials',
    about: 'the caller',
    outcome: 'passed',
    detail: `anonymous, which mode ${mode} lets pass`,
  };
}

/** By what the route is judged by: the groups of a principal are not what its token says. */
function explainRoute(
  rules: CompiledRules | undefined,
  subject: string | RequestView,
  claims: JsonObject | undefined,
  { principal, code }: Decided,
  settings: Settings,
): readonly ExplainedCheck[] {
  if (rules === undefined) return [];
  if (principal === undefined && code === 'credentials_missing' && settings.mode !== 'strict')
    return [
      {
        check: 'route',
        about: 'the caller',
        outcome: 'failed',
        code,
        expected: 'somebody',
        actual: 'anonymous',
      },
    ];
  if (claims === undefined) return [];
  const named = rules.route === undefined ? undefined : settings.routes.get(rules.route);
  const context = {
    delimiter: settings.delimiter,
    request: typeof subject === 'string' ? undefined : parametersOf(subject),
  };
  const judged = explainRules(
    'route',
    rulesOf(rules, settings),
    (principal?.claims ?? claims) as JsonObject,
    context,
  );
  if (named?.welcomes === undefined) return judged;
  const issuer = Object.hasOwn(claims, 'iss') ? claims.iss : undefined;
  const about = {
    check: 'route',
    about: 'iss',
    expected: 'one of its issuers',
    actual: textOf(issuer),
  } as const;
  const welcome = attempt(about, () => {
    if (named.welcomes?.(typeof issuer === 'string' ? issuer : undefined) === false)
      throw new AuthError('token_issuer_untrusted');
  });
  return [welcome, ...judged];
}
