// The output of the demo: its width, its colours, what it says about refusals, and the commands of
// `--serve`, run in a real shell.
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify, stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { commandsFor, settings } from '../src/serve.ts';
import { frameworks } from '../src/service.ts';
import { stories } from '../src/story.ts';
import { headOf, recapOf, rowOf } from '../src/table.ts';

const challenge =
  'Bearer error="insufficient_scope", error_description="The token lacks a scope", scope="friends:read"';
const widest = (lines: readonly string[]) =>
  Math.max(
    ...lines.map((line) =>
      stripVTControlCharacters(line).trim().length === 0 ? 0 : stripVTControlCharacters(line).length,
    ),
  );

it('every row of the demo fits 92 columns', () => {
  const lines = stories.flatMap(({ about, steps }) => [
    ...headOf(about, frameworks).split('\n'),
    ...steps.flatMap((step) => {
      const answers = frameworks.map(() => ({
        status: step.expected,
        code: 'scope_insufficient',
        challenge,
      }));
      return rowOf({ step, answers }, frameworks);
    }),
  ]);
  expect(lines.length).toBeGreaterThan(40);
  expect(widest(lines)).toBeLessThanOrEqual(92);
});

const [step] = stories[0]?.steps.filter(({ expected }) => expected === 403) ?? [];
if (step === undefined) throw new Error('expected a step that is refused');

it('a refusal is shown with its code and its challenge, once if all services agree', () => {
  const answers = frameworks.map(() => ({ status: 403, code: 'scope_insufficient', challenge }));
  const text = rowOf({ step, answers }, frameworks)
    .map(stripVTControlCharacters)
    .join(' ')
    .replace(/ +/g, ' ');
  expect(text).toMatch(
    /^ok a token without the scope 403 403 403 403 403 403 403 GET \/friends: scope_insufficient; Bearer /,
  );
  expect(text.match(/scope_insufficient/g)).toHaveLength(1);
  expect(recapOf([{ step, answers }], frameworks)).toEqual([]);
});

it('the recap names the service, the request, what was expected and what came', () => {
  const good = { status: 403, code: 'scope_insufficient' };
  const answers = [good, { status: 200 }, good, { status: undefined, fault: 'Error: no answer' }];
  const [row = ''] = rowOf({ step, answers }, frameworks);
  expect(stripVTControlCharacters(row)).toMatch(/^NO .* 403 {2,}403 {2,}200 {2,}403 {2,}-$/);
  const recap = recapOf([{ step, answers }], frameworks)
    .map(stripVTControlCharacters)
    .join('')
    .replace(/ +/g, ' ');
  expect(recap).toContain('koa, a token without the scope: GET /friends expected 403, got 200');
  expect(recap).toContain(
    'nestjs, a token without the scope: GET /friends expected 403, got Error: no answer',
  );
});

it('colours are for terminals only', async () => {
  const table = new URL('../src/table.ts', import.meta.url).href;
  const print = `import { headOf } from '${table}'; console.log(headOf('about', ['koa']))`;
  const run = (env: NodeJS.ProcessEnv) =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', print], { env });
  expect((await run({ FORCE_COLOR: '1' })).stdout).toContain('\u001b[');
  expect((await run({})).stdout).not.toContain('\u001b[');
  expect((await run({ NO_COLOR: '1' })).stdout).not.toContain('\u001b[');
});

it('the commands of --serve run in a shell, and name the expected status', async () => {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? '-'}`);
    response.end('body');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const script =
    settings({ alice: 'a.b.c', bob: 'd.e.f' }) + commandsFor({ framework: 'koa', url, friendToken: 'g' });
  const curl = await promisify(execFile)('sh', ['-c', 'command -v curl']).catch(() => undefined);
  if (curl !== undefined) {
    const { stdout } = await promisify(execFile)('sh', ['-c', script]);
    expect(stdout.match(/\nexpected \d+, got 200\n/g)).toHaveLength(7);
    expect(seen).toContain('GET /admin Bearer d.e.f');
    expect(seen).toContain('POST /messages Bearer a.b.c');
  }
  server.close();
  expect(script.match(/a\.b\.c/g)).toHaveLength(1);
  expect(script.match(/curl /g)).toHaveLength(script.match(/expected \d+, got/g)?.length ?? 0);
});
