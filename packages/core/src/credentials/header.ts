// The bearer token in the Authorization header: RFC 6750 §2.1 over RFC 9110 §11. Says where a token stands, not what it is worth.
import type { IncomingHttpHeaders } from 'node:http';
import { AuthError } from '../errors.ts';

/** What core reads of a request. Node's IncomingMessage satisfies it. */
export interface RequestView {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
}

// b64token, RFC 6750 §2.1. Exactly one run of spaces between: other white space is not SP (RFC 9110 §11.4).
const BEARER = /^bearer(?: +([A-Za-z0-9\-._~+/]+=*))?$/i;

/**
 * Finds the bearer token of a request.
 * @returns the token, not looked into; undefined if there is none or another scheme's credentials are there
 * @throws AuthError `credentials_malformed`, `credentials_ambiguous`
 */
export function bearerToken({ headers, rawHeaders }: RequestView): string | undefined {
  const value = headers.authorization;
  if (value === undefined) return undefined;
  // Node keeps the first of several Authorization headers and says nothing; another hop may have kept the last.
  if (countRaw(rawHeaders, 'authorization') > 1) {
    throw new AuthError('credentials_ambiguous', { detail: 'several Authorization headers' });
  }
  if (!/^bearer(?![!#$%&'*+\-.^_`|~0-9a-z])/i.test(value)) return undefined;
  const token = BEARER.exec(value)?.[1];
  if (token === undefined) {
    throw new AuthError('credentials_malformed', { detail: 'not one b64token after the scheme' });
  }
  return token;
}

function countRaw(rawHeaders: readonly string[], name: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const raw = rawHeaders[index];
    if (raw?.length === name.length && raw.toLowerCase() === name) count++;
  }
  return count;
}
