// Refuses options of connections on runtimes that replace the HTTP client of Node by their own,
// which ignores them: a pin or a CA without effect would let in more than is written.
import process from 'node:process';
import { ConfigError } from '../errors.ts';

/** Refuses an option on Bun and Deno. @throws ConfigError */
export function requireNode(path: string): void {
  const other = otherRuntime();
  if (other === undefined) return;
  throw new ConfigError(path, `not on ${other}, whose HTTP client may ignore it; run the service on Node`);
}

/** The name of the runtime; undefined for Node. */
export function otherRuntime(): 'Bun' | 'Deno' | undefined {
  return 'bun' in process.versions ? 'Bun' : 'Deno' in globalThis ? 'Deno' : undefined;
}
