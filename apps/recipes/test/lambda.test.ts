// docs/recipes/lambda.md: three wrappers with events of four kinds answer as the same application
// does over HTTP.
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { Authenticator } from '@latchkey/core';
import { createAuthenticator } from '@latchkey/core';
import type { Context } from 'aws-lambda';
import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import type { LambdaEvent } from '../src/lambda-events.ts';
import { createApp, withServerlessExpress, withServerlessHttp } from '../src/lambda-express.ts';
import { createHandler, service } from '../src/lambda-fastify.ts';
import { type Answer, answerOf, EVENTS, type Kind, type Sent } from './lambda-kinds.ts';
import { atEnd, authenticator, FAULTS, issuer, listen } from './support.ts';

type Handler = (event: LambdaEvent, context: Context) => Promise<object>;
const context = {} as Context;

async function expressOf(by: Authenticator) {
  // Express prints faults otherwise.
  return createApp(by).set('env', 'test');
}

interface Wrapped {
  readonly server: (by: Authenticator) => Promise<Server>;
  readonly handler: (by: Authenticator) => Promise<Handler>;
}
const expressServer = async (by: Authenticator) => createServer(await expressOf(by));
const WRAPPERS: Readonly<Record<string, Wrapped>> = {
  'serverless-http': {
    server: expressServer,
    handler: async (by) => withServerlessHttp(await expressOf(by)),
  },
  '@codegenie/serverless-express': {
    server: expressServer,
    handler: async (by) => withServerlessExpress(await expressOf(by)),
  },
  '@fastify/aws-lambda': {
    server: async (by) => {
      const app = fastify();
      atEnd(() => app.close());
      await app.register(service, { authenticator: by });
      await app.ready();
      return app.server;
    },
    handler: async (by) => createHandler(by),
  },
};

/** The answer over HTTP. */
function ask(url: string, { method, path, headers, body }: Sent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const host: [string, string] = ['Host', new URL(url).host];
    const request = httpRequest(url + path, { method, headers: [host, ...headers].flat() as never });
    request.on('error', reject);
    request.on('response', async (response) => {
      const text = (await response.setEncoding('utf8').toArray()).join('');
      const challenge = response.headers['www-authenticate'];
      resolve({ status: response.statusCode ?? 0, challenge, body: JSON.parse(text) });
    });
    request.end(body);
  });
}

const JSON_TYPE = ['Content-Type', 'application/json'] as const;
const BODY = '{"note":"as sent, ünd more"}';
function post(...authorization: readonly (readonly [name: string, value: string])[]): Sent {
  const length = ['Content-Length', String(Buffer.byteLength(BODY))] as const;
  return { method: 'POST', path: '/orders', headers: [...authorization, JSON_TYPE, length], body: BODY };
}

const kinds = Object.keys(EVENTS) as Kind[];

describe.each(Object.keys(WRAPPERS))('docs/recipes/lambda.md, %s', (name) => {
  const { server, handler } = WRAPPERS[name] as Wrapped;

  it.each(kinds)('answers events of %s as over HTTP', async (kind) => {
    const url = await listen(await server(authenticator));
    const handle = await handler(authenticator);
    const alice = `Bearer ${await issuer.mint({ sub: 'alice', scope: 'orders:write' })}`;
    const bob = `Bearer ${await issuer.mint({ sub: 'bob' })}`;
    const single: readonly (readonly [status: number, sent: Sent])[] = [
      [401, post()],
      [401, post(['Authorization', ''])],
      [401, post(['authorization', 'Bearer x'])],
      [401, post(['AUTHORIZATION', `Bearer ${await issuer.mint({ aud: 'other' })}`])],
      [401, post(['Authorization', 'Basic abc'])],
      [401, post(['Cookie', `token=${alice}`])],
      [400, post(['Authorization', 'Bearer'])],
      [403, post(['Authorization', bob])],
      [200, post(['Authorization', alice])],
      [200, post(['authorization', alice.replace('Bearer', 'BEARER')])],
      [200, { method: 'GET', path: '/health', headers: [] }],
    ];
    const twice: readonly Sent[] = [
      post(['Authorization', alice], ['Authorization', bob]),
      post(['Authorization', alice], ['authorization', alice]),
      post(['Authorization', 'Bearer x'], ['Authorization', alice]),
      post(['Authorization', 'Basic abc'], ['Authorization', alice]),
    ];
    // A balancer without multi-value headers has dropped all but the last.
    const several = kind === 'a balancer' ? [] : twice.map((sent) => [400, sent] as const);
    for (const [status, sent] of [...single, ...several]) {
      const expected = await ask(url, sent);
      expect(expected.status).toBe(status);
      expect(answerOf(kind, await handle(EVENTS[kind](sent), context))).toEqual(expected);
    }
    const passed = await handle(EVENTS[kind](post(['Authorization', alice])), context);
    expect(answerOf(kind, passed).body).toEqual({ subject: 'alice', order: JSON.parse(BODY) });
  });

  it.each(kinds)('requireSecureTransport judges X-Forwarded-Proto of events of %s', async (kind) => {
    const secure = createAuthenticator({ ...issuer.options, requireSecureTransport: true });
    atEnd(() => secure.close());
    const handle = await handler(secure);
    const alice = ['Authorization', `Bearer ${await issuer.mint({ scope: 'orders:write' })}`] as const;
    const statusBy = async (...proto: readonly (readonly [string, string])[]) =>
      answerOf(kind, await handle(EVENTS[kind](post(alice, ...proto)), context)).status;
    expect(await statusBy(['X-Forwarded-Proto', 'https'])).toBe(200);
    expect(await statusBy(['X-Forwarded-Proto', 'http'])).toBe(403);
  });

  it.each(kinds)('a fault lets no event of %s pass', async (kind) => {
    const token = await issuer.mint({ scope: 'orders:write' });
    const ask = async (by: Authenticator) =>
      (await handler(by))(EVENTS[kind](post(['Authorization', `Bearer ${token}`])), context);
    issuer.fail({ kind: 'status', status: 500 });
    expect(answerOf(kind, await ask(authenticator))).toMatchObject({
      status: 503,
      body: { code: 'keyset_unavailable' },
    });
    for (const { authenticate } of Object.values(FAULTS)) {
      const broken = { ...authenticator, authenticate, decide: authenticate };
      expect(await ask(broken)).toMatchObject({ statusCode: 500 });
    }
  });
});
