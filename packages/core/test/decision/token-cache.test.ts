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

const NOW = 1_700_000_000_000;
const NEVER = Number.POSITIVE_INFINITY;

interface Given {
  readonly uses?: number;
  readonly untilMs?: number;
}

/** Stores an entry whose size is `sizeOf` the length of its token. */
function put(
  cache: TokenCache<Kept>,
  token: string,
  kept: Kept,
  { uses = 2, untilMs = NEVER }: Given = {},
): string | undefined {
  return cache.set(token, kept, { bytes: 3 * token.length, untilMs, uses }, NOW);
}

function use(cache: TokenCache<Kept>, token: string, times: number): void {
  for (let time = 0; time < times; time++) cache.get(token);
}

/**
 * A string in the form of a token, and not one piece in the heap with another of the same content.
 */
function tokenOf(name: string, length = 200): string {
  const tail = `-${name.padStart(8, 'y')}tail`;
  const text = `${name}.`.padEnd(length - tail.length, 'x');
  return Buffer.from(`${text}${tail}`.slice(-length)).toString('latin1');
}

/** Which of these tokens are kept, of those whose entry is their own name. */
function keptOf(cache: TokenCache<Kept>, names: readonly string[], length = 200): readonly string[] {
  return names.filter((name) => cache.get(tokenOf(name, length))?.is === name);
}

describe('T-142: which entry is found', () => {
  it('T-142: is found by exactly the token that it was kept for, and is the same object', () => {
    const cache = create();
    const kept = { is: 'a' };
    put(cache, tokenOf('a'), kept);
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
    put(cache, kept, { is: 'the one' });
    expect(cache.get(other)).toBeUndefined();
    expect(cache.get(kept)).toEqual({ is: 'the one' });
  });

  it('T-142: of two that end alike the later one is kept, and neither is ever taken for the other', () => {
    const cache = create();
    const [one, two] = [`one.${tail}`, `two.${tail}`];
    put(cache, one, { is: 'one' });
    put(cache, two, { is: 'two' });
    expect([cache.get(one), cache.get(two)]).toEqual([undefined, { is: 'two' }]);
    put(cache, one, { is: 'one' });
    expect([cache.get(one), cache.get(two)]).toEqual([{ is: 'one' }, undefined]);
  });

  it.each(['__proto__', 'constructor', 'toString', ''])(
    'T-014: a token that is "%s" is any other',
    (token) => {
      const cache = create();
      expect(cache.get(token)).toBeUndefined();
      put(cache, token, { is: 'it' });
      expect(cache.get(token)).toEqual({ is: 'it' });
      cache.delete(token);
      expect(cache.get(token)).toBeUndefined();
    },
  );

  it('a token is kept anew, and dropped', () => {
    const cache = create();
    for (const name of ['a', 'b', 'c']) put(cache, tokenOf(name), { is: name });
    put(cache, tokenOf('a'), { is: 'another' });
    expect(cache.get(tokenOf('a'))).toEqual({ is: 'another' });
    cache.delete(tokenOf('a'));
    cache.delete(tokenOf('never kept'));
    expect(keptOf(cache, ['a', 'b', 'c'])).toEqual(['b', 'c']);
  });

  it('T-149: two caches share nothing', () => {
    const [one, two] = [create(), create()];
    put(one, tokenOf('a'), { is: 'a' });
    expect(two.get(tokenOf('a'))).toBeUndefined();
    put(two, tokenOf('a'), { is: 'a' });
    two.delete(tokenOf('a'));
    expect(keptOf(one, ['a'])).toEqual(['a']);
  });
});

