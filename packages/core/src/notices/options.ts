// Options of receivers of logout tokens and security event tokens: their types, and the tables that
// read them. What the tokens must be is in policy.ts.
import { ConfigError } from '../errors.ts';
import { type KeysetOptions, type KeysetSettings, keyset } from '../keysets/options.ts';
import type { JsonObject } from '../values/json.ts';
import { kindOf } from '../values/kind.ts';
import {
  byName,
  choice,
  fromCode,
  list,
  needed,
  object,
  oneOrMany,
  optional,
  type ReadBy,
  type TableOf,
  text,
} from '../values/option.ts';

/** Logout tokens of OpenID Connect Back-Channel Logout 1.0. */
export interface LogoutOptions {
  /**
   * The `client_id` at the provider, or several: the `aud` of logout tokens. It is the client that
   * users log in with, and seldom the audience of access tokens.
   */
  readonly clientId: string | readonly string[];
  /**
   * Which access tokens a logout ends. `session`: those of the session (`sid`), or of the user if
   * the logout token has no `sid`. `subject`: always all of the user that were issued before.
   * Needed if access tokens have no `sid`. Default `session`.
   */
  readonly ends?: 'session' | 'subject';
  /**
   * Accepts what drafts of the specification allowed: `typ` JWT or absent, and no `exp`. Some
   * versions of Keycloak, Ory Hydra and authentik send such tokens. Default false.
   */
  readonly drafts?: true;
}

/** Security event tokens (RFC 8417) of CAEP and RISC, sent by push (RFC 8935). */
export interface SecurityEventOptions {
  /** The `aud` that the transmitter gives this receiver, or several. */
  readonly audience: string | readonly string[];
  /** Accepts `typ` JWT or absent. Default: only `secevent+jwt`. */
  readonly drafts?: true;
}

/** What a receiver accepts, and what it does besides. */
export interface EventReceiverOptions {
  readonly logout?: LogoutOptions;
  readonly securityEvents?: SecurityEventOptions;
  /**
   * The keys of transmitters whose issuer is none of the keysets of the authenticator. These keys
   * verify no access token.
   */
  readonly keySets?: readonly KeysetOptions[];
  /**
   * The issuers whose tokens a transmitter ends, by the `iss` of the transmitter. Default: its own
   * tokens only. Example: `{ 'https://events.example.com': ['https://login.example.com'] }`.
   */
  readonly tokenIssuers?: { readonly [transmitter: string]: string | readonly string[] };
  /**
   * Called for each event after tokens are ended, for what else has to end, such as sessions of the
   * application. If it throws or rejects, the sender gets an error, and the event is handled again
   * if it comes again. An event may come more than once: after a failure, or days later.
   */
  readonly onEvent?: (event: ReceivedEvent) => unknown;
}

/** What an event is about. */
export type ReceivedEventKind =
  | 'logout'
  | 'session-revoked'
  | 'sessions-revoked'
  | 'account-disabled'
  | 'account-purged'
  | 'other';

/** An event of a token that was verified. */
export interface ReceivedEvent {
  /** `other`: no token is ended for it. */
  readonly kind: ReceivedEventKind;
  /** The URI of its type. */
  readonly type: string;
  /** The issuer of the tokens of its subject; of the event itself if no subject is known. */
  readonly issuer: string;
  /** The user, as in `sub` of tokens. */
  readonly sub?: string;
  /** The session, as in `sid` of tokens. */
  readonly sid?: string;
  /** When it happened, in milliseconds since the epoch. */
  readonly time: number;
  /** All claims of the token. */
  readonly claims: JsonObject;
}

/** Checked options of logout tokens. */
export interface LogoutSettings {
  readonly clientIds: ReadonlySet<string>;
  readonly endsSubject: boolean;
  readonly allowsDrafts: boolean;
}

/** Checked options of security event tokens. */
export interface SecurityEventSettings {
  readonly audience: ReadonlySet<string>;
  readonly allowsDrafts: boolean;
}

