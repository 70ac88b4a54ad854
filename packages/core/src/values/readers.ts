// Small readers for options from any source. Each returns a checked value, or throws a ConfigError
// that names the path.
import { ConfigError } from '../errors.ts';
import { kindOf, meant, nearestTo } from './kind.ts';
import { isPromise } from './promise.ts';

/** Options before they are checked: their values can be anything. */
export type UncheckedOptions = Readonly<Record<string, unknown>>;

/**
 * True for an object literal, and for the objects that JSON and YAML make. False for a Map or a
 * class instance, whose data is not in own members, and for an object that inherits members.
 */
export function isPlainObject(value: unknown): value is UncheckedOptions {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  // Checked by its members and not by identity, so that Object.prototype of another realm counts.
  return (
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, 'isPrototypeOf') &&
    !Array.isArray(value)
  );
}

/** What messages about an object say besides its names. */
export interface ObjectHelp {
  /** How such an object is written: `{ name: 'jwt' }`. Default: `an object`. */
  readonly like?: string | undefined;
  /** The path of the object where it is the whole argument. Default: `options`. */
  readonly whole?: string | undefined;
  /** What to write in place of options of other packages, and of other places. */
  readonly hints?: ReadonlyMap<string, string> | undefined;
  /** What a message about an unknown name adds. */
  readonly also?: string | undefined;
  /** The names that a message lists. Default: all known names. */
  readonly offered?: readonly string[] | undefined;
}

/**
 * Reads an object that has only known members, none of them undefined. `path` is empty for the
 * options as a whole.
 * @returns a copy of the own members, without a prototype, so that a polluted Object.prototype
 *   never adds an option
 */
export function readObject(
  value: unknown,
  known: readonly string[],
  path: string,
  help: ObjectHelp = {},
): UncheckedOptions {
  const members = membersOf(value, path, help);
  for (const name of Object.keys(members)) {
    const at = path === '' ? name : `${path}.${name}`;
    if (!known.includes(name)) throw new ConfigError(at, unknownOption(name, known, help));
    refuseUndefined(members[name], at);
  }
  return members;
}

function membersOf(
  value: unknown,
  path: string,
  { like = 'an object', whole = 'options' }: ObjectHelp,
): UncheckedOptions {
  if (isPlainObject(value)) return ownMembers(value);
  const got = kindOf(value);
  const isInstance = got.startsWith('an instance of') && !ArrayBuffer.isView(value);
  const literal = isInstance ? '; pass an object literal, such as { ...options }' : '';
  const fix = isPromise(value) ? '; await it first' : literal;
  throw new ConfigError(path === '' ? whole : path, `expected ${like}, got ${got}${fix}`);
}

/** Unsafe options are not suggested to somebody who looks for a name. */
function unknownOption(
  name: string,
  known: readonly string[],
  { hints, also = '', offered = known }: ObjectHelp,
): string {
  const isSpelling = known.some((candidate) => candidate.toLowerCase() === name.toLowerCase());
  const hint = isSpelling ? undefined : hints?.get(name);
  if (hint !== undefined) return `unknown option; ${hint}`;
  if (nearestTo(name, known) !== undefined) return `unknown option${meant(name, known)}`;
  if (known.length === 0) return 'unknown option; expected none';
  const listed = offered.filter((candidate) => !candidate.startsWith('unsafe'));
  return `unknown option; expected one of ${listed.join(', ')}${also}`;
}

/**
 * An object with no other members than those that there is a reader for, each of which is read
 * where it is there.
 * @returns a copy of the members as they are, without a prototype
 * @throws ConfigError
 */
export function readEach(
  value: unknown,
  readers: { readonly [name: string]: (value: unknown, path: string) => unknown },
  help: ObjectHelp = {},
): UncheckedOptions {
  const options = readObject(value, Object.keys(readers), '', help);
  for (const [name, read] of Object.entries(readers))
    if (Object.hasOwn(options, name)) read(options[name], name);
  return options;
}

/**
 * The members of an object itself, without those of its prototype, in an object that has no
 * prototype.
 */
