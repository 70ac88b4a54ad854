// `latchkey plan`: its output for two files as text and JSON, and its exit codes.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { createTerminal } from './terminal.ts';

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'latchkey-plan-'));
});
afterEach(() => rm(cwd, { recursive: true }));

const OLD = `name: my-service
service:
  jwt:
    audience: api
    clockSkew: 10s
    keySets:
      - issuer: https://a.example
        jwksUrl: https://a.example/jwks
`;
const NEW = `name: my-service
service:
  jwt:
    audience: api
    realm: api
    keySets:
      - issuer: https://a.example
        jwksUrl: https://a.example/jwks
      - issuer: https://b.example
        useOidcDiscovery: true
`;

async function plan(before: string, after: string, args: readonly string[] = [], isTTY = false) {
  await writeFile(join(cwd, 'old.yaml'), before);
  await writeFile(join(cwd, 'new.yaml'), after);
  const { terminal, stdout, stderr } = createTerminal({ cwd, isTTY });
  return {
    code: await run(['plan', 'old.yaml', 'new.yaml', ...args], terminal),
    stdout: stdout(),
    stderr: stderr(),
  };
}

describe('latchkey plan', () => {
  it('prints what opens, closes and changes, each at its place', async () => {
    const { code, stdout } = await plan(OLD, NEW);
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^\+ opens keySets\[1\]: .*https:\/\/b\.example.* \(new\.yaml:9:\d+\)$/),
      expect.stringMatching(/^- closes clockSkew: .*10s → 5s \(/),
      expect.stringMatching(/^~ changes realm: .* \(new\.yaml:5:\d+\)$/),
      '',
      'opens 1, closes 1, changes 1 otherwise',
      '',
    ]);
  });

  it('reports that nothing changes', async () => {
    const same = await plan(OLD, `# with a comment\n${OLD}`);
    expect(same).toMatchObject({ code: 0, stdout: 'nothing opens, closes or changes\n', stderr: '' });
  });

  it('prints the same as JSON', async () => {
    const { stdout } = await plan(OLD, NEW, ['-o', 'json']);
    const { changes, ...counts } = JSON.parse(stdout);
    expect(counts).toEqual({ opens: 1, closes: 1, others: 1, routes: [] });
    expect(changes[0]).toEqual({
      effect: 'opens',
      path: 'keySets[1]',
      message: expect.any(String),
      place: { file: 'new.yaml', line: 9, column: expect.any(Number) },
    });
  });

  it('--fail-on-open ends with 1 if anything opens, and only then', async () => {
    const opening = await plan(OLD, NEW, ['--fail-on-open']);
    expect(opening.code).toBe(1);
    expect(opening.stdout).toContain('+ opens');
    expect(opening.stderr).toContain('error: ');
    const closing = OLD.replace('10s', '1s');
    expect((await plan(OLD, closing, ['--fail-on-open'])).code).toBe(0);
    expect((await plan(closing, OLD, ['--fail-on-open'])).code).toBe(1);
  });

  it('warns if the two describe different services', async () => {
    expect((await plan(OLD, OLD.replace('my-service', 'other'))).stderr).toContain('my-service and other');
  });

  it('ends with 2 for a file that cannot be read, and for only one file', async () => {
    expect((await plan(OLD, 'a: [')).code).toBe(2);
    const { terminal } = createTerminal({ cwd });
    expect(await run(['plan', 'old.yaml'], terminal)).toBe(2);
    expect(await run(['plan', 'old.yaml', 'nowhere.yaml'], terminal)).toBe(2);
  });

  it('T-168 text of a file does not control the terminal', async () => {
    const { stdout } = await plan(
      OLD,
      `${OLD}    issuers: ["\\e]0;gone\\a\\u202E"]\n    claims: { "\\e[2J": a }\n`,
      [],
      true,
    );
    expect(stdout).toContain('\\u{1b}[2J');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(stdout.replace(/\u001b\[\d+m/g, '')).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });

  it('is coloured only on a terminal', async () => {
    expect((await plan(OLD, NEW)).stdout).not.toContain('\u001b');
    expect((await plan(OLD, NEW, [], true)).stdout).toContain('\u001b[31m+ opens');
  });

  it('has help with examples', async () => {
    const { code, stdout } = await plan(OLD, NEW, ['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('$ latchkey plan');
  });
});
