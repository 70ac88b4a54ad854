// Packs the ES modules of a built package into a few files. Node finds, reads and links each module
// by itself, so an import of 200 modules takes more than twice as long as one of ten files.
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { rolldown } from 'rolldown';

/**
 * Modules that stay files of their own. `require-…` run for their effect, in a certain order with
 * the library that yaml.js imports, so package.json lists them in `sideEffects`.
 */
const KEPT = /(?:^|\/)(?:require-[^/]*|descriptor\/yaml|values\/(?:builtin|version))\.js$/;

/** Packs the modules that `exports` of package.json leads to, and removes all others. */
export async function packModules(folder: string): Promise<void> {
  const { exports, dependencies = {} } = JSON.parse(readFileSync('package.json', 'utf8'));
  const entries = Object.values<string | { readonly import: { readonly default: string } }>(exports)
    .flatMap((entry) => (typeof entry === 'string' ? [] : [entry.import.default]))
    .map((file) => [file.replace(/^\.\/dist\/|\.js$/g, ''), file] as const);
  const libraries = Object.keys(dependencies);
  const bundle = await rolldown({
    input: Object.fromEntries(entries),
    platform: 'node',
    external: (id, importer) =>
      libraries.includes(id) || (importer !== undefined && KEPT.test(resolve(dirname(importer), id))),
  });
  const modules = globSync('**/*.js', { cwd: folder, exclude: ['cjs/**'] });
  const { output } = await bundle.generate({ format: 'esm', chunkFileNames: 'packed/[name].js' });
  await bundle.close();
  for (const file of modules) if (!KEPT.test(file)) rmSync(join(folder, file));
  for (const file of output) {
    if (file.type === 'asset') throw new Error(`expected only modules, got ${file.fileName}`);
    mkdirSync(dirname(join(folder, file.fileName)), { recursive: true });
    writeFileSync(join(folder, file.fileName), file.code);
  }
}
