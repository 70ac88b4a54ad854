// Calls to other services: decides which host gets which service token. Reading the token's file is
// in service-token-file.ts.
import type { Principal } from '../decision/principal.ts';
import { asError, ConfigError } from '../errors.ts';
import { isLoopback } from '../net/addresses.ts';
import { createFetchProxy } from '../net/fetch-proxy.ts';
import { proxy } from '../net/options.ts';
import { isProxied, isProxiedBy } from '../net/proxy.ts';
import { type Clock, readClock } from '../values/clock.ts';
import { readBoolean, readList, readObject } from '../values/readers.ts';
import { createServiceTokenFile, type ServiceTokenFile } from './service-token-file.ts';
import {
  type ExchangedServiceTokenOptions,
  readServiceToken,
  type ServiceTokenOptions,
  type ServiceTokenSource,
} from './service-token-options.ts';

/** The options of calls to other services. */
export interface ServiceFetchOptions {
  /** The tokens: in files, for this service, or exchanged, for the caller of a request. */
  readonly tokens: readonly (ServiceTokenOptions | ExchangedServiceTokenOptions)[];
  /**
   * Also sends tokens over plain HTTP, to any mapped host. Default false: over plain HTTP to
   * loopback hosts only.
   */
  readonly allowHttp?: boolean;
  /**
   * The outbound proxy of https calls, such as `http://proxy.example.com:3128`; false for none. A
   * call with its own `dispatcher` does not use it. Default: the one in `HTTPS_PROXY` or
   * `HTTP_PROXY`, except for hosts in `NO_PROXY` and for loopback, unless the application has made
   * a proxy the global dispatcher.
   */
  readonly proxy?: string | false;
  /**
   * The wall clock for checking the times in a token, milliseconds since the epoch. Default `Date`.
   */
  readonly clock?: Clock;
}

/** Makes calls that carry service tokens. */
export interface ServiceFetch {
  /**
   * Calls the global `fetch`, through the proxy if there is one, and adds `Authorization: Bearer …`
   * to requests for mapped hosts. Adds nothing if the caller has set an Authorization header, or
   * for other hosts. On a redirect to another origin the header is removed, as the Fetch standard
   * says; a redirect to a mapped host does not get one. Does *not* verify a token, nor repeat a
   * request that was refused.
   *
   * Rejects with an Error before it sends anything, if the token of a mapped host is missing,
   * refused or expired, or would go over plain HTTP to another machine or to a proxy. Rejections of
   * the global `fetch` are passed on unchanged.
   */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Makes a `fetch` for the caller of a request: to a host whose token is exchanged, it sends the
   * token of this caller. All else is as with `fetch`, which rejects for such a host.
   *
   * Rejects with the AuthError of `Exchange.tokenFor` before it sends anything, if there is no
   * token for this caller.
   * @param subject the principal of the request, or a token as in `Exchange.tokenFor`
   * @example
   * ```ts
   * const calls = createServiceFetch({
   *   tokens: [{ exchange, audience: 'invoices', hosts: ['invoices.internal'] }],
   * });
   * const response = await calls.for(principal)('https://invoices.internal/invoices');
   * ```
   */
  for(subject: Principal | string): typeof globalThis.fetch;
  /**
   * Reads every token in a file once. Warns (`LATCHKEY_EXPIRY`) about a token that has expired,
   * because its file may be replaced in time, and about one that expires within 24 h. Warns
   * (`LATCHKEY_UNSAFE`) about a token that never expires.
   * @throws Error that names each faulty token and its problem, without any part of the token
   */
  ready(): Promise<void>;
  /**
   * Forgets the tokens and stops watching their files. Later calls to mapped hosts reject; running
   * calls continue.
   */
  close(): void;
}

