// The published packages of this repository, from their manifests.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Exports = Readonly<Record<string, string | Readonly<Record<string, unknown>>>>;

/** The part of a package.json that is checked. */
export interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports: Exports;
  readonly publishConfig?: { readonly exports: Exports };
  readonly engines: { readonly node: string };
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, object>>;
}

export interface PublishedPackage {
  readonly folder: string;
  readonly manifest: Manifest;
  /** The name of its tarball: `latchkey-core.tgz`. */
  readonly tarball: string;
}

export const ROOT: string = fileURLToPath(new URL('../../../..', import.meta.url));

export const published: readonly PublishedPackage[] = readdirSync(join(ROOT, 'packages'))
  .map((name) => join(ROOT, 'packages', name))
  .map((folder) => ({
    folder,
    manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest,
  }))
  .filter(({ manifest }) => manifest.private !== true)
  .map((one) => ({ ...one, tarball: `${one.manifest.name.replace('@', '').replace('/', '-')}.tgz` }));

/** True if Jest and `module: commonjs` get CommonJS. */
export function hasCommonJs({ exports }: Manifest): boolean {
  const main = exports['.'];
  return typeof main === 'object' && 'require' in main;
}

/** The entry points with code: `@latchkey/core`, `@latchkey/core/signing`; not those of types. */
export const modules: readonly string[] = published.flatMap(({ manifest: { name, exports } }) =>
  Object.keys(exports)
    .filter((path) => !path.endsWith('.json') && path !== './augment')
    .map((path) => name + path.slice(1)),
);
