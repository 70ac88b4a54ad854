// Answers with the last decisions. Core decides who may read them.
import type * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import type { Guard, RequestExtras } from './guard.ts';
import { withAuth } from './with-auth.ts';

/**
 * Makes a handler that answers with the last 100 decisions of this process as JSON,
 * `RecentDecisions`, for `latchkey inspect`. No field has a value of a token. Decisions are kept
 * from this call on, in memory.
 *
 * With `local`, only programs of this machine get them: over a connection from loopback, which
 * `extras.socket` says, for a loopback name, and without a header of a proxy; all others get a 403.
 * With rules, only callers who satisfy the rules get them, wherever they are. Behind a proxy on the
 * same machine, use rules.
 * @param readers `local`, or rules: at least one, which refuses from the start
 * @param guard authenticates the callers, with rules
 * @throws ConfigError for anything else, at once
 * @example
 * ```ts
 * // app/decisions/route.ts
 * export const GET = recentDecisions({ scope: 'operate' }, guard);
 * ```
 */
export function recentDecisions(
  readers: 'local',
): (request: Request, extras?: RequestExtras) => Promise<Response>;
export function recentDecisions(
  readers: core.Rules | core.CompiledRules,
  guard: Guard,
): (request: Request, extras?: RequestExtras) => Promise<Response>;
export function recentDecisions(readers: core.DecisionReaders, ...by: readonly Guard[]) {
  const { rules, answer } = adapter.recentAnswerer(readers);
  const send = (request: Request, principal?: core.Principal, extras?: RequestExtras) => {
    const { status, headers, body } = answer(adapter.requestViewOf(request, extras), principal);
    return new Response(body, { status, headers });
  };
  if (rules === undefined)
    return async (request: Request, extras?: RequestExtras) => send(request, undefined, extras);
  const [guard] = by;
  return withAuth(
    guard as Guard,
    (request: Request, auth: core.Principal | undefined, extras?: RequestExtras) =>
      send(request, auth, extras),
    { claims: rules },
    (_request: Request, extras?: RequestExtras) => extras ?? {},
  );
}
