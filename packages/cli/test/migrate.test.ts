// `latchkey jwks migrate` on real files: the seed's command lines, and a process that is killed
// between each pair of writes.
import { spawnSync } from 'node:child_process';
import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign as signBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createAuthenticator, isAuthError, loadDescriptor } from '@latchkey/core';
import { forge } from '@latchkey/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { temporaryFolder } from './temporary.ts';
import { createTerminal } from './terminal.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const secret = randomBytes(48).toString('base64');
const spki = ({ publicKey }: { publicKey: KeyObject }) =>
  publicKey.export({ type: 'spki', format: 'pem' }).toString();
const pkcs8 = ({ privateKey }: { privateKey: KeyObject }) =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

const DESCRIPTOR = `# Whom we trust.
name: my-service
service:
  image: my-image:latest
  jwt:
    audience: null # for now
    keySets:
      - issuer: https://accounts.example # stays the first
        jwksUrl: https://accounts.example/jwks.json
        skipValidation: true
    keys:
      # our own
      - keyId: a1
        issuer: https://a.example
        algorithm: RS256
        secret:
          name: a1-secret
      - keyId: any
        algorithm: HS256
        secret:
          name: any-secret
      - keyId: a2
        issuer: https://a.example
        algorithm: EdDSA
        secret:
          name: a2-secret
      - keyId: b1
        issuer: b
        algorithm: ES256
        secret:
          name: b1-secret
`;
/** One for each keyset, and one for the key that only signs. */
const WRITES = 4 + 2;

let cwd: string;

beforeEach(() => {
  cwd = temporaryFolder('migrate');
  setUp(cwd);
});

function setUp(directory: string): void {
  writeFileSync(join(directory, 'service.yaml'), DESCRIPTOR);
  chmodSync(join(directory, 'service.yaml'), 0o640);
  const entries = {
    'a1-secret/private.key': pkcs8(rsa),
    'a1-secret/public.key': spki(rsa),
    'any-secret/secret.key': secret,
    'a2-secret/private.key': pkcs8(ed),
    'b1-secret/public.key': spki(ec),
  };
  for (const [path, text] of Object.entries(entries)) {
    mkdirSync(join(directory, 'secrets', path, '..'), { recursive: true, mode: 0o700 });
    writeFileSync(join(directory, 'secrets', path), text, { mode: 0o600 });
  }
}

async function latchkey(argv: readonly string[], directory = cwd) {
  const { terminal, stdout, stderr } = createTerminal({ cwd: directory });
  const code = await run(argv, terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

const descriptorIn = (directory: string) => readFileSync(join(directory, 'service.yaml'), 'utf8');

/**
 * All files and what is in them, but for drafts and locks that a killed process could not take
 * away.
 */
function filesIn(directory: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile() && !/\.(?:tmp|lock)$/.test(file.name))
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort()
      .map((path) => [path.slice(directory.length), readFileSync(path, 'utf8')]),
  );
}

type Sign = (input: Buffer) => Buffer;
const SIGN: Record<string, Sign> = {
  RS256: (input) => signBytes('sha256', input, rsa.privateKey),
  ES256: (input) => signBytes('sha256', input, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }),
  EdDSA: (input) => signBytes(null, input, ed.privateKey),
  HS256: (input) => createHmac('sha256', secret).update(input).digest(),
};
const A = 'https://a.example';
/** alg, kid, iss, and the statuses before and after. */
const TOKENS: readonly (readonly [string, string | undefined, string | undefined, number, number])[] = [
  ['RS256', 'a1', A, 200, 200],
  ['RS256', undefined, A, 200, 200],
  ['RS256', 'any', A, 401, 401],
  ['RS256', 'a1', 'b', 401, 401],
  ['RS256', 'a1', 'stranger', 401, 401],
  // D3: the only decision that becomes stricter.
  ['RS256', 'a1', undefined, 200, 401],
  ['EdDSA', 'a2', A, 401, 401],
  ['HS256', 'any', undefined, 200, 200],
  ['HS256', 'any', 'stranger', 200, 200],
  ['HS256', 'any', A, 401, 401],
  ['ES256', 'b1', 'b', 200, 200],
  ['ES256', 'b1', undefined, 200, 401],
];

