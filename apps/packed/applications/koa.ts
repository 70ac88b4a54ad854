// An application on Koa, as a user writes it. It is compiled, bundled and run in many ways.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Router from '@koa/router';
import {
  type Authenticator,
  type AuthState,
  allOf,
  authenticate,
  pattern,
  requireClaims,
} from '@latchkey/koa';
import Koa from 'koa';

export async function start(authenticator: Authenticator) {
  // @ts-expect-error: without the types of the package, this would be no error.
  const _kind: 'combined' = authenticator.kind;
  const app = new Koa();
  app.silent = true;
  const router = new Router<AuthState>();
  router.get('/me', (ctx) => {
    const subject: string | undefined = ctx.state.auth?.subject;
    ctx.body = JSON.stringify(subject);
  });
  router.get(
    '/admin',
    requireClaims({ roles: allOf('admin'), sub: pattern('[a-z]+') }, (ctx) => {
      const roles: readonly string[] = ctx.state.auth.claims.roles;
      ctx.body = roles;
    }),
  );
  app.use(async (ctx, next) => {
    if (ctx.path !== '/health') return next();
    ctx.body = '"ok"';
  });
  app.use(authenticate(authenticator)).use(router.routes());
  const server = createServer(app.callback());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
