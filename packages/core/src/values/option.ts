// Declares each option once: how it is read, its JSON Schema, how `plan` judges a change, and one
// sentence for the documentation. The tables of options are in the folders that use them.
import { ConfigError } from '../errors.ts';
import { durationText, parseDuration } from './duration.ts';
import { own } from './json.ts';
import { type Judge, members, other, sized } from './judge.ts';
import { kindOf } from './kind.ts';
import type { ObjectHelp, UncheckedOptions } from './readers.ts';
import {
  isPlainObject,
  notOneOf,
  ownMembers,
  readBoolean,
  readChoice,
  readList,
  readObject,
  readText,
} from './readers.ts';

/** JSON Schema, 2020-12. A part of a schema may have a name: see `shared`. */
export type Schema = { readonly [keyword: string]: unknown };

/** A type of value, independent of the option that uses it. */
export interface Kind<out T> {
  /** Checks a value. @throws ConfigError with this path */
  readonly read: (value: unknown, path: string) => T;
  /** The schema of the value in a descriptor. Undefined: only code can give the value. */
  readonly schema: Schema | undefined;
  /** What a change of the value does, if the kind knows. */
  readonly judge?: Judge | undefined;
}

/** One option. */
export interface Option<out T> extends Kind<T> {
  /** Checks a value, which may be absent. @throws ConfigError with this path */
  readonly read: (value: unknown, path: string) => T;
  readonly judge: Judge;
  /** False: no judge is declared, so `plan` only says that the option has changed. */
  readonly isJudged: boolean;
  /**
   * What the option does: for the schema, and for the table of the documentation. Does not name the
   * default.
   */
  readonly doc: string;
  readonly isNeeded: boolean;
  /** The default, as it would be written in a descriptor. */
  readonly fallback: unknown;
}

/** Options by name. */
export type Table = { readonly [name: string]: Option<unknown> };

/** The table of an options type. With `satisfies`, table and type must have the same names. */
export type TableOf<Options> = { readonly [Name in NamesOf<Options>]: Option<unknown> };
type NamesOf<Options> = Options extends unknown ? keyof Options : never;

/** The object that a table reads. */
export type ReadBy<T extends Table> = {
  readonly [Name in keyof T]: T[Name] extends Option<infer Value> ? Value : never;
};

const CHANGED = other('has changed');

interface Declared {
  readonly judge?: Judge | undefined;
  readonly isNeeded?: boolean;
  readonly fallback?: unknown;
}

function declare<T>(
  { schema, judge: known }: Kind<unknown>,
  read: Kind<T>['read'],
  doc: string,
  { judge = known ?? CHANGED, isNeeded = false, fallback }: Declared,
): Option<T> {
  return {
    read,
    schema:
      schema === undefined
        ? undefined
        : { description: doc, ...schema, ...(fallback === undefined ? {} : { default: fallback }) },
    judge: (before, after) => judge(before, after, fallback),
    isJudged: judge !== CHANGED,
    doc,
    isNeeded,
    fallback,
  };
}

/** Declares an option that may be left out. */
export function optional<T>(kind: Kind<T>, doc: string, judge = kind.judge): Option<T | undefined> {
  const read = (value: unknown, path: string) => (value === undefined ? undefined : kind.read(value, path));
  return declare(kind, read, doc, { judge });
}

/** Declares an option with a default, written as in a descriptor. */
export function defaulted<T>(kind: Kind<T>, fallback: unknown, doc: string, judge = kind.judge): Option<T> {
  const read = (value: unknown, path: string) => kind.read(value === undefined ? fallback : value, path);
  return declare(kind, read, doc, { judge, fallback });
}

/** Declares a required option: its kind must refuse undefined. */
export function needed<T>(kind: Kind<T>, doc: string, judge = kind.judge): Option<T> {
  return declare(kind, kind.read, doc, { judge, isNeeded: true });
}

/** Makes a kind that only code can give, such as a store or a function. */
export function fromCode<T>(read: Kind<T>['read']): Kind<T> {
  return { read, schema: undefined };
}

/** Makes a kind that checks a value further, or converts it. */
export function refined<T, U>(
  kind: Kind<T>,
  refine: (value: T, path: string) => U,
  schema: Schema | undefined = kind.schema,
): Kind<U> {
  return { read: (value, path) => refine(kind.read(value, path), path), schema, judge: kind.judge };
}

/** Gives a schema a name among the `$defs`. Keywords next to `$def` stay at the place of use. */
export function shared(name: string, schema: Schema): Schema {
  return { $def: name, is: schema };
}

/** The pattern of a string that contains an environment variable. */
const VARIABLE = '\\$\\{[A-Z_][A-Z0-9_]*\\}';
const variable = shared('variable', {
  description: 'A text with an environment variable in it.',
  type: 'string',
  pattern: VARIABLE,
});

