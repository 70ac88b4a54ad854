// The URL that a proof is for (`htu`), compared with that of the request: RFC 9449 §4.3. The host
// is that of the options, and never one that the request names.
import { memberOf, type RequestView } from '../credentials/request.ts';

/** Tells whether `htu` of a proof is the URL of a request. */
export type TargetJudge = (htu: string, request: RequestView) => boolean;

// Visible ASCII. A backslash is left out, because a URL parser reads it as a slash.
const URL_TEXT = /^[!-[\]-~]+$/;
/** A segment `.` or `..`: a router need not resolve it, but a URL parser does. */
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?=\/|$)/i;
const UNRESERVED = /[A-Za-z0-9\-._~]/;
/** Longer than any URL that Node accepts in a request. */
const MAX_TARGET_CHARS = 16_384;

/**
 * Makes the judge.
 * @param bases the public URLs of the service, before the path of a request; without a slash at the
 *   end
 */
export function createTargetJudge(bases: readonly string[]): TargetJudge {
  return (htu, request) => {
    const claimed = normalized(htu);
    const path = pathOf(request);
    if (claimed === undefined || path === undefined) return false;
    return bases.some((base) => normalized(`${base}${path}`) === claimed);
  };
}

/**
 * The path of a request as it was received, without the query. Frameworks keep it when a router has
 * shortened `url`.
 */
function pathOf(request: RequestView): string | undefined {
  const received = memberOf(request, 'originalUrl') ?? request.url;
  if (typeof received !== 'string' || received.length > MAX_TARGET_CHARS) return undefined;
  // RFC 9112 §3.2.2: a request to a proxy has a whole URL. Its host counts as little as Host.
  const path = received.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
  const whole = path === '' && received !== '' ? '/' : path;
  return whole.startsWith('/') && !DOT_SEGMENT.test(whole) ? whole : undefined;
}

/**
 * Normalizes a URL by syntax and by scheme (RFC 3986 §6.2.2, §6.2.3), without its query and its
 * fragment. Undefined for a text that is not an http or https URL.
 */
function normalized(text: string): string | undefined {
  if (text.length > MAX_TARGET_CHARS || !URL_TEXT.test(text) || !URL.canParse(text)) return undefined;
  const { protocol, host, pathname, username, password } = new URL(text);
  if ((protocol !== 'https:' && protocol !== 'http:') || username !== '' || password !== '') return undefined;
  // `https:host` and `https:///host` are other spellings that only some parsers accept.
  if (!/^https?:\/\/[^/]/i.test(text)) return undefined;
  return `${protocol}//${host}${pathname.replace(/%[0-9a-f]{2}/gi, normalizedEscape)}`;
}

/** RFC 3986 §6.2.2.1, §6.2.2.2. */
function normalizedEscape(written: string): string {
  const character = String.fromCharCode(Number.parseInt(written.slice(1), 16));
  return UNRESERVED.test(character) ? character : written.toUpperCase();
}
