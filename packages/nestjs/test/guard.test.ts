// The guard over HTTP, on both platforms: denial by default, the nearest decorator, and the errors
// that an application gets.
import type { ServerResponse } from 'node:http';
import { placesOf } from '@latchkey/conformance';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import {
  type ArgumentsHost,
  Catch,
  Controller,
  Get,
  Header,
  HttpException,
  type INestApplication,
  Query,
  Req,
  Res,
  type Type,
} from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  Auth,
  AuthError,
  Authenticate,
  type AuthenticatorOptions,
  ConfigError,
  isAuthError,
  LatchkeyModule,
  type LatchkeyOptions,
  type Principal,
  Public,
  RequireClaims,
  refusalOf,
} from '../src/index.ts';
import { create, listen, onMethod, platforms } from './application.ts';

let issuer: TestIssuer;
let options: AuthenticatorOptions;
let dev: string;
let ops: string;
const apps: INestApplication[] = [];

beforeAll(async () => {
  issuer = await createIssuer();
  options = {
    keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
    audience: issuer.audience,
  };
  dev = await issuer.mint({ sub: 'alice', roles: ['dev'] });
  ops = await issuer.mint({ sub: 'bob', roles: ['ops'] });
});

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

afterAll(() => issuer.close());

type Platform = (typeof platforms)[number];

async function start(controllers: Type[], platform: Platform, used: LatchkeyOptions = options) {
  const app = await create({ imports: [LatchkeyModule.forRoot(used)], controllers }, platform);
  apps.push(app);
  return app;
}

const get = (url: string, token?: string) =>
  fetch(url, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });

/** A controller with one method, and decorators on the class and on the method. */
function controllerWith(onClass: readonly ClassDecorator[], on: readonly MethodDecorator[]): Type {
  class Subject {
    read(auth: Principal | undefined) {
      return { subject: auth?.subject ?? null };
    }
  }
  Auth()(Subject.prototype, 'read', 0);
  onMethod(Subject, 'read', Get(), ...on);
  for (const decorate of onClass) decorate(Subject);
  Controller()(Subject);
  return Subject;
}

