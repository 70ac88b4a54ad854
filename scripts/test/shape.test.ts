// Holds `SHAPE` of core: what copies of core share may not change its form without a new number.
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { SHAPE_FILE, type Shape, shapeIn, shapeProblems } from '../tables/shape.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const recorded = JSON.parse(readFileSync(`${root}/${SHAPE_FILE}`, 'utf8')) as Shape;
const now = shapeIn(`${root}/packages/core/src`);

it('finds what copies of core share as it is recorded next to SHAPE', () => {
  expect(shapeProblems(recorded, now)).toEqual([]);
  expect(now).toEqual(recorded);
});

it('reads members, signatures, aliases and states', () => {
  expect(now.shape).toBeGreaterThan(0);
  expect(now.types.CompiledRules?.route).toBe('readonly route?: string | undefined;');
  expect(now.types.Authenticator?.conceal).toBe('conceal(request: RequestView): Concealment | undefined;');
  expect(now.types.AuthError?.toJSON).toMatch(/^toJSON\(\): \{.*\}$/);
  expect(now.types.Decision?.['']).toContain('readonly ok: false;');
  expect(now.states.notes).toBe('() => new WeakMap<object, AccessNote>()');
});

it('knows every type that has the mark of its copy', () => {
  const marked = globSync(`${root}/packages/core/src/**/*.ts`).flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/interface (\w+)[^{]* extends Marked\b/g)].map(
      ([, name]) => name,
    ),
  );
  expect(marked.length).toBeGreaterThan(3);
  expect(Object.keys(now.types)).toEqual(expect.arrayContaining(marked));
});

const changed = (types: Shape['types'], states: Shape['states'] = {}) => ({
  ...recorded,
  types: { ...recorded.types, ...types },
  states: { ...recorded.states, ...states },
});

it.each([
  [
    'another type of a member',
    { CompiledRules: { ...now.types.CompiledRules, route: 'readonly route?: object;' } },
    'CompiledRules.route',
  ],
  [
    'a new member',
    { Principal: { ...now.types.Principal, actor: 'readonly actor: string;' } },
    'Principal.actor',
  ],
  ['a member that is gone', { Marked: {} }, 'Marked.COPY'],
  ['another alias', { IssuerMatcher: { '': 'RegExp' } }, 'IssuerMatcher has'],
])('asks for a new SHAPE for %s', (_, types, place) => {
  const problems = shapeProblems(recorded, changed(types));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(place);
  expect(problems[0]).toContain('increment SHAPE');
  expect(shapeProblems(recorded, { ...changed(types), shape: recorded.shape + 1 })).toEqual([]);
});

it('asks for a new name of a state in another form, whatever SHAPE is', () => {
  const other = { ...changed({}, { notes: '() => new Map()' }), shape: recorded.shape + 1 };
  expect(shapeProblems(recorded, other)).toEqual([
    "the state 'notes' has another form; give it another name",
  ]);
  expect(shapeProblems(recorded, changed({}, { 'notes of all': '() => new Map()' }))).toEqual([]);
});
