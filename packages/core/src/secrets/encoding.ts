// Decodes a symmetric secret that is stored as a text.
import { symmetricJwk } from './symmetric.ts';

/** How the bytes of a secret are written. */
export type SecretEncoding = 'utf8' | 'base64' | 'base64url' | 'hex';

/** The encodings, in the order of the documentation. */
export const ENCODINGS: readonly SecretEncoding[] = ['utf8', 'base64', 'base64url', 'hex'];

/**
 * Makes the JWK of a secret. White space around an encoded text, and the newline that an editor
 * adds, are not part of it.
 * @throws TypeError with a constant text if the secret is not written in this encoding
 */
export function decodedJwk(bytes: Uint8Array, encoding: SecretEncoding): ReturnType<typeof symmetricJwk> {
  if (encoding === 'utf8') return symmetricJwk(bytes);
  const text = Buffer.from(bytes).toString('latin1').trim();
  const decoded = Buffer.from(text, encoding);
  // Buffer.from ignores what it cannot decode, and would make a shorter secret of it.
  const plain = encoding === 'hex' ? text.toLowerCase() : text.replace(/={1,2}$/, '');
  if (decoded.toString(encoding).replace(/=+$/, '') !== plain) throw new TypeError(`is not ${encoding}`);
  return { kty: 'oct', k: decoded.toString('base64url') };
}
