// Object capabilities: one token per object, minted for one caller, and good only beside that
// caller's own token. The relation between the two is declared once, and both sides, who mints and
// who requires, are made of the same declaration.

import { createAuthenticator } from '../decision/authenticator.ts';
import { contextOf, isPrincipal, type Principal } from '../decision/principal.ts';
import { AuthError, ConfigError } from '../errors.ts';
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
 * What the tokens of one kind of capability are, and how they belong to who may use them. Plain
 * data, for both sides.
 */
export interface Capability {
  /**
   * A type of its own, such as `friend+jwt`: never taken for an access token, nor one for it (RFC
   * 8725 §3.11).
   */
  readonly typ: string;
  readonly issuer: string;
  readonly audience: string;
  /**
   * Claim of the capability, by the caller's claim that it equals: `{ friendOf: 'sub' }`. Beside
   * `sub`, which is unique within its issuer only (RFC 7519 §4.1.2), the caller's issuer has to be
   * the same too: it is kept as `friendOf_iss`.
   */
  readonly relation: { readonly [claim: string]: string };
}

/** The side that issues capabilities. */
export interface CapabilityIssuer {
  /**
   * Signs a capability for this caller.
   * @param principal who may use it: the principal that an authenticator made
   * @param claims what it is for, such as `{ sub: 'bob' }`; the relation's claims are not among
   *   them
   * @throws TypeError if the caller has not the claims that the relation names, or for claims that
   *   cannot be signed
   */
  issue(principal: Principal, claims: ClaimsToSign): Promise<string>;
  readonly signer: Signer;
}

/** The side that verifies capabilities. */
export interface CapabilityVerifier {
  /**
   * Verifies a capability, and that it was minted for this caller.
   * @param token from wherever the request carries it; anything that is no string is refused
   * @returns what the capability is for
   * @throws AuthError as `Authenticator.verify` does, and `claims_insufficient` if it was minted
   *   for somebody else
   */
  verify(token: unknown, principal: Principal | undefined): Promise<Principal>;
  ready(): Promise<void>;
  close(): Promise<void>;
}

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/**
 * How an issuer signs: a source of keys and its options. What the capability says is not repeated.
 */
export type CapabilityIssuerOptions = Without<SignerOptions, 'issuer' | 'audience' | 'typ' | 'requireExp'>;

/** Whose signature a capability has: one source of keys. */
export type CapabilityVerifierOptions = {
  readonly keySet: Without<KeysetOptions, 'issuer'>;
  readonly secrets?: SecretStore;
  readonly externalSecrets?: SecretStore;
  readonly clockSkew?: Duration;
  readonly clock?: Clock;
};

/**
 * Claims that no relation is over: they say something else already, or are no claims of their own
 * in JavaScript.
 */
const TAKEN = ['iss', 'aud', 'exp', 'nbf', 'iat', 'jti', '__proto__'];
/**
 * What access tokens are called, and tokens that are not called anything: no type of a capability's
 * own.
 */
const COMMON_TYPES = ['jwt', 'at+jwt'];
/** What a capability says itself is not for its options to say. */
const issuerOptionNames = signerOptionNames.filter(
  (name) => !['issuer', 'audience', 'typ', 'requireExp'].includes(name),
);

/**
 * Makes the side that issues capabilities. They live for `expiresIn`; default 10m.
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
      if (related === undefined) throw new TypeError('issue: the caller has not the claims of the relation');
      if (!isPlainObject(claims)) throw new TypeError('issue: expected an object of claims');
      for (const name of claimNames(relation)) {
        if (Object.hasOwn(claims, name)) throw new TypeError(`issue: ${name} is for the relation to say`);
      }
      return signer.sign({ ...claims, ...related });
    },
  });
}

/**
 * Makes the side that verifies capabilities. Only tokens of this type, issuer and audience pass.
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
    throw new ConfigError('keySet.issuer', 'is what the capability says');
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
      throw new AuthError('claims_insufficient', {
        detail: 'the capability was minted for another caller',
        realm: contextOf(principal)?.realm,
      });
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
      throw new ConfigError(`capability.relation.${claim}`, 'is not free for a relation');
  }
  const relationOf = Object.fromEntries(
    entries.map(([claim, of]) => [claim, readText(of, `capability.relation.${claim}`)]),
  );
  const names = claimNames(relationOf);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined)
    throw new ConfigError(`capability.relation.${twice}`, 'is where another claim keeps its issuer');
  const type = readText(typ, 'capability.typ');
  if (COMMON_TYPES.includes(normalizeType(type)))
    throw new ConfigError(
      'capability.typ',
      'is that of other tokens; expected one of its own, like friend+jwt',
    );
  return {
    typ: type,
    issuer: readText(issuer, 'capability.issuer'),
    audience: readText(audience, 'capability.audience'),
    relation: relationOf,
  };
}

/** An error of the keyset, by the name that it was given under. */
function inTermsOfKeySet<T>(build: () => T): T {
  try {
    return build();
  } catch (error) {
    if (!(error instanceof ConfigError) || !error.path.startsWith('keySets[0]')) throw error;
    const problem = error.message.slice(error.path.length + 2);
    throw new ConfigError(error.path.replace('keySets[0]', 'keySet'), problem, { cause: error });
  }
}

/** The claims of a capability that the relation is over, those of the callers' issuers included. */
function claimNames(relation: Capability['relation']): readonly string[] {
  return Object.entries(relation).flatMap(([claim, of]) =>
    of === 'sub' ? [claim, issuerClaim(claim)] : [claim],
  );
}

function issuerClaim(claim: string): string {
  return `${claim}_iss`;
}

/**
 * What the relation's claims are for this caller; undefined for a caller that cannot stand in it.
 */
function relatedClaims(
  relation: Capability['relation'],
  { claims, issuer }: Principal,
): { readonly [claim: string]: string | number } | undefined {
  const related: Record<string, string | number> = {};
  for (const [claim, of] of Object.entries(relation)) {
    const value = own(claims, of);
    // A list or an object has no one meaning of being the same, and nothing is nobody's.
    if ((typeof value !== 'string' || value === '') && typeof value !== 'number') return undefined;
    related[claim] = value;
    if (of === 'sub' && issuer !== undefined) related[issuerClaim(claim)] = issuer;
  }
  return related;
}

/** The caller is whoever an authenticator says it is, and nobody else. */
function refuseImitation(principal: Principal): void {
  if (!isPrincipal(principal)) throw new TypeError('not a principal that an authenticator made');
}

/** Equal in type and value, or absent from both: only the issuer of a caller without one is. */
function isSame(claims: object, related: object, name: string): boolean {
  const has = Object.hasOwn(claims, name);
  return (
    has === Object.hasOwn(related, name) && (!has || Reflect.get(claims, name) === Reflect.get(related, name))
  );
}
