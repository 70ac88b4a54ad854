// `latchkey explain`: the output and the exit codes. Core tests that explanations are correct.
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Explanation } from '@latchkey/core';
import { forge, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
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
  cwd = await mkdtemp(join(tmpdir(), 'latchkey-explain-'));
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  await save();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(cwd, { recursive: true });
});

async function save(jwt: Readonly<Record<string, unknown>> = {}, name = 'service.yaml'): Promise<void> {
  const keySets = [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }];
  const routes = { admin: { claims: { role: 'admin' } } };
  await writeFile(
    join(cwd, name),
    JSON.stringify({ service: { jwt: { keySets, audience: 'me', routes, ...jwt } } }),
  );
}

const now = () => Math.floor(Date.now() / 1000);
const tokenOf = (claims: Parameters<typeof mint>[1] = {}, by = key) =>
  mint(by, { iss: 'i', aud: 'me', sub: 'alice', exp: now() + 300, ...claims });

async function latchkey(argv: readonly string[], more: Partial<TerminalOptions> = {}) {
  const { terminal, stdout, stderr } = createTerminal({ cwd, ...more });
  const code = await run(argv, terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

const explain = (argv: readonly string[], stdin?: string) => latchkey(['explain', ...argv], { stdin });
const headOf = (token: string) =>
  `GET /orders?a=b HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer ${token}\r\n\r\n`;

describe('exit codes', () => {
  it('0 for a request that is allowed, and the whole decision on stdout', async () => {
    const { code, stdout, stderr } = await explain([], await tokenOf());
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^✓ form: the token/);
    expect(stdout).toMatch(/✓ keys: the signature .* signed by keySets\[0\]/);
    expect(stdout).toMatch(/\n {4}✓ keySets\[0\] .*\n {8}✓ key one .* has signed it\n/);
    expect(stdout).not.toContain('UNVERIFIED');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('allowed');
  });

  it.each<[title: string, argv: readonly string[], claims: Parameters<typeof mint>[1], last: RegExp]>([
    ['expired', [], { exp: 1 }, /^refused: 401 token_expired/],
    ['for another audience', [], { aud: 'you' }, /^refused: 401 token_audience_mismatch/],
    [
      'a rule',
      ['--claims', '{"role":"admin"}'],
      {},
      /^refused: 403 claims_insufficient \(the token has no claim role/,
    ],
    ['a scope', ['--claims', '{"scope":["write"]}'], {}, /^refused: 403 scope_insufficient/],
    ['a route', ['--route', 'admin'], {}, /^refused: 403 claims_insufficient/],
  ])('1 for a request that is refused: %s', async (_, argv, claims, last) => {
    const { code, stdout, stderr } = await explain(argv, await tokenOf(claims));
    expect([code, stderr]).toEqual([1, '']);
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(last);
    expect(stdout).toContain('✗');
  });

  it('3 for a decision that cannot be made', async () => {
    await save({ keySets: [{ issuer: 'i', jwksUrl: 'http://127.0.0.1:1/', allowHttp: true }] });
    const { code, stdout } = await explain([await tokenOf()]);
    expect(code).toBe(3);
    expect(stdout).toMatch(/\? keys: the signature/);
    expect(stdout).toMatch(/refused: 503 keyset_unavailable/);
  });

  it.each<[title: string, argv: readonly string[], stderr: RegExp]>([
    ['no token', [], /expected a token/],
    ['an unknown route', ['--route', 'nobody', 'x'], /no route nobody; it has admin/],
    ['rules that are not JSON', ['--claims', '{', 'x'], /--claims is not JSON/],
    ['invalid rules', ['--claims', '{"a":{"b":1}}', 'x'], /claims\.a/],
    ['access that is not JSON', ['--access', '{', 'x'], /--access is not JSON/],
    ['unknown access', ['--access', '{"role":"admin"}', 'x'], /access\.role/],
    ['a resource that is not there', ['--access', '{"resource":"a"}', 'x'], /access\.resource: the options/],
    ['access and a route', ['--access', '{}', '--route', 'admin', 'x'], /cannot be used with/],
    ['access and rules', ['--access', '{}', '--claims', '{}', 'x'], /cannot be used with/],
    ['rules and a route', ['--claims', '{}', '--route', 'admin', 'x'], /cannot be used with/],
    ['an invalid time', ['--at', 'soon', 'x'], /--at: expected a time/],
    ['a missing file', ['-f', 'other.yaml', 'x'], /other\.yaml does not exist/],
    ['an unknown format', ['-o', 'xml', 'x'], /text, json/],
    ['a missing request', ['--request', 'none.txt'], /none\.txt is not a request/],
    ['two tokens', ['a', 'b'], /too many arguments/],
  ])('2 for misuse: %s', async (_, argv, stderr) => {
    const ended = await explain(argv);
    expect([ended.code, ended.stdout]).toEqual([2, '']);
    expect(ended.stderr).toMatch(stderr);
  });

  it('2 for a wrong descriptor, with the place', async () => {
    await writeFile(join(cwd, 'service.yaml'), 'service:\n  jwt:\n    audiance: x\n');
    const { code, stderr } = await explain(['x']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/service\.yaml:3:5: audiance: unknown option/);
  });
});

describe('arguments', () => {
  it('T-167: a token on stdin, which is not in the list of processes', async () => {
    const token = await tokenOf();
    expect((await explain([], `${token}\n`)).code).toBe(0);
    expect((await explain(['-'], `  ${token}  \n`)).code).toBe(0);
  });

  it('--at: decides as at that time', async () => {
    const token = await tokenOf({ exp: 1_700_000_000 });
    expect((await explain([token])).code).toBe(1);
    const { code, stdout } = await explain(['--at', '2023-11-14T22:00:00Z', token]);
    expect(code).toBe(0);
    expect(stdout).toContain('2023-11-14T22:00:00.000Z');
  });

  it('--access must be satisfied too, with each requirement in the output', async () => {
    const access = ['--access', '{"audience":"orders","acr":["mfa"],"claims":{"role":"admin"}}'];
    const good = await explain(access, await tokenOf({ aud: ['me', 'orders'], acr: 'mfa', role: 'admin' }));
    expect(good.code).toBe(0);
    const bad = await explain(access, await tokenOf({ acr: 'mfa', role: 'admin' }));
    expect(bad.code).toBe(1);
    expect(bad.stdout).toMatch(/✗ route: aud .*expected: one of \["orders"\] .*token_audience_mismatch/);
    expect(bad.stdout).toMatch(/✓ route: acr/);
    const request = await explain([...access, '--request', '-'], headOf(await tokenOf()));
    expect([request.code, request.stdout]).toEqual([1, expect.stringContaining('✗ route: acr')]);
  });

  it('--route and --claims must be satisfied too', async () => {
    const token = await tokenOf({ role: 'admin' });
    expect((await explain(['--route', 'admin', token])).code).toBe(0);
    expect((await explain(['--claims', '{"role":"admin"}', token])).code).toBe(0);
    expect((await explain(['--claims', '{"role":"root"}', token])).code).toBe(1);
  });

  it('-f and --secrets: another descriptor, and its directory of secrets', async () => {
    await save({ audience: 'you' }, 'other.yaml');
    expect((await explain(['-f', 'other.yaml', await tokenOf({ aud: 'you' })])).code).toBe(0);
  });

  it('S33: variables are those of the terminal', async () => {
    await save({ audience: '${AUDIENCE}' });
    const token = await tokenOf({ aud: 'orders' });
    expect((await latchkey(['explain', token], { env: { AUDIENCE: 'orders' } })).code).toBe(0);
    const { code, stderr } = await explain([token]);
    expect(code).toBe(2);
    expect(stderr).toContain('the variable AUDIENCE is not set');
  });
});

describe('--request', () => {
  it.each<[title: string, make: (token: string) => string]>([
    ['as HTTP/1.1 writes it', headOf],
    ['with plain line ends', (token) => headOf(token).replaceAll('\r', '')],
    ['with a body, which is not read', (token) => `${headOf(token)}Authorization: Bearer x\r\n`],
    ['without a version', (token) => `GET /\nAuthorization: Bearer ${token}`],
    [
      'as curl -v shows it',
      (token) =>
        headOf(token)
          .trimEnd()
          .split('\n')
          .map((line) => `> ${line}`)
          .join('\n'),
    ],
  ])('%s', async (_, make) => {
    await writeFile(join(cwd, 'request.txt'), make(await tokenOf()));
    const { code, stdout } = await explain(['--request', 'request.txt']);
    expect(stdout).toMatch(/^✓ credentials: the request/);
    expect(code).toBe(0);
    expect((await explain(['--request', '-'], make(await tokenOf({ exp: 1 })))).code).toBe(1);
  });

  it.each<[title: string, make: (token: string) => string, code: string]>([
    ['none', () => 'GET / HTTP/1.1\r\nHost: x\r\n', 'credentials_missing'],
    [
      'a header twice',
      (token) => headOf(token).replace('Host: ', 'Authorization: Bearer x\r\nHost: '),
      'credentials_',
    ],
    ['another scheme', (token) => headOf(token).replace('Bearer', 'Basic'), 'credentials_'],
  ])('a token that is not found: %s', async (_, make, expected) => {
    const { code, stdout } = await explain(['--request', '-'], make(await tokenOf()));
    expect(code).toBe(1);
    expect(stdout).toMatch(new RegExp(`refused: 40[01] ${expected}`));
  });

  it('all decisions that depend on a request: places, cookies, origins, and rules that compare with it', async () => {
    await save({ tokenFrom: [{ cookie: 'token' }] });
    const token = await tokenOf();
    const request = (method: string, more = '') =>
      `${method} / HTTP/1.1\r\nHost: us.example\r\nCookie: a=b\r\nCookie: token=${token}\r\n${more}\r\n`;
    expect((await explain(['--request', '-'], request('GET'))).code).toBe(0);
    const { code, stdout } = await explain(
      ['--request', '-'],
      request('POST', 'Origin: https://evil.example\r\n'),
    );
    expect(code).toBe(1);
    expect(stdout).toContain('origin_refused');
    const rules = JSON.stringify({ sub: { fromRequest: 'headers.x-user' } });
    const asked = (user: string) =>
      explain(['--request', '-', '--claims', rules], request('GET', `X-User: ${user}\r\n`));
    expect([(await asked('alice')).code, (await asked('bob')).code]).toEqual([0, 1]);
  });

  it.each<[title: string, text: string]>([
    ['nothing', ''],
    ['a word', 'hello'],
    ['an answer', 'HTTP/1.1 200 OK\r\n'],
    ['a line that is not a header', 'GET / HTTP/1.1\r\nwhat is this\r\n'],
    ['a folded header', 'GET / HTTP/1.1\r\nA: b\r\n c\r\n'],
    ['a name with a space', 'GET / HTTP/1.1\r\nA : b\r\n'],
  ])('a text that is not a request is misuse: %s', async (title, text) => {
    const ended = await explain(['--request', '-'], text);
    // A status line has the form of a request line; it is refused because it has no method.
    if (title === 'an answer') expect(ended.code).not.toBe(0);
    else expect([ended.code, ended.stdout]).toEqual([2, '']);
  });

  it('as curl -v writes it, with its last empty line', async () => {
    const lines = ['GET / HTTP/1.1', 'Host: localhost', 'User-Agent: curl/8.14.1', 'Accept: */*'];
    const text = [...lines, `Authorization: Bearer ${await tokenOf()}`, '']
      .map((line) => `> ${line}`)
      .join('\n');
    expect((await explain(['--request', '-'], text)).code).toBe(0);
    expect((await explain(['--request', '-'], text.trimEnd())).code).toBe(0);
  });

  it('a token next to --request is misuse', async () => {
    expect((await explain(['--request', '-', await tokenOf()], headOf(await tokenOf()))).code).toBe(2);
  });
});

describe('output', () => {
  it('-o json: the explanation in the format of the library', async () => {
    const { code, stdout } = await explain(['-o', 'json', await tokenOf({ aud: 'you' })]);
    const explanation = JSON.parse(stdout) as Explanation;
    expect(code).toBe(1);
    expect(explanation).toMatchObject({
      allowed: false,
      status: 401,
      code: 'token_audience_mismatch',
      verified: true,
    });
    expect(explanation.checks).toContainEqual(
      expect.objectContaining({
        about: 'aud',
        outcome: 'failed',
        expected: 'one of ["me"]',
        actual: '"you"',
      }),
    );
  });

  it('T-169: claims without a trusted signature are marked UNVERIFIED', async () => {
    for (const token of [await tokenOf({}, stranger), await tokenOf({ iss: 'nobody' }, stranger)]) {
      const { code, stdout } = await explain([token]);
      expect(code).toBe(1);
      expect(stdout).toContain('UNVERIFIED');
    }
    // These tokens cannot be parsed, so no claims are shown.
    for (const token of ['x', forge({ header: { alg: 'none' }, payload: { iss: 'i' } })])
      expect((await explain([token])).stdout).not.toMatch(/✓ (?:registered claims|claims)/);
    const { stdout } = await explain(['-o', 'json', await tokenOf({}, stranger)]);
    expect(JSON.parse(stdout)).toMatchObject({ verified: false });
  });

  it('T-168: no part of a token controls the terminal', async () => {
    const hostile = '\u001b]0;owned\u0007\u009b31m\u202e\u2028\u0000\r\n✓ allowed';
    const token = await tokenOf({
      [hostile]: hostile,
      sub: hostile,
      iss: hostile,
      role: hostile,
      aud: hostile,
    });
    const signed = await tokenOf({ role: hostile });
    for (const each of [token, signed, hostile]) {
      const { stdout, stderr } = await latchkey(['explain', '--route', 'admin', each], {
        env: { NO_COLOR: '1' },
        isTTY: true,
      });
      const printed = `${stdout}${stderr.replaceAll('\r\u001b[K', '')}`;
      expect(printed.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      expect(stdout.split('\n').filter((line) => line.startsWith('✓ allowed'))).toEqual([]);
    }
  });

  it('T-168: no part of a token controls the terminal as JSON', async () => {
    const { stdout } = await explain([
      '-o',
      'json',
      await tokenOf({ role: '\u009b31m\u202e' }),
      '--route',
      'admin',
    ]);
    expect(stdout).not.toMatch(/\u009b|\u202e/);
    expect(stdout).toContain('\\u202e');
  });

  it('T-167: no token, signature or key, for any outcome', async () => {
    const token = await tokenOf({ exp: 1 });
    for (const argv of [
      [token],
      ['-o', 'json', token],
      ['--route', 'nobody', token],
      ['-f', 'none', token],
    ]) {
      const { stdout, stderr } = await explain(argv);
      for (const part of [token, ...token.split('.')]) expect(`${stdout}${stderr}`).not.toContain(part);
      expect(stdout).not.toContain(createHash('sha256').update(token).digest('base64url'));
    }
  });

  it('colour only on a terminal', async () => {
    const token = await tokenOf();
    expect((await explain([token])).stdout).not.toContain('\u001b');
    expect((await latchkey(['explain', token], { isTTY: true })).stdout).toContain('\u001b[');
    expect(
      (await latchkey(['explain', token], { isTTY: true, env: { NO_COLOR: '1' } })).stdout,
    ).not.toContain('\u001b');
    expect((await latchkey(['explain', '-o', 'json', token], { isTTY: true })).stdout).not.toContain(
      '\u001b',
    );
  });
});
