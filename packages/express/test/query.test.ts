// A token in the query: no property that a handler or a logger can read contains it.
import { placesOf, serve } from '@latchkey/conformance';
import { createAuthenticator } from '@latchkey/core';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import express, { Router } from 'express';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { authenticate } from '../src/index.ts';

let issuer: TestIssuer;
let token: string;
beforeAll(async () => {
  issuer = await createIssuer();
  token = await issuer.mint({ sub: 'alice' });
});
afterAll(() => issuer.close());

it('T-083: no property of the request or response contains it', async () => {
  const authenticator = createAuthenticator({
    keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
    audience: issuer.audience,
    tokenFrom: [{ query: 'access_token' }],
  });
  const seen: { readonly places: readonly string[]; readonly query: object }[] = [];
  const app = express();
  app.use((request, response, next) => {
    expect([request.query.access_token, request.path]).toEqual([token, '/api/x']);
    expect(placesOf({ request, response }, token)).not.toEqual([]);
    next();
  });
  const router = Router();
  router.use(authenticate(authenticator), (request, response) => {
    seen.push({ places: placesOf({ request, response }, token), query: request.query });
    response.send('ok');
  });
  app.use('/api', router);
  const server = await serve(app);
  await (await fetch(`http://127.0.0.1:${server.port}/api/x?a=1&access_token=${token}`)).text();
  await server.close();
  await authenticator.close();
  expect(seen).toEqual([{ places: [], query: { a: '1' } }]);
});
