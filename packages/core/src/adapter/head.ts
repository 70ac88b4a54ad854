// The head of a held reply: saves it, restores it, and removes the headers of a body that is not
// sent. Bodies are not here.
import type { ServerResponse } from 'node:http';

/** The head of a reply at one moment. */
export interface Head {
  readonly status: number;
  readonly message: string;
  /** By name in lower case. */
  readonly headers: Map<string, { readonly name: string; readonly value: number | string | string[] }>;
}

/** Headers about the bytes of one body. */
export const OF_ITS_BYTES =
  /^(?:content-(?:length|encoding|range|md5|digest)|etag|last-modified|(?:repr-)?digest|transfer-encoding|trailer)$/;
/** Headers about any body. */
const OF_A_BODY = /^(?:content-(?!security-policy)|cache-control$)/;

/** Removes all headers about a body, and that of events that they keep the connection. */
export function clear(response: ServerResponse): void {
  for (const name of response.getHeaderNames())
    if (OF_ITS_BYTES.test(name) || OF_A_BODY.test(name) || name === 'connection') response.removeHeader(name);
  // The message belongs to the old status, and may be one that Node refuses to send.
  Reflect.deleteProperty(response, 'statusMessage');
}

/** Saves the head. */
export function headOf(response: ServerResponse): Head {
  const headers: Head['headers'] = new Map();
  for (const [name, value] of Object.entries(response.getHeaders()))
    if (value !== undefined) headers.set(name, { name, value });
  // HTTP/2 has no status message, and warns if one is read.
  const message = 'stream' in response ? '' : response.statusMessage;
  return { status: response.statusCode, message, headers };
}

/** Restores a saved head. */
export function restore(response: ServerResponse, { status, message, headers }: Head): void {
  for (const name of response.getHeaderNames()) if (!headers.has(name)) response.removeHeader(name);
  // A header that has not changed keeps the case of its name.
  for (const { name, value } of headers.values())
    if (response.getHeader(name) !== value) response.setHeader(name, value);
  response.statusCode = status;
  if (!('stream' in response)) response.statusMessage = message;
}

/**
 * Sets the headers of a `writeHead` call: an object, a flat list, or a list of pairs. A name that
 * is repeated in a list has several values.
 */
export function setHeaders(response: ServerResponse, headers: unknown): void {
  if (typeof headers !== 'object' || headers === null) return;
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers))
      if (value !== undefined) response.setHeader(name, value);
    return;
  }
  const pairs: readonly (readonly [string, string])[] = headers.every(Array.isArray)
    ? (headers as [string, string][])
    : Array.from({ length: headers.length / 2 }, (_, index) => [headers[2 * index], headers[2 * index + 1]]);
  const seen = new Set<string>();
  for (const [name, value] of pairs) {
    if (seen.has(name.toLowerCase())) response.appendHeader(name, value);
    else response.setHeader(name, value);
    seen.add(name.toLowerCase());
  }
}
