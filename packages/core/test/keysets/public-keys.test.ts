// A primary public key and its backups, PEM, end to end: each is tried for its own algorithm,
// whatever the token's kid says, and files are read again when they change.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mint, type SigningKey } from '@latchkey/testing';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { ConfigError } from '../../src/errors.ts';
import type { PublicKeyOptions, PublicKeysKeysetOptions } from '../../src/keysets/options.ts';
import type { AlgorithmName } from '../../src/token/algorithms.ts';
import { closing, temporaryFolder } from '../support/closing.ts';
import { nextEvent } from '../support/observed.ts';
import { outcome as settled } from '../support/outcome.ts';

const AUDIENCE = 'https://api.example.com';
const ISSUER = 'partner';

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const rsa = (): Pair => generateKeyPairSync('rsa', { modulusLength: 2048 });
const primary = rsa();
const backup = rsa();
const stranger = rsa();
const ec: Pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function create(
  publicKeys: readonly PublicKeyOptions[],
  more: Partial<PublicKeysKeysetOptions> = {},
): Authenticator {
  return closing(
    createAuthenticator({
      keySets: [{ issuer: ISSUER, publicKeys, ...more }],
      audience: AUDIENCE,
    }),
  );
}

function pemOf({ publicKey }: Pair): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

function privatePemOf({ privateKey }: Pair): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function inPlace(pair: Pair, algorithm: PublicKeyOptions['algorithm'] = 'RS256'): PublicKeyOptions {
  return { pem: pemOf(pair), algorithm };
}

async function thumbprintOf({ publicKey }: Pair): Promise<string> {
  return calculateJwkThumbprint(await exportJWK(publicKey));
}

/** What comes of a token that this key signed; `accepted`, or the code of the refusal. */
async function outcome(
  authenticator: Authenticator,
  { privateKey }: Pair,
  alg: AlgorithmName = 'RS256',
  kid?: string,
): Promise<string> {
  const key: SigningKey = { alg, kid: '', privateKey, publicJwk: {} };
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: 4_000_000_000 };
  return settled(authenticator.verify(await mint(key, claims, { kid })));
}

