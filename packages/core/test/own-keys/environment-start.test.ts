// The zero-configuration start, end to end: settings from the environment and from the seed's file,
// the options that they mean, and which tokens a service with these options accepts.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { createClock } from '@latchkey/testing';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { ConfigError, isAuthError } from '../../src/errors.ts';
import { createUserToken } from '../../src/own-keys/auth-directory.ts';
import {
  type EnvironmentStart,
  type EnvironmentStartOptions,
  loadEnvironmentStart,
} from '../../src/own-keys/environment-start.ts';
import { closing } from '../support/closing.ts';
import { eventsOf } from '../support/observed.ts';
import { runProgram, sourceModule } from '../support/program.ts';
import { configRejectionOf, rejectionOf } from '../support/refusals.ts';
import { listen } from '../support/servers.ts';

const NOW = 1_800_000_000_000;
const clock = createClock(NOW);

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}
const pair = (): Pair => generateKeyPairSync('rsa', { modulusLength: 2048 });
const [users, partners, system, stranger] = [pair(), pair(), pair(), pair()];

let root: string;
/** A directory that was made by ENABLE_JWT alone. */
let made: string;
let warnings: string[];
/** Full paths of what the settings name. */
let paths: Readonly<Record<'users' | 'partners' | 'system' | 'token', string>>;

type Claims = Readonly<Record<string, unknown>>;

function sign(by: Pair, claims: Claims, alg = 'RS512', header: Readonly<Record<string, string>> = {}) {
  return new SignJWT({ exp: NOW / 1000 + 3600, ...claims } as never)
    .setProtectedHeader({ alg, typ: 'JWT', ...header })
    .sign(by.privateKey);
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'latchkey-settings-'));
  made = join(root, 'made', '.auth');
  await mkdir(join(root, 'made'));
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  await loadEnvironmentStart({ environment: { ENABLE_JWT: 'true' }, directory: made, clock });
  vi.restoreAllMocks();
  const write = async (name: string, content: string | Buffer) => {
    await writeFile(join(root, name), content);
    return join(root, name);
  };
  const spki = ({ publicKey }: Pair) => publicKey.export({ type: 'spki', format: 'pem' });
  paths = {
    users: await write('users.pem', spki(users)),
    partners: await write('partners.pem', spki(partners)),
    system: await write('system.pem', spki(system)),
    token: await write('system.token', `${await sign(system, { sub: 'okera', groups: ['root'] })}\n`),
  };
});

afterAll(() => rm(root, { recursive: true }));

beforeEach(() => {
  warnings = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
});

afterEach(() => void vi.restoreAllMocks());

type Environment = NonNullable<EnvironmentStartOptions['environment']>;
const nowhere = async () => join(await mkdtemp(join(root, 'd-')), '.auth');

async function load(
  environment: Environment,
  options: EnvironmentStartOptions = {},
): Promise<EnvironmentStart> {
  return loadEnvironmentStart({ environment, directory: await nowhere(), clock, ...options });
}

async function loadFile(text: string, options: EnvironmentStartOptions = {}): Promise<EnvironmentStart> {
  const file = join(await mkdtemp(join(root, 'f-')), 'okera.yaml');
  await writeFile(file, text);
  return loadEnvironmentStart({ file, environment: {}, directory: await nowhere(), clock, ...options });
}

/** What a service with these settings answers to a token. */
function service({ options }: EnvironmentStart): (token: string) => Promise<string> {
  const authenticator = closing(createAuthenticator(options));
  return async (token) => {
    try {
      const { subject, groups } = await authenticator.verify(token.trim());
      return `${subject}: ${groups.join(' ')}`;
    } catch (error) {
      if (isAuthError(error)) return `${error.status} ${error.code}`;
      throw error;
    }
  };
}

/** The path of the ConfigError, which is the start of its message. */
async function complaint(loading: Promise<unknown>): Promise<string> {
  const { path, message } = await configRejectionOf(loading);
  expect(message.startsWith(`${path}: `)).toBe(true);
  return path;
}

/** A directory as ENABLE_JWT alone makes it. */
async function madeDirectory(): Promise<string> {
  const directory = await nowhere();
  await cp(made, directory, { recursive: true });
  return directory;
}

const isMissing = (path: string) => expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });

const INVALID = '401 token_claims_invalid';
const own = () => ({ JWT_PUBLIC_KEY: paths.users, SYSTEM_TOKEN: paths.token });

