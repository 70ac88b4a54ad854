// `latchkey import --endpoint`: one endpoint of a KrakenD file whose validators differ.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { run } from '../../src/index.ts';
import { createTerminal } from '../terminal.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'latchkey-import-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const endpoint = (path: string, validator: object, method = 'GET') => ({
  endpoint: path,
  method,
  extra_config: { 'auth/validator': { alg: 'RS256', audience: ['api'], ...validator } },
});
const KRAKEND = {
  version: 3,
  endpoints: [
    endpoint('/a', { jwk_url: 'https://a.example/jwks', issuer: 'https://a.example', cookie_key: 'a' }),
    endpoint('/b', { jwk_url: 'https://b.example/jwks', cookie_key: 'b' }),
    endpoint('/b', { jwk_url: 'https://c.example/jwks', cookie_key: 'c' }, 'POST'),
  ],
};

async function imported(line: string, source: object = KRAKEND) {
  writeFileSync(join(cwd, 'krakend.json'), JSON.stringify(source, null, 2));
  const { terminal, stdout, stderr } = createTerminal({ cwd, env: {} });
  const code = await run(['import', 'krakend.json', ...line.split('|').filter(Boolean)], terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

it('a refusal of endpoints that do not fit together names --endpoint', async () => {
  expect(await imported('')).toMatchObject({ code: 2, stderr: expect.stringContaining('--endpoint') });
  const sameKeys = { jwk_url: 'https://a.example/jwks', issuer: 'https://a.example', cookie_key: 'another' };
  const { code, stderr } = await imported('', {
    endpoints: [KRAKEND.endpoints[0], endpoint('/c', sameKeys)],
  });
  expect({ code, stderr }).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/cookie_key.*--endpoint/),
  });
});

it('imports one endpoint by itself', async () => {
  const one = await imported('--endpoint|/a');
  expect(one).toMatchObject({ code: 0, stdout: expect.stringContaining('https://a.example/jwks') });
  expect(one.stdout).not.toContain('b.example');
  const post = await imported('--endpoint|POST /b');
  expect(post).toMatchObject({ code: 0, stdout: expect.stringContaining('https://c.example/jwks') });
  expect(await imported('--endpoint|/b')).toMatchObject({ code: 2 });
  expect(await imported('--endpoint|/nope')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/no endpoint .*it has GET \/a, GET \/b, POST \/b/),
  });
});

it('is for KrakenD', async () => {
  writeFileSync(join(cwd, 'okera.yaml'), 'ENABLE_JWT: true\n');
  const { terminal, stderr } = createTerminal({ cwd, env: {} });
  expect(await run(['import', 'okera', 'okera.yaml', '--endpoint', '/a'], terminal)).toBe(2);
  expect(stderr()).toContain('--endpoint is for KrakenD');
});