/** Checked options of a receiver. */
export interface EventReceiverSettings {
  readonly logout: LogoutSettings | undefined;
  readonly securityEvents: SecurityEventSettings | undefined;
  readonly keysets: readonly KeysetSettings[];
  readonly tokenIssuers: ReadonlyMap<string, readonly string[]>;
  readonly onEvent: EventReceiverOptions['onEvent'];
}

/** An option that can only be switched on. */
const on = fromCode<true>((value, path) => {
  if (value === true) return true;
  throw new ConfigError(path, `expected true, got ${kindOf(value)}; leave it out otherwise`);
});
const DRAFTS = 'Whether tokens are accepted that follow drafts: typ JWT or absent';

/** The options of logout tokens. */
const logoutOptions = object(
  {
    clientId: needed(oneOrMany(text), 'The client_id at the provider, or several: aud of logout tokens.'),
    ends: optional(
      choice('session', 'subject'),
      'session: a logout ends the tokens of its session. subject: all tokens of its user.',
    ),
    drafts: optional(on, `${DRAFTS}, and no exp.`),
  } satisfies TableOf<LogoutOptions>,
  {},
  { like: "options of logout tokens, such as { clientId: 'web' }" },
);

/** The options of security event tokens. */
const securityEventOptions = object(
  {
    audience: needed(oneOrMany(text), 'aud of security event tokens, or several.'),
    drafts: optional(on, `${DRAFTS}.`),
  } satisfies TableOf<SecurityEventOptions>,
  {},
  { like: "options of security event tokens, such as { audience: 'https://api.example.com/events' }" },
);

/** The options of receivers. */
const receiverOptions = object(
  {
    logout: optional(logoutOptions, 'Accepts logout tokens (OpenID Connect Back-Channel Logout 1.0).'),
    securityEvents: optional(securityEventOptions, 'Accepts security event tokens by push (RFC 8935).'),
    keySets: optional(list(keyset), 'Keys of transmitters. They verify no access token.'),
    tokenIssuers: optional(
      byName(
        oneOrMany(text),
        "expected issuers by transmitter, such as { 'https://events.example.com': 'https://login.example.com' }",
      ),
      'The issuers whose tokens a transmitter ends, by its iss. Default: its own.',
    ),
    onEvent: optional(
      fromCode((value, path): NonNullable<EventReceiverOptions['onEvent']> => {
        if (typeof value === 'function') return value as NonNullable<EventReceiverOptions['onEvent']>;
        throw new ConfigError(path, `expected a function, got ${kindOf(value)}`);
      }),
      'Called for each event, after tokens are ended.',
    ),
  } satisfies TableOf<EventReceiverOptions>,
  {},
  { like: "options of a receiver, such as { logout: { clientId: 'web' } }", whole: 'options' },
);

/** Checks options. @throws ConfigError */
export function readReceiverOptions(value: EventReceiverOptions): EventReceiverSettings {
  const { logout, securityEvents, keySets = [], tokenIssuers, onEvent } = receiverOptions.read(value, '');
  if (logout === undefined && securityEvents === undefined)
    throw new ConfigError('options', 'expected logout, securityEvents or both, got neither; add one');
  return Object.freeze<EventReceiverSettings>({
    logout: logout && logoutSettings(logout),
    securityEvents:
      securityEvents &&
      Object.freeze({
        audience: new Set([securityEvents.audience].flat()),
        allowsDrafts: securityEvents.drafts === true,
      }),
    keysets: keySets,
    tokenIssuers: new Map([...(tokenIssuers ?? [])].map(([name, issuers]) => [name, [issuers].flat()])),
    onEvent,
  });
}

function logoutSettings({ clientId, ends, drafts }: ReadBy<typeof logoutOptions.table>): LogoutSettings {
  return Object.freeze({
    clientIds: new Set([clientId].flat()),
    endsSubject: ends === 'subject',
    allowsDrafts: drafts === true,
  });
}
