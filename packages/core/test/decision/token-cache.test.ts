// The cache itself: found by the last characters, compared whole, bounded by number and by bytes.
// What is kept is anything at all here.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { createTokenCache, type TokenCache } from '../../src/decision/token-cache.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

interface Kept {
  readonly is: string;
}

const PLENTY = { tokens: 1_000, bytes: 16 * 1024 * 1024 };
/** What one token of this length counts as. */
const sizeOf = (length: number) => 600 + 4 * length;

const create = (limits = PLENTY): TokenCache<Kept> => createTokenCache<Kept>(limits);

/**
 * A string in the form of a token, and not one piece in the heap with another of the same content.
 */
function tokenOf(name: string, length = 200): string {
  const text = `${name}.`.padEnd(length - name.length - 2, 'x');
  return Buffer.from(`${text}-${name}`.slice(-length).padStart(length, 'h')).toString('latin1');
}

/** Which of these tokens are kept, of those whose entry is their own name. */
function keptOf(cache: TokenCache<Kept>, names: readonly string[], length = 200): readonly string[] {
  return names.filter((name) => cache.get(tokenOf(name, length))?.is === name);
}

describe('T-142: which entry is found', () => {
  it('T-142: is found by exactly the token that it was kept for, and is the same object', () => {
    const cache = create();
    const kept = { is: 'a' };
    cache.set(tokenOf('a'), kept, 3 * tokenOf('a').length);
    expect(cache.get(tokenOf('a'))).toBe(kept);
    expect(cache.get(tokenOf('b'))).toBeUndefined();
  });

  const tail = 'T'.repeat(32);
  const kept = `head.payload.${tail}`;
  it.each([
    ['another head', `xead.payload.${tail}`],
    ['another payload', `head.pay1oad.${tail}`],
    ['more in front', `xhead.payload.${tail}`],
    ['less in front', `ead.payload.${tail}`],
    ['the tail alone', tail],
    ['one character of the tail less', tail.slice(1)],
    ['the 33rd character from the end', `head.payload${tail.padStart(33, 'x')}`],
    ['more behind', `${kept}T`],
    ['a space behind', `${kept} `],
    ['a space in front', ` ${kept}`],
    ['padding', `${kept}=`],
    ['the other case', kept.toLowerCase()],
    ['nothing', ''],
  ])('T-142: %s: finds nothing, and takes nothing away', (_, other) => {
    const cache = create();
    cache.set(kept, { is: 'the one' }, 3 * kept.length);
    expect(cache.get(other)).toBeUndefined();
    expect(cache.get(kept)).toEqual({ is: 'the one' });
  });

  it('T-142: of two that end alike the later one is kept, and neither is ever taken for the other', () => {
    const cache = create();
    const [one, two] = [`one.${tail}`, `two.${tail}`];
    cache.set(one, { is: 'one' }, 3 * one.length);
    cache.set(two, { is: 'two' }, 3 * two.length);
    expect([cache.get(one), cache.get(two)]).toEqual([undefined, { is: 'two' }]);
    cache.set(one, { is: 'one' }, 3 * one.length);
    expect([cache.get(one), cache.get(two)]).toEqual([{ is: 'one' }, undefined]);
  });

  it.each(['__proto__', 'constructor', 'toString', ''])(
    'T-014: a token that is "%s" is any other',
    (token) => {
      const cache = create();
      expect(cache.get(token)).toBeUndefined();
      cache.set(token, { is: 'it' }, 3 * token.length);
      expect(cache.get(token)).toEqual({ is: 'it' });
      cache.delete(token);
      expect(cache.get(token)).toBeUndefined();
    },
  );

  it('a token is kept anew, and dropped', () => {
    const cache = create();
    for (const name of ['a', 'b', 'c']) cache.set(tokenOf(name), { is: name }, 3 * tokenOf(name).length);
    cache.set(tokenOf('a'), { is: 'another' }, 3 * tokenOf('a').length);
    expect(cache.get(tokenOf('a'))).toEqual({ is: 'another' });
    cache.delete(tokenOf('a'));
    cache.delete(tokenOf('never kept'));
    expect(keptOf(cache, ['a', 'b', 'c'])).toEqual(['b', 'c']);
  });

  it('T-149: two caches share nothing', () => {
    const [one, two] = [create(), create()];
    one.set(tokenOf('a'), { is: 'a' }, 3 * tokenOf('a').length);
    expect(two.get(tokenOf('a'))).toBeUndefined();
    two.set(tokenOf('a'), { is: 'a' }, 3 * tokenOf('a').length);
    two.delete(tokenOf('a'));
    expect(keptOf(one, ['a'])).toEqual(['a']);
  });
});

