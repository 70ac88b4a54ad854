// Compiles rules into checks, once, when a service starts. The checks run on every request. How
// rules are written is in normalize.ts, what each form means in forms.ts.
import { isScopeToken } from '../challenge.ts';
import { ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import type { Clock } from '../values/clock.ts';
import { checkCopy, type Marked, ofThisCopy } from '../values/copies.ts';
import { foldCase } from '../values/fold.ts';
import type { JsonObject, JsonValue } from '../values/json.ts';
import { readText } from '../values/readers.ts';
import { ALWAYS, isEnforced } from './enforce.ts';
import type { Holds, NormalRule } from './form.ts';
import { NOTHING } from './forms.ts';
import { judgedGroups, readGroups } from './groups.ts';
import { checkOfRule, entriesOf, type RuleEntry } from './normalize.ts';
import { claimAt, looksNested, splitPath } from './path.ts';
import type { RequestParameters, Rules } from './rules.ts';
import { PLAIN_SCOPES, type ScopeNeed, type ScopeSettings, scopesOf, splitList } from './scopes.ts';

/** The rule on one claim, ready to be checked. */
export interface ClaimCheck {
  /** Shown in messages: the name of the claim, or its path with dots. */
  readonly claim: string;
  /** Splits the claim at the authenticator's `nestedClaimDelimiter`. Empty: all claims. */
  readonly path: (delimiter: string | undefined) => readonly string[];
  /** The rule is on `scope` or `scp`, and so is judged by all scopes of the token. */
  readonly isScope: boolean;
  /** The rule is on `groups`: see `judgedGroups`. */
  readonly isGroups: boolean;
  /**
   * The scopes with which the rule holds. From the rule, not from a token. Undefined if no further
   * scope can make it hold.
   */
  readonly need: ScopeNeed | undefined;
  /** The rule compares the claim with the request. */
  readonly needsRequest: boolean;
  /** From when on the rule refuses: `ALWAYS`, or see `enforce`. */
  readonly enforcedFromMs: number;
  /** The rule as data, for `explain`. */
  readonly rule: NormalRule;
  readonly holds: Holds;
}

/** Rules that `compileRules` has compiled. `R` is the type of the written rules, for types only. */
export interface CompiledRules<R = Rules> extends Marked {
  /** @internal Always there. Optional, because it is not in the published types. */
  readonly [COMPILED]?: readonly ClaimCheck[];
  /** @internal This object. A copy has the original here, so it does not count as compiled. */
  readonly [ITSELF]?: unknown;
  /** The name of a route in the options, whose rules apply in place of these: see `route`. */
  readonly route?: string | undefined;
  /** From when on any of the rules refuses: see `enforce` of an access. Absent: always. */
  readonly enforcedFromMs?: number | undefined;
  /** Undefined: it is for types only. Plain rules lack it, so they are not of this type. */
  readonly '~rules': R | undefined;
}

/** The authenticator and the request for which a check runs. */
export interface EvaluationContext {
  /** The authenticator's `nestedClaimDelimiter`. */
  readonly delimiter?: string | undefined;
  readonly request?: RequestParameters | undefined;
  /** How scopes are read. Default: without options. */
  readonly scopes?: ScopeSettings | undefined;
  /** If given, the values that schemas return in place of the claims are added to it. */
  readonly outputs?: SchemaOutputs | undefined;
  /** All rules only report, whatever they say. */
  readonly isReportOnly?: boolean | undefined;
  /** By which it is known whether a rule is enforced yet. Default: the time of day. */
  readonly clock?: Clock | undefined;
}

/** The values that schemas returned in place of claims, in the order of the rules. */
export type SchemaOutputs = { readonly path: readonly string[]; readonly value: unknown }[];

const COMPILED: unique symbol = Symbol.for('@latchkey/rules');
const ITSELF: unique symbol = Symbol.for('@latchkey/itself');

/**
 * Claims whose string is a space-delimited list (RFC 6749 §3.3, and the practice of identity
 * providers).
 */
const LIST_CLAIMS: ReadonlySet<string> = new Set(['scope', 'scp', 'permissions']);
/** Challenges name the scopes of a route and those of all tokens; clients accept 4 KiB or more. */
const MAX_SCOPES = 1_000;
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
  if (isCompiled(rules)) {
    checkCopy(rules, path);
    return rules;
  }
  refuseCompiled(rules, path);
  if (Array.isArray(rules)) {
    if (rules.length === 0) throw new ConfigError(path, 'expected at least one rule');
    rules.forEach((entry, index) => void refuseCompiled(entry, `${path}[${index}]`));
  }
  const claimsOfRows = new Set<string>();
  const compiled = compiledRules<R>(entriesOf(rules, path).map((entry) => compileEntry(entry, claimsOfRows)));
  const scopes = needsOf(compiled).flatMap(({ names }) => names);
  if (scopes.join(' ').length > MAX_SCOPES)
    throw new ConfigError(path, `expected scopes of at most ${MAX_SCOPES} characters, to fit in a challenge`);
  return compiled;
}

