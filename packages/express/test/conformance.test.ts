// Runs the cases that every adapter must pass on Express 5 and 4.
import { describeAdapter, type Harness } from '@latchkey/conformance';
import type { Principal } from '@latchkey/core';
import express5, { type Request, type RequestHandler } from 'express';
import express4 from 'express4';
import {
  authenticate,
  healthCheck,
  publicRoute,
  publishKeys,
  publishResource,
  recentDecisions,
  signResponse,
} from '../src/index.ts';

const events = { framework: 'express', hasRoutes: true };
describeAdapter('express', (harness: Harness) => application(express5(), harness), {}, events);
describeAdapter('express 4', (harness: Harness) => application(express4(), harness), {}, events);

function application(app: express5.Express, harness: Harness) {
  const { authenticator, health, recent, routes, published, isResource, trustsProxy } = harness;
  app.set('env', 'test');
  app.set('trust proxy', trustsProxy);
  if (isResource) app.use(publishResource(authenticator));
  app.get(health, healthCheck(authenticator));
  app.get(recent.local, recentDecisions('local'));
  app.get(recent.restricted, authenticate(authenticator), recentDecisions(recent.rules));
  for (const { path, signer } of published) app.get(path, publishKeys(signer));
  for (const { method, path, access, handle, reply, sign } of routes) {
    const handler: RequestHandler = (request, response) => {
      const { auth, originalUrl } = request as Request & { auth?: Principal };
      const body = handle(auth, originalUrl);
      response.status(reply?.status ?? 200).set(reply?.headers ?? {});
      if (typeof body === 'string') response.send(body);
      else response.json(body);
    };
    const guards = [access === 'public' ? publicRoute() : authenticate(authenticator, access)];
    const handlers = sign === undefined ? [handler] : [signResponse(sign), handler];
    if (method === 'GET') app.get(path, ...guards, ...handlers);
    else app.post(path, ...guards, ...handlers);
    if (access !== 'public') app.options(path, ...guards);
  }
  return app;
}
