// Answers of the application about issuers: how many are asked for and kept, for how long, and what
// becomes of values that are replaced.
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { AuthError } from '../../src/errors.ts';
import { createAnswers, MAX_ASKED, MAX_REFUSED } from '../../src/keysets/answers.ts';

type Value = { readonly name: string };

let timeMs = 0;
const monotonic = () => timeMs;
beforeEach(() => {
  timeMs = 0;
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  return () => vi.restoreAllMocks();
});

const make = (_issuer: string, value: Value) => value;

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
    const answers = createAnswers({ name: 'x', ask, make, most: 10, monotonic });
    const waiting = [answers.of('a'), answers.of('a'), answers.of('a')];
    const value = { name: 'a' };
    replies[0]?.(value);
    expect(await Promise.all(waiting)).toEqual([value, value, value]);
    expect(answers.of('a')).toBe(value);
    expect(asked).toEqual(['a']);
  });

  it('asks about a bounded number of unknown issuers at the same time, and about known ones all the same', async () => {
    const { asked, replies, ask } = asking();
    const answers = createAnswers({ name: 'x', ask, make, most: 10, monotonic });
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
    const ask = vi.fn((): Value | undefined => undefined);
    const answers = createAnswers({ name: 'x', ask, make, most: 10, monotonic });
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
    const answers = createAnswers({ name: 'x', ask, make, most: 10, monotonic });
    for (timeMs of [0, 500, 999]) expect(codeOf(() => answers.of('a'))).toBe('keyset_unavailable');
    expect(ask).toHaveBeenCalledTimes(1);
    timeMs = 1_000;
    expect(codeOf(() => answers.of('a'))).toBe('keyset_unavailable');
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('drops what is replaced, pushed out or no longer given, once each', () => {
    const dropped: string[] = [];
    let version = 1;
    const answers = createAnswers<Value, Value>({
      name: 'x',
      ask: (issuer) => (version === 0 ? undefined : { name: `${issuer}${version}` }),
      make,
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

  it('a candidate is pushed out by others, and a confirmed issuer is not', () => {
    const dropped: string[] = [];
    const ask = vi.fn((name: string): Value => ({ name }));
    const answers = createAnswers({
      name: 'x',
      ask,
      make,
      dropped: (_: Value, issuer) => dropped.push(issuer),
      most: 2,
      candidates: 1,
      monotonic,
    });
    const first = answers.of('a');
    answers.confirm('a');
    answers.confirm('unknown');
    for (const issuer of ['b', 'c', 'd']) answers.of(issuer);
    expect(dropped.splice(0)).toEqual(['b', 'c']);
    expect(answers.of('a')).toBe(first);
    answers.confirm('d');
    answers.of('e');
    answers.confirm('e');
    expect(dropped.splice(0)).toEqual(['a']);
    expect(answers.size()).toBe(2);
  });

  it('an answer that cannot be used is a failure of its issuer only', () => {
    const answers = createAnswers({
      name: 'x',
      ask: (name: string): Value => ({ name }),
      make(issuer, value) {
        if (issuer === 'bad') throw new AuthError('keyset_unavailable', { detail: 'wrong' });
        return value;
      },
      most: 2,
      monotonic,
    });
    expect(codeOf(() => answers.of('bad'))).toBe('keyset_unavailable');
    expect(answers.of('good')).toEqual({ name: 'good' });
    expect(answers.lastError()).toBeUndefined();
  });

  it('makes nothing of an answer that comes after the end', async () => {
    const { replies, ask } = asking();
    const made = vi.fn(make);
    const answers = createAnswers({ name: 'x', ask, make: made, most: 2, monotonic });
    const waiting = Promise.resolve(answers.of('a')).catch((error: unknown) => error);
    answers.close();
    expect(await waiting).toMatchObject({ code: 'keyset_unavailable' });
    replies[0]?.({ name: 'late' });
    await Promise.resolve();
    expect(made).not.toHaveBeenCalled();
  });
});
