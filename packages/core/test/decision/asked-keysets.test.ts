// Which keysets are asked about a token: those of its issuer that take its algorithm. What cannot
// be good causes no fetch.
import { createIssuer, forge, type TestIssuer } from '@latchkey/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuthenticatorOptions, createAuthenticator, type KeysetOptions } from '../../src/index.ts';
import { outcome } from '../support/outcome.ts';

let issuer: TestIssuer;
let second: TestIssuer;
const closers: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  [issuer, second] = await Promise.all([createIssuer(), createIssuer()]);
  closers.push(issuer.close, second.close);
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** Keysets for the first issuer. */
function decide(
  token: string,
  keysets: readonly Partial<KeysetOptions>[],
  options: Partial<AuthenticatorOptions> = {},
) {
  const base = { issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true };
  const keySets = keysets.map((more) => ({ ...base, ...more }) as KeysetOptions);
  const authenticator = createAuthenticator({ keySets, audience: null, ...options });
  closers.push(authenticator.close);
  return outcome(authenticator.verify(token));
}

const fetches = () => issuer.requests.jwks + second.requests.jwks;
const tokenWith = (alg: string, iss: unknown = issuer.issuer) =>
  forge({
    header: { alg, kid: 'k' },
    payload: { iss, exp: Math.floor(Date.now() / 1000) + 300 },
    signature: () => Buffer.alloc(64, 1),
  });

describe('T-053: no key is fetched for', () => {
  it.each<[string, () => string, Partial<KeysetOptions>, string]>([
    [
      'an algorithm that no keyset takes',
      () => tokenWith('ES256'),
      { allowedAlgorithms: ['RS256'] },
      'token_algorithm_refused',
    ],
    ['an algorithm that does not exist', () => tokenWith('ES255'), {}, 'token_algorithm_refused'],
    ['no algorithm', () => tokenWith('none'), {}, 'token_algorithm_refused'],
    [
      'an issuer that no keyset is for',
      () => tokenWith('ES256', 'https://other.example'),
      {},
      'token_issuer_untrusted',
    ],
    ['an issuer that is empty', () => tokenWith('ES256', ''), {}, 'token_issuer_untrusted'],
    ['an issuer that is not a text', () => tokenWith('ES256', 5), {}, 'token_issuer_untrusted'],
  ])('%s', async (_, token, keyset, expected) => {
    expect(await decide(token(), [keyset])).toBe(expected);
    expect(fetches()).toBe(0);
  });

  it('an issuer that `issuers` does not name, though a keyset is for it', async () => {
    const issuers = ['https://other.example'];
    expect(await decide(await issuer.mint(), [{}], { issuers })).toBe('token_issuer_untrusted');
    expect(fetches()).toBe(0);
  });
});

it('of several keysets of an issuer those are asked that take the algorithm', async () => {
  const elsewhere = { jwksUrl: second.jwksUrl, allowedAlgorithms: ['RS256'] } as const;
  for (const keysets of [
    [elsewhere, {}],
    [{}, elsewhere],
  ])
    expect(await decide(await issuer.mint(), keysets)).toBe('accepted');
  expect(issuer.requests.jwks).toBe(2);
  expect(second.requests.jwks).toBe(0);
});

it('a keyset is asked for the algorithms that it allows', async () => {
  const algorithms = ['ES256', 'RS256', 'EdDSA'] as const;
  expect(await decide(await issuer.mint(), [{ allowedAlgorithms: algorithms }])).toBe('accepted');
});
