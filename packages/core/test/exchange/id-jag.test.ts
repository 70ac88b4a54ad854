// ID-JAG (draft-ietf-oauth-identity-assertion-authz-grant): an assertion of the identity provider,
// and with it a token of another authorization server.
import { forge } from '@latchkey/testing';
import { describe, expect, it, vi } from 'vitest';
import type { ExchangeOptions } from '../../src/exchange/options.ts';
import { endpoint, NOW } from '../remote/endpoints.ts';
import {
  ALICE,
  exchangeAt,
  formOf,
  GRANT,
  issued,
  outcomeOf,
  REFUSED,
  refusing,
  UNAVAILABLE,
  URN,
} from './token-servers.ts';

const CHAT = 'https://chat.example.com/';

/** An assertion of the identity provider about alice, for the chat server. */
const assertion = (claims: object = {}, typ = 'oauth-id-jag+jwt') =>
  forge({
    header: { alg: 'ES256', typ },
    payload: { iss: 'https://idp.example.com', sub: 'alice', aud: CHAT, exp: NOW + 300, ...claims },
    signature: Buffer.from('signature'),
  });

const asserting = (token: string, more: object = {}) =>
  issued({ access_token: token, token_type: 'N_A', issued_token_type: `${URN}id-jag`, ...more });

/** An identity provider, the authorization server of the chat, and an exchange over both. */
async function chain(more: Partial<ExchangeOptions> = {}) {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const idp = await endpoint(asserting(assertion(), { scope: 'chat.read' }));
  const chat = await endpoint(issued({ access_token: 'chat-token', issued_token_type: undefined }));
  const exchange = exchangeAt(idp.url, {
    resource: 'https://api.chat.example.com/',
    scope: 'chat.read chat.write',
    resourceAuthorizationServer: {
      issuer: CHAT,
      tokenEndpoint: chat.url,
      clientAuthentication: {
        method: 'client_secret_basic',
        clientId: 'orders-at-chat',
        secret: { name: 'chat', key: 'secret' },
      },
    },
    ...more,
  });
  return { idp, chat, exchange };
}

it('one call asks the one server for an assertion, and the other for a token', async () => {
  const { idp, chat, exchange } = await chain();
  const token = await exchange.tokenFor(ALICE);
  expect(token.token).toBe('chat-token');
  expect(token).toMatchObject({ tokenType: 'Bearer', scopes: ['chat.read'], expiresAt: NOW + 300 });
  expect(formOf(idp.asked[0])).toEqual({
    grant_type: `${GRANT}token-exchange`,
    subject_token: ALICE,
    subject_token_type: `${URN}id_token`,
    requested_token_type: `${URN}id-jag`,
    audience: CHAT,
    resource: 'https://api.chat.example.com/',
    scope: 'chat.read chat.write',
  });
  expect(formOf(chat.asked[0])).toEqual({ grant_type: `${GRANT}jwt-bearer`, assertion: assertion() });
  // Each server knows the client by its own id and secret.
  const basic = [idp, chat].map(({ asked }) => asked[0]?.headers.authorization?.slice('Basic '.length) ?? '');
  expect(basic.map((text) => Buffer.from(text, 'base64').toString())).toEqual([
    'orders:a%2Bb+c',
    'orders-at-chat:other',
  ]);
  await exchange.tokenFor(ALICE);
  expect([idp.asked.length, chat.asked.length]).toEqual([1, 1]);
  expect(exchange.report().servers.map(({ url }) => url)).toEqual([idp.url, chat.url]);
});

it('a refresh token may be the assertion of who the caller is', async () => {
  const { idp, exchange } = await chain({ subjectTokenType: 'refresh_token' });
  await exchange.tokenFor('refresh');
  expect(formOf(idp.asked[0])).toMatchObject({
    subject_token: 'refresh',
    subject_token_type: `${URN}refresh_token`,
  });
});

