// Behaviour that only Express has: req.auth, arguments of next(), the query behind authenticate,
// overrides, and trees. The cases for all adapters are in the conformance suite.
import type { AddressInfo } from 'node:net';
import {
  type Authenticator,
  createAuthenticator,
  fromRequest,
  isAuthError,
  requireAll,
  requireAny,
} from '@latchkey/core';
import { createClock, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  Router,
} from 'express';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { authenticate, requireClaims, routes } from '../src/index.ts';

const NOW = 1_700_000_000;
let key: SigningKey;
let good: string;
let expired: string;
let authenticator: Authenticator;
let queried: Authenticator;

beforeAll(async () => {
  key = await generateSigningKey();
  const claims = { iss: 'i', sub: 'alice', tenant: 't1', exp: NOW + 300 };
  good = await mint(key, claims);
  expired = await mint(key, { ...claims, exp: NOW - 300 });
  const options = {
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: null,
    clock: createClock(NOW * 1000),
  };
  authenticator = createAuthenticator(options);
  queried = createAuthenticator({ ...options, tokenFrom: [{ query: 'access_token' }] });
});

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const authOf = (request: Request): unknown => (request as Request & { auth?: unknown }).auth;

/** Answers with the code of the refusal, and records the value of req.auth. */
const report =
  (seen: unknown[]): ErrorRequestHandler =>
  (error, request, response, _next) => {
    seen.push(authOf(request));
    response.status(isAuthError(error) ? error.status : 500).send(isAuthError(error) ? error.code : 'fault');
  };

