// receiveEvents on Koa 3 and 2: before and behind a body parser, and on a router.
import Router from '@koa/router';
import { describeReceiver, type ReceiverHarness } from '@latchkey/conformance';
import Koa3 from 'koa';
import Koa2 from 'koa2';
import { authenticate, receiveEvents } from '../src/index.ts';

describeReceiver('koa', (harness) => application(new Koa3(), harness));
describeReceiver('koa 2', (harness) => application(new Koa2(), harness));

function application(app: Koa3, { authenticator, receiver }: ReceiverHarness) {
  app.silent = true;
  const router = new Router();
  router.all('/events', receiveEvents(receiver));
  router.get('/me', authenticate(authenticator), (ctx) => {
    ctx.body = {};
  });
  app.use(router.routes());
  return app.callback();
}
