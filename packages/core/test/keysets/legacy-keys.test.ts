// The deprecated list of raw keys, end to end: the issuer first, then the key id, then the order;
// and the options that accept weak algorithms.
import {
  createHmac,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { forge } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { ConfigError } from '../../src/errors.ts';
import type { LegacyKeyOptions } from '../../src/keysets/legacy-options.ts';
import { createMemoryStore, type MemoryStore } from '../../src/secrets/store.ts';
import { closing } from '../support/closing.ts';
import { nextEvent, warningsOf } from '../support/observed.ts';
import { outcome as settled } from '../support/outcome.ts';

const AUDIENCE = 'https://api.example.com';

type Stored = { readonly [name: string]: { readonly [key: string]: string | Uint8Array } };

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
/** Random bytes that do not end with a newline, which would be taken for the editor's. */
const randomSecret = (length: number) => Buffer.concat([randomBytes(length - 1), Buffer.from([0x21])]);
const secrets = { k1: randomSecret(64), k2: randomSecret(64), stranger: randomSecret(64) };
const pem = ({ publicKey }: { readonly publicKey: KeyObject }) =>
  publicKey.export({ type: 'spki', format: 'pem' }).toString();

const STORED: Stored = {
  k1: { 'secret.key': secrets.k1 },
  k2: { 'secret.key': secrets.k2 },
  k3: { 'public.key': pem(rsa) },
};

const K1: LegacyKeyOptions = { keyId: 'k1', issuer: 'A', algorithm: 'HS256', secret: { name: 'k1' } };
const K2: LegacyKeyOptions = { keyId: 'k2', issuer: 'B', algorithm: 'HS256', secret: { name: 'k2' } };
const K3: LegacyKeyOptions = { keyId: 'k3', algorithm: 'RS256', secret: { name: 'k3' } };

function create(
  keys: readonly LegacyKeyOptions[],
  stored: Stored | MemoryStore = STORED,
  more: Partial<AuthenticatorOptions> = {},
): Authenticator {
  return closing(
    createAuthenticator({
      keySets: [],
      keys,
      secrets: 'read' in stored ? (stored as MemoryStore) : createMemoryStore(stored as Stored),
      audience: AUDIENCE,
      ...more,
    }),
  );
}

type Signer = 'k1' | 'k2' | 'k3' | 'stranger';

function signatureOf(signer: Signer, alg: string): (input: Buffer) => Buffer {
  if (signer === 'k3') return (input) => sign(`sha${alg.slice(2)}`, input, rsa.privateKey);
  return (input) =>
    createHmac(`sha${alg.slice(2)}`, secrets[signer])
      .update(input)
      .digest();
}

/** A token of this issuer, with this kid, signed by this key. */
function token(
  iss: string | undefined,
  kid: string | undefined,
  signer: Signer,
  alg = signer === 'k3' ? 'RS256' : 'HS256',
): string {
  return forge({
    header: { alg, kid },
    payload: { iss, aud: AUDIENCE, sub: 'alice', exp: 4_000_000_000 },
    signature: signatureOf(signer, alg),
  });
}

/** What came of it: `accepted`, or the code of the refusal. */
async function outcome(authenticator: Authenticator, text: string): Promise<string> {
  return settled(authenticator.verify(text));
}

// The vector of requirements §4: [k1 HS256 issuer A, k2 HS256 issuer B, k3 RS256].
describe('selection', () => {
  const UNKNOWN = 'token_key_unknown';
  const INVALID = 'token_signature_invalid';
  const REFUSED = 'token_algorithm_refused';

  it.each<
    [requirement: string, iss: string | undefined, kid: string | undefined, signer: Signer, result: string]
  >([
    // iss A: k1 and nothing else.
    ['AK-32', 'A', 'k1', 'k1', 'accepted'],
    ['AK-32', 'A', 'k1', 'k2', INVALID],
    ['AK-32', 'A', 'k1', 'stranger', INVALID],
    ['AK-35', 'A', 'k2', 'k2', UNKNOWN],
    ['AK-35', 'A', 'k2', 'k1', UNKNOWN],
    ['AK-35', 'A', 'k3', 'k3', UNKNOWN],
    ['AK-35', 'A', 'k1', 'k3', REFUSED],
    ['AK-35', 'A', undefined, 'k3', REFUSED],
    ['AK-34', 'A', undefined, 'k1', 'accepted'],
    ['AK-34', 'A', undefined, 'k2', INVALID],
    // iss B: k2 and nothing else.
    ['AK-32', 'B', 'k2', 'k2', 'accepted'],
    ['AK-35', 'B', 'k1', 'k1', UNKNOWN],
    ['AK-34', 'B', undefined, 'k2', 'accepted'],
    ['AK-34', 'B', undefined, 'k1', INVALID],
    // iss C, which no key names: the keys without an issuer.
    ['S2', 'C', 'k3', 'k3', 'accepted'],
    ['S2', 'C', undefined, 'k3', 'accepted'],
    ['S2, D4', 'C', 'k1', 'k1', UNKNOWN],
    ['S2, D4', 'C', undefined, 'k1', REFUSED],
    ['S2', 'a', 'k1', 'k1', UNKNOWN],
    ['S2', 'A ', 'k1', 'k1', UNKNOWN],
    // No iss: all of them.
    ['AK-33, S3', undefined, 'k1', 'k1', 'accepted'],
    ['AK-33, S3', undefined, 'k2', 'k2', 'accepted'],
    ['AK-33, S3', undefined, 'k3', 'k3', 'accepted'],
    ['AK-33', undefined, 'k2', 'k1', INVALID],
    ['AK-33', undefined, 'k3', 'stranger', REFUSED],
    // No iss and no kid: the first that takes the algorithm, and only that.
    ['AK-34, S6', undefined, undefined, 'k1', 'accepted'],
    ['AK-34, S6', undefined, undefined, 'k2', INVALID],
    ['AK-34, S6', undefined, undefined, 'k3', 'accepted'],
    // A kid that no key has does not fall back.
    ['S5', undefined, 'k4', 'k1', UNKNOWN],
    ['S5', 'A', 'k4', 'k1', UNKNOWN],
    ['S5', 'C', 'k4', 'k3', UNKNOWN],
    ['S5', 'A', 'K1', 'k1', UNKNOWN],
    ['S5', 'A', '__proto__', 'k1', UNKNOWN],
  ])('%s: iss %s, kid %s, signed by %s: %s', async (_, iss, kid, signer, result) => {
    expect(await outcome(create([K1, K2, K3]), token(iss, kid, signer))).toBe(result);
  });

  it.each<[iss: unknown]>([[5], [''], [null], [['A']], [{}]])(
    'AK-35: an iss that is %j is not the same as none',
    async (iss) => {
      const text = forge({
        header: { alg: 'HS256', kid: 'k1' },
        payload: { iss, aud: AUDIENCE, exp: 4_000_000_000 },
        signature: signatureOf('k1', 'HS256'),
      });
      expect(await outcome(create([K1, K2, K3]), text)).toBe('token_issuer_untrusted');
    },
  );

  it('S2: where every key has an issuer, another one is not trusted', async () => {
    const authenticator = create([K1, K2]);
    expect(await outcome(authenticator, token('C', 'k1', 'k1'))).toBe('token_issuer_untrusted');
    expect(await outcome(authenticator, token(undefined, 'k1', 'k1'))).toBe('accepted');
  });

  it.each<[first: LegacyKeyOptions, second: LegacyKeyOptions, accepted: Signer, refused: Signer]>([
    [K1, { ...K2, issuer: 'A' }, 'k1', 'k2'],
    [{ ...K2, issuer: 'A' }, K1, 'k2', 'k1'],
  ])(
    'AK-34: the order of two keys of one issuer matters: $keyId',
    async (first, second, accepted, refused) => {
      const authenticator = create([first, second]);
      expect(await outcome(authenticator, token('A', undefined, accepted))).toBe('accepted');
      expect(await outcome(authenticator, token('A', undefined, refused))).toBe(INVALID);
      expect(await outcome(authenticator, token('A', refused, refused))).toBe('accepted');
    },
  );

  it('AK-34: without a kid the first key of the algorithm, not the first of the list', async () => {
    const authenticator = create([{ ...K1, algorithm: 'HS512' }, { ...K2, issuer: 'A' }, K3]);
    expect(await outcome(authenticator, token('A', undefined, 'k2', 'HS256'))).toBe('accepted');
    expect(await outcome(authenticator, token('A', undefined, 'k1', 'HS512'))).toBe('accepted');
    expect(await outcome(authenticator, token('A', undefined, 'k1', 'HS256'))).toBe(INVALID);
  });

  it.each(['HS384', 'HS512'])('S7, D5: a key for HS256 does not verify %s', async (alg) => {
    const authenticator = create([K1, K2, K3]);
    expect(await outcome(authenticator, token('A', 'k1', 'k1', alg))).toBe(REFUSED);
    expect(await outcome(authenticator, token(undefined, undefined, 'k1', alg))).toBe(REFUSED);
  });

  it.each(['RS384', 'RS512'])('S7, D5: a key for RS256 does not verify %s', async (alg) => {
    expect(await outcome(create([K1, K2, K3]), token('C', 'k3', 'k3', alg))).toBe(REFUSED);
  });

  it('T-018: the public key of the list is no secret', async () => {
    const authenticator = create([K1, K2, K3]);
    for (const kid of ['k3', undefined]) {
      for (const iss of ['C', undefined]) {
        const text = forge({
          header: { alg: 'HS256', kid },
          payload: { iss, aud: AUDIENCE, exp: 4_000_000_000 },
          signature: (input) => createHmac('sha256', pem(rsa)).update(input).digest(),
        });
        expect(await outcome(authenticator, text)).toMatch(/^token_(?:algorithm_refused|signature_invalid)$/);
      }
    }
  });

  it('AK-35: a keyset of the same issuer is asked too, and one of another is not', async () => {
    const jwks = { keys: [{ ...ed.publicKey.export({ format: 'jwk' }), kid: 'ed', alg: 'EdDSA' }] } as never;
    const authenticator = create([K1, K3], STORED, {
      keySets: [
        { issuer: 'A', jwks },
        { issuer: 'D', jwks },
      ],
    });
    const signed = (iss: string) =>
      forge({
        header: { alg: 'EdDSA', kid: 'ed' },
        payload: { iss, aud: AUDIENCE, exp: 4_000_000_000 },
        signature: (input) => sign(null, input, ed.privateKey),
      });
    expect(await outcome(authenticator, signed('A'))).toBe('accepted');
    expect(await outcome(authenticator, token('A', 'k1', 'k1'))).toBe('accepted');
    expect(await outcome(authenticator, token('D', 'k3', 'k3'))).toBe(UNKNOWN);
    expect(await outcome(authenticator, signed('C'))).toBe(UNKNOWN);
  });
});

describe('secrets', () => {
  it.each<[title: string, change: (secret: string) => string, result: string]>([
    ['as it is', (secret) => secret, 'accepted'],
    ['with a newline', (secret) => `${secret}\n`, 'accepted'],
    ['with CRLF', (secret) => `${secret}\r\n`, 'accepted'],
    ['with two newlines', (secret) => `${secret}\n\n`, 'token_signature_invalid'],
    ['with a carriage return', (secret) => `${secret}\r`, 'token_signature_invalid'],
    ['with a space', (secret) => `${secret} `, 'token_signature_invalid'],
    ['after a newline', (secret) => `\n${secret}`, 'token_signature_invalid'],
    ['after a byte order mark', (secret) => `\uFEFF${secret}`, 'token_signature_invalid'],
  ])('T-138: the text of a secret %s: %s', async (_, change, result) => {
    const text = 'mB7wQ2xN9zR4tY6uK1pL8sD3fG5hJ0aV';
    const authenticator = create([K1], { k1: { 'secret.key': change(text) } });
    const signed = forge({
      header: { alg: 'HS256', kid: 'k1' },
      payload: { iss: 'A', aud: AUDIENCE, exp: 4_000_000_000 },
      signature: (input) => createHmac('sha256', createSecretKey(text, 'utf8')).update(input).digest(),
    });
    expect(await outcome(authenticator, signed)).toBe(result);
  });

  it.each<[title: string, secret: string | Uint8Array]>([
    ['short', randomSecret(31)],
    ['short without its newline', `${randomBytes(16).toString('hex').slice(1)}\n`],
    ['white space', ' '.repeat(64)],
    ['one letter', 'a'.repeat(64)],
    ['PEM', pem(rsa)],
    ['a JWK', JSON.stringify(rsa.publicKey.export({ format: 'jwk' }))],
  ])('T-033, T-019: a secret that is %s verifies nothing', async (_, secret) => {
    const authenticator = create([K1, K3], { ...STORED, k1: { 'secret.key': secret } });
    const bytes = Buffer.from(secret);
    for (const used of [bytes, bytes.subarray(0, -1)]) {
      const signed = forge({
        header: { alg: 'HS256', kid: 'k1' },
        payload: { iss: 'A', aud: AUDIENCE, exp: 4_000_000_000 },
        signature: (input) => createHmac('sha256', used).update(input).digest(),
      });
      expect(await outcome(authenticator, signed)).toBe('token_key_unknown');
    }
    // The others of the list are as good as before.
    expect(await outcome(authenticator, token('C', 'k3', 'k3'))).toBe('accepted');
  });

  it.each<[algorithm: LegacyKeyOptions['algorithm'], title: string, stored: string, accepted: boolean]>([
    ['RS256', 'BEGIN PUBLIC KEY', pem(rsa), true],
    [
      'RS256',
      'BEGIN RSA PUBLIC KEY',
      rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
      true,
    ],
    ['RS256', 'a private key', rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), false],
    ['RS512', 'the key of RS256 tokens', pem(rsa), false],
    ['RS256', 'an EC key', pem(ec), false],
    ['RS256', 'a secret', secrets.k1.toString('base64'), false],
  ])('S20, S21, T-019: for %s, %s in public.key', async (algorithm, _, stored, accepted) => {
    const authenticator = create([{ ...K3, algorithm }, K1], { ...STORED, k3: { 'public.key': stored } });
    expect((await outcome(authenticator, token('C', 'k3', 'k3'))) === 'accepted').toBe(accepted);
    expect(await outcome(authenticator, token('A', 'k1', 'k1'))).toBe('accepted');
  });

  it('S20: a secret with a private key alone signs only, and takes no other key with it', async () => {
    const signing = { ...K3, keyId: 'p', secret: { name: 'p' } };
    const privatePem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const authenticator = create([K1, signing], { ...STORED, p: { 'private.key': privatePem } });
    expect(await outcome(authenticator, token('A', 'k1', 'k1'))).toBe('accepted');
    expect(authenticator.report().keysets[0]?.kids).toEqual(['k1']);
  });

  it('D19: a newline at the end of random bytes is one of them', async () => {
    const secret = Buffer.concat([randomBytes(62), Buffer.from('\r\n')]);
    const authenticator = create([K1], { k1: { 'secret.key': secret } });
    const input = (bytes: Buffer) => createHmac('sha256', secret).update(bytes).digest();
    const claims = { iss: 'A', aud: AUDIENCE, exp: Math.floor(Date.now() / 1000) + 60 };
    const text = forge({ header: { alg: 'HS256', kid: 'k1' }, payload: claims, signature: input });
    expect(await outcome(authenticator, text)).toBe('accepted');
  });

  it('S20, S21: each kind of key is in its own entry', async () => {
    const both = { 'secret.key': secrets.k1, 'public.key': pem(rsa) };
    const authenticator = create(
      [
        { ...K1, secret: { name: 'both' } },
        { ...K3, secret: { name: 'both' } },
      ],
      { both },
    );
    expect(await outcome(authenticator, token('A', 'k1', 'k1'))).toBe('accepted');
    expect(await outcome(authenticator, token('C', 'k3', 'k3'))).toBe('accepted');
  });

  it('S20: public.key is used, and private.key next to it is not read', async () => {
    const reads: string[] = [];
    const memory = createMemoryStore({ k3: { 'public.key': pem(rsa), 'private.key': 'x' } });
    const authenticator = create([K3], {
      ...memory,
      read: (reference, signal) => {
        reads.push(reference.key);
        return memory.read(reference, signal);
      },
    });
    expect(await outcome(authenticator, token('C', 'k3', 'k3'))).toBe('accepted');
    expect(reads).toEqual(['public.key']);
  });

  it('AK-9: a secret that is replaced is read at once, for every issuer', async () => {
    const store = createMemoryStore(STORED);
    const authenticator = create([K1, K2, K3], store);
    await authenticator.ready();
    const removed = nextEvent('latchkey:keyset:key-removed');
    store.set({ name: 'k1', key: 'secret.key' }, secrets.stranger);
    expect(await removed).toMatchObject({ keyset: 'keys', kid: 'k1' });
    expect(await outcome(authenticator, token('A', 'k1', 'stranger'))).toBe('accepted');
    expect(await outcome(authenticator, token(undefined, 'k1', 'stranger'))).toBe('accepted');
    expect(await outcome(authenticator, token('A', 'k1', 'k1'))).toBe('token_signature_invalid');
    expect(await outcome(authenticator, token('B', 'k2', 'k2'))).toBe('accepted');
  });

  it('T-138: a secret that goes missing keeps the last good keys', async () => {
    const store = createMemoryStore(STORED);
    const authenticator = create([K1, K2, K3], store);
    await authenticator.ready();
    const failed = nextEvent('latchkey:keyset:failed');
    store.set({ name: 'k1', key: 'secret.key' }, undefined);
    expect((await failed).error.message).toBe('the secret k1 has no entry secret.key');
    for (const [iss, signer] of [
      ['A', 'k1'],
      ['B', 'k2'],
      ['C', 'k3'],
    ] as const)
      expect(await outcome(authenticator, token(iss, signer, signer))).toBe('accepted');
  });

  it('T-114: a list that cannot be read is 503', async () => {
    const authenticator = create([K1], {});
    await expect(authenticator.ready()).rejects.toMatchObject({ code: 'keyset_unavailable' });
    expect(await outcome(authenticator, token('A', 'k1', 'k1'))).toBe('keyset_unavailable');
  });

  it('D14: the report holds no secret', async () => {
    const authenticator = create([K1, K2, K3]);
    await authenticator.ready();
    const text = JSON.stringify(authenticator.report());
    expect(authenticator.report().keysets).toMatchObject([{ keyset: 'keys', kids: ['k1', 'k2', 'k3'] }]);
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      expect(text).not.toContain(secrets.k1.toString(encoding));
  });
});

