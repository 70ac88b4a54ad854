// What core has to know of a context of Hono, and what is changed of it.
import * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { matchedRoutes } from 'hono/route';

/** What the server does not say by itself. */
export interface RequestSettings {
  /**
   * How a request came, for `requireSecureTransport`. Read a header such as `X-Forwarded-Proto`
   * only if a proxy of yours sets it on every request. Default: whether the socket of Node is
   * encrypted, with @hono/node-server; elsewhere it is not known, and such requests are refused.
   */
  readonly protocol?: (c: Context) => 'https' | 'http';
  /**
   * The connection of a request, for `mutualTls`: an object with the address of the other end, such
   * as `{ remoteAddress: getConnInfo(c).remote.address }`. Default: the socket of Node, with
   * @hono/node-server; elsewhere it is not known, and the client has no certificate.
   */
  readonly socket?: (c: Context) => adapter.PeerSocket;
}

/** For the event `latchkey:decision`. */
export const HONO: adapter.RequestPlace<Context> = Object.freeze({
  framework: 'hono',
  routeOf,
  whenAnswered: 'adapter' as const,
});

/** The pattern of the last route that matches; undefined if only middleware does. */
function routeOf(c: Context): string | undefined {
  const last = matchedRoutes(c).at(-1);
  const isMiddleware = last?.method === 'ALL' && last.path.endsWith('*');
  return isMiddleware ? undefined : last?.path;
}

/** Shows the request to core. */
export function viewOf(c: Context, { protocol, socket }: RequestSettings = {}): adapter.RequestView {
  const incoming = incomingOf(c);
  const said = protocol === undefined ? incoming && adapter.protocolOf(incoming) : protocol(c);
  const connection = socket === undefined ? incoming?.socket : socket(c);
  return adapter.requestViewOf(c.req.raw, {
    params: c.req.param(),
    // It stays the same if a middleware replaces the Request.
    key: c.req,
    ...(said === 'https' || said === 'http' ? { protocol: said } : {}),
    ...(typeof connection === 'object' && connection !== null ? { socket: connection } : {}),
    ...(Array.isArray(incoming?.rawHeaders) ? { rawHeaders: incoming.rawHeaders } : {}),
  });
}

/** The request of Node, which @hono/node-server puts next to the web-standard one. */
function incomingOf(c: Context): Partial<Record<'rawHeaders' | 'socket', unknown>> | undefined {
  const env: unknown = c.env;
  if (typeof env !== 'object' || env === null || !Object.hasOwn(env, 'incoming')) return undefined;
  const incoming: unknown = Reflect.get(env, 'incoming');
  return typeof incoming === 'object' && incoming !== null ? incoming : undefined;
}

/** Removes a token in the query from what handlers and loggers read. */
export function concealToken(
  authenticator: Pick<core.Authenticator, 'conceal'>,
  view: adapter.RequestView,
  c: Context,
): void {
  const concealment = adapter.concealToken(authenticator, view, incomingOf(c) ?? {});
  if (concealment === undefined) return;
  c.req.raw = adapter.requestWithUrl(c.req.raw, concealment.strip(c.req.raw.url));
  for (const [name, value] of Object.entries(concealment.headers)) c.header(name, value);
}

/** A refusal in the form that Hono answers by itself; other errors are left as they are. */
export function refusal(error: unknown): unknown {
  if (!core.isAuthError(error)) return error;
  const { status, message } = error;
  const res = adapter.toResponse(error);
  return new HTTPException(status as 401, { res, message, cause: error });
}

/**
 * Takes the reply from the context, with all of its headers: Hono would merge them into the next
 * one, which may be that of an error.
 */
export function takeReply(c: Context): Response {
  const reply = c.res;
  c.res = undefined;
  c.res = new Response(null);
  return reply;
}
