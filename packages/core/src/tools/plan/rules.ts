// What a change of claim rules does: a rule is narrower than another if whatever satisfies it satisfies the other, too.
import { isDeepStrictEqual } from 'node:util';
import { isPlainObject, type UncheckedOptions } from '../../values/readers.ts';
import { type Judge, listOf, type Verdict, verdict } from './judge.ts';

type Form = 'any' | 'all' | 'values' | 'exactly' | 'none' | 'pattern' | 'present' | 'fromRequest' | 'unknown';

/** A rule, in one form for all ways in which it can be written. */
interface Normal {
  readonly form: Form;
  /** The literals; of a pattern, and of what is not known, what is written. */
  readonly items: readonly unknown[];
  readonly split: unknown;
  /** A part of the claim is enough for the pattern. */
  readonly search: boolean;
  /** An absent claim passes. */
  readonly optional: boolean;
}

interface Entry {
  /** What it is on: a name, or a path. */
  readonly claim: string;
  readonly at: string;
  readonly rule: Normal;
}

/** Rules on claims, in any of their shapes. */
export const rulesJudge: Judge = (before, after) => {
  const [old, current] = [entriesIn(before ?? {}), entriesIn(after ?? {})];
  if (old === undefined || current === undefined)
    return [verdict('changes', 'rules are written otherwise', after)];
  const claims = new Set([...old, ...current].map(({ claim }) => claim));
  return [...claims].flatMap((claim) => {
    const of = (entries: readonly Entry[]) => entries.filter((entry) => entry.claim === claim);
    return judgeClaim(claim, of(old), of(current));
  });
};

/** What both have is nothing new. Of what is left, one rule for one is compared; else some came, and some went. */
function judgeClaim(claim: string, before: readonly Entry[], after: readonly Entry[]): readonly Verdict[] {
  const gone = without(before, after);
  const fresh = without(after, before);
  const [old] = gone;
  const [current] = fresh;
  if (old !== undefined && current !== undefined && gone.length === 1 && fresh.length === 1)
    return compare(claim, old, current);
  return [
    ...fresh.map(
      ({ at }): Verdict => ({ effect: 'closes', says: `${claim}: there is a rule now`, at, side: 'after' }),
    ),
    ...gone.map(
      ({ at }): Verdict => ({ effect: 'opens', says: `${claim}: the rule is gone`, at, side: 'before' }),
    ),
  ];
}

function compare(claim: string, before: Entry, after: Entry): readonly Verdict[] {
  const narrower = implies(after.rule, before.rule);
  const wider = implies(before.rule, after.rule);
  if (narrower && wider) return [];
  const [effect, says] = narrower
    ? (['closes', 'the rule asks for more'] as const)
    : wider
      ? (['opens', 'the rule asks for less'] as const)
      : (['changes', 'the rule asks for something else'] as const);
  return [{ effect, says: `${claim}: ${says}`, at: after.at, side: 'after' }];
}

/** As often as it is there, each of the others takes one away. */
function without(entries: readonly Entry[], others: readonly Entry[]): readonly Entry[] {
  const left = [...others];
  return entries.filter(({ rule }) => {
    const index = left.findIndex((other) => isDeepStrictEqual(other.rule, rule));
    if (index === -1) return true;
    left.splice(index, 1);
    return false;
  });
}

/** True if every claim that satisfies `a` satisfies `b`. False where that cannot be told. */
function implies(a: Normal, b: Normal): boolean {
  if (a.optional && !b.optional) return false;
  if (b.form === 'present') return a.form !== 'unknown';
  if (!isDeepStrictEqual(a.split, b.split)) return false;
  const [s, t] = [a.items, b.items];
  const has = (list: readonly unknown[], item: unknown) => list.includes(item);
  const meets = () => s.some((item) => has(t, item));
  const covers = () => t.every((item) => has(s, item));
  switch (`${a.form} ${b.form}`) {
    case 'any any':
      return s.every((item) => has(t, item));
    case 'all any':
    case 'values any':
    case 'exactly any':
      return meets();
    case 'all all':
    case 'all values':
    case 'exactly all':
    case 'exactly values':
    case 'values values':
      return covers();
    case 'exactly exactly':
      return covers() && s.every((item) => has(t, item));
    case 'none none':
      // Other types would let other claims be compared.
      return covers() && isDeepStrictEqual(typesOf(s), typesOf(t));
    case 'pattern pattern':
      return isDeepStrictEqual(s, t) && (!a.search || b.search);
    default:
      return a.form === b.form && isDeepStrictEqual(s, t);
  }
}

