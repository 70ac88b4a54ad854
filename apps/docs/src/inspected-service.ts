// The running service of `pnpm inspector:walk`: a service of Express that keeps its last decisions,
// and can be made to answer nothing.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { authenticate, recentDecisions, requireClaims } from '@latchkey/express';
import express from 'express';

/** A service that is running. */
export interface InspectedService {
  /** Where its last decisions are. */
  readonly url: string;
  /** Sends a request, and waits for the answer. */
  get(path: string, token?: string): Promise<number>;
  /** Whether it answers. */
  isUp: boolean;
  close(): void;
}

/** Starts the service on loopback. */
export async function startService(publicJwk: object): Promise<InspectedService> {
  const keySets = [{ issuer: 'https://login.example.com', jwks: { keys: [publicJwk] } }];
  const app = express()
    .get('/decisions', recentDecisions('local'))
    .use(authenticate({ keySets, audience: 'orders' } as Parameters<typeof authenticate>[0]))
    .get('/orders/:id', (_request, response) => void response.json({}))
    .get('/admin', requireClaims({ roles: ['admin'] }), (_request, response) => void response.json({}));
  const server = createServer((request, response) => {
    if (service.isUp) app(request, response);
    else request.socket.destroy();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const service: InspectedService = {
    url: `${origin}/decisions`,
    isUp: true,
    async get(path, token) {
      const headers: HeadersInit = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const response = await fetch(`${origin}${path}`, { headers });
      await response.text();
      return response.status;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return service;
}
