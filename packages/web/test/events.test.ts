// receiveEvents of web-standard requests: called, and behind a server of Node.
import { getRequestListener } from '@hono/node-server';
import { describeReceiver, type ReceiverHarness } from '@latchkey/conformance';
import { createGuard, receiveEvents, withAuth } from '../src/index.ts';

describeReceiver('web', application);

describeReceiver('web, behind @hono/node-server', (harness) =>
  getRequestListener(application(harness).fetch, { overrideGlobalObjects: false }),
);

function application({ authenticator, receiver }: ReceiverHarness) {
  const events = receiveEvents(receiver);
  const me = withAuth(createGuard(authenticator), () => Response.json({}));
  return {
    fetch: (request: Request) =>
      new URL(request.url).pathname === '/events' ? events(request) : me(request),
  };
}
