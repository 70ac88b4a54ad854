// How much memory a JSON value takes, for caches that are bounded by bytes. An estimate: V8 does
// not say.
import type { JsonValue } from './json.ts';

/**
 * About the bytes that a value takes. Objects and lists have a price of their own, however little
 * is in them.
 */
export function weigh(value: JsonValue): number {
  if (typeof value === 'string') return 24 + value.length;
  if (typeof value !== 'object' || value === null) return 16;
  let bytes = 80;
  for (const [name, member] of Object.entries(value)) bytes += 16 + name.length + weigh(member);
  return bytes;
}
