// trpc.ts: requests need a token, and procedures have rules.
import { type CompiledRules, compileRules } from '@latchkey/core/adapter';
import { authorize, type Guard, isAuthError, type Principal, type Rules, withAuth } from '@latchkey/web';
import { type AnyTRPCRouter, initTRPC, TRPCError } from '@trpc/server';
import { fetchRequestHandler } from '@trpc/server/adapters/fetch';

interface AuthContext {
  readonly auth: Principal;
}

const t = initTRPC.context<AuthContext>().create();
export const { router } = t;

/** A procedure of any caller with a good token. */
export const procedure = t.procedure;

/** A procedure of callers whose principal satisfies the rules. */
export function procedureFor(rules: Rules) {
  const compiled = compileRules(rules);
  return t.procedure.use(({ ctx, next }) => {
    refuse(ctx.auth, compiled);
    return next();
  });
}

/** A handler of web-standard requests. `createContext` has the principal. */
export function createHandler(guard: Guard<Principal>, appRouter: AnyTRPCRouter, endpoint: string) {
  return withAuth(guard, (req, auth) =>
    fetchRequestHandler({ endpoint, req, router: appRouter, createContext: (): AuthContext => ({ auth }) }),
  );
}

const CODES = { 401: 'UNAUTHORIZED', 403: 'FORBIDDEN' } as const;

function refuse(principal: Principal, rules: CompiledRules): void {
  try {
    authorize(principal, rules);
  } catch (error) {
    // tRPC would send the message of any other error to the client.
    if (!isAuthError(error)) console.error(error);
    if (!isAuthError(error)) throw new TRPCError({ code: 'INTERNAL_SERVER_ERROR', message: 'internal' });
    throw new TRPCError({ code: error.status === 401 ? CODES[401] : CODES[403], message: error.code });
  }
}
