// Authenticates requests to the application's own not-found handlers, however a request reaches
// them. Fastify's own 404 is not covered.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Decides on a request that has reached a not-found handler. */
type Decide = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
type Handler = (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) => unknown;
interface Hooks {
  preHandler?: unknown;
}

const decided = new WeakSet<FastifyRequest>();

/** Records that a request satisfied the requirement of its not-found handler. */
export function noteDecided(request: FastifyRequest): void {
  decided.add(request);
}

/**
 * Wraps not-found handlers that are set on this scope, or on one inside it, so that they decide
 * first. When the router calls such a handler, it runs every hook before. `reply.callNotFound()`
 * runs at most `preHandler`, and the decision before was that of the route.
 * @param decide throws for a request that is refused, and records one that is not
 */
export function guardNotFound(scope: FastifyInstance, decide: Decide): void {
  const set = scope.setNotFoundHandler;
  Object.assign(scope, {
    setNotFoundHandler(this: FastifyInstance, first?: Hooks | Handler, second?: Handler): unknown {
      const [options, handler] = typeof first === 'function' ? [{}, first] : [first, second];
      if (handler === undefined) return Reflect.apply(set, this, [options]);
      const preHandler = [once, ...[options?.preHandler ?? []].flat()];
      return Reflect.apply(set, this, [{ ...options, preHandler }, guard(handler)]);
    },
  });

  async function once(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (!decided.has(request)) await decide(request, reply);
  }

  // Some releases of Fastify skip the hooks of a handler that `callNotFound` reaches, so the
  // handler decides too.
  function guard(handler: Handler): Handler {
    return function (request, reply) {
      if (decided.has(request)) return handler.call(this, request, reply);
      // A handler that returns undefined sends the reply itself, and Fastify waits for it.
      return once(request, reply).then(() => handler.call(this, request, reply) ?? reply);
    };
  }
}
