// Converts the bytes of a symmetric secret to a JWK (RFC 7518 §6.4). Whether the secret is safe is
// checked when the JWK is imported.
import { isUtf8 } from 'node:buffer';

/**
 * Makes the JWK of a secret in a file: the bytes themselves, without the newline that an editor
 * adds to a text.
 */
export function symmetricJwk(bytes: Uint8Array): { readonly kty: 'oct'; readonly k: string } {
  return { kty: 'oct', k: Buffer.from(withoutNewline(bytes)).toString('base64url') };
}

/**
 * Removes one newline at the end of a text: editors add it. In random bytes, a final newline is
 * kept.
 */
function withoutNewline(bytes: Uint8Array): Uint8Array {
  const text = isUtf8(bytes)
    ? Buffer.from(bytes)
        .toString('utf8')
        .replace(/\r?\n$/, '')
    : undefined;
  return text === undefined || /\p{Cc}/u.test(text) ? bytes : Buffer.from(text, 'utf8');
}
