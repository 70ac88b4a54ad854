// The table of rule forms. Each entry contains all of a form: how it is read, checked, explained,
// compared and documented. How rules are written around the forms is in normalize.ts.
import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '../errors.ts';
import type { JsonValue } from '../values/json.ts';
import { textOf } from '../values/text.ts';
import { ALWAYS } from './enforce.ts';
import { defineForm, isLiteral, LIST, type NormalRule, type RuleForm, readLiterals } from './form.ts';
import { compilePattern } from './pattern.ts';
import type { FromRequestRule, Literal, RequestParameters } from './rules.ts';
import { callForeign, compileSchema, type StandardSchema } from './schema.ts';

export const allOf = defineForm({
  ...LIST,
  name: 'allOf',
  doc: 'The claim is an array that contains all of these values.',
  example: "roles: { allOf: ['admin', 'dev'] }",
  holds: (items) => (claim) => Array.isArray(claim) && items.every((item) => claim.includes(item)),
  text: (items) => `has all of ${textOf(items)}`,
  implies: allOfImplies,
});

export const anyOf = defineForm({
  ...LIST,
  name: 'anyOf',
  doc: 'The claim is one of these values, or an array that contains one of them.',
  example: "dept: { anyOf: ['IT', 'HR'] }",
  holds: (items) => {
    const [first] = items;
    return first !== undefined && items.length === 1
      ? (claim) => hasItem(claim, first)
      : (claim) => items.some((item) => hasItem(claim, item));
  },
  text: (items) => (items.length === 1 ? textOf(items[0]) : `is or has one of ${textOf(items)}`),
  implies: (items, { form, names }) => form === 'anyOf' && includesAll(names, items),
});

const noneOf = defineForm({
  ...LIST,
  name: 'noneOf',
  doc: 'The claim is present and of the same type as these values, but is none of them and contains none of them.',
  example: "groups: { noneOf: ['banned'] }",
  holds: (items) => {
    const types = typesOf(items);
    const isOther = (claim: JsonValue | undefined) =>
      isLiteral(claim) && types.has(typeof claim) && !items.includes(claim);
    // A claim of another type cannot be compared, so it does not pass.
    return (claim) => (Array.isArray(claim) ? claim.every(isOther) : isOther(claim));
  },
  text: (items) => `is present, and neither is nor has one of ${textOf(items)}`,
  implies: (items, { form, names }) => {
    const types = typesOf(items);
    return (
      form === 'noneOf' &&
      includesAll([...typesOf(names)], [...types]) &&
      // No claim of another type satisfies this rule, so the literals of other types in the other
      // rule do not matter.
      includesAll(
        items,
        names.filter((name) => types.has(typeof name)),
      )
    );
  },
});

const exactly = defineForm({
  ...LIST,
  name: 'exactly',
  doc: 'The claim is an array of exactly these values, in any order.',
  example: "groups: { exactly: ['finance', 'staff'] }",
  holds: (items) => (claim) => Array.isArray(claim) && includesAll(claim, items) && includesAll(items, claim),
  text: (items) => `has ${textOf(items)} and no others`,
  implies: (items, other) =>
    allOfImplies(items, other) ||
    (other.form === 'exactly' && includesAll(items, other.names) && includesAll(other.names, items)),
});

const values: RuleForm = {
  ...allOf,
  name: 'values',
  doc: 'The claim is this value, or an array that contains all of these values.',
  example: "roles: { values: ['admin'] }",
  // A single value never equals two values, so several values mean allOf.
  normalize: (written, path) => {
    const items = [...new Set(readLiterals(written, path))];
    return (items.length === 1 ? anyOf : allOf).normalize(items, path);
  },
};

export const pattern = defineForm<{ readonly source: string | RegExp; readonly search: boolean }>({
  name: 'pattern',
  modifiers: ['split', 'match'],
  schema: { $ref: '#/$defs/text' },
  doc: 'The claim matches this regular expression as a whole. The syntax is that of RE2.',
  example: "email: { pattern: '[^@]+@example[.]com' }",
  read: (source, path, { match }) => {
    if (typeof source !== 'string' && !(source instanceof RegExp))
      throw new ConfigError(path, 'expected a pattern');
    if (match !== undefined && match !== 'search') throw new ConfigError(path, `match: expected 'search'`);
    return { source, search: match === 'search' };
  },
  holds: ({ source, search }, path) => {
    const matches = compilePattern(source, path, search);
    const matchesItem = (item: JsonValue) => typeof item === 'string' && matches(item);
    return (claim) =>
      claim !== undefined && (Array.isArray(claim) ? claim.some(matchesItem) : matchesItem(claim));
  },
  text: ({ source, search }) =>
    `matches ${source instanceof RegExp ? String(source) : textOf(source)}${search ? ', in any part of it' : ''}`,
  implies: ({ source }, { form, value }) =>
    form === 'pattern' && isDeepStrictEqual(value, { source, search: true }),
});