/**
 * The same rules, which refuse nothing before a time.
 * @param fromMs see `readEnforcement`
 */
export function enforcedFrom<R>(rules: CompiledRules<R>, fromMs: number): CompiledRules<R> {
  return fromMs === ALWAYS ? rules : compiledRules(checksIn(rules), rules.route, fromMs);
}

/** True if the rules as a whole refuse nothing yet. */
export function isReportOnly({ enforcedFromMs = ALWAYS }: CompiledRules<unknown>, clock?: Clock): boolean {
  return !isEnforced(enforcedFromMs, clock);
}

function compiledRules<R>(
  checks: readonly ClaimCheck[],
  routeName?: string,
  enforcedFromMs = ALWAYS,
): CompiledRules<R> {
  const rules = {
    ...ofThisCopy,
    [COMPILED]: Object.freeze(checks),
    [ITSELF]: undefined as unknown,
    '~rules': undefined,
    route: routeName,
    enforcedFromMs,
  };
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
    isGroups: false,
    need: undefined,
    needsRequest: false,
    enforcedFromMs: ALWAYS,
  };
  return compiledRules([Object.freeze({ ...check, rule: NOTHING, holds })], name);
}

/**
 * Returns the first check that does not hold and is enforced; undefined if all hold.
 * @param reported gets the checks that do not hold, and are not enforced yet
 */
export function firstFailure(
  rules: CompiledRules<unknown>,
  claims: JsonObject,
  context: EvaluationContext = {},
  reported?: ClaimCheck[],
): ClaimCheck | undefined {
  const { delimiter, request, outputs, clock } = context;
  const reportsAll = context.isReportOnly === true || isReportOnly(rules, clock);
  for (const check of checksIn(rules)) {
    const takeOutput =
      outputs !== undefined && check.rule.form === 'schema'
        ? (value: unknown) => {
            const path = check.path(delimiter);
            if (value !== claimAt(claims, path)) outputs.push({ path, value });
          }
        : undefined;
    const value = judgedValue(check, claims, context);
    if (!reportsAll && isEnforced(check.enforcedFromMs, clock)) {
      if (!check.holds(value, request, takeOutput)) return check;
    } else if (!holdsSafely(check, value, request, takeOutput)) reported?.push(check);
  }
  return undefined;
}

/** The same for a rule that is not enforced: one that cannot be judged does not hold. */
export function holdsSafely(check: ClaimCheck, ...given: Parameters<Holds>): boolean {
  try {
    return check.holds(...given);
  } catch {
    return false;
  }
}

/** Returns what a rule is judged by: a claim, all scopes of the token, or its groups. */
export function judgedValue(
  { isScope, isGroups, path }: Pick<ClaimCheck, 'isScope' | 'isGroups' | 'path'>,
  claims: JsonObject,
  { delimiter, scopes = PLAIN_SCOPES }: EvaluationContext,
): JsonValue | undefined {
  if (isGroups) return judgedGroups(claims);
  return isScope ? scopesOf(claims, scopes) : claimAt(claims, path(delimiter));
}

/**
 * The scopes that the rules need.
 * @param clock leaves out rules that are not enforced yet. Default: all rules count
 */
export function needsOf(rules: CompiledRules<unknown>, clock?: Clock): readonly ScopeNeed[] {
  if (clock !== undefined && isReportOnly(rules, clock)) return [];
  return checksIn(rules).flatMap(({ need, enforcedFromMs }) =>
    need === undefined || (clock !== undefined && !isEnforced(enforcedFromMs, clock)) ? [] : need,
  );
}

/** True if what the rules refuse depends on the time: a rule is not enforced before a date. */
export function hasDates(rules: CompiledRules<unknown>): boolean {
  return [rules, ...checksIn(rules)].some(({ enforcedFromMs }) => Number.isFinite(enforcedFromMs));
}

/** The claims whose rules have `enforce`, or whose access has it, and from when on they refuse. */
export function reportOnlyIn(
  rules: CompiledRules<unknown>,
): readonly Pick<ClaimCheck, 'claim' | 'enforcedFromMs'>[] {
  const { enforcedFromMs: all = ALWAYS } = rules;
  return checksIn(rules)
    .map(({ claim, enforcedFromMs }) => ({ claim, enforcedFromMs: Math.max(all, enforcedFromMs) }))
    .filter(({ enforcedFromMs }) => enforcedFromMs !== ALWAYS);
}

/**
 * Returns a group, named by a rule on `groups`, that is not in lower case. With `groupCase:
 * 'insensitive'` all groups of a principal are in lower case, so such a rule never matches.
 * @returns undefined if there is none
 */
export function unfoldedGroup(rules: CompiledRules<unknown>): string | undefined {
  for (const { claim, rule } of checksIn(rules)) {
    const found = claim === 'groups' ? rule.names.find((name) => isUnfolded(name)) : undefined;
    if (found !== undefined) return String(found);
  }
  return undefined;
}

