// The table of allowed imports in this workspace, and the command `pnpm layers`. Every other import
// fails, also in tests and for types. The checks are in layers/check.ts.
import { checkLayers, type Rules } from './layers/check.ts';

const ADAPTER = ['@latchkey/core', '@latchkey/core/adapter', '@latchkey/core/signing'];

/**
 * The table. A test may import its own package by path and each package of the workspace by name.
 */
export const RULES: Rules = {
  house: 'packages/core/src',
  lines: [
    {
      errors: ['challenge', 'plain-text', 'require-node'],
      'require-node': [],
      challenge: [],
      'plain-text': [],
      events: ['errors', 'plain-text'],
      values: ['errors'],
    },
    { net: [], token: [], jwk: ['token'], secrets: ['net'], credentials: ['claims'], claims: [] },
    { keysets: [], remote: [], groups: ['remote'], resource: ['possession'], possession: [], revocation: [] },
    { decision: [] },
    { descriptor: ['signing'], signing: ['exchange'], exchange: [], notices: [] },
    {
      index: ['adapter', 'openapi', 'own-keys'],
      adapter: [],
      openapi: ['adapter'],
      tools: [],
      'own-keys': [],
    },
  ],
  packages: {
    'packages/core': [],
    'packages/express': ADAPTER,
    'packages/koa': ADAPTER,
    'packages/fastify': ADAPTER,
    'packages/nestjs': ADAPTER,
    'packages/web': ADAPTER,
    'packages/mcp': ['@latchkey/core', '@latchkey/core/adapter'],
    'packages/hono': [...ADAPTER, '@latchkey/web'],
    'packages/ldap': ['@latchkey/core', '@latchkey/core/adapter'],
    'packages/redis': ['@latchkey/core', '@latchkey/core/adapter'],
    'packages/opentelemetry': ['@latchkey/core', '@latchkey/core/adapter'],
    'packages/azure-key-vault': ['@latchkey/core', '@latchkey/core/adapter'],
    'packages/cli': [
      '@latchkey/redis',
      '@latchkey/core',
      '@latchkey/core/adapter',
      '@latchkey/core/tools',
      '@latchkey/core/signing',
      '@latchkey/core/own-keys',
    ],
    'packages/testing': ['@latchkey/core', '@latchkey/core/adapter'],
    'packages/test-kit': ['@latchkey/core'],
    'packages/conformance': [...ADAPTER, '@latchkey/testing'],
    'apps/bench': ['*'],
    'apps/demo': ['*'],
    'apps/docs': ['@latchkey/cli', '@latchkey/express', '@latchkey/testing'],
    'apps/express': ['*'],
    'apps/fastify': ['*'],
    'apps/friends': ['*'],
    'apps/koa': ['*'],
    'apps/hono': ['*'],
    'apps/web': ['*'],
    'apps/mcp': ['*'],
    'apps/nestjs': ['*'],
    'apps/packed': ['*'],
    'apps/pages': ['*'],
    'apps/recipes': ['*'],
    'apps/release': ['@latchkey/test-kit/quick-start', '@latchkey/test-kit/requests'],
    'apps/runtimes': ['*'],
    'apps/soak': ['*'],
    scripts: ['@latchkey/core', '@latchkey/core/adapter', '@latchkey/core/tools'],
  },
  foreign: { 'packages/core': ['lru-cache', 're2js', 'undici', 'yaml', 'node:*'] },
  pending: [],
};

if (import.meta.main) {
  const problems = checkLayers(process.cwd(), RULES);
  for (const problem of problems) console.error(problem);
  console.log(problems.length === 0 ? 'every import is allowed' : `${problems.length} problems with imports`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
