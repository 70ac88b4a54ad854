// Every way in which Fastify can reach a handler, with common plugins. No way may go round the
// guard.
import { connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import fastifyExpress from '@fastify/express';
import fastifyStatic from '@fastify/static';
import fastifyWebsocket from '@fastify/websocket';
import { type BuiltWay, describeWays, type Way, type WayBench, type WayHeaders } from '@latchkey/conformance';
import { knock } from '@latchkey/test-kit/socket';
import express from 'express';
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  type RouteShorthandOptions,
} from 'fastify';
import mercurius, { type MercuriusOptions } from 'mercurius';
import { WebSocket } from 'ws';
import latchkey, { type RouteConfig, requireClaims } from '../src/index.ts';

// Its types and those of @fastify/express declare the same names, so the compiler must not load
// both.
const MIDDIE: string = '@fastify/middie';

const files = fileURLToPath(new URL('files', import.meta.url));

interface Parts extends WayBench {
  readonly app: FastifyInstance;
  /** The options of a route that needs the claims. */
  readonly guarded: RouteShorthandOptions & { readonly config: RouteConfig };
  readonly handler: () => Promise<string>;
}

async function make(
  bench: WayBench,
  put: (parts: Parts) => unknown,
  { server = {}, notFound = false }: { server?: FastifyServerOptions; notFound?: boolean } = {},
): Promise<FastifyInstance> {
  const app = fastify(server);
  const { authenticator, rules, handled } = bench;
  await app.register(latchkey, { authenticator, ...(notFound ? { notFound: { claims: rules } } : {}) });
  const handler = async () => {
    handled();
    return 'handled';
  };
  await put({ ...bench, app, guarded: { config: { auth: { claims: rules } } }, handler });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app;
}

const portOf = (app: FastifyInstance) => (app.server.address() as AddressInfo).port;

/** A row that adds routes to an application, requested over HTTP. */
const on =
  (put: (parts: Parts) => unknown, options?: Parameters<typeof make>[2]) =>
  async (bench: WayBench): Promise<BuiltWay> => {
    const app = await make(bench, put, options);
    return { port: portOf(app), close: () => app.close() };
  };

/** A row with a socket, requested by a WebSocket. */
const onSocket =
  (put: (parts: Parts) => unknown) =>
  async (bench: WayBench): Promise<BuiltWay> => {
    const app = await make(bench, async (parts) => {
      await parts.app.register(fastifyWebsocket);
      await put(parts);
    });
    return {
      ask: (headers) => knock(`ws://127.0.0.1:${portOf(app)}/way`, headers),
      close: () => app.close(),
    };
  };

const socket =
  (handled: () => void) =>
  (ws: { on(event: 'message', heard: () => void): unknown; send(text: string): void }) =>
    void ws.on('message', () => {
      handled();
      ws.send('handled');
    });
const sockets = [401, 401, 403, 'handled'] as const;

/** Mercurius behind the plugin: its routes have no `config`, so a hook judges the claims. */
const onGraphql =
  (
    query: string,
    options: (parts: Parts) => MercuriusOptions,
    ask?: (port: number, headers: WayHeaders) => Promise<string | number>,
  ) =>
  async (bench: WayBench): Promise<BuiltWay> => {
    const app = await make(bench, async (parts) => {
      await parts.app.register(async (scope) => {
        scope.addHook('onRequest', requireClaims(parts.rules));
        await scope.register(mercurius, options(parts));
      });
    });
    const post = async (headers: WayHeaders) => {
      const { statusCode } = await app.inject({
        method: 'POST',
        url: '/graphql',
        payload: { query },
        headers,
      });
      return statusCode;
    };
    return {
      ask: (headers) => (ask === undefined ? post(headers) : ask(portOf(app), headers)),
      close: () => app.close(),
    };
  };

const read = (handled: () => void) => async () => {
  handled();
  return 'handled';
};

