// `requireSecureTransport`: how core knows that a request came by https. What frameworks say is in
// the conformance cases.
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createSecureServer, request as secureRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { requestViewOf } from '../../src/adapter/web-request.ts';
import type { RequestView } from '../../src/credentials/request.ts';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { requireAny } from '../../src/decision/combine.ts';
import { authenticateUpgrade } from '../../src/decision/upgrade.ts';
import { ca, leaf } from '../net/tls-servers.ts';
import { answerTo, bearer, create, good, issuer } from './upgrades.ts';

let authenticator: Authenticator;
beforeEach(() => {
  authenticator = createAuthenticator({
    keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
    audience: issuer.audience,
    requireSecureTransport: true,
  });
});
afterEach(() => authenticator.close());
const headers = { authorization: `Bearer ${good}` };
const CODE = 'transport_insecure';
const UPGRADE = { Connection: 'Upgrade', Upgrade: 'websocket' };

/** A server that answers accepted upgrades with 101. */
async function serveUpgrades(isSecure: boolean, protocol?: string): Promise<number> {
  const server = isSecure ? createSecureServer(leaf) : createServer();
  server.on('upgrade', async (request: IncomingMessage, socket: Duplex) => {
    if (protocol !== undefined) Object.assign(request, { protocol });
    if ((await authenticateUpgrade(authenticator, request, socket)) === undefined) return;
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('AG-3: an upgrade', () => {
  it.each([
    ['by http', undefined, 403],
    ['by http that says it is https in a header', undefined, 403],
    ['that the application says came by http', 'http', 403],
    ['that the application says came by https, to its proxy', 'https', 101],
  ])('AG-3: an upgrade %s', async (what, protocol, status) => {
    const spoofed = what.includes('header') ? ['X-Forwarded-Proto: https'] : [];
    const answer = await answerTo(await serveUpgrades(false, protocol), [bearer(good), ...spoofed]);
    expect(answer.status).toBe(status);
  });

  it('AG-3: an upgrade over TLS is accepted', async () => {
    const port = await serveUpgrades(true);
    const options = { port, host: 'localhost', ca: ca.cert, headers: { ...headers, ...UPGRADE } };
    const request = secureRequest(options).end();
    const [response] = (await once(request, 'upgrade')) as [IncomingMessage];
    expect(response.statusCode).toBe(101);
    response.socket.destroy();
  });
});

describe('AG-3: a request', () => {
  afterEach(() => {
    Reflect.deleteProperty(Object.prototype, 'protocol');
    Reflect.deleteProperty(Object.prototype, 'encrypted');
  });

  it.each([
    ['that nothing is known of', {}],
    ['with a protocol that is not a text', { protocol: true, socket: { encrypted: true } }],
    ['with another protocol', { protocol: 'HTTPS' }],
    ['with a socket that is not encrypted', { socket: {} }],
  ])('AG-3: a view %s is refused', async (_, more) => {
    const view = { headers, ...more } as RequestView;
    await expect(authenticator.authenticate(view)).rejects.toMatchObject({ code: CODE });
  });

  it.each(['protocol', 'encrypted'])('T-102: a polluted %s opens nothing', async (name) => {
    Object.defineProperty(Object.prototype, name, {
      value: name === 'protocol' ? 'https' : true,
      configurable: true,
    });
    await expect(authenticator.authenticate({ headers, ...{ socket: {} } })).rejects.toMatchObject({
      code: CODE,
    });
  });

  it('AG-3: a web Request says nothing by its URL, which clients can write', async () => {
    const request = new Request('https://api.example.com/', { headers });
    await expect(authenticator.authenticate(requestViewOf(request))).rejects.toMatchObject({
      code: CODE,
      detail: 'nothing says how the request came; set protocol of the request that core gets',
    });
    const view = requestViewOf(request, { protocol: 'https' });
    expect((await authenticator.authenticate(view))?.subject).toBeDefined();
  });

  it('AG-3: the detail names the settings of frameworks, and the answer has no challenge', async () => {
    const refused = authenticator.authenticate({ headers, protocol: 'http' });
    await expect(refused).rejects.toMatchObject({
      status: 403,
      headers: { 'Cache-Control': 'no-store' },
      detail:
        'the request came by http; if a proxy ends TLS, set trust proxy (Express), proxy (Koa) or trustProxy (Fastify) of the application',
    });
    await expect(refused).rejects.not.toHaveProperty('headers.WWW-Authenticate');
  });

  it('AG-3: without the option, nothing is asked', async () => {
    expect((await create().authenticate({ headers, protocol: 'http' }))?.issuer).toBe(issuer.issuer);
  });

  it('AG-3: a combination says that the transport is the reason', async () => {
    const either = requireAny({ user: authenticator });
    await expect(either.authenticate({ headers, protocol: 'http' })).rejects.toMatchObject({ code: CODE });
  });
});
