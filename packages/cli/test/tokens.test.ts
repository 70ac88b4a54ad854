// Tokens of one's own, as the seed's manual has them; and a look at any token, which never says
// that it is good.
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createAuthenticator } from '@latchkey/core';
import { forge } from '@latchkey/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { temporaryFolder } from './temporary.ts';
import { createTerminal, type TerminalOptions } from './terminal.ts';

/** The token of the manual. */
const SAMPLE_HEADER = 'eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9';
const SAMPLE_CLAIMS =
  'eyJzdWIiOiJhbmFseXN0IiwiaXNzIjoiMTkyLjE2OC4xMC44IiwiZ3JvdXBzIjpbImFuYWx5c3RfZ3JvdXAiXSwiZXhwIjoxNTc1OTgzODI2fQ';
const STAMP = '\\d{4}/\\d{2}/\\d{2} \\d{2}:\\d{2}:\\d{2} ';

let cwd: string;

beforeEach(() => {
  cwd = temporaryFolder('tokens');
});

async function latchkey(argv: readonly string[], options: Partial<TerminalOptions> = {}) {
  const { terminal, stdout, stderr } = createTerminal({ cwd, ...options });
  const code = await run(argv, terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

const at = (...path: string[]) => join(cwd, ...path);
const logged = (...lines: readonly string[]) =>
  new RegExp(`^${lines.map((line) => `${STAMP}${line}\\n`).join('')}$`);
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

describe('tokens init', () => {
  it('OK-15 makes a key pair and a system token, in the words of the manual', async () => {
    const { code, stdout, stderr } = await latchkey(['tokens', 'init']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      logged(
        'Private Key generated',
        'Public key generated',
        'Key saved to: \\.auth/id_rsa\\.pub',
        'Key saved to: \\.auth/id_rsa',
        'System token saved to: \\.auth/system\\.token',
      ),
    );
    expect(claimsOf(readFileSync(at('.auth', 'system.token'), 'utf8'))).toMatchObject({
      sub: 'okera',
      groups: ['root'],
      iss: hostname(),
    });
  });

  it('OK-15 D18 prints the local time, and writes files readable only by the owner', async () => {
    const before = new Date();
    const { stdout } = await latchkey(['tokens', 'init']);
    const [, ...numbers] = /^(\d+)\/(\d+)\/(\d+) (\d+):(\d+):(\d+)/.exec(stdout) ?? [];
    const [year = 0, month = 0, day, hour, minute, second] = numbers.map(Number);
    const written = new Date(year, month - 1, day, hour, minute, second);
    expect(written.getTime()).toBeGreaterThan(before.getTime() - 1000);
    expect(written.getTime()).toBeLessThanOrEqual(Date.now());
    expect(statSync(at('.auth')).mode & 0o777).toBe(0o700);
    expect(statSync(at('.auth', 'id_rsa')).mode & 0o777).toBe(0o600);
    expect(readFileSync(at('.auth', '.gitignore'), 'utf8')).toBe('*\n');
  });

  it('S55 refuses to replace existing keys without --force', async () => {
    await latchkey(['tokens', 'init']);
    const key = readFileSync(at('.auth', 'id_rsa'), 'utf8');
    const refused = await latchkey(['tokens', 'init']);
    expect(refused).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^error: \.auth already has a key pair.*--force/),
    });
    expect(readFileSync(at('.auth', 'id_rsa'), 'utf8')).toBe(key);
    expect((await latchkey(['tokens', 'init', '--force'])).code).toBe(0);
    expect(readFileSync(at('.auth', 'id_rsa'), 'utf8')).not.toBe(key);
  });

  it('OK-15 completes what is missing, and keeps the key', async () => {
    await latchkey(['tokens', 'init']);
    const key = readFileSync(at('.auth', 'id_rsa'), 'utf8');
    const pub = readFileSync(at('.auth', 'id_rsa.pub'), 'utf8');
    for (const missing of [['system.token'], ['id_rsa.pub', 'system.token'], ['id_rsa.pub']]) {
      for (const name of missing) rmSync(at('.auth', name));
      const { code, stdout } = await latchkey(['tokens', 'init']);
      expect({ code, saved: stdout.match(/saved to: \S+/g)?.length }).toEqual({
        code: 0,
        saved: missing.length,
      });
      expect(stdout).not.toContain('Private');
    }
    expect(readFileSync(at('.auth', 'id_rsa'), 'utf8')).toBe(key);
    expect(readFileSync(at('.auth', 'id_rsa.pub'), 'utf8')).toBe(pub);
    expect(readFileSync(at('.auth', 'system.token'), 'utf8')).toMatch(/^ey/);
  });

  it('OK-15 says which command makes the token of the system', async () => {
    await latchkey(['tokens', 'init']);
    expect(await latchkey(['tokens', 'create', 'okera', 'root'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('latchkey tokens init makes that token'),
    });
  });

  it('S55 says that --force helps only where it does', async () => {
    await latchkey(['tokens', 'init']);
    chmodSync(at('.auth'), 0o777);
    const { code, stderr } = await latchkey(['tokens', 'init', '--force']);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('chmod go-w') });
    expect(stderr).not.toContain('--force');
  });

  it('OK-15 S54 takes a directory, an issuer, audiences and a subject', async () => {
    const argv = [
      'tokens',
      'init',
      '--directory',
      'keys',
      '--issuer',
      'me',
      '--audience',
      'a',
      '--audience',
      'b',
      '--system-subject',
      'system-user',
    ];
    expect((await latchkey(argv)).stdout).toContain('System token saved to: keys/system.token');
    expect(claimsOf(readFileSync(at('keys', 'system.token'), 'utf8'))).toMatchObject({
      iss: 'me',
      aud: ['a', 'b'],
      sub: 'system-user',
    });
    expect(existsSync(at('.auth'))).toBe(false);
  });

  it('prints absolute paths outside of the working directory, and JSON with -o json', async () => {
    const elsewhere = temporaryFolder('tokens');
    const { stdout } = await latchkey([
      'tokens',
      'init',
      '--directory',
      join(elsewhere, 'keys'),
      '-o',
      'json',
    ]);
    expect(JSON.parse(stdout)).toMatchObject({
      privateKey: join(elsewhere, 'keys', 'id_rsa'),
      systemToken: join(elsewhere, 'keys', 'system.token'),
    });
    const created = await latchkey(['tokens', 'create', 'ada', '--directory', join(elsewhere, 'keys')]);
    expect(created.stdout).toContain(`Token saved to: ${join(elsewhere, 'keys', 'ada.token')}`);
  });
});

