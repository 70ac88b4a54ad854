// docs/performance.md has only figures of the recorded run.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DOCS, ROOT } from './pages.ts';

it('every figure of the page is in the report', () => {
  const report = readFileSync(join(ROOT, 'apps/bench/results/speed.md'), 'utf8');
  const recorded = new Set(report.match(/\d+(?:\.\d+)?/g));
  const page = readFileSync(join(DOCS, 'performance.md'), 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '');
  const figures = page.match(/\d+(?:\.\d+)?/g) ?? [];
  expect(figures.length).toBeGreaterThan(100);
  expect(figures.filter((figure) => !recorded.has(figure))).toEqual([]);
});
