// receiveEvents on Hono: called, behind @hono/node-server, and behind middleware that has read the
// body.
import { getRequestListener } from '@hono/node-server';
import { describeReceiver, type ReceiverHarness } from '@latchkey/conformance';
import { Hono } from 'hono';
import { authenticate, receiveEvents } from '../src/index.ts';

describeReceiver('hono', (harness) => application(new Hono(), harness));

describeReceiver('hono, behind @hono/node-server', (harness) =>
  getRequestListener(application(new Hono(), harness).fetch, { overrideGlobalObjects: false }),
);

describeReceiver('hono, behind middleware that has read the text', (harness) => {
  const app = new Hono();
  app.use('/events', async (c, next) => {
    await c.req.text();
    await next();
  });
  return application(app, harness);
});

describeReceiver('hono, behind middleware that has read the form', (harness) => {
  const app = new Hono();
  app.use('/events', async (c, next) => {
    if (c.req.header('content-type')?.startsWith('application/x-www-form-urlencoded'))
      await c.req.parseBody();
    await next();
  });
  return application(app, harness);
});

function application(app: Hono, { authenticator, receiver }: ReceiverHarness): Hono {
  app.all('/events', receiveEvents(receiver));
  app.get('/me', authenticate(authenticator), (c) => c.json({}));
  return app;
}
