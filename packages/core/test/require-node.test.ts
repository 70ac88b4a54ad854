// The version of Node that the package needs, checked by each of its entries.
import process from 'node:process';
import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

const ENTRIES: readonly (() => Promise<object>)[] = [
  () => import('../src/index.ts'),
  () => import('../src/signing/index.ts'),
  () => import('../src/adapter/index.ts'),
  () => import('../src/tools/index.ts'),
  () => import('../src/own-keys/index.ts'),
];

it.each([
  ['20.20.2', 'Latchkey needs Node 22.19 or later; this is 20.20.2'],
  ['22.18.0', 'Latchkey needs Node 22.19 or later; this is 22.18.0'],
  ['22.19.0', undefined],
  ['24.0.0', undefined],
])('the import of any entry under Node %s', async (node, message) => {
  vi.spyOn(process, 'versions', 'get').mockReturnValue({ ...process.versions, node });
  for (const load of ENTRIES) {
    vi.resetModules();
    if (message === undefined) await expect(load()).resolves.toBeDefined();
    else await expect(load()).rejects.toThrow(message);
  }
});
