// Runs the cases that every adapter must pass on Koa 3 and 2.
import Router from '@koa/router';
import { describeAdapter, type Harness } from '@latchkey/conformance';
import Koa3, { type Middleware } from 'koa';
import Koa2 from 'koa2';
import {
  authenticate,
  healthCheck,
  publicRoute,
  publishKeys,
  publishResource,
  recentDecisions,
  signResponse,
} from '../src/index.ts';

const events = { framework: 'koa', hasRoutes: true };
describeAdapter('koa', (harness: Harness) => application(new Koa3(), harness), {}, events);
describeAdapter('koa 2', (harness: Harness) => application(new Koa2(), harness), {}, events);

function application(app: Koa3, harness: Harness) {
  const { authenticator, health, recent, routes, published, isResource, trustsProxy } = harness;
  app.silent = true;
  app.proxy = trustsProxy;
  if (isResource) app.use(publishResource(authenticator));
  const router = new Router();
  router.get(health, healthCheck(authenticator));
  router.get(recent.local, recentDecisions('local'));
  router.get(recent.restricted, authenticate(authenticator), recentDecisions(recent.rules));
  for (const { path, signer } of published) router.get(path, publishKeys(signer));
  for (const { method, path, access, handle, reply, sign } of routes) {
    const handler: Middleware = (ctx) => {
      const body = handle(ctx.state.auth, ctx.originalUrl);
      ctx.status = reply?.status ?? 200;
      ctx.set(reply?.headers ?? {});
      ctx.body = body;
    };
    const guards = [access === 'public' ? publicRoute() : authenticate(authenticator, access)];
    const handlers = sign === undefined ? [handler] : [signResponse(sign), handler];
    if (method === 'GET') router.get(path, ...guards, ...handlers);
    else router.post(path, ...guards, ...handlers);
    if (access !== 'public') router.options(path, ...guards);
  }
  app.use(router.routes());
  return app.callback();
}
