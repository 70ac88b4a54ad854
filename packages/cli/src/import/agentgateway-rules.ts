// Imports the rules next to a JWT policy: CEL expressions that rules can express, and the claims of
// RBAC policies with their delimiter.
import { type Condition, readCel, ruleOf } from './cel.ts';
import { type Draft, type PathRule, quoted } from './draft.ts';
import type { SourceNode } from './source.ts';

type Action = 'allow' | 'deny' | 'require';

/** The claims that core requires anyway. */
const ASKED_FOR: ReadonlySet<string> = new Set(['exp', 'iss']);

interface Expression {
  readonly node: SourceNode;
  readonly action: Action;
  readonly conditions: readonly Condition[] | undefined;
}

/**
 * CEL: one expression that allows, all that are required, none that denies.
 * @throws Failure with the place
 */
export function putAuthorization(draft: Draft, authorization: SourceNode): readonly PathRule[] {
  const expressions = expressionsIn(authorization);
  const none = (expression: Expression): readonly PathRule[] => {
    draft.note(
      'no-equivalent',
      [],
      expression.node,
      `this was a restriction (${expression.action}): rules cannot express ${quoted(expression.node.text())}; check it in a handler`,
    );
    return [];
  };
  const of = (action: Action) => expressions.filter((expression) => expression.action === action);
  const allows = of('allow');
  const merged = oneOfAll(allows.map(({ conditions }) => conditions));
  return [
    ...(merged === undefined ? allows.flatMap(none) : merged.map(ruleOf)),
    ...of('require').flatMap((one) => one.conditions?.map(ruleOf) ?? none(one)),
    ...of('deny').flatMap((one) => {
      const [condition, another] = one.conditions ?? [];
      const values = another === undefined && condition?.inList !== true ? condition?.values : undefined;
      return condition === undefined || values === undefined
        ? none(one)
        : [{ path: condition.path, rule: { optional: { noneOf: values } } }];
    }),
  ];
}

function expressionsIn(authorization: SourceNode): readonly Expression[] {
  const action = authorization.member('action');
  const isKnown = (name: string): name is Action => ['allow', 'deny', 'require'].includes(name);
  const said = action?.text().toLowerCase() ?? 'allow';
  if (!isKnown(said)) return action?.refuse('expected Allow, Deny or Require') ?? [];
  const list = authorization.member('policy')?.member('matchExpressions') ?? authorization.member('rules');
  return (list ?? authorization.refuse('expected policy.matchExpressions or rules')).items().map((item) => {
    if (!item.isObject()) return expressionOf(item, said);
    const [entry, another] = item.members();
    if (entry === undefined || another !== undefined || !isKnown(entry[0]))
      return item.refuse('expected one of allow, deny and require');
    return expressionOf(entry[1], entry[0]);
  });
}

function expressionOf(node: SourceNode, action: Action): Expression {
  return { node, action, conditions: readCel(node.text()) };
}

/**
 * Turns alternatives into conditions that must all hold. This is possible for one alternative, or
 * if all are about the same claim.
 */
function oneOfAll(
  alternatives: readonly (readonly Condition[] | undefined)[],
): readonly Condition[] | undefined {
  const [first, ...others] = alternatives;
  if (others.length === 0) return alternatives.length === 0 ? [] : first;
  const singles = alternatives.map((conditions) => (conditions?.length === 1 ? conditions[0] : undefined));
  const [one] = singles;
  if (one === undefined) return undefined;
  const isAlike = (other: Condition | undefined) =>
    other?.values !== undefined && other.inList === one.inList && samePath(other.path, one.path);
  if (!singles.every(isAlike)) return undefined;
  // anyOf also matches one of several values in a list.
  return [{ ...one, inList: false, values: singles.flatMap((single) => single?.values ?? []) }];
}

function samePath(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, index) => name === other[index]);
}

