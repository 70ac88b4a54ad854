// One run for every package and app, straight from source: the "source" export condition finds the
// TypeScript files.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  ssr: { resolve: { conditions: ['source', 'node'], externalConditions: ['source', 'node'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'scripts/test/**/*.test.ts'],
    // Tests that are about a warning listen for it; the others need not print it.
    execArgv: ['LATCHKEY_UNSAFE', 'LATCHKEY_DEPRECATED'].map((code) => `--disable-warning=${code}`),
    // scripts/check.ts counts what ran.
    reporters: ['default', ['json', { outputFile: 'reports/tests.json' }]],
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