describe('OK-6, OK-8: what switches JWT on', () => {
  it.each<[title: string, environment: Environment]>([
    ['nothing', {}],
    ['others’ settings', { PATH: '/bin', JWT_SECRET: 'x', ENABLE_jwt: 'true' }],
    ['empty ones', { ENABLE_JWT: '', JWT_PUBLIC_KEY: '', SYSTEM_TOKEN: '' }],
    ['undefined ones', { ENABLE_JWT: undefined, JWT_PUBLIC_KEY: undefined }],
    ['only leave for plain http', { JWT_AUTHENTICATION_SERVER_ALLOW_HTTP: 'true' }],
  ])('%s does not, and nothing is made', async (_, environment) => {
    const directory = await nowhere();
    expect(await complaint(load(environment, { directory }))).toBe('ENABLE_JWT');
    await isMissing(directory);
  });

  const OTHER_WORDS = ['false', 'False', '0', '1', 'yes', 'on', 'no', 'null', 'tru', 'truetrue', ' '];
  it.each(OTHER_WORDS)('ENABLE_JWT=%s does not, whatever else is set', async (ENABLE_JWT) => {
    const directory = await nowhere();
    expect(await complaint(load({ ENABLE_JWT }, { directory }))).toBe('ENABLE_JWT');
    expect(await complaint(load({ ENABLE_JWT, ...own() }, { directory }))).toBe('ENABLE_JWT');
    await isMissing(directory);
  });

  const WORDS = [undefined, 'true', 'True', 'TRUE', ' true '];
  it.each(WORDS)('own values do, with ENABLE_JWT=%s, and nothing is made', async (ENABLE_JWT) => {
    const directory = await nowhere();
    const loaded = await load({ ENABLE_JWT, ...own() }, { directory });
    expect(loaded.made).toEqual([]);
    expect(loaded.options.keySets).toEqual([{ publicKeys: [{ file: paths.users, algorithm: 'RS512' }] }]);
    await isMissing(directory);
  });

  it.each<[name: string, value: () => string]>([
    ['JWT_PUBLIC_KEY', () => paths.users],
    ['JWT_AUTHENTICATION_SERVER_URL', () => 'https://x/'],
    ['SYSTEM_TOKEN', () => paths.token],
  ])('%s alone is an own value: nothing is made', async (name, value) => {
    const directory = await nowhere();
    await load({ ENABLE_JWT: 'true', [name]: value() }, { directory });
    await isMissing(directory);
  });

  it('SYSTEM_TOKEN alone trusts no key: it makes no service', async () => {
    const loaded = await load({ SYSTEM_TOKEN: paths.token });
    expect(() => createAuthenticator(loaded.options)).toThrow(ConfigError);
  });

  it.each([undefined, 'true'])('JWT_ALGORITHM alone is of no key, with ENABLE_JWT=%s', async (ENABLE_JWT) => {
    const directory = await nowhere();
    const loading = load({ ENABLE_JWT, JWT_ALGORITHM: 'RSA512' }, { directory });
    expect(await complaint(loading)).toBe('JWT_ALGORITHM');
    await isMissing(directory);
  });

  it('the environment of the process is the default, and is not read when there is a file', async () => {
    onTestFinished(() => void vi.unstubAllEnvs());
    vi.stubEnv('ENABLE_JWT', 'false');
    expect(await complaint(loadEnvironmentStart({ directory: await nowhere(), clock }))).toBe('ENABLE_JWT');
    const file = join(await mkdtemp(join(root, 'f-')), 'settings');
    await writeFile(file, `JWT_PUBLIC_KEY: ${paths.users}\n`);
    await expect(loadEnvironmentStart({ file, clock })).resolves.toMatchObject({ made: [] });
  });

  it.each<[options: object, path: string]>([
    [{ path: 'x' }, 'path'],
    [{ File: 'x' }, 'File'],
  ])('unknown options are refused: %j', async (options, path) => {
    expect(await complaint(load(own(), options))).toBe(path);
  });
});

