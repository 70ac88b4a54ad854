// PEM as people have it: every label that AK-41 names, for every type of key, and what is refused
// instead of guessed at. The keys are made and written by node:crypto.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  type KeyPairKeyObjectResult,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { importPem } from '../../src/keysets/public-keys.ts';
import { privateJwkFromPem, publicJwkFromPem } from '../../src/secrets/pem.ts';
import { type AlgorithmName, algorithmNames } from '../../src/token/algorithms.ts';

type Pair = KeyPairKeyObjectResult;
type Read = (pem: string) => JsonWebKey;

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
const ed25519 = generateKeyPairSync('ed25519');

const TYPES = { RSA: rsa, 'P-256': p256, 'P-384': p384, 'P-521': p521, Ed25519: ed25519 } as const;
type Type = keyof typeof TYPES;
const types = Object.keys(TYPES) as Type[];

const spki = ({ publicKey }: Pair) => publicKey.export({ type: 'spki', format: 'pem' }).toString();
const pkcs8 = ({ privateKey }: Pair) => privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const pkcs1Public = () => rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString();
const pkcs1Private = () => rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
const sec1 = ({ privateKey }: Pair) => privateKey.export({ type: 'sec1', format: 'pem' }).toString();

/** What `openssl ecparam -genkey` writes first: the curve's object identifier. */
const parameters = (base64: string) =>
  `-----BEGIN EC PARAMETERS-----\n${base64}\n-----END EC PARAMETERS-----\n`;
const PARAMETERS = {
  'P-256': parameters('BggqhkjOPQMBBw=='),
  'P-384': parameters('BgUrgQQAIg=='),
  'P-521': parameters('BgUrgQQAIw=='),
} as const;
const curves = Object.keys(PARAMETERS) as (keyof typeof PARAMETERS)[];

/** The members that a public JWK of this key has, and no others. */
function publicJwk(key: KeyObject): JsonWebKey {
  return createPublicKey(key.export({ type: 'spki', format: 'pem' })).export({ format: 'jwk' });
}

/** The label of the first block, so that a row cannot test another one than it says. */
function label(pem: string): string {
  return /-----BEGIN ([A-Z0-9 ]+)-----/.exec(pem)?.[1] ?? '';
}

describe('public keys', () => {
  const rows: readonly (readonly [label: string, type: Type, pem: string])[] = [
    ...types.map((type) => ['PUBLIC KEY', type, spki(TYPES[type])] as const),
    ['RSA PUBLIC KEY', 'RSA', pkcs1Public()],
  ];

  it.each(rows)('AK-41: BEGIN %s, %s', (expected, type, pem) => {
    expect(label(pem)).toBe(expected);
    expect(publicJwkFromPem(pem)).toEqual(publicJwk(TYPES[type].publicKey));
  });

  it.each<[form: string, change: (pem: string) => string]>([
    ['CRLF line ends', (pem) => pem.replaceAll('\n', '\r\n')],
    ['no newline at the end', (pem) => pem.trimEnd()],
    ['several newlines at the end', (pem) => `${pem}\n\n`],
    ['white space before', (pem) => `\n  ${pem}`],
  ])('AK-41: with %s', (_, change) => {
    const pem = change(spki(p256));
    expect(pem).not.toBe(spki(p256));
    expect(publicJwkFromPem(pem)).toEqual(publicJwk(p256.publicKey));
  });
});

const privateRows: readonly (readonly [label: string, type: Type, pem: string])[] = [
  ...types.map((type) => ['PRIVATE KEY', type, pkcs8(TYPES[type])] as const),
  ['RSA PRIVATE KEY', 'RSA', pkcs1Private()],
  ...curves.map((type) => ['EC PRIVATE KEY', type, sec1(TYPES[type])] as const),
];

describe('private keys', () => {
  it.each(privateRows)('AK-41: BEGIN %s, %s, is read whole', (expected, type, pem) => {
    expect(label(pem)).toBe(expected);
    const jwk = privateJwkFromPem(pem);
    expect(jwk).toEqual(TYPES[type].privateKey.export({ format: 'jwk' }));
    expect(jwk).toMatchObject(publicJwk(TYPES[type].publicKey));
    expect(createPrivateKey({ key: jwk, format: 'jwk' }).equals(TYPES[type].privateKey)).toBe(true);
  });

  it.each(curves)('AK-41, S19: BEGIN EC PRIVATE KEY after BEGIN EC PARAMETERS, %s', (type) => {
    const pem = `${PARAMETERS[type]}${sec1(TYPES[type])}`;
    const jwk = TYPES[type].privateKey.export({ format: 'jwk' });
    expect(privateJwkFromPem(pem)).toEqual(jwk);
    expect(privateJwkFromPem(pem.replaceAll('\n', '\r\n'))).toEqual(jwk);
  });
});

