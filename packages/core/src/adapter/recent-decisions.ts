// Answers with the last decisions, for all adapters: to programs of this machine, or to callers
// whose claims satisfy rules.
import { type CompiledRules, claimNames, compileRules, reportOnlyIn } from '../claims/compile.ts';
import type { Rules } from '../claims/rules.ts';
import { keyOf, parametersOf, type RequestView } from '../credentials/request.ts';
import type { Principal } from '../decision/principal.ts';
import { keepRecent } from '../decision/recent.ts';
import { ConfigError } from '../errors.ts';
import { kindOf } from '../values/kind.ts';
import { authorizeRequest } from './decide.ts';
import { isLocalRequest } from './local-request.ts';
import { refuseRequest } from './misuse.ts';
import { claimsMark, type RouteMark } from './route-report.ts';

/** What is sent. */
export interface RecentAnswer {
  readonly status: 200 | 403;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

/** Who may read decisions: programs of this machine, or callers whose claims satisfy rules. */
export type DecisionReaders = 'local' | Rules | CompiledRules;

/** What an adapter makes `recentDecisions` of. */
export interface RecentAnswerer {
  /** Undefined: only programs of this machine get the decisions. */
  readonly rules: CompiledRules | undefined;
  /** For the route report. */
  readonly marks: readonly RouteMark[];
  /**
   * Answers a request. With rules, it judges them, so the adapter passes the principal that it has
   * set, and what is thrown to the framework's own error path.
   * @throws AuthError with rules, for a principal that does not satisfy them, and for none
   */
  answer(view: RequestView, principal: Principal | undefined): RecentAnswer;
}

const NAME = 'recentDecisions';
const HEADERS = Object.freeze({
  'Content-Type': 'application/json',
  'Cache-Control': 'no-store',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
});
const NOT_LOCAL: RecentAnswer = Object.freeze({
  status: 403,
  headers: HEADERS,
  body: JSON.stringify({
    status: 403,
    message: 'The last decisions are only for programs of this machine, without a proxy.',
  }),
});

/**
 * Makes the answers with the last decisions, and keeps decisions from now on.
 * @param readers `local`, or rules: at least one, which refuses from the start
 * @throws ConfigError for anything else
 */
export function recentAnswerer(readers: DecisionReaders): RecentAnswerer {
  refuseRequest(readers, NAME, "'local', or rules, such as { scope: 'operate' }");
  const compiled = readers === 'local' ? undefined : readRules(readers);
  const recent = keepRecent();
  const sent = (): RecentAnswer => ({ status: 200, headers: HEADERS, body: JSON.stringify(recent()) });
  const mark: RouteMark = compiled === undefined ? { kind: 'public' } : claimsMark(compiled);
  return Object.freeze({
    rules: compiled,
    marks: Object.freeze([mark]),
    answer(view: RequestView, principal: Principal | undefined) {
      if (compiled === undefined) return isLocalRequest(view) ? sent() : NOT_LOCAL;
      authorizeRequest(keyOf(view), principal, compiled, parametersOf(view));
      return sent();
    },
  });
}

function readRules(rules: Rules | CompiledRules): CompiledRules {
  if (typeof rules !== 'object' || rules === null)
    throw new ConfigError(
      NAME,
      `expected 'local', or rules such as { scope: 'operate' }, got ${kindOf(rules)}`,
    );
  const compiled = compileRules(rules, NAME) as CompiledRules;
  if (compiled.route !== undefined)
    throw new ConfigError(NAME, 'expected rules, got route(…); write the rules, which options cannot change');
  if (claimNames(compiled).length === 0)
    throw new ConfigError(NAME, "expected at least one rule, such as { scope: 'operate' }");
  if (reportOnlyIn(compiled).length > 0)
    throw new ConfigError(NAME, 'expected rules that refuse, got one with enforce; remove enforce');
  return compiled;
}
