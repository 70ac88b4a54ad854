// Every way in which Koa can reach a handler, with common plugins. No way may go round the guard.
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { bodyParser } from '@koa/bodyparser';
import Router from '@koa/router';
import { type BuiltWay, describeWays, serve, type Way, type WayBench } from '@latchkey/conformance';
import Koa, { type Middleware } from 'koa';
import mount from 'koa-mount';
import serveFiles from 'koa-static';
import { authenticate, publicRoute, requireClaims } from '../src/index.ts';

const files = fileURLToPath(new URL('files', import.meta.url));

/** What a row adds to its application. */
interface Parts extends WayBench {
  readonly app: Koa;
  readonly router: Router;
  /** Authenticates, and asks for the claims. */
  readonly guard: Middleware;
  /** Only authenticates. */
  readonly token: Middleware;
  readonly handler: Middleware;
}

/** A row that adds middleware to an application, requested over HTTP. */
const on =
  (put: (parts: Parts) => void) =>
  async (bench: WayBench): Promise<BuiltWay> => {
    const app = new Koa();
    app.silent = true;
    const { authenticator, rules, handled } = bench;
    put({
      ...bench,
      app,
      router: new Router(),
      guard: authenticate(authenticator, { claims: rules }) as Middleware,
      token: authenticate(authenticator) as Middleware,
      handler: (ctx) => {
        handled();
        ctx.body = 'handled';
      },
    });
    return serve(app.callback());
  };

