// Reads a token from a cookie. Browsers add cookies to requests of any page, so an unsafe method
// must come from an allowed origin.
import { AuthError } from '../errors.ts';
import { sharedState } from '../values/copies.ts';
import { textOf } from '../values/text.ts';
import type { CarrierReader } from './header.ts';
import { headerOf, isSafeMethod, keyOf, type RequestView } from './request.ts';

/**
 * Makes a reader of one cookie. Repeated cookies with equal values count once; different values are
 * refused, because another subdomain may have planted one of them.
 */
export function cookieReader(name: string): CarrierReader {
  return ({ headers }) => {
    let found: string | undefined;
    // RFC 6265 §5.4: Node joins several Cookie headers with "; ".
    for (const pair of headerOf(headers, 'cookie')?.split(';') ?? []) {
      const equals = pair.indexOf('=');
      if (equals === -1 || withoutBlanks(pair.slice(0, equals)) !== name) continue;
      const value = unquote(withoutBlanks(pair.slice(equals + 1)));
      if (found !== undefined && found !== value) {
        throw new AuthError('credentials_ambiguous', { detail: `several cookies ${name}` });
      }
      found = value;
    }
    return found === '' ? undefined : found;
  };
}

/**
 * Takes away spaces and tabs at both ends, and nothing else. RFC 6265 §5.2 knows no other white
 * space: a name after a no-break space, which `trim` would take away, is that of another cookie,
 * and no browser applies the rules of `__Host-` to it.
 */
function withoutBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text[start])) start++;
  while (end > start && isBlank(text[end - 1])) end--;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

const upgrades = sharedState('upgrades', () => new WeakSet<object>());

/**
 * Marks a request as an upgrade, whatever its headers say: its method is GET, but the socket can do
 * more than read.
 */
export function noteUpgrade(request: RequestView): void {
  upgrades.add(keyOf(request));
}

/**
 * Refuses an unsafe request with a cookie that a page of another origin may have sent. Decides by
 * Sec-Fetch-Site if the browser sends it, else by Origin, and refuses if neither is sent.
 * @throws AuthError `origin_refused`
 */
export function checkOrigin(request: RequestView, allowedOrigins: ReadonlySet<string>): void {
  const { method, headers } = request;
  if (isSafeMethod(method) && !isUpgrade(request)) return;
  const origin = headerOf(headers, 'origin');
  // HTTP/2 has no Host, but RFC 9113 §8.3.1.
  const host = headerOf(headers, 'host') ?? headerOf(headers, ':authority');
  if (origin !== undefined && allowedOrigins.has(origin)) return;
  const site = headerOf(headers, 'sec-fetch-site');
  // `none`: the user caused the request, by the address bar or a bookmark.
  if (site === 'same-origin' || (site === 'none' && origin === undefined)) return;
  if (site === undefined && origin !== undefined && hostOf(origin) === host && host !== undefined) return;
  throw new AuthError('origin_refused', { detail: whyRefused(request, site, origin) });
}

const SITES: readonly unknown[] = ['cross-site', 'same-site', 'none'];

function whyRefused(request: RequestView, site: unknown, origin: string | undefined): string {
  if (site === undefined && origin === undefined) {
    const method = /^[A-Z]{1,20}$/.test(request.method ?? '') ? request.method : 'this method';
    const asked = isUpgrade(request) ? 'an upgrade' : method;
    return `neither Sec-Fetch-Site nor Origin was sent; a cookie on ${asked} needs one`;
  }
  const sent = [
    ...(site === undefined
      ? []
      : [`Sec-Fetch-Site ${SITES.includes(site) ? site : 'with an unknown value'}`]),
    ...(origin === undefined ? [] : [`Origin ${textOf(origin)}`]),
  ];
  return `sent with ${sent.join(' and ')}; if the page is yours, add its origin to allowedOrigins`;
}

/**
 * True for a request that asks for an upgrade, on any path: express-ws and `@fastify/websocket`
 * send it through the routes of a framework, as a GET. A page cannot set this header, but its
 * browser does for a WebSocket. `h2c` alone changes only the protocol.
 */
function isUpgrade(request: RequestView): boolean {
  const upgrade = headerOf(request.headers, 'upgrade');
  return upgrades.has(keyOf(request)) || (upgrade !== undefined && upgrade.trim().toLowerCase() !== 'h2c');
}

function hostOf(origin: string): string | undefined {
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  return url?.protocol === 'https:' || url?.protocol === 'http:' ? url.host : undefined;
}

/** RFC 6265 §4.1.1: a cookie value may be in double quotes. */
function unquote(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}
