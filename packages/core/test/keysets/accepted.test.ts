// Readiness: whether tokens can be judged now, and until when tokens of each key may still come.
import { createClock, generateSigningKey, mint } from '@latchkey/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { healthAnswerer } from '../../src/adapter/index.ts';
import {
  type AuthenticatorOptions,
  type AuthenticatorReport,
  ConfigError,
  requireAll,
} from '../../src/index.ts';
import { acceptedOf, noteAccepted } from '../../src/keysets/accepted.ts';
import { startAuthenticator, startIssuer } from '../support/authenticators.ts';

const NOW = 1_800_000_000;
const [one, two] = await Promise.all([
  generateSigningKey('ES256', 'one'),
  generateSigningKey('ES256', 'two'),
]);
const clock = createClock(NOW * 1000);
beforeEach(() => clock.set(NOW * 1000));

const create = (options: Partial<AuthenticatorOptions> = {}) =>
  startAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [one.publicJwk, two.publicJwk] } }],
    audience: null,
    clock,
    ...options,
  });
const acceptedIn = ({ keysets }: AuthenticatorReport) => keysets.map(({ accepted }) => accepted);

describe('until when tokens of a key may come', () => {
  it('is the latest expiry of the tokens that were accepted, by kid', async () => {
    const authenticator = create();
    expect(acceptedIn(authenticator.report())).toEqual([undefined]);
    const claims = { iss: 'i', sub: 'alice' };
    for (const exp of [NOW + 60, NOW + 300, NOW + 120])
      await authenticator.verify(await mint(one, { ...claims, exp }));
    await authenticator.verify(await mint(two, { ...claims, exp: NOW + 30 }));
    expect(acceptedIn(authenticator.report())).toEqual([
      [
        { kid: 'one', until: NOW + 300 },
        { kid: 'two', until: NOW + 30 },
      ],
    ]);
  });

  it('does not count tokens that are refused', async () => {
    const authenticator = create({ claims: { roles: ['admin'] } });
    const forger = await generateSigningKey('ES256', 'one');
    for (const token of [
      await mint(one, { iss: 'i', sub: 'alice', exp: NOW - 60, roles: ['admin'] }),
      await mint(one, { iss: 'i', sub: 'alice', exp: NOW + 60 }),
      await mint(forger, { iss: 'i', sub: 'alice', exp: NOW + 60, roles: ['admin'] }),
    ])
      await expect(authenticator.verify(token)).rejects.toThrow();
    expect(acceptedIn(authenticator.report())).toEqual([undefined]);
  });

  it('has no end for a token without one, and the end of maxTokenAge', async () => {
    const token = await mint(one, { iss: 'i', sub: 'alice', iat: NOW, exp: undefined });
    const endless = create({ requireExp: false });
    await endless.verify(token);
    expect(acceptedIn(endless.report())).toEqual([[{ kid: 'one', until: undefined }]]);
    const aged = create({ requireExp: false, maxTokenAge: '1h' });
    await aged.verify(token);
    expect(acceptedIn(aged.report())).toEqual([[{ kid: 'one', until: NOW + 3_600 }]]);
  });

  it('is kept for no more keys than a set has, the latest ones', () => {
    const keyset = {};
    for (let index = 0; index < 1_000; index++) noteAccepted(keyset, `key ${index}`, index);
    const kept = acceptedOf(keyset);
    expect(kept).toHaveLength(256);
    expect(Math.min(...kept.map(({ until = 0 }) => until))).toBe(744);
  });
});

describe('readiness', () => {
  it('is there when each keyset has keys', async () => {
    const issuer = await startIssuer({ algorithm: 'ES256' });
    const authenticator = startAuthenticator({
      keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
      audience: null,
    });
    const answer = healthAnswerer(authenticator);
    const loading = authenticator.start(10_000);
    expect(authenticator.report().isReady).toBe(false);
    expect(answer()).toMatchObject({ status: 503, body: '{"status":"unavailable"}' });
    await loading;
    expect(authenticator.report().isReady).toBe(true);
    expect(answer()).toEqual({
      status: 200,
      headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
      body: '{"status":"ready"}',
    });
  });

  it('needs keys of each keyset but those with skipValidation', async () => {
    const issuer = await startIssuer({ algorithm: 'ES256' });
    const { jwksUrl } = issuer;
    await issuer.close();
    const down = { issuer: 'down', jwksUrl, allowHttp: true };
    const [needed, skipped] = [{ ...down }, { ...down, skipValidation: true }].map((keyset) =>
      startAuthenticator({ keySets: [keyset], audience: null }),
    );
    for (const each of [needed, skipped]) await each?.start(10_000);
    expect([needed, skipped].map((each) => each?.report().isReady)).toEqual([false, true]);
  });

  it('is not of a combination, and of nothing', () => {
    const combined = requireAll({ user: create() });
    expect(() => healthAnswerer(combined as never)).toThrow('pass each one of a combination');
    expect(() => healthAnswerer()).toThrow(ConfigError);
    expect(() => healthAnswerer(undefined as never)).toThrow(ConfigError);
  });
});
