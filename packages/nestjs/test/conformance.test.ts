// Runs the cases that every adapter must pass on Nest, on each of its platforms. Decorators are
// called as functions.
import type { RequestListener } from 'node:http';
import { describeAdapter, type Harness, type Route } from '@latchkey/conformance';
import type { Principal } from '@latchkey/core';
import { Controller, Get, Header, HttpCode, Module, Options, Post, Req, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import {
  Auth,
  Authenticate,
  healthCheck,
  LatchkeyModule,
  Public,
  publishKeys,
  publishResource,
  RequireClaims,
  recentDecisions,
  SignResponse,
} from '../src/index.ts';

function controllerFor(route: Route, index: number, all: readonly Route[]): Type {
  const { method, path, access, handle, reply, sign } = route;
  class RouteController {
    answer(auth: Principal | undefined, request: { readonly originalUrl: string }) {
      return handle(auth, request.originalUrl);
    }
    options() {}
  }
  const decorate = (name: 'answer' | 'options', ...decorators: MethodDecorator[]) => {
    const descriptor = Object.getOwnPropertyDescriptor(RouteController.prototype, name)!;
    for (const decorator of decorators) decorator(RouteController.prototype, name, descriptor);
  };
  Auth()(RouteController.prototype, 'answer', 0);
  Req()(RouteController.prototype, 'answer', 1);
  decorate('answer', method === 'GET' ? Get(path) : Post(path), HttpCode(reply?.status ?? 200));
  for (const [name, value] of Object.entries(reply?.headers ?? {})) decorate('answer', Header(name, value));
  if (sign !== undefined) decorate('answer', SignResponse(sign));
  if (access === 'public') {
    Public()(RouteController);
  } else {
    // Fastify allows one handler for a method at a path.
    if (all.findIndex((other) => other.path === path) === index) decorate('options', Options(path));
    const { claims, ...overrides } = access;
    // `enforce` is for the rules next to it.
    const isTogether = overrides.enforce !== undefined;
    Authenticate(isTogether ? access : overrides)(RouteController);
    if (claims !== undefined && !isTogether) RequireClaims(claims)(RouteController);
  }
  Controller()(RouteController);
  return RouteController;
}

function moduleFor({ authenticator, health, recent, routes, published, isResource }: Harness): Type {
  class AppModule {}
  Module({
    imports: [LatchkeyModule.forRoot(authenticator), ...(isResource ? [publishResource()] : [])],
    controllers: [
      healthCheck(health),
      recentDecisions(recent.local, 'local'),
      recentDecisions(recent.restricted, recent.rules),
      ...published.map(({ path, signer }) => publishKeys(signer, path)),
      ...routes.map(controllerFor),
    ],
  })(AppModule);
  return AppModule;
}

const onExpress = async (harness: Harness) => {
  const app = await NestFactory.create<NestExpressApplication>(moduleFor(harness), { logger: false });
  app.set('trust proxy', harness.trustsProxy);
  await app.init();
  return app.getHttpAdapter().getInstance() as RequestListener;
};

const onFastify = async (harness: Harness) => {
  const app = await NestFactory.create<NestFastifyApplication>(
    moduleFor(harness),
    new FastifyAdapter({ trustProxy: harness.trustsProxy }),
    {
      logger: false,
    },
  );
  await app.init();
  const fastify = app.getHttpAdapter().getInstance();
  await fastify.ready();
  return ((request, response) => fastify.routing(request, response)) satisfies RequestListener;
};

const events = { framework: 'nestjs', hasRoutes: true };
describeAdapter('nestjs on express', onExpress, {}, events);
describeAdapter('nestjs on fastify', onFastify, {}, events);
