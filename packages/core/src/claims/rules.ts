// Rules as plain data, equal in code, YAML and JSON, and a constructor for each form. Rules are
// checked elsewhere.
import { argument } from '../values/readers.ts';
import type { Enforcement } from './enforce.ts';
import type { StandardSchema } from './schema.ts';

/** A value that a claim is compared with, by type and value. */
export type Literal = string | number | boolean;

/**
 * Splits a claim that is a string into a list, at this separator. `scope`, `scp` and `permissions`
 * are always split at spaces.
 */
interface Split {
  readonly split?: string;
}

/** The claim is an array that contains all of these values. */
export interface AllOfRule<T extends Literal = Literal> extends Split {
  readonly allOf: readonly T[];
}
/** The claim is one of these values, or an array that contains one of them. */
export interface AnyOfRule<T extends Literal = Literal> extends Split {
  readonly anyOf: readonly T[];
}
/**
 * The claim is present and of the type of one of these values, but is none of them; or it is an
 * array of such items.
 */
export interface NoneOfRule<T extends Literal = Literal> extends Split {
  readonly noneOf: readonly T[];
}
/** The claim is an array of exactly these values, in any order. */
export interface ExactlyRule<T extends Literal = Literal> extends Split {
  readonly exactly: readonly T[];
}
/**
 * The claim, as a single value or as an array, contains all of these values: a static claim as the
 * Akka SDK declares it.
 */
export interface ValuesRule<T extends Literal = Literal> extends Split {
  readonly values: readonly T[];
}
/** The whole string matches, in linear time; in an array, one item matches. */
export interface PatternRule extends Split {
  readonly pattern: string | RegExp;
  /**
   * `search`: it is enough that a part of the string matches, unless the pattern is anchored.
   * Default: the whole string must match.
   */
  readonly match?: 'search';
}
/** The claim is present and not null. */
export interface PresentRule {
  readonly present: true;
}
/** The claim equals a value of the request: see `fromRequest`. */
export interface FromRequestRule {
  readonly fromRequest: string | ((request: RequestParameters) => unknown);
}
/**
 * An absent claim passes; a present one must satisfy the rule. Null is present, and satisfies no
 * rule.
 */
export interface OptionalRule<R extends RequiredRule = RequiredRule> {
  readonly optional: R;
}

/**
 * The part of a request that `fromRequest` reads; the request of the framework has more. Do not
 * trust the values: the client sent them.
 */
export interface RequestParameters {
  readonly method?: string | undefined;
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
  /** The parameters of the matched path. */
  readonly params: { readonly [name: string]: unknown };
}

/**
 * Every form but `optional`. A literal means that the claim equals it or contains it. An array
 * means `allOf`.
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

/** A rule that refuses nothing, or nothing before a date: see `reportOnly`. */
export interface ReportOnlyRule {
  readonly rule: RequiredRule | OptionalRule;
  readonly enforce: Enforcement;
}

/** A rule on one claim. */
export type Rule = RequiredRule | OptionalRule | ReportOnlyRule;

/** A rule on a claim inside other claims, independent of `nestedClaimDelimiter`. */
export interface PathRule {
  /** From the outside in. Only own members of objects; arrays are not searched. */
  readonly path: readonly string[];
  readonly rule: Rule;
  /** See `reportOnly`. */
  readonly enforce?: Enforcement;
}

/**
 * A claim as API gateways configure it. `required`: the claim must be present. `validate`: if the
 * claim is present, it must have the value.
 */
export type ClaimRow = {
  readonly name: string;
  readonly type?: ClaimRowType;
  /** See `reportOnly`. */
  readonly enforce?: Enforcement;
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
 * The types of a row. REGEX: the whole string matches. ARRAY: the claim contains all items. Default
 * STRING; for `aud`, ARRAY.
 */
export type ClaimRowType = 'STRING' | 'INTEGER' | 'BOOLEAN' | 'REGEX' | 'ARRAY';

/** Rules by claim name. All must hold. */
export type RulesByClaim = { readonly [claim: string]: Rule };

/**
 * Rules by claim name; a list of such objects, of paths and of rows; or a schema of all claims. All
 * must hold.
 */
export type Rules = RulesByClaim | readonly (RulesByClaim | PathRule | ClaimRow)[] | StandardSchema;

/**
 * The claim must contain all of these values.
 * @example
 * ```ts
 * await authenticator.verify(token, { roles: allOf('admin', 'dev') });
 * ```
 */
export function allOf<const T extends readonly Literal[]>(...items: T): AllOfRule<T[number]> {
  return Object.freeze({ allOf: Object.freeze([...items]) });
}

/**
 * The claim must be one of these values, or contain one of them.
 * @example
 * ```ts
 * await authenticator.verify(token, { roles: anyOf('admin', 'dev') });
 * ```
 */
export function anyOf<const T extends readonly Literal[]>(...items: T): AnyOfRule<T[number]> {
  return Object.freeze({ anyOf: Object.freeze([...items]) });
}

/**
 * The claim must be present, be none of these values and contain none of them.
 * @example
 * ```ts
 * await authenticator.verify(token, { groups: noneOf('suspended') });
 * ```
 */
export function noneOf<const T extends readonly Literal[]>(...items: T): NoneOfRule<T[number]> {
  return Object.freeze({ noneOf: Object.freeze([...items]) });
}

/**
 * The claim must contain these values and no others.
 * @example
 * ```ts
 * await authenticator.verify(token, { roles: exactly('reader') });
 * ```
 */
export function exactly<const T extends readonly Literal[]>(...items: T): ExactlyRule<T[number]> {
  return Object.freeze({ exactly: Object.freeze([...items]) });
}

/**
 * The whole claim must match. A string has the syntax of RE2: no back-references, no look-around.
 * @example
 * ```ts
 * await authenticator.verify(token, { email: pattern(/[^@]+@example\.com/) });
 * ```
 */
export function pattern(source: string | RegExp): PatternRule {
  return Object.freeze({ pattern: source });
}

/**
 * The claim must be present and not null.
 * @example
 * ```ts
 * await authenticator.verify(token, { sub: present() });
 * ```
 */
export function present(): PresentRule {
  return Object.freeze({ present: true });
}

/**
 * If the claim is present, it must satisfy the rule.
 * @example
 * ```ts
 * await authenticator.verify(token, { department: optional(anyOf('sales', 'it')) });
 * ```
 */
export function optional<const R extends RequiredRule>(rule: R): OptionalRule<R> {
  return Object.freeze({ optional: rule });
}

/**
 * A rule that reports, and refuses nothing: a request that it would refuse passes as if there were
 * no rule, and `latchkey:report-only` of `diagnostics_channel` tells of it. With `from`, the rule
 * is enforced from that time on. Handlers know nothing of the claim.
 * @param until the time from which on it is enforced. Default: never
 * @example
 * ```ts
 * await authenticator.verify(token, { roles: reportOnly(['admin'], { from: '2026-12-31' }) });
 * ```
 */
export function reportOnly(
  rule: RequiredRule | OptionalRule,
  ...until: readonly [until?: { readonly from: string }]
): ReportOnlyRule {
  return Object.freeze({ rule, enforce: argument(until, 'reportOnly', false) });
}

/**
 * The claim must equal a value of the request, or be an array that contains it. Undefined equals
 * nothing.
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
export function at<const P extends readonly string[], const R extends Rule>(
  path: P,
  rule: R,
): { readonly path: P; readonly rule: R } {
  // A copy of a tuple, which the type of a spread does not say.
  return Object.freeze({ path: Object.freeze([...path]) as readonly string[] as P, rule });
}
