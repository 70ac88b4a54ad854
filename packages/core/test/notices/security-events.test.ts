// Security event tokens of CAEP and RISC by push (RFC 8417, RFC 8935): what they must be, and which
// access tokens they end. The subjects are those of RFC 9493.
import { generateSigningKey, type MintClaims, mint } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/values/json.ts';
import { warningsOf } from '../support/observed.ts';
import { API, type Bench, CAEP, createBench, EVENTS, ISSUER, LOGOUT, RISC } from './bench.ts';

const REVOKED = `${CAEP}/session-revoked`;
const USER = { format: 'iss_sub', iss: ISSUER, sub: 'alice' };
const SESSION = { format: 'opaque', id: 's1' };
const ENDS_NOTHING: readonly string[] = [];

/** The access tokens that end: of alice in two sessions, of bob, and one by its jti. */
async function endedBy(bench: Bench, token: string): Promise<readonly string[]> {
  const tokens = {
    'alice, s1': await bench.access(),
    'alice, s2': await bench.access({ sid: 's2' }),
    'bob, s3': await bench.access({ sub: 'bob', sid: 's3' }),
    'carol, j9': await bench.access({ sub: 'carol', sid: 's4', jti: 'j9' }),
  };
  expect(await bench.push(token)).toEqual({
    status: 202,
    headers: { 'Cache-Control': 'no-store' },
    body: '',
  });
  const asked = await Promise.all(
    Object.entries(tokens).map(async ([name, one]) => [name, await bench.ask(one)] as const),
  );
  return asked.filter(([, outcome]) => outcome === 'token_revoked').map(([name]) => name);
}

const ALICE = ['alice, s1', 'alice, s2'];

describe('the subject', () => {
  it.each<[title: string, type: string, subject: JsonObject, ended: readonly string[]]>([
    ['iss_sub', REVOKED, USER, ALICE],
    ['iss_sub of a disabled account', `${RISC}/account-disabled`, USER, ALICE],
    ['iss_sub of a purged account', `${RISC}/account-purged`, USER, ALICE],
    ['iss_sub of revoked sessions', `${RISC}/sessions-revoked`, USER, ALICE],
    ['opaque, the id of a session', REVOKED, SESSION, ['alice, s1']],
    ['opaque, the id of a user', REVOKED, { format: 'opaque', id: 'alice' }, ALICE],
    ['opaque, of an account', `${RISC}/account-disabled`, { format: 'opaque', id: 'alice' }, ALICE],
    ['opaque, of an account with the id of a session', `${RISC}/account-disabled`, SESSION, ENDS_NOTHING],
    [
      'complex, a session and its user',
      REVOKED,
      { format: 'complex', session: SESSION, user: USER },
      ['alice, s1'],
    ],
    [
      'complex, a user and a device',
      REVOKED,
      { format: 'complex', user: USER, device: { format: 'opaque', id: 'd' } },
      ALICE,
    ],
    ['complex without a format, of drafts', REVOKED, { user: USER }, ALICE],
    [
      'complex, of an account',
      `${RISC}/account-disabled`,
      { format: 'complex', session: SESSION, user: USER },
      ALICE,
    ],
    [
      'aliases',
      REVOKED,
      { format: 'aliases', identifiers: [{ format: 'email', email: 'a@example.com' }, USER] },
      ALICE,
    ],
    ['jwt_id', REVOKED, { format: 'jwt_id', iss: ISSUER, jti: 'j9' }, ['carol, j9']],
    [
      'iss-sub, of drafts',
      `${RISC}/account-disabled`,
      { subject_type: 'iss-sub', iss: ISSUER, sub: 'alice' },
      ALICE,
    ],
    ['email', REVOKED, { format: 'email', email: 'alice' }, ENDS_NOTHING],
    ['phone_number', REVOKED, { format: 'phone_number', phone_number: 'alice' }, ENDS_NOTHING],
    ['of an unknown format', REVOKED, { format: 'account', uri: 'alice', id: 'alice' }, ENDS_NOTHING],
    ['iss_sub without iss', REVOKED, { format: 'iss_sub', sub: 'alice' }, ENDS_NOTHING],
    [
      'iss_sub with a sub that is a list',
      REVOKED,
      { format: 'iss_sub', iss: ISSUER, sub: ['alice'] },
      ENDS_NOTHING,
    ],
    ['aliases in aliases, many times', REVOKED, nested(8), ENDS_NOTHING],
    [
      'complex, of a tenant',
      REVOKED,
      { format: 'complex', tenant: { format: 'opaque', id: 'alice' } },
      ENDS_NOTHING,
    ],
  ])('%s', async (_, type, subject, ended) => {
    const bench = await createBench();
    expect(await endedBy(bench, await bench.event(type, { sub_id: subject }))).toEqual(ended);
    expect(bench.told).toHaveLength(1);
  });

  it('may be in the event, as drafts had it, or in sub', async () => {
    const bench = await createBench();
    expect(await endedBy(bench, await bench.event(REVOKED, {}, { subject: USER }))).toEqual(ALICE);
    const other = await createBench();
    expect(await endedBy(other, await other.event(REVOKED, { sub: 'bob' }))).toEqual(['bob, s3']);
  });

  it('causes one warning if nothing can find it', async () => {
    const bench = await createBench({ receiver: {} });
    const { createEventReceiver } = await import('../../src/notices/receiver.ts');
    const receiver = createEventReceiver(bench.authenticator, { securityEvents: { audience: EVENTS } });
    const warnings = await warningsOf(async () => {
      for (let times = 0; times < 2; times++) {
        const body = await bench.event(REVOKED, { sub_id: { format: 'email', email: 'alice@example.com' } });
        const answer = await receiver.receive({ contentType: 'application/secevent+jwt', body });
        expect(answer.status).toBe(202);
      }
    });
    expect(warnings).toEqual([expect.stringMatching(/^Warning LATCHKEY_EVENTS: .*session-revoked/)]);
    expect(warnings.join()).not.toContain('alice');
  });
});

