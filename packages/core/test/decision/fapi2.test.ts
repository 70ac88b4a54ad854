// `profile: 'fapi2'`, row by row of docs/fapi2.md: what it refuses at start, and what of a request.
import { readFileSync } from 'node:fs';
import { createClock, createDpopKey, generateSigningKey, mint } from '@latchkey/testing';
import { expect, it, onTestFinished } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { outcomeOf, viewOf } from '../possession/bench.ts';

const PUBLIC = 'https://api.example.com';
const ISSUER = 'https://login.example.com';
const DPOP = { mode: 'allowed', publicUrl: PUBLIC } as const;
const KEYS = [{ issuer: ISSUER, useOidcDiscovery: true }];
const GOOD = { profile: 'fapi2', keySets: KEYS, audience: PUBLIC, dpop: DPOP };
const create = (more: object) => createAuthenticator({ ...GOOD, ...more } as never);

async function service(alg: 'ES256' | 'EdDSA' | 'PS256' | 'RS256' | 'ES384' = 'ES256', more: object = {}) {
  const [clock, key, signer] = [createClock(), await createDpopKey(), await generateSigningKey(alg)];
  const keySets = [{ issuer: ISSUER, jwks: { keys: [signer.publicJwk] } }];
  const authenticator = create({ keySets, clock, ...more });
  onTestFinished(() => authenticator.close());
  const at = Math.floor(clock.now() / 1000);
  const tokenOf = (claims: object = {}) =>
    mint(signer, { iss: ISSUER, aud: PUBLIC, sub: 'a', iat: at, exp: at + 600, cnf: key.cnf, ...claims });
  const ask = async (token: string) => {
    const proof = await key.proof({ url: `${PUBLIC}/`, token, atMs: clock.now() });
    const headers = [['Authorization', `DPoP ${token}`] as const, ['DPoP', proof] as const];
    return outcomeOf(authenticator, viewOf('GET', '/', headers));
  };
  const bearer = (token: string) =>
    outcomeOf(authenticator, viewOf('GET', '/', [['Authorization', `Bearer ${token}`]]));
  return { at, ask, bearer, tokenOf };
}

function expectRefused(options: object, path: string) {
  expect(() => create(options), path).toThrow(expect.objectContaining({ name: 'ConfigError', path }));
}

const tests: { readonly [name: string]: () => unknown } = {
  'tokens come in the header Authorization only': () => {
    for (const place of [
      { query: 'access_token' },
      { body: 'access_token' },
      { cookie: 'a' },
      { header: 'X-A' },
    ])
      expectRefused({ tokenFrom: [{ header: 'Authorization' }, place] }, 'tokenFrom[1]');
    expectRefused({ tokenFrom: [{ header: 'Authorization', scheme: 'Token' }] }, 'tokenFrom[0]');
    expect(() => create({ tokenFrom: [{ header: 'authorization' }] })).not.toThrow();
  },
  'weak options are refused': () => {
    expectRefused({ mode: 'optional' }, 'mode');
    expectRefused({ mode: 'permissive' }, 'mode');
    expectRefused({ audience: null }, 'audience');
    expectRefused({ allowFutureIat: true }, 'allowFutureIat');
    expectRefused({ requireExp: false }, 'requireExp');
    expectRefused({ keys: [] }, 'keys');
    expectRefused({ unsafeAcceptSenderConstrained: true }, 'unsafeAcceptSenderConstrained');
    expectRefused({ dpop: { ...DPOP, unsafeReplayFailure: 'accept' } }, 'dpop.unsafeReplayFailure');
    expectRefused({ revocation: { unsafeStale: 'accept' } }, 'revocation.unsafeStale');
    expectRefused({ keySets: [{ ...KEYS[0], allowHttp: true }] }, 'keySets[0].allowHttp');
    expectRefused({ keySets: [{ ...KEYS[0], unsafeOtherIssuers: true }] }, 'keySets[0].unsafeOtherIssuers');
    expectRefused({ keySets: [{ ...KEYS[0], audience: null }] }, 'keySets[0].audience');
    expectRefused({ remote: { onReject: 'next' } }, 'remote.onReject');
    expect(() =>
      create({ unsafeAcceptSenderConstrained: false, claims: { unsafeClaim: 'a' } }),
    ).not.toThrow();
  },
  'a service with revocation is accepted': () => {
    expect(() => create({ revocation: {} })).not.toThrow();
  },
  'tokens must be bound': async () => {
    expectRefused({ dpop: { mode: 'off' } }, 'senderConstrained');
    expectRefused({ senderConstrained: 'allowed' }, 'senderConstrained');
    expect(() => create({ dpop: { mode: 'off' }, mutualTls: { mode: 'allowed' } })).not.toThrow();
    const { ask, bearer, tokenOf } = await service();
    expect(await ask(await tokenOf())).toBe('accepted');
    expect(await bearer(await tokenOf())).toBe('token_binding_mismatch');
    expect(await bearer(await tokenOf({ cnf: undefined }))).toBe('token_binding_mismatch');
  },
  'only the algorithms of the profile are accepted': async () => {
    expectRefused(
      { keySets: [{ ...KEYS[0], allowedAlgorithms: ['RS256'] }] },
      'keySets[0].allowedAlgorithms',
    );
    expectRefused({ dpop: { ...DPOP, algorithms: ['ES256', 'RS256'] } }, 'dpop.algorithms');
    for (const alg of ['PS256', 'ES256', 'EdDSA'] as const) {
      const { ask, tokenOf } = await service(alg);
      expect(await ask(await tokenOf()), alg).toBe('accepted');
    }
    for (const alg of ['RS256', 'ES384'] as const)
      await expect(service(alg), alg).rejects.toThrow(
        'keySets[0].jwks: no usable key: no supported and allowed algorithm fits the key',
      );
  },
  'clocks may differ by 10 s, and not by more than 60 s': async () => {
    expectRefused({ clockSkew: '9s' }, 'clockSkew');
    expectRefused({ clockSkew: '61s' }, 'clockSkew');
    expectRefused({ dpop: { ...DPOP, clockSkew: '5s' } }, 'dpop.clockSkew');
    const { ask, at, tokenOf } = await service();
    for (const claim of ['iat', 'nbf']) {
      expect(await ask(await tokenOf({ [claim]: at + 10 })), claim).toBe('accepted');
      expect(await ask(await tokenOf({ [claim]: at + 61 })), claim).toBe('token_not_yet_valid');
    }
  },
};

for (const [name, run] of Object.entries(tests)) it(name, run as () => Promise<void>);

it('each row of docs/fapi2.md names a test, and each test is in a row', () => {
  const page = readFileSync(new URL('../../../../docs/fapi2.md', import.meta.url), 'utf8');
  const named = [...page.matchAll(/^\| §.* \| ([^|]+) \|$/gm)].map(([, name]) => name);
  expect(named.length).toBe(9);
  expect([...new Set(named)].sort()).toEqual(Object.keys(tests).sort());
});
