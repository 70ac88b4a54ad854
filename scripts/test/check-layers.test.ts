// Tests of the layer check on small generated trees, with the real table.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { RULES } from '../check-layers.ts';
import { checkLayers, type Rules } from '../layers/check.ts';
import { importsOf } from '../layers/imports.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Checks a workspace of these files. `packages/core/` and `packages/koa/` get a package.json. */
function check(files: { readonly [path: string]: string }, rules: Partial<Rules> = {}): readonly string[] {
  const root = mkdtempSync(join(tmpdir(), 'latchkey-layers-'));
  folders.push(root);
  const manifests = Object.fromEntries(
    ['core', 'koa'].map((name) => [`packages/${name}/package.json`, `{"name":"@latchkey/${name}"}`]),
  );
  for (const [path, text] of Object.entries({ ...manifests, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return checkLayers(root, { ...RULES, pending: [], ...rules });
}

const core = (path: string) => `packages/core/src/${path}`;

describe('rooms of core', () => {
  it('may import from a lower line, from themselves, and from listed rooms of their own line', () => {
    const problems = check({
      [core('net/call.ts')]: "import '../errors.ts'; import './tls.ts'; import '../values/json.ts';",
      [core('jwk/import.ts')]: "export { x } from '../token/parse.ts';",
      [core('index.ts')]: "export * from './adapter/index.ts'; export * from './decision/pipeline.ts';",
    });
    expect(problems).toEqual([]);
  });

  it('may not import from a higher line', () => {
    expect(check({ [core('net/call.ts')]: "\nimport { x } from '../decision/pipeline.ts';" })).toEqual([
      'packages/core/src/net/call.ts:2 imports ../decision/pipeline.ts: net may import: errors, require-node, challenge, plain-text, events, values',
    ]);
  });

  it('may not import from rooms of their own line that the table does not list', () => {
    expect(check({ [core('token/parse.ts')]: "import '../jwk/import.ts';" })).toEqual([
      'packages/core/src/token/parse.ts:1 imports ../jwk/import.ts: token may import: errors, require-node, challenge, plain-text, events, values',
    ]);
    expect(check({ [core('challenge.ts')]: "import './errors.ts';" })).toEqual([
      'packages/core/src/challenge.ts:1 imports ./errors.ts: challenge may import: none',
    ]);
  });

  it('may not import the index', () => {
    expect(check({ [core('tools/lint.ts')]: "import '../index.ts';" })).toHaveLength(1);
  });

  it.each([
    ['a type import', "import type { X } from '../decision/x.ts';"],
    ['an inline type', "import { type X } from '../decision/x.ts';"],
    ['a type by import()', "export type X = import('../decision/x.ts').X;"],
    ['a type by typeof import()', "export type X = typeof import('../decision/x.ts');"],
    ['an export', "export { x } from '../decision/x.ts';"],
    ['an export of a type', "export type { X } from '../decision/x.ts';"],
    ['an export of all', "export * from '../decision/x.ts';"],
    ['a dynamic import', "export const x = () => import('../decision/x.ts');"],
    ['a dynamic import by a template', 'export const x = () => import(`../decision/x.ts`);'],
    ['a URL', "export const x = new URL('../decision/x.ts', import.meta.url);"],
  ])('may not reach a higher line by %s', (_, text) => {
    expect(check({ [core('net/call.ts')]: text })).toHaveLength(1);
  });

  it('fail if they are not in the table', () => {
    expect(check({ [core('attic/box.ts')]: '' })).toEqual([
      'the room attic of packages/core/src is not in the table',
    ]);
    expect(check({ [core('attic.ts')]: '' })).toEqual([
      'the room attic of packages/core/src is not in the table',
    ]);
  });

  it('fail if they import a computed name', () => {
    expect(check({ [core('net/call.ts')]: 'export const x = (name: string) => import(name);' })).toEqual([
      'packages/core/src/net/call.ts:1 imports a computed name: expected a literal name',
    ]);
  });
});

describe('files', () => {
  it('may not import each other in a circle, types included', () => {
    const problems = check({
      [core('net/a.ts')]: "import './b.ts';",
      [core('net/b.ts')]: "import type { C } from './c.ts';",
      [core('net/c.ts')]: "export type A = import('./a.ts').A;",
    });
    expect(problems).toEqual([
      `a circle of imports: ${['a', 'b', 'c', 'a'].map((name) => core(`net/${name}.ts`)).join(' -> ')}`,
    ]);
  });

  it('fail if their package is not in the table', () => {
    expect(check({ 'packages/elysia/src/index.ts': '', 'packages/elysia/test/x.test.ts': '' })).toEqual([
      'packages/elysia is not in the table of packages',
    ]);
  });

  it('fail if they are not TypeScript', () => {
    expect(() => check({ [core('net/a.ts')]: 'import {' })).toThrow(SyntaxError);
  });
});

describe('packages', () => {
  it('may import only the packages of this workspace that the table lists', () => {
    expect(check({ 'packages/koa/src/index.ts': "import '@latchkey/core'; import 'koa';" })).toEqual([]);
    expect(check({ 'packages/koa/src/index.ts': "import '@latchkey/core/tools';" })).toEqual([
      'packages/koa/src/index.ts:1 imports @latchkey/core/tools: of this workspace packages/koa may import: ' +
        '@latchkey/core, @latchkey/core/adapter, @latchkey/core/signing',
    ]);
    expect(check({ [core('index.ts')]: "import type { X } from '@latchkey/koa';" })).toEqual([
      'packages/core/src/index.ts:1 imports @latchkey/koa: of this workspace packages/core may import: none',
    ]);
  });

  it('may import each other only by name', () => {
    expect(check({ 'packages/koa/src/index.ts': "import '../../core/src/index.ts';" })).toEqual([
      'packages/koa/src/index.ts:1 imports ../../core/src/index.ts: by path it may import only its own package, packages/koa',
    ]);
    expect(check({ 'apps/koa/src/app.ts': "import '../../../packages/koa/src/index.ts';" })).toHaveLength(1);
  });

  it('may import only the other packages that the table lists', () => {
    expect(check({ [core('net/a.ts')]: "import 'node:fs/promises'; import 'yaml';" })).toEqual([]);
    expect(check({ [core('net/a.ts')]: "import 'yaml/util'; import 'jose';" })).toEqual([
      'packages/core/src/net/a.ts:1 imports jose: of other packages packages/core may import: ' +
        'lru-cache, re2js, undici, yaml, node:*',
    ]);
  });

  it('may not import their tests', () => {
    expect(check({ [core('net/a.ts')]: "import '../../test/support/a.ts';" })).toEqual([
      'packages/core/src/net/a.ts:1 imports ../../test/support/a.ts: sources may not import tests',
    ]);
  });
});

describe('tests', () => {
  it('may import their own package by path and the others by name', () => {
    const problems = check({
      'packages/koa/test/koa.test.ts':
        "import '@latchkey/core/tools'; import '../src/index.ts'; import './help.ts'; import 'anything';",
    });
    expect(problems).toEqual([]);
  });

  it.each([
    ['import', "import { x } from '../../core/test/x.ts';"],
    ['import a type of', "import type { X } from '../../core/test/x.ts';"],
    ['mock', "vi.mock('../../core/test/x.ts', () => ({}));"],
    ['mock by import()', "vi.mock(import('../../core/test/x.ts'));"],
    ['load the original of', "await vi.importActual('../../core/test/x.ts');"],
    ['name by URL', "new URL('../../core/test/x.ts', import.meta.url);"],
    ['require', "require('../../core/test/x.ts');"],
  ])('may not %s a file of another package', (_, text) => {
    expect(check({ 'packages/koa/test/koa.test.ts': text })).toEqual([
      'packages/koa/test/koa.test.ts:1 imports ../../core/test/x.ts: by path it may import only its own package, packages/koa',
    ]);
  });

  it('may name the root of the workspace by URL', () => {
    expect(
      check({ 'packages/koa/test/a.test.ts': "new URL('../../../README.md', import.meta.url);" }),
    ).toEqual([]);
  });
});

describe('the table', () => {
  it('may not list a room of another line, and may not have a circle', () => {
    expect(check({}, { lines: [{ a: ['b'] }, { b: [] }] })).toEqual(['the table: b is not in the line of a']);
    expect(check({}, { lines: [{ a: ['b'], b: ['a'] }] })).toEqual(['the table has a circle: a -> b -> a']);
  });

  it('allows an import that is pending, as long as the entry is needed', () => {
    const up = { [core('net/a.ts')]: "import '../decision/x.ts';" };
    const pending = [`${core('net/a.ts')} -> ${core('decision/x.ts')}`];
    expect(check(up, { pending })).toEqual([]);
    expect(check({}, { pending })).toEqual([
      `expected an import that is not allowed in pending, got ${pending}; remove it`,
    ]);
    const down = { [core('decision/a.ts')]: "import '../net/x.ts';" };
    const unneeded = `${core('decision/a.ts')} -> ${core('net/x.ts')}`;
    expect(check(down, { pending: [unneeded] })).toEqual([
      `expected an import that is not allowed in pending, got ${unneeded}; remove it`,
    ]);
  });

  it('allows a circle that is pending, as long as the circle exists', () => {
    const pending = [`${core('net/a.ts')} -> ${core('net/b.ts')}`];
    const there = { [core('net/a.ts')]: "import './b.ts';", [core('net/b.ts')]: "import './a.ts';" };
    expect(check(there, { pending })).toEqual([]);
    expect(check({ ...there, [core('net/b.ts')]: '' }, { pending })).toHaveLength(1);
  });
});

describe('importsOf', () => {
  it('ignores comments and strings', () => {
    expect(importsOf('// import "a"\nconst b = `import "c"`; const d = \'import("e")\';')).toEqual([]);
  });

  it('gives the line', () => {
    expect(importsOf("import 'a';\n\nvi.doMock('b');")).toEqual([
      { specifier: 'a', line: 1, isUrl: false },
      { specifier: 'b', line: 3, isUrl: false },
    ]);
  });

  it('finds a declared module and an import by require', () => {
    expect(
      importsOf("declare module 'a' {}\nimport b = require('b');").map(({ specifier }) => specifier),
    ).toEqual(['a', 'b']);
  });
});
