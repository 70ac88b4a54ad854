// Errors of the operating system. Nothing here decides what an error means.

/**
 * The code of a system error, such as EACCES; `unknown` for other errors. Its message holds the
 * path and is not repeated.
 */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