describe('OK-9: keys', () => {
  it('one, by full path or by file URL', async () => {
    await cp(paths.users, join(root, 'a key.pem'));
    for (const JWT_PUBLIC_KEY of [
      paths.users,
      ` ${paths.users} `,
      pathToFileURL(paths.users).href,
      `file:${paths.users}`,
      `file://localhost${paths.users}`,
      pathToFileURL(join(root, 'a key.pem')).href,
    ]) {
      const says = service(await load({ ...own(), JWT_PUBLIC_KEY }));
      expect(await says(await sign(users, { sub: 'alice', groups: ['dev'] }))).toBe('alice: dev');
      expect(await says(await sign(stranger, { sub: 'alice' }))).toBe('401 token_signature_invalid');
    }
  });

  it.each([
    'users.pem',
    './users.pem',
    '../users.pem',
    '~/users.pem',
    'file://other.example/etc/users.pem',
    'file:///etc/%2Fusers.pem',
    'http://example.com/users.pem',
    'https://example.com/users.pem',
    'data:text/plain,x',
    ',',
    '/etc/a.pem,',
    ',/etc/a.pem',
    '/etc/a.pem,,/etc/b.pem',
    '/etc/a.pem,b.pem',
    '-----BEGIN PUBLIC KEY-----',
    ' ',
    'file:users.pem',
    'file:./users.pem',
    'file:../users.pem',
  ])('%s is not a full path', async (name) => {
    expect(await complaint(load({ JWT_PUBLIC_KEY: name }))).toBe('JWT_PUBLIC_KEY');
    if (name.includes(',')) return;
    expect(await complaint(load({ JWT_PUBLIC_KEY: paths.users, SYSTEM_TOKEN: name }))).toBe('SYSTEM_TOKEN');
  });

  it('a key that is not there: each token is a 503', async () => {
    const says = service(await load({ JWT_PUBLIC_KEY: join(root, 'gone.pem'), SYSTEM_TOKEN: paths.token }));
    expect(await says(await sign(users, { sub: 'alice' }))).toBe('503 keyset_unavailable');
  });

  it('a private key, and text, are not public keys', async () => {
    const wrong = join(root, 'wrong.pem');
    for (const text of [users.privateKey.export({ type: 'pkcs8', format: 'pem' }), 'hunter2', '']) {
      await writeFile(wrong, text);
      const says = service(await load({ JWT_PUBLIC_KEY: wrong, SYSTEM_TOKEN: paths.token }));
      expect(await says(await sign(users, { sub: 'alice' }))).toBe('503 keyset_unavailable');
      expect(warnings.join()).not.toContain('hunter2');
    }
  });
});

describe('OK-10, OK-11, S49: several keys', () => {
  const two = () => ({ SYSTEM_TOKEN: paths.token, JWT_PUBLIC_KEY: `${paths.users},${paths.partners}` });

  it('each is tried, in any order', async () => {
    const says = service(await load(two()));
    expect(await says(await sign(users, { sub: 'alice' }))).toBe('alice: ');
    expect(await says(await sign(partners, { sub: 'bob' }))).toBe('bob: ');
    expect(await says(await sign(stranger, { sub: 'eve' }))).toBe('401 token_signature_invalid');
    expect(await says(await sign(partners, { sub: 'bob' }, 'RS512', { kid: 'whatever' }))).toBe('bob: ');
    expect(await says(await sign(partners, { sub: 'bob', iss: 'https://any' }))).toBe('bob: ');
  });

  it.each([
    ['RSA256, RSA512', 'RS256', 'RS512'],
    ['RSA512,RSA256', 'RS512', 'RS256'],
    ['RS256,RSA256', 'RS256', 'RS256'],
    [' RSA512 , RS512 ', 'RS512', 'RS512'],
  ])('%s: each key has its own algorithm, and exactly that', async (JWT_ALGORITHM, first, second) => {
    const says = service(await load({ ...two(), JWT_ALGORITHM }));
    for (const [by, algorithm] of [
      [users, first],
      [partners, second],
    ] as const) {
      for (const alg of ['RS256', 'RS384', 'RS512', 'PS256', 'PS512'])
        expect(await says(await sign(by, { sub: 'alice' }, alg)), alg).toEqual(
          alg === algorithm ? 'alice: ' : expect.stringMatching(/^401 token_/),
        );
    }
  });

  it('JWT_ALGORITHM missing: RSA512 for all', async () => {
    const says = service(await load(two()));
    expect(await says(await sign(users, { sub: 'alice' }, 'RS256'))).toMatch(/^401 /);
    expect(await says(await sign(partners, { sub: 'bob' }, 'RS256'))).toMatch(/^401 /);
  });

  const COUNTS = [
    'RSA256',
    'RSA256,RSA512,RSA256',
    'RSA256,',
    ',RSA256',
    ',',
    'RSA256 RSA512',
    'RSA256;RSA512',
  ];
  it.each(COUNTS)('as many algorithms as keys, and not %j', async (JWT_ALGORITHM) => {
    expect(await complaint(load({ ...two(), JWT_ALGORITHM }))).toBe('JWT_ALGORITHM');
  });

  const OTHERS = ['HS256', 'none', 'rsa256', 'RS384', 'RSA384', 'ES256', 'PS256', 'RSA', 'RSA256x', '256'];
  it.each(OTHERS)('%s is not an algorithm here', async (JWT_ALGORITHM) => {
    expect(await complaint(load({ ...own(), JWT_ALGORITHM }))).toBe('JWT_ALGORITHM');
  });

  it('twelve keys are as good as two', async () => {
    const JWT_PUBLIC_KEY = [...Array(11).fill(paths.users), paths.partners].join(',');
    const says = service(await load({ ...own(), JWT_PUBLIC_KEY }));
    expect(await says(await sign(partners, { sub: 'bob' }))).toBe('bob: ');
  });

  it('a key that is not there does not stop the others', async () => {
    const JWT_PUBLIC_KEY = `${join(root, 'gone.pem')},${paths.partners}`;
    const says = service(await load({ ...own(), JWT_PUBLIC_KEY }));
    expect(await says(await sign(partners, { sub: 'bob' }))).toBe('bob: ');
    // The missing key may have signed this token.
    expect(await says(await sign(users, { sub: 'alice' }))).toBe('503 keyset_unavailable');
  });
});

