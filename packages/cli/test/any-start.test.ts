// The commands from any start: no file, an empty one, and a descriptor without its options. What
// is there stays, with its comments and its order.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadDescriptor } from '@latchkey/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { createTerminal } from './terminal.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'latchkey-start-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const put = (path: string, text: string) => {
  mkdirSync(dirname(join(cwd, path)), { recursive: true });
  writeFileSync(join(cwd, path), text);
};
const read = (path = 'service.yaml') => readFileSync(join(cwd, path), 'utf8');

async function latchkey(line: string) {
  const { terminal, stdout, stderr } = createTerminal({ cwd, env: {} });
  const code = await run(line.split(' '), terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

const ADD = 'jwks add --jwks-url https://i.example/jwks --issuer https://i.example --skip-validation';
const LIST = `
      - issuer: https://i.example
        jwksUrl: https://i.example/jwks
`;
const ADDED = `service:\n  jwt:\n    keySets:${LIST.replaceAll('\n  ', '\n')}`;

const STARTS: readonly (readonly [name: string, before: string | undefined, after: string])[] = [
  ['no file', undefined, ADDED],
  ['an empty file', '', ADDED],
  ['white space', '\n\n', ADDED],
  ['comments alone', '# ours\n', `# ours\n${ADDED}`],
  ['the start of a document alone', '---\n', `---\n${ADDED}`],
  ['a null', 'null\n', `service:\n  jwt:\n    keySets:${LIST}`],
  ['no service', 'name: x # it\n# end\n', `name: x # it\n${ADDED}# end\n`],
  ['a blank service', 'service: # all\nname: x\n', `${ADDED.replace('service:', 'service: # all')}name: x\n`],
  ['an empty service', 'service: {}\n', ADDED],
  [
    'no jwt',
    '# top\nservice:\n  port: 80 # here\n  # end of it\nname: x\n',
    `# top\nservice:\n  port: 80 # here\n${ADDED.replace('service:\n', '')}  # end of it\nname: x\n`,
  ],
  [
    'a blank jwt',
    'service:\n  jwt: # tokens\nname: x\n',
    `${ADDED.replace('jwt:', 'jwt: # tokens')}name: x\n`,
  ],
  ['a null jwt', 'service:\n  jwt: ~\n  port: 80\n', `${ADDED}  port: 80\n`],
  ['an empty jwt', 'service:\n  jwt: {}\n', ADDED],
  ['a blank list', 'service:\n  jwt:\n    keySets:\n', ADDED],
  [
    'a service in braces',
    '{ name: x, service: }\n',
    '{ name: x, service: { jwt: { keySets: [ { issuer: https://i.example, jwksUrl: https://i.example/jwks } ] } } }\n',
  ],
];

it.each(STARTS)('add makes the block from %s, and keeps the rest', async (_, before, after) => {
  if (before !== undefined) put('service.yaml', before);
  expect(await latchkey(ADD)).toMatchObject({ code: 0 });
  expect(read()).toBe(after);
  expect(loadDescriptor(join(cwd, 'service.yaml')).options.keySets).toMatchObject([
    { issuer: 'https://i.example' },
  ]);
});

it.each(STARTS)('lists show nothing from %s', async (_, before) => {
  if (before !== undefined) put('service.yaml', before);
  for (const command of ['jwks list', 'keys list'])
    expect(await latchkey(`${command} -o json`)).toMatchObject({ code: 0, stdout: '[]\n' });
  expect(existsSync(join(cwd, 'service.yaml'))).toBe(before !== undefined);
});

it.each(STARTS.filter(([, before]) => before !== undefined))(
  'lint and the commands that need a keyset say what is missing from %s',
  async (_, before) => {
    put('service.yaml', before ?? '');
    expect(await latchkey('lint')).toMatchObject({ code: 1, stdout: expect.stringContaining('keySets') });
    expect(await latchkey('jwks remove --index 1')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no keyset 1'),
    });
    expect(await latchkey('jwks migrate')).toMatchObject({ code: 0 });
    expect(read()).toBe(before);
  },
);

it.each([
  ['{}', {}],
  ['{ "service": {}, "name": "x" }', { name: 'x' }],
  ['{ "service": { "jwt": null, "port": 80 } }', { service: { port: 80 } }],
  ['null', {}],
  ['', {}],
])('adds to JSON: %s', async (before, others) => {
  put('service.json', before);
  expect(await latchkey(`${ADD} --file service.json`)).toMatchObject({ code: 0 });
  expect(JSON.parse(read('service.json'))).toMatchObject({
    ...others,
    service: { jwt: { keySets: [{ issuer: 'https://i.example' }] } },
  });
});

it('keeps the order of a JSON file', async () => {
  put('service.json', '{ "service": { "jwt": { "audience": "a" }, "port": 80 }, "name": "x" }');
  await latchkey(`${ADD} --file service.json`);
  expect(read('service.json')).toMatch(/^\{"service":\{"jwt":\{"audience".*"port":80\},"name":"x"\}$/);
});

it.each(['service: 5\n', 'service:\n  jwt: yes\n', 'service:\n  jwt: []\n', '- a\n', 'text\n'])(
  'still refuses what is not a block: %j',
  async (text) => {
    put('service.yaml', text);
    for (const command of ['jwks list', 'keys list', 'lint', ADD])
      expect(await latchkey(command), command).toMatchObject({ code: 2, stdout: '' });
    expect(read()).toBe(text);
  },
);

it('keys add and jwks generate begin a descriptor, too', async () => {
  put('service.yaml', 'name: x\n');
  expect(await latchkey('jwks generate --key-id k --issuer i')).toMatchObject({ code: 0 });
  expect(read()).toMatch(/^name: x\nservice:\n {2}jwt:\n {4}keySets:\n/);
  put('other.yaml', '# ours\n');
  expect(await latchkey('keys generate --key-id k2 --issuer i --file other.yaml')).toMatchObject({ code: 0 });
  expect(read('other.yaml')).toMatch(/^# ours\nservice:\n {2}jwt:\n {4}keys:\n/);
});

it('a new file names the schema of an installed core: as npm and as pnpm install it', async () => {
  const schema = join('@latchkey', 'core', 'descriptor.schema.json');
  for (const [name, place] of [
    ['npm', 'npm/node_modules'],
    ['pnpm', 'pnpm/node_modules/.pnpm/node_modules'],
  ] as const) {
    put(join(place, schema), '{}');
    for (const file of ['service.yaml', 'deploy/service.yaml']) {
      put(join(name, file), '');
      expect(await latchkey(`${ADD} --file ${name}/${file}`)).toMatchObject({ code: 0 });
      const [, path = ''] = /^# yaml-language-server: \$schema=(\.\S+)\n/.exec(read(join(name, file))) ?? [];
      expect(existsSync(join(cwd, name, dirname(file), path)), path).toBe(true);
    }
  }
});

it('a missing file is said by lists', async () => {
  expect((await latchkey('jwks list --file nope.yaml')).stderr).toContain('nope.yaml does not exist');
});

it('a dangling link is not overwritten', async () => {
  symlinkSync('nowhere.yaml', join(cwd, 'service.yaml'));
  expect(await latchkey(ADD)).toMatchObject({ code: 2 });
});
