// `pnpm inspector:walk`: drives the page of `latchkey inspect` in a Chromium by the keyboard alone,
// from pasting a token to reading the rule that failed, and to the last decisions of a running
// service, wide and narrow, light and dark. Fails on an error in the console, a request to another
// host, a page that scrolls sideways, and on what axe finds. `--screenshots FOLDER` keeps a picture
// of each.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run } from '@latchkey/cli';
import { generateSigningKey, mint } from '@latchkey/testing';
import axe, { type AxeResults } from 'axe-core';
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { browserPath } from './browser.ts';
import { type InspectedService, startService } from './inspected-service.ts';

const WAYS: readonly (BrowserContextOptions & { readonly name: string })[] = [
  { name: 'wide-light', viewport: { width: 1180, height: 1020 }, colorScheme: 'light' },
  { name: 'wide-dark', viewport: { width: 1180, height: 1020 }, colorScheme: 'dark' },
  { name: 'narrow-light', viewport: { width: 390, height: 844 }, colorScheme: 'light' },
  { name: 'narrow-dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
];
const MAX_TABS = 20;

const { values } = parseArgs({ options: { screenshots: { type: 'string' } } });
const folder = mkdtempSync(join(tmpdir(), 'latchkey-inspector-'));
const problems: string[] = [];
try {
  const key = await generateSigningKey('ES256', '2026-11');
  const token = await mint(key, {
    iss: 'https://login.example.com',
    aud: 'orders',
    sub: 'alice',
    exp: Math.floor(Date.now() / 1000) + 3600,
    scope: 'orders:read',
    roles: ['developer'],
  });
  writeDescriptor(key.publicJwk);
  const service = await startService(key.publicJwk);
  for (const [path, sent] of [
    ['/orders/17?access=none', token],
    ['/orders/18', token],
    ['/admin', token],
    ['/orders/19', undefined],
    ['/orders/20', `${token.slice(0, -8)}AAAAAAAA`],
  ] as const)
    await service.get(path, sent);
  const { url, ended } = await startInspector(service.url);
  const browser = await chromium.launch({ executablePath: browserPath() });
  try {
    for (const { name, ...options } of WAYS) {
      const context = await browser.newContext({ ...options, reducedMotion: 'reduce' });
      await walk(await context.newPage(), { name, url, token, service });
      await context.close();
    }
  } finally {
    await browser.close();
    service.close();
    process.emit('SIGTERM');
  }
  if ((await ended) !== 0) problems.push('the command did not end well');
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${WAYS.length} walks by keyboard: ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;

function writeDescriptor(publicJwk: object): void {
  const keySets = [{ issuer: 'https://login.example.com', jwks: { keys: [publicJwk] } }];
  const routes = {
    admin: { claims: { scope: 'orders:read', roles: ['admin'] } },
    orders: { claims: { scope: 'orders:read' } },
  };
  const descriptor = { service: { jwt: { keySets, audience: 'orders', routes } } };
  writeFileSync(join(folder, 'service.yaml'), JSON.stringify(descriptor));
}

/** Runs the command in this process, until a signal. */
async function startInspector(
  service: string,
): Promise<{ readonly url: string; readonly ended: Promise<number> }> {
  const { promise: url, resolve, reject } = Promise.withResolvers<string>();
  const ended = run(['inspect', '--service', service], {
    stdout: { write: (text) => resolve(text.trim()) },
    stderr: process.stderr,
    stdin: process.stdin,
    env: {},
    cwd: () => folder,
  });
  ended.then((code) => reject(new Error(`the command ended with ${code}`)), reject);
  return { url: await url, ended };
}

interface Walk {
  readonly name: string;
  readonly url: string;
  readonly token: string;
  readonly service: InspectedService;
}

async function walk(page: Page, { name, url, token, service }: Walk): Promise<void> {
  let step = 'open';
  const report = (what: string) => {
    problems.push(what);
    console.log(`${name}, ${step}: ${what}`);
  };
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) report(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => report(`error: ${error.message}`));
  page.on('requestfailed', (request) => report(`${request.url()} failed`));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) report(`${request.url()} is on another host`);
  });
  const expect = async (what: string, isSo: string) => {
    if (!(await page.evaluate<boolean>(isSo))) report(`expected ${what}, got ${await focused(page)}`);
  };
  const look = async () => {
    for (const fault of await faultsOf(page)) report(fault);
  };

  await page.goto(url, { waitUntil: 'networkidle' });
  await look();
  step = 'paste a token';
  await tabTo(page, '#token');
  await page.keyboard.insertText(token);
  step = 'choose a route';
  await tabTo(page, '#route');
  await page.keyboard.type('admin');
  step = 'ask';
  await tabTo(page, 'button[type=submit]');
  await page.keyboard.press('Enter');
  await page.locator('#verdict', { hasText: 'Refused: 403' }).waitFor();
  await expect('the focus on the result', `document.activeElement.id === 'verdict'`);
  await expect(
    'the refusal to be said',
    `document.querySelector('[role=status]').textContent.startsWith('claims_insufficient')`,
  );
  await look();
  step = 'read the rule that failed';
  await tabTo(page, '.jump');
  await page.keyboard.press('Enter');
  await expect('the focus on the check that failed', `document.activeElement.id === 'failed'`);
  const read = await page.evaluate<string>('document.activeElement.innerText');
  for (const text of ['roles', 'expected', 'admin', 'actual', 'developer', 'claims_insufficient'])
    if (!read.includes(text)) report(`the check does not say ${text}`);
  await look();
  if (values.screenshots !== undefined) {
    const fullPage = name.startsWith('wide');
    await page.screenshot({ path: join(values.screenshots, `inspector-${name}.png`), fullPage });
  }
  step = 'another route';
  await tabTo(page, '#route', 'Shift+Tab');
  await page.keyboard.type('orders');
  await tabTo(page, 'button[type=submit]');
  await page.keyboard.press('Enter');
  await page.locator('#verdict', { hasText: 'Allowed' }).waitFor();
  await look();
  step = 'a text that is no token';
  await tabTo(page, '#token', 'Shift+Tab');
  await page.keyboard.press('Control+a');
  await page.keyboard.insertText('not a token');
  await page.keyboard.press('Control+Enter');
  await page.locator('#verdict', { hasText: 'Refused: 401' }).waitFor();
  await look();
  step = 'read the last decisions';
  const said = page.locator('#decisions-said');
  await tabTo(page, '#decisions-refresh');
  await page.keyboard.press('Enter');
  await said.filter({ hasText: 'The last 5 of 5 decisions' }).waitFor();
  await expect('the focus on the button', `document.activeElement.id === 'decisions-refresh'`);
  const table = page.getByRole('table', { name: 'Last decisions' });
  const row = table.getByRole('row').filter({ hasText: 'claims_insufficient' });
  for (const text of ['refused: 403', '/admin', 'https://login.example.com', 'express', 'yes'])
    if ((await row.getByRole('cell', { name: text, exact: true }).count()) !== 1)
      report(`the row of the refusal does not say ${text}`);
  if (((await table.textContent()) ?? '').includes('/orders/17')) report('the table has a path');
  await look();
  if (values.screenshots !== undefined)
    await page
      .locator('#decisions')
      .screenshot({ path: join(values.screenshots, `inspector-decisions-${name}.png`) });
  step = 'a service that does not answer';
  service.isUp = false;
  await page.keyboard.press('Enter');
  await said.filter({ hasText: 'does not answer (ECONNRESET); start the service' }).waitFor();
  await look();
  service.isUp = true;
}

