// Comparing names without case. Nothing here knows whose names they are.

const ASCII = /^\p{ASCII}*$/u;

/**
 * Folds the case of a text, one character for one: a letter and its other case become one, and no
 * third character does. `KELVIN SIGN` does not become `k`, nor `ẞ` `ß`: a name that only looks like
 * another is not taken for it.
 */
export function foldCase(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return Array.from(text, (character) => {
    const lower = character.toLowerCase();
    return lower.toUpperCase() === character ? lower : character;
  }).join('');
}
