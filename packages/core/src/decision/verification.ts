// From a token to a principal, in the order of checks that never changes: claims that can be believed, what holds for every token, groups.
import { firstFailure } from '../claims/compile.ts';
import { checkRegisteredClaims, validityOf } from '../claims/registered.ts';
import type { DescriptorReport } from '../descriptor/follow.ts';
import { AuthError, isAuthError } from '../errors.ts';
import { warn } from '../events.ts';
import { createGroups, type GroupSourceReport } from '../groups/groups.ts';
import { createKeysets } from '../keysets/create.ts';
import type { Keyset, KeysetReport } from '../keysets/keyset.ts';
import { createRemoteEndpoint, type RemoteReport } from '../remote/endpoint.ts';
import { validateRemotely } from '../remote/validate.ts';
import type { JsonObject } from '../values/json.ts';
import type { Explained } from './explain/decided.ts';
import type { Settings } from './options.ts';
import { createPrincipal, type Principal } from './principal.ts';
import { createVerifiedTokens, type VerifiedToken } from './verified-tokens.ts';
import { type VerifiedClaims, verifyByKeys } from './verify.ts';

/** How an authenticator fares. Holds no key and no token. */
export interface AuthenticatorReport {
  /** Where the options come from a file. */
  readonly descriptor?: DescriptorReport | undefined;
  readonly keysets: readonly KeysetReport[];
  readonly remote: RemoteReport | undefined;
  readonly groups: readonly GroupSourceReport[];
}

/** Verifies tokens. Knows no requests, modes or routes. */
export interface Verification {
  /** The principal of a token that verified before and is still good; undefined for any other. Makes nothing. */
  recall(token: string): Promise<Principal> | undefined;
  /** @throws AuthError with every `token_` code, and those of 503 */
  verify(token: string): Promise<Principal>;
  /** Resolves when every keyset without `skipValidation` has keys. */
  ready(): Promise<void>;
  report(): AuthenticatorReport;
  close(): Promise<void>;
  /** What it is made of, for `explain`. */
  readonly parts: Pick<Explained, 'keys' | 'systemKeysets' | 'askRemote'>;
}

/** Claims that can be believed, and whose key signed them; undefined where no key did. */
interface SignedClaims {
  readonly claims: JsonObject;
  readonly keyset: Keyset | undefined;
}

