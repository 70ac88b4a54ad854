// The application under test, and how a request gets to it: over a socket, or as a web-standard
// `Request`.
import type { RequestListener } from 'node:http';
import type { PeerSocket } from '@latchkey/core/adapter';
import { type CertificateName, certificates, derOf } from './certificates.ts';
import { type Exchange, type ExchangeRequest, exchange } from './exchange.ts';
import { type Served, serve } from './serve.ts';

/** An application that takes web-standard requests itself. */
export interface FetchApplication {
  fetch(request: Request, connection: Connection): Response | Promise<Response>;
}

/** What a server says of the connection of a request. */
export interface Connection {
  readonly socket: PeerSocket;
}

/** An application with a server of its own, such as one of `Deno.serve` or `Bun.serve`. */
export interface ServedApplication {
  /** Starts the server. @param properties are set on each request before the application gets it */
  listen(properties: object): Promise<Served>;
}

/** An application that is reached over HTTP, or one that is called. */
export type Application = RequestListener | FetchApplication | ServedApplication;

/** An application that accepts requests. */
export interface Started {
  /** Undefined for an application that is called. */
  readonly port: number | undefined;
  send(request: SentRequest): Promise<Exchange>;
  /** Clients can show a certificate. */
  readonly takesCertificates: boolean;
  /** Resolves when no request is open. If a case leaves one open, the test times out. */
  openRequests(): Promise<void>;
  close(): Promise<void>;
}

/** A request, and the certificate that its client has. */
export interface SentRequest extends Omit<ExchangeRequest, 'port' | 'isSecure' | 'certificate'> {
  readonly certificate?: CertificateName | undefined;
}

/**
 * Starts a server for a listener; an application that is called needs none.
 * @param isSecure by TLS, which a server of the application itself does not speak
 */
export async function start(application: Application, isSecure = false): Promise<Started> {
  if (typeof application !== 'function' && 'fetch' in application) return startFetch(application);
  const { port, openRequests, close } = await (typeof application === 'function'
    ? serve(application, isSecure)
    : application.listen({}));
  const isTls = isSecure && typeof application === 'function';
  // The servers of node:https that Bun has tell nothing of the certificate of a client.
  const takesCertificates = isTls && !('bun' in process.versions);
  return {
    port,
    send: ({ certificate, ...request }) =>
      exchange({
        ...{ port, ...request, isSecure: isTls },
        ...(certificate === undefined ? {} : { certificate: certificates[certificate] }),
      }),
    takesCertificates,
    openRequests,
    close,
  };
}

/** The same application, with these properties set on each request. */
export function withProperties(application: Application, properties: object): Application {
  if (typeof application === 'function')
    return (request, response) => application(Object.assign(request, properties), response);
  if ('listen' in application) return { listen: () => application.listen(properties) };
  return {
    fetch: (request, connection) => application.fetch(Object.assign(request, properties), connection),
  };
}

/**
 * The same application, whose requests come from another address; undefined for one with a server
 * of its own.
 * @param addressOf is asked at each request
 */
export function withPeer(
  application: Application,
  addressOf: () => string | undefined,
): RequestListener | FetchApplication | undefined {
  if (typeof application === 'function')
    return (request, response) => {
      Object.defineProperty(request.socket, 'remoteAddress', { value: addressOf() });
      application(request, response);
    };
  if ('listen' in application) return undefined;
  return { fetch: (request) => application.fetch(request, { socket: { remoteAddress: addressOf() } }) };
}

function startFetch(application: FetchApplication): Started {
  const open = new Set<Promise<Exchange>>();
  return {
    port: undefined,
    send(request) {
      const answer = call(application, request);
      open.add(answer);
      return answer.finally(() => open.delete(answer));
    },
    openRequests: async () => {
      await Promise.all(open);
    },
    takesCertificates: true,
    close: async () => {},
  };
}

async function call(
  { fetch }: FetchApplication,
  { method, path, headers, certificate, body }: SentRequest,
): Promise<Exchange> {
  let request: Request;
  try {
    const host = headers.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? 'localhost';
    request = new Request(new URL(path, `http://${host}`), {
      method,
      headers: headersOf(headers),
      ...(body === undefined ? {} : { body }),
    });
  } catch {
    // A server refuses such a request before it makes a Request of it.
    return exchangeOf(new Response(null, { status: 400 }), method);
  }
  try {
    return await exchangeOf(await fetch(request, { socket: socketOf(certificate) }), method);
  } catch {
    // Like the servers of Node, Deno and Bun, which say nothing of the error.
    return exchangeOf(new Response(null, { status: 500 }), method);
  }
}

/** A connection as a server of Node would give it. */
function socketOf(certificate: CertificateName | undefined): PeerSocket {
  const shown = certificate === undefined ? {} : { raw: derOf(certificate) };
  return { remoteAddress: '127.0.0.1', getPeerCertificate: () => shown };
}

/** Repeated headers are joined, as every platform joins them. */
function headersOf(pairs: ExchangeRequest['headers']): Headers {
  const headers = new Headers();
  for (const [name, value] of pairs) headers.append(name, value);
  return headers;
}

async function exchangeOf(response: Response, method: string): Promise<Exchange> {
  const { status } = response;
  const headers = [...response.headers];
  const body = method === 'HEAD' ? '' : Buffer.from(await response.arrayBuffer()).toString('latin1');
  // As a server writes it.
  if (!response.headers.has('content-length')) headers.push(['content-length', String(body.length)]);
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  return { status, headers, body, raw: [status, ...lines, '', body].join('\r\n') };
}
