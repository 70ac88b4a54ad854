// Which tokens have been seen before: from the second time on, as long as not too many others came
// in between, and never by who asks.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createTokenFrequency } from '../../src/decision/token-frequency.ts';
import { createTokenHash } from '../../src/decision/token-hash.ts';

/** Says of each token whether it has been seen before. */
function createSeen(tokens: number): { admits(token: string): boolean; uses(token: string): number } {
  const frequency = createTokenFrequency(tokens);
  const hashOf = createTokenHash();
  const uses = (token: string) => frequency.note(hashOf(token));
  return { uses, admits: (token) => uses(token) > 1 };
}

/** In the form of a token, and with a signature that no other has. */
const tokenOf = (): string => `header.payload.${randomBytes(32).toString('base64url')}`;
const tokensOf = (count: number): readonly string[] => Array.from({ length: count }, tokenOf);

/** Of these tokens, how many are admitted. */
const admitted = (admits: (token: string) => boolean, tokens: readonly string[]): number =>
  tokens.filter((token) => admits(token)).length;

describe('T-148: who is admitted', () => {
  it('T-148: no token the first time, and every token from the second time on', () => {
    const { admits } = createSeen(10_000);
    const token = tokenOf();
    expect([admits(token), admits(token), admits(token)]).toEqual([false, true, true]);
    // The same token, and not the same string.
    expect(admits(Buffer.from(token).toString('latin1'))).toBe(true);
  });

  it.each([1, 2, 3, 10, 1_000, 10_000])(
    'T-148: as many as are kept are all known the second time round: %d',
    (count) => {
      const { admits } = createSeen(count);
      const tokens = tokensOf(count);
      admitted(admits, tokens);
      expect(admitted(admits, tokens)).toBe(count);
    },
  );

  it('T-148: hardly anybody is taken for another one, however many come', () => {
    const { admits } = createSeen(10_000);
    expect(admitted(admits, tokensOf(50_000))).toBeLessThan(2_500);
  });

  it('T-148: a token that comes again after too many others is new', () => {
    const { admits } = createSeen(100);
    const tokens = tokensOf(10);
    admitted(admits, tokens);
    admitted(admits, tokensOf(250));
    expect(admitted(admits, tokens)).toBeLessThan(10);
  });

  it.each(['', 'a', 'abcd', '\u0000', '\ud800\udfff\u{10ffff}', 'x'.repeat(65_536)])(
    'T-014: any string at all is one like another',
    (text) => {
      const { admits } = createSeen(10);
      expect([admits(text), admits(text)]).toEqual([false, true]);
    },
  );

  it.each([2 ** 21, 2 ** 40, Number.MAX_SAFE_INTEGER])('room is made for a million at most: %d', (tokens) => {
    const { admits } = createSeen(tokens);
    const token = tokenOf();
    expect([admits(token), admits(token)]).toEqual([false, true]);
  });
});

describe('T-148: how often', () => {
  it('T-148: a token is counted each time, to 255 in a generation', () => {
    const { uses } = createSeen(1_000);
    const token = tokenOf();
    const counted = Array.from({ length: 300 }, () => uses(token));
    expect(counted.slice(0, 256)).toEqual(Array.from({ length: 256 }, (_, at) => at + 1));
    expect(counted.at(-1)).toBe(256);
  });

  it('T-148: what was counted two generations ago is forgotten', () => {
    const { uses } = createSeen(1_000);
    const tokens = tokensOf(10);
    for (const token of tokens) for (let time = 0; time < 20; time++) uses(token);
    for (const other of tokensOf(2_000)) uses(other);
    expect(tokens.filter((token) => uses(token) > 5)).toEqual([]);
  });
});

describe('T-149: two of them', () => {
  it('T-149: know nothing of each other, and do not take the same ones for another', () => {
    const [one, two] = [createSeen(1_000), createSeen(1_000)];
    const tokens = tokensOf(20_000);
    expect(one.admits(tokenOf())).toBe(false);
    const early = (admits: (token: string) => boolean) => tokens.filter((token) => admits(token));
    expect(early(one.admits)).not.toEqual(early(two.admits));
  });
});
