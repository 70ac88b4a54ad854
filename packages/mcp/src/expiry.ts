// Ends streams when the token of their caller expires. The timer is that of core.
import type { ServerResponse } from 'node:http';
import { whenExpired } from '@latchkey/core';
import { type Caller, principalOf } from './auth-info.ts';

const EVENT_STREAM = 'text/event-stream';

/**
 * Ends the event stream of a response when the token of its caller expires: that of a GET, and that
 * of a POST, whose call then has no result. The client connects again, with a new token. A response
 * that is not a stream is left alone: its request was decided when the token was valid. A token
 * without an end, and an anonymous caller, ends nothing.
 * @param response of `node:http`, also of Express, `ctx.res` of Koa and `reply.raw` of Fastify
 * @example
 * ```ts
 * const principal = await authenticator.authenticate(incoming);
 * endAtExpiry(response, principal);
 * await transport.handleRequest(withAuthInfo(incoming, principal), response, body);
 * ```
 */
export function endAtExpiry(response: ServerResponse, caller: Caller | undefined): void {
  // Node keeps the headers of `writeHead`, where the type is, only if there is one before.
  if (response.getHeaderNames().length === 0) response.setHeader('Cache-Control', 'no-store');
  const cancel = whenExpired(principalOf(caller), () => {
    // What the SDK still writes fails after the end, and it knows that from 'close'.
    response.on('error', () => {});
    if (endedStream(response)) return;
    // No stream yet. It ends at its first event.
    const write = response.write.bind(response);
    const guarded = (...given: Parameters<typeof write>) => endedStream(response) || write(...given);
    // The compiler sees only the last overload.
    response.write = guarded as typeof write;
  });
  response.once('close', cancel);
}

function endedStream(response: ServerResponse): boolean {
  if (!response.headersSent || !isStream(response.getHeader('content-type'))) return false;
  response.end();
  return true;
}

/**
 * The same for a web-standard `Response`, such as that of `createMcpHandler` of SDK v2.
 * @returns a response whose stream ends in time; any other response as it is
 * @example
 * ```ts
 * const principal = await authenticator.verify(token);
 * const answer = await transport.handleRequest(request, { authInfo: authInfoOf(principal) });
 * return endedAtExpiry(answer, principal);
 * ```
 */
export function endedAtExpiry(response: Response, caller: Caller | undefined): Response {
  const { body } = response;
  if (body === null || !isStream(response.headers.get('content-type'))) return response;
  const reader = body.getReader();
  let cancel = () => {};
  let isEnded = false;
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      cancel = whenExpired(principalOf(caller), () => {
        isEnded = true;
        controller.close();
        reader.cancel().catch(() => {});
      });
    },
    async pull(controller) {
      // A stream that has failed cannot be closed: that would throw in the timer.
      const { done, value } = await reader.read().catch((error: unknown) => {
        cancel();
        throw error;
      });
      if (isEnded) return;
      if (!done) {
        controller.enqueue(value);
        return;
      }
      cancel();
      controller.close();
    },
    cancel(reason) {
      cancel();
      return reader.cancel(reason);
    },
  });
  return new Response(stream, response);
}

function isStream(type: unknown): boolean {
  return String(type).trim().toLowerCase().startsWith(EVENT_STREAM);
}
