// The directory of a service that makes its own keys: what is made, once, with which modes, and
// what is left alone.
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { inspect } from 'node:util';
import { createClock } from '@latchkey/testing';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { ConfigError } from '../../src/errors.ts';
import {
  type AuthDirectoryOptions,
  createUserToken,
  initAuthDirectory,
  openAuthDirectory,
  userTokenFile,
} from '../../src/own-keys/auth-directory.ts';
import { closing } from '../support/closing.ts';
import { defined } from '../support/defined.ts';
import { runProgram, sourceModule } from '../support/program.ts';
import { configErrorOf, configRejectionOf, rejectionOf } from '../support/refusals.ts';

const DAY_MS = 86_400_000;
const NOW = 1_800_000_000_000;
const clock = createClock(NOW);
/** An own pair, and another one; smaller than a made pair, to save time. */
const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PKCS8 = { type: 'pkcs8', format: 'pem' } as const;
const pkcs8 = ({ privateKey }: typeof own) => privateKey.export(PKCS8);
const spki = ({ publicKey }: typeof own) => publicKey.export({ type: 'spki', format: 'pem' }).toString();

const NAMES = ['id_rsa', 'id_rsa.pub', 'system.token'];
const within = (directory: string, names: readonly string[] = NAMES) =>
  names.map((name) => join(directory, name));

let root: string;
/** Made once, and copied by tests that change it. */
let made: string;
let warnings: string[];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'latchkey-auth-'));
  made = join(root, 'made', '.auth');
  await mkdir(dirname(made));
  await openAuthDirectory({ directory: made, clock });
});

afterAll(() => rm(root, { recursive: true }));

beforeEach(() => {
  warnings = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((message) => void warnings.push(String(message)));
});

afterEach(() => void vi.restoreAllMocks());

/** A path where nothing is, in a folder of its own. */
const nowhere = async () => join(await mkdtemp(join(root, 'd-')), '.auth');

/** A new directory with a copy of what was made, or with these files. */
async function directoryWith(files?: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const directory = await nowhere();
  if (files === undefined) {
    await cp(made, directory, { recursive: true });
  } else {
    await mkdir(directory, { mode: 0o700 });
    for (const [name, content] of Object.entries(files))
      await writeFile(join(directory, name), content, { mode: 0o600 });
  }
  return directory;
}

const ownPair = () => ({ id_rsa: pkcs8(own), 'id_rsa.pub': spki(own) });

const textOf = (directory: string, name: string) => readFile(join(directory, name), 'utf8');

async function contents(directory: string): Promise<Record<string, string>> {
  const entries = await Promise.all(
    (await readdir(directory)).sort().map(async (name) => [name, await textOf(directory, name)] as const),
  );
  return Object.fromEntries(entries);
}

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

/** Verifies a token by the public key in a directory, at the time of the clock. */
async function verify(directory: string, token: string, at = clock): Promise<string | undefined> {
  const publicKeys = [{ file: join(directory, 'id_rsa.pub'), algorithm: 'RS512' }] as const;
  const authenticator = closing(
    createAuthenticator({ keySets: [{ publicKeys }], audience: null, clock: at }),
  );
  return (await authenticator.verify(token.trim())).subject;
}

/** Expects a system token that the pair of the directory verifies. */
async function expectSystemToken(directory: string): Promise<void> {
  expect(await verify(directory, await textOf(directory, 'system.token'))).toBe('okera');
}

