// `allowFutureIat`: `iat` in the future, where it only informs.
import { createIssuer } from '@latchkey/testing';
import { afterAll, describe, expect, it } from 'vitest';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { createAuthenticator } from '../../src/index.ts';
import { startAuthenticator } from '../support/authenticators.ts';

const issuer = await createIssuer();
afterAll(() => issuer.close());

const options = (more: Partial<AuthenticatorOptions>): AuthenticatorOptions => ({
  keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
  audience: issuer.audience,
  ...more,
});
const now = Math.floor(Date.now() / 1000);
const token = await issuer.mint({ iat: now + 600, exp: now + 1200 });

/** Returns the subject or the code of three requests: the last ones are answered from the cache. */
async function outcomes(more: Partial<AuthenticatorOptions>, presented = token) {
  const { authenticate } = startAuthenticator(options(more));
  const seen: unknown[] = [];
  for (let count = 0; count < 3; count++)
    await authenticate({ headers: { authorization: `Bearer ${presented}` } }).then(
      () => seen.push('accepted'),
      ({ code }) => seen.push(code),
    );
  expect(new Set(seen).size).toBe(1);
  return seen[0];
}

describe('AM-20: iat in the future', () => {
  it('AM-20: is refused by default', async () => {
    expect(await outcomes({})).toBe('token_not_yet_valid');
  });

  it('AM-20: is accepted with allowFutureIat, also from the cache', async () => {
    expect(await outcomes({ allowFutureIat: true })).toBe('accepted');
  });

  it.each([
    ['is after exp', { iat: now + 600, exp: now + 300 }, 'token_claims_invalid'],
    ['is not a time', { iat: '1', exp: now + 300 }, 'token_claims_invalid'],
    ['is before nbf in the future', { iat: now, nbf: now + 300, exp: now + 600 }, 'token_not_yet_valid'],
  ])('AM-20: with allowFutureIat, a token whose iat %s is refused', async (_, claims, code) => {
    expect(await outcomes({ allowFutureIat: true }, await issuer.mint(claims as never))).toBe(code);
  });

  it.each([
    ['treatIatAsNbf', { treatIatAsNbf: true }],
    ['maxTokenAge', { maxTokenAge: '1h' }],
  ])('AM-20: allowFutureIat and %s are refused together', (name, more) => {
    const make = () => createAuthenticator(options({ allowFutureIat: true, ...more } as never));
    expect(make).toThrow(`allowFutureIat: is not allowed with ${name}, which judges by iat; remove one`);
  });

  it('AM-20: explain says what is expected of iat', async () => {
    const { explain } = startAuthenticator(options({ allowFutureIat: true }));
    const { checks } = (await explain(token)) as unknown as { checks: { expected?: string }[] };
    expect(JSON.stringify(checks)).toContain('not after exp, give or take 5 s');
  });
});