describe('tokens create', () => {
  it('OK-16 saves and prints a token of that user, which expires after 100 days', async () => {
    await latchkey(['tokens', 'init']);
    const { code, stdout, stderr } = await latchkey([
      'tokens',
      'create',
      'analyst',
      'analyst_group',
      'auditors',
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      logged('Token saved to: \\.auth/analyst\\.token', 'Token: [\\w-]+\\.[\\w-]+\\.[\\w-]+'),
    );
    const token = /Token: (\S+)\n$/.exec(stdout)?.[1] ?? '';
    expect(readFileSync(at('.auth', 'analyst.token'), 'utf8').trim()).toBe(token);
    expect(token.startsWith(`${SAMPLE_HEADER}.`)).toBe(true);
    const claims = claimsOf(token);
    expect(claims).toMatchObject({
      sub: 'analyst',
      iss: hostname(),
      groups: ['analyst_group', 'auditors'],
      exp: expect.any(Number),
    });
    expect(Math.abs(claims.exp - Date.now() / 1000 - 100 * 86_400)).toBeLessThan(60);
  });

  it('OK-16 OK-18 signs with the existing key', async () => {
    await latchkey(['tokens', 'init']);
    const { stdout } = await latchkey([
      'tokens',
      'create',
      'ada',
      '--issuer',
      'me',
      '--audience',
      'api',
      '-o',
      'json',
    ]);
    const { token } = JSON.parse(stdout);
    const publicKeys = [{ file: at('.auth', 'id_rsa.pub'), algorithm: 'RS512' }] as const;
    const authenticator = createAuthenticator({ keySets: [{ issuer: 'me', publicKeys }], audience: 'api' });
    expect((await authenticator.verify(token)).subject).toBe('ada');
    await authenticator.close();
  });

  it('OK-16 without keys: names the command that makes them', async () => {
    expect(await latchkey(['tokens', 'create', 'ada'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/tokens init/),
    });
    expect(readdirSync(cwd)).toEqual([]);
  });

  it.each(['okera', 'system', 'SYSTEM', '', 'x'.repeat(300)])(
    'S55 T-164 refuses the user: %j',
    async (username) => {
      await latchkey(['tokens', 'init']);
      const files = readdirSync(at('.auth'));
      expect((await latchkey(['tokens', 'create', '--', username])).code).toBe(2);
      expect(readdirSync(at('.auth'))).toEqual(files);
    },
  );

  it.each(['../../evil', '/etc/passwd', '.hidden', 'a/b', '..'])(
    'S55 T-164 never leaves the directory: %j',
    async (username) => {
      await latchkey(['tokens', 'init']);
      expect((await latchkey(['tokens', 'create', '--', username])).code).toBe(0);
      expect(readdirSync(cwd)).toEqual(['.auth']);
      expect(readdirSync(at('.auth')).filter((name) => name.endsWith('.token'))).toHaveLength(2);
      expect((await latchkey(['tokens', 'show', '--', username])).stdout).toMatch(logged('Token: \\S+'));
    },
  );

  it('D16 refuses the group of the system', async () => {
    await latchkey(['tokens', 'init']);
    expect((await latchkey(['tokens', 'create', 'ada', 'root'])).code).toBe(2);
  });
});

describe('tokens show', () => {
  it('OK-17 prints a token that was created', async () => {
    await latchkey(['tokens', 'init']);
    const { stdout: created } = await latchkey(['tokens', 'create', 'analyst', 'analyst_group']);
    const { code, stdout } = await latchkey(['tokens', 'show', 'analyst']);
    expect(code).toBe(0);
    expect(stdout).toMatch(logged('Token: \\S+'));
    expect(stdout.slice(20)).toBe(created.split('\n')[1]?.slice(20).concat('\n'));
    expect(JSON.parse((await latchkey(['tokens', 'show', 'analyst', '-o', 'json'])).stdout)).toMatchObject({
      file: at('.auth', 'analyst.token'),
    });
  });

  it.each(['nobody', '../system', '../../etc/passwd', 'system', 'okera', 'a\u001b]0;x\u0007'])(
    'OK-17 T-164 T-168 has no token of %j',
    async (username) => {
      await latchkey(['tokens', 'init']);
      const { code, stdout, stderr } = await latchkey(['tokens', 'show', '--', username]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).not.toMatch(/[^\n\P{Cc}]/u);
    },
  );
});

describe('tokens inspect', () => {
  const sample = `${SAMPLE_HEADER}.${SAMPLE_CLAIMS}.${'A'.repeat(40)}`;

  it('OK-16 T-169 shows the content, UNVERIFIED first and last', async () => {
    const { code, stdout, stderr } = await latchkey(['tokens', 'inspect'], { stdin: `${sample}\n` });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect([lines.at(0), lines.at(-1)]).toEqual([
      expect.stringMatching(/^UNVERIFIED/),
      expect.stringMatching(/^UNVERIFIED/),
    ]);
    expect(lines).toContain('  alg   "RS512"');
    expect(lines).toContain('  groups   ["analyst_group"]');
    expect(stdout).toMatch(/exp {6}1575983826 {3}2019-12-10T13:17:06\.000Z, \d+ years ago/);
    expect(stdout).not.toMatch(/valid/i);
  });

  it('T-169 marks JSON as not verified', async () => {
    const { stdout } = await latchkey(['tokens', 'inspect', '-', '-o', 'json'], { stdin: sample });
    expect(JSON.parse(stdout)).toEqual({
      verified: false,
      header: { alg: 'RS512', typ: 'JWT' },
      claims: { sub: 'analyst', iss: '192.168.10.8', groups: ['analyst_group'], exp: 1_575_983_826 },
      times: {
        exp: { time: '2019-12-10T13:17:06.000Z', relative: expect.stringMatching(/^\d+ years ago$/) },
      },
    });
  });

  it('T-167 warns of a token in the arguments', async () => {
    const { code, stdout, stderr } = await latchkey(['tokens', 'inspect', sample]);
    expect(code).toBe(0);
    expect(stdout).toContain('"analyst"');
    expect(stderr).toMatch(/^warning: the token was in the arguments/);
  });

  it.each([60, 3 * 3600, -90, 40 * 86_400])('prints the distance of %i s', async (seconds) => {
    const nbf = Math.floor(Date.now() / 1000) + seconds + (seconds > 0 ? 30 : 0);
    const token = forge({ header: { alg: 'HS256' }, payload: { nbf }, signature: Buffer.from('x') });
    const expected = { 60: 'in 1 minute', 10800: 'in 3 hours', '-90': '1 minute ago', 3456000: 'in 40 days' }[
      String(seconds)
    ];
    expect((await latchkey(['tokens', 'inspect'], { stdin: token })).stdout).toContain(`Z, ${expected}`);
  });

  const hostile = {
    sub: '\u001b]0;owned\u0007\u009b31m\r\nUNVERIFIED? no: verified',
    'na\u202eme': '\u202e\u2066\u200b\u{e0041}\u2028',
    nested: { '\u001b[2J': ['\u0085'] },
    exp: 1e300,
  };

  it.each(['text', 'json'])('T-168 prints no control characters of a token, as %s', async (format) => {
    const token = forge({
      header: { alg: 'HS256', kid: '\u001b[31m\u202e' },
      payload: hostile,
      signature: Buffer.from('x'),
    });
    const { code, stdout, stderr } = await latchkey(['tokens', 'inspect', '-o', format], {
      stdin: token,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{C}\u2028\u2029]/u);
    // The output has exactly one line for each claim.
    if (format === 'text')
      expect(stdout.split('\n').filter((line) => line.startsWith('UNVERIFIED'))).toHaveLength(2);
    else expect(JSON.parse(stdout).claims).toEqual(hostile);
  });

  it.each([
    ['nothing', ''],
    ['no token', 'hello'],
    ['two parts', 'eyJhbGciOiJub25lIn0.e30'],
    ['an encrypted one', 'a.b.c.d.e'],
    ['not JSON', `${Buffer.from('{"alg":').toString('base64url')}.e30.AA`],
    [
      'a repeated member',
      forge({ header: '{"alg":"HS256","alg":"none"}', payload: {}, signature: Buffer.from('x') }),
    ],
    ['too long', 'e'.repeat(70_000)],
  ])('T-169 ends with 1 for %s', async (_what, token) => {
    const { code, stdout, stderr } = await latchkey(['tokens', 'inspect'], { stdin: token });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error: /);
  });

  it('ignores other files in the directory', async () => {
    writeFileSync(at('service.yaml'), 'not: a descriptor');
    expect((await latchkey(['tokens', 'inspect'], { stdin: sample })).code).toBe(0);
  });
});
