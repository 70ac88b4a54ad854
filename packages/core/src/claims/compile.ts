// Rules to checks: once, when a service starts. Evaluated on every request.
import { isScopeToken } from '../challenge.ts';
import { ConfigError } from '../errors.ts';
import type { JsonObject } from '../values/json.ts';
import { isPlainObject } from '../values/readers.ts';
import { compileForm, type Holds, type Requirement } from './forms.ts';
import { claimAt, splitPath } from './path.ts';
import { compileRow, isRow } from './rows.ts';
import type { Literal, RequestParameters, Rules } from './rules.ts';
import { compileSchema, isSchema } from './schema.ts';

/** One claim's rule, ready to be evaluated. */
export interface ClaimCheck {
  /** For people: the claim's name, or its path with dots. */
  readonly claim: string;
  /** The way to it under an authenticator's `nestedClaimDelimiter`. Empty: all claims. */
  readonly path: (delimiter: string | undefined) => readonly string[];
  /** A rule on a scope: its failure is `scope_insufficient`. */
  readonly isScope: boolean;
  /** The scopes that would satisfy it, where it names any: configuration, never token data. */
  readonly scope: string | undefined;
  /** It compares with something on the request. */
  readonly needsRequest: boolean;
  /** As it was given, for `explain`. */
  readonly rule: unknown;
  readonly holds: Holds;
}

/** Rules brought to life by `compileRules`. `R` remembers what they say, for types only. */
export interface CompiledRules<R = Rules> {
  readonly [COMPILED]: readonly ClaimCheck[];
  /** The object itself: a copy that something was added to is no compiled rules. */
  readonly [ITSELF]: unknown;
  /** Not these, but those that the authenticator's options have under this name: see `route`. */
  readonly route?: string | undefined;
  readonly '~rules'?: R;
}

/** What surrounds an evaluation. */
export interface EvaluationContext {
  /** The authenticator's `nestedClaimDelimiter`. */
  readonly delimiter?: string | undefined;
  readonly request?: RequestParameters | undefined;
}

const COMPILED: unique symbol = Symbol('compiled rules');
const ITSELF: unique symbol = Symbol('itself');

/** Claims whose string is a space-delimited list (RFC 6749 §3.3, and what identity providers make of it). */
const LIST_CLAIMS: ReadonlySet<string> = new Set(['scope', 'scp', 'permissions']);
const SCOPE_CLAIMS: ReadonlySet<string> = new Set(['scope', 'scp']);

/**
 * Checks rules and makes them ready. Compiled rules are returned as they are.
 * @throws ConfigError for what is no rule, and for a rule that could never fail or never hold
 */
export function compileRules<const R extends Rules>(
  rules: R | CompiledRules<R>,
  path = 'claims',
): CompiledRules<R> {
  if (isCompiled(rules)) return rules;
  return made(readRules(rules, path));
}

function made<R>(checks: readonly ClaimCheck[], name?: string): CompiledRules<R> {
  const rules = { [COMPILED]: Object.freeze(checks), [ITSELF]: undefined as unknown, route: name };
  rules[ITSELF] = rules;
  return Object.freeze(rules);
}

/**
 * The rules that stand in the options' `routes`, under this name: for whatever takes rules. They are judged as the options of the
 * authenticator say whose principal it is, at that moment; a name that those do not have is a TypeError, and lets nobody pass.
 * @example
 * ```ts
 * // service.yaml has: routes: { admin: { claims: { roles: [admin] } } }
 * const authenticator = createAuthenticator({ descriptor: 'service.yaml' });
 * authorize(await authenticator.authenticate(request), route('admin'));
 * ```
 */
export function route(name: string): CompiledRules {
  const holds: Holds = () => {
    throw new TypeError(`route ${name}: the rules of a route are for authorize to find`);
  };
  return made([checkOf(`route ${name}`, [], { holds, rule: name })], name);
}

/** The first check that does not hold; undefined if all do. */
export function firstFailure(
  rules: CompiledRules<unknown>,
  claims: JsonObject,
  { delimiter, request }: EvaluationContext = {},
): ClaimCheck | undefined {
  for (const check of rules[COMPILED]) {
    if (!check.holds(claimAt(claims, check.path(delimiter)), request)) return check;
  }
  return undefined;
}

/** The rules one by one, for `explain`. */
export function checksIn(rules: CompiledRules<unknown>): readonly ClaimCheck[] {
  return rules[COMPILED];
}

/** The claims that rules ask for, for people. */
export function claimNames(rules: CompiledRules<unknown>): readonly string[] {
  return rules[COMPILED].map(({ claim }) => claim);
}

/** True if some rule compares with the request. */
export function needsRequest(rules: CompiledRules<unknown>): boolean {
  return rules[COMPILED].some((check) => check.needsRequest);
}

/** The items of a space-delimited list: split on U+0020 only. */
export function splitList(text: string): readonly string[] {
  return text.split(' ').filter((item) => item !== '');
}

function isCompiled<R>(rules: R | CompiledRules<R>): rules is CompiledRules<R> {
  return typeof rules === 'object' && rules !== null && ITSELF in rules && rules[ITSELF] === rules;
}

