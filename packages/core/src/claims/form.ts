// What a rule form is: the shape of one entry of the table in forms.ts, and the normal rule that an
// entry makes.
import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '../errors.ts';
import type { JsonValue } from '../values/json.ts';
import type { UncheckedOptions } from '../values/readers.ts';
import type { Literal, RequestParameters } from './rules.ts';

/**
 * Judges a claim.
 * @param value undefined: the claim is absent
 * @param request for rules that look at it
 */
export type Holds = (value: JsonValue | undefined, request: RequestParameters | undefined) => boolean;

/** A rule in its normal form, which is the same for every way to write the rule. */
export interface NormalRule {
  readonly form: string;
  /** What the form compares a claim with: literals, a pattern, a place on the request, a schema. */
  readonly value: unknown;
  /** The literals that the rule names. Empty for forms without literals. */
  readonly names: readonly Literal[];
  /** A claim that is a string is split at this. */
  readonly split: string | undefined;
  /** An absent claim passes. */
  readonly optional: boolean;
  /** What the form asks, without `split` and `optional`: `ruleText` gives the whole sentence. */
  readonly text: string;
  /**
   * Makes the check of the form.
   * @throws ConfigError for what cannot be compiled, such as a pattern
   */
  readonly compile: () => Holds;
  /**
   * Compares the forms, without `split` and `optional`: the function `implies` compares the rules.
   */
  readonly implies: (other: NormalRule) => boolean;
}

/** One form, for those that read rules and those that document them. */
export interface RuleForm {
  /** The member that it is written under. */
  readonly name: string;
  /** What may be written next to it. */
  readonly modifiers: readonly ('split' | 'match')[];
  /** The JSON Schema of what is written under the name. */
  readonly schema: object;
  /** One sentence for editors and documentation. */
  readonly doc: string;
  /** A rule of this form on a claim, which is valid YAML and valid JavaScript. */
  readonly example: string;
  /** Reads what is written under the name. @throws ConfigError */
  readonly normalize: (written: unknown, path: string, rule?: UncheckedOptions) => NormalRule;
}

/** One form, as the table declares it. `V` is the type of its value. */
interface Declaration<V> extends Omit<RuleForm, 'normalize'> {
  /**
   * Reads the value.
   * @param rule the object that it is written in, for modifiers.
   * @throws ConfigError
   */
  readonly read: (written: unknown, path: string, rule: UncheckedOptions) => V;
  /** Makes the check. @throws ConfigError */
  readonly holds: (value: V, path: string) => Holds;
  /** A sentence without its subject. */
  readonly text: (value: V) => string;
  /**
   * Whether each claim that satisfies this satisfies the other rule. It is not asked about an equal
   * rule. Default: no.
   */
  readonly implies?: (value: V, other: NormalRule) => boolean;
}

const NO_MODIFIERS: UncheckedOptions = Object.freeze(Object.create(null));

/** Makes an entry of the table from what is declared of a form. */
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
        text: text(value),
        compile: () => holds(value, path),
        implies: (other) =>
          (other.form === form.name && isDeepStrictEqual(value, other.value)) ||
          implies?.(value, other) === true,
      };
    },
  };
}

/** What is the same for all forms whose value is a list of literals. */
export const LIST = {
  modifiers: ['split'],
  schema: { type: 'array', minItems: 1, items: { $ref: '#/$defs/literal' } },
  read: readLiterals,
} as const;

/** Reads a list of literals with at least one in it. @throws ConfigError */
export function readLiterals(items: unknown, path: string): readonly Literal[] {
  if (!Array.isArray(items) || items.length === 0) throw new ConfigError(path, 'expected at least one value');
  // Array.from, because map passes over holes.
  return Array.from(items, (item, index) => {
    if (!isLiteral(item)) throw new ConfigError(`${path}[${index}]`, 'expected a string, number or boolean');
    return item;
  });
}

/** True for what a claim can be compared with by type and value. */
export function isLiteral(value: unknown): value is Literal {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}