describe('OK-3: the claims', () => {
  it.each<[title: string, claims: { readonly [name: string]: unknown }, expected: string]>([
    ['no sub', {}, INVALID],
    ['an empty sub', { sub: '' }, INVALID],
    ['sub is null', { sub: null }, INVALID],
    ['sub is a number', { sub: 5 }, INVALID],
    ['no exp', { sub: 'alice', exp: undefined }, INVALID],
    ['expired', { sub: 'alice', exp: NOW / 1000 - 60 }, '401 token_expired'],
    ['not yet', { sub: 'alice', nbf: NOW / 1000 + 60 }, '401 token_not_yet_valid'],
    ['groups are a word', { sub: 'alice', groups: 'dev' }, 'alice: dev'],
    ['no groups', { sub: 'alice' }, 'alice: '],
    ['groups', { sub: 'alice', groups: ['a', 'b'] }, 'alice: a b'],
    ['another audience', { sub: 'alice', aud: 'https://other' }, 'alice: '],
  ])('%s', async (_, claims, expected) => {
    const says = service(await load(own()));
    expect(await says(await sign(users, claims))).toBe(expected);
  });

  it('an audience is checked where the options name one', async () => {
    const says = service(await load(own(), { audience: 'https://me' }));
    expect(await says(await sign(users, { sub: 'alice', aud: 'https://me' }))).toBe('alice: ');
    expect(await says(await sign(users, { sub: 'alice', aud: 'https://other' }))).toBe(
      '401 token_audience_mismatch',
    );
    expect(await says(await sign(users, { sub: 'alice' }))).toBe('401 token_audience_mismatch');
  });

  it('OK-16: the token of the seed has expired in 2019', async () => {
    const seed = { sub: 'analyst', iss: '192.168.10.8', groups: ['analyst_group'], exp: 1_575_983_826 };
    const says = service(await load(own()));
    expect(await says(await sign(users, seed))).toBe('401 token_expired');
  });
});

