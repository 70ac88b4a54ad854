// What core reports while it runs: diagnostics_channel names with their payloads, and process
// warnings. No payload contains a token, a key, or a claim other than the expiry of a service
// token.

import { type Channel, channel } from 'node:diagnostics_channel';
import type { AuthErrorCode } from './errors.ts';
import { plain } from './plain-text.ts';

/** Fields that every keyset event carries. */
interface KeysetEvent {
  /** The place of the keyset in the options: `keySets[0]`. */
  readonly keyset: string;
  /** The `issuer` of the keyset. */
  readonly issuer: string | undefined;
}

/** Fields that every revocation event carries. */
interface RevocationEvent {
  /** What the list is read from: `file revocations.jsonl`. */
  readonly source: string;
}

/** Fields that every service token event carries. */
interface ServiceTokenEvent {
  /** The place of the token in the options of `createServiceFetch`: `tokens[0]`. */
  readonly serviceToken: string;
  /** The audience that its hosts are mapped to, as in the options. */
  readonly audience: string | null;
}

/** Fields that every signer event carries. */
interface SignerEvent {
  /** Where its keys come from: `secret: signing`, a URL. */
  readonly signer: string;
}

/** What became of one request. No field has a value of a token, or of the path of a request. */
export interface DecisionEvent {
  /**
   * `accepted`: with a principal. `anonymous`: without one, as the mode allows. `refused`: the
   * client gets `status`.
   */
  readonly outcome: 'accepted' | 'anonymous' | 'refused';
  /**
   * Why the request was refused; with `anonymous`, why `mode: 'permissive'` ignored its token.
   * Undefined for all others.
   */
  readonly code: AuthErrorCode | undefined;
  /** The status of the refusal: 400, 401, 403 or 503. Undefined unless the request was refused. */
  readonly status: number | undefined;
  /**
   * The `issuer` of the keyset for the token, as the options have it: of a keyset for many tenants,
   * the template. For a refusal, the token may only claim it. Undefined without a token, and for a
   * token of no keyset of the options, of keysets with different issuers, or of `remote`.
   */
  readonly issuer: string | undefined;
  /**
   * The pattern of the route, such as `/friends/:id`, as the framework has it. Undefined before the
   * framework has matched a route, and where it has no routes.
   */
  readonly route: string | undefined;
  /** Such as `express`: the package of the adapter. Undefined without an adapter. */
  readonly framework: string | undefined;
  /** How long the decision took, in milliseconds, with fractions. */
  readonly durationMs: number;
  /** True if the token was verified before, and was found in the cache. */
  readonly cached: boolean;
}

/**
 * The channels by name, with the payload of each. Subscribe with
 * `diagnostics_channel.subscribe(name, listener)`.
 */
