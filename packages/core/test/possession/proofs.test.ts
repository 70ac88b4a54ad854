// Proofs of DPoP, RFC 9449 §4.3: each part of a proof that is wrong refuses the request, also with
// a token that is in the cache.
import { createHash, createHmac } from 'node:crypto';
import { createDpopKey, forge } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { type Asked, type Bench, bench, outcomeOf, PUBLIC, refusalOf, viewOf } from './bench.ts';

const NOW = () => Math.floor(Date.now() / 1000);
const urlOf = (path: string) => `${PUBLIC}${path}`;

describe.each([
  ['without a cache', { cache: false }],
  ['with a cached token', {}],
] as const)('%s', (_, options) => {
  const made = async (): Promise<Bench> => {
    const one = await bench(options);
    for (let time = 0; time < 3; time++) expect(await one.ask(one.token)).toBe('accepted');
    return one;
  };

  it.each<readonly [title: string, asked: Asked]>([
    ['another method', { claims: { htm: 'POST' } }],
    ['the method in lower case', { claims: { htm: 'get' } }],
    ['no method', { claims: { htm: undefined } }],
    ['another path', { url: urlOf('/other') }],
    ['another host', { url: 'https://evil.example/orders' }],
    ['another scheme', { url: 'http://api.example.com/orders' }],
    ['another port', { url: 'https://api.example.com:8443/orders' }],
    ['no URL', { claims: { htu: undefined } }],
    ['a URL in a list', { claims: { htu: [urlOf('/orders')] } }],
    ['no hash of the token', { claims: { ath: undefined } }],
    ['the hash of another token', { ofToken: 'another' }],
    ['a hash with padding', { claims: { ath: `${'A'.repeat(43)}=` } }],
    ['no time', { claims: { iat: undefined } }],
    ['a time as a text', { claims: { iat: String(NOW()) } }],
    ['an old time', { claims: { iat: NOW() - 70 } }],
    ['a future time', { claims: { iat: NOW() + 30 } }],
    ['a time that has no end', { claims: { iat: 1e300 } }],
    ['an exp that has passed', { claims: { exp: NOW() - 30 } }],
    ['an exp of another type', { claims: { exp: 'never' } }],
    ['an nbf in the future', { claims: { nbf: NOW() + 30 } }],
    ['no jti', { claims: { jti: undefined } }],
    ['an empty jti', { claims: { jti: '' } }],
    ['a jti that is a number', { claims: { jti: 7 } }],
    ['a jti of 257 characters', { claims: { jti: 'a'.repeat(257) } }],
    ['typ JWT', { header: { typ: 'JWT' } }],
    ['typ with its prefix', { header: { typ: 'application/dpop+jwt' } }],
    ['typ in upper case', { header: { typ: 'DPOP+JWT' } }],
    ['no typ', { header: { typ: undefined } }],
    ['no key', { header: { jwk: undefined } }],
    ['a key by its name', { header: { jwk: undefined, kid: 'a' } }],
    ['a key that is a text', { header: { jwk: 'a' } }],
    ['a critical header', { header: { crit: ['exp'], exp: NOW() + 60 } }],
    ['a nested token', { header: { cty: 'JWT' } }],
    ['no proof', { proofs: [] }],
    ['an empty proof', { proofs: [''] }],
    ['a proof that is not a JWT', { proofs: ['a.b'] }],
    ['a huge proof', { claims: { more: 'a'.repeat(13_000) } }],
  ])('RFC 9449 §4.3: %s is refused', async (__, asked) => {
    const { ask, token } = await made();
    expect(await ask(token, asked)).toBe('proof_invalid');
  });

  it.each<readonly [title: string, asked: Asked]>([
    ['a jti of 256 characters', { claims: { jti: 'a'.repeat(256) } }],
    ['a query', { path: '/orders?page=2' }],
    [
      'a kid, jku and x5u, which are not read',
      { header: { kid: 'a', jku: 'https://evil.example', x5u: 'a' } },
    ],
    ['other claims', { claims: { nonce: 'not asked for', sub: 'mallory', more: [1] } }],
    ['a time at the end of its window', { claims: { iat: NOW() - 58 } }],
    ['the scheme in lower case', { scheme: 'dpop' }],
    ['the scheme in upper case', { scheme: 'DPOP' }],
    ['another method', { method: 'POST' }],
  ])('%s is accepted', async (__, asked) => {
    const { ask, token } = await made();
    expect(await ask(token, asked)).toBe('accepted');
  });

  it('a proof is accepted once, also for another method, URL and token', async () => {
    const { ask, authenticator, key, request, token, tokenOf } = await made();
    const jti = 'the same';
    const first = await request(token, { claims: { jti } });
    expect(await outcomeOf(authenticator, first)).toBe('accepted');
    // The same request object is the same request: several decisions are made on it.
    expect(await outcomeOf(authenticator, first)).toBe('accepted');
    expect(await refusalOf(authenticator, { ...first })).toMatchObject({
      code: 'proof_invalid',
      detail: 'the proof was used before',
    });
    expect(await ask(token, { claims: { jti }, method: 'POST' })).toBe('proof_invalid');
    expect(await ask(token, { claims: { jti }, path: '/other' })).toBe('proof_invalid');
    expect(await ask(await tokenOf({ cnf: key.cnf, sub: 'bob' }), { claims: { jti } })).toBe('proof_invalid');
    expect(await ask(token, { claims: { jti: 'another' } })).toBe('accepted');
  });

  it('a proof that was refused for something else can still be used', async () => {
    const { ask, token } = await made();
    const claims = { jti: 'kept' };
    expect(await ask(token, { claims: { ...claims, htm: 'PUT' } })).toBe('proof_invalid');
    expect(await ask(token, { claims })).toBe('accepted');
  });

  it('a proof of another key is refused as a token of another sender', async () => {
    const { authenticator, clock, token } = await made();
    const thief = await createDpopKey();
    const proof = await thief.proof({ url: urlOf('/orders'), token, atMs: clock.now() });
    const headers = [
      ['Authorization', `DPoP ${token}`],
      ['DPoP', proof],
    ] as const;
    expect(await outcomeOf(authenticator, viewOf('GET', '/orders', headers))).toBe('token_binding_mismatch');
  });

  it('a changed proof is refused', async () => {
    const { ask, clock, key, token } = await made();
    const proof = await key.proof({ url: urlOf('/orders'), token, atMs: clock.now() });
    const [header, , signature] = proof.split('.');
    const other = (await key.proof({ url: urlOf('/orders'), token, atMs: clock.now() })).split('.')[1];
    expect(await ask(token, { proofs: [`${header}.${other}.${signature}`] })).toBe('proof_invalid');
    expect(await ask(token, { proofs: [`${proof}A`] })).toBe('proof_invalid');
    expect(await ask(token, { proofs: [proof, proof] })).toBe('proof_invalid');
    expect(await ask(token, { proofs: [`${proof}, ${proof}`] })).toBe('proof_invalid');
    expect(await ask(token, { proofs: [proof] })).toBe('accepted');
  });

  it('two headers are refused where the platform has no raw headers', async () => {
    const { ask, clock, key, token } = await made();
    const proof = await key.proof({ url: urlOf('/orders'), token, atMs: clock.now() });
    const view = { rawHeaders: undefined };
    expect(await ask(token, { proofs: [proof, proof], view })).toBe('proof_invalid');
    const headers = { authorization: `DPoP ${token}`, dpop: [proof] as never };
    expect(await ask(token, { view: { headers, ...view } })).toBe('proof_invalid');
  });

  it('a member that is repeated in the proof is refused', async () => {
    const { ask, clock, key, token } = await made();
    const proof = await key.proof({ url: urlOf('/orders'), token, atMs: clock.now() });
    const [header = '', payload = '', signature] = proof.split('.');
    const text = Buffer.from(header, 'base64url').toString();
    const twice = Buffer.from(text.replace('{', '{"typ":"dpop+jwt",')).toString('base64url');
    expect(await ask(token, { proofs: [`${twice}.${payload}.${signature}`] })).toBe('proof_invalid');
  });
});

