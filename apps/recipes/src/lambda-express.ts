// lambda-express.ts: an Express application in AWS Lambda, with either of two wrappers.
import { configure as serverlessExpress } from '@codegenie/serverless-express';
import { type Authenticator, authenticate, publicRoute, requireClaims } from '@latchkey/express';
import type { Context } from 'aws-lambda';
import express, { type Express } from 'express';
import serverlessHttp from 'serverless-http';
import { joinHeaders, type LambdaEvent } from './lambda-events.ts';

/** The service. Nothing of it is for Lambda. */
export function createApp(authenticator: Authenticator): Express {
  const app = express();
  app.get('/health', publicRoute(), (_request, response) => void response.json({ status: 'ok' }));
  app.use(authenticate(authenticator));
  app.post(
    '/orders',
    express.json(),
    requireClaims({ scope: 'orders:write' }, ({ auth, body }, response) => {
      response.json({ subject: auth.subject, order: body });
    }),
  );
  return app;
}

function inLambda(app: Express): Express {
  const outer = express();
  // The wrappers say of each request that it came by https. Only the gateway knows.
  outer.set('trust proxy', true);
  outer.use((request, _response, next) => {
    // The wrappers have no raw headers, or make them of joined ones. Without them, core refuses
    // joined ones. Node makes the headers of the raw headers, at the first use.
    if (request.headers !== undefined) request.rawHeaders = [];
    next();
  });
  return outer.use(app);
}

/** `export const handler = withServerlessHttp(createApp(createAuthenticator(options)));` */
export function withServerlessHttp(app: Express) {
  const handle = serverlessHttp(inLambda(app));
  return (event: LambdaEvent, context: Context) => handle(joinHeaders(event), context);
}

/** `export const handler = withServerlessExpress(createApp(createAuthenticator(options)));` */
export function withServerlessExpress(app: Express) {
  const handle = serverlessExpress({ app: inLambda(app) });
  return async (event: LambdaEvent, context: Context) => handle(joinHeaders(event), context, () => {});
}
