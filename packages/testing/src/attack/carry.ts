// How a token gets into a request: a header, a cookie, the query or a form.
import { type Carrier, ConfigError } from '@latchkey/core';
import type { Forgery } from './forgery.ts';
import type { CheckedRoute } from './options.ts';

/** The first place that a request of this method has. */
export function carrierFor(carriers: readonly Carrier[], { method }: CheckedRoute): Carrier {
  const hasBody = method !== 'GET' && method !== 'HEAD';
  const carrier = carriers.find((each) => !('body' in each) || hasBody);
  if (carrier === undefined)
    throw new ConfigError('options.tokenFrom', `expected a place that a ${method} request has`);
  return carrier;
}

/** A request with a token in one place. */
export function placed(carrier: Carrier, token: string, { path }: Pick<CheckedRoute, 'path'>): Forgery {
  if ('header' in carrier) {
    const { header } = carrier;
    const scheme = carrier.scheme === undefined && isAuthorization(header) ? 'Bearer' : carrier.scheme;
    return { headers: [[header, scheme ? `${scheme} ${token}` : token]] };
  }
  if ('cookie' in carrier)
    return {
      headers: [
        ['Cookie', `${carrier.cookie}=${token}`],
        ['Sec-Fetch-Site', 'same-origin'],
      ],
    };
  if ('query' in carrier) return { target: withQuery(path, carrier.query, token) };
  return {
    headers: [['Content-Type', 'application/x-www-form-urlencoded']],
    body: `${encodeURIComponent(carrier.body)}=${encodeURIComponent(token)}`,
  };
}

/** Adds a parameter to the query of a path. */
export function withQuery(path: string, name: string, value: string): string {
  const pair = `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
  return `${path}${path.includes('?') ? '&' : '?'}${pair}`;
}

function isAuthorization(header: string): boolean {
  return header.toLowerCase() === 'authorization';
}
