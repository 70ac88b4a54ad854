// Answers with the last decisions, by a controller. Core decides who may read them.
import type { DecisionReaders, Principal } from '@latchkey/core';
import { recentAnswerer } from '@latchkey/core/adapter';
import * as nest from '@nestjs/common';
import { Auth, Public, RequireClaims } from './decorators.ts';

/** The request of Express, or that of Fastify. */
type Request = Parameters<ReturnType<typeof recentAnswerer>['answer']>[0];

/** The members that Express's response and Fastify's reply both have. */
interface Reply {
  status(code: number): unknown;
  header(name: string, value: string): unknown;
  send(body: string): unknown;
}

/**
 * Makes a controller that answers with the last 100 decisions of this process as JSON,
 * `RecentDecisions`, for `latchkey inspect`. No field has a value of a token. Decisions are kept
 * from this call on, in memory.
 *
 * With `local`, only programs of this machine get them: over a connection from loopback, for a
 * loopback name, and without a header of a proxy; all others get a 403. With rules, only callers
 * who satisfy the rules get them, wherever they are. Behind a proxy on the same machine, use rules.
 * @param path of the route
 * @param readers `local`, or rules: at least one, which refuses from the start
 * @throws ConfigError for anything else, at once
 * @example
 * ```ts
 * @Module({ controllers: [recentDecisions('decisions', { scope: 'operate' })] })
 * class AppModule {}
 * ```
 */
export function recentDecisions(path: string, readers: DecisionReaders): nest.Type {
  const { rules, answer } = recentAnswerer(readers);
  class DecisionsController {
    list(request: Request, reply: Reply, principal: Principal | undefined): void {
      const { status, headers, body } = answer(request, principal);
      reply.status(status);
      for (const [name, value] of Object.entries(headers)) reply.header(name, value);
      reply.send(body);
    }
  }
  const { prototype } = DecisionsController;
  nest.Req()(prototype, 'list', 0);
  nest.Res()(prototype, 'list', 1);
  // It fails where no guard has run.
  Auth()(prototype, 'list', 2);
  const descriptor = Object.getOwnPropertyDescriptor(prototype, 'list');
  if (descriptor !== undefined) nest.Get(path)(prototype, 'list', descriptor);
  (rules === undefined ? Public() : RequireClaims(rules))(DecisionsController);
  nest.Controller()(DecisionsController);
  return DecisionsController;
}
