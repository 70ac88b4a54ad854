// Claims before they are signed: what a verifier would read otherwise than it was meant is refused here. Adds what is due.
import { randomUUID } from 'node:crypto';
import { isPlainObject } from '../checks.ts';

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
export interface CompleteClaims {
  readonly iss: string | undefined;
  readonly exp: number | undefined;
  /** The payload, JSON. */
  readonly json: string;
}

/** 2001: whatever is earlier is no date but a number of seconds from now. */
const EARLIEST_DATE = 1e9;
const MAX_DEPTH = 30;

/**
 * Completes claims with what the signer says of all its tokens, `iat` and `jti`, each only where it is absent (RFC 7519 §4.1), and
 * writes them as JSON.
 * @param lifetimeSeconds of this token; `exp` must not be among its claims then
 * @throws TypeError that names the claim, never its value
 */
export function completeClaims(
  claims: ClaimsToSign,
  policy: ClaimsPolicy,
  lifetimeSeconds: number | undefined,
  nowMs: number,
): CompleteClaims {
  if (!isPlainObject(claims)) throw new TypeError('claims: expected an object');
  if (lifetimeSeconds !== undefined && Object.hasOwn(claims, 'exp'))
    throw new TypeError('exp is among the claims already; leave expiresIn out');
  for (const [name, value] of Object.entries(claims)) refuseUnlessJson(value, name, 1);
  const now = Math.floor(nowMs / 1000);
  const seconds = lifetimeSeconds ?? policy.lifetimeSeconds;
  const complete: Record<string, unknown> = {
    ...(policy.issuer === undefined ? {} : { iss: policy.issuer }),
    ...(policy.audience === undefined ? {} : { aud: policy.audience }),
    ...(seconds === undefined ? {} : { exp: now + seconds }),
    iat: now,
    jti: randomUUID(),
    ...claims,
  };
  const { iss, exp } = checkRegistered(complete, policy, now);
  return { iss, exp, json: JSON.stringify(complete) };
}

function checkRegistered(
  claims: Readonly<Record<string, unknown>>,
  { issuer, maxLifetimeSeconds, requireExp }: ClaimsPolicy,
  now: number,
): Pick<CompleteClaims, 'iss' | 'exp'> {
  const { iss, sub, jti, aud } = claims;
  for (const [name, value] of Object.entries({ iss, sub, jti })) {
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      throw new TypeError(`${name}: expected a string that is not empty`);
  }
  if (issuer !== undefined && iss !== issuer) throw new TypeError('iss: this signer is of another issuer');
  if (aud !== undefined && !isAudience(aud)) throw new TypeError('aud: expected a string or strings');
  const [exp] = (['exp', 'nbf', 'iat'] as const).map((name) => readDate(claims, name));
  if (exp === undefined && requireExp)
    throw new TypeError('exp is needed; give expiresIn, or say requireExp: false');
  if (exp !== undefined && exp > now + maxLifetimeSeconds)
    throw new TypeError('exp: a longer life than maxLifetime allows (exp is in seconds)');
  return { iss: iss as string | undefined, exp };
}

function isAudience(aud: unknown): boolean {
  const items: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  return items.length > 0 && items.every((item) => typeof item === 'string' && item !== '');
}

/** NumericDate, RFC 7519 §2. */
function readDate(claims: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || value < EARLIEST_DATE)
    throw new TypeError(`${name}: expected seconds since 1970`);
  return value;
}

/** What JSON would leave out, round or rename says something else to the verifier than it said here. */
function refuseUnlessJson(value: unknown, name: string, depth: number): void {
  switch (typeof value) {
    case 'boolean':
      return;
    case 'string':
      if (!value.isWellFormed()) throw new TypeError(`${name}: a lone surrogate`);
      return;
    case 'number':
      if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
        throw new TypeError(`${name}: not a number that JSON can carry`);
      return;
    case 'object':
      if (value === null) return;
      if (depth > MAX_DEPTH) throw new TypeError(`${name}: nested too deep`);
      if (Array.isArray(value)) {
        // Array.from, because forEach passes over holes.
        for (const item of Array.from(value)) refuseUnlessJson(item, name, depth + 1);
        return;
      }
      if (!isPlainObject(value) || typeof value.toJSON === 'function') break;
      for (const item of Object.values(value)) refuseUnlessJson(item, name, depth + 1);
      return;
  }
  throw new TypeError(`${name}: not JSON`);
}
