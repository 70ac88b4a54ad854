// Reads written rules one by one into normal rules: names, paths, rows, shorthands and modifiers.
// `compile`, `explain` and `plan` read rules here. What a form asks of a claim is in forms.ts.
import { ConfigError } from '../errors.ts';
import { kindOf, meant } from '../values/kind.ts';
import {
  isPlainObject,
  ownMembers,
  readObject,
  refuseUndefined,
  type UncheckedOptions,
} from '../values/readers.ts';
import { ALWAYS, enforcedText, readEnforcement, refuseAlwaysEnforced } from './enforce.ts';
import { type Holds, isLiteral, type NormalRule } from './form.ts';
import { allOf, anyOf, FORMS, NOTHING, pattern, schemaRule } from './forms.ts';
import { isRow, ruleOfRow } from './rows.ts';
import { isSchema } from './schema.ts';

/** A rule on one claim, and where it is written. */
export interface RuleEntry {
  /** The path of the claim. Empty: all claims. */
  readonly place: readonly string[];
  /** `name`: the place is one name, which a delimiter may split. */
  readonly kind: 'name' | 'path' | 'row' | 'all';
  readonly path: string;
  /** The rule or the row, as written. */
  readonly written: unknown;
  /** @throws ConfigError for a value that is not a rule */
  readonly normalize: () => NormalRule;
}

const EXAMPLE = "{ scope: 'read:orders' }";
const FORM_NAMES = [...FORMS.keys(), 'optional'].join(', ');

/**
 * Lists rules. The `normalize` of each entry reads that rule, so that one bad rule does not hide
 * the others.
 * @throws ConfigError for a value that is not a list of rules
 */
export function entriesOf(rules: unknown, path: string): readonly RuleEntry[] {
  if (!Array.isArray(rules)) return entriesByName(rules, path);
  // Array.from, because `map` skips holes.
  return Array.from(rules, (entry: unknown, index) => {
    const at = `${path}[${index}]`;
    if (!isPlainObject(entry))
      throw new ConfigError(
        at,
        `expected rules by claim name, like ${EXAMPLE}, a path with a rule, or a row, got ${kindOf(entry)}`,
      );
    if (isRow(entry)) return [rowEntry(entry, at)];
    const { path: names, rule } = ownMembers(entry);
    if (Array.isArray(names) && Object.hasOwn(entry, 'rule') && Object.keys(entry).every(isOfPathRule))
      return [pathEntry(names, Object.hasOwn(entry, 'enforce') ? reportedOf(entry) : rule, at)];
    return entriesByName(entry, at);
  }).flat();
}

function entriesByName(rules: unknown, path: string): readonly RuleEntry[] {
  if (isSchema(rules))
    return [{ place: [], kind: 'all', path, written: rules, normalize: () => schemaRule(rules, path) }];
  if (!isPlainObject(rules))
    throw new ConfigError(path, `expected rules by claim name, like ${EXAMPLE}, got ${kindOf(rules)}`);
  return Object.entries(ownMembers(rules)).map(([claim, rule]): RuleEntry => {
    const at = `${path}.${claim}`;
    const normalize = () => {
      if (claim === 'iss') throw new ConfigError(at, 'use issuers: a rule on iss does not choose keys');
      if (claim === 'enforce' && (rule === false || (isPlainObject(rule) && Object.hasOwn(rule, 'from'))))
        throw new ConfigError(
          at,
          "is read as a rule on a claim of this name; write { rule: …, enforce: false } for each claim, or enforce next to claims; for such a claim, write at(['enforce'], …)",
        );
      return normalizeRule(rule, at, claim);
    };
    return { place: [claim], kind: 'name', path: at, written: rule, normalize };
  });
}

function pathEntry(names: readonly unknown[], rule: unknown, path: string): RuleEntry {
  const normalize = () => {
    if (names.length === 0 || !names.every((name) => typeof name === 'string' && name !== ''))
      throw new ConfigError(`${path}.path`, 'expected names');
    return normalizeRule(rule, `${path}.rule`, undefined, names.length === 1 ? textOr(names[0]) : undefined);
  };
  return { place: names.map(textOr), kind: 'path', path, written: rule, normalize };
}

function rowEntry(row: UncheckedOptions, path: string): RuleEntry {
  const normalize = () => {
    const { enforce, ...others } = ownMembers(row);
    const rule = ruleOfRow(others, path);
    const normal = rule === undefined ? NOTHING : normalizeRule(rule, `${path}.value`);
    if (!Object.hasOwn(row, 'enforce')) return normal;
    refuseAlwaysEnforced(textOr(row.name), path);
    return { ...normal, enforcedFromMs: readEnforcement(enforce, `${path}.enforce`) };
  };
  return { place: [textOr(ownMembers(row).name)], kind: 'row', path, written: row, normalize };
}

/** A name as far as it is one. What is none is refused when the entry is normalized. */
function textOr(name: unknown): string {
  return typeof name === 'string' ? name : '';
}

const PATH_RULE: readonly string[] = ['path', 'rule', 'enforce'];

function isOfPathRule(member: string): boolean {
  return PATH_RULE.includes(member);
}

