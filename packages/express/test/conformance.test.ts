// Runs the cases that every adapter must pass on Express.
import { describeAdapter, type Harness } from '@latchkey/conformance';
import type { Principal } from '@latchkey/core';
import express, { type Request, type RequestHandler } from 'express';
import { authenticate, publicRoute, publishKeys, signResponse } from '../src/index.ts';

describeAdapter('express', ({ authenticator, routes, published }: Harness) => {
  const app = express();
  app.set('env', 'test');
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
});
