// Runs the cases that every adapter must pass: called with a Request, and behind two servers of
// Node, which make requests of their own kind.
import type { IncomingMessage, RequestListener } from 'node:http';
import { getRequestListener, RequestError } from '@hono/node-server';
import { describeAdapter, type KnownGaps } from '@latchkey/conformance';
import { toNodeHandler } from 'srvx/node';
import { application } from './application.ts';

const gaps: KnownGaps = {
  'T-075: two tokens, comma-joined':
    'a Request joins repeated headers, so the answer is a 400 for several credentials, and not for a malformed one',
};

const events = { framework: 'web', hasRoutes: false };

describeAdapter('web', application, gaps, events);

describeAdapter(
  'web, behind @hono/node-server',
  (harness) =>
    getRequestListener((request, env) => application(harness).fetch(request, env.incoming), {
      errorHandler: (error) => new Response(null, { status: error instanceof RequestError ? 400 : 500 }),
      overrideGlobalObjects: false,
    }),
  gaps,
  events,
);

describeAdapter(
  'web, behind srvx',
  (harness) => {
    const { fetch } = application(harness);
    const answer = async (request: Request) => {
      try {
        return await fetch(request, nodeRequestOf(request));
      } catch {
        return new Response(null, { status: 500 });
      }
    };
    return toNodeHandler(answer) as RequestListener;
  },
  gaps,
  events,
);

/** The request of Node, which srvx puts next to the web-standard one. */
function nodeRequestOf(request: Request): IncomingMessage {
  return (request as unknown as { readonly runtime: { readonly node: { readonly req: IncomingMessage } } })
    .runtime.node.req;
}
