// A server for one listener, which knows how many of its requests are open.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that listens. */
export interface Served {
  readonly port: number;
  /** Resolves when no request is open. A case that leaves one open runs into the test's timeout. */
  openRequests(): Promise<void>;
  close(): Promise<void>;
}

/** Serves a listener on a free port of loopback. */
export async function serve(listener: RequestListener): Promise<Served> {
  const open = new Set<Promise<void>>();
  const server: Server = createServer((request, response) => {
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
