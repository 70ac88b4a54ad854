// Options in a file, and routes by name, in a Koa application. The cases for all adapters are in
// the conformance suite.
import Router from '@koa/router';
import { describeDescriptor } from '@latchkey/conformance';
import type { CompiledRules } from '@latchkey/core/adapter';
import Koa from 'koa';
import { expect, expectTypeOf, it } from 'vitest';
import { authenticate, requireClaims, route } from '../src/index.ts';

function application(): Koa {
  const app = new Koa();
  app.silent = true;
  return app;
}

describeDescriptor(
  'authenticate() on the application, and requireClaims() with a handler',
  async (options) => {
    const app = application();
    app.use(authenticate(options));
    const router = new Router();
    router.get(
      '/me',
      requireClaims({}, (ctx) => {
        ctx.body = { subject: ctx.state.auth.subject };
      }),
    );
    router.get(
      '/admin',
      requireClaims(route('admin'), (ctx) => {
        expectTypeOf(ctx.state.auth.subject).toEqualTypeOf<string | undefined>();
        expectTypeOf(ctx.state.auth.claims.roles).toEqualTypeOf<unknown>();
        ctx.body = { subject: ctx.state.auth.subject };
      }),
    );
    app.use(router.routes());
    return { listener: app.callback(), close: undefined };
  },
);

describeDescriptor('authenticate() on routes, and requireClaims() before handlers', async (options) => {
  const app = application();
  const guard = authenticate(options);
  const router = new Router();
  router.get('/me', guard, (ctx) => {
    ctx.body = { subject: ctx.state.auth?.subject };
  });
  router.get('/admin', guard, requireClaims(route('admin')), (ctx) => {
    ctx.body = { subject: ctx.state.auth.subject };
  });
  app.use(router.routes());
  return { listener: app.callback(), close: undefined };
});

it('a descriptor takes the settings next to it, and refuses options', () => {
  // The options are in the file.
  expect(() => authenticate({ descriptor: 'service.yaml', keySets: [] })).toThrow('keySets');
  // @ts-expect-error a path is a text
  expect(() => authenticate({ descriptor: 5 })).toThrow('descriptor');
});

it('AK-42: a route by name can be used like rules', () => {
  expectTypeOf(route('admin')).toEqualTypeOf<CompiledRules>();
  // @ts-expect-error it stands by itself
  expect(() => requireClaims([route('admin')])).toThrow('cannot nest compiled rules');
});
