// The cases that every adapter must pass, served by Koa.
import Router from '@koa/router';
import { describeAdapter, type Harness } from '@latchkey/conformance';
import Koa, { type Middleware } from 'koa';
import { authenticate, publicRoute, requireClaims } from '../src/index.ts';

describeAdapter('koa', ({ authenticator, routes }: Harness) => {
  const app = new Koa();
  app.silent = true;
  const router = new Router();
  for (const { method, path, access, handle } of routes) {
    const handler: Middleware = (ctx) => {
      ctx.body = handle(ctx.state.auth, ctx.originalUrl);
    };
    const { claims, ...overrides } = access === 'public' ? {} : access;
    const guards =
      access === 'public'
        ? [publicRoute()]
        : [authenticate(authenticator, overrides), ...(claims === undefined ? [] : [requireClaims(claims)])];
    if (method === 'GET') router.get(path, ...guards, handler);
    else router.post(path, ...guards, handler);
    if (access !== 'public') router.options(path, ...guards);
  }
  app.use(router.routes());
  return app.callback();
});
