// A token in a header: RFC 6750 §2.1 over RFC 9110 §11, under any header name and scheme.
import { AuthError } from '../errors.ts';
import { countHeader, type RequestView } from './request.ts';

/** Reads one place on a request. Undefined: no token stands there. @throws AuthError for one that cannot be read */
export type CarrierReader = (request: RequestView) => string | undefined;

/**
 * Makes a reader of a header.
 * @param name the header, lower case
 * @param scheme the authentication scheme before the token, compared without case; undefined: the token stands alone
 */
export function headerReader(name: string, scheme: string | undefined): CarrierReader {
  const read = scheme === undefined ? readBare : schemeReader(scheme);
  return (request) => {
    const value = request.headers[name];
    if (value === undefined) return undefined;
    // Another hop may have kept another one than Node did.
    if (typeof value !== 'string' || countHeader(request, name) > 1) {
      throw new AuthError('credentials_ambiguous', { detail: `several ${name} headers` });
    }
    return value === '' ? undefined : read(value);
  };
}

/**
 * Makes a reader that takes a token from where it usually stands, and leaves everything else to `headerReader`: what it gives is neither
 * checked nor refused, and only good for looking up a token that has been read, and verified, before.
 */
export function headerPeeker(name: string, scheme: string | undefined): CarrierReader {
  const before = scheme === undefined ? '' : `${scheme} `;
  return (request) => {
    const value = request.headers[name];
    const isUsual = typeof value === 'string' && value.startsWith(before) && countHeader(request, name) <= 1;
    return isUsual ? value.slice(before.length) : undefined;
  };
}

// b64token, RFC 6750 §2.1.
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

function readBare(value: string): string {
  if (!B64TOKEN.test(value)) throw malformed();
  return value;
}

function schemeReader(scheme: string): (value: string) => string | undefined {
  const wanted = scheme.toLowerCase();
  return (value) => {
    if (value.slice(0, wanted.length).toLowerCase() !== wanted) return undefined;
    // One more character of a token (RFC 9110 §5.6.2) makes it another scheme.
    if (/^[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(value.slice(wanted.length))) return undefined;
    // Between the two stands SP and nothing else that is white (RFC 9110 §11.4).
    const token = /^ +(\S+)$/.exec(value.slice(wanted.length))?.[1];
    if (token === undefined) throw malformed();
    return readBare(token);
  };
}

function malformed(): AuthError {
  return new AuthError('credentials_malformed', { detail: 'not one b64token in its place' });
}