function nested(depth: number): JsonObject {
  return depth === 0 ? USER : { format: 'aliases', identifiers: [nested(depth - 1)] };
}

describe('the time', () => {
  it.each<[title: string, payload: (now: number) => JsonObject, claims: (now: number) => MintClaims]>([
    ['event_timestamp', (now) => ({ event_timestamp: now - 100 }), () => ({})],
    ['event_timestamp in milliseconds', (now) => ({ event_timestamp: (now - 100) * 1000 }), () => ({})],
    ['toe', () => ({}), (now) => ({ toe: now - 100 })],
    ['iat', () => ({}), (now) => ({ iat: now - 100 })],
    [
      'iat, if the event is later',
      (now) => ({ event_timestamp: now + 999_999 }),
      (now) => ({ iat: now - 100 }),
    ],
    ['iat, if the event is no time', () => ({ event_timestamp: 5 }), (now) => ({ iat: now - 100 })],
  ])('is %s', async (_, payload, claims) => {
    const bench = await createBench();
    const now = bench.now();
    const before = await bench.access({ iat: now - 101 });
    const after = await bench.access({ iat: now - 99 });
    const token = await bench.event(REVOKED, { sub_id: USER, ...claims(now) }, payload(now));
    expect((await bench.push(token)).status).toBe(202);
    expect([await bench.ask(before), await bench.ask(after)]).toEqual(['token_revoked', 'accepted']);
    expect(bench.told[0]?.time).toBe((now - 100) * 1000);
  });
});

