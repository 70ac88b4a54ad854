// The cases that every adapter must pass, served by Fastify.
import { describeAdapter, type Harness } from '@latchkey/conformance';
import type { Principal } from '@latchkey/core';
import fastify, { type FastifyRequest } from 'fastify';
import latchkey from '../src/index.ts';

describeAdapter('fastify', async ({ authenticator, routes }: Harness) => {
  const app = fastify();
  await app.register(latchkey, { authenticator });
  for (const { method, path, access, handle } of routes) {
    app.route({
      // Nothing is exempt by method.
      method: access === 'public' ? method : [method, ...(method === 'GET' ? (['OPTIONS'] as const) : [])],
      url: path,
      config: { auth: access === 'public' ? false : access },
      handler: async (request: FastifyRequest & { readonly auth?: Principal | null }) =>
        handle(request.auth ?? undefined, request.originalUrl),
    });
  }
  await app.ready();
  return app.routing;
});
