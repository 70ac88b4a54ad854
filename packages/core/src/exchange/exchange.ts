// Tokens for calls on behalf of a caller: token exchange (RFC 8693), the JWT bearer grant (RFC
// 7523), and both in turn for an authorization server of another domain (ID-JAG).
import { type Principal, tokenOf } from '../decision/principal.ts';
import { AuthError, ConfigError } from '../errors.ts';
import { warn } from '../events.ts';
import { unverifiedClaims } from '../remote/endpoint.ts';
import { own } from '../values/json.ts';
import { kindOf } from '../values/kind.ts';
import { argument } from '../values/readers.ts';
import type { Issued } from './answer.ts';
import { askForToken, presentAssertion } from './grants.ts';
import { type ExchangeOptions, type ExchangeSettings, readExchangeOptions } from './options.ts';
import { createAuthorizationServer, type ServerReport } from './server.ts';
import { type ExchangeTarget, readTarget, type TargetSettings } from './target.ts';
import { createTokenCache, digestOf, type Kept } from './token-cache.ts';

/** A token that was issued for calls on behalf of a caller. */
export interface ExchangedToken {
  /** Not enumerable: a log or JSON of this object does not have it. */
  readonly token: string;
  /** `N_A`: not an access token, so it is not sent to an API (RFC 8693 §2.2.1). */
  readonly tokenType: 'Bearer' | 'N_A';
  /** `issued_token_type`, RFC 8693 §3. */
  readonly issuedTokenType: string;
  /**
   * Until when it may be used, in seconds since the epoch, as `exp` is: until it expires or the
   * token of the caller does. Undefined if neither is known.
   */
  readonly expiresAt: number | undefined;
  /** The scopes of the token. The server may have granted fewer than were asked for. */
  readonly scopes: readonly string[];
}

/** The state of an exchange. Contains no token. */
export interface ExchangeReport {
  /** The authorization servers in the order in which they are asked. */
  readonly servers: readonly ServerReport[];
  /** How many tokens and refusals are kept. */
  readonly cached: number;
}

/** Gets tokens for calls on behalf of callers. */
export interface Exchange {
  /**
   * Returns a token for a call on behalf of a caller: one that is kept, or a new one. A token is
   * kept for one token of a caller and one target. It is used until shortly before it expires, and
   * never longer than the token of the caller. A token whose lifetime is not known is used once.
   * @param subject the principal of a request, or a token of the type `subjectTokenType`
   * @param target what it is asked for, in place of the values in the options
   * @throws AuthError `exchange_refused` (403) if the authorization server issues no token for this
   *   caller and target, or `exchange_unavailable` (503) if it did not say, or its answer is not
   *   what was asked. Neither has a token in it, nor a text of the server
   * @throws ConfigError for a wrong target, and for anything but a principal
   */
  tokenFor(
    subject: Principal | string,
    ...target: readonly [target?: ExchangeTarget]
  ): Promise<ExchangedToken>;
  report(): ExchangeReport;
  /** Forgets all tokens. Running calls fail, and so do later ones. */
  close(): Promise<void>;
}

/** A token is used until this time before its end, or for nine tenths of a shorter life. */
const MARGIN_MS = 30_000;
const LONGEST_SUBJECT_BYTES = 64 * 1024;

/**
 * Makes an exchange. Calls nothing before the first `tokenFor`. Does *not* verify a token: pass a
 * principal that an authenticator made, or a token that you trust.
 * @throws ConfigError
 * @example
 * ```ts
 * const exchange = createExchange({
 *   issuer: 'https://login.example.com',
 *   clientAuthentication: {
 *     method: 'client_secret_basic',
 *     clientId: 'orders',
 *     secret: { name: 'login', key: 'client-secret' },
 *   },
 *   secrets: createDirectoryStore('/run/secrets'),
 *   audience: 'invoices',
 * });
 * const { token } = await exchange.tokenFor(principal, { scope: 'invoices:read' });
 * ```
 */