describe('OK-7: a directory that is not there', () => {
  it('gets a key pair and a system token, private to their owner, and out of any repository', async () => {
    expect((await readdir(made)).sort()).toEqual(['.gitignore', ...NAMES]);
    expect(await modeOf(made)).toBe('700');
    for (const name of NAMES) expect(await modeOf(join(made, name)), name).toBe('600');
    expect(await textOf(made, '.gitignore')).toBe('*\n');
    const pem = (label: string) => new RegExp(`^-----BEGIN ${label}-----\\n[^-]+-----END ${label}-----\\n$`);
    expect(await textOf(made, 'id_rsa')).toMatch(pem('PRIVATE KEY'));
    expect(await textOf(made, 'id_rsa.pub')).toMatch(pem('PUBLIC KEY'));
    // No draft is left next to it.
    expect(await readdir(dirname(made))).toEqual(['.auth']);
  });

  it('has a pair of 3072 bits that belongs together', async () => {
    const publicKey = createPublicKey(await textOf(made, 'id_rsa'));
    expect(publicKey.asymmetricKeyDetails).toMatchObject({ modulusLength: 3072 });
    expect(publicKey.export({ type: 'spki', format: 'pem' })).toBe(await textOf(made, 'id_rsa.pub'));
  });

  it('has a system token: RS512, okera, root, 100 days', async () => {
    const token = (await textOf(made, 'system.token')).trim();
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'RS512', typ: 'JWT' });
    const exp = (NOW + 100 * DAY_MS) / 1000;
    expect(decodeJwt(token)).toMatchObject({ sub: 'okera', groups: ['root'], iss: hostname(), exp });
    await expect(verify(made, token)).resolves.toBe('okera');
  });

  it('says what was made, by full paths', async () => {
    const directory = join(await mkdtemp(join(root, 'd-')), 'deep', 'er', '.auth');
    const paths = await openAuthDirectory({ directory: relative(process.cwd(), directory), clock });
    const [privateKey, publicKey, systemToken] = within(directory);
    expect(paths).toEqual({ privateKey, publicKey, systemToken, made: [privateKey, publicKey, systemToken] });
  });

  it('has its own subject and issuer, where the options say so', async () => {
    const directory = await directoryWith(ownPair());
    await openAuthDirectory({ directory, clock, systemSubject: 'sys', issuer: 'https://us' });
    const claims = decodeJwt(await textOf(directory, 'system.token'));
    expect(claims).toMatchObject({ sub: 'sys', iss: 'https://us' });
  });

  it('cannot be made where nothing can be made: the error has no key', async () => {
    const file = join(await mkdtemp(join(root, 'd-')), 'file');
    await writeFile(file, '');
    const error = await rejectionOf(openAuthDirectory({ directory: join(file, '.auth'), clock }));
    expect(inspect(error, { depth: 10 })).not.toContain('PRIVATE KEY');
    expect(await readdir(dirname(file))).toEqual(['file']);
  });
});

