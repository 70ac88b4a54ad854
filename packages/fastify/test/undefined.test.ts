// A value that is undefined, by a misspelt name or a missing import, is refused when the
// application is made.
import { generateSigningKey } from '@latchkey/testing';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import latchkey, {
  ConfigError,
  compileRules,
  createAuthenticator,
  getAuth,
  type LatchkeyOptions,
  recentDecisions,
  requireClaims,
  routes,
} from '../src/index.ts';

const { publicJwk } = await generateSigningKey();
const options = { keySets: [{ issuer: 'i', jwks: { keys: [publicJwk] } }], audience: null };
const apps: FastifyInstance[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

function create(): FastifyInstance {
  const app = fastify();
  apps.push(app);
  return app;
}

class Shared {
  get auth() {
    return { claims: { roles: ['admin'] } };
  }
}

describe('undefined is a ConfigError', () => {
  const wrong: readonly (readonly [title: string, route: object])[] = [
    ['config', { config: undefined }],
    ['config.auth', { config: { auth: undefined } }],
    ['config.auth.claims', { config: { auth: { claims: undefined } } }],
    ['config.auth.issuers', { config: { auth: { issuers: undefined } } }],
    ['config.auth.mode', { config: { auth: { mode: undefined } } }],
    ['config.auth.claims.roles', { config: { auth: { claims: { roles: undefined } } } }],
  ];

  it.each(wrong)('%s of a route', async (path, route) => {
    const app = create();
    await app.register(latchkey, options);
    const build = () => app.get('/admin', route, async () => 'secret');
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(`GET /admin ${path}: `);
  });

  it.each(wrong)('%s of a route that was added before the plugin', async (path, route) => {
    const app = create();
    app.get('/admin', route, async () => 'secret');
    app.register(latchkey, options);
    await expect(app.ready()).rejects.toThrow(`GET /admin ${path}: `);
  });

  it('config.auth that the object inherits is refused, because Fastify would drop it', async () => {
    const app = create();
    await app.register(latchkey, options);
    const build = () => app.get('/admin', { config: new Shared() }, async () => 'secret');
    expect(build).toThrow('GET /admin config.auth: expected an own member');
  });

  it.each<[title: string, given: object]>([
    ['an authenticator', { authenticator: undefined }],
    ['an authenticator, next to options', { ...options, authenticator: undefined }],
    ['an option', { ...options, issuers: undefined }],
    ['notFound', { ...options, notFound: undefined }],
    ['failOnUndecided', { ...options, failOnUndecided: undefined }],
    ['an option next to an authenticator', { authenticator: createAuthenticator(options), audience: 'a' }],
  ])('the plugin: %s', async (_, given) => {
    const app = create();
    await expect(app.register(latchkey, given as LatchkeyOptions)).rejects.toThrow(ConfigError);
  });

  it.each<[title: string, call: () => unknown]>([
    ['rules', () => requireClaims(undefined as never)],
    ['a rule', () => requireClaims({ roles: undefined } as never)],
    ['readers of decisions', () => recentDecisions(undefined as never)],
    ['compiled rules', () => compileRules(undefined as never)],
    ['rules of getAuth', () => getAuth({ auth: null } as never, undefined as never)],
    ['options of the route report', () => routes(create(), undefined as never)],
    ['failOnUndecided', () => routes(create(), { failOnUndecided: undefined } as never)],
  ])('%s', (_, call) => {
    expect(call).toThrow(ConfigError);
  });
});
