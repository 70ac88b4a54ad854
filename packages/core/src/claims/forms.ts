// What each form of a rule asks of a claim: from data to a function. Which claim that is, compile.ts says.

import { ConfigError } from '../errors.ts';
import type { JsonValue } from '../values/json.ts';
import { isPlainObject, type UncheckedOptions } from '../values/readers.ts';
import { compilePattern } from './pattern.ts';
import type { Literal, RequestParameters } from './rules.ts';
import { callForeign, compileSchema, isSchema } from './schema.ts';

/**
 * Judges a claim.
 * @param value undefined: the claim is absent
 * @param request for rules that look at it
 */
export type Holds = (value: JsonValue | undefined, request: RequestParameters | undefined) => boolean;

/** One form, ready to be evaluated. */
export interface Requirement {
  readonly holds: Holds;
  /** The literals that it names. */
  readonly names: readonly Literal[];
  /** None of the names would satisfy it. */
  readonly excludes?: true;
  /** It compares with something on the request. */
  readonly needsRequest?: true;
}

type FormCompiler = (value: unknown, path: string, options: UncheckedOptions) => Requirement;

const FORMS: ReadonlyMap<string, FormCompiler> = new Map<string, FormCompiler>([
  ['allOf', allOfForm],
  ['anyOf', anyOfForm],
  ['noneOf', noneOfForm],
  ['exactly', exactlyForm],
  ['values', valuesForm],
  ['pattern', patternForm],
  ['present', presentForm],
  ['fromRequest', fromRequestForm],
]);
/** What may stand beside a form. */
const MODIFIERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['allOf', ['split']],
  ['anyOf', ['split']],
  ['noneOf', ['split']],
  ['exactly', ['split']],
  ['values', ['split']],
  ['pattern', ['split', 'match']],
]);
const FORM_NAMES = [...FORMS.keys(), 'optional'].join(', ');

/**
 * Compiles one rule that is not optional.
 * @throws ConfigError for what is no rule, and for one that could never fail or never hold
 */
export function compileForm(rule: unknown, path: string): Requirement {
  if (isLiteral(rule)) return { names: [rule], holds: (value) => hasItem(value, rule) };
  if (Array.isArray(rule)) return allOfForm(rule, path);
  if (rule instanceof RegExp) return patternForm(rule, path, {});
  if (isSchema(rule)) return { names: [], holds: compileSchema(rule, path) };
  if (!isPlainObject(rule)) throw new ConfigError(path, 'expected a rule');
  const [form, ...others] = Object.keys(rule).filter((name) => name !== 'split' && name !== 'match');
  if (form === undefined || others.length > 0) throw new ConfigError(path, `expected one of ${FORM_NAMES}`);
  if (form === 'optional') throw new ConfigError(path, 'optional cannot stand inside optional');
  const compile = FORMS.get(form);
  if (compile === undefined)
    throw new ConfigError(`${path}.${form}`, `unknown rule; expected one of ${FORM_NAMES}`);
  for (const modifier of ['split', 'match']) {
    if (rule[modifier] !== undefined && MODIFIERS.get(form)?.includes(modifier) !== true) {
      throw new ConfigError(`${path}.${modifier}`, `does not go with ${form}`);
    }
  }
  const requirement = compile(rule[form], `${path}.${form}`, rule);
  return rule.split === undefined ? requirement : splitting(requirement, rule.split, `${path}.split`);
}

/** Equal by type and value, alone or among the items: 4 is not "4", and true is not "true". */
export function hasItem(value: JsonValue | undefined, literal: Literal): boolean {
  return Array.isArray(value) ? value.includes(literal) : value === literal;
}

/** Reads a list of literals with at least one in it. @throws ConfigError */
export function readLiterals(items: unknown, path: string): readonly Literal[] {
  if (!Array.isArray(items) || items.length === 0) throw new ConfigError(path, 'expected at least one value');
  // Array.from, because map passes over holes.
  return Array.from(items, (item, index) => {
    if (!isLiteral(item)) throw new ConfigError(`${path}[${index}]`, 'expected a string, number or boolean');
    return item;
  });
}