describe('a directory that is there', () => {
  it('the second start makes nothing, and changes nothing', async () => {
    const before = await contents(made);
    const stats = await stat(join(made, 'id_rsa'));
    for (let count = 0; count < 3; count++)
      expect((await openAuthDirectory({ directory: made, clock })).made).toEqual([]);
    expect(await contents(made)).toEqual(before);
    expect((await stat(join(made, 'id_rsa'))).ino).toBe(stats.ino);
    expect(warnings).toEqual([]);
  });

  it('OK-18: an own pair is kept, and signs the system token', async () => {
    const directory = await directoryWith(ownPair());
    const paths = await openAuthDirectory({ directory, clock });
    expect(paths.made).toEqual([join(directory, 'system.token')]);
    expect(await contents(directory)).toMatchObject(ownPair());
    const claims = decodeJwt(await textOf(directory, 'system.token'));
    expect(claims).toMatchObject({ sub: 'okera', groups: ['root'] });
    await expectSystemToken(directory);
    expect(await modeOf(join(directory, 'system.token'))).toBe('600');
  });

  it.each([
    ['PKCS#8', () => pkcs8(own)],
    ['PKCS#1', () => own.privateKey.export({ type: 'pkcs1', format: 'pem' })],
  ])('OK-18: an own private key alone gets its public half: %s', async (_, pem) => {
    const directory = await directoryWith({ id_rsa: pem() });
    const paths = await openAuthDirectory({ directory, clock });
    expect(paths.made).toEqual(within(directory, ['id_rsa.pub', 'system.token']));
    expect(await textOf(directory, 'id_rsa.pub')).toBe(spki(own));
    expect(await textOf(directory, 'id_rsa')).toBe(pem());
  });

  it('OK-18: an own pair need not be SubjectPublicKeyInfo', async () => {
    const pem = own.publicKey.export({ type: 'pkcs1', format: 'pem' });
    const directory = await directoryWith({ id_rsa: pkcs8(own), 'id_rsa.pub': pem });
    await openAuthDirectory({ directory, clock });
    await expectSystemToken(directory);
    expect(await textOf(directory, 'id_rsa.pub')).toBe(pem);
  });

  it.each([
    ['nothing', ''],
    ['text', 'hunter2'],
    ['OpenSSH', '-----BEGIN OPENSSH PRIVATE KEY-----\naHVudGVyMg==\n-----END OPENSSH PRIVATE KEY-----\n'],
    ['an encrypted key', own.privateKey.export({ ...PKCS8, cipher: 'aes-256-cbc', passphrase: 'hunter2' })],
    ['a public key', spki(own)],
    ['two keys', `${pkcs8(own)}${pkcs8(other)}`],
    ['a key of another kind', generateKeyPairSync('ed25519').privateKey.export(PKCS8)],
  ])('what is not a private RSA key signs nothing, and is in no error: %s', async (_, pem) => {
    for (const files of [{ id_rsa: pem }, { id_rsa: pem, 'id_rsa.pub': spki(own) }]) {
      const directory = await directoryWith(files);
      const told = inspect(await rejectionOf(openAuthDirectory({ directory, clock })), { depth: 10 });
      const part = pkcs8(own).toString().slice(100, 140);
      for (const secret of ['hunter2', 'aHVudGVyMg', 'PRIVATE KEY-----\nMI', part])
        expect(told).not.toContain(secret);
      expect(await textOf(directory, 'id_rsa')).toBe(pem);
      expect(await readdir(directory)).not.toContain('system.token');
    }
  });

  describe('of which another user may know or have made the keys', () => {
    const uses: readonly [title: string, use: (directory: string) => Promise<unknown>][] = [
      ['to open it', (directory) => openAuthDirectory({ directory, clock })],
      ['to sign with it', (directory) => createUserToken('alice', [], { directory, clock })],
    ];
    describe.each(uses)('is refused, %s', (_, use) => {
      it.each([
        ['id_rsa', 0o644],
        ['id_rsa', 0o640],
        ['id_rsa', 0o604],
        ['id_rsa', 0o660],
        ['id_rsa', 0o622],
        ['system.token', 0o640],
        ['system.token', 0o602],
        ['id_rsa.pub', 0o664],
        ['id_rsa.pub', 0o646],
        ['.', 0o770],
        ['.', 0o1777],
      ])('%s of mode %o', async (name, mode) => {
        const directory = await directoryWith();
        await chmod(join(directory, name), mode);
        const before = await contents(directory);
        const { message } = await configRejectionOf(use(directory));
        expect(message).toMatch(/^directory: expected .* closed to other users, got mode/);
        expect(await contents(directory)).toEqual(before);
      });

      // Files can be given away by root alone.
      it.skipIf(process.geteuid?.() !== 0).each(['.', ...NAMES])('%s of another user', async (name) => {
        const directory = await directoryWith();
        await chown(join(directory, name), 12_345, 12_345);
        await expect(use(directory)).rejects.toThrow(/ got user 12345; remove it, or chown it/);
      });

      it('a directory of another user, to a user that cannot give it away', async () => {
        const directory = await directoryWith();
        vi.spyOn(process, 'geteuid').mockReturnValue(12_345);
        if ((await stat(directory)).uid === 0) return;
        await expect(use(directory)).rejects.toThrow('to belong to the user of this process (12345)');
      });
    });

    it('and nothing is put into the directory of another user', async () => {
      const directory = await directoryWith({});
      await chmod(directory, 0o777);
      for (const use of [openAuthDirectory, initAuthDirectory])
        await expect(use({ directory, clock })).rejects.toBeInstanceOf(ConfigError);
      expect(await readdir(directory)).toEqual([]);
    });

    it('a new pair is not made there by force either', async () => {
      const directory = await directoryWith();
      await chmod(directory, 0o777);
      const before = await contents(directory);
      await expect(initAuthDirectory({ directory, clock, force: true })).rejects.toBeInstanceOf(ConfigError);
      expect(await contents(directory)).toEqual(before);
    });

    it('a secret of root that its group reads is as Kubernetes mounts it', async () => {
      const directory = await directoryWith();
      if ((await stat(directory)).uid !== 0) return;
      for (const name of ['id_rsa', 'system.token']) await chmod(join(directory, name), 0o640);
      vi.spyOn(process, 'geteuid').mockReturnValue(12_345);
      await expect(openAuthDirectory({ directory, clock })).resolves.toMatchObject({ made: [] });
      await chmod(join(directory, 'id_rsa'), 0o644);
      await expect(openAuthDirectory({ directory, clock })).rejects.toThrow('got mode 644');
    });
  });

  it.each([0o600, 0o400, 0o700])('a private key that others cannot reach is fine: %o', async (mode) => {
    const directory = await directoryWith();
    await chmod(join(directory, 'id_rsa'), mode);
    await openAuthDirectory({ directory, clock });
    expect(warnings).toEqual([]);
  });

  it('a link in the place of a file is refused, and its target does not change', async () => {
    const target = join(await mkdtemp(join(root, 'd-')), 'target');
    for (const name of ['system.token', 'id_rsa.pub']) {
      await writeFile(target, 'precious', { mode: 0o600 });
      const directory = await directoryWith();
      await unlink(join(directory, name));
      await symlink(`${target}${name === 'id_rsa.pub' ? '-gone' : ''}`, join(directory, name));
      await expect(openAuthDirectory({ directory, clock })).rejects.toThrow('got a symbolic link');
      expect(await readFile(target, 'utf8')).toBe('precious');
    }
  });

  it('a private key that cannot be reached is not made anew', async () => {
    const directory = await directoryWith({});
    await symlink('/nowhere/id_rsa', join(directory, 'id_rsa'));
    await expect(openAuthDirectory({ directory, clock })).rejects.toThrow();
    expect(await readdir(directory)).not.toContain('system.token');
  });

  it.each([
    ['the private key, as by a process that was stopped while it made a new pair', { id_rsa: pkcs8(other) }],
    ['the public key', { 'id_rsa.pub': spki(other) }],
  ])('a pair of which only one half is new is refused, and left alone: %s', async (_, half) => {
    const directory = await directoryWith();
    for (const [name, content] of Object.entries(half)) await writeFile(join(directory, name), content);
    const before = await contents(directory);
    await expect(openAuthDirectory({ directory, clock })).rejects.toThrow(/public half of id_rsa/);
    expect(await contents(directory)).toEqual(before);
    await initAuthDirectory({ directory, clock, force: true });
    await openAuthDirectory({ directory, clock });
  });

  it('OK-18: a public key whose private half is kept elsewhere is not written over', async () => {
    const directory = await directoryWith({ 'id_rsa.pub': spki(own) });
    await openAuthDirectory({ directory, clock }).catch(() => {});
    expect(await textOf(directory, 'id_rsa.pub')).toBe(spki(own));
  });

  it('a .gitignore that is there is not written over', async () => {
    const directory = await directoryWith({ '.gitignore': 'node_modules\n' });
    await openAuthDirectory({ directory, clock });
    expect(await textOf(directory, '.gitignore')).toContain('node_modules');
  });
});

