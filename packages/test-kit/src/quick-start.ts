// Runs the programs of a package's README unchanged, except for the port or the line that listens.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

/**
 * `line` is the line of the README that listens. `url` is an expression that listens on a free port
 * and gives the URL. `stop` is the code that stops the server.
 */
export interface ListenLine {
  readonly line: string;
  readonly url: string;
  readonly stop: string;
}

/** A program that runs, and the tokens that it has printed, by name. There are at least two. */
export interface QuickStart {
  readonly url: string;
  readonly tokens: ReadonlyMap<string, string>;
  stop(): void;
}

/**
 * Runs the first program of a README on a free port, until it has printed its tokens.
 * @param test the test's `import.meta.url`, in the package's `test` folder
 * @param write writes the code where its imports resolve, and returns the file to run
 * @param cwd the working directory of the program
 * @param options options of Node. Default: packages of this repository are run from their sources
 */
export async function startQuickStart(
  test: string,
  text: string = readmeOf(test),
  write = (code: string) => writeNextTo(test, code),
  cwd = process.cwd(),
  options: readonly string[] = ['--conditions=source'],
): Promise<QuickStart> {
  const port = await freePort();
  const code = codeIn(text, '[jt]s');
  const count = Math.max(2, code.match(/\bexport [A-Z]+=/g)?.length ?? 0);
  const file = write(code.replaceAll('3000', String(port)));
  const child = spawn(process.execPath, [...options, '--disable-warning=ExperimentalWarning', file], {
    cwd,
    env: { ...process.env, NODE_ENV: 'test' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = () => {
    child.kill();
    rmSync(file, { force: true });
  };
  try {
    return { url: `http://127.0.0.1:${port}`, tokens: await printedTokens(child, count), stop };
  } catch (error) {
    stop();
    throw error;
  }
}

/** The file is in the package, so that its imports resolve. */
function writeNextTo(test: string, code: string): string {
  const file = fileURLToPath(new URL('./.quick-start.mjs', test));
  writeFileSync(file, code);
  return file;
}

/** The tokens in lines such as `export ALICE=…`, by name. */
async function printedTokens(
  { stdout, stderr }: ChildProcess,
  count: number,
): Promise<ReadonlyMap<string, string>> {
  if (stdout === null || stderr === null) throw new Error('expected a process with output');
  const tokens = new Map<string, string>();
  let complaints = '';
  stderr.on('data', (chunk) => {
    complaints += String(chunk);
  });
  for await (const line of createInterface({ input: stdout })) {
    const [, name, token] = /^export (\w+)=(\S+)$/.exec(line) ?? [];
    if (name !== undefined && token !== undefined) tokens.set(name, token);
    if (tokens.size === count) return tokens;
  }
  throw new Error(`the program ended: ${complaints}`);
}

const DESCRIPTOR_PAGE = new URL('../../../docs/guides/descriptor.md', import.meta.url);

/**
 * Runs the program of the test's package in docs/guides/descriptor.md, next to the `service.yaml`
 * of that page.
 * @returns status and challenge of `/health` and of `/admin`
 */
export async function runDescriptorExample(test: string, listen: ListenLine): Promise<string> {
  const page = readFileSync(DESCRIPTOR_PAGE, 'utf8');
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-readme-'));
  try {
    writeFileSync(join(directory, 'service.yaml'), descriptorExample());
    return await runProgram(test, programOf(test, page), listen, ['/health', '/admin'], directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The descriptor of docs/guides/descriptor.md. */
export function descriptorExample(): string {
  return codeIn(readFileSync(DESCRIPTOR_PAGE, 'utf8'), 'yaml');
}

/** The first program in a text that imports the package of a test. */
export function programOf(test: string, text: string): string {
  const [, name = ''] = /\/packages\/([\w-]+)\/test\//.exec(test) ?? [];
  const programs = [...text.matchAll(/```[jt]s\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  const found = programs.find((code) => code.includes(`from '@latchkey/${name}'`));
  if (found === undefined) throw new Error(`expected a program that imports @latchkey/${name}`);
  return found;
}

async function runProgram(
  test: string,
  code: string,
  listen: ListenLine,
  paths: readonly string[],
  directory = process.cwd(),
): Promise<string> {
  if (!code.includes(listen.line)) throw new Error(`expected a program with ${listen.line}`);
  const ask = `
const url = ${listen.url};
const answers = await Promise.all(${JSON.stringify(paths)}.map((path) => fetch(url + path)));
console.log(answers.map(({ status, headers }) => status + ' ' + headers.get('www-authenticate')).join(', '));
${listen.stop}`;
  const file = writeNextTo(test, code.replace(listen.line, ask));
  try {
    const run = await promisify(execFile)(process.execPath, ['--conditions=source', file], {
      cwd: directory,
      env: { ...process.env, NODE_ENV: 'test' },
    });
    return run.stdout.trim();
  } finally {
    rmSync(file, { force: true });
  }
}

function readmeOf(test: string): string {
  return readFileSync(new URL('../README.md', test), 'utf8');
}

function codeIn(text: string, language: 'js' | '[jt]s' | 'yaml'): string {
  const [, code] = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text) ?? [];
  if (code === undefined) throw new Error(`expected a code block of ${language} in the README`);
  return code;
}

/**
 * Runs the first `js` block of a README that contains `mark`. Its imports stay imports, except
 * those of names in `given`, which also has the names that it uses and does not declare.
 * @param test the test's `import.meta.url`, in the package's `test` folder
 * @param readme relative to the test
 */
export async function runBlock(
  test: string,
  mark: string,
  given: object,
  readme = '../README.md',
): Promise<void> {
  const text = readFileSync(new URL(readme, test), 'utf8');
  const blocks = [...text.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  const block = blocks.find((code) => code.includes(mark));
  if (block === undefined) throw new Error(`expected a code block with ${mark} in the README`);
  const lines = block.split('\n');
  const isImport = (line: string) => line.startsWith('import ');
  const isGiven = (line: string) =>
    Object.keys(given).some((name) => new RegExp(`\\b${name}\\b`).test(line.split(' from ')[0] ?? ''));
  const code = [
    ...lines.filter((line) => isImport(line) && !isGiven(line)),
    `export const run = async ({ ${Object.keys(given).join(', ')} }) => {`,
    ...lines.filter((line) => !isImport(line)),
    '};',
  ];
  // Modules are cached by name, and tests of a package run at the same time.
  const file = fileURLToPath(new URL(`./.quick-start.${randomUUID()}.mjs`, test));
  writeFileSync(file, code.join('\n'));
  try {
    await createRequire(test)(file).run(given);
  } finally {
    rmSync(file, { force: true });
  }
}
