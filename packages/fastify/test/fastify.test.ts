// How Fastify sends the answers of the adapter, and scopes, HEAD routes and spellings. The
// decisions are in the conformance suite.
import { execFile } from 'node:child_process';
import { request as send } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fastifyWebsocket from '@fastify/websocket';
import { knock } from '@latchkey/test-kit/socket';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify';
import { afterAll, afterEach, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import latchkey, {
  type AuthenticatedRequest,
  type Authenticator,
  type AuthenticatorOptions,
  allOf,
  type CombinedAuthenticator,
  ConfigError,
  compileRules,
  createAuthenticator,
  fromRequest,
  getAuth,
  type LatchkeyOptions,
  latchkey as named,
  optional,
  type Principal,
  type RouteConfig,
  refusalOf,
  requireAll,
  requireClaims,
  routes,
} from '../src/index.ts';

type WithAuth = FastifyRequest & { readonly auth?: Principal | null };

const apps: FastifyInstance[] = [];
let issuer: TestIssuer;
let other: TestIssuer;
let options: AuthenticatorOptions;
let authenticator: Authenticator;
let alice: { readonly authorization: string };

const optionsFor = (of: TestIssuer): AuthenticatorOptions => ({
  keySets: [{ issuer: of.issuer, useOidcDiscovery: true, allowHttp: true }],
  audience: of.audience,
});
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

beforeAll(async () => {
  issuer = await createIssuer();
  other = await createIssuer();
  options = optionsFor(issuer);
  authenticator = createAuthenticator(options);
  alice = bearer(await issuer.mint({ sub: 'alice', roles: ['admin'], tenant: 'acme' }));
});

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

afterAll(async () => {
  await authenticator.close();
  await Promise.all([issuer.close(), other.close()]);
});

function createApp(serverOptions: FastifyServerOptions = {}): FastifyInstance {
  const app = fastify(serverOptions);
  apps.push(app);
  return app;
}

async function guarded(latchkeyOptions: Partial<LatchkeyOptions> = {}): Promise<FastifyInstance> {
  const app = createApp();
  await app.register(latchkey, { authenticator, ...latchkeyOptions } as LatchkeyOptions);
  return app;
}

const whoami = async ({ auth }: WithAuth) => ({ subject: auth?.subject ?? null });
const status = async (app: FastifyInstance, url: string, headers = {}) =>
  (await app.inject({ url, headers })).statusCode;

describe('routes', () => {
  it('T-101: a route without config.auth needs a token', async () => {
    const app = await guarded();
    app.get('/', whoami);
    const refused = await app.inject('/');
    expect(refused.statusCode).toBe(401);
    expect(refused.headers).toMatchObject({ 'www-authenticate': 'Bearer', 'cache-control': 'no-store' });
    expect(refused.json()).toEqual({
      statusCode: 401,
      code: 'credentials_missing',
      error: 'Unauthorized',
      message: 'A bearer token is required',
    });
    expect((await app.inject({ url: '/', headers: alice })).json()).toEqual({ subject: 'alice' });
  });

  it('AK-42: auth: false makes a route public, and its requests have no principal', async () => {
    const app = await guarded();
    app.get('/', { config: { auth: false } }, async (request: WithAuth) => ({ auth: request.auth }));
    expect((await app.inject({ url: '/', headers: alice })).json()).toEqual({ auth: null });
  });

  it('takes options, imported by its default export or by name', async () => {
    const app = createApp();
    await app.register(named, options);
    app.get('/', whoami);
    expect(await status(app, '/', alice)).toBe(200);
  });

  it("S4: a route's issuers, mode and claims replace the plugin's", async () => {
    const app = createApp();
    await app.register(latchkey, { ...options, mode: 'optional' });
    app.get('/plain', whoami);
    app.get('/strict', { config: { auth: { mode: 'strict' } } }, whoami);
    app.get('/issuers', { config: { auth: { issuers: ['https://issuer.example'] } } }, whoami);
    app.get('/claims', { config: { auth: { claims: { roles: allOf('root') } } } }, whoami);
    expect(await status(app, '/plain')).toBe(200);
    expect(await status(app, '/strict')).toBe(401);
    expect(await status(app, '/issuers', alice)).toBe(401);
    expect(await status(app, '/claims', alice)).toBe(403);
    expect(await status(app, '/claims')).toBe(401);
  });

  it('requireClaims: on a route and on a scope, both must be satisfied', async () => {
    const app = await guarded();
    app.get('/ok', { onRequest: requireClaims({ roles: allOf('admin') }) }, whoami);
    app.get('/no', { preHandler: [requireClaims({ roles: allOf('root') })] }, whoami);
    await app.register(async (scope) => {
      scope.addHook('onRequest', requireClaims({ tenant: 'other' }));
      scope.get('/scoped', whoami);
    });
    expect(await status(app, '/ok', alice)).toBe(200);
    expect(await status(app, '/no', alice)).toBe(403);
    expect(await status(app, '/scoped', alice)).toBe(403);
  });

  it('S32: fromRequest gets the parameters of the path', async () => {
    const app = await guarded();
    const claims = { tenant: fromRequest((request) => request.params.tenant) };
    app.get('/:tenant', { config: { auth: { claims } } }, whoami);
    app.get(
      '/hooks/:tenant',
      { preHandler: requireClaims({ tenant: fromRequest('params.tenant') }) },
      whoami,
    );
    for (const path of ['', '/hooks']) {
      expect(await status(app, `${path}/acme`, alice)).toBe(200);
      expect(await status(app, `${path}/evil`, alice)).toBe(403);
    }
  });

  it('D9: a permissive route, and its refusalOf', async () => {
    const app = await guarded();
    app.get('/', { config: { auth: { mode: 'permissive' } } }, async (request: WithAuth) => ({
      auth: request.auth,
      code: refusalOf(request)?.code,
    }));
    expect((await app.inject({ url: '/', headers: bearer('a.b.c') })).json()).toEqual({
      auth: null,
      code: 'token_malformed',
    });
  });

  it('S37: a tree, with its principals by name', async () => {
    const app = createApp();
    const second = createAuthenticator({ ...optionsFor(other), tokenFrom: [{ query: 'second' }] });
    await app.register(latchkey, { authenticator: requireAll({ first: authenticator, second }) });
    app.get('/', async (request) => {
      const auth = Reflect.get(request, 'auth') as Record<string, Principal>;
      return [auth.first?.subject, auth.second?.subject, request.url];
    });
    const url = `/?second=${await other.mint({ sub: 'bob' })}`;
    expect((await app.inject({ url, headers: alice })).json()).toEqual(['alice', 'bob', '/']);
    expect(await status(app, '/', alice)).toBe(401);
    await second.close();
  });
});

describe('wrong options and routes are refused at boot', () => {
  it.each([
    ['not an object', 'token'],
    ['null', null],
    ['true', true],
    ['an unknown option', { claim: {} }],
    ['an unknown mode', { mode: 'Strict' }],
    ['an empty list of issuers', { issuers: [] }],
    ['claims that are not an object', { claims: 'admin' }],
    ['no claims', { claims: null }],
    ['a rule that can never be satisfied', { claims: { scope: 'a b' } }],
  ])('config.auth: %s', async (_name, auth) => {
    const app = await guarded();
    expect(() => app.get('/wrong', { config: { auth } }, whoami)).toThrow(ConfigError);
    expect(() => app.get('/wrong', { config: { auth } }, whoami)).toThrow('GET /wrong config.auth');
  });

  it.each<[at: string, route: object]>([
    ['auth', { auth: { claims: { roles: ['admin'] } } }],
    ['auth', { auth: false }],
    ['config.Auth', { config: { Auth: false } }],
    ['config.claims', { config: { claims: { roles: ['admin'] } } }],
    ['config.issuers', { config: { auth: {}, issuers: ['a'] } }],
  ])('access that is where nothing reads it: %s of %j', async (at, route) => {
    const app = await guarded();
    expect(() => app.get('/wrong', route, whoami)).toThrow(`GET /wrong ${at}: `);
    const early = createApp();
    early.get('/wrong', route, whoami);
    early.register(latchkey, { authenticator });
    await expect(early.ready()).rejects.toThrow(`GET /wrong ${at}: `);
  });

  it.each(['notFound', 'GET /early config.auth'])(
    'T-056: rules on a combined authenticator: %s',
    async (place) => {
      const app = createApp();
      const auth = { claims: { roles: ['admin'] } };
      if (place !== 'notFound') app.get('/early', { config: { auth } }, whoami);
      const notFound = place === 'notFound' ? { notFound: auth } : {};
      app.register(latchkey, { authenticator: requireAll({ authenticator }), ...notFound });
      await expect(app.ready()).rejects.toThrow(`${place}.claims`);
    },
  );

  it('config.auth of a route that was added before the plugin', async () => {
    const app = createApp();
    app.get('/wrong', { config: { auth: { mode: 'Strict' } } }, whoami);
    app.register(latchkey, { authenticator });
    await expect(app.ready()).rejects.toThrow('GET /wrong config.auth.mode');
  });

  it.each([
    ['no options', {}],
    ['an authenticator and options', { authenticator: undefined, audience: 'a' }],
    ['a misspelled option', { Audience: 'a' }],
    ['a token in a body', { tokenFrom: [{ body: 'access_token' }] }],
    ['notFound', { notFound: { mode: 'Strict' } }],
  ])('the options: %s', async (name, wrong) => {
    const app = createApp();
    const given = name === 'no options' ? {} : { ...options, ...wrong };
    await expect(app.register(latchkey, given as LatchkeyOptions)).rejects.toThrow(ConfigError);
  });

  it('a second registration in one scope', async () => {
    const app = await guarded();
    await expect(app.register(latchkey, { authenticator })).rejects.toThrow(
      '@latchkey/fastify: is registered in this scope already; register it once, or again in an inner scope',
    );
  });

  it('rules of requireClaims', () => {
    expect(() => requireClaims({ scope: 'a b' })).toThrow(ConfigError);
  });
});

describe('T-101: scopes', () => {
  it('two registrations with different options in two scopes', async () => {
    const app = createApp();
    app.get('/outside', whoami);
    for (const [name, trusted] of [
      ['one', issuer],
      ['two', other],
    ] as const) {
      await app.register(
        async (scope) => {
          await scope.register(latchkey, optionsFor(trusted));
          scope.get('/', whoami);
        },
        { prefix: name },
      );
    }
    const bob = bearer(await other.mint({ sub: 'bob' }));
    expect(await status(app, '/one', alice)).toBe(200);
    expect(await status(app, '/two', bob)).toBe(200);
    expect(await status(app, '/one', bob)).toBe(401);
    expect(await status(app, '/two', alice)).toBe(401);
    expect((await app.inject({ url: '/outside', headers: alice })).json()).toEqual({ subject: null });
  });

  it.each(['before', 'after'])(
    'an inner registration decides in its scope: the outer comes %s',
    async (order) => {
      const app = createApp();
      if (order === 'before') await app.register(latchkey, options);
      await app.register(async (scope) => {
        await scope.register(latchkey, optionsFor(other));
        scope.get('/inner', whoami);
        await scope.register(async (innermost) => {
          innermost.get('/innermost', whoami);
        });
      });
      if (order === 'after') await app.register(latchkey, options);
      app.get('/outer', whoami);
      const bob = bearer(await other.mint({ sub: 'bob' }));
      for (const path of ['/inner', '/innermost']) {
        expect((await app.inject({ url: path, headers: bob })).json()).toEqual({ subject: 'bob' });
        expect(await status(app, path, alice)).toBe(401);
      }
      expect(await status(app, '/outer', alice)).toBe(200);
      expect(await status(app, '/outer', bob)).toBe(401);
    },
  );

  it('a sibling scope is not covered, and the report shows it', async () => {
    const app = createApp();
    await app.register(async (scope) => {
      await scope.register(latchkey, { authenticator });
      scope.get('/covered', { config: { auth: { claims: { roles: ['admin'] } } } }, whoami);
      scope.get('/public', { exposeHeadRoute: false, config: { auth: false } }, whoami);
      scope.get('/optional', { exposeHeadRoute: false, config: { auth: { mode: 'optional' } } }, whoami);
      scope.route({
        method: ['PUT', 'PATCH'],
        url: '/hook',
        preHandler: requireClaims({ tenant: 'acme' }),
        handler: whoami,
      });
    });
    await app.register(
      async (scope) => {
        scope.get('/open', { exposeHeadRoute: false }, whoami);
        scope.get('/health', { exposeHeadRoute: false, config: { auth: false } }, whoami);
        scope.post('/foreign', { config: { auth: 'of another plugin' } }, whoami);
      },
      { prefix: '/sibling' },
    );
    await app.ready();
    expect(await status(app, '/sibling/open')).toBe(200);
    const lines = routes(app).map(({ method, path, requirement, claims, from }) =>
      [method, path, requirement, claims.join(), from ?? ''].join(' ').trim(),
    );
    expect(lines).toEqual([
      'GET /covered token roles route',
      'HEAD /covered token roles route',
      'GET /public public  route',
      'GET /optional optional token  route',
      'PUT /hook token tenant router',
      'PATCH /hook token tenant router',
      'GET /sibling/open UNDECIDED',
      'GET /sibling/health public  route',
      'POST /sibling/foreign UNDECIDED',
    ]);
    expect(() => routes(app, { failOnUndecided: true })).toThrow('GET /sibling/open, POST /sibling/foreign');
  });

  it("the report knows the authenticator's mode, and the application's registration", async () => {
    const app = createApp();
    await app.register(latchkey, { ...options, mode: 'optional' });
    app.get('/', { exposeHeadRoute: false }, whoami);
    expect(routes(app)).toEqual([
      { method: 'GET', path: '/', requirement: 'optional token', claims: [], from: 'application' },
    ]);
  });

  it('failOnUndecided: the application does not get ready', async () => {
    const app = createApp();
    app.register(async (scope) => {
      await scope.register(latchkey, { authenticator, failOnUndecided: true });
      scope.get('/covered', whoami);
    });
    app.get('/open', whoami);
    await expect(app.ready()).rejects.toThrow('undecided: GET /open, HEAD /open');
  });

  it('failOnUndecided: all decided', async () => {
    const app = await guarded({ failOnUndecided: true });
    app.get('/', whoami);
    app.get('/health', { config: { auth: false } }, whoami);
    await app.ready();
  });

  it('routes that were added before the plugin, in its scope and below, are covered by their config.auth', async () => {
    const app = createApp();
    app.get('/plain', whoami);
    app.get('/claims', { config: { auth: { claims: { roles: ['root'] } } } }, whoami);
    app.get('/public', { config: { auth: false } }, whoami);
    await app.register(async (scope) => {
      scope.get('/below', whoami);
    });
    // Not awaited: it runs when all of the above has been added.
    app.register(latchkey, { authenticator });
    app.get('/after', { config: { auth: { claims: { roles: ['root'] } } } }, whoami);
    for (const path of ['/plain', '/claims', '/below', '/after'])
      expect(await status(app, path), path).toBe(401);
    expect((await app.inject({ url: '/below', headers: alice })).json()).toEqual({ subject: 'alice' });
    for (const path of ['/claims', '/after']) expect(await status(app, path, alice), path).toBe(403);
    expect(await status(app, '/public')).toBe(200);
  });
});

describe('an application that was made before this package was loaded', () => {
  it('is covered too, and routes() throws because it cannot know every route', async () => {
    const code = `
      import fastify from 'fastify';
      const app = fastify();
      app.get('/claims', { config: { auth: { claims: { roles: ['root'] } } } }, async () => 'reached');
      app.get('/wrong', { config: { auth: { mode: 'Strict' } } }, async () => 'reached');
      app.get('/public', { config: { auth: false } }, async () => 'public');
      const { default: latchkey, routes } = await import('@latchkey/fastify');
      const { createIssuer } = await import('@latchkey/testing');
      const issuer = await createIssuer();
      const keySets = [{ issuer: issuer.issuer, useOidcDiscovery: true, allowHttp: true }];
      await app.register(latchkey, { keySets, audience: issuer.audience });
      const headers = { authorization: 'Bearer ' + (await issuer.mint({ roles: ['dev'] })) };
      const seen = [];
      for (const url of ['/claims', '/wrong', '/public']) {
        seen.push((await app.inject(url)).statusCode, (await app.inject({ url, headers })).statusCode);
      }
      try {
        routes(app);
      } catch (error) {
        seen.push(error.name);
      }
      console.log(seen.join(' '));
      await app.close();
      await issuer.close();
    `;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=source', '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code],
      { cwd: fileURLToPath(new URL('..', import.meta.url)) },
    );
    expect(stdout.trim()).toBe('401 403 500 500 200 200 ConfigError');
  });
});

