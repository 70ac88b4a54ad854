// Valid and invalid tokens. `mint` signs with jose; `forge` joins any bytes for tests of refusals.
import type { JsonValue } from '@latchkey/core';
import { CompactSign } from 'jose';
import type { SigningKey } from './keys.ts';

/** Claims to sign. A claim that is undefined is left out, even if it has a default. */
export type MintClaims = { readonly [name: string]: JsonValue | undefined };

/**
 * Signs claims without adding defaults. The token's header has `alg`, `kid` and `typ: 'JWT'`; the
 * members of `header` are added and replace these.
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

/** The parts of a compact JWS, each as JSON, text or bytes. */
export interface ForgedParts {
  readonly header: unknown;
  readonly payload: unknown;
  /** Default: no bytes. */
  readonly signature?: Uint8Array | ((signingInput: Buffer) => Uint8Array);
}

/**
 * Joins the parts to a compact JWS without checking them.
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
