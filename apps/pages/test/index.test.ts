// The index of docs/migrate names each page of the folder, and no other.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DOCS, pagesIn } from './pages.ts';

it('the index of docs/migrate has all pages', () => {
  const index = readFileSync(join(DOCS, 'migrate/README.md'), 'utf8');
  const linked = [...index.matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, page]) => `migrate/${page}`);
  expect(linked.toSorted()).toEqual(pagesIn('migrate').toSorted());
});
