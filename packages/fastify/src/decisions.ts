// Answers with the last decisions. Core decides who may read them.
import type { DecisionReaders, Principal } from '@latchkey/core';
import { notAuthenticated, recentAnswerer } from '@latchkey/core/adapter';
import type { FastifyRequest, RouteHandlerMethod } from 'fastify';
import { requirements } from './routes.ts';

/**
 * Makes a handler that answers with the last 100 decisions of this process as JSON,
 * `RecentDecisions`, for `latchkey inspect`. No field has a value of a token. Decisions are kept
 * from this call on, in memory.
 *
 * With `local`, only programs of this machine get them: over a connection from loopback, for a
 * loopback name, and without a header of a proxy; all others get a 403. Give its
 * route `config: { auth: false }`. With rules, its route needs a token: only callers who satisfy
 * the rules get them, wherever they are. Behind a proxy on the same machine, use rules.
 * @param readers `local`, or rules: at least one, which refuses from the start
 * @throws ConfigError for anything else, at once
 * @example
 * ```ts
 * app.get('/decisions', { config: { auth: false } }, recentDecisions('local'));
 * app.get('/admin/decisions', recentDecisions({ scope: 'operate' }));
 * ```
 */
export function recentDecisions(readers: DecisionReaders): RouteHandlerMethod {
  const { rules: required, answer } = recentAnswerer(readers);
  const handler: RouteHandlerMethod = (request, reply) => {
    // Set when the plugin has decided, also about an anonymous request.
    if (required !== undefined && !Object.hasOwn(request, 'rawHeaders'))
      throw notAuthenticated('recentDecisions', 'the plugin; register @latchkey/fastify around this route');
    const { auth } = request as FastifyRequest & { readonly auth?: Principal | null };
    const { status, headers, body } = answer(request, auth ?? undefined);
    return reply.code(status).headers(headers).send(body);
  };
  if (required !== undefined) requirements.set(handler, required);
  return handler;
}
