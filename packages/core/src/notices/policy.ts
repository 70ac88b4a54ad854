// What logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.6) and security event tokens (RFC
// 8417 §2.2) have to be.
import type { RegisteredCheck } from '../claims/registered.ts';
import type { TokenPolicy } from '../decision/token-policy.ts';
import { AuthError } from '../errors.ts';
import { isJsonObject, type JsonObject, own } from '../values/json.ts';
import type { LogoutSettings, SecurityEventSettings } from './options.ts';
import { isTokenId } from './subjects.ts';

/** The event of a logout token. */
export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** How long after `iat` a logout token is accepted, and remembered. */
export const MAX_LOGOUT_AGE_MS = 600_000;
/**
 * How long after `iat` a security event token is accepted. Transmitters send again what a service
 * has not acknowledged.
 */
const MAX_EVENT_AGE_MS = 604_800_000;

/** What a logout token has to be. */
export function logoutPolicy({ clientIds, allowsDrafts }: LogoutSettings, clockSkewMs: number): TokenPolicy {
  return policyOf('logout+jwt', allowsDrafts, {
    audience: clientIds,
    clockSkewMs,
    requireExp: !allowsDrafts,
    maxTokenAgeMs: MAX_LOGOUT_AGE_MS,
    profile: LOGOUT_CHECKS,
  });
}

/** What a security event token has to be. `exp` is unusual, and holds if it is there. */
export function eventPolicy(
  { audience, allowsDrafts }: SecurityEventSettings,
  clockSkewMs: number,
): TokenPolicy {
  return policyOf('secevent+jwt', allowsDrafts, {
    audience,
    clockSkewMs,
    requireExp: false,
    maxTokenAgeMs: MAX_EVENT_AGE_MS,
    profile: EVENT_CHECKS,
  });
}

function policyOf(
  type: string,
  allowsDrafts: boolean,
  registered: Omit<TokenPolicy['registered'], 'audienceMatch'>,
): TokenPolicy {
  return Object.freeze<TokenPolicy>({
    types: new Set(allowsDrafts ? [type, 'jwt', undefined] : [type]),
    claims: [],
    unnamed: undefined,
    registered: Object.freeze({
      ...registered,
      audienceMatch: 'any' as const,
      required: ['jti'],
      isSecurityEvent: true,
    }),
  });
}

const LOGOUT_CHECKS: readonly RegisteredCheck[] = [
  check('events', 'the event of a logout', (claims) =>
    isJsonObject(own(eventsOf(claims), LOGOUT_EVENT)) ? undefined : 'events has no logout',
  ),
  check('nonce', 'absent', (claims) =>
    // §2.4: with it, the token could be an ID token.
    Object.hasOwn(claims, 'nonce') ? 'nonce is not allowed in a logout token' : undefined,
  ),
  check('sid', 'sub, sid or both', (claims) => {
    const names = ['sub', 'sid'].filter((name) => Object.hasOwn(claims, name));
    if (names.length === 0) return 'sub and sid are missing';
    return names.every((name) => isTokenId(own(claims, name)))
      ? undefined
      : 'sub or sid is not a text that names anything';
  }),
];

const EVENT_CHECKS: readonly RegisteredCheck[] = [
  check('events', 'one event or more', (claims) => {
    const events = Object.values(eventsOf(claims));
    // RFC 8417 §2.2: the payload of an event is an object.
    return events.length > 0 && events.every(isJsonObject) ? undefined : 'events has no event';
  }),
  check('events', 'no logout', (claims) =>
    Object.hasOwn(eventsOf(claims), LOGOUT_EVENT) ? 'a logout comes as logout_token' : undefined,
  ),
];

function check(
  claim: string,
  expected: string,
  problemOf: (claims: JsonObject) => string | undefined,
): RegisteredCheck {
  return {
    claim,
    judge: (claims) => {
      const detail = problemOf(claims);
      return detail === undefined ? undefined : new AuthError('token_claims_invalid', { detail });
    },
    expected: () => expected,
  };
}

/** The events of a token, by the URI of their type. */
export function eventsOf(claims: JsonObject): JsonObject {
  const events = own(claims, 'events');
  return isJsonObject(events) ? events : {};
}