describe('the system token', () => {
  it.each([
    [0, false],
    [89, false],
    [90, false],
    [91, true],
    [100, true],
    [1_000, true],
  ])('after %d days: made anew %s', async (days, isAnew) => {
    const directory = await directoryWith();
    const before = await contents(directory);
    const later = createClock(NOW + days * DAY_MS);
    const paths = await openAuthDirectory({ directory, clock: later });
    expect(paths.made).toEqual(isAnew ? [join(directory, 'system.token')] : []);
    const { 'system.token': token = '', ...others } = await contents(directory);
    expect({ ...others, 'system.token': before['system.token'] }).toEqual(before);
    expect(token !== before['system.token']).toBe(isAnew);
    await expect(verify(directory, token, later)).resolves.toBe('okera');
  });

  it.each([
    ['nothing', ''],
    ['text', 'hunter2'],
    ['half a token', 'eyJhbGciOiJSUzUxMiJ9'],
    ['null', 'a.bnVsbA.c'],
    ['no JSON', 'a.e30x.c'],
    ['JSON that is not claims', 'a.NQ.c'],
    ['more bytes than any token', 'a'.repeat(16 * 1024 + 1)],
  ])('that is not a token is made anew: %s', async (_, text) => {
    const directory = await directoryWith({ ...ownPair(), 'system.token': text });
    expect((await openAuthDirectory({ directory, clock })).made).toEqual([join(directory, 'system.token')]);
    await expectSystemToken(directory);
  });

  it('that is missing is made, and the key is kept', async () => {
    const directory = await directoryWith();
    const key = await textOf(directory, 'id_rsa');
    await unlink(join(directory, 'system.token'));
    expect((await openAuthDirectory({ directory, clock })).made).toEqual([join(directory, 'system.token')]);
    expect(await textOf(directory, 'id_rsa')).toBe(key);
  });

  it('OK-18: of another key is made anew', async () => {
    const directory = await directoryWith();
    await writeFile(join(directory, 'id_rsa'), pkcs8(own), { mode: 0o600 });
    await writeFile(join(directory, 'id_rsa.pub'), spki(own));
    await openAuthDirectory({ directory, clock });
    await expectSystemToken(directory);
  });

  it('of another subject is made anew', async () => {
    const directory = await directoryWith();
    await openAuthDirectory({ directory, clock, systemSubject: 'sys' });
    expect(decodeJwt(await textOf(directory, 'system.token')).sub).toBe('sys');
  });
});

