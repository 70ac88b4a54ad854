// How many events `latchkey:decision` a request has: one behind `authenticate`, and with
// `requireBearerAuth` of the SDK one for its token and one for an operation that is refused.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { DecisionEvent } from '@latchkey/core';
import { authenticate } from '@latchkey/express';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import express, { type RequestHandler } from 'express';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { scopeChallenge, tokenVerifier, withAuthInfo } from '../src/index.ts';
import { guards } from './guards.ts';
import { listen, message, post, type Service, stateless } from './servers.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

const guardOf: Readonly<Record<string, (service: Service) => RequestHandler>> = {
  authenticate: ({ authenticator }) => authenticate(authenticator),
  'requireBearerAuth of v1': ({ authenticator }) => guards.v1({ verifier: tokenVerifier(authenticator) }),
  'requireBearerAuth of v2': ({ authenticator }) => guards.v2({ verifier: tokenVerifier(authenticator) }),
};

const OF_THE_ROUTE = { framework: 'express', route: undefined };
const OF_THE_SDK = { framework: 'mcp', route: undefined };

it.each<[guard: string, refused: readonly object[], accepted: readonly object[]]>([
  [
    'authenticate',
    [{ ...OF_THE_ROUTE, outcome: 'refused', code: 'scope_insufficient' }],
    [{ ...OF_THE_ROUTE, outcome: 'accepted', code: undefined }],
  ],
  ...['requireBearerAuth of v1', 'requireBearerAuth of v2'].map(
    (guard): [string, readonly object[], readonly object[]] => [
      guard,
      [
        { ...OF_THE_SDK, outcome: 'accepted', code: undefined },
        { ...OF_THE_SDK, outcome: 'refused', code: 'scope_insufficient' },
      ],
      [{ ...OF_THE_SDK, outcome: 'accepted', code: undefined }],
    ],
  ),
])('%s before scopeChallenge', async (guard, refused, accepted) => {
  const service = await listen(issuer);
  const { app, url } = service;
  const challenge = scopeChallenge({ tools: { add: { scope: 'calc:read' } } });
  app.use('/mcp', guardOf[guard]?.(service) as RequestHandler, express.json(), challenge);
  app.use('/mcp', (request, response) => stateless.v2(withAuthInfo(request), response, request.body));
  const events: DecisionEvent[] = [];
  const listener = (event: unknown) => events.push(event as DecisionEvent);
  subscribe('latchkey:decision', listener);
  onTestFinished(() => void unsubscribe('latchkey:decision', listener));
  const token = await issuer.mint({ aud: url, sub: 'alice' });
  for (const [name, expected] of [
    ['add', refused],
    ['whoami', accepted],
  ] as const) {
    const answer = await post(url, token, message('tools/call', { name }));
    await answer.text();
    expect(answer.status).toBe(name === 'add' ? 403 : 200);
    expect(events.splice(0)).toMatchObject(expected);
  }
});
