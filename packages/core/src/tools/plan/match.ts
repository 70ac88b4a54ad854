// Matches items of the old list to items of the new one, by the strongest key that fits. The
// matching is symmetric, so that the reverse change reports the same items.
import { isDeepStrictEqual } from 'node:util';
import { type Effect, inverse, type Judge, type Verdict, verdict, within } from '../../values/judge.ts';
import type { UncheckedOptions } from '../../values/readers.ts';
import { type Part, partsIn } from '../lint/rule.ts';

/** How lists of objects are compared. */
interface MatchRules {
  /**
   * The keys of an object, from the strongest to the weakest. Undefined: the object has no such
   * key.
   */
  readonly likeness: readonly ((value: UncheckedOptions) => unknown)[];
  /** The effect of an additional item. */
  readonly added: 'opens' | 'closes';
  /** The name of an item, for people: never a secret. */
  readonly name: (value: UncheckedOptions) => string;
  /** What the order means; undefined: nothing. */
  readonly order?: OrderRules | undefined;
  readonly judge: Judge;
}

/** What the order of two items means. */
interface OrderRules {
  readonly says: string;
  /** Whether an earlier item keeps something from a later one. */
  readonly counts: (first: UncheckedOptions, second: UncheckedOptions) => boolean;
}

interface Pair {
  readonly before: Part;
  readonly after: Part;
}

/** Judges lists of objects: added, removed and changed items. */
export function matched({ likeness, added, name, order, judge }: MatchRules): Judge {
  return (before, after) => {
    if (!isListOfObjects(before) || !isListOfObjects(after))
      return [verdict('changes', 'is written in another way', after)];
    const [old, current] = [partsIn(before ?? [], ''), partsIn(after ?? [], '')];
    const pairs = pair(old, current, [(value) => value, ...likeness]);
    const gone = old.filter((part) => !pairs.some((one) => one.before === part));
    const fresh = current.filter((part) => !pairs.some((one) => one.after === part));
    return [
      ...fresh.map(
        ({ path, value }): Verdict => ({
          effect: added,
          says: `${name(value)} is new`,
          at: path,
          side: 'after',
        }),
      ),
      ...gone.map(
        ({ path, value }): Verdict => ({
          effect: inverse(added),
          says: `${name(value)} is gone`,
          at: path,
          side: 'before',
        }),
      ),
      ...pairs.flatMap((one) => judgePair(one, judge, name)),
      ...(order === undefined ? [] : judgeOrder(order, { old, current, pairs }, after)),
    ];
  };
}

/** An item that has moved behind another keeps nothing from it now, and the other one does. */
function judgeOrder(
  { says, counts }: OrderRules,
  {
    old,
    current,
    pairs,
  }: { readonly old: readonly Part[]; readonly current: readonly Part[]; readonly pairs: readonly Pair[] },
  after: unknown,
): readonly Verdict[] {
  const identityOf = (part: Part) =>
    pairs.find((pair) => pair.before === part || pair.after === part) ?? part;
  const firsts = (list: readonly Part[], part: Part) =>
    new Set(
      list
        .slice(0, list.indexOf(part))
        .filter(({ value }) => counts(value, part.value))
        .map(identityOf),
    );
  const effects = pairs.flatMap((pair): readonly Effect[] => {
    const [was, is] = [firsts(old, pair.before), firsts(current, pair.after)];
    return [
      ...([...was].every((first) => is.has(first)) ? [] : ['opens' as const]),
      ...([...is].every((first) => was.has(first)) ? [] : ['closes' as const]),
    ];
  });
  if (effects.length > 0) return [...new Set(effects)].map((effect) => verdict(effect, says, after));
  const positions = pairs
    .toSorted((a, b) => old.indexOf(a.before) - old.indexOf(b.before))
    .map((pair) => current.indexOf(pair.after));
  const isMoved = positions.some((position, index) => position < (positions[index - 1] ?? 0));
  return isMoved ? [verdict('changes', 'are in another order', after)] : [];
}

function judgePair({ before, after }: Pair, judge: Judge, name: MatchRules['name']): readonly Verdict[] {
  if (isDeepStrictEqual(before.value, after.value)) return [];
  return judge(before.value, after.value).flatMap((one) =>
    within(one.side === 'before' ? before.path : after.path, [
      { ...one, says: `${name(after.value)}: ${one.says}` },
    ]),
  );
}

/** Pairs items by each key in turn, in the order of the lists. */
function pair(
  before: readonly Part[],
  after: readonly Part[],
  likeness: MatchRules['likeness'],
): readonly Pair[] {
  const pairs: Pair[] = [];
  for (const of of likeness) {
    for (const old of before) {
      const key = of(old.value);
      if (key === undefined || pairs.some((one) => one.before === old)) continue;
      const found = after.find(
        (part) => !pairs.some((one) => one.after === part) && isDeepStrictEqual(of(part.value), key),
      );
      if (found !== undefined) pairs.push({ before: old, after: found });
    }
  }
  return pairs;
}

function isListOfObjects(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return Array.isArray(value) && partsIn(value, '').length === value.length;
}
