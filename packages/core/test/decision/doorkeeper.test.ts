// Which tokens have been seen before: from the second time on, as long as not too many others came
// in between, and never by who asks.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createDoorkeeper } from '../../src/decision/doorkeeper.ts';

/** In the form of a token, and with a signature that no other has. */
const tokenOf = (): string => `header.payload.${randomBytes(32).toString('base64url')}`;
const tokensOf = (count: number): readonly string[] => Array.from({ length: count }, tokenOf);

/** Of these tokens, how many are admitted. */
const admitted = (admits: (token: string) => boolean, tokens: readonly string[]): number =>
  tokens.filter((token) => admits(token)).length;

describe('T-148: who is admitted', () => {
  it('T-148: no token the first time, and every token from the second time on', () => {
    const { admits } = createDoorkeeper(10_000);
    const token = tokenOf();
    expect([admits(token), admits(token), admits(token)]).toEqual([false, true, true]);
    // The same token, and not the same string.
    expect(admits(Buffer.from(token).toString('latin1'))).toBe(true);
  });

  it.each([1, 2, 3, 10, 1_000, 10_000])(
    'T-148: as many as are kept are all known the second time round: %d',
    (count) => {
      const { admits } = createDoorkeeper(count);
      const tokens = tokensOf(count);
      admitted(admits, tokens);
      expect(admitted(admits, tokens)).toBe(count);
    },
  );

  it('T-148: hardly anybody is taken for another one, however many come', () => {
    const { admits } = createDoorkeeper(10_000);
    // One in twenty is twice as many as there would be at the worst.
    expect(admitted(admits, tokensOf(50_000))).toBeLessThan(2_500);
  });

  it('T-148: a token that comes again after too many others is new', () => {
    const { admits } = createDoorkeeper(100);
    const tokens = tokensOf(10);
    admitted(admits, tokens);
    admitted(admits, tokensOf(150));
    expect(admitted(admits, tokens)).toBeLessThan(10);
  });

  it.each(['', 'a', 'abcd', '\u0000', '\ud800\udfff\u{10ffff}', 'x'.repeat(65_536)])(
    'T-014: any string at all is one like another',
    (text) => {
      const { admits } = createDoorkeeper(10);
      expect([admits(text), admits(text)]).toEqual([false, true]);
    },
  );

  it.each([2 ** 21, 2 ** 40, Number.MAX_SAFE_INTEGER])('room is made for a million at most: %d', (tokens) => {
    const { admits } = createDoorkeeper(tokens);
    const token = tokenOf();
    expect([admits(token), admits(token)]).toEqual([false, true]);
  });
});

describe('T-149: two of them', () => {
  it('T-149: know nothing of each other, and do not take the same ones for another', () => {
    const [one, two] = [createDoorkeeper(1_000), createDoorkeeper(1_000)];
    const tokens = tokensOf(20_000);
    expect(one.admits(tokenOf())).toBe(false);
    const early = (admits: (token: string) => boolean) => tokens.filter((token) => admits(token));
    expect(early(one.admits)).not.toEqual(early(two.admits));
  });
});
