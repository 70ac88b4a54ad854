// How `plan` compares two values of a descriptor: small judges, each of which says what a change
// opens, closes or merely changes. The tables of options say which option has which judge.
import { isDeepStrictEqual } from 'node:util';
import { parseDuration } from './duration.ts';
import { own } from './json.ts';
import { isPlainObject, type UncheckedOptions } from './readers.ts';

/**
 * `opens`: more may pass than before. `closes`: less may. `changes`: something else. What cannot be
 * told may do both.
 */
export type Effect = 'opens' | 'closes' | 'changes';

/** What one change does. */
export interface Verdict {
  readonly effect: Effect;
  readonly says: string;
  /**
   * The place, relative to the judged value: `.allowHttp`, `[2]`, or empty for the value itself.
   */
  readonly at: string;
  /** Which of the two descriptors the path belongs to. */
  readonly side: 'before' | 'after';
}

/**
 * Compares a value with the value before. Undefined means absent; `fallback` is the default that
 * then applies. Equal values are not passed to a judge.
 */
export type Judge = (before: unknown, after: unknown, fallback?: unknown) => readonly Verdict[];

/** A verdict about the value itself, at the place where it is now, or was before it was removed. */
export function verdict(effect: Effect, says: string, after: unknown): Verdict {
  return { effect, says, at: '', side: after === undefined ? 'before' : 'after' };
}

/** The opposite effect: if adding a thing closes, removing it opens. */
export function inverse(effect: Effect): Effect {
  return effect === 'opens' ? 'closes' : effect === 'closes' ? 'opens' : effect;
}

/** The same verdicts, with their paths prefixed by `at`. */
export function within(at: string, verdicts: readonly Verdict[]): readonly Verdict[] {
  return verdicts.map((one) => ({ ...one, at: `${at}${one.at}` }));
}

/**
 * For a value that lets other requests pass than the value before: some now pass that did not, and
 * some no longer pass. For options where neither of two values is stricter.
 */
export function replaced(says: string): Judge {
  return (_before, after) => opened(says, after);
}

/** Like `replaced`, and names both values as URLs. */
export function replacedBy(says: string): Judge {
  return (before, after) => opened(`${says}: ${nameOfUrl(before)} → ${nameOfUrl(after)}`, after);
}

function opened(says: string, after: unknown): readonly Verdict[] {
  return [verdict('opens', says, after), verdict('closes', says, after)];
}

/** For options that do not decide whether a request passes: a change opens nothing. */
export function other(says: string): Judge {
  return (_before, after) => [verdict('changes', says, after)];
}

/** Objects, compared member by member. A member without a judge is reported as a change. */
export function members(judges: { readonly [name: string]: Judge }): Judge {
  return (before, after) => {
    const [old, current] = [objectOf(before), objectOf(after)];
    if (old === undefined || current === undefined)
      return [verdict('changes', 'has another form now', after)];
    const names = new Set([...Object.keys(old), ...Object.keys(current)]);
    return [...names].flatMap((name) => {
      const [was, is] = [own(old, name), own(current, name)];
      if (isDeepStrictEqual(was, is)) return [];
      const judge = own(judges, name);
      return within(`.${name}`, (judge ?? other('has changed'))(was, is));
    });
  };
}

/**
 * Objects with arbitrary member names: judges each member that is in both, and reports each one
 * that was added or removed.
 */
export function named(says: { readonly added: Effect; readonly thing: string }, judge: Judge): Judge {
  return (before, after) => {
    const [old, current] = [objectOf(before), objectOf(after)];
    if (old === undefined || current === undefined)
      return [verdict('changes', 'has another form now', after)];
    const names = new Set([...Object.keys(old), ...Object.keys(current)]);
    return [...names].flatMap((name) => {
      const [was, is] = [own(old, name), own(current, name)];
      if (isDeepStrictEqual(was, is)) return [];
      if (was === undefined || is === undefined) {
        const effect = was === undefined ? says.added : inverse(says.added);
        const what = `${name}: ${says.thing} ${was === undefined ? 'is new' : 'is gone'}`;
        return within(`.${name}`, [verdict(effect, what, is)]);
      }
      return within(`.${name}`, judge(was, is));
    });
  };
}

/**
 * A boolean. `on` is the effect of turning it on. Absent means `fallback`, or false without one.
 */
export function flag(on: Effect, says: string): Judge {
  return (before, after, fallback = false) => {
    const [was, is] = [before === undefined ? fallback : before, after === undefined ? fallback : after];
    if (typeof was !== 'boolean' || typeof is !== 'boolean')
      return [verdict('changes', `${says}: has another form now`, is)];
    if (was === is) return [];
    return [verdict(is ? on : inverse(on), `${says}: ${is ? 'yes' : 'no'}`, is)];
  };
}

