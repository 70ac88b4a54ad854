// Reads a token from a header: RFC 6750 §2.1 over RFC 9110 §11, with any header name and scheme.
import { AuthError } from '../errors.ts';
import { countHeader, headerOf, type RequestView } from './request.ts';

/**
 * Reads one place of a request. Returns undefined if the place has no token.
 * @throws AuthError if the place cannot be read
 */
export type CarrierReader = (request: RequestView) => string | undefined;

// b64token, RFC 6750 §2.1.
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;
// One character of a token, RFC 9110 §5.6.2.
const TOKEN_CHARACTER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]/;

/**
 * Makes a reader of a header. Does *not* check the form of the token: see `checkB64Token`.
 * @param name the header, lower case
 * @param scheme the authentication scheme before the token, compared without case; undefined: the
 *   header contains only the token
 */
export function headerReader(name: string, scheme: string | undefined): CarrierReader {
  const read = scheme === undefined ? readBare : schemeReader(scheme);
  return (request) => {
    const value = headerOf(request.headers, name);
    if (value === undefined) return undefined;
    // A proxy may have used a different duplicate than Node, so duplicates are refused.
    const count = countHeader(request, name);
    if (typeof value !== 'string' || count > 1) throw several(name);
    if (count === 0 && isJoined(value, scheme)) throw several(name);
    return value === '' ? undefined : read(value);
  };
}

/** Refuses a text that is not one b64token. @throws AuthError `credentials_malformed` */
export function checkB64Token(token: string): void {
  if (!B64TOKEN.test(token)) throw malformed();
}

function readBare(value: string): string {
  return value;
}

function schemeReader(scheme: string): (value: string) => string | undefined {
  const usual = `${scheme} `;
  const wanted = scheme.toLowerCase();
  return (value) => {
    if (!value.startsWith(usual)) {
      if (value.slice(0, wanted.length).toLowerCase() !== wanted) return undefined;
      // Another token character belongs to the name of a longer scheme.
      if (TOKEN_CHARACTER.test(value.slice(wanted.length))) return undefined;
    }
    // Only SP may separate the scheme from the token (RFC 9110 §11.4).
    let start = wanted.length;
    while (value.charCodeAt(start) === 0x20) start++;
    if (start === value.length) throw malformed(`nothing follows ${scheme}; was the variable empty?`);
    if (start === wanted.length) throw malformed();
    return value.slice(start);
  };
}

/**
 * True if the value looks like duplicates that were joined by a comma. Duplicates of a header that
 * is not in `rawHeaders` can be seen only like this. A comma is never part of a token, but another
 * scheme may use commas.
 */
function isJoined(value: string, scheme: string | undefined): boolean {
  const parts = value.split(',');
  if (parts.length === 1) return false;
  const start = scheme?.toLowerCase() ?? '';
  return parts.some((part) => part.trim().toLowerCase().startsWith(start));
}

function several(name: string): AuthError {
  return new AuthError('credentials_ambiguous', { detail: `several ${name} headers` });
}

function malformed(detail = 'expected one b64token (RFC 6750 §2.1)'): AuthError {
  return new AuthError('credentials_malformed', { detail });
}
