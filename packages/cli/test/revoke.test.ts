// `latchkey revoke`: what it writes, what it refuses, and that a service follows it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthenticator } from '@latchkey/core';
import { generateSigningKey, mint } from '@latchkey/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from '../src/index.ts';
import { createTerminal, type TerminalOptions } from './terminal.ts';

const ISSUER = 'https://login.example';
const HOUR_MS = 3_600_000;

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'latchkey-revoke-'));
  writeFileSync(join(cwd, 'list.jsonl'), '');
});
afterEach(() => rmSync(cwd, { recursive: true }));

const read = (path = 'list.jsonl') => readFileSync(join(cwd, path), 'utf8');
const entries = () =>
  read()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

async function latchkey(argv: readonly string[], more: Partial<TerminalOptions> = {}) {
  const { terminal, stdout, stderr } = createTerminal({ cwd, env: { NO_COLOR: '1' }, ...more });
  const code = await run(['revoke', ...argv], terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}
const inList = (...argv: readonly string[]) => latchkey(['--file', 'list.jsonl', ...argv]);

describe('the flags', () => {
  it.each([
    ['--jti', { jti: 'x1' }],
    ['--sid', { sid: 'x1' }],
    ['--sub', { sub: 'x1', issuedBefore: expect.any(Number) }],
    ['--client', { client: 'x1', issuedBefore: expect.any(Number) }],
  ])('%s names tokens', async (flag, entry) => {
    const before = Date.now();
    const { code, stdout, stderr } = await inList('--issuer', ISSUER, flag, 'x1');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`revoked by ${flag.slice(2)}, of ${ISSUER}; until `);
    expect(stdout).not.toContain('x1');
    expect(entries()).toEqual([{ issuer: ISSUER, ...entry, until: expect.any(Number) }]);
    expect(entries()[0].until - before).toBeGreaterThanOrEqual(24 * HOUR_MS);
  });

  it('without one, all tokens of the issuer are ended', async () => {
    const issuedBefore = '2026-01-31T12:00:00Z';
    const argv = ['--issuer', ISSUER, '--issued-before', issuedBefore, '--for', '2h', '-o', 'json'];
    const { code, stdout } = await inList(...argv);
    expect(code).toBe(0);
    expect(entries()).toMatchObject([{ issuer: ISSUER, issuedBefore: Date.parse(issuedBefore) }]);
    expect(entries()[0].until - Date.now()).toBeLessThanOrEqual(2 * HOUR_MS);
    expect(JSON.parse(stdout)).toEqual({
      revoked: 'issuer',
      issuer: ISSUER,
      issuedBefore: '2026-01-31T12:00:00.000Z',
      until: expect.any(String),
      in: `file ${join(cwd, 'list.jsonl')}`,
    });
  });

  it.each([
    ['no file', ['--issuer', ISSUER], 'expected --file'],
    ['no issuer', ['--file', 'list.jsonl', '--jti', 'a'], 'expected --issuer'],
    [
      'two kinds',
      ['--file', 'list.jsonl', '--issuer', ISSUER, '--jti', 'a', '--sub', 'b'],
      'cannot be used with',
    ],
    [
      'issued-before of a jti',
      ['--file', 'list.jsonl', '--issuer', ISSUER, '--jti', 'a', '--issued-before', '2026-01-31T12:00:00Z'],
      'cannot be used with',
    ],
    [
      'two of one kind',
      ['--file', 'list.jsonl', '--issuer', ISSUER, '--sub', 'a', '--sub', 'b'],
      'given twice',
    ],
    ['an empty id', ['--file', 'list.jsonl', '--issuer', ISSUER, '--jti', ''], '--jti: expected a string'],
    [
      'a time in the past',
      ['--file', 'list.jsonl', '--issuer', ISSUER, '--until', '2020-01-31T12:00:00Z'],
      '--until: expected a time in the future',
    ],
    [
      'a time without a zone',
      ['--file', 'list.jsonl', '--issuer', ISSUER, '--until', '2099-01-31T12:00:00'],
      '--until: expected a time',
    ],
    [
      'a wrong duration',
      ['--file', 'list.jsonl', '--issuer', ISSUER, '--for', '5'],
      '--for: expected a duration',
    ],
    [
      'a token in the arguments',
      ['--file', 'list.jsonl', '--token-from', 'eyJhbGciOiJub25lIn0.e30.'],
      'Allowed choices are -',
    ],
  ])('%s is refused', async (_name, argv, problem) => {
    const { code, stdout, stderr } = await latchkey(argv);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(problem);
    expect(stderr).not.toContain('eyJhbGci');
    expect(read()).toBe('');
  });

  it('a missing file is not made', async () => {
    const { code, stderr } = await latchkey(['--file', 'no.jsonl', '--issuer', ISSUER]);
    expect(code).toBe(3);
    expect(stderr).toContain('cannot be read: ENOENT; an empty file is an empty list');
  });

  it('a broken file stays as it is', async () => {
    writeFileSync(join(cwd, 'list.jsonl'), 'broken-secret\n');
    const { code, stderr } = await inList('--issuer', ISSUER);
    expect(code).toBe(3);
    expect(stderr).toContain('line 1: ');
    expect(stderr).not.toContain('secret');
    expect(read()).toBe('broken-secret\n');
  });
});

