// The files that a run of mutation testing changes. It reads folders.
import { globSync, statSync } from 'node:fs';
import { relative, resolve } from 'node:path';

const PLACE = /^packages\/core\/src\/[^/]+/;

/** The TypeScript files at these paths, of files and folders. @throws TypeError for other places */
export function filesOf(paths: readonly string[]): readonly string[] {
  return paths.flatMap((path) => {
    const place = relative(process.cwd(), resolve(path));
    if (!PLACE.test(place)) throw new TypeError(`${path}: expected a place in packages/core/src`);
    return statSync(place).isDirectory() ? globSync(`${place}/**/*.ts`).toSorted() : [place];
  });
}

/** The room of a file: the folder in packages/core/src. */
export function roomOf(file: string): string {
  return file.split('/')[3] ?? '';
}
