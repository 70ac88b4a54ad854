// Every way in which Express can reach a handler, with common plugins. No way may go round the
// guard.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { ApolloServer } from '@apollo/server';
import { expressMiddleware } from '@as-integrations/express5';
import { type BuiltWay, describeWays, serve, type Way, type WayBench } from '@latchkey/conformance';
import { knock } from '@latchkey/test-kit/socket';
import express, { type ErrorRequestHandler, type Express, type RequestHandler, Router } from 'express';
import expressWs from 'express-ws';
import { WebSocketServer } from 'ws';
import { authenticate, authenticateUpgrade, publicRoute, requireClaims } from '../src/index.ts';

const files = fileURLToPath(new URL('files', import.meta.url));

/** What a row adds to its application. */
interface Parts extends WayBench {
  readonly app: Express;
  /** Authenticates, and asks for the claims. */
  readonly guard: RequestHandler;
  /** Only authenticates. */
  readonly token: RequestHandler;
  readonly handler: RequestHandler;
}

function partsOf(bench: WayBench): Parts {
  const app = express();
  // Express would print errors.
  app.set('env', 'test');
  const { authenticator, rules, handled } = bench;
  return {
    ...bench,
    app,
    guard: authenticate(authenticator, { claims: rules }),
    token: authenticate(authenticator),
    handler: (_request, response) => {
      handled();
      response.send('handled');
    },
  };
}

/** A row that adds handlers to an application, requested over HTTP. */
const on =
  (put: (parts: Parts) => void) =>
  async (bench: WayBench): Promise<BuiltWay> => {
    const parts = partsOf(bench);
    put(parts);
    return serve(parts.app);
  };

interface SocketParts {
  readonly ws: expressWs.Application;
  readonly applyTo: (router: expressWs.Router) => void;
}

