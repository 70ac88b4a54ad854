// Imports of Okera's settings: the descriptor equals the options that core reads from them.
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createAuthenticator, type JsonObject } from '@latchkey/core';
import { initAuthDirectory, loadEnvironmentStart } from '@latchkey/core/own-keys';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { decides, hour, importData, importText, load, makeDirectory } from './imported.ts';

let first: SigningKey;
let second: SigningKey;
let stranger: SigningKey;
let directory: string;

const at = (name: string) => join(directory, name);
const lines = (settings: Readonly<Record<string, string>>) =>
  Object.entries({ CLUSTER_NAME: 'x', ...settings })
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('');
const token = (claims: JsonObject, by: SigningKey) =>
  mint(by, { sub: 'analyst', groups: ['analyst_group'], ...hour(), ...claims }, { kid: undefined });

beforeAll(async () => {
  directory = makeDirectory();
  [first, second, stranger] = [
    await generateSigningKey('RS256'),
    await generateSigningKey('RS512'),
    await generateSigningKey('RS256'),
  ];
  const write = (name: string, { privateKey }: SigningKey) =>
    writeFileSync(at(name), createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }));
  write('a.pub', first);
  write('b.pub', second);
  writeFileSync(at('system.token'), await token({ sub: 'okera', groups: ['root'] }, second));
});

const two = () => ({
  JWT_PUBLIC_KEY: `file://${at('a.pub')},${at('b.pub')}`,
  JWT_ALGORITHM: 'RSA256,RSA512',
  SYSTEM_TOKEN: `file://${at('system.token')}`,
});

describe('public keys', () => {
  it('OK-3 OK-10 OK-11 D16 S49 uses each key for its algorithm, and accepts the system only by its own key', async () => {
    const { authenticator } = load(await importText(lines(two())));
    expect(await decides(authenticator, await token({}, first))).toBe(200);
    expect(await decides(authenticator, await token({}, second))).toBe(200);
    expect(await decides(authenticator, await token({}, stranger))).toBe(401);
    expect(await decides(authenticator, await token({ sub: 'okera' }, second))).toBe(200);
    expect(await decides(authenticator, await token({ sub: 'okera' }, first))).toBe(401);
    const { sub: _sub, ...nobody } = { sub: '', ...hour() };
    expect(await decides(authenticator, await mint(first, nobody, { kid: undefined }))).toBe(401);
    const principal = await authenticator.verify(await token({ groups: ['root', 'a'] }, first));
    expect(principal.groups).toEqual(['a']);
    await authenticator.close();
  });

  it('equals the options that core reads from the settings', async () => {
    const settings = { ...two(), JWT_AUTHENTICATION_SERVER_URL: 'https://idp.example.com/validate' };
    const { options } = await loadEnvironmentStart({ environment: settings });
    const { allowHttp: _allowHttp, ...remote } = options.remote ?? { url: '' };
    const { jwt } = await importData(lines(settings));
    expect(jwt).toEqual(JSON.parse(JSON.stringify({ ...options, remote })));
  });

  it('S49 refuses different numbers of algorithms and keys, and values that are not paths', async () => {
    const counted = await importText(lines({ ...two(), JWT_ALGORITHM: 'RSA256' }));
    expect(counted).toMatchObject({ code: 2, stderr: expect.stringMatching(/source:3:\d+: JWT_ALGORITHM/) });
    expect((await importText(lines({ JWT_PUBLIC_KEY: 'keys/a.pub' }))).code).toBe(2);
    expect((await importText(lines({ ...two(), ENABLE_JWT: 'false' }))).code).toBe(2);
    expect((await importText(lines({ JWT_ALGORITHM: 'RSA256' }))).code).toBe(2);
  });

  it('adds a note if the key of the system cannot be determined', async () => {
    const { notes } = await importData(
      lines({ JWT_PUBLIC_KEY: '/not/here.pub', SYSTEM_TOKEN: '/not/here.token' }),
    );
    expect(notes.map(({ kind, text }) => `${kind} ${text}`).join()).toContain('check set system: true');
  });
});

