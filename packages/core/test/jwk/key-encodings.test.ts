// Bytes that are some key's own form, in every dress that is known, and random ones that are not.
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { looksLikeEncodedKey } from '../../src/jwk/weak-keys.ts';

function formsOf(publicKey: KeyObject): readonly (readonly [form: string, bytes: Buffer])[] {
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const jwk = JSON.stringify(publicKey.export({ format: 'jwk' }));
  return [
    ['PEM', Buffer.from(pem)],
    ['PEM in UTF-16', Buffer.from(pem, 'utf16le')],
    ['PEM in base64', Buffer.from(Buffer.from(pem).toString('base64'))],
    ['DER', der],
    ['DER in base64', Buffer.from(der.toString('base64'))],
    ['DER in base64url', Buffer.from(der.toString('base64url'))],
    ['DER in hex', Buffer.from(der.toString('hex'))],
    ['JWK', Buffer.from(jwk)],
    ['JWK after a byte order mark', Buffer.from(`\ufeff${jwk}`)],
    ['JWK after a zero-width space', Buffer.from(`\u200b${jwk}`)],
    ['JWK after a zero byte', Buffer.from(`\0${jwk}`)],
    ['JWK after a comment', Buffer.from(`# our key\n${jwk}`)],
    ['JWK in base64', Buffer.from(Buffer.from(jwk).toString('base64'))],
    ['SSH', Buffer.from(`ssh-rsa AAAA${randomBytes(60).toString('base64')} me@here`)],
    ['SSH2', Buffer.from('---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----')],
  ];
}

describe.each([
  ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey],
  ['EC', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey],
  ['Ed25519', generateKeyPairSync('ed25519').publicKey],
])('%s', (_, publicKey) => {
  it.each(formsOf(publicKey))('T-018, T-019: %s is another key', (_form, bytes) => {
    expect(looksLikeEncodedKey(bytes)).toBe(true);
  });
});

it('T-018: PKCS #1 in DER is another key', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  expect(looksLikeEncodedKey(publicKey.export({ type: 'pkcs1', format: 'der' }))).toBe(true);
});

it('T-033: random secrets are none, in whatever text they are written', () => {
  for (let round = 0; round < 2_000; round++) {
    const secret = randomBytes(32 + (round % 64));
    expect(looksLikeEncodedKey(secret)).toBe(false);
    expect(looksLikeEncodedKey(Buffer.from(secret.toString('hex')))).toBe(false);
    expect(looksLikeEncodedKey(Buffer.from(secret.toString('base64')))).toBe(false);
  }
});
