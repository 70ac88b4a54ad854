// Packs all published packages into a folder.
import { join } from 'node:path';
import { published } from './published.ts';
import { runs } from './run.ts';

/** Packs them. @returns the tarball of each package, as a range of npm */
export async function pack(folder: string): Promise<Readonly<Record<string, string>>> {
  const tarballs: Record<string, string> = {};
  await inTurns(published, async ({ folder: path, manifest, tarball }) => {
    await runs('pnpm', ['pack', '--out', join(folder, tarball)], path);
    tarballs[manifest.name] = `file:${join(folder, tarball)}`;
  });
  return tarballs;
}

/** Does the work on two items at a time. */
async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const next = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  };
  await Promise.all([next(), next()]);
}
