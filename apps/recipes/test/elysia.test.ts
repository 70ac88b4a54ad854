// docs/recipes/elysia.md: Elysia on Node, over real HTTP.
import { createApp, principalOf, requireClaims } from '../src/elysia.ts';
import { serveFetch } from './support.ts';
import { describeWeb, received, type Start } from './web.ts';

const start: Start = async (guard) => {
  const app = createApp(guard)
    .get('/me', ({ request }) => ({ subject: principalOf(request)?.subject }))
    .post(
      '/orders',
      ({ request, body, headers }) => {
        received.push({ order: body, authorization: headers.authorization, note: headers['x-note'] });
        return { subject: principalOf(request)?.subject };
      },
      { beforeHandle: requireClaims({ scope: 'orders:write' }) },
    );
  // The server of the adapter does the same, but does not tell a port that it has chosen.
  return serveFetch(app.fetch);
};

describeWeb('docs/recipes/elysia.md', start);
