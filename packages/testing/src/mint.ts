// Tokens, right and wrong. `mint` signs with jose; `forge` puts together whatever bytes a test
// wants to see refused.
import type { JsonValue } from '@latchkey/core';
import { CompactSign } from 'jose';
import type { SigningKey } from './keys.ts';

/** Claims to sign. A claim that is undefined is left out, also where it has a default. */
export type MintClaims = { readonly [name: string]: JsonValue | undefined };

/**
 * Signs claims as they are: no defaults are added. The header has `alg`, `kid`, `typ: 'JWT'`,
 * unless `header` replaces them, and the other members of `header`.
 * @example
 * ```ts
 * const key = await generateSigningKey();
 * const token = await mint(key, { iss: 'partner', sub: 'alice' }, { typ: 'at+jwt' });
 * ```
 */
export function mint(
  key: SigningKey,
  claims: MintClaims,
  header: { readonly [name: string]: JsonValue | undefined } = {},
): Promise<string> {
  const joseHeader = { alg: key.alg, kid: key.kid, typ: 'JWT', ...header };
  for (const [name, value] of Object.entries(joseHeader)) {
    if (value === undefined) Reflect.deleteProperty(joseHeader, name);
  }
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader(joseHeader)
    .sign(key.privateKey);
}

/** The parts of a compact JWS, each to be given as JSON, as text, or as bytes. */
export interface ForgedParts {
  readonly header: unknown;
  readonly payload: unknown;
  /** Default: no bytes. */
  readonly signature?: Uint8Array | ((signingInput: Buffer) => Uint8Array) | undefined;
}

/**
 * Puts a compact JWS together without asking whether it makes sense.
 * @example
 * ```ts
 * const unsigned = forge({ header: { alg: 'none' }, payload: { sub: 'alice' } });
 * ```
 */
export function forge({ header, payload, signature }: ForgedParts): string {
  const input = `${encode(header)}.${encode(payload)}`;
  const bytes = typeof signature === 'function' ? signature(Buffer.from(input)) : signature;
  return `${input}.${Buffer.from(bytes ?? []).toString('base64url')}`;
}

function encode(part: unknown): string {
  const bytes = part instanceof Uint8Array ? part : typeof part === 'string' ? part : JSON.stringify(part);
  return Buffer.from(bytes).toString('base64url');
}