export function ownMembers(value: UncheckedOptions): UncheckedOptions {
  const members: Record<string, unknown> = Object.create(null);
  for (const name of Object.getOwnPropertyNames(value)) members[name] = value[name];
  return members;
}

/**
 * Reads one option from an object that also has members of other owners, such as `config` of a
 * route.
 * @returns undefined if the option is absent
 * @throws ConfigError if the option is present but undefined, or if it is inherited from anything
 *   but Object.prototype, whose members are never options
 */
export function optionIn(holder: object, name: string, path: string): unknown {
  if (Object.hasOwn(holder, name)) {
    const value: unknown = Reflect.get(holder, name);
    refuseUndefined(value, path);
    return value;
  }
  if (name in holder && !isPlainObject(holder))
    throw new ConfigError(path, 'expected an own member, got an inherited one; set it on the object itself');
  return undefined;
}

/**
 * Refuses undefined where a value was given. Undefined comes from a misspelt name or a missing
 * import, and would silently turn off an option that restricts.
 * @throws ConfigError
 */
export function refuseUndefined(value: unknown, path: string): void {
  if (value !== undefined) return;
  throw new ConfigError(
    path,
    'expected a value, got undefined; check where it comes from, such as an environment variable that is not set, or leave the option out',
  );
}

/**
 * Reads an optional argument of a call: the given value, or the fallback if the call has no
 * argument.
 * @throws ConfigError if the argument is given and undefined
 */
export function argument<T, F>(given: readonly [value?: T], path: string, fallback: F): T | F {
  if (given.length === 0) return fallback;
  refuseUndefined(given[0], path);
  return given[0] as T;
}

/** Environment variables, by their names. */
type Environment = { readonly [name: string]: string | undefined };

/**
 * Environment variables, as code gives them: those of the process, or others.
 * @throws ConfigError
 */
export function readEnvironment(value: unknown, path: string): Environment {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ConfigError(path, `expected an object, such as process.env, got ${kindOf(value)}`);
  for (const name of Object.getOwnPropertyNames(value)) {
    const variable: unknown = Reflect.get(value, name);
    if (variable !== undefined && typeof variable !== 'string')
      throw new ConfigError(`${path}.${name}`, `expected a text, got ${kindOf(variable)}`);
  }
  return value as Environment;
}

/** A string that says something. */
export function readText(value: unknown, path: string): string {
  if (typeof value !== 'string' || value.trim() === '') {
    const fix = value instanceof URL ? '; pass its href' : '';
    throw new ConfigError(path, `expected a string that is not empty, got ${kindOf(value)}${fix}`);
  }
  return value;
}

/** Reads a boolean, and nothing that is merely truthy or falsy. */
export function readBoolean(value: unknown, fallback: boolean, path: string): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw new ConfigError(path, `expected true or false, got ${kindOf(value)}`);
  return value;
}

/** Reads one of a few words. */
export function readChoice<const T extends string>(
  value: unknown,
  choices: readonly T[],
  path: string,
): T | undefined {
  if (value === undefined) return undefined;
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) throw new ConfigError(path, notOneOf(value, choices));
  return choice;
}

/** What is wrong with a value that is not one of a few words. */
export function notOneOf(value: unknown, words: readonly string[]): string {
  const expected = words.map((word) => `'${word}'`).join(' or ');
  return `expected ${expected}, got ${got(value)}${meant(value, words)}`;
}

/** A string that is not a word of the list is another string. */
function got(value: unknown): string {
  return typeof value === 'string' && value.trim() !== '' ? 'another string' : kindOf(value);
}

/** Reads a list with at least one item; `readItem` reads each item. */
export function readList<T>(
  value: unknown,
  readItem: (item: unknown, path: string) => T,
  path: string,
): readonly T[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new ConfigError(
      path,
      `expected a list with at least one item, got ${kindOf(value)}${bracketed(value)}`,
    );
  // Array.from, because `map` skips holes.
  return Array.from(value, (item, index) => readItem(item, `${path}[${index}]`));
}

/** How to make a list of one value. */
function bracketed(value: unknown): string {
  return value === undefined || value === null || Array.isArray(value) ? '' : '; put it into [ ]';
}
