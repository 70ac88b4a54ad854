// Claims before they are signed: what a verifier would read otherwise than it was meant is refused
// here. Adds what is due.

import { randomUUID } from 'node:crypto';
import { isIdentifier, MAX_NUMERIC_DATE } from '../claims/registered.ts';
import { own } from '../values/json.ts';
import { isPlainObject } from '../values/readers.ts';

/** Claims to sign: JSON values by name. */
export type ClaimsToSign = { readonly [name: string]: unknown };

/** What a signer says of its claims. */
export interface ClaimsPolicy {
  readonly issuer: string | undefined;
  readonly audience: string | readonly string[] | undefined;
  readonly lifetimeSeconds: number | undefined;
  readonly maxLifetimeSeconds: number;
  readonly requireExp: boolean;
}

/** Claims as they are signed. */
interface CompleteClaims {
  readonly iss: string | undefined;
  readonly exp: number | undefined;
  /** The payload, JSON. */
  readonly json: string;
}

/** 2001: whatever is earlier is no date but a number of seconds from now. */
const EARLIEST_DATE = 1e9;
const MAX_DEPTH = 30;
/** No token that anybody takes has as many. */
const MAX_VALUES = 20_000;

/**
 * Completes claims with what the signer says of all its tokens, `iat` and `jti`, each only where it
 * is absent (RFC 7519 §4.1), and writes them as JSON.
 * @param lifetimeSeconds of this token; `exp` must not be among its claims then
 * @throws TypeError that names the claim, never its value
 */
export function completeClaims(
  claims: ClaimsToSign,
  policy: ClaimsPolicy,
  lifetimeSeconds: number | undefined,
  nowMs: number,
): CompleteClaims {
  if (!isPlainObject(claims) || Object.getOwnPropertySymbols(claims).length > 0)
    throw new TypeError('claims: expected an object');
  // Every comparison with NaN is false, and a date that is none becomes null.
  if (!Number.isFinite(nowMs)) throw new TypeError('the clock gave no time');
  if (lifetimeSeconds !== undefined && Object.hasOwn(claims, 'exp'))
    throw new TypeError('exp is among the claims already; leave expiresIn out');
  const copy = copyMembers(claims, undefined, 0, { left: MAX_VALUES });
  const now = Math.floor(nowMs / 1000);
  const seconds = lifetimeSeconds ?? policy.lifetimeSeconds;
  const complete: Record<string, unknown> = {
    ...(policy.issuer === undefined ? {} : { iss: policy.issuer }),
    ...(policy.audience === undefined ? {} : { aud: policy.audience }),
    ...(seconds === undefined ? {} : { exp: now + seconds }),
    iat: now,
    jti: randomUUID(),
    ...copy,
  };
  const { iss, exp } = checkRegistered(complete, policy, now);
  return { iss, exp, json: JSON.stringify(complete) };
}

function checkRegistered(
  claims: Readonly<Record<string, unknown>>,
  { issuer, maxLifetimeSeconds, requireExp }: ClaimsPolicy,
  now: number,
): Pick<CompleteClaims, 'iss' | 'exp'> {
  const { iss, sub, jti, client_id, aud } = claims;
  if (iss !== undefined && (typeof iss !== 'string' || iss === ''))
    throw new TypeError('iss: expected a string that is not empty');
  for (const [name, value] of Object.entries({ sub, jti, client_id })) {
    if (value !== undefined && !isIdentifier(value))
      throw new TypeError(`${name}: expected a string that names somebody`);
  }
  if (issuer !== undefined && iss !== issuer) throw new TypeError('iss: this signer is of another issuer');
  if (aud !== undefined && !isAudience(aud)) throw new TypeError('aud: expected a string or strings');
  const [exp, nbf, iat] = (['exp', 'nbf', 'iat'] as const).map((name) => readDate(claims, name));
  if (exp === undefined && requireExp)
    throw new TypeError('exp is needed; give expiresIn, or say requireExp: false');
  if (exp !== undefined && exp > now + maxLifetimeSeconds)
    throw new TypeError('exp: a longer life than maxLifetime allows (exp is in seconds)');
  for (const [name, start] of Object.entries({ nbf, iat })) {
    if (start !== undefined && exp !== undefined && start >= exp)
      throw new TypeError(`${name}: not before exp, so the token would never be good`);
  }
  return { iss, exp };
}

function isAudience(aud: unknown): boolean {
  const items: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  return items.length > 0 && items.every((item) => typeof item === 'string' && item !== '');
}

/** NumericDate, RFC 7519 §2. */
function readDate(claims: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = own(claims, name);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || value < EARLIEST_DATE || value >= MAX_NUMERIC_DATE)
    throw new TypeError(`${name}: expected seconds since 1970`);
  return value;
}

/**
 * A copy, so that what is signed is what was looked at. What JSON would leave out, round or rename
 * says something else to the verifier than it said here.
 */
function copyJson(value: unknown, name: string, depth: number, budget: { left: number }): unknown {
  if (--budget.left < 0) throw new TypeError(`${name}: too much for a token`);
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'string':
      if (!value.isWellFormed()) throw new TypeError(`${name}: a lone surrogate`);
      return value;
    case 'number':
      if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
        throw new TypeError(`${name}: not a number that JSON can carry`);
      return value;
    case 'object':
      if (value === null) return null;
      if (depth > MAX_DEPTH) throw new TypeError(`${name}: nested too deep`);
      if ('toJSON' in value || Object.getOwnPropertySymbols(value).length > 0 || isRawJSON(value)) break;
      if (Array.isArray(value)) return copyArray(value, name, depth, budget);
      if (isPlainObject(value)) return copyMembers(value, name, depth, budget);
  }
  throw new TypeError(`${name}: not JSON`);
}

/** By index: an iterator may be anybody's, and a hole is undefined. */
function copyArray(
  items: readonly unknown[],
  name: string,
  depth: number,
  budget: { left: number },
): readonly unknown[] {
  if (items.length > budget.left) throw new TypeError(`${name}: too much for a token`);
  const copy: unknown[] = [];
  for (let index = 0; index < items.length; index++)
    copy.push(copyJson(items[index], name, depth + 1, budget));
  return copy;
}

/** @param name undefined at the top, where each claim is its own */
function copyMembers(
  members: ClaimsToSign,
  name: string | undefined,
  depth: number,
  budget: { left: number },
): ClaimsToSign {
  return Object.fromEntries(
    Object.entries(members).map(([member, value]) => {
      if (!member.isWellFormed()) throw new TypeError(`${name ?? 'claims'}: a lone surrogate`);
      return [member, copyJson(value, name ?? member, depth + 1, budget)];
    }),
  );
}

/** ECMAScript 2026: an object that is written as the text that it holds. */
const { isRawJSON } = JSON as unknown as { isRawJSON(value: unknown): boolean };
