// Estimates the memory of a JSON value, for caches that are bounded by bytes. V8 does not tell the
// exact size.
import type { JsonValue } from './json.ts';

/**
 * Estimates the bytes of a value. Each object and list has a fixed price in addition to its
 * members.
 */
export function weigh(value: JsonValue): number {
  if (typeof value === 'string') return 24 + value.length;
  if (typeof value !== 'object' || value === null) return 16;
  let bytes = 80;
  for (const [name, member] of Object.entries(value)) bytes += 16 + name.length + weigh(member);
  return bytes;
}
