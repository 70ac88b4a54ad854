// Compiles rules into checks: rules are compiled once, when a service starts, and checked on every
// request.
import { isScopeToken } from '../challenge.ts';
import { ConfigError } from '../errors.ts';
import { foldCase } from '../values/fold.ts';
import type { JsonObject } from '../values/json.ts';
import { readText } from '../values/readers.ts';
import type { Holds, NormalRule } from './form.ts';
import { NOTHING } from './forms.ts';
import { checkOfRule, entriesOf, type RuleEntry } from './normalize.ts';
import { claimAt, splitPath } from './path.ts';
import type { RequestParameters, Rules } from './rules.ts';

/** The rule on one claim, ready to be checked. */
export interface ClaimCheck {
  /** Shown in messages: the name of the claim, or its path with dots. */
  readonly claim: string;
  /** The path of the claim under an authenticator's `nestedClaimDelimiter`. Empty: all claims. */
  readonly path: (delimiter: string | undefined) => readonly string[];
  /** The rule is about a scope claim: its failure is `scope_insufficient`. */
  readonly isScope: boolean;
  /** The scopes that would satisfy the rule, if it names any: configuration, never token data. */
  readonly scope: string | undefined;
  /** The rule compares the claim with the request. */
  readonly needsRequest: boolean;
  /** For `explain`: see `ruleText`. */
  readonly rule: NormalRule;
  readonly holds: Holds;
}

/** Rules that `compileRules` has compiled. `R` is the type of the written rules, for types only. */
export interface CompiledRules<R = Rules> {
  readonly [COMPILED]: readonly ClaimCheck[];
  /** The object itself, so that a copy with other members does not count as compiled rules. */
  readonly [ITSELF]: unknown;
  /** The name of a route in the options, whose rules apply in place of these: see `route`. */
  readonly route?: string | undefined;
  readonly '~rules'?: R;
}

/** The authenticator and the request for which a check runs. */
export interface EvaluationContext {
  /** The authenticator's `nestedClaimDelimiter`. */
  readonly delimiter?: string | undefined;
  readonly request?: RequestParameters | undefined;
  /** Gets what schemas make of the claims that they accept. */
  readonly outputs?: SchemaOutputs | undefined;
}

/** What schemas returned for claims, in the order of the rules. An empty path means all claims. */
export type SchemaOutputs = { readonly path: readonly string[]; readonly value: unknown }[];

const COMPILED: unique symbol = Symbol('compiled rules');
const ITSELF: unique symbol = Symbol('itself');

/**
 * Claims whose string is a space-delimited list (RFC 6749 §3.3, and the practice of identity
 * providers).
 */
const LIST_CLAIMS: ReadonlySet<string> = new Set(['scope', 'scp', 'permissions']);
const SCOPE_CLAIMS: ReadonlySet<string> = new Set(['scope', 'scp']);

/**
 * Checks rules and compiles them. Returns compiled rules as they are.
 * @throws ConfigError for a value that is not a rule, and for a rule that can never fail or never
 *   hold
 */
export function compileRules<const R extends Rules>(
  rules: R | CompiledRules<R>,
  path = 'claims',
): CompiledRules<R> {
  if (isCompiled(rules)) return rules;
  refuseCompiled(rules, path);
  if (Array.isArray(rules)) {
    if (rules.length === 0) throw new ConfigError(path, 'expected at least one rule');
    rules.forEach((entry, index) => void refuseCompiled(entry, `${path}[${index}]`));
  }
  const rows = new Set<string>();
  return made(entriesOf(rules, path).map((entry) => compileEntry(entry, rows)));
}

function made<R>(checks: readonly ClaimCheck[], name?: string): CompiledRules<R> {
  const rules = { [COMPILED]: Object.freeze(checks), [ITSELF]: undefined as unknown, route: name };
  rules[ITSELF] = rules;
  return Object.freeze(rules);
}

/**
 * Refers to the rules of this name in `routes` of the options, wherever rules are accepted. They
 * are looked up for each request, in the options of the authenticator that made the principal. A
 * name that those options do not have is a TypeError, so the request does not pass.
 * @throws ConfigError for a name that is not a string, or is blank
 * @example
 * ```ts
 * // service.yaml has: routes: { admin: { claims: { roles: [admin] } } }
 * const authenticator = createAuthenticator({ descriptor: 'service.yaml' });
 * authorize(await authenticator.authenticate(request), route('admin'));
 * ```
 */
export function route(name: string): CompiledRules {
  readText(name, 'route');
  const holds: Holds = () => {
    throw new TypeError(`route ${name}: only authorize can look up the rules of a route`);
  };
  const check = {
    claim: `route ${name}`,
    path: () => [],
    isScope: false,
    scope: undefined,
    needsRequest: false,
  };
  return made([Object.freeze({ ...check, rule: NOTHING, holds })], name);
}