describe('D16, D17, OK-14: the system', () => {
  const both = () => ({ SYSTEM_TOKEN: paths.token, JWT_PUBLIC_KEY: `${paths.users},${paths.system}` });

  it('is the signer of the system token, and no other', async () => {
    const loaded = await load(both());
    expect(loaded.systemToken).toBe(paths.token);
    expect(loaded.options.keySets.map(({ system: isSystem }) => isSystem === true)).toEqual([false, true]);
    const says = service(loaded);
    expect(await says(await readFile(paths.token, 'utf8'))).toBe('okera: root');
    expect(await says(await sign(users, { sub: 'okera', groups: ['root'] }))).toBe(INVALID);
    expect(await says(await sign(users, { sub: 'alice', groups: ['root', 'dev'] }))).toBe('alice: dev');
    expect(await says(await sign(system, { sub: 'worker', groups: ['root', 'dev'] }))).toBe(
      'worker: root dev',
    );
    expect(warnings).toEqual([]);
  });

  it('is called as the options say', async () => {
    await writeFile(join(root, 'sys.token'), await sign(system, { sub: 'sys', groups: ['root'] }));
    const loaded = await load({ ...both(), SYSTEM_TOKEN: join(root, 'sys.token') }, { systemSubject: 'sys' });
    const says = service(loaded);
    expect(await says(await sign(users, { sub: 'sys' }))).toBe(INVALID);
    expect(await says(await sign(users, { sub: 'okera' }))).toBe('okera: ');
    expect(await says(await sign(system, { sub: 'sys', groups: ['root'] }))).toBe('sys: root');
  });

  it('an expired system token still names the key', async () => {
    const file = join(root, 'expired.token');
    await writeFile(file, await sign(system, { sub: 'okera', exp: 1_500_000_000 }));
    const says = service(await load({ ...both(), SYSTEM_TOKEN: file }));
    expect(await says(await sign(system, { sub: 'okera', groups: ['root'] }))).toBe('okera: root');
    expect(await says(await readFile(file, 'utf8'))).toBe('401 token_expired');
  });

  const ofSystem = () => sign(system, { sub: 'okera' });
  const OTHER_PAYLOAD = Buffer.from('{"sub":"okera","x":1}').toString('base64url');
  it.each<[title: string, content: () => Promise<string | undefined>]>([
    ['of another key', () => sign(stranger, { sub: 'okera' })],
    ['with another algorithm', () => sign(system, { sub: 'okera' }, 'RS256')],
    ['changed', async () => (await ofSystem()).replace(/\.[^.]*\./, `.${OTHER_PAYLOAD}.`)],
    ['unsigned', async () => (await ofSystem()).replace(/[^.]*$/, '')],
    ['no token', async () => 'hunter2'],
    ['empty', async () => ''],
    ['missing', async () => undefined],
    ['too long', async () => 'a'.repeat(100_000)],
    ['two tokens', async () => `${await ofSystem()}\n${await ofSystem()}`],
  ])('a system token that is %s makes no key the system’s, and warns', async (_, content) => {
    const file = join(await mkdtemp(join(root, 's-')), 'system.token');
    const text = await content();
    if (text !== undefined) await writeFile(file, text);
    const loaded = await load({ ...both(), SYSTEM_TOKEN: file });
    expect(loaded.options.keySets.some((keyset) => keyset.system === true)).toBe(false);
    expect(warnings).toEqual([
      expect.stringMatching(/^SYSTEM_TOKEN: (?:no key verifies it|\/\S+\/system\.token cannot be read)/),
    ]);
    expect(warnings.join()).not.toContain(text === undefined || text === '' ? 'hunter2' : text.slice(0, 40));
    const says = service(loaded);
    for (const by of [users, system]) {
      expect(await says(await sign(by, { sub: 'okera', groups: ['root'] }))).toBe(INVALID);
      expect(await says(await sign(by, { sub: 'alice', groups: ['root'] }))).toBe('alice: ');
    }
  });

  it('no system token: warns, and no key is the system’s', async () => {
    const loaded = await load({ JWT_PUBLIC_KEY: paths.users });
    expect(loaded.systemToken).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/^SYSTEM_TOKEN is not set/)]);
    const says = service(loaded);
    expect(await says(await sign(users, { sub: 'okera', groups: ['root'] }))).toBe(INVALID);
  });

  it('S56: a system token of another subject makes no key the system’s', async () => {
    const file = join(root, 'alice.token');
    await writeFile(file, await sign(users, { sub: 'alice' }));
    const loaded = await load({ ...both(), SYSTEM_TOKEN: file }).catch(() => undefined);
    if (loaded === undefined) return;
    const says = service(loaded);
    expect(await says(await sign(users, { sub: 'okera', groups: ['root'] }))).toBe(INVALID);
  });

  it('the same key twice is the system’s once, and its tokens are', async () => {
    const loaded = await load({ ...own(), JWT_PUBLIC_KEY: `${paths.system},${paths.system}` });
    const says = service(loaded);
    expect(await says(await sign(system, { sub: 'okera', groups: ['root'] }))).toBe('okera: root');
  });
});

