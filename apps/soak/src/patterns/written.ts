// Random patterns, and texts on which they can take long. Nothing is measured here.
import type { Pick } from '@latchkey/test-kit/random';

const ATOMS = ['a', 'b', '.', '[ab]', '[^a]', '\\w', '[a-z0-9-]', '(?:a|b)', 'ab', '\\d'];
const REPEATS = ['', '', '*', '+', '?', '{2,5}', '{0,12}', '{20}', '{60}'];
/** The length that R16 names. */
const LENGTH = 1024;

/** A pattern of nested groups, alternatives and repetitions. Not every one is accepted. */
export function writtenPattern(pick: Pick, depth = 3): string {
  const one = (texts: readonly string[]) => texts[pick(texts.length)] ?? '';
  const part = (): string =>
    depth > 0 && pick(3) === 0
      ? `(?:${writtenPattern(pick, depth - 1)})${one(REPEATS)}`
      : one(ATOMS) + one(REPEATS);
  const parts = Array.from({ length: 1 + pick(4) }, part).join('');
  return pick(4) === 0 ? `${parts}|${part()}` : parts;
}

/** Texts of 1,024 characters: repeated parts, with another end, and letters at random. */
export function writtenTexts(pick: Pick): readonly string[] {
  const atRandom = (letters: string) =>
    Array.from({ length: LENGTH }, () => letters[pick(letters.length)]).join('');
  const repeated = (part: string) => part.repeat(Math.ceil(LENGTH / part.length)).slice(0, LENGTH);
  return [
    ...['a', 'b', 'ab', 'aab', 'a-0', 'abcd1'].map(repeated),
    ...['!', 'b'].map((end) => repeated('a').slice(1) + end),
    ...['ab', 'ab', 'aab', 'abcdef0123-'].map(atRandom),
  ];
}
