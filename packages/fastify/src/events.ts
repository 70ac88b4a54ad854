// The route that receives logout tokens and security event tokens. No decision is made here.
import type { Readable } from 'node:stream';
import type * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import type * as fastify from 'fastify';

/**
 * Makes a plugin that answers requests with logout tokens and security event tokens at a path, for
 * a receiver of `createEventReceiver`. The route is public. It has a parser of bodies of its own,
 * whatever parsers the application has.
 * @throws ConfigError for anything but a receiver, at once
 * @example
 * ```ts
 * const receiver = createEventReceiver(authenticator, { logout: { clientId: 'web' } });
 * await app.register(receiveEvents(receiver, '/backchannel-logout'));
 * ```
 */
export function receiveEvents(receiver: core.EventReceiver, path: string): fastify.FastifyPluginAsync {
  const answer = adapter.nodeEventAnswerer(receiver);
  const url = adapter.readText(path, 'receiveEvents.path');
  return async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    scope.route({
      method: ['POST', 'GET', 'PUT', 'PATCH', 'DELETE'],
      url,
      config: { auth: false },
      handler: async (request, reply) => {
        // The parser above passes the bytes on; there are none if the request has no body.
        const source = request.body === undefined ? [] : [request.body as Readable];
        const { status, headers, body } = await answer(request.raw, undefined, ...source);
        return reply.code(status).headers(headers).send(body);
      },
    });
  };
}
