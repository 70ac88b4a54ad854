// Tokens that are bound to a certificate, over real TLS: HTTP/1.1, HTTP/2, upgrades, and sessions
// that are resumed. No authority has signed the certificates of the clients.
import { once } from 'node:events';
import { connect as connectHttp2, createSecureServer } from 'node:http2';
import { Agent, createServer, request as httpsRequest } from 'node:https';
import { connect } from 'node:tls';
import { type ClientCertificate, createClientCertificate } from '@latchkey/testing';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { RequestView } from '../../src/credentials/request.ts';
import { authenticateUpgrade } from '../../src/decision/upgrade.ts';
import { listen } from '../support/servers.ts';
import { bench, outcomeOf } from './bench.ts';

const [own, mine, another] = [
  createClientCertificate(),
  createClientCertificate(),
  createClientCertificate(),
];
const server = { cert: own.cert, key: own.key, requestCert: true, rejectUnauthorized: false };
/** What the tests do not test: whether the server is the right one. */
const to = { host: '127.0.0.1', rejectUnauthorized: false } as const;
const OFF = { mode: 'off' } as const;
const bound = () => bench({ dpop: OFF, mutualTls: { mode: 'allowed' } });

/** Sends a request over HTTPS, and returns the outcome that the server writes into its reply. */
async function get(port: number, token: string, certificate?: ClientCertificate, agent?: Agent) {
  const { cert, key } = certificate ?? {};
  const sent = httpsRequest({
    ...{ ...to, port },
    ...(certificate === undefined ? {} : { cert, key }),
    ...(agent === undefined ? {} : { agent }),
    headers: { authorization: `Bearer ${token}` },
  });
  sent.end();
  const [response] = await once(sent, 'response');
  return (await response.setEncoding('utf8').toArray()).join('');
}

async function serve() {
  const { authenticator, tokenOf } = await bound();
  const listener = async (request: RequestView, response: { end(text: string): unknown }) =>
    response.end(await outcomeOf(authenticator, request));
  const port = await listen(createServer(server, listener));
  return { port, authenticator, tokenOf };
}

it('a token needs the certificate that it is bound to, also when it comes from the cache', async () => {
  const { port, tokenOf } = await serve();
  const token = await tokenOf({ cnf: mine.cnf });
  for (let time = 0; time < 3; time++) {
    expect(await get(port, token, mine)).toBe('accepted');
    expect(await get(port, token, another)).toBe('token_binding_mismatch');
    expect(await get(port, token)).toBe('token_binding_mismatch');
  }
  expect(await get(port, await tokenOf({}), mine)).toBe('accepted');
});

it('each request on a connection is judged with the certificate of the connection', async () => {
  const { port, tokenOf } = await serve();
  const [token, other] = [await tokenOf({ cnf: mine.cnf }), await tokenOf({ cnf: another.cnf })];
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  expect(await get(port, token, mine, agent)).toBe('accepted');
  expect(await get(port, other, mine, agent)).toBe('token_binding_mismatch');
  expect(await get(port, token, mine, agent)).toBe('accepted');
});

it.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: a resumed session keeps its certificate', async (version) => {
  const { port, tokenOf } = await serve();
  const token = await tokenOf({ cnf: mine.cnf });
  const ask = async (session?: Buffer) => {
    const { cert, key } = mine;
    // The client that resumes has no certificate any more: the session has it.
    const more = session === undefined ? { cert, key } : { session };
    const socket = connect({ ...to, port, ...more, minVersion: version, maxVersion: version });
    onTestFinished(() => void socket.destroy());
    const saved = session === undefined ? once(socket, 'session') : undefined;
    await once(socket, 'secureConnect');
    const isReused = socket.isSessionReused();
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    const text = (await socket.setEncoding('utf8').toArray()).join('');
    const [ticket] = (await saved) ?? [];
    return { isReused, text, ticket: ticket as Buffer | undefined };
  };
  const first = await ask();
  expect(first.text).toMatch(/accepted\s*0?\s*$/);
  const again = await ask(first.ticket);
  expect([first.isReused, again.isReused]).toEqual([false, true]);
  expect(again.text).toMatch(/accepted\s*0?\s*$/);
});

it('HTTP/2', async () => {
  const { authenticator, tokenOf } = await bound();
  const token = await tokenOf({ cnf: mine.cnf });
  const http2 = createSecureServer(server, async (request, response) => {
    response.end(await outcomeOf(authenticator, request));
  });
  const port = await listen(http2);
  const ask = async (certificate?: ClientCertificate) => {
    const { cert, key } = certificate ?? {};
    const session = connectHttp2(`https://127.0.0.1:${port}`, {
      ...to,
      ...(certificate === undefined ? {} : { cert, key }),
    });
    const answers: string[] = [];
    for (let time = 0; time < 2; time++) {
      const stream = session.request({ ':path': '/', authorization: `Bearer ${token}` });
      answers.push((await stream.setEncoding('utf8').toArray()).join(''));
    }
    await new Promise<void>((resolve) => session.close(resolve));
    return answers;
  };
  expect(await ask(mine)).toEqual(['accepted', 'accepted']);
  expect(await ask(another)).toEqual(['token_binding_mismatch', 'token_binding_mismatch']);
  expect(await ask()).toEqual(['token_binding_mismatch', 'token_binding_mismatch']);
});

it('an upgrade', async () => {
  const { authenticator, tokenOf } = await bound();
  const token = await tokenOf({ cnf: mine.cnf });
  const upgraded = createServer(server);
  const sockets = new WebSocketServer({ noServer: true });
  upgraded.on('upgrade', async (request, socket, head) => {
    if ((await authenticateUpgrade(authenticator, request, socket)) !== undefined)
      sockets.handleUpgrade(request, socket, head, (client) => client.close());
  });
  const port = await listen(upgraded);
  const statusOf = ({ cert, key }: ClientCertificate) =>
    new Promise<number>((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      const options = { cert, key, headers, rejectUnauthorized: false };
      const client = new WebSocket(`wss://127.0.0.1:${port}`, options);
      client.on('open', () => resolve(101));
      client.on('unexpected-response', (_request, { statusCode = 0 }) => {
        resolve(statusCode);
        client.terminate();
      });
      client.on('error', reject);
    });
  expect(await statusOf(mine)).toBe(101);
  expect(await statusOf(another)).toBe(401);
});