/** Returns the status of each token by the current descriptor. */
async function decide(directory: string): Promise<readonly number[]> {
  const authenticator = createAuthenticator(loadDescriptor(join(directory, 'service.yaml')).options);
  try {
    return await Promise.all(
      TOKENS.map(async ([alg, kid, iss]) => {
        const payload = {
          sub: 'ada',
          exp: Math.floor(Date.now() / 1000) + 600,
          ...(iss === undefined ? {} : { iss }),
        };
        const header = { alg, ...(kid === undefined ? {} : { kid }) };
        try {
          await authenticator.verify(
            forge({ header, payload, signature: (input) => SIGN[alg]?.(input) as Buffer }),
          );
          return 200;
        } catch (error) {
          if (isAuthError(error)) return error.status;
          throw error;
        }
      }),
    );
  } finally {
    await authenticator.close();
  }
}

const OLD = TOKENS.map(([, , , before]) => before);
const NEW = TOKENS.map(([, , , , after]) => after);

describe('jwks migrate', () => {
  it('AK-27 S18 turns keys into keysets, and keeps comments and order of the descriptor', async () => {
    expect(await decide(cwd)).toEqual(OLD);
    const { code, stdout, stderr } = await latchkey(['service', 'jwks', 'migrate', 'my-service']);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^ISSUER +SOURCE +KEYS\nhttps:\/\/a\.example +secret: my-service-a-example-[0-9a-f]{8} +a1, a2\n\(none\) +secret: my-service-any-issuer +any\nb +secret: my-service-b +b1\n$/,
    );
    expect(stderr).toMatch(
      /note: a token without an issuer was verified by any of the keys; now it is verified by the new keysets without an issuer/,
    );
    expect(stderr).toMatch(/note: a2 only signs/);
    const text = descriptorIn(cwd);
    expect(text.startsWith(DESCRIPTOR.slice(0, DESCRIPTOR.indexOf('    keys:')).trimEnd())).toBe(true);
    expect(text).not.toContain('keys:\n');
    expect(await decide(cwd)).toEqual(NEW);
  });

  it('D18 writes private files readable only by the owner, and the descriptor with its mode', async () => {
    await latchkey(['jwks', 'migrate']);
    const mode = (path: string) => statSync(join(cwd, path)).mode & 0o777;
    expect([
      mode('service.yaml'),
      mode('secrets/my-service-b'),
      mode('secrets/my-service-b/jwks.json'),
    ]).toEqual([0o640, 0o700, 0o600]);
  });

  it('AK-27 names secrets by --secret-prefix', async () => {
    const { code, stdout } = await latchkey([
      'jwks',
      'migrate',
      'my-service',
      '--secret-prefix',
      'my-prefix',
      '-o',
      'json',
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      migrated: true,
      keySets: [
        { issuer: A, keyIds: ['a1', 'a2'], signingKeyIds: ['a2'] },
        { secretName: 'my-prefix-any-issuer' },
        { issuer: 'b', secretName: 'my-prefix-b', keyIds: ['b1'] },
      ],
      notes: expect.arrayContaining([expect.stringMatching(/without an issuer/)]),
    });
    expect(readdirSync(join(cwd, 'secrets')).filter((name) => name.startsWith('my-prefix-'))).toHaveLength(3);
  });

  it('T-167 prints no key', async () => {
    const { stdout, stderr } = await latchkey(['jwks', 'migrate', '-o', 'json']);
    const privateJwk = rsa.privateKey.export({ format: 'jwk' });
    for (const hidden of [secret, Buffer.from(secret).toString('base64url'), privateJwk.d, 'BEGIN'])
      expect(stdout + stderr).not.toContain(hidden);
  });

  it('S18 a second run changes nothing', async () => {
    await latchkey(['jwks', 'migrate']);
    const before = filesIn(cwd);
    expect(await latchkey(['jwks', 'migrate'])).toEqual({
      code: 0,
      stdout: 'Nothing to migrate: service.yaml has no keys.\n',
      stderr: '',
    });
    expect(filesIn(cwd)).toEqual(before);
    expect(JSON.parse((await latchkey(['jwks', 'migrate', '-o', 'json'])).stdout)).toEqual({
      migrated: false,
      keySets: [],
      notes: [],
    });
  });

  it.each<[string, readonly string[], (directory: string) => void, RegExp]>([
    ['another service', ['other-service'], () => {}, /my-service, not other-service/],
    ['a prefix that is a path', ['--secret-prefix', '../x'], () => {}, /--secret-prefix/],
    [
      'a secret that is taken',
      [],
      (directory) => {
        mkdirSync(join(directory, 'secrets', 'my-service-b'));
        writeFileSync(join(directory, 'secrets', 'my-service-b', 'jwks.json'), '{"keys":[]}');
      },
      /my-service-b has another jwks\.json.*--secret-prefix/,
    ],
    [
      'a key that cannot be read',
      [],
      (directory) => writeFileSync(join(directory, 'secrets', 'b1-secret', 'public.key'), 'no key'),
      /service\.yaml:\d+:\d+: keys\[3\]: cannot be moved/,
    ],
    [
      'a missing key',
      ['--secrets', 'elsewhere'],
      () => {},
      /keys\[0\]: cannot be moved: there is no entry public\.key/,
    ],
    [
      'keys that another part of the file refers to',
      [],
      (directory) => {
        const text = DESCRIPTOR.replace('keys:\n', 'keys: &list\n').concat('unrelated: *list\n');
        writeFileSync(join(directory, 'service.yaml'), text);
      },
      /change it by hand/,
    ],
  ])('S18 stops at %s, and changes no file', async (_what, options, prepare, reason) => {
    prepare(cwd);
    const before = filesIn(cwd);
    const { code, stdout, stderr } = await latchkey(['jwks', 'migrate', ...options]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(reason);
    expect(filesIn(cwd)).toEqual(before);
  });
});

