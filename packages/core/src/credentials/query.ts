// A token in the query or in a form (RFC 6750 §2.3, §2.2). RFC 9700 §4.3.2 forbids the first; it is here for those who cannot yet.
import { AuthError } from '../errors.ts';
import type { CarrierReader } from './header.ts';
import { isSafeMethod } from './request.ts';

/** A request whose URL can be written. Frameworks keep the first URL beside the one that they rewrite. */
export interface ConcealableRequest {
  url?: string | undefined;
  originalUrl?: string | undefined;
}

/** A response whose headers can be written. Node's ServerResponse satisfies it. */
export interface ResponseView {
  /** Nothing can be set any more. */
  readonly headersSent?: boolean | undefined;
  setHeader(name: string, value: string): unknown;
}

// What stood in the query of a request before it was concealed: another authenticator behind may have to read it too.
const concealed = new WeakMap<object, string>();

/** Makes a reader of one query parameter. */
export function queryReader(name: string): CarrierReader {
  return (request) => single(queryOf(concealed.get(request) ?? request.url).getAll(name), name);
}

/** Makes a reader of one parameter of a parsed form. Only of a form, and only where a method carries one. */
export function bodyReader(name: string): CarrierReader {
  return ({ method, headers, body }) => {
    if (isSafeMethod(method) || typeof body !== 'object' || body === null || !Object.hasOwn(body, name))
      return undefined;
    if (!/^application\/x-www-form-urlencoded(?:$|[\s;])/i.test(headers['content-type'] ?? ''))
      return undefined;
    const value: unknown = Reflect.get(body, name);
    return single(Array.isArray(value) ? value : [value], name);
  };
}

/**
 * Takes these parameters out of the URL that handlers and loggers see, and keeps the answer out of caches and referrers
 * (RFC 6750 §2.3). Does nothing to a request that has none of them.
 * @param parsed what the framework has made of the query already
 */
export function concealQuery(
  request: ConcealableRequest,
  response: ResponseView,
  names: readonly string[],
  parsed?: unknown,
): void {
  if (!names.some((name) => queryOf(request.url).has(name))) return;
  if (response.headersSent !== true) {
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Referrer-Policy', 'no-referrer');
  }
  if (!concealed.has(request)) concealed.set(request, request.url ?? '');
  for (const name of names) Reflect.deleteProperty(Object(parsed), name);
  request.url = withoutParameters(request.url, names);
  if (typeof request.originalUrl === 'string') {
    request.originalUrl = withoutParameters(request.originalUrl, names);
  }
}

function withoutParameters(url: string | undefined, names: readonly string[]): string {
  const [path = '', query = ''] = splitUrl(url);
  // Only what is taken out changes; the rest stays as it was written.
  const kept = query.split('&').filter((pair) => !names.some((name) => parse(pair).has(name)));
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`;
}

function queryOf(url: string | undefined): URLSearchParams {
  return parse(splitUrl(url)[1]);
}

/** Behind an ampersand, because URLSearchParams drops a question mark that stands first. */
function parse(query: string): URLSearchParams {
  return new URLSearchParams(`&${query}`);
}

function splitUrl(url = ''): readonly [path: string, query: string] {
  const mark = url.indexOf('?');
  return mark === -1 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
}

function single(values: readonly unknown[], name: string): string | undefined {
  if (values.length === 0) return undefined;
  const [value] = values;
  if (values.length > 1)
    throw new AuthError('credentials_ambiguous', { detail: `several parameters ${name}` });
  if (typeof value !== 'string')
    throw new AuthError('credentials_malformed', { detail: `${name} is no string` });
  return value === '' ? undefined : value;
}
