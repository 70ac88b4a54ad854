// Generates the JSON Schema of descriptors, docs/options.md, docs/rules.md, docs/errors.md and
// docs/limits.md from the tables of the code, the version of core as a constant, and the form of
// what copies of core share. `pnpm tables` writes the files; `pnpm tables --check` fails if a file
// differs.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { descriptorSchema, ruleFormRows } from '@latchkey/core/tools';
import { limitsPage } from './limits/page.ts';
import { errorsPage } from './tables/errors.ts';
import { optionsPage } from './tables/options.ts';
import { SHAPE_FILE, type Shape, shapeIn, shapeProblems } from './tables/shape.ts';

const SCHEMA = 'packages/core/descriptor.schema.json';

const files: Readonly<Record<string, string>> = {
  [SCHEMA]: schema(),
  'docs/options.md': optionsPage(),
  'docs/rules.md': rules(),
  'docs/errors.md': errorsPage(),
  'docs/limits.md': limitsPage('.'),
  'packages/core/src/values/version.ts': version(),
  [SHAPE_FILE]: shape(),
};
const differing = Object.entries(files).filter(
  ([file, text]) => !existsSync(file) || !isSame(file, readFileSync(file, 'utf8'), text),
);
for (const [file, text] of differing) {
  if (process.argv.includes('--check')) {
    console.log(`${file} differs from the tables of the code; run pnpm tables`);
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`${file} written`);
  }
}

/** Compares JSON by value, because the formatter may break lines differently. */
function isSame(file: string, old: string, text: string): boolean {
  return file.endsWith('.json')
    ? JSON.stringify(JSON.parse(old)) === JSON.stringify(JSON.parse(text))
    : old === text;
}

/** A constant, because a bundle has no package.json. */
function version(): string {
  const { version: text } = JSON.parse(readFileSync('packages/core/package.json', 'utf8')) as {
    readonly version: string;
  };
  return `// Written by \`pnpm tables\` from the package.json of this package. A bundle has no package.json.

/** The version of this package. */
export const VERSION = '${text}';
`;
}

/** Keeps the recorded form, unless `SHAPE` has changed with it. */
function shape(): string {
  const now = shapeIn('packages/core/src');
  const recorded = existsSync(SHAPE_FILE) ? (JSON.parse(readFileSync(SHAPE_FILE, 'utf8')) as Shape) : now;
  const problems = shapeProblems(recorded, now);
  for (const problem of problems) console.log(`${SHAPE_FILE}: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  return `${JSON.stringify(problems.length > 0 ? recorded : now, null, 2)}\n`;
}

function schema(): string {
  return `${JSON.stringify(descriptorSchema(), null, 2)}\n`;
}

function rules(): string {
  const rows = ruleFormRows().map(
    ({ form, meaning, example }) => `| \`${form}\` | ${meaning} | \`${example}\` |`,
  );
  return `# Rules on claims

A rule says what one claim of a token must be. Rules are plain data, the same in code and in a
descriptor, by claim name: \`claims: { roles: { anyOf: ['admin', 'dev'] }, dept: 'IT' }\`. All rules
must hold.

| form | the claim passes if | example |
| --- | --- | --- |
${rows.join('\n')}

Shorthands: a value is \`anyOf\` with that value; a list is \`allOf\`; a \`RegExp\` is \`pattern\`. A
[Standard Schema](https://standardschema.dev) judges one claim, or all of them in place of the
rules.

- \`{ rule, enforce: false }\`, or \`reportOnly(rule)\`, refuses nothing: what it would refuse passes,
  and is counted. \`enforce: { from: '2026-12-31' }\` enforces the rule from that time on: see
  [Tighten a rule](guides/report-only.md).
- \`optional: rule\` lets an absent claim pass; a present one must satisfy the rule. \`null\` is
  present.
- \`split: ','\` next to a list form or a pattern splits a claim that is a text. \`scope\`, \`scp\` and
  \`permissions\` are split at spaces anyway.
- \`match: 'search'\` next to \`pattern\` lets the pattern match a part of the claim.
- \`{ path: ['realm_access', 'roles'], rule }\` in a list of rules, or \`at(path, rule)\`, is a rule on
  a claim inside other claims. \`nestedClaimDelimiter\` makes a path of a name.
- A row \`{ name, required, validate, type, value }\` in a list of rules is a claim as API gateways
  configure it. Types: \`STRING\` (default), \`INTEGER\`, \`BOOLEAN\`, \`REGEX\`, \`ARRAY\` (default for
  \`aud\`).
- A rule on \`iss\` is refused: say \`issuers\`, which chooses keys, too.

Constructors of the same names check the types of their arguments: \`allOf('admin', 'dev')\`,
\`noneOf('banned')\`, \`present()\`, \`optional(anyOf('a'))\`, \`at(path, rule)\`,
\`fromRequest('params.id')\`. Patterns use the syntax of RE2, which runs in linear time: no
back-references, no look-around. A pattern of more than 100 instructions is refused when it is read,
because it can take long on a long claim. Counted repetition such as \`{1,200}\` makes that many of
it: write \`+\`.
`;
}
