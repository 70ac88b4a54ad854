// Imports agentgateway policies: the JWT or MCP section, in the format of Kubernetes or of the
// standalone file, and the rules next to it.
// Same decisions: issuers, audiences and required claims of each provider, keys by kid, mode, exp.
// Safer: without a mode it is strict; keys are fetched over https.
import { isDeepStrictEqual } from 'node:util';
import { putProviderKeys } from './agentgateway-keys.ts';
import { putDerivedKeys, putResource } from './agentgateway-mcp.ts';
import { putAuthorization, putRbac, putRules, requiredClaims } from './agentgateway-rules.ts';
import { putAudiences } from './audiences.ts';
import { type Draft, noteLeft, type PathRule } from './draft.ts';
import { oneField } from './fields.ts';
import { headerPlace, putTokenPlaces } from './places.ts';
import { createSecretNames } from './secret-names.ts';
import type { SourceNode } from './source.ts';

const KINDS = [
  'AgentgatewayPolicy',
  'EnterpriseAgentgatewayPolicy',
  'TrafficPolicy',
  'GlooTrafficPolicy',
  'GatewayExtension',
];
const BLOCKS = ['jwtAuthentication', 'jwtAuth', 'jwt'];
const MCP = 'mcpAuthentication';
const AUTHORIZATIONS = ['authorization', 'rbac'];

/** True for a file that looks like a policy of agentgateway. */
export function isAgentgateway(root: SourceNode): boolean {
  if (!root.isObject()) return false;
  const kind = root.member('kind')?.value;
  return (
    KINDS.some((known) => known === kind) ||
    ['binds', 'gateways', 'jwtAuthentication', 'jwtAuth', MCP].some((name) => root.member(name) !== undefined)
  );
}

/** Adds the policies of a file to a draft. @throws Failure with the place */
export function importAgentgateway(draft: Draft, documents: readonly SourceNode[]): void {
  const policies = documents.filter(isAgentgateway).flatMap(policiesIn);
  const [first, ...others] = policies;
  if (first === undefined) {
    documents[0]?.refuse('has no jwtAuthentication, no jwtAuth and no mcpAuthentication');
    return;
  }
  for (const other of others)
    if (!isDeepStrictEqual(decisiveOf(other), decisiveOf(first)))
      other.jwt.refuse('differs from the policy before it; import them one by one');
  putPolicy(draft, first);
  // Rules that are outside of the JWT policy whose tokens they restrict.
  for (const around of documents.filter(isAgentgateway).flatMap(surroundingsIn)) {
    const apart = policyOf(around) === undefined ? around.oneOf(...AUTHORIZATIONS) : undefined;
    if (apart !== undefined)
      draft.note(
        'no-equivalent',
        [],
        apart,
        'this was a restriction: put these rules next to the JWT policy, and import again',
      );
  }
}

/** The members that decide about tokens. */
function decisiveOf({ jwt, rules }: Policy): unknown {
  return [jwt.value, rules?.value];
}

interface Policy {
  readonly jwt: SourceNode;
  /** The object that contains it. */
  readonly around: SourceNode;
  /** The rules next to it. */
  readonly rules: SourceNode | undefined;
  /** It is `mcpAuthentication`. */
  readonly isMcp: boolean;
  /** Without a mode, a token is required. */
  readonly isStrict: boolean;
}

function policiesIn(root: SourceNode): readonly Policy[] {
  const isKubernetes = root.member('kind') !== undefined || root.member('jwtAuthentication') !== undefined;
  const found = surroundingsIn(root).flatMap((around) => policyOf(around, isKubernetes) ?? []);
  const backend = root.member('kind') === undefined ? undefined : root.member('spec')?.member('backend');
  const around = backend?.member('mcp');
  const jwt = around?.member('authentication');
  if (around === undefined || jwt === undefined) return found;
  return [...found, { jwt, around, rules: undefined, isMcp: true, isStrict: true }];
}

function policyOf(around: SourceNode, isKubernetes = false): Policy | undefined {
  const jwt = around.oneOf(...BLOCKS);
  const mcp = around.member(MCP);
  // The gateway refuses every request: the JWT policy removes the token that the MCP policy needs.
  if (jwt !== undefined) mcp?.refuse(`conflicts with ${jwt.path}; keep one of them`);
  const policy = jwt ?? mcp;
  if (policy === undefined) return undefined;
  const isMcp = mcp !== undefined;
  return {
    jwt: policy,
    around,
    rules: around.oneOf(...AUTHORIZATIONS),
    isMcp,
    isStrict: isMcp || isKubernetes,
  };
}

/** The objects that may contain a policy. */
function surroundingsIn(root: SourceNode): readonly SourceNode[] {
  if (root.member('kind') !== undefined) {
    const spec = root.member('spec') ?? root.refuse('expected spec');
    const traffic = spec.member('traffic');
    return traffic === undefined ? [spec] : [traffic, spec];
  }
  const binds = root.member('binds')?.items();
  const own = root.member('routes')?.items();
  if (binds === undefined && own === undefined) return [root];
  const listeners = (binds ?? []).flatMap((bind) => bind.member('listeners')?.items() ?? []);
  const routes = [
    ...listeners.flatMap((listener) => listener.member('routes')?.items() ?? []),
    ...(own ?? []),
  ];
  const backends = routes.flatMap((route) => route.member('backends')?.items() ?? []);
  return [...listeners, ...routes, ...backends].flatMap((node) => node.member('policies') ?? []);
}

