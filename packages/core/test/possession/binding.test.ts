// Which tokens are accepted by which scheme: a bound token never passes as a bearer token, and a
// token that is not bound never by DPoP.
import { describe, expect, it } from 'vitest';
import type { RequestView } from '../../src/credentials/request.ts';
import { requireAll } from '../../src/decision/combine.ts';
import { bench, outcomeOf, PUBLIC, refusalOf, viewOf } from './bench.ts';

const options = (mode: 'off' | 'allowed' | 'required') => ({ dpop: { mode, publicUrl: PUBLIC } });
const bearer = (token: string): RequestView =>
  viewOf('GET', '/orders', [['Authorization', `Bearer ${token}`]]);

describe.each(['off', 'allowed', 'required'] as const)('mode %s', (mode) => {
  it('judges tokens by their binding and their scheme', async () => {
    const { ask, authenticator, token, tokenOf } = await bench(options(mode));
    const free = await tokenOf({});
    for (let time = 0; time < 3; time++) {
      expect(await ask(token)).toBe(mode === 'off' ? 'credentials_missing' : 'accepted');
      expect(await outcomeOf(authenticator, bearer(token))).toBe(
        mode === 'off' ? 'token_claims_invalid' : 'token_binding_mismatch',
      );
      expect(await ask(token, { scheme: 'Bearer' })).toBe(
        mode === 'off' ? 'token_claims_invalid' : 'token_binding_mismatch',
      );
      expect(await ask(free)).toBe(mode === 'off' ? 'credentials_missing' : 'token_binding_mismatch');
      expect(await outcomeOf(authenticator, bearer(free))).toBe(
        mode === 'required' ? 'token_binding_mismatch' : 'accepted',
      );
    }
  });

  it.each([
    ['null', null],
    ['a text', 'jkt'],
    ['a list', ['jkt']],
    ['no member', {}],
    ['a certificate', { 'x5t#S256': 'A'.repeat(43) }],
    ['a whole key', { jwk: { kty: 'EC' } }],
    ['a thumbprint that is too short', { jkt: 'A'.repeat(42) }],
    ['a thumbprint that is null', { jkt: null }],
  ])('cnf of %s is refused', async (_, cnf) => {
    const { ask, authenticator, tokenOf } = await bench(options(mode));
    const token = await tokenOf({ cnf });
    expect(await outcomeOf(authenticator, bearer(token))).toBe('token_claims_invalid');
    expect(await ask(token)).toBe(mode === 'off' ? 'credentials_missing' : 'token_claims_invalid');
  });

  it('a key and a certificate together are refused, because one of them is not checked', async () => {
    const { ask, key, tokenOf } = await bench(options(mode));
    const token = await tokenOf({ cnf: { ...key.cnf, 'x5t#S256': 'A'.repeat(43) } });
    expect(await ask(token)).toBe(mode === 'off' ? 'credentials_missing' : 'token_claims_invalid');
  });

  it('verify accepts no bound token', async () => {
    const { authenticator, token, tokenOf } = await bench(options(mode));
    for (let time = 0; time < 3; time++)
      await expect(authenticator.verify(token)).rejects.toMatchObject({
        code: mode === 'off' ? 'token_claims_invalid' : 'token_binding_mismatch',
      });
    const free = authenticator.verify(await tokenOf({}));
    if (mode === 'required') await expect(free).rejects.toMatchObject({ code: 'token_binding_mismatch' });
    else expect((await free).subject).toBe('alice');
  });
});

it('two tokens in two schemes are ambiguous', async () => {
  const { authenticator, clock, key, token } = await bench({
    tokenFrom: [{ header: 'Authorization' }, { cookie: 'token' }],
  });
  const proof = await key.proof({ url: `${PUBLIC}/orders`, token, atMs: clock.now() });
  const rest = [['DPoP', proof]] as const;
  const dpop = ['Authorization', `DPoP ${token}`] as const;
  const ask = (...pairs: (readonly [string, string])[]) =>
    outcomeOf(authenticator, viewOf('GET', '/orders', [...pairs, ...rest]));
  expect(await ask(dpop, ['Authorization', `Bearer ${token}`])).toBe('credentials_ambiguous');
  expect(await ask(dpop, dpop)).toBe('credentials_ambiguous');
  expect(await ask(dpop, ['Cookie', `token=${token}`])).toBe('credentials_ambiguous');
  expect(await ask(['Cookie', `token=${token}`])).toBe('token_binding_mismatch');
  expect(await ask(['Authorization', `Bearer ${token}, DPoP ${token}`])).toBe('credentials_malformed');
  expect(await ask(['Authorization', 'DPoP'])).toBe('credentials_malformed');
  expect(await ask(dpop)).toBe('accepted');
});

