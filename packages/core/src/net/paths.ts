// URL paths that all servers must read in the same way. A path that some servers decode and others
// do not is ambiguous and refused.

/**
 * Characters that change the path on a server that decodes twice, supports path parameters, or runs
 * on Windows.
 */
const AMBIGUOUS = /[^\x20-\x7e]|[%\\;?#]/;
/**
 * A segment that some servers resolve: dots, and dots with trailing spaces, which Windows drops.
 */
const DOTS = /^\.[. ]*$/;

/**
 * Decodes a path like a server does.
 * @returns undefined if servers might read different paths: encoded separators, dots, or percent
 *   signs
 */
export function decodedPath(pathname: string): string | undefined {
  let decoded: string;
  try {
    decoded = decodeURIComponent(pathname);
  } catch {
    return undefined;
  }
  const segments = decoded.split('/');
  if (AMBIGUOUS.test(decoded) || segments.length !== pathname.split('/').length) return undefined;
  return segments.some((segment) => DOTS.test(segment)) ? undefined : decoded;
}

/**
 * True for a text that leads to another path if it is inserted as a part of one and decoded:
 * `a/../b`, `..%2fb`.
 */
export function leavesSegment(text: string): boolean {
  let decoded = text;
  // A server may decode it again.
  for (let round = 0; round < 3 && decoded.includes('%'); round++) {
    decoded = decoded.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
  return decoded.split(/[\\/]/).some((segment) => DOTS.test(segment.replace(/;.*$/s, '')));
}
