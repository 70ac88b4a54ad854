// A JWK Set that stands in the options. It never changes and is never fetched.
import { ConfigError } from '../errors.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import { importJwks, type JwkSet } from './jwk.ts';
import { createSnapshot, type Keyset, publishChanges } from './keyset.ts';

/** What an inline keyset is made of. */
export interface InlineKeysetSettings {
  readonly name: string;
  readonly issuer: string | undefined;
  readonly allowed: ReadonlySet<AlgorithmName> | undefined;
  readonly jwks: JwkSet;
}

/**
 * Makes a keyset of fixed keys. Members that no verifier understands are skipped, as in any JWK Set.
 * @throws ConfigError if no key can be used, or if a private or symmetric key is among them
 */
export function createInlineKeyset({ name, issuer, allowed, jwks }: InlineKeysetSettings): Keyset {
  const imported = readInline(name, jwks, allowed);
  const snapshot = createSnapshot(imported.keys);
  const since = performance.now();
  publishChanges({ name, issuer }, undefined, imported);
  return Object.freeze<Keyset>({
    name,
    issuer,
    allowed,
    keys: () => snapshot,
    refetch: () => snapshot,
    ready: () => Promise.resolve(),
    report: () => ({
      keyset: name,
      issuer,
      source: 'jwks',
      state: 'fresh',
      kids: snapshot.keys.map(({ kid }) => kid),
      ageMs: performance.now() - since,
      failures: 0,
    }),
    close: () => Promise.resolve(),
  });
}

function readInline(name: string, jwks: JwkSet, allowed: ReadonlySet<AlgorithmName> | undefined) {
  const path = `${name}.jwks`;
  let imported: ReturnType<typeof importJwks>;
  try {
    imported = importJwks(jwks, allowed);
  } catch (cause) {
    throw new ConfigError(path, 'expected a JWK Set: { keys: [ … ] }', { cause });
  }
  const exposed = imported.skipped.find(({ reason }) => reason.startsWith('holds a private'));
  if (exposed !== undefined)
    throw new ConfigError(path, `a key ${exposed.reason}; leave only public keys here`);
  if (imported.keys.length === 0) {
    const reasons = imported.skipped.map(({ reason }) => reason).join('; ');
    throw new ConfigError(path, `no usable key${reasons === '' ? '' : `: ${reasons}`}`);
  }
  return imported;
}
