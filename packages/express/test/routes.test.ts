// The route report: the requirement of each route, and that requests are answered accordingly.
import { createServer } from 'node:http';
import { type Authenticator, ConfigError, createAuthenticator, isAuthError, present } from '@latchkey/core';
import { checkOnce } from '@latchkey/core/adapter';
import { generateSigningKey } from '@latchkey/testing';
import express, { type Express, type Request, type RequestHandler, type Response, Router } from 'express';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { authenticate, publicRoute, requireClaims, routes } from '../src/index.ts';

let authenticator: Authenticator;
let guard: RequestHandler;
beforeAll(async () => {
  const key = await generateSigningKey();
  authenticator = createAuthenticator({ keySets: [{ jwks: { keys: [key.publicJwk] } }], audience: null });
  guard = authenticate(authenticator);
});

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const ok: RequestHandler = (_request, response) => {
  response.sendStatus(204);
};
const optionally = () => authenticate(authenticator, { mode: 'optional' });

interface Expected {
  readonly line: string;
  /** The URL to request, without a token. */
  readonly url: string;
}

/** METHOD path: requirement [claims] from. */
const linesOf = (app: Express | Router): readonly string[] =>
  routes(app).map(
    ({ method, path, requirement, claims, from }) =>
      `${method} ${path}: ${requirement} [${claims.join()}] ${from ?? 'nowhere'}`,
  );

