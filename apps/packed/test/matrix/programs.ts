// The program of a README, as it is but for its port, in each way to run it. The commands of the
// README ask it.
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CURL, STATUS_ONLY } from '@latchkey/test-kit/requests';
import { modules } from '../installed/published.ts';
import { runs } from '../installed/run.ts';
import type { Cell } from './cells.ts';
import type { Ranges, Subject } from './subjects.ts';

/** A function that loads the program, and throws unless it does what the README says. */
const CHECK = ({ kind, program, commands }: Subject, port: number) => {
  const printed = [...program.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
  const script = `${STATUS_ONLY}\n${commands.replaceAll('3000', String(port))}`;
  const statuses = [...commands.matchAll(/# (\d{3})$/gm)].map(([, status]) => status);
  const tokens = [...program.matchAll(/console\.log\(`export (\w+)=/g)].map(([, name]) => name);
  // A server may tell where it listens.
  const wanted = kind === 'server' ? /^export / : /^/;
  return `
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
exports.check = async (load) => {
  const lines = [];
  const { log } = console;
  const allPrinted = new Promise((resolve) => {
    console.log = (line) => ${wanted}.test(line) && lines.push(line) === ${tokens.length} && resolve();
  });
  await load();
  ${
    kind === 'program'
      ? `console.log = log;
  expect(lines, ${JSON.stringify(printed)});`
      : `await allPrinted;
  console.log = log;
  const tokens = Object.fromEntries(lines.map((line) => /^export (\\w+)=(\\S+)$/.exec(line).slice(1)));
  const env = { ...process.env, ...tokens, NODE: process.execPath, CURL: ${JSON.stringify(CURL)}, NODE_OPTIONS: '' };
  const { stdout } = await promisify(execFile)('sh', ['-euc', ${JSON.stringify(script)}], { env });
  expect(stdout.trim().split('\\n'), ${JSON.stringify(statuses)});`
  }
};
function expect(got, expected) {
  if (got.join() !== expected.join()) throw new Error('expected ' + expected.join() + ', got ' + got.join());
}
`;
};

/** Writes the files of a cell. @returns the arguments of Node that run it to its end */
export async function write(
  cell: Pick<Cell, 'subject' | 'way' | 'versions'>,
  project: string,
  tools: string,
  port: number,
): Promise<readonly string[]> {
  const { subject, way, versions } = cell;
  const file = (name: string, text: string) => writeFileSync(join(project, name), text);
  if (subject.kind === 'libraries') return writeLoader(subject, way, project, tools);
  file('check-readme.cjs', CHECK(subject, port));
  const program = subject.program.replaceAll('3000', String(port));
  file('source.mts', program);
  // CommonJS has no await at the top.
  const imports = /^import\s[^;]*;.*$/gm;
  const body = program.replaceAll(imports, '');
  file(
    'source.cts',
    `${[...program.matchAll(imports)].join('\n')}\nexport const done = (async () => {\n${body}\n})();\n`,
  );
  const esbuild = (...args: readonly string[]) =>
    runs(join(tools, 'node_modules/.bin/esbuild'), [...args, ...SETTINGS], project);
  if (way === 'bundle') {
    // Next to the projects, where no node_modules is.
    const bundle = join(dirname(project), 'bundle.cjs');
    const outside = missingPeers(project, versions).map((name) => `--external:${name}`);
    await esbuild('source.cts', '--bundle', '--format=cjs', `--outfile=${bundle}`, ...outside);
  }
  // Jest takes one of both.
  if (!['require', 'bundle'].includes(way))
    await esbuild('source.mts', '--format=esm', '--outfile=server.mjs');
  if (['require', 'jest'].includes(way)) await esbuild('source.cts', '--format=cjs', '--outfile=server.cjs');
  return writeRunner(cell, project, file);
}

const SETTINGS = [
  '--platform=node',
  '--log-level=error',
  '--tsconfig-raw={"compilerOptions":{"experimentalDecorators":true}}',
];

function writeRunner(
  { way, versions }: Pick<Cell, 'way' | 'versions'>,
  project: string,
  file: (name: string, text: string) => void,
): readonly string[] {
  const required = `require('./check-readme.cjs').check(() => require('./server.cjs').done)`;
  const imported = `check(() => import('./server.mjs'))`;
  const importing = `import { check } from './check-readme.cjs';\n`;
  const end = '.then(() => process.exit(), (error) => { console.error(error); process.exit(1); });\n';
  switch (way) {
    case 'import':
      file('run.mjs', `${importing}${imported}${end}`);
      return ['run.mjs'];
    case 'require':
      file('run.cjs', `${required}${end}`);
      return ['run.cjs'];
    case 'bundle':
      file('run.cjs', `${required.replace('./server', '../bundle')}${end}`);
      return ['run.cjs'];
    case 'node:test':
      file(
        'readme.test.mjs',
        `import { it } from 'node:test';\n${importing}it('answers', () => ${imported});\n`,
      );
      return ['--test', '--test-force-exit', 'readme.test.mjs'];
    case 'vitest':
      file(
        'readme.test.mjs',
        `import { it } from 'vitest';\n${importing}it('answers', () => ${imported}, 300_000);\n`,
      );
      return ['node_modules/vitest/vitest.mjs', 'run', 'readme.test.mjs'];
    default: {
      // Jest loads CommonJS, and ES modules only with a flag of Node.
      const isModule = Object.keys(versions).some((name) => hasNoCommonJs(project, name));
      const name = isModule ? 'readme.test.mjs' : 'readme.test.cjs';
      const start = isModule ? importing : '';
      file(name, `${start}test('answers', () => ${isModule ? imported : required}, 300_000);\n`);
      file(
        'jest.config.json',
        JSON.stringify({ testEnvironment: 'node', transform: {}, testMatch: ['**/readme.test.*'] }),
      );
      const jest = ['node_modules/jest/bin/jest.js', '--ci', '--forceExit', '--runTestsByPath', name];
      return isModule ? ['--experimental-vm-modules', ...jest] : jest;
    }
  }
}

interface Installed {
  readonly type?: string;
  readonly exports?: unknown;
  readonly peerDependenciesMeta?: Ranges;
}

function manifestOf(project: string, name: string): Installed {
  return JSON.parse(readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8')) as Installed;
}

/** True if Jest cannot load a package by require(). */
function hasNoCommonJs(project: string, name: string): boolean {
  const { type, exports } = manifestOf(project, name);
  return type === 'module' && !JSON.stringify(exports ?? '').includes('"require"');
}

/** The optional packages that are not installed. A bundler has to leave them out. */
function missingPeers(project: string, versions: Ranges): readonly string[] {
  const optional = Object.keys(versions).flatMap((name) =>
    Object.keys(manifestOf(project, name).peerDependenciesMeta ?? {}),
  );
  return [...new Set(optional)].filter(
    (name) => globSync(`node_modules/${name}/package.json`, { cwd: project }).length === 0,
  );
}

/** Loads each entry point of the libraries, runs their program, or checks their types. */
function writeLoader({ own }: Subject, way: Cell['way'], project: string, tools: string): readonly string[] {
  const names = modules.filter((name) => own.some((one) => name === one || name.startsWith(`${one}/`)));
  const file = (name: string, text: string) => writeFileSync(join(project, name), text);
  const load = (how: string) =>
    `for (const name of ${JSON.stringify(names)}) if (Object.keys(${how}).length === 0) throw new Error(name);\n`;
  if (way === 'require') {
    file('run.cjs', load('require(name)'));
    return ['run.cjs'];
  }
  if (way === 'import') {
    const help = `import { execFileSync } from 'node:child_process';
const help = execFileSync(process.execPath, ['node_modules/@latchkey/cli/bin/latchkey.js', '--help'], { encoding: 'utf8' });
if (!help.includes('Usage: latchkey')) throw new Error(help);\n`;
    file('run.mjs', `${help}${load('await import(name)')}`);
    return ['run.mjs'];
  }
  const imports = names.map((name, index) => `import * as module${index} from '${name}';`);
  const text = [...imports, `export const all = [${names.map((_, index) => `module${index}`)}];`].join('\n');
  for (const extension of ['mts', 'cts']) file(`types.${extension}`, text);
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2023',
    strict: true,
    noEmit: true,
    types: ['node'],
  };
  file('tsconfig.json', JSON.stringify({ compilerOptions, files: ['types.mts', 'types.cts'] }));
  // Faults in the types of other packages are not ours.
  file(
    'types.cjs',
    `const { spawnSync } = require('node:child_process');
const args = [${JSON.stringify(join(tools, 'node_modules/typescript/bin/tsc'))}, '-p', '.', '--pretty', 'false'];
const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
const lines = stdout.split('\\n').filter((line) => line.includes('error TS'));
const ours = lines.filter((line) => !/^(\\.\\.\\/)*node_modules\\/(?!.*@latchkey)/.test(line));
if (ours.length > 0 || (status !== 0 && lines.length === 0)) throw new Error(stdout);\n`,
  );
  return ['types.cjs'];
}