describe('OK-7: ENABLE_JWT alone', () => {
  it('makes a directory once, says so, and works end to end', async () => {
    const directory = join(await mkdtemp(join(root, 'd-')), '.auth');
    const loaded = await load({ ENABLE_JWT: 'true' }, { directory });
    const names = ['id_rsa', 'id_rsa.pub', 'system.token'].map((name) => join(directory, name));
    expect(loaded.made).toEqual(names);
    expect(loaded.systemToken).toBe(names[2]);
    expect(warnings).toEqual([`ENABLE_JWT is the only setting: created ${names.join(', ')}`]);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, 'id_rsa'))).mode & 0o777).toBe(0o600);
    const before = await readFile(join(directory, 'id_rsa'), 'utf8');

    warnings.length = 0;
    const again = await load({ ENABLE_JWT: 'true' }, { directory });
    expect(again.made).toEqual([]);
    expect(again.options).toEqual(loaded.options);
    expect(warnings).toEqual([]);
    expect(await readFile(join(directory, 'id_rsa'), 'utf8')).toBe(before);
  });

  it('the system token and a user’s are accepted, and no others', async () => {
    const directory = await madeDirectory();
    const says = service(await load({ ENABLE_JWT: 'true' }, { directory }));
    expect(await says(await readFile(join(directory, 'system.token'), 'utf8'))).toBe('okera: root');
    const { token } = await createUserToken('analyst', ['analyst_group'], { directory, clock });
    expect(await says(token)).toBe('analyst: analyst_group');
    for (const claims of [{ sub: 'okera', groups: ['root'] }, { sub: 'alice' }])
      expect(await says(await sign(stranger, claims))).toBe('401 token_signature_invalid');
    await expect(createUserToken('okera', ['root'], { directory, clock })).rejects.toThrow(ConfigError);
  });

  it('it expires after 100 days', async () => {
    const later = createClock(NOW + 100 * 86_400_000 + 5_000);
    const token = await readFile(join(made, 'system.token'), 'utf8');
    const directory = await madeDirectory();
    const says = service(await load({ ENABLE_JWT: 'true' }, { directory, clock: later }));
    expect(await says(token)).toBe('401 token_expired');
    expect(await says(await readFile(join(directory, 'system.token'), 'utf8'))).toBe('okera: root');
  });

  it('OK-18: an own pair is used', async () => {
    const directory = await nowhere();
    await mkdir(directory);
    const pem = users.privateKey.export({ type: 'pkcs8', format: 'pem' });
    await writeFile(join(directory, 'id_rsa'), pem, { mode: 0o600 });
    const loaded = await load({ ENABLE_JWT: 'true' }, { directory });
    expect(loaded.made).toEqual(['id_rsa.pub', 'system.token'].map((name) => join(directory, name)));
    const says = service(loaded);
    expect(await says(await sign(users, { sub: 'alice', groups: ['dev'] }))).toBe('alice: dev');
  });

  it.each([
    ['id_rsa', 0o644],
    ['.', 0o777],
  ])('a directory whose %s is open to other users does not start: %o', async (name, mode) => {
    const directory = await madeDirectory();
    await chmod(join(directory, name), mode);
    await expect(load({ ENABLE_JWT: 'true' }, { directory })).rejects.toThrow('closed to other users');
  });

  it('is in .auth of the current directory, by default', { timeout: 60_000 }, async () => {
    const cwd = await mkdtemp(join(root, 'cwd-'));
    const program = `
      import { loadEnvironmentStart } from ${sourceModule('own-keys/index.ts')};
      const { made } = await loadEnvironmentStart();
      console.log(JSON.stringify(made));
    `;
    const env = { PATH: process.env.PATH, ENABLE_JWT: 'true' };
    const { stdout, stderr } = await runProgram(program, { cwd, env });
    expect(JSON.parse(stdout)).toEqual(
      ['id_rsa', 'id_rsa.pub', 'system.token'].map((name) => join(cwd, '.auth', name)),
    );
    expect(await readdir(cwd)).toEqual(['.auth']);
    expect(stderr).toContain('LATCHKEY_GENERATED');
    const key = await readFile(join(cwd, '.auth', 'id_rsa'), 'utf8');
    const token = await readFile(join(cwd, '.auth', 'system.token'), 'utf8');
    for (const secret of [key.split('\n')[1] as string, token.trim(), 'PRIVATE KEY'])
      expect(`${stdout}${stderr}`).not.toContain(secret);
  });
});

