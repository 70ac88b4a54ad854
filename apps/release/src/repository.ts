// A copy of the last commit of this repository, which is released by its own program.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './run.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export interface Repository {
  /** Runs `pnpm release`, and returns the version. */
  readonly release: () => Promise<string>;
  /** Commits a changeset of a new feature. */
  readonly change: () => Promise<void>;
}

export async function copyRepository(folder: string, npmrc: string): Promise<Repository> {
  const commit = async (message: string) => {
    await run('git', ['add', '--all'], folder);
    await run('git', ['commit', '--quiet', '--message', message], folder);
  };
  await run('git', ['clone', '--quiet', ROOT, folder], ROOT);
  await run('git', ['checkout', '--quiet', '-B', 'main'], folder);
  await run('git', ['config', 'user.name', 'Rehearsal'], folder);
  await run('git', ['config', 'user.email', 'rehearsal@localhost'], folder);
  await run('git', ['config', 'commit.gpgSign', 'false'], folder);
  await run('git', ['config', 'tag.gpgSign', 'false'], folder);
  await run('pnpm', ['install', '--frozen-lockfile', '--prefer-offline'], folder);
  appendFileSync(join(folder, '.npmrc'), npmrc);
  await commit('chore: use the registry of the rehearsal');
  return {
    async release() {
      // The checks are those of the commit, and have their own command.
      await run('pnpm', ['run', 'release', '--checked'], folder);
      const manifest = readFileSync(join(folder, 'packages/core/package.json'), 'utf8');
      const { version } = JSON.parse(manifest) as { readonly version: string };
      if ((await run('git', ['tag', '--list', `v${version}`], folder)).trim() === '')
        throw new Error(`expected the tag v${version}`);
      return version;
    },
    async change() {
      const text = "---\n'@latchkey/core': minor\n---\n\nA change of the rehearsal.\n";
      writeFileSync(join(folder, '.changeset/rehearsal.md'), text);
      await commit('feat(core): change something for the rehearsal');
    },
  };
}
