// receiveEvents on Fastify: next to the plugin that authenticates, and with parsers of the
// application.
import { describeReceiver, type ReceiverHarness } from '@latchkey/conformance';
import fastify, { type FastifyInstance } from 'fastify';
import latchkey, { receiveEvents } from '../src/index.ts';

describeReceiver('fastify', (harness) => application(fastify(), harness));

describeReceiver('fastify, with other parsers', (harness) => {
  const app = fastify();
  for (const type of ['application/x-www-form-urlencoded', 'application/secevent+jwt'])
    app.addContentTypeParser(type, { parseAs: 'string' }, (_request, _body, done) => done(null, {}));
  return application(app, harness);
});

async function application(app: FastifyInstance, { authenticator, receiver }: ReceiverHarness) {
  await app.register(latchkey, { authenticator, failOnUndecided: true });
  await app.register(receiveEvents(receiver, '/events'));
  app.get('/me', async () => ({}));
  await app.ready();
  return app.routing;
}