/** One word of several. `words` goes from the strictest to the most open. */
export function ranked(words: readonly string[], says: string): Judge {
  const rank = (value: unknown) => (words.includes(String(value)) ? words.indexOf(String(value)) : undefined);
  return measured(rank, 'opens', says);
}

/**
 * A duration. `longer` is the effect of a longer one. Absent, without a default, means no limit.
 */
export function lasting(longer: Effect, says: string): Judge {
  return measured(lengthOf, longer, says, 'no limit');
}

/** A number. `greater` is the effect of a greater one. */
export function sized(greater: Effect, says: string): Judge {
  return measured((value) => (typeof value === 'number' ? value : undefined), greater, says);
}

/**
 * A value that can be measured. One of which `measure` says nothing, such as a variable, may be
 * either.
 */
function measured(
  measure: (value: unknown) => number | undefined,
  more: Effect,
  says: string,
  none?: string,
): Judge {
  return (before, after, fallback) => {
    const [old, current] = [before === undefined ? fallback : before, after === undefined ? fallback : after];
    const [was, is] = [measure(old), measure(current)];
    if (was === is && was !== undefined) return [];
    const what = `${says}: ${nameOf(old, none)} → ${nameOf(current, none)}`;
    if (was === undefined || is === undefined)
      return more === 'changes' ? [verdict(more, what, current)] : opened(what, current);
    return [verdict(is > was ? more : inverse(more), what, current)];
  };
}

/** A URL that was replaced by another one, which does not decide whether a request passes. */
export function exchanged(says: string): Judge {
  return (before, after) => [
    verdict('changes', `${says}: ${nameOfUrl(before)} → ${nameOfUrl(after)}`, after),
  ];
}

/** A value that may be added or removed as a whole; while it is there, `judge` compares it. */
export function coming(
  came: readonly [Effect, string],
  went: readonly [Effect, string],
  judge: Judge,
): Judge {
  return (before, after) => {
    if (before !== undefined && after !== undefined) return judge(before, after);
    const [effect, says] = after === undefined ? went : came;
    return [verdict(effect, says, after)];
  };
}

/** How a list is compared. */
interface ListRules {
  /** The effect of adding an item. */
  readonly more: Effect;
  /**
   * The effect of giving a list where none was given: `closes` for a list that restricts, `opens`
   * for a list that admits. Default: the items count as added to an empty list.
   */
  readonly given?: Effect | undefined;
  /** What an item is called in messages. */
  readonly thing: string;
  /** How one item is shown, because it may be long or secret. Default: as written. */
  readonly name?: ((item: unknown) => string) | undefined;
}

/**
 * A list compared as a set: order and repetition do not matter. A single value is a list of one.
 */
export function listed({ more, given, thing, name = nameOf }: ListRules): Judge {
  return (before, after) => {
    if (given !== undefined && (before === undefined || after === undefined)) {
      const effect = before === undefined ? given : inverse(given);
      return [
        verdict(
          effect,
          after === undefined ? `any ${thing} is accepted` : `only some are accepted: ${thing}`,
          after,
        ),
      ];
    }
    const [old, current] = [listOf(before), listOf(after)];
    const lacks = (list: readonly unknown[], item: unknown) =>
      !list.some((one) => isDeepStrictEqual(one, item));
    return [
      ...current
        .filter((item) => lacks(old, item))
        .map((item) => verdict(more, `${thing} is new: ${name(item)}`, after)),
      ...old
        .filter((item) => lacks(current, item))
        .map((item) => verdict(inverse(more), `${thing} is gone: ${name(item)}`, after)),
    ];
  };
}

/** A value for messages: short, and never the members of an object. */
export function nameOf(value: unknown, none = 'not given'): string {
  if (value === undefined) return none;
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && value !== null) {
    const pattern: unknown = Reflect.get(value, 'pattern');
    return typeof pattern === 'string' ? `/${pattern}/` : 'another form';
  }
  return String(value);
}

/** A URL for messages, without the parts that may be secret: user name, password and query. */
function nameOfUrl(value: unknown): string {
  return nameOf(value)
    .replace(/[?#].*$/s, '')
    .replace(/\/\/[^/@]*@/, '//');
}

/** A list as it is; a single value as a list of one; undefined as an empty list. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value];
}

function lengthOf(value: unknown): number | undefined {
  if (value === undefined) return Number.POSITIVE_INFINITY;
  try {
    return parseDuration(value, '');
  } catch {
    return undefined;
  }
}

/** Absent and empty values have no members. */
function objectOf(value: unknown): UncheckedOptions | undefined {
  if (value === undefined || value === null) return {};
  return isPlainObject(value) ? value : undefined;
}
