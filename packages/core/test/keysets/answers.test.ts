// Answers of the application about issuers: how many are asked for and kept, for how long, and what
// becomes of values that are replaced.
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createAnswers, MAX_ASKED, MAX_REFUSED } from '../../src/keysets/answers.ts';

type Value = { readonly name: string };

let timeMs = 0;
const monotonic = () => timeMs;
beforeEach(() => {
  timeMs = 0;
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  return () => vi.restoreAllMocks();
});

/** Questions that a test answers, in their order. */
function asking() {
  const asked: string[] = [];
  const replies: ((value: Value | undefined) => void)[] = [];
  const ask = (issuer: string) => {
    asked.push(issuer);
    return new Promise<Value | undefined>((resolve) => replies.push(resolve));
  };
  return { asked, replies, ask };
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `made-up-${index}`);
const codeOf = (work: () => unknown) => {
  try {
    work();
    return undefined;
  } catch (error) {
    return Reflect.get(Object(error), 'code');
  }
};

describe('answers', () => {
  it('are asked for once by all that wait', async () => {
    const { asked, replies, ask } = asking();
    const answers = createAnswers<Value>({ name: 'x', ask, most: 10, monotonic });
    const waiting = [answers.of('a'), answers.of('a'), answers.of('a')];
    const value = { name: 'a' };
    replies[0]?.(value);
    expect(await Promise.all(waiting)).toEqual([value, value, value]);
    expect(answers.of('a')).toBe(value);
    expect(asked).toEqual(['a']);
  });

  it('asks about a bounded number of unknown issuers at the same time, and about known ones all the same', async () => {
    const { asked, replies, ask } = asking();
    const answers = createAnswers<Value>({ name: 'x', ask, most: 10, monotonic });
    const first = answers.of('known');
    replies[0]?.({ name: 'known' });
    await first;
    const waiting = names(MAX_ASKED).map((name) => answers.of(name));
    expect(codeOf(() => answers.of('one more'))).toBe('keyset_unavailable');
    expect(answers.of('known')).toEqual({ name: 'known' });
    timeMs = 60_000;
    const again = answers.of('known');
    replies.at(-1)?.({ name: 'known' });
    expect(await again).toEqual({ name: 'known' });
    for (const reply of replies) reply(undefined);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([undefined]));
    void answers.of('one more');
    expect(asked).toHaveLength(MAX_ASKED + 3);
  });

  it('remembers a bounded number of issuers that it does not know', () => {
    const ask = vi.fn(() => undefined);
    const answers = createAnswers<Value>({ name: 'x', ask, most: 10, monotonic });
    for (const name of names(MAX_REFUSED + 1)) expect(answers.of(name)).toBeUndefined();
    ask.mockClear();
    expect(answers.of(`made-up-${MAX_REFUSED}`)).toBeUndefined();
    expect(ask).not.toHaveBeenCalled();
    expect(answers.of('made-up-0')).toBeUndefined();
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it('after a failure it is asked again a second later', () => {
    const ask = vi.fn((): Value => {
      throw new Error('no database');
    });
    const answers = createAnswers<Value>({ name: 'x', ask, most: 10, monotonic });
    for (timeMs of [0, 500, 999]) expect(codeOf(() => answers.of('a'))).toBe('keyset_unavailable');
    expect(ask).toHaveBeenCalledTimes(1);
    timeMs = 1_000;
    expect(codeOf(() => answers.of('a'))).toBe('keyset_unavailable');
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('drops what is replaced, pushed out or no longer given, once each', () => {
    const dropped: string[] = [];
    let version = 1;
    const answers = createAnswers<Value>({
      name: 'x',
      ask: (issuer) => (version === 0 ? undefined : { name: `${issuer}${version}` }),
      dropped: ({ name }) => dropped.push(name),
      most: 2,
      monotonic,
    });
    for (const issuer of ['a', 'b', 'c']) answers.of(issuer);
    expect(dropped.splice(0)).toEqual(['a1']);
    version = 2;
    timeMs = 60_000;
    expect(answers.of('b')).toEqual({ name: 'b2' });
    expect(dropped.splice(0)).toEqual(['b1']);
    version = 0;
    expect(answers.of('c')).toBeUndefined();
    expect(dropped.splice(0)).toEqual(['c1']);
    answers.close();
    expect(dropped.splice(0)).toEqual(['b2']);
    expect(codeOf(() => answers.of('b'))).toBe('keyset_unavailable');
  });

  it('keeps a value that is the same as before, and drops the new one', () => {
    const dropped: Value[] = [];
    const answers = createAnswers<Value>({
      name: 'x',
      ask: (name) => ({ name }),
      renewed: (before) => before,
      dropped: (value) => dropped.push(value),
      most: 2,
      monotonic,
    });
    const first = answers.of('a');
    timeMs = 60_000;
    expect(answers.of('a')).toBe(first);
    expect(dropped).toHaveLength(1);
    expect(dropped[0]).not.toBe(first);
  });

  it('drops a value that comes after the end', async () => {
    const { replies, ask } = asking();
    const dropped = vi.fn();
    const answers = createAnswers<Value>({ name: 'x', ask, dropped, most: 2, monotonic });
    const waiting = Promise.resolve(answers.of('a')).catch((error: unknown) => error);
    answers.close();
    expect(await waiting).toMatchObject({ code: 'keyset_unavailable' });
    replies[0]?.({ name: 'late' });
    await vi.waitFor(() => expect(dropped).toHaveBeenCalledWith({ name: 'late' }));
  });
});
