// Imports the keys in Akamai's JWT settings: an inline primary and backup key, or a JWK Set at a
// fixed URL or at hosts that the token may name.
import { type Draft, quoted } from './draft.ts';
import { createSecretNames } from './secret-names.ts';
import type { SourceNode } from './source.ts';

const KEYS = ['rsaPublicKeyA', 'rsaPublicKeyB'] as const;
const URLS = ['jwksUrl', 'jwkUrl', 'jwksUri', 'jwkUri'];
const HOSTS = ['jwksHosts', 'jwkHosts', 'allowedJwkHosts', 'allowedHosts', 'jkuHosts'];

/** Adds the keyset to a draft. @throws Failure with the place */
export function putKeys(draft: Draft, validation: SourceNode): void {
  const at = ['keySets', 0] as const;
  const keys = KEYS.flatMap((name) => validation.member(name) ?? []);
  const jku = validation.oneOf('jku', 'jwks', 'jwk');
  const inside = jku?.isObject() === true ? jku : undefined;
  const url =
    validation.oneOf(...URLS) ??
    inside?.oneOf('url', 'uri', ...URLS) ??
    (inside === undefined ? jku : undefined);
  const hosts = validation.oneOf(...HOSTS) ?? inside?.oneOf('hosts', ...HOSTS);
  const [first] = keys;
  const sources = [first, url, hosts].filter((source) => source !== undefined);
  const [source, another] = sources;
  if (source === undefined) validation.refuse('expected rsaPublicKeyA, a JWKS URL or JWK hosts');
  another?.refuse(`conflicts with ${source.path}; keep the one with the keys`);
  if (first === undefined) {
    // Sets may contain other keys, which the gateway does not use.
    draft.set([...at, 'allowedAlgorithms'], ['RS256', 'RS384', 'RS512'], source);
  }
  if (hosts !== undefined) {
    draft.set(
      [...at, 'jwksHosts'],
      hosts.texts().map((host) => hostOf(host, hosts)),
      hosts,
    );
    draft.note(
      'safer',
      [...at, 'jwksHosts'],
      hosts,
      'hosts at private addresses are not contacted; a path after the host restricts it further',
    );
  } else if (url !== undefined) {
    draft.set([...at, 'jwksUrl'], url.text(), url);
  } else {
    const names = createSecretNames();
    for (const [index, key] of keys.entries()) putKey(draft, [...at, 'publicKeys', index], key, names);
    draft.note('check', [...at, 'publicKeys'], source, 'for RS256; set another algorithm if needed');
  }
}

function putKey(
  draft: Draft,
  at: readonly (string | number)[],
  node: SourceNode,
  names: ReturnType<typeof createSecretNames>,
): void {
  const content = node.isObject()
    ? (node.oneOf('content', 'value', 'key') ?? node.refuse('expected content'))
    : node;
  const pem = content.text().trim();
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(pem)) {
    // A private key does not belong in a descriptor, and is not repeated.
    const name = names((node.isObject() ? node.member('name')?.text() : undefined) ?? 'public-key');
    draft.set(at, { file: `secrets/${name}/public.key`, algorithm: 'RS256' }, content);
    draft.note(
      'safer',
      at,
      content,
      `a private key was here, and is omitted: put it in a file and run latchkey secrets create asymmetric ${name} --private-key FILE --extract-public-key`,
    );
    return;
  }
  draft.set(at, { pem: `${pem.replace(/\r\n?/g, '\n')}\n`, algorithm: 'RS256' }, content);
  draft.comesFrom([...at, 'pem'], content);
  const name = node.isObject() ? node.member('name')?.text() : undefined;
  if (name !== undefined)
    draft.note('no-equivalent', at, node, `inline keys have no name; this was ${quoted(name)}`);
}

/**
 * Returns a host in the form of core: lower case, no scheme, and a path only with a slash at its
 * end.
 */
function hostOf(host: string, node: SourceNode): string {
  const bare = host
    .trim()
    .replace(/^https:\/\//i, '')
    .replace(/\/$/, '')
    .toLowerCase();
  return bare === '' || /[\s/]/.test(bare) ? node.refuse(`${quoted(host)} is not a host`) : bare;
}
