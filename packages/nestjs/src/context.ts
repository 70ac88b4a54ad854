// Reads Nest's execution contexts of the kinds that Latchkey knows, and makes the exceptions that
// Nest answers there. No decision is made here.
import { type AuthError, isAuthError } from '@latchkey/core';
import type { RequestParameters, RequestView } from '@latchkey/core/adapter';
import { type ArgumentsHost, HttpException } from '@nestjs/common';

type NodeRequest = RequestView & { url?: string | undefined; originalUrl?: string | undefined };

/** The request of Express, or that of Fastify, which keeps Node's request in `raw`. */
export type FrameworkRequest = NodeRequest &
  RequestParameters & { auth?: unknown; readonly raw?: NodeRequest; readonly query?: unknown };

/** The response of Express, Fastify or Node. */
interface FrameworkResponse {
  readonly headersSent?: boolean;
  readonly sent?: boolean;
  header?(name: string, value: string): unknown;
  setHeader?(name: string, value: string): unknown;
  /** Fastify's reply has the request that it answers. */
  readonly request?: FrameworkRequest;
}

/** One call of a handler. */
export interface Call {
  readonly isHttp: boolean;
  /** What the decision is kept on: a request, or the context of an operation of GraphQL. */
  readonly key: object;
  readonly request: FrameworkRequest;
  readonly response: FrameworkResponse | undefined;
}

interface GraphqlContext {
  readonly req?: FrameworkRequest;
  readonly res?: FrameworkResponse;
  readonly reply?: FrameworkResponse;
}

/**
 * Reads a context. Undefined for an unknown kind, and for a context without what its kind has.
 * @throws TypeError for a context of GraphQL with the request of another caller
 */
export function callOf(host: ArgumentsHost): Call | undefined {
  const type = host.getType<string>();
  const request = host.getArgByIndex<FrameworkRequest | undefined>(0);
  if (type === 'http' && request !== undefined)
    return { isHttp: true, key: request, request: complete(request), response: host.getArgByIndex(1) };
  const context = host.getArgByIndex<GraphqlContext | undefined>(2);
  if (type !== 'graphql' || context?.req?.headers === undefined) return undefined;
  const { req, res, reply } = context;
  // Nest leaves the request of the first caller on an object that `context` returns to all.
  if (reply?.request !== undefined && (reply.request.raw ?? reply.request) !== (req.raw ?? req))
    throw sharedContext();
  return { isHttp: false, key: context, request: complete(req), response: res ?? reply };
}

/** What is thrown for a context of GraphQL with which one caller would be another. */
export function sharedContext(): TypeError {
  return new TypeError(
    'GraphQLModule context: expected a new object for each request, got one of another; return a new one',
  );
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
  const type = host.getType<string>();
  if (type !== 'ws' && type !== 'rpc') return httpExceptionOf(error, host);
  // Each kind of client is told only of exceptions of its own class. An application with such a
  // context has the package installed.
  const Exception =
    type === 'ws'
      ? (await import('@nestjs/websockets')).WsException
      : (await import('@nestjs/microservices')).RpcException;
  return Object.assign(new Exception(messageOf(error)), { cause: error });
}

/** The same for HTTP and GraphQL. It writes the headers too, because Nest's filters write none. */
export function httpExceptionOf(error: AuthError, host: ArgumentsHost): HttpException {
  const { code, status, message, headers } = error;
  writeHeaders(callOf(host), headers);
  return new HttpException({ statusCode: status, code, message }, status, { cause: error });
}

/** What the client of a message is told. */
export function messageOf({ code, message }: AuthError): object {
  return { status: 'error', code, message };
}

/** Fastify's request has all that core reads but the headers as they were written. */
function complete(request: FrameworkRequest): FrameworkRequest {
  return request.raw === undefined ? request : Object.assign(request, { rawHeaders: request.raw.rawHeaders });
}