describe('T: a transmitter speaks for its own issuer', () => {
  const TRANSMITTER = 'https://events.example.com';

  async function withTransmitter(tokenIssuers: { readonly [name: string]: string | readonly string[] }) {
    const key = await generateSigningKey('ES256');
    const keySets = [{ issuer: TRANSMITTER, jwks: { keys: [key.publicJwk] } }];
    const bench = await createBench({
      receiver: { keySets, ...(Object.keys(tokenIssuers).length === 0 ? {} : { tokenIssuers }) },
    });
    const event = (claims: MintClaims) =>
      mint(
        key,
        { iss: TRANSMITTER, aud: EVENTS, iat: bench.now(), jti: 'e1', events: { [REVOKED]: {} }, ...claims },
        { typ: 'secevent+jwt' },
      );
    return { bench, key, event };
  }

  it('and for those that the options name', async () => {
    const { bench, event } = await withTransmitter({ [TRANSMITTER]: ISSUER });
    expect(await endedBy(bench, await event({ sub_id: USER }))).toEqual(ALICE);
    expect(bench.told[0]).toMatchObject({ issuer: ISSUER, sub: 'alice' });
  });

  it('a subject that names no issuer, or that of the transmitter, is of these issuers', async () => {
    const { bench, event } = await withTransmitter({ [TRANSMITTER]: [ISSUER] });
    const subject = { format: 'iss_sub', iss: TRANSMITTER, sub: 'alice' };
    expect(await endedBy(bench, await event({ sub_id: subject }))).toEqual(ALICE);
    const other = await withTransmitter({ [TRANSMITTER]: [ISSUER] });
    expect(await endedBy(other.bench, await other.event({ sub_id: SESSION }))).toEqual(['alice, s1']);
  });

  it.each<[title: string, tokenIssuers: { readonly [name: string]: string }]>([
    ['without tokenIssuers', {}],
    ['with those of another transmitter', { 'https://third.example.com': ISSUER }],
    ['with another issuer', { [TRANSMITTER]: 'https://third.example.com' }],
  ])('and never for another one: %s', async (_, tokenIssuers) => {
    const { bench, event } = await withTransmitter(tokenIssuers);
    const alice = await bench.access();
    const answer = await bench.push(await event({ sub_id: USER }));
    expect([answer.status, JSON.parse(answer.body).err]).toEqual([400, 'access_denied']);
    expect(await bench.ask(alice)).toBe('accepted');
    expect(bench.told).toEqual([]);
  });

  it('one foreign identifier among aliases is enough to refuse all', async () => {
    const bench = await createBench();
    const alice = await bench.access();
    const identifiers = [USER, { ...USER, iss: 'https://third.example.com' }];
    const answer = await bench.push(
      await bench.event(REVOKED, { sub_id: { format: 'aliases', identifiers } }),
    );
    expect([answer.status, await bench.ask(alice)]).toEqual([400, 'accepted']);
  });

  it('its keys verify no access token', async () => {
    const { bench, key } = await withTransmitter({ [TRANSMITTER]: ISSUER });
    for (const iss of [TRANSMITTER, ISSUER])
      expect(
        await bench.ask(await mint(key, { iss, aud: API, sub: 'alice', exp: bench.now() + 60 })),
      ).toMatch(/^token_(issuer_untrusted|key_unknown|signature_invalid)$/);
  });
});

describe('other events', () => {
  it.each([
    'https://schemas.openid.net/secevent/ssf/event-type/verification',
    'https://schemas.openid.net/secevent/ssf/event-type/stream-updated',
    `${CAEP}/credential-change`,
    `${RISC}/account-enabled`,
    '__proto__',
  ])('%s is acknowledged, told, and ends nothing', async (type) => {
    const bench = await createBench();
    const events = JSON.parse(`{${JSON.stringify(type)}:{"state":"x"}}`);
    expect(await endedBy(bench, await bench.event(type, { sub_id: USER, events }))).toEqual(ENDS_NOTHING);
    expect(bench.told).toEqual([expect.objectContaining({ kind: 'other', type, issuer: ISSUER })]);
  });

  it('several in one token are all handled', async () => {
    const bench = await createBench();
    const events = { [`${CAEP}/credential-change`]: {}, [REVOKED]: {}, [`${RISC}/account-disabled`]: {} };
    expect(await endedBy(bench, await bench.event('', { sub_id: USER, events }))).toEqual(ALICE);
    expect(bench.told.map(({ kind }) => kind)).toEqual(['other', 'session-revoked', 'account-disabled']);
  });
});