/** Makes everything that verifying takes. Fetches nothing before `ready()` or the first token. @throws ConfigError */
export function createVerification(settings: Settings): Verification {
  const { keysets, index, system } = createKeysets(settings);
  const { realm, delimiter, routes } = settings;
  const context = Object.freeze({ realm, delimiter, routes });
  const verifying = { ...settings, index, headers: new Map() };
  const byKeys = async (token: string) => verifyByKeys(token, verifying);
  const stage = settings.remote === undefined ? undefined : { ...settings.remote, ...settings };
  const remote =
    stage === undefined ? undefined : createRemoteEndpoint({ ...stage, store: settings.stores.secret });
  const groups = settings.groups === undefined ? undefined : createGroups(settings.groups);
  if (stage?.onReject === 'next')
    warn('LATCHKEY_UNSAFE', 'remote.onReject: a token that the endpoint refuses may still pass by its key');
  // An endpoint keeps what it may itself: a token is not good for longer than it says.
  const known =
    settings.cache === undefined || remote !== undefined
      ? undefined
      : createVerifiedTokens<Promise<Principal>>(settings.cache, settings.clock);
  // Where others are asked for groups, a principal is made anew each time: they keep what they may themselves.
  const isFinal = settings.groups === undefined || settings.groups.resolvers.size === 0;

  /** By the keysets, by the remote endpoint, or by the one and then the other. */
  async function verifyClaims(token: string): Promise<VerifiedClaims> {
    if (remote === undefined || stage === undefined) return byKeys(token);
    const verified = await validateRemotely(token, remote, stage, byKeys);
    const { systemSubject } = settings;
    if (verified.by !== undefined || stage.isSystem || systemSubject === undefined) return verified;
    if (verified.claims.sub !== systemSubject) return verified;
    // Whatever the endpoint says, only a key makes somebody the system.
    try {
      const signed = await byKeys(token);
      if (signed.claims.sub === systemSubject) return signed;
    } catch (error) {
      if (!isAuthError(error) || error.status !== 401) throw error;
    }
    throw notTheSystem();
  }

  /** Rules are judged each time: a schema is the application's code, and may say something else today. */
  function recall(token: string): VerifiedToken<Promise<Principal>> | undefined {
    const verified = known?.recall(token);
    if (verified === undefined || firstFailure(settings.claims, verified.claims, context) !== undefined)
      return undefined;
    return verified;
  }

  async function verifyAnew(token: string): Promise<Principal> {
    // Not awaited unless it has to be: keys are at hand for most tokens.
    const found = remote === undefined ? verifyByKeys(token, verifying) : verifyClaims(token);
    const verified = found instanceof Promise ? await found : found;
    const { claims, by } = verified;
    judgeClaims(claims, by === undefined, isSystem(by?.keyset), settings);
    const principal =
      groups === undefined
        ? createPrincipal(claims, context)
        : await principalOf({ claims, keyset: by?.keyset });
    if (by !== undefined && known?.admits(token) === true) {
      const made = isFinal ? recallable(principal) : undefined;
      known.remember(token, { claims, by, made }, validityOf(claims, settings.registered));
    }
    return principal;
  }

  function isSystem(keyset: Keyset | undefined): boolean {
    return keyset === undefined ? stage?.isSystem === true : system.has(keyset);
  }

  async function principalOf({ claims, keyset }: SignedClaims): Promise<Principal> {
    if (groups === undefined) return createPrincipal(claims, context);
    const { iss: issuer, sub: subject } = claims as { readonly [name in 'iss' | 'sub']?: string };
    const found = await groups.of({ claims, issuer, subject, isSystem: isSystem(keyset) });
    return createPrincipal(claims, context, found);
  }

  return {
    recall: (token) => recall(token)?.made,
    verify(token) {
      const verified = recall(token);
      return verified === undefined ? verifyAnew(token) : (verified.made ?? principalOf(verified));
    },
    ready: async () => {
      await Promise.all(keysets.map((keyset) => keyset.ready()));
    },
    report: () => ({
      keysets: keysets.map((keyset) => keyset.report()),
      remote: remote?.report(),
      groups: groups?.report() ?? [],
    }),
    close: async () => {
      known?.clear();
      await Promise.all([...keysets, remote, groups].map((part) => part?.close()));
    },
    parts: {
      keys: { keysets, index },
      systemKeysets: system,
      askRemote: remote === undefined ? undefined : (token) => remote.validate(token),
    },
  };
}

// On the promise itself: a table beside it would cost a look-up for every request.
const RECALLED: unique symbol = Symbol('recalled principal');
type Recallable = Promise<unknown> & { readonly [RECALLED]?: Principal };

function recallable(principal: Principal): Promise<Principal> {
  return Object.defineProperty(Promise.resolve(principal), RECALLED, { value: principal });
}

/** What a promise of `recall` resolves with. Undefined for any other promise. */
export function recalled(authenticated: Promise<unknown>): Principal | undefined {
  return (authenticated as Recallable)[RECALLED];
}

/**
 * What has to hold for every token, before anybody is asked for groups.
 * @throws AuthError
 */
function judgeClaims(
  claims: JsonObject,
  isRemote: boolean,
  isSystem: boolean,
  { registered, issuers, systemSubject, claims: rules, delimiter, clock }: Settings,
): void {
  // What an endpoint answers need not have an end or an audience; what it has is judged.
  const policy = isRemote
    ? {
        ...registered,
        requireExp: false,
        audience: Object.hasOwn(claims, 'aud') ? registered.audience : null,
      }
    : registered;
  checkRegisteredClaims(claims, policy, clock.now());
  if (isRemote) {
    const issuer = Object.hasOwn(claims, 'iss') ? claims.iss : undefined;
    if ((issuer !== undefined && typeof issuer !== 'string') || issuers?.(issuer) === false)
      throw new AuthError('token_issuer_untrusted');
  }
  // Whoever is called so by another issuer is somebody else.
  if (systemSubject !== undefined && claims.sub === systemSubject && !isSystem) throw notTheSystem();
  const failed = firstFailure(rules, claims, { delimiter });
  if (failed !== undefined)
    throw new AuthError('token_claims_invalid', { detail: `the rule on ${failed.claim} does not hold` });
}

function notTheSystem(): AuthError {
  return new AuthError('token_claims_invalid', {
    detail: 'the subject is the system, and whoever says so is not',
  });
}
