// Object capabilities: a token for one object, issued to one caller, and valid only together with
// that caller's own token. The relation between the two is declared once, and used by the issuer
// and by the verifier.

import { createAuthenticator } from '../decision/authenticator.ts';
import { contextOf, isPrincipal, type Principal } from '../decision/principal.ts';
import { AuthError, ConfigError, inSpace } from '../errors.ts';
import type { KeysetOptions } from '../keysets/options.ts';
import type { SecretStore } from '../secrets/store.ts';
import { normalizeType } from '../token/parse.ts';
import type { Clock } from '../values/clock.ts';
import type { Duration } from '../values/duration.ts';
import { own } from '../values/json.ts';
import { isPlainObject, readObject, readText } from '../values/readers.ts';
import type { ClaimsToSign } from './claims.ts';
import type { SignerOptions } from './options.ts';
import { signerOptionNames } from './options.ts';
import { createSigner, type Signer } from './signer.ts';

/**
 * The tokens of one kind of capability, and their relation to the caller's token. Plain data, for
 * both sides.
 */
export interface Capability {
  /**
   * A separate type, such as `friend+jwt`, so that a capability is never accepted as an access
   * token, nor an access token as a capability (RFC 8725 §3.11).
   */
  readonly typ: string;
  readonly issuer: string;
  readonly audience: string;
  /**
   * A claim of the capability, and the caller's claim that it must equal: `{ friendOf: 'sub' }`.
   * `sub` is unique only within its issuer (RFC 7519 §4.1.2), so for `sub` the caller's issuer must
   * be the same, too: it is stored as `friendOf_iss`.
   */
  readonly relation: { readonly [claim: string]: string };
}

/** The side that issues capabilities. */
export interface CapabilityIssuer {
  /**
   * Signs a capability for a caller.
   * @param principal the caller: a principal that an authenticator made
   * @param claims what the capability is for, such as `{ sub: 'bob' }`; without the relation's
   *   claims
   * @throws TypeError if the caller does not have the claims of the relation, or if the claims
   *   cannot be signed
   */
  issue(principal: Principal, claims: ClaimsToSign): Promise<string>;
  readonly signer: Signer;
}

/** The side that verifies capabilities. */
export interface CapabilityVerifier {
  /**
   * Verifies a capability, and that it was issued to this caller.
   * @param token from any part of the request; a value that is not a string is refused
   * @returns the claims of the capability
   * @throws AuthError like `Authenticator.verify`, and `claims_insufficient` if it was issued to
   *   another caller
   */
  verify(token: unknown, principal: Principal | undefined): Promise<Principal>;
  ready(): Promise<void>;
  close(): Promise<void>;
}

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/**
 * How an issuer signs: a source of keys and its options. Values that the capability defines are
 * excluded.
 */
export type CapabilityIssuerOptions = Without<SignerOptions, 'issuer' | 'audience' | 'typ' | 'requireExp'>;

/** The keys that capabilities are verified with: one source of keys. */
export type CapabilityVerifierOptions = {
  readonly keySet: Without<KeysetOptions, 'issuer'>;
  readonly secrets?: SecretStore;
  readonly externalSecrets?: SecretStore;
  readonly clockSkew?: Duration;
  readonly clock?: Clock;
};

/**
 * Claims that cannot be in a relation: they have another meaning, or are not usable as member names
 * in JavaScript.
 */
const TAKEN = ['iss', 'aud', 'exp', 'nbf', 'iat', 'jti', '__proto__'];
/**
 * The types of access tokens and of tokens without a type: not allowed as the type of a capability.
 */
const COMMON_TYPES = ['jwt', 'at+jwt'];
/** Options whose values the capability defines. */
const issuerOptionNames = signerOptionNames.filter(
  (name) => !['issuer', 'audience', 'typ', 'requireExp'].includes(name),
);

/**
 * Makes the side that issues capabilities. They are valid for `expiresIn`, 10m by default.
 * @throws ConfigError
 * @example
 * ```ts
 * const friendship = {
 *   typ: 'friend+jwt',
 *   issuer: 'https://friends.example.com',
 *   audience: 'https://messages.example.com',
 *   relation: { friendOf: 'sub' },
 * };
 * const signing = { secret: { name: 'signing' }, secrets, alg: 'ES256' } as const;
 * const { issue } = createCapabilityIssuer(friendship, signing);
 * const friendToken = await issue(principal, { sub: 'bob' });
 * ```
 */
export function createCapabilityIssuer(
  capability: Capability,
  options: CapabilityIssuerOptions,
): CapabilityIssuer {
  const { typ, issuer, audience, relation } = readCapability(capability);
  const { expiresIn = '10m', ...rest } = readObject(options, issuerOptionNames, '');
  const signer = createSigner({ ...rest, expiresIn, typ, issuer, audience } as unknown as SignerOptions);
  return Object.freeze<CapabilityIssuer>({
    signer,
    async issue(principal, claims) {
      refuseImitation(principal);
      const related = relatedClaims(relation, principal);
      if (related === undefined)
        throw new TypeError('issue: the caller does not have the claims of the relation');
      if (!isPlainObject(claims)) throw new TypeError('issue: expected an object of claims');
      for (const name of claimNames(relation)) {
        if (Object.hasOwn(claims, name))
          throw new TypeError(`issue: ${name} is set by the relation; remove it`);
      }
      return signer.sign({ ...claims, ...related });
    },
  });
}

