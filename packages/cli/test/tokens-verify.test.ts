// `latchkey tokens verify`: verifies a token and prints its issuer and subject. The exit code is
// the answer; the text is for users.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createIssuer, forge, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from '../src/index.ts';
import { createTerminal, type TerminalOptions } from './terminal.ts';

let cwd: string;
let key: SigningKey;
let stranger: SigningKey;

beforeAll(async () => {
  [key, stranger] = await Promise.all([
    generateSigningKey('ES256', 'one'),
    generateSigningKey('ES256', 'stranger'),
  ]);
});
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'latchkey-verify-'));
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  await save();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(cwd, { recursive: true });
});

async function save(jwt: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const keySets = [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }];
  const routes = { admin: { claims: { role: 'admin' } }, partner: { issuers: ['partner'] } };
  const text = JSON.stringify({ service: { jwt: { keySets, audience: 'me', routes, ...jwt } } });
  await writeFile(join(cwd, 'service.yaml'), text);
}

const tokenOf = (
  claims: Parameters<typeof mint>[1] = {},
  by = key,
  header: Parameters<typeof mint>[2] = {},
) =>
  mint(
    by,
    { iss: 'i', aud: 'me', sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300, ...claims },
    header,
  );

async function verify(argv: readonly string[], more: Partial<TerminalOptions> = {}) {
  const { terminal, stdout, stderr } = createTerminal({ cwd, ...more });
  const code = await run(['tokens', 'verify', ...argv], terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

describe('a good token', () => {
  it('0: its issuer and subject, as text', async () => {
    const token = await tokenOf({ scope: 'read write', groups: ['ops', 'dev'], role: 'admin' });
    const { code, stdout, stderr } = await verify([], { stdin: token });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /^The token is valid\.\nissuer {3}i\nsubject {2}alice\nscopes {3}read write\ngroups {3}ops, dev\nclaims {3}\{.*\}\n$/,
    );
  });

  it('0: the same as JSON', async () => {
    const { code, stdout } = await verify(['-o', 'json', await tokenOf({ scope: 'read' })]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      verified: true,
      issuer: 'i',
      subject: 'alice',
      scopes: ['read'],
      groups: [],
      claims: { aud: 'me' },
    });
  });

  it('T-167: from stdin', async () => {
    const token = await tokenOf();
    expect((await verify([], { stdin: `${token}\n` })).code).toBe(0);
    expect((await verify(['-'], { stdin: token })).code).toBe(0);
  });

  it('prints that it has no issuer or subject', async () => {
    await save({ keySets: [{ jwks: { keys: [key.publicJwk] } }] });
    const { code, stdout } = await verify([await tokenOf({ iss: undefined, sub: undefined })]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/issuer {3}\(none\)\nsubject {2}\(none\)/);
  });

  it('by keys of an issuer, and by secrets next to the descriptor or in another directory', async () => {
    const issuer = await createIssuer({ audience: 'me' });
    await mkdir(join(cwd, 'other', 's'), { recursive: true });
    await writeFile(join(cwd, 'other', 's', 'jwks.json'), JSON.stringify({ keys: [key.publicJwk] }));
    const keySets = [
      { issuer: issuer.issuer, useOidcDiscovery: true, allowHttp: true },
      { issuer: 'i', secret: { name: 's' } },
      { issuer: 'e', externalSecret: { name: 's' } },
    ];
    await save({ keySets });
    const argv = ['--secrets', 'other', '--external-secrets', 'other'];
    expect((await verify([...argv, await issuer.mint()])).code).toBe(0);
    expect((await verify([...argv, await tokenOf()])).code).toBe(0);
    expect((await verify([...argv, await tokenOf({ iss: 'e' })])).code).toBe(0);
    expect((await verify(['--external-secrets', 'other', await tokenOf()])).code).toBe(3);
    await issuer.close();
  });
});

