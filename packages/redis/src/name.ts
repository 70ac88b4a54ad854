// Names of keys, and what they begin with.
import { readText } from '@latchkey/core/adapter';

/** Reads a name. @throws ConfigError */
export function readName(value: unknown, fallback: string, path: string): string {
  return value === undefined ? fallback : readText(value, path);
}