describe('what is refused', () => {
  const encrypted = (type: 'pkcs8' | 'pkcs1' | 'sec1', { privateKey }: Pair) =>
    privateKey.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' }).toString();
  const certificate = spki(rsa).replaceAll('PUBLIC KEY', 'CERTIFICATE');

  const ONE_BLOCK = 'expected one PEM block and nothing else';
  const ENCRYPTED = 'expected an unencrypted private key';
  const EXPECTED_PUBLIC =
    'expected PEM with "BEGIN PUBLIC KEY", "BEGIN RSA PUBLIC KEY" or "BEGIN CERTIFICATE"';
  const EXPECTED_PRIVATE =
    'expected PEM with "BEGIN PRIVATE KEY", "BEGIN RSA PRIVATE KEY" or "BEGIN EC PRIVATE KEY"';
  const PRIVATE = 'expected a public key, got a private key';
  const TYPE = 'the type of the key is not supported';

  interface Refused {
    readonly title: string;
    readonly read: Read;
    readonly pem: string;
    readonly reason: string;
  }

  const both = (title: string, pem: string, reason: string): readonly Refused[] => [
    { title: `${title}, for a public key`, read: publicJwkFromPem, pem, reason },
    { title: `${title}, for a private key`, read: privateJwkFromPem, pem, reason },
  ];
  const asPublic = (title: string, pem: string, reason: string): Refused => ({
    title,
    read: publicJwkFromPem,
    pem,
    reason,
  });
  const asPrivate = (title: string, pem: string, reason: string): Refused => ({
    title,
    read: privateJwkFromPem,
    pem,
    reason,
  });

  const rows: readonly Refused[] = [
    asPublic('a certificate of no key', certificate, 'the certificate is not of a supported key'),
    asPrivate('a certificate', certificate, 'expected a private key, got a certificate'),
    ...both(
      'a trusted certificate',
      spki(rsa).replaceAll('PUBLIC KEY', 'TRUSTED CERTIFICATE'),
      'expected PEM',
    ),
    ...both(
      'a certificate request',
      spki(rsa).replaceAll('PUBLIC KEY', 'CERTIFICATE REQUEST'),
      'expected PEM',
    ),
    ...both(
      'an OpenSSH private key',
      pkcs8(ed25519).replaceAll('PRIVATE', 'OPENSSH PRIVATE'),
      'expected PEM',
    ),
    ...both('an encrypted PKCS#8 key', encrypted('pkcs8', rsa), ENCRYPTED),
    ...types
      .filter((type) => type !== 'RSA')
      .map((type) =>
        asPrivate(`an encrypted PKCS#8 key, ${type}`, encrypted('pkcs8', TYPES[type]), ENCRYPTED),
      ),
    // OpenSSL's older form, "Proc-Type: 4,ENCRYPTED" within the block. That it is refused, not in
    // which words.
    ...both('an encrypted PKCS#1 key', encrypted('pkcs1', rsa), ''),
    ...both('an encrypted SEC 1 key', encrypted('sec1', p256), ''),
    ...both('two public keys', spki(rsa) + spki(p256), ONE_BLOCK),
    ...both('two private keys', pkcs8(rsa) + pkcs8(p256), ONE_BLOCK),
    ...both('a private key and its public key', pkcs8(p256) + spki(p256), ONE_BLOCK),
    ...both('a public key and a certificate', spki(rsa) + certificate, ONE_BLOCK),
    asPrivate(
      'two EC keys, each after its parameters',
      (PARAMETERS['P-256'] + sec1(p256)).repeat(2),
      ONE_BLOCK,
    ),
    asPublic('text before', `# our key\n${spki(rsa)}`, ONE_BLOCK),
    asPublic('text after', `${spki(rsa)}# our key\n`, ONE_BLOCK),
    asPublic('a byte after', `${spki(rsa).trimEnd()}x`, ONE_BLOCK),
    asPrivate('text before a private key', `Bag Attributes\n${pkcs8(rsa)}`, ONE_BLOCK),
    asPrivate('text after a private key', `${pkcs8(rsa)}password: hunter2\n`, ONE_BLOCK),
    ...both('no PEM at all', 'our secret', ONE_BLOCK),
    ...both('nothing', '', ONE_BLOCK),
    ...both('base64 without its armour', spki(rsa).replace(/-----.*-----\n/g, ''), ONE_BLOCK),
    ...both('a JWK', JSON.stringify(publicJwk(rsa.publicKey)), ONE_BLOCK),
    asPublic('a block without an end', spki(rsa).replace(/-----END.*/, ''), ONE_BLOCK),
    asPublic('a block that ends as another', spki(rsa).replace('END PUBLIC', 'END RSA PUBLIC'), ONE_BLOCK),
    asPublic('EC parameters alone', PARAMETERS['P-256'], ONE_BLOCK),
    ...types.map((type) => asPublic(`a PKCS#8 private key, ${type}`, pkcs8(TYPES[type]), PRIVATE)),
    asPublic('a PKCS#1 private key', pkcs1Private(), PRIVATE),
    ...curves.map((type) => asPublic(`a SEC 1 private key, ${type}`, sec1(TYPES[type]), PRIVATE)),
    asPublic('a SEC 1 private key after its parameters', PARAMETERS['P-256'] + sec1(p256), PRIVATE),
    asPublic('an encrypted private key', encrypted('pkcs8', p256), ENCRYPTED),
    ...types.map((type) => asPrivate(`a public key, ${type}`, spki(TYPES[type]), EXPECTED_PRIVATE)),
    asPrivate('a PKCS#1 public key', pkcs1Public(), EXPECTED_PRIVATE),
    asPublic('an unknown label', spki(rsa).replaceAll('PUBLIC KEY', 'EC PUBLIC KEY'), EXPECTED_PUBLIC),
    asPublic('a key cut short', spki(rsa).replace(/\n.{64}\n/, '\n'), TYPE),
    asPrivate('a private key cut short', pkcs8(rsa).replace(/\n.{64}\n/, '\n'), TYPE),
    asPublic(
      'a block of zeros',
      `-----BEGIN PUBLIC KEY-----\n${'A'.repeat(64)}\n-----END PUBLIC KEY-----\n`,
      TYPE,
    ),
  ];

  it.each(rows)('AK-41: $title', ({ read, pem, reason }) => {
    let thrown: unknown;
    try {
      read(pem);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TypeError);
    const { message } = thrown as TypeError;
    expect(message).toContain(reason);
    // Nothing of the key is in the error.
    for (const line of pem.split(/\r?\n/).filter((text) => /^[A-Za-z0-9+/=]{16,}$/.test(text))) {
      expect(message).not.toContain(line);
      expect(String((thrown as TypeError).cause)).not.toContain(line);
    }
  });
});

