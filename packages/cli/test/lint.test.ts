// `latchkey lint`: its findings as text and JSON, its exit codes, and that text of a file does not
// control the terminal.
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { createTerminal } from './terminal.ts';

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'latchkey-lint-'));
});
afterEach(() => rm(cwd, { recursive: true }));

const GOOD = `name: my-service
service:
  jwt:
    audience: api
    keySets:
      - issuer: https://a.example
        jwksUrl: https://a.example/jwks
`;
const WARNING = `${GOOD}    clockSkew: 45s\n`;
const WRONG = `${WARNING}    clockSkeww: 5s\n`;

async function lint(
  text: string,
  args: readonly string[] = [],
  options: { readonly env?: Record<string, string>; readonly isTTY?: boolean } = {},
) {
  await writeFile(join(cwd, 'service.yaml'), text);
  const { terminal, stdout, stderr } = createTerminal({ cwd, ...options });
  return { code: await run(['lint', ...args], terminal), stdout: stdout(), stderr: stderr() };
}

describe('latchkey lint', () => {
  it('reports that nothing was found', async () => {
    const { code, stdout } = await lint(GOOD);
    expect(code).toBe(0);
    expect(stdout).toBe('service.yaml: nothing found\n');
  });

  it('prints the place, the problem and the fix', async () => {
    const { code, stdout, stderr } = await lint(WARNING);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^service\.yaml:8:\d+ warning clock-skew-wide clockSkew: .+\n {4}write 5s.+\n$/);
    expect(stderr).toContain('0 errors, 1 warning\n');
  });

  it('ends with 1 for an error, which comes first', async () => {
    const { code, stdout, stderr } = await lint(WRONG);
    expect(code).toBe(1);
    expect(stdout.match(/^service\.yaml:\d+:\d+ \w+/gm)).toEqual([
      expect.stringContaining('error'),
      expect.stringContaining('warning'),
    ]);
    expect(stderr).toContain('error: 1 error, 1 warning\n');
  });

  it('ends with 1 for a warning only with --strict', async () => {
    expect((await lint(WARNING, ['--strict'])).code).toBe(1);
    expect((await lint(GOOD, ['--strict'])).code).toBe(0);
  });

  it('prints the same as JSON', async () => {
    const { code, stdout } = await lint(WRONG, ['-o', 'json']);
    expect(code).toBe(1);
    const { findings, errors, warnings } = JSON.parse(stdout);
    expect([errors, warnings]).toEqual([1, 1]);
    expect(findings).toContainEqual({
      rule: 'clock-skew-wide',
      severity: 'warning',
      path: 'clockSkew',
      place: { file: 'service.yaml', line: 8, column: expect.any(Number) },
      message: expect.any(String),
      fix: expect.any(String),
    });
  });

  it('accepts the name of the service, and refuses another', async () => {
    expect((await lint(GOOD, ['my-service'])).code).toBe(0);
    expect((await lint(GOOD, ['other'])).code).toBe(2);
  });

  it('ends with 2 for a missing or unreadable file', async () => {
    expect((await lint(GOOD, ['-f', 'nowhere.yaml'])).code).toBe(2);
    expect((await lint('a: [')).code).toBe(2);
    expect((await lint(GOOD, ['--severe'])).code).toBe(2);
  });

  it('S33 reads the environment of the terminal', async () => {
    const text = GOOD.replace('audience: api', 'audience: ${AUDIENCE}');
    expect((await lint(text)).stdout).toContain('variable-unset');
    expect((await lint(text, [], { env: { AUDIENCE: 'api' } })).stdout).toContain('nothing found');
  });

  it('T-167 D18 checks secrets next to the file, and notes if it did not', async () => {
    const text = `${GOOD}      - { issuer: b, secret: { name: internal } }\n`;
    const unseen = await lint(text);
    expect(unseen.code).toBe(0);
    expect(unseen.stderr).toContain('secrets were not checked');
    expect((await lint(text, ['--secrets', 'elsewhere'])).stdout).toContain('secret-missing');

    await mkdir(join(cwd, 'secrets/internal'), { recursive: true });
    const file = join(cwd, 'secrets/internal/jwks.json');
    const key = randomBytes(32).toString('base64url');
    await writeFile(file, JSON.stringify({ keys: [{ kty: 'oct', alg: 'HS256', k: key }] }));
    await chmod(file, 0o644);
    const shared = await lint(text);
    expect(shared.code).toBe(1);
    expect(shared.stdout).toContain('secret-readable-by-others keySets[1].secret: internal/jwks.json: ');
    expect(shared.stdout).not.toContain(key);
    await chmod(file, 0o600);
    expect((await lint(text)).stdout).toContain('nothing found');
  });

  it('T-168 text of a file does not control the terminal', async () => {
    const text = `${GOOD}    groups:\n      trust: { "\\e]0;gone\\a\\u202E": all }\n    "\\e[2J": 1\n`;
    const { stdout } = await lint(text, [], { isTTY: true });
    expect(stdout).toContain('groups-trust-stranger');
    expect(stdout).toContain('\\u{1b}[2J');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(stdout.replace(/\u001b\[\d+m/g, '')).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });

  it('is coloured only on a terminal', async () => {
    expect((await lint(WRONG)).stdout).not.toContain('\u001b');
    expect((await lint(WRONG, [], { isTTY: true })).stdout).toContain('\u001b[31merror');
    expect((await lint(WRONG, [], { isTTY: true, env: { NO_COLOR: '1' } })).stdout).not.toContain('\u001b');
  });

  it('has help with examples', async () => {
    const { code, stdout } = await lint(GOOD, ['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('$ latchkey lint');
  });
});