it.each(['none', 'HS256', 'ES384', 'ES512', 'RS512', 'toString'])(
  'alg %s is refused before its signature is looked at',
  async (alg) => {
    const { authenticator, ask, key, token } = await bench();
    expect(await ask(token)).toBe('accepted');
    const ath = createHash('sha256').update(token).digest('base64url');
    const claims = { jti: 'a', htm: 'GET', htu: urlOf('/orders'), iat: NOW(), ath };
    const proof = forge({
      header: { typ: 'dpop+jwt', alg, jwk: key.jwk },
      payload: claims,
      signature: (input) => createHmac('sha256', JSON.stringify(key.jwk)).update(input).digest(),
    });
    const refusal = await refusalOf(
      authenticator,
      viewOf('GET', '/orders', [
        ['Authorization', `DPoP ${token}`],
        ['DPoP', proof],
      ]),
    );
    expect(refusal?.detail).toBe('alg of the proof is not one of dpop.algorithms');
  },
);

it.each([
  ['a private key', { d: 'AQAB' }],
  ['a symmetric key', { kty: 'oct', k: 'AQAB' }],
  ['a key of another curve', { crv: 'P-384' }],
  ['a key for another algorithm', { alg: 'ES384' }],
  ['a key that encrypts', { use: 'enc' }],
  ['a coordinate that is too short', { x: 'AQAB' }],
  ['a point that is not on the curve', { y: 'A'.repeat(43) }],
  ['no type', { kty: undefined }],
])('jwk with %s is refused', async (_, change) => {
  const { ask, key, token } = await bench();
  const jwk = { ...key.jwk, ...change } as never;
  expect(await ask(token, { header: { jwk } })).toBe('proof_invalid');
});

