// Answers requests with logout tokens and security event tokens. What they end is decided by core.
import type { EventReceiver } from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';

/**
 * Makes a handler that answers requests with logout tokens and security event tokens, for a
 * receiver of `createEventReceiver`. It needs no access token.
 * @throws ConfigError for anything but a receiver, at once
 * @example
 * ```ts
 * // app/backchannel-logout/route.ts
 * const receiver = createEventReceiver(guard.authenticator, { logout: { clientId: 'web' } });
 * export const POST = receiveEvents(receiver);
 * ```
 */
export function receiveEvents(receiver: EventReceiver): (request: Request) => Promise<Response> {
  const answer = adapter.eventAnswerer(receiver);
  return async (request) => {
    const { status, headers, body } = await answer({
      method: request.method,
      contentType: request.headers.get('content-type'),
      read: (limit) => adapter.readWebBody(request, limit),
    });
    return new Response(body === '' ? null : body, { status, headers });
  };
}
