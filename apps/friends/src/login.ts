// A login that knows nothing of signing: it answers with plain JSON, and `signResponse` makes
// tokens of the fields that are named here.
import { createHash, timingSafeEqual } from 'node:crypto';
import { createAuthenticator, isAuthError, type KeysetOptions } from '@latchkey/core';
import type { OwnKeys } from './keys.ts';

/** Who the tokens of this login are from. */
const ISSUER = 'urn:friends-and-messages:login';
/** Whom a refresh token is for: the login itself, and no route besides. */
const REFRESH_AUDIENCE = 'urn:friends-and-messages:refresh';
const ACCESS_SECONDS = 300;
const REFRESH_SECONDS = 3600;

/** The fields of a login's answer that are signed. */
export const keysToSign = ['access_token', 'refresh_token'] as const;

/** Claims, not yet signed. */
type Unsigned = { readonly [claim: string]: unknown };

/** What a login answers with. */
export interface LoginAnswer {
  readonly access_token: Unsigned;
  readonly refresh_token: Unsigned;
  readonly exp: number;
}

/** What the service does with logins. */
export interface Login {
  /** Reads `{"user", "pass"}`. @returns undefined for anybody else */
  issue(body: unknown): LoginAnswer | undefined;
  /** Reads `{"refresh_token"}`. @returns undefined if it is none of ours */
  refresh(body: unknown): Promise<LoginAnswer | undefined>;
  /** What the service has to trust besides its provider: its own login. */
  readonly keySet: KeysetOptions;
}

const users: ReadonlyMap<unknown, { readonly pass: string; readonly roles: readonly string[] }> = new Map([
  ['john', { pass: 'doe', roles: ['role_a', 'role_b'] }],
]);

/** Makes the login. Its access tokens are for this audience. */
export function createLogin(audience: string, { secrets, secret }: OwnKeys): Login {
  const keySet: KeysetOptions = { issuer: ISSUER, secret };
  const refreshTokens = createAuthenticator({ keySets: [keySet], secrets, audience: REFRESH_AUDIENCE });
  return {
    keySet,
    issue(body) {
      const { user, pass } = Object(body);
      const known = users.get(user);
      return known !== undefined && isSame(pass, known.pass) ? answerFor(String(user), audience) : undefined;
    },
    async refresh(body) {
      try {
        const { subject } = await refreshTokens.verify(Object(body).refresh_token);
        return subject === undefined ? undefined : answerFor(subject, audience);
      } catch (error) {
        if (isAuthError(error) && error.status === 401) return undefined;
        throw error;
      }
    },
  };
}

function answerFor(sub: string, aud: string): LoginAnswer {
  const now = Math.floor(Date.now() / 1000);
  const roles = users.get(sub)?.roles ?? [];
  const scope = 'friends:read messages:write';
  return {
    access_token: { aud, iss: ISSUER, sub, roles, scope, exp: now + ACCESS_SECONDS },
    refresh_token: { aud: REFRESH_AUDIENCE, iss: ISSUER, sub, exp: now + REFRESH_SECONDS },
    exp: now + ACCESS_SECONDS,
  };
}

/**
 * Takes the same time for every wrong password. A real service keeps no passwords, only what scrypt
 * makes of them.
 */
function isSame(given: unknown, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return typeof given === 'string' && timingSafeEqual(digest(given), digest(expected));
}
