// One run for every package and app, straight from source: the "source" export condition finds the
// TypeScript files. The adapter for NestJS is tested on Nest 12, and again on Nest 11.
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { WARNING_TYPES } from './packages/core/src/events.ts';

// The warnings of Latchkey, and what Node says of ML-DSA.
const QUIET = [...Object.keys(WARNING_TYPES), 'ExperimentalWarning'];

const nest11 = fileURLToPath(new URL('packages/nestjs/test/nest11/node_modules', import.meta.url));
// Not those of sockets: the filter of Nest 11 sends nothing to clients of ws.
const nest11Tests = [
  'conformance',
  'contexts',
  'guard',
  'inheritance',
  'module',
  'routes',
  'rpc-exception',
  'signing',
].map((name) => `packages/nestjs/test/${name}.test.ts`);

export default defineConfig({
  logLevel: 'error',
  ssr: { resolve: { conditions: ['source', 'node'], externalConditions: ['source', 'node'] } },
  test: {
    // Tests that are about a warning listen for it; no test prints one.
    execArgv: QUIET.map((warning) => `--disable-warning=${warning}`),
    // scripts/check.ts counts what ran.
    reporters: ['default', ['json', { outputFile: 'reports/tests.json' }]],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // One worker less than there are cores, as by default, but two where that would be one: tests
    // wait for processes and servers most of the time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'scripts/test/**/*.test.ts'],
          // eventsource and its parser have the condition "source" too; Node does not read what
          // is there.
          server: { deps: { inline: [/@modelcontextprotocol/, /eventsource/] } },
        },
      },
      {
        extends: true,
        resolve: { alias: [{ find: /^(?=@nestjs\/[\w-]+$)/, replacement: `${nest11}/` }] },
        test: { name: 'nest11', include: nest11Tests },
      },
    ],
  },
});
