// The services of this run: on each adapter one route that needs a token and counts its calls.
import 'reflect-metadata';
import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import Router from '@koa/router';
import type { AuthenticatorOptions } from '@latchkey/core';
import { authenticate as onExpress } from '@latchkey/express';
import { latchkey } from '@latchkey/fastify';
import { authenticate as onHono } from '@latchkey/hono';
import { authenticate as onKoa } from '@latchkey/koa';
import { LatchkeyModule } from '@latchkey/nestjs';
import { createGuard, withAuth } from '@latchkey/web';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import express from 'express';
import { fastify } from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { PATH } from './terms.ts';

/** Starts a service that does not listen yet. `handled` is called by its only route. */
export type Service = (options: AuthenticatorOptions, handled: () => void) => Server | Promise<Server>;

/** By the name of the adapter. */
export const SERVICES: ReadonlyMap<string, Service> = new Map<string, Service>([
  [
    'express',
    (options, handled) => {
      const app = express();
      app.use(onExpress(options));
      app.get(PATH, (_request, response) => {
        handled();
        response.json({});
      });
      return createServer(app);
    },
  ],
  [
    'koa',
    (options, handled) => {
      const app = new Koa();
      app.silent = true;
      app.use(onKoa(options));
      const router = new Router();
      router.get(PATH, (ctx) => {
        handled();
        ctx.body = {};
      });
      app.use(router.routes());
      return createServer(app.callback());
    },
  ],
  [
    'fastify',
    async (options, handled) => {
      const app = fastify();
      await app.register(latchkey, options);
      app.get(PATH, async () => {
        handled();
        return {};
      });
      await app.ready();
      return app.server;
    },
  ],
  [
    'nestjs',
    async (options, handled) => {
      class Soaked {
        get() {
          handled();
          return {};
        }
      }
      const descriptor = Object.getOwnPropertyDescriptor(Soaked.prototype, 'get') ?? {};
      Get(PATH)(Soaked.prototype, 'get', descriptor);
      Controller()(Soaked);
      class AppModule {}
      Module({ imports: [LatchkeyModule.forRoot(options)], controllers: [Soaked] })(AppModule);
      const app = await NestFactory.create(AppModule, { logger: false });
      await app.init();
      return app.getHttpServer();
    },
  ],
  [
    'hono',
    (options, handled) => {
      const app = new Hono().use(onHono(options)).get(PATH, (context) => {
        handled();
        return context.json({});
      });
      return createServer(getRequestListener(app.fetch));
    },
  ],
  [
    'web',
    (options, handled) => {
      const soaked = withAuth(createGuard(options), () => {
        handled();
        return Response.json({});
      });
      const elsewhere = () => new Response(null, { status: 404 });
      return createServer(
        getRequestListener((request) =>
          new URL(request.url).pathname === PATH ? soaked(request) : elsewhere(),
        ),
      );
    },
  ],
]);
