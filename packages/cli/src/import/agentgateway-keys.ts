// The keys of an agentgateway provider: in place, behind a URL, behind a backend of the cluster, or
// in a file.
import { publicJwk } from '@latchkey/core/signing';
import { type Draft, quoted } from './draft.ts';
import { parseSource, type SourceNode } from './source.ts';

/** What is known of the provider. */
export interface ProviderSurroundings {
  readonly issuer: string;
  readonly isKubernetes: boolean;
  /** Makes names for secrets, each once. */
  readonly names: (hint: string) => string;
}

type At = readonly (string | number)[];

/**
 * Says a provider's keys. No private and no symmetric key gets into the draft.
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
  another?.refuse(`stands beside ${source?.path ?? 'another'}: which of the two has the keys?`);
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
    draft.note(
      'no-equivalent',
      at,
      left,
      `${quoted(name)} is no setting of keys that is known here; look at what it does`,
    );
}

function inlineText(inline: SourceNode): SourceNode {
  return inline.isObject() ? (inline.oneOf('key', 'inline') ?? inline) : inline;
}

/** A JWK Set in place: the public half of each key, if there is nothing else in it. */
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
      `a ${hasSymmetric ? 'symmetric' : 'private'} key stood here, and is left out: put the JWK Set into secrets/${name}/jwks.json, readable by the service alone (0600)${hasSymmetric ? '; each key in it has to say its alg' : `; of a PEM file, latchkey secrets create asymmetric ${name} --private-key FILE --extract-public-key`}`,
    );
    return;
  }
  const publicKeys = members.map((member) => {
    const half =
      publicJwk(Object(member.value)) ?? node.refuse('holds what is no public key that is known here');
    // "use" of another kind is kept as it is said, and core skips the key.
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
  // Again, with what is refused of every source: repeated members above all.
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
    draft.note('check', [...at, 'allowHttp'], node, 'plain HTTP is for this machine only, and for tests');
    return;
  }
  draft.set([...at, 'jwksUrl'], text.replace(/^http:/i, 'https:'), node);
  draft.note(
    'safer',
    [...at, 'jwksUrl'],
    node,
    'was plain HTTP, by which anybody on the way can put in keys of his own; allowHttp: true and the old URL bring that back',
  );
}

/** A backend of the cluster has no URL: where it is has to be said where the service runs. */
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
      `${quoted(name)} is no setting of remote keys that is known here; look at what it does`,
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
