// A member that other code adds to Object.prototype is not read as an option of a route.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NAMES, statusesOf, VALUES, whilePolluted } from '@latchkey/test-kit/pollution';
import { generateSigningKey, mint } from '@latchkey/testing';
import express, { type ErrorRequestHandler } from 'express';
import { afterEach, expect, it } from 'vitest';
import { authenticate, isAuthError } from '../src/index.ts';

const key = await generateSigningKey();
const good = { iss: 'i', exp: 4_000_000_000 };
const admin = `Bearer ${await mint(key, { ...good, sub: 'alice', roles: ['admin'] })}`;
const user = `Bearer ${await mint(key, { ...good, sub: 'bob' })}`;
const options = () => ({ keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }], audience: null });
const tokens = [undefined, user, admin];

const report: ErrorRequestHandler = (error, _request, response, _next) => {
  response.status(isAuthError(error) ? error.status : 500).end();
};

const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function build() {
  return [
    authenticate(options()),
    authenticate(options(), { claims: { roles: ['admin'] } }),
    authenticate(options(), { mode: 'optional' }),
  ] as const;
}

async function serve([plain, ruled, open]: ReturnType<typeof build>): Promise<number> {
  const app = express();
  app.get('/plain', plain, (_request, response) => void response.end());
  app.get('/admin', ruled, (_request, response) => void response.end());
  app.get('/open', open, (_request, response) => void response.end());
  app.use(report);
  const server = createServer(app).listen(0, '127.0.0.1');
  closers.push(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  return (server.address() as AddressInfo).port;
}

const expected = [401, 200, 200, 401, 403, 200, 200, 200, 200, 404, 404, 404];

it.each(NAMES)('%s: changes no decision, added before or after the application was made', async (name) => {
  const clean = await serve(build());
  expect(await statusesOf(clean, tokens)).toEqual(expected);
  for (const value of VALUES) {
    expect(await statusesOf(clean, tokens, name, value), String(value)).toEqual(expected);
    const made = whilePolluted(name, value, build);
    expect(await statusesOf(await serve(made), tokens), String(value)).toEqual(expected);
  }
});