/** Returns the first check that does not hold; undefined if all hold. */
export function firstFailure(
  rules: CompiledRules<unknown>,
  claims: JsonObject,
  { delimiter, request, outputs }: EvaluationContext = {},
): ClaimCheck | undefined {
  for (const check of rules[COMPILED]) {
    const path = check.path(delimiter);
    const claim = claimAt(claims, path);
    const take =
      outputs !== undefined && check.rule.form === 'schema'
        ? (value: unknown) => {
            if (value !== claim) outputs.push({ path, value });
          }
        : undefined;
    if (!check.holds(claim, request, take)) return check;
  }
  return undefined;
}

/**
 * A name of a rule on `groups` that no group has where all groups are in lower case; undefined if
 * there is none.
 */
export function unfoldedGroup(rules: CompiledRules<unknown>): string | undefined {
  for (const { claim, rule } of rules[COMPILED]) {
    const found = claim === 'groups' ? rule.names.find((name) => isUnfolded(name)) : undefined;
    if (found !== undefined) return String(found);
  }
  return undefined;
}

function isUnfolded(name: unknown): boolean {
  return typeof name === 'string' && foldCase(name) !== name;
}

/** The rules one by one, for `explain`. */
export function checksIn(rules: CompiledRules<unknown>): readonly ClaimCheck[] {
  return rules[COMPILED];
}

/** The claims that the rules name, for messages. */
export function claimNames(rules: CompiledRules<unknown>): readonly string[] {
  return rules[COMPILED].map(({ claim }) => claim);
}

/** True if a rule compares a claim with the request. */
export function needsRequest(rules: CompiledRules<unknown>): boolean {
  return rules[COMPILED].some((check) => check.needsRequest);
}

/** Splits a space-delimited list, at U+0020 only. */
export function splitList(text: string): readonly string[] {
  return text.split(' ').filter((item) => item !== '');
}

function isCompiled<R>(rules: R | CompiledRules<R>): rules is CompiledRules<R> {
  return typeof rules === 'object' && rules !== null && ITSELF in rules && rules[ITSELF] === rules;
}

/**
 * Refuses compiled rules next to or inside other rules. Their checks have no name there, so they
 * would be read as empty rules.
 */
function refuseCompiled(value: unknown, path: string): void {
  if (typeof value === 'object' && value !== null && COMPILED in value)
    throw new ConfigError(path, 'cannot nest compiled rules or route(…) inside other rules; pass them alone');
}

function compileEntry({ place, kind, path: at, normalize }: RuleEntry, rows: Set<string>): ClaimCheck {
  const rule = normalize();
  const claim = place.join('.');
  const top = place.length === 1 ? claim : '';
  const isList = LIST_CLAIMS.has(top);
  if (kind === 'row') {
    if (rows.has(claim))
      throw new ConfigError(`${at}.name`, `expected one row for each claim, got another one for ${claim}`);
    rows.add(claim);
  } else if (isList) {
    refuseSpaces(rule, kind === 'path' ? `${at}.rule` : at);
  }
  const isScope = SCOPE_CLAIMS.has(top);
  const scopes =
    isScope && rule.form !== 'noneOf'
      ? rule.names.filter((item) => typeof item === 'string').filter(isScopeToken)
      : [];
  const judge = checkOfRule(rule);
  const split = rememberingSplit();
  return Object.freeze({
    claim,
    path: kind === 'name' || kind === 'row' ? pathsOf(claim) : () => place,
    isScope,
    scope: scopes.length > 0 ? scopes.join(' ') : undefined,
    needsRequest: rule.form === 'fromRequest',
    rule,
    holds: isList
      ? (value, request, take) => judge(typeof value === 'string' ? split(value) : value, request, take)
      : judge,
  });
}

/**
 * Makes the function that returns the path of a claim by its name. It splits the name once for each
 * delimiter; an application has one delimiter, or a few.
 */
function pathsOf(name: string): ClaimCheck['path'] {
  const paths = new Map<string | undefined, readonly string[]>();
  return (delimiter) => {
    const known = paths.get(delimiter);
    if (known !== undefined) return known;
    const path = Object.freeze(splitPath(name, delimiter));
    paths.set(delimiter, path);
    return path;
  };
}

/** Splits a list, and remembers the last one: most tokens of a service have the same list. */
function rememberingSplit(): (text: string) => readonly string[] {
  let last = '';
  let items: readonly string[] = [];
  return (text) => {
    if (text !== last) {
      items = splitList(text);
      last = text;
    }
    return items;
  };
}

function refuseSpaces({ names }: NormalRule, path: string): void {
  if (names.some((name) => typeof name === 'string' && (name === '' || name.includes(' '))))
    throw new ConfigError(
      path,
      `can never hold, or never fail: the claim is a list, so name each item, like ['a', 'b']`,
    );
}
