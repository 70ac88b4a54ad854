// What a claim must be: plain data, so that code, YAML and JSON say the same, and a constructor for each form.

/** A value that a claim is compared to, by type and value. */
export type Literal = string | number | boolean;

/** The claim is an array (or a space-delimited `scope`, `scp` or `permissions`) that has all of these. */
export interface AllOfRule<T extends Literal = Literal> {
  readonly allOf: readonly T[];
}
/** The claim is one of these, or an array that has one of them. */
export interface AnyOfRule<T extends Literal = Literal> {
  readonly anyOf: readonly T[];
}
/** The whole string matches, in linear time; of an array, one item. */
export interface PatternRule {
  readonly pattern: string | RegExp;
}
/** The claim is there, and not null. */
export interface PresentRule {
  readonly present: true;
}
/** Absent passes; present must satisfy the rule. Null is present, and satisfies nothing. */
export interface OptionalRule<R extends RequiredRule = RequiredRule> {
  readonly optional: R;
}

/** Every form but `optional`. A literal means: equal, or an array with an equal item. An array means `allOf`. */
export type RequiredRule =
  | Literal
  | readonly Literal[]
  | RegExp
  | AllOfRule
  | AnyOfRule
  | PatternRule
  | PresentRule;

/** What one claim must be. */
export type Rule = RequiredRule | OptionalRule;

/** Rules by claim name. All must hold. */
export type Rules = { readonly [claim: string]: Rule };

/** All of these must be in the claim. */
export function allOf<const T extends readonly Literal[]>(...items: T): AllOfRule<T[number]> {
  return Object.freeze({ allOf: Object.freeze([...items]) });
}

/** One of these must be the claim, or in it. */
export function anyOf<const T extends readonly Literal[]>(...items: T): AnyOfRule<T[number]> {
  return Object.freeze({ anyOf: Object.freeze([...items]) });
}

/** The whole of the claim must match. Written as in RE2: no back-references, no look-around. */
export function pattern(source: string | RegExp): PatternRule {
  return Object.freeze({ pattern: source });
}

/** The claim must be there, and not null. */
export function present(): PresentRule {
  return Object.freeze({ present: true });
}

/** If the claim is there, it must satisfy the rule. */
export function optional<const R extends RequiredRule>(rule: R): OptionalRule<R> {
  return Object.freeze({ optional: rule });
}
