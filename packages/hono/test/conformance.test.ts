// Runs the cases that every adapter must pass: called with a Request, and behind @hono/node-server.
import { getRequestListener, RequestError } from '@hono/node-server';
import { describeAdapter, type Harness, type KnownGaps } from '@latchkey/conformance';
import { type Context, Hono } from 'hono';
import {
  type AuthVariables,
  authenticate,
  healthCheck,
  publicRoute,
  publishKeys,
  publishResource,
  recentDecisions,
  signResponse,
} from '../src/index.ts';

const gaps: KnownGaps = {
  'T-075: two tokens, comma-joined':
    'a Request joins repeated headers, so the answer is a 400 for several credentials, and not for a malformed one',
};

const events = { framework: 'hono', hasRoutes: true };

describeAdapter('hono', (harness) => application(harness, true), gaps, events);

describeAdapter(
  'hono, behind @hono/node-server',
  (harness) =>
    getRequestListener(application(harness).fetch, {
      errorHandler: (error) => new Response(null, { status: error instanceof RequestError ? 400 : 500 }),
      overrideGlobalObjects: false,
    }),
  {},
  events,
);

function application(harness: Harness, isCalled = false): Hono {
  const { authenticator, health, recent, routes, published, isResource, trustsProxy } = harness;
  const protocol = (c: Context) => (c.req.header('x-forwarded-proto') === 'https' ? 'https' : 'http');
  const app = new Hono();
  // The error handler of Hono prints what it does not know.
  app.onError((error, c) =>
    'getResponse' in error ? (error.getResponse as () => Response)() : c.text('Internal Server Error', 500),
  );
  if (isResource) app.use(publishResource(authenticator));
  app.get(health, healthCheck(authenticator));
  // The suite says it, and behind @hono/node-server Node does.
  const connection = isCalled ? { socket: (c: Context) => c.env.socket } : {};
  app.get(recent.local, recentDecisions('local', connection));
  app.get(recent.restricted, authenticate(authenticator), recentDecisions(recent.rules));
  for (const { path, signer } of published) app.get(path, publishKeys(signer));
  for (const { method, path, access, handle, reply, sign } of routes) {
    const handler = (c: Context<{ Variables: AuthVariables }>) => {
      const { pathname, search } = new URL(c.req.url);
      const body = handle(c.var.auth, `${pathname}${search}`);
      for (const [name, value] of Object.entries(reply?.headers ?? {})) c.header(name, value);
      c.status((reply?.status ?? 200) as 200);
      return typeof body === 'string' ? c.body(body) : c.json(body as object);
    };
    const settings = {
      protocol: trustsProxy ? protocol : () => 'http' as const,
      ...connection,
    };
    const guard = access === 'public' ? publicRoute() : authenticate(authenticator, access, settings);
    const handlers = sign === undefined ? [handler] : [signResponse(sign), handler];
    app.on([method], [path], guard, ...handlers);
    if (access !== 'public') app.options(path, guard, (c) => c.body(null, 204));
  }
  return app;
}
