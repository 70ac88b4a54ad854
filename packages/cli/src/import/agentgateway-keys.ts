// Imports the keys of an agentgateway provider: inline, at a URL, at a backend of the cluster, or
// in a file. Rules are in agentgateway-rules.ts.
import { publicJwk } from '@latchkey/core/signing';
import { type Draft, quoted } from './draft.ts';
import { parseSource, type SourceNode } from './source.ts';

/** What is known about the provider. */
export interface ProviderSurroundings {
  readonly issuer: string;
  readonly isKubernetes: boolean;
  /** Makes unique names for secrets. */
  readonly names: (hint: string) => string;
}

type At = readonly (string | number)[];

/**
 * Adds a provider's keys to the draft. It never adds private and symmetric keys.
 * @throws Failure with the place
 */
export function putProviderKeys(
  draft: Draft,
  at: At,
  provider: SourceNode,
  known: ProviderSurroundings,
): void {
  const jwks = provider.member('jwks') ?? provider.refuse('expected jwks');
  if (!jwks.isObject()) {
    putInline(draft, at, jwks, known);
    return;
  }
  const inline = jwks.oneOf('inline', 'local');
  const remote = jwks.member('remote');
  const url = jwks.member('url');
  const file = jwks.member('file');
  const [source, another] = [inline, remote, url, file].filter((node) => node !== undefined);
  another?.refuse(`conflicts with ${source?.path ?? 'another'}; keep the one with the keys`);
  if (inline !== undefined) putInline(draft, at, inlineText(inline), known);
  else if (url !== undefined) putUrl(draft, at, url);
  else if (remote !== undefined) putRemote(draft, at, remote);
  else if (file !== undefined) {
    const name = known.names(known.issuer);
    putSecret(draft, at, name, file);
    draft.note(
      'check',
      [...at, 'secret'],
      file,
      `put the JWK Set of ${quoted(file.text())} into secrets/${name}/jwks.json`,
    );
  } else if (jwks.member('keys') !== undefined) putInline(draft, at, jwks, known);
  else jwks.refuse('expected inline, remote, url or file');
  for (const [name, left] of jwks.left())
    draft.note('no-equivalent', at, left, `${quoted(name)} is an unknown setting of keys; check its effect`);
}

function inlineText(inline: SourceNode): SourceNode {
  return inline.isObject() ? (inline.oneOf('key', 'inline') ?? inline) : inline;
}

/**
 * Imports an inline JWK Set: the public half of each key, if the set has no private or symmetric
 * keys.
 */
function putInline(draft: Draft, at: At, node: SourceNode, { issuer, names }: ProviderSurroundings): void {
  const set = node.isObject() ? node : parseInline(node);
  const keys = set.member('keys') ?? node.refuse('expected a JWK Set: { "keys": […] }');
  const members = keys.items();
  const isSecret = members.some(({ value }) =>
    ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'].some((name) => Object.hasOwn(Object(value), name)),
  );
  if (isSecret) {
    const name = names(issuer);
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

function putUrl(draft: Draft, at: At, node: SourceNode): void {
  const text = node.text();
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

/** A backend of the cluster has no URL: a variable of the environment must set its host. */
function putRemote(draft: Draft, at: At, remote: SourceNode): void {
  const uri = remote.oneOf('url', 'uri');
  const path = remote.member('jwksPath');
  const interval = remote.member('cacheDuration');
  const backend = remote.oneOf('backendRef', 'backendRefs');
  if (uri !== undefined) putUrl(draft, at, uri);
  else {
    const text = (path ?? remote.refuse('expected jwksPath')).text();
    const variable = draft.variables.size === 0 ? 'JWKS_HOST' : `JWKS_HOST_${draft.variables.size + 1}`;
    draft.variables.set(variable, 'keys.invalid');
    draft.set([...at, 'jwksUrl'], `https://\${${variable}}/${text.replace(/^\/+/, '')}`, path ?? remote);
    draft.note(
      'check',
      [...at, 'jwksUrl'],
      backend ?? remote,
      `set ${variable} to the host, and the port if it is not 443, that answers by https for ${backend === undefined ? 'the keys' : backendName(backend)}`,
    );
  }
  if (interval !== undefined) draft.set([...at, 'refreshInterval'], interval.text(), interval);
  for (const [name, left] of remote.left())
    draft.note(
      'no-equivalent',
      at,
      left,
      `${quoted(name)} is an unknown setting of remote keys; check its effect`,
    );
}

function backendName(backend: SourceNode): string {
  const one = backend.isObject() ? backend : (backend.items()[0] ?? backend.refuse('expected a backend'));
  const kind = one.member('kind')?.text() ?? 'Service';
  const namespace = one.member('namespace')?.text();
  const name = (one.member('name') ?? one.refuse('expected a name')).text();
  const port = one.member('port')?.integer();
  return `the ${kind} ${quoted([namespace, name].filter((part) => part !== undefined).join('/'))}${port === undefined ? '' : `, port ${port}`}`;
}

function putSecret(draft: Draft, at: At, name: string, from: SourceNode): void {
  draft.set([...at, 'secret'], { name, key: 'jwks.json' }, from);
}
