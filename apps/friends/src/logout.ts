// A logout: it ends the token that it comes with. The routes are in the frameworks' samples.
import { type Authenticator, type Principal, present } from '@latchkey/core';

/** The rule of the route: a token without `jti` cannot be ended alone. */
export const ownToken = { jti: present() } as const;

/** Ends the token of a caller before it expires. */
export type Logout = (caller: Principal) => Promise<void>;

/** Creates the logout of a service. */
export function createLogout(authenticator: Authenticator): Logout {
  return ({ claims: { iss, jti, exp } }) =>
    authenticator.revoke({ issuer: String(iss), jti: String(jti), until: Number(exp) * 1000 });
}
