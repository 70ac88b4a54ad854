// A rule form: the shape of an entry of the table in forms.ts, and of the normal rule that an entry
// makes. The entries are not here.
import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '../errors.ts';
import type { JsonValue } from '../values/json.ts';
import type { UncheckedOptions } from '../values/readers.ts';
import { ALWAYS } from './enforce.ts';
import type { Literal, RequestParameters } from './rules.ts';

/**
 * Checks a claim.
 * @param value undefined: the claim is absent
 * @param request for rules that compare with the request
 * @param take gets the output of a schema that accepts the claim
 */
export type Holds = (
  value: JsonValue | undefined,
  request: RequestParameters | undefined,
  take?: (output: unknown) => void,
) => boolean;

/** A rule in normal form: equal for all ways to write the same rule. */
export interface NormalRule {
  readonly form: string;
  /**
   * The value that a claim is compared with: literals, a pattern, a place on the request, a schema.
   */
  readonly value: unknown;
  /** The literals that the rule names. Empty for forms without literals. */
  readonly names: readonly Literal[];
  /** The separator at which a claim that is a string is split into a list. */
  readonly split: string | undefined;
  /** True: an absent claim passes. */
  readonly optional: boolean;
  /** From when on the rule refuses, in milliseconds since the epoch: see `enforce`. */
  readonly enforcedFromMs: number;
  /** What the form asks, without `split` and `optional`: `ruleText` returns the whole sentence. */
  readonly text: string;
  /**
   * Makes the check of the form.
   * @throws ConfigError for a value that cannot be compiled, such as a bad pattern
   */
  readonly compile: () => Holds;
  /**
   * Compares the forms, without `split` and `optional`. The function `implies` compares whole
   * rules.
   */
  readonly implies: (other: NormalRule) => boolean;
}

/** One form, for the readers and for the documentation of rules. */
export interface RuleForm {
  /** The member under which the form is written. */
  readonly name: string;
  /** The modifiers that may be next to it. */
  readonly modifiers: readonly ('split' | 'match')[];
  /** The JSON Schema of the value under the name. */
  readonly schema: object;
  /** One sentence for editors and documentation. */
  readonly doc: string;
  /** A rule of this form on a claim, which is valid YAML and valid JavaScript. */
  readonly example: string;
  /** Reads the value under the name. @throws ConfigError */
  readonly normalize: (written: unknown, path: string, rule?: UncheckedOptions) => NormalRule;
}

/** One form, as the table declares it. `V` is the type of its checked value. */
interface Declaration<V> extends Omit<RuleForm, 'normalize'> {
  /**
   * Reads the value.
   * @param rule the object around the value, for modifiers
   * @throws ConfigError
   */
  readonly read: (written: unknown, path: string, rule: UncheckedOptions) => V;
  /** Makes the check. @throws ConfigError */
  readonly holds: (value: V, path: string) => Holds;
  /** A sentence without its subject, which is the claim. */
  readonly text: (value: V) => string;
  /**
   * True if each claim that satisfies this form satisfies the other rule. Not called for an equal
   * rule. Default: false.
   */
  readonly implies?: (value: V, other: NormalRule) => boolean;
}

const NO_MODIFIERS: UncheckedOptions = Object.freeze(Object.create(null));

/** Makes an entry of the table from a declaration. */
export function defineForm<V>({ read, holds, text, implies, ...form }: Declaration<V>): RuleForm {
  return {
    ...form,
    normalize: (written, path, rule = NO_MODIFIERS) => {
      const value = read(written, path, rule);
      return {
        form: form.name,
        value,
        names: Array.isArray(value) ? value : [],
        split: undefined,
        optional: false,
        enforcedFromMs: ALWAYS,
        text: text(value),
        compile: () => holds(value, path),
        implies: (other) =>
          (other.form === form.name && isDeepStrictEqual(value, other.value)) ||
          implies?.(value, other) === true,
      };
    },
  };
}

/** The common parts of all forms whose value is a list of literals. */
export const LIST = {
  modifiers: ['split'],
  schema: { type: 'array', minItems: 1, items: { $ref: '#/$defs/literal' } },
  read: readLiterals,
} as const;

/** Reads a list of at least one literal. @throws ConfigError */
export function readLiterals(items: unknown, path: string): readonly Literal[] {
  if (!Array.isArray(items) || items.length === 0) throw new ConfigError(path, 'expected at least one value');
  // Array.from, because `map` skips holes.
  return Array.from(items, (item, index) => {
    if (!isLiteral(item)) throw new ConfigError(`${path}[${index}]`, 'expected a string, number or boolean');
    return item;
  });
}

/** True for a value that can be compared with a claim by type and value. */
export function isLiteral(value: unknown): value is Literal {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}
