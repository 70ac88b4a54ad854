// '@latchkey/fastify/augment': declares `request.auth` and `config.auth` in Fastify's own types,
// for the whole program. It has no code. Do not import it where the plugin gets a combination of
// authenticators: `request.auth` has the principals by name there.
import type { Principal } from '@latchkey/core';
import type { RouteConfig } from './routes.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The principal. Null for an anonymous request, and on a public route. */
    auth: Principal | null;
  }
  interface FastifyContextConfig extends RouteConfig {}
}
