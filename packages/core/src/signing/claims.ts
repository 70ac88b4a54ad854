// Checks and completes claims before they are signed. Values that a verifier would read differently
// are refused here. Nothing is signed here.

import { randomUUID } from 'node:crypto';
import { isIdentifier } from '../claims/identifier.ts';
import { MAX_NUMERIC_DATE } from '../claims/registered.ts';
import { own } from '../values/json.ts';
import { isPlainObject } from '../values/readers.ts';

/** Claims to sign: JSON values by name. */
export type ClaimsToSign = { readonly [name: string]: unknown };

/** The signer's options for claims. */
export interface ClaimsPolicy {
  readonly issuer: string | undefined;
  readonly audience: string | readonly string[] | undefined;
  readonly lifetimeSeconds: number | undefined;
  readonly maxLifetimeSeconds: number;
  readonly requireExp: boolean;
  readonly addIat: boolean;
  readonly addJti: boolean;
}

/** The claims as they are signed. */
interface CompleteClaims {
  readonly iss: string | undefined;
  readonly exp: number | undefined;
  /** The payload, JSON. */
  readonly json: string;
}

/** The year 2001. An earlier time is a mistake: a number of seconds from now instead of a date. */
const EARLIEST_DATE = 1e9;
const MAX_DEPTH = 30;
/** More values than in any token that a verifier would accept. */
const MAX_VALUES = 20_000;

/**
 * Adds the signer's `iss`, `aud` and `exp`, and `iat` and `jti` unless the signer is told not to,
 * each only if it is absent (RFC 7519 §4.1), and writes the claims as JSON.
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
  // Every comparison with NaN is false, and an invalid date becomes null.
  if (!Number.isFinite(nowMs)) throw new TypeError('expected a number from the clock');
  if (lifetimeSeconds !== undefined && Object.hasOwn(claims, 'exp'))
    throw new TypeError('exp is already among the claims; remove expiresIn');
  const copy = copyMembers(claims, undefined, 0, { left: MAX_VALUES });
  const now = Math.floor(nowMs / 1000);
  const seconds = lifetimeSeconds ?? policy.lifetimeSeconds;
  const complete: Record<string, unknown> = {
    ...(policy.issuer === undefined ? {} : { iss: policy.issuer }),
    ...(policy.audience === undefined ? {} : { aud: policy.audience }),
    ...(seconds === undefined ? {} : { exp: now + seconds }),
    ...(policy.addIat ? { iat: now } : {}),
    ...(policy.addJti ? { jti: randomUUID() } : {}),
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
    throw new TypeError('iss: expected a non-empty string');
  for (const [name, value] of Object.entries({ sub, jti, client_id })) {
    if (value !== undefined && !isIdentifier(value))
      throw new TypeError(`${name}: expected a non-empty string`);
  }
  if (issuer !== undefined && iss !== issuer) throw new TypeError('iss: expected the issuer of this signer');
  if (aud !== undefined && !isAudience(aud))
    throw new TypeError('aud: expected a non-empty string or a list of them');
  const [exp, nbf, iat] = (['exp', 'nbf', 'iat'] as const).map((name) => readDate(claims, name));
  if (exp === undefined && requireExp)
    throw new TypeError('exp is required; set expiresIn, or requireExp: false');
  if (exp !== undefined && exp <= now)
    throw new TypeError('exp is in the past: a token that has expired is not signed');
  if (exp !== undefined && exp > now + maxLifetimeSeconds)
    throw new TypeError('exp: expected a lifetime of at most maxLifetime; exp is in seconds since 1970');
  for (const [name, start] of Object.entries({ nbf, iat })) {
    if (start !== undefined && exp !== undefined && start >= exp)
      throw new TypeError(`${name}: expected a time before exp; the token would never be valid`);
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
 * Copies a value, so that the signed value is the one that was checked. Values that JSON would
 * omit, round or rename are refused: the verifier would read something else.
 */
function copyJson(value: unknown, name: string, depth: number, budget: { left: number }): unknown {
  if (--budget.left < 0) throw new TypeError(`${name}: too many values for a token`);
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'string':
      if (!value.isWellFormed())
        throw new TypeError(`${name}: expected well-formed text, got a lone surrogate`);
      return value;
    case 'number':
      if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
        throw new TypeError(`${name}: expected a number that JSON can represent`);
      return value;
    case 'object':
      if (value === null) return null;
      if (depth > MAX_DEPTH) throw new TypeError(`${name}: nested too deeply`);
      if ('toJSON' in value || Object.getOwnPropertySymbols(value).length > 0 || isRawJSON(value)) break;
      if (Array.isArray(value)) return copyArray(value, name, depth, budget);
      if (isPlainObject(value)) return copyMembers(value, name, depth, budget);
  }
  throw new TypeError(`${name}: expected a JSON value`);
}

/** Copies by index: an iterator may be replaced by other code, and a hole is undefined. */
function copyArray(
  items: readonly unknown[],
  name: string,
  depth: number,
  budget: { left: number },
): readonly unknown[] {
  if (items.length > budget.left) throw new TypeError(`${name}: too many values for a token`);
  const copy: unknown[] = [];
  for (let index = 0; index < items.length; index++)
    copy.push(copyJson(items[index], name, depth + 1, budget));
  return copy;
}

/**
 * Copies the members of an object.
 * @param name undefined at the top level, where each member is a claim with its own name
 */
function copyMembers(
  members: ClaimsToSign,
  name: string | undefined,
  depth: number,
  budget: { left: number },
): ClaimsToSign {
  return Object.fromEntries(
    Object.entries(members).map(([member, value]) => {
      if (!member.isWellFormed())
        throw new TypeError(`${name ?? 'claims'}: expected well-formed text, got a lone surrogate`);
      return [member, copyJson(value, name ?? member, depth + 1, budget)];
    }),
  );
}

/** ECMAScript 2026: an object that is serialised as the text that it holds. */
const { isRawJSON } = JSON as unknown as { isRawJSON(value: unknown): boolean };
