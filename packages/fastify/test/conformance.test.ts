// Runs the cases that every adapter must pass on Fastify.
import { describeAdapter, type Harness } from '@latchkey/conformance';
import type { Principal } from '@latchkey/core';
import fastify, { type FastifyRequest } from 'fastify';
import latchkey, {
  healthCheck,
  publishKeys,
  publishResource,
  recentDecisions,
  signResponse,
} from '../src/index.ts';

const build = async (harness: Harness) => {
  const { authenticator, health, recent, routes, published, isResource, trustsProxy } = harness;
  const app = fastify({ trustProxy: trustsProxy });
  await app.register(latchkey, { authenticator });
  if (isResource) await app.register(publishResource(authenticator));
  app.get(health, { config: { auth: false } }, healthCheck(authenticator));
  app.get(recent.local, { config: { auth: false } }, recentDecisions('local'));
  app.get(recent.restricted, recentDecisions(recent.rules));
  for (const { path, signer } of published) app.get(path, { config: { auth: false } }, publishKeys(signer));
  for (const { method, path, access, handle, reply: head, sign } of routes) {
    app.route({
      // No method is exempt.
      method: access === 'public' ? method : [method, ...(method === 'GET' ? (['OPTIONS'] as const) : [])],
      url: path,
      config: { auth: access === 'public' ? false : access },
      ...(sign === undefined ? {} : { onSend: signResponse(sign) }),
      handler: async (request: FastifyRequest & { readonly auth?: Principal | null }, reply) => {
        const body = handle(request.auth ?? undefined, request.originalUrl);
        reply.code(head?.status ?? 200).headers(head?.headers ?? {});
        return body;
      },
    });
  }
  await app.ready();
  return app.routing;
};

describeAdapter('fastify', build, {}, { framework: 'fastify', hasRoutes: true });
