// The quick start of the README, run as it stands there but for its port.
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';

const file = fileURLToPath(new URL('./readme-quick-start.mjs', import.meta.url));
const listen = `const server = app.listen(0, '127.0.0.1', async () => {
  const url = 'http://127.0.0.1:' + server.address().port;
  const answers = await Promise.all(['/health', '/friends'].map((path) => fetch(url + path)));
  console.log(answers.map(({ status, headers }) => status + ' ' + headers.get('www-authenticate')).join(', '));
  server.close();
});`;

afterAll(() => rmSync(file, { force: true }));

it('the quick start of the README works when pasted', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const code = /```js\n([\s\S]*?)```/.exec(readme)?.[1];
  expect(code).toContain('app.listen(3000);');
  writeFileSync(file, code?.replace('app.listen(3000);', listen) ?? '');
  const run = await promisify(execFile)(process.execPath, ['--conditions=source', file], {
    env: { ...process.env, NODE_ENV: 'test' },
  });
  expect(run.stdout).toBe('200 null, 401 Bearer\n');
  expect(run.stderr).toBe('');
});