async function statusOf(app: Express, method: string, url: string): Promise<number> {
  app.set('env', 'test');
  const server = app.listen(0, '127.0.0.1');
  closers.push(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const answer = await fetch(`http://127.0.0.1:${port}${url}`, { method });
  await answer.text();
  return answer.status;
}

const cases: readonly (readonly [string, (app: Express) => void, readonly Expected[]])[] = [
  [
    'on the application',
    (app) => app.use(guard).get('/x', ok),
    [{ line: 'GET /x: token [] application', url: '/x' }],
  ],
  [
    'a route before authenticate',
    (app) => app.get('/x', ok).use(guard).get('/y', ok),
    [
      { line: 'GET /x: UNDECIDED [] nowhere', url: '/x' },
      { line: 'GET /y: token [] application', url: '/y' },
    ],
  ],
  ['on the route', (app) => app.get('/x', guard, ok), [{ line: 'GET /x: token [] route', url: '/x' }]],
  [
    'a router at a path',
    (app) => app.use('/api', Router().use(guard).get('/x', ok)).get('/y', ok),
    [
      { line: 'GET /api/x: token [] router', url: '/api/x' },
      { line: 'GET /y: UNDECIDED [] nowhere', url: '/y' },
    ],
  ],
  [
    'a router within a router',
    (app) => app.use('/a', Router().use('/b', Router().use(guard).post('/x', ok)).get('/y', ok)),
    [
      { line: 'POST /a/b/x: token [] router', url: '/a/b/x' },
      { line: 'GET /a/y: UNDECIDED [] nowhere', url: '/a/y' },
    ],
  ],
  [
    'the application above a router',
    (app) => app.use(guard).use('/a', Router().get('/x', ok)),
    [{ line: 'GET /a/x: token [] application', url: '/a/x' }],
  ],
  [
    'publicRoute',
    (app) => app.get('/x', publicRoute(), ok),
    [{ line: 'GET /x: public [] route', url: '/x' }],
  ],
  [
    'publicRoute behind authenticate, which refuses first',
    (app) => app.use(guard).get('/x', publicRoute(), ok),
    [{ line: 'GET /x: token [] application', url: '/x' }],
  ],
  [
    'a guard behind the handler',
    (app) => app.get('/x', ok, guard),
    [{ line: 'GET /x: UNDECIDED [] nowhere', url: '/x' }],
  ],
  [
    'optional, and marked public',
    (app) => app.use(optionally()).get('/x', publicRoute(), ok),
    [{ line: 'GET /x: optional token [] application', url: '/x' }],
  ],
  ['app.all', (app) => app.all('/x', guard, ok), [{ line: 'ALL /x: token [] route', url: '/x' }]],
  [
    'optional on the route',
    (app) => app.get('/x', optionally(), ok),
    [{ line: 'GET /x: optional token [] route', url: '/x' }],
  ],
  [
    'optional on the application, strict on the route',
    (app) => app.use(optionally()).get('/x', guard, ok).get('/y', ok),
    [
      { line: 'GET /x: token [] route', url: '/x' },
      { line: 'GET /y: optional token [] application', url: '/y' },
    ],
  ],
  [
    'claims',
    (app) =>
      app
        .use(guard)
        .get('/x', requireClaims({ dept: 'IT', roles: ['a'] }), ok)
        .get(
          '/y',
          requireClaims({ a: present() }),
          requireClaims({ b: 1 }, (_request, response) => response.sendStatus(204)),
        ),
    [
      { line: 'GET /x: token [dept,roles] application', url: '/x' },
      { line: 'GET /y: token [a,b] application', url: '/y' },
    ],
  ],
  [
    'claims of a router',
    (app) =>
      app
        .use(guard)
        .use(
          '/a',
          Router()
            .use(requireClaims({ dept: 'IT' }))
            .get('/x', ok),
        )
        .get('/y', ok),
    [
      { line: 'GET /a/x: token [dept] application', url: '/a/x' },
      { line: 'GET /y: token [] application', url: '/y' },
    ],
  ],
  [
    'ALL',
    (app) => {
      app.route('/x').all(guard, ok);
      app.use('/a', Router().all('/y', guard, ok));
    },
    [
      { line: 'ALL /x: token [] route', url: '/x' },
      { line: 'ALL /a/y: token [] route', url: '/a/y' },
    ],
  ],
  [
    'several methods of one route',
    (app) => app.route('/x').get(publicRoute(), ok).post(guard, ok).delete(ok),
    [
      { line: 'GET /x: public [] route', url: '/x' },
      { line: 'POST /x: token [] route', url: '/x' },
      { line: 'DELETE /x: UNDECIDED [] nowhere', url: '/x' },
    ],
  ],
  [
    'authenticate at a path does not count',
    (app) => app.use('/x', guard).get('/x', ok).get('/y', ok),
    [
      { line: 'GET /x: UNDECIDED [] nowhere', url: '//x' },
      { line: 'GET /y: UNDECIDED [] nowhere', url: '/y' },
    ],
  ],
  [
    'claims at a path do not count',
    (app) =>
      app
        .use(guard)
        .use('/x', requireClaims({ dept: 'IT' }))
        .get('/x', ok),
    [{ line: 'GET /x: token [] application', url: '/x' }],
  ],
];

describe('AK-42, T-097: the report', () => {
  it.each(cases)('AK-42: %s', (_, build, expected) => {
    const app = express();
    build(app);
    expect(linesOf(app)).toEqual(expected.map(({ line }) => line));
  });

  // A route that the report calls undecided may be open or protected.
  const asked = cases.flatMap(([name, build, expected]) =>
    expected
      .filter(({ line }) => !line.includes('UNDECIDED'))
      .map(({ line, url }) => [`${name}: ${line}`, build, line, url] as const),
  );
  it.each(asked)(
    'AK-42, T-097: a request without a token is answered as reported: %s',
    async (_, build, line, url) => {
      const app = express();
      build(app);
      const method = line.startsWith('ALL') ? 'PATCH' : line.slice(0, line.indexOf(' '));
      expect(await statusOf(app, method, url)).toBe(line.includes(': token') ? 401 : 204);
    },
  );

  it('T-097: a route before authenticate is open', async () => {
    const app = express();
    app.get('/x', ok).use(guard);
    expect(linesOf(app)).toEqual(['GET /x: UNDECIDED [] nowhere']);
    expect(await statusOf(app, 'GET', '/x')).toBe(204);
  });

  it('AK-42: a router by itself', () => {
    const router = Router().use(guard).get('/x', ok);
    expect(routes(router).map(({ path, requirement }) => [path, requirement])).toEqual([['/x', 'token']]);
  });

  it('AK-42: an application without routes', () => {
    expect(routes(express())).toEqual([]);
    expect(routes(express(), { failOnUndecided: true })).toEqual([]);
  });
});

describe('T-095: layers that the report cannot read refuse no request', () => {
  const layer = (more: object) => ({ slash: true, match: () => false, ...more });
  it.each<[string, (app: Express) => void]>([
    [
      'layers whose route is a string, as connect writes them',
      (app) => void app.router.stack.push(layer({ route: '', handle: ok }) as never),
    ],
    [
      'a handler whose stack is a string',
      (app) => void app.use(Object.assign(((_q, _s, next) => next()) as RequestHandler, { stack: 'x' })),
    ],
    ['a layer without a handler', (app) => void app.router.stack.push(layer({ handle: null }) as never)],
    ['a layer that is null', (app) => void app.router.stack.push(null as never)],
    [
      'a router that is mounted in itself',
      (app) => {
        const router = Router();
        app.use('/never', router.use(router));
      },
    ],
    [
      'routers that multiply',
      (app) => {
        let router = Router().get('/x', ok);
        for (let depth = 0; depth < 24; depth++) router = Router().use('/a', router).use('/b', router);
        app.use('/never', router);
      },
    ],
  ])('%s', async (name, spoil) => {
    const app = express();
    app.use(guard).get('/x', ok);
    spoil(app);
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    // Express itself reads each layer, so no request passes a layer that is null.
    if (name !== 'a layer that is null') expect(await statusOf(app, 'GET', '/x')).toBe(401);
    else expect(() => checkOnce(app, routes)).not.toThrow();
    vi.restoreAllMocks();
  });

  it('a router without an application', async () => {
    const router = Router().use(guard);
    const server = createServer((request, response) => {
      router(request as Request, response as Response, (error: unknown) => {
        response.statusCode = isAuthError(error) ? error.status : 500;
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const { port } = server.address() as { port: number };
    expect((await fetch(`http://127.0.0.1:${port}/x`)).status).toBe(401);
  });
});

describe('AK-42: failOnUndecided', () => {
  it('AK-42: names every route that is undecided', () => {
    const app = express();
    app.get('/x', ok).post('/y', ok).use(guard).get('/z', ok);
    const check = () => routes(app, { failOnUndecided: true });
    expect(check).toThrow(ConfigError);
    expect(check).toThrow('GET /x, POST /y');
    expect(check).not.toThrow('/z');
    expect(routes(app, { failOnUndecided: false })).toHaveLength(3);
  });

  it('AK-42: returns the report when every route is decided', () => {
    const app = express();
    app.get('/x', publicRoute(), ok).use(guard).get('/y', ok);
    expect(routes(app, { failOnUndecided: true })).toHaveLength(2);
  });
});
