// RSA signatures that begin with a zero byte: one in 256 does, and then its shorter form is no
// signature.
import { constants, generateKeyPairSync, sign } from 'node:crypto';
import { expect, it } from 'vitest';
import { findAlgorithm } from '../../src/token/algorithms.ts';
import { createSignatureVerifier } from '../../src/token/signature.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

it.each([
  ['RS256', constants.RSA_PKCS1_PADDING],
  ['PS256', constants.RSA_PKCS1_PSS_PADDING],
])('T-023, RFC 8017 §8: %s without its leading zero byte is refused, and with one more', (name, padding) => {
  const verify = createSignatureVerifier(findAlgorithm(name)!, publicKey);
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
  let input: Buffer;
  let signature: Buffer;
  let attempt = 0;
  do {
    input = Buffer.from(`attempt ${attempt++}`);
    signature = sign('sha256', input, { key: privateKey, padding, saltLength });
  } while (signature[0] !== 0);
  expect(verify(input, signature)).toBe(true);
  expect(verify(input, signature.subarray(1))).toBe(false);
  expect(verify(input, Buffer.concat([Buffer.alloc(1), signature]))).toBe(false);
});