describe('the remote endpoint', () => {
  it('OK-13 S50 tries the endpoint first, and then the keys', async () => {
    const server = createServer((request, response) => {
      const known = request.headers.authorization === 'Bearer remote';
      response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' });
      response.end(known ? '{"sub":"remote-user"}' : '{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/validate`;
    const both = load(await importText(lines({ ...two(), JWT_AUTHENTICATION_SERVER_URL: url })));
    expect((await both.authenticator.verify('remote')).subject).toBe('remote-user');
    expect(await decides(both.authenticator, await token({}, first))).toBe(200);
    expect(await decides(both.authenticator, await token({}, stranger))).toBe(401);
    const alone = load(await importText(lines({ JWT_AUTHENTICATION_SERVER_URL: url })));
    expect(await decides(alone.authenticator, 'remote')).toBe(200);
    expect(await decides(alone.authenticator, await token({}, first))).toBe(401);
    await Promise.all([both.authenticator.close(), alone.authenticator.close()]);
    await new Promise((resolve) => server.close(resolve));
  });

  it('D15 sends no token in clear, unless the settings allow it', async () => {
    const url = 'http://10.1.1.1:8080/validate';
    const safer = await importData(lines({ JWT_AUTHENTICATION_SERVER_URL: url }));
    expect(safer.jwt.remote).toEqual({ url: 'https://10.1.1.1:8080/validate' });
    expect(safer.notes).toContainEqual(
      expect.objectContaining({ kind: 'safer', path: 'JWT_AUTHENTICATION_SERVER_URL' }),
    );
    const said = await importData(
      lines({ JWT_AUTHENTICATION_SERVER_URL: url, JWT_AUTHENTICATION_SERVER_ALLOW_HTTP: 'true' }),
    );
    expect(said.jwt.remote).toEqual({ url, allowHttp: true });
    const placeholder = await importText(
      lines({ JWT_AUTHENTICATION_SERVER_URL: 'http://<ip>:<port>/<endpoint>' }),
    );
    expect(placeholder).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('JWT_AUTHENTICATION_SERVER_URL'),
    });
  });
});

describe('ENABLE_JWT alone', () => {
  it('OK-7 OK-15 makes no keys, and works after tokens init', async () => {
    const imported = await importText(lines({ ENABLE_JWT: 'true' }));
    expect(existsSync(join(imported.cwd, '.auth'))).toBe(false);
    expect(imported.stdout).toContain('latchkey tokens init');
    await initAuthDirectory({ directory: join(imported.cwd, '.auth') });
    const made = await loadEnvironmentStart({
      environment: { ENABLE_JWT: 'true' },
      directory: join(imported.cwd, '.auth'),
    });
    expect(JSON.parse(JSON.stringify(parse(imported.stdout).service.jwt))).toEqual(
      JSON.parse(JSON.stringify(made.options)),
    );
    await createAuthenticator(made.options).close();
  });

  it('OK-8 refuses settings that switch JWT off', async () => {
    expect((await importText(lines({ ENABLE_JWT: 'no' }))).code).toBe(2);
  });
});

describe('groups', () => {
  it('OK-19 names the settings of resolvers, but not their values', async () => {
    const { stdout, stderr } = await importText(
      lines({ ...two(), LDAP_BIND_PASSWORD: 'geheim', GROUP_RESOLVER_URL: 'https://people.example.com' }),
    );
    expect(stdout).toContain('LDAP_BIND_PASSWORD');
    expect(stdout).toContain('GROUP_RESOLVER_URL');
    expect(stdout + stderr).not.toContain('geheim');
  });

  it('ignores other settings of the file', async () => {
    const { stdout } = await importText(
      lines({ ...two(), S3_SECRET: generateKeyPairSync('ed25519').publicKey.type }),
    );
    expect(stdout).not.toContain('S3_SECRET');
  });
});
