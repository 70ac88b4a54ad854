// Imports the keys of a provider, as several gateways name them: a JWK Set in place, or at a URL.
import { publicJwk } from '@latchkey/core/signing';
import type { Draft, Place } from './draft.ts';
import { parseSource, type SourceNode } from './source.ts';

/**
 * Imports an inline JWK Set: the public half of each key. A set with private or symmetric keys
 * becomes a secret, and none of its keys is repeated.
 * @param nameOf makes the name of that secret
 * @throws Failure with the place
 */
export function putInline(draft: Draft, at: Place, node: SourceNode, nameOf: () => string): void {
  const set = node.isObject() ? node : parseInline(node);
  const keys = set.member('keys') ?? node.refuse('expected a JWK Set: { "keys": […] }');
  const members = keys.items();
  const isSecret = members.some(({ value }) =>
    ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'].some((name) => Object.hasOwn(Object(value), name)),
  );
  if (isSecret) {
    const name = nameOf();
    putSecret(draft, at, name, node);
    const hasSymmetric = members.some(({ value }) => Object.hasOwn(Object(value), 'k'));
    draft.note(
      'safer',
      [...at, 'secret'],
      node,
      `a ${hasSymmetric ? 'symmetric' : 'private'} key was here, and is omitted: put the JWK Set into secrets/${name}/jwks.json, readable only by the service (0600)${hasSymmetric ? '; each key in it needs its alg' : `; for a PEM file, run latchkey secrets create asymmetric ${name} --private-key FILE --extract-public-key`}`,
    );
    return;
  }
  const publicKeys = members.map((member) => {
    const half =
      publicJwk(Object(member.value)) ??
      node.refuse('contains a value that is not a public key of a known type');
    // Another value of "use" is kept, and core skips the key.
    return half;
  });
  if (publicKeys.length === 0) node.refuse('has no key');
  draft.set([...at, 'jwks'], { keys: publicKeys }, node);
}

function parseInline(node: SourceNode): SourceNode {
  const text = node.text();
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return node.refuse('expected a JWK Set, as JSON');
  }
  if (typeof parsed !== 'object' || parsed === null) return node.refuse('expected a JWK Set, as JSON');
  // Parses it again with the checks of every source, which refuse repeated members, for example.
  return parseSource(text, node.path).documents[0] ?? node.refuse('expected a JWK Set, as JSON');
}

/** Imports the URL of a JWK Set, which is fetched over https. */
export function putUrl(draft: Draft, at: Place, node: SourceNode, text: string = node.text()): void {
  const host = URL.canParse(text) ? new URL(text) : undefined;
  if (host?.protocol !== 'http:') {
    draft.set([...at, 'jwksUrl'], text, node);
    return;
  }
  if (/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host.hostname)) {
    draft.set([...at, 'jwksUrl'], text, node);
    draft.set([...at, 'allowHttp'], true, node);
    draft.note('check', [...at, 'allowHttp'], node, 'plain HTTP is only for this machine and for tests');
    return;
  }
  draft.set([...at, 'jwksUrl'], text.replace(/^http:/i, 'https:'), node);
  draft.note(
    'safer',
    [...at, 'jwksUrl'],
    node,
    'was plain HTTP, over which an attacker on the network can replace the keys; allowHttp: true and the old URL restore that',
  );
}

/** Names the secret that has the keys. */
export function putSecret(draft: Draft, at: Place, name: string, from: SourceNode): void {
  draft.set([...at, 'secret'], { name, key: 'jwks.json' }, from);
}
