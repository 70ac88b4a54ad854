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
  ReportOnlyRule,
  ValuesRule,
} from './rules.ts';
import type { SchemaInput, SchemaOutput, StandardSchema } from './schema.ts';

declare global {
  /**
   * What the types of Latchkey cannot read from options. Declare `nestedClaimDelimiter` if your
   * options have it, and a rule on `realm_access.roles` types `claims.realm_access.roles`. Without
   * the declaration, a claim whose name has a dot is of unknown type, except if the name is a URL.
   * Always declare a delimiter other than a dot: types take names without a dot for whole names.
   * The declaration is for the whole program, and does not change the options.
   * @example
   * ```ts
   * declare global {
   *   interface LatchkeyTypeSettings {
   *     nestedClaimDelimiter: '.';
   *   }
   * }
   * ```
   */
  interface LatchkeyTypeSettings {}
}

/**
 * The claims that satisfied these rules, with the output of each schema. Other claims may be
 * present, of unknown type.
 */
export type ClaimsOf<R> = { readonly [claim: string]: unknown } & Guaranteed<R, 'output'>;

/** The claims that satisfied these rules, as they were signed, before schemas change them. */
export type SignedClaimsOf<R> = { readonly [claim: string]: unknown } & Guaranteed<R, 'input'>;

type Side = 'input' | 'output';

type Guaranteed<R, S extends Side> = R extends StandardSchema
  ? Readonly<(S extends 'input' ? SchemaInput<R> : SchemaOutput<R>) & object>
  : R extends readonly (infer Entry)[]
    ? AllEntries<Entry, S>
    : ByClaim<R, S>;

/** A list guarantees what all its entries guarantee together. Types cannot express rows. */
type AllEntries<Entry, S extends Side> = Intersection<
  Entry extends PathRule & { readonly enforce: unknown }
    ? never
    : Entry extends PathRule
      ? AtPath<Entry['path'], Entry['rule'], S>
      : Entry extends { readonly name: string }
        ? never
        : ByClaim<Entry, S>
>;

type Intersection<Union> = (Union extends unknown ? (each: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : unknown;

type ByClaim<R, S extends Side> = {
  readonly [Claim in keyof R as R[Claim] extends OptionalRule | ReportOnlyRule
    ? never
    : NameOf<Claim>]: ClaimType<Claim, R[Claim], S>;
} & {
  readonly [Claim in keyof R as R[Claim] extends OptionalRule ? NameOf<Claim> : never]?:
    | OptionalType<Claim, R[Claim], S>
    | undefined;
} & Intersection<{ [Claim in keyof R]-?: NestedIn<PathOf<Claim>, R[Claim], S> }[keyof R]>;

type OptionalType<Claim, R, S extends Side> =
  R extends OptionalRule<infer Inner> ? ClaimType<Claim, Inner, S> : never;

/** The path of a claim by its name. Empty if it depends on options that types do not know. */
type PathOf<Claim> = Claim extends string
  ? string extends Claim
    ? readonly [Claim]
    : LatchkeyTypeSettings extends { readonly nestedClaimDelimiter: infer Delimiter extends string }
      ? Split<Claim, Delimiter>
      : Claim extends `${string}.${string}`
        ? Claim extends `${string}://${string}`
          ? readonly [Claim]
          : readonly []
        : readonly [Claim]
  : readonly [Claim];

/** Splits like `splitPath`. */
type Split<
  Name extends string,
  D extends string,
  Segment extends string = '',
> = Name extends `\\\\${infer Rest}`
  ? Split<Rest, D, `${Segment}\\`>
  : Name extends `\\${D}${infer Rest}`
    ? Split<Rest, D, `${Segment}${D}`>
    : Name extends `${D}${infer Rest}`
      ? readonly [Segment, ...Split<Rest, D>]
      : Name extends `${infer Character}${infer Rest}`
        ? Split<Rest, D, `${Segment}${Character}`>
        : readonly [Segment];

type NameOf<Claim> = PathOf<Claim> extends readonly [infer Name extends PropertyKey] ? Name : never;

type NestedIn<Path, R, S extends Side> = Path extends readonly [string, string, ...string[]]
  ? AtPath<Path, R, S>
  : never;

/**
 * A path whose rule accepts an absent claim guarantees nothing, because the objects may be absent
 * too. Never adds nothing to an intersection.
 */
type AtPath<Path extends readonly string[], R, S extends Side> = Path extends readonly [
  infer Name extends string,
]
  ? R extends ReportOnlyRule
    ? never
    : R extends OptionalRule
      ? { readonly [Claim in Name]?: OptionalType<Name, R, S> | undefined }
      : { readonly [Claim in Name]: ClaimType<Name, R, S> }
  : string[] extends Path
    ? never
    : R extends OptionalRule | ReportOnlyRule
      ? never
      : Inside<Path, ClaimType<'', R, S>>;

type Inside<Path extends readonly string[], T> = undefined extends T
  ? never
  : Path extends readonly [infer Name extends string, ...infer Inner extends readonly string[]]
    ? {
        readonly [Claim in Name]: Inner extends readonly []
          ? T
          : { readonly [claim: string]: unknown } & Inside<Inner, T>;
      }
    : never;

/** A rule on either is judged by the scopes of both, so one of them may be absent. */
type ScopeClaim = 'scope' | 'scp';
type ListClaim = ScopeClaim | 'permissions';
type ListOf<Claim> = string | readonly string[] | (Claim extends ScopeClaim ? undefined : never);
type List<T> = readonly Widened<T>[];

/**
 * A rule with a string also accepts a list that contains it. For numbers and booleans, this type
 * covers lists only with anyOf.
 */
type ClaimType<Claim, R, S extends Side> = R extends StandardSchema
  ? S extends 'output'
    ? SchemaOutput<R>
    : Claim extends ListClaim
      ? ListOf<Claim>
      : SchemaInput<R>
  : Claim extends ListClaim
    ? ListOf<Claim>
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
