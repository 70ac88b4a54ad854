// Answers with the last decisions. Core decides who may read them.
import type { DecisionReaders, Principal } from '@latchkey/core';
import { notAuthenticated, recentAnswerer } from '@latchkey/core/adapter';
import type { RequestHandler } from 'express';
import { refuse } from './refuse.ts';
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
 * @throws ConfigError for anything else, at once
 * @example
 * ```ts
 * app.get('/decisions', recentDecisions('local'));
 * app.get('/admin/decisions', authenticate(authenticator), recentDecisions({ scope: 'operate' }));
 * ```
 */
export function recentDecisions(readers: DecisionReaders): RequestHandler {
  const { rules: required, marks, answer } = recentAnswerer(readers);
  return mark(marks, (request, response, next) => {
    // Set by `authenticate`, also for an anonymous request.
    if (required !== undefined && !Object.hasOwn(request, 'auth'))
      throw notAuthenticated('recentDecisions', 'authenticate; register authenticate first');
    // Other packages declare a member of this name, in other ways.
    const { auth } = request as { readonly auth?: unknown };
    try {
      const { status, headers, body } = answer(request, auth as Principal | undefined);
      response.status(status).set(headers).send(body);
    } catch (error) {
      refuse(error, request, response, next);
    }
  });
}