describe('keys of types that no algorithm takes', () => {
  const UNSUPPORTED: readonly (readonly [type: string, pair: Pair])[] = [
    ['x25519', generateKeyPairSync('x25519')],
    ['x448', generateKeyPairSync('x448')],
    ['ed448', generateKeyPairSync('ed448')],
    ['secp256k1', generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ['brainpoolP256r1', generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' })],
    ['P-224', generateKeyPairSync('ec', { namedCurve: 'P-224' })],
    ['rsa-pss', generateKeyPairSync('rsa-pss', { modulusLength: 2048 })],
    ['dsa', generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 })],
  ];

  it.each(UNSUPPORTED)('AK-41: %s is refused for every algorithm', (_, pair) => {
    for (const algorithm of algorithmNames) {
      expect(importPem(spki(pair), algorithm, { origin: 'public' })).toEqual({
        kid: undefined,
        reason: expect.any(String),
      });
    }
  });

  it.each<[type: Type, takes: readonly AlgorithmName[]]>([
    ['RSA', ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
    ['P-256', ['ES256']],
    ['P-384', ['ES384']],
    ['P-521', ['ES512']],
    ['Ed25519', ['EdDSA', 'Ed25519']],
  ])('AK-41: %s is taken for %j and nothing else', (type, takes) => {
    const taken = algorithmNames.filter(
      (algorithm) => !('reason' in importPem(spki(TYPES[type]), algorithm, { origin: 'public' })),
    );
    expect(taken).toEqual(takes);
  });
});
