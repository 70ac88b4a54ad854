// Small readers for options from any source. Each returns a checked value, or throws a ConfigError
// that names the path.
import { ConfigError } from '../errors.ts';

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

/**
 * Reads an object that has only known members, none of them undefined. `path` is empty for the
 * options as a whole.
 * @returns a copy of the own members, without a prototype, so that a polluted Object.prototype
 *   never adds an option
 */
export function readObject(value: unknown, known: readonly string[], path: string): UncheckedOptions {
  if (!isPlainObject(value)) throw new ConfigError(path === '' ? 'options' : path, 'expected an object');
  const members = ownMembers(value);
  for (const name of Object.keys(members)) {
    const at = path === '' ? name : `${path}.${name}`;
    if (known.includes(name)) {
      refuseUndefined(members[name], at);
      continue;
    }
    const nearest = known.find((candidate) => candidate.toLowerCase() === name.toLowerCase());
    throw new ConfigError(
      at,
      nearest === undefined
        ? `unknown option; expected one of ${known.join(', ')}`
        : `unknown option; did you mean ${nearest}?`,
    );
  }
  return members;
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
): UncheckedOptions {
  const options = readObject(value, Object.keys(readers), '');
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
    'expected a value, got undefined; check where it comes from, or leave the option out',
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
    throw new ConfigError(path, 'expected an object, such as process.env');
  for (const name of Object.getOwnPropertyNames(value)) {
    const variable: unknown = Reflect.get(value, name);
    if (variable !== undefined && typeof variable !== 'string')
      throw new ConfigError(`${path}.${name}`, 'expected a text');
  }
  return value as Environment;
}

/** A string that says something. */
export function readText(value: unknown, path: string): string {
  if (typeof value !== 'string' || value.trim() === '') {
    throw new ConfigError(path, 'expected a string that is not empty');
  }
  return value;
}

/** Reads a boolean, and nothing that is merely truthy or falsy. */
export function readBoolean(value: unknown, fallback: boolean, path: string): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw new ConfigError(path, 'expected true or false');
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
  if (choice === undefined) {
    throw new ConfigError(path, `expected ${choices.map((candidate) => `'${candidate}'`).join(' or ')}`);
  }
  return choice;
}

/** Reads a list with at least one item; `readItem` reads each item. */
export function readList<T>(
  value: unknown,
  readItem: (item: unknown, path: string) => T,
  path: string,
): readonly T[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new ConfigError(path, 'expected a list with at least one item');
  // Array.from, because `map` skips holes.
  return Array.from(value, (item, index) => readItem(item, `${path}[${index}]`));
}
