// T-093: a token in a cookie, over the sockets of express-ws. Any page can open a socket, and the
// browser sends the cookies of the host.
import type { AddressInfo } from 'node:net';
import { knock } from '@latchkey/test-kit/socket';
import { createIssuer } from '@latchkey/testing';
import express from 'express';
import expressWs from 'express-ws';
import { expect, it } from 'vitest';
import { authenticate, createAuthenticator } from '../src/index.ts';

it('T-093: with a token in a cookie, only a socket of the same origin is accepted', async () => {
  const issuer = await createIssuer();
  const { app } = expressWs(express().set('env', 'test'));
  const authenticator = createAuthenticator({
    keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
    audience: issuer.audience,
    tokenFrom: [{ cookie: 'token' }],
  });
  // express-ws drops messages that arrive while keys are fetched, because it ends the handshake
  // first.
  await authenticator.ready();
  app.use(authenticate(authenticator));
  let handled = 0;
  app.ws('/chat', (ws) => {
    ws.on('message', () => {
      handled++;
      ws.send('handled');
    });
  });
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cookie = `token=${await issuer.mint()}`;
  const ask = (headers: Record<string, string>) => knock(`ws://${host}/chat`, { cookie, ...headers });
  expect([
    await ask({ origin: 'https://evil.example' }),
    await ask({ origin: `http://${host}`, 'sec-fetch-site': 'cross-site' }),
    await ask({}),
  ]).toEqual(['closed 1005', 'closed 1005', 'closed 1005']);
  expect(handled).toBe(0);
  expect(await ask({ origin: `http://${host}` })).toBe('handled');
  await new Promise((resolve) => server.close(resolve));
  await authenticator.close();
  await issuer.close();
});