describe('starts at the same time', () => {
  const startAtOnce = (directory: string, length: number) =>
    Promise.all(Array.from({ length }, () => openAuthDirectory({ directory, clock })));

  it('ten in one process make one pair, and agree', async () => {
    const directory = await nowhere();
    const starts = await startAtOnce(directory, 10);
    expect(starts.filter((start) => start.made.length > 0)).toHaveLength(1);
    expect(new Set(starts.map(({ made: _, ...paths }) => JSON.stringify(paths))).size).toBe(1);
    await expectSystemToken(directory);
    expect(await readdir(dirname(directory))).toEqual(['.auth']);
    expect((await readdir(directory)).sort()).toEqual(['.gitignore', ...NAMES]);
  });

  it('ten processes make one pair, and agree', { timeout: 120_000 }, async () => {
    const directory = await nowhere();
    const program = `
      import { createHash } from 'node:crypto';
      import { readFileSync } from 'node:fs';
      import { openAuthDirectory } from ${sourceModule('own-keys/auth-directory.ts')};
      const { made, ...paths } = await openAuthDirectory({ directory: ${JSON.stringify(directory)} });
      const files = [paths.privateKey, paths.publicKey, paths.systemToken].map((file) => readFileSync(file));
      const seen = createHash('sha256').update(Buffer.concat(files)).digest('hex');
      console.log(JSON.stringify({ made: made.length, seen }));
    `;
    const starts = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const { stdout } = await runProgram(program, { timeout: 110_000 });
        return JSON.parse(stdout) as { readonly made: number; readonly seen: string };
      }),
    );
    expect(starts.map(({ made: count }) => count).sort()).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 3]);
    expect(new Set(starts.map(({ seen }) => seen)).size).toBe(1);
    expect(await readdir(dirname(directory))).toEqual(['.auth']);
  });

  it('in a directory that is there already they make one pair, too', async () => {
    const directory = await directoryWith({});
    const starts = await startAtOnce(directory, 4);
    const pairs = starts.filter((start) => start.made.includes(join(directory, 'id_rsa')));
    expect(pairs).toHaveLength(1);
  });

  it('ten with an own pair leave it alone', async () => {
    const directory = await directoryWith({ id_rsa: pkcs8(own) });
    await startAtOnce(directory, 10);
    expect(await contents(directory)).toMatchObject(ownPair());
    await expectSystemToken(directory);
    expect((await readdir(directory)).sort()).toEqual(NAMES);
  });
});

