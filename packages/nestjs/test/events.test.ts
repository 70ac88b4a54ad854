// receiveEvents on Nest, on each of its platforms, with a global prefix and the parsers of Nest.
import type { RequestListener } from 'node:http';
import { describeReceiver, type ReceiverHarness } from '@latchkey/conformance';
import { Controller, Get, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { LatchkeyModule, receiveEvents } from '../src/index.ts';

for (const rawBody of [false, true]) {
  const name = rawBody ? ', with rawBody' : '';

  describeReceiver(
    `nestjs on express${name}`,
    async (harness) => {
      const options = { logger: false, rawBody } as const;
      const app = await NestFactory.create<NestExpressApplication>(moduleFor(harness), options);
      await app.init();
      return app.getHttpAdapter().getInstance() as RequestListener;
    },
    // The parser of forms has a limit of its own.
    { 'a body that is too long': { status: 200 } },
  );

  describeReceiver(`nestjs on fastify${name}`, async (harness) => {
    const app = await NestFactory.create<NestFastifyApplication>(moduleFor(harness), new FastifyAdapter(), {
      logger: false,
      rawBody,
    });
    await app.init();
    const fastify = app.getHttpAdapter().getInstance();
    await fastify.ready();
    return (request, response) => fastify.routing(request, response);
  });
}

function moduleFor({ authenticator, receiver }: ReceiverHarness): Type {
  class MeController {
    me() {
      return {};
    }
  }
  const { prototype } = MeController;
  Get('me')(prototype, 'me', Object.getOwnPropertyDescriptor(prototype, 'me')!);
  Controller()(MeController);
  class AppModule {}
  Module({
    imports: [LatchkeyModule.forRoot(authenticator), receiveEvents(receiver, '/events')],
    controllers: [MeController],
  })(AppModule);
  return AppModule;
}