/**
 * Makes the side that verifies capabilities. It accepts only tokens of this type, issuer and
 * audience.
 * @throws ConfigError
 * @example
 * ```ts
 * const { verify } = createCapabilityVerifier(friendship, {
 *   keySet: { jwksUrl: 'https://friends.example.com/.well-known/jwks.json' },
 * });
 * const friend = await verify(friendToken, principal);
 * ```
 */
export function createCapabilityVerifier(
  capability: Capability,
  options: CapabilityVerifierOptions,
): CapabilityVerifier {
  const { typ, issuer, audience, relation } = readCapability(capability);
  const { keySet, ...rest } = readObject(
    options,
    ['keySet', 'secrets', 'externalSecrets', 'clockSkew', 'clock'],
    '',
  ) as unknown as CapabilityVerifierOptions;
  if (Object.hasOwn(Object(keySet), 'issuer'))
    throw new ConfigError('keySet.issuer', 'expected no issuer; the capability defines it');
  const authenticator = inTermsOfKeySet(() =>
    createAuthenticator({ ...rest, keySets: [{ ...keySet, issuer } as KeysetOptions], audience, typ }),
  );
  return Object.freeze<CapabilityVerifier>({
    async verify(token, principal) {
      if (principal === undefined) throw new AuthError('credentials_missing');
      refuseImitation(principal);
      const verified = await authenticator.verify(token as string);
      const related = relatedClaims(relation, principal);
      const names = claimNames(relation);
      if (related !== undefined && names.every((name) => isSame(verified.claims, related, name)))
        return verified;
      throw inSpace(
        new AuthError('claims_insufficient', { detail: 'the capability was issued to another caller' }),
        contextOf(principal)?.space,
      );
    },
    ready: authenticator.ready,
    close: authenticator.close,
  });
}

function readCapability(capability: Capability): Capability {
  const { typ, issuer, audience, relation } = readObject(
    capability,
    ['typ', 'issuer', 'audience', 'relation'],
    'capability',
  );
  const entries = Object.entries(readObject(relation, Object.keys(Object(relation)), 'capability.relation'));
  if (entries.length === 0) throw new ConfigError('capability.relation', 'expected at least one claim');
  for (const [claim] of entries) {
    if (TAKEN.includes(claim))
      throw new ConfigError(
        `capability.relation.${claim}`,
        'expected another claim; this one has a fixed meaning',
      );
  }
  const relationOf = Object.fromEntries(
    entries.map(([claim, of]) => [claim, readText(of, `capability.relation.${claim}`)]),
  );
  const names = claimNames(relationOf);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined)
    throw new ConfigError(
      `capability.relation.${twice}`,
      'expected another claim; this one holds the issuer of another claim',
    );
  const type = readText(typ, 'capability.typ');
  if (COMMON_TYPES.includes(normalizeType(type)))
    throw new ConfigError('capability.typ', 'expected a type that other tokens do not have, like friend+jwt');
  return {
    typ: type,
    issuer: readText(issuer, 'capability.issuer'),
    audience: readText(audience, 'capability.audience'),
    relation: relationOf,
  };
}

/** Renames the path in an error of the keyset to the option of this function. */
function inTermsOfKeySet<T>(build: () => T): T {
  try {
    return build();
  } catch (error) {
    if (!(error instanceof ConfigError) || !error.path.startsWith('keySets[0]')) throw error;
    const problem = error.message.slice(error.path.length + 2);
    throw new ConfigError(error.path.replace('keySets[0]', 'keySet'), problem, { cause: error });
  }
}

/**
 * The claims of the capability that the relation sets, including the claims for the callers'
 * issuers.
 */
function claimNames(relation: Capability['relation']): readonly string[] {
  return Object.entries(relation).flatMap(([claim, of]) =>
    of === 'sub' ? [claim, issuerClaim(claim)] : [claim],
  );
}

function issuerClaim(claim: string): string {
  return `${claim}_iss`;
}

/**
 * The values of the relation's claims for this caller; undefined if the caller does not have them.
 */
function relatedClaims(
  relation: Capability['relation'],
  { claims, issuer }: Principal,
): { readonly [claim: string]: string | number } | undefined {
  const related: Record<string, string | number> = {};
  for (const [claim, of] of Object.entries(relation)) {
    const value = own(claims, of);
    // Lists and objects have no clear equality, and an empty value identifies no caller.
    if ((typeof value !== 'string' || value === '') && typeof value !== 'number') return undefined;
    related[claim] = value;
    if (of === 'sub' && issuer !== undefined) related[issuerClaim(claim)] = issuer;
  }
  return related;
}

/** Refuses objects that look like a principal but were not made by an authenticator. */
function refuseImitation(principal: Principal): void {
  if (!isPrincipal(principal)) throw new TypeError('expected a principal that an authenticator made');
}

/**
 * True if the claim is equal in type and value, or absent from both. Absent from both is only the
 * issuer claim of a caller without an issuer.
 */
function isSame(claims: object, related: object, name: string): boolean {
  const has = Object.hasOwn(claims, name);
  return (
    has === Object.hasOwn(related, name) && (!has || Reflect.get(claims, name) === Reflect.get(related, name))
  );
}
