// `pnpm packages`: checks the packages as users get them. `pnpm build` must have run.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    include: ['test/installed/*.check.ts'],
    globalSetup: 'test/installed/setup.ts',
    // scripts/check.ts counts what ran.
    reporters: ['default', ['json', { outputFile: '../../reports/packages.json' }]],
    // Most of the time, other processes work: compilers, Jest, bundlers.
    maxWorkers: 2,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
