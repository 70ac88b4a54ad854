// Writes docs/options.md from the tables of options: of each its values, its default, and what it
// does.
import { optionTables } from '@latchkey/core/tools';

type Schema = { readonly [keyword: string]: unknown };

/** The text of docs/options.md, with a table for each group of options. */
export function optionsPage(): string {
  const tables = optionTables().map(({ title, rows }) => {
    const lines = rows.map(({ name, schema, isNeeded, fallback, doc }) => {
      const { meaning, byDefault } = splitDefault(doc);
      const without = byDefault ?? (isNeeded ? 'required' : 'none');
      const shown = fallback === undefined ? without : `\`${fallback}\``;
      return `| \`${name}\` | ${valuesOf(schema)} | ${shown} | ${meaning} |`;
    });
    return `## ${title}\n\n| option | value | default | what it does |\n| --- | --- | --- | --- |\n${lines.join('\n')}\n`;
  });
  return `# Options

The options of code and of a descriptor are the same. A type in your editor says more of each. A
value that cannot be right is a \`ConfigError\` when the options are read, with the path of the
option and what to do.

A duration is a number with its unit, or several: \`500ms\`, \`30s\`, \`5m\`, \`1h30m\`, \`7d\`. An option
with the value "in code" is an object or a function, which a descriptor cannot have. The default
"none" means that the option is not set.

${tables.join('\n')}`;
}

/** The default that the last sentence of a text names, and the text before it. */
export function splitDefault(doc: string): { readonly meaning: string; readonly byDefault?: string } {
  const [, meaning, byDefault] = /^(.*?)\s*\bDefault: (.+)\.$/.exec(doc) ?? [];
  if (meaning === undefined || byDefault === undefined || byDefault.includes('. ')) return { meaning: doc };
  return { meaning, byDefault };
}

/** The values that a schema allows, in words. */
export function valuesOf(schema: Schema | undefined): string {
  if (schema === undefined) return 'in code';
  const { $def: name, $ref: reference, is, anyOf, enum: words, const: constant, type } = schema;
  if (reference === '#/$defs/rules') return '[rules](rules.md)';
  if (name === 'duration') return 'duration';
  if (name === 'variable') return '';
  if (is !== undefined) return valuesOf(is as Schema);
  if (Array.isArray(anyOf) && type === undefined) return either(anyOf.map(valuesOf));
  if (Array.isArray(words)) return either(words.map((word) => `\`${word}\``));
  if (constant !== undefined) return `\`${constant}\``;
  if (Array.isArray(type)) return either(type.map((one) => valuesOf({ ...schema, type: one })));
  if (type === 'integer' || type === 'number') return numbers(schema);
  const known: Readonly<Record<string, string>> = {
    boolean: '`true` or `false`',
    string: 'text',
    array: 'list',
    object: 'object',
    null: '`null`',
  };
  const text = known[String(type)];
  if (text === undefined) throw new Error(`no words for the schema ${JSON.stringify(schema)}`);
  return text;
}

function numbers({ type, minimum, maximum }: Schema): string {
  const limit = (value: unknown) => (value as number).toLocaleString('en');
  const what = type === 'integer' ? 'whole number' : 'number';
  if (minimum !== undefined && maximum !== undefined)
    return `${what}, ${limit(minimum)} to ${limit(maximum)}`;
  return minimum === undefined ? what : `${what}, at least ${limit(minimum)}`;
}

function either(texts: readonly string[]): string {
  const different = [...new Set(texts)].filter((text) => text !== '');
  return different.length < 2
    ? different.join('')
    : `${different.slice(0, -1).join(', ')} or ${different.at(-1)}`;
}
