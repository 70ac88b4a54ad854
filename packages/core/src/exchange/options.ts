// Options of token exchange: their types, the checked settings, and the tables that read them. The
// exchange is in exchange.ts.
import { ConfigError } from '../errors.ts';
import { MAX_CACHED_ANSWERS } from '../net/limits.ts';
import { store } from '../secrets/options.ts';
import type { SecretStore } from '../secrets/store.ts';
import { type Clock, readClock } from '../values/clock.ts';
import {
  choice,
  defaulted,
  fromCode,
  needed,
  object,
  optional,
  type TableOf,
  whole,
} from '../values/option.ts';
import {
  type AuthorizationServerOptions,
  at,
  readServer,
  SERVER,
  type ServerSettings,
} from './server-options.ts';
import { completeTarget, type ExchangeTarget, TARGET, type TargetSettings } from './target.ts';
import { ACCESS_TOKEN, ID_JAG, ID_TOKEN, type TokenType, tokenType } from './token-type.ts';

/** The party that acts for the subject: `actor_token` of RFC 8693 §2.1. */
export interface ActorToken {
  /** Returns the token of the actor, within `timeout`. Called for each exchange. */
  readonly token: () => string | Promise<string>;
  /** Default `access_token`. */
  readonly tokenType?: TokenType;
}

/** The options of a token exchange. */
export interface ExchangeOptions extends AuthorizationServerOptions, ExchangeTarget {
  /**
   * `token-exchange`: the token of the caller is the `subject_token` (RFC 8693). `jwt-bearer`: it
   * is the `assertion` (RFC 7523 §2.1). Default `token-exchange`.
   */
  readonly grant?: 'token-exchange' | 'jwt-bearer';
  /**
   * The type of the tokens to exchange, RFC 8693 §3. Default `access_token`; `id_token` with
   * `resourceAuthorizationServer`.
   */
  readonly subjectTokenType?: TokenType;
  /** The type of token to ask for; another one is refused. Default `access_token`. */
  readonly requestedTokenType?: TokenType;
  readonly actor?: ActorToken;
  /**
   * The authorization server of the target, if it is another one that trusts this one (ID-JAG,
   * draft-ietf-oauth-identity-assertion-authz-grant). The token of the caller is exchanged for an
   * assertion about the caller, and the assertion for an access token of this server. `audience` is
   * then the issuer of this server, and by default its `issuer`. Another one is refused, also in a
   * call.
   */
  readonly resourceAuthorizationServer?: AuthorizationServerOptions;
  /** The store of client secrets. Required with a `secret` in `clientAuthentication`. */
  readonly secrets?: SecretStore;
  /**
   * The most tokens that are kept; the least recently used ones are dropped first. 1 to 100000.
   * Default 10000.
   */
  readonly cacheEntries?: number;
  /** The wall clock, milliseconds since the epoch. Default `Date`. */
  readonly clock?: Clock;
}

/** The options of an exchange, checked. */
export interface ExchangeSettings {
  readonly server: ServerSettings;
  readonly resourceServer: ServerSettings | undefined;
  readonly grant: 'token-exchange' | 'jwt-bearer';
  readonly subjectTokenType: string;
  readonly requestedTokenType: string;
  readonly actor: { readonly token: () => unknown; readonly tokenType: string } | undefined;
  readonly target: TargetSettings;
  readonly secrets: SecretStore | undefined;
  readonly cacheEntries: number;
  readonly clock: Clock;
}

const actor = object(
  {
    token: needed(fromCode(readFunction), 'Returns the token of the actor.'),
    tokenType: defaulted(tokenType, 'access_token', 'The type of the token of the actor.'),
  } satisfies TableOf<ActorToken>,
  {},
  { like: 'an object, such as { token: () => readToken() }' },
);

const exchangeOptions = object({
  ...SERVER,
  ...TARGET,
  grant: defaulted(choice('token-exchange', 'jwt-bearer'), 'token-exchange', 'The grant.'),
  subjectTokenType: optional(tokenType, 'The type of the tokens to exchange.'),
  requestedTokenType: optional(tokenType, 'The type of token to ask for.'),
  actor: optional(actor, 'The party that acts for the subject.'),
  resourceAuthorizationServer: optional(object(SERVER), 'The authorization server of the target.'),
  secrets: optional(store, 'The store of client secrets.'),
  cacheEntries: defaulted(
    whole(1, 100_000, 'expected a whole number from 1 to 100000'),
    MAX_CACHED_ANSWERS,
    'The most tokens that are kept.',
  ),
  clock: needed(fromCode(readClock), 'A clock for tests.'),
} satisfies TableOf<ExchangeOptions>);

/** Checks the options of an exchange. @throws ConfigError */
export function readExchangeOptions(value: unknown): ExchangeSettings {
  const read = exchangeOptions.read(value, '');
  const { grant, actor, resourceAuthorizationServer: other, requestedTokenType } = read;
  const server = readServer(read, '');
  const resourceServer = other === undefined ? undefined : readServer(other, 'resourceAuthorizationServer');
  if (grant === 'jwt-bearer')
    for (const name of ['subjectTokenType', 'requestedTokenType', 'actor', 'resourceAuthorizationServer'])
      if (Object(read)[name] !== undefined)
        throw new ConfigError(name, "expected only with grant: 'token-exchange'; remove it");
  if (resourceServer !== undefined && requestedTokenType !== undefined)
    throw new ConfigError(
      'requestedTokenType',
      'is not allowed next to resourceAuthorizationServer; remove it',
    );
  if (resourceServer !== undefined && actor !== undefined)
    throw new ConfigError('actor', 'is not allowed next to resourceAuthorizationServer; remove it');
  const asked = completeTarget(read);
  const audience =
    asked.audience.length === 0 && resourceServer?.issuer !== undefined
      ? [resourceServer.issuer]
      : asked.audience;
  if (resourceServer !== undefined && audience.length !== 1)
    throw new ConfigError(
      'audience',
      'expected one issuer with resourceAuthorizationServer; set the issuer there',
    );
  if (resourceServer?.issuer !== undefined && audience[0] !== resourceServer.issuer)
    throw new ConfigError('audience', 'expected the issuer of resourceAuthorizationServer; remove it');
  const settings = {
    server,
    resourceServer,
    grant,
    subjectTokenType: read.subjectTokenType ?? (resourceServer === undefined ? ACCESS_TOKEN : ID_TOKEN),
    requestedTokenType: resourceServer === undefined ? (requestedTokenType ?? ACCESS_TOKEN) : ID_JAG,
    actor,
    target: { ...asked, audience },
    secrets: read.secrets,
    cacheEntries: read.cacheEntries,
    clock: read.clock,
  };
  for (const { clientAuthentication, path } of [server, resourceServer ?? server])
    if (clientAuthentication.secret !== undefined && read.secrets === undefined)
      throw new ConfigError(
        at(path, 'clientAuthentication.secret'),
        'expected a secret store for the client; pass one in secrets',
      );
  return Object.freeze(settings);
}

function readFunction(value: unknown, path: string): () => unknown {
  if (typeof value !== 'function') throw new ConfigError(path, 'expected a function that returns a token');
  return () => value();
}