const ways: readonly Way[] = [
  { name: 'middleware', build: on(({ app, guard, handler }) => app.use(guard).use(handler)) },
  {
    name: 'a route',
    build: on(({ app, router, guard, handler }) => app.use(router.get('/way', guard, handler).routes())),
  },
  {
    name: 'a route behind app.use',
    build: on(({ app, router, guard, handler }) => app.use(guard).use(router.get('/way', handler).routes())),
  },
  {
    name: 'requireClaims behind app.use',
    build: on(({ app, router, token, rules, handler }) =>
      app.use(token).use(router.get('/way', requireClaims(rules) as Middleware, handler).routes()),
    ),
  },
  {
    name: 'the handler of requireClaims',
    build: on(({ app, token, rules, handled }) =>
      app.use(token).use(
        requireClaims(rules, (ctx) => {
          handled();
          ctx.body = 'handled';
        }) as Middleware,
      ),
    ),
  },
  {
    name: 'router.use, without a prefix',
    build: on(({ app, router, guard, handler }) => app.use(router.use(guard).get('/way', handler).routes())),
  },
  {
    name: 'router.all, requested with a WebDAV method',
    request: { method: 'PROPFIND' },
    build: on(({ app, guard, handler }) => {
      const router = new Router({ methods: ['PROPFIND'] });
      app.use(router.register('/way', ['PROPFIND'], [guard, handler]) && router.routes());
    }),
  },
  {
    name: 'HEAD of a GET route',
    request: { method: 'HEAD' },
    build: on(({ app, router, guard, handler }) => app.use(router.get('/way', guard, handler).routes())),
  },
  {
    name: 'OPTIONS with a handler',
    request: { method: 'OPTIONS' },
    build: on(({ app, router, guard, handler }) => app.use(router.options('/way', guard, handler).routes())),
  },
  {
    name: 'OPTIONS that allowedMethods answers',
    request: { method: 'OPTIONS' },
    lets: 'none',
    because: 'the router lists the methods of a route, and calls none of its handlers',
    outcomes: [200, 200, 200, 200],
    build: on(({ app, router, guard, handler }) =>
      app.use(router.get('/way', guard, handler).routes()).use(router.allowedMethods()),
    ),
  },
  {
    name: 'a router with a prefix',
    request: { path: '/a/way' },
    build: on(({ app, guard, handler }) =>
      app.use(new Router({ prefix: '/a' }).get('/way', guard, handler).routes()),
    ),
  },
  {
    name: 'a router in a router, with a parameter',
    request: { path: '/a/1/way' },
    build: on(({ app, router, guard, handler }) =>
      app.use(guard).use(router.use('/a/:id', new Router().get('/way', handler).routes()).routes()),
    ),
  },
  {
    name: 'a router for one host',
    request: { path: '/way' },
    build: on(({ app, guard, handler }) =>
      app.use(new Router({ host: 'localhost' }).get('/way', guard, handler).routes()),
    ),
  },
  {
    name: 'a route by a regular expression, with an unusual spelling of the path',
    request: { path: '//x/../%77ay;a=b?c' },
    build: on(({ app, router, guard, handler }) => app.use(router.get(/.*/, guard, handler).routes())),
  },
  {
    name: 'two routes of one path: both run behind both guards',
    build: on(({ app, router, guard, handler }) => {
      router.get('/way', guard, (_ctx, next) => next()).get('/way', guard, handler);
      app.use(router.routes());
    }),
  },
  {
    name: 'a route that another one redirects to',
    request: { path: '/old' },
    lets: 'none',
    because: 'the caller makes another request, with or without a token',
    outcomes: [301, 301, 301, 301],
    build: on(({ app, router, guard, handler }) =>
      app.use(router.redirect('/old', '/way').get('/way', guard, handler).routes()),
    ),
  },
  {
    name: 'a URL that public middleware rewrites',
    request: { path: '/public' },
    build: on(({ app, router, guard, handler }) =>
      app
        .use(async (ctx, next) => {
          if (ctx.path === '/public') ctx.url = '/way';
          await next();
        })
        .use(publicRoute())
        .use(router.get('/way', guard, handler).routes()),
    ),
  },
  {
    name: 'a parameter behind app.use',
    request: { path: '/way/1' },
    build: on(({ app, router, guard, handled }) => {
      router.param('id', (_id, _ctx, next) => {
        handled();
        return next();
      });
      router.get('/way/:id', (ctx) => {
        ctx.body = 'handled';
      });
      app.use(guard).use(router.routes());
    }),
  },
  {
    name: 'a parameter of the route that has the guard',
    request: { path: '/way/1' },
    lets: 'everybody',
    because: 'the router reads parameters before the middleware of a route: docs/guides/routes.md',
    outcomes: [401, 401, 403, 200],
    build: on(({ app, router, guard, handled }) => {
      router.param('id', (_id, _ctx, next) => {
        handled();
        return next();
      });
      router.get('/way/:id', guard, (ctx) => {
        ctx.body = 'handled';
      });
      app.use(router.routes());
    }),
  },
  {
    name: 'koa-mount: an application',
    request: { path: '/sub/way' },
    build: on(({ app, guard, handler }) => app.use(guard).use(mount('/sub', new Koa().use(handler)))),
  },
  {
    name: 'koa-mount: an application with its own guard',
    request: { path: '/sub/way' },
    build: on(({ app, guard, handler }) => app.use(mount('/sub', new Koa().use(guard).use(handler)))),
  },
  {
    name: 'koa-mount: middleware, in another mount',
    request: { path: '/a/b/way' },
    build: on(({ app, guard, handler }) =>
      app.use(mount('/a', new Koa().use(guard).use(mount('/b', handler)))),
    ),
  },
  {
    name: 'koa-static',
    build: on(({ app, guard, handled }) =>
      app.use(guard).use(serveFiles(files, { setHeaders: () => handled() })),
    ),
  },
  {
    name: 'HEAD of koa-static, mounted',
    request: { method: 'HEAD', path: '/files/way' },
    build: on(({ app, guard, handled }) =>
      app.use(guard).use(mount('/files', serveFiles(files, { setHeaders: () => handled() }))),
    ),
  },
  {
    name: 'koa-static that is deferred, before the guard',
    outcomes: [401, 401, 403, 200],
    build: on(({ app, guard, handled }) =>
      app.use(serveFiles(files, { defer: true, setHeaders: () => handled() })).use(guard),
    ),
  },
  {
    name: 'not found: the last middleware',
    request: { path: '/nowhere' },
    build: on(({ app, router, guard, handler }) =>
      app.use(guard).use(router.get('/way', handler).routes()).use(handler),
    ),
  },
  {
    name: 'middleware that continues after a refusal, to a route with requireClaims',
    outcomes: [401, 401, 401, 200],
    build: on(({ app, guard, rules, handler }) =>
      app
        .use(async (ctx, next) => {
          try {
            await guard(ctx, async () => {});
          } catch {
            // The middleware drops the refusal.
          }
          await next();
        })
        .use(requireClaims(rules) as Middleware)
        .use(handler),
    ),
  },
  {
    name: "the application's error event behind a handler that throws",
    outcomes: [401, 401, 403, 500],
    build: on(({ app, guard, handled }) => {
      app.on('error', (error: Error) => {
        if (error.message === 'the handler failed') handled();
      });
      app.use(guard).use(() => {
        throw new Error('the handler failed');
      });
    }),
  },
  {
    name: 'a reply past Koa (ctx.respond = false)',
    build: on(({ app, guard, handled }) =>
      app.use(guard).use((ctx) => {
        handled();
        ctx.respond = false;
        ctx.res.statusCode = 200;
        ctx.res.end('handled');
      }),
    ),
  },
  {
    name: 'server-sent events',
    build: on(({ app, guard, handled }) =>
      app.use(guard).use((ctx) => {
        handled();
        const events = new PassThrough();
        ctx.type = 'text/event-stream';
        ctx.body = events;
        events.end('data: handled\n\n');
      }),
    ),
  },
  {
    name: 'asynchronous middleware around it',
    build: on(({ app, guard, handler }) =>
      app
        .use(async (_ctx, next) => {
          await Promise.resolve();
          await next();
        })
        .use(guard)
        .use(handler),
    ),
  },
  {
    name: 'several registrations of one guard',
    build: on(({ app, router, guard, token, handler }) =>
      app
        .use(token)
        .use(token)
        .use(guard)
        .use(router.get('/way', guard, handler).routes()),
    ),
  },
  {
    name: 'a body parser in between',
    request: { method: 'POST' },
    build: on(({ app, guard, handler }) => app.use(guard).use(bodyParser()).use(handler)),
  },
  {
    name: 'an application as the handler of a server, for an upgrade that comes as a GET',
    request: { headers: { upgrade: 'websocket' } },
    build: async (bench) => {
      const built = await on(({ app, guard, handler }) => app.use(guard).use(handler))(bench);
      return built;
    },
  },
];

describeWays('Koa', ways);