it.each(['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256', 'ES384', 'ML-DSA-44'] as const)(
  'a key for %s is accepted where the options name it',
  async (alg) => {
    const { authenticator, clock, tokenOf } = await bench({
      dpop: { mode: 'allowed', publicUrl: PUBLIC, algorithms: [alg] },
    });
    const key = await createDpopKey(alg);
    const token = await tokenOf({ cnf: key.cnf });
    const proof = await key.proof({ url: urlOf('/orders'), token, atMs: clock.now() });
    const headers = [
      ['Authorization', `DPoP ${token}`],
      ['DPoP', proof],
    ] as const;
    expect(await outcomeOf(authenticator, viewOf('GET', '/orders', headers))).toBe('accepted');
  },
);

it('maxAge and clockSkew move the window of iat', async () => {
  const dpop = { mode: 'allowed', publicUrl: PUBLIC, maxAge: '10s', clockSkew: '0s' } as const;
  const { ask, clock, token } = await bench({ dpop });
  clock.set(Math.floor(clock.now() / 1000) * 1000);
  const at = clock.now() / 1000;
  expect(await ask(token, { claims: { iat: at - 9 } })).toBe('accepted');
  expect(await ask(token, { claims: { iat: at - 10 } })).toBe('proof_invalid');
  expect(await ask(token, { claims: { iat: at } })).toBe('accepted');
  expect(await ask(token, { claims: { iat: at + 1 } })).toBe('proof_invalid');
});

it('no refusal says anything of the proof', async () => {
  const { authenticator, request, token } = await bench();
  for (const claims of [
    { htm: 'canary' },
    { htu: 'https://canary.example' },
    { ath: 'canary' },
    { jti: 7 },
  ]) {
    const refusal = await refusalOf(authenticator, await request(token, { claims }));
    expect(JSON.stringify([refusal, refusal?.detail, refusal?.headers])).not.toContain('canary');
  }
});
