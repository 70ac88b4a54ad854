// Refuses options of connections on runtimes that replace the HTTP client of Node by their own,
// which ignores them: a pin or a CA without effect would let in more than is written.
import process from 'node:process';
import { ConfigError } from '../errors.ts';

/** Refuses an option on Bun, Deno and Workers. @throws ConfigError */
export function requireNode(path: string): void {
  const other = otherRuntime();
  if (other === undefined) return;
  throw new ConfigError(path, `not on ${other}, whose HTTP client may ignore it; run the service on Node`);
}

/** The name of the runtime; undefined for Node. */
export function otherRuntime(): 'Bun' | 'Deno' | 'Workers' | undefined {
  if ('bun' in process.versions) return 'Bun';
  if ('Deno' in globalThis) return 'Deno';
  return globalThis.navigator?.userAgent === 'Cloudflare-Workers' ? 'Workers' : undefined;
}

/**
 * True if requests are sent by node:http. Bun and Workers have a module of this name that ignores
 * some of what it is given.
 */
export function hasNodeHttp(): boolean {
  const other = otherRuntime();
  return other === undefined || other === 'Deno';
}
