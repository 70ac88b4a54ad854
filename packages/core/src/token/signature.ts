// The only file that verifies or makes signatures; hmac.ts is its part for HMAC. Uses synchronous
// node:crypto, because a switch to the thread pool costs more than the work.
import { constants, createHmac, type KeyObject, sign, verify } from 'node:crypto';
import type { SignatureAlgorithm } from './algorithms.ts';
import { createHmacVerifier } from './hmac.ts';

/** Returns whether the bytes were signed with the key of this verifier. Never throws. */
export type SignatureVerifier = (signingInput: Uint8Array, signature: Uint8Array) => boolean;

/**
 * Binds one algorithm to one key. Does *not* check that they fit: the import of keys checks that.
 */
export function createSignatureVerifier(algorithm: SignatureAlgorithm, key: KeyObject): SignatureVerifier {
  switch (algorithm.kty) {
    case 'RSA': {
      const { hash } = algorithm;
      // A plain key means PKCS #1. Node does not have to read it from an object at every call.
      const input =
        algorithm.padding === 'pkcs1'
          ? key
          : {
              key,
              padding: constants.RSA_PKCS1_PSS_PADDING,
              // RFC 7518 §3.5: the salt is as long as the hash; no other length is accepted.
              saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
            };
      // RFC 8017 §8.1.2, §8.2.2: the signature is as long as the modulus. OpenSSL also accepts one
      // with a leading zero byte added or removed.
      const signatureBytes = Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
      return (signingInput, signature) =>
        signature.length === signatureBytes && check(hash, signingInput, input, signature);
    }
    case 'EC': {
      const { hash, coordinateBytes } = algorithm;
      return (signingInput, signature) =>
        // RFC 7518 §3.4: the signature is r and s at full length, and nothing else.
        signature.length === 2 * coordinateBytes &&
        check(hash, signingInput, key, toDer(signature, coordinateBytes));
    }
    case 'oct':
      return createHmacVerifier(algorithm.hash, key);
    case 'OKP':
    case 'AKP':
      return (signingInput, signature) => check(null, signingInput, key, signature);
  }
}

/** Signs bytes with the key of this maker, in the form that a JWS contains. */
export type SignatureMaker = (signingInput: Uint8Array) => Buffer;

/**
 * Binds one algorithm to one private or symmetric key. Does *not* check that they fit: the import
 * of keys checks that.
 */
export function createSignatureMaker(algorithm: SignatureAlgorithm, key: KeyObject): SignatureMaker {
  switch (algorithm.kty) {
    case 'RSA': {
      const { hash } = algorithm;
      if (algorithm.padding === 'pkcs1') return (signingInput) => sign(hash, signingInput, key);
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      const input = { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
      return (signingInput) => sign(hash, signingInput, input);
    }
    case 'EC': {
      const { hash, coordinateBytes } = algorithm;
      // Takes half the time of `ieee-p1363` in Node.
      return (signingInput) => fromDer(sign(hash, signingInput, key), coordinateBytes);
    }
    case 'oct': {
      const { hash } = algorithm;
      return (signingInput) => createHmac(hash, key).update(signingInput).digest();
    }
    case 'OKP':
    case 'AKP':
      return (signingInput) => sign(null, signingInput, key);
  }
}

function check(
  hash: string | null,
  signingInput: Uint8Array,
  key: Parameters<typeof verify>[2],
  signature: Uint8Array,
): boolean {
  try {
    return verify(hash, signingInput, key, signature);
  } catch {
    // OpenSSL reports some impossible signatures as errors. They count as wrong signatures.
    return false;
  }
}

/** Writes r and s as an ASN.1 SEQUENCE. Node's `ieee-p1363` does the same, but a third slower. */
function toDer(signature: Uint8Array, coordinateBytes: number): Buffer {
  const r = trimInteger(signature.subarray(0, coordinateBytes));
  const s = trimInteger(signature.subarray(coordinateBytes));
  const rLength = r.length + signByte(r);
  const sLength = s.length + signByte(s);
  const length = 4 + rLength + sLength;
  // A SEQUENCE of 128 bytes or more, as for P-521, writes its length in two bytes.
  const start = length < 0x80 ? 2 : 3;
  const der = Buffer.alloc(start + length);
  der[0] = 0x30;
  if (start === 3) der[1] = 0x81;
  der[start - 1] = length;
  writeInteger(der, start, r, rLength);
  writeInteger(der, start + 2 + rLength, s, sLength);
  return der;
}

function trimInteger(bytes: Uint8Array): Uint8Array {
  let zeros = 0;
  while (zeros < bytes.length - 1 && bytes[zeros] === 0) zeros++;
  return bytes.subarray(zeros);
}

/** The number of zero bytes before an INTEGER: it is signed, so a set top bit needs one. */
function signByte(integer: Uint8Array): 0 | 1 {
  return (integer[0] ?? 0) >= 0x80 ? 1 : 0;
}

function writeInteger(der: Buffer, at: number, integer: Uint8Array, length: number): void {
  der[at] = 0x02;
  der[at + 1] = length;
  der.set(integer, at + 2 + length - integer.length);
}

/** Reads what `toDer` writes: r and s at full length, RFC 7518 §3.4. */
function fromDer(der: Buffer, coordinateBytes: number): Buffer {
  const signature = Buffer.alloc(2 * coordinateBytes);
  let at = der[1] === 0x81 ? 3 : 2;
  for (let end = coordinateBytes; end <= signature.length; end += coordinateBytes) {
    const length = der[at + 1] ?? 0;
    const integer = trimInteger(der.subarray(at + 2, at + 2 + length));
    signature.set(integer, end - integer.length);
    at += 2 + length;
  }
  return signature;
}
