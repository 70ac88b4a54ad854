// An application on Fastify, as a user writes it. It is compiled, bundled and run in many ways.
import latchkey, { type Authenticator, allOf, getAuth, pattern, type RouteConfig } from '@latchkey/fastify';
import '@latchkey/fastify/augment';
import fastify from 'fastify';

export async function start(authenticator: Authenticator) {
  // @ts-expect-error: without the types of the package, this would be no error.
  const _kind: 'combined' = authenticator.kind;
  const app = fastify();
  await app.register(latchkey, { authenticator });
  app.get('/health', { config: { auth: false } satisfies RouteConfig }, async () => 'ok');
  app.get('/me', async (request) => {
    const subject: string | undefined = request.auth?.subject;
    return JSON.stringify(subject);
  });
  const claims = { roles: allOf('admin'), sub: pattern('[a-z]+') };
  app.get('/admin', { config: { auth: { claims } } }, async (request) => getAuth(request).claims.roles);
  const url: string = await app.listen({ port: 0, host: '127.0.0.1' });
  return { url, close: () => app.close() };
}
