// Calls to other services: which of them carries which service token. When a token's file is read
// is the matter of service-token-file.ts.
import { resolve } from 'node:path';
import { asError, ConfigError } from '../errors.ts';
import { isLoopback } from '../net/addresses.ts';
import { isProxied, isProxiedBy } from '../net/proxy.ts';
import { type Clock, readClock } from '../values/clock.ts';
import { readBoolean, readList, readObject, readText } from '../values/readers.ts';
import {
  createServiceTokenFile,
  type ServiceTokenFile,
  type ServiceTokenSettings,
} from './service-token-file.ts';

/** One service token, and where it is sent. */
export interface ServiceTokenOptions {
  /** Full path of the file: one compact JWS, with at most one line end after it, at most 16 KiB. */
  readonly file: string;
  /**
   * What the token's `aud` has to name; another token is never sent. Null: `aud` is not looked at.
   */
  readonly audience: string | null;
  /**
   * The only hosts that it is sent to: `friends.internal`, `friends.internal:8443`. Lower case,
   * each with its port unless that is the scheme's own. Nothing below them, and no other port of
   * theirs, is meant. A host is mapped to one token.
   */
  readonly hosts: readonly string[];
  /**
   * What the token's `sub` has to be; another token is never sent. Default: `sub` is not looked at.
   */
  readonly subject?: string;
}

/** How calls to other services are made. */
export interface ServiceFetchOptions {
  readonly tokens: readonly ServiceTokenOptions[];
  /**
   * Sends tokens over plain HTTP too, to any mapped host. Default false: to loopback hosts alone.
   */
  readonly allowHttp?: boolean;
  /**
   * The wall clock that a token's times are compared with, milliseconds since the epoch. Default
   * `Date`.
   */
  readonly clock?: Clock;
}

/** Makes calls that carry service tokens. */
export interface ServiceFetch {
  /**
   * The global `fetch`, which it calls, with `Authorization: Bearer …` on what goes to a mapped
   * host. It adds none where the caller has set an Authorization header, and none to another host;
   * a redirect to another origin loses it, as the Fetch standard says, and a redirect to a mapped
   * host does not get one. It does *not* verify a token, nor ask again when one is refused.
   *
   * Rejects with an Error, before anything is sent, if a mapped host's token is missing, refused or
   * expired, or would go over plain HTTP to another machine or to a proxy. What the global `fetch`
   * rejects with is passed on unchanged.
   */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Reads every token once. Warns (`LATCHKEY_EXPIRY`) of one that has expired, which may be
   * replaced in time, or will within 24 h, and (`LATCHKEY_UNSAFE`) of one that never does.
   * @throws Error that says of each token at fault what is wrong with it, and holds nothing of it
   */
  ready(): Promise<void>;
  /**
   * Forgets the tokens and watches no file any more. Calls to mapped hosts reject from now on;
   * those under way go on.
   */
  close(): void;
}

/**
 * Makes a `fetch` for calls to other services. Each token is read from its file at first use, and
 * again at the next call after the file has changed, after a failure, once a minute, and in its
 * last minute; at most once a second. A call waits for a reading that is due, at most 5 s. A token
 * that cannot be read again is used until it expires, and never after.
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
  const given = readObject(options, ['tokens', 'allowHttp', 'clock'], '');
  const allowHttp = readBoolean(given.allowHttp, false, 'allowHttp');
  const clock = readClock(given.clock);
  const byHost = new Map<string, ServiceTokenFile>();
  const files = readList(
    given.tokens,
    (item, path) => {
      const { hosts, ...settings } = readToken(item, path, clock);
      const file = createServiceTokenFile(settings);
      for (const [index, host] of hosts.entries()) {
        if (byHost.has(host))
          throw new ConfigError(`${path}.hosts[${index}]`, 'is mapped to a token already');
        byHost.set(host, file);
      }
      return file;
    },
    'tokens',
  );
  return Object.freeze<ServiceFetch>({
    async fetch(input, init) {
      // Made once, and looked at and sent as the same: what the caller changes meanwhile has no
      // effect.
      const request = new Request(input, init);
      const url = new URL(request.url);
      const { protocol, host, hostname } = url;
      const file = byHost.get(host);
      if (file !== undefined && !request.headers.has('authorization')) {
        if (protocol !== 'https:' && !(protocol === 'http:' && (allowHttp || isLoopback(hostname))))
          throw new Error('a service token is sent over https only (allowHttp permits http)');
        // A proxy reads what goes over plain HTTP, and what goes to loopback would leave the machine by it.
        if (protocol === 'http:' && (isProxied(url, process.env) || isProxiedBy(init)))
          throw new Error(
            'a service token is not sent over http by a proxy; use https, or name the host in NO_PROXY',
          );
        request.headers.set('authorization', `Bearer ${await file.current()}`);
      }
      return globalThis.fetch(request);
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
    throw new ConfigError(`${path}.audience`, 'is required; null says that aud is not looked at');
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
  // What the parser would change or take away, for either scheme, never stands in a URL, and would
  // map nothing.
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

// As the URL parser spells them, whatever was written.