describe('an assertion that is not what was asked is sent to no server', () => {
  it.each<[title: string, answer: ReturnType<typeof issued>]>([
    ['for another server', asserting(assertion({ aud: 'https://other.example.com/' }))],
    ['for the same server without its slash', asserting(assertion({ aud: CHAT.slice(0, -1) }))],
    ['for another server too', asserting(assertion({ aud: [CHAT, 'https://other.example.com/'] }))],
    ['for no server', asserting(assertion({ aud: undefined }))],
    ['of another typ', asserting(assertion({}, 'JWT'))],
    ['that has expired', asserting(assertion({ exp: NOW }))],
    ['without an end', asserting(assertion({ exp: undefined }))],
    ['that is no JWT', asserting('opaque')],
    ['with the token_type of an access token', asserting(assertion(), { token_type: 'Bearer' })],
    ['with another issued_token_type', asserting(assertion(), { issued_token_type: `${URN}jwt` })],
    ['that is the token of the caller', asserting(ALICE)],
  ])('%s', async (_, answer) => {
    const { idp, chat, exchange } = await chain();
    idp.says = answer;
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe(UNAVAILABLE);
    expect(chat.asked).toEqual([]);
  });

  it('that is refused', async () => {
    const { idp, chat, exchange } = await chain();
    idp.says = refusing('invalid_target');
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe(REFUSED);
    expect(chat.asked).toEqual([]);
  });
});

describe('the other server', () => {
  it.each<[title: string, answer: ReturnType<typeof issued>, outcome: string]>([
    ['refuses the assertion', refusing('invalid_grant'), REFUSED],
    ['gives the assertion back', issued({ access_token: assertion() }), UNAVAILABLE],
    ['gives the token of the caller back', issued({ access_token: ALICE }), UNAVAILABLE],
    ['does not know the client', refusing('invalid_client', 401), UNAVAILABLE],
    ['fails', { status: 503 }, UNAVAILABLE],
  ])('%s: no token', async (_, answer, outcome) => {
    const { chat, exchange } = await chain();
    chat.says = answer;
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe(outcome);
  });
});

const BANK = 'https://bank.example.com/';

describe('the audience is the other server', () => {
  it.each<[title: string, audience: string | readonly string[]]>([
    ['another one', BANK],
    ['the same one without its slash', CHAT.slice(0, -1)],
    ['another one too', [CHAT, BANK]],
    ['none', []],
  ])('a call with %s is refused, and nothing is sent', async (_, audience) => {
    const { idp, chat, exchange } = await chain();
    idp.says = asserting(assertion({ aud: audience }));
    await expect(exchange.tokenFor(ALICE, { audience })).rejects.toMatchObject({ path: 'target.audience' });
    expect([...idp.asked, ...chat.asked]).toEqual([]);
  });

  it('a call with the same one is not', async () => {
    const { exchange } = await chain();
    expect(await outcomeOf(exchange.tokenFor(ALICE, { audience: CHAT }))).toBe('chat-token');
  });

  it('options with another one are refused', async () => {
    await expect(chain({ audience: BANK })).rejects.toMatchObject({
      path: 'audience',
      problem: 'expected the issuer of resourceAuthorizationServer; remove it',
    });
  });

  it('without issuer, it is the audience of the options, also in a call', async () => {
    const chat = await endpoint(issued({ issued_token_type: undefined }));
    const clientAuthentication = { method: 'unsafeNone', clientId: 'a' } as const;
    const { idp, exchange } = await chain({
      audience: CHAT,
      resourceAuthorizationServer: { tokenEndpoint: chat.url, clientAuthentication },
    });
    await expect(exchange.tokenFor(ALICE, { audience: BANK })).rejects.toMatchObject({
      path: 'target.audience',
    });
    expect([...idp.asked, ...chat.asked]).toEqual([]);
    expect(await outcomeOf(exchange.tokenFor(ALICE))).toBe('issued');
  });
});
