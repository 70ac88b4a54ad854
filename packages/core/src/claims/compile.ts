// Rules to checks: once, when a service starts. Evaluated on every request, so nothing here may allocate per call for long.
import { isScopeToken } from '../challenge.ts';
import { isPlainObject } from '../checks.ts';
import { ConfigError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../token/json.ts';
import { compilePattern } from './pattern.ts';
import type { Literal, Rules } from './rules.ts';

/** One claim's rule, ready to be evaluated. */
export interface ClaimCheck {
  readonly claim: string;
  /** A rule on a scope: its failure is `scope_insufficient`. */
  readonly isScope: boolean;
  /** The scopes that would satisfy it, where it names any: configuration, never token data. */
  readonly scope: string | undefined;
  /** @param value the claim; undefined if it is absent */
  readonly holds: (value: JsonValue | undefined) => boolean;
}

/** Rules brought to life by `compileRules`. */
export interface CompiledRules {
  readonly [COMPILED]: readonly ClaimCheck[];
}

const COMPILED: unique symbol = Symbol('compiled rules');

/** Claims whose string is a space-delimited list (RFC 6749 §3.3, and what identity providers make of it). */
const LIST_CLAIMS: ReadonlySet<string> = new Set(['scope', 'scp', 'permissions']);
const SCOPE_CLAIMS: ReadonlySet<string> = new Set(['scope', 'scp']);
const RULE_FORMS = ['allOf', 'anyOf', 'pattern', 'present', 'optional'] as const;

/**
 * Checks rules and makes them ready. Compiled rules are returned as they are.
 * @throws ConfigError for what is no rule, and for a rule that could never fail or never hold
 */
export function compileRules(rules: Rules | CompiledRules, path = 'claims'): CompiledRules {
  if (isCompiled(rules)) return rules;
  if (!isPlainObject(rules)) throw new ConfigError(path, 'expected rules by claim name');
  const checks = Object.entries(rules).map(([claim, rule]) => compileRule(claim, rule, `${path}.${claim}`));
  return Object.freeze({ [COMPILED]: Object.freeze(checks) });
}

/** The first check that does not hold; undefined if all do. Looks at own properties only. */
export function firstFailure(rules: CompiledRules, claims: JsonObject): ClaimCheck | undefined {
  for (const check of rules[COMPILED]) {
    if (!check.holds(Object.hasOwn(claims, check.claim) ? claims[check.claim] : undefined)) return check;
  }
  return undefined;
}

/** The items of a space-delimited list: split on U+0020 only. */
export function splitList(text: string): readonly string[] {
  return text.split(' ').filter((item) => item !== '');
}

function isCompiled(rules: unknown): rules is CompiledRules {
  return typeof rules === 'object' && rules !== null && COMPILED in rules;
}

function compileRule(claim: string, rule: unknown, path: string): ClaimCheck {
  const inner = readOptional(rule);
  const required = compileRequired(inner === undefined ? rule : inner.optional, path);
  const isList = LIST_CLAIMS.has(claim);
  if (isList) refuseSpaces(required.names, path);
  const holds = isList ? onList(required.holds) : required.holds;
  const scopes = required.names.filter((name) => typeof name === 'string').filter(isScopeToken);
  return Object.freeze({
    claim,
    isScope: SCOPE_CLAIMS.has(claim),
    scope: SCOPE_CLAIMS.has(claim) && scopes.length > 0 ? scopes.join(' ') : undefined,
    holds: inner === undefined ? holds : (value) => value === undefined || holds(value),
  });
}

type Holds = ClaimCheck['holds'];
interface Requirement {
  readonly holds: Holds;
  /** The literals that it names. */
  readonly names: readonly Literal[];
}

function readOptional(rule: unknown): { readonly optional: unknown } | undefined {
  return isPlainObject(rule) && Object.hasOwn(rule, 'optional') && Object.keys(rule).length === 1
    ? { optional: rule.optional }
    : undefined;
}

function compileRequired(rule: unknown, path: string): Requirement {
  if (isLiteral(rule)) return { names: [rule], holds: (value) => hasItem(value, rule) };
  if (Array.isArray(rule)) return compileAllOf(rule, path);
  if (rule instanceof RegExp) return compileMatch(rule, path);
  if (!isPlainObject(rule)) throw new ConfigError(path, 'expected a rule');
  const [form, ...others] = Object.keys(rule);
  if (form === undefined || others.length > 0) {
    throw new ConfigError(path, `expected one of ${RULE_FORMS.join(', ')}`);
  }
  switch (form as (typeof RULE_FORMS)[number]) {
    case 'allOf':
      return compileAllOf(rule.allOf, `${path}.allOf`);
    case 'anyOf':
      return compileAnyOf(rule.anyOf, `${path}.anyOf`);
    case 'pattern':
      return compileMatch(rule.pattern, `${path}.pattern`);
    case 'present':
      if (rule.present !== true) throw new ConfigError(`${path}.present`, 'expected true');
      return { names: [], holds: (value) => value !== undefined && value !== null };
    case 'optional':
      throw new ConfigError(path, 'optional cannot stand inside optional');
    default:
      throw new ConfigError(`${path}.${form}`, `unknown rule; expected one of ${RULE_FORMS.join(', ')}`);
  }
}

function compileAllOf(items: unknown, path: string): Requirement {
  const names = readLiterals(items, path);
  return {
    names,
    holds: (value) => Array.isArray(value) && names.every((name) => value.includes(name)),
  };
}

function compileAnyOf(items: unknown, path: string): Requirement {
  const names = readLiterals(items, path);
  return { names, holds: (value) => names.some((name) => hasItem(value, name)) };
}

function compileMatch(source: unknown, path: string): Requirement {
  if (typeof source !== 'string' && !(source instanceof RegExp)) {
    throw new ConfigError(path, 'expected a pattern');
  }
  const matches = compilePattern(source, path);
  const matchesItem = (item: JsonValue) => typeof item === 'string' && matches(item);
  return {
    names: [],
    holds: (value) =>
      value !== undefined && (Array.isArray(value) ? value.some(matchesItem) : matchesItem(value)),
  };
}

/** Equal by type and value: 4 is not "4", and true is not "true". */
function hasItem(value: JsonValue | undefined, literal: Literal): boolean {
  return Array.isArray(value) ? value.includes(literal) : value === literal;
}

function onList(holds: Holds): Holds {
  return (value) => holds(typeof value === 'string' ? splitList(value) : value);
}

function readLiterals(items: unknown, path: string): readonly Literal[] {
  if (!Array.isArray(items) || items.length === 0) throw new ConfigError(path, 'expected at least one value');
  return Array.from(items, (item, index) => {
    if (!isLiteral(item)) throw new ConfigError(`${path}[${index}]`, 'expected a string, number or boolean');
    return item;
  });
}

function isLiteral(value: unknown): value is Literal {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}

function refuseSpaces(names: readonly Literal[], path: string): void {
  for (const name of names) {
    if (typeof name === 'string' && (name === '' || name.includes(' '))) {
      throw new ConfigError(path, `can never hold: the claim is a list, so name each item, like ['a', 'b']`);
    }
  }
}
