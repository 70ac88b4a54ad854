// The cases that every adapter must pass, served by Express.
import { describeAdapter, type Harness } from '@latchkey/conformance';
import type { Principal } from '@latchkey/core';
import express, { type Request, type RequestHandler } from 'express';
import { authenticate, publicRoute, requireClaims } from '../src/index.ts';

describeAdapter('express', ({ authenticator, routes }: Harness) => {
  const app = express();
  app.set('env', 'test');
  for (const { method, path, access, handle } of routes) {
    const handler: RequestHandler = (request, response) => {
      const { auth, originalUrl } = request as Request & { auth?: Principal };
      response.json(handle(auth, originalUrl));
    };
    const { claims, ...overrides } = access === 'public' ? {} : access;
    const guards =
      access === 'public'
        ? [publicRoute()]
        : [authenticate(authenticator, overrides), ...(claims === undefined ? [] : [requireClaims(claims)])];
    if (method === 'GET') app.get(path, ...guards, handler);
    else app.post(path, ...guards, handler);
    if (access !== 'public') app.options(path, ...guards);
  }
  return app;
});
