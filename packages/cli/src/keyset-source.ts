// Describes the source of a keyset, as `jwks list` prints it. The descriptor may be wrong, and no
// key is read.
import type { DescriptorDocument } from '@latchkey/core/tools';
import { misused } from './failure.ts';

/** An object of a descriptor with unchecked values. */
export type Data = Readonly<Record<string, unknown>>;

/** True for an object that is neither null nor a list. */
export function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Returns the items of a list in the descriptor; empty if there is no such list.
 * @throws Failure if the value is not a list of objects
 */
export function listIn(document: DescriptorDocument, name: 'keySets' | 'keys'): readonly Data[] {
  const list = document.jwt[name] ?? [];
  if (Array.isArray(list) && list.every(isData)) return list;
  const { file, line, column } = document.placeOf(name);
  throw misused(`${file}:${line}:${column}: ${name}: expected a list of objects`);
}

/** Returns a value of the descriptor if it is a string. */
export function textIn(data: Data, name: string): string | undefined {
  const value = data[name];
  return typeof value === 'string' ? value : undefined;
}

/**
 * The source of a keyset: `oidc-discovery`, `discovery`, a URL without its query, `secret: NAME`
 * and the like.
 */
export function sourceOf(keyset: Data): string {
  const url = textIn(keyset, 'jwksUrl');
  if (keyset.useOidcDiscovery === true) return 'oidc-discovery';
  const discovery = textIn(keyset, 'useDiscovery');
  if (discovery !== undefined) return discovery === 'any' ? 'discovery' : `${discovery}-discovery`;
  // Some servers take a key in the query.
  if (url !== undefined) return url.replace(/[?#].*$/su, '');
  if (isData(keyset.secret)) return `secret: ${textIn(keyset.secret, 'name') ?? '?'}`;
  if (isData(keyset.externalSecret))
    return `external-secret: ${textIn(keyset.externalSecret, 'name') ?? '?'}`;
  if (Array.isArray(keyset.jwksHosts)) return `jwks-hosts: ${keyset.jwksHosts.join(', ')}`;
  if (Array.isArray(keyset.publicKeys))
    return `public-keys: ${keyset.publicKeys.map(publicKeyOf).join(', ')}`;
  if (isData(keyset.jwks)) return `inline: ${countOf(keyset.jwks.keys)}`;
  return '?';
}

function publicKeyOf(key: unknown): string {
  return (isData(key) ? textIn(key, 'file') : undefined) ?? 'inline';
}

function countOf(keys: unknown): string {
  const count = Array.isArray(keys) ? keys.length : 0;
  return count === 1 ? '1 key' : `${count} keys`;
}