describe.each(platforms)('on %s', (platform) => {
  it('T-103: a handler without a decorator needs a token', async () => {
    const url = await listen(await start([controllerWith([], [])], platform));
    const refused = await get(url);
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    expect(refused.headers.get('cache-control')).toBe('no-store');
    expect(await refused.json()).toEqual({
      statusCode: 401,
      code: 'credentials_missing',
      message: 'A bearer token is required',
    });
    expect(await (await get(url, dev)).json()).toEqual({ subject: 'alice' });
  });

  const isDev = () => RequireClaims({ roles: ['dev'] });
  const isOps = () => RequireClaims({ roles: ['ops'] });
  const anonymous = () => Authenticate({ mode: 'optional' });
  const forOthers = () => Authenticate({ audience: 'https://other.example' });
  const forUs = () => Authenticate({ audience: ['https://other.example', 'https://api.example.com'] });
  const elsewhere = () => Authenticate({ issuers: ['https://issuer.example'] });

  // The statuses for no token, the token of a dev, and the token of an ops.
  it.each<[string, ClassDecorator[], MethodDecorator[], number, number, number]>([
    ['nothing', [], [], 401, 200, 200],
    ['@Public on the class', [Public()], [], 200, 200, 200],
    ['@Public on the method', [], [Public()], 200, 200, 200],
    ['rules on the class', [isDev()], [], 401, 200, 403],
    ['rules on the method', [], [isDev()], 401, 200, 403],
    ['rules on both: the method replaces', [isDev()], [isOps()], 401, 403, 200],
    ['rules on the class, @Public on the method', [isDev()], [Public()], 200, 200, 200],
    ['@Public on the class, rules on the method', [Public()], [isDev()], 401, 200, 403],
    ['@Public on the class, @Authenticate on the method', [Public()], [Authenticate()], 401, 200, 200],
    ['optional on the class', [anonymous()], [], 200, 200, 200],
    ['optional on the class, rules on the method', [anonymous()], [isDev()], 401, 200, 403],
    ['rules on the class stay with @Authenticate on the method', [isDev()], [anonymous()], 401, 200, 403],
    ['issuers on the class stay with rules on the method', [elsewhere()], [isDev()], 401, 401, 401],
    ['@Authenticate with another audience', [], [forOthers()], 401, 401, 401],
    ['@Authenticate with another audience on the class', [forOthers()], [], 401, 401, 401],
    ['@Authenticate with the own audience', [], [forUs()], 401, 200, 200],
    ['@Authenticate on both: the method replaces', [elsewhere()], [Authenticate()], 401, 200, 200],
  ])('T-104: %s', async (_name, onClass, on, none, asDev, asOps) => {
    const url = await listen(await start([controllerWith(onClass, on)], platform));
    const statuses = [await get(url), await get(url, dev), await get(url, ops)].map(({ status }) => status);
    expect(statuses).toEqual([none, asDev, asOps]);
  });

  it('T-104: the rules of a class apply to its subclasses, unless these have their own', async () => {
    class Base {
      read() {
        return {};
      }
    }
    onMethod(Base, 'read', Get());
    isDev()(Base);
    class Silent extends Base {}
    Controller('silent')(Silent);
    class Open extends Base {}
    Public()(Open);
    Controller('open')(Open);
    class Replaced extends Base {
      override read() {
        return {};
      }
    }
    onMethod(Replaced, 'read', Get());
    Controller('replaced')(Replaced);
    const url = await listen(await start([Silent, Open, Replaced], platform));
    const status = async (path: string, token?: string) => (await get(`${url}/${path}`, token)).status;
    expect([await status('silent'), await status('silent', ops), await status('silent', dev)]).toEqual([
      401, 403, 200,
    ]);
    expect(await status('open')).toBe(200);
    expect([await status('replaced'), await status('replaced', ops)]).toEqual([401, 403]);
  });

  it('T-108: a value that was set on the request does not count as a principal', async () => {
    class Subject {
      read(auth: unknown, request: { readonly auth: unknown }) {
        return { auth: auth ?? null, onRequest: request.auth ?? null };
      }
    }
    Auth()(Subject.prototype, 'read', 0);
    Req()(Subject.prototype, 'read', 1);
    onMethod(Subject, 'read', Get(), Public());
    Controller()(Subject);
    const app = await start([Subject], platform);
    const plant = { auth: { subject: 'root' } };
    const instance = app.getHttpAdapter().getInstance();
    if (platform === 'express') {
      app.use((request: object, _response: unknown, next: () => void) => {
        Object.assign(request, plant);
        next();
      });
    } else {
      instance.addHook('onRequest', async (request: object) => {
        Object.assign(request, plant);
      });
    }
    const url = await listen(app);
    expect(await (await get(`${url}/?auth=root`, dev)).json()).toEqual({ auth: null, onRequest: null });
  });

  it("an application's exception filter sees the AuthError as the cause", async () => {
    const seen: unknown[] = [];
    class Filter {
      catch(exception: HttpException, host: ArgumentsHost) {
        seen.push(exception.cause);
        const response = host.switchToHttp().getResponse();
        response.status(exception.getStatus()).send({ own: true });
      }
    }
    Catch(HttpException)(Filter);
    const app = await start([controllerWith([], [])], platform);
    app.useGlobalFilters(new Filter());
    const response = await get(await listen(app), 'x.y.z');
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"');
    expect(await response.json()).toEqual({ own: true });
    expect(seen.map((cause) => isAuthError(cause) && cause.code)).toEqual(['token_malformed']);
  });

  it('a refusal that a handler throws is answered with its headers, which replace those that the handler wrote', async () => {
    class Subject {
      read() {
        throw new AuthError('keyset_unavailable');
      }
    }
    onMethod(Subject, 'read', Get(), Public(), Header('Cache-Control', 'public'));
    Controller()(Subject);
    const response = await get(await listen(await start([Subject], platform)));
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('5');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toMatchObject({ statusCode: 503, code: 'keyset_unavailable' });
  });

  it.each([
    ['of everything', [], { own: 'keyset_unavailable' }],
    ['of HttpException', [HttpException], { statusCode: 503, code: 'keyset_unavailable' }],
  ] as const)(
    'a refusal that a handler throws goes to a filter %s first, unchanged',
    async (_, types, body) => {
      class Subject {
        read() {
          throw new AuthError('keyset_unavailable');
        }
      }
      onMethod(Subject, 'read', Get(), Public());
      Controller()(Subject);
      class Filter {
        catch(error: unknown, host: ArgumentsHost) {
          if (!isAuthError(error)) throw error;
          host.switchToHttp().getResponse().status(error.status).send({ own: error.code });
        }
      }
      Catch(...types)(Filter);
      const app = await start([Subject], platform);
      app.useGlobalFilters(new Filter());
      const response = await get(await listen(app));
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject(body);
    },
  );

  it.each([
    ['an error of its own', new TypeError('no network')],
    ['undefined', undefined],
    ['null', null],
    ['an empty text', ''],
    ['zero', 0],
    ['false', false],
  ])('T-098: a rejection with %s reaches filters, and no handler', async (_name, reason) => {
    const seen: unknown[] = [];
    class Filter {
      catch(exception: unknown, host: ArgumentsHost) {
        seen.push(exception);
        host.switchToHttp().getResponse().status(500).send({});
      }
    }
    Catch()(Filter);
    const reject = () => Promise.reject(reason);
    const conceal = () => undefined;
    const tree = {
      kind: 'combined',
      mode: 'strict',
      readsBody: false,
      authenticate: reject,
      decide: reject,
      conceal,
    } as const;
    const app = await start([controllerWith([], [])], platform, tree);
    app.useGlobalFilters(new Filter());
    expect((await get(await listen(app), dev)).status).toBe(500);
    // A value that is not an Error is wrapped in one, because it would break filters.
    const expected = reason instanceof Error ? reason : { cause: reason };
    expect(seen).toEqual([reason instanceof Error ? expected : expect.objectContaining(expected)]);
  });

  it('T-094: a handler does not see a token in the query', async () => {
    class Subject {
      read(request: { readonly url: string }, query: object) {
        return { url: request.url, query };
      }
    }
    Req()(Subject.prototype, 'read', 0);
    Query()(Subject.prototype, 'read', 1);
    // The guard runs twice, and finds the token both times.
    onMethod(Subject, 'read', Get(), RequireClaims({ roles: ['dev'] }));
    Controller()(Subject);
    const inQuery = { ...options, tokenFrom: [{ query: 'access_token' }] } as const;
    const url = await listen(await start([Subject], platform, inQuery));
    const response = await get(`${url}/?a=1&access_token=${dev}&b=2`);
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
    expect(await response.json()).toEqual({ url: '/?a=1&b=2', query: { a: '1', b: '2' } });
  });

  it.each([
    ['that needs it', []],
    ['that is public', [Public()]],
  ])(
    'T-083: no property of the request or response has a token in the query: a handler %s',
    async (_, on) => {
      class Subject {
        read(request: { readonly query: unknown }, response: unknown) {
          return { places: placesOf({ request, response }, dev), query: request.query };
        }
      }
      Req()(Subject.prototype, 'read', 0);
      Res({ passthrough: true })(Subject.prototype, 'read', 1);
      onMethod(Subject, 'read', Get(), ...on);
      Controller()(Subject);
      const app = await start([Subject], platform, { ...options, tokenFrom: [{ query: 'access_token' }] });
      // Properties that are read before may be cached.
      app.use(
        (request: { originalUrl?: string; path?: string; query?: object }, _: unknown, next: () => void) => {
          expect([request.originalUrl, request.path, request.query]).toBeDefined();
          next();
        },
      );
      const response = await get(`${await listen(app)}/?a=1&access_token=${dev}`);
      expect(await response.json()).toEqual({ places: [], query: { a: '1' } });
    },
  );

  it('T-091: with enableCors a page of another origin can read the refusal, and a preflight needs no token', async () => {
    const app = await start([controllerWith([], [])], platform);
    app.enableCors({ origin: 'https://app.example' });
    const url = await listen(app);
    const headers = {
      origin: 'https://app.example',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization',
    };
    const preflight = await fetch(url, { method: 'OPTIONS', headers });
    expect(preflight.status).toBe(204);
    const refused = await fetch(url, { headers: { origin: headers.origin } });
    expect(refused.status).toBe(401);
    for (const answer of [preflight, refused])
      expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
  });

  it('T-083: a token in the query does not fail a request whose head was sent already', async () => {
    class Subject {
      read(request: { readonly url: string }, response: { raw?: ServerResponse } & ServerResponse) {
        (response.raw ?? response).end(request.url);
      }
    }
    Req()(Subject.prototype, 'read', 0);
    Res()(Subject.prototype, 'read', 1);
    onMethod(Subject, 'read', Get());
    Controller()(Subject);
    const inQuery = { ...options, tokenFrom: [{ query: 'access_token' }] } as const;
    const app = await start([Subject], platform, inQuery);
    app.use((_request: unknown, response: ServerResponse, next: () => void) => {
      response.flushHeaders();
      next();
    });
    const response = await get(`${await listen(app)}/?a=1&access_token=${dev}`);
    expect([response.status, await response.text()]).toEqual([200, '/?a=1']);
  });

  it('D9: refusalOf finds the refusal of a permissive route by its request', async () => {
    class Subject {
      read(request: object) {
        return { code: refusalOf(request)?.code ?? null };
      }
    }
    Req()(Subject.prototype, 'read', 0);
    onMethod(Subject, 'read', Get(), Authenticate({ mode: 'permissive' }));
    Controller()(Subject);
    const url = await listen(await start([Subject], platform));
    expect(await (await get(url, 'x.y.z')).json()).toEqual({ code: 'token_malformed' });
    expect(await (await get(url, dev)).json()).toEqual({ code: null });
  });
});

describe('decorators', () => {
  it('AM-3: a wrong rule is refused when the decorator is called', () => {
    expect(() => RequireClaims({ roles: { nonsense: true } } as never)).toThrow(ConfigError);
  });

  it('T-104: @Public next to a decorator that requires a token is refused, in either order', () => {
    class Subject {
      read() {}
      write() {}
    }
    expect(() => onMethod(Subject, 'read', Public(), RequireClaims({ sub: 'a' }))).toThrow(ConfigError);
    expect(() => onMethod(Subject, 'write', Authenticate(), Public())).toThrow(ConfigError);
    expect(() => {
      Public()(Subject);
      RequireClaims({ sub: 'a' })(Subject);
    }).toThrow(ConfigError);
  });
});
