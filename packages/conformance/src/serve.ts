// A server for one listener, which counts its open requests.
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { certificates } from './certificates.ts';

/** A server that is listening. */
export interface Served {
  readonly port: number;
  /** Resolves when no request is open. If a case leaves one open, the test times out. */
  openRequests(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Serves a listener on a free port of the loopback interface.
 * @param isSecure by TLS, and asks clients for their certificates
 */
export async function serve(listener: RequestListener, isSecure = false): Promise<Served> {
  const open = new Set<Promise<void>>();
  // Longer headers than by default, so that core refuses a token that is too long, and not Node.
  // Without a time limit, so that a connection that hangs does not end by itself.
  const limits = { maxHeaderSize: 32_768, keepAliveTimeout: 0 };
  const { cert, key } = certificates.server;
  const tls = { cert, key, requestCert: true, rejectUnauthorized: false };
  const observed: RequestListener = (request, response) => {
    const closed = new Promise<void>((resolve) => {
      response.on('close', resolve);
    });
    open.add(closed);
    closed.then(() => open.delete(closed));
    listener(request, response);
  };
  const server: Server = isSecure
    ? createSecureServer({ ...limits, ...tls }, observed)
    : createServer(limits, observed);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    openRequests: async () => {
      await Promise.all(open);
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