describe('S18 killed', () => {
  const places = Array.from({ length: WRITES }, (_, index) => index + 1);

  it.each(
    places.flatMap(
      (nth) =>
        [
          [nth, 'before'],
          [nth, 'after'],
        ] as const,
    ),
  )('at write %i, %s it: old or new, never neither, and a second run completes', async (nth, when) => {
    const whole = temporaryFolder('migrate');
    setUp(whole);
    expect((await latchkey(['jwks', 'migrate'], whole)).code).toBe(0);
    const { signal, stderr } = migrateInProcess(nth, when);
    expect(signal, stderr).toBe('SIGKILL');
    const decisions = await decide(cwd);
    for (const [index, decision] of decisions.entries()) expect([OLD[index], NEW[index]]).toContain(decision);
    const isLast = nth === WRITES && when === 'after';
    expect(descriptorIn(cwd).includes('keys:\n')).toBe(!isLast);
    expect((await latchkey(['jwks', 'migrate'])).code).toBe(0);
    expect(filesIn(cwd)).toEqual(filesIn(whole));
    expect(await decide(cwd)).toEqual(NEW);
  });

  it('after the last write: there are no more writes than were counted', () => {
    const { status, signal } = migrateInProcess(WRITES + 1, 'before');
    expect({ status, signal }).toEqual({ status: 0, signal: null });
  });

  function migrateInProcess(nth: number, when: string) {
    const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
    return spawnSync(
      process.execPath,
      ['--conditions=source', '--import', path('kill-at-rename.ts'), path('latchkey.ts'), 'jwks', 'migrate'],
      { cwd, env: { ...process.env, KILL_AT: String(nth), KILL_WHEN: when }, encoding: 'utf8' },
    );
  }
});
