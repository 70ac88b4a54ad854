// Every algorithm of the seed and those beyond it, end to end: signed by jose, or by node:crypto
// where jose knows none of it, and verified by an authenticator. The legacy ones only where the
// keyset says so.
import { createHmac, createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { forge, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import type { KeysetOptions } from '../../src/keysets/options.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import type { AlgorithmName } from '../../src/token/algorithms.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { closing } from '../support/closing.ts';
import { outcome as settled } from '../support/outcome.ts';
import { listen } from '../support/servers.ts';

const AUDIENCE = 'https://api.example.com';
const ISSUER = 'internal';
const CLAIMS = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: 4_000_000_000 };

function create(keyset: KeysetOptions, keys: readonly JsonObject[] = []): Authenticator {
  const secrets = createMemoryStore({ jwks: { 'jwks.json': JSON.stringify({ keys }) } });
  return closing(
    createAuthenticator({
      keySets: [keyset],
      audience: AUDIENCE,
      secrets,
      externalSecrets: secrets,
      maxTokenBytes: 65_536,
    }),
  );
}

/** What came of it: `accepted`, or the code of the refusal. */
async function outcome(authenticator: Authenticator, token: string): Promise<string> {
  return settled(authenticator.verify(token));
}

/** A token with one bit of its signature turned over. */
function spoiled(token: string): string {
  const start = token.lastIndexOf('.') + 1;
  const signature = Buffer.from(token.slice(start), 'base64url');
  signature.writeUInt8(signature.readUInt8(signature.length >> 1) ^ 1, signature.length >> 1);
  return token.slice(0, start) + signature.toString('base64url');
}

/** Why this Node cannot make ML-DSA keys; undefined if it can (OpenSSL 3.5). */
function whyNoMlDsa(): string | undefined {
  try {
    generateKeyPairSync('ml-dsa-44' as never);
    return undefined;
  } catch {
    return `OpenSSL ${process.versions.openssl} has no ML-DSA`;
  }
}

const noMlDsa = whyNoMlDsa();

const ASYMMETRIC = [
  ['AK-5', 'RS256'],
  ['AK-5', 'RS384'],
  ['AK-5', 'RS512'],
  ['AK-5', 'ES256'],
  ['AK-5', 'ES384'],
  ['AK-5', 'ES512'],
  ['AK-5', 'EdDSA'],
  ['AK-5, S9', 'Ed25519'],
  ['AK-5+', 'PS256'],
  ['AK-5+', 'PS384'],
  ['AK-5+', 'PS512'],
] as const;

const ML_DSA = [
  ['AK-5+', 'ML-DSA-44'],
  ['AK-5+', 'ML-DSA-65'],
  ['AK-5+', 'ML-DSA-87'],
] as const;

async function verifiesExactly(alg: AlgorithmName): Promise<void> {
  const key = await generateSigningKey(alg, 'k');
  const authenticator = create({ issuer: ISSUER, jwks: { keys: [key.publicJwk] } });
  const token = await mint(key, CLAIMS);
  expect(await outcome(authenticator, token)).toBe('accepted');
  expect(await outcome(authenticator, spoiled(token))).toBe('token_signature_invalid');
  const stranger = await generateSigningKey(alg, 'k');
  expect(await outcome(authenticator, await mint(stranger, CLAIMS))).toBe('token_signature_invalid');
  // Not where the keyset does not allow it.
  const narrow = create(
    {
      issuer: ISSUER,
      secret: { name: 'jwks' },
      allowedAlgorithms: [alg === 'RS256' ? 'ES256' : 'RS256'],
    },
    [key.publicJwk],
  );
  expect(await outcome(narrow, token)).toBe('token_algorithm_refused');
}

describe('asymmetric algorithms', () => {
  it.each(ASYMMETRIC)('%s: %s', (_, alg) => verifiesExactly(alg));

  // Skipped, with this reason, where Node's OpenSSL is older than 3.5.
  it.skipIf(noMlDsa !== undefined).each(ML_DSA)(
    `%s: %s${noMlDsa === undefined ? '' : ` (${noMlDsa})`}`,
    (_, alg) => verifiesExactly(alg),
  );

  it.each([
    ['EdDSA', 'Ed25519'],
    ['Ed25519', 'EdDSA'],
  ] as const)('S9: a key that says %s verifies a token that says %s', async (said, alg) => {
    const key = await generateSigningKey(said, 'k');
    const authenticator = create({ issuer: ISSUER, jwks: { keys: [key.publicJwk] } });
    expect(await outcome(authenticator, await mint({ ...key, alg }, CLAIMS))).toBe('accepted');
  });
});

function symmetric(alg: AlgorithmName, length: number) {
  const bytes = randomBytes(length);
  const signing: SigningKey = { alg, kid: 'k', privateKey: createSecretKey(bytes), publicJwk: {} };
  return { bytes, signing, jwk: { kty: 'oct', k: bytes.toString('base64url'), kid: 'k', alg } };
}

/** A token with an HMAC that jose does not know. Null: without a kid. */
function forgeHmac(alg: string, hash: string, secret: Uint8Array, kid: string | null = 'k'): string {
  return forge({
    header: { alg, ...(kid !== null && { kid }) },
    payload: CLAIMS,
    signature: (input) => createHmac(hash, secret).update(input).digest(),
  });
}

describe('symmetric algorithms', () => {
  it.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ] as const)('AK-5: %s', async (alg, length) => {
    const { signing, jwk } = symmetric(alg, length);
    const authenticator = create({ issuer: ISSUER, secret: { name: 'jwks' } }, [jwk]);
    const token = await mint(signing, CLAIMS);
    expect(await outcome(authenticator, token)).toBe('accepted');
    expect(await outcome(authenticator, spoiled(token))).toBe('token_signature_invalid');
    const stranger = symmetric(alg, length);
    expect(await outcome(authenticator, await mint(stranger.signing, CLAIMS))).toBe(
      'token_signature_invalid',
    );
  });

  it.each([
    ['HS256', 'sha256', 32],
    ['HS384', 'sha384', 48],
    ['HS512', 'sha512', 64],
  ] as const)('T-034: a shortened %s signature is refused', async (alg, hash, length) => {
    const { bytes, jwk } = symmetric(alg, length);
    const authenticator = create({ issuer: ISSUER, secret: { name: 'jwks' } }, [jwk]);
    const cut = (size: number) =>
      forge({
        header: { alg, kid: 'k' },
        payload: CLAIMS,
        signature: (input) => createHmac(hash, bytes).update(input).digest().subarray(0, size),
      });
    expect(await outcome(authenticator, cut(length))).toBe('accepted');
    for (const size of [1, 16, length / 2, length - 1])
      expect(await outcome(authenticator, cut(size))).toBe('token_signature_invalid');
  });
});

