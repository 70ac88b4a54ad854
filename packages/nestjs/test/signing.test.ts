// Signed replies in Nest, on each platform: values that handlers return, handlers that send
// themselves, filters, and other interceptors. The cases for all adapters are in the conformance
// suite.
import 'reflect-metadata';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import {
  canary,
  createSigners,
  type Exchange,
  exchange,
  headerValues,
  LOGIN_ISSUER,
  type Signers,
} from '@latchkey/conformance';
import { type Authenticator, createAuthenticator } from '@latchkey/core';
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  Header,
  HttpCode,
  HttpException,
  type INestApplication,
  type NestInterceptor,
  Next,
  Post,
  Redirect,
  Render,
  Req,
  Res,
  Sse,
  StreamableFile,
  type Type,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { map, of, throwError } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LatchkeyModule, Public, publishKeys, SignResponse } from '../src/index.ts';
import { create, listen, onMethod, platforms } from './application.ts';

let signers: Signers;
let authenticator: Authenticator;

beforeAll(async () => {
  signers = await createSigners();
  authenticator = createAuthenticator({
    keySets: [{ issuer: LOGIN_ISSUER, jwks: signers.jwks }],
    audience: null,
  });
});

afterAll(() => signers.close());

const apps: INestApplication[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

const claims = (more: object = {}) => ({
  iss: LOGIN_ISSUER,
  sub: 'alice',
  canary,
  exp: Math.floor(Date.now() / 1000) + 300,
  ...more,
});
const reply = () => ({ access_token: claims(), token_type: 'Bearer' });
const text = () => JSON.stringify(reply());
/** Claims that cannot be signed. */
const unsignable = () => ({ access_token: claims({ exp: undefined }) });

const signing = () => SignResponse({ signer: signers.login, keysToSign: ['access_token'] });

type Platform = (typeof platforms)[number];

/** Sends a request to a controller. */
async function ask(
  controller: Type,
  platform: Platform,
  path = '/token',
  method = 'POST',
): Promise<Exchange> {
  Controller()(controller);
  const app = await create({ controllers: [controller] }, platform);
  apps.push(app);
  const { port } = new URL(await listen(app));
  return exchange({ port: Number(port), method, path, headers: [] });
}

/** A controller with one handler, whose reply is signed. */
function controllerOf(
  handler: (...given: never[]) => unknown,
  ...decorators: readonly MethodDecorator[]
): Type<{ token(): unknown }> {
  class TokenController {
    token(...given: never[]): unknown {
      return handler(...given);
    }
  }
  onMethod(TokenController, 'token', Post('token'), signing(), ...decorators);
  return TokenController;
}

/** Applies a decorator to a parameter, as if written in front of it. */
const parameter = (type: Type, index: number, decorator: ParameterDecorator) =>
  decorator(type.prototype, 'token', index);

async function expectSigned(body: string): Promise<void> {
  const { access_token, ...rest } = JSON.parse(body);
  expect(rest).toEqual({ token_type: 'Bearer' });
  expect((await authenticator.verify(access_token)).claims).toMatchObject({ sub: 'alice', canary });
}

describe.each(platforms)('on %s', (platform) => {
  describe('KD-5: values that handlers return', () => {
    class Login {
      readonly #kept = reply();
      toJSON() {
        return this.#kept;
      }
    }

    it.each<[string, () => unknown, ...MethodDecorator[]]>([
      ['an object', reply],
      ['a promise', async () => reply()],
      ['an observable', () => of(reply())],
      ['an instance', () => new Login()],
      ['a string', text, Header('Content-Type', 'application/json')],
      ['a status of its own', reply, HttpCode(202)],
    ])('KD-5: %s', async (_, handler, ...decorators) => {
      const answer = await ask(controllerOf(handler, ...decorators), platform);
      expect(answer.status).toBe(decorators.length > 0 && handler === reply ? 202 : 201);
      expect(answer.raw).not.toContain(canary);
      expect(headerValues(answer, 'content-type')).toEqual(['application/json; charset=utf-8']);
      expect(headerValues(answer, 'cache-control')).toEqual(['no-store']);
      await expectSigned(answer.body);
    });

    it('KD-5: every handler of a class', async () => {
      class LoginController {
        token() {
          return reply();
        }
        refresh() {
          return Promise.resolve(reply());
        }
        list() {
          return ['hello'];
        }
      }
      onMethod(LoginController, 'token', Post('token'));
      onMethod(LoginController, 'refresh', Post('refresh'));
      onMethod(LoginController, 'list', Get('list'));
      SignResponse({ signer: signers.login, keysToSign: ['access_token'] })(LoginController);
      Controller()(LoginController);
      const app = await create({ controllers: [LoginController] }, platform);
      apps.push(app);
      const port = Number(new URL(await listen(app)).port);
      const of = (method: string, path: string) => exchange({ port, method, path, headers: [] });
      await expectSigned((await of('POST', '/token')).body);
      await expectSigned((await of('POST', '/refresh')).body);
      expect((await of('GET', '/list')).body).toBe('["hello"]');
    });

    it('KD-5: signed for the class: the value that an interceptor of the handler returns', async () => {
      class LoginController {
        token(): object {
          return { token_type: 'Bearer' };
        }
      }
      const adds: NestInterceptor = {
        intercept: (_context, next) =>
          next.handle().pipe(map((body: object) => ({ ...body, access_token: claims() }))),
      };
      onMethod(LoginController, 'token', Post('token'), UseInterceptors(adds));
      SignResponse({ signer: signers.login, keysToSign: ['access_token'] })(LoginController);
      await expectSigned((await ask(LoginController, platform)).body);
    });

    it('KD-5: sends an empty reply, and a redirect, unchanged', async () => {
      expect(
        (
          await ask(
            controllerOf(() => undefined),
            platform,
          )
        ).status,
      ).toBe(201);
      const redirect = controllerOf(() => ({ url: '/elsewhere', statusCode: 303 }), Redirect());
      const answer = await ask(redirect, platform);
      expect([answer.status, headerValues(answer, 'location')]).toEqual([303, ['/elsewhere']]);
    });

    it('S42: sends a reply with @HttpCode outside 2xx, and JSON without the fields', async () => {
      const answer = await ask(controllerOf(reply, HttpCode(401)), platform);
      expect([answer.status, answer.body]).toEqual([401, '']);
      const other = await ask(
        controllerOf(() => ({ error: 'no' }), HttpCode(401)),
        platform,
      );
      expect([other.status, other.body]).toEqual([401, '{"error":"no"}']);
    });

    it('KD-5: the last of several values is the reply', async () => {
      const answer = await ask(
        controllerOf(() => of(reply(), { token_type: 'last' })),
        platform,
      );
      expect(answer.raw).not.toContain(canary);
    });

    it('KD-5: the last of several values is the reply, although signing the first takes longer', async () => {
      const answer = await ask(
        controllerOf(() => of(reply(), { token_type: 'last' })),
        platform,
      );
      expect(JSON.parse(answer.body)).toEqual({ token_type: 'last' });
    });
  });

  describe('S42: replies that are not sent', () => {
    it.each<[string, () => unknown, ...MethodDecorator[]]>([
      ['claims that cannot be signed', unsignable],
      ['claims that cannot be signed, later', () => of(unsignable())],
      ['a StreamableFile', () => new StreamableFile(Buffer.from(text()), { type: 'application/json' })],
      ['a Response', () => Response.json(reply())],
      ['a string with another type', text, Header('Content-Type', 'text/plain')],
      ['an object with the type of a page', reply, Header('Content-Type', 'text/html')],
      ['a page', () => `<p>${canary}</p>`, Header('Content-Type', 'text/html')],
      ['lines', () => `${text()}\n${text()}`, Header('Content-Type', 'application/x-ndjson')],
      ['events', () => of({ data: reply() }), Sse('token')],
      ['a view', reply, Render('view')],
      [
        'a stream of JSON that cannot be signed',
        () => Readable.from([JSON.stringify(unsignable())]),
        Header('Content-Type', 'application/json'),
      ],
    ])('S42: %s', async (_, handler, ...decorators) => {
      const answer = await ask(controllerOf(handler, ...decorators), platform);
      expect(answer.status).toBe(500);
      expect(answer.raw).not.toContain(canary);
    });

    it('S42: a file that does not leave is closed', async () => {
      const stream = new Readable({ read() {} });
      const closed = once(stream, 'close');
      const answer = await ask(
        controllerOf(() => new StreamableFile(stream)),
        platform,
      );
      expect(answer.status).toBe(500);
      await closed;
    });

    it.each<[string, () => unknown]>([
      ['the reply', () => new HttpException(reply(), 400)],
      ['the reply, further down', () => new HttpException({ errors: [{ data: reply() }] }, 500)],
      ['the reply as a string', () => new HttpException(text(), 400)],
      ['the reply in a message', () => new HttpException(`not saved: ${text()}`, 409)],
      ['the reply, as other frameworks throw', () => Object.assign(new Error(text()), { statusCode: 422 })],
    ])('S42: an exception is sent without its body, which is %s', async (_, make) => {
      const thrown = [
        () => {
          throw make();
        },
        () => Promise.reject(make()),
        () => throwError(make),
      ];
      for (const handler of thrown) {
        const answer = await ask(controllerOf(handler), platform);
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.raw).not.toContain(canary);
      }
    });

    it('KD-5: an exception with a 2xx status is signed', async () => {
      const answer = await ask(
        controllerOf(() => {
          throw new HttpException(reply(), 200);
        }),
        platform,
      );
      expect([answer.status, answer.raw.includes(canary)]).toEqual([200, false]);
      await expectSigned(answer.body);
    });

    it('S42: a filter that answers with the content of the exception', async () => {
      class Failing extends Error {
        readonly kept = reply();
      }
      class CatchAll {
        catch(error: Failing, host: ArgumentsHost) {
          host.switchToHttp().getResponse().status(400).send({ kept: error.kept });
        }
      }
      Catch()(CatchAll);
      const failing = () => {
        throw new Failing();
      };
      const answer = await ask(controllerOf(failing, UseFilters(new CatchAll())), platform);
      expect([answer.status, answer.body]).toEqual([400, '']);
    });

    it('T-099: an error that a handler throws', async () => {
      const conflict = new HttpException('already there', 409);
      const thrown = [
        () => {
          throw conflict;
        },
        () => Promise.reject(conflict),
        () => throwError(() => conflict),
      ];
      for (const handler of thrown) expect((await ask(controllerOf(handler), platform)).status).toBe(409);
    });

    it('S42: a filter sees the error, and answers', async () => {
      const seen: unknown[] = [];
      const filter: ExceptionFilter = {
        catch(error: unknown, host: ArgumentsHost) {
          seen.push(error);
          const response = host.switchToHttp().getResponse();
          response.status(502).send({ message: 'no' });
        },
      };
      class CatchAll {
        readonly catch = filter.catch;
      }
      Catch()(CatchAll);
      const answer = await ask(controllerOf(unsignable, UseFilters(new CatchAll())), platform);
      expect([answer.status, answer.body]).toEqual([502, '{"message":"no"}']);
      expect(seen).toEqual([expect.objectContaining({ name: 'TypeError' })]);
    });
  });

  describe('S42: handlers that send their reply themselves', () => {
    interface Sending {
      send(body: unknown): unknown;
      status(status: number): unknown;
    }

    const senders: readonly [string, (send: () => unknown) => unknown][] = [
      ['before it returns', (send) => void send()],
      ['and returns what that gives', (send) => send()],
      ['after it has returned', (send) => void setImmediate(send)],
      ['after a promise', async (send) => void setTimeout(send, 20)],
    ];
    it.each(senders)(
      'S42: the reply that a handler with @Res() sends %s is signed, or a 500',
      async (_, when) => {
        for (const make of [reply, unsignable]) {
          const controller = controllerOf((_request: unknown, response: Sending) =>
            when(() => response.send(make())),
          );
          for (const [index, decorator] of [Req(), Res()].entries()) parameter(controller, index, decorator);
          const answer = await ask(controller, platform);
          expect(answer.raw).not.toContain(canary);
          if (make === reply) await expectSigned(answer.body);
          else expect([answer.status, answer.body]).toEqual([500, '']);
        }
      },
    );

    it('S42: what is sent behind @Next() is signed', async () => {
      const controller = controllerOf((response: Sending, _next: unknown) => void response.send(reply()));
      for (const [index, decorator] of [Res(), Next()].entries()) parameter(controller, index, decorator);
      await expectSigned((await ask(controller, platform)).body);
    });

    it('S42: the value of a handler with @Res({ passthrough: true }) is signed', async () => {
      const controller = controllerOf((response: Sending) => {
        response.status(203);
        return reply();
      });
      parameter(controller, 0, Res({ passthrough: true }));
      const answer = await ask(controller, platform);
      // Nest sets the status of a POST.
      expect(answer.status).toBeLessThan(300);
      await expectSigned(answer.body);
    });

    it('S42: a reply that a handler with @Res({ passthrough: true }) sends itself is signed, or a 500 without a body', async () => {
      for (const make of [reply, unsignable]) {
        const controller = controllerOf((response: Sending) => void response.send(make()));
        parameter(controller, 0, Res({ passthrough: true }));
        const answer = await ask(controller, platform);
        expect(answer.raw).not.toContain(canary);
        if (make === reply) await expectSigned(answer.body);
        else expect([answer.status, answer.body]).toEqual([500, '']);
      }
    });

    it('S42: a reply that a handler writes to the raw response is signed, or a 500 without a body', async () => {
      for (const [body, type] of [
        [text(), 'application/json'],
        [text(), 'text/html'],
        [`data: ${text()}\n\n`, 'text/event-stream'],
      ] as const) {
        const controller = controllerOf((response: ServerResponse & { readonly raw?: ServerResponse }) => {
          const { raw = response } = response;
          raw.writeHead(200, { 'Content-Type': type });
          raw.write(body.slice(0, 9));
          raw.end(body.slice(9));
        });
        parameter(controller, 0, Res({ passthrough: true }));
        const answer = await ask(controller, platform);
        expect(answer.raw).not.toContain(canary);
        if (type === 'application/json') await expectSigned(answer.body);
        else expect([answer.status, answer.body]).toEqual([500, '']);
      }
    });
  });

  describe('KD-15: publishKeys', () => {
    const askKeys = async (controller: Type, path: string) => {
      const imports = [LatchkeyModule.forRoot(authenticator)];
      const app = await create({ imports, controllers: [controller] }, platform);
      apps.push(app);
      const port = Number(new URL(await listen(app)).port);
      return exchange({ port, method: 'GET', path, headers: [] });
    };

    it('KD-15: at its well-known path, without a token', async () => {
      const answer = await askKeys(publishKeys(signers.login), '/.well-known/jwks.json');
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toEqual(signers.jwks);
    });

    it('KD-15: of two signers at two paths', async () => {
      const answers = await Promise.all(
        ['a', 'b'].map((path) => askKeys(publishKeys(signers.login, path), `/${path}`)),
      );
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    });
  });

  it('KD-3: a public login next to routes that need a token', async () => {
    class LoginController {
      token() {
        return reply();
      }
      friends() {
        return ['bob'];
      }
    }
    onMethod(LoginController, 'token', Public(), signing(), Post('token'));
    onMethod(LoginController, 'friends', Get('friends'));
    Controller()(LoginController);
    const imports = [LatchkeyModule.forRoot(authenticator)];
    const app = await create({ imports, controllers: [LoginController] }, platform);
    apps.push(app);
    const port = Number(new URL(await listen(app)).port);
    const login = await exchange({ port, method: 'POST', path: '/token', headers: [] });
    const headers = [['Authorization', `Bearer ${JSON.parse(login.body).access_token}`]] as const;
    expect((await exchange({ port, method: 'GET', path: '/friends', headers: [] })).status).toBe(401);
    expect((await exchange({ port, method: 'GET', path: '/friends', headers })).status).toBe(200);
  });
});
