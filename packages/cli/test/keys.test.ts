// `latchkey keys`: the deprecated list works, and warns each time that it is deprecated.
import { execFile } from 'node:child_process';
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type AuthenticatorOptions, createAuthenticator, createDirectoryStore } from '@latchkey/core';
import { parseDescriptor } from '@latchkey/core/tools';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { createTerminal } from './terminal.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'latchkey-keys-'));
  put('service.yaml', DESCRIPTOR);
});
afterEach(() => rmSync(cwd, { recursive: true }));

const DESCRIPTOR = 'name: s\nservice:\n  jwt:\n    # empty so far\n    keySets: []\n';
const put = (path: string, text: string | Uint8Array) => {
  mkdirSync(dirname(join(cwd, path)), { recursive: true });
  writeFileSync(join(cwd, path), text);
};
const read = (path = 'service.yaml') => readFileSync(join(cwd, path), 'utf8');
const keys = () =>
  parseDescriptor(read(), 'service.yaml').jwt.keys as NonNullable<AuthenticatorOptions['keys']>;

async function latchkey(line: string) {
  const { terminal, stdout, stderr } = createTerminal({ cwd });
  const code = await run(
    line.split(' ').filter((word) => word !== ''),
    terminal,
  );
  return { code, stdout: stdout(), stderr: stderr() };
}

describe('generate', () => {
  it.each(['HS256', 'HS384', 'HS512', 'RS256', 'ES256', 'ES384', 'ES512', 'EdDSA'])(
    'AK-37 %s makes a fitting secret, and a key that refers to it',
    async (algorithm) => {
      const { code, stdout, stderr } = await latchkey(
        `keys generate s --key-id k --algorithm ${algorithm} --issuer i`,
      );
      expect({ code, stderr }).toMatchObject({ code: 0 });
      expect(keys()).toEqual([{ keyId: 'k', issuer: 'i', algorithm, secret: { name: 'k' } }]);
      const secrets = createDirectoryStore(join(cwd, 'secrets'));
      const authenticator = createAuthenticator({ keySets: [], keys: keys(), audience: null, secrets });
      await authenticator.ready();
      expect(authenticator.report().keysets[0]?.kids).toEqual(['k']);
      await authenticator.close();
      const entries = algorithm.startsWith('HS') ? ['secret.key'] : ['private.key', 'public.key'];
      for (const entry of entries) {
        expect(statSync(join(cwd, 'secrets/k', entry)).mode & 0o777).toBe(0o600);
        const bytes = readFileSync(join(cwd, 'secrets/k', entry));
        for (const form of ['latin1', 'hex', 'base64', 'base64url'] as const)
          expect(stdout + stderr).not.toContain(bytes.toString(form).slice(30, 60));
      }
    },
  );

  it('AK-37 writes bytes of at least the length of the hash, or PKCS#8 and SubjectPublicKeyInfo', async () => {
    await latchkey('keys generate --key-id h --algorithm HS512');
    expect(readFileSync(join(cwd, 'secrets/h/secret.key'))).toHaveLength(64);
    await latchkey('keys generate --key-id e --algorithm ES256');
    expect(read('secrets/e/private.key')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    const half = createPublicKey(createPrivateKey(read('secrets/e/private.key'))).export({
      type: 'spki',
      format: 'pem',
    });
    expect(read('secrets/e/public.key')).toBe(half);
  });

  it('AK-37 requires a key id that no other key has', async () => {
    expect(await latchkey('keys generate')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--key-id'),
    });
    await latchkey('keys generate --key-id k');
    const before = read();
    const again = await latchkey('keys generate --key-id k --secret other');
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('another key has the id k') });
    expect(read()).toBe(before);
    expect(existsSync(join(cwd, 'secrets/other'))).toBe(false);
  });

  it('AK-37 makes a new secret, and replaces an existing one only with --force', async () => {
    put('secrets/k/private.key', 'old');
    expect(await latchkey('keys generate --key-id k')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--force'),
    });
    expect(read()).toBe(DESCRIPTOR);
    expect(read('secrets/k/private.key')).toBe('old');
    expect(await latchkey('keys generate --key-id k --force')).toMatchObject({ code: 0 });
    expect(existsSync(join(cwd, 'secrets/k/private.key'))).toBe(false);
    expect(existsSync(join(cwd, 'secrets/k/secret.key'))).toBe(true);
  });

  it.each(['HMD5', 'HS224'])(
    'D1 D2 makes a key for %s only with --unsafe-legacy and an issuer, and writes the option',
    async (algorithm) => {
      for (const line of ['', '--issuer i', '--unsafe-legacy']) {
        const refused = await latchkey(`keys generate --key-id k --algorithm ${algorithm} ${line}`);
        expect(refused, line).toMatchObject({
          code: 2,
          stderr: expect.stringContaining('--unsafe-legacy with --issuer'),
        });
      }
      expect(read()).toBe(DESCRIPTOR);
      expect(
        await latchkey(`keys generate --key-id k --algorithm ${algorithm} --issuer i --unsafe-legacy`),
      ).toMatchObject({
        code: 0,
        stderr: expect.stringContaining(`Latchkey verifies ${algorithm} and does not sign it`),
      });
      expect(keys()).toMatchObject([{ algorithm, unsafeLegacyAlgorithms: [algorithm] }]);
      expect(
        await latchkey('keys generate --key-id l --algorithm HS256 --issuer i --unsafe-legacy'),
      ).toMatchObject({ code: 2 });
    },
  );

  it('keeps the content of the file', async () => {
    await latchkey('keys generate --key-id k');
    expect(read()).toBe(
      `${DESCRIPTOR}    keys:\n    - keyId: k\n      algorithm: HS256\n      secret:\n        name: k\n`,
    );
  });
});