describe('T-101: routes that Fastify adds', () => {
  it('the HEAD route of a GET route needs the same token', async () => {
    const app = await guarded();
    app.get('/', { config: { auth: { claims: { roles: ['root'] } } } }, whoami);
    app.get('/public', { config: { auth: false } }, whoami);
    const head = async (url: string, headers = {}) =>
      (await app.inject({ method: 'HEAD', url, headers })).statusCode;
    expect(await head('/')).toBe(401);
    expect(await head('/', alice)).toBe(403);
    expect(await head('/public')).toBe(200);
  });

  it("an unknown path is Fastify's 404, without a token", async () => {
    const app = await guarded();
    expect(await status(app, '/nowhere')).toBe(404);
    expect(await status(app, '/nowhere', bearer('a.b.c'))).toBe(404);
  });

  it("the application's own 404 handler needs a token", async () => {
    const app = await guarded();
    app.setNotFoundHandler(whoami);
    expect(await status(app, '/nowhere')).toBe(401);
    expect((await app.inject({ url: '/nowhere', headers: alice })).json()).toEqual({ subject: 'alice' });
  });

  it('a 404 handler of the application needs what the option notFound says', async () => {
    const open = await guarded({ notFound: false });
    open.setNotFoundHandler(whoami);
    expect(await status(open, '/nowhere')).toBe(200);
    const closed = await guarded({ notFound: { claims: { roles: ['root'] } } });
    closed.setNotFoundHandler(whoami);
    expect(await status(closed, '/nowhere', alice)).toBe(403);
  });

  describe('T-101: reply.callNotFound() of a route', () => {
    /**
     * Counts calls of the not-found handler. One route is added before the handler is set, and one
     * after.
     */
    async function calling(
      latchkeyOptions: Partial<LatchkeyOptions> = {},
      set: (app: FastifyInstance, handler: (request: FastifyRequest) => unknown) => unknown = (
        app,
        handler,
      ) => app.setNotFoundHandler(async (request) => handler(request)),
    ) {
      const app = createApp();
      app.register(latchkey, { authenticator, ...latchkeyOptions } as LatchkeyOptions);
      const seen: unknown[] = [];
      const callNotFound = (_request: FastifyRequest, reply: FastifyReply) => void reply.callNotFound();
      app.after(() => app.get('/before', { config: { auth: false } }, callNotFound));
      set(app, ({ auth }: WithAuth) => {
        seen.push(auth?.subject ?? null);
        return { subject: auth?.subject ?? null };
      });
      app.after(() => app.get('/after', { config: { auth: false } }, callNotFound));
      app.after(() => app.get('/guarded', callNotFound));
      await app.ready();
      return { app, seen };
    }

    it.each([
      ['a handler', undefined],
      [
        'with hooks of its own',
        (app: FastifyInstance, handler: (request: FastifyRequest) => unknown) =>
          app.setNotFoundHandler({ preHandler: async () => {} }, async (request) => handler(request)),
      ],
      [
        'that sends by itself, later',
        (app: FastifyInstance, handler: (request: FastifyRequest) => unknown) =>
          app.setNotFoundHandler((request, reply) => {
            setImmediate(() => reply.send(handler(request)));
          }),
      ],
    ])('needs a token: %s', async (_, set) => {
      const { app, seen } = await calling({}, set);
      for (const path of ['/before', '/after', '/guarded', '/nowhere']) {
        expect(await status(app, path)).toBe(401);
        expect(await status(app, path, bearer('a.b.c'))).toBe(401);
      }
      expect(seen).toEqual([]);
      for (const path of ['/before', '/after', '/guarded', '/nowhere'])
        expect((await app.inject({ url: path, headers: alice })).json()).toEqual({ subject: 'alice' });
      expect(seen).toEqual(['alice', 'alice', 'alice', 'alice']);
    });

    it('needs what notFound says, whatever the route needs', async () => {
      const { app, seen } = await calling({ notFound: { claims: { roles: ['root'] } } });
      for (const path of ['/before', '/after', '/guarded']) expect(await status(app, path, alice)).toBe(403);
      expect(seen).toEqual([]);
      const open = await calling({ notFound: false });
      expect(await status(open.app, '/before')).toBe(200);
      expect(await status(open.app, '/guarded')).toBe(401);
      expect(open.seen).toEqual([null]);
    });

    it('of an error handler that hides refusals', async () => {
      const { app, seen } = await calling({}, (scope, handler) => {
        scope.setErrorHandler((_error, _request, reply) => void reply.callNotFound());
        scope.setNotFoundHandler(async (request) => handler(request));
      });
      const statuses = await Promise.all(
        ['/before', '/guarded', '/nowhere'].map((path) => status(app, path)),
      );
      // An error inside a not-found handler: Fastify answers a second one itself.
      expect(statuses).toEqual([404, 401, 404]);
      expect(seen).toEqual([]);
    });

    it("Fastify's own answer stays a 404", async () => {
      const app = await guarded();
      app.get('/file', { config: { auth: false } }, (_request, reply) => void reply.callNotFound());
      expect(await status(app, '/file')).toBe(404);
    });

    it('finds a token that was removed from the query', async () => {
      const inQuery = createAuthenticator({ ...options, tokenFrom: [{ query: 'access_token' }] });
      const { app, seen } = await calling({ authenticator: inQuery });
      const token = alice.authorization.slice('Bearer '.length);
      expect(await status(app, `/before?access_token=${token}`)).toBe(200);
      expect(await status(app, '/before')).toBe(401);
      expect(seen).toEqual(['alice']);
      await inQuery.close();
    });

    it('decides by the registration that covers the handler', async () => {
      const app = await guarded();
      const elsewhere = createAuthenticator(optionsFor(other));
      let ran = 0;
      app.setNotFoundHandler(async () => void ran++);
      await app.register(
        async (scope) => {
          await scope.register(latchkey, { authenticator: elsewhere });
          scope.get('/file', (_request, reply) => void reply.callNotFound());
        },
        { prefix: '/inner' },
      );
      const there = bearer(await other.mint());
      expect([await status(app, '/inner/file', alice), await status(app, '/inner/file', there)]).toEqual([
        401, 401,
      ]);
      expect(ran).toBe(0);
      await elsewhere.close();
    });

    it('in an application that was made before this package was loaded', async () => {
      const script = `
        import fastify from 'fastify';
        const app = fastify();
        let ran = 0;
        app.setNotFoundHandler(async () => { ran++; return 'handled'; });
        const { default: latchkey } = await import(${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)});
        await app.register(latchkey, { keySets: [{ issuer: 'i', jwksUrl: 'https://i.example/jwks' }], audience: 'me' });
        app.get('/file', { config: { auth: false } }, (request, reply) => { reply.callNotFound(); });
        const { statusCode } = await app.inject('/file');
        console.log(statusCode, ran);
        await app.close();
      `;
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [
          '--disable-warning=ExperimentalWarning',
          '--conditions=source',
          '--input-type=module',
          '--eval',
          script,
        ],
        { cwd: fileURLToPath(new URL('..', import.meta.url)), timeout: 15_000 },
      );
      expect(stdout.trim()).toBe('401 0');
    });
  });

  it('T-093: with a token in a cookie, only a socket of the same origin is accepted', async () => {
    const inCookie = createAuthenticator({ ...options, tokenFrom: [{ cookie: 'token' }] });
    const app = await guarded({ authenticator: inCookie });
    await app.register(fastifyWebsocket);
    let handled = 0;
    app.get('/chat', { websocket: true }, (socket) => {
      socket.on('message', () => {
        handled++;
        socket.send('handled');
      });
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const host = `127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    const cookie = alice.authorization.replace('Bearer ', 'token=');
    const ask = (headers: Record<string, string>) => knock(`ws://${host}/chat`, { cookie, ...headers });
    expect([
      await ask({ origin: 'https://evil.example' }),
      await ask({ origin: `http://${host}`, 'sec-fetch-site': 'cross-site' }),
      await ask({}),
    ]).toEqual([403, 403, 403]);
    expect(handled).toBe(0);
    expect(await ask({ origin: `http://${host}` })).toBe('handled');
    await inCookie.close();
  });

  it('T-093: the socket of an upgrade that is refused is closed, wherever @fastify/websocket is registered', async () => {
    for (const isFirst of [true, false]) {
      const app = createApp();
      if (isFirst) await app.register(fastifyWebsocket);
      await app.register(latchkey, { authenticator });
      if (!isFirst) await app.register(fastifyWebsocket);
      app.get('/chat', { websocket: true }, () => expect.fail('connected'));
      await app.listen({ port: 0, host: '127.0.0.1' });
      const client = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
      client.write(
        'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
          'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n',
      );
      expect(await text(client)).toMatch(/^HTTP\/1\.1 401 /);
    }
  });

  it('a 404 handler of a scope', async () => {
    const app = createApp();
    await app.register(
      async (scope) => {
        await scope.register(latchkey, { authenticator });
        scope.setNotFoundHandler(whoami);
      },
      { prefix: '/api' },
    );
    expect(await status(app, '/nowhere')).toBe(404);
    expect(await status(app, '/api/nowhere')).toBe(401);
    expect(await status(app, '/api/nowhere', alice)).toBe(200);
  });
});

describe('requests', () => {
  it('T-091: headers of a CORS hook stay on a refusal, and without such a hook a preflight needs a token', async () => {
    const app = createApp();
    app.addHook('onRequest', async (request, reply) => {
      reply.headers({ 'Access-Control-Allow-Origin': 'https://app.example', Vary: 'Origin' });
      if (request.method === 'OPTIONS') return reply.code(204).send();
      return undefined;
    });
    await app.register(latchkey, { authenticator });
    app.get('/', async () => 'ok');
    app.options('/', async () => 'not reached');
    const refused = await app.inject('/');
    expect(refused.statusCode).toBe(401);
    expect(refused.headers).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      vary: 'Origin',
      'www-authenticate': 'Bearer',
    });
    expect((await app.inject({ method: 'OPTIONS', url: '/' })).statusCode).toBe(204);
    const without = await guarded();
    without.options('/', async () => 'ok');
    expect((await without.inject({ method: 'OPTIONS', url: '/' })).statusCode).toBe(401);
  });

  it.each([undefined, null, '', 0, false])(
    'T-098: a rejection with %j never reaches the handler',
    async (reason) => {
      const app = createApp();
      const falsy = {
        ...authenticator,
        decide: () => Promise.reject(reason),
        conceal: () => undefined,
      };
      await app.register(latchkey, { authenticator: falsy });
      let handled = 0;
      app.get('/', async () => handled++);
      expect(await status(app, '/', alice)).toBe(500);
      expect(handled).toBe(0);
    },
  );

  it('T-102: 1,000 interleaved requests keep their own principals', async () => {
    const app = await guarded();
    app.get('/', async (request: WithAuth) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
      return request.auth?.subject ?? 'nobody';
    });
    app.get('/anonymous', { config: { auth: { mode: 'optional' } } }, whoami);
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, n) => issuer.mint({ sub: `user-${n}` })));
    const answers = await Promise.all(
      Array.from({ length: 1000 }, async (_, n) => {
        if (n % 10 === 0) return (await app.inject('/anonymous')).json().subject;
        return (await app.inject({ url: '/', headers: bearer(tokens[n % 20] ?? '') })).body;
      }),
    );
    expect(answers).toEqual(answers.map((_, n) => (n % 10 === 0 ? null : `user-${n % 20}`)));
  });

  it('T-108: a value that was set on the request does not count as a principal', async () => {
    const app = createApp();
    app.addHook('onRequest', async (request) => {
      Reflect.set(request, 'auth', { subject: 'root' });
    });
    let seen: unknown = 'nothing';
    app.setErrorHandler(async (error: { statusCode?: number }, request: WithAuth, reply) => {
      seen = request.auth;
      reply.code(error.statusCode ?? 500);
      return {};
    });
    await app.register(latchkey, { authenticator });
    app.get('/', whoami);
    app.get('/public', { config: { auth: false } }, whoami);
    expect(await status(app, '/')).toBe(401);
    expect(seen).toBeNull();
    expect((await app.inject('/public')).json()).toEqual({ subject: null });
  });

  it.each([{}, 'text', 5, { kind: 'authenticator' }, { keySets: [], audience: null }])(
    'T-056: %j is not an authenticator, and does not start',
    async (authenticator) => {
      const app = createApp();
      app.register(latchkey, { authenticator } as never);
      await expect(app.ready()).rejects.toThrow('authenticator: expected an authenticator');
    },
  );

  it('T-084: an authenticator made before, of which one reads bodies, does not start', async () => {
    const reading = createAuthenticator({ ...optionsFor(issuer), tokenFrom: [{ body: 'access_token' }] });
    const app = fastify();
    app.register(latchkey, { authenticator: requireAll({ one: authenticator, two: reading }) });
    try {
      await expect(app.ready()).rejects.toThrow(ConfigError);
    } finally {
      await Promise.all([app.close(), reading.close()]);
    }
  });

  it('T-084: no body is read before authentication', async () => {
    const app = await guarded();
    let parsed = 0;
    app.addContentTypeParser('text/x-counted', async (_request: unknown, payload: Readable) => {
      for await (const chunk of payload) parsed += chunk.length;
    });
    app.post('/', whoami);
    const url = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
    const post = (headers: object) =>
      new Promise<number | undefined>((resolve, reject) => {
        const request = send(url, {
          method: 'POST',
          headers: { 'content-type': 'text/x-counted', ...headers },
        });
        request.on('response', (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        request.on('error', reject);
        Readable.from(Array.from({ length: 10 }, () => Buffer.alloc(50_000))).pipe(request);
      });
    expect(await post({})).toBe(401);
    expect(parsed).toBe(0);
    expect(await post(alice)).toBe(200);
    expect(parsed).toBe(500_000);
  });

  it('T-083: a token in the query is removed from all that a handler and a log line see', async () => {
    const lines: string[] = [];
    const app = createApp({
      logger: {
        stream: { write: (line: string) => lines.push(line) },
        serializers: { req: ({ url }) => ({ path: url?.split('?', 1)[0] }) },
      },
      rewriteUrl: ({ url = '' }) => url.replace('/old', '/new'),
    });
    app.addHook('onRequest', async (request) => {
      // Fastify caches the URL from here on.
      expect(request.originalUrl).toContain('access_token');
    });
    await app.register(latchkey, { ...options, tokenFrom: [{ query: 'access_token' }] });
    app.get('/new', async (request) => {
      request.log.info({ req: request, url: request.url }, 'handling');
      const { raw, url, originalUrl, query } = request;
      return { raw: [raw.url, Reflect.get(raw, 'originalUrl')], url, originalUrl, query };
    });
    app.get('/public', { config: { auth: false } }, async ({ url }) => url);
    const token = alice.authorization.slice('Bearer '.length);
    const response = await app.inject(`/old?a=1?2&access_token=${token}&b=%20&b=3`);
    const query = { a: '1?2', b: [' ', '3'] };
    const [url, originalUrl] = ['/new?a=1?2&b=%20&b=3', '/old?a=1?2&b=%20&b=3'];
    expect(response.json()).toEqual({ raw: [url, originalUrl], url, originalUrl, query });
    expect(response.headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
    expect((await app.inject(`/public?access_token=${token}`)).body).toBe('/public');
    expect((await app.inject(`/nowhere?access_token=${token}`)).body).not.toContain(token);
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.join('')).not.toContain(token);
  });

  it('T-083: a token in the query does not fail a request whose head was sent already', async () => {
    const app = createApp();
    app.addHook('onRequest', async (_request, reply) => {
      reply.raw.flushHeaders();
    });
    await app.register(latchkey, { ...options, tokenFrom: [{ query: 'access_token' }] });
    app.get('/x', (request, reply) => {
      reply.hijack();
      reply.raw.end(request.url);
    });
    const token = alice.authorization.slice('Bearer '.length);
    const { statusCode, body } = await app.inject(`/x?a=1&access_token=${token}`);
    expect([statusCode, body]).toEqual([200, '/x?a=1']);
  });

  it('T-095: a handler runs only for an authenticated request, however the path is spelled', async () => {
    const spellings = [
      '/admin',
      '//admin',
      '/admin/',
      '/ADMIN',
      '/admin;a=b',
      '/%61dmin',
      '/admin%2f',
      '/./admin',
      '/x/../admin',
      '/\\admin',
      '/admin?',
      '/admin#',
      '/admin%00',
      '/admin//',
      '//admin//',
      '/admin/../public',
      '/public/../admin',
      'http://localhost/admin',
      '/admin%3fpublic',
      '/admin;/public',
    ];
    let reached = 0;
    for (const ignoreTrailingSlash of [false, true])
      for (const caseSensitive of [false, true])
        for (const ignoreDuplicateSlashes of [false, true])
          for (const useSemicolonDelimiter of [false, true]) {
            const app = createApp({
              routerOptions: Object.assign(
                { ignoreTrailingSlash, caseSensitive, ignoreDuplicateSlashes },
                { useSemicolonDelimiter },
              ),
            });
            await app.register(latchkey, { authenticator });
            app.get('/public', { config: { auth: false } }, async () => 'public');
            app.get('/admin', whoami);
            app.get('/*', whoami);
            const url = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
            for (const path of spellings) {
              const code = await target(url, path, {});
              expect([400, 401], path).toContain(code);
              if ((await target(url, path, alice)) === 200) reached++;
            }
          }
    expect(reached).toBeGreaterThan(200);
  });
});