/** The rule of a path, with the `enforce` that is next to it. */
function reportedOf(entry: UncheckedOptions): UncheckedOptions {
  const { rule, enforce } = ownMembers(entry);
  return { rule, enforce };
}

/**
 * Reads one rule.
 * @param claim the claim by its name, for messages
 * @param only the claim, also where it is given as a path
 * @throws ConfigError for a value that is not a rule
 */
export function normalizeRule(rule: unknown, path: string, claim?: string, only = claim): NormalRule {
  if (!isPlainObject(rule) || !Object.hasOwn(rule, 'enforce')) return normalizeEnforced(rule, path, claim);
  const given = readObject(rule, ['rule', 'enforce'], path, {
    also: '; put the rule itself into rule: { rule: …, enforce: false }',
  });
  refuseAlwaysEnforced(only, path);
  return {
    ...normalizeEnforced(given.rule, `${path}.rule`, claim),
    enforcedFromMs: readEnforcement(given.enforce, `${path}.enforce`),
  };
}

function normalizeEnforced(rule: unknown, path: string, claim: string | undefined): NormalRule {
  const isOptional = isPlainObject(rule) && Object.hasOwn(rule, 'optional') && Object.keys(rule).length === 1;
  return isOptional
    ? { ...normalizeForm(rule.optional, path, claim), optional: true }
    : normalizeForm(rule, path, claim);
}

function normalizeForm(rule: unknown, path: string, claim: string | undefined): NormalRule {
  if (isLiteral(rule)) return anyOf.normalize([rule], path);
  if (Array.isArray(rule)) return allOf.normalize(rule, path);
  if (rule instanceof RegExp) return pattern.normalize(rule, path);
  if (isSchema(rule)) return schemaRule(rule, path);
  if (!isPlainObject(rule))
    throw new ConfigError(path, `expected a rule, got ${kindOf(rule)}${adviceOn(rule)}`);
  const [name, ...others] = Object.keys(rule).filter((member) => member !== 'split' && member !== 'match');
  if (name === undefined || others.length > 0) throw new ConfigError(path, `expected one of ${FORM_NAMES}`);
  if (name === 'optional')
    throw new ConfigError(path, 'expected a rule that is not optional, got optional inside optional');
  const form = FORMS.get(name);
  if (form === undefined) throw new ConfigError(`${path}.${name}`, unknownRule(name, claim));
  for (const modifier of ['split', 'match'] as const) {
    if (!Object.hasOwn(rule, modifier)) continue;
    refuseUndefined(rule[modifier], `${path}.${modifier}`);
    if (!form.modifiers.includes(modifier))
      throw new ConfigError(`${path}.${modifier}`, `is not allowed next to ${name}`);
  }
  const written = ownMembers(rule);
  const normal = form.normalize(written[name], `${path}.${name}`, written);
  const { split } = written;
  if (split === undefined) return normal;
  if (typeof split !== 'string' || split === '') throw new ConfigError(`${path}.split`, 'expected a text');
  return { ...normal, split };
}

/** What to do about a value that is often given for a rule. */
function adviceOn(value: unknown): string {
  if (typeof value === 'function') return '; write a Standard Schema, or { fromRequest: (request) => … }';
  return value === undefined ? '; check where it comes from, or leave the claim out' : '';
}

function unknownRule(name: string, claim: string | undefined): string {
  const near = meant(name, [...FORMS.keys(), 'optional']);
  if (near !== '') return `unknown rule${near}`;
  if (claim === 'claims')
    return `unknown rule; expected one of ${FORM_NAMES}; write the rules themselves, without claims: { … } around them`;
  const inside =
    claim === undefined
      ? ''
      : `; for ${name} inside ${claim} write at(['${claim}', '${name}'], …), or set nestedClaimDelimiter`;
  return `unknown rule; expected one of ${FORM_NAMES}${inside}`;
}

/** Makes the check of a rule. @throws ConfigError */
export function checkOfRule({ compile, split, optional }: NormalRule): Holds {
  const form = compile();
  const holds: Holds =
    split === undefined
      ? form
      : (value, request) =>
          form(typeof value === 'string' ? value.split(split).filter((item) => item !== '') : value, request);
  return optional === true
    ? (value, request, take) => value === undefined || holds(value, request, take)
    : holds;
}

/** Says what a rule asks, as a sentence without its subject. */
export function ruleText({ text, split, optional, enforcedFromMs }: NormalRule): string {
  const sentence = split === undefined ? text : `${text}, split at ${JSON.stringify(split)}`;
  const whole = optional === true ? `is absent, or ${sentence}` : sentence;
  return enforcedFromMs === ALWAYS ? whole : `${whole} (${enforcedText(enforcedFromMs)})`;
}

/**
 * True if each claim that satisfies `a` satisfies `b`, whether they are enforced or not. False also
 * if that cannot be decided.
 */
export function implies(a: NormalRule, b: NormalRule): boolean {
  if (a.optional === true && b.optional !== true) return false;
  // All forms but these two fail for a claim that is absent or null.
  if (b.form === 'present') return a.form !== 'nothing' && a.form !== 'schema';
  return a.split === b.split && a.implies(b);
}