const LEGACY = [
  ['HMD5', 'md5', 16, 'D1'],
  ['HS224', 'sha224', 28, 'D2'],
] as const;

describe.each(LEGACY)('%s', (alg, hash, length, row) => {
  const other = alg === 'HMD5' ? 'HS224' : 'HMD5';
  const legacy = { unsafeLegacyAlgorithms: [alg] } as const;

  it.each<[source: string, keyset: KeysetOptions]>([
    ['a secret', { issuer: ISSUER, secret: { name: 'jwks' }, ...legacy }],
    ['an external secret', { issuer: ISSUER, externalSecret: { name: 'jwks' }, ...legacy }],
  ])(`AK-5, ${row}: is verified by a key in %s, where the keyset says so`, async (_, keyset) => {
    const { bytes, jwk } = symmetric(alg, length);
    const authenticator = create(keyset, [jwk]);
    const token = forgeHmac(alg, hash, bytes);
    expect(await outcome(authenticator, token)).toBe('accepted');
    expect(await outcome(authenticator, spoiled(token))).toBe('token_signature_invalid');
    expect(await outcome(authenticator, forgeHmac(alg, hash, randomBytes(length)))).toBe(
      'token_signature_invalid',
    );
  });

  it.each<[title: string, more: object, change: (jwk: JsonObject) => JsonObject]>([
    ['the keyset does not say so', {}, (jwk) => jwk],
    ['the keyset names the other one', { unsafeLegacyAlgorithms: [other] }, (jwk) => jwk],
    ['the keyset does not allow it', { ...legacy, allowedAlgorithms: ['HS256'] }, (jwk) => jwk],
    ['the key has no kid', legacy, ({ kid: _, ...jwk }) => jwk],
    ['the key does not say so', legacy, ({ alg: _, ...jwk }) => jwk],
    ['the key says HS256', legacy, (jwk) => ({ ...jwk, alg: 'HS256' })],
    [
      'the key says HS256 and the keyset takes families',
      { ...legacy, unsafeAlgorithmMatch: 'family' },
      (jwk) => ({ ...jwk, alg: 'HS256' }),
    ],
  ])(`${row}: is refused where %s`, async (_, more, change) => {
    const { bytes, jwk } = symmetric(alg, 64);
    const authenticator = create({ issuer: ISSUER, secret: { name: 'jwks' }, ...more } as KeysetOptions, [
      change(jwk),
    ]);
    for (const kid of ['k', null]) {
      expect(await outcome(authenticator, forgeHmac(alg, hash, bytes, kid))).toMatch(
        /^token_(?:algorithm_refused|key_unknown)$/,
      );
    }
  });

  it(`T-033, ${row}: a secret shorter than its hash is refused`, async () => {
    const { bytes, jwk } = symmetric(alg, length - 1);
    const authenticator = create({ issuer: ISSUER, secret: { name: 'jwks' }, ...legacy }, [jwk]);
    expect(await outcome(authenticator, forgeHmac(alg, hash, bytes))).toBe('token_key_unknown');
  });

  it(`${row}: a key for it verifies nothing else`, async () => {
    const { bytes, jwk } = symmetric(alg, 64);
    const authenticator = create({ issuer: ISSUER, secret: { name: 'jwks' }, ...legacy }, [jwk]);
    expect(await outcome(authenticator, forgeHmac(alg, hash, bytes))).toBe('accepted');
    for (const [name, digest] of [
      ['HS256', 'sha256'],
      ['HS512', 'sha512'],
      other === 'HMD5' ? ['HMD5', 'md5'] : ['HS224', 'sha224'],
    ] as const)
      expect(await outcome(authenticator, forgeHmac(name, digest, bytes))).toBe('token_algorithm_refused');
  });

  it.each<[title: string, path: string, keyset: object]>([
    [
      'allowed and not named',
      'allowedAlgorithms[0]',
      { issuer: ISSUER, secret: { name: 'jwks' }, allowedAlgorithms: [alg] },
    ],
    [
      'allowed and the other one named',
      'allowedAlgorithms[1]',
      {
        issuer: ISSUER,
        secret: { name: 'jwks' },
        unsafeLegacyAlgorithms: [other],
        allowedAlgorithms: [other, alg],
      },
    ],
    [
      'allowed with a URL',
      'allowedAlgorithms[0]',
      { issuer: ISSUER, jwksUrl: 'https://example.com/', allowedAlgorithms: [alg] },
    ],
    ['without an issuer', 'unsafeLegacyAlgorithms', { secret: { name: 'jwks' }, ...legacy }],
    ['with a URL', 'unsafeLegacyAlgorithms', { issuer: ISSUER, jwksUrl: 'https://example.com/', ...legacy }],
    [
      'with discovery',
      'unsafeLegacyAlgorithms',
      { issuer: 'https://example.com', useOidcDiscovery: true, ...legacy },
    ],
    ['with hosts', 'unsafeLegacyAlgorithms', { issuer: ISSUER, jwksHosts: ['example.com'], ...legacy }],
    ['with a set in place', 'unsafeLegacyAlgorithms', { issuer: ISSUER, jwks: { keys: [] }, ...legacy }],
    [
      'with HS256 in its list',
      'unsafeLegacyAlgorithms',
      {
        issuer: ISSUER,
        secret: { name: 'jwks' },
        unsafeLegacyAlgorithms: [alg, 'HS256'],
      },
    ],
  ])(`T-125, ${row}: %s is a ConfigError at %s`, (_, path, keyset) => {
    expect(() => create(keyset as KeysetOptions)).toThrow(
      expect.objectContaining({ name: 'ConfigError', path: `keySets[0].${path}` }),
    );
  });

  it(`T-125, ${row}: an oct key behind a URL is never used`, async () => {
    const { bytes, jwk } = symmetric(alg, 64);
    const good = await generateSigningKey('ES256', 'good');
    const server = createServer((_, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ keys: [jwk, { ...jwk, kid: 'good' }, good.publicJwk] }));
    });
    const jwksUrl = `http://127.0.0.1:${await listen(server)}/`;
    const authenticator = create({ issuer: ISSUER, jwksUrl, allowHttp: true });
    for (const kid of ['k', 'good', null]) {
      expect(await outcome(authenticator, forgeHmac(alg, hash, bytes, kid))).toMatch(
        /^token_(?:algorithm_refused|key_unknown)$/,
      );
    }
    // It does not disturb a key of its kid.
    expect(await outcome(authenticator, await mint(good, CLAIMS))).toBe('accepted');
  });

  it(`${row}: warns when it is accepted, and only then`, async () => {
    const warnings: string[] = [];
    const listener = ({ name, message, code }: Error & { readonly code?: string }) =>
      warnings.push(`${name} ${code}: ${message}`);
    // Warnings come in the next turn: first those of others.
    await nextTurn();
    process.on('warning', listener);
    try {
      create({ issuer: ISSUER, secret: { name: 'jwks' } });
      await nextTurn();
      expect(warnings).toEqual([]);
      create({ issuer: ISSUER, secret: { name: 'jwks' }, ...legacy });
      await nextTurn();
    } finally {
      process.off('warning', listener);
    }
    expect(warnings).toEqual([
      `SecurityWarning LATCHKEY_UNSAFE: keySets[0]: tokens signed with ${alg} are accepted`,
    ]);
  });
});