describe('a primary key and its backup', () => {
  it.each([
    ['no kid', undefined],
    ['any kid', 'whatever'],
    ['a kid that is a member of every object', '__proto__'],
  ])('AM-3, OK-11, S39: with %s, both verify and no other does', async (_, kid) => {
    const authenticator = create([inPlace(primary), inPlace(backup)]);
    expect(await outcome(authenticator, primary, 'RS256', kid)).toBe('accepted');
    expect(await outcome(authenticator, backup, 'RS256', kid)).toBe('accepted');
    expect(await outcome(authenticator, stranger, 'RS256', kid)).toBe('token_signature_invalid');
  });

  it('S39: a kid that is a thumbprint goes straight to its key, and only there', async () => {
    const authenticator = create([inPlace(primary), inPlace(backup)]);
    const [first, second] = [await thumbprintOf(primary), await thumbprintOf(backup)];
    expect(await outcome(authenticator, primary, 'RS256', first)).toBe('accepted');
    expect(await outcome(authenticator, backup, 'RS256', second)).toBe('accepted');
    expect(await outcome(authenticator, primary, 'RS256', second)).toBe('token_signature_invalid');
    expect(await outcome(authenticator, backup, 'RS256', first)).toBe('token_signature_invalid');
    expect(authenticator.report().keysets).toMatchObject([
      { kids: [first, second], source: 'public-keys', state: 'fresh' },
    ]);
  });

  it('OK-11, AM-3: ten keys are tried, the last too', async () => {
    const pairs = Array.from({ length: 9 }, () => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    const authenticator = create([...pairs, ec].map((pair) => inPlace(pair, 'ES256')));
    for (const pair of [...pairs, ec]) expect(await outcome(authenticator, pair, 'ES256')).toBe('accepted');
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(await outcome(authenticator, other, 'ES256')).toBe('token_signature_invalid');
  });

  it('S49, S7: each key takes its own algorithm and no other', async () => {
    const authenticator = create([inPlace(primary, 'RS256'), inPlace(backup, 'RS512'), inPlace(ec, 'ES256')]);
    expect(await outcome(authenticator, primary, 'RS256')).toBe('accepted');
    expect(await outcome(authenticator, backup, 'RS512')).toBe('accepted');
    expect(await outcome(authenticator, ec, 'ES256')).toBe('accepted');
    // There is a key for the algorithm, and it is another one.
    expect(await outcome(authenticator, primary, 'RS512')).toBe('token_signature_invalid');
    expect(await outcome(authenticator, backup, 'RS256')).toBe('token_signature_invalid');
    // There is no key for the algorithm.
    for (const alg of ['RS384', 'PS256', 'PS512'] as const)
      expect(await outcome(authenticator, primary, alg)).toBe('token_algorithm_refused');
    expect(await outcome(authenticator, primary, 'RS512', await thumbprintOf(primary))).toBe(
      'token_algorithm_refused',
    );
  });

  it.each<[name: PublicKeyOptions['algorithm'], alg: AlgorithmName, others: readonly AlgorithmName[]]>([
    ['RSA256', 'RS256', ['RS384', 'RS512', 'PS256']],
    ['RSA512', 'RS512', ['RS256', 'RS384', 'PS512']],
    ['RS256', 'RS256', ['RS384', 'RS512', 'PS256']],
    ['RS512', 'RS512', ['RS256', 'RS384', 'PS512']],
    ['PS256', 'PS256', ['RS256', 'PS384', 'PS512']],
  ])('OK-10, S49: %s is %s', async (name, alg, others) => {
    const authenticator = create([inPlace(primary, name)]);
    expect(await outcome(authenticator, primary, alg)).toBe('accepted');
    for (const other of others)
      expect(await outcome(authenticator, primary, other)).toBe('token_algorithm_refused');
  });

  it.each<[form: string, pem: string]>([
    ['BEGIN PUBLIC KEY', pemOf(primary)],
    ['BEGIN RSA PUBLIC KEY', primary.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()],
  ])('OK-9, AK-41: %s', async (form, pem) => {
    expect(pem).toContain(form);
    expect(await outcome(create([{ pem, algorithm: 'RS256' }]), primary)).toBe('accepted');
  });

  it('AK-16: allowedAlgorithms narrows what the keys say', async () => {
    const authenticator = create([inPlace(primary, 'RS256'), inPlace(backup, 'RS512')], {
      allowedAlgorithms: ['RS256'],
    });
    expect(await outcome(authenticator, primary, 'RS256')).toBe('accepted');
    expect(await outcome(authenticator, backup, 'RS512')).toBe('token_algorithm_refused');
  });

  it('S7: unsafeAlgorithmMatch lets a key verify its family, and never the other padding', async () => {
    const authenticator = create([inPlace(primary)], { unsafeAlgorithmMatch: 'family' });
    for (const alg of ['RS256', 'RS384', 'RS512'] as const)
      expect(await outcome(authenticator, primary, alg)).toBe('accepted');
    expect(await outcome(authenticator, primary, 'PS256')).toBe('token_algorithm_refused');
  });
});

describe('options', () => {
  const good = inPlace(primary);
  const certificate = pemOf(primary).replaceAll('PUBLIC KEY', 'CERTIFICATE');

  it.each<[title: string, path: string, publicKeys: unknown, message?: string]>([
    ['T-140: no keys', 'keySets[0].publicKeys', []],
    ['T-140: no list', 'keySets[0].publicKeys', good],
    ['T-140: 11 keys', 'keySets[0].publicKeys', Array.from({ length: 11 }, () => good), 'at most 10'],
    ['S49: a key without algorithm', 'keySets[0].publicKeys[1].algorithm', [good, { pem: pemOf(backup) }]],
    ['T-140: an unknown algorithm', 'keySets[0].publicKeys[0].algorithm', [{ ...good, algorithm: 'RS1' }]],
    ['T-140: none', 'keySets[0].publicKeys[0].algorithm', [{ ...good, algorithm: 'none' }]],
    ['T-140: rs256', 'keySets[0].publicKeys[0].algorithm', [{ ...good, algorithm: 'rs256' }]],
    ['T-140: RSA384', 'keySets[0].publicKeys[0].algorithm', [{ ...good, algorithm: 'RSA384' }]],
    ...['HS256', 'HS384', 'HS512', 'HS224', 'HMD5'].map((algorithm): [string, string, unknown, string] => [
      `T-019: ${algorithm}`,
      'keySets[0].publicKeys[0].algorithm',
      [{ ...good, algorithm }],
      'expected an algorithm with public keys',
    ]),
    [
      'T-140: a file and PEM in place',
      'keySets[0].publicKeys[0]',
      [{ ...good, file: 'primary.pem' }],
      'either file or pem',
    ],
    ['T-140: neither', 'keySets[0].publicKeys[0]', [{ algorithm: 'RS256' }], 'either file or pem'],
    ['T-140: an empty file name', 'keySets[0].publicKeys[0].file', [{ file: '', algorithm: 'RS256' }]],
    ['T-140: no string', 'keySets[0].publicKeys[0].pem', [{ pem: 5, algorithm: 'RS256' }]],
    ['T-140: a misspelled option', 'keySets[0].publicKeys[0].alg', [{ ...good, alg: 'RS256' }]],
    [
      'T-019: a private key',
      'keySets[0].publicKeys[0].pem',
      [{ pem: privatePemOf(primary), algorithm: 'RS256' }],
      'private key',
    ],
    [
      'T-019: a private key as the backup',
      'keySets[0].publicKeys[1].pem',
      [good, { pem: privatePemOf(ec), algorithm: 'ES256' }],
      'private key',
    ],
    [
      'T-019: a certificate of no key',
      'keySets[0].publicKeys[0].pem',
      [{ pem: certificate, algorithm: 'RS256' }],
      'certificate',
    ],
    [
      'T-019: a JWK',
      'keySets[0].publicKeys[0].pem',
      [{ pem: JSON.stringify(primary.publicKey.export({ format: 'jwk' })), algorithm: 'RS256' }],
      'got a string without -----BEGIN; write a path as file',
    ],
    [
      'T-019: a secret',
      'keySets[0].publicKeys[0].pem',
      [{ pem: 'Zx8Qk3Wn5Vt7Yb2Mc4Lp6Rj9Hd1Sf0Ga', algorithm: 'RS256' }],
      'got a string without -----BEGIN; write a path as file',
    ],
    [
      'T-140: two keys in one PEM',
      'keySets[0].publicKeys[0].pem',
      [{ pem: pemOf(primary) + pemOf(backup), algorithm: 'RS256' }],
      'one PEM block',
    ],
  ])('%s: ConfigError at %s', (_, path, publicKeys, message = '') => {
    let thrown: unknown;
    try {
      create(publicKeys as readonly PublicKeyOptions[]);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigError);
    expect(thrown).toMatchObject({ path, message: expect.stringContaining(message) });
    for (const secret of ['Zx8Qk3Wn5Vt7Yb2Mc4Lp6Rj9Hd1Sf0Ga', privatePemOf(primary).slice(30, 90)])
      expect((thrown as ConfigError).message).not.toContain(secret);
  });

  it('D1: unsafeLegacyAlgorithms cannot be combined with public keys', () => {
    expect(() => create([good], { unsafeLegacyAlgorithms: ['HMD5'] } as never)).toThrow(
      expect.objectContaining({ path: 'keySets[0].unsafeLegacyAlgorithms' }),
    );
  });

  it.each<[title: string, key: PublicKeyOptions]>([
    ['T-029: RSA of 1024 bits', inPlace(generateKeyPairSync('rsa', { modulusLength: 1024 }))],
    ['T-020: an EC key for RS256', inPlace(ec, 'RS256')],
    ['T-020: a P-256 key for ES384', inPlace(ec, 'ES384')],
    ['T-020: an RSA key for EdDSA', inPlace(primary, 'EdDSA')],
  ])('%s verifies nothing', async (_, key) => {
    const authenticator = create([key]);
    await expect(authenticator.ready()).rejects.toMatchObject({ code: 'keyset_unavailable' });
    expect(await outcome(authenticator, primary)).toBe('keyset_unavailable');
  });
});

describe('files', () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  const inFile = (name: string, algorithm: PublicKeyOptions['algorithm'] = 'RS256'): PublicKeyOptions => ({
    file: at(name),
    algorithm,
  });

  beforeEach(async () => {
    folder = await temporaryFolder();
  });

  /** Puts a file in place whole, as deployments do. */
  async function replace(name: string, content: string): Promise<void> {
    await writeFile(at(`${name}.tmp`), content);
    await rename(at(`${name}.tmp`), at(name));
  }

  it('AM-3, OK-9: a primary and a backup file', async () => {
    await writeFile(at('primary.pem'), pemOf(primary));
    await writeFile(at('backup.pem'), pemOf(backup));
    const authenticator = create([inFile('primary.pem'), inFile('backup.pem')]);
    expect(await outcome(authenticator, primary)).toBe('accepted');
    expect(await outcome(authenticator, backup)).toBe('accepted');
    expect(await outcome(authenticator, stranger)).toBe('token_signature_invalid');
  });

  it('AM-3: a backup that is not there yet is no fault, and is picked up when it comes', async () => {
    await writeFile(at('primary.pem'), pemOf(primary));
    const authenticator = create([inFile('primary.pem'), inFile('backup.pem')]);
    await authenticator.ready();
    expect(await outcome(authenticator, primary)).toBe('accepted');
    expect(await outcome(authenticator, backup)).toBe('token_signature_invalid');
    const added = nextEvent('latchkey:keyset:key-added');
    await replace('backup.pem', pemOf(backup));
    expect(await added).toMatchObject({ kid: await thumbprintOf(backup) });
    expect(await outcome(authenticator, backup)).toBe('accepted');
    expect(await outcome(authenticator, primary)).toBe('accepted');
  });

  it('T-114: both missing is 503, and the authenticator recovers by itself', async () => {
    const authenticator = create([inFile('primary.pem'), inFile('backup.pem')]);
    await expect(authenticator.ready()).rejects.toMatchObject({
      code: 'keyset_unavailable',
      message: expect.stringMatching(
        /^keySets\[0\]: no keys from publicKeys: no usable key: \S*primary\.pem: the file does not exist \(ENOENT\); \S*backup/,
      ),
    });
    expect(await outcome(authenticator, primary)).toBe('keyset_unavailable');
    const refreshed = nextEvent('latchkey:keyset:refreshed');
    await replace('primary.pem', pemOf(primary));
    await refreshed;
    expect(await outcome(authenticator, primary)).toBe('accepted');
  });

  it('AK-9, T-130: a file that is replaced is picked up, and the old key is dead', async () => {
    await writeFile(at('primary.pem'), pemOf(primary));
    const authenticator = create([inFile('primary.pem')]);
    expect(await outcome(authenticator, primary)).toBe('accepted');
    const removed = nextEvent('latchkey:keyset:key-removed');
    await replace('primary.pem', pemOf(backup));
    expect(await removed).toMatchObject({ kid: await thumbprintOf(primary) });
    expect(await outcome(authenticator, primary)).toBe('token_signature_invalid');
    expect(await outcome(authenticator, backup)).toBe('accepted');
  });

  it.each<[title: string, spoil: () => Promise<void>]>([
    ['empty', () => replace('primary.pem', '')],
    ['half written', () => replace('primary.pem', pemOf(backup).slice(0, 200))],
    ['a private key', () => replace('primary.pem', privatePemOf(backup))],
    ['a certificate', () => replace('primary.pem', pemOf(backup).replaceAll('PUBLIC KEY', 'CERTIFICATE'))],
    ['more than 512 KiB', () => replace('primary.pem', pemOf(backup).padEnd(512 * 1024 + 1))],
    ['gone', () => rm(at('primary.pem'))],
  ])('T-138: the only file %s: the last good key stays', async (_, spoil) => {
    await writeFile(at('primary.pem'), pemOf(primary));
    const authenticator = create([inFile('primary.pem')]);
    expect(await outcome(authenticator, primary)).toBe('accepted');
    const failed = nextEvent('latchkey:keyset:failed');
    await spoil();
    const { error } = await failed;
    for (const secret of privatePemOf(backup)
      .split('\n')
      .filter((line) => line.length > 40))
      expect(error.message).not.toContain(secret);
    expect(await outcome(authenticator, primary)).toBe('accepted');
    expect(await outcome(authenticator, backup)).toBe('token_signature_invalid');
  });

  it('T-019: a private key in a file verifies nothing', async () => {
    await writeFile(at('primary.pem'), privatePemOf(primary));
    const authenticator = create([inFile('primary.pem')]);
    await expect(authenticator.ready()).rejects.toMatchObject({
      code: 'keyset_unavailable',
      cause: new Error('no usable key: expected a public key, got a private key'),
    });
    expect(await outcome(authenticator, primary)).toBe('keyset_unavailable');
  });

  it('R19: a folder is not watched after the end', async () => {
    await writeFile(at('primary.pem'), pemOf(primary));
    const closed = create([inFile('primary.pem')]);
    const open = create([inFile('primary.pem')]);
    await closed.ready();
    await open.ready();
    await closed.close();
    const removed = nextEvent('latchkey:keyset:key-removed');
    await replace('primary.pem', pemOf(backup));
    await removed;
    expect(open.report().keysets[0]?.kids).toEqual([await thumbprintOf(backup)]);
    expect(closed.report().keysets[0]?.kids).toEqual([await thumbprintOf(primary)]);
  });
});