describe('HMD5 and HS224', () => {
  const LEGACY = [
    ['HMD5', 'md5', 16, 'D1'],
    ['HS224', 'sha224', 28, 'D2'],
  ] as const;

  it.each(LEGACY)('%s is refused in a list that does not say so', (algorithm) => {
    expect(() => create([{ ...K1, algorithm }])).toThrow(
      expect.objectContaining({
        name: 'ConfigError',
        path: 'keys[0].algorithm',
        message: expect.stringContaining('unsafeLegacyAlgorithms'),
      }),
    );
    const other = algorithm === 'HMD5' ? 'HS224' : 'HMD5';
    expect(() => create([{ ...K1, algorithm, unsafeLegacyAlgorithms: [other] }])).toThrow(
      expect.objectContaining({ path: 'keys[0].algorithm' }),
    );
  });

  it.each(LEGACY)('D1, D2: %s needs an issuer', (algorithm) => {
    const { issuer: _, ...withoutIssuer } = K1;
    expect(() => create([{ ...withoutIssuer, algorithm, unsafeLegacyAlgorithms: [algorithm] }])).toThrow(
      expect.objectContaining({ name: 'ConfigError', path: 'keys[0].unsafeLegacyAlgorithms' }),
    );
  });

  it.each(LEGACY)(
    'AK-5: %s is accepted where the list says so, by its own key only, and warns',
    async (algorithm, hash, length) => {
      const secret = randomSecret(length);
      const key: LegacyKeyOptions = { ...K1, algorithm, unsafeLegacyAlgorithms: [algorithm] };
      let authenticator: Authenticator | undefined;
      const warnings = await warningsOf(() => {
        authenticator = create([key, K2], { ...STORED, k1: { 'secret.key': secret } });
      });
      expect(warnings).toContain(
        `SecurityWarning LATCHKEY_UNSAFE: keys: k1 accepts tokens signed with ${algorithm}`,
      );
      const signed = (iss: string, kid: string | undefined, bytes: Uint8Array) =>
        forge({
          header: { alg: algorithm, kid },
          payload: { iss, aud: AUDIENCE, exp: 4_000_000_000 },
          signature: (input) => createHmac(hash, bytes).update(input).digest(),
        });
      expect(await outcome(authenticator!, signed('A', 'k1', secret))).toBe('accepted');
      expect(await outcome(authenticator!, signed('A', 'k1', secrets.stranger))).toBe(
        'token_signature_invalid',
      );
      expect(await outcome(authenticator!, signed('B', 'k2', secrets.k2))).toBe('token_algorithm_refused');
      expect(await outcome(authenticator!, token('B', 'k2', 'k2'))).toBe('accepted');
    },
  );

  it.each(LEGACY)(
    'T-033: %s with a secret that is shorter than its hash verifies nothing',
    async (algorithm, hash, length) => {
      const secret = randomSecret(length - 1);
      const authenticator = create([{ ...K1, algorithm, unsafeLegacyAlgorithms: [algorithm] }], {
        k1: { 'secret.key': secret },
      });
      const signed = forge({
        header: { alg: algorithm, kid: 'k1' },
        payload: { iss: 'A', aud: AUDIENCE, exp: 4_000_000_000 },
        signature: (input) => createHmac(hash, secret).update(input).digest(),
      });
      expect(await outcome(authenticator, signed)).toBe('token_key_unknown');
    },
  );
});