function typesOf(items: readonly unknown[]): ReadonlySet<string> {
  return new Set(items.map((item) => typeof item));
}

/** @returns undefined for what are no rules */
function entriesIn(rules: unknown): readonly Entry[] | undefined {
  if (isPlainObject(rules))
    return Object.entries(rules).map(([claim, rule]) => ({ claim, at: `.${claim}`, rule: normalize(rule) }));
  if (!Array.isArray(rules)) return undefined;
  const lists = rules.map((entry: unknown, index) => entriesOf(entry, `[${index}]`));
  return lists.some((list) => list === undefined) ? undefined : lists.flatMap((list) => list ?? []);
}

function entriesOf(entry: unknown, at: string): readonly Entry[] | undefined {
  if (!isPlainObject(entry)) return undefined;
  if (typeof entry.name === 'string' && ('required' in entry || 'validate' in entry)) {
    const rule = normalizeRow(entry);
    return rule === undefined ? [] : [{ claim: entry.name, at, rule }];
  }
  if (Array.isArray(entry.path) && 'rule' in entry && Object.keys(entry).length === 2) {
    const claim = entry.path.length === 1 ? String(entry.path[0]) : entry.path.join(' > ');
    return [{ claim, at, rule: normalize(entry.rule) }];
  }
  return entriesIn(entry)?.map((one) => ({ ...one, at: `${at}${one.at}` }));
}

function normalize(rule: unknown): Normal {
  if (isPlainObject(rule) && Object.hasOwn(rule, 'optional') && Object.keys(rule).length === 1)
    return { ...normalize(rule.optional), optional: true };
  if (Array.isArray(rule)) return normal('all', rule);
  if (!isPlainObject(rule)) return normal('any', [rule]);
  const { split, match, ...form } = rule;
  const [[name, value] = ['', undefined], ...others] = Object.entries(form);
  const made = others.length > 0 ? undefined : normalForm(name, value);
  return { ...(made ?? normal('unknown', [rule])), split, search: match === 'search' };
}

function normalForm(name: string, value: unknown): Normal | undefined {
  switch (name) {
    case 'anyOf':
      return normal('any', listOf(value));
    case 'allOf':
      return normal('all', listOf(value));
    case 'values':
      // Of one value, both mean the same.
      return normal(listOf(value).length === 1 ? 'any' : 'values', listOf(value));
    case 'exactly':
      return normal('exactly', listOf(value));
    case 'noneOf':
      return normal('none', listOf(value));
    case 'pattern':
    case 'fromRequest':
      return normal(name, [value]);
    case 'present':
      return value === true ? normal('present', []) : undefined;
    default:
      return undefined;
  }
}

/** @returns undefined for a row that asks nothing */
function normalizeRow(row: UncheckedOptions): Normal | undefined {
  const { name, type, required, validate, value } = row;
  const optional = required !== true;
  if (validate !== true) return optional ? undefined : normal('present', []);
  const kind = typeof type === 'string' ? type.toUpperCase() : name === 'aud' ? 'ARRAY' : 'STRING';
  return { ...(name === 'aud' ? normal('any', listOf(value)) : rowForm(kind, value, row)), optional };
}

function rowForm(kind: string, value: unknown, row: UncheckedOptions): Normal {
  switch (kind) {
    case 'ARRAY':
      return normal('all', listOf(value));
    case 'REGEX':
      return normal('pattern', [value]);
    case 'INTEGER':
      return normal('any', [typeof value === 'string' ? Number(value) : value]);
    case 'BOOLEAN':
      return normal('any', [String(value) === 'true']);
    default:
      return kind === 'STRING' && typeof value === 'string'
        ? normal('any', [value])
        : normal('unknown', [row]);
  }
}

function normal(form: Form, items: readonly unknown[]): Normal {
  return { form, items, split: undefined, search: false, optional: false };
}
