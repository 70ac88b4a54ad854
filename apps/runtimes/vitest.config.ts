// The conformance suite inside of each runtime, which src/main.ts starts.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  ssr: { resolve: { conditions: ['source', 'node'], externalConditions: ['source', 'node'] } },
  test: {
    include: [
      'apps/runtimes/test/inside/*.check.ts',
      'packages/express/test/conformance.test.ts',
      'packages/web/test/native.check.ts',
    ],
    // src/main.ts reads the counts, and scripts/check.ts too.
    reporters: ['dot', ['json', { outputFile: process.env.LATCHKEY_REPORT ?? 'reports/inside.json' }]],
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
