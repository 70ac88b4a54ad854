// Small readers for options that come from anywhere: each gives a checked value, or a ConfigError that names the path.
import { ConfigError } from '../errors.ts';

/** Options as they come: nothing is known of their values. */
export type UncheckedOptions = Readonly<Record<string, unknown>>;

/**
 * True for an object literal, and for what JSON and YAML make. Not for a Map or an instance, whose members are elsewhere, nor for
 * one that inherits members.
 */
export function isPlainObject(value: unknown): value is UncheckedOptions {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // By its parent and not by identity: Object.prototype of another realm will do.
  return prototype === null || (Object.getPrototypeOf(prototype) === null && !Array.isArray(value));
}

/** An object with no other members than the known ones. `path` is empty for the top. */
export function readObject(value: unknown, known: readonly string[], path: string): UncheckedOptions {
  if (!isPlainObject(value)) throw new ConfigError(path === '' ? 'options' : path, 'expected an object');
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const nearest = known.find((candidate) => candidate.toLowerCase() === name.toLowerCase());
    throw new ConfigError(
      path === '' ? name : `${path}.${name}`,
      nearest === undefined
        ? `unknown option; expected one of ${known.join(', ')}`
        : `unknown option; did you mean ${nearest}?`,
    );
  }
  return value;
}

/** A string that says something. */
export function readText(value: unknown, path: string): string {
  if (typeof value !== 'string' || value.trim() === '') {
    throw new ConfigError(path, 'expected a string that is not empty');
  }
  return value;
}

/** True or false; nothing else is either. */
export function readBoolean(value: unknown, fallback: boolean, path: string): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw new ConfigError(path, 'expected true or false');
  return value;
}

/** One of a few words. */
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

/** A list with at least one item, each read by `readItem`. */
export function readList<T>(
  value: unknown,
  readItem: (item: unknown, path: string) => T,
  path: string,
): readonly T[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new ConfigError(path, 'expected a list with at least one item');
  // Array.from, because map passes over holes.
  return Array.from(value, (item, index) => readItem(item, `${path}[${index}]`));
}
