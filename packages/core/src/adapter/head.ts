// The head of a reply that is held back: taken down, put back, and cleared of what spoke of a body
// that does not leave.
import type { ServerResponse } from 'node:http';

/** A head, as it was at one moment. */
export interface Head {
  readonly status: number;
  readonly message: string;
  /** By names in lower case. */
  readonly headers: Map<string, { readonly name: string; readonly value: number | string | string[] }>;
}

/** What is about the bytes of a body, and no others. */
export const OF_ITS_BYTES =
  /^(?:content-(?:length|encoding|range|md5|digest)|etag|last-modified|(?:repr-)?digest|transfer-encoding|trailer)$/;
/** What is about a body at all. */
const OF_A_BODY = /^(?:content-(?!security-policy)|cache-control$)/;

/** Takes everything out of a head that spoke of a body. */
export function clear(response: ServerResponse): void {
  for (const name of response.getHeaderNames())
    if (OF_ITS_BYTES.test(name) || OF_A_BODY.test(name)) response.removeHeader(name);
  // It was of the status, and perhaps what Node does not send.
  Reflect.deleteProperty(response, 'statusMessage');
}

/** Takes the head down. */
export function headOf(response: ServerResponse): Head {
  const headers: Head['headers'] = new Map();
  for (const [name, value] of Object.entries(response.getHeaders()))
    if (value !== undefined) headers.set(name, { name, value });
  // HTTP/2 has no status message, and warns where one is read.
  const message = 'stream' in response ? '' : response.statusMessage;
  return { status: response.statusCode, message, headers };
}

/** Makes the head what it was. */
export function restore(response: ServerResponse, { status, message, headers }: Head): void {
  for (const name of response.getHeaderNames()) if (!headers.has(name)) response.removeHeader(name);
  // What has not changed keeps its name as it was written.
  for (const { name, value } of headers.values())
    if (response.getHeader(name) !== value) response.setHeader(name, value);
  response.statusCode = status;
  if (!('stream' in response)) response.statusMessage = message;
}

/**
 * What `writeHead` takes: an object, a flat list, or a list of pairs. A name that is repeated there
 * has several values.
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
