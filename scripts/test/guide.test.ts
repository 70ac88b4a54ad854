// Checks the form of CONTRIBUTING.md, and that SECURITY.md says the same as SUPPORT.md.
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (file: string) => readFileSync(file, 'utf8');
const guide = read('CONTRIBUTING.md');
/** The text of a section of the guide. */
function section(title: string): string {
  const found = guide.split(/^## /m).find((part) => part.startsWith(`${title}\n`));
  if (found === undefined) throw new Error(`expected a section ${title}`);
  return found;
}
/** A text on one line, to compare sentences that wrap differently. */
const flat = (text: string) => text.replaceAll(/\s+/g, ' ');

it('keeps CONTRIBUTING.md short', () => {
  expect(guide.split('\n').length).toBeLessThanOrEqual(165);
});

it('has a command in each row, which exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Record<string, string> };
  const names = [...section('Commands').matchAll(/^\| `pnpm ([a-z]+)` \|/gm)].map(([, name = '']) => name);
  expect(names.length).toBeGreaterThanOrEqual(8);
  for (const name of names) expect(Object.keys(scripts)).toContain(name);
});

it('tells the way of a request in seven steps, each with files that exist', () => {
  const steps = section('The way of a request')
    .split(/^(?=\d\. \*\*)/m)
    .slice(1);
  expect(steps.map((step) => step[0])).toEqual(['1', '2', '3', '4', '5', '6', '7']);
  for (const step of steps) {
    const files = [...step.matchAll(/`([\w./-]+\.ts)`/g)].map(([, file = '']) => file);
    expect(files.length, step).toBeGreaterThan(0);
    for (const file of files)
      expect(existsSync(file) || existsSync(`packages/core/src/${file}`), file).toBe(true);
  }
});

it('says in SECURITY.md which versions get fixes, as SUPPORT.md does', () => {
  const [support, security] = [flat(read('SUPPORT.md')), flat(read('SECURITY.md'))];
  const [repaired = ''] = /Before 1\.0\.0, we repair .*? is released\./.exec(support) ?? [];
  expect(repaired).toContain('After that, we repair security faults');
  expect(security).toContain(repaired);
  const [, node = ''] = /\| Node \| ([^|]+) \|/.exec(support) ?? [];
  expect(node).toMatch(/^\d+\.\d+ or later/);
  expect(security).toContain(`Node ${node}`);
});
