// The commands of the site. `pnpm docs:build` builds it, and fails on a warning, and on a link or
// an anchor that leads nowhere. `pnpm run docs` serves it while you write.
import { fileURLToPath } from 'node:url';
import { build, createServer } from 'vitepress';
import { follow, gather } from './gather.ts';
import { deadLinks } from './links.ts';
import { ROOT, SITE } from './pages.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

async function buildSite(): Promise<readonly string[]> {
  // VitePress, Vite and Vue print their warnings by these two.
  let warnings = 0;
  for (const level of ['warn', 'error'] as const) {
    const print = console[level];
    console[level] = (...parts: readonly unknown[]) => {
      warnings++;
      print(...parts);
    };
  }
  await gather();
  await build(root);
  const dead = deadLinks(SITE, ROOT);
  return warnings === 0 ? dead : [`${warnings} warnings, see above`, ...dead];
}

async function serveSite(): Promise<void> {
  await gather();
  follow();
  const server = await createServer(root);
  await server.listen();
  server.printUrls();
}

if (process.argv[2] === 'serve') await serveSite();
else {
  const problems = await buildSite();
  for (const problem of problems) console.log(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
