// apollo.ts: operations need a token, and fields have rules.
import type { IncomingMessage } from 'node:http';
import { HeaderMap } from '@apollo/server';
import {
  type Authenticator,
  authorize,
  compileAccess,
  isAuthError,
  type Principal,
  type RouteAccess,
  type Rules,
} from '@latchkey/core';
import { compileRules } from '@latchkey/core/adapter';
import { GraphQLError, type GraphQLFieldResolver } from 'graphql';

export interface AuthContext {
  readonly auth: Principal | undefined;
}

/** For `context` of `startStandaloneServer` and of `expressMiddleware`. */
export function createContext(
  authenticator: Pick<Authenticator, 'authenticate'>,
  access: RouteAccess = {},
): (given: { readonly req: IncomingMessage }) => Promise<AuthContext> {
  const asked = compileAccess(access);
  return async ({ req }) => {
    try {
      return { auth: await authenticator.authenticate(req, asked) };
    } catch (error) {
      throw refusalOf(error, true);
    }
  };
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
      throw refusalOf(error, false);
    }
    return resolver(source, args, context, info);
  };
}

/** Apollo would send the message of any other error to the client. */
function refusalOf(error: unknown, isForAll: boolean): GraphQLError {
  if (!isAuthError(error)) {
    console.error(error);
    return new GraphQLError('Internal server error', { extensions: { http: { status: 500 } } });
  }
  const { code, status, message, headers } = error;
  // A field is refused in `errors`, and the other fields are answered.
  const http = { status, headers: new HeaderMap(Object.entries(headers)) };
  const extensions: Record<string, unknown> = { code, status, ...(isForAll ? { http } : {}) };
  return new GraphQLError(message, { extensions });
}
