// `latchkey inspect`: the server of the page. Who may ask, what leaves it, and what it answers. A
// browser walks the page in `pnpm inspector:walk`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as send } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createAuthenticator } from '@latchkey/core';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from '../src/index.ts';
import { createAskedClock } from '../src/inspector/clock.ts';
import { type Inspector, serveInspector } from '../src/inspector/server.ts';
import { createTerminal } from './terminal.ts';

let key: SigningKey;
let inspector: Inspector;
let url: URL;
let secret: string;

beforeAll(async () => {
  key = await generateSigningKey('ES256', 'one');
});

beforeEach(async () => {
  const clock = createAskedClock();
  const authenticator = createAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: 'me',
    routes: { admin: { claims: { role: 'admin' } } },
    clock,
  });
  inspector = await serveInspector({ authenticator, clock, routes: ['admin'], file: 'service.yaml' }, 0);
  url = new URL(inspector.url);
  secret = url.hash.slice(1);
});
afterEach(() => inspector.close());

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A request as it is written: `fetch` would not send another Host. */
async function sent({ method = 'GET', path = '/', headers = {}, body }: Sent) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly status: number | undefined;
    readonly headers: NodeJS.Dict<string | string[]>;
    readonly text: string;
  }>();
  const request = send({ host: '127.0.0.1', port: url.port, method, path, headers }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
  });
  request.on('error', reject);
  request.end(body);
  return promise;
}

const asked = (path: string, question: unknown, headers: Readonly<Record<string, string>> = {}) =>
  sent({
    method: 'POST',
    path,
    body: typeof question === 'string' ? question : JSON.stringify(question),
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json', ...headers },
  });

const now = () => Math.floor(Date.now() / 1000);
const tokenOf = (claims: object = {}) =>
  mint(key, { iss: 'i', aud: 'me', sub: 'alice', exp: now() + 300, ...claims });

describe('who may ask', () => {
  it.each([
    'evil.example',
    '127.0.0.1',
    'localhost',
    'localhost.evil.example:PORT',
    '[::1]:PORT',
    '0.0.0.0:PORT',
  ])('the name %s is not served, so that no site reaches the page by DNS', async (host) => {
    const headers = { host: host.replace('PORT', url.port) };
    for (const path of ['/', '/state', '/page.js'])
      expect(await sent({ path, headers })).toMatchObject({ status: 421 });
    expect((await asked('/explain', { token: await tokenOf() }, headers)).text).not.toContain('explanation');
  });

  it.each(['127.0.0.1', 'LOCALHOST'])('the name %s is served', async (name) => {
    expect(await sent({ headers: { host: `${name}:${url.port}` } })).toMatchObject({ status: 200 });
  });

  it('data needs the secret of the URL, which is new at each start', async () => {
    expect(secret).toMatch(/^[\w-]{43}$/);
    const other = await serveInspector(
      {
        authenticator: createAuthenticator({
          keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
          audience: 'me',
        }),
        clock: createAskedClock(),
        routes: [],
        file: 'x',
      },
      0,
    );
    expect(other.url).not.toContain(secret);
    await other.close();
    for (const authorization of ['', 'Bearer', `Bearer ${secret.slice(1)}`, secret, `bearer ${secret}`])
      for (const path of ['/state', '/explain'])
        expect(await asked(path, {}, { authorization })).toMatchObject({ status: 401 });
  });

  it('another site cannot send a question, even with the secret', async () => {
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ])
      expect(await asked('/state', {}, headers as Record<string, string>)).toMatchObject({ status: 403 });
    const own = { origin: `http://127.0.0.1:${url.port}`, 'sec-fetch-site': 'same-origin' };
    expect(await asked('/state', {}, own)).toMatchObject({ status: 200 });
  });

  it('a form of another site cannot send one either: questions are JSON', async () => {
    expect(await asked('/state', {}, { 'content-type': 'text/plain' })).toMatchObject({ status: 415 });
  });

  it('it listens on loopback only', () => {
    expect(url.hostname).toBe('127.0.0.1');
  });
});

describe('what leaves it', () => {
  it('the page loads nothing from elsewhere, is in no frame, and is kept nowhere', async () => {
    for (const path of ['/', '/page.js', '/page.css', '/mark.svg', '/none', '/state']) {
      const { headers } = await sent({ path });
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'content-security-policy':
          "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'cross-origin-resource-policy': 'same-origin',
      });
      expect(headers['access-control-allow-origin']).toBeUndefined();
    }
    const page = await sent({});
    // No code and no style in the page, and no other host.
    expect(page.text).not.toMatch(/<script>|\son\w+=|\sstyle=|https?:/);
    for (const path of ['/page.js', '/page.css']) {
      const { text } = await sent({ path });
      expect(text).not.toMatch(/https?:|innerHTML|localStorage|sessionStorage|document\.cookie/);
    }
    expect(page.text).not.toContain(secret);
  });

  it('no answer and no output has the token', async () => {
    const written = [process.stdout, process.stderr].map((stream) =>
      vi.spyOn(stream, 'write').mockImplementation(() => true),
    );
    const token = await tokenOf();
    const answers = await Promise.all([
      asked('/explain', { token }),
      asked('/explain', { token, route: 'admin' }),
      asked('/explain', { token, route: 'none' }),
      asked('/explain', `{ "token": "${token}`),
      asked(`/explain?token=${token}`, {}),
    ]);
    const printed = written.flatMap(({ mock }) => mock.calls.flat().map(String));
    for (const spy of written) spy.mockRestore();
    const [head = '', claims = '', signature = ''] = token.split('.');
    for (const text of [...answers.map((one) => one.text), ...printed])
      for (const part of [head, claims, signature]) expect(text).not.toContain(part);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 400, 404]);
  });
});

