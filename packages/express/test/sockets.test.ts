// T-093: a token in a cookie, over the sockets of express-ws: any page may open one with the
// cookies of its host.
import type { AddressInfo } from 'node:net';
import { knock } from '@latchkey/test-kit/socket';
import { createIssuer } from '@latchkey/testing';
import express from 'express';
import expressWs from 'express-ws';
import { expect, it } from 'vitest';
import { authenticate, createAuthenticator } from '../src/index.ts';

it('T-093: a token in a cookie lets in a socket of the own origin, and of no other', async () => {
  const issuer = await createIssuer();
  const { app } = expressWs(express().set('env', 'test'));
  const authenticator = createAuthenticator({
    keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
    audience: issuer.audience,
    tokenFrom: [{ cookie: 'token' }],
  });
  // express-ws drops messages that come while keys are fetched: its handshake is over by then.
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
