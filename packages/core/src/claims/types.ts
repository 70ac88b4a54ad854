// Types from rules: what a handler may know of claims that satisfied them. No code.
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

/** The claims that satisfied these rules. Other claims are there too, and unknown. */
export type ClaimsOf<R> = { readonly [claim: string]: unknown } & Guaranteed<R>;

type Guaranteed<R> = R extends StandardSchema
  ? Readonly<SchemaInput<R> & object>
  : R extends readonly (infer Entry)[]
    ? AllEntries<Entry>
    : ByClaim<R>;

/**
 * A list says as much as all its entries that are rules by claim name. Rows and paths say nothing
 * that types could hold.
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
 * A text may also be an item of a list: that is what its rule says. Numbers and booleans in lists
 * have to be asked for with anyOf.
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
