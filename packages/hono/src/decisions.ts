// Answers with the last decisions. Core decides who may read them.
import type { DecisionReaders, Principal } from '@latchkey/core';
import { notAuthenticated, recentAnswerer } from '@latchkey/core/adapter';
import type { Context, MiddlewareHandler } from 'hono';
import { type RequestSettings, refusal, viewOf } from './context.ts';
import { mark } from './routes.ts';

/**
 * Answers with the last 100 decisions of this process as JSON, `RecentDecisions`, for `latchkey
 * inspect`. No field has a value of a token. Decisions are kept from this call on, in memory.
 *
 * With `local`, only programs of this machine get them: over a connection from loopback, for a
 * loopback name, and without a header of a proxy; all others get a 403. Put it before
 * `authenticate`. With rules, put it behind `authenticate`, as `requireClaims`: only callers who
 * satisfy the rules get them, wherever they are. Behind a proxy on the same machine, use rules.
 * @param readers `local`, or rules: at least one, which refuses from the start
 * @param settings `socket` says the connection, for `local`, where the server does not: a request
 *   without one is not of this machine
 * @throws ConfigError for anything else, at once
 * @example
 * ```ts
 * app.get('/decisions', recentDecisions('local'));
 * app.get('/admin/decisions', authenticate(authenticator), recentDecisions({ scope: 'operate' }));
 * ```
 */
export function recentDecisions(
  readers: DecisionReaders,
  settings?: Pick<RequestSettings, 'socket'>,
): MiddlewareHandler {
  const { rules, marks, answer } = recentAnswerer(readers);
  return mark(marks, async (c: Context<{ Variables: { readonly auth?: Principal } }>) => {
    // Set by `authenticate`, also for an anonymous request.
    if (rules !== undefined && !Object.hasOwn(c.var, 'auth'))
      throw notAuthenticated('recentDecisions', 'authenticate; register authenticate first');
    try {
      const { status, headers, body } = answer(viewOf(c, settings), c.var.auth);
      return new Response(body, { status, headers });
    } catch (error) {
      throw refusal(error);
    }
  });
}
