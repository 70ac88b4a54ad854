// Imports the keys of an agentgateway provider: inline, at a URL, at a backend of the cluster, or
// in a file. Rules are in agentgateway-rules.ts.
import { type Draft, quoted } from './draft.ts';
import { putInline, putSecret, putUrl } from './jwks.ts';
import type { SourceNode } from './source.ts';

/** What is known about the provider. */
export interface ProviderSurroundings {
  readonly issuer: string;
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
    putInline(draft, at, jwks, () => known.names(known.issuer));
    return;
  }
  const inline = jwks.oneOf('inline', 'local');
  // The MCP policy of Kubernetes has the members of remote here.
  const remote = jwks.member('remote') ?? (jwks.member('jwksPath') === undefined ? undefined : jwks);
  const url = jwks.member('url');
  const file = jwks.member('file');
  const [source, another] = [inline, remote, url, file].filter((node) => node !== undefined);
  another?.refuse(`conflicts with ${source?.path ?? 'another'}; keep the one with the keys`);
  if (inline !== undefined) putInline(draft, at, inlineText(inline), () => known.names(known.issuer));
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
  } else if (jwks.member('keys') !== undefined) putInline(draft, at, jwks, () => known.names(known.issuer));
  else jwks.refuse('expected inline, remote, url or file');
  for (const [name, left] of jwks.left())
    draft.note('no-equivalent', at, left, `${quoted(name)} is an unknown setting of keys; check its effect`);
}

function inlineText(inline: SourceNode): SourceNode {
  return inline.isObject() ? (inline.oneOf('key', 'inline') ?? inline) : inline;
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
