// Answers requests with logout tokens and security event tokens, on Express and on Fastify: before
// guards and routes, so that neither a guard nor a parser of bodies refuses them.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EventReceiver } from '@latchkey/core';
import { ConfigError } from '@latchkey/core';
import { asError, nodeEventAnswerer, readText } from '@latchkey/core/adapter';
import * as nest from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

type Incoming = IncomingMessage & { readonly originalUrl?: string; readonly body?: unknown };

/**
 * Makes a module that answers requests with logout tokens and security event tokens at a path, for
 * a receiver of `createEventReceiver`. The path is that of the URL, whatever the global prefix is.
 * @throws ConfigError for anything but a receiver, and for a path without a slash, at once
 * @example
 * ```ts
 * const authenticator = createAuthenticator({
 *   keySets: [{ issuer: 'https://accounts.google.com', useOidcDiscovery: true }],
 *   audience: 'https://api.example.com',
 *   revocation: {},
 * });
 * const receiver = createEventReceiver(authenticator, { logout: { clientId: 'web' } });
 *
 * @Module({ imports: [receiveEvents(receiver, '/backchannel-logout')] })
 * class LogoutModule {}
 * ```
 */
export function receiveEvents(receiver: EventReceiver, path: string): nest.Type {
  const answer = nodeEventAnswerer(receiver);
  if (!readText(path, 'receiveEvents.path').startsWith('/'))
    throw new ConfigError('receiveEvents.path', 'expected a path, like /backchannel-logout');

  async function send(request: Incoming, response: ServerResponse): Promise<void> {
    const { status, headers, body } = await answer(request, request.body);
    response.writeHead(status, headers).end(body);
  }

  class EventsModule {
    readonly #host: HttpAdapterHost;

    constructor(host: HttpAdapterHost) {
      this.#host = host;
    }

    /** Nest calls it before it adds any route. */
    configure(): void {
      this.#host.httpAdapter.use(
        (request: Incoming, response: ServerResponse, next: (error?: Error) => void) => {
          const [found] = (request.originalUrl ?? request.url ?? '').split('?');
          if (found !== path) return next();
          return send(request, response).catch((error: unknown) => next(asError(error)));
        },
      );
    }
  }
  nest.Inject(HttpAdapterHost)(EventsModule, undefined, 0);
  nest.Module({})(EventsModule);
  return EventsModule;
}
