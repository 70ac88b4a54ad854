// A login that answers with plain JSON. It does not sign: `signResponse` replaces the fields in
// `keysToSign` by tokens.
import { createHash, timingSafeEqual } from 'node:crypto';
import { createAuthenticator, isAuthError, type KeysetOptions } from '@latchkey/core';
import type { OwnKeys } from './keys.ts';

/** The `iss` of this login's tokens. */
const ISSUER = 'urn:friends-and-messages:login';
/** The `aud` of refresh tokens. Only the login accepts it; no other route does. */
const REFRESH_AUDIENCE = 'urn:friends-and-messages:refresh';
const ACCESS_SECONDS = 300;
const REFRESH_SECONDS = 3600;

/** The fields of the answer that `signResponse` signs. */
export const keysToSign = ['access_token', 'refresh_token'] as const;

/** Claims that are not signed yet. */
type Unsigned = { readonly [claim: string]: unknown };

/** The answer of a login. */
export interface LoginAnswer {
  readonly access_token: Unsigned;
  readonly refresh_token: Unsigned;
  readonly exp: number;
}

/** The login part of the service. */
export interface Login {
  /** Reads `{"user", "pass"}`. @returns undefined for an unknown user or a wrong password */
  issue(body: unknown): LoginAnswer | undefined;
  /** Reads `{"refresh_token"}`. @returns undefined if the login did not issue the token */
  refresh(body: unknown): Promise<LoginAnswer | undefined>;
  /** The keyset of this login, which the service trusts in addition to its provider. */
  readonly keySet: KeysetOptions;
}

const users: ReadonlyMap<unknown, { readonly pass: string; readonly roles: readonly string[] }> = new Map([
  ['john', { pass: 'doe', roles: ['role_a', 'role_b'] }],
]);

/** Creates the login. Its access tokens have this audience. */
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
 * Takes the same time for every wrong password. A real service does not store passwords, only their
 * scrypt hashes.
 */
function isSame(given: unknown, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return typeof given === 'string' && timingSafeEqual(digest(given), digest(expected));
}
