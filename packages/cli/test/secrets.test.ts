// `latchkey secrets`: stores existing keys for descriptors. The seed's command lines, and refusals
// of weak keys, shared files and overwrites.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createAuthenticator, createDirectoryStore } from '@latchkey/core';
import { createSigner } from '@latchkey/core/signing';
import { beforeEach, describe, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { temporaryFolder } from './temporary.ts';
import { createTerminal } from './terminal.ts';

const SECRET = randomBytes(48).toString('base64');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');

let cwd: string;

beforeEach(() => {
  cwd = temporaryFolder('secrets');
});

async function latchkey(argv: readonly string[], stdin?: string | Uint8Array) {
  const { terminal, stdout, stderr } = createTerminal({ cwd, stdin });
  const code = await run(argv, terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

const at = (...path: string[]) => join(cwd, ...path);
const entry = (name: string, key: string) => readFileSync(at('secrets', name, key), 'utf8');
const put = (name: string, content: string | Buffer) => {
  writeFileSync(at(name), content, { mode: 0o600 });
  return name;
};

describe('secrets create symmetric', () => {
  it('AK-39 from a file', async () => {
    const { code, stdout, stderr } = await latchkey([
      'secrets',
      'create',
      'symmetric',
      'my-secret',
      '--secret-key',
      put('s.key', SECRET),
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe('Secret my-secret created: secret.key\n');
    expect(entry('my-secret', 'secret.key')).toBe(SECRET);
  });

  it('T-167 from standard input', async () => {
    const { code } = await latchkey(
      ['secrets', 'create', 'symmetric', 'my-secret', '--secret-key', '-'],
      `${SECRET}\n`,
    );
    expect(code).toBe(0);
    expect(entry('my-secret', 'secret.key')).toBe(`${SECRET}\n`);
  });

  it('AK-39 T-167 from the arguments, with a warning that does not repeat it', async () => {
    const { code, stdout, stderr } = await latchkey([
      'secrets',
      'create',
      'symmetric',
      's',
      '--secret-key-literal',
      SECRET,
    ]);
    expect(code).toBe(0);
    expect(entry('s', 'secret.key')).toBe(SECRET);
    expect(stderr).toMatch(/^warning: the secret was in the arguments/);
    expect(stdout + stderr).not.toContain(SECRET);
  });

  it.each([
    ['short', 'only-31-bytes-of-a-secret-here!', /has 31 bytes; HS256 needs at least 32/],
    ['no secret at all', 'a'.repeat(64), /fewer than 8 distinct bytes/],
    ['a public key', ed.publicKey.export({ type: 'spki', format: 'pem' }).toString(), /an encoded key/],
    ['empty', '', /empty/],
  ])('D19 D6 refuses one that is %s', async (_what, secret, reason) => {
    const { code, stderr } = await latchkey([
      'secrets',
      'create',
      'symmetric',
      's',
      '--secret-key',
      put('s', secret),
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(reason);
    expect(existsSync(at('secrets'))).toBe(false);
  });

  it.each([
    [[]],
    [['--secret-key', 's', '--secret-key-literal', SECRET]],
    [['--secret-key', 'not-there']],
    [['--secret-key', '.']],
  ])('refuses %j', async (options) => {
    const { code, stdout, stderr } = await latchkey(['secrets', 'create', 'symmetric', 's', ...options]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toContain(SECRET);
    expect(existsSync(at('secrets'))).toBe(false);
  });

  it.each(['../s', 'a/b', '.hidden', '', '..', 'a\u001b[31m'])(
    'T-167 refuses a path as a name: %j',
    async (name) => {
      const { code, stderr } = await latchkey([
        'secrets',
        'create',
        'symmetric',
        name,
        '--secret-key',
        put('s', SECRET),
      ]);
      expect(code).toBe(2);
      expect(stderr).toMatch(/letters, digits/);
      expect(readdirSync(cwd)).toEqual(['s']);
    },
  );
});

describe('secrets create asymmetric', () => {
  const pkcs8 = (pair: typeof rsa) => pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const spki = (pair: typeof rsa) => pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const forms: readonly (readonly [string, string, string])[] = [
    ['RSA, PKCS#8', pkcs8(rsa), spki(rsa)],
    [
      'RSA, PKCS#1',
      rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
      rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    ],
    ['ECDSA, PKCS#8', pkcs8(ec), spki(ec)],
    ['ECDSA, SEC 1', ec.privateKey.export({ type: 'sec1', format: 'pem' }).toString(), spki(ec)],
    ['Ed25519', pkcs8(ed), spki(ed)],
  ];

  it.each(forms)('AK-40 AK-41 S19 accepts a pair: %s', async (_form, privateKey, publicKey) => {
    const { code } = await latchkey([
      'secrets',
      'create',
      'asymmetric',
      'p',
      '--private-key',
      put('k', privateKey),
      '--public-key',
      put('k.pub', publicKey),
    ]);
    expect(code).toBe(0);
    expect([entry('p', 'private.key'), entry('p', 'public.key')]).toEqual([privateKey, publicKey]);
  });

  it.each(forms)('AK-40 S20 extracts the public half: %s', async (form, privateKey, publicKey) => {
    const { code } = await latchkey([
      'secrets',
      'create',
      'asymmetric',
      'p',
      '--private-key',
      put('k', privateKey),
      '--extract-public-key',
    ]);
    expect(code).toBe(0);
    const extracted = entry('p', 'public.key');
    expect(extracted).toMatch(/^-----BEGIN PUBLIC KEY-----/);
    if (!form.endsWith('PKCS#1')) expect(extracted).toBe(publicKey);
  });

  it('S20 S21 the secrets that it makes can sign and verify', async () => {
    await latchkey([
      'secrets',
      'create',
      'asymmetric',
      'pair',
      '--private-key',
      put('k', pkcs8(ec)),
      '--extract-public-key',
    ]);
    const secrets = createDirectoryStore(at('secrets'));
    const keys = [{ keyId: 'k', issuer: 'me', algorithm: 'ES256', secret: { name: 'pair' } }] as const;
    const signer = createSigner({ keys, secrets, expiresIn: '1h' });
    const authenticator = createAuthenticator({ keySets: [], keys, secrets, audience: null });
    const { claims } = await authenticator.verify(await signer.sign({ iss: 'me', sub: 'ada' }));
    expect(claims.sub).toBe('ada');
    await Promise.all([signer.close(), authenticator.close()]);
  });

  it('S20 one half of a pair is accepted, with a note', async () => {
    const signs = await latchkey([
      'secrets',
      'create',
      'asymmetric',
      'signs',
      '--private-key',
      put('k', pkcs8(ec)),
    ]);
    expect(signs).toMatchObject({ code: 0, stderr: expect.stringMatching(/only signs/) });
    expect(readdirSync(at('secrets', 'signs'))).toEqual(['private.key']);
    expect(
      (await latchkey(['secrets', 'create', 'asymmetric', 'v', '--public-key', put('p', spki(ec))])).code,
    ).toBe(0);
    expect(readdirSync(at('secrets', 'v'))).toEqual(['public.key']);
  });

  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const encrypted = ec.privateKey
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
    .toString();
  const ed448 = generateKeyPairSync('ed448').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  it.each([
    [
      'halves of two',
      pkcs8(ec),
      spki(generateKeyPairSync('ec', { namedCurve: 'P-256' }) as never),
      /does not match/,
    ],
    ['of two types', pkcs8(ec), spki(rsa), /does not match/],
    ['the wrong way round', spki(ec), pkcs8(ec), /BEGIN PRIVATE KEY/],
    ['a private key twice', pkcs8(ec), pkcs8(ec), /expected a public key, got a private key/],
    ['weak RSA', pkcs8(weak as never), spki(weak as never), /2048 bits.*openssl genpkey/],
    ['encrypted', encrypted, spki(ec), /encrypted/],
    ['Ed448', ed448, spki(ed), /cannot be used/],
    ['not PEM', 'hello', spki(ec), /one PEM block/],
  ])('AK-41 D19 refuses %s', async (_what, privateKey, publicKey, reason) => {
    const { code, stdout, stderr } = await latchkey([
      'secrets',
      'create',
      'asymmetric',
      'p',
      '--private-key',
      put('k', privateKey),
      '--public-key',
      put('k.pub', publicKey),
    ]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(reason);
    expect(stderr).not.toContain('-----BEGIN');
    expect(existsSync(at('secrets'))).toBe(false);
  });

  it.each([
    [[]],
    [['--extract-public-key']],
    [['--public-key', 'k', '--extract-public-key']],
    [['--private-key', '-', '--public-key', '-']],
  ])('refuses %j', async (options) => {
    put('k', spki(ec));
    expect((await latchkey(['secrets', 'create', 'asymmetric', 'p', ...options], pkcs8(ec))).code).toBe(2);
  });
});

describe('existing secrets', () => {
  const create = (secret: string, ...more: string[]) =>
    latchkey(['secrets', 'create', 'symmetric', 's', '--secret-key', '-', ...more], secret);
  const another = randomBytes(48).toString('base64');

  it('T-167 is not overwritten without --force', async () => {
    await create(SECRET);
    expect(await create(another)).toMatchObject({ code: 2, stderr: expect.stringMatching(/--force/) });
    expect(entry('s', 'secret.key')).toBe(SECRET);
    expect((await create(another, '--force')).code).toBe(0);
    expect(entry('s', 'secret.key')).toBe(another);
  });

  it('T-167 of another kind is replaced completely, and other entries stay', async () => {
    mkdirSync(at('secrets', 's'), { recursive: true });
    for (const name of ['private.key', 'public.key', 'jwks.json']) put(`secrets/s/${name}`, 'old');
    expect((await create(SECRET)).code).toBe(2);
    expect((await create(SECRET, '--force')).code).toBe(0);
    expect(readdirSync(at('secrets', 's')).sort()).toEqual(['jwks.json', 'secret.key']);
  });

  it.each(['public.key', 'private.key', 'secret.key'])(
    'T-167 is replaced as a pair or not at all: %s leads elsewhere',
    async (name) => {
      const pair = (key: string) =>
        latchkey([...asymmetric, '--private-key', key, '--extract-public-key', '--force']);
      const asymmetric = ['secrets', 'create', 'asymmetric', 's'];
      put('old.pem', ec.privateKey.export({ type: 'pkcs8', format: 'pem' }));
      put('new.pem', ed.privateKey.export({ type: 'pkcs8', format: 'pem' }));
      await pair('old.pem');
      put('elsewhere', 'of a mount');
      rmSync(at('secrets', 's', name), { force: true });
      symlinkSync(at('elsewhere'), at('secrets', 's', name));
      const entries = () => readdirSync(at('secrets', 's')).map((key) => [key, entry('s', key)]);
      const before = entries();
      expect(await pair('new.pem')).toMatchObject({ code: 2, stderr: expect.stringContaining(name) });
      expect(entries()).toEqual(before);
    },
  );

  it('T-167 two at once: one is told', async () => {
    const codes = await Promise.all([create(SECRET), create(another)]);
    expect(codes.map(({ code }) => code).sort()).toEqual([0, 2]);
  });

  it('T-167 in a mount is not changed', async () => {
    mkdirSync(at('mount'));
    mkdirSync(at('secrets'));
    symlinkSync(at('mount'), at('secrets', 's'));
    put('mount/secret.key', 'old');
    expect(await create(SECRET, '--force')).toMatchObject({ code: 2, stderr: expect.stringMatching(/link/) });
    expect(readFileSync(at('mount', 'secret.key'), 'utf8')).toBe('old');
  });

  it('D18 is readable only by its owner, and ignored by git', async () => {
    await create(SECRET);
    const mode = (...path: string[]) => statSync(at(...path)).mode & 0o777;
    expect([mode('secrets'), mode('secrets', 's'), mode('secrets', 's', 'secret.key')]).toEqual([
      0o700, 0o700, 0o600,
    ]);
    // git ignores every file of the directory, the .gitignore too.
    expect(readFileSync(at('secrets', '.gitignore'), 'utf8')).toBe('*\n');
  });

  it('is next to the descriptor, or in the directory of --secrets', async () => {
    mkdirSync(at('service'));
    await create(SECRET, '--file', 'service/service.yaml');
    await create(SECRET, '--secrets', 'elsewhere');
    expect(existsSync(at('service', 'secrets', 's', 'secret.key'))).toBe(true);
    expect(existsSync(at('elsewhere', 's', 'secret.key'))).toBe(true);
  });

  it('is listed by name, without values', async () => {
    await create(SECRET);
    await latchkey([
      'secrets',
      'create',
      'asymmetric',
      'pair',
      '--private-key',
      put('k', ed.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
      '--extract-public-key',
    ]);
    expect((await latchkey(['secrets', 'list'])).stdout).toBe(
      'NAME   ENTRIES\npair   private.key, public.key\ns      secret.key\n',
    );
    const { stdout } = await latchkey(['secrets', 'list', '-o', 'json']);
    expect(JSON.parse(stdout)).toEqual([
      { name: 'pair', entries: ['private.key', 'public.key'] },
      { name: 's', entries: ['secret.key'] },
    ]);
  });

  it('may be empty', async () => {
    expect(await latchkey(['secrets', 'list'])).toEqual({ code: 0, stdout: 'NAME   ENTRIES\n', stderr: '' });
  });
});
