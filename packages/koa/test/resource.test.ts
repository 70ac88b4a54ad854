// publishResource: where it answers, and what the route report says of it. What it answers is in
// the conformance suite.
import Router from '@koa/router';
import { serve } from '@latchkey/conformance';
import { type Authenticator, createAuthenticator } from '@latchkey/core';
import { generateSigningKey } from '@latchkey/testing';
import Koa from 'koa';
import { beforeAll, expect, it } from 'vitest';
import { authenticate, publishResource, routes } from '../src/index.ts';

const PATH = '/.well-known/oauth-protected-resource';
let api: Authenticator;
beforeAll(async () => {
  const key = await generateSigningKey();
  const keySets = [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }];
  api = createAuthenticator({ keySets, resource: { url: 'https://api.example.com/files' } });
});

it('is public in the route report, before authenticate, and changes no other route', () => {
  const ok: Koa.Middleware = (ctx) => ctx.throw(204);
  const open = new Router().get('/open', ok);
  const files = new Router().get('/files', ok);
  const app = new Koa();
  app.use(publishResource(api)).use(open.routes()).use(authenticate(api)).use(files.routes());
  expect(routes(app).map(({ path, requirement }) => `${path} ${requirement}`)).toEqual([
    `${PATH}/files public`,
    '/open UNDECIDED',
    '/files token',
  ]);
});

it('is refused in the route report behind authenticate', () => {
  const app = new Koa();
  app.use(authenticate(api)).use(publishResource(api));
  expect(() => routes(app)).toThrow(`GET ${PATH}/files: clients without a token get no metadata`);
});

it('does not answer at another path, wherever it is mounted', async () => {
  const app = new Koa();
  app.use(new Router().get('/mine', publishResource(api)).routes());
  const served = await serve(app.callback());
  const answer = await fetch(`http://127.0.0.1:${served.port}/mine`);
  expect(answer.status).toBe(404);
  await served.close();
});
