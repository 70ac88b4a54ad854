// What the table of rule forms says to editors and to readers: the JSON Schema of a form, and a row of
// documentation for each. Nothing here reads a rule.
import { FORMS } from './forms.ts';

/** The JSON Schema of one form and what may be written next to it: `$defs/ruleForm` of a descriptor's schema. */
export function ruleFormSchema(): object {
  const forms = [...FORMS.values()];
  const without = (modifier: 'split' | 'match') =>
    forms.filter(({ modifiers }) => !modifiers.includes(modifier));
  return {
    description: 'Exactly one form, and what may be written next to it.',
    type: 'object',
    additionalProperties: false,
    properties: {
      ...Object.fromEntries(forms.map(({ name, doc, schema }) => [name, { description: doc, ...schema }])),
      split: {
        description:
          'Splits a claim that is a text into a list. scope, scp and permissions are split at spaces anyway.',
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

/** A row of documentation for each form. */
export function ruleFormRows(): readonly {
  readonly form: string;
  readonly meaning: string;
  readonly example: string;
}[] {
  return [...FORMS.values()].map(({ name, doc, example }) => ({ form: name, meaning: doc, example }));
}
