// Where a revocation is judged: requests, cached tokens, verify, modes, combinations, explain; and
// what a caller of revoke gets.
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import {
  authenticateUpgrade,
  createAuthenticator,
  refusalOf as passedRefusalOf,
  requireAll,
  requireAny,
} from '../../src/index.ts';
import { endpoint, introspecting, jwt } from '../remote/endpoints.ts';
import { requestWith } from '../support/authenticators.ts';
import { warningsOf } from '../support/observed.ts';
import { AUDIENCE, bench, ISSUER, KEYSET, refusalOfRequest } from './bench.ts';

describe('a request', () => {
  it.each([
    ['its jti', { jti: 'j1' }, { jti: 'j1' }],
    ['its sid', { sid: 's1' }, { sid: 's1' }],
    ['its sub', { sub: 'alice' }, {}],
    ['its client_id', { client: 'app' }, { client_id: 'app' }],
    ['its azp', { client: 'app' }, { azp: 'app' }],
    ['its issuer', {}, {}],
  ])('is refused by %s, and another token is not', async (_name, named, claims) => {
    const { authenticator, ask, tokenOf } = bench();
    const token = await tokenOf(claims);
    expect(await ask(token)).toBe('accepted');
    await authenticator.revoke({ issuer: ISSUER, ...named });
    expect(await ask(token)).toBe('token_revoked');
    const later = Math.floor(Date.now() / 1000);
    const other = { sub: 'bob', jti: 'j2', sid: 's2', client_id: 'other', iat: later, exp: later + 60 };
    const isOfAll = Object.keys(named).length === 0;
    if (!isOfAll) expect(await ask(await tokenOf(other))).toBe('accepted');
  });

  it('of a token that was issued later passes', async () => {
    const { authenticator, ask, tokenOf, clock } = bench();
    await authenticator.revoke({ issuer: ISSUER, sub: 'alice' });
    const second = Math.floor(clock.now() / 1000);
    expect(await ask(await tokenOf({ iat: second }))).toBe('token_revoked');
    clock.advance(1000);
    expect(await ask(await tokenOf({ iat: second + 1 }))).toBe('accepted');
  });

  it('with a cached token is refused at once', async () => {
    const { authenticator, ask, tokenOf } = bench();
    const token = await tokenOf({ jti: 'j1' });
    for (let time = 0; time < 4; time++) expect(await ask(token)).toBe('accepted');
    const revoking = authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
    expect(await ask(token)).toBe('token_revoked');
    await revoking;
    expect(await ask(token)).toBe('token_revoked');
  });

  it('is decided synchronously', async () => {
    const { authenticator, ask, tokenOf } = bench();
    const token = await tokenOf({ jti: 'j1' });
    await ask(token);
    await authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
    expect(authenticator.decide(requestWith(token))).toMatchObject({ ok: false });
  });

  it('gets an answer without any detail', async () => {
    const { authenticator, refusalOf, tokenOf } = bench();
    await authenticator.revoke({ issuer: ISSUER, jti: 'secret-id' });
    const refusal = await refusalOf(await tokenOf({ jti: 'secret-id' }));
    expect(refusal?.status).toBe(401);
    expect(refusal?.headers['WWW-Authenticate']).toContain('error="invalid_token"');
    expect(JSON.stringify([refusal?.toJSON(), refusal?.headers, refusal?.detail])).not.toMatch(/secret-id/);
    expect(refusal?.detail).toContain('by its jti');
  });

  it('in mode optional is refused, and in mode permissive anonymous', async () => {
    for (const [mode, code] of [
      ['optional', 'token_revoked'],
      ['permissive', 'accepted'],
    ] as const) {
      const { authenticator, ask, tokenOf } = bench({}, { mode });
      const token = await tokenOf({ jti: 'j1' });
      await authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
      expect(await ask(token)).toBe(code);
      if (mode !== 'permissive') continue;
      const request = requestWith(token);
      expect(await authenticator.authenticate(request)).toBeUndefined();
      expect(passedRefusalOf(request)?.code).toBe('token_revoked');
    }
  });
});

