// One of the services: Express with bound tokens, used proofs and revocations in Redis. It is a
// process of its own, and two of them share one Redis.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { authenticate, createAuthenticator } from '@latchkey/express';
import { createReplayStore, createRevocationFeed } from '@latchkey/redis';
import express from 'express';
import { createClient } from 'redis';

/** What the service is started with, as JSON in the first argument. */
export interface ServiceOptions {
  readonly issuer: string;
  readonly audience: string;
  readonly redisUrl: string;
  readonly publicUrl: string;
  readonly maxStaleMs: number;
}

if (process.send !== undefined) await serve(JSON.parse(process.argv[2] ?? '') as ServiceOptions);

async function serve({ issuer, audience, redisUrl, publicUrl, maxStaleMs }: ServiceOptions): Promise<void> {
  const client = createClient({ url: redisUrl });
  const authenticator = createAuthenticator({
    keySets: [{ issuer, useOidcDiscovery: true, allowHttp: true }],
    audience,
    dpop: { mode: 'required', publicUrl },
    replayStore: createReplayStore(client),
    revocation: { maxStale: `${maxStaleMs}ms` },
    revocationFeed: createRevocationFeed(client),
  });
  await authenticator.ready();
  const app = express();
  app.get('/orders', authenticate(authenticator), (_, response) => void response.end());
  const server = createServer(app);
  // A connection that ends while a request is sent over it is no failure of the service.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  process.on('disconnect', () => process.exit());
  process.send?.((server.address() as AddressInfo).port);
}