/** Beside other rules, or under them: what they ask stands under no name, and would be read as nothing. */
function refuseCompiled(value: unknown, path: string): void {
  if (typeof value === 'object' && value !== null && COMPILED in value)
    throw new ConfigError(path, 'compiled rules, and those of a route, stand by themselves');
}

function readRules(rules: unknown, path: string): readonly ClaimCheck[] {
  refuseCompiled(rules, path);
  if (isSchema(rules)) return [checkOf('', [], { holds: compileSchema(rules, path), rule: rules })];
  if (Array.isArray(rules)) return readRuleList(rules, path);
  if (!isPlainObject(rules)) throw new ConfigError(path, 'expected rules by claim name');
  return Object.entries(rules).map(([claim, rule]) => compileByName(claim, rule, `${path}.${claim}`));
}

function readRuleList(rules: readonly unknown[], path: string): readonly ClaimCheck[] {
  if (rules.length === 0) throw new ConfigError(path, 'expected at least one rule');
  const rows = new Set<string>();
  return Array.from(rules, (entry, index) => {
    const at = `${path}[${index}]`;
    if (!isPlainObject(entry)) {
      throw new ConfigError(at, 'expected rules by claim name, a path with a rule, or a row');
    }
    if (isRow(entry, at)) {
      const row = compileRow(entry, at);
      if (rows.has(row.name)) throw new ConfigError(`${at}.name`, `${row.name} has a row already`);
      rows.add(row.name);
      return checkOf(row.name, [row.name], { ...row, rule: entry }, row.name);
    }
    if (Array.isArray(entry.path) && Object.keys(entry).length === 2 && 'rule' in entry) {
      return compileByPath(entry.path, entry.rule, at);
    }
    return readRules(entry, at);
  }).flat();
}

function compileByName(claim: string, rule: unknown, path: string): ClaimCheck {
  if (claim === 'iss') throw new ConfigError(path, 'use issuers: a rule on iss does not choose keys');
  return checkOf(claim, [claim], { ...compileOptional(rule, path, LIST_CLAIMS.has(claim)), rule }, claim);
}

function compileByPath(names: readonly unknown[], rule: unknown, path: string): ClaimCheck {
  if (names.length === 0 || !names.every((name) => typeof name === 'string' && name !== '')) {
    throw new ConfigError(`${path}.path`, 'expected names');
  }
  const place = names.map(String);
  const claim = place.join('.');
  const requirement = compileOptional(rule, `${path}.rule`, place.length === 1 && LIST_CLAIMS.has(claim));
  return checkOf(claim, place, { ...requirement, rule });
}

/**
 * @param place the way to the claim
 * @param name what is to be read as a way where the options have a delimiter; undefined where the way is given
 */
function checkOf(
  claim: string,
  place: readonly string[],
  {
    holds: judge,
    names = [],
    excludes,
    needsRequest: looksAtRequest,
    rule,
  }: Partial<Requirement> & Pick<Requirement, 'holds'> & Pick<ClaimCheck, 'rule'>,
  name?: string,
): ClaimCheck {
  const top = place.length === 1 ? claim : '';
  const isScope = SCOPE_CLAIMS.has(top);
  const scopes =
    isScope && !excludes ? names.filter((item) => typeof item === 'string').filter(isScopeToken) : [];
  // An application has one delimiter, or a few: each is split by once.
  const paths = new Map<string | undefined, readonly string[]>([[undefined, Object.freeze([...place])]]);
  const path: ClaimCheck['path'] = (delimiter) => {
    const known = paths.get(name === undefined ? undefined : delimiter);
    if (known !== undefined) return known;
    const split = splitPath(name ?? claim, delimiter);
    paths.set(delimiter, split);
    return split;
  };
  const split = LIST_CLAIMS.has(top) ? rememberingSplit() : undefined;
  const holds: Holds =
    split === undefined
      ? judge
      : (value, request) => judge(typeof value === 'string' ? split(value) : value, request);
  return Object.freeze({
    claim,
    path,
    holds,
    isScope,
    scope: scopes.length > 0 ? scopes.join(' ') : undefined,
    needsRequest: looksAtRequest === true,
    rule,
  });
}

/** Of a service's tokens, most say the same list, one after the other. */
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

function compileOptional(rule: unknown, path: string, isList: boolean): Requirement {
  const isOptional = isPlainObject(rule) && Object.hasOwn(rule, 'optional') && Object.keys(rule).length === 1;
  const requirement = compileForm(isOptional ? rule.optional : rule, path);
  if (isList) refuseSpaces(requirement.names, path);
  if (!isOptional) return requirement;
  return {
    ...requirement,
    holds: (value, request) => value === undefined || requirement.holds(value, request),
  };
}

function refuseSpaces(names: readonly Literal[], path: string): void {
  for (const name of names) {
    if (typeof name === 'string' && (name === '' || name.includes(' '))) {
      throw new ConfigError(
        path,
        `can never hold, or never fail: the claim is a list, so name each item, like ['a', 'b']`,
      );
    }
  }
}
