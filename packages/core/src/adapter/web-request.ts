// Web-standard requests and responses, for adapters: shows a Request to core, and makes the
// Response of a refusal. Makes no decision.
import { keyedView, type RequestView } from '../credentials/request.ts';
import type { AuthError } from '../errors.ts';

/** A connection, as far as core reads it: a socket of `node:net` or `node:tls` is one. */
export interface PeerSocket {
  /** The address of the other end, for `mutualTls.trustedPeers`. */
  readonly remoteAddress?: string | undefined;
  /** The certificate of the client: of a `TLSSocket`. */
  getPeerCertificate?(): { readonly raw?: Uint8Array };
}

/** What a framework adds to a web-standard `Request`. */
export interface WebRequestExtras {
  /** The parameters of the matched path, for `fromRequest` rules. */
  readonly params?: RequestView['params'];
  /** How the request came, for `requireSecureTransport`, which refuses it if this is not said. */
  readonly protocol?: 'https' | 'http';
  /** Those of Node's request, where the server has one: with them, no header is ambiguous. */
  readonly rawHeaders?: readonly string[];
  /**
   * The connection of the request, for `mutualTls`: the socket of Node, or else an object with the
   * address of the other end. Default: the client has no certificate.
   */
  readonly socket?: PeerSocket;
  /** Default: the `Request`. Pass another object if the framework may replace the `Request`. */
  readonly key?: object;
}

/**
 * Shows a web-standard `Request` to core. It has no raw headers: without those of `extras`,
 * duplicates that the platform has joined are refused where they can be recognized.
 */
export function requestViewOf(
  request: Request,
  { params, protocol, rawHeaders, socket, key = request }: WebRequestExtras = {},
): RequestView {
  const { host, pathname, search } = new URL(request.url);
  const headers = { host, ...Object.fromEntries(request.headers) };
  const url = `${pathname}${search}`;
  // Every member is an own one, so that none is read from a polluted prototype.
  const view = {
    ...{ method: request.method, url, headers, rawHeaders },
    ...{ protocol, socket, body: undefined, params },
  };
  return keyedView(view, key);
}

/**
 * Copies a web-standard `Request` with another URL. The body goes to the copy; one that was read
 * already does not.
 */
export function requestWithUrl(request: Request, url: string): Request {
  if (!request.bodyUsed) return new Request(url, request);
  const { method, headers, signal } = request;
  return new Request(url, { method, headers, signal });
}

/**
 * Turns a refusal into a web-standard `Response`: its status, its headers, and `{ code, status,
 * message }` as JSON.
 */
export function toResponse(error: AuthError): Response {
  return Response.json(error.toJSON(), { status: error.status, headers: error.headers });
}
