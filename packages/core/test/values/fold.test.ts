// Folding the case of names: one character for one, and no third one for either.
import { describe, expect, it } from 'vitest';
import { foldCase } from '../../src/values/fold.ts';

describe('foldCase()', () => {
  it.each([
    ['Alice', 'alice'],
    ['ÄRZTE', 'ärzte'],
    ['ΣΊΣΥΦΟΣ', 'σίσυφοσ'],
    ['ДА', 'да'],
    ['用户-A', '用户-a'],
    ['😀A', '😀a'],
    ['', ''],
  ])('%j becomes %j', (text, folded) => expect(foldCase(text)).toBe(folded));

  it('no more than two characters become one', () => {
    const folded = new Map<string, string[]>();
    for (let code = 0; code <= 0x10ffff; code++) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const character = String.fromCodePoint(code);
      const become = foldCase(character);
      if (become === character) continue;
      folded.set(become, [...(folded.get(become) ?? []), character]);
    }
    expect([...folded.values()].filter((characters) => characters.length > 1)).toEqual([]);
    expect(folded.get('k')).toEqual(['K']);
    expect(folded.get('s')).toEqual(['S']);
  });
});