it('permissive lets a request with a bad proof pass as anonymous, and no mode a bound bearer token', async () => {
  const { authenticator, request, token } = await bench({ mode: 'permissive' });
  const refused = await authenticator.decide(await request(token, { claims: { htm: 'PUT' } }));
  expect(refused).toEqual({ ok: true, principal: undefined });
  expect(await authenticator.decide(bearer(token))).toEqual({ ok: true, principal: undefined });
});

describe('the route', () => {
  it('can require what the options allow', async () => {
    const { ask, authenticator, token, tokenOf } = await bench({
      ...options('allowed'),
      routes: { pay: { dpop: 'required' }, read: { claims: {} } },
    });
    const free = await tokenOf({});
    const dpop = { dpop: 'required' } as const;
    expect(await outcomeOf(authenticator, bearer(free), dpop)).toBe('token_binding_mismatch');
    expect(await outcomeOf(authenticator, viewOf('GET', '/orders', []), dpop)).toBe('credentials_missing');
    expect(await ask(token, {}, dpop)).toBe('accepted');
    const { route } = await import('../../src/claims/compile.ts');
    expect(await outcomeOf(authenticator, bearer(free), { claims: route('pay') })).toBe(
      'token_binding_mismatch',
    );
    expect(await ask(token, {}, { claims: route('pay') })).toBe('accepted');
    expect(await outcomeOf(authenticator, bearer(free), { claims: route('read') })).toBe('accepted');
  });

  it('cannot loosen what the options require', async () => {
    const { authenticator, tokenOf } = await bench(options('required'));
    const free = await tokenOf({});
    expect(await outcomeOf(authenticator, bearer(free), { dpop: 'allowed' })).toBe('token_binding_mismatch');
  });

  it('refuses all where the options judge no proof', async () => {
    const { authenticator, token, tokenOf } = await bench({
      dpop: { mode: 'off' },
      unsafeAcceptSenderConstrained: true,
    });
    expect(await outcomeOf(authenticator, bearer(token))).toBe('accepted');
    for (const one of [token, await tokenOf({})])
      expect(await outcomeOf(authenticator, bearer(one), { dpop: 'required' })).toBe(
        'token_binding_mismatch',
      );
  });
});

it('several authenticators can decide on one request with one proof', async () => {
  const { authenticator, request, token } = await bench();
  const both = requireAll({ a: authenticator, b: authenticator });
  expect(await both.decide(await request(token))).toMatchObject({ ok: true });
});

it('a proof of the moment of the request lasts as long as the request', async () => {
  const { authenticator, clock, request, token } = await bench();
  const socket = await request(token);
  expect(await outcomeOf(authenticator, socket)).toBe('accepted');
  clock.advance(600_000);
  expect(await outcomeOf(authenticator, socket)).toBe('accepted');
  expect(await refusalOf(authenticator, { ...socket })).toMatchObject({ code: 'proof_invalid' });
});

it('explain shows each part of the proof', async () => {
  const { authenticator, request, token } = await bench();
  const parts = async (asked: object) =>
    (await authenticator.explain(await request(token, asked))).checks
      .filter(({ check }) => check === 'possession')
      .map(({ about, outcome }) => `${about}: ${outcome}`);
  expect(await parts({})).toEqual([
    'cnf: passed',
    'the scheme DPoP: passed',
    'the header DPoP: passed',
    'the form of the proof: passed',
    'jkt: passed',
    'the signature of the proof: passed',
    'htm: passed',
    'htu: passed',
    'ath: passed',
    'iat: passed',
    'the form of jti: passed',
    'jti: passed',
  ]);
  expect(await parts({ claims: { htm: 'PUT' } })).toContain('htm: failed');
  expect(await parts({ scheme: 'Bearer' })).toEqual(['cnf: passed', 'the scheme DPoP: failed']);
  expect((await authenticator.explain(token)).allowed).toBe(false);
});
