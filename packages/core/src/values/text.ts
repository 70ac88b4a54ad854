// A value as a text for people. Nothing here decides or reads anything.

/** A longer text is cut: people read it. */
const MAX_TEXT = 300;

/** A JSON value, as text of at most 300 characters. Undefined is `absent`. */
export function textOf(value: unknown): string {
  if (value === undefined) return 'absent';
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