describe('T-148: how much is kept', () => {
  it('T-148: no more than so many, and those that were used most', () => {
    const cache = create({ ...PLENTY, tokens: 3 });
    for (const name of ['a', 'b', 'c']) put(cache, tokenOf(name), { is: name });
    use(cache, tokenOf('a'), 5);
    put(cache, tokenOf('d'), { is: 'd' }, { uses: 4 });
    expect(keptOf(cache, ['a', 'd'])).toEqual(['a', 'd']);
    expect(keptOf(cache, ['b', 'c'])).toHaveLength(1);
  });

  it('T-148: one that was not used more than another does not replace it', () => {
    const cache = create({ ...PLENTY, tokens: 2 });
    for (const name of ['a', 'b']) put(cache, tokenOf(name), { is: name }, { uses: 3 });
    for (let time = 0; time < 10; time++)
      expect(put(cache, tokenOf('c'), { is: 'c' }, { uses: 3 })).toBeUndefined();
    expect(keptOf(cache, ['a', 'b', 'c'])).toEqual(['a', 'b']);
  });

  it('T-148: one that has ended goes first, however much it was used', () => {
    const cache = create({ ...PLENTY, tokens: 1 });
    put(cache, tokenOf('a'), { is: 'a' }, { untilMs: NOW });
    use(cache, tokenOf('a'), 100);
    expect(put(cache, tokenOf('b'), { is: 'b' })).toBeDefined();
    expect(keptOf(cache, ['a', 'b'])).toEqual(['b']);
  });

  it('T-148: one that is used again and again comes in at last', () => {
    const cache = create({ ...PLENTY, tokens: 2 });
    for (const name of ['a', 'b']) {
      put(cache, tokenOf(name), { is: name });
      use(cache, tokenOf(name), 1_000);
    }
    let times = 0;
    while (cache.get(tokenOf('c')) === undefined) {
      expect(times++).toBeLessThan(100);
      const uses = cache.note(tokenOf('c'), NOW);
      if (uses !== undefined) put(cache, tokenOf('c'), { is: 'c' }, { uses });
    }
    expect(times).toBeLessThanOrEqual(16);
  });

  it('T-148: one is enough to be one', () => {
    const cache = create({ ...PLENTY, tokens: 1 });
    put(cache, tokenOf('a'), { is: 'a' });
    put(cache, tokenOf('b'), { is: 'b' }, { uses: 3 });
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
    for (const [index, name] of ['a', 'b', 'c', 'd'].entries())
      put(cache, tokenOf(name), { is: name }, { uses: 2 + index });
    expect(keptOf(cache, ['a', 'b', 'c', 'd'])).toEqual(expected);
  });

  it('T-148: a long one counts for many', () => {
    const cache = create({ ...PLENTY, bytes: 10 * sizeOf(200) });
    const names = Array.from({ length: 10 }, (_, index) => `n${index}`);
    for (const name of names) put(cache, tokenOf(name), { is: name });
    expect(keptOf(cache, names)).toHaveLength(10);
    put(cache, tokenOf('long', 1_600), { is: 'long' }, { uses: 9 });
    expect(keptOf(cache, ['long'], 1_600)).toEqual(['long']);
    expect(keptOf(cache, names)).toHaveLength(5);
  });

  it('T-148: one that is kept anew counts once', () => {
    const cache = create({ ...PLENTY, bytes: 2 * sizeOf(200) });
    put(cache, tokenOf('a'), { is: 'a' });
    for (let round = 0; round < 10; round++) put(cache, tokenOf('b'), { is: 'b' });
    expect(keptOf(cache, ['a', 'b'])).toEqual(['a', 'b']);
  });

  it('T-148: what was dropped counts no more', () => {
    const cache = create({ ...PLENTY, bytes: 2 * sizeOf(200) });
    put(cache, tokenOf('a'), { is: 'a' });
    put(cache, tokenOf('b'), { is: 'b' });
    cache.delete(tokenOf('b'));
    put(cache, tokenOf('c'), { is: 'c' });
    expect(keptOf(cache, ['a', 'b', 'c'])).toEqual(['a', 'c']);
  });

  it.each([
    [4_095, ['a']],
    [4_096, ['a']],
    [4_097, []],
    [65_536, []],
  ])('T-148: a token of %d characters: %j', (length, expected) => {
    const cache = create();
    put(cache, tokenOf('a', length), { is: 'a' });
    expect(keptOf(cache, ['a'], length)).toEqual(expected);
  });

  it('T-148: one that is too long pushes nothing out', () => {
    const cache = create({ tokens: 1, bytes: sizeOf(4_096) });
    put(cache, tokenOf('a'), { is: 'a' });
    put(cache, tokenOf('b', 4_097), { is: 'b' }, { uses: 9 });
    expect(keptOf(cache, ['a'])).toEqual(['a']);
  });

  it('T-148: a hundred thousand finds of others take nothing away', () => {
    const cache = create({ tokens: 2, bytes: 2 * sizeOf(200) });
    for (const name of ['a', 'b']) put(cache, tokenOf(name), { is: name });
    for (let index = 0; index < 100_000; index++) cache.get(tokenOf(`n${index}`));
    expect(keptOf(cache, ['a', 'b'])).toEqual(['a', 'b']);
  });
});

