// What a rule of lint is, what it finds, and how rules get at the parts of a descriptor that nobody
// has checked. The rules are beside it.

import type { FilePlace } from '../../errors.ts';
import { parseDuration } from '../../values/duration.ts';
import { isPlainObject, type UncheckedOptions } from '../../values/readers.ts';

/** `error`: core refuses it, or a secret lies open. `warning`: it works, and is dangerous. */
export type Severity = 'error' | 'warning';

/**
 * Something in a descriptor that should be otherwise. Holds no secret; its texts may hold what the
 * descriptor says.
 */
export interface Finding {
  /** Which rule has found it: a constant, such as `audience-null`. */
  readonly rule: string;
  readonly severity: Severity;
  /** Where in `service.jwt`: `keySets[1].jwksUrl`. Empty: in all of it. */
  readonly path: string;
  readonly place: FilePlace;
  readonly message: string;
  /** What to write instead. */
  readonly fix: string;
}

/** A place that a rule points to. */
export interface Spot {
  readonly path: string;
  /** Which of several things there: an algorithm, a host. Never a secret. */
  readonly about?: string | undefined;
}

/** One rule: what it looks at, and what it says. */
export interface LintRule {
  readonly id: string;
  readonly severity: Severity;
  readonly message: string;
  readonly fix: string;
  /** @param jwt the block, with those variables put in that are set */
  find(jwt: UncheckedOptions): readonly Spot[];
}

/** An object of a descriptor, and where it stands. */
export interface Part {
  readonly path: string;
  readonly value: UncheckedOptions;
}

/** The members of what may be an object; none of what is not. */
export function membersOf(value: unknown): UncheckedOptions {
  return isPlainObject(value) ? value : {};
}

/** The items of what may be a list; none of what is not. */
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

/** A spot, if it is one. */
export function spotIf(is: boolean, path: string, about?: string): readonly Spot[] {
  return is ? [{ path, about }] : [];
}

/** A URL; undefined for what is none, a variable that is not set included. */
export function urlOf(value: unknown): URL | undefined {
  return typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
}

/** A duration in milliseconds; undefined for what is none. */
export function millisecondsOf(value: unknown): number | undefined {
  try {
    return parseDuration(value, '');
  } catch {
    return undefined;
  }
}

/** True for a duration that is longer. */
export function isLonger(value: unknown, limitMs: number): boolean {
  const lengthMs = millisecondsOf(value);
  return lengthMs !== undefined && lengthMs > limitMs;
}

/** Every text of plain data, and where it stands. */
export function* textsIn(
  value: unknown,
  path = '',
): Generator<{ readonly path: string; readonly text: string }> {
  if (typeof value === 'string') yield { path, text: value };
  for (const [index, item] of itemsOf(value).entries()) yield* textsIn(item, `${path}[${index}]`);
  for (const [name, member] of Object.entries(membersOf(value)))
    yield* textsIn(member, path === '' ? name : `${path}.${name}`);
}

/** The rules of all tokens, and of each route. */
export function ruleSetsOf(
  jwt: UncheckedOptions,
): readonly { readonly path: string; readonly rules: unknown }[] {
  return [
    { path: 'claims', rules: jwt.claims },
    ...Object.entries(membersOf(jwt.routes)).map(([name, asked]) => ({
      path: `routes.${name}.claims`,
      rules: membersOf(asked).claims,
    })),
  ];
}
