// Folds the case of names so that they can be compared. Does not know what the names mean.

const ASCII = /^\p{ASCII}*$/u;

/**
 * Folds the case of a text, character by character. A letter and its other case become equal, and
 * no third character becomes equal to them: `KELVIN SIGN` does not become `k`, nor `ẞ` `ß`. So a
 * name that only looks like another name is not accepted for it.
 */
export function foldCase(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return Array.from(text, (character) => {
    const lower = character.toLowerCase();
    return lower.toUpperCase() === character ? lower : character;
  }).join('');
}
