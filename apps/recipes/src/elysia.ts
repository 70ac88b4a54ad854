// elysia.ts: an application on Node whose requests all need a token.
import { node } from '@elysiajs/node';
import { compileRules } from '@latchkey/core/adapter';
import { authorize, type Guard, isAuthError, type Principal, type Rules } from '@latchkey/web';
import { Elysia } from 'elysia';

const principals = new WeakMap<Request, Principal>();

/** An application. Each of its routes needs a good token, wherever the route is added. */
export function createApp(guard: Guard) {
  const judge = guard.for({});
  // This runs before the body is read, and before a route is looked for.
  return new Elysia({ adapter: node() }).onRequest(({ request }) =>
    answered(async () => {
      const auth = await judge(request);
      if (auth instanceof Response) return auth;
      if (auth !== undefined) principals.set(request, auth);
      return undefined;
    }),
  );
}

/** The rules of a route: `app.get(path, handler, { beforeHandle: requireClaims(rules) })`. */
export function requireClaims(rules: Rules) {
  const compiled = compileRules(rules);
  return ({ request }: { readonly request: Request }) =>
    answered(() => authorize(principals.get(request), compiled));
}

/** The principal of a request, in a handler. */
export function principalOf(request: Request): Principal | undefined {
  return principals.get(request);
}

/** Elysia would send the message of an error to the client. */
async function answered(judge: () => unknown): Promise<unknown> {
  try {
    return await judge();
  } catch (error) {
    if (isAuthError(error)) return Response.json(error, { status: error.status, headers: error.headers });
    console.error(error);
    return Response.json({ status: 500 }, { status: 500 });
  }
}
