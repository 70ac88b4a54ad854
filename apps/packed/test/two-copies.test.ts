// An adapter with one copy of core accepts what an application made with another one: in one tree
// of node_modules there may be two versions, or the ES modules next to the CommonJS of one.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import Router from '@koa/router';
import * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import * as onExpress from '@latchkey/express';
import onFastify, * as fastifyParts from '@latchkey/fastify';
import * as onKoa from '@latchkey/koa';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import express from 'express';
import fastify from 'fastify';
import Koa from 'koa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CopyOfCore, copyOfCore } from './copy-of-core.ts';

let other: CopyOfCore;
let newer: CopyOfCore;
let issuer: TestIssuer;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  [other, newer, issuer] = await Promise.all([copyOfCore(), copyOfCore('99.0.0'), createIssuer()]);
}, 60_000);
afterAll(async () => {
  for (const close of closers) await close();
  other?.remove();
  newer?.remove();
  await issuer?.close();
});

/** What an application makes with the other copy. */
function made() {
  const { core: theirs, adapter: parts, signing } = other;
  const routes = { admin: { claims: { roles: ['admin'] } } };
  const authenticator = theirs.createAuthenticator({
    ...issuer.options,
    routes,
    tokenFrom: [{ header: 'authorization' }, { query: 'token' }],
  });
  const jwk = { ...issuer.key.privateKey.export({ format: 'jwk' }), kid: 'login', alg: 'ES256', use: 'sig' };
  const signer = signing.createSigner({
    jwks: { keys: [jwk as core.JsonObject] },
    issuer: 'https://me.example',
  });
  closers.push(() => authenticator.close());
  return {
    authenticator,
    signer,
    claims: parts.compileRules({ roles: ['admin'] }),
    access: parts.compileAccess({ claims: { roles: ['admin'] } }) as core.RouteAccess,
    admin: theirs.route('admin'),
  };
}

const applications: Readonly<Record<string, (parts: ReturnType<typeof made>) => Promise<RequestListener>>> = {
  async express({ authenticator, claims, access, admin, signer }) {
    const { authenticate, requireClaims, signResponse } = onExpress;
    const app = express().set('env', 'test');
    const ok: express.RequestHandler = (request, response) =>
      void response.json(Reflect.get(request, 'auth'));
    app.get('/access', authenticate(authenticator, access), ok);
    app.get('/rules', authenticate(authenticator), requireClaims(claims), ok);
    app.get('/route', authenticate(authenticator), requireClaims(admin), ok);
    app.get(
      '/signed',
      signResponse({ signer, keysToSign: ['token'] }),
      (_, response) => void response.json({ token: { sub: 'a', exp: Date.now() / 1000 + 60 } }),
    );
    return app;
  },
  async koa({ authenticator, claims, access, admin, signer }) {
    const { authenticate, requireClaims, signResponse } = onKoa;
    const router = new Router();
    const ok: Koa.Middleware = (ctx) => {
      ctx.body = ctx.state.auth;
    };
    router.get('/access', authenticate(authenticator, access), ok);
    router.get('/rules', authenticate(authenticator), requireClaims(claims), ok);
    router.get('/route', authenticate(authenticator), requireClaims(admin), ok);
    router.get('/signed', signResponse({ signer, keysToSign: ['token'] }), (ctx) => {
      ctx.body = { token: { sub: 'a', exp: Date.now() / 1000 + 60 } };
    });
    const app = new Koa();
    app.silent = true;
    return app.use(router.routes()).callback();
  },
  async fastify({ authenticator, claims, access, admin, signer }) {
    const app = fastify();
    await app.register(onFastify, { authenticator });
    const ok = async (request: object) => Reflect.get(request, 'auth');
    app.get('/access', { config: { auth: access } }, ok);
    app.get('/rules', { config: { auth: { claims } } }, ok);
    app.get('/route', { config: { auth: { claims: admin } } }, ok);
    app.get(
      '/signed',
      { config: { auth: false }, onSend: fastifyParts.signResponse({ signer, keysToSign: ['token'] }) },
      async () => ({ token: { sub: 'a', exp: Date.now() / 1000 + 60 } }),
    );
    await app.ready();
    return app.routing;
  },
};

