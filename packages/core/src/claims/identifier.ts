// Names in claims that are safe in logs, directories and headers.

/** What an identifier is, for messages. */
export const IDENTIFIER = 'a string that is not blank, without control characters';
/** Printable ASCII without blanks. */
const PLAIN = /^[\x21-\x7e]+$/;

/**
 * True for a name that is safe in logs, directories and headers: not blank, no control characters.
 */
export function isIdentifier(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  return PLAIN.test(value) || (value.trim() !== '' && !/\p{Cc}/u.test(value));
}
