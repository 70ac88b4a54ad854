// What Express 4 does differently: it ignores promises, and parses the query before any handler.

import { createIssuer } from '@latchkey/testing';
import express4 from 'express4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authenticate, createAuthenticator, requireClaims, routes } from '../src/index.ts';

let issuer: Awaited<ReturnType<typeof createIssuer>>;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

const options = () => ({
  keySets: [{ issuer: issuer.issuer, useOidcDiscovery: true as const, allowHttp: true }],
  audience: issuer.audience,
});

async function ask(app: ReturnType<typeof express4>, path: string, token?: string) {
  app.set('env', 'test');
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
  const text = await response.text();
  server.close();
  return { status: response.status, text };
}

describe('Express 4', () => {
  it('answers 401 to a request without a token, and to a token that is checked later', async () => {
    const app = express4();
    app.use(authenticate(options()));
    app.get('/', (_request, response) => void response.send('in'));
    expect(await ask(app, '/')).toMatchObject({ status: 401 });
    expect(await ask(app, '/', await issuer.mint({ aud: 'other' }))).toMatchObject({ status: 401 });
    expect(await ask(app, '/', await issuer.mint())).toEqual({ status: 200, text: 'in' });
  });

  it('passes a rejection of an asynchronous handler to the error handling', async () => {
    const app = express4();
    app.use(authenticate(options()));
    const fail = async () => {
      throw new Error('broken');
    };
    app.get('/', requireClaims({ sub: 'alice' }, fail));
    expect(await ask(app, '/', await issuer.mint())).toMatchObject({ status: 500 });
  });

  it('removes a token in the query from the parsed query', async () => {
    const authenticator = createAuthenticator({ ...options(), tokenFrom: [{ query: 'access_token' }] });
    const app = express4();
    app.use(authenticate(authenticator));
    app.get('/', (request, response) => void response.json({ query: request.query, url: request.url }));
    const { text } = await ask(app, `/?a=1&access_token=${await issuer.mint()}`);
    expect(JSON.parse(text)).toEqual({ query: { a: '1' }, url: '/?a=1' });
  });

  it('reports its routes', () => {
    const app = express4();
    expect(routes(app)).toEqual([]);
    app.use(authenticate(options()));
    app.get('/orders', (_request, response) => void response.send('in'));
    const nested = express4.Router();
    nested.get('/deep', (_request, response) => void response.send('in'));
    app.use(nested);
    expect(routes(app).map(({ method, path, requirement }) => `${method} ${path} ${requirement}`)).toEqual([
      'GET /orders token',
      'GET /deep token',
    ]);
  });
});
