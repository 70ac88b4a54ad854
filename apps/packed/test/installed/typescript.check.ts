// The types, in the compilers and the module settings that users have. The sample applications are
// compiled as they are; where the format of a module depends on the name of its file, once as an ES
// module and once as CommonJS.
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { run } from './run.ts';

type Options = Readonly<Record<string, unknown>>;

const VERSIONS = ['5.5', '5.9', '6', '7'] as const;

const COMMON: Options = {
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  noEmit: true,
  target: 'es2022',
  lib: ['es2022'],
  types: ['node'],
  esModuleInterop: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
};

/** The kinds of modules, with the files that are compiled. */
const MODULES = [
  { module: 'commonjs', files: ['ts'] },
  { module: 'node16', files: ['mts', 'cts'] },
  { module: 'nodenext', files: ['mts', 'cts'] },
  { module: 'esnext', moduleResolution: 'bundler', files: ['ts'] },
] as const;

/** How `commonjs` finds packages. TypeScript 7 has no node10 any more, and 6 warns of it. */
function commonJsOf(version: (typeof VERSIONS)[number]): Options {
  if (version === '7') return { moduleResolution: 'bundler' };
  return version === '6'
    ? { moduleResolution: 'node10', ignoreDeprecations: '6.0' }
    : { moduleResolution: 'node10' };
}

/** An error in our files, or in an interface of a framework that our `augment` extends twice. */
const OURS = /node_modules\/@latchkey\/|error TS(2320|2717)/;

/** Compiles the sample applications. @returns the errors that are not of other packages */
async function errorsOf(
  project: string,
  version: (typeof VERSIONS)[number],
  { files, ...options }: Options & { readonly files: readonly string[] },
): Promise<readonly string[]> {
  const folder = join(project, `types-${version}-${String(options.module)}-${files.join('-')}`);
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(join(project, 'applications')).flatMap((name) =>
    files.map((extension) => [name, name.replace(/ts$/, extension)] as const),
  );
  for (const [name, file] of names) copyFileSync(join(project, 'applications', name), join(folder, file));
  const compilerOptions = {
    ...COMMON,
    ...(options.module === 'commonjs' ? commonJsOf(version) : {}),
    ...options,
  };
  const config = { compilerOptions, files: names.map(([, file]) => file) };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const compiler = join(inject('folder'), `today/node_modules/typescript-${version}/bin/tsc`);
  const { code, output } = await run(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], folder);
  const lines = output.split('\n').filter((line) => /error TS\d+/.test(line));
  if (code !== 0 && lines.length === 0) return [output];
  return lines.filter((line) => !line.includes('node_modules/') || OURS.test(line));
}

describe.each(VERSIONS)('TypeScript %s', (version) => {
  const folder = inject('folder');

  it.each(MODULES)('compiles for $module', async (options) => {
    expect(await errorsOf(join(folder, 'commonjs'), version, options)).toEqual([]);
  });

  it('compiles for nodenext with the newest frameworks', async () => {
    const options = { module: 'nodenext', files: ['mts'] };
    expect(await errorsOf(join(folder, 'today'), version, options)).toEqual([]);
  });
});
