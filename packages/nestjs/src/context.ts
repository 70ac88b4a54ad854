// Reads Nest's execution contexts of HTTP and GraphQL, and makes the exceptions that Nest answers.
// No decision is made here.
import { type AuthError, isAuthError } from '@latchkey/core';
import type { RequestParameters, RequestPlace, RequestView } from '@latchkey/core/adapter';
import { type ArgumentsHost, HttpException } from '@nestjs/common';
import { messageExceptionOf } from './messages.ts';

/** The request of Express, or that of Fastify, which keeps Node's request in `raw`. */
type FrameworkRequest = RequestView &
  RequestParameters & { auth?: unknown; readonly raw?: FrameworkRequest; readonly originalUrl?: string };

/** The response of Express, Fastify or Node. */
interface FrameworkResponse {
  readonly headersSent?: boolean;
  readonly sent?: boolean;
  header?(name: string, value: string): unknown;
  setHeader?(name: string, value: string): unknown;
  /** Fastify's reply has the request that it answers. */
  readonly request?: FrameworkRequest;
}

/**
 * For the event `latchkey:decision`. The guard judges the rules too, so no later rule refuses. The
 * route is that of the platform; GraphQL has no routes.
 */
export const NEST: RequestPlace<RequestView> = Object.freeze({
  framework: 'nestjs',
  routeOf: (request: RequestView) => {
    // Express sets `route`, and Fastify has `routeOptions`.
    const route: unknown = Reflect.get(request, 'route') ?? Reflect.get(request, 'routeOptions');
    const pattern: unknown = Reflect.get(Object(route), 'path') ?? Reflect.get(Object(route), 'url');
    return typeof pattern === 'string' ? pattern : undefined;
  },
});

/** One call of a handler. */
export interface Call {
  /** What the decision is kept on: the request, or the context of an operation of GraphQL. */
  readonly key: object;
  readonly request: FrameworkRequest;
  readonly response: FrameworkResponse | undefined;
}

type GraphqlContext = { [name in 'res' | 'reply']?: FrameworkResponse } & { req?: FrameworkRequest };

/**
 * Reads a context. Undefined for an unknown kind, and for a context without what its kind has.
 * @throws TypeError for a context of GraphQL with the request of another caller
 */
export function callOf(host: ArgumentsHost): Call | undefined {
  const type = host.getType<string>();
  const [own, response, context] = host.getArgs<[FrameworkRequest?, FrameworkResponse?, GraphqlContext?]>();
  const request = type === 'http' ? own : type === 'graphql' ? context?.req : undefined;
  if (request?.headers === undefined) return undefined;
  // Fastify's request has all that core reads but the headers as they were written.
  if (request.raw !== undefined) Object.assign(request, { rawHeaders: request.raw.rawHeaders });
  if (type === 'http' || context === undefined) return { key: request, request, response };
  const { res, reply } = context;
  // Nest leaves the request of the first caller on an object that `context` returns to all.
  if (reply?.request !== undefined && (reply.request.raw ?? reply.request) !== (request.raw ?? request))
    throw new TypeError('GraphQLModule context: expected a new object for each request; return a new one');
  return { key: context, request, response: res ?? reply };
}

/**
 * Writes headers with the framework's own method, so that they count against those that a handler
 * wrote before.
 */
export function writeHeaders(call: Call | undefined, headers: Readonly<Record<string, string>>): void {
  const response = call?.response;
  // The head of a response that has begun cannot change.
  if (response === undefined || response.headersSent === true || response.sent === true) return;
  const write = response.header ?? response.setHeader;
  for (const [name, value] of Object.entries(headers)) write?.call(response, name, value);
}

/**
 * Turns an AuthError into the exception that Nest answers in a context, with the AuthError as its
 * `cause`. Returns any other error unchanged.
 */
export async function exceptionOf(error: unknown, host: ArgumentsHost): Promise<unknown> {
  if (!isAuthError(error)) return error;
  return (await messageExceptionOf(error, host.getType())) ?? httpExceptionOf(error, host);
}

/** The same for HTTP and GraphQL. It writes the headers too, because Nest's filters write none. */
export function httpExceptionOf(error: AuthError, host: ArgumentsHost): HttpException {
  const { code, status, message, headers } = error;
  writeHeaders(callOf(host), headers);
  return new HttpException({ statusCode: status, code, message }, status, { cause: error });
}