describe('T-148: how much is kept', () => {
  it('T-148: no more than so many, and those that were used last', () => {
    const cache = create({ ...PLENTY, tokens: 3 });
    for (const name of ['a', 'b', 'c']) cache.set(tokenOf(name), { is: name }, 3 * tokenOf(name).length);
    expect(cache.get(tokenOf('a'))).toBeDefined();
    cache.set(tokenOf('d'), { is: 'd' }, 3 * tokenOf('d').length);
    expect(keptOf(cache, ['a', 'b', 'c', 'd'])).toEqual(['a', 'c', 'd']);
  });

  it('T-148: one is enough to be one', () => {
    const cache = create({ ...PLENTY, tokens: 1 });
    for (const name of ['a', 'b']) cache.set(tokenOf(name), { is: name }, 3 * tokenOf(name).length);
    expect(keptOf(cache, ['a', 'b'])).toEqual(['b']);
  });

  it.each([
    [3 * sizeOf(200), ['b', 'c', 'd']],
    [3 * sizeOf(200) - 1, ['c', 'd']],
    [sizeOf(200), ['d']],
    [sizeOf(200) - 1, []],
    [1, []],
  ])('T-148: within %d bytes: %j', (bytes, expected) => {
    const cache = create({ ...PLENTY, bytes });
    for (const name of ['a', 'b', 'c', 'd']) cache.set(tokenOf(name), { is: name }, 3 * tokenOf(name).length);
    expect(keptOf(cache, ['a', 'b', 'c', 'd'])).toEqual(expected);
  });

  it('T-148: a long one counts for many', () => {
    const cache = create({ ...PLENTY, bytes: 10 * sizeOf(200) });
    const names = Array.from({ length: 10 }, (_, index) => `n${index}`);
    for (const name of names) cache.set(tokenOf(name), { is: name }, 3 * tokenOf(name).length);
    expect(keptOf(cache, names)).toHaveLength(10);
    cache.set(tokenOf('long', 1_600), { is: 'long' }, 3 * tokenOf('long', 1_600).length);
    expect(keptOf(cache, ['long'], 1_600)).toEqual(['long']);
    expect(keptOf(cache, names)).toEqual(['n5', 'n6', 'n7', 'n8', 'n9']);
  });

  it('T-148: one that is kept anew counts once', () => {
    const cache = create({ ...PLENTY, bytes: 2 * sizeOf(200) });
    cache.set(tokenOf('a'), { is: 'a' }, 3 * tokenOf('a').length);
    for (let round = 0; round < 10; round++) cache.set(tokenOf('b'), { is: 'b' }, 3 * tokenOf('b').length);
    expect(keptOf(cache, ['a', 'b'])).toEqual(['a', 'b']);
  });

  it('T-148: what was dropped counts no more', () => {
    const cache = create({ ...PLENTY, bytes: 2 * sizeOf(200) });
    cache.set(tokenOf('a'), { is: 'a' }, 3 * tokenOf('a').length);
    cache.set(tokenOf('b'), { is: 'b' }, 3 * tokenOf('b').length);
    cache.delete(tokenOf('b'));
    cache.set(tokenOf('c'), { is: 'c' }, 3 * tokenOf('c').length);
    expect(keptOf(cache, ['a', 'b', 'c'])).toEqual(['a', 'c']);
  });

  it.each([
    [4_095, ['a']],
    [4_096, ['a']],
    [4_097, []],
    [65_536, []],
  ])('T-148: a token of %d characters: %j', (length, expected) => {
    const cache = create();
    cache.set(tokenOf('a', length), { is: 'a' }, 3 * tokenOf('a', length).length);
    expect(keptOf(cache, ['a'], length)).toEqual(expected);
  });

  it('T-148: one that is too long pushes nothing out', () => {
    const cache = create({ tokens: 1, bytes: sizeOf(4_096) });
    cache.set(tokenOf('a'), { is: 'a' }, 3 * tokenOf('a').length);
    cache.set(tokenOf('b', 4_097), { is: 'b' }, 3 * tokenOf('b', 4_097).length);
    expect(keptOf(cache, ['a'])).toEqual(['a']);
  });

  it('T-148: a hundred thousand finds of others take nothing away', () => {
    const cache = create({ tokens: 2, bytes: 2 * sizeOf(200) });
    for (const name of ['a', 'b']) cache.set(tokenOf(name), { is: name }, 3 * tokenOf(name).length);
    for (let index = 0; index < 100_000; index++) cache.get(tokenOf(`n${index}`));
    expect(keptOf(cache, ['a', 'b'])).toEqual(['a', 'b']);
  });
});

describe('R13: what an entry holds on to', () => {
  async function heapUsed(): Promise<number> {
    for (let turn = 0; turn < 3; turn++) {
      await nextTurn();
      collect();
    }
    return process.memoryUsage().heapUsed;
  }

  /**
   * How much the heap grows with this many tokens, each a piece of a larger string of so many
   * characters.
   */
  async function growthOf(count: number, around: number): Promise<number> {
    const cache = create({ tokens: 10_000, bytes: 16 * 1024 * 1024 });
    const before = await heapUsed();
    for (let index = 0; index < count; index++) {
      // What a header is: one string, of which the token is a piece.
      const header = Buffer.from(`${'c'.repeat(around)}; t=${tokenOf(`n${index}`)}`).toString('latin1');
      const token = header.slice(-200);
      cache.set(token, { is: 'kept' }, 3 * token.length);
    }
    const grown = (await heapUsed()) - before;
    expect(cache.get(tokenOf(`n${count - 1}`))).toBeDefined();
    return grown;
  }

  it('R13: no more than it says, of a token in a header of its own', async () => {
    expect(await growthOf(2_000, 7)).toBeLessThan(2_000 * sizeOf(200));
  });

  // BUG: a piece of a string holds on to the whole of it, in V8. The Cookie header of a token, of
  // up to 16 KiB, is kept with it and not counted: 10,000 tokens of 300 characters in cookies of 15
  // KB were 158 MB in a cache of 16 MiB.
  it('R13: no more than it says, of a token in a long Cookie header', async () => {
    expect(await growthOf(2_000, 8_000)).toBeLessThan(2_000 * sizeOf(200));
  });
});