describe('warnings', () => {
  it('AK-31, S3, D3: the list is deprecated, and reaches tokens without an issuer', async () => {
    expect(await warningsOf(() => create([K1, K2, K3]))).toEqual([
      'DeprecationWarning LATCHKEY_DEPRECATED: keys: deprecated, and a token without an issuer may be verified by any of them; move them into keySets',
    ]);
  });

  it('AK-31, S3: where no key has an issuer, it is deprecated and no more', async () => {
    expect(await warningsOf(() => create([K3]))).toEqual([
      'DeprecationWarning LATCHKEY_DEPRECATED: keys: deprecated; move them into keySets',
    ]);
  });

  it('AK-31: no list, no warning', async () => {
    const jwks = { keys: [{ ...ed.publicKey.export({ format: 'jwk' }), kid: 'ed' }] } as never;
    expect(await warningsOf(() => createAuthenticator({ keySets: [{ jwks }], audience: null }))).toEqual([]);
  });
});

describe('options', () => {
  it.each<[title: string, path: string, keys: unknown, message?: string]>([
    ['AK-37: a keyId twice', 'keys[1].keyId', [K1, { ...K2, keyId: 'k1' }], 'got that of keys[0]'],
    ['AK-37: a keyId twice, of one issuer', 'keys[2].keyId', [K1, K3, K1], 'got that of keys[0]'],
    ['AK-37: no keyId', 'keys[0].keyId', [{ algorithm: 'HS256', secret: { name: 'k1' } }]],
    ['AK-37: an empty keyId', 'keys[0].keyId', [{ ...K1, keyId: '' }]],
    ['T-140: an empty issuer', 'keys[0].issuer', [{ ...K1, issuer: '' }]],
    ['T-140: no algorithm', 'keys[0].algorithm', [{ keyId: 'k1', secret: { name: 'k1' } }]],
    ['T-140: an unknown algorithm', 'keys[0].algorithm', [{ ...K1, algorithm: 'none' }]],
    ['T-140: no secret', 'keys[0].secret', [{ keyId: 'k1', algorithm: 'HS256' }]],
    ['T-140: a secret in place', 'keys[0].secret', [{ ...K1, secret: 'Zx8Qk3Wn5Vt7Yb2Mc4Lp6Rj9Hd1Sf0Ga' }]],
    ['T-138: a secret outside', 'keys[0].secret.name', [{ ...K1, secret: { name: '../k1' } }]],
    ['T-140: a misspelled option', 'keys[0].keyid', [{ ...K1, keyid: 'k1' }]],
    ['T-140: no keys', 'keys', []],
    ['T-140: no list', 'keys', K1],
    [
      'D1: HS256 as a legacy algorithm',
      'keys[0].unsafeLegacyAlgorithms',
      [{ ...K1, unsafeLegacyAlgorithms: ['HS256'] }],
    ],
  ])('%s: ConfigError at %s', (_, path, keys, message = '') => {
    const build = () => create(keys as readonly LegacyKeyOptions[]);
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(expect.objectContaining({ path, message: expect.stringContaining(message) }));
    expect(build).not.toThrow('Zx8Qk3Wn5Vt7Yb2Mc4Lp6Rj9Hd1Sf0Ga');
  });

  it('T-140: keys without a store are a ConfigError', () => {
    expect(() => createAuthenticator({ keySets: [], keys: [K1], audience: null })).toThrow(
      new ConfigError('keys', 'expected a secret store; pass one in secrets'),
    );
  });
});
