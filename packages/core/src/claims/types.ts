// Derives types from rules: what a handler knows about claims that satisfied them. Types only, no
// code.
import type {
  AllOfRule,
  AnyOfRule,
  ExactlyRule,
  Literal,
  NoneOfRule,
  OptionalRule,
  PathRule,
  PatternRule,
  PresentRule,
  ValuesRule,
} from './rules.ts';
import type { SchemaInput, StandardSchema } from './schema.ts';

/** The claims that satisfied these rules. Other claims may be present, of unknown type. */
export type ClaimsOf<R> = { readonly [claim: string]: unknown } & Guaranteed<R>;

type Guaranteed<R> = R extends StandardSchema
  ? Readonly<SchemaInput<R> & object>
  : R extends readonly (infer Entry)[]
    ? AllEntries<Entry>
    : ByClaim<R>;

/**
 * A list guarantees what all its rules by claim name guarantee together. Types cannot express rows
 * and paths.
 */
type AllEntries<Entry> = Intersection<
  Entry extends PathRule | { readonly name: string } ? never : ByClaim<Entry>
>;

type Intersection<Union> = (Union extends unknown ? (each: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : unknown;

type ByClaim<R> = {
  readonly [Claim in keyof R as R[Claim] extends OptionalRule ? never : Claim]: ClaimType<Claim, R[Claim]>;
} & {
  readonly [Claim in keyof R as R[Claim] extends OptionalRule ? Claim : never]?:
    | (R[Claim] extends OptionalRule<infer Inner> ? ClaimType<Claim, Inner> : never)
    | undefined;
};

type ListClaim = 'scope' | 'scp' | 'permissions';
type List<T> = readonly Widened<T>[];

/**
 * A rule with a string also accepts a list that contains it. For numbers and booleans, this type
 * covers lists only with anyOf.
 */
type ClaimType<Claim, R> = Claim extends ListClaim
  ? string | readonly string[]
  : R extends StandardSchema
    ? SchemaInput<R>
    : R extends string
      ? R | readonly unknown[]
      : R extends Literal
        ? R
        : R extends readonly (infer T)[] | AllOfRule<infer T> | ExactlyRule<infer T>
          ? List<T>
          : R extends AnyOfRule<infer T>
            ? T | readonly unknown[]
            : R extends ValuesRule<infer T>
              ? T | List<T>
              : R extends NoneOfRule<infer T>
                ? Widened<T> | List<T>
                : R extends PatternRule | RegExp
                  ? string | readonly unknown[]
                  : R extends PresentRule
                    ? NonNullable<unknown>
                    : unknown;

type Widened<T> = T extends string ? string : T extends number ? number : T extends boolean ? boolean : T;