export function createExchange(options: ExchangeOptions): Exchange {
  const settings = readExchangeOptions(options);
  const { server, resourceServer, secrets, clock } = settings;
  warnOf(settings);
  const first = createAuthorizationServer(server, secrets, clock);
  const second =
    resourceServer === undefined ? undefined : createAuthorizationServer(resourceServer, secrets, clock);
  const cache = createTokenCache<ExchangedToken>(settings.cacheEntries, clock);
  const servers = second === undefined ? [first] : [first, second];

  async function exchange(
    { token, expiresAtMs }: SubjectToken,
    target: TargetSettings,
    key: string,
  ): Promise<Kept<ExchangedToken>> {
    const sentAtMs = clock.now();
    const granted = await askForToken(first, settings, token, target, key);
    const issued = second === undefined ? granted : await presentAssertion(second, granted, token, key);
    const { lifetimeSeconds } = issued;
    const endMs =
      lifetimeSeconds === undefined ? Number.POSITIVE_INFINITY : sentAtMs + lifetimeSeconds * 1000;
    const usableMs = Math.min(endMs, expiresAtMs);
    const marginMs = lifetimeSeconds === undefined ? 0 : Math.min(MARGIN_MS, lifetimeSeconds * 100);
    return {
      value: exchangedToken(issued, Number.isFinite(usableMs) ? usableMs / 1000 : undefined),
      bytes: issued.token.length,
      untilMs: lifetimeSeconds === undefined ? undefined : Math.min(endMs - marginMs, expiresAtMs),
    };
  }

  return Object.freeze<Exchange>({
    async tokenFor(subject, ...given) {
      const found = subjectToken(subject);
      const { audience, resource, scopes } = readTarget(argument(given, 'target', {}), 'target');
      if (audience !== undefined) checkAudience(audience, settings);
      const target = {
        audience: audience ?? settings.target.audience,
        resource: resource ?? settings.target.resource,
        scopes: scopes ?? settings.target.scopes,
      };
      if (!(clock.now() < found.expiresAtMs))
        throw new AuthError('exchange_refused', { detail: 'the token of the caller has expired' });
      const key = digestOf([found.token, target.audience, target.resource, target.scopes]);
      return cache.get(key, () => exchange(found, target, key));
    },
    report: () => ({ servers: servers.map((one) => one.report()), cached: cache.size }),
    async close() {
      await Promise.all(servers.map((one) => one.close()));
      cache.clear();
    },
  });
}

/** An assertion for one authorization server is never sent to another one. @throws ConfigError */
function checkAudience(audience: readonly string[], { resourceServer, target }: ExchangeSettings): void {
  if (resourceServer === undefined) return;
  if (audience.length !== 1 || audience[0] !== target.audience[0])
    throw new ConfigError(
      'target.audience',
      'expected the issuer of resourceAuthorizationServer; leave it out, and make an exchange for each server',
    );
}

/** A token to exchange, and its end: milliseconds since the epoch, or Infinity. */
interface SubjectToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

function subjectToken(subject: unknown): SubjectToken {
  const token = typeof subject === 'string' ? subject : tokenOf(subject as Principal);
  if (token === undefined || token === '' || token.length > LONGEST_SUBJECT_BYTES)
    throw new TypeError(
      `tokenFor: expected the principal of a caller with a token, or a token, got ${kindOf(subject)}`,
    );
  const claims = unverifiedClaims(token, LONGEST_SUBJECT_BYTES);
  const exp = claims === undefined ? undefined : own(claims, 'exp');
  const { expiresAt } = typeof subject === 'string' ? {} : (subject as Principal);
  const ends = [exp, expiresAt].filter((end) => typeof end === 'number');
  return { token, expiresAtMs: Math.min(...ends) * 1000 };
}

function exchangedToken(
  { token, tokenType, issuedTokenType, scopes }: Issued,
  expiresAt: number | undefined,
): ExchangedToken {
  const made = { tokenType, issuedTokenType, expiresAt, scopes: Object.freeze([...scopes]) };
  return Object.freeze(Object.defineProperty({ ...made, token }, 'token', { enumerable: false }));
}

function warnOf({ server, resourceServer }: ExchangeSettings): void {
  for (const one of resourceServer === undefined ? [server] : [server, resourceServer])
    if (one.clientAuthentication.method === 'unsafeNone')
      warn(
        'LATCHKEY_UNSAFE',
        `${one.path === '' ? '' : `${one.path}.`}clientAuthentication: unsafeNone lets anyone with a token of a user exchange it`,
      );
}
