// Checks what a release is made of: the packages, the changesets and the notes.
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, it } from 'vitest';
import { notesOf } from '../release/notes.ts';
import { packages, versionOf } from '../release/packages.ts';

it('publishes a package after the packages that it depends on', () => {
  const names = packages().map(({ name }) => name);
  expect(names.length).toBeGreaterThan(10);
  for (const [index, { dependencies }] of packages().entries())
    for (const name of dependencies.filter((one) => names.includes(one)))
      expect(names.slice(0, index)).toContain(name);
});

it('has one version of all packages', () => {
  expect(versionOf(packages())).toMatch(/^\d+\.\d+\.\d+$/);
  const [first] = packages();
  if (first === undefined) throw new Error('expected a package');
  expect(() => versionOf([first, { ...first, version: '9.9.9' }])).toThrow('expected one version');
});

it('has changesets of published packages only, and none that gives a major version', () => {
  const names = packages().map(({ name }) => name);
  for (const file of globSync('.changeset/*.md')) {
    const [, head = ''] = readFileSync(file, 'utf8').split('---');
    for (const line of head.trim().split('\n')) {
      const [, name, type] = /^['"](.+)['"]: (\w+)$/.exec(line) ?? [];
      expect(names, `${file}: ${line}`).toContain(name);
      expect(['minor', 'patch'], `${file}: ${line}`).toContain(type);
    }
  }
});

// Nothing was published before 0.1.0: its changelogs say what the packages are.
it.runIf(versionOf(packages()) === '0.0.0').each(packages())(
  'tells what $name is in its first changelog',
  ({ name, folder }) => {
    const [, head, text = ''] = readFileSync(`.changeset/${basename(folder)}.md`, 'utf8').split('---\n');
    expect(head).toBe(`'${name}': minor\n`);
    expect(text).toMatch(/^\nThe first release[:.]/);
    const points = text.match(/^- /gm) ?? [];
    expect(points.length).toBeGreaterThanOrEqual(5);
    expect(points.length).toBeLessThanOrEqual(20);
  },
);

it('writes each change once into the notes, with its packages', () => {
  const changelog = '# x\n\n## 0.2.0\n\n### Minor Changes\n\n- abcdef0: One thing\n  in two lines.\n';
  const texts = [
    { name: 'a', text: `${changelog}\n### Patch Changes\n\n- Updated dependencies\n  - b@0.2.0\n` },
    { name: 'b', text: `${changelog}\n## 0.1.0\n\n### Minor Changes\n\n- 1234567: Older.\n` },
  ];
  expect(notesOf('0.2.0', texts)).toBe('# 0.2.0\n\n- One thing\n  in two lines.\n  (a, b)\n');
});
