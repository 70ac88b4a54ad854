// The bytes of a symmetric secret, as a JWK (RFC 7518 §6.4). What the secret is worth is judged
// where JWKs are imported.
import { isUtf8 } from 'node:buffer';

/**
 * A secret as it lies in a file: the bytes themselves, but for the newline that an editor puts
 * after a text.
 */
export function symmetricJwk(bytes: Uint8Array): { readonly kty: 'oct'; readonly k: string } {
  return { kty: 'oct', k: Buffer.from(withoutNewline(bytes)).toString('base64url') };
}

/** One newline at the end of a text is the editor's. Of random bytes it is one of them. */
function withoutNewline(bytes: Uint8Array): Uint8Array {
  const text = isUtf8(bytes)
    ? Buffer.from(bytes)
        .toString('utf8')
        .replace(/\r?\n$/, '')
    : undefined;
  return text === undefined || /\p{Cc}/u.test(text) ? bytes : Buffer.from(text, 'utf8');
}
