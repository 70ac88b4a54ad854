// Which answers give a token, which refuse one, and which are failures. Against a token endpoint on
// loopback that says anything.

import { createServer } from 'node:http';
import { inspect } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import type { ExchangeOptions } from '../../src/exchange/options.ts';
import { type Answer, endpoint, holdAges, NOW, serve } from '../remote/endpoints.ts';
import { rejectionOf } from '../support/refusals.ts';
import { listen } from '../support/servers.ts';
import {
  ALICE,
  exchangeAt,
  exchangeWith,
  exchanging,
  issued,
  outcomeOf,
  refusing,
  subjectOf,
  UNAVAILABLE,
  URN,
} from './token-servers.ts';

/** A client with a signer of the application. */
const signedBy = (sign: () => Promise<string>) =>
  ({ method: 'private_key_jwt', clientId: 'orders', signer: { sign } }) as const;

describe('a token', () => {
  it('comes with its type, its end and its scopes, and no log has it', async () => {
    const { exchange } = await exchanging(issued({ scope: 'read' }), { scope: 'read write' });
    const token = await exchange.tokenFor(ALICE);
    expect(token.token).toBe('issued');
    expect({ ...token }).toEqual({
      tokenType: 'Bearer',
      issuedTokenType: `${URN}access_token`,
      expiresAt: NOW + 300,
      scopes: ['read'],
    });
    expect(Object.isFrozen(token)).toBe(true);
    expect(`${inspect(token)} ${JSON.stringify(token)}`).not.toMatch(/'issued'|"issued"/);
  });

  it.each<[title: string, answer: object, options: Partial<ExchangeOptions>, expected: object]>([
    ['no scope: those that were asked for', {}, { scope: 'b a' }, { scopes: ['a', 'b'] }],
    [
      'no expires_in: its end is that of the caller',
      { expires_in: undefined },
      {},
      { expiresAt: NOW + 3_600 },
    ],
    ['expires_in as text', { expires_in: '60' }, {}, { expiresAt: NOW + 60 }],
    ['a life beyond that of the caller', { expires_in: 9_999 }, {}, { expiresAt: NOW + 3_600 }],
    ['bearer in any case', { token_type: 'bEARER' }, {}, { tokenType: 'Bearer' }],
    [
      'no access token',
      { token_type: 'N_A', issued_token_type: `${URN}jwt` },
      { requestedTokenType: 'jwt' },
      { tokenType: 'N_A', issuedTokenType: `${URN}jwt` },
    ],
    [
      'of a JWT grant: no issued_token_type',
      { issued_token_type: undefined },
      { grant: 'jwt-bearer' },
      { issuedTokenType: `${URN}access_token` },
    ],
  ])('%s', async (_, answer, options, expected) => {
    const { exchange } = await exchanging(issued(answer), options);
    expect(await exchange.tokenFor(ALICE)).toMatchObject(expected);
  });
});

