// Judges changes of claim rules. A rule is narrower than another if all claims that satisfy it
// satisfy the other, too. Rules are read by claims/normalize.ts, with variables as written.
import { isDeepStrictEqual } from 'node:util';
import { ALWAYS, enforcementChange, NEVER } from '../../claims/enforce.ts';
import type { NormalRule } from '../../claims/form.ts';
import { entriesOf, implies, type RuleEntry } from '../../claims/normalize.ts';
import { ConfigError } from '../../errors.ts';
import { type Effect, type Judge, type Verdict, verdict } from '../../values/judge.ts';

interface Entry extends RuleEntry {
  /** Undefined: the rule cannot be read, and is compared as written. */
  readonly rule: NormalRule | undefined;
}

/** Rules on claims, in any of their shapes. */
export const rulesJudge: Judge = (before, after) => {
  const [old, current] = [entriesIn(before ?? {}), entriesIn(after ?? {})];
  if (old === undefined || current === undefined)
    return [verdict('changes', 'rules are written in another way', after)];
  const nameOf = ({ place }: Entry) => place.join(' > ');
  return [...new Set([...old, ...current].map(nameOf))].flatMap((claim) => {
    const of = (entries: readonly Entry[]) => entries.filter((entry) => nameOf(entry) === claim);
    return judgeClaim(claim, of(old), of(current));
  });
};

/**
 * Rules in both lists are ignored. If one rule remains on each side, the two are compared; else the
 * remaining ones are added or removed.
 */
function judgeClaim(claim: string, before: readonly Entry[], after: readonly Entry[]): readonly Verdict[] {
  const gone = without(before, after);
  const fresh = without(after, before);
  const [old] = gone;
  const [current] = fresh;
  if (old !== undefined && current !== undefined && gone.length === 1 && fresh.length === 1)
    return compare(claim, old, current);
  const tell = (effect: Effect, what: string, side: Verdict['side']) => (entry: Entry) =>
    isNever(entry)
      ? ({
          effect: 'changes',
          says: `${claim}: ${what}, report only`,
          at: entry.path,
          side,
        } satisfies Verdict)
      : ({ effect, says: `${claim}: ${what}`, at: entry.path, side } satisfies Verdict);
  return [
    ...fresh.map(tell('closes', 'the rule is new', 'after')),
    ...gone.map(tell('opens', 'the rule is gone', 'before')),
  ];
}

function compare(claim: string, before: Entry, after: Entry): readonly Verdict[] {
  const tell = (effect: Effect, says: string): Verdict => ({
    effect,
    says: `${claim}: ${says}`,
    at: after.path,
    side: 'after',
  });
  const wasMs = before.rule?.enforcedFromMs ?? ALWAYS;
  const isMs = after.rule?.enforcedFromMs ?? ALWAYS;
  const enforced = enforcementChange(wasMs, isMs).map(({ effect, says }) => tell(effect, says));
  if (wasMs === NEVER && isMs === NEVER) return [tell('changes', 'the rule has changed, report only')];
  if (wasMs === NEVER || isMs === NEVER) return enforced;
  return [...enforced, ...compareRules(before, after, tell)];
}

function compareRules(
  before: Entry,
  after: Entry,
  tell: (effect: Effect, says: string) => Verdict,
): readonly Verdict[] {
  if (isNarrower(after, before) && isNarrower(before, after)) return [];
  if (isNarrower(after, before)) return [tell('closes', 'the rule asks for more')];
  if (isNarrower(before, after)) return [tell('opens', 'the rule asks for less')];
  // Neither implies the other, or it cannot be told: what satisfies the one now need not have
  // satisfied the other.
  const says = 'the rule asks for something else';
  return [tell('opens', says), tell('closes', says)];
}

/** Removes entries that are also in the other list, as often as they occur there. */
function without(entries: readonly Entry[], others: readonly Entry[]): readonly Entry[] {
  const left = [...others];
  return entries.filter((entry) => {
    const index = left.findIndex(
      (other) =>
        isNarrower(entry, other) &&
        isNarrower(other, entry) &&
        entry.rule?.enforcedFromMs === other.rule?.enforcedFromMs,
    );
    if (index === -1) return true;
    left.splice(index, 1);
    return false;
  });
}

/** True for a rule that is never enforced: it opens and closes nothing. */
function isNever({ rule }: Entry): boolean {
  return rule?.enforcedFromMs === NEVER;
}

/** True if all claims that satisfy `a` satisfy `b`. */
function isNarrower(a: Entry, b: Entry): boolean {
  return a.rule === undefined || b.rule === undefined
    ? isDeepStrictEqual(a.written, b.written)
    : implies(a.rule, b.rule);
}

/**
 * Reads the entries of rules.
 * @returns undefined if it is not a list of rules. Rules that require nothing are left out.
 */
function entriesIn(rules: unknown): readonly Entry[] | undefined {
  return readable(() => entriesOf(rules, ''))
    ?.map((entry) => ({ ...entry, rule: readable(entry.normalize) }))
    .filter(({ rule }) => rule?.form !== 'nothing');
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
