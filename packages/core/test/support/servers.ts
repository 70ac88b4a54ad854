// Servers on loopback that end with their test. Does not make the servers.
import type { AddressInfo, Server } from 'node:net';
import { onTestFinished } from 'vitest';

/**
 * Listens on a free port until the test has ended, its `afterEach` included. Call it in a test or
 * in `beforeEach`, not in `beforeAll`.
 * @returns the port
 */
export async function listen(server: Server, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(() => close(server));
  return (server.address() as AddressInfo).port;
}

/**
 * Ends a server and, where it speaks HTTP, its connections. A server that has ended may end again.
 */
export async function close(server: Server & { closeAllConnections?(): void }): Promise<void> {
  server.closeAllConnections?.();
  await new Promise((resolve) => server.close(resolve));
}
