// Twenty thousand tokens, each a good one with something done to it by a seeded hand and sent
// twice, to a service that keeps the good one and to one that does not: none is accepted, and none
// breaks anything.
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { isAuthError } from '../../src/errors.ts';
import type { AlgorithmName } from '../../src/token/algorithms.ts';

const AUDIENCE = 'https://api.example.com';
const ALGORITHMS: readonly AlgorithmName[] = ['RS256', 'PS256', 'ES256', 'ES512', 'EdDSA'];
const PER_ALGORITHM = 4_000;

/** mulberry32: the same tokens in every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Mutation = (token: string, pick: (below: number) => number) => string;

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const splice = (text: string, at: number, remove: number, put: string) =>
  text.slice(0, at) + put + text.slice(at + remove);

/** Changes one byte of a decoded segment. */
const inSegment: Mutation = (token, pick) => {
  const segments = token.split('.');
  const index = pick(3);
  const bytes = Buffer.from(segments[index] ?? '', 'base64url');
  const at = pick(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
  segments[index] = bytes.toString('base64url');
  return segments.join('.');
};

const MUTATIONS: readonly Mutation[] = [
  inSegment,
  (token, pick) => splice(token, pick(token.length), 1, BASE64URL[pick(64)] ?? ''),
  (token, pick) => splice(token, pick(token.length), 0, BASE64URL[pick(64)] ?? ''),
  (token, pick) => splice(token, pick(token.length), 1 + pick(8), ''),
  (token, pick) => splice(token, pick(token.length), 1, String.fromCharCode(pick(256))),
  (token, pick) => splice(token, pick(token.length), 0, ['.', '=', ' ', '\n', '\0', '%'][pick(6)] ?? ''),
  (token, pick) => token.split('.').slice(0, pick(3)).join('.'),
  (token, pick) => {
    const segments = token.split('.');
    return [segments[pick(3)], segments[pick(3)], segments[pick(3)]].join('.');
  },
  (token) => `${token}.${token.split('.')[2]}`,
  (token, pick) => {
    const [header = '', payload, signature] = token.split('.');
    const members = [
      '"alg":"none"',
      '"alg":"HS256"',
      '"kid":"other"',
      '"crit":["exp"]',
      '"typ":"x"',
      '"b64":false',
    ];
    const text = Buffer.from(header, 'base64url')
      .toString()
      .replace('{', `{${members[pick(members.length)]},`);
    return [Buffer.from(text).toString('base64url'), payload, signature].join('.');
  },
];

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
      const pick = random(ALGORITHMS.indexOf(algorithm) + 1);
      expect(await outcome(authenticator.verify(token))).toBe('accepted');
      const seen = new Map<string, number>();
      for (let round = 0; round < PER_ALGORITHM; round++) {
        const mutated = MUTATIONS[pick(MUTATIONS.length)]?.(token, pick) ?? '';
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