async function served(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  closers.push(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.each(Object.keys(applications))(
  'an authenticator, rules and a signer of another copy: %s',
  (name) => {
    it('are accepted', async () => {
      const url = await served(await applications[name]!(made()));
      const admin = await issuer.mint({ sub: 'alice', roles: ['admin'] });
      const reader = await issuer.mint({ sub: 'bob', roles: ['reader'] });
      for (const path of ['/access', '/rules', '/route']) {
        const answers = [undefined, 'a.b.c', reader, admin].map((token) =>
          fetch(url + path, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
        );
        expect(
          (await Promise.all(answers)).map(({ status }) => status),
          path,
        ).toEqual([401, 401, 403, 200]);
        expect((await fetch(`${url + path}?token=${admin}`)).status, `${path} by query`).toBe(200);
      }
      expect(await (await fetch(`${url}/signed`)).json()).toEqual({ token: expect.stringMatching(/^eyJ/) });
    });
  },
);

describe('two copies of core', () => {
  it('share principals, refusals, names of routes and marks of requests', async () => {
    const { authenticator, admin } = made();
    const token = await issuer.mint({ sub: 'alice', roles: ['admin'] });
    const principal = await authenticator.verify(token);
    expect(() => core.authorize(principal, { roles: ['admin'] })).not.toThrow();
    expect(() => core.authorize(principal, { roles: ['boss'] })).toThrow(core.AuthError);
    expect(core.signedClaims(principal)).toBe(principal.claims);
    expect(adapter.isPrincipal(JSON.parse(JSON.stringify(principal)))).toBe(false);
    expect(() =>
      adapter.checkAccessNames(
        authenticator,
        adapter.compileAccess({ claims: other.core.route('admn') }),
        'x',
      ),
    ).toThrow('did you mean admin?');
    expect(() =>
      adapter.checkAccessNames(authenticator, adapter.compileAccess({ claims: admin }), 'x'),
    ).not.toThrow();

    const permissive = other.core.createAuthenticator({ ...issuer.options, mode: 'permissive' });
    closers.push(() => permissive.close());
    const request = { method: 'GET', url: '/', headers: { authorization: 'Bearer a.b.c' }, rawHeaders: [] };
    expect(await permissive.authenticate(request)).toBeUndefined();
    expect(core.refusalOf(request)?.code).toBe('token_malformed');
    const ours = core.createAuthenticator(issuer.options);
    closers.push(() => ours.close());
    request.headers.authorization = `Bearer ${token}`;
    expect(await ours.authenticate(request)).toMatchObject({ subject: 'alice' });
    expect(core.refusalOf(request)).toBeUndefined();
  });

  it('share what decorators say, and refuse rules of another form', () => {
    class Controller {
      list() {}
      rename() {}
    }
    const { list, rename } = Controller.prototype;
    const claims = other.adapter.compileRules({ scope: 'a' });
    other.adapter.noteAccess({ isPublic: false, rules: claims })(Controller.prototype, 'list', {
      value: list,
    });
    expect(adapter.decoratedAccess(Controller, list).asked.claims).toBe(claims);
    const rules = newer.adapter.compileRules({ scope: 'a' });
    newer.adapter.noteAccess({ isPublic: false, rules })(Controller.prototype, 'rename', { value: rename });
    expect(() => adapter.decoratedAccess(Controller, rename)).toThrow('Controller.rename: two copies of');
  });

  it('combine their authenticators', async () => {
    const { authenticator } = made();
    const both = core.requireAny({
      user: { from: authenticator, claims: other.adapter.compileRules({ roles: ['admin'] }) },
    });
    const token = await issuer.mint({ sub: 'alice', roles: ['admin'] });
    const headers = { authorization: `Bearer ${token}` };
    expect(await both.authenticate({ method: 'GET', url: '/', headers })).toMatchObject({
      user: { subject: 'alice' },
    });
  });

  it('know the errors of each other by instanceof, and a class that extends ours by its prototype', () => {
    class Own extends core.ConfigError {}
    expect(new other.core.ConfigError('a', 'b')).toBeInstanceOf(core.ConfigError);
    expect(new other.core.AuthError('token_expired')).toBeInstanceOf(core.AuthError);
    expect(new Own('a', 'b')).toBeInstanceOf(core.ConfigError);
    expect(new Own('a', 'b')).toBeInstanceOf(Own);
    expect(new core.ConfigError('a', 'b')).not.toBeInstanceOf(Own);
    expect(new core.ConfigError('a', 'b')).not.toBeInstanceOf(core.AuthError);
    expect(new Error('x')).not.toBeInstanceOf(core.ConfigError);
    expect(other.adapter.inconclusive('x')).toBeInstanceOf(Error);
  });

  it('are refused at start with both versions where their objects differ', async () => {
    const { core: theirs, adapter: parts } = newer;
    const authenticator = theirs.createAuthenticator(issuer.options);
    closers.push(() => authenticator.close());
    const message = /two copies of @latchkey\/core: 99\.0\.0, \d+\.\d+\.\d+; remove one with npm dedupe/;
    const access = parts.compileAccess({}) as core.RouteAccess;
    for (const [path, attempt] of Object.entries({
      authenticator: () => onExpress.authenticate(authenticator),
      claims: () => onExpress.requireClaims(parts.compileRules({ scope: 'a' })),
      access: () => onKoa.authenticate(made().authenticator, access),
      'sources.user': () => core.requireAny({ user: authenticator }),
      'sources.user.from': () => core.requireAny({ user: { from: authenticator, claims: {} } }),
    })) {
      expect(attempt, path).toThrow(message);
      expect(attempt, path).toThrow(`${path}: two copies`);
    }
    const app = fastify();
    app.register(onFastify, { authenticator });
    await expect(Promise.resolve(app.ready())).rejects.toThrow(message);
    const principal = await authenticator.verify(await issuer.mint({ scope: 'a' }));
    expect(() => core.authorize(principal, { scope: 'a' })).toThrow(message);
  });
});
