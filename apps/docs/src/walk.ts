// `pnpm docs:walk`: opens each page of the built site in a Chromium, wide and narrow, light and
// dark, and fails on an error in the console, a request that fails, a page that scrolls sideways,
// and on what axe finds. `pnpm docs:walk /start/` opens only pages under that path;
// `--screenshots FOLDER` keeps a picture of each.
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import axe, { type AxeResults } from 'axe-core';
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { browserPath } from './browser.ts';
import { SITE } from './pages.ts';
import { serveBuilt } from './server.ts';

const WAYS: readonly (BrowserContextOptions & { readonly name: string })[] = [
  { name: 'wide, light', viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  { name: 'wide, dark', viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
  { name: 'narrow, light', viewport: { width: 390, height: 844 }, colorScheme: 'light' },
  { name: 'narrow, dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
];

const { values, positionals } = parseArgs({
  options: { screenshots: { type: 'string' } },
  allowPositionals: true,
});
const [prefix = '/'] = positionals;
const paths = globSync('**/*.html', { cwd: SITE })
  .map((file) => `/${file.replace(/(?:^|(?<=\/))index\.html$|\.html$/, '')}`)
  .filter((path) => path !== '/404' && path.startsWith(prefix))
  .toSorted();
if (paths.length === 0) throw new Error(`no page under ${prefix} in ${SITE}: run \`pnpm docs:build\``);

const { server, origin } = await serveBuilt();
const browser = await chromium.launch({ executablePath: browserPath() });
const problems: string[] = [];
try {
  for (const { name, ...options } of WAYS) {
    // Motion would let axe see colors half way.
    const context = await browser.newContext({ ...options, reducedMotion: 'reduce' });
    const page = await context.newPage();
    let path = '';
    const report = (what: string) => {
      problems.push(what);
      console.log(`${path} (${name}): ${what}`);
    };
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) report(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => report(`error: ${error.message}`));
    page.on('requestfailed', (request) => {
      const reason = request.failure()?.errorText ?? '';
      // VitePress loads linked pages ahead. The next page of this walk ends that.
      if (reason !== 'net::ERR_ABORTED') report(`${request.url()} failed: ${reason}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) report(`${response.url()} got ${response.status()}`);
      if (!response.url().startsWith(origin)) report(`${response.url()} is on another host`);
    });
    for (path of paths) {
      await page.goto(`${origin}${path}`, { waitUntil: 'load' });
      for (const fault of await faultsOf(page)) report(fault);
      if (values.screenshots === undefined) continue;
      const picture = `${name}${path.replaceAll('/', '-')}.png`.replace(', ', '-');
      await page.screenshot({ path: join(values.screenshots, picture) });
    }
    await context.close();
    console.log(`${name}: ${paths.length} pages seen`);
  }
} finally {
  await browser.close();
  server.close();
}
console.log(`${paths.length} pages, ${WAYS.length} ways each: ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;

/** What is wrong with a page that is open. */
async function faultsOf(page: Page): Promise<readonly string[]> {
  // Vue has taken over what was rendered before.
  await page.waitForFunction('document.querySelector("#app").__vue_app__ !== undefined');
  const faults: string[] = [];
  const beyond = await page.evaluate<number>(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
  if (beyond > 0) faults.push(`scrolls ${beyond} px sideways`);
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<AxeResults>('axe.run({ resultTypes: ["violations"] })');
  for (const { id, impact, nodes } of violations)
    faults.push(
      `axe: ${id} (${impact}), ${nodes.length} times, such as ${nodes[0]?.html.slice(0, 200)}: ${nodes[0]?.failureSummary}`,
    );
  return faults;
}