describe('an answer that is not what was asked is a 503', () => {
  it.each<[title: string, answer: Answer, options?: Partial<ExchangeOptions>]>([
    ['no token', issued({ access_token: undefined })],
    ['a token that is empty', issued({ access_token: '' })],
    ['a token that would end the header', issued({ access_token: 'a\r\nx: y' })],
    ['a token that is a list', issued({ access_token: ['issued'] })],
    ['a token of more than 16 KiB', issued({ access_token: 'a'.repeat(16 * 1024 + 1) })],
    ['the token of the caller', issued({ access_token: ALICE })],
    ['the token of the actor', issued({ access_token: 'actor' }), { actor: { token: () => 'actor' } }],
    ['the token of the caller, as a grant', issued({ access_token: ALICE }), { grant: 'jwt-bearer' }],
    ['no issued_token_type', issued({ issued_token_type: undefined })],
    ['another issued_token_type', issued({ issued_token_type: `${URN}id_token` })],
    ['an ID token for a JWT grant', issued({ issued_token_type: `${URN}id_token` }), { grant: 'jwt-bearer' }],
    ['no token_type', issued({ token_type: undefined })],
    ['a token that is bound to a key', issued({ token_type: 'DPoP' })],
    ['a token for no API', issued({ token_type: 'N_A' })],
    ['expires_in of 0', issued({ expires_in: 0 })],
    ['a negative expires_in', issued({ expires_in: -1 })],
    ['expires_in that is a word', issued({ expires_in: 'soon' })],
    ['a scope that is a list', issued({ scope: ['read'] })],
    ['a body that is text', { body: 'issued' }],
    ['a list', { body: [issued().body] }],
    ['a body of another type', { ...issued(), type: 'text/plain' }],
    ['a member twice', { body: '{"access_token":"a","access_token":"b"}' }],
    ['201', { ...issued(), status: 201 }],
    ['204', { status: 204, body: '' }],
    ['a redirect', { status: 307, headers: { location: '/elsewhere' }, body: '' }],
    ['404', { status: 404, body: {} }],
    ['429', { status: 429, body: {} }],
    ['500', { status: 500, body: {} }],
    ['500 with the error of a refusal', refusing('invalid_grant', 500)],
    ['200 with an error', { body: { error: 'invalid_grant' } }],
    ['an error that is not known', refusing('no_such_error')],
    ['an error about the client', refusing('invalid_client', 401)],
    ['an error about the grant', refusing('unsupported_grant_type')],
    ['a 400 without JSON', { status: 400, body: 'invalid_grant' }],
    ['more than 64 KiB', issued({ filler: 'a'.repeat(64 * 1024) })],
  ])('%s', async (_, answer, options) => {
    const { server, exchange } = await exchanging(answer, options);
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe(UNAVAILABLE);
    expect(server.asked.map(({ url }) => url)).toEqual(['/validate']);
    // Nothing is kept of it.
    server.says = issued();
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe('issued');
  });

  it('no answer in time', async () => {
    const url = await serve(() => {});
    const exchange = exchangeAt(url, { timeout: '20ms' });
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe(UNAVAILABLE);
    expect(exchange.report().servers).toMatchObject([
      { failures: 1, lastError: 'no whole answer within 20 ms' },
    ]);
  });

  it.each<[title: string, options: Partial<ExchangeOptions>]>([
    ['an actor whose token does not come', { actor: { token: () => new Promise(() => {}) } }],
    ['a signer that does not sign', { clientAuthentication: signedBy(() => new Promise(() => {})) }],
    ['a signer that gives no text', { clientAuthentication: signedBy(async () => undefined as never) }],
    ['a signer that throws', { clientAuthentication: signedBy(() => expect.fail('sealed')) }],
  ])('%s, within the timeout', async (_, options) => {
    const { server, exchange } = await exchanging(issued(), { ...options, timeout: '50ms' });
    for (let time = 0; time < 2; time++) expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe(UNAVAILABLE);
    expect(server.asked).toEqual([]);
  });

  it('no server', async () => {
    const server = createServer();
    const port = await listen(server);
    server.close();
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    expect(await outcomeOf(exchangeAt(`http://127.0.0.1:${port}`).tokenFor(ALICE))).toBe(UNAVAILABLE);
  });
});

describe('a refusal', () => {
  it.each([
    ['invalid_grant', 400],
    ['invalid_request', 400],
    ['invalid_target', 400],
    ['invalid_scope', 400],
    ['access_denied', 403],
    ['interaction_required', 400],
    ['insufficient_user_authentication', 401],
  ])('%s is a 403', async (error, status) => {
    const { exchange } = await exchanging(refusing(error, status));
    const refusal = await rejectionOf(exchange.tokenFor(ALICE));
    expect(refusal).toMatchObject({ code: 'exchange_refused', status: 403 });
    expect(refusal).toMatchObject({ detail: expect.stringContaining(`answered with ${error}`) });
  });

  it('says nothing to the client but a constant, and its detail has no text of the server', async () => {
    for (const answer of [refusing('invalid_grant'), refusing('invalid_client', 401), { status: 500 }]) {
      const { exchange } = await exchanging(answer);
      const error = await rejectionOf(exchange.tokenFor(ALICE));
      expect(JSON.stringify(error)).toMatch(
        /"The service (may not act for the caller in this request|cannot act for the caller at the moment)"/,
      );
      expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/about alice|a\+b c|a%2Bb/);
      expect(inspect(error, { depth: 9 })).not.toContain(ALICE);
    }
  });
});