/** A string that is not blank. */
export const text: Kind<string> = {
  read: readText,
  schema: shared('text', { description: 'A text that is not empty.', type: 'string', pattern: '\\S' }),
};

/** The path of a file, and not its content. */
export const fileName: Kind<string> = {
  read(value, path) {
    if (typeof value === 'string' && value.includes('-----BEGIN'))
      throw new ConfigError(path, 'expected the path of a file, got its content; write it as pem');
    return readText(value, path);
  },
  schema: text.schema,
};

/**
 * The schema of a string that matches a pattern, or contains a variable. Only for schemas: a reader
 * makes the error messages.
 */
export function patternSchema(pattern: string): Schema {
  return { type: 'string', pattern: `${pattern}|${VARIABLE}` };
}

/** A duration, in milliseconds. */
export const duration: Kind<number> = {
  read: parseDuration,
  schema: shared('duration', {
    description: 'A number with its unit, or several: 30s, 5m, 1h30m. Units: ms, s, m, h, d.',
    ...patternSchema('^(?:\\d+(?:\\.\\d+)?(?:ms|s|m|h|d))+$'),
    examples: ['30s', '5m', '1h30m'],
  }),
};

/** A duration from `least` to `most`, in milliseconds. */
export function durationFrom(least: string, most: string): Kind<number> {
  const [leastMs, mostMs] = [parseDuration(least, ''), parseDuration(most, '')];
  return refined(duration, (lengthMs, path) => {
    if (lengthMs < leastMs || lengthMs > mostMs)
      throw new ConfigError(path, `expected ${least} to ${most}, got ${durationText(lengthMs)}`);
    return lengthMs;
  });
}

/** True or false. */
export const boolean: Kind<boolean> = {
  read: (value, path) => readBoolean(value, false, path),
  schema: { type: 'boolean' },
};

/** One of a few words. */
export function choice<const T extends string>(...words: readonly T[]): Kind<T> {
  return {
    read(value, path) {
      const word = readChoice(value, words, path);
      if (word === undefined) throw new ConfigError(path, notOneOf(value, words));
      return word;
    },
    schema: { anyOf: wordSchemas(...words) },
  };
}

/** The alternatives of a schema: one of these words, or a text with a variable. */
export function wordSchemas(...words: readonly string[]): readonly Schema[] {
  return [{ enum: words }, variable];
}

/** A list with at least one item. */
export function list<T>(item: Kind<T>, more: Schema = {}): Kind<readonly T[]> {
  return {
    read: (value, path) => readList(value, item.read, path),
    schema: { type: 'array', minItems: 1, items: item.schema, ...more },
  };
}

/** One item, or a list with at least one item. */
export function oneOrMany<T>(item: Kind<T>): Kind<T | readonly T[]> {
  const many = list(item);
  return {
    read: (value, path) => (Array.isArray(value) ? many : item).read(value, path),
    schema: { anyOf: [item.schema, many.schema] },
  };
}

/** Null, or a value of the kind. */
export function orNull<T>(kind: Kind<T>): Kind<T | null> {
  const { anyOf } = kind.schema ?? {};
  return {
    read: (value, path) => (value === null ? null : kind.read(value, path)),
    schema: { anyOf: [...(Array.isArray(anyOf) ? anyOf : [kind.schema]), { type: 'null' }] },
  };
}

/** A whole number within limits, both included. */
export function whole(minimum: number, maximum: number, problem: string): Kind<number> {
  return {
    read(value, path) {
      if (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum)
        return value;
      throw new ConfigError(path, `${problem}, got ${numberOr(value)}`);
    },
    schema: { type: 'integer', minimum, maximum },
  };
}

/** A number is not a secret, and its value is what is wrong. */
function numberOr(value: unknown): string {
  return typeof value === 'number' ? String(value) : kindOf(value);
}

/** `maxTokenBytes`. */
export function maxTokenBytes(byDefault: number, doc: string): Option<number> {
  const kind = whole(256, 65_536, 'expected a whole number of bytes from 256 to 65536');
  return defaulted(kind, byDefault, doc, sized('opens', 'longest token'));
}

/** Values of one kind under arbitrary names. */
export function byName<T>(kind: Kind<T>, problem: string): Kind<ReadonlyMap<string, T>> {
  return {
    read(value, path) {
      if (!isPlainObject(value)) throw new ConfigError(path, `${problem}, got ${kindOf(value)}`);
      const members = Object.entries(ownMembers(value));
      return new Map(members.map(([name, one]) => [name, kind.read(one, `${path}.${name}`)]));
    },
    schema: { type: 'object', additionalProperties: kind.schema },
  };
}

/** A kind of object that has the options of a table, and no others. */
export interface ObjectKind<T extends Table> extends Kind<ReadBy<T>> {
  readonly table: T;
  readonly judge: Judge;
}

