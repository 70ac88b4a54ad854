// The table of rule forms, to editors and readers: the committed schema and documentation say what
// it says.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compileRules } from '../../src/claims/compile.ts';
import { FORMS } from '../../src/claims/forms.ts';
import { ruleFormRows, rulesSchema } from '../../src/claims/rules-schema.ts';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

describe('the table of rule forms', () => {
  it('is what the JSON Schema of descriptors has: pnpm tables writes it', () => {
    const { $defs } = JSON.parse(read('../../descriptor.schema.json')) as { $defs: Record<string, unknown> };
    for (const [name, written] of Object.entries(rulesSchema())) expect($defs[name], name).toEqual(written);
  });

  it('is what docs/rules.md has', () => {
    const text = read('../../../../docs/rules.md');
    for (const { form, meaning } of ruleFormRows()) expect(text).toContain(`| \`${form}\` | ${meaning} |`);
  });

  it.each([...FORMS.values()].map(({ name, example }) => [name, example] as const))(
    '%s: its example is a rule: %s',
    (name, example) => {
      const rules: unknown = new Function(`return { ${example} }`)();
      expect(JSON.stringify(rules)).toContain(name);
      expect(() => compileRules(rules as never)).not.toThrow();
    },
  );
});
