// The OpenAPI document of the service: /openapi.json says what each route requires.
import { createRequire } from 'node:module';
import { openApiTransform } from '@latchkey/fastify';
import type { FastifyInstance, FastifyPluginCallback } from 'fastify';

// An import would declare `config` of all routes of this repository. In a program of your own,
// import it, next to '@latchkey/fastify/augment'.
const require = createRequire(import.meta.url);
const swagger: FastifyPluginCallback<Record<string, unknown>> = require('@fastify/swagger');

/** The body that the error handler of the service writes. */
const body = {
  type: 'object',
  required: ['code', 'status', 'message'],
  properties: { code: { type: 'string' }, status: { type: 'integer' }, message: { type: 'string' } },
};

/** Publishes the document, to everybody. Call it before the routes are added, which it collects. */
export async function publishDocument(app: FastifyInstance): Promise<void> {
  // Before the plugin, so that this route is not in the document.
  app.get('/openapi.json', { config: { auth: false } }, async () => {
    const { swagger: make } = app as unknown as { swagger(): object };
    return make();
  });
  await app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title: 'Friends and messages', version: '1.0.0' } },
    transformObject: openApiTransform(app, { body }),
  });
}
