// Tests of `receiveEvents` of every adapter, over real HTTP: a provider ends a session, and the
// next request with its access token is refused. Each adapter builds the application itself.
import {
  type Authenticator,
  createAuthenticator,
  createEventReceiver,
  type EventReceiver,
  type JsonValue,
} from '@latchkey/core';
import { forge, generateSigningKey, type MintClaims, mint, type SigningKey } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Application, type Started, start } from './application.ts';
import { CONTENT_TYPES, type EventCase, type EventToken, eventCases } from './cases/events.ts';
import { type Exchange, headerValues } from './exchange.ts';
import { statusesOf } from './kept.ts';

/** What an adapter must serve. */
export interface ReceiverHarness {
  /** `GET /me` needs one of its tokens, and answers with any 200. */
  readonly authenticator: Authenticator;
  /** It answers at `/events`, for all methods. */
  readonly receiver: EventReceiver;
}

/** The answers that a framework gives in place of core, by the names of cases. */
export interface ReceiverGaps {
  readonly [caseName: string]: EventCase['expect'];
}

/** Builds an application: see `BuildListener`. */
export type BuildReceiver = (harness: ReceiverHarness) => Application | Promise<Application>;

const NAMES: { readonly [name: string]: string } = {
  issuer: 'https://login.example.com',
  another: 'https://another.example.com',
  api: 'https://api.example.com',
  events: 'https://api.example.com/events',
};
const LOGOUT = 'http://schemas.openid.net/event/backchannel-logout';
const REVOKED = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked';

/**
 * Declares the tests for one way of building an application. Call it from a test file of the
 * adapter's package.
 */
export function describeReceiver(name: string, build: BuildReceiver, gaps: ReceiverGaps = {}): void {
  describe(`receiveEvents: ${name}`, () => {
    let keys: Record<'first' | 'another' | 'stranger', SigningKey>;
    let harness: ReceiverHarness;
    let server: Started;
    let sessions = 0;

    beforeAll(async () => {
      const [first, another] = await Promise.all([generateSigningKey('ES256'), generateSigningKey('ES256')]);
      keys = { first, another, stranger: await generateSigningKey('ES256', first.kid) };
      const { issuer = '', another: other = '', api = '', events = '' } = NAMES;
      const authenticator = createAuthenticator({
        keySets: [
          { issuer, jwks: { keys: [first.publicJwk] } },
          { issuer: other, jwks: { keys: [another.publicJwk] } },
        ],
        audience: api,
        revocation: {},
      });
      const receiver = createEventReceiver(authenticator, {
        logout: { clientId: 'web' },
        securityEvents: { audience: events },
      });
      harness = { authenticator, receiver };
      server = await start(await build(harness));
    });

    afterAll(async () => {
      await server.close();
      await harness.receiver.close();
      await harness.authenticator.close();
    });

    /** A token of one session. Times are seconds from now. */
    async function make({ kind, claims = {}, typ, alg, by }: EventToken, sid: string): Promise<string> {
      const now = Math.floor(Date.now() / 1000);
      const common = { iss: NAMES.issuer ?? '', iat: 0, jti: crypto.randomUUID() };
      const ofKind: { readonly [Kind in EventToken['kind']]: MintClaims } = {
        logout: { ...common, aud: 'web', exp: 120, sub: '{user}', sid, events: { [LOGOUT]: {} } },
        event: {
          ...common,
          aud: NAMES.events ?? '',
          sub_id: { format: 'opaque', id: sid },
          events: { [REVOKED]: { event_timestamp: now } },
        },
        access: { ...common, aud: NAMES.api ?? '', exp: 300, sub: '{user}', sid },
      };
      const all: Record<string, unknown> = { ...ofKind[kind], ...claims };
      for (const time of ['iat', 'exp']) if (all[time] !== undefined) all[time] = now + Number(all[time]);
      const filled = JSON.parse(
        JSON.stringify(all).replace(/\{(\w+)\}/g, (_, found) => NAMES[found] ?? `alice of ${sid}`),
      ) as { readonly [name: string]: JsonValue };
      const type = { logout: 'logout+jwt', event: 'secevent+jwt', access: 'JWT' }[kind];
      if (alg === 'none')
        return forge({ header: { alg, typ: type }, payload: filled, signature: Buffer.from('x') });
      const key = by === 'another issuer' ? keys.another : by === 'a stranger' ? keys.stranger : keys.first;
      return mint(key, filled, { typ: typ ?? type });
    }

    function send(testCase: EventCase, token: string): Promise<Exchange> {
      const { kind = 'logout' } = testCase.token ?? {};
      const write = testCase.body ?? ((one: string) => (kind === 'logout' ? `logout_token=${one}` : one));
      const type = testCase.contentType === undefined ? CONTENT_TYPES[kind] : testCase.contentType;
      const { method = 'POST' } = testCase;
      return server.send({
        method,
        path: '/events',
        headers: type === null || method === 'GET' ? [] : [['Content-Type', type]],
        ...(method === 'GET' ? {} : { body: write(token) }),
      });
    }

    async function statusOf(access: string): Promise<number> {
      const headers = [['Authorization', `Bearer ${access}`]] as const;
      return (await server.send({ method: 'GET', path: '/me', headers })).status;
    }

    for (const testCase of eventCases)
      it(testCase.name, async () => {
        const sid = `s${++sessions}`;
        const access = await make({ kind: 'access' }, sid);
        expect(await statusOf(access), 'before').toBe(200);
        const token = await make(testCase.token ?? { kind: 'logout' }, sid);
        if (testCase.isRepeated === true) expect((await send(testCase, token)).status).toBeLessThan(300);
        const answer = await send(testCase, token);
        await server.openRequests();
        const { status, json, ends = status < 300 } = gaps[testCase.name] ?? testCase.expect;
        expect(answer.status).toBe(status);
        if (json === undefined) expect(answer.body).toBe('');
        else expect(JSON.parse(answer.body)).toMatchObject(json);
        expect(headerValues(answer, 'cache-control')).toEqual(['no-store']);
        if (status === 405) expect(headerValues(answer, 'allow')).toEqual(['POST']);
        for (const part of token.split('.').filter(({ length }) => length > 8))
          expect(answer.raw).not.toContain(part);
        expect(await statusOf(access), 'after').toBe(ends ? 401 : 200);
      });

    it.each(['logout', 'event'] as const)('the routes refuse a token of kind %s', async (kind) => {
      const claims = { aud: NAMES.api, sub: 'bob', exp: 300 };
      for (const typ of [undefined, 'JWT', 'at+jwt']) {
        const token = await make({ kind, claims, ...(typ === undefined ? {} : { typ }) }, 's0');
        expect(await statusOf(token)).toBe(401);
      }
    });

    it('a body that is far too long does not keep the next request on its connection waiting', async (context) => {
      const { port } = server;
      if (port === undefined) return context.skip('no connection');
      const size = 300_000;
      const statuses = await statusesOf({
        port,
        first:
          `POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${CONTENT_TYPES.event}\r\n` +
          `Content-Length: ${size}\r\n\r\n${'x'.repeat(size)}`,
        second: 'GET /me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      });
      await server.openRequests();
      // A parser of the framework that refuses the body has read it to its end.
      expect(statuses).toEqual(statuses[0] === 413 ? [413, 401] : [400]);
    });

    it('two requests at once with one logout token: one is accepted', async () => {
      const token = await make({ kind: 'logout' }, `s${++sessions}`);
      const one: EventCase = { name: 'at once', token: { kind: 'logout' }, expect: { status: 200 } };
      const answers = await Promise.all([send(one, token), send(one, token)]);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 400]);
    });
  });
}