describe('symmetric keys behind a URL', () => {
  it.each(['HS256', 'HS384', 'HS512'] as const)('T-125: %s is never verified by one', async (alg) => {
    const { signing, jwk } = symmetric(alg, 64);
    const server = createServer((_, response) => void response.end(JSON.stringify({ keys: [jwk] })));
    const jwksUrl = `http://127.0.0.1:${await listen(server)}/`;
    const token = await mint(signing, CLAIMS);
    const authenticator = create({ issuer: ISSUER, jwksUrl, allowHttp: true });
    expect(await outcome(authenticator, token)).toBe('token_key_unknown');
    expect(authenticator.report().keysets).toMatchObject([{ kids: [], state: 'empty' }]);
    // Nor can the options ask for it.
    expect(() => create({ issuer: ISSUER, jwksUrl, allowHttp: true, allowedAlgorithms: [alg] })).toThrow(
      expect.objectContaining({ name: 'ConfigError', path: 'keySets[0].allowedAlgorithms[0]' }),
    );
  });

  it('T-124: nor may one be in place', () => {
    const { jwk } = symmetric('HS256', 64);
    const build = () => create({ issuer: ISSUER, jwks: { keys: [jwk] } });
    expect(build).toThrow(expect.objectContaining({ name: 'ConfigError', path: 'keySets[0].jwks' }));
    expect(build).not.toThrow(jwk.k);
  });
});
