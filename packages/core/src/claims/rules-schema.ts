// Writes the JSON Schema of rules and a row of documentation for each rule form. Does not read
// rules.
import { FORMS } from './forms.ts';
import { ROW_TYPES, TIMES } from './rows.ts';

/**
 * The JSON Schema of one form with its modifiers: `$defs/ruleForm` of the schema of a descriptor.
 */
function ruleFormSchema(): object {
  const forms = [...FORMS.values()];
  const without = (modifier: 'split' | 'match') =>
    forms.filter(({ modifiers }) => !modifiers.includes(modifier));
  return {
    description: 'Exactly one form, with its modifiers.',
    type: 'object',
    additionalProperties: false,
    properties: {
      ...Object.fromEntries(forms.map(({ name, doc, schema }) => [name, { description: doc, ...schema }])),
      split: {
        description:
          'The separator at which a claim that is a string is split into a list. scope, scp and permissions are always split at spaces.',
        type: 'string',
        minLength: 1,
      },
      match: { description: 'search: the pattern may also match a part of the claim.', const: 'search' },
    },
    oneOf: forms.map(({ name }) => ({ required: [name] })),
    dependentRequired: {
      match: forms.filter((form) => !without('match').includes(form)).map(({ name }) => name),
    },
    dependentSchemas: Object.fromEntries(
      without('split').map(({ name }) => [name, { properties: { split: false } }]),
    ),
  };
}

/** The `$defs` of rules: how rules are written around the forms. */
export function rulesSchema(): { readonly [def: string]: object } {
  return {
    ruleForm: ruleFormSchema(),
    literal: {
      description: 'A value that a claim is compared with, by type and value.',
      type: ['string', 'number', 'boolean'],
    },
    literals: {
      description: 'Values that an array must contain, all of them.',
      type: 'array',
      minItems: 1,
      items: { $ref: '#/$defs/literal' },
    },
    rules: {
      description:
        'Rules by claim name, or a list of such objects, of paths with rules, and of rows. All rules must hold.',
      type: ['object', 'array'],
      if: { type: 'array' },
      then: {
        minItems: 1,
        items: {
          type: 'object',
          if: { required: ['name'], anyOf: [{ required: ['required'] }, { required: ['validate'] }] },
          then: { $ref: '#/$defs/row' },
          else: {
            if: {
              required: ['path', 'rule'],
              propertyNames: { enum: ['path', 'rule', 'enforce'] },
              properties: { path: { type: 'array' } },
            },
            then: { $ref: '#/$defs/pathRule' },
            else: { $ref: '#/$defs/rulesByClaim' },
          },
        },
      },
      else: { $ref: '#/$defs/rulesByClaim' },
    },
    rulesByClaim: {
      description: 'A rule for each claim.',
      type: 'object',
      properties: {
        iss: false,
        enforce: {
          description:
            'A rule on a claim of this name. To let a rule report only, write enforce next to rule.',
          allOf: [
            { $ref: '#/$defs/rule' },
            { not: { anyOf: [{ const: false }, { type: 'object', required: ['from'] }] } },
          ],
        },
      },
      additionalProperties: { $ref: '#/$defs/rule' },
    },
    pathRule: {
      type: 'object',
      additionalProperties: false,
      properties: {
        path: {
          description: 'The path of the claim, from the outside in.',
          type: 'array',
          minItems: 1,
          items: { type: 'string', minLength: 1 },
        },
        rule: { $ref: '#/$defs/rule' },
        enforce: { $ref: '#/$defs/enforcement' },
      },
      description: 'A rule on a claim inside other claims.',
      required: ['path', 'rule'],
    },
    rule: {
      description:
        'A value that the claim is or contains; a list of values that the claim contains, all of them; or one of the forms.',
      type: ['string', 'number', 'boolean', 'array', 'object'],
      if: { type: 'object', required: ['enforce'] },
      then: { $ref: '#/$defs/reportOnlyRule' },
      else: { $ref: '#/$defs/enforcedRule' },
    },
    reportOnlyRule: {
      description: 'A rule that refuses nothing, or nothing before a date. What it would refuse is reported.',
      type: 'object',
      additionalProperties: false,
      properties: { rule: { $ref: '#/$defs/enforcedRule' }, enforce: { $ref: '#/$defs/enforcement' } },
      required: ['rule', 'enforce'],
    },
    enforcedRule: {
      description: 'A rule without enforce.',
      type: ['string', 'number', 'boolean', 'array', 'object'],
      if: { type: 'object' },
      then: {
        if: { required: ['optional'] },
        then: {
          type: 'object',
          additionalProperties: false,
          properties: {
            optional: {
              description: 'The rule applies only if the claim is present.',
              $ref: '#/$defs/requiredRule',
            },
          },
          required: ['optional'],
        },
        else: { $ref: '#/$defs/ruleForm' },
      },
      else: { if: { type: 'array' }, then: { $ref: '#/$defs/literals' } },
    },
    requiredRule: {
      description: 'A value, a list or a form, but not optional again.',
      type: ['string', 'number', 'boolean', 'array', 'object'],
      if: { type: 'object' },
      then: { $ref: '#/$defs/ruleForm' },
      else: { if: { type: 'array' }, then: { $ref: '#/$defs/literals' } },
    },
    row: {
      type: 'object',
      additionalProperties: false,
      properties: {
        name: { description: 'The name of the claim.', type: 'string', pattern: '\\S' },
        type: {
          description: 'The type of the value. Default: STRING; for aud, ARRAY.',
          type: 'string',
          pattern: ROW_TYPE_PATTERN,
          examples: [...ROW_TYPES],
        },
        required: { description: 'Whether the claim is required.', type: 'boolean', default: false },
        validate: {
          description: 'Whether a claim that is present must have the value.',
          type: 'boolean',
          default: false,
        },
        enforce: { $ref: '#/$defs/enforcement' },
        value: {
          description: 'The value; for an ARRAY, all values that the claim must contain.',
          anyOf: [
            { $ref: '#/$defs/literal' },
            { type: 'array', minItems: 1, items: { $ref: '#/$defs/literal' } },
          ],
        },
      },
      description: 'A claim as API gateways configure it.',
      required: ['name'],
      if: {
        properties: { validate: { const: true } },
        required: ['validate'],
        not: { properties: { name: { enum: [...TIMES] } } },
      },
      then: { required: ['value'] },
      else: { properties: { value: false } },
    },
  };
}

/** The types of a row, in any case. */
const ROW_TYPE_PATTERN = `^(?:${ROW_TYPES.map((type) => type.replace(/[A-Z]/g, (letter) => `[${letter.toLowerCase()}${letter}]`)).join('|')})$`;

/** Returns a row of documentation for each form. */
export function ruleFormRows(): readonly {
  readonly form: string;
  readonly meaning: string;
  readonly example: string;
}[] {
  return [...FORMS.values()].map(({ name, doc, example }) => ({ form: name, meaning: doc, example }));
}
