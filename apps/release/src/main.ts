// `pnpm release:rehearse`: releases a copy of the last commit to a registry on loopback, and uses
// it as a user does: 0.1.0, then 0.2.0, then back. `--serve` stops after the first version, and
// keeps the registry open until Ctrl+C, so that you can install by name.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRegistry } from './registry.ts';
import { copyRepository } from './repository.ts';
import { createProject } from './user.ts';

const folder = mkdtempSync(join(tmpdir(), 'latchkey-rehearsal-'));
const started = performance.now();
const say = (text: string) =>
  console.log(`\n== ${text} (${Math.round((performance.now() - started) / 1000)} s)`);

try {
  const registry = await startRegistry(join(folder, 'registry'));
  try {
    const repository = await copyRepository(join(folder, 'repository'), registry.npmrc);
    say('the first version');
    const first = await repository.release();
    if (process.argv.includes('--serve')) {
      console.log(`\n${first} of all packages is at ${registry.url}`);
      console.log('In an empty folder, write this to .npmrc, and then run npm install @latchkey/express:\n');
      console.log(`registry=${registry.url}\n\nCtrl+C ends the registry, and removes it.`);
      await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
    } else {
      const project = createProject(join(folder, 'project'), registry.npmrc);
      await project.install(first);
      say('an update');
      await repository.change();
      const second = await repository.release();
      await project.install(second);
      await project.install(first);
      say(`released ${first} and ${second}; the quick start runs on both, and again on the first`);
    }
  } finally {
    await registry.close();
  }
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