async function ask(app: Express, path: string, headers: Record<string, string> = {}, method = 'GET') {
  app.set('env', 'test');
  const server = app.listen(0, '127.0.0.1');
  closers.push(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, {
    method,
    headers,
  });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('T-108: only authenticate sets req.auth', () => {
  const planted = { subject: 'root', claims: { dept: 'IT' } };

  it.each<[string, () => Record<string, string>, number]>([
    ['no token', () => ({}), 401],
    ['a bad token', () => bearer(expired), 401],
    ['a malformed credential', () => ({ authorization: 'Bearer' }), 400],
  ])('T-108: a value that other code set is removed with %s', async (_, headers, status) => {
    const seen: unknown[] = [];
    const app = express();
    app.use((request, _response, next) => {
      Object.assign(request, { auth: planted });
      next();
    });
    app.use(authenticate(authenticator));
    app.get('/x', () => seen.push('handler'));
    app.use(report(seen));
    expect((await ask(app, '/x', headers())).status).toBe(status);
    expect(seen).toEqual([undefined]);
  });

  it('T-108: req.auth of an anonymous request is undefined, also where another value was set before', async () => {
    const app = express();
    app.use((request, _response, next) => {
      Object.assign(request, { auth: planted });
      next();
    });
    app.use(authenticate(authenticator, { mode: 'optional' }));
    app.get('/x', (request, response) => {
      response.json({ auth: authOf(request) ?? null });
    });
    app.get('/y', requireClaims({ dept: 'IT' }), (_request, response) => {
      response.sendStatus(204);
    });
    app.use(report([]));
    expect((await ask(app, '/x')).text).toBe('{"auth":null}');
    expect((await ask(app, '/y')).text).toBe('credentials_missing');
  });

  it('T-108: an object that only looks like a principal satisfies no rule', async () => {
    const app = express();
    app.use((request, _response, next) => {
      Object.assign(request, { auth: planted });
      next();
    });
    app.get('/x', requireClaims({ dept: 'IT' }), (_request, response) => {
      response.sendStatus(204);
    });
    app.use(report([]));
    expect((await ask(app, '/x')).status).toBe(500);
  });

  it('AK-42: requireClaims without authenticate is a fault of the service', async () => {
    const app = express();
    app.get('/x', requireClaims({}), (_request, response) => {
      response.sendStatus(204);
    });
    const faults: unknown[] = [];
    app.use(((error, _request, _response, next) => {
      faults.push(error);
      next(error);
    }) satisfies ErrorRequestHandler);
    app.use(report([]));
    expect(await ask(app, '/x', bearer(good))).toMatchObject({ status: 500, text: 'fault' });
    expect(faults).toEqual([
      expect.objectContaining({
        message:
          'requireClaims: expected an authenticated request, got one before authenticate; register authenticate first',
      }),
    ]);
  });
});

describe('T-098: falsy rejections', () => {
  it.each([undefined, null, '', 0, false])('T-098: %j does not reach the handler', async (reason) => {
    for (const place of ['application', 'route'] as const) {
      const handled: string[] = [];
      const seen: unknown[] = [];
      const broken = authenticate({ ...authenticator, decide: () => Promise.reject<never>(reason) });
      const app = express();
      if (place === 'application') app.use(broken);
      app.get('/x', ...(place === 'route' ? [broken] : []), (_request, response) => {
        handled.push('handler');
        response.sendStatus(204);
      });
      app.use(report(seen));
      expect((await ask(app, '/x', bearer(good))).status).toBe(500);
      expect([handled, seen]).toEqual([[], [undefined]]);
    }
  });
});

describe('D11, T-083: a token in the query', () => {
  it('T-083: is removed from originalUrl also where a handler rewrote url', async () => {
    const app = express();
    app.use((request, _response, next) => {
      request.url = '/rewritten';
      next();
    });
    app.use(authenticate(queried, { mode: 'optional' }));
    app.use((request, response) => void response.send(request.originalUrl));
    const answer = await ask(app, `/x?a=1&access_token=${good}`);
    expect(answer.text).toBe('/x?a=1');
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('T-083: headers that were sent already are not changed', async () => {
    const app = express();
    app.use((_request, response, next) => {
      response.flushHeaders();
      next();
    });
    app.use(authenticate(queried));
    app.use((request, response) => void response.end(request.originalUrl));
    const answer = await ask(app, `/x?a=1&access_token=${good}`);
    expect([answer.status, answer.text]).toEqual([200, '/x?a=1']);
  });

  it.each<[string, () => string, number]>([
    ['good', () => good, 200],
    ['bad', () => expired, 401],
  ])('T-083: a %s one is concealed from handlers, errors and loggers', async (_, tokenOf, status) => {
    const log: string[] = [];
    const note = (request: Request) =>
      log.push(request.url, request.originalUrl, JSON.stringify(request.query), request.baseUrl);
    const app = express();
    app.use((request, response, next) => {
      response.on('finish', () => note(request));
      next();
    });
    const router = Router();
    router.use(authenticate(queried));
    router.get('/x', (request, response) => {
      note(request);
      response.json({ a: request.query.a, subject: (authOf(request) as { subject: string }).subject });
    });
    app.use('/api', router);
    app.use(((error, request, response, _next) => {
      note(request);
      response.status(error.status).end();
    }) satisfies ErrorRequestHandler);
    const token = tokenOf();
    const answer = await ask(app, `/api/x?a=%7e&access_token=${token}&b=2`);
    expect(answer.status).toBe(status);
    if (status === 200) expect(JSON.parse(answer.text)).toEqual({ a: '~', subject: 'alice' });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
    expect(log.length).toBeGreaterThanOrEqual(8);
    expect(log.join('\n')).not.toContain(token.slice(0, 20));
    expect(log.join('\n')).not.toContain('access_token');
    expect(log).toContain('/api/x?a=%7e&b=2');
    expect(log).toContain('{"a":"~","b":"2"}');
  });
});

describe('T-091: CORS before authenticate', () => {
  /** Does what the package `cors` does. */
  const cors: RequestHandler = (request, response, next) => {
    response.set({ 'Access-Control-Allow-Origin': 'https://app.example', Vary: 'Origin' });
    if (request.method === 'OPTIONS') response.sendStatus(204);
    else next();
  };
  const make = (...before: RequestHandler[]) => {
    const app = express();
    app.use(...before, authenticate(authenticator));
    app.get('/x', (_request, response) => void response.sendStatus(200));
    return app;
  };

  it('T-091: a page of another origin can read the refusal', async () => {
    const { status, headers } = await ask(make(cors), '/x', bearer(expired));
    expect(status).toBe(401);
    expect(headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(headers.get('www-authenticate')).toContain('invalid_token');
    expect(headers.get('vary')).toBe('Origin');
  });

  it('T-091: CORS middleware answers a preflight; without it, a preflight needs a token', async () => {
    const preflight = {
      origin: 'https://app.example',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization',
    };
    expect((await ask(make(cors), '/x', preflight, 'OPTIONS')).status).toBe(204);
    expect(
      (
        await ask(
          make((_request, _response, next) => next()),
          '/x',
          preflight,
          'OPTIONS',
        )
      ).status,
    ).toBe(401);
  });
});

describe('S37: overrides of a route', () => {
  it.each(['optional', 'permissive'] as const)(
    'S37: mode %s behind the same strict authenticator is reported, and changes no decision',
    async (mode) => {
      const app = express();
      app.use(authenticate(authenticator));
      app.get('/x', authenticate(authenticator, { mode }), (_request, response) => {
        response.sendStatus(204);
      });
      expect(() => routes(app)).toThrow(`GET /x: mode '${mode}' has no effect`);
      const seen: unknown[] = [];
      app.use(report(seen));
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
      expect((await ask(app, '/x', bearer(good))).status).toBe(204);
      expect((await ask(app, '/x')).status).toBe(401);
      expect(warned.mock.calls).toEqual([
        [
          expect.stringContaining('has no effect after a strict authenticate'),
          { type: 'Warning', code: 'LATCHKEY_ROUTES' },
        ],
      ]);
      warned.mockRestore();
    },
  );

  it('S37: a second authenticator may be optional behind a strict one', async () => {
    const app = express();
    app.use(authenticate(authenticator));
    app.get('/x', authenticate(queried, { mode: 'optional' }), (_request, response) => {
      response.sendStatus(204);
    });
    expect((await ask(app, '/x', bearer(good))).status).toBe(204);
  });

  it('S37, T-079: the nearest authenticate decides for its own routes, and for no others', async () => {
    const app = express();
    const subject = (request: Request) =>
      (authOf(request) as { subject: string } | undefined)?.subject ?? 'nobody';
    app.get('/open', authenticate(authenticator, { mode: 'optional' }), (request, response) => {
      response.send(subject(request));
    });
    app.use(authenticate(authenticator));
    app.get('/x', (request, response) => {
      response.send(subject(request));
    });
    app.get('/other', authenticate(authenticator, { issuers: ['other'] }), (_request, response) => {
      response.sendStatus(204);
    });
    app.use(report([]));
    expect(await ask(app, '/open')).toMatchObject({ status: 200, text: 'nobody' });
    expect(await ask(app, '/open', bearer(good))).toMatchObject({ status: 200, text: 'alice' });
    expect(await ask(app, '/open', bearer(expired))).toMatchObject({ status: 401, text: 'token_expired' });
    expect(await ask(app, '/x')).toMatchObject({ status: 401, text: 'credentials_missing' });
    expect(await ask(app, '/x', bearer(good))).toMatchObject({ status: 200, text: 'alice' });
    expect(await ask(app, '/other', bearer(good))).toMatchObject({
      status: 401,
      text: 'token_issuer_untrusted',
    });
  });

  it('S37: strict behind optional', async () => {
    const app = express();
    app.use(authenticate(authenticator, { mode: 'optional' }));
    app.get('/x', authenticate(authenticator, { mode: 'strict' }), (_request, response) => {
      response.sendStatus(204);
    });
    app.use(report([]));
    expect(await ask(app, '/x')).toMatchObject({ status: 401, text: 'credentials_missing' });
    expect((await ask(app, '/x', bearer(good))).status).toBe(204);
  });
});

describe('AK-42: fromRequest', () => {
  it.each<[string, number]>([
    ['/tenants/t1', 204],
    ['/tenants/t2', 403],
    ['/tenants/T1', 403],
    ['/tenants/undefined', 403],
    ['/tenants/__proto__', 403],
  ])('AK-42: req.params of %s: %i', async (path, status) => {
    for (const read of [
      'params.tenant',
      (request: { params: { tenant?: unknown } }) => request.params.tenant,
    ]) {
      const app = express();
      app.use(authenticate(authenticator));
      app.get('/tenants/:tenant', requireClaims({ tenant: fromRequest(read) }), (_request, response) => {
        response.sendStatus(204);
      });
      app.use(report([]));
      expect((await ask(app, path, bearer(good))).status).toBe(status);
    }
  });

  it('T-071: an Error that the function returns is a fault, and satisfies no rule', async () => {
    const app = express();
    app.use(authenticate(authenticator));
    const rules = {
      tenant: fromRequest(() => {
        throw new RangeError('no tenant');
      }),
    };
    app.get('/x', requireClaims(rules), (_request, response) => {
      response.sendStatus(204);
    });
    app.use(report([]));
    expect(await ask(app, '/x', bearer(good))).toMatchObject({ status: 500, text: 'fault' });
  });
});

describe('AK-42: trees', () => {
  const device = () =>
    createAuthenticator({
      keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
      audience: null,
      clock: createClock(NOW * 1000),
      tokenFrom: [{ header: 'X-Device' }],
    });

  it.each<[boolean, boolean, number, number]>([
    [true, true, 200, 200],
    [true, false, 401, 200],
    [false, true, 401, 200],
    [false, false, 401, 401],
  ])('AK-42: user %s, device %s: all %i, any %i', async (user, withDevice, all, any) => {
    const app = express();
    const sources = { user: authenticator, device: device() };
    app.get('/all', authenticate(requireAll(sources)), (request, response) => {
      response.json(Object.keys(authOf(request) as object));
    });
    app.get('/any', authenticate(requireAny(sources)), (request, response) => {
      response.json(Object.keys(authOf(request) as object));
    });
    app.use(report([]));
    const headers = { ...(user ? bearer(good) : {}), ...(withDevice ? { 'x-device': good } : {}) };
    const [both, either] = [await ask(app, '/all', headers), await ask(app, '/any', headers)];
    expect([both.status, either.status]).toEqual([all, any]);
    if (all === 200) expect(JSON.parse(both.text)).toEqual(['user', 'device']);
    if (any === 200) expect(JSON.parse(either.text)).toEqual([user ? 'user' : 'device']);
  });

  it('T-108: the principals of a tree do not count as one principal', async () => {
    const app = express();
    app.use(authenticate(requireAll({ user: authenticator })));
    app.get('/x', requireClaims({}), (_request, response) => {
      response.sendStatus(204);
    });
    app.use(report([]));
    expect((await ask(app, '/x', bearer(good))).status).toBe(500);
  });
});
