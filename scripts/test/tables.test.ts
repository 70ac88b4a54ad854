// Tests of the reader of declarations, and of docs/errors.md, which is generated with it.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { authErrorCodes } from '@latchkey/core/adapter';
import { describe, expect, it } from 'vitest';
import { membersOf } from '../tables/members.ts';
import { splitDefault, valuesOf } from '../tables/options.ts';

const TEXT = `
interface Common {
  /** Where it is. */
  readonly place: string;
}
export interface Events {
  /** A thing came. */
  'a:came': Common & { readonly count: number | undefined };
  plain: 401;
}
const WORDS = {
  /**
   * Meaning in
   * two lines.
   * @remarks Do this. Then that.
   * @see elsewhere
   */
  FIRST: 'Warning',
} as const satisfies Record<string, string>;`;

const none = { meaning: '', remarks: '', fields: [] };

describe('membersOf', () => {
  it('reads an interface, each member with the fields of its type', () => {
    expect(membersOf(TEXT, 'Events')).toEqual([
      {
        name: 'a:came',
        meaning: 'A thing came.',
        remarks: '',
        written: 'Common & { readonly count: number | undefined }',
        fields: [
          { ...none, name: 'place', meaning: 'Where it is.', written: 'string' },
          { ...none, name: 'count', written: 'number | undefined' },
        ],
      },
      { ...none, name: 'plain', written: '401' },
    ]);
  });

  it('reads a constant object, with remarks', () => {
    expect(membersOf(TEXT, 'WORDS')).toEqual([
      {
        ...none,
        name: 'FIRST',
        meaning: 'Meaning in two lines.',
        remarks: 'Do this. Then that.',
        written: "'Warning'",
      },
    ]);
  });

  it('refuses a name that is not declared', () => {
    expect(() => membersOf(TEXT, 'Nothing')).toThrow('expected an interface or object with the name Nothing');
  });
});

describe('docs/options.md', () => {
  it.each([
    ['How long. Default: all of it.', 'How long.', 'all of it'],
    ['How long. Default, with a name: the name.', 'How long. Default, with a name: the name.', undefined],
    ['How long. Default: all. At most 60s.', 'How long. Default: all. At most 60s.', undefined],
  ])('finds the default in %s', (doc, meaning, byDefault) => {
    expect(splitDefault(doc)).toEqual({ meaning, ...(byDefault !== undefined && { byDefault }) });
  });

  it.each([
    [undefined, 'in code'],
    [{ $def: 'duration', is: { type: 'string' } }, 'duration'],
    [{ type: 'integer', minimum: 256, maximum: 65_536 }, 'whole number, 256 to 65,536'],
    [{ anyOf: [{ enum: ['any', 'all'] }, { $def: 'variable', is: { type: 'string' } }] }, '`any` or `all`'],
    [{ anyOf: [{ type: 'string' }, { type: 'array' }, { type: 'null' }] }, 'text, list or `null`'],
  ])('says the values of %o', (schema, words) => {
    expect(valuesOf(schema)).toBe(words);
  });

  it('refuses a schema that it has no words for', () => {
    expect(() => valuesOf({ not: {} })).toThrow('no words for the schema {"not":{}}');
  });
});

describe('docs/errors.md', () => {
  const read = (path: string) =>
    readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
  const page = read('docs/errors.md');
  const events = read('packages/core/src/events.ts');

  it.each([
    ...authErrorCodes,
    ...membersOf(events, 'WARNING_TYPES').map(({ name }) => name),
    ...membersOf(events, 'LatchkeyEvents').map(({ name }) => name),
  ])('has one row for %s', (name) => {
    expect(page.split('\n').filter((line) => line.startsWith(`| \`${name}\` |`))).toHaveLength(1);
  });
});
