// Names on a command line: a list with commas, an option that stands several times, or both.

/**
 * For options: adds the names of one occurrence to those before. An empty name stays, for whoever
 * checks them.
 */
export function readNames(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',').map((name) => name.trim())];
}
