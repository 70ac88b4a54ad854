// Converts PEM to JWK: PKCS#8 and SubjectPublicKeyInfo, PKCS#1, SEC 1 (RFC 7468, RFC 8017, RFC
// 5915). Whether the key is safe is checked when the JWK is imported.
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { JsonObject } from '../values/json.ts';

const PUBLIC_LABELS = ['PUBLIC KEY', 'RSA PUBLIC KEY', 'CERTIFICATE'] as const;
const PRIVATE_LABELS = ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'] as const;

/**
 * Reads a public key. A certificate only holds the key: its dates and its issuer are not checked.
 * @throws TypeError with a constant text
 */
export function publicJwkFromPem(pem: string | Uint8Array): JsonObject {
  const { label, block } = readPem(pem);
  if (PRIVATE_LABELS.some((known) => known === label)) {
    throw new TypeError('expected a public key, got a private key');
  }
  if (!PUBLIC_LABELS.some((known) => known === label)) {
    throw new TypeError(
      'expected PEM with "BEGIN PUBLIC KEY", "BEGIN RSA PUBLIC KEY" or "BEGIN CERTIFICATE"',
    );
  }
  const problem = label === 'CERTIFICATE' ? 'the certificate is not of a supported key' : undefined;
  return toJwk(createPublicKey, block, problem);
}

/**
 * Reads a private key, with its private members: the result is a secret.
 * @throws TypeError with a constant text
 */
export function privateJwkFromPem(pem: string | Uint8Array): JsonObject {
  const { label, block } = readPem(pem);
  if (label === 'CERTIFICATE') throw new TypeError('expected a private key, got a certificate');
  if (!PRIVATE_LABELS.some((known) => known === label)) {
    throw new TypeError(
      'expected PEM with "BEGIN PRIVATE KEY", "BEGIN RSA PRIVATE KEY" or "BEGIN EC PRIVATE KEY"',
    );
  }
  return toJwk(createPrivateKey, block);
}

function readPem(pem: string | Uint8Array): { readonly label: string; readonly block: string } {
  const given = asWritten(typeof pem === 'string' ? pem : Buffer.from(pem).toString('utf8'));
  // `openssl ecparam -genkey` writes the curve in a separate block before the key.
  const text = given.replace(/-----BEGIN EC PARAMETERS-----[^-]*-----END EC PARAMETERS-----\s*/, '');
  if (/^(?:Proc-Type: 4,ENCRYPTED|-----BEGIN ENCRYPTED PRIVATE KEY-----)/m.test(text)) {
    throw new TypeError('expected an unencrypted private key');
  }
  const isPublic = /^\s*(?:ssh|ecdsa|sk)-[\w@.-]+ AAAA|^\s*---- BEGIN SSH2/.test(text);
  if (isPublic)
    throw new TypeError(
      'expected PEM, got the format of OpenSSH; convert it: ssh-keygen -e -m PKCS8 -f FILE',
    );
  if (/^\s*-----BEGIN OPENSSH PRIVATE KEY-----/.test(text))
    throw new TypeError('expected PEM, got the format of OpenSSH; convert it: ssh-keygen -p -m PEM -f FILE');
  const found = /^\s*(-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \2-----)\s*$/.exec(text);
  if (found === null) throw new TypeError('expected one PEM block and nothing else');
  const [, block = '', label = ''] = found;
  return { label, block };
}

/**
 * Undoes what people do to PEM to put it into a variable: line breaks as `\n`, or all of it in
 * base64. No PEM begins in another way, so the form is never in doubt.
 */
function asWritten(text: string): string {
  const plain = /^\s*LS0tLS1CRUdJTi/.test(text) ? Buffer.from(text, 'base64').toString('utf8') : text;
  return plain.includes('\n') ? plain : plain.replaceAll('\\r', '').replaceAll('\\n', '\n');
}

function toJwk(
  read: (block: string) => KeyObject,
  block: string,
  problem = 'the type of the key is not supported',
): JsonObject {
  try {
    return read(block).export({ format: 'jwk' }) as JsonObject;
  } catch {
    throw new TypeError(problem);
  }
}
