// A token in the query: no property that a handler or a logger can read contains it, over HTTP/1.1
// and HTTP/2.
import { connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { placesOf } from '@latchkey/conformance';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { latchkey } from '../src/index.ts';

let issuer: TestIssuer;
let token: string;
beforeAll(async () => {
  issuer = await createIssuer();
  token = await issuer.mint({ sub: 'alice' });
});
afterAll(() => issuer.close());

it.each(['HTTP/1.1', 'HTTP/2'])(
  'T-083: over %s, no property of the request or reply contains it',
  async (version) => {
    const seen: { readonly places: readonly string[]; readonly query: object }[] = [];
    const app: FastifyInstance =
      version === 'HTTP/2' ? (fastify({ http2: true }) as unknown as FastifyInstance) : fastify();
    app.addHook('onRequest', async (request, reply) => {
      // Fastify caches properties that are read.
      expect(request.originalUrl).toContain(token);
      expect(placesOf({ request, reply }, token)).not.toEqual([]);
    });
    await app.register(latchkey, {
      keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
      audience: issuer.audience,
      tokenFrom: [{ query: 'access_token' }],
    });
    const look = async (request: FastifyRequest, reply: FastifyReply) => {
      seen.push({ places: placesOf({ request, reply }, token), query: { ...(request.query as object) } });
      return 'ok';
    };
    app.get('/x', look);
    app.get('/public', { config: { auth: false } }, look);
    await app.listen({ port: 0, host: '127.0.0.1' });
    const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    for (const path of [`/x?a=1&access_token=${token}`, `/public?a=1&access_token=${token}`]) {
      if (version === 'HTTP/2') {
        const session = connect(origin);
        const stream = session.request({ ':path': path }).resume();
        await new Promise((resolve) => stream.once('end', resolve));
        session.close();
      } else await (await fetch(`${origin}${path}`)).text();
    }
    await app.close();
    expect(seen).toEqual([
      { places: [], query: { a: '1' } },
      { places: [], query: { a: '1' } },
    ]);
  },
);
