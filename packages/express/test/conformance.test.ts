// The cases that every adapter must pass, served by Express.
import { describeAdapter, type Harness } from '@latchkey/conformance';
import type { Principal } from '@latchkey/core';
import express, { type Request, type RequestHandler } from 'express';
import { authenticate, requireClaims } from '../src/index.ts';

describeAdapter('express', ({ authenticator, routes }: Harness) => {
  const app = express();
  app.set('env', 'test');
  const guard = authenticate(authenticator);
  for (const { method, path, access, handle } of routes) {
    const handler: RequestHandler = (request, response) => {
      response.json(handle((request as Request & { auth?: Principal }).auth));
    };
    const before =
      access === 'public' ? [] : access === 'token' ? [guard] : [guard, requireClaims(access.claims)];
    if (method === 'GET') app.get(path, ...before, handler);
    else app.post(path, ...before, handler);
    if (access !== 'public') app.options(path, ...before);
  }
  return app;
});
