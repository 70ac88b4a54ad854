// Starts a service of the rotation: it listens, sends its URL to its parent process, and ends with
// the parent. The routes are not here.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Listens on a free port of 127.0.0.1. */
export async function listen(server: Server): Promise<void> {
  // Longer than a run, because closing a connection while a client reuses it would count as a
  // failure of the keys.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  process.on('disconnect', () => process.exit());
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}