export interface LatchkeyEvents {
  /**
   * The outcome of a request. Once for each request: a refusal when it is made, and all others when
   * the request has been answered, or when they are decided where no rule of a route can follow.
   */
  'latchkey:decision': DecisionEvent;
  /** A source was read, and its keys are in use. */
  'latchkey:keyset:refreshed': KeysetEvent & { readonly keys: number; readonly lifetimeMs: number };
  /** A source could not be read. The keys from before stay in use. */
  'latchkey:keyset:failed': KeysetEvent & {
    readonly error: Error;
    readonly failures: number;
    readonly retryInMs: number;
  };
  /** Keys older than their lifetime are in use, because their source fails. Once per outage. */
  'latchkey:keyset:stale': KeysetEvent & { readonly ageMs: number };
  /** A key was added to its set. */
  'latchkey:keyset:key-added': KeysetEvent & { readonly kid: string | undefined };
  /** A key was removed from its set. It no longer verifies any token. */
  'latchkey:keyset:key-removed': KeysetEvent & { readonly kid: string | undefined };
  /** A member of a JWK Set cannot be used. The other members can. */
  'latchkey:keyset:key-skipped': KeysetEvent & {
    readonly kid: string | undefined;
    readonly reason: string;
  };
  /**
   * A request passed, or an `authorize` of it, that rules with `enforce` would have refused. Once
   * for each decision, with the code of the refusal that it would have got first.
   */
  'latchkey:report-only': {
    /** That of the refusal. */
    readonly code: AuthErrorCode;
    /**
     * The claims whose rules do not hold, by the names that the rules have. Empty for `acr`,
     * `maxAge` and `actors` of a route, and for an anonymous request.
     */
    readonly claims: readonly string[];
    /** The name of the route of the options, if the rules are there. */
    readonly namedRoute: string | undefined;
    /** The pattern of the route of the framework: see `latchkey:decision`. */
    readonly route: string | undefined;
    /** Such as `express`: the package of the adapter. Undefined without an adapter. */
    readonly framework: string | undefined;
  };
  /**
   * The list of revocations could not be read, or has a wrong entry. The last list stays in force.
   */
  'latchkey:revocation:failed': RevocationEvent & { readonly error: Error };
  /**
   * A token was answered with 503, because the list of revocations is older than
   * `revocation.maxStale`. Once per outage.
   */
  'latchkey:revocation:stale': RevocationEvent & { readonly ageMs: number };
  /** The keys of a signer were read, and are in use. */
  'latchkey:signer:refreshed': SignerEvent & { readonly keys: number; readonly lifetimeMs: number };
  /** The keys of a signer could not be read. The keys from before stay in use. */
  'latchkey:signer:failed': SignerEvent & {
    readonly error: Error;
    readonly failures: number;
    readonly retryInMs: number;
  };
  /**
   * The keys of a signer are older than their lifetime, because their source fails. Once per
   * outage.
   */
  'latchkey:signer:stale': SignerEvent & { readonly ageMs: number };
  /** A changed descriptor is in use. */
  'latchkey:descriptor:applied': {
    readonly file: string;
    /** The keysets in force. `ageMs` is that of their keys, undefined before they were read. */
    readonly keysets: readonly (KeysetEvent & {
      readonly ageMs: number | undefined;
      readonly state: string;
    })[];
    /** The keysets that are gone, or have another place or issuer now. */
    readonly removed: readonly KeysetEvent[];
  };
  /** A changed descriptor cannot be used. The one from before stays in use. */
  'latchkey:descriptor:refused': { readonly file: string; readonly error: Error };
  /**
   * A new service token was read from a file, and is in use. `expiresAt` is its `exp`, in seconds
   * since the epoch.
   */
  'latchkey:service-token:refreshed': ServiceTokenEvent & { readonly expiresAt: number | undefined };
  /**
   * A service token could not be read, or was refused. The token from before stays in use until it
   * expires.
   */
  'latchkey:service-token:failed': ServiceTokenEvent & { readonly error: Error };
  /** A logout token or a security event token was accepted. Once for each event in it. */
  'latchkey:event:received': { readonly kind: string };
  /** A logout token or a security event token was refused. */
  'latchkey:event:refused': { readonly error: Error };
  /**
   * An event could not be handled: keys, the store of ids or the feed of revocations are
   * unavailable, or `onEvent` failed. The sender got an error.
   */
  'latchkey:event:failed': { readonly error: Error };
}

