// docs/runtimes.md shows the table that network.test.ts holds, and a command that works.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { networkTable } from '../src/page.ts';
import { RUNTIMES } from '../src/runtimes.ts';

const page = readFileSync(fileURLToPath(new URL('../../../docs/runtimes.md', import.meta.url)), 'utf8');
const deno = RUNTIMES.find(({ name }) => name === 'Deno')?.program;

it('docs/runtimes.md has the table of connections', () => {
  expect(page).toContain(`\n${networkTable()}\n`);
});

it.skipIf(deno === undefined)('on Deno, the permissions of the page are enough', async () => {
  const [, flags = ''] = /^deno run (--.+) main\.js$/m.exec(page) ?? [];
  expect(flags).toContain('--allow-net');
  const program = fileURLToPath(new URL('../src/probe-process.ts', import.meta.url));
  const args = ['run', '--no-prompt', ...flags.split(' '), '--conditions=source', program];
  const running = promisify(execFile)(deno ?? '', args);
  running.child.stdin?.end(
    `${JSON.stringify({
      use: 'authenticator',
      options: {
        keySets: [{ issuer: 'https://a.example', jwksUrl: 'https://a.example/keys' }],
        audience: 'a',
      },
      token: 'a.b.c',
    })}\n`,
  );
  expect(JSON.parse((await running).stdout)).toMatchObject({ is: 'fails', text: 'token_malformed' });
});
