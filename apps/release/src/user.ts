// A user's project: it installs by name from the registry, and runs the quick start of the README.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run.ts';

export interface Project {
  /** Installs a version and runs the quick start. @throws if an answer is not the README's */
  readonly install: (version: string) => Promise<void>;
}

export function createProject(folder: string, npmrc: string): Project {
  mkdirSync(folder);
  writeFileSync(join(folder, '.npmrc'), npmrc);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  return {
    async install(version) {
      const names = ['express', 'testing'].map((name) => `@latchkey/${name}@${version}`);
      await run('npm', ['install', '--no-audit', '--no-fund', 'express', ...names], folder);
      for (const name of ['express', 'testing', 'core']) {
        const installed = join(folder, 'node_modules/@latchkey', name);
        const text = readFileSync(join(installed, 'package.json'), 'utf8');
        const { version: got } = JSON.parse(text) as { readonly version: string };
        if (got !== version) throw new Error(`expected @latchkey/${name}@${version}, got ${got}`);
      }
      const readme = readFileSync(join(folder, 'node_modules/@latchkey/express/README.md'), 'utf8');
      await quickStart(folder, readme);
      console.log(`${version}: installed by name; the quick start answers 401, 403 and 200`);
    },
  };
}

/** Runs the first program of the README, on a free port. */
async function quickStart(folder: string, readme: string): Promise<void> {
  const [, program] = /```js\n([\s\S]*?)```/.exec(readme) ?? [];
  if (program?.includes('app.listen(3000);') !== true)
    throw new Error('expected a first program with app.listen(3000) in the README of @latchkey/express');
  const onFreePort = 'const server = app.listen(0, () => console.log(`PORT=${server.address().port}\\n`));';
  writeFileSync(join(folder, 'server.mjs'), program.replace('app.listen(3000);', onFreePort));
  const child = spawn(process.execPath, ['server.mjs'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  try {
    let output = '';
    const printed = (name: string) => new RegExp(`\\b${name}=(\\S+)\\n`).exec(output)?.[1];
    for await (const chunk of child.stdout) {
      output += chunk;
      if (['PORT', 'ALICE', 'BOB'].every((name) => printed(name) !== undefined)) break;
    }
    const status = async (token?: string) => {
      const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
      return (await fetch(`http://127.0.0.1:${printed('PORT')}/friends`, { headers })).status;
    };
    const got = [await status(), await status(printed('BOB')), await status(printed('ALICE'))].join(', ');
    if (got !== '401, 403, 200') throw new Error(`expected the answers 401, 403 and 200, got ${got}`);
  } finally {
    child.kill('SIGKILL');
    await closed;
  }
}