describe('OK-6: a file', () => {
  it('has KEY: value lines, comments, and settings of other programs', async () => {
    const loaded = await loadFile(`# Okera, cluster configuration
---
CLUSTER_NAME: demo
LDAP_PORT: 389
FLAGS: [a, b]
NESTED:
  JWT_PUBLIC_KEY: /etc/evil.pem

ENABLE_JWT: true   # as it should be
JWT_PUBLIC_KEY: ${pathToFileURL(paths.users).href},${pathToFileURL(paths.system).href}
JWT_ALGORITHM: RSA256, RSA512
SYSTEM_TOKEN: "${pathToFileURL(paths.token).href}"
`);
    expect(loaded.options.keySets).toEqual([
      { publicKeys: [{ file: paths.users, algorithm: 'RS256' }] },
      { publicKeys: [{ file: paths.system, algorithm: 'RS512' }], system: true },
    ]);
    expect(loaded.systemToken).toBe(paths.token);
    const says = service(loaded);
    expect(await says(await sign(users, { sub: 'alice' }, 'RS256'))).toBe('alice: ');
    expect(await says(await readFile(paths.token, 'utf8'))).toBe('okera: root');
    expect(warnings).toEqual([]);
  });

  it.each([
    ['carriage returns', (text: string) => text.replaceAll('\n', '\r\n')],
    ['a byte order mark', (text: string) => `\ufeff${text}`],
    ['no newline at its end', (text: string) => text.trimEnd()],
    ['quotes', (text: string) => text.replace(/: (.*)/g, ": '$1'")],
    ['JSON', () => JSON.stringify({ ENABLE_JWT: true, ...own() })],
  ])('may have %s', async (_, write) => {
    const text = `ENABLE_JWT: true\nJWT_PUBLIC_KEY: ${paths.users}\nSYSTEM_TOKEN: ${paths.token}\n`;
    const { options } = await loadFile(write(text));
    expect(options.keySets).toEqual([{ publicKeys: [{ file: paths.users, algorithm: 'RS512' }] }]);
  });

  it.each<[title: string, text: string, path: string]>([
    ['nothing', '', 'file'],
    ['comments only', '# ENABLE_JWT: true\n', 'file'],
    ['text', 'ENABLE_JWT', 'file'],
    ['a list', '- ENABLE_JWT: true\n', 'file'],
    ['no YAML', 'ENABLE_JWT: "true\n', 'file'],
    ['a setting twice', 'ENABLE_JWT: true\nENABLE_JWT: false\n', 'file'],
    ['two documents', 'ENABLE_JWT: true\n---\nENABLE_JWT: false\n', 'file'],
    ['a list of values', 'ENABLE_JWT: [true]\n', 'ENABLE_JWT'],
    ['an object', 'JWT_PUBLIC_KEY:\n  file: /etc/a.pem\n', 'JWT_PUBLIC_KEY'],
    ['others only', 'CLUSTER_NAME: demo\n', 'ENABLE_JWT'],
    ['an empty value', 'ENABLE_JWT:\n', 'ENABLE_JWT'],
    ['false', 'ENABLE_JWT: false\n', 'ENABLE_JWT'],
    ['another case', 'enable_jwt: true\n', 'ENABLE_JWT'],
    ['inherited', '__proto__:\n  ENABLE_JWT: "true"\n', 'ENABLE_JWT'],
  ])('%s', async (_, text, path) => {
    const directory = await nowhere();
    expect(await complaint(loadFile(text, { directory }))).toBe(path);
    await isMissing(directory);
  });

  it('that cannot be read is said so, with the code and no more', async () => {
    const error = await configRejectionOf(loadEnvironmentStart({ file: join(root, 'gone'), clock }));
    expect(error).toMatchObject({ path: 'file', message: 'file: cannot be read: ENOENT' });
    expect(await complaint(loadEnvironmentStart({ file: root, clock }))).toBe('file');
  });

  it.each(['true', 'TRUE', 'True', '"true"', "'true'"])('ENABLE_JWT: %s', async (written) => {
    const directory = await madeDirectory();
    await expect(loadFile(`ENABLE_JWT: ${written}\n`, { directory })).resolves.toMatchObject({ made: [] });
  });

  it('others’ settings are in no error', async () => {
    const text = `ENABLE_JWT: true\nDB_PASSWORD: hunter2: x\n`;
    expect(inspect(await configRejectionOf(loadFile(text)), { depth: 10 })).not.toContain('hunter2');
  });

  it('nor in a warning', async () => {
    const text = `JWT_PUBLIC_KEY: ${paths.users}\nSYSTEM_TOKEN: ${paths.token}\nDB_PASSWORD: !secret hunter2\n`;
    await loadFile(text);
    expect(warnings.join()).not.toContain('hunter2');
  });
});

