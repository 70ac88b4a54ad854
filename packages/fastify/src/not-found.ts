// The application's own not-found handlers: each decides for itself, however a request reaches it.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Decides on a request that has reached a not-found handler. */
type Decide = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
type Handler = (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) => unknown;
interface Hooks {
  preHandler?: unknown;
}

const decided = new WeakSet<FastifyRequest>();

/** Notes that a request was let pass by what its not-found handler asks. */
export function noteDecided(request: FastifyRequest): void {
  decided.add(request);
}

/**
 * Sees to it that not-found handlers which are set on this scope, or on one in it, decide first.
 * The router runs every hook before such a handler. `reply.callNotFound()` runs at most
 * `preHandler`, and what decided before was the route.
 * @param decide throws for a request that is refused, and notes one that is not
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

  // Releases of Fastify lose the hooks of a handler that `callNotFound` reaches: the handler asks,
  // too.
  function guard(handler: Handler): Handler {
    return function (request, reply) {
      if (decided.has(request)) return handler.call(this, request, reply);
      // A handler that returns nothing has sent, or will: Fastify waits for the reply.
      return once(request, reply).then(() => handler.call(this, request, reply) ?? reply);
    };
  }
}