/** A row with a socket, requested by a WebSocket. */
const onSocket =
  (put: (parts: Parts & SocketParts) => void) =>
  async (bench: WayBench): Promise<BuiltWay> => {
    const parts = partsOf(bench);
    const { app, applyTo } = expressWs(parts.app);
    put({ ...parts, ws: app, applyTo });
    const server = app.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    return {
      ask: (headers) => knock(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/way`, headers),
      close: () => new Promise((resolve) => server.close(resolve)),
    };
  };

const socket =
  (handled: () => void) =>
  (ws: { on(event: 'message', heard: () => void): unknown; send(text: string): void }) =>
    ws.on('message', () => {
      handled();
      ws.send('handled');
    });

/**
 * express-ws answers the handshake before its routes run, and closes the socket when a route
 * refuses.
 */
const sockets = ['closed 1005', 'closed 1005', 'closed 1005', 'handled'] as const;

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
    name: 'the handler of requireClaims',
    build: on(({ app, token, rules, handled }) =>
      app.use(token).get(
        '/way',
        requireClaims(rules, (_request, response) => {
          handled();
          response.send('handled');
        }),
      ),
    ),
  },
  { name: 'app.all', build: on(({ app, guard, handler }) => app.all('/way', guard, handler)) },
  {
    name: 'app.all, requested with a WebDAV method',
    request: { method: 'PROPFIND' },
    build: on(({ app, guard, handler }) => app.all('/way', guard, handler)),
  },
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
    name: 'OPTIONS that Express answers itself',
    request: { method: 'OPTIONS' },
    lets: 'none',
    because: 'Express lists the methods of a route, and calls none of its handlers',
    outcomes: [200, 200, 200, 200],
    build: on(({ app, guard, handler }) => app.get('/way', guard, handler)),
  },
  { name: 'app.route', build: on(({ app, guard, handler }) => app.route('/way').all(guard).get(handler)) },
  {
    name: 'a list of handlers',
    build: on(({ app, guard, handler }) => app.get('/way', [guard, handler])),
  },
  {
    name: 'a wildcard, with an unusual spelling of the path',
    request: { path: '//x/../%77ay;a=b?c' },
    build: on(({ app, guard, handler }) => app.get('/{*path}', guard, handler)),
  },
  {
    name: 'a regular expression',
    build: on(({ app, guard, handler }) => app.get(/^\/w/, guard, handler)),
  },
  {
    name: 'a router with its own guard',
    build: on(({ app, guard, handler }) => app.use(Router().use(guard).get('/way', handler))),
  },
  {
    name: 'a router behind app.use',
    build: on(({ app, guard, handler }) => app.use(guard, Router().get('/way', handler))),
  },
  {
    name: 'a router in a router, with a parameter',
    request: { path: '/a/1/way' },
    build: on(({ app, guard, handler }) =>
      app.use('/a/:id', guard, Router().use(Router({ mergeParams: true }).get('/way', handler))),
    ),
  },
  {
    name: 'a sub-application',
    request: { path: '/sub/way' },
    build: on(({ app, guard, handler }) => app.use('/sub', guard, express().get('/way', handler))),
  },
  {
    name: 'a sub-application with its own guard, mounted twice',
    request: { path: '/b/way' },
    build: on(({ app, guard, handler }) => {
      const sub = express().use(guard).get('/way', handler);
      app.use('/a', sub).use('/b', sub);
    }),
  },
  {
    name: 'an application as a handler of another one',
    build: on(({ app, guard, handler }) =>
      app.use(guard, (request, response) => express().get('/way', handler)(request, response)),
    ),
  },
  {
    name: "next('route') past a guard to another route",
    build: on(({ app, guard, handler }) =>
      app.get('/way', (_request, _response, next) => next('route'), handler).get('/way', guard, handler),
    ),
  },
  {
    name: "next('router') past a guard to another router",
    build: on(({ app, guard, handler }) =>
      app
        .use(Router().get('/way', (_request, _response, next) => next('router'), handler))
        .use(Router().get('/way', guard, handler)),
    ),
  },
  {
    name: 'a URL that a public handler rewrites',
    request: { path: '/public' },
    build: on(({ app, guard, handler }) =>
      app
        .use('/public', publicRoute(), (request, _response, next) => {
          request.url = '/way';
          request.baseUrl = '';
          next();
        })
        .use(guard, handler),
    ),
  },
  {
    name: 'a parameter behind app.use',
    request: { path: '/way/1' },
    build: on(({ app, guard, handled, handler: _ }) => {
      const router = Router().get('/way/:id', (_request, response) => void response.send('handled'));
      router.param('id', (_request, _response, next) => {
        handled();
        next();
      });
      app.use(guard, router);
    }),
  },
  {
    name: 'a parameter of the route that has the guard',
    request: { path: '/way/1' },
    lets: 'everybody',
    because: 'Express reads parameters before the handlers of a route: docs/guides/routes.md',
    outcomes: [401, 401, 403, 200],
    build: on(({ app, guard, handled }) => {
      app.param('id', (_request, _response, next) => {
        handled();
        next();
      });
      app.get('/way/:id', guard, (_request, response) => void response.send('handled'));
    }),
  },
  {
    name: 'not found: the last handler',
    request: { path: '/nowhere' },
    build: on(({ app, guard, handler }) => app.get('/way', handler).use(guard, handler)),
  },
  {
    name: 'an error handler behind a handler that throws',
    outcomes: [401, 401, 403, 500],
    build: on(({ app, guard, handled }) => {
      const failing: RequestHandler = () => {
        throw new Error('the handler failed');
      };
      const telling: ErrorRequestHandler = (error, _request, _response, next) => {
        if (error.message === 'the handler failed') handled();
        next(error);
      };
      app.get('/way', guard, failing).use(telling);
    }),
  },
  {
    name: 'an error handler that goes on after a refusal',
    lets: 'everybody',
    because: 'the application drops the refusal, and routes() does not report such a route',
    build: on(({ app, guard, handler }) => {
      const forgiving: ErrorRequestHandler = (_error, _request, _response, next) => next();
      app.use(guard).use(forgiving).use(handler);
    }),
  },
  {
    name: 'an error handler that goes on to a route with requireClaims',
    outcomes: [401, 401, 401, 200],
    build: on(({ app, guard, rules, handler }) => {
      const forgiving: ErrorRequestHandler = (_error, _request, _response, next) => next();
      app.use(guard).use(forgiving).use(requireClaims(rules), handler);
    }),
  },
  {
    name: 'express.static',
    build: on(({ app, guard, handled }) =>
      app.use(guard, express.static(files, { setHeaders: () => handled() })),
    ),
  },
  {
    name: 'HEAD of express.static at a path',
    request: { method: 'HEAD', path: '/files/way' },
    build: on(({ app, guard, handled }) =>
      app.use('/files', guard, express.static(files, { setHeaders: () => handled() })),
    ),
  },
  {
    name: 'a file that a handler sends',
    build: on(({ app, guard, handled }) =>
      app.get('/way', guard, (_request, response) => {
        handled();
        response.sendFile('way', { root: files });
      }),
    ),
  },
  {
    name: 'server-sent events',
    build: on(({ app, guard, handled }) =>
      app.get('/way', guard, (_request, response) => {
        handled();
        response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: handled\n\n');
        setImmediate(() => response.end());
      }),
    ),
  },
  {
    name: 'an asynchronous handler',
    build: on(({ app, guard, handled }) =>
      app.get('/way', guard, async (_request, response) => {
        await Promise.resolve();
        handled();
        response.send('handled');
      }),
    ),
  },
  {
    name: 'several registrations of one guard',
    build: on(({ app, guard, token, handler }) =>
      app.use(token, token).use(guard).get('/way', guard, handler),
    ),
  },
  {
    name: 'a body parser in between',
    request: { method: 'POST' },
    build: on(({ app, guard, handler }) => app.use(guard, express.json()).post('/way', handler)),
  },
  {
    name: 'express-ws: the guard as a handler of the route',
    lets: 'none',
    because: 'express-ws calls it with the socket in place of the request: docs/guides/sockets.md',
    outcomes: ['closed 1011', 'closed 1011', 'closed 1011', 'closed 1011'],
    build: onSocket(({ ws, guard, handled }) => {
      const closing: ErrorRequestHandler = (_error, request, _response, _next) =>
        Reflect.get(request, 'ws').close(1011);
      ws.ws('/way', guard as never, socket(handled));
      ws.use(closing);
    }),
  },
  {
    name: 'express-ws: behind app.use',
    outcomes: sockets,
    build: onSocket(({ ws, guard, handled }) => {
      ws.use(guard);
      ws.ws('/way', socket(handled));
    }),
  },
  {
    name: 'express-ws: a route of a router',
    outcomes: sockets,
    build: onSocket(({ ws, guard, applyTo, handled }) => {
      const router = Router() as expressWs.Router;
      applyTo(router);
      router.ws('/way', socket(handled));
      ws.use(guard, router);
    }),
  },
  {
    name: 'an upgrade',
    outcomes: [401, 401, 403, 'handled'],
    build: async ({ authenticator, rules, handled }) => {
      const server = createServer();
      const sockets = new WebSocketServer({ noServer: true });
      server.on('upgrade', async (request, stream, head) => {
        const accepted = await authenticateUpgrade(authenticator, request, stream, { claims: rules });
        if (accepted !== undefined) sockets.handleUpgrade(request, stream, head, socket(handled));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return {
        ask: (headers) => knock(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/way`, headers),
        close: () => new Promise((resolve) => server.close(resolve)),
      };
    },
  },
  ...(['query', 'mutation'] as const).map(
    (operation): Way => ({
      name: `Apollo: a ${operation}`,
      build: async (bench) => {
        const parts = partsOf(bench);
        const read = () => {
          parts.handled();
          return 'handled';
        };
        const server = new ApolloServer({
          typeDefs: 'type Query { way: String } type Mutation { way: String }',
          resolvers: { Query: { way: read }, Mutation: { way: read } },
        });
        await server.start();
        parts.app.use('/graphql', parts.guard, express.json(), expressMiddleware(server));
        const { port, close } = await serve(parts.app);
        return {
          ask: async (headers) => {
            const init = {
              method: 'POST',
              headers: { 'content-type': 'application/json', ...headers },
              body: JSON.stringify({ query: `${operation} { way }` }),
            };
            return (await fetch(`http://127.0.0.1:${port}/graphql`, init)).status;
          },
          close: async () => {
            await close();
            await server.stop();
          },
        };
      },
    }),
  ),
];

describeWays('Express', ways);
