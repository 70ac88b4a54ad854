// Writes what the routes of an application require into the document of @fastify/swagger, which is
// known by its form only. No request is decided here.
import * as core from '@latchkey/core';
import type { FastifyInstance } from 'fastify';
import { routes } from './routes.ts';

/** What Fastify's own error handler sends. */
const BODY = {
  type: 'object',
  description: 'Why a request was refused.',
  required: ['statusCode', 'code', 'error', 'message'],
  properties: {
    statusCode: { type: 'integer', description: 'The status of the answer.' },
    code: { type: 'string', description: 'The code of the refusal.', example: 'credentials_missing' },
    error: { type: 'string', description: 'The name of the status.' },
    message: { type: 'string', description: 'Constant for each code.' },
  },
};

/** The function that `transformObject` of `@fastify/swagger` takes. */
export type DocumentTransform = <D extends object>(
  given: { readonly openapiObject: D } | { readonly swaggerObject: object },
) => D;

/**
 * Makes the `transformObject` of `@fastify/swagger`: it writes into the OpenAPI document what each
 * route requires, from the same compiled access that decides. See `addToOpenApi` of
 * `@latchkey/core`. The document is made when it is first asked for, after `app.ready()`.
 * @param app the application, or any scope of it
 * @param options `body` if the application has an error handler that writes another body
 * @throws ConfigError for wrong options, at once. From the transform: for a document that is not
 *   OpenAPI 3, and for an operation whose route is undecided and that has no `security` of its own
 * @example
 * ```ts
 * const settings = { openapi: { openapi: '3.1.0' }, transformObject: openApiTransform(app) };
 * ```
 */
export function openApiTransform(
  app: FastifyInstance,
  ...options: readonly [options?: core.OpenApiOptions]
): DocumentTransform {
  const given: core.OpenApiOptions = { body: BODY, ...options[0] };
  core.addToOpenApi({ openapi: '3.1.0', paths: {} }, [], given);
  return (document) => {
    if (!('openapiObject' in document))
      throw new core.ConfigError(
        'openApiTransform',
        'expected a document of OpenAPI 3, got one of Swagger 2; give @fastify/swagger the option openapi',
      );
    return core.addToOpenApi(document.openapiObject, routes(app), given);
  };
}
