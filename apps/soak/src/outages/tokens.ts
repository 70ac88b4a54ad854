// Creates requests with tokens: tokens that the endpoint knows, and all kinds that it does not
// know. No token is verified here.
import type { RequestView } from '@latchkey/core/adapter';
import { forge, mint, type SigningKey } from '@latchkey/testing';

/** The issuer and the audience of the tokens. */
export const ISSUER = 'urn:soak:login';
export const AUDIENCE = 'urn:soak:api';

/** A token and the request that has it. */
export interface Presented {
  readonly token: string;
  readonly request: RequestView;
}

/** An endless supply of tokens. */
export interface Tokens {
  /** The tokens that the endpoint knows. */
  readonly known: readonly string[];
  /** Gives one of the known tokens, in turn. */
  valid(): Presented;
  /**
   * Gives a token that must not be accepted. Each is of another kind than the previous one, and it
   * rarely repeats.
   */
  forged(): Presented;
}

/**
 * Signs tokens with a key of the authenticator's keyset, so the keyset would accept all of them.
 */
export async function createTokens(key: SigningKey, count: number): Promise<Tokens> {
  const known = await mintMany(key, count);
  // Revoked tokens: the keyset would accept them, so only the endpoint can refuse them.
  const revoked = await mintMany(key, count);
  const kinds: readonly ((good: string, salt: string) => string)[] = [
    (_, salt) => revoked[Number.parseInt(salt, 36) % revoked.length] ?? '',
    (good, salt) => good.replace(/\.[^.]*$/, `.${salt.padEnd(86, 'A')}`),
    (good, salt) => `${header({ alg: key.alg, kid: salt, typ: 'JWT' })}${good.slice(good.indexOf('.'))}`,
    (good, salt) =>
      `${header({ alg: 'none', jti: salt })}${good.slice(good.indexOf('.')).replace(/[^.]*$/, '')}`,
    (good, salt) => {
      const payload = { iss: ISSUER, aud: AUDIENCE, sub: 'admin', jti: salt, exp: 4_102_444_800 };
      return forge({
        header: { alg: key.alg, kid: key.kid },
        payload,
        signature: Buffer.from(good.slice(-86), 'base64url'),
      });
    },
    (good) => `${good}=`,
    (good, salt) => `${good}.${salt}`,
    (_, salt) => salt,
  ];
  let turn = 0;
  return {
    known,
    valid: () => presented(known[turn++ % known.length] ?? ''),
    forged() {
      const salt = Math.random().toString(36).slice(2, 12).padEnd(10, '0');
      const good = known[turn++ % known.length] ?? '';
      return presented(kinds[turn % kinds.length]?.(good, salt) ?? salt);
    },
  };
}

/** A request with this token. */
export function presented(token: string): Presented {
  const authorization = `Bearer ${token}`;
  return { token, request: { headers: { authorization }, rawHeaders: ['Authorization', authorization] } };
}

function mintMany(key: SigningKey, count: number): Promise<string[]> {
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      mint(key, { iss: ISSUER, aud: AUDIENCE, sub: `user-${index}`, exp, jti: crypto.randomUUID() }),
    ),
  );
}

function header(members: { readonly [name: string]: string }): string {
  return Buffer.from(JSON.stringify(members)).toString('base64url');
}
