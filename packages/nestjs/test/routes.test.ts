// The route report of Nest, on both platforms: what decorators say of each route, and what no guard
// covers. In CI, `latchkey routes list --check` fails for it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '@latchkey/cli';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import {
  All,
  Controller,
  Get,
  type INestApplication,
  Module,
  Post,
  type Type,
  VersioningType,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  Authenticate,
  ConfigError,
  healthCheck,
  LatchkeyModule,
  Public,
  RequireClaims,
  recentDecisions,
  routes,
} from '../src/index.ts';

let issuer: TestIssuer;
let app: INestApplication;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());
afterEach(() => app.close());

class Orders {
  list() {}
  one() {}
  any() {}
  remove() {}
}
class Partners extends Orders {}
class Versioned {
  list() {}
}

const on = (type: Type, name: string, ...decorators: readonly MethodDecorator[]) => {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, name)!;
  for (const decorate of decorators) decorate(type.prototype, name, descriptor);
};
on(Orders, 'list', Get(), RequireClaims({ scope: 'orders' }) as MethodDecorator);
on(Orders, 'one', Get(':id'));
on(Orders, 'any', All('any'), Public() as MethodDecorator);
on(Orders, 'remove', Post('remove/:id'), Authenticate({ mode: 'optional' }) as MethodDecorator);
Controller('orders')(Orders);
RequireClaims({ roles: ['partner'] })(Partners);
Controller('partners')(Partners);
on(Versioned, 'list', Get('list'));
Controller({ path: 'versioned', version: '2' })(Versioned);

async function create(platform: 'express' | 'fastify', controllers: readonly Type[]) {
  class AppModule {}
  Module({ imports: [LatchkeyModule.forRoot(issuer.options)], controllers: [...controllers] })(AppModule);
  const options = { logger: false } as const;
  app =
    platform === 'express'
      ? await NestFactory.create(AppModule, options)
      : await NestFactory.create(AppModule, new FastifyAdapter(), options);
  app.setGlobalPrefix('api');
  app.enableVersioning({ type: VersioningType.URI });
}

const lines = () =>
  routes(app)
    .map(({ method, path, requirement, claims }) => [method, path, requirement, ...claims].join(' '))
    .toSorted();

describe.each(['express', 'fastify'] as const)('on %s', (platform) => {
  it('lists what the decorators of each route require, as the guard does', async () => {
    await create(platform, [
      Orders,
      Partners,
      Versioned,
      healthCheck('health'),
      recentDecisions('decisions', { scope: 'operate' }),
    ]);
    await app.init();
    expect(lines()).toEqual(
      [
        'ALL /api/orders/any public',
        // `@Public` on the method opens it in a subclass with rules too.
        'ALL /api/partners/any public',
        'GET /api/decisions token scope',
        'GET /api/health public',
        'GET /api/orders token scope',
        'GET /api/orders/:id token',
        'GET /api/partners token scope',
        'GET /api/partners/:id token roles',
        'GET /api/v2/versioned/list token',
        'POST /api/orders/remove/:id optional token',
        'POST /api/partners/remove/:id token roles',
      ].toSorted(),
    );
    expect(routes(app, { failOnUndecided: true })).toHaveLength(11);
  });

  it.each(['of the adapter', 'of the platform'] as const)(
    'a route %s is undecided, and the command for CI fails',
    async (by) => {
      await create(platform, [Orders]);
      const http = app.getHttpAdapter();
      const handler = (_request: unknown, reply: { send(body: string): unknown }) => reply.send('open');
      if (by === 'of the adapter') http.get('/raw', handler as never);
      else http.getInstance().get('/raw', handler);
      await app.init();
      expect(lines()).toContain('GET /raw UNDECIDED');
      expect(() => routes(app, { failOnUndecided: true })).toThrow(ConfigError);
      expect(() => routes(app, { failOnUndecided: true })).toThrow('GET /raw');
      const folder = await mkdtemp(join(tmpdir(), 'latchkey-test-'));
      onTestFinished(() => rm(folder, { recursive: true }));
      await writeFile(join(folder, 'routes.json'), JSON.stringify(routes(app)));
      const errors: string[] = [];
      const terminal = {
        stdout: { write: () => {} },
        stderr: { write: (text: string) => errors.push(text) },
        stdin: process.stdin,
        env: {},
        cwd: () => folder,
      };
      expect(await run(['routes', 'list', 'routes.json', '--check'], terminal)).toBe(1);
      expect(errors.join('')).toContain('1 undecided: GET /raw');
    },
  );

  it('before the application is initialized, there is no report', async () => {
    await create(platform, [Orders]);
    expect(() => routes(app)).toThrow('call it after app.init()');
    await app.init();
    expect(lines()).not.toEqual([]);
  });
});

it.each([undefined, {}, null])('%j is no application', async (given) => {
  await create('express', []);
  expect(() => routes(given as never)).toThrow('expected an application of Nest');
});
