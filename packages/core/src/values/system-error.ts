// Reads errors of the operating system. Does not decide what an error means.

/**
 * Returns the code of a system error, such as EACCES, or `unknown` for other errors. Not the
 * message, because it contains the path.
 */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
