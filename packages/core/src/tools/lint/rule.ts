// The interface of a lint rule and of its findings, and functions to read the parts of an unchecked
// descriptor. The rules are in the files next to this one.

import type { FilePlace } from '../../errors.ts';
import { parseDuration } from '../../values/duration.ts';
import { isPlainObject, type UncheckedOptions } from '../../values/readers.ts';

/**
 * `error`: core refuses it, a secret is exposed, or tokens of everyone are accepted. `warning`: it
 * works, but is dangerous.
 */
export type Severity = 'error' | 'warning';

/** A fault in a descriptor. Contains no secret; its texts may quote the descriptor. */
export interface Finding {
  /** The rule that found it: a constant, such as `audience-null`. */
  readonly rule: string;
  readonly severity: Severity;
  /** The path in `service.jwt`: `keySets[1].jwksUrl`. Empty: the whole block. */
  readonly path: string;
  readonly place: FilePlace;
  readonly message: string;
  /** How to fix it. */
  readonly fix: string;
}

/** A place that a rule points to. */
export interface Spot {
  readonly path: string;
  /** Names one of several things there: an algorithm, a host. Never a secret. */
  readonly about?: string | undefined;
}

/** One rule: how it finds faults, and the texts of its findings. */
export interface LintRule {
  readonly id: string;
  readonly severity: Severity;
  readonly message: string;
  readonly fix: string;
  /**
   * Finds the faults.
   * @param jwt the block, in which the variables that are set are replaced
   */
  find(jwt: UncheckedOptions): readonly Spot[];
}

/** An object of a descriptor, and its path. */
export interface Part {
  readonly path: string;
  readonly value: UncheckedOptions;
}

/** The members of an object; empty for other values. */
export function membersOf(value: unknown): UncheckedOptions {
  return isPlainObject(value) ? value : {};
}

/** The items of a list; empty for other values. */
export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The objects in a list. */
export function partsIn(value: unknown, path: string): readonly Part[] {
  return itemsOf(value).flatMap((item, index) =>
    isPlainObject(item) ? [{ path: `${path}[${index}]`, value: item }] : [],
  );
}

/** The keysets that are objects. */
export function keysetsOf(jwt: UncheckedOptions): readonly Part[] {
  return partsIn(jwt.keySets, 'keySets');
}

/** The keys of the deprecated list. */
export function keysOf(jwt: UncheckedOptions): readonly Part[] {
  return partsIn(jwt.keys, 'keys');
}

/**
 * True if an option for all keysets applies to some tokens, and not every keyset has its own in
 * place of it.
 */
export function isInherited(jwt: UncheckedOptions, name: string): boolean {
  const keysets = keysetsOf(jwt);
  const others = jwt.keys !== undefined || jwt.remote !== undefined;
  return others || keysets.length === 0 || keysets.some(({ value }) => value[name] === undefined);
}

/** One spot if the condition is true, else none. */
export function spotIf(is: boolean, path: string, about?: string): readonly Spot[] {
  return is ? [{ path, about }] : [];
}

/** A URL; undefined for other values, including an unset variable. */
export function urlOf(value: unknown): URL | undefined {
  return typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
}

/** A duration in milliseconds; undefined for other values. */
export function millisecondsOf(value: unknown): number | undefined {
  try {
    return parseDuration(value, '');
  } catch {
    return undefined;
  }
}

/** True for a duration that is longer than the limit. */
export function isLonger(value: unknown, limitMs: number): boolean {
  const lengthMs = millisecondsOf(value);
  return lengthMs !== undefined && lengthMs > limitMs;
}

/** Every text in plain data, with its path. */
export function* textsIn(
  value: unknown,
  path = '',
): Generator<{ readonly path: string; readonly text: string }> {
  if (typeof value === 'string') yield { path, text: value };
  for (const [index, item] of itemsOf(value).entries()) yield* textsIn(item, `${path}[${index}]`);
  for (const [name, member] of Object.entries(membersOf(value)))
    yield* textsIn(member, path === '' ? name : `${path}.${name}`);
}

/** The rules of all tokens, of each keyset, and of each route. */
export function ruleSetsOf(
  jwt: UncheckedOptions,
): readonly { readonly path: string; readonly rules: unknown }[] {
  return [
    { path: 'claims', rules: jwt.claims },
    ...keysetsOf(jwt).map(({ path, value }) => ({ path: `${path}.claims`, rules: value.claims })),
    ...Object.entries(membersOf(jwt.routes)).map(([name, asked]) => ({
      path: `routes.${name}.claims`,
      rules: membersOf(asked).claims,
    })),
  ];
}
