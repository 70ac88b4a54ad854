// Keys in the forms that providers publish and people paste: certificates, integers with leading
// zeros, PEM in a variable. A wrong member spoils itself and not its set.
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { generate } from 'selfsigned';
import { beforeAll, describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { importJwks } from '../../src/jwk/import-jwks.ts';
import type { KeysetOptions } from '../../src/keysets/options.ts';

const ISSUER = 'https://issuer.example';
const AUDIENCE = 'https://api.example.com';
const PUBLIC = { origin: 'public' } as const;

let rsa: SigningKey;
let ec: SigningKey;
/** Certificates of the same keys, PEM and as a member of `x5c`. */
let certificates: { readonly rsa: string; readonly ec: string };

const der = (pem: string) => pem.replace(/-----[^-]+-----|\s/g, '');
const spki = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();

async function certify({ privateKey, publicJwk }: SigningKey): Promise<string> {
  const publicKey = { key: publicJwk as never, format: 'jwk' } as const;
  const { cert } = await generate([{ name: 'commonName', value: 'issuer.example' }], {
    algorithm: 'sha256',
    keyType: publicJwk.kty === 'EC' ? 'ec' : 'rsa',
    keyPair: {
      privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      publicKey: spki(createPublicKey(publicKey)),
    },
  });
  return cert;
}

beforeAll(async () => {
  [rsa, ec] = [await generateSigningKey('RS256', 'r'), await generateSigningKey('ES256', 'e')];
  certificates = { rsa: await certify(rsa), ec: await certify(ec) };
});

async function isAccepted(keyset: Omit<KeysetOptions, 'issuer'> | object, key: SigningKey): Promise<boolean> {
  const keySets = [{ issuer: ISSUER, ...keyset } as KeysetOptions];
  const authenticator = createAuthenticator({ keySets, audience: AUDIENCE });
  const token = await mint(key, { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: 4_000_000_000 });
  return authenticator
    .verify(token)
    .then(() => true)
    .finally(() => authenticator.close());
}

describe('a JWK', () => {
  it.each(['n', 'e'])('with leading zero octets in %s is the same key', (name) => {
    const [plain] = importJwks({ keys: [rsa.publicJwk] }, PUBLIC).keys;
    const padded = Buffer.concat([Buffer.alloc(2), Buffer.from(String(rsa.publicJwk[name]), 'base64url')]);
    const [key] = importJwks(
      { keys: [{ ...rsa.publicJwk, [name]: padded.toString('base64url') }] },
      PUBLIC,
    ).keys;
    expect(key?.thumbprint).toBe(plain?.thumbprint);
  });

  it('with only a certificate is the key of the certificate', async () => {
    const keys = [
      { kty: 'RSA', kid: 'r', x5c: [der(certificates.rsa)] },
      { kty: 'EC', kid: 'e', x5c: [der(certificates.ec)] },
    ];
    for (const key of [rsa, ec]) expect(await isAccepted({ jwks: { keys } }, key)).toBe(true);
    const [made] = importJwks({ keys }, PUBLIC).keys;
    expect(made?.thumbprint).toBe(importJwks({ keys: [rsa.publicJwk] }, PUBLIC).keys[0]?.thumbprint);
  });

  it('with a key and a certificate is the key', () => {
    const jwk = { ...rsa.publicJwk, x5c: ['not a certificate'] };
    expect(importJwks({ keys: [jwk] }, PUBLIC).keys).toHaveLength(1);
  });

  it.each([
    [
      'text',
      { kty: 'RSA', x5c: ['bm90IGEgY2VydGlmaWNhdGU='] },
      'x5c is not a certificate of a supported key',
    ],
    ['a number', { kty: 'RSA', x5c: [1] }, 'x5c is not a certificate of a supported key'],
    ['nothing', { kty: 'RSA', x5c: [] }, 'n is not a string'],
    [
      'another type',
      () => ({ kty: 'EC', x5c: [der(certificates.rsa)] }),
      'x5c is the certificate of another type of key',
    ],
    [
      'another curve',
      () => ({ kty: 'EC', crv: 'P-384', x5c: [der(certificates.ec)] }),
      'x5c is the certificate of another type of key',
    ],
  ])('whose certificate is %s spoils itself only', (_, member, reason) => {
    const jwk = typeof member === 'function' ? member() : member;
    const { keys, skipped } = importJwks({ keys: [jwk, ec.publicJwk] }, PUBLIC);
    expect(keys.map(({ kid }) => kid)).toEqual(['e']);
    expect(skipped).toEqual([{ kid: undefined, reason }]);
  });

  it('with a certificate of a weak key is as weak as the key', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const publicJwk = weak.publicKey.export({ format: 'jwk' });
    const cert = await certify({ privateKey: weak.privateKey, publicJwk } as never);
    expect(importJwks({ keys: [{ kty: 'RSA', x5c: [der(cert)] }] }, PUBLIC).skipped[0]?.reason).toMatch(
      /2048 bits/,
    );
  });
});

describe('keyUse', () => {
  const bundle = () => ({
    keys: [
      { ...rsa.publicJwk, use: 'jwt-svid' },
      { ...ec.publicJwk, use: 'x509-svid' },
    ],
  });

  it('accepts the keys of that use, and no others', async () => {
    expect(await isAccepted({ jwks: bundle(), keyUse: 'jwt-svid' }, rsa)).toBe(true);
    await expect(isAccepted({ jwks: bundle(), keyUse: 'jwt-svid' }, ec)).rejects.toMatchObject({
      status: 401,
    });
    expect(importJwks({ keys: [rsa.publicJwk] }, { ...PUBLIC, use: 'jwt-svid' }).skipped[0]?.reason).toBe(
      'use is not "jwt-svid"',
    );
  });

  it('is sig by default', () => {
    expect(importJwks(bundle(), PUBLIC).keys).toEqual([]);
  });
});

describe('PEM', () => {
  it.each<[string, (pem: string) => string]>([
    ['a certificate', () => certificates.rsa],
    ['a key with \\n for line breaks', (pem) => pem.trim().replaceAll('\n', '\\n')],
    ['a key with \\r\\n for line breaks', (pem) => pem.trim().replaceAll('\n', '\\r\\n')],
    ['a key in base64', (pem) => Buffer.from(pem).toString('base64')],
  ])('may be %s', async (_, form) => {
    const pem = form(spki(createPublicKey(rsa.privateKey as never)));
    expect(await isAccepted({ publicKeys: [{ pem, algorithm: 'RS256' }] }, rsa)).toBe(true);
  });
});

it.each([
  [
    'certificates by key id',
    () => ({ r: certificates.rsa }),
    'got certificates by key id; use the URL where',
  ],
  ['one key', () => ({ kty: 'RSA' }), 'got one key; put it into { keys: [ … ] }'],
  ['a key in keys', () => ({ keys: {} }), 'got keys that are an object; put it into [ ]'],
  [
    'metadata',
    () => ({ issuer: ISSUER, jwks_uri: `${ISSUER}/keys` }),
    'got the metadata of an issuer; write useOidcDiscovery: true, or its jwks_uri as jwksUrl',
  ],
])('a document of %s is named', (_, document, text) => {
  expect(() => importJwks(document(), PUBLIC)).toThrow(text);
});