describe('S55: initAuthDirectory', () => {
  it('makes everything where nothing is', async () => {
    const directory = await nowhere();
    const paths = await initAuthDirectory({ directory, clock });
    expect(paths.made).toEqual(within(directory));
    await expectSystemToken(directory);
  });

  it('completes what is missing next to a private key, and keeps the key', async () => {
    for (const files of [ownPair(), { id_rsa: pkcs8(own) }]) {
      const directory = await directoryWith(files);
      const { made } = await initAuthDirectory({ directory, clock });
      expect(made).toContain(join(directory, 'system.token'));
      expect(await contents(directory)).toMatchObject(ownPair());
      await expect(verify(directory, await textOf(directory, 'system.token'))).resolves.toBe('okera');
    }
  });

  it('refuses where nothing is missing, and changes nothing', async () => {
    for (const files of [undefined, ownPair(), { id_rsa: pkcs8(own) }]) {
      const directory = await directoryWith(files);
      await openAuthDirectory({ directory, clock });
      const before = await contents(directory);
      for (const force of [undefined, false]) {
        const again = initAuthDirectory({ directory, clock, ...defined({ force }) });
        expect((await configRejectionOf(again)).path).toBe('directory');
      }
      expect(await contents(directory)).toEqual(before);
    }
  });

  it.each(['id_rsa.pub', 'system.token'])('with force: all or nothing, where %s is a link', async (name) => {
    const directory = await directoryWith();
    await rename(join(directory, name), join(directory, 'elsewhere'));
    await symlink('elsewhere', join(directory, name));
    const before = await contents(directory);
    await expect(initAuthDirectory({ directory, clock, force: true })).rejects.toThrow(name);
    expect(await contents(directory)).toEqual(before);
  });

  it('with force: a new pair and a new token, and the old token is refused', async () => {
    const directory = await directoryWith();
    const before = await contents(directory);
    const paths = await initAuthDirectory({ directory, clock, force: true });
    expect(paths.made).toEqual(within(directory));
    const after = await contents(directory);
    for (const name of NAMES) expect(after[name]).not.toBe(before[name]);
    await expect(verify(directory, after['system.token'] as string)).resolves.toBe('okera');
    const code = 'token_signature_invalid';
    await expect(verify(directory, before['system.token'] as string)).rejects.toMatchObject({ code });
    for (const name of NAMES) expect(await modeOf(join(directory, name))).toBe('600');
  });
});

