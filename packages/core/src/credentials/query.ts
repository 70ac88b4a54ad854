// Reads a token from the query or a form (RFC 6750 §2.3, §2.2), and hides it in URLs. RFC 9700
// §4.3.2 forbids the query; it is for services that still need it.
import { AuthError } from '../errors.ts';
import { sharedState } from '../values/copies.ts';
import type { CarrierReader } from './header.ts';
import { headerOf, isSafeMethod, keyOf, memberOf, type RequestView } from './request.ts';

/** How an adapter hides the token from handlers, loggers and caches. */
export interface Concealment {
  /** The parameters that may contain a token. */
  readonly names: readonly string[];
  /** Returns the URL without those parameters. */
  strip(url: string): string;
  /**
   * Headers for the reply, so that caches do not keep it and pages do not pass the URL on (RFC 6750
   * §2.3).
   */
  readonly headers: Readonly<Record<string, string>>;
}

const CONCEALING_HEADERS = Object.freeze({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' });

// The URLs of requests before their token was removed, because a second authenticator may also have
// to read it.
const concealed = sharedState('urls', () => new WeakMap<object, string>());

/** Members in which frameworks and their parsers keep the parsed URL, next to `url`. */
const PARSED_URLS = ['_parsedUrl', '_parsedOriginalUrl'] as const;

/** Makes a reader of one query parameter. */
export function queryReader(name: string): CarrierReader {
  return (request) => {
    const pairs = pairsOf(concealed.get(keyOf(request)) ?? request.url, [name], 2);
    return single(pairs.map(decodedValue), name);
  };
}

/**
 * Makes a reader of one field of a parsed form. Reads only bodies of forms, and only for methods
 * that have a body.
 */
export function bodyReader(name: string): CarrierReader {
  return (request) => {
    const { method, headers } = request;
    const body = memberOf(request, 'body');
    if (isSafeMethod(method) || typeof body !== 'object' || body === null || !Object.hasOwn(body, name))
      return undefined;
    if (!isForm(headers)) return undefined;
    const value: unknown = Reflect.get(body, name);
    return single(Array.isArray(value) ? value : [value], name);
  };
}

function isForm(headers: RequestView['headers']): boolean {
  return /^application\/x-www-form-urlencoded(?:$|[\s;])/i.test(headerOf(headers, 'content-type') ?? '');
}

/** Says why there is no token in the field of a form. */
export function missingInBody(request: RequestView, name: string): string {
  if (isSafeMethod(request.method) || !isForm(request.headers)) return 'no form in the body';
  return memberOf(request, 'body') === undefined
    ? 'request.body is not set; a form parser must run before'
    : `no form field ${name}`;
}

/**
 * Remembers the URL of a request that has one of these parameters, so that they can be removed from
 * it.
 * @returns undefined for a request without these parameters
 */
export function concealQuery(request: RequestView, names: readonly string[]): Concealment | undefined {
  if (names.length === 0 || pairsOf(request.url, names, 1).length === 0) return undefined;
  const key = keyOf(request);
  if (!concealed.has(key)) concealed.set(key, request.url ?? '');
  return { names, headers: CONCEALING_HEADERS, strip: (url) => withoutParameters(url, names) };
}

/**
 * Removes the token in the query from Node's request: from `url`, `originalUrl`, the HTTP/2 header
 * `:path`, and the cached results of URL parsers; and from what the request of a framework keeps:
 * its own parsed `query`, and URLs under symbols. Call it after `decide`, whatever the decision is.
 * Does *not* reach copies in other objects of a framework.
 * @param by the authenticator that decides
 * @param raw Node's request
 * @param firstUrl the URL as it was received, which frameworks keep when a handler rewrites `url`
 * @returns what the caller still has to hide; undefined for a request without such a token
 */
export function concealToken(
  { conceal }: { conceal(request: RequestView): Concealment | undefined },
  view: RequestView,
  raw: object,
  firstUrl?: string,
): Concealment | undefined {
  const found =
    conceal(view) ??
    (firstUrl === undefined || firstUrl === view.url ? undefined : conceal({ url: firstUrl, headers: {} }));
  if (found === undefined) return undefined;
  const { headers, rawHeaders }: { readonly headers?: unknown; readonly rawHeaders?: unknown } = raw;
  for (const name of ['url', 'originalUrl']) replaceText(raw, name, found.strip);
  replaceText(headers, ':path', found.strip);
  if (Array.isArray(rawHeaders))
    for (let index = 0; index < rawHeaders.length; index += 2)
      if (rawHeaders[index] === ':path') replaceText(rawHeaders, index + 1, found.strip);
  for (const name of PARSED_URLS) Reflect.deleteProperty(raw, name);
  // Fastify keeps the first URL under a symbol. Fastify and Express 4 keep the parsed query.
  for (const kept of Object.getOwnPropertySymbols(view)) replaceText(view, kept, found.strip);
  const query: unknown = Object.hasOwn(view, 'query') ? Reflect.get(view, 'query') : undefined;
  for (const name of found.names) Reflect.deleteProperty(Object(query), name);
  return found;
}

function replaceText(holder: unknown, name: PropertyKey, replace: (text: string) => string): void {
  if (typeof holder !== 'object' || holder === null) return;
  const text: unknown = Reflect.get(holder, name);
  if (typeof text === 'string') Reflect.set(holder, name, replace(text));
}

function withoutParameters(url: string, names: readonly string[]): string {
  const mark = url.indexOf('?');
  if (mark === -1) return url;
  // Removes only the parameters; the rest stays as it was written.
  const kept = url
    .slice(mark + 1)
    .split('&')
    .filter((pair) => !isOneOf(pair, 0, pair.length, names));
  return kept.length === 0 ? url.slice(0, mark) : `${url.slice(0, mark)}?${kept.join('&')}`;
}

/**
 * The pairs with one of these names, as written, and at most `most` of them: this bounds the work
 * for a long query.
 */
function pairsOf(url = '', names: readonly string[], most: number): readonly string[] {
  const found: string[] = [];
  const mark = url.indexOf('?');
  for (let start = mark + 1; mark !== -1 && start <= url.length && found.length < most; ) {
    const ampersand = url.indexOf('&', start);
    const end = ampersand === -1 ? url.length : ampersand;
    if (isOneOf(url, start, end, names)) found.push(url.slice(start, end));
    start = end + 1;
  }
  return found;
}

function isOneOf(text: string, start: number, end: number, names: readonly string[]): boolean {
  return names.some((name) => hasName(text, start, end, name));
}

/**
 * True if the pair has this name after form decoding. Compares while it decodes, and stops at the
 * first difference. The name is ASCII: see `tokenFrom`.
 */
function hasName(text: string, start: number, end: number, name: string): boolean {
  let at = start;
  for (let index = 0; index < name.length; index++) {
    const raw = at < end ? text[at] : '=';
    if (raw === '=') return false;
    const escaped = raw === '%' ? escapeAt(text, at, end) : -1;
    const code = escaped !== -1 ? escaped : raw === '+' ? 0x20 : text.charCodeAt(at);
    if (code !== name.charCodeAt(index)) return false;
    at += escaped === -1 ? 1 : 3;
  }
  return at >= end || text[at] === '=';
}

/** Returns the byte of an escape such as `%5F`, or -1 if there is no escape. */
function escapeAt(text: string, at: number, end: number): number {
  const digits = at + 2 < end ? text.slice(at + 1, at + 3) : '';
  return /^[0-9a-f]{2}$/i.test(digits) ? Number.parseInt(digits, 16) : -1;
}

/** The ampersand comes first because URLSearchParams drops a leading question mark. */
function decodedValue(pair: string): string {
  const [value = ''] = new URLSearchParams(`&${pair}`).values();
  return value;
}

function single(values: readonly unknown[], name: string): string | undefined {
  if (values.length === 0) return undefined;
  const [value] = values;
  if (values.length > 1)
    throw new AuthError('credentials_ambiguous', { detail: `several parameters ${name}` });
  if (typeof value !== 'string')
    throw new AuthError('credentials_malformed', { detail: `${name} is not a string` });
  return value === '' ? undefined : value;
}
