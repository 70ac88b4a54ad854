// Upgrades with a proof, over real sockets: clients that can send headers send it, and a request
// without it gets no socket.
import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { authenticateUpgrade } from '../../src/decision/upgrade.ts';
import { listen } from '../support/servers.ts';
import { bench, PUBLIC } from './bench.ts';

it.each(['allowed', 'required'] as const)(
  'mode %s: a WebSocket of a bound token needs its proof',
  async (mode) => {
    const { authenticator, clock, key, token, tokenOf } = await bench({ dpop: { mode, publicUrl: PUBLIC } });
    const server = createServer();
    const sockets = new WebSocketServer({ noServer: true });
    server.on('upgrade', async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if ((await authenticateUpgrade(authenticator, request, socket)) !== undefined)
        sockets.handleUpgrade(request, socket, head, (client) => client.close());
    });
    const port = await listen(server);
    onTestFinished(() => void server.close());
    const statusOf = (headers: Record<string, string>) =>
      new Promise<number>((resolve, reject) => {
        const client = new WebSocket(`ws://127.0.0.1:${port}/live?room=1`, { headers });
        client.on('open', () => resolve(101));
        client.on('unexpected-response', (_request, { statusCode = 0 }) => {
          resolve(statusCode);
          client.terminate();
        });
        client.on('error', reject);
      });
    const dpop = await key.proof({ url: `${PUBLIC}/live`, token, atMs: clock.now() });
    expect(await statusOf({ authorization: `DPoP ${token}` })).toBe(401);
    expect(await statusOf({ authorization: `Bearer ${token}`, dpop })).toBe(401);
    expect(await statusOf({ authorization: `DPoP ${token}`, dpop })).toBe(101);
    expect(await statusOf({ authorization: `DPoP ${token}`, dpop })).toBe(401);
    const free = await statusOf({ authorization: `Bearer ${await tokenOf({})}` });
    expect(free).toBe(mode === 'required' ? 401 : 101);
  },
);
