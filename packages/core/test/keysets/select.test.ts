// Which keyset may speak for a token and which of its keys: issuers that are pinned, issuers that
// are not, kids that collide.
import { forge, generateSigningKey, type MintClaims, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import type { KeysetOptions } from '../../src/keysets/options.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import type { AlgorithmName } from '../../src/token/algorithms.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { outcome as settled } from '../support/outcome.ts';

const A = 'https://a.example';
const B = 'https://b.example';

let key: SigningKey;
let other: SigningKey;
let third: SigningKey;
let fourth: SigningKey;
let rsa: SigningKey;

beforeAll(async () => {
  [key, other, third, fourth, rsa] = await Promise.all([
    generateSigningKey('ES256', 'k'),
    generateSigningKey('ES256', 'k'),
    generateSigningKey('ES256', 'k'),
    generateSigningKey('ES256', 'k'),
    generateSigningKey('RS256', 'k'),
  ]);
});

/** A keyset of these keys; null: without an issuer. */
function keyset(issuer: string | null, ...keys: readonly (SigningKey | JsonObject)[]): KeysetOptions {
  const jwks = { keys: keys.map((one) => ('publicJwk' in one ? (one as SigningKey).publicJwk : one)) };
  return issuer === null ? { jwks, unsafeOtherIssuers: true } : { issuer, jwks };
}

/** The same public key under another kid; undefined: under none. */
function named(signer: SigningKey, kid: string | undefined): JsonObject {
  const { kid: _, ...rest } = signer.publicJwk;
  return kid === undefined ? rest : { ...rest, kid };
}

function token(signer: SigningKey, claims: MintClaims, header?: Parameters<typeof mint>[2]): Promise<string> {
  return mint(signer, { exp: Math.floor(Date.now() / 1000) + 300, sub: 'alice', ...claims }, header);
}

/** `accepted`, or the code of the refusal. */
async function outcome(
  keySets: readonly KeysetOptions[],
  presented: string | Promise<string>,
): Promise<string> {
  return settled(createAuthenticator({ keySets, audience: null }).verify(await presented));
}

describe('a token whose issuer no keyset names', () => {
  it('settlement 2: is refused where every keyset is pinned, though a key would verify it', async () => {
    const keySets = [keyset(A, key), keyset(B, key)];
    expect(await outcome(keySets, token(key, { iss: 'https://c.example' }))).toBe('token_issuer_untrusted');
  });

  it('settlement 2: is for the keysets without an issuer, and for no other', async () => {
    const keySets = [keyset(A, key), keyset(null, other)];
    expect(await outcome(keySets, token(other, { iss: 'https://c.example' }))).toBe('accepted');
    expect(await outcome(keySets, token(key, { iss: 'https://c.example' }))).toBe('token_signature_invalid');
  });
});

describe('a keyset without an issuer', () => {
  const open = (more: object = {}) => ({ jwks: { keys: [other.publicJwk] }, ...more });
  const build = (...keySets: readonly KeysetOptions[]) => createAuthenticator({ keySets, audience: null });

  it.each<[title: string, at: number, keySets: () => readonly KeysetOptions[]]>([
    ['after one that has one', 1, () => [keyset(A, key), open()]],
    ['before one that has one', 0, () => [open(), keyset(A, key)]],
    ['where only one of two says so', 2, () => [keyset(A, key), keyset(null, other), open()]],
    ['that says false', 1, () => [keyset(A, key), open({ unsafeOtherIssuers: false })]],
  ])('is refused next to others: %s', (_, at, keySets) => {
    expect(() => build(...keySets())).toThrow(
      expect.objectContaining({ name: 'ConfigError', path: `keySets[${at}].issuer` }),
    );
  });

  it('is refused next to a key of the deprecated list that has one', () => {
    const keys = [{ keyId: 'k', algorithm: 'RS256', secret: { name: 's' }, issuer: A }] as const;
    const build = (keySets: readonly KeysetOptions[]) =>
      createAuthenticator({ keySets, keys, secrets: createMemoryStore(), audience: null });
    expect(() => build([open()])).toThrow('keySets[0].issuer');
    expect(() => build([keyset(null, other)])).not.toThrow();
  });

  it('is accepted alone, and where all have none', async () => {
    expect(await outcome([open()], token(other, { iss: 'https://c.example' }))).toBe('accepted');
    expect(() => build(open(), { jwks: { keys: [key.publicJwk] } })).not.toThrow();
  });

  it('that says unsafeOtherIssuers warns', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    build(keyset(A, key), keyset(null, other));
    expect(warn.mock.calls.map(([message]) => String(message))).toEqual([
      'keySets[1]: tokens of every issuer that no other keyset names are accepted',
    ]);
    warn.mockRestore();
  });

  it('unsafeOtherIssuers next to an issuer is refused', () => {
    const both = { ...keyset(A, key), unsafeOtherIssuers: true } as KeysetOptions;
    expect(() => build(both)).toThrow('keySets[0].unsafeOtherIssuers');
  });
});