/**
 * Makes a `fetch` for calls to other services. Each token is read from its file at the first use.
 * It is read again at the next call after a change of the file, after a failure, once a minute, and
 * in its last minute; at most once a second. A call waits for a due reading, at most 5 s. A token
 * that cannot be read again is used until it expires, never longer.
 *
 * Channels: `latchkey:service-token:refreshed`, `latchkey:service-token:failed`.
 * @throws ConfigError
 * @example
 * ```ts
 * const friends = createServiceFetch({
 *   tokens: [{ file: '/run/tokens/friends', audience: 'friends', hosts: ['friends.internal'] }],
 * });
 * const response = await friends.fetch('https://friends.internal/friends');
 * ```
 */
export function createServiceFetch(options: ServiceFetchOptions): ServiceFetch {
  const given = readObject(options, ['tokens', 'allowHttp', 'proxy', 'clock'], '');
  const allowHttp = readBoolean(given.allowHttp, false, 'allowHttp');
  const clock = readClock(given.clock);
  const outbound = createFetchProxy(proxy.read(given.proxy, 'proxy'));
  const byHost = new Map<string, HostToken>();
  const files: ServiceTokenFile[] = [];
  readList(
    given.tokens,
    (item, path) => {
      const source = readServiceToken(item, path, clock);
      const token = tokenFrom(source, files);
      for (const [index, host] of source.hosts.entries()) {
        if (byHost.has(host))
          throw new ConfigError(
            `${path}.hosts[${index}]`,
            'expected a host that is not mapped to another token',
          );
        byHost.set(host, token);
      }
    },
    'tokens',
  );

  const fetchFor =
    (caller: Caller): typeof globalThis.fetch =>
    async (input, init) => {
      // Made once: the checked request is the one that is sent, even if the caller changes its
      // objects.
      const request = new Request(input, init);
      const url = new URL(request.url);
      const { protocol, host, hostname } = url;
      const token = byHost.get(host);
      if (token !== undefined && !request.headers.has('authorization')) {
        if (protocol !== 'https:' && !(protocol === 'http:' && (allowHttp || isLoopback(hostname))))
          throw new Error('expected https for a service token (allowHttp permits http)');
        // A proxy can read plain HTTP, and a request to loopback would leave the machine through
        // it.
        if (protocol === 'http:' && (isProxied(url, process.env) || isProxiedBy(init)))
          throw new Error(
            'expected no proxy for a service token over http; use https, or name the host in NO_PROXY',
          );
        request.headers.set('authorization', `Bearer ${await token(caller)}`);
      }
      const options = await outbound.optionsFor(url, init);
      return options === undefined ? globalThis.fetch(request) : globalThis.fetch(request, options);
    };

  return Object.freeze<ServiceFetch>({
    fetch: fetchFor(undefined),
    for: (subject) => fetchFor({ subject }),
    async ready() {
      const results = await Promise.allSettled(files.map((file) => file.ready()));
      const faults = results.flatMap((result) =>
        result.status === 'rejected' ? [asError(result.reason).message] : [],
      );
      if (faults.length > 0) throw new Error(faults.join('; '));
    },
    close() {
      for (const file of files) file.close();
      outbound.close();
    },
  });
}

/** The caller that a call is for. Undefined: a call of this service itself. */
type Caller = { readonly subject: Principal | string } | undefined;

/** Returns the token for a call to a host. */
type HostToken = (caller: Caller) => Promise<string>;

/** @param files where a token in a file is added */
function tokenFrom(source: ServiceTokenSource, files: ServiceTokenFile[]): HostToken {
  if ('file' in source) {
    const file = createServiceTokenFile(source.file);
    files.push(file);
    return () => file.current();
  }
  const { exchange, target } = source;
  return async (caller) => {
    if (caller === undefined)
      throw new Error(
        'expected the caller, whose token is exchanged; call for(principal), and then its fetch',
      );
    const { token, tokenType } = await exchange.tokenFor(caller.subject, target);
    if (tokenType !== 'Bearer') throw new Error('the exchange gives no access token, so it is not sent');
    return token;
  };
}
