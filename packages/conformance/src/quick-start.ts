// Runs the quick start of a package's README as it stands there, but for its last line, which listens.
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/**
 * Takes the first JavaScript of the README of the package that a test belongs to, lets it listen on a free port and asks it once with
 * and once without need of a token.
 * @param test the test's `import.meta.url`, in the package's `test` folder
 * @param listen the line of the README that listens, and the same for a free port, as an expression that gives the URL
 * @param stop the line that stops it
 * @param guarded a path that needs a token
 * @returns status and challenge of `/health` and of that path
 */
export async function runQuickStart(
  test: string,
  listen: { readonly line: string; readonly url: string; readonly stop: string },
  guarded = '/friends',
): Promise<string> {
  const readme = readFileSync(new URL('../README.md', test), 'utf8');
  const code = /```js\n([\s\S]*?)```/.exec(readme)?.[1];
  if (code?.includes(listen.line) !== true)
    throw new Error(`the README has no quick start with ${listen.line}`);
  const ask = `
const url = ${listen.url};
const answers = await Promise.all(['/health', '${guarded}'].map((path) => fetch(url + path)));
console.log(answers.map(({ status, headers }) => status + ' ' + headers.get('www-authenticate')).join(', '));
${listen.stop}`;
  // In the package, so that its imports resolve.
  const file = fileURLToPath(new URL('./.quick-start.mjs', test));
  writeFileSync(file, code.replace(listen.line, ask));
  try {
    const run = await promisify(execFile)(process.execPath, ['--conditions=source', file], {
      env: { ...process.env, NODE_ENV: 'test' },
    });
    return run.stdout.trim();
  } finally {
    rmSync(file, { force: true });
  }
}
