// The examples of the specifications, whose claims are signed here: the logout token of OpenID
// Connect Back-Channel Logout 1.0 §2.4, RFC 8417 §2.1, RFC 8935 §2.1, CAEP 1.0 §3.1.2 and RISC 1.0.
import { generateSigningKey, type MintClaims, mint } from '@latchkey/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthenticator, createEventReceiver, type ReceivedEvent } from '../../src/index.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { CAEP, form, LOGOUT, pushed, RISC } from './bench.ts';

const key = await generateSigningKey('ES256');
const IDP = 'https://idp.example.com/123456789/';
const SESSION = 'dMTlD|1600802906337.16|16008.16';
const ALICE = '99beb27c-c1c2-4955-882a-e0dc4996fcbc';

/** Receives the token at a time soon after it was issued, by one service per example. */
async function received(claims: MintClaims, type: 'logout' | 'event', access: MintClaims) {
  const nowMs = Number(claims.iat) * 1000 + 5_000;
  const issuer = String(claims.iss);
  const authenticator = createAuthenticator({
    keySets: [{ issuer, jwks: { keys: [key.publicJwk] } }],
    audience: 'api',
    revocation: {},
    clock: { now: () => nowMs },
  });
  onTestFinished(() => authenticator.close());
  const told: ReceivedEvent[] = [];
  const aud = claims.aud as string | string[];
  const receiver = createEventReceiver(authenticator, {
    logout: { clientId: aud },
    securityEvents: { audience: aud },
    onEvent: (event) => void told.push(event),
  });
  const token = await mint(key, { iss: issuer, aud: 'api', exp: nowMs / 1000 + 60, ...access });
  await authenticator.verify(token);
  const typ = type === 'logout' ? 'logout+jwt' : 'secevent+jwt';
  const request = (type === 'logout' ? form : pushed)(await mint(key, claims, { typ }));
  const { status } = await receiver.receive(request);
  const outcome = await authenticator.verify(token).then(
    () => 'accepted',
    (error) => error.code,
  );
  return { status, outcome, told };
}

it('a logout token', async () => {
  const claims = {
    iss: 'https://server.example.com',
    sub: '248289761001',
    aud: 's6BhdRkqt3',
    iat: 1471566154,
    exp: 1471569754,
    jti: 'bWJq',
    sid: '08a5019c-17e1-4977-8f42-65a12843ea02',
    events: { [LOGOUT]: {} },
  };
  expect(await received(claims, 'logout', { sub: claims.sub, sid: claims.sid })).toMatchObject({
    status: 200,
    outcome: 'token_revoked',
  });
});

it('RFC 8417 §2.1.1: a SCIM event is acknowledged, and ends nothing', async () => {
  const claims = {
    iss: 'https://scim.example.com',
    iat: 1458496404,
    jti: '4d3559ec67504aaba65d40b0363faad8',
    aud: [
      'https://scim.example.com/Feeds/98d52461fa5bbc879593b7754',
      'https://scim.example.com/Feeds/5d7604516b1d08641d7676ee7',
    ],
    events: {
      'urn:ietf:params:scim:event:create': {
        ref: 'https://scim.example.com/Users/44f6142df96bd6ab61e7521d9',
        attributes: ['id', 'name', 'userName', 'password', 'emails'],
      },
    },
  };
  const { told, ...rest } = await received(claims, 'event', { sub: 'alice' });
  expect(rest).toEqual({ status: 202, outcome: 'accepted' });
  expect(told.map(({ kind, type }) => [kind, type])).toEqual([
    ['other', 'urn:ietf:params:scim:event:create'],
  ]);
});

describe('CAEP session-revoked', () => {
  const common = {
    iss: IDP,
    jti: '24c63fb56e5a2d77a6b512616ca9fa24',
    iat: 1615305159,
    aud: 'https://sp.example.com/caep',
    txn: '8675309',
  };
  const events = {
    [`${CAEP}/session-revoked`]: { event_timestamp: 1615304991643, initiating_entity: 'policy' },
  };
  const user = { format: 'iss_sub', iss: IDP, sub: ALICE };
  const tenant = { format: 'opaque', id: '123456789' };

  it.each<[title: string, sub_id: JsonObject, access: MintClaims]>([
    ['a session', { format: 'opaque', id: SESSION }, { sub: 'a', sid: SESSION }],
    [
      'a session of a user',
      { format: 'complex', session: { format: 'opaque', id: SESSION }, user, tenant },
      { sub: ALICE, sid: SESSION },
    ],
    [
      'a user on a device',
      {
        format: 'complex',
        user,
        device: { format: 'iss_sub', iss: IDP, sub: 'e9297990-14d2-42ec-a4a9-4036db86509a' },
        tenant,
      },
      { sub: ALICE, iat: 1615304990 },
    ],
  ])('%s', async (_, sub_id, access) => {
    expect(await received({ ...common, sub_id, events }, 'event', access)).toMatchObject({
      status: 202,
      outcome: 'token_revoked',
      told: [{ kind: 'session-revoked', time: 1615304991643 }],
    });
  });
});

it('RISC account-disabled', async () => {
  const claims = {
    iss: 'https://idp.example.com/',
    jti: '756E69717565206964656E746966696572',
    iat: 1508184845,
    aud: '636C69656E745F6964',
    sub_id: { format: 'iss_sub', iss: 'https://idp.example.com/', sub: '7375626A656374' },
    events: { [`${RISC}/account-disabled`]: { reason: 'hijacking' } },
  };
  expect(await received(claims, 'event', { sub: '7375626A656374', iat: 1508184800 })).toMatchObject({
    status: 202,
    outcome: 'token_revoked',
  });
});

it('RFC 8935 §2.1: the draft of a RISC event, whose subject is in the event', async () => {
  const claims = {
    iss: 'https://idp.example.com/',
    jti: '756E69717565206964656E746966696572',
    iat: 1508184845,
    aud: '636C69656E745F6964',
    events: {
      [`${RISC}/account-disabled`]: {
        subject: { subject_type: 'iss-sub', iss: 'https://idp.example.com/', sub: '7375626A656374' },
        reason: 'hijacking',
      },
    },
  };
  expect(await received(claims, 'event', { sub: '7375626A656374' })).toMatchObject({
    status: 202,
    outcome: 'token_revoked',
  });
});
