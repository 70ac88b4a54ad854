// Recognises bytes that are some key's own text or encoding. In the place of a secret, a public key lets everybody sign.
import { createPublicKey, X509Certificate } from 'node:crypto';

/** True for PEM, JWK, DER and SSH forms of a key or certificate, also in hex, in base64 and in UTF-16. */
export function isAnotherKey(bytes: Buffer): boolean {
  return isKey(bytes) || decodings(bytes).some(isKey);
}

function isKey(bytes: Buffer): boolean {
  // Without zeros UTF-16 reads like ASCII.
  const text = bytes.toString('latin1').replaceAll('\0', '');
  return (
    /-----BEGIN |---- BEGIN /.test(text) ||
    /"(?:kty|keys)"\s*:/.test(text) ||
    /(?:ssh-[a-z0-9]+|ecdsa-sha2-[a-z0-9]+) AAAA/.test(text) ||
    isDer(bytes)
  );
}

function isDer(bytes: Buffer): boolean {
  // SEQUENCE: how every such encoding starts.
  if (bytes[0] !== 0x30) return false;
  return [
    () => createPublicKey({ key: bytes, format: 'der', type: 'spki' }),
    () => createPublicKey({ key: bytes, format: 'der', type: 'pkcs1' }),
    () => new X509Certificate(bytes),
  ].some((read) => {
    try {
      return read() !== undefined;
    } catch {
      return false;
    }
  });
}

function decodings(bytes: Buffer): readonly Buffer[] {
  const text = bytes.toString('latin1').replace(/[\s\0]/g, '');
  return [
    ...(/^[0-9a-f]+$/i.test(text) ? [Buffer.from(text, 'hex')] : []),
    ...(/^[A-Za-z0-9+/_-]+=*$/.test(text) ? [Buffer.from(text, 'base64')] : []),
  ];
}