/** Sends a target unchanged. */
function target({ hostname, port }: URL, path: string, headers: object): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = send({ hostname, port, path, headers: { ...headers }, agent: false });
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('error', reject);
    request.end();
  });
}

describe('types', () => {
  it('claims are typed by the rules that they satisfy', async () => {
    const rules = compileRules({ roles: allOf('admin'), bldg: optional(4) });
    const app = await guarded();
    app.get('/', { config: { auth: { claims: rules } } }, async (request) => {
      const auth = getAuth(request, rules);
      expectTypeOf(auth.claims.roles).toEqualTypeOf<readonly string[]>();
      expectTypeOf(auth.claims.bldg).toEqualTypeOf<4 | undefined>();
      expectTypeOf(getAuth(request)).toExtend<Principal>();
      expectTypeOf(request).not.toHaveProperty('auth');
      return auth.claims.roles;
    });
    expect((await app.inject({ url: '/', headers: alice })).json()).toEqual(['admin']);
  });

  it('getAuth judges the rules by which it types the claims', async () => {
    const app = await guarded({ notFound: false });
    const stronger = compileRules({ roles: allOf('root') });
    app.get('/', async (request) => getAuth(request, stronger).subject);
    app.get('/public', { config: { auth: false } }, async (request) => getAuth(request).subject);
    expect(await status(app, '/', alice)).toBe(403);
    expect(await status(app, '/public', alice)).toBe(401);
  });

  it('hooks can be added to routes of any type', async () => {
    const app = await guarded();
    const onRequest = requireClaims({ tenant: 'acme' });
    app.post<{ Body: { text: string }; Params: { id: string } }>(
      '/:id',
      { onRequest },
      async ({ params }) => params.id,
    );
    app.addHook('preHandler', onRequest);
    expectTypeOf<AuthenticatedRequest<{ tenant: string }>>().toExtend<FastifyRequest>();
  });

  it('config and options', () => {
    expectTypeOf<{ auth: false }>().toExtend<RouteConfig>();
    expectTypeOf<{ auth: { claims: { roles: string[] } } }>().toExtend<RouteConfig>();
    expectTypeOf<{ auth: true }>().not.toExtend<RouteConfig>();
    expectTypeOf<AuthenticatorOptions>().toExtend<LatchkeyOptions>();
    expectTypeOf<{ authenticator: Authenticator }>().toExtend<LatchkeyOptions>();
    expectTypeOf<{ authenticator: CombinedAuthenticator }>().toExtend<LatchkeyOptions>();
    expectTypeOf<{ failOnUndecided: true }>().not.toExtend<LatchkeyOptions>();
    // @ts-expect-error a misspelled option
    ({ auth: { claim: {} } }) satisfies RouteConfig;
  });
});
