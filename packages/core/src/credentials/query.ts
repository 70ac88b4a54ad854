// A token in the query or in a form (RFC 6750 §2.3, §2.2). RFC 9700 §4.3.2 forbids the first; it is
// here for services that cannot do without it yet.
import { AuthError } from '../errors.ts';
import type { CarrierReader } from './header.ts';
import { isSafeMethod, keyOf, type RequestView } from './request.ts';

/** How a request's URL is kept from handlers and loggers, and its reply from caches. */
export interface Concealment {
  /** The parameters that may hold a token. */
  readonly names: readonly string[];
  /** The same URL without those parameters. */
  strip(url: string): string;
  /** Set them on the reply: no cache keeps it, and no page tells the URL (RFC 6750 §2.3). */
  readonly headers: Readonly<Record<string, string>>;
}

const CONCEALING_HEADERS = Object.freeze({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' });

// The URL of a request before its token was taken out: a second authenticator may have to read it too.
const concealed = new WeakMap<object, string>();

/** Makes a reader of one query parameter. */
export function queryReader(name: string): CarrierReader {
  return (request) => single(queryOf(concealed.get(keyOf(request)) ?? request.url).getAll(name), name);
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
 * Remembers the URL of a request that has one of these parameters, so that they can be taken out of it.
 * @returns undefined for a request that has none of them
 */
export function concealQuery(request: RequestView, names: readonly string[]): Concealment | undefined {
  if (names.length === 0 || !names.some((name) => queryOf(request.url).has(name))) return undefined;
  const key = keyOf(request);
  if (!concealed.has(key)) concealed.set(key, request.url ?? '');
  return { names, headers: CONCEALING_HEADERS, strip: (url) => withoutParameters(url, names) };
}

function withoutParameters(url: string, names: readonly string[]): string {
  const [path, query] = splitUrl(url);
  if (path === url) return url;
  // Only the parameters go; the rest stays as it was written.
  const kept = query.split('&').filter((pair) => !names.some((name) => parse(pair).has(name)));
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`;
}

function queryOf(url: string | undefined): URLSearchParams {
  return parse(splitUrl(url)[1]);
}

/** Behind an ampersand, because URLSearchParams drops a question mark that comes first. */
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
