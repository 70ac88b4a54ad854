// Reads names from the command line: a list with commas, a repeated option, or both.

/**
 * A parser for options: adds the names of one occurrence to those before. An empty name is kept, so
 * that the check of names refuses it.
 */
export function readNames(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',').map((name) => name.trim())];
}