describe('other ways', () => {
  it('verify refuses it, with the rules of a route too', async () => {
    const { authenticator, tokenOf } = bench();
    const token = await tokenOf({ jti: 'j1' });
    await authenticator.verify(token);
    await authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
    await expect(authenticator.verify(token)).rejects.toMatchObject({ code: 'token_revoked' });
    await expect(authenticator.verify(token, { sub: 'bob' })).rejects.toMatchObject({
      code: 'token_revoked',
    });
  });

  it('a token that an endpoint accepts is refused, also by claims that only the token has', async () => {
    const remote = await endpoint({ body: { active: true, sub: 'alice', aud: AUDIENCE } });
    const authenticator = introspecting(remote.url, { audience: AUDIENCE, revocation: {} });
    const token = jwt({ sub: 'alice', aud: AUDIENCE, jti: 'j1', iss: ISSUER });
    const ask = async (sent: string) => (await refusalOfRequest(authenticator, requestWith(sent)))?.code;
    expect(await ask(token)).toBeUndefined();
    await authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
    expect(await ask(token)).toBe('token_revoked');
    expect(await ask('opaque')).toBeUndefined();
    await authenticator.revoke({ issuer: ISSUER, sub: 'alice' });
    // Nothing says which issuer it is from, or when it was issued.
    expect(await ask('opaque')).toBe('token_revoked');
  });

  it('an upgrade is refused, and answered', async () => {
    const { authenticator, tokenOf } = bench();
    const token = await tokenOf({ jti: 'j1' });
    const answerOf = async () => {
      const socket = new PassThrough();
      const accepted = await authenticateUpgrade(authenticator, requestWith(token), socket);
      return accepted === undefined ? String(socket.read()) : 'accepted';
    };
    expect(await answerOf()).toBe('accepted');
    await authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
    expect(await answerOf()).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n.*error="invalid_token"/s);
  });

  it('explain shows it', async () => {
    const { authenticator, tokenOf } = bench();
    const token = await tokenOf({ jti: 'j1' });
    const checkOf = async () =>
      (await authenticator.explain(token)).checks.filter(({ check }) => check === 'revocation');
    const expected = 'no revocation of its jti, sid, sub, client or issuer';
    expect(await checkOf()).toEqual([
      {
        check: 'revocation',
        about: 'the list of revocations',
        expected,
        actual: 'none known',
        outcome: 'passed',
      },
    ]);
    await authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
    expect(await checkOf()).toEqual([
      {
        check: 'revocation',
        about: 'the list of revocations',
        expected,
        actual: 'one of its jti',
        outcome: 'failed',
        code: 'token_revoked',
        detail: 'the token has been revoked, by its jti',
      },
    ]);
    expect(await authenticator.explain(token)).toMatchObject({ allowed: false, verified: true });
  });

  it('requireAny takes another token, and requireAll refuses', async () => {
    const user = bench({}, { tokenFrom: [{ header: 'X-User' }] });
    const device = bench({}, { tokenFrom: [{ header: 'X-Device' }] });
    const token = await user.tokenOf({ jti: 'j1' });
    const request = { headers: { 'x-user': token, 'x-device': token }, rawHeaders: [] };
    const sources = { user: user.authenticator, device: device.authenticator };
    await user.authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
    expect(Object.keys(await requireAny(sources).authenticate(request))).toEqual(['device']);
    await expect(requireAll(sources).authenticate(request)).rejects.toMatchObject({ code: 'token_revoked' });
    await requireAny(sources).revoke?.({ issuer: ISSUER, jti: 'j1' });
    await expect(requireAny(sources).authenticate(request)).rejects.toMatchObject({ code: 'token_revoked' });
  });
});

describe('a caller of revoke', () => {
  it('gets a ConfigError for a wrong revocation', async () => {
    const { authenticator } = bench();
    await expect(authenticator.revoke({ issuer: ISSUER, jti: '' })).rejects.toMatchObject({
      name: 'ConfigError',
      path: 'revocation.jti',
    });
    await expect(authenticator.revoke(undefined as never)).rejects.toMatchObject({ name: 'ConfigError' });
  });

  it('gets a ConfigError without the option', async () => {
    const authenticator = createAuthenticator({ keySets: [KEYSET], audience: AUDIENCE });
    await expect(authenticator.revoke({ issuer: ISSUER })).rejects.toThrow(
      'revocation: revoke needs it in the options; add revocation: {}',
    );
    expect(authenticator.report()).not.toHaveProperty('revocation');
    const both = requireAll({ one: bench().authenticator, other: authenticator });
    await expect(both.revoke?.({ issuer: ISSUER })).rejects.toThrow('revoke needs it in the options');
  });

  it('is remembered by default for the time of the options', async () => {
    const { authenticator, ask, tokenOf, clock } = bench({ remember: '2h' });
    await authenticator.revoke({ issuer: ISSUER, jti: 'j1' });
    clock.advance(7_200_000);
    const second = Math.floor(clock.now() / 1000);
    expect(await ask(await tokenOf({ jti: 'j1' }))).toBe('token_revoked');
    // An hour longer, because a clock may have been wrong.
    clock.advance(3_780_000);
    const exp = second + 9_000;
    expect(await ask(await tokenOf({ jti: 'j1', iat: second, exp }))).toBe('accepted');
  });

  it('fills the list: all tokens are a 503, with a warning, until entries end', async () => {
    const { authenticator, ask, tokenOf, clock } = bench({ entries: 2 });
    const token = await tokenOf();
    const untilOf = (seconds: number) => clock.now() + seconds * 1000;
    await authenticator.revoke({ issuer: ISSUER, jti: 'a', until: untilOf(60) });
    await authenticator.revoke({ issuer: ISSUER, jti: 'b', until: untilOf(600) });
    expect(await ask(token)).toBe('accepted');
    const warnings = await warningsOf(async () => {
      const revoke = () => authenticator.revoke({ issuer: ISSUER, jti: 'c', until: untilOf(600) });
      await expect(revoke()).rejects.toThrow('raise revocation.entries');
      await expect(revoke()).rejects.toThrow('raise revocation.entries');
    });
    expect(warnings).toEqual([expect.stringContaining('LATCHKEY_UNAVAILABLE: revocation: there are more')]);
    expect(warnings[0]).toContain('raise revocation.entries');
    expect(await ask(token)).toBe('revocation_unavailable');
    expect(await ask(await tokenOf({ jti: 'a' }))).toBe('token_revoked');
    expect(authenticator.report().revocation).toMatchObject({ state: 'full', entries: 2 });
    clock.advance(4_400_000);
    expect(await ask(await tokenOf())).toBe('accepted');
    expect(authenticator.report().revocation).toEqual({
      source: 'the memory of this process',
      entries: 0,
      state: 'current',
      ageMs: undefined,
      lastError: undefined,
    });
  });

  it('after close, every token is a 503, and revoke rejects', async () => {
    const { authenticator, ask, tokenOf } = bench();
    await authenticator.close();
    expect(await ask(await tokenOf())).toBe('revocation_unavailable');
    await expect(authenticator.revoke({ issuer: ISSUER, jti: 'a' })).rejects.toThrow('closed');
  });
});