function putPolicy(draft: Draft, { jwt, around, rules: authorization, isMcp, isStrict }: Policy): void {
  const listed = jwt.member('providers');
  const providers =
    listed === undefined
      ? [jwt]
      : listed.isObject()
        ? listed.members().map(([, one]) => one)
        : listed.items();
  if (providers.length === 0) jwt.refuse('expected at least one provider');
  const names = createSecretNames();
  for (const [index, provider] of providers.entries()) putProvider(draft, index, provider, isMcp, names);
  putAudience(draft, providers);
  if (isMcp) putResource(draft, jwt);
  putLocation(draft, jwt);
  putMode(draft, jwt, isStrict);
  const rules: PathRule[] = [...requiredClaims(draft, jwt)];
  for (const [index, provider] of providers.entries()) {
    const required = provider === jwt ? [] : requiredClaims(draft, provider);
    if (required.length > 0) draft.set(['keySets', index, 'claims'], required, provider);
  }
  if (authorization !== undefined) {
    const allowed =
      authorization.member('policies') === undefined
        ? putAuthorization(draft, authorization)
        : putRbac(draft, authorization);
    rules.push(...allowed);
    if (allowed.length > 0)
      draft.note(
        'check',
        ['claims'],
        authorization,
        'a token that does not satisfy these rules gets 401 here and 403 in agentgateway; rules of routes answer 403',
      );
  }
  putRules(draft, rules, authorization ?? jwt);
  for (const name of [
    'mcpAuthorization',
    // Of an MCP backend in Kubernetes, where it is about tools.
    ...(authorization === undefined ? AUTHORIZATIONS : []),
    'extAuthz',
    'extAuth',
    'apiKeyAuth',
    'apiKeyAuthentication',
    'basicAuth',
    'basicAuthentication',
  ]) {
    const member = around.member(name);
    if (member !== undefined)
      draft.note(
        'no-equivalent',
        [],
        member,
        `this was a restriction: ${name} is for the gateway, or for a handler`,
      );
  }
  for (const node of new Set([jwt, ...providers])) noteLeft(draft, [], node, 'a JWT policy');
}

function putProvider(
  draft: Draft,
  index: number,
  provider: SourceNode,
  isMcp: boolean,
  names: (hint: string) => string,
): void {
  const at = ['keySets', index] as const;
  provider.member('name');
  const issuer = provider.member('issuer') ?? provider.refuse('expected an issuer');
  draft.set([...at, 'issuer'], issuer.text(), issuer);
  draft.comesFrom(at, provider);
  if (isMcp && isKeyless(provider.member('jwks'))) putDerivedKeys(draft, at, provider, issuer);
  else putProviderKeys(draft, at, provider, { issuer: issuer.text(), names });
  // The gateway finds the key by the kid of the token, and none without a kid.
  draft.set([...at, 'kidless'], 'refuse', provider);
}

/** One of the audiences of a provider is enough. */
function putAudience(draft: Draft, providers: readonly SourceNode[]): void {
  putAudiences(
    draft,
    providers.map((provider) => {
      const node = provider.member('audiences');
      const audiences = node?.texts() ?? [];
      return { node: node ?? provider, audiences: audiences.length === 0 ? null : audiences };
    }),
  );
}

/** True if the gateway finds the keys by the provider. */
function isKeyless(jwks: SourceNode | undefined): boolean {
  return jwks === undefined || (jwks.isObject() && jwks.member('url')?.value === '');
}

function putLocation(draft: Draft, jwt: SourceNode): void {
  const location = jwt.oneOf('location', 'authorizationLocation');
  if (location === undefined) return;
  const [form, inside] = oneField(location, ['header', 'query_parameter', 'cookie', 'expression']) ?? [];
  if (inside === undefined || form === 'expression') {
    location.refuse('expected header, queryParameter or cookie; no other place can be read');
    return;
  }
  const name = (inside.member('name') ?? inside.refuse('expected a name')).text();
  const place =
    form === 'header'
      ? headerPlace(name, inside.member('prefix'))
      : { [form === 'cookie' ? 'cookie' : 'query']: name };
  putTokenPlaces(draft, [place], location);
}

function putMode(draft: Draft, jwt: SourceNode, isStrict: boolean): void {
  const mode = jwt.member('mode');
  const said = mode?.text().toLowerCase();
  if (said !== undefined && !['strict', 'optional', 'permissive'].includes(said))
    mode?.refuse('expected Strict, Optional or Permissive');
  draft.set(['mode'], said ?? 'strict', mode ?? jwt);
  if (said === undefined && !isStrict)
    draft.note(
      'safer',
      ['mode'],
      jwt,
      'without a mode the standalone gateway lets requests without a token pass; optional restores that',
    );
}