/** The codes of process warnings, and their types. Remarks say what the operator does next. */
export const WARNING_TYPES = {
  /**
   * An option still works, but will be removed.
   * @remarks Use what the message names. `latchkey jwks migrate` turns `keys` into keysets.
   */
  LATCHKEY_DEPRECATED: 'DeprecationWarning',
  /**
   * A security event names its subject in a way that access tokens do not, such as by email, so
   * that it ends no token. Once for each receiver.
   * @remarks Give the receiver an `onEvent` that finds the user, or let the transmitter send the
   *   format `iss_sub`.
   */
  LATCHKEY_EVENTS: 'Warning',
  /**
   * A service token has expired, or expires within 24 hours.
   * @remarks Put a new token into its file. It is read without a restart.
   */
  LATCHKEY_EXPIRY: 'Warning',
  /**
   * `ENABLE_JWT` alone made a key pair or a system token.
   * @remarks Keep the files that the message names, or configure your own keys.
   */
  LATCHKEY_GENERATED: 'Warning',
  /**
   * A source that failed works again: keys, an endpoint, groups, revocations, a descriptor.
   * @remarks Nothing. It ends the `LATCHKEY_UNAVAILABLE` of the same source.
   */
  LATCHKEY_RECOVERED: 'Warning',
  /**
   * The mode of a route has no effect, the routes of an application cannot be reported, or a part
   * of an endpoint of KrakenD has no effect.
   * @remarks Change the route that the message names. Requests are still decided.
   */
  LATCHKEY_ROUTES: 'Warning',
  /**
   * A rule is on a claim whose name looks like a path, and no `nestedClaimDelimiter` splits it.
   * @remarks Set `nestedClaimDelimiter`, or write `at([…], rule)`: the rule refuses all tokens
   *   otherwise.
   */
  LATCHKEY_RULES: 'Warning',
  /**
   * Something is missing or cannot be used: a source of keys, an endpoint, a source of groups, the
   * list of revocations, a changed descriptor, the system token. Once for each outage of a source.
   * @remarks Fix what the message names. The service keeps running with what it has, and tries the
   *   source again by itself.
   */
  LATCHKEY_UNAVAILABLE: 'Warning',
  /**
   * An option is dangerous, or other users can read a private file.
   * @remarks Remove what the message names. `latchkey lint` lists the dangerous options of a
   *   descriptor.
   */
  LATCHKEY_UNSAFE: 'SecurityWarning',
} as const satisfies Record<string, string>;

/**
 * Emits a process warning for the operator, at start or later: dangerous or deprecated options,
 * things that are missing or about to expire. Node writes warnings to the standard error stream,
 * unless the application handles them. The message is one line without control characters.
 */
export function warn(code: keyof typeof WARNING_TYPES, message: string): void {
  process.emitWarning(plain(message), { type: WARNING_TYPES[code], code });
}

/**
 * Kept for as long as the process runs: Bun forgets the subscribers of a channel that no code
 * keeps.
 */
const CHANNELS: Readonly<Record<keyof LatchkeyEvents, Channel>> = {
  'latchkey:decision': channel('latchkey:decision'),
  'latchkey:keyset:refreshed': channel('latchkey:keyset:refreshed'),
  'latchkey:keyset:failed': channel('latchkey:keyset:failed'),
  'latchkey:keyset:stale': channel('latchkey:keyset:stale'),
  'latchkey:keyset:key-added': channel('latchkey:keyset:key-added'),
  'latchkey:keyset:key-removed': channel('latchkey:keyset:key-removed'),
  'latchkey:keyset:key-skipped': channel('latchkey:keyset:key-skipped'),
  'latchkey:report-only': channel('latchkey:report-only'),
  'latchkey:revocation:failed': channel('latchkey:revocation:failed'),
  'latchkey:revocation:stale': channel('latchkey:revocation:stale'),
  'latchkey:signer:refreshed': channel('latchkey:signer:refreshed'),
  'latchkey:signer:failed': channel('latchkey:signer:failed'),
  'latchkey:signer:stale': channel('latchkey:signer:stale'),
  'latchkey:descriptor:applied': channel('latchkey:descriptor:applied'),
  'latchkey:descriptor:refused': channel('latchkey:descriptor:refused'),
  'latchkey:service-token:refreshed': channel('latchkey:service-token:refreshed'),
  'latchkey:service-token:failed': channel('latchkey:service-token:failed'),
  'latchkey:event:received': channel('latchkey:event:received'),
  'latchkey:event:refused': channel('latchkey:event:refused'),
  'latchkey:event:failed': channel('latchkey:event:failed'),
};

/**
 * Publishes one event. An error that a listener throws does not reach the caller:
 * diagnostics_channel catches it.
 */
export function publish<Name extends keyof LatchkeyEvents>(name: Name, event: LatchkeyEvents[Name]): void {
  const target = CHANNELS[name];
  if (target.hasSubscribers) target.publish(event);
}

/** True if a channel has a subscriber. Without one, nothing has to be collected for its event. */
export function hasListeners(name: keyof LatchkeyEvents): boolean {
  return CHANNELS[name].hasSubscribers;
}