describe('a server that fails', () => {
  it('is called once a second after five failures, and works again', async () => {
    const advance = holdAges();
    const { server, exchange } = await exchanging({ status: 500 });
    for (let index = 0; index < 8; index++)
      expect(await outcomeOf(exchange.tokenFor(subjectOf(`user ${index}`)))).toBe(UNAVAILABLE);
    expect(server.asked).toHaveLength(5);
    expect(exchange.report().servers).toMatchObject([{ state: 'open', url: server.url }]);
    server.says = issued();
    advance(1_000);
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe('issued');
    expect(exchange.report().servers).toMatchObject([{ state: 'closed', lastError: undefined }]);
  });

  it('a client that the server does not know opens the breaker, and refused callers do not', async () => {
    const { server, exchange } = await exchanging(refusing('invalid_grant'));
    for (let index = 0; index < 8; index++) await outcomeOf(exchange.tokenFor(subjectOf(`a ${index}`)));
    expect(server.asked).toHaveLength(8);
    server.says = refusing('invalid_client', 401);
    for (let index = 0; index < 8; index++) await outcomeOf(exchange.tokenFor(subjectOf(`b ${index}`)));
    expect(server.asked).toHaveLength(13);
  });
});

describe('the metadata of an issuer', () => {
  /** An issuer whose metadata say this, and which has a token endpoint. */
  async function issuing(metadata: (issuer: string) => object | undefined) {
    const asked: string[] = [];
    const server = await endpoint((one) => {
      asked.push(String(one.url));
      if (one.method === 'POST') return issued();
      const said = metadata(new URL(server.url).origin);
      return said === undefined ? { status: 404 } : { body: said };
    });
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { origin } = new URL(server.url);
    return { asked, origin };
  }

  it('name the token endpoint, and are read once an hour', async () => {
    const { asked, origin } = await issuing((issuer) => ({ issuer, token_endpoint: `${issuer}/token` }));
    const exchange = exchangeWith({ issuer: origin });
    const advance = holdAges();
    await Promise.all([exchange.tokenFor(ALICE), exchange.tokenFor(subjectOf('bob'))]);
    const metadata = '/.well-known/oauth-authorization-server';
    expect([...asked].sort()).toEqual([metadata, '/token', '/token']);
    advance(3_500_000);
    await exchange.tokenFor(subjectOf('carol', { exp: NOW + 99_999 }));
    advance(200_000);
    await exchange.tokenFor(subjectOf('dave', { exp: NOW + 99_999 }));
    expect(asked.filter((url) => url === metadata)).toHaveLength(2);
    expect(exchange.report().servers).toMatchObject([{ url: `${origin}/token` }]);
  });

  it.each<[title: string, metadata: (issuer: string) => object | undefined]>([
    ['of another issuer', (issuer) => ({ issuer: `${issuer}/`, token_endpoint: `${issuer}/token` })],
    ['without a token endpoint', (issuer) => ({ issuer })],
    ['by plain http elsewhere', (issuer) => ({ issuer, token_endpoint: 'http://login.example.com/token' })],
    ['that are not there', () => undefined],
  ])('%s: nothing is sent', async (_, metadata) => {
    const { asked, origin } = await issuing(metadata);
    expect(await outcomeOf(exchangeWith({ issuer: origin }).tokenFor(ALICE))).toBe(UNAVAILABLE);
    expect(asked.filter((url) => !url.startsWith('/.well-known/'))).toEqual([]);
  });
});
