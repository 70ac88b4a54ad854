// A user's project: it installs by name from the registry, and runs the quick start of the README.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startQuickStart } from '@latchkey/test-kit/quick-start';
import { requestsIn, sendRequests } from '@latchkey/test-kit/requests';
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

/** Runs the first program of the README, and sends its requests. */
async function quickStart(folder: string, readme: string): Promise<void> {
  const write = (code: string) => {
    const file = join(folder, 'server.mjs');
    writeFileSync(file, code);
    return file;
  };
  const started = await startQuickStart(import.meta.url, readme, write, folder, []);
  try {
    const { expected, got } = await sendRequests(requestsIn(readme), started);
    if (expected.length === 0 || expected.join() !== got.join())
      throw new Error(`expected the answers ${expected.join(', ')}, got ${got.join(', ')}`);
  } finally {
    started.stop();
  }
}
