// Which changes mutation testing makes to a source file.
import { describe, expect, it } from 'vitest';
import { mutantsOf } from '../mutation/mutants.ts';

const changesOf = (source: string) => mutantsOf(source).map(({ before, after }) => `${before} -> ${after}`);

describe('mutantsOf()', () => {
  it.each<[string, readonly string[]]>([
    ['if (a) b();', ['a -> true', 'a -> false', 'b(); -> ;']],
    ['const x = a ? b : c;', ['a -> true', 'a -> false']],
    ['while (a) x = 1;', ['a -> false']],
    ['const x = a && b;', ['a && b -> a', 'a && b -> b']],
    ['const x = a ?? b;', ['a ?? b -> a', 'a ?? b -> b']],
    ['const x = a < b;', ['< -> <=', '< -> >=']],
    ['const x = a >= b;', ['>= -> >', '>= -> <']],
    ['const x = a === b;', ['=== -> !==']],
    ['const x = a - b * c;', ['- -> +', '* -> /']],
    ['const x = !a;', ['!a -> a']],
    ['const x = () => true;', ['true -> false']],
    ['throw error;', ['throw error; -> ;']],
    ['const x = list.some(f);', ['some -> every']],
    ['const x = Math.max(a, b);', ['max -> min']],
  ])('%s', (source, changes) => {
    expect(changesOf(source)).toEqual(changes);
  });

  it('leaves types, and what only looks like an operator, alone', () => {
    expect(changesOf('type A = true | B<false>; interface C { readonly d: true }')).toEqual([]);
    expect(changesOf('const a: true | undefined = b as false;')).toEqual([]);
    expect(changesOf('const a = "x < y && !z"; // if (a < b)')).toEqual([]);
    expect(changesOf('const a = b.toString() + b.constructor;')).toEqual([]);
  });

  it('gives the whole file with one change, and its line', () => {
    expect(mutantsOf('const a = 1;\nif (a > 0) a = 2;').find(({ before }) => before === '>')).toEqual({
      line: 2,
      before: '>',
      after: '>=',
      text: 'const a = 1;\nif (a >= 0) a = 2;',
    });
  });
});
