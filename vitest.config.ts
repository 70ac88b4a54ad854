// One run for every package and app, straight from source: the "source" export condition finds the
// TypeScript files.
import { defineConfig } from 'vitest/config';
import { WARNING_TYPES } from './packages/core/src/events.ts';

// The warnings of Latchkey, and what Node says of ML-DSA.
const QUIET = [...Object.keys(WARNING_TYPES), 'ExperimentalWarning'];

export default defineConfig({
  ssr: { resolve: { conditions: ['source', 'node'], externalConditions: ['source', 'node'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'scripts/test/**/*.test.ts'],
    // Tests that are about a warning listen for it; no test prints one.
    execArgv: QUIET.map((warning) => `--disable-warning=${warning}`),
    // scripts/check.ts counts what ran.
    reporters: ['default', ['json', { outputFile: 'reports/tests.json' }]],
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