/**
 * RBAC: claims by name, or by a path if the policy has a delimiter.
 * @throws Failure with the place
 */
export function putRbac(draft: Draft, rbac: SourceNode): readonly PathRule[] {
  const policies = (rbac.member('policies') ?? rbac).members().map(([, policy]) => policy);
  const principals = policies.flatMap((policy) =>
    (policy.member('principals') ?? policy.refuse('expected principals'))
      .items()
      .map((node) => ({ node, policy })),
  );
  const [first, another] = principals;
  if (first === undefined) return rbac.refuse('expected principals, because without them no request passes');
  another?.node.refuse(
    'is an alternative to another principal, which rules for all tokens cannot express; import them one by one',
  );
  const permissions = first.policy.member('permissions');
  if (permissions !== undefined)
    draft.note(
      'check',
      ['claims'],
      permissions,
      `the gateway accepted these tokens only for ${quoted(JSON.stringify(permissions.value))}; here the rules apply to every route`,
    );
  const delimiter = first.policy.member('nestedClaimDelimiter')?.text();
  const principal = first.node.member('jwtPrincipal') ?? first.node.refuse('expected jwtPrincipal');
  const matcher = principal.member('matcher')?.text() ?? 'EXACT_STRING';
  const claims = (principal.member('claims') ?? principal.refuse('expected claims')).members();
  if (claims.length === 0) principal.refuse('expected claims');
  for (const [name, left] of [...principal.left(), ...first.node.left(), ...first.policy.left()])
    draft.note(
      'no-equivalent',
      ['claims'],
      left,
      `this may have been a restriction: ${quoted(name)} is unknown`,
    );
  return claims.map(([name, node]) => ({
    path: delimiter === undefined ? [name] : name.split(delimiter),
    rule: matched(node, matcher, principal),
  }));
}

function matched(node: SourceNode, matcher: string, principal: SourceNode): unknown {
  switch (matcher) {
    case 'EXACT_STRING':
      return { anyOf: [node.text()] };
    case 'LIST_CONTAINS':
      return { allOf: [node.text()] };
    case 'BOOLEAN':
      if (node.value !== true && node.value !== false && node.value !== 'true' && node.value !== 'false')
        node.refuse('expected true or false');
      return { anyOf: [node.value === true || node.value === 'true'] };
    default:
      return principal.refuse('matcher: expected EXACT_STRING, BOOLEAN or LIST_CONTAINS');
  }
}

/** `requiredClaims`, which requires the presence of claims. */
export function requiredClaims(draft: Draft, node: SourceNode): readonly PathRule[] {
  const list = (node.member('jwtValidationOptions') ?? node).member('requiredClaims');
  const names = list?.texts() ?? [];
  if (list !== undefined && !names.includes('exp'))
    draft.note(
      'safer',
      [],
      list,
      'tokens without exp are refused; the gateway accepted them; requireExp: false restores that',
    );
  return names
    .filter((name) => !ASKED_FOR.has(name))
    .map((name) => ({ path: [name], rule: { present: true } }));
}

/**
 * Adds rules to a draft. Rules on iss become `issuers`; all others become `claims`.
 * @throws Failure with the place
 */
export function putRules(draft: Draft, rules: readonly PathRule[], from: SourceNode): void {
  const isIssuer = ({ path }: PathRule) => path.length === 1 && path[0] === 'iss';
  const claims = rules.filter((rule) => !isIssuer(rule));
  const [issuers, another] = rules.filter(isIssuer);
  if (issuers !== undefined) {
    const { rule } = issuers;
    const values: unknown =
      typeof rule === 'object' && rule !== null ? Reflect.get(rule, 'anyOf') : undefined;
    if (!Array.isArray(values) || another !== undefined)
      from.refuse(`has a condition on ${quoted('iss')} that issuers cannot express; add it by hand`);
    draft.set(['issuers'], values, from);
  }
  if (claims.length > 0) draft.set(['claims'], claims, from);
}