describe('T-148: a workload that is larger than the cache', () => {
  /** Does what a service does with tokens: looks each up, and stores those that are not there. */
  function serve(cache: TokenCache<Kept>, names: Iterable<string>): { found: number; stored: number } {
    const served = { found: 0, stored: 0 };
    for (const name of names) {
      const token = tokenOf(name);
      if (cache.get(token) !== undefined) served.found++;
      else {
        const uses = cache.note(token, NOW);
        if (uses !== undefined && put(cache, token, { is: name }, { uses }) !== undefined) served.stored++;
      }
    }
    return served;
  }

  function* rotation(tokens: number, times: number): Iterable<string> {
    for (let time = 0; time < times; time++) for (let at = 0; at < tokens; at++) yield `r${at}`;
  }

  const TOKENS = 1_000;
  const small = () => create({ ...PLENTY, tokens: TOKENS });

  it('T-148: a rotation of ten times the cache stores next to nothing', () => {
    // Some are taken for others.
    expect(serve(small(), rotation(10 * TOKENS, 5)).stored).toBeLessThan((50 * TOKENS) / 10);
  });

  it('T-148: a rotation a little larger than the cache finds most of it', () => {
    const cache = small();
    serve(cache, rotation(1.2 * TOKENS, 5));
    const { found, stored } = serve(cache, rotation(1.2 * TOKENS, 10));
    expect(found).toBeGreaterThan(7 * TOKENS);
    expect(stored).toBeLessThan(2 * TOKENS);
  });

  it('T-148: one-off tokens do not push out those that are in use', () => {
    const cache = small();
    function* mixed(): Iterable<string> {
      for (let at = 0; at < 100_000; at++) yield at % 5 === 0 ? `once${at}` : `used${at % 800}`;
    }
    serve(cache, mixed());
    const used = Array.from({ length: 800 }, (_, at) => `used${at}`).filter((_, at) => at % 5 !== 0);
    expect(keptOf(cache, used)).toHaveLength(640);
  });

  it('T-148: new tokens replace those that are not used any more', () => {
    const cache = small();
    serve(cache, rotation(TOKENS, 20));
    function* next(): Iterable<string> {
      for (let time = 0; time < 40; time++) for (let at = 0; at < TOKENS; at++) yield `n${at}`;
    }
    serve(cache, next());
    const names = Array.from({ length: TOKENS }, (_, at) => `n${at}`);
    expect(keptOf(cache, names).length).toBeGreaterThan(0.95 * TOKENS);
  });
});

describe('T-142: whatever comes, in whatever order', () => {
  it.each([1, 2, 3, 4, 5])('T-142: a token finds its own last entry or none, seed %d', (seed) => {
    const limits = { tokens: 7, bytes: 9 * sizeOf(200) };
    const cache = create(limits);
    const last = new Map<string, Kept>();
    let state = seed;
    const any = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % below;
    };
    // Two tokens of each tail, so that they share a hash. Some are long.
    const tokens = Array.from({ length: 40 }, (_, at) => {
      const token = tokenOf(`t${at >> 1}`, at % 10 === 0 ? 600 : 200);
      return `${at & 1}${token.slice(1)}`;
    });
    for (let step = 0; step < 20_000; step++) {
      const token = tokens[any(tokens.length)] ?? '';
      const what = any(10);
      if (what === 0) {
        cache.delete(token);
        last.delete(token);
      } else if (what < 4) {
        const uses = cache.note(token, NOW + step);
        const kept = { is: `${token} ${step}` };
        const untilMs = any(4) === 0 ? NOW + step + any(50) : NEVER;
        if (uses !== undefined && put(cache, token, kept, { uses, untilMs }) !== undefined)
          last.set(token, kept);
      } else {
        const found = cache.get(token);
        if (found !== undefined) expect(found).toBe(last.get(token));
      }
      if (step % 500 > 0) continue;
      const there = tokens.filter((each) => cache.get(each) !== undefined);
      expect(there.length).toBeLessThanOrEqual(limits.tokens);
      expect(there.reduce((sum, { length }) => sum + sizeOf(length), 0)).toBeLessThanOrEqual(limits.bytes);
    }
    expect(tokens.some((token) => cache.get(token) !== undefined)).toBe(true);
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
      put(cache, token, { is: 'kept' });
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