function allOfForm(items: unknown, path: string): Requirement {
  const names = readLiterals(items, path);
  return { names, holds: (value) => Array.isArray(value) && names.every((name) => value.includes(name)) };
}

function anyOfForm(items: unknown, path: string): Requirement {
  const names = readLiterals(items, path);
  return { names, holds: (value) => names.some((name) => hasItem(value, name)) };
}

function noneOfForm(items: unknown, path: string): Requirement {
  const names = readLiterals(items, path);
  const types = new Set(names.map((name) => typeof name));
  const isOther = (value: JsonValue | undefined) =>
    isLiteral(value) && types.has(typeof value) && !names.includes(value);
  return {
    names,
    excludes: true,
    // What cannot be compared has not been cleared.
    holds: (value) => (Array.isArray(value) ? value.every(isOther) : isOther(value)),
  };
}

function exactlyForm(items: unknown, path: string): Requirement {
  const names = readLiterals(items, path);
  const named: readonly unknown[] = names;
  return {
    names,
    holds: (value) =>
      Array.isArray(value) &&
      names.every((name) => value.includes(name)) &&
      value.every((item) => named.includes(item)),
  };
}

function valuesForm(items: unknown, path: string): Requirement {
  const names = readLiterals(items, path);
  return { names, holds: (value) => names.every((name) => hasItem(value, name)) };
}

function patternForm(source: unknown, path: string, { match }: UncheckedOptions): Requirement {
  if (typeof source !== 'string' && !(source instanceof RegExp))
    throw new ConfigError(path, 'expected a pattern');
  if (match !== undefined && match !== 'search') throw new ConfigError(path, `match: expected 'search'`);
  const matches = compilePattern(source, path, match === 'search');
  const matchesItem = (item: JsonValue) => typeof item === 'string' && matches(item);
  return {
    names: [],
    holds: (value) =>
      value !== undefined && (Array.isArray(value) ? value.some(matchesItem) : matchesItem(value)),
  };
}

function presentForm(value: unknown, path: string): Requirement {
  if (value !== true) throw new ConfigError(path, 'expected true');
  return { names: [], holds: (claim) => claim !== undefined && claim !== null };
}

function fromRequestForm(read: unknown, path: string): Requirement {
  const get =
    typeof read === 'function'
      ? (request: RequestParameters): unknown => read(request)
      : readPlace(read, path);
  return {
    names: [],
    needsRequest: true,
    holds: (value, request) => {
      if (request === undefined) throw new TypeError(`${path}: there is no request to compare with`);
      const wanted = callForeign(() => get(request), path);
      return isLiteral(wanted) && hasItem(value, wanted);
    },
  };
}

function readPlace(place: unknown, path: string): (request: RequestParameters) => unknown {
  const found = typeof place === 'string' ? /^(params|headers)\.(.+)$/.exec(place) : null;
  if (found === null) throw new ConfigError(path, 'expected a function, params.NAME or headers.NAME');
  const [, part, name = ''] = found;
  return ({ params, headers }) => {
    const values: object = part === 'params' ? params : headers;
    const key = part === 'params' ? name : name.toLowerCase();
    return Object.hasOwn(values, key) ? Reflect.get(values, key) : undefined;
  };
}

function splitting(requirement: Requirement, separator: unknown, path: string): Requirement {
  if (typeof separator !== 'string' || separator === '') throw new ConfigError(path, 'expected a text');
  return {
    ...requirement,
    holds: (value, request) =>
      requirement.holds(
        typeof value === 'string' ? value.split(separator).filter((item) => item !== '') : value,
        request,
      ),
  };
}

function isLiteral(value: unknown): value is Literal {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}
