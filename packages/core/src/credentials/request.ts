// The part of a request that core reads. All frameworks here stand on Node's IncomingMessage, which satisfies it.
import type { IncomingHttpHeaders } from 'node:http';
import type { RequestParameters } from '../claims/rules.ts';

/** What core reads of a request. Node's IncomingMessage satisfies it. */
export interface RequestView {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  /** The parsed body, where a body parser has been at work: read only if `tokenFrom` names a body parameter. */
  readonly body?: unknown;
  /** Path parameters, where the framework has matched a route: for `fromRequest` rules. */
  readonly params?: unknown;
}

/** What rules may look at. */
export function parametersOf({ method, headers, params }: RequestView): RequestParameters {
  const isObject = typeof params === 'object' && params !== null;
  return { method, headers, params: (isObject ? params : {}) as RequestParameters['params'] };
}

/** The methods that change nothing at the server, RFC 9110 §9.2.1. */
export function isSafeMethod(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || method === 'TRACE';
}

/** How often a header was sent, as written: Node keeps the first of several and says nothing. */
export function countHeader({ rawHeaders }: RequestView, name: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const raw = rawHeaders[index];
    if (raw?.length === name.length && raw.toLowerCase() === name) count++;
  }
  return count;
}
