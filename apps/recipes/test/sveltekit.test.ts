// docs/recipes/sveltekit.md: the hook with the events that SvelteKit makes, over real HTTP.
import type { Principal } from '@latchkey/web';
import { expect, it } from 'vitest';
import { createHandle } from '../src/sveltekit.ts';
import { issuer, serveFetch } from './support.ts';
import { describeWeb, guardOf, received, type Start } from './web.ts';

const start: Start = (guard) => {
  const handle = createHandle(
    guard,
    new Map<string, 'public' | { claims: { scope: string } }>([
      ['/health', 'public'],
      ['/orders', { claims: { scope: 'orders:write' } }],
    ]),
  );
  return serveFetch(async (request) => {
    const url = new URL(request.url);
    const isRemoteRequest = request.headers.has('x-sveltekit-pathname');
    const event = {
      ...{ request, url, params: {}, isRemoteRequest },
      route: { id: request.headers.get('x-sveltekit-pathname') ?? url.pathname },
      locals: {} as Locals,
    };
    try {
      return await handle({ event, resolve });
    } catch {
      // As SvelteKit answers a hook that throws.
      return Response.json({ message: 'Internal Error' }, { status: 500 });
    }
  });
};

interface Locals {
  auth?: Principal;
}

async function resolve({ request, url, locals }: { request: Request; url: URL; locals: Locals }) {
  if (url.pathname === '/orders') {
    const { headers } = request;
    const [authorization, note] = [headers.get('authorization'), headers.get('x-note')];
    received.push({ order: await request.json(), authorization, note });
  }
  return Response.json({ subject: locals.auth?.subject });
}

describeWeb('docs/recipes/sveltekit.md', start);

it('docs/recipes/sveltekit.md: a public route needs no token, and a route without an id does', async () => {
  const url = await start(guardOf());
  expect((await fetch(`${url}/health`)).status).toBe(200);
  expect((await fetch(`${url}/health/more`)).status).toBe(401);
  const authorization = `Bearer ${await issuer.mint()}`;
  expect((await fetch(`${url}/other`, { headers: { authorization } })).status).toBe(200);
});

it('docs/recipes/sveltekit.md: a remote function needs a token, whichever route its client names', async () => {
  const url = await start(guardOf());
  const headers = { 'x-sveltekit-pathname': '/health' };
  expect((await fetch(`${url}/_app/remote/1/remove`, { headers })).status).toBe(401);
  const authorization = `Bearer ${await issuer.mint()}`;
  const answer = await fetch(`${url}/_app/remote/1/remove`, { headers: { ...headers, authorization } });
  expect(answer.status).toBe(200);
});
