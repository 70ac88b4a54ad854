// A client that uses its connection for a second request, as proxies do.
import { connect } from 'node:net';

/** Two requests on one connection. */
export interface KeptRequests {
  readonly port: number;
  /** All bytes of the first request. */
  readonly first: string;
  /** Sent when an answer to the first one begins. It must have `Connection: close`. */
  readonly second: string;
}

/**
 * Sends two requests over one connection, and reads until the server closes it.
 * @returns the status of each answer. Never resolves if the server neither answers nor closes
 */
export function statusesOf({ port, first, second }: KeptRequests): Promise<readonly number[]> {
  return new Promise((resolve) => {
    let raw = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(first, 'latin1'));
    socket.on('data', (chunk) => {
      if (raw === '') socket.write(second, 'latin1');
      raw += chunk.toString('latin1');
    });
    // A server that closes a connection with bytes unread resets it.
    socket.on('error', () => {});
    socket.on('close', () => {
      resolve([...raw.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status)));
    });
  });
}
