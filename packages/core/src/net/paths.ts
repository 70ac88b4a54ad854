// Paths of URLs that servers must all read alike. What some decode and others do not has no one
// meaning.

/**
 * Characters that make another path at a server that decodes twice, knows path parameters, or is on
 * Windows.
 */
const AMBIGUOUS = /[^\x20-\x7e]|[%\\;?#]/;
/**
 * A segment that leads elsewhere at some server: dots, and dots with the spaces that Windows drops.
 */
const DOTS = /^\.[. ]*$/;

/**
 * A path as a server that decodes it reads it.
 * @returns undefined where two servers might read two paths: encoded separators, dots, or percent
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
 * True for a text that leads to another path where it is decoded as a part of one: `a/../b`,
 * `..%2fb`.
 */
export function leavesSegment(text: string): boolean {
  let decoded = text;
  // What has been decoded once may be decoded again.
  for (let round = 0; round < 3 && decoded.includes('%'); round++) {
    decoded = decoded.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
  return decoded.split(/[\\/]/).some((segment) => DOTS.test(segment.replace(/;.*$/s, '')));
}
