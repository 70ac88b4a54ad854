// What has to be waited for is seen as that, whatever `globalThis.Promise` is.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isPromise } from '../../src/values/promise.ts';

it.each<[string, unknown, boolean]>([
  ['a promise', Promise.resolve(), true],
  ['a promise of another class', new (class Other extends Promise<void> {})(() => {}), true],
  // biome-ignore lint/suspicious/noThenProperty: a promise of a library
  ['what has a then', { then() {} }, true],
  // biome-ignore lint/suspicious/noThenProperty: a promise of a library
  ['a function that has a then', Object.assign(() => {}, { then() {} }), true],
  ['a decision', { ok: true, principal: undefined }, false],
  // biome-ignore lint/suspicious/noThenProperty: data
  ['a claim of that name', { then: 'text' }, false],
  ['undefined', undefined, false],
  ['null', null, false],
  ['a text', 'then', false],
])('%s', (_name, value, expected) => {
  expect(isPromise(value)).toBe(expected);
});

it('no package asks for promises by their class', () => {
  const packages = join(import.meta.dirname, '../../..');
  const files = readdirSync(packages).flatMap((name) => {
    try {
      return readdirSync(join(packages, name, 'src'), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .map((file) => join(packages, name, 'src', file));
    } catch {
      return [];
    }
  });
  expect(files.length).toBeGreaterThan(100);
  const asking = files.filter((file) => /[^`] instanceof Promise/.test(readFileSync(file, 'utf8')));
  expect(asking).toEqual([]);
});
