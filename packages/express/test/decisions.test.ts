// The event of a decision has the pattern of the route as Express has it, also below mounted
// routers and applications, and never the path.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { serve } from '@latchkey/conformance';
import { authorize, type DecisionEvent, isAuthError } from '@latchkey/core';
import { createIssuer } from '@latchkey/testing';
import express, { type ErrorRequestHandler, Router } from 'express';
import { expect, it, onTestFinished } from 'vitest';
import { type AuthenticatedRequest, authenticate, requireClaims } from '../src/index.ts';

it('tells each request once, with the pattern of its route', async () => {
  const issuer = await createIssuer();
  const keySets = [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }];
  const app = express();
  const auth = authenticate({ keySets, audience: issuer.audience });
  // The second one decides anew, as the last one of a request.
  app.use(auth, auth);
  const inner = Router();
  inner.get('/orders/:id', (_request, response) => void response.json({}));
  inner.get(
    '/admin/:id',
    requireClaims({ roles: ['admin'] }, (_request, response) => response.json({})),
  );
  inner.get('/own/:id', (request, response) => {
    const caller = (request as unknown as AuthenticatedRequest).auth;
    authorize(caller, { roles: ['owner'] }, request);
    response.json({});
  });
  app.use('/tenants/:tenant', inner);
  app.use('/v1', inner);
  const mounted = express();
  mounted.get('/hello/:name', (_request, response) => void response.json({}));
  app.use('/sub/:x', mounted);
  const answer: ErrorRequestHandler = (error, _request, response, next) => {
    if (isAuthError(error)) response.status(error.status).json(error);
    else next(error);
  };
  app.use(answer);
  const { port, close, openRequests } = await serve(app);
  const events: DecisionEvent[] = [];
  const listener = (event: unknown) => events.push(event as DecisionEvent);
  subscribe('latchkey:decision', listener);
  onTestFinished(async () => {
    unsubscribe('latchkey:decision', listener);
    await close();
    await issuer.close();
  });
  const authorization = `Bearer ${await issuer.mint({ sub: 'alice' })}`;
  const ask = async (path: string, headers: Record<string, string> = { authorization }) => {
    const { status } = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    await openRequests();
    const told = events.splice(0).map(({ outcome, code, route }) => [outcome, code, route]);
    return [status, ...told];
  };
  expect(await ask('/tenants/a/orders/1')).toEqual([
    200,
    ['accepted', undefined, '/tenants/:tenant/orders/:id'],
  ]);
  expect(await ask('/v1/orders/2')).toEqual([200, ['accepted', undefined, '/v1/orders/:id']]);
  expect(await ask('/v1/admin/3')).toEqual([403, ['refused', 'claims_insufficient', '/v1/admin/:id']]);
  expect(await ask('/v1/own/4')).toEqual([403, ['refused', 'claims_insufficient', '/v1/own/:id']]);
  expect(await ask('/sub/5/hello/bob')).toEqual([200, ['accepted', undefined, '/sub/:x/hello/:name']]);
  expect(await ask('/nowhere/6')).toEqual([404, ['accepted', undefined, undefined]]);
  expect(await ask('/v1/orders/7', {})).toEqual([401, ['refused', 'credentials_missing', undefined]]);
});