describe('OK-16: createUserToken', () => {
  const claimsOf = async (directory: string, username: string, groups: readonly string[] = []) => {
    const saved = await createUserToken(username, groups, { directory, clock });
    expect(await readFile(saved.file, 'utf8')).toBe(`${saved.token}\n`);
    expect(await modeOf(saved.file)).toBe('600');
    return { ...saved, claims: decodeJwt(saved.token) };
  };

  it('is as in the seed: analyst', async () => {
    const directory = await directoryWith();
    const { file, token, claims } = await claimsOf(directory, 'analyst', ['analyst_group']);
    expect(file).toBe(join(directory, 'analyst.token'));
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'RS512', typ: 'JWT' });
    const exp = (NOW + 100 * DAY_MS) / 1000;
    expect(claims).toMatchObject({ sub: 'analyst', groups: ['analyst_group'], iss: hostname(), exp });
    await expect(verify(directory, token)).resolves.toBe('analyst');
  });

  it.each([
    ['alice@example.com', 'alice%40example.com.token'],
    ['a/b', 'a%2Fb.token'],
    ['../id_rsa', '%2E.%2Fid_rsa.token'],
    ['../../etc/cron.d/x', '%2E.%2F..%2Fetc%2Fcron.d%2Fx.token'],
    ['/etc/passwd', '%2Fetc%2Fpasswd.token'],
    ['..\\x', '%2E.%5Cx.token'],
    ['..', '%2E..token'],
    ['.', '%2E.token'],
    ['.gitignore', '%2Egitignore.token'],
    ['id_rsa', 'id_rsa.token'],
    ['id_rsa.pub', 'id_rsa.pub.token'],
    ['John Doe', 'John%20Doe.token'],
    ['%2e%2e', '%252e%252e.token'],
    ['Zoë', 'Zo%C3%AB.token'],
    ['用户', '%E7%94%A8%E6%88%B7.token'],
    ['-rf', '-rf.token'],
    ['~root', '~root.token'],
    ['a:b|c<d>e"f?g*h', 'a%3Ab%7Cc%3Cd%3Ee%22f%3Fg*h.token'],
    ['__proto__', '__proto__.token'],
    ['system.token', 'system.token.token'],
    ['systems', 'systems.token'],
    ['Okera', 'Okera.token'],
    ['a'.repeat(200), `${'a'.repeat(200)}.token`],
  ])('%j is one file in the directory: %s', async (username, name) => {
    const directory = await directoryWith(ownPair());
    const { file, claims, token } = await claimsOf(directory, username);
    expect(relative(directory, file)).toBe(name);
    expect(dirname(resolve(file))).toBe(directory);
    expect((await readdir(directory)).sort()).toEqual(['id_rsa', 'id_rsa.pub', basename(file)].sort());
    expect(claims.sub).toBe(username);
    expect(userTokenFile(username, { directory })).toBe(file);
    await expect(verify(directory, token)).resolves.toBe(username);
  });

  const CONTROL = ['a\nb', 'a\0b', 'a\tb', '\u0085', '\ud800'];
  const LONG = ['a'.repeat(201), 'a'.repeat(300), '用'.repeat(300)];
  const REFUSED = ['okera', 'system', 'System', 'SYSTEM', '', ' ', ...CONTROL, ...LONG];
  it.each(REFUSED)('%j is refused, and nothing is made', async (username) => {
    const directory = await directoryWith(ownPair());
    const making = createUserToken(username, [], { directory, clock });
    expect((await configRejectionOf(making)).path).toBe('username');
    expect(configErrorOf(() => userTokenFile(username, { directory }))?.path).toBe('username');
    expect((await readdir(directory)).sort()).toEqual(['id_rsa', 'id_rsa.pub']);
  });

  it('the system is called as the options say', async () => {
    const directory = await directoryWith(ownPair());
    const options: AuthDirectoryOptions = { directory, clock, systemSubject: 'sys' };
    await expect(createUserToken('sys', [], options)).rejects.toThrow(ConfigError);
    await expect(createUserToken('okera', [], options)).resolves.toBeDefined();
  });

  it('a token that is there is replaced', async () => {
    const directory = await directoryWith(ownPair());
    const first = await claimsOf(directory, 'alice', ['a']);
    const second = await claimsOf(directory, 'alice', ['b']);
    expect(second.file).toBe(first.file);
    expect(second.claims.groups).toEqual(['b']);
  });

  it('a link in its place is not written through', async () => {
    const directory = await directoryWith(ownPair());
    const target = join(dirname(directory), 'target');
    await writeFile(target, 'precious');
    await symlink(target, join(directory, 'alice.token'));
    await expect(createUserToken('alice', [], { directory, clock })).rejects.toThrow('symbolic link');
    expect(await readFile(target, 'utf8')).toBe('precious');
  });

  it('without a key there is no token', async () => {
    const directory = await nowhere();
    const making = createUserToken('alice', [], { directory, clock });
    expect((await configRejectionOf(making)).path).toBe('directory');
    await expect(stat(directory)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each([['admins'], [[5]], [[null]], [{ 0: 'a' }]])(
    'groups must be a list of strings: %j',
    async (groups) => {
      const directory = await directoryWith(ownPair());
      await expect(createUserToken('alice', groups as never, { directory, clock })).rejects.toThrow();
    },
  );

  it('D17: only the system may be of the group root', async () => {
    const directory = await directoryWith(ownPair());
    await expect(createUserToken('alice', ['root'], { directory, clock })).rejects.toThrow(ConfigError);
  });
});
