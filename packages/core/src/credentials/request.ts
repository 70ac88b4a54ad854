// The part of a request that core reads. Node's IncomingMessage satisfies it as it is.
import type { IncomingHttpHeaders } from 'node:http';
import type { RequestParameters } from '../claims/rules.ts';

/**
 * What core reads of a request. Node's IncomingMessage satisfies it; see `requestViewOf` for the
 * web's.
 */
export interface RequestView {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /**
   * Names and values in turn, as they were sent. Undefined where the platform does not tell: a
   * header that looks like joined duplicates is then ambiguous.
   */
  readonly rawHeaders?: readonly string[] | undefined;
  /**
   * The parsed body, where a body parser has been at work: read only if `tokenFrom` names a body
   * parameter.
   */
  readonly body?: unknown;
  /** Path parameters, where the framework has matched a route: for `fromRequest` rules. */
  readonly params?: unknown;
}

// A symbol: applications set properties of their own on the requests that core reads.
const KEY: unique symbol = Symbol('request');
interface KeyedView extends RequestView {
  readonly [KEY]?: object;
}

/**
 * Makes a view of a request that is not the view itself. What core remembers is kept under `key`.
 */
export function keyedView(view: RequestView, key: object): RequestView {
  const keyed: KeyedView = { ...view, [KEY]: key };
  return keyed;
}

/** What core remembers of a request is kept under this: the framework's own request object. */
export function keyOf(request: KeyedView): object {
  return request[KEY] ?? request;
}

/** A header that was sent: not one that every object inherits. */
export function headerOf<Name extends keyof IncomingHttpHeaders>(
  headers: IncomingHttpHeaders,
  name: Name,
): IncomingHttpHeaders[Name] {
  return Object.hasOwn(headers, name) ? headers[name] : undefined;
}

/**
 * A member of a request, which a class of its framework may have. Undefined for one that every
 * object has: something else in the process has put it on Object.prototype.
 */
export function memberOf(request: object, name: 'body' | 'params'): unknown {
  const value: unknown = Reflect.get(request, name);
  return value === Reflect.get(Object.prototype, name) ? undefined : value;
}

/** What rules may look at. */
export function parametersOf(request: RequestView): RequestParameters {
  const { method, headers } = request;
  const params = memberOf(request, 'params');
  const isObject = typeof params === 'object' && params !== null;
  return { method, headers, params: (isObject ? params : {}) as RequestParameters['params'] };
}

/** The methods that change nothing at the server, RFC 9110 §9.2.1. */
export function isSafeMethod(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || method === 'TRACE';
}

/**
 * How often a header was sent, where that is known: Node keeps the first of several and says
 * nothing.
 */
export function countHeader({ rawHeaders = [] }: RequestView, name: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const raw = rawHeaders[index];
    if (raw?.length === name.length && raw.toLowerCase() === name) count++;
  }
  return count;
}
