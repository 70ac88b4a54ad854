// Publishes the built packages by npm, to the registry of the `.npmrc` files: pnpm packs, since it
// writes the manifest as users get it, and npm publishes, since it knows trusted publishing.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './commands.ts';
import type { PublishedPackage } from './packages.ts';

/** Publishes the packages that the registry does not have, dependencies first. */
export function publish(all: readonly PublishedPackage[], tag: string, provenance: boolean): void {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-tarballs-'));
  try {
    // All are packed before the first is published: what cannot be packed publishes nothing.
    const packed = all.map((one) => {
      const tarball = join(folder, `${one.name.replace('@', '').replace('/', '-')}-${one.version}.tgz`);
      execFileSync('pnpm', ['--dir', one.folder, 'pack', '--out', tarball], { stdio: 'pipe' });
      return { ...one, tarball };
    });
    for (const { name, version, tarball } of packed) {
      if (isPublished(name, version)) console.log(`${name}@${version} is published already`);
      else
        run('npm', [
          'publish',
          tarball,
          '--access=public',
          `--tag=${tag}`,
          '--ignore-scripts',
          '--loglevel=error',
          ...(provenance ? ['--provenance'] : []),
        ]);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @throws if the registry does not answer */
function isPublished(name: string, version: string): boolean {
  const { status, stdout, stderr } = spawnSync('npm', ['view', `${name}@${version}`, 'version', '--json'], {
    encoding: 'utf8',
  });
  if (status === 0) return stdout.trim() !== '';
  if (`${stdout}${stderr}`.includes('E404')) return false;
  throw new Error(`expected an answer of the registry for ${name}@${version}, got:\n${stderr}`);
}
