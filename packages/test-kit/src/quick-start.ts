// Runs the programs of a package's README unchanged, except for the line that listens.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/**
 * `line` is the line of the README that listens. `url` is an expression that listens on a free port
 * and gives the URL. `stop` is the code that stops the server.
 */
export interface ListenLine {
  readonly line: string;
  readonly url: string;
  readonly stop: string;
}

/**
 * Runs the first JavaScript of the README of the test's package on a free port, and requests one
 * path that needs no token and one that needs a token.
 * @param test the test's `import.meta.url`, in the package's `test` folder
 * @param guarded a path that needs a token
 * @returns status and challenge of `/health` and of the guarded path
 */
export function runQuickStart(test: string, listen: ListenLine, guarded = '/friends'): Promise<string> {
  return runProgram(test, codeIn(readmeOf(test), 'js'), listen, ['/health', guarded]);
}

/**
 * Runs the program of the section `## Options in a file`, next to the `service.yaml` of that
 * section.
 * @returns status and challenge of `/health` and of `/admin`
 */
export async function runDescriptorExample(test: string, listen: ListenLine): Promise<string> {
  const section = descriptorSection(test);
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-readme-'));
  try {
    writeFileSync(join(directory, 'service.yaml'), codeIn(section, 'yaml'));
    return await runProgram(test, codeIn(section, 'js'), listen, ['/health', '/admin'], directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The descriptor that a README shows under `## Options in a file`. */
export function descriptorExample(test: string): string {
  return codeIn(descriptorSection(test), 'yaml');
}

async function runProgram(
  test: string,
  code: string,
  listen: ListenLine,
  paths: readonly string[],
  directory = process.cwd(),
): Promise<string> {
  if (!code.includes(listen.line)) throw new Error(`expected a program with ${listen.line} in the README`);
  const ask = `
const url = ${listen.url};
const answers = await Promise.all(${JSON.stringify(paths)}.map((path) => fetch(url + path)));
console.log(answers.map(({ status, headers }) => status + ' ' + headers.get('www-authenticate')).join(', '));
${listen.stop}`;
  // The file is in the package, so that its imports resolve.
  const file = fileURLToPath(new URL('./.quick-start.mjs', test));
  writeFileSync(file, code.replace(listen.line, ask));
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

function descriptorSection(test: string): string {
  const section = readmeOf(test)
    .split(/^## /m)
    .find((each) => each.startsWith('Options in a file\n'));
  if (section === undefined) throw new Error('expected a section "Options in a file" in the README');
  return section;
}

function codeIn(text: string, language: 'js' | 'yaml'): string {
  const [, code] = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text) ?? [];
  if (code === undefined) throw new Error(`expected a code block of ${language} in the README`);
  return code;
}
