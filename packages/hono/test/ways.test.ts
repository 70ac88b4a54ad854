// Every way in which Hono can reach a handler. No way may go round the guard.
import { getRequestListener } from '@hono/node-server';
import { type BuiltWay, describeWays, serve, type Way, type WayBench } from '@latchkey/conformance';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { every, except, some } from 'hono/combine';
import { mount } from 'hono/mount';
import { authenticate, publicRoute, requireClaims } from '../src/index.ts';

/** What a row adds to its application. */
interface Parts extends WayBench {
  readonly app: Hono;
  /** Authenticates, and asks for the claims. */
  readonly guard: MiddlewareHandler;
  /** Only authenticates. */
  readonly token: MiddlewareHandler;
  readonly handler: (c: Context) => Response;
}

/** A row that adds middleware to an application, requested over HTTP. */
const on =
  (put: (parts: Parts) => unknown) =>
  async (bench: WayBench): Promise<BuiltWay> => {
    const app = new Hono();
    const { authenticator, rules, handled } = bench;
    put({
      ...bench,
      app,
      guard: authenticate(authenticator, { claims: rules }),
      token: authenticate(authenticator),
      handler: (c) => {
        handled();
        return c.text('handled');
      },
    });
    return serve(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  };

const ways: readonly Way[] = [
  { name: 'a route', build: on(({ app, guard, handler }) => app.get('/way', guard, handler)) },
  {
    name: 'a route behind app.use',
    build: on(({ app, guard, handler }) => app.use(guard).get('/way', handler)),
  },
  {
    name: 'requireClaims behind app.use',
    build: on(({ app, token, rules, handler }) => app.use(token).get('/way', requireClaims(rules), handler)),
  },
  {
    name: 'app.use with a path, and a trailing slash in the request',
    request: { path: '/a/way/' },
    lets: 'none',
    because: 'the router is strict: /a/way/ is another route, and no handler has it',
    outcomes: [401, 401, 403, 404],
    build: on(({ app, guard, handler }) => app.use('/a/*', guard).get('/a/way', handler)),
  },
  {
    name: 'a router that is not strict, with a trailing slash',
    request: { path: '/way/' },
    build: on(({ app, guard, handler }) =>
      app.route('/', new Hono({ strict: false }).get('/way/', guard, handler)),
    ),
  },
  {
    name: 'app.use with a path, and an escaped spelling of it',
    request: { path: '/%61/way' },
    build: on(({ app, guard, handler }) => app.use('/a/*', guard).get('/a/way', handler)),
  },
  {
    name: 'app.all',
    request: { method: 'PROPFIND' },
    build: on(({ app, guard, handler }) => app.all('/way', guard, handler)),
  },
  { name: 'app.on', build: on(({ app, guard, handler }) => app.on(['GET'], ['/way'], guard, handler)) },
  {
    name: 'HEAD of a GET route',
    request: { method: 'HEAD' },
    build: on(({ app, guard, handler }) => app.get('/way', guard, handler)),
  },
  {
    name: 'OPTIONS with a handler',
    request: { method: 'OPTIONS' },
    build: on(({ app, guard, handler }) => app.options('/way', guard, handler)),
  },
  {
    name: 'app.route, with the guard outside',
    request: { path: '/sub/way' },
    build: on(({ app, guard, handler }) =>
      app.use('/sub/*', guard).route('/sub', new Hono().get('/way', handler)),
    ),
  },
  {
    name: 'app.route, with the guard inside',
    request: { path: '/sub/way' },
    build: on(({ app, guard, handler }) => app.route('/sub', new Hono().use(guard).get('/way', handler))),
  },
  {
    name: 'app.route, into an application with its own error handler',
    request: { path: '/sub/way' },
    outcomes: [500, 500, 500, 200],
    build: on(({ app, guard, handler }) => {
      const inner = new Hono().use(guard).get('/way', handler);
      inner.onError((_, c) => c.text('failed', 500));
      app.route('/sub', inner);
    }),
  },
  {
    name: 'mount, behind the guard',
    request: { path: '/sub/way' },
    build: on(({ app, guard, handled }) => {
      app.use('/sub/*', guard);
      app.use(
        '/sub/*',
        mount(() => {
          handled();
          return new Response('handled');
        }),
      );
    }),
  },
  {
    name: 'every',
    build: on(({ app, token, guard, handler }) => app.use(every(token, guard)).get('/way', handler)),
  },
  {
    name: 'some, with the guard first',
    build: on(({ app, guard, handler }) => app.use(some(guard, guard)).get('/way', handler)),
  },
  {
    name: 'except: a path that is not excepted',
    build: on(({ app, guard, handler }) => app.use(except('/public', guard)).get('/way', handler)),
  },
  {
    name: 'except: a path that is',
    lets: 'everybody',
    because: 'except of Hono runs no middleware there',
    build: on(({ app, guard, handler }) => app.use(except('/way', guard)).get('/way', handler)),
  },
  {
    name: 'publicRoute: a mark only',
    build: on(({ app, guard, handler }) => app.use(guard).get('/way', publicRoute(), handler)),
  },
  {
    name: 'notFound behind app.use',
    request: { path: '/missing' },
    outcomes: [401, 401, 403, 200],
    build: on(({ app, guard, handler }) => {
      app.use(guard);
      app.notFound(handler);
    }),
  },
];

describeWays('hono', ways);
