// How two values of a descriptor are compared: small judges, each of which says what a change
// opens, closes, or merely changes. Which option has which judge is in the tables of options.
import { isDeepStrictEqual } from 'node:util';
import { parseDuration } from './duration.ts';
import { own } from './json.ts';
import { isPlainObject, type UncheckedOptions } from './readers.ts';

/** `opens`: more may pass than before. `closes`: less may. `changes`: something else. What cannot be told may do both. */
export type Effect = 'opens' | 'closes' | 'changes';

/** What one change does. */
export interface Verdict {
  readonly effect: Effect;
  readonly says: string;
  /**
   * Where, from the value that was judged: `.allowHttp`, `[2]`, or nothing for the value itself.
   */
  readonly at: string;
  /** Which of the two descriptors that is a path of. */
  readonly side: 'before' | 'after';
}

/**
 * Compares a value with what it was. Undefined: it was, or is, not there; `fallback` is what counts
 * then. Two equal values are not compared.
 */
export type Judge = (before: unknown, after: unknown, fallback?: unknown) => readonly Verdict[];

/** A verdict about the value itself, at the place where it stands now, or last stood. */
export function verdict(effect: Effect, says: string, after: unknown): Verdict {
  return { effect, says, at: '', side: after === undefined ? 'before' : 'after' };
}

/** The opposite: what an addition closes, its removal opens. */
export function inverse(effect: Effect): Effect {
  return effect === 'opens' ? 'closes' : effect === 'closes' ? 'opens' : effect;
}

/** The same verdicts, seen from further out. */
export function within(at: string, verdicts: readonly Verdict[]): readonly Verdict[] {
  return verdicts.map((one) => ({ ...one, at: `${at}${one.at}` }));
}

/**
 * A value that lets other things pass than the one before: some that did not, and some not any
 * more. For whatever requests are decided by, where neither of two values is stricter.
 */
export function replaced(says: string): Judge {
  return (_before, after) => opened(says, after);
}

/** The same, and names both as URLs. */
export function replacedBy(says: string): Judge {
  return (before, after) => opened(`${says}: ${nameOfUrl(before)} → ${nameOfUrl(after)}`, after);
}

function opened(says: string, after: unknown): readonly Verdict[] {
  return [verdict('opens', says, after), verdict('closes', says, after)];
}

/** Two values that decide no request differently: neither opens anything. */
export function other(says: string): Judge {
  return (_before, after) => [verdict('changes', says, after)];
}

/** Objects, member by member. A member without a judge is something that nobody here knows. */
export function members(judges: { readonly [name: string]: Judge }): Judge {
  return (before, after) => {
    const [old, current] = [objectOf(before), objectOf(after)];
    if (old === undefined || current === undefined)
      return [verdict('changes', 'is written otherwise', after)];
    const names = new Set([...Object.keys(old), ...Object.keys(current)]);
    return [...names].flatMap((name) => {
      const [was, is] = [own(old, name), own(current, name)];
      if (isDeepStrictEqual(was, is)) return [];
      const judge = own(judges, name);
      return within(`.${name}`, (judge ?? other('is something else now'))(was, is));
    });
  };
}

/**
 * Objects whose members have names that are not known before: each is judged, and each that comes
 * or goes.
 */
export function named(says: { readonly added: Effect; readonly thing: string }, judge: Judge): Judge {
  return (before, after) => {
    const [old, current] = [objectOf(before), objectOf(after)];
    if (old === undefined || current === undefined)
      return [verdict('changes', 'is written otherwise', after)];
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

/** A switch. `on` says what true does. Without a default, what is absent is off. */
export function flag(on: Effect, says: string): Judge {
  return (before, after, fallback = false) => {
    const [was, is] = [before === undefined ? fallback : before, after === undefined ? fallback : after];
    if (typeof was !== 'boolean' || typeof is !== 'boolean')
      return [verdict('changes', `${says}: is written otherwise`, is)];
    if (was === is) return [];
    return [verdict(is ? on : inverse(on), `${says}: ${is ? 'yes' : 'no'}`, is)];
  };
}

/** A word of several, from the strictest to the most open. */
export function ranked(words: readonly string[], says: string): Judge {
  const rank = (value: unknown) => (words.includes(String(value)) ? words.indexOf(String(value)) : undefined);
  return measured(rank, 'opens', says);
}

/** A duration. `longer` says what a longer one does. Absent, and without a default: for ever. */
export function lasting(longer: Effect, says: string): Judge {
  return measured(lengthOf, longer, says, 'no limit');
}

/** A number. `greater` says what a greater one does. */
export function sized(greater: Effect, says: string): Judge {
  return measured((value) => (typeof value === 'number' ? value : undefined), greater, says);
}

/** A value that can be measured. One of which `measure` says nothing, such as a variable, may be either. */
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

/** Something that was changed for something else, and decides no request. */
export function exchanged(says: string): Judge {
  return (before, after) => [
    verdict('changes', `${says}: ${nameOfUrl(before)} → ${nameOfUrl(after)}`, after),
  ];
}

/** What comes or goes as a whole, and is compared member by member while it is there. */
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
  /** What one item more does. */
  readonly more: Effect;
  /**
   * What a list does where there was none: it lets only some pass, or it lets some pass that did
   * not. Default: the items are added to none.
   */
  readonly given?: Effect | undefined;
  /** What an item is, for people. */
  readonly thing: string;
  /** How an item is called; it may be long, or a secret. Default: as it is written. */
  readonly name?: ((item: unknown) => string) | undefined;
}

/** A list as a set: order and repetition mean nothing. A single value is a list of one. */
export function listed({ more, given, thing, name = nameOf }: ListRules): Judge {
  return (before, after) => {
    if (given !== undefined && (before === undefined || after === undefined)) {
      const effect = before === undefined ? given : inverse(given);
      return [
        verdict(effect, after === undefined ? `any ${thing} will do` : `only some will do: ${thing}`, after),
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

/** A value for people: short, and never an object's inside. */
export function nameOf(value: unknown, none = 'not given'): string {
  if (value === undefined) return none;
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && value !== null) {
    const pattern: unknown = Reflect.get(value, 'pattern');
    return typeof pattern === 'string' ? `/${pattern}/` : 'written otherwise';
  }
  return String(value);
}

/** A URL for people, without what may be a secret: a name and password, a query. */
function nameOfUrl(value: unknown): string {
  return nameOf(value)
    .replace(/[?#].*$/s, '')
    .replace(/\/\/[^/@]*@/, '//');
}

/** A list; of a single value, a list of one. */
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

/** What is not there, or empty, has no members. */
function objectOf(value: unknown): UncheckedOptions | undefined {
  if (value === undefined || value === null) return {};
  return isPlainObject(value) ? value : undefined;
}
