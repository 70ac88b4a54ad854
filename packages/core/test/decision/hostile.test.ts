// Twenty thousand tokens, each a good one with something done to it by a seeded hand and sent
// twice, to a service that keeps the good one and to one that does not: none is accepted, and none
// breaks anything.
import { changed } from '@latchkey/test-kit/hostile-tokens';
import { picker } from '@latchkey/test-kit/random';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { isAuthError } from '../../src/errors.ts';
import type { AlgorithmName } from '../../src/token/algorithms.ts';

const AUDIENCE = 'https://api.example.com';
const ALGORITHMS: readonly AlgorithmName[] = ['RS256', 'PS256', 'ES256', 'ES512', 'EdDSA'];
const PER_ALGORITHM = 4_000;

async function outcome(verdict: Promise<unknown>): Promise<string> {
  try {
    await verdict;
    return 'accepted';
  } catch (error) {
    if (isAuthError(error) && error.status === 401) return 'refused';
    return `broke: ${String(error)}`;
  }
}

describe.each<[title: string, cache: AuthenticatorOptions['cache']]>([
  ['kept tokens', undefined],
  ['no cache', false],
])('%s', (_, cache) => {
  it.each(ALGORITHMS)(
    'R15: %s: no mutated token is accepted, and none breaks anything',
    async (algorithm) => {
      const key: SigningKey = await generateSigningKey(algorithm);
      const authenticator = createAuthenticator({
        keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
        audience: AUDIENCE,
        ...(cache === undefined ? {} : { cache }),
      });
      const claims = { iss: 'i', aud: AUDIENCE, sub: 'alice', exp: 4_000_000_000, roles: ['admin'] };
      const token = await mint(key, claims);
      const pick = picker(ALGORITHMS.indexOf(algorithm) + 1);
      expect(await outcome(authenticator.verify(token))).toBe('accepted');
      const seen = new Map<string, number>();
      for (let round = 0; round < PER_ALGORITHM; round++) {
        const mutated = changed(token, pick);
        const expected = mutated === token ? 'accepted' : 'refused';
        const got = await outcome(authenticator.verify(mutated));
        expect(got, mutated).toBe(expected);
        expect(await outcome(authenticator.verify(mutated)), mutated).toBe(expected);
        seen.set(got, (seen.get(got) ?? 0) + 1);
      }
      expect(seen.get('refused')).toBeGreaterThan(PER_ALGORITHM * 0.95);
      expect(await outcome(authenticator.verify(token))).toBe('accepted');
    },
  );
});