describe('add', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();

  it('AK-38 refers to an existing secret', async () => {
    put('secrets/p/public.key', publicPem);
    expect(await latchkey('keys add s --key-id k --algorithm ES256 --secret p')).toMatchObject({ code: 0 });
    expect(keys()).toEqual([{ keyId: 'k', algorithm: 'ES256', secret: { name: 'p' } }]);
  });

  it('AK-38 refuses a secret that is missing, or does not fit the algorithm', async () => {
    put('secrets/p/public.key', publicPem);
    put('secrets/p/private.key', privatePem);
    put('secrets/short/secret.key', 'x'.repeat(31));
    put('secrets/swapped/public.key', privatePem);
    put('secrets/two/private.key', privatePem);
    put(
      'secrets/two/public.key',
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }),
    );
    for (const line of [
      'ES256 --secret none',
      'HS256 --secret p',
      'RS256 --secret p',
      'ES384 --secret p',
      'HS256 --secret short',
      'ES256 --secret swapped',
      'ES256 --secret two',
      'HS256 --secret ../p',
    ]) {
      const refused = await latchkey(`keys add --key-id k --algorithm ${line}`);
      expect(refused, line).toMatchObject({ code: 2, stdout: '' });
      expect(refused.stderr).not.toMatch(/BEGIN|xxxx/);
    }
    expect(read()).toBe(DESCRIPTOR);
  });

  it('S20 accepts a private key without a public key, and notes that it only signs', async () => {
    put('secrets/p/private.key', privatePem);
    const added = await latchkey('keys add --key-id k --algorithm ES256 --secret p');
    expect(added).toMatchObject({ code: 0, stderr: expect.stringContaining('does not verify') });
  });
});

describe('list', () => {
  it('AK-36 D14 prints secrets only as JSON, with a warning, and not with --redact', async () => {
    await latchkey('keys generate --key-id h --issuer i');
    await latchkey('keys generate --key-id e --algorithm EdDSA');
    const secretKey = readFileSync(join(cwd, 'secrets/h/secret.key')).toString('base64');
    const { stdout: text, stderr: quiet } = await latchkey('jwts list s');
    expect(text).toBe(
      'KEY ID   ISSUER   ALGORITHM   SECRET\nh        i        HS256       h\ne        -        EdDSA       e\n',
    );
    expect(quiet).not.toContain('in the clear');
    const { stdout, stderr } = await latchkey('jwts list s -o json');
    expect(stderr).toContain('in the clear');
    expect(JSON.parse(stdout)).toEqual([
      { keyId: 'h', issuer: 'i', algorithm: 'HS256', secret: { name: 'h', secretKey } },
      {
        keyId: 'e',
        algorithm: 'EdDSA',
        secret: {
          name: 'e',
          privateKey: read('secrets/e/private.key'),
          publicKey: read('secrets/e/public.key'),
        },
      },
    ]);
    const redacted = await latchkey('jwts list s -o json --redact');
    expect(JSON.parse(redacted.stdout)).toEqual(keys());
    expect(redacted.stderr).not.toContain('in the clear');
  });

  it('names a missing secret', async () => {
    put(
      'service.yaml',
      'service:\n  jwt:\n    keys:\n    - keyId: k\n      algorithm: HS256\n      secret: { name: gone }\n',
    );
    const { code, stdout, stderr } = await latchkey('keys list -o json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(keys());
    expect(stderr).toContain('the secret gone does not exist');
  });

  it('AK-31 S1 warns each time that it is deprecated, under every name', async () => {
    for (const name of ['keys', 'jwts', 'jwt', 'service jwts', 'services jwt', 'services keys'])
      expect(await latchkey(`${name} list s`)).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/deprecated.*jwks migrate/),
      });
  });
});

it('prints no other warning in a separate process', async () => {
  const program = join(import.meta.dirname, 'latchkey.ts');
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [
      '--conditions=source',
      program,
      'jwts',
      'generate',
      '--key-id',
      'k',
      '--algorithm',
      'HMD5',
      '--issuer',
      'i',
      '--unsafe-legacy',
    ],
    { cwd },
  );
  expect(stdout).toBe('');
  expect(stderr.trim().split('\n')).toHaveLength(3);
});