describe('a token from standard input', () => {
  const claims = { iss: ISSUER, jti: 'j1', sub: 'alice', exp: Math.floor(Date.now() / 1000) + 600 };
  const tokenOf = async (more: object = {}) => mint(await generateSigningKey(), { ...claims, ...more });
  const revoke = (stdin: string) => latchkey(['--file', 'list.jsonl', '--token-from', '-'], { stdin });

  it('is revoked by its jti until its exp, and not shown', async () => {
    const token = await tokenOf();
    const { code, stdout, stderr } = await revoke(`${token}\n`);
    expect(code).toBe(0);
    expect(entries()).toEqual([{ issuer: ISSUER, jti: 'j1', until: claims.exp * 1000 }]);
    expect(stdout + stderr + read()).not.toMatch(/eyJ|alice/);
  });

  it.each([
    ['without a jti', { jti: undefined }, 1, 'has no jti'],
    ['that has expired', { exp: 1_700_000_000 }, 1, 'has expired'],
  ])('%s is not', async (_name, more, status, problem) => {
    const { code, stderr } = await revoke(await tokenOf(more));
    expect(code).toBe(status);
    expect(stderr).toContain(problem);
    expect(read()).toBe('');
  });

  it('that is not a token is refused', async () => {
    const { code, stderr } = await revoke('secret-text');
    expect(code).not.toBe(0);
    expect(stderr).not.toContain('secret-text');
  });
});

describe('a descriptor', () => {
  it('names the file and the time, and a service follows it', async () => {
    const key = await generateSigningKey();
    const revocation = { file: 'list.jsonl', remember: '3h' };
    const keySets = [{ issuer: ISSUER, jwks: { keys: [key.publicJwk] } }];
    const jwt = { audience: 'api', keySets, revocation };
    writeFileSync(join(cwd, 'service.yaml'), JSON.stringify({ service: { jwt } }));
    const authenticator = createAuthenticator({ descriptor: join(cwd, 'service.yaml') });
    await authenticator.ready();
    const at = Math.floor(Date.now() / 1000);
    const token = await mint(key, { iss: ISSUER, aud: 'api', sub: 'alice', iat: at, exp: at + 600 });
    await authenticator.verify(token);
    const argv = ['--descriptor', 'service.yaml', '--issuer', ISSUER, '--sub', 'alice'];
    expect(await latchkey(argv)).toMatchObject({ code: 0 });
    expect(entries()[0].until - Date.now()).toBeLessThanOrEqual(3 * HOUR_MS);
    await vi.waitFor(
      () => expect(authenticator.verify(token)).rejects.toMatchObject({ code: 'token_revoked' }),
      { timeout: 20_000, interval: 20 },
    );
    await authenticator.close();
  });

  it('without revocation.file is refused', async () => {
    const jwt = { audience: 'api', keySets: [{ issuer: ISSUER, jwksUrl: 'https://login.example/jwks' }] };
    writeFileSync(join(cwd, 'service.yaml'), JSON.stringify({ service: { jwt } }));
    const { code, stderr } = await latchkey(['--descriptor', 'service.yaml', '--issuer', ISSUER]);
    expect(code).toBe(2);
    expect(stderr).toContain('service.yaml has no revocation.file');
  });
});
