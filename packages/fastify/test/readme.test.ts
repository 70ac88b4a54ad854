// The README's quick start, as it stands there but for its port.
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';

const root = new URL('..', import.meta.url);
// In the package, so that its imports resolve.
const file = fileURLToPath(new URL('test/.quick-start.mjs', root));

afterEach(() => rmSync(file, { force: true }));

it('AK-41: the quick start works', async () => {
  const readme = readFileSync(new URL('README.md', root), 'utf8');
  const code = /```js\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const listen = 'await app.listen({ port: 3000 });';
  expect(code).toContain(listen);
  const ask = `
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const health = await fetch(url + '/health');
    const admin = await fetch(url + '/admin');
    console.log(health.status, admin.status, admin.headers.get('www-authenticate'));
    await app.close();
  `;
  writeFileSync(file, code.replace(listen, ask));
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=source',
    '--disable-warning=ExperimentalWarning',
    file,
  ]);
  expect(stdout.trim()).toBe('200 401 Bearer');
});
