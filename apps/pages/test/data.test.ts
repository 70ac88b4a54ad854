// What is not a program: descriptors load, other YAML and JSON parse, shell commands have the
// syntax of a shell, and what they install and run by npm exists. packages/cli parses the commands
// of latchkey.
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDescriptor } from '@latchkey/core';
import { createAuthority } from '@latchkey/test-kit/certificate';
import { afterAll, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { type Block, fileOf } from './blocks.ts';
import { allBlocks, PAGES, ROOT } from './pages.ts';

const CHECKED = ['js', 'mjs', 'ts', 'json', 'yaml', 'sh'];
/** By language and page, the blocks that nothing checks, each with the reason. */
const NOT_CHECKED: Readonly<Record<string, string>> = {
  'http docs/dpop.md': 'an answer of a service, which the conformance cases have',
  'java docs/migrate/akka.md': 'a program that is replaced, of another language',
  'text packages/redis/README.md': 'a line of the ACL of Redis, which the tests of the package send',
};
/** Shells other than `sh`. */
const OTHER_SHELLS = ['source <(latchkey completion bash)'];
/** What users install of others, and no package here does. */
const INSTALLED = ['@azure/identity'];

/** Where the files of a pod are, of which a service reads the certificate when it starts. */
const POD = '/var/run/secrets/kubernetes.io/serviceaccount';

const folder = mkdtempSync(join(tmpdir(), 'latchkey-pages-'));
writeFileSync(join(folder, 'ca.crt'), createAuthority('cluster').cert);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('every block has a language that is checked, or is listed here', () => {
  const others = PAGES.flatMap(({ path, blocks }) =>
    blocks
      .filter(
        (block, index) => !CHECKED.includes(block.language) && !isPrinted(block, blocks.slice(0, index)),
      )
      .map(({ language }) => `${language} ${path}`),
  );
  expect([...new Set(others)].toSorted()).toEqual(Object.keys(NOT_CHECKED).toSorted());
});

/** Text after a program or a command is what that prints: another test runs both. */
function isPrinted({ language }: Block, before: readonly Block[]): boolean {
  const prints = (block: Block) =>
    fileOf(block) !== undefined || (block.language === 'sh' && block.code.includes('latchkey '));
  return language === 'text' && before.some(prints);
}

type Mapping = { readonly [name: string]: unknown };

it('all descriptors load, and parts of them in the descriptor before', () => {
  const schema = JSON.parse(readFileSync(join(ROOT, 'packages/core/descriptor.schema.json'), 'utf8'));
  const options = Object.keys(schema.$defs.jwt.properties);
  const faults: string[] = [];
  let count = 0;
  for (const { path, blocks } of PAGES) {
    let whole: { readonly service: { readonly jwt: Mapping } } | undefined;
    // A file with another name than service.yaml is read by a command, which another test runs.
    const own = blocks.filter(({ title }) => title === '' || title === 'service.yaml');
    for (const { language, code, line } of own.filter(({ language }) => /^(?:yaml|json)$/.test(language)))
      try {
        const read: unknown = language === 'json' ? linesOf(code) : parse(code);
        if (!isMapping(read)) continue;
        const isOption = (name: string) => options.includes(name);
        const names = Object.keys(read);
        // In YAML one known option is enough, so that a wrong one next to it is found. JSON may be
        // the claims of a token, and some have the name of an option.
        const isPart = language === 'yaml' ? names.some(isOption) : names.every(isOption);
        if (isMapping(read.service)) whole = read as unknown as typeof whole;
        else if (!isPart || whole === undefined) continue;
        load(isPart ? stringify({ service: { jwt: { ...whole?.service.jwt, ...read } } }) : code);
        count += 1;
      } catch (error) {
        faults.push(`${path}:${line}: ${error}`);
      }
  }
  expect(faults).toEqual([]);
  expect(count).toBeGreaterThan(30);
});

/** The value of JSON, or those of its lines. */
function linesOf(code: string): unknown {
  try {
    return JSON.parse(code);
  } catch (error) {
    const lines = code.trimEnd().split('\n');
    if (lines.length === 1 || !lines.every((line) => line.startsWith('{'))) throw error;
    return lines.map((line) => JSON.parse(line) as unknown);
  }
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function load(text: string): void {
  for (const [, name = ''] of text.matchAll(/\$\{(\w+)\}/g)) vi.stubEnv(name, 'x'.repeat(64));
  const file = join(folder, 'service.yaml');
  writeFileSync(file, text.replaceAll(POD, folder));
  try {
    loadDescriptor(file);
  } finally {
    vi.unstubAllEnvs();
  }
}

it('all shell commands have the syntax of a shell', () => {
  const blocks = allBlocks('sh').filter(({ code }) => !OTHER_SHELLS.some((known) => code.includes(known)));
  // A function of each block, so that one shell reads all of them.
  const script = blocks.map(({ at, code }, index) => `block${index}() { # ${at}\n${code}\n:; }\n`).join('');
  const { status, stderr } = spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' });
  const [, line = '1'] = /(\d+):/.exec(stderr) ?? [];
  const near = script
    .split('\n')
    .slice(0, Number(line))
    .findLast((each) => /^block\d+\(\)/.test(each));
  expect([status, stderr && `${stderr}, after ${near}`]).toEqual([0, '']);
});

it('what is installed and run by npm exists', () => {
  const manifests = globSync(['package.json', '{packages,apps}/*/package.json'], { cwd: ROOT }).map((file) =>
    JSON.parse(readFileSync(join(ROOT, file), 'utf8')),
  );
  const known = new Set([
    ...INSTALLED,
    ...manifests.flatMap(({ name, dependencies, devDependencies, peerDependencies }) => [
      name,
      ...Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies }),
    ]),
  ]);
  const scripts = Object.keys(manifests[0].scripts);
  const unknown = allBlocks('sh').flatMap(({ at, code }) => {
    const text = code.replaceAll('\\\n', ' ');
    const installed = [...text.matchAll(/\bnpm (?:install|i) ([^\n|&;#]*)/g)]
      .flatMap(([, words = '']) => words.trim().split(/\s+/))
      .filter((word) => !word.startsWith('-'))
      .map((word) => word.replace(/(?<=.)@[^/]*$/, ''));
    const run = [...text.matchAll(/\bnpx pnpm@\d+ ([a-z][\w:]*)/g)].map(([, script = '']) => script);
    return [
      ...installed.filter((name) => !known.has(name)),
      ...run.filter((script) => script !== 'install' && !scripts.includes(script)),
    ].map((name) => `${at}: ${name}`);
  });
  expect(unknown).toEqual([]);
});
