// Calls to other services: decides which host gets which service token. Reading the token's file is
// in service-token-file.ts.
import { resolve } from 'node:path';
import { asError, ConfigError } from '../errors.ts';
import { isLoopback } from '../net/addresses.ts';
import { createFetchProxy } from '../net/fetch-proxy.ts';
import { proxy } from '../net/options.ts';
import { isProxied, isProxiedBy } from '../net/proxy.ts';
import { type Clock, readClock } from '../values/clock.ts';
import { readBoolean, readList, readObject, readText } from '../values/readers.ts';
import {
  createServiceTokenFile,
  type ServiceTokenFile,
  type ServiceTokenSettings,
} from './service-token-file.ts';

/** One service token, and the hosts that it is sent to. */
export interface ServiceTokenOptions {
  /**
   * Absolute path of the file: one compact JWS, with at most one line end after it, at most 16 KiB.
   */
  readonly file: string;
  /**
   * The required `aud` of the token; a token with another one is never sent. Null: `aud` is not
   * checked.
   */
  readonly audience: string | null;
  /**
   * The only hosts that the token is sent to: `friends.internal`, `friends.internal:8443`. Lower
   * case, with the port unless it is the default of the scheme. Subdomains and other ports are not
   * included. A host can be mapped to one token only.
   */
  readonly hosts: readonly string[];
  /**
   * The required `sub` of the token; a token with another one is never sent. Default: `sub` is not
   * checked.
   */
  readonly subject?: string;
}

/** The options of calls to other services. */
export interface ServiceFetchOptions {
  readonly tokens: readonly ServiceTokenOptions[];
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
   * Reads every token once. Warns (`LATCHKEY_EXPIRY`) about a token that has expired, because its
   * file may be replaced in time, and about one that expires within 24 h. Warns (`LATCHKEY_UNSAFE`)
   * about a token that never expires.
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
  const byHost = new Map<string, ServiceTokenFile>();
  const files = readList(
    given.tokens,
    (item, path) => {
      const { hosts, ...settings } = readToken(item, path, clock);
      const file = createServiceTokenFile(settings);
      for (const [index, host] of hosts.entries()) {
        if (byHost.has(host))
          throw new ConfigError(
            `${path}.hosts[${index}]`,
            'expected a host that is not mapped to another token',
          );
        byHost.set(host, file);
      }
      return file;
    },
    'tokens',
  );
  return Object.freeze<ServiceFetch>({
    async fetch(input, init) {
      // Made once: the checked request is the one that is sent, even if the caller changes its
      // objects.
      const request = new Request(input, init);
      const url = new URL(request.url);
      const { protocol, host, hostname } = url;
      const file = byHost.get(host);
      if (file !== undefined && !request.headers.has('authorization')) {
        if (protocol !== 'https:' && !(protocol === 'http:' && (allowHttp || isLoopback(hostname))))
          throw new Error('expected https for a service token (allowHttp permits http)');
        // A proxy can read plain HTTP, and a request to loopback would leave the machine through
        // it.
        if (protocol === 'http:' && (isProxied(url, process.env) || isProxiedBy(init)))
          throw new Error(
            'expected no proxy for a service token over http; use https, or name the host in NO_PROXY',
          );
        request.headers.set('authorization', `Bearer ${await file.current()}`);
      }
      const options = await outbound.optionsFor(url, init);
      return options === undefined ? globalThis.fetch(request) : globalThis.fetch(request, options);
    },
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

function readToken(
  value: unknown,
  path: string,
  clock: Clock,
): ServiceTokenSettings & { readonly hosts: readonly string[] } {
  const { file, audience, hosts, subject } = readObject(
    value,
    ['file', 'audience', 'hosts', 'subject'],
    path,
  );
  if (audience === undefined)
    throw new ConfigError(`${path}.audience`, 'is required; pass null to turn the check of aud off');
  return {
    name: path,
    file: resolve(readText(file, `${path}.file`)),
    audience: audience === null ? null : readText(audience, `${path}.audience`),
    hosts: readList(hosts, readHost, `${path}.hosts`),
    subject: subject === undefined ? undefined : readText(subject, `${path}.subject`),
    clock,
  };
}

function readHost(value: unknown, path: string): string {
  const text = readText(value, path);
  // A text that the URL parser changes, for either scheme, never occurs in a URL, and would map
  // nothing.
  const isPlain = ['https', 'http'].every(
    (scheme) => URL.canParse(`${scheme}://${text}`) && new URL(`${scheme}://${text}`).host === text,
  );
  if (!isPlain || text.includes('*')) {
    throw new ConfigError(
      path,
      'expected a host in lower case, like friends.internal, :port if needed and neither 80 nor 443',
    );
  }
  return text;
}

// The host as the URL parser spells it.