function isUnfolded(name: unknown): boolean {
  return typeof name === 'string' && foldCase(name) !== name;
}

/** The rules one by one. @throws TypeError for an object that is not compiled rules */
export function checksIn(rules: CompiledRules<unknown>): readonly ClaimCheck[] {
  const { [COMPILED]: checks } = rules;
  if (checks === undefined) throw new TypeError('expected rules that compileRules has compiled');
  return checks;
}

/** The claims that the rules name, for messages. */
export function claimNames(rules: CompiledRules<unknown>): readonly string[] {
  return checksIn(rules).map(({ claim }) => claim);
}

/** True if a rule compares a claim with the request. */
export function needsRequest(rules: CompiledRules<unknown>): boolean {
  return checksIn(rules).some((check) => check.needsRequest);
}

function isCompiled<R>(rules: R | CompiledRules<R>): rules is CompiledRules<R> {
  return typeof rules === 'object' && rules !== null && ITSELF in rules && rules[ITSELF] === rules;
}

/**
 * Refuses compiled rules next to or inside other rules. Their checks are under a symbol, so they
 * would be overlooked, and the rules taken for empty ones.
 */
function refuseCompiled(value: unknown, path: string): void {
  if (typeof value === 'object' && value !== null && COMPILED in value)
    throw new ConfigError(path, 'cannot nest compiled rules or route(…) inside other rules; pass them alone');
}

/** @param claimsOfRows the claims of the rows before; that of this row is added */
function compileEntry(
  { place, kind, path: at, normalize }: RuleEntry,
  claimsOfRows: Set<string>,
): ClaimCheck {
  const rule = normalize();
  const claim = place.join('.');
  const isTopLevel = place.length === 1;
  const isList = isTopLevel && LIST_CLAIMS.has(claim);
  const isScope = isTopLevel && SCOPE_CLAIMS.has(claim);
  const isGroups = isTopLevel && claim === 'groups';
  if (kind === 'row') {
    if (claimsOfRows.has(claim))
      throw new ConfigError(`${at}.name`, `expected one row for each claim, got another one for ${claim}`);
    claimsOfRows.add(claim);
  } else if (isList) {
    const place = kind === 'path' ? `${at}.rule` : at;
    refuseSpaces(rule, place);
    refuseSplit(rule, claim, place);
  }
  const holds = checkOfRule(rule);
  return Object.freeze({
    claim,
    path: kind === 'name' || kind === 'row' ? pathsOf(claim) : () => place,
    isScope,
    isGroups,
    need: isScope ? needOf(rule) : undefined,
    needsRequest: rule.form === 'fromRequest',
    enforcedFromMs: rule.enforcedFromMs,
    rule,
    holds:
      isGroups && rule.split === undefined
        ? ofText(readGroups, holds)
        : isList && !isScope
          ? ofText(rememberingSplit(), holds)
          : holds,
  });
}

/** Judges a claim that is a text as a list. */
function ofText(listOf: (text: string) => JsonValue | undefined, holds: Holds): Holds {
  return (value, request, take) => holds(typeof value === 'string' ? listOf(value) : value, request, take);
}

function needOf({ form, names }: NormalRule): ScopeNeed | undefined {
  if (form === 'noneOf') return undefined;
  const scopes = names.filter((name) => typeof name === 'string').filter(isScopeToken);
  return Object.freeze({ names: scopes, isOne: form === 'anyOf' });
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
    if (delimiter === undefined && looksNested(name)) warnOfDots(name);
    const path = Object.freeze(splitPath(name, delimiter));
    paths.set(delimiter, path);
    return path;
  };
}

/** The names that a warning has named. Names are written in options, so there are a few. */
const dotted = new Set<string>();

function warnOfDots(name: string): void {
  if (dotted.has(name)) return;
  dotted.add(name);
  warn(
    'LATCHKEY_RULES',
    `the rule on ${name} is on one claim with a dot in its name; set nestedClaimDelimiter: '.' if it is a path, or write at(['${name}'], …)`,
  );
}

/**
 * Finds the paths of all rules, which warns of names that look like paths and are none.
 * @param delimiter the authenticator's `nestedClaimDelimiter`
 */
export function warnOfNames(rules: CompiledRules<unknown>, delimiter: string | undefined): void {
  for (const check of checksIn(rules)) check.path(delimiter);
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

/** Refuses another delimiter of a list: a rule with `noneOf` would overlook what it forbids. */
function refuseSplit({ split }: NormalRule, claim: string, path: string): void {
  if (split !== undefined && split !== ' ')
    throw new ConfigError(`${path}.split`, `is not allowed: ${claim} is split at spaces; remove split`);
}

/** Refuses names with a space in a rule on a list: no item of the list has one. */
function refuseSpaces({ names }: NormalRule, path: string): void {
  if (names.some((name) => typeof name === 'string' && (name === '' || name.includes(' '))))
    throw new ConfigError(
      path,
      `can never hold, or never fail: the claim is a list, so name each item, like ['a', 'b']`,
    );
}
