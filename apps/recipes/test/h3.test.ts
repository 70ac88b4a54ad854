// docs/recipes/h3.md: h3 2 over real HTTP.
import { request as httpRequest } from 'node:http';
import { H3, serve } from 'h3';
import { expect, it } from 'vitest';
import { authenticate, principalOf } from '../src/h3.ts';
import { atEnd, issuer } from './support.ts';
import { describeWeb, guardOf, received, type Start } from './web.ts';

const start: Start = async (guard) => {
  const app = new H3({ silent: true });
  app.use(authenticate(guard));
  app.get('/me', (event) => ({ subject: principalOf(event).subject }));
  app.post(
    '/orders',
    async (event) => {
      const { headers } = event.req;
      const [authorization, note] = [headers.get('authorization'), headers.get('x-note')];
      received.push({ order: await event.req.json(), authorization, note });
      return { subject: principalOf(event).subject };
    },
    { middleware: [authenticate(guard, { claims: { scope: 'orders:write' } })] },
  );
  const server = serve(app, { port: 0, hostname: '127.0.0.1', silent: true });
  await server.ready();
  atEnd(() => server.close(true));
  return String(server.url).replace(/\/$/, '');
};

describeWeb('docs/recipes/h3.md', start);

it('docs/recipes/h3.md: two tokens are refused', async () => {
  const url = await start(guardOf());
  const token = await issuer.mint();
  const headers = ['Host', 'x', 'Authorization', `Bearer ${token}`, 'Authorization', `Bearer ${token}`];
  const status = await new Promise((resolve) => {
    httpRequest(`${url}/me`, { headers }, (response) => resolve(response.resume().statusCode)).end();
  });
  expect(status).toBe(400);
});
