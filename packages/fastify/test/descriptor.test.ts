// Options in a file, and routes by name, in a Fastify application. The cases for all adapters are
// in the conformance suite.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeDescriptor } from '@latchkey/conformance';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, describe, expect, expectTypeOf, it, vi } from 'vitest';
import latchkey, {
  type AuthenticatedRequest,
  ConfigError,
  getAuth,
  type LatchkeyOptions,
  requireClaims,
  route,
} from '../src/index.ts';

async function built(app: FastifyInstance) {
  await app.ready();
  return { listener: app.routing, close: () => app.close() };
}

describeDescriptor('register(), and config.auth.claims', async (options) => {
  const app = fastify();
  await app.register(latchkey, options);
  app.get('/me', async (request) => ({ subject: getAuth(request).subject }));
  app.get('/admin', { config: { auth: { claims: route('admin') } } }, async (request) => {
    const { claims } = getAuth(request);
    expectTypeOf(claims.roles).toEqualTypeOf<unknown>();
    return {};
  });
  return built(app);
});

describeDescriptor('register() in a scope, and requireClaims() as a hook', async (options) => {
  const app = fastify();
  await app.register(async (scope) => {
    await scope.register(latchkey, options);
    scope.get('/me', async (request) => ({ subject: (request as AuthenticatedRequest).auth.subject }));
    scope.get('/admin', { onRequest: requireClaims(route('admin')) }, async () => ({}));
  });
  return built(app);
});

describe('{ descriptor }', () => {
  let directory: string;
  const apps: FastifyInstance[] = [];
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'latchkey-fastify-'));
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    for (const app of apps.splice(0)) await app.close();
  });
  afterAll(() => rm(directory, { recursive: true }));

  async function start(jwt: object, more: object = {}): Promise<FastifyInstance> {
    const descriptor = join(directory, 'service.json');
    await writeFile(descriptor, JSON.stringify({ service: { jwt } }));
    const app = fastify();
    apps.push(app);
    await app.register(latchkey, { descriptor, ...more } as LatchkeyOptions);
    await app.ready();
    return app;
  }

  it('a body in tokenFrom is refused also in a file, because the body is read after authentication', async () => {
    const jwt = { remote: { url: 'https://a.example' }, audience: 'me', tokenFrom: [{ body: 'token' }] };
    await expect(start(jwt)).rejects.toThrow(ConfigError);
    await expect(start(jwt)).rejects.toThrow('expected no body');
  });

  it('notFound and failOnUndecided are allowed next to a descriptor', async () => {
    const jwt = { remote: { url: 'https://a.example' }, audience: 'me' };
    const app = await start(jwt, { failOnUndecided: true, notFound: false });
    expect((await app.inject('/nowhere')).statusCode).toBe(404);
  });

  it('options next to a descriptor are refused, because they belong in the file', async () => {
    const jwt = { remote: { url: 'https://a.example' }, audience: 'me' };
    await expect(start(jwt, { keySets: [] })).rejects.toThrow('keySets');
  });
});