/**
 * Makes a kind of object. `more` adds schema keywords about options that depend on each other;
 * `help` is for messages.
 */
export function object<const T extends Table>(
  table: T,
  more: Schema = {},
  help: ObjectHelp = {},
): ObjectKind<T> {
  const names = Object.keys(table);
  const required = names.filter((name) => table[name]?.isNeeded && table[name].schema !== undefined);
  return {
    table,
    read: (value, path) => readTable(table, readObject(value, names, path, help), path),
    schema: {
      ...objectSchema(table),
      ...(required.length === 0 ? {} : { required }),
      ...more,
    },
    judge: members(judgesOf(table)),
  };
}

/** Reads each option of a table. Does *not* refuse names that are not in it. @throws ConfigError */
export function readTable<T extends Table>(table: T, options: UncheckedOptions, path: string): ReadBy<T> {
  const read = Object.entries(table).map(([name, option]) => [
    name,
    option.read(own(options, name), at(path, name)),
  ]);
  return Object.fromEntries(read) as ReadBy<T>;
}

/** The path of a member. */
function at(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** The judges of a table, by option. */
export function judgesOf(table: Table): { readonly [name: string]: Judge } {
  return Object.fromEntries(Object.entries(table).map(([name, { judge }]) => [name, judge]));
}

function objectSchema(table: Table): Schema {
  const written = Object.entries(table).filter(([, { schema }]) => schema !== undefined);
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(written.map(([name, { schema }]) => [name, schema])),
  };
}

/** Objects that have exactly one of several sources, each with the options allowed next to it. */
export interface SourceKind<S extends Table, T extends Table> {
  readonly table: S & T;
  readonly sources: readonly (keyof S & string)[];
  /**
   * Returns the source that is given, and all options as written. Refuses options that are not
   * allowed next to that source.
   * @throws ConfigError
   */
  open(
    value: unknown,
    path: string,
  ): { readonly source: keyof S & string; readonly options: UncheckedOptions };
  schema(more?: Schema): Schema;
}

/**
 * Declares objects that have exactly one of several sources. `besides` lists the options allowed
 * next to each source.
 */
export function oneSourceOf<const S extends Table, const T extends Table>(
  sources: S,
  others: T,
  besides: { readonly [Source in keyof S]: readonly (keyof T & string)[] },
  help: ObjectHelp = {},
): SourceKind<S, T> {
  const names: readonly (keyof S & string)[] = Object.keys(sources);
  const table = { ...sources, ...others };
  return {
    table,
    sources: names,
    open(value, path) {
      const members: UncheckedOptions = isPlainObject(value) ? ownMembers(value) : {};
      const given = names.filter((name) => Object.hasOwn(members, name));
      const [source] = given;
      // A source that is switched off has a better message than one too many.
      for (const name of given) if (members[name] === false) sources[name]?.read(false, at(path, name));
      const allowed = source === undefined || given.length > 1 ? undefined : [source, ...besides[source]];
      // Names first: a misspelt source is a wrong name, and not a missing source.
      const options = readObject(value, Object.keys(table), path, { ...help, offered: allowed });
      if (source === undefined || allowed === undefined)
        throw new ConfigError(
          path === '' ? (help.whole ?? 'options') : path,
          `exactly one source is needed: ${names.join(', ')}; got ${given.join(' and ') || 'none'}`,
        );
      const other = Object.keys(options).find((name) => !allowed.includes(name));
      if (other === undefined) return { source, options };
      throw new ConfigError(at(path, other), `is not allowed next to ${source}; remove it`);
    },
    schema: ({ dependentSchemas = {}, ...more } = {}) => ({
      ...objectSchema(table),
      ...exactlyOne(names),
      dependentSchemas: {
        ...(dependentSchemas as Schema),
        ...Object.fromEntries(
          names.map((name) => [
            name,
            {
              ...shut(table, [name, ...besides[name]]),
              ...(dependentSchemas as { readonly [name: string]: Schema })[name],
            },
          ]),
        ),
      },
      ...more,
    }),
  };
}

/**
 * The schema of objects with exactly one of these members. With `oneOf`, a message would only say
 * that one schema has to match; here, it is at the member that is too much.
 */
export function exactlyOne(names: readonly string[]): Schema {
  const without = (name: string) => names.filter((other) => other !== name);
  return {
    anyOf: names.map((name) => ({ required: [name] })),
    dependentSchemas: Object.fromEntries(names.map((name) => [name, forbidden(without(name))])),
  };
}

function forbidden(names: readonly string[]): Schema {
  return names.length === 0 ? {} : { properties: Object.fromEntries(names.map((name) => [name, false])) };
}

/** The schema that forbids the options not allowed next to a source. */
function shut(others: Table, allowed: readonly string[]): Schema {
  const names = Object.keys(others).filter(
    (name) => others[name]?.schema !== undefined && !allowed.includes(name),
  );
  return forbidden(names);
}
