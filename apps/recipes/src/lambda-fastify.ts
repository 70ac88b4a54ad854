// lambda-fastify.ts: a Fastify application in AWS Lambda.
import awsLambdaFastify from '@fastify/aws-lambda';
import latchkey, { type Authenticator, getAuth } from '@latchkey/fastify';
import type { Context } from 'aws-lambda';
import fastify, { type FastifyInstance } from 'fastify';
import { joinHeaders, type LambdaEvent } from './lambda-events.ts';

/** The service, as a plugin. Nothing of it is for Lambda. */
export async function service(app: FastifyInstance, options: { authenticator: Authenticator }) {
  await app.register(latchkey, options);
  app.get('/health', { config: { auth: false } }, async () => ({ status: 'ok' }));
  const auth = { claims: { scope: 'orders:write' } };
  app.post('/orders', { config: { auth } }, async (request) => {
    return { subject: getAuth(request)?.subject, order: request.body };
  });
}

/** `export const handler = createHandler(createAuthenticator(options));` */
export function createHandler(authenticator: Authenticator) {
  // Fastify reads X-Forwarded-Proto of the gateway.
  const app = fastify({ trustProxy: true });
  app.addHook('onRequest', async ({ raw }) => {
    // The wrapper makes the raw headers of joined ones. Without them, core refuses joined ones.
    raw.rawHeaders = [];
  });
  app.register(service, { authenticator });
  // A balancer with multi-value headers sends and reads no others.
  const handle = awsLambdaFastify(app, { albMultiValueHeaders: true, decorateRequest: false });
  return (event: LambdaEvent, context: Context) => handle(joinHeaders(event), context);
}