describe('what it answers', () => {
  const explained = async (question: object) => JSON.parse((await asked('/explain', question)).text);

  it('the same as explain: each check, with what was expected and what the token has', async () => {
    const token = await tokenOf({ role: 'dev' });
    const { explanation, content } = await explained({ token, route: 'admin' });
    expect(explanation).toMatchObject({
      allowed: false,
      status: 403,
      code: 'claims_insufficient',
      verified: true,
    });
    expect(explanation.checks).toContainEqual(
      expect.objectContaining({ about: 'role', outcome: 'failed', actual: '"dev"', expected: '"admin"' }),
    );
    expect(content.claims).toMatchObject({ sub: 'alice', role: 'dev' });
    expect((await explained({ token })).explanation).toMatchObject({ allowed: true, status: 200 });
  });

  it('as at a time, and each question at its own, also at once', async () => {
    const token = await tokenOf({ exp: now() + 300 });
    const later = Date.now() + 3_600_000;
    const all = await Promise.all([{ token }, { token, at: later }, { token }].map(explained));
    expect(all.map(({ explanation }) => explanation.code)).toEqual([undefined, 'token_expired', undefined]);
  });

  it.each(['Bearer ', 'Authorization: Bearer ', 'DPoP ', '\n  '])('a token after %j', async (before) => {
    const { explanation } = await explained({ token: `${before}${await tokenOf()}\n` });
    expect(explanation.allowed).toBe(true);
  });

  it('a text that is not a token is refused, and has no content', async () => {
    expect(await explained({ token: 'x' })).toEqual({
      explanation: expect.objectContaining({ allowed: false, code: 'token_malformed' }),
    });
  });

  it('the state of the keysets, and the names of the routes', async () => {
    const state = JSON.parse((await asked('/state', {})).text);
    expect(state).toMatchObject({
      file: 'service.yaml',
      routes: ['admin'],
      keysets: [{ issuer: 'i', kids: ['one'] }],
    });
    expect(JSON.stringify(state)).not.toContain('"x"');
  });

  it.each([
    ['a long body', () => asked('/explain', { token: 'x'.repeat(131_072) }), 413],
    ['no question', () => asked('/explain', 'null'), 400],
    ['a token that is a number', () => asked('/explain', { token: 1 }), 400],
    ['a route that is not there', () => asked('/explain', { token: 'x', route: '__proto__' }), 400],
    ['a time that is a string', () => asked('/explain', { token: 'x', at: '1' }), 400],
    ['another path', () => asked('/../package.json', {}), 404],
    ['another method', () => sent({ path: '/state' }), 405],
    ['a POST of the page', () => asked('/', {}), 405],
  ])('refuses %s', async (_what, act, status) => {
    expect((await act()).status).toBe(status);
  });
});

describe('the command', () => {
  it('prints the URL, serves the page, and ends at a signal', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'latchkey-inspect-'));
    const keySets = [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }];
    writeFileSync(
      join(cwd, 'service.yaml'),
      JSON.stringify({ service: { jwt: { keySets, audience: 'me' } } }),
    );
    const cli = fileURLToPath(new URL('latchkey.ts', import.meta.url));
    const child = spawn(process.execPath, ['--conditions=source', cli, 'inspect'], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
      const printed = new URL(String(line).trim());
      expect(printed.hostname).toBe('127.0.0.1');
      const page = await fetch(printed);
      expect(await page.text()).toContain('<h1>Latchkey inspector</h1>');
      child.kill('SIGTERM');
      expect(await once(child, 'exit')).toEqual([0, null]);
    } finally {
      child.kill('SIGKILL');
      rmSync(cwd, { recursive: true });
    }
  });

  it.each([
    [['inspect', 'eyJ.x.y'], 'too many arguments'],
    [['inspect', '--port', '70000'], '--port: expected a number up to 65535'],
    [['inspect'], 'service.yaml'],
  ])('%j is refused', async (argv, message) => {
    const { terminal, stderr } = createTerminal({ cwd: '/nowhere' });
    expect(await run(argv, terminal)).toBe(2);
    expect(stderr()).toContain(message);
  });
});
