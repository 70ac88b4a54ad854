// A WebSocket client for tests, with the real ws: what a caller sees of a socket.
import { WebSocket } from 'ws';

/**
 * Connects, sends a message, and tells what came first: the status of a refused handshake, the
 * first message, or the code that the socket was closed with.
 * @param protocol a subprotocol
 */
export function knock(
  url: string,
  headers: Readonly<Record<string, string>>,
  message = 'ask',
  protocol?: string,
): Promise<number | string> {
  return new Promise((resolve, reject) => {
    const client = new WebSocket(url, protocol === undefined ? [] : [protocol], { headers });
    const end = (outcome: number | string) => {
      resolve(outcome);
      client.terminate();
    };
    client.on('open', () => client.send(message));
    client.on('message', (data) => end(String(data)));
    client.on('close', (code) => resolve(`closed ${code}`));
    client.on('unexpected-response', (_request, response) => {
      // What comes of the socket after this answer is of no interest.
      client.on('error', () => {});
      end(response.statusCode ?? 0);
    });
    client.on('error', reject);
  });
}