describe('a token without an issuer', () => {
  it('settlement 3: is refused where every keyset is pinned', async () => {
    expect(await outcome([keyset(A, key)], token(key, {}))).toBe('token_issuer_untrusted');
  });

  it('settlement 3: is for the keysets without an issuer, and for no other', async () => {
    const keySets = [keyset(A, key), keyset(null, other)];
    expect(await outcome(keySets, token(other, {}))).toBe('accepted');
    expect(await outcome(keySets, token(key, {}))).toBe('token_signature_invalid');
  });

  it.each([null, '', 5, true, [A], [], { 0: A }])('T-051: iss %j is not the same as none', async (iss) => {
    const keySets = [keyset(A, key), keyset(null, key)];
    expect(await outcome(keySets, token(key, { iss }))).toBe('token_issuer_untrusted');
  });
});

describe('an issuer that is pinned', () => {
  it('AK-35: is never verified by the keys of a keyset without an issuer', async () => {
    const keySets = [keyset(null, other), keyset(A, key)];
    expect(await outcome(keySets, token(key, { iss: A }))).toBe('accepted');
    expect(await outcome(keySets, token(other, { iss: A }))).toBe('token_signature_invalid');
  });

  it.each([
    'https://a.example/',
    'https://A.example',
    'HTTPS://a.example',
    'https://a.example:443',
    'https://a.example#',
    'https://a.example?',
    'https://user@a.example',
    'https://%61.example',
    'https://a.example.',
    'https://a.example.evil.example',
    'https://evil.example/https://a.example',
    'https://a\u2024example',
    'https://\u0430.example',
    'http://a.example',
    'a.example',
    ' https://a.example',
    'https://a.example ',
    'https://a.example\u0000',
    'https://a.example\u200b',
    '__proto__',
    'constructor',
  ])('settlement 4, T-052: %j is another', async (iss) => {
    expect(await outcome([keyset(A, key)], token(key, { iss }))).toBe('token_issuer_untrusted');
  });

  it('settlement 10: may have several keysets', async () => {
    const keySets = [keyset(A, named(key, 'one')), keyset(B, third), keyset(A, named(other, 'two'))];
    expect(await outcome(keySets, token(key, { iss: A }, { kid: 'one' }))).toBe('accepted');
    expect(await outcome(keySets, token(other, { iss: A }, { kid: 'two' }))).toBe('accepted');
    expect(await outcome(keySets, token(third, { iss: A }))).toBe('token_key_unknown');
  });

  it('settlement 10: several keysets may share a kid', async () => {
    const keySets = [keyset(A, key), keyset(A, other)];
    expect(await outcome(keySets, token(key, { iss: A }))).toBe('accepted');
    expect(await outcome(keySets, token(other, { iss: A }))).toBe('accepted');
    expect(await outcome(keySets, token(third, { iss: A }))).toBe('token_signature_invalid');
  });

  it('T-049: N issuers, N keys, one kid: each key speaks for its own issuer only', async () => {
    const issuers = Array.from({ length: 6 }, (_, index) => `https://issuer-${index}.example`);
    const keys = await Promise.all(issuers.map(() => generateSigningKey('ES256', 'k')));
    const keySets = issuers.map((issuer, index) => keyset(issuer, keys[index]!));
    const seen = await Promise.all(
      issuers.map((iss) => Promise.all(keys.map((signer) => outcome(keySets, token(signer, { iss }))))),
    );
    expect(seen).toEqual(
      issuers.map((_, row) =>
        keys.map((_key, column) => (row === column ? 'accepted' : 'token_signature_invalid')),
      ),
    );
  });

  it('T-049: the algorithms of one keyset are not those of another', async () => {
    const pinned = (issuer: string, signer: SigningKey, ...allowedAlgorithms: AlgorithmName[]) =>
      ({ issuer, jwks: { keys: [signer.publicJwk] }, allowedAlgorithms }) as const;
    const keySets = [pinned(A, key, 'ES256'), pinned(B, rsa, 'RS256')];
    expect(await outcome(keySets, token(key, { iss: A }))).toBe('accepted');
    expect(await outcome(keySets, token(rsa, { iss: B }))).toBe('accepted');
    expect(await outcome(keySets, token(rsa, { iss: A }))).toBe('token_algorithm_refused');
    expect(await outcome(keySets, token(key, { iss: B }))).toBe('token_algorithm_refused');
  });
});