describe('OK-5, OK-13: an endpoint', () => {
  async function serve(answer: (authorization: string) => number | string) {
    const asked: string[] = [];
    const server = createServer(({ headers }, response) => {
      asked.push(headers.authorization ?? '');
      const said = answer(headers.authorization ?? '');
      if (typeof said === 'number') response.writeHead(said).end();
      else response.writeHead(200, { 'content-type': 'application/json' }).end(said);
    });
    return { url: `http://127.0.0.1:${await listen(server)}/validate`, asked };
  }

  it('alone: what it accepts', async () => {
    const { url, asked } = await serve((bearer) => (bearer === 'Bearer good' ? '{"sub":"alice"}' : 401));
    const says = service(await load({ JWT_AUTHENTICATION_SERVER_URL: url }));
    expect(await says('good')).toBe('alice: ');
    expect(await says('bad')).toBe('401 token_rejected');
    expect(await says(await sign(users, { sub: 'alice' }))).toBe('401 token_rejected');
    expect(asked).toHaveLength(3);
  });

  it('both: the endpoint first, and then the keys, whatever it answers', async () => {
    let answer: number | string = '{"sub":"remote"}';
    const { url, asked } = await serve(() => answer);
    const says = service(await load({ ...own(), JWT_AUTHENTICATION_SERVER_URL: url }));
    const token = await sign(users, { sub: 'alice' });
    expect(await says(token)).toBe('remote: ');
    for (const said of [401, 403, 404, 500, '{}', '[]', 'hello', '{"sub":5}']) {
      answer = said;
      expect(await says(token), String(said)).toBe('alice: ');
    }
    expect(asked).toHaveLength(9);
    answer = 401;
    expect(await says('opaque')).toBe('401 token_malformed');
    answer = 500;
    expect(await says('opaque')).toBe('503 remote_unavailable');
    expect(warnings).toContainEqual(expect.stringContaining('remote.onReject'));
  });

  it('D16, D17: it cannot make a caller the system, nor grant the system’s group', async () => {
    let answer = '{"sub":"okera"}';
    const { url } = await serve(() => answer);
    for (const environment of [{}, own(), { ...own(), JWT_PUBLIC_KEY: paths.system }]) {
      const says = service(await load({ ...environment, JWT_AUTHENTICATION_SERVER_URL: url }));
      answer = '{"sub":"okera"}';
      expect(await says(await sign(stranger, { sub: 'okera' }))).toBe(INVALID);
      answer = '{"sub":"alice","groups":["root","dev"]}';
      expect(await says('t')).toBe('alice: dev');
      answer = '{"sub":"alice"}';
      expect(await says(await sign(stranger, { sub: 'alice', groups: ['root', 'dev'] }))).toBe('alice: dev');
    }
  });

  // The endpoint is asked first, about the system's token too. Where it accepts that token, its
  // answer counts, which may differ. With an endpoint alone, no key could verify the system token.
  it('OK-5: the system token is good next to an endpoint that accepts it', async () => {
    const { url } = await serve(() => '{"sub":"okera","groups":["root"]}');
    const settings = { ...own(), JWT_PUBLIC_KEY: paths.system, JWT_AUTHENTICATION_SERVER_URL: url };
    const says = service(await load(settings));
    expect(await says(await readFile(paths.token, 'utf8'))).toBe('okera: root');
  });

  it('OK-5: a setting says whether an endpoint alone vouches for the system', async () => {
    const { url } = await serve(() => '{"sub":"okera","groups":["root"]}');
    const settings = { SYSTEM_TOKEN: paths.token, JWT_AUTHENTICATION_SERVER_URL: url };
    expect(await complaint(load(settings))).toBe('JWT_AUTHENTICATION_SERVER_SYSTEM');
    const token = await readFile(paths.token, 'utf8');
    for (const [JWT_AUTHENTICATION_SERVER_SYSTEM, expected] of [
      ['true', 'okera: root'],
      ['false', '401 token_claims_invalid'],
    ] as const) {
      const says = service(await load({ ...settings, JWT_AUTHENTICATION_SERVER_SYSTEM }));
      expect(await says(token)).toBe(expected);
    }
    expect(await complaint(load({ ...settings, JWT_AUTHENTICATION_SERVER_SYSTEM: 'yes' }))).toBe(
      'JWT_AUTHENTICATION_SERVER_SYSTEM',
    );
    await load({ ...settings, ...own() });
  });

  it.each([
    ['http://login.example.com/validate', undefined],
    ['http://login.example.com/validate', 'false'],
    ['http://login.example.com/validate', 'yes'],
    ['http://10.0.0.1:5000/x', undefined],
    ['https://user:hunter2@login.example.com/', 'true'],
    ['ftp://login.example.com/', 'true'],
    ['login.example.com', undefined],
  ])('D15: %s (allow http: %s) is refused', async (JWT_AUTHENTICATION_SERVER_URL, allow) => {
    const error = await load({
      ...own(),
      JWT_AUTHENTICATION_SERVER_URL,
      JWT_AUTHENTICATION_SERVER_ALLOW_HTTP: allow,
    }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ConfigError', path: expect.stringMatching(/^JWT_AUTHENTICATION_/) });
    expect(String(error)).not.toMatch(/remote|allowHttp/);
    expect(inspect(error, { depth: 10 })).not.toContain('hunter2');
  });

  it('D15: JWT_AUTHENTICATION_SERVER_ALLOW_HTTP: true permits it', async () => {
    const loaded = await loadFile(
      `JWT_AUTHENTICATION_SERVER_URL: http://login.example.com/validate\nJWT_AUTHENTICATION_SERVER_ALLOW_HTTP: true\n`,
    );
    expect(() => closing(createAuthenticator(loaded.options))).not.toThrow();
  });
});

describe('D18: what is told', () => {
  it('no key or token is in a warning, an event, a report or an error', async () => {
    const directory = await madeDirectory();
    await rm(join(directory, 'system.token'));
    const NAMES = ['refreshed', 'failed', 'stale', 'key-added', 'key-removed', 'key-skipped'] as const;
    const events = NAMES.map((name) => eventsOf(`latchkey:keyset:${name}`));
    const loaded = await load({ ENABLE_JWT: 'true' }, { directory });
    const authenticator = closing(createAuthenticator(loaded.options));
    const token = (await readFile(join(directory, 'system.token'), 'utf8')).trim();
    await authenticator.verify(token);
    const error = await rejectionOf(authenticator.verify(`${token.slice(0, -4)}AAAA`));
    expect(isAuthError(error)).toBe(true);
    const key = await readFile(join(directory, 'id_rsa'), 'utf8');
    const told = inspect([warnings, events, authenticator.report(), error, loaded], { depth: 10 });
    expect(events.flat().length).toBeGreaterThan(0);
    expect(warnings).toHaveLength(1);
    for (const secret of [...key.split('\n').slice(1, -2), token, token.split('.')[1]!, 'PRIVATE KEY'])
      expect(told).not.toContain(secret);
  });
});
