// A server for one listener, which counts its open requests.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that is listening. */
export interface Served {
  readonly port: number;
  /** Resolves when no request is open. If a case leaves one open, the test times out. */
  openRequests(): Promise<void>;
  close(): Promise<void>;
}

/** Serves a listener on a free port of the loopback interface. */
export async function serve(listener: RequestListener): Promise<Served> {
  const open = new Set<Promise<void>>();
  // Longer headers than by default, so that core refuses a token that is too long, and not Node.
  const server: Server = createServer({ maxHeaderSize: 32_768 }, (request, response) => {
    const closed = new Promise<void>((resolve) => {
      response.on('close', resolve);
    });
    open.add(closed);
    closed.then(() => open.delete(closed));
    listener(request, response);
  });
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
