// Imports the MCP policy of agentgateway, mcpAuthentication: what it has in addition to a JWT
// policy. Its keys can follow from the provider, and it publishes the metadata of a resource.
import { type Draft, noteLeft, type Place, quoted } from './draft.ts';
import { field } from './fields.ts';
import { putUrl } from './jwks.ts';
import type { SourceNode } from './source.ts';

const WHAT = 'mcpAuthentication';

/** Where the providers publish their keys, after the issuer. */
const KEYS: Readonly<Record<string, string>> = {
  '': '/.well-known/jwks.json',
  auth0: '/.well-known/jwks.json',
  okta: '/.well-known/jwks.json',
  keycloak: '/protocol/openid-connect/certs',
  authentik: '/jwks/',
};

/** Members of the metadata, with their options. */
const MEMBERS = [
  ['resource_name', 'name'],
  ['resource_documentation', 'documentation'],
  ['resource_policy_uri', 'policy'],
  ['resource_tos_uri', 'termsOfService'],
  ['jwks_uri', 'jwksUrl'],
] as const;
const LISTS = [
  ['authorization_servers', 'authorizationServers'],
  ['resource_signing_alg_values_supported', 'signingAlgorithms'],
] as const;

/** Adds keys that the policy does not name: the gateway finds them by the provider. */
export function putDerivedKeys(draft: Draft, at: Place, policy: SourceNode, issuer: SourceNode): void {
  const provider = providerOf(policy);
  const path = Object.hasOwn(KEYS, provider) ? KEYS[provider] : undefined;
  if (path !== undefined) {
    putUrl(draft, at, issuer, `${issuer.text().replace(/\/+$/, '')}${path}`);
    return;
  }
  draft.set([...at, 'useDiscovery'], 'any', policy);
  draft.note(
    'check',
    [...at, 'useDiscovery'],
    policy,
    `the gateway finds the keys of ${quoted(provider)} in a way of its own; here the metadata of the issuer name them`,
  );
}

/** Adds the resource that the policy publishes. @throws Failure with the place */
export function putResource(draft: Draft, policy: SourceNode): void {
  const provider = providerOf(policy);
  if (provider !== '')
    draft.note(
      'no-equivalent',
      [],
      policy.member('provider') ?? policy,
      `the gateway spoke for ${quoted(provider)} to clients, with metadata and a registration of its own; here clients are told of the issuer, which must offer both`,
    );
  for (const name of ['clientId', 'clientSecret', 'relaySigningKey']) {
    const member = policy.member(name);
    if (member !== undefined)
      draft.note(
        'no-equivalent',
        [],
        member,
        `${name} is for clients, which get their tokens from the issuer`,
      );
  }
  const metadata = policy.member('resourceMetadata');
  const url = metadata?.member('resource');
  if (metadata === undefined || url === undefined) {
    draft.note(
      'check',
      [],
      metadata ?? policy,
      'the gateway made the URL of the resource from each request; set resource.url, and publish it with publishResource',
    );
    return;
  }
  draft.set(['resource', 'url'], url.text(), url);
  draft.note('check', ['resource'], metadata, 'publishResource of the framework answers with these metadata');
  for (const [name, option] of MEMBERS) {
    const member = field(metadata, name);
    if (member !== undefined) draft.set(['resource', option], member.text(), member);
  }
  for (const [name, option] of LISTS) {
    const member = field(metadata, name);
    if (member !== undefined) draft.set(['resource', option], member.texts(), member);
  }
  putScopes(draft, metadata);
  const methods = field(metadata, 'bearer_methods_supported');
  if (methods?.texts().some((method) => method !== 'header') === true)
    draft.note(
      'no-equivalent',
      ['resource'],
      methods,
      'the metadata name the places in tokenFrom, and no others: the gateway itself read no other place',
    );
  noteLeft(draft, ['resource'], metadata, 'the metadata of a resource');
}

function putScopes(draft: Draft, metadata: SourceNode): void {
  const scopes = field(metadata, 'scopes_supported');
  const all = scopes?.texts() ?? [];
  const named = all.filter((scope) => scope !== 'offline_access');
  if (scopes === undefined) return;
  if (named.length > 0) draft.set(['resource', 'scopes'], named, scopes);
  if (named.length < all.length)
    draft.note(
      'no-equivalent',
      named.length > 0 ? ['resource', 'scopes'] : ['resource'],
      scopes,
      'offline_access is not a scope of a resource: clients ask for it by themselves',
    );
}

/** `{ keycloak: {} }` in the standalone file, `Keycloak` in Kubernetes; empty if there is none. */
function providerOf(policy: SourceNode): string {
  const provider = policy.member('provider');
  if (provider?.isObject() !== true) return provider?.text().toLowerCase() ?? '';
  const [one, another] = provider.members();
  another?.[1].refuse(`conflicts with another provider of ${WHAT}; keep one of them`);
  return one?.[0].toLowerCase() ?? provider.refuse('expected a provider, such as { keycloak: {} }');
}
