// The contestants on Koa: one route behind each middleware, set up as its README says. Nothing is
// measured here.
import Router from '@koa/router';
import { authenticate, requireClaims } from '@latchkey/koa';
import jwksRsa from 'jwks-rsa';
import Koa from 'koa';
import jwt from 'koa-jwt';
import { ROUTE, SCOPE } from '../terms.ts';
import type { Starters } from './starter.ts';

/** The starters, by the contestant's name. */
export const starters: Starters<Koa> = {
  bare() {
    const router = new Router();
    router.get(ROUTE, (ctx) => {
      ctx.body = { of: 'public' };
    });
    const app = new Koa().use((_ctx, next) => next());
    app.use(router.routes());
    return app;
  },

  latchkey({ issuer, audience, jwksUrl, algorithm }) {
    const app = new Koa();
    const keyset = { issuer, jwksUrl, allowHttp: true, allowedAlgorithms: [algorithm] };
    app.use(authenticate({ keySets: [keyset], audience }));
    const router = new Router();
    router.get(
      ROUTE,
      requireClaims({ scope: SCOPE }, (ctx) => {
        ctx.body = { of: ctx.state.auth.subject };
      }),
    );
    app.use(router.routes());
    return app;
  },

  'koa-jwt'({ issuer, audience, jwksUrl, algorithm }) {
    const secret = jwksRsa.koaJwtSecret({ jwksUri: jwksUrl, cache: true });
    return behind(jwt({ secret, issuer, audience, algorithms: [algorithm] }));
  },

  'koa-jwt-fixed'({ issuer, audience, publicKey, algorithm }) {
    return behind(jwt({ secret: publicKey, issuer, audience, algorithms: [algorithm] }));
  },
};

function behind(middleware: Koa.Middleware): Koa {
  const router = new Router();
  router.get(ROUTE, (ctx) => {
    ctx.body = { of: ctx.state.user.sub };
  });
  const app = new Koa().use(middleware);
  app.use(router.routes());
  return app;
}
