// publishResource: where it answers, and what the route report says of it. What it answers is in
// the conformance suite.
import { type Authenticator, createAuthenticator } from '@latchkey/core';
import { generateSigningKey } from '@latchkey/testing';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import latchkey, { publishResource, routes } from '../src/index.ts';

const PATH = '/.well-known/oauth-protected-resource';
let api: Authenticator;
let app: FastifyInstance;
beforeAll(async () => {
  const key = await generateSigningKey();
  const keySets = [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }];
  api = createAuthenticator({ keySets, resource: { url: 'https://api.example.com/files' } });
});
beforeEach(() => {
  app = fastify();
});
afterEach(() => app.close());

it('is public in the route report, and changes no other route', async () => {
  await app.register(publishResource(api));
  await app.register(latchkey, { authenticator: api, failOnUndecided: true });
  app.get('/files', async () => 'ok');
  await app.ready();
  const found = routes(app).map(({ method, path, requirement }) => `${method} ${path} ${requirement}`);
  expect(found.filter((line) => line.startsWith('GET'))).toEqual([
    `GET ${PATH} public`,
    `GET ${PATH}/* public`,
    'GET /files token',
  ]);
});

it('needs no plugin that authenticates', async () => {
  await app.register(publishResource(api));
  expect((await app.inject(`${PATH}/files`)).json()).toMatchObject({
    resource: 'https://api.example.com/files',
  });
});

it('leaves other paths to the handler of unknown paths', async () => {
  await app.register(latchkey, { authenticator: api, notFound: false });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send('not here'));
  await app.register(publishResource(api));
  for (const path of [PATH, `${PATH}/other`, `${PATH}/files/`, `${PATH}/%66iles`]) {
    const { statusCode, body } = await app.inject(path);
    expect({ path, statusCode, body }).toEqual({ path, statusCode: 404, body: 'not here' });
  }
});

it('is refused under a prefix', async () => {
  await expect(app.register(publishResource(api), { prefix: '/api' })).rejects.toThrow(
    'publishResource: clients look for the metadata at the root, not under /api; register it on the application',
  );
});

it('refuses an authenticator without a resource', () => {
  const other = { ...api, resources: [] };
  expect(() => publishResource(other)).toThrow('resource: publishResource needs it');
});
