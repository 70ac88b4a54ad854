// The beginning of keys.
import { readText } from '@latchkey/core/adapter';

/** Reads the beginning of keys. @throws ConfigError */
export function readPrefix(value: unknown, fallback: string): string {
  return value === undefined ? fallback : readText(value, 'prefix');
}