describe('a refused token', () => {
  it.each<[title: string, make: () => string | Promise<string>]>([
    ['expired', () => tokenOf({ exp: 1 })],
    ['for another audience', () => tokenOf({ aud: 'you' })],
    ['of another issuer', () => tokenOf({ iss: 'j' })],
    ['of a stranger', () => tokenOf({}, stranger)],
    ['of a stranger with the kid of a trusted key', () => tokenOf({}, stranger, { kid: 'one' })],
    [
      'without a signature',
      () => forge({ header: { alg: 'none' }, payload: { iss: 'i', aud: 'me', sub: 'root' } }),
    ],
    ['no token', () => 'hello'],
  ])('T-169: 1, and nothing on stdout: %s', async (_, make) => {
    const token = await make();
    for (const argv of [[], ['-o', 'json']]) {
      const { code, stdout, stderr } = await verify(argv, { stdin: token });
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^error: .+\n$/);
      if (token.length > 8) expect(stderr).not.toContain(token);
    }
  });

  it.each<[argv: readonly string[], claims: Parameters<typeof mint>[1], code: number]>([
    [['--route', 'admin'], { role: 'admin' }, 0],
    [['--route', 'admin'], { role: 'user' }, 1],
    [['--route', 'partner'], {}, 1],
    [['--claims', '{"role":"admin"}'], { role: 'admin' }, 0],
    [['--claims', '{"role":"admin"}'], {}, 1],
    [['--claims', '[{"name":"role","required":true}]'], {}, 1],
    [['--at', '2001-01-01T00:00:00Z'], { exp: 978_307_260 }, 0],
    [['--at', '2002-01-01T00:00:00Z'], { exp: 978_307_260 }, 1],
    [['--at', '2001-01-01T00:00:00Z'], { exp: 978_307_260, nbf: 978_307_250 }, 1],
  ])('%o, claims %o: %i', async (argv, claims, code) => {
    expect((await verify([...argv, await tokenOf(claims)])).code).toBe(code);
  });

  it('3: a decision that cannot be made, which is not a refusal', async () => {
    await save({ keySets: [{ issuer: 'i', jwksUrl: 'http://127.0.0.1:1/', allowHttp: true }] });
    const { code, stdout, stderr } = await verify([await tokenOf()]);
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toContain('keySets[0]');
  });

  it.each<[title: string, argv: readonly string[], stderr: RegExp]>([
    ['no token', [], /expected a token/],
    ['an unknown route', ['--route', 'nobody', 'x'], /no route nobody; it has admin, partner/],
    ['rules that are not JSON', ['--claims', '{', 'x'], /not JSON/],
    ['invalid rules', ['--claims', '5', 'x'], /claims/],
    ['a rule that could never fail', ['--claims', '[]', 'x'], /claims/],
    ['both', ['--claims', '{}', '--route', 'admin', 'x'], /cannot be used with/],
    ['an empty time', ['--at', '', 'x'], /--at/],
    ['an unknown option', ['--audience', 'x', 'x'], /unknown option/],
    ['a missing file', ['-f', 'x.yaml', 'x'], /x\.yaml does not exist/],
  ])('2: misuse: %s', async (_, argv, stderr) => {
    const ended = await verify(argv);
    expect([ended.code, ended.stdout]).toEqual([2, '']);
    expect(ended.stderr).toMatch(stderr);
  });

  it('2: a rule that compares with a request, without a request', async () => {
    const { code, stdout } = await verify([
      '--claims',
      '{"sub":{"fromRequest":"params.id"}}',
      await tokenOf(),
    ]);
    expect([code, stdout]).toEqual([2, '']);
  });
});

describe('terminals', () => {
  const hostile = '\u001b]0;owned\u0007\u009b31m\u202e\u2028\u0000\r\nissuer   trusted';
  const moving = (text: string) => /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text.replaceAll('\n', ''));

  it('T-168: claims of a good token do not control it', async () => {
    const token = await tokenOf({ note: hostile, scope: [hostile], groups: [hostile], [hostile]: 1 });
    const { code, stdout } = await verify([token]);
    expect(code).toBe(0);
    expect(moving(stdout)).toBe(false);
    expect(stdout.split('\n').filter((line) => line.startsWith('issuer'))).toEqual(['issuer   i']);
  });

  it('T-168: messages about a bad token do not control it', async () => {
    for (const token of [
      hostile,
      await tokenOf({ iss: hostile }),
      await tokenOf({}, key, { kid: hostile, typ: hostile }),
    ]) {
      const { code, stderr } = await verify([token]);
      expect(code).toBe(1);
      expect(moving(stderr)).toBe(false);
    }
  });

  it('T-168: JSON does not control it, and has the same content', async () => {
    const { stdout } = await verify(['-o', 'json', await tokenOf({ note: '\u009b31m\u202e' })]);
    expect(moving(stdout)).toBe(false);
    expect(JSON.parse(stdout).claims.note).toBe('\u009b31m\u202e');
  });
});

describe('as a process', () => {
  async function exec(argv: readonly string[], stdin: string) {
    const program = fileURLToPath(new URL('./latchkey.ts', import.meta.url));
    const child = spawn(process.execPath, ['--conditions=source', '--no-warnings', program, ...argv], {
      cwd,
    });
    let stdout = '';
    child.stdout.on('data', (chunk) => {
      stdout += String(chunk);
    });
    child.stdin.end(stdin);
    const [code] = (await once(child, 'close')) as [number];
    return { code, stdout };
  }

  it('sets the exit code in a pipe, and ends at once', async () => {
    const good = await exec(['tokens', 'verify', '-o', 'json'], await tokenOf());
    expect([good.code, JSON.parse(good.stdout).verified]).toEqual([0, true]);
    const bad = await exec(['tokens', 'verify'], await tokenOf({}, stranger));
    expect([bad.code, bad.stdout]).toEqual([1, '']);
  });
});