describe('a kid', () => {
  it('settlement 5: that is not in the set is refused, though its key is', async () => {
    expect(await outcome([keyset(A, key)], token(key, { iss: A }, { kid: 'other' }))).toBe(
      'token_key_unknown',
    );
  });

  it('settlement 5: does not fall back to keys without a kid', async () => {
    expect(await outcome([keyset(A, named(key, undefined))], token(key, { iss: A }))).toBe(
      'token_key_unknown',
    );
  });

  it.each(['__proto__', 'constructor', 'toString', '../../dev/null', 'K', 'k ', 'k\u0000'])(
    'T-040, T-041: %j is no other kid',
    async (kid) => {
      expect(await outcome([keyset(A, key)], token(key, { iss: A }, { kid }))).toBe('token_key_unknown');
    },
  );

  it('T-041: __proto__ is a kid like any other', async () => {
    const keySets = [keyset(A, named(key, '__proto__'))];
    expect(await outcome(keySets, token(key, { iss: A }, { kid: '__proto__' }))).toBe('accepted');
  });

  it('T-126: that several keys share is looked up among those of the algorithm', async () => {
    const keySets = [keyset(A, rsa, key)];
    expect(await outcome(keySets, token(key, { iss: A }))).toBe('accepted');
    expect(await outcome(keySets, token(rsa, { iss: A }))).toBe('accepted');
  });

  it('T-126: that several keys share: three are tried, a fourth is not', async () => {
    const keySets = [keyset(A, key, other, third, fourth)];
    const seen = await Promise.all(
      [key, other, third, fourth].map((signer) => outcome(keySets, token(signer, { iss: A }))),
    );
    expect(seen).toEqual(['accepted', 'accepted', 'accepted', 'token_signature_invalid']);
  });

  it('T-126: keys of other algorithms do not use up the three', async () => {
    const keySets = [keyset(A, rsa, rsa, rsa, key)];
    expect(await outcome(keySets, token(key, { iss: A }))).toBe('accepted');
  });

  it('T-126: keys that are not for signatures do not count', async () => {
    const enc = { ...other.publicJwk, use: 'enc' };
    expect(await outcome([keyset(A, enc, enc, enc, key)], token(key, { iss: A }))).toBe('accepted');
    expect(await outcome([keyset(A, enc, key)], token(other, { iss: A }))).toBe('token_signature_invalid');
  });

  it('T-021: whose key is for another algorithm', async () => {
    expect(await outcome([keyset(A, rsa)], token(key, { iss: A }))).toBe('token_algorithm_refused');
  });

  it('T-020: RSASSA-PSS has to be named', async () => {
    const pss: SigningKey = { ...rsa, alg: 'PS256' };
    const { alg: _, ...unsaid } = rsa.publicJwk;
    const named = { issuer: A, jwks: { keys: [unsaid] }, allowedAlgorithms: ['PS256'] } as const;
    expect(await outcome([keyset(A, unsaid)], token(pss, { iss: A }))).toBe('token_algorithm_refused');
    expect(await outcome([keyset(A, unsaid)], token(rsa, { iss: A }))).toBe('accepted');
    expect(await outcome([named], token(pss, { iss: A }))).toBe('accepted');
    expect(await outcome([named], token(rsa, { iss: A }))).toBe('token_algorithm_refused');
  });
});

