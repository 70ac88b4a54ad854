// An application on Express, as a user writes it. It is compiled, bundled and run in many ways.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Authenticator, allOf, authenticate, pattern, requireClaims } from '@latchkey/express';
import '@latchkey/express/augment';
import express from 'express';

export async function start(authenticator: Authenticator) {
  // @ts-expect-error: without the types of the package, this would be no error.
  const _kind: 'combined' = authenticator.kind;
  const app = express().set('env', 'production');
  app.get('/health', (_request, response) => void response.json('ok'));
  app.use(authenticate(authenticator));
  app.get('/me', (request, response) => {
    const subject: string | undefined = request.auth?.subject;
    response.json(subject);
  });
  app.get(
    '/admin',
    requireClaims({ roles: allOf('admin'), sub: pattern('[a-z]+') }, (request, response) => {
      const roles: readonly string[] = request.auth.claims.roles;
      response.json(roles);
    }),
  );
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
