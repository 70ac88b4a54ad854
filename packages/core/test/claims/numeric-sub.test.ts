// `numericSub`: a sub that is a whole number, as some databases of users issue it.

import { sign } from 'node:crypto';
import { forge, generateSigningKey, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Authenticator, type AuthenticatorOptions, isAuthError } from '../../src/index.ts';
import { startAuthenticator } from '../support/authenticators.ts';

const ISSUER = 'https://issuer.example';
const IDENTIFIER = 'a string that is not blank, without control characters';

let key: SigningKey;
beforeAll(async () => {
  key = await generateSigningKey('ES256', 'k');
});

/** A token with this JSON as its `sub`. */
function tokenOf(sub: string): string {
  return forge({
    header: { alg: 'ES256', kid: 'k' },
    payload: `{"iss":"${ISSUER}","exp":4000000000,"sub":${sub}}`,
    signature: (input) => sign('sha256', input, { key: key.privateKey, dsaEncoding: 'ieee-p1363' }),
  });
}

function start(options: Partial<AuthenticatorOptions> = {}, keyset: object = {}): Authenticator {
  const keySets = [{ issuer: ISSUER, jwks: { keys: [key.publicJwk] }, ...keyset }];
  return startAuthenticator({ keySets, audience: null, ...options });
}

async function subjectOf(authenticator: Authenticator, sub: string): Promise<string> {
  try {
    const { subject, claims } = await authenticator.verify(tokenOf(sub));
    expect(claims.sub).toBe(subject);
    return JSON.stringify(subject);
  } catch (error) {
    return isAuthError(error) ? `${error.code}: ${error.detail}` : String(error);
  }
}

describe('numericSub', () => {
  it.each([
    ['42', '"42"'],
    ['0', '"0"'],
    ['-7', '"-7"'],
    ['9007199254740991', '"9007199254740991"'],
    // JSON has one number here, however it is written.
    ['1e3', '"1000"'],
    ['"42"', '"42"'],
    ['"042"', '"042"'],
  ])('%s is the subject %s', async (sub, subject) => {
    const authenticator = start({ numericSub: true });
    // The third time, it comes from the cache.
    for (let time = 0; time < 3; time++) expect(await subjectOf(authenticator, sub)).toBe(subject);
  });

  it.each(['9007199254740992', '9007199254740993', '1e300', '-9007199254740992', '1.5', '-0', '-0.0'])(
    '%s is refused',
    async (sub) => {
      expect(await subjectOf(start({ numericSub: true }), sub)).toBe(
        `token_claims_invalid: sub: expected ${IDENTIFIER}, got a number; numericSub accepts whole numbers below 2^53 only`,
      );
    },
  );

  it.each(['true', 'null', '[42]', '{"id":42}', '""'])('%s is refused as ever', async (sub) => {
    expect(await subjectOf(start({ numericSub: true }), sub)).toMatch(
      /^token_claims_invalid: sub: expected a string .* got (?!.*numericSub)/,
    );
  });

  it('without it, a number is refused, and the detail names it where it would help', async () => {
    for (const options of [{}, { numericSub: false }]) {
      const refused = `token_claims_invalid: sub: expected ${IDENTIFIER}, got a number`;
      expect(await subjectOf(start(options), '42')).toBe(
        `${refused}; numericSub: true accepts whole numbers`,
      );
      expect(await subjectOf(start(options), '1.5')).toBe(refused);
    }
  });

  it('of a keyset applies in place of that of the options', async () => {
    expect(await subjectOf(start({}, { numericSub: true }), '42')).toBe('"42"');
    expect(await subjectOf(start({ numericSub: true }, { numericSub: false }), '42')).toMatch(
      /^token_claims_invalid/,
    );
  });

  it('decides before anything reads sub: rules, the system subject, groups', async () => {
    const token = tokenOf('42');
    await expect(start({ numericSub: true, claims: { sub: '42' } }).verify(token)).resolves.toBeDefined();
    await expect(start({ numericSub: true }).verify(token, { sub: '42' })).resolves.toBeDefined();
    await expect(start({ numericSub: true, systemSubject: '42' }).verify(token)).rejects.toMatchObject({
      code: 'token_claims_invalid',
    });
    const asked: unknown[] = [];
    const directory = {
      description: 'directory',
      resolve: (subject: unknown) => {
        asked.push(subject);
        return Promise.resolve(['dev']);
      },
    };
    const principal = await start({ numericSub: true, groups: { directory } }).verify(token);
    expect(principal.groups).toEqual(['dev']);
    expect(asked).toEqual([{ subject: '42', issuer: ISSUER }]);
  });

  it.each(['yes', 1, null])('%j is refused at start', (numericSub) => {
    expect(() => start({ numericSub } as never)).toThrow(/^numericSub: expected/);
    expect(() => start({}, { numericSub })).toThrow(/^keySets\[0\]\.numericSub: expected/);
  });
});
