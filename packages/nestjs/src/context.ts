// Reads Nest execution contexts of the kinds that Latchkey knows. No decision is made here.
import type { RequestParameters, RequestView } from '@latchkey/core/adapter';
import type { ArgumentsHost } from '@nestjs/common';

type NodeRequest = RequestView & { url?: string | undefined; originalUrl?: string | undefined };

/** The request of Express, or that of Fastify, which keeps Node's request in `raw`. */
export type FrameworkRequest = NodeRequest &
  RequestParameters & { auth?: unknown; readonly raw?: NodeRequest; readonly query?: unknown };

/** The response of Express, Fastify or Node. */
export interface FrameworkResponse {
  readonly headersSent?: boolean;
  readonly sent?: boolean;
  header?(name: string, value: string): unknown;
  setHeader?(name: string, value: string): unknown;
  /** Fastify's reply has the request that it answers. */
  readonly request?: FrameworkRequest;
}

/** One call of a handler. */
export interface Call {
  readonly type: 'http' | 'graphql' | 'ws';
  /**
   * The object that is authenticated: a request, an operation of GraphQL, or the client of a
   * WebSocket.
   */
  readonly key: object;
  readonly request?: FrameworkRequest;
  readonly response?: FrameworkResponse | undefined;
}

type GraphqlContext = { [name in 'res' | 'reply']?: FrameworkResponse } & { req?: FrameworkRequest };

/**
 * Reads a context. Undefined for an unknown kind, and for a context without what its kind has.
 * @throws TypeError for a context of GraphQL with the request of another caller
 */
export function callOf(context: ArgumentsHost): Call | undefined {
  const type = context.getType<string>();
  const first = context.getArgByIndex<FrameworkRequest | undefined>(0);
  if (type === 'ws') return first && { type, key: first };
  if (type === 'http') {
    return first && { type, key: first, request: complete(first), response: context.getArgByIndex(1) };
  }
  const graphql = context.getArgByIndex<GraphqlContext | undefined>(2);
  if (type !== 'graphql' || graphql?.req?.headers === undefined) return undefined;
  const answered = graphql.reply?.request;
  // Nest leaves the request of the first caller on an object that `context` returns to all.
  if (answered !== undefined && nodeOf(answered) !== nodeOf(graphql.req)) throw sharedContext();
  return { type, key: graphql, request: complete(graphql.req), response: graphql.res ?? graphql.reply };
}

/** What is thrown for a context of GraphQL with which one caller would be another. */
export function sharedContext(): TypeError {
  return new TypeError(
    'GraphQLModule context: expected a new object for each request, got one of another; return a new one',
  );
}

/**
 * Writes a header with the framework's own method, so that it counts against one that a handler
 * wrote before.
 */
export function writeHeader(response: FrameworkResponse | undefined, name: string, value: string): void {
  // The head of a response that has begun cannot change.
  if (response === undefined || response.headersSent === true || response.sent === true) return;
  if (response.header !== undefined) response.header(name, value);
  else response.setHeader?.(name, value);
}

function nodeOf(request: FrameworkRequest): object {
  return request.raw ?? request;
}

/** Fastify's request has all that core reads but the headers as they were written. */
function complete(request: FrameworkRequest): FrameworkRequest {
  return request.raw === undefined ? request : Object.assign(request, { rawHeaders: request.raw.rawHeaders });
}
