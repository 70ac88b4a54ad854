// receiveEvents on Express 5 and 4: before and behind body parsers, on the application, a router
// and a route.
import { describeReceiver, type ReceiverGaps, type ReceiverHarness } from '@latchkey/conformance';
import express5, { type Express } from 'express';
import express4 from 'express4';
import { authenticate, receiveEvents } from '../src/index.ts';

/** The parser of forms has a limit of its own. */
const PARSED: ReceiverGaps = { 'a body that is too long': { status: 200 } };

describeReceiver('express', (harness) => {
  const app = express5();
  app.use('/events', receiveEvents(harness.receiver));
  return guarded(app, harness);
});

describeReceiver('express 4', (harness) => {
  const app = express4();
  app.all('/events', receiveEvents(harness.receiver));
  return guarded(app, harness);
});

describeReceiver(
  'express 4, behind parsers',
  (harness) => {
    const app = express4();
    app.use(express4.json(), express4.urlencoded({ extended: true }));
    app.all('/events', receiveEvents(harness.receiver));
    return guarded(app, harness);
  },
  PARSED,
);

describeReceiver(
  'express, behind parsers',
  (harness) => {
    const app = express5();
    app.use(express5.json(), express5.urlencoded({ limit: '100kb' }), express5.text({ type: 'text/*' }));
    app.use(express5.text({ type: 'application/secevent+jwt', limit: '100kb' }));
    const router = express5.Router();
    router.all('/events', receiveEvents(harness.receiver));
    app.use(router);
    return guarded(app, harness);
  },
  PARSED,
);

describeReceiver('express, behind a parser of bytes', (harness) => {
  const app = express5();
  app.use(express5.raw({ type: '*/*' }));
  app.use('/events', receiveEvents(harness.receiver));
  return guarded(app, harness);
});

function guarded(app: Express, { authenticator }: ReceiverHarness): Express {
  app.set('env', 'test');
  app.get('/me', authenticate(authenticator), (_request, response) => {
    response.json({});
  });
  return app;
}
