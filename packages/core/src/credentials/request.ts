// The part of a request that core reads, and its readers. Node's IncomingMessage has this shape
// already.
import type { IncomingHttpHeaders } from 'node:http';
import type { RequestParameters } from '../claims/rules.ts';

/**
 * The part of a request that core reads. Node's IncomingMessage satisfies it; for a web Request,
 * see `requestViewOf`.
 */
export interface RequestView {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /**
   * The URL as it was received, where the framework shortens `url` for a router. Default: `url`.
   * Read only for a proof of possession.
   */
  readonly originalUrl?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /**
   * Names and values in turn, as they were received. Undefined or empty if the platform does not
   * provide them: a header that looks like joined duplicates is then ambiguous.
   */
  readonly rawHeaders?: readonly string[] | undefined;
  /**
   * `https` or `http`, as the framework says: Express and Fastify set it, and read
   * `X-Forwarded-Proto` only from a proxy that they trust. Default: whether the socket of Node is
   * encrypted. Read only with `requireSecureTransport`.
   */
  readonly protocol?: string | undefined;
  /**
   * The connection, such as the socket of Node: its certificate and the address of the other end,
   * for `mutualTls`, and whether it is encrypted, for `requireSecureTransport`.
   */
  readonly socket?: object | undefined;
  /** The parsed body, if a body parser has run. Read only if `tokenFrom` names a body field. */
  readonly body?: unknown;
  /** Path parameters, if the framework has matched a route: for `fromRequest` rules. */
  readonly params?: unknown;
}

// A symbol, because applications set properties of their own on requests.
const KEY: unique symbol = Symbol.for('@latchkey/request');
interface KeyedView extends RequestView {
  readonly [KEY]?: object;
}

/**
 * Makes a view for a request that is another object. Core stores its notes about the request under
 * `key`.
 */
export function keyedView(view: RequestView, key: object): RequestView {
  const keyed: KeyedView = { ...view, [KEY]: key };
  return keyed;
}

/**
 * Returns the object under which core stores notes about a request: the framework's own request.
 */
export function keyOf(request: KeyedView): object {
  return request[KEY] ?? request;
}

/** Returns a header that was received, and never an inherited member. */
export function headerOf<Name extends keyof IncomingHttpHeaders>(
  headers: IncomingHttpHeaders,
  name: Name,
): IncomingHttpHeaders[Name] {
  return Object.hasOwn(headers, name) ? headers[name] : undefined;
}

/**
 * Returns a member of a request, which may be inherited from a class of the framework. Undefined
 * for a member that every object has, because the prototype of all objects is polluted then.
 */
export function memberOf(request: object, name: string): unknown {
  const value: unknown = Reflect.get(request, name);
  return value === Reflect.get(Object.prototype, name) ? undefined : value;
}

/** Returns how a request came; undefined if neither the framework nor a socket of Node says so. */
export function protocolOf(request: object): string | undefined {
  const said = memberOf(request, 'protocol');
  if (said !== undefined) return typeof said === 'string' ? said : undefined;
  const socket = memberOf(request, 'socket');
  if (typeof socket !== 'object' || socket === null) return undefined;
  return memberOf(socket, 'encrypted') === true ? 'https' : 'http';
}

/** Returns the part of a request that rules may read. */
export function parametersOf(request: RequestView): RequestParameters {
  const { method, headers } = request;
  const params = memberOf(request, 'params');
  const isObject = typeof params === 'object' && params !== null;
  return { method, headers, params: (isObject ? params : {}) as RequestParameters['params'] };
}

/** True for the methods that change nothing on the server, RFC 9110 §9.2.1. */
export function isSafeMethod(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || method === 'TRACE';
}

/**
 * Counts how often a header was received, if that is known. Node keeps only the first of some
 * duplicates.
 */
export function countHeader({ rawHeaders = [] }: RequestView, name: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const raw = rawHeaders[index];
    if (raw?.length === name.length && raw.toLowerCase() === name) count++;
  }
  return count;
}