/** One subscription by the protocol of Mercurius. */
function subscribe(port: number, headers: WayHeaders): Promise<string | number> {
  return new Promise((resolve, reject) => {
    const client = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws', { headers });
    const send = (message: object) => client.send(JSON.stringify(message));
    client.on('open', () => send({ type: 'connection_init' }));
    client.on('message', (data) => {
      const { type } = JSON.parse(String(data));
      if (type === 'connection_ack')
        send({ id: '1', type: 'subscribe', payload: { query: 'subscription { way }' } });
      else {
        resolve(type);
        client.terminate();
      }
    });
    client.on('unexpected-response', (_request, response) => {
      client.on('error', () => {});
      client.terminate();
      resolve(response.statusCode ?? 0);
    });
    client.on('close', (code) => resolve(`closed ${code}`));
    client.on('error', reject);
  });
}

/** One request by HTTP/2. */
function getByHttp2(port: number, headers: WayHeaders): Promise<number> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`);
    session.on('error', reject);
    const stream = session.request({ ':path': '/way', ...headers });
    stream.on('response', ({ ':status': status = 0 }) => {
      resolve(status);
      session.destroy();
    });
    stream.end();
  });
}

const ways: readonly Way[] = [
  { name: 'a route', build: on(({ app, guarded, handler }) => app.get('/way', guarded, handler)) },
  {
    name: 'requireClaims as a hook of a route',
    build: on(({ app, rules, handler }) => app.get('/way', { onRequest: requireClaims(rules) }, handler)),
  },
  {
    name: 'requireClaims as a later hook of a scope',
    build: on(({ app, rules, handler }) =>
      app.addHook('preHandler', requireClaims(rules)).get('/way', handler),
    ),
  },
  {
    name: 'app.all, requested with a WebDAV method',
    request: { method: 'PROPFIND' },
    build: on(({ app, guarded, handler }) => {
      app.addHttpMethod('PROPFIND');
      app.all('/way', guarded, handler);
    }),
  },
  {
    name: 'HEAD that Fastify adds to a GET route',
    request: { method: 'HEAD' },
    build: on(({ app, guarded, handler }) => app.get('/way', guarded, handler)),
  },
  {
    name: 'HEAD of a route of its own',
    request: { method: 'HEAD' },
    build: on(({ app, guarded, handler }) => {
      app.head('/way', guarded, handler);
      app.get('/way', { config: { auth: false } as RouteConfig }, async () => 'open');
    }),
  },
  {
    name: 'OPTIONS',
    request: { method: 'OPTIONS' },
    build: on(({ app, guarded, handler }) => app.options('/way', guarded, handler)),
  },
  {
    name: 'a route by several methods, with a body',
    request: { method: 'POST' },
    build: on(({ app, guarded, handler }) =>
      app.route({ method: ['GET', 'POST'], url: '/way', ...guarded, handler }),
    ),
  },
  {
    name: 'a wildcard, with an unusual spelling of the path',
    request: { path: '//x/../%77ay;a=b?c' },
    build: on(({ app, guarded, handler }) => app.get('/*', guarded, handler)),
  },
  {
    name: 'a prefix with and without its slash',
    request: { path: '/way/' },
    build: on(({ app, guarded, handler }) =>
      app.register(
        async (scope) => {
          scope.get('/', { ...guarded, prefixTrailingSlash: 'both' } as typeof guarded, handler);
        },
        { prefix: '/way' },
      ),
    ),
  },
  {
    name: 'a path that is compared loosely: case and slashes',
    request: { path: '//WAY/' },
    build: on(({ app, guarded, handler }) => app.get('/way', guarded, handler), {
      server: {
        routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
      },
    }),
  },
  {
    name: 'a URL that the server rewrites',
    request: { path: '/public' },
    build: on(({ app, guarded, handler }) => app.get('/way', guarded, handler), {
      server: { rewriteUrl: () => '/way' },
    }),
  },
  {
    name: 'a scope in a scope',
    request: { path: '/a/b/way' },
    build: on(({ app, guarded, handler }) =>
      app.register(
        async (outer) => {
          await outer.register(async (inner) => void inner.get('/way', guarded, handler), { prefix: '/b' });
        },
        { prefix: '/a' },
      ),
    ),
  },
  {
    name: 'a route that was added before the plugin, in its scope',
    build: async ({ authenticator, rules, handled }) => {
      const app = fastify();
      app.get('/way', { config: { auth: { claims: rules } } as RouteConfig }, read(handled));
      await app.register(latchkey, { authenticator });
      await app.listen({ port: 0, host: '127.0.0.1' });
      return { port: portOf(app), close: () => app.close() };
    },
  },
  {
    name: 'a scope next to that of the plugin',
    lets: 'everybody',
    because:
      'the plugin covers its scope and those in it: docs/guides/routes.md, failOnUndecided refuses to start',
    build: async ({ authenticator, handled }) => {
      const app = fastify();
      await app.register(async (scope) => void (await scope.register(latchkey, { authenticator })));
      await app.register(async (scope) => void scope.get('/way', read(handled)));
      await app.listen({ port: 0, host: '127.0.0.1' });
      return { port: portOf(app), close: () => app.close() };
    },
  },
  {
    name: 'several registrations, one in the other',
    build: on(({ app, authenticator, guarded, handler }) =>
      app.register(async (scope) => {
        await scope.register(latchkey, { authenticator });
        scope.get('/way', guarded, handler);
      }),
    ),
  },
  {
    name: 'a version of a route',
    request: { headers: { 'accept-version': '2.x' } },
    build: on(({ app, guarded, handler }) => {
      app.get(
        '/way',
        { config: { auth: false } as RouteConfig, constraints: { version: '1.0.0' } },
        async () => 'open',
      );
      app.get('/way', { ...guarded, constraints: { version: '2.0.0' } }, handler);
    }),
  },
  {
    name: 'a route for one host',
    build: on(({ app, guarded, handler }) => {
      app.get(
        '/way',
        { config: { auth: false } as RouteConfig, constraints: { host: 'open.example' } },
        async () => 'open',
      );
      app.get('/way', { ...guarded, constraints: { host: 'localhost' } }, handler);
    }),
  },
  {
    name: 'the not-found handler',
    request: { path: '/nowhere' },
    build: on(({ app, handler }) => app.setNotFoundHandler(handler), { notFound: true }),
  },
  {
    name: 'the not-found handler, with a method that a path does not have',
    request: { method: 'POST' },
    build: on(
      ({ app, handler }) => {
        app.get('/way', { config: { auth: false } as RouteConfig }, async () => 'open');
        app.setNotFoundHandler(handler);
      },
      { notFound: true },
    ),
  },
  {
    name: 'the not-found handler by a public route',
    build: on(
      ({ app, handler }) => {
        app.get(
          '/way',
          { config: { auth: false } as RouteConfig },
          (_request: FastifyRequest, reply: FastifyReply) => void reply.callNotFound(),
        );
        app.setNotFoundHandler(handler);
      },
      { notFound: true },
    ),
  },
  {
    name: 'the not-found handler by a hook of a public route',
    build: on(
      ({ app, handler }) => {
        const preHandler = (_request: FastifyRequest, reply: FastifyReply) => void reply.callNotFound();
        app.get('/way', { config: { auth: false } as RouteConfig, preHandler }, async () => 'open');
        app.setNotFoundHandler(handler);
      },
      { notFound: true },
    ),
  },
  {
    name: '@fastify/static: the not-found handler, for a public file that does not exist',
    request: { path: '/files/nothing' },
    build: on(
      async ({ app, handler }) => {
        await app.register(async (scope) => {
          scope.addHook('onRoute', (route) => {
            route.config = { ...route.config, auth: false } as RouteConfig;
          });
          await scope.register(fastifyStatic, { root: files, prefix: '/files/' });
        });
        app.setNotFoundHandler(handler);
      },
      { notFound: true },
    ),
  },
  {
    name: '@fastify/static',
    request: { path: '/files/way' },
    build: on(({ app, rules, handled }) =>
      app.register(async (scope) => {
        scope.addHook('onRequest', requireClaims(rules));
        await scope.register(fastifyStatic, { root: files, prefix: '/files/', setHeaders: () => handled() });
      }),
    ),
  },
  {
    name: '@fastify/static: a route for each file, HEAD',
    request: { method: 'HEAD', path: '/files/way' },
    build: on(({ app, rules, handled }) =>
      app.register(async (scope) => {
        scope.addHook('onRequest', requireClaims(rules));
        await scope.register(fastifyStatic, {
          root: files,
          prefix: '/files/',
          wildcard: false,
          setHeaders: () => handled(),
        });
      }),
    ),
  },
  {
    name: '@fastify/static: a file that a handler sends',
    build: on(async ({ app, guarded, handled }) => {
      await app.register(fastifyStatic, { root: files, serve: false });
      app.get('/way', guarded, (_request, reply) => {
        handled();
        return reply.sendFile('way');
      });
    }),
  },
  {
    name: '@fastify/websocket',
    outcomes: sockets,
    build: onSocket(({ app, guarded, handled }) =>
      app.get('/way', { ...guarded, websocket: true }, socket(handled)),
    ),
  },
  {
    name: '@fastify/websocket: a route that answers both',
    outcomes: sockets,
    build: onSocket(({ app, guarded, handled, handler }) =>
      app.route({ method: 'GET', url: '/way', ...guarded, handler, wsHandler: socket(handled) }),
    ),
  },
  {
    name: '@fastify/websocket: an upgrade of a route without sockets',
    lets: 'none',
    because: '@fastify/websocket closes the socket: no handler takes it',
    outcomes: [401, 401, 403, 'closed 1005'],
    build: onSocket(({ app, guarded, handler }) => app.get('/way', guarded, handler)),
  },
  {
    name: '@fastify/websocket: a wildcard in a scope, with a hook',
    outcomes: sockets,
    build: onSocket(({ app, rules, handled }) =>
      app.register(async (scope) => {
        scope.addHook('preValidation', requireClaims(rules));
        scope.get('/*', { websocket: true }, socket(handled));
      }),
    ),
  },
  ...(['@fastify/express', '@fastify/middie'] as const).map(
    (name): Way => ({
      name: `${name}: middleware, at a path without a route`,
      build: on(
        async ({ app, handled }) => {
          const use = (_request: unknown, response: { end(text: string): unknown }) => {
            handled();
            response.end('handled');
          };
          if (name === '@fastify/express') {
            await app.register(fastifyExpress);
            app.use('/way', use);
          } else {
            await app.register((await import(MIDDIE)).default);
            (app as unknown as { use(path: string, handler: typeof use): void }).use('/way', use);
          }
        },
        { notFound: true },
      ),
    }),
  ),
  {
    name: '@fastify/express: middleware in front of a route',
    build: on(async ({ app, guarded, handled }) => {
      await app.register(fastifyExpress);
      app.use('/way', (_request, _response, next) => {
        handled();
        next();
      });
      app.get('/way', guarded, async () => 'handled');
    }),
  },
  {
    name: '@fastify/express: an application',
    build: on(
      async ({ app, handled }) => {
        await app.register(fastifyExpress);
        const mounted = express();
        mounted.get('/way', (_request, response) => {
          handled();
          response.send('handled');
        });
        app.use(mounted);
      },
      { notFound: true },
    ),
  },
  {
    name: 'a handler that hijacks its reply',
    build: on(({ app, guarded, handled }) =>
      app.get('/way', guarded, (_request, reply) => {
        handled();
        reply.hijack();
        reply.raw.end('handled');
      }),
    ),
  },
  {
    name: 'server-sent events',
    build: on(({ app, guarded, handled }) =>
      app.get('/way', guarded, (_request, reply) => {
        handled();
        reply.raw.writeHead(200, { 'Content-Type': 'text/event-stream' });
        reply.raw.end('data: handled\n\n');
      }),
    ),
  },
  {
    name: 'an error handler behind a handler that throws',
    outcomes: [401, 401, 403, 500],
    build: on(({ app, guarded, handled }) => {
      app.setErrorHandler((error: Error, _request, reply) => {
        if (error.message === 'the handler failed') handled();
        return reply.send(error);
      });
      app.get('/way', guarded, async () => {
        throw new Error('the handler failed');
      });
    }),
  },
  {
    name: 'a refusal that an error handler of a route hides',
    outcomes: [200, 200, 200, 200],
    build: on(({ app, guarded, handler }) => {
      const errorHandler = (_error: Error, _request: FastifyRequest, reply: FastifyReply) =>
        void reply.code(200).send('hidden');
      app.get('/way', { ...guarded, errorHandler }, handler);
    }),
  },
  {
    name: 'a body that is parsed and validated',
    request: { method: 'POST' },
    build: on(({ app, guarded, handler }) =>
      app.post('/way', { ...guarded, schema: { headers: { type: 'object' } } }, handler),
    ),
  },
  {
    name: 'inject',
    build: async (bench) => {
      const app = await make(bench, (parts) => parts.app.get('/way', parts.guarded, parts.handler));
      return {
        ask: async (headers) => (await app.inject({ url: '/way', headers })).statusCode,
        close: () => app.close(),
      };
    },
  },
  {
    name: 'HTTP/2',
    build: async ({ authenticator, rules, handled }) => {
      const app = fastify({ http2: true });
      await app.register(latchkey, { authenticator });
      app.get('/way', { config: { auth: { claims: rules } } as RouteConfig }, read(handled));
      await app.listen({ port: 0, host: '127.0.0.1' });
      const { port } = app.server.address() as AddressInfo;
      return { ask: (headers) => getByHttp2(port, headers), close: () => app.close() };
    },
  },
  {
    name: 'Mercurius: a query',
    build: onGraphql('{ way }', ({ handled }) => ({
      schema: 'type Query { way: String }',
      resolvers: { Query: { way: read(handled) } },
    })),
  },
  {
    name: 'Mercurius: a mutation',
    build: onGraphql('mutation { way }', ({ handled }) => ({
      schema: 'type Query { way: String } type Mutation { way: String }',
      resolvers: { Mutation: { way: read(handled) } },
    })),
  },
  {
    name: 'Mercurius: a field',
    build: onGraphql('{ parent { way } }', ({ handled }) => ({
      schema: 'type Query { parent: Parent } type Parent { way: String }',
      resolvers: { Query: { parent: async () => ({}) }, Parent: { way: read(handled) } },
    })),
  },
  {
    name: 'Mercurius: a subscription',
    outcomes: [401, 401, 403, 'next'],
    build: onGraphql(
      '',
      ({ handled }) => ({
        schema: 'type Query { other: String } type Subscription { way: String }',
        subscription: true,
        resolvers: {
          Subscription: {
            way: {
              subscribe: async function* () {
                handled();
                yield { way: 'handled' };
              } as never,
            },
          },
        },
      }),
      subscribe,
    ),
  },
  {
    name: 'Mercurius: its GraphiQL page',
    request: { path: '/graphiql' },
    build: on(({ app, rules, handled }) =>
      app.register(async (scope) => {
        scope.addHook('onRequest', requireClaims(rules));
        scope.addHook('onSend', async (_request, reply) => {
          if (reply.statusCode === 200) handled();
        });
        await scope.register(mercurius, { schema: 'type Query { way: String }', graphiql: true });
      }),
    ),
  },
];

describeWays('Fastify', ways);