/** Presses Tab until an element has the focus, as somebody without a mouse does. */
async function tabTo(page: Page, selector: string, key = 'Tab'): Promise<void> {
  for (let pressed = 0; pressed < MAX_TABS; pressed++) {
    await page.keyboard.press(key);
    const isThere = `document.activeElement.matches(${JSON.stringify(selector)})`;
    if (!(await page.evaluate<boolean>(isThere))) continue;
    // The focus has to be seen.
    const outline = await page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle');
    if (outline === 'none') problems.push(`${selector} shows no focus`);
    return;
  }
  throw new Error(`${selector} is not reached by ${key}`);
}

async function focused(page: Page): Promise<string> {
  return page.evaluate<string>('document.activeElement.outerHTML.slice(0, 200)');
}

/** What is wrong with the page as it is. */
async function faultsOf(page: Page): Promise<readonly string[]> {
  const faults: string[] = [];
  const beyond = await page.evaluate<number>(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
  if (beyond > 0) faults.push(`scrolls ${beyond} px sideways`);
  // By the protocol of the browser: the policy of the page forbids code of others.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<AxeResults>('axe.run({ resultTypes: ["violations"] })');
  for (const { id, impact, nodes } of violations)
    faults.push(
      `axe: ${id} (${impact}), ${nodes.length} times, such as ${nodes[0]?.html.slice(0, 200)}: ${nodes[0]?.failureSummary}`,
    );
  return faults;
}