describe('a token without a kid', () => {
  const kidless = (signer: SigningKey) => token(signer, { iss: A }, { kid: undefined });

  it('T-127: takes the one key there is', async () => {
    expect(await outcome([keyset(A, key)], kidless(key))).toBe('accepted');
    expect(await outcome([keyset(A, named(key, undefined))], kidless(key))).toBe('accepted');
  });

  it('settlement 6, T-127: takes the first of several keys that fit, and only that', async () => {
    const keySets = [keyset(A, named(key, 'one'), named(other, 'two'))];
    expect(await outcome(keySets, kidless(key))).toBe('accepted');
    expect(await outcome(keySets, kidless(other))).toBe('token_signature_invalid');
    expect(await outcome([keyset(A, named(other, 'two'), named(key, 'one'))], kidless(other))).toBe(
      'accepted',
    );
  });

  it('settlement 6: takes the first by algorithm, not the first of all', async () => {
    const keySets = [keyset(A, named(rsa, 'one'), named(key, 'two'), named(other, 'three'))];
    expect(await outcome(keySets, kidless(key))).toBe('accepted');
    expect(await outcome(keySets, kidless(rsa))).toBe('accepted');
    expect(await outcome(keySets, kidless(other))).toBe('token_signature_invalid');
  });

  it('settlement 6: finds no key of its algorithm', async () => {
    expect(await outcome([keyset(A, rsa)], kidless(key))).toBe('token_algorithm_refused');
  });

  it('AK-15: try-all tries four keys, and not a fifth', async () => {
    const fifth = await generateSigningKey('ES256', 'fifth');
    const all = keyset(A, key, other, third, fourth, fifth);
    const keySets = [{ ...all, kidless: 'try-all' } as KeysetOptions];
    const outcomes: string[] = [];
    for (const signer of [key, other, third, fourth, fifth])
      outcomes.push(await outcome(keySets, kidless(signer)));
    expect(outcomes).toEqual(['accepted', 'accepted', 'accepted', 'accepted', 'token_signature_invalid']);
  });

  it('T-049: is not verified by another issuer that has only one key', async () => {
    const keySets = [keyset(A, key), keyset(B, other)];
    expect(await outcome(keySets, kidless(other))).toBe('token_signature_invalid');
  });
});

describe('a signature', () => {
  it.each([
    ['T-023: of one byte', 1],
    ['T-023: of 63 bytes', 63],
    ['T-024: of 64 zeros', 64],
    ['T-023: of 65 bytes', 65],
    ['T-023: of 128 bytes', 128],
  ])('%s verifies nothing', async (_, length) => {
    const presented = forge({
      header: { alg: 'ES256', kid: 'k' },
      payload: { iss: A, exp: 4_000_000_000 },
      signature: Buffer.alloc(length),
    });
    expect(await outcome([keyset(A, key)], presented)).toBe('token_signature_invalid');
  });
});
