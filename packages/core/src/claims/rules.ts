// What a claim must be: plain data, so that code, YAML and JSON say the same, and a constructor for
// each form.
import type { StandardSchema } from './schema.ts';

/** A value that a claim is compared to, by type and value. */
export type Literal = string | number | boolean;

/**
 * Reads a claim that is a text as a list, split at this. `scope`, `scp` and `permissions` are split
 * at a space by themselves.
 */
interface Split {
  readonly split?: string;
}

/** The claim is an array that has all of these. */
export interface AllOfRule<T extends Literal = Literal> extends Split {
  readonly allOf: readonly T[];
}
/** The claim is one of these, or an array that has one of them. */
export interface AnyOfRule<T extends Literal = Literal> extends Split {
  readonly anyOf: readonly T[];
}
/**
 * The claim is there, of a type that these are of, and none of them; or an array of such, with none
 * of them in it.
 */
export interface NoneOfRule<T extends Literal = Literal> extends Split {
  readonly noneOf: readonly T[];
}
/** The claim is an array of these and no others, in any order. */
export interface ExactlyRule<T extends Literal = Literal> extends Split {
  readonly exactly: readonly T[];
}
/**
 * The claim, alone or as an array, has all of these values: a static claim as the Akka SDK declares
 * it.
 */
export interface ValuesRule<T extends Literal = Literal> extends Split {
  readonly values: readonly T[];
}
/** The whole string matches, in linear time; of an array, one item. */
export interface PatternRule extends Split {
  readonly pattern: string | RegExp;
  /**
   * `search`: some part of the string matches, unless the pattern is anchored. Default: the whole.
   */
  readonly match?: 'search';
}
/** The claim is there, and not null. */
export interface PresentRule {
  readonly present: true;
}
/** The claim is equal to something on the request: see `fromRequest`. */
export interface FromRequestRule {
  readonly fromRequest: string | ((request: RequestParameters) => unknown);
}
/** Absent passes; present must satisfy the rule. Null is present, and satisfies nothing. */
export interface OptionalRule<R extends RequiredRule = RequiredRule> {
  readonly optional: R;
}

/**
 * What `fromRequest` may look at. The request of the framework has more; what the client sent is
 * the client's word.
 */
export interface RequestParameters {
  readonly method?: string | undefined;
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
  /** The parameters of the matched path. */
  readonly params: { readonly [name: string]: unknown };
}

/**
 * Every form but `optional`. A literal means: equal, or an array with an equal item. An array means
 * `allOf`.
 */
export type RequiredRule =
  | Literal
  | readonly Literal[]
  | RegExp
  | AllOfRule
  | AnyOfRule
  | NoneOfRule
  | ExactlyRule
  | ValuesRule
  | PatternRule
  | PresentRule
  | FromRequestRule
  | StandardSchema;

/** What one claim must be. */
export type Rule = RequiredRule | OptionalRule;

/** A rule on a claim inside other claims, whatever `nestedClaimDelimiter` says. */
export interface PathRule {
  /** From the outside in. Own members of objects only; an array is not gone into. */
  readonly path: readonly string[];
  readonly rule: Rule;
}

/**
 * A claim as API gateways configure it. `required`: it has to be there. `validate`: if it is there,
 * it has to have the value.
 */
export type ClaimRow = {
  readonly name: string;
  readonly type?: ClaimRowType;
} & (
  | { readonly required: boolean; readonly validate?: false; readonly value?: never }
  | { readonly required?: never; readonly validate: false; readonly value?: never }
  | {
      readonly required?: boolean;
      readonly validate: true;
      readonly value: Literal | readonly Literal[];
    }
);

/**
 * The types of a row. REGEX: the whole string. ARRAY: all items have to be in the claim. Default
 * STRING; of `aud`, ARRAY.
 */
export type ClaimRowType = 'STRING' | 'INTEGER' | 'BOOLEAN' | 'REGEX' | 'ARRAY';

/** Rules by claim name. All must hold. */
export type RulesByClaim = { readonly [claim: string]: Rule };

/**
 * Rules by claim name; or a list of those, of paths and of rows; or a schema of all claims. All
 * must hold.
 */
export type Rules = RulesByClaim | readonly (RulesByClaim | PathRule | ClaimRow)[] | StandardSchema;

/**
 * All of these must be in the claim.
 * @example
 * ```ts
 * await authenticator.verify(token, { roles: allOf('admin', 'dev') });
 * ```
 */
export function allOf<const T extends readonly Literal[]>(...items: T): AllOfRule<T[number]> {
  return Object.freeze({ allOf: Object.freeze([...items]) });
}

/**
 * One of these must be the claim, or in it.
 * @example
 * ```ts
 * await authenticator.verify(token, { roles: anyOf('admin', 'dev') });
 * ```
 */
export function anyOf<const T extends readonly Literal[]>(...items: T): AnyOfRule<T[number]> {
  return Object.freeze({ anyOf: Object.freeze([...items]) });
}

/**
 * The claim must be there, and none of these be it or in it.
 * @example
 * ```ts
 * await authenticator.verify(token, { groups: noneOf('suspended') });
 * ```
 */
export function noneOf<const T extends readonly Literal[]>(...items: T): NoneOfRule<T[number]> {
  return Object.freeze({ noneOf: Object.freeze([...items]) });
}

/**
 * The claim must have these items and no others.
 * @example
 * ```ts
 * await authenticator.verify(token, { roles: exactly('reader') });
 * ```
 */
export function exactly<const T extends readonly Literal[]>(...items: T): ExactlyRule<T[number]> {
  return Object.freeze({ exactly: Object.freeze([...items]) });
}

/**
 * The whole of the claim must match. A string is RE2's syntax: no back-references, no look-around.
 * @example
 * ```ts
 * await authenticator.verify(token, { email: pattern(/[^@]+@example\.com/) });
 * ```
 */
export function pattern(source: string | RegExp): PatternRule {
  return Object.freeze({ pattern: source });
}

/**
 * The claim must be there, and not null.
 * @example
 * ```ts
 * await authenticator.verify(token, { sub: present() });
 * ```
 */
export function present(): PresentRule {
  return Object.freeze({ present: true });
}

/**
 * If the claim is there, it must satisfy the rule.
 * @example
 * ```ts
 * await authenticator.verify(token, { department: optional(anyOf('sales', 'it')) });
 * ```
 */
export function optional<const R extends RequiredRule>(rule: R): OptionalRule<R> {
  return Object.freeze({ optional: rule });
}

/**
 * The claim must be equal to something on the request, or be an array that has it. What is
 * undefined equals nothing.
 * @param read a function, or `params.NAME` or `headers.NAME`
 * @example
 * ```ts
 * const principal = await authenticator.authenticate(request);
 * const parameters = { headers: request.headers, params: { user: 'alice' } };
 * authorize(principal, { sub: fromRequest('params.user') }, parameters);
 * ```
 */
export function fromRequest(read: string | ((request: RequestParameters) => unknown)): FromRequestRule {
  return Object.freeze({ fromRequest: read });
}

/**
 * A rule on a claim inside other claims: `at(['realm_access', 'roles'], allOf('admin'))`.
 * @example
 * ```ts
 * await authenticator.verify(token, [at(['realm_access', 'roles'], allOf('admin'))]);
 * ```
 */
export function at<const R extends Rule>(path: readonly string[], rule: R): PathRule & { readonly rule: R } {
  return Object.freeze({ path: Object.freeze([...path]), rule });
}