const present = defineForm<true>({
  name: 'present',
  modifiers: [],
  schema: { const: true },
  doc: 'The claim is present and not null, with any value.',
  example: 'email: { present: true }',
  read: (written, path) => {
    if (written !== true) throw new ConfigError(path, 'expected true');
    return written;
  },
  holds: () => (claim) => claim !== undefined && claim !== null,
  text: () => 'is present',
});

const EXPECTED_PLACE = 'expected a function, params.NAME or headers.NAME';

const fromRequest = defineForm<FromRequestRule['fromRequest']>({
  name: 'fromRequest',
  modifiers: [],
  schema: { type: 'string', pattern: '^(?:params|headers)\\..+|\\$\\{[A-Z_][A-Z0-9_]*\\}' },
  doc: 'The claim equals a path parameter or a header of the request. For the rules of routes only.',
  example: "tenant: { fromRequest: 'params.tenant' }",
  read: (read, path) => {
    if (typeof read === 'string') return read;
    if (typeof read !== 'function') throw new ConfigError(path, EXPECTED_PLACE);
    return (request) => read(request);
  },
  holds: (read, path) => {
    const get = typeof read === 'string' ? readPlace(read, path) : read;
    return (claim, request) => {
      if (request === undefined) throw new TypeError(`${path}: there is no request to compare with`);
      const wanted = callForeign(() => get(request), path);
      return isLiteral(wanted) && hasItem(claim, wanted);
    };
  },
  text: (read) => `is ${typeof read === 'string' ? read : 'what a function returns'} of the request`,
});

/** The forms that are written under their name, in the order of messages and documentation. */
export const FORMS: ReadonlyMap<string, RuleForm> = new Map(
  [allOf, anyOf, noneOf, exactly, values, pattern, present, fromRequest].map((form) => [form.name, form]),
);

/** The rule of a Standard Schema, which is written without a name. */
export function schemaRule(schema: StandardSchema, path: string): NormalRule {
  return {
    form: 'schema',
    value: schema,
    names: [],
    split: undefined,
    optional: false,
    enforcedFromMs: ALWAYS,
    text: 'what a schema accepts',
    compile: () => {
      const accepts = compileSchema(schema, path);
      return (claim, _request, take) => accepts(claim, take);
    },
    implies: ({ value }) => value === schema,
  };
}

/**
 * A rule that every claim satisfies: that of a row that neither requires nor validates its claim.
 */
export const NOTHING: NormalRule = {
  form: 'nothing',
  value: undefined,
  names: [],
  split: undefined,
  optional: false,
  enforcedFromMs: ALWAYS,
  text: 'may be absent',
  compile: () => () => true,
  implies: ({ form }) => form === 'nothing',
};

/**
 * True if the claim equals the literal or has it as an item, by type and value: 4 is not "4", and
 * true is not "true".
 */
function hasItem(claim: JsonValue | undefined, literal: Literal): boolean {
  return Array.isArray(claim) ? claim.includes(literal) : claim === literal;
}

function includesAll(list: readonly unknown[], items: readonly unknown[]): boolean {
  return items.every((item) => list.includes(item));
}

function allOfImplies(items: readonly Literal[], { form, names }: NormalRule): boolean {
  if (form === 'anyOf') return names.some((name) => items.includes(name));
  return form === 'allOf' && includesAll(items, names);
}

function typesOf(items: readonly Literal[]): ReadonlySet<string> {
  return new Set(items.map((item) => typeof item));
}

function readPlace(place: string, path: string): (request: RequestParameters) => unknown {
  const found = /^(params|headers)\.(.+)$/.exec(place);
  if (found === null) throw new ConfigError(path, EXPECTED_PLACE);
  const [, part, name = ''] = found;
  return ({ params, headers }) => {
    const values: object = part === 'params' ? params : headers;
    const key = part === 'params' ? name : name.toLowerCase();
    return Object.hasOwn(values, key) ? Reflect.get(values, key) : undefined;
  };
}
