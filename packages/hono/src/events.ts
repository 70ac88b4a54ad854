// Answers requests with logout tokens and security event tokens. What they end is decided by core.
import type { EventReceiver } from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import type { Context, MiddlewareHandler } from 'hono';
import { mark } from './routes.ts';

/**
 * Answers requests with logout tokens and security event tokens, for a receiver of
 * `createEventReceiver`. Put it before `authenticate`.
 * @throws ConfigError for anything but a receiver, at once
 * @example
 * ```ts
 * const receiver = createEventReceiver(authenticator, { logout: { clientId: 'web' } });
 * app.post('/backchannel-logout', receiveEvents(receiver));
 * ```
 */
export function receiveEvents(receiver: EventReceiver): MiddlewareHandler {
  const answer = adapter.eventAnswerer(receiver);
  return mark([{ kind: 'public' }], async (c) => {
    const { raw } = c.req;
    const { status, headers, body } = await answer({
      method: raw.method,
      contentType: raw.headers.get('content-type'),
      read: (limit) => (raw.bodyUsed ? bodyReadBefore(c) : adapter.readWebBody(raw, limit)),
    });
    return new Response(body === '' ? null : body, { status, headers });
  });
}

/** Hono keeps the body that a middleware has read. A kept form has no text. */
async function bodyReadBefore({ req }: Context): Promise<string> {
  if (req.bodyCache.formData === undefined) return req.text();
  const form = new URLSearchParams();
  for (const [name, value] of await req.formData()) if (typeof value === 'string') form.append(name, value);
  return form.toString();
}
