// A token in the query: no property that a middleware or a logger can read contains it, over
// HTTP/1.1 and HTTP/2.
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { placesOf } from '@latchkey/conformance';
import { createAuthenticator } from '@latchkey/core';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import Koa from 'koa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { authenticate } from '../src/index.ts';

let issuer: TestIssuer;
let token: string;
beforeAll(async () => {
  issuer = await createIssuer();
  token = await issuer.mint({ sub: 'alice' });
});
afterAll(() => issuer.close());

it.each(['HTTP/1.1', 'HTTP/2'])('T-083: over %s, no property of the context contains it', async (version) => {
  const authenticator = createAuthenticator({
    keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
    audience: issuer.audience,
    tokenFrom: [{ query: 'access_token' }],
  });
  const seen: { readonly places: readonly string[]; readonly query: object }[] = [];
  const app = new Koa();
  app.use((ctx, next) => {
    // Koa caches properties that are read.
    expect([ctx.query.access_token, ctx.URL.searchParams.get('access_token')]).toEqual([token, token]);
    expect(ctx.path).toBe('/x');
    expect(placesOf({ ctx }, token)).not.toEqual([]);
    return next();
  });
  app.use(authenticate(authenticator));
  app.use((ctx) => {
    seen.push({ places: placesOf({ ctx }, token), query: { ...ctx.query } });
    ctx.body = 'ok';
  });
  const server = version === 'HTTP/2' ? createServer(app.callback()) : createHttpServer(app.callback());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const path = `/x?a=1&access_token=${token}`;
  if (version === 'HTTP/2') {
    const session = connect(origin);
    const stream = session.request({ ':path': path }).resume();
    await new Promise((resolve) => stream.once('end', resolve));
    session.close();
  } else await (await fetch(`${origin}${path}`)).text();
  await new Promise((resolve) => server.close(resolve));
  await authenticator.close();
  expect(seen).toEqual([{ places: [], query: { a: '1' } }]);
});
