// publishResource: where it answers, and what the route report says of it. What it answers is in
// the conformance suite.
import { serve } from '@latchkey/conformance';
import { type Authenticator, createAuthenticator, requireAny } from '@latchkey/core';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import express, { type Express, Router } from 'express';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { authenticate, publishResource, routes } from '../src/index.ts';

const PATH = '/.well-known/oauth-protected-resource';
let key: SigningKey;
let make: (url?: string) => Authenticator;
beforeAll(async () => {
  key = await generateSigningKey();
  const keySets = [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }];
  make = (url) =>
    createAuthenticator(url === undefined ? { keySets, audience: null } : { keySets, resource: { url } });
});
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function get(app: Express, path: string): Promise<{ readonly status: number; readonly body: string }> {
  app.set('env', 'test');
  const served = await serve(app);
  closers.push(served.close);
  const answer = await fetch(`http://127.0.0.1:${served.port}${path}`);
  return { status: answer.status, body: await answer.text() };
}

it('is public in the route report, before authenticate, and changes no other route', () => {
  const api = make('https://api.example.com/files');
  const app = express();
  app.use(publishResource(api));
  app.get('/open', (_request, response) => void response.send('ok'));
  app.use(authenticate(api));
  app.get('/files', (_request, response) => void response.send('ok'));
  expect(routes(app).map(({ path, requirement }) => `${path} ${requirement}`)).toEqual([
    `${PATH}/files public`,
    '/open UNDECIDED',
    '/files token',
  ]);
});

it('is refused in the route report behind authenticate', () => {
  const api = make('https://api.example.com');
  const app = express();
  app.use(authenticate(api), publishResource(api));
  expect(() => routes(app)).toThrow(
    `GET ${PATH}: clients without a token get no metadata; put publishResource`,
  );
});

it('is public as the handler of a route', () => {
  const app = express();
  app.get(PATH, publishResource(make('https://api.example.com')));
  expect(routes(app)).toMatchObject([{ path: PATH, requirement: 'public' }]);
});

it('does not answer at another path, wherever it is mounted', async () => {
  const app = express();
  const router = Router();
  router.use(publishResource(make('https://api.example.com')));
  app.use('/api', router);
  app.get('/mine', publishResource(make('https://api.example.com')));
  expect((await get(app, `/api${PATH}`)).status).toBe(404);
  expect((await get(app, '/mine')).status).toBe(404);
});

it('answers for several resources, and for those of a combination', async () => {
  const either = requireAny({ files: make('https://a.example/files'), mail: make('https://a.example/mail') });
  const app = express();
  app.use(publishResource(either, make('https://b.example')));
  const urls = [];
  for (const path of [`${PATH}/files`, `${PATH}/mail`, PATH])
    urls.push(JSON.parse((await get(app, path)).body));
  expect(urls.map(({ resource }) => resource)).toEqual([
    'https://a.example/files',
    'https://a.example/mail',
    'https://b.example',
  ]);
});

it('each of several authenticators names its own resource, and accepts its audience only', async () => {
  const [files, mail] = [make('https://a.example/files'), make('https://a.example/mail')];
  const app = express();
  app.set('env', 'test');
  app.use(publishResource(files, mail));
  app.use('/files', authenticate(files), (_request, response) => void response.send('ok'));
  app.use('/mail', authenticate(mail), (_request, response) => void response.send('ok'));
  const served = await serve(app);
  closers.push(served.close);
  const exp = Math.floor(Date.now() / 1000) + 300;
  const token = await mint(key, { iss: 'i', aud: 'https://a.example/files', exp });
  const ask = (path: string, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${served.port}${path}`, { headers });
  for (const path of ['/files', '/mail']) {
    const refused = await ask(path);
    expect(refused.headers.get('www-authenticate')).toBe(
      `Bearer resource_metadata="https://a.example${PATH}${path}"`,
    );
  }
  const authorization = `Bearer ${token}`;
  expect((await ask('/files', { authorization })).status).toBe(200);
  expect((await ask('/mail', { authorization })).status).toBe(401);
});

it.each<[title: string, make: () => unknown, message: string]>([
  ['no authenticator', () => publishResource(), 'publishResource: expected an authenticator'],
  ['options', () => publishResource({ keySets: [] } as never), 'publishResource: expected an authenticator'],
  [
    'no resource',
    () => publishResource(make()),
    "resource: publishResource needs it; add resource: { url: 'https",
  ],
  [
    'one path twice',
    () => publishResource(make('https://a.example/x'), make('https://b.example/x')),
    'resource.url: https://b.example/x and https://a.example/x have their metadata at the same path',
  ],
])('refuses %s', (_title, build, message) => {
  expect(build).toThrow(message);
});
