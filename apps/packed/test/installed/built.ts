// The sample applications of a project as plain JavaScript, for tools that take no TypeScript.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { run } from './run.ts';

/** The sample applications with a server. */
export const FRAMEWORKS = ['express', 'koa', 'fastify', 'nestjs'] as const;
export type Framework = (typeof FRAMEWORKS)[number];

/**
 * Compiles the sample applications into a folder of a project. @returns the folder
 * @throws Error with the output of the compiler
 */
export async function built(
  project: 'today' | 'commonjs',
  format: 'commonjs' | 'esnext',
  name: string,
): Promise<string> {
  const folder = join(inject('folder'), project, name);
  mkdirSync(folder, { recursive: true });
  const compilerOptions = {
    ...{ module: format, moduleResolution: 'bundler', target: 'es2022', lib: ['es2022'], types: ['node'] },
    ...{ strict: true, skipLibCheck: true, experimentalDecorators: true, emitDecoratorMetadata: true },
    ...{ esModuleInterop: true, outDir: '.', rootDir: '../applications' },
  };
  const config = { compilerOptions, files: FRAMEWORKS.map((app) => `../applications/${app}.ts`) };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ type: format === 'commonjs' ? 'commonjs' : 'module' }),
  );
  const compiler = join(inject('folder'), 'today/node_modules/typescript-7/bin/tsc');
  const { output } = await run(process.execPath, [compiler, '-p', folder], folder);
  if (!existsSync(join(folder, 'nestjs.js')))
    throw new Error(`the applications were not compiled:\n${output}`);
  return folder;
}
