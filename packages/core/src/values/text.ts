// Shows a value as text in messages. Does not decide or read anything.

/** A longer text is cut, because people read it. */
const MAX_TEXT = 300;

/** A JSON value as text of at most 300 characters. Undefined becomes `absent`. */
export function textOf(value: unknown): string {
  if (value === undefined) return 'absent';
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
