// A fast hash of tokens, for tables that compare or only estimate. Not cryptographic.
import { randomBytes } from 'node:crypto';

/**
 * The characters that are hashed, counted from the end. They are random in every signature; the
 * last ones need not be (RFC 8032 §5.1.6).
 */
const FIRST = 12;
const LAST = 4;

/**
 * Makes a hash function.
 * @returns a function to 32 bits. Its seed is random, so that an attacker cannot find tokens that
 *   collide
 */
export function createTokenHash(): (token: string) => number {
  const seed = randomBytes(4).readInt32LE();
  return (token) => {
    let mixed = seed;
    const end = token.length - LAST;
    for (let index = Math.max(0, token.length - FIRST); index < end; index++)
      mixed = Math.imul(mixed ^ token.charCodeAt(index), 0x9e3779b1);
    // A multiplication carries upwards only. These steps mix the upper bits into the lower ones.
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
    return (mixed ^ (mixed >>> 13)) >>> 0;
  };
}