describe('a security event token is refused', () => {
  it.each<[title: string, err: string, make: (bench: Bench) => Promise<string> | string]>([
    ['for another receiver', 'invalid_audience', ({ event }) => event(REVOKED, { aud: API })],
    ['without aud', 'invalid_audience', ({ event }) => event(REVOKED, { aud: undefined })],
    ['of another issuer', 'invalid_issuer', ({ event }) => event(REVOKED, { iss: 'https://evil.example' })],
    ['without iat', 'invalid_request', ({ event }) => event(REVOKED, { iat: undefined })],
    ['without jti', 'invalid_request', ({ event }) => event(REVOKED, { jti: undefined })],
    ['without events', 'invalid_request', ({ event }) => event(REVOKED, { events: undefined })],
    ['with no event', 'invalid_request', ({ event }) => event(REVOKED, { events: {} })],
    [
      'with an event that is no object',
      'invalid_request',
      ({ event }) => event(REVOKED, { events: { [REVOKED]: 1 } }),
    ],
    ['with a logout', 'invalid_request', ({ event }) => event(LOGOUT, { sid: 's1' })],
    [
      'that has expired',
      'invalid_request',
      ({ event, now }) => event(REVOKED, { iat: now() - 300, exp: now() - 200 }),
    ],
    ['that is weeks old', 'invalid_request', ({ event, now }) => event(REVOKED, { iat: now() - 1_000_000 })],
    ['of the future', 'invalid_request', ({ event, now }) => event(REVOKED, { iat: now() + 300 })],
    ['of typ JWT', 'invalid_request', ({ event }) => event(REVOKED, {}, {}, { typ: 'JWT' })],
    ['of typ logout+jwt', 'invalid_request', ({ event }) => event(REVOKED, {}, {}, { typ: 'logout+jwt' })],
    ['that is an access token', 'invalid_request', ({ access }) => access({ aud: EVENTS, jti: 'j' })],
    ['that is a logout token', 'invalid_request', ({ logout }) => logout({ aud: EVENTS })],
    ['that is no JWT', 'invalid_request', () => 'abc'],
    [
      'signed by another key',
      'authentication_failed',
      async (bench) => {
        const stranger = await generateSigningKey('ES256', bench.key.kid);
        const claims = { iss: ISSUER, aud: EVENTS, iat: bench.now(), jti: 'j', events: { [REVOKED]: {} } };
        return mint(stranger, claims, { typ: 'secevent+jwt' });
      },
    ],
    [
      'of an unknown key',
      'invalid_key',
      async (bench) => {
        const stranger = await generateSigningKey('ES256', 'unknown');
        const claims = { iss: ISSUER, aud: EVENTS, iat: bench.now(), jti: 'j', events: { [REVOKED]: {} } };
        return mint(stranger, claims, { typ: 'secevent+jwt' });
      },
    ],
  ])('%s: %s', async (_, err, make) => {
    const bench = await createBench();
    const answer = await bench.push(await make(bench));
    expect(answer).toMatchObject({ status: 400, headers: { 'Content-Type': 'application/json' } });
    expect(JSON.parse(answer.body)).toEqual({ err, description: expect.any(String) });
    expect(bench.told).toEqual([]);
  });

  it('a duplicate is acknowledged, and not told again', async () => {
    const bench = await createBench();
    const token = await bench.event(REVOKED, { sub_id: USER });
    const answers = await Promise.all([bench.push(token), bench.push(token)]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    bench.clock.advance(3_600_000);
    expect((await bench.push(token)).status).toBe(202);
    expect(bench.told).toHaveLength(1);
  });

  it('drafts: true accepts typ JWT and none', async () => {
    const bench = await createBench({ receiver: { securityEvents: { audience: EVENTS, drafts: true } } });
    for (const typ of ['JWT', undefined])
      expect((await bench.push(await bench.event(REVOKED, { sub_id: USER }, {}, { typ }))).status).toBe(202);
    expect((await bench.push(await bench.access({ aud: EVENTS, jti: 'j' }))).status).toBe(400);
  });
});
