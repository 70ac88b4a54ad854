// yoga.ts: operations need a token, and fields have rules.
import { compileRules } from '@latchkey/core/adapter';
import { authorize, type Guard, isAuthError, type Principal, type Rules, withAuth } from '@latchkey/web';
import type { GraphQLFieldResolver } from 'graphql';
import { createGraphQLError, type YogaServerInstance } from 'graphql-yoga';

export interface AuthContext {
  readonly auth: Principal;
}

/** A handler of web-standard requests. Resolvers find the principal in their context. */
export function createHandler<User extends object>(
  guard: Guard<Principal>,
  yoga: YogaServerInstance<AuthContext, User>,
): (request: Request) => Promise<Response> {
  return withAuth(guard, (request, auth) => yoga.fetch(request, { auth }));
}

/** A resolver that only callers reach whose principal satisfies the rules. */
export function requireClaims<Source, Args, Context extends AuthContext>(
  rules: Rules,
  resolver: GraphQLFieldResolver<Source, Context, Args>,
): GraphQLFieldResolver<Source, Context, Args> {
  const compiled = compileRules(rules);
  return (source, args, context, info) => {
    try {
      authorize(context.auth, compiled);
    } catch (error) {
      // Yoga logs any other error, and sends "Unexpected error." to the client.
      if (!isAuthError(error)) throw error;
      const { code, status, message } = error;
      throw createGraphQLError(message, { extensions: { code, status } });
    }
    return resolver(source, args, context, info);
  };
}
