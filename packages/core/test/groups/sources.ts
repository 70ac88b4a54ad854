// What the tests of groups share: authenticators for three issuers, their tokens, and sources.
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, vi } from 'vitest';
import {
  type Authenticator,
  type AuthenticatorOptions,
  type GroupResolver,
  type GroupsOptions,
  isAuthError,
} from '../../src/index.ts';
import type { JsonValue } from '../../src/values/json.ts';
import { startAuthenticator } from '../support/authenticators.ts';
import { defined } from '../support/defined.ts';

export const ISSUER = 'https://issuer.example';
export const PARTNER = 'https://partner.example';
export const SYSTEM = 'https://system.example';

let keys: Readonly<Record<string, SigningKey>>;
beforeAll(async () => {
  const [ours, partner, system] = await Promise.all([
    generateSigningKey('ES256', 'ours'),
    generateSigningKey('ES256', 'partner'),
    generateSigningKey('ES256', 'system'),
  ]);
  keys = { [ISSUER]: ours, [PARTNER]: partner, [SYSTEM]: system };
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** An authenticator for tokens of the three issuers; the last one is of the system. */
export function start(groups: GroupsOptions | undefined, nestedClaimDelimiter?: string): Authenticator {
  return startAuthenticator({
    keySets: Object.entries(keys).map(([issuer, { publicJwk }]) => ({
      issuer,
      jwks: { keys: [publicJwk] },
      system: issuer === SYSTEM,
    })),
    audience: null,
    ...defined({ groups, nestedClaimDelimiter }),
  });
}

/** An authenticator whose only keyset is for every issuer. */
export function startForAll(
  groups: GroupsOptions,
  others: Partial<AuthenticatorOptions> = {},
): Authenticator {
  const keySets = [{ jwks: { keys: [(keys[ISSUER] as SigningKey).publicJwk] } }];
  return startAuthenticator({ keySets, audience: null, groups, ...others });
}

export type Claims = { readonly [name: string]: JsonValue | undefined };

export function token(claims: Claims = {}, issuer = ISSUER): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 300;
  return mint(keys[issuer] as SigningKey, { iss: issuer, sub: 'alice', exp, ...claims });
}

/** The groups of a token with these claims, or the status and code of its refusal. */
export async function groupsOf(
  authenticator: Authenticator,
  claims: Claims = {},
  issuer = ISSUER,
): Promise<unknown> {
  try {
    return (await authenticator.verify(await token(claims, issuer))).groups;
  } catch (error) {
    if (isAuthError(error)) return `${error.status} ${error.code}`;
    throw error;
  }
}

/** A source with this answer, or this function. */
export function source(
  answer: unknown,
  description = 'directory',
): GroupResolver & { readonly resolve: ReturnType<typeof vi.fn<GroupResolver['resolve']>> } {
  const resolve = vi.fn<GroupResolver['resolve']>(
    typeof answer === 'function'
      ? (answer as GroupResolver['resolve'])
      : async () => answer as readonly string[],
  );
  return { description, resolve };
}

export const UNAVAILABLE = '503 groups_unavailable';
export const INVALID = '401 token_claims_invalid';
export const UNKNOWN = '401 token_rejected';
