// Each page of docs/migrate has a table of requests, with the answers of both programs: the one
// with the other package, and the one with Latchkey. Both run here, trust the same issuer, and get
// these requests. Each request whose answers differ must be in the table of the page.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Program, programsOf } from './blocks.ts';
import { DOCS, HOME, pagesIn } from './pages.ts';
import { type Asked, REQUESTS } from './requests.ts';
import { type Service, startService, writeProgram } from './service.ts';

const cache = join(HOME, 'node_modules/.cache/differences');
const pages = pagesIn('migrate')
  .map((page) => ({ page, text: readFileSync(join(DOCS, page), 'utf8') }))
  .map(({ page, text }) => ({ page, text, programs: programsOf(text) }))
  .filter(({ programs }) => programs.some(isBefore));
/** The URLs of the programs, by page, in the order before, after. */
const up = new Map<string, readonly [before: string, after: string]>();
const down = new Map<string, readonly [before: string, after: string]>();
const services: Service[] = [];
let issuer: TestIssuer;
/** Its keys cannot be fetched. */
let broken: TestIssuer;

beforeAll(async () => {
  mkdirSync(cache, { recursive: true });
  issuer = await createIssuer({ algorithm: 'RS256' });
  broken = await createIssuer({ algorithm: 'RS256' });
  broken.fail({ kind: 'status', status: 500 });
  await Promise.all([startAll(issuer, up), startAll(broken, down)]);
}, 240_000);

afterAll(async () => {
  for (const { stop } of services) stop();
  await Promise.all([issuer.close(), broken.close()]);
  rmSync(cache, { recursive: true, force: true });
});

it('some pages compare', () => expect(pages.length).toBeGreaterThan(0));

describe.each(pages)('$page', ({ page, text }) => {
  it('has the answers of both programs', async () => {
    const listed = tableIn(text, 'request');
    const measured = new Map<string, readonly string[]>();
    for (const [name, make] of Object.entries(REQUESTS)) {
      const { isDown } = await make(issuer);
      const asked = isDown === true ? await make(broken) : await make(issuer);
      const both = (isDown === true ? down : up).get(page) ?? [];
      const statuses = await Promise.all(both.map(async (url) => String((await ask(url, asked)).status)));
      if (listed.has(name) || statuses[0] !== statuses[1]) measured.set(name, statuses);
    }
    expect(Object.fromEntries(measured)).toEqual(Object.fromEntries(listed));
  }, 60_000);

  it('has the answer of both programs to an expired token, and they agree on a good one', async () => {
    const both = up.get(page) ?? [];
    const good = await REQUESTS['a good token']?.(issuer);
    const bodies = await Promise.all(both.map(async (url) => (await ask(url, good ?? {})).text()));
    expect(bodies[0]).toBe(bodies[1]);
    const expired = await REQUESTS['an expired token']?.(issuer);
    const answers = await Promise.all(both.map((url) => ask(url, expired ?? {})));
    for (const [part, shown] of tableIn(text, 'an expired token'))
      for (const [index, answer] of answers.entries()) {
        const actual = part === 'body' ? await answer.clone().text() : headerOf(answer, part);
        const [, code] = /^`(.*)`$/.exec(shown[index] ?? '') ?? [];
        if (code === undefined) expect([part, actual]).toEqual([part, shown[index]]);
        else for (const piece of code.split('…')) expect(actual).toContain(piece);
      }
  }, 60_000);
});

/** Starts both programs of all pages in one process. They trust this issuer. */
async function startAll(trusted: TestIssuer, urls: Map<string, readonly [string, string]>): Promise<void> {
  let service: Service | undefined;
  for (const { page, programs } of pages) {
    const found = [programs.find(isBefore), programs.find((program) => !isBefore(program))];
    const both: string[] = [];
    for (const program of found) {
      if (program === undefined) throw new Error(`expected two programs in ${page}`);
      const name = `${page.replaceAll(/\W/g, '-')}-${program.file.split('.')[0]}-${new URL(trusted.issuer).port}`;
      const file = writeProgram(cache, name, program.language, trusting(trusted, program.code));
      if (service === undefined) {
        service = await startService(file, 0);
        services.push(service);
        both.push(service.url);
      } else both.push(await service.add(file));
    }
    const [before = '', after = ''] = both;
    urls.set(page, [before, after]);
  }
}

/** The program, with another issuer than that of the page. */
function trusting({ issuer: url, options }: TestIssuer, code: string): string {
  return code
    .replaceAll('https://login.example.com', url)
    .replace(
      /^import \{ createIssuer \} from .*$/m,
      `const createIssuer = async () => ({ options: ${JSON.stringify(options)}, mint: async () => '' });`,
    );
}

function isBefore({ file }: Program): boolean {
  return file.startsWith('before.');
}

function ask(url: string, { method = 'GET', headers = {}, query = '' }: Asked): Promise<Response> {
  return fetch(`${url}/friends${query}`, { method, headers });
}

function headerOf(answer: Response, name: string): string {
  return answer.headers.get(name.replaceAll('`', '')) ?? 'none';
}

/** The rows of the table whose first column has this title, by their first cell. */
function tableIn(text: string, title: string): ReadonlyMap<string, readonly string[]> {
  const [, rows = ''] = new RegExp(`^\\| ${title} \\|.*\n\\| --- .*\n((?:\\|.*\n)+)`, 'm').exec(text) ?? [];
  const cells = (row: string) =>
    row
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.trim());
  return new Map(
    rows
      .trimEnd()
      .split('\n')
      .map((row) => cells(row))
      .map(([first = '', ...others]) => [first, others]),
  );
}
