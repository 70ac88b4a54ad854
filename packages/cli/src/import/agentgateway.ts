// Imports agentgateway policies: the JWT section, in the format of Kubernetes or of the standalone
// file, and the rules next to it.
// Same decisions: issuers, audiences and required claims of each provider, keys by kid, mode, exp.
// Safer: without a mode it is strict; keys are fetched over https.
import { isDeepStrictEqual } from 'node:util';
import { putProviderKeys } from './agentgateway-keys.ts';
import { putAuthorization, putRbac, putRules, requiredClaims } from './agentgateway-rules.ts';
import { putAudiences } from './audiences.ts';
import { type Draft, noteLeft, type PathRule } from './draft.ts';
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
const AUTHORIZATIONS = ['authorization', 'rbac'];

/** True for a file that looks like a policy of agentgateway. */
export function isAgentgateway(root: SourceNode): boolean {
  if (!root.isObject()) return false;
  const kind = root.member('kind')?.value;
  return (
    KINDS.some((known) => known === kind) ||
    ['binds', 'jwtAuthentication', 'jwtAuth'].some((name) => root.member(name) !== undefined)
  );
}

/** Adds the policies of a file to a draft. @throws Failure with the place */
export function importAgentgateway(draft: Draft, documents: readonly SourceNode[]): void {
  const policies = documents.filter(isAgentgateway).flatMap(policiesIn);
  const [first, ...others] = policies;
  if (first === undefined) {
    documents[0]?.refuse('has no jwtAuthentication and no jwtAuth');
    return;
  }
  for (const other of others)
    if (!isDeepStrictEqual(decisiveOf(other), decisiveOf(first)))
      other.jwt.refuse('differs from the policy before it; import them one by one');
  putPolicy(draft, first);
  // Rules that are outside of the JWT policy whose tokens they restrict.
  for (const around of documents.filter(isAgentgateway).flatMap(surroundingsIn)) {
    const apart = around.oneOf(...BLOCKS) === undefined ? around.oneOf(...AUTHORIZATIONS) : undefined;
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
function decisiveOf({ jwt, around }: Policy): unknown {
  return [jwt.value, around.oneOf(...AUTHORIZATIONS)?.value];
}

interface Policy {
  readonly jwt: SourceNode;
  /** The object that contains it, with the rules next to it. */
  readonly around: SourceNode;
  readonly isKubernetes: boolean;
}

function policiesIn(root: SourceNode): readonly Policy[] {
  const isKubernetes = root.member('kind') !== undefined || root.member('jwtAuthentication') !== undefined;
  return surroundingsIn(root).flatMap((around) => {
    const jwt = around.oneOf(...BLOCKS);
    return jwt === undefined ? [] : [{ jwt, around, isKubernetes }];
  });
}

/** The objects that may contain a policy. */
function surroundingsIn(root: SourceNode): readonly SourceNode[] {
  if (root.member('kind') !== undefined) {
    const spec = root.member('spec') ?? root.refuse('expected spec');
    const traffic = spec.member('traffic');
    return traffic === undefined ? [spec] : [traffic, spec];
  }
  const binds = root.member('binds');
  if (binds === undefined) return [root];
  const listeners = binds.items().flatMap((bind) => bind.member('listeners')?.items() ?? []);
  const routes = listeners.flatMap((listener) => listener.member('routes')?.items() ?? []);
  return [...listeners, ...routes].flatMap((node) => node.member('policies') ?? []);
}

function putPolicy(draft: Draft, { jwt, around, isKubernetes }: Policy): void {
  const listed = jwt.member('providers');
  const providers =
    listed === undefined
      ? [jwt]
      : listed.isObject()
        ? listed.members().map(([, one]) => one)
        : listed.items();
  if (providers.length === 0) jwt.refuse('expected at least one provider');
  const names = createSecretNames();
  for (const [index, provider] of providers.entries())
    putProvider(draft, index, provider, isKubernetes, names);
  putAudience(draft, providers);
  putMode(draft, jwt, isKubernetes);
  const rules: PathRule[] = [...requiredClaims(jwt)];
  for (const [index, provider] of providers.entries()) {
    const required = provider === jwt ? [] : requiredClaims(provider);
    if (required.length > 0) draft.set(['keySets', index, 'claims'], required, provider);
  }
  const authorization = around.oneOf(...AUTHORIZATIONS);
  if (authorization !== undefined)
    rules.push(
      ...(authorization.member('policies') === undefined
        ? putAuthorization(draft, authorization)
        : putRbac(draft, authorization)),
    );
  putRules(draft, rules, authorization ?? jwt);
  for (const name of [
    'mcpAuthorization',
    'mcpAuthentication',
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
  isKubernetes: boolean,
  names: (hint: string) => string,
): void {
  const at = ['keySets', index] as const;
  provider.member('name');
  const issuer = provider.member('issuer') ?? provider.refuse('expected an issuer');
  draft.set([...at, 'issuer'], issuer.text(), issuer);
  draft.comesFrom(at, provider);
  putProviderKeys(draft, at, provider, { issuer: issuer.text(), isKubernetes, names });
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

function putMode(draft: Draft, jwt: SourceNode, isKubernetes: boolean): void {
  const mode = jwt.member('mode');
  const said = mode?.text().toLowerCase();
  if (said !== undefined && !['strict', 'optional', 'permissive'].includes(said))
    mode?.refuse('expected Strict, Optional or Permissive');
  draft.set(['mode'], said ?? 'strict', mode ?? jwt);
  if (said === undefined && !isKubernetes)
    draft.note(
      'safer',
      ['mode'],
      jwt,
      'without a mode the standalone gateway lets requests without a token pass; optional restores that',
    );
}
