// A member that other code adds to Object.prototype is not read as an option of a route.
import type { AddressInfo } from 'node:net';
import { NAMES, statusesOf, VALUES, whilePolluted } from '@latchkey/test-kit/pollution';
import { generateSigningKey, mint } from '@latchkey/testing';
import fastify from 'fastify';
import { afterEach, expect, it } from 'vitest';
import latchkey from '../src/index.ts';

const key = await generateSigningKey();
const good = { iss: 'i', exp: 4_000_000_000 };
const admin = `Bearer ${await mint(key, { ...good, sub: 'alice', roles: ['admin'] })}`;
const user = `Bearer ${await mint(key, { ...good, sub: 'bob' })}`;
const options = () => ({ keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }], audience: null });
const tokens = [undefined, user, admin];

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function build() {
  const app = fastify();
  closers.push(() => app.close());
  app.register(latchkey, options());
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send());
  app.register(async (scope) => {
    scope.get('/plain', async () => 'ok');
    scope.get('/admin', { config: { auth: { claims: { roles: ['admin'] } } } }, async () => 'ok');
    scope.get('/open', { config: { auth: { mode: 'optional' } } }, async () => 'ok');
  });
  return app;
}

async function serve(app: ReturnType<typeof build>): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' });
  return (app.server.address() as AddressInfo).port;
}

const expected = [401, 200, 200, 401, 403, 200, 200, 200, 200, 401, 404, 404];

it.each(NAMES)('%s: changes no decision, added before or after the application was made', async (name) => {
  const clean = await serve(build());
  expect(await statusesOf(clean, tokens)).toEqual(expected);
  for (const value of VALUES) {
    expect(await statusesOf(clean, tokens, name, value), String(value)).toEqual(expected);
    const made = whilePolluted(name, value, build);
    expect(await statusesOf(await serve(made), tokens), String(value)).toEqual(expected);
  }
});
