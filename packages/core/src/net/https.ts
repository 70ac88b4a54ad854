// Fetches JSON documents for keysets: one deadline for the whole fetch, a size limit, redirects,
// cache headers. Knows nothing about keys.

import { isIP } from 'node:net';
import { type JsonObject, parseJsonObject } from '../values/json.ts';
import { bareHost, isPublicAddress } from './addresses.ts';
import { type ConnectionSettings, createConnections } from './connections.ts';
import { withDeadline } from './deadline.ts';
import { DEADLINE_MS, MAX_DOCUMENT_BYTES } from './limits.ts';
import type { Received, Send } from './send.ts';
import { unpack } from './unpack.ts';

/** A document, and how long it may be used according to its server. */
interface FetchedJson {
  readonly json: JsonObject;
  /**
   * From Cache-Control or Expires; undefined if neither has a lifetime. 0 if the document must not
   * be stored.
   */
  readonly lifetimeMs: number | undefined;
}

/** Fetches JSON documents for one keyset, over its own connections. */
export interface JsonFetcher {
  /**
   * Does not keep the process alive: the refresh engine does, while a caller waits. Resolves with a
   * 200 answer that is a strict JSON object of bounded size and complete before the
   * deadline. Rejects otherwise; the error for another status has it as `status`.
   * @param headers more headers of the request; a redirected request has none of them
   */
  fetch(url: URL, signal: AbortSignal, headers?: Readonly<Record<string, string>>): Promise<FetchedJson>;
  close(): Promise<void>;
}

/** Settings of the fetches of one keyset. */
interface FetcherSettings extends Pick<ConnectionSettings, 'tls' | 'proxy' | 'publicOnly'> {
  /**
   * Which URLs a redirect may lead to, in addition to being on the same origin. Default: any URL
   * there.
   */
  readonly permits?: (url: URL) => boolean;
}

const MAX_REDIRECTS = 3;
const MAX_RETRY_AFTER_MS = 3_600_000;

/** Makes a fetcher. The caller must have checked its URLs with `refuseUrl`. */
export function createJsonFetcher(settings: FetcherSettings): JsonFetcher {
  const { tls, proxy, publicOnly = false, permits = () => true } = settings;
  const connections = createConnections({
    tls,
    proxy,
    publicOnly,
    timeoutMs: DEADLINE_MS,
    isHeld: false,
  });
  return {
    async fetch(url, outer, headers = {}) {
      const work = async (signal: AbortSignal) => {
        // If the host is an IP address, there is no look-up that could check it.
        const host = bareHost(url.hostname);
        if (publicOnly && isIP(host) !== 0 && !isPublicAddress(host)) {
          throw new Error('the address of the host is not public');
        }
        const response = await follow({ url, headers }, await connections.open(url), permits, signal);
        const json = parsed(await readBounded(response, MAX_DOCUMENT_BYTES), response.headers);
        return { json, lifetimeMs: cacheLifetimeMs(response.headers, Date.now()) };
      };
      // One deadline for everything, the body included: an idle timeout never ends a slow drip.
      return withDeadline(DEADLINE_MS, outer, work, undefined, false);
    },
    close: connections.close,
  };
}

/** The failures that say that there is no such document at the URL. */
const elsewhere = new WeakSet<object>();

/** True for a failure that says that there is no such document at the URL. */
export function isElsewhere(error: unknown): error is Error {
  return elsewhere.has(Object(error));
}

function parsed(body: Buffer, headers: Received['headers']): JsonObject {
  try {
    return parseJsonObject(body);
  } catch (error) {
    if (!/\bhtml\b/i.test(headers.get('content-type') ?? '')) throw error;
    const failure = new Error('answered with HTML, not with JSON');
    elsewhere.add(failure);
    throw failure;
  }
}

/**
 * Returns why a URL may not be fetched; undefined if it may. Plain HTTP is refused unless
 * `allowHttp` is true.
 */
export function refuseUrl(url: URL, allowHttp: boolean): string | undefined {
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:')) {
    return url.protocol === 'http:' ? 'must be https (allowHttp permits http)' : 'must be https';
  }
  if (url.username !== '' || url.password !== '') return 'must not contain credentials';
  return undefined;
}

/**
 * The lifetime of a response by its headers, RFC 9111 §4.2.1: max-age minus Age, else Expires minus
 * Date. Unreadable values count as expired, as §4.2.1 advises.
 */
export function cacheLifetimeMs(headers: Received['headers'], nowMs: number): number | undefined {
  const cacheControl = headers.get('cache-control')?.toLowerCase() ?? '';
  if (/(?:^|[\s,])no-(?:store|cache)(?:$|[\s,=])/.test(cacheControl)) return 0;
  // If max-age is given twice, the shortest counts.
  const maxAges = [...cacheControl.matchAll(/(?:^|[\s,])max-age\s*=\s*"?([^",\s]*)/g)];
  if (maxAges.length > 0) {
    const seconds = Math.min(...maxAges.map(([, value]) => readSeconds(value)));
    return Math.max(0, seconds - readSeconds(headers.get('age') ?? '0')) * 1000;
  }
  const expires = headers.get('expires');
  if (expires === null) return undefined;
  const date = Date.parse(headers.get('date') ?? '');
  const lifetimeMs = Date.parse(expires) - (Number.isNaN(date) ? nowMs : date);
  return Number.isNaN(lifetimeMs) ? 0 : Math.max(0, lifetimeMs);
}

/**
 * Retry-After in seconds, RFC 9110 §10.2.3: what a source asks for. The engine waits no longer than
 * its longest pause.
 */
function retryAfterMs(value: string | null): number {
  return Math.min(MAX_RETRY_AFTER_MS, readSeconds(value ?? undefined) * 1000);
}

/** delta-seconds, RFC 9111 §1.2.2: larger values count as 2^31, invalid ones as 0. */
function readSeconds(text: string | undefined): number {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), 2 ** 31) : 0;
}

/** Follows redirects on the same host and scheme only: the options do not name any other. */
async function follow(
  { url: start, headers }: { readonly url: URL; readonly headers: Readonly<Record<string, string>> },
  send: Send,
  permits: (url: URL) => boolean,
  signal: AbortSignal,
): Promise<Received> {
  let url = start;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const response = await send(url, {
      signal,
      headers: { ...(hops === 0 ? headers : {}), accept: 'application/jwk-set+json, application/json' },
    });
    if (response.status === 200) return response;
    await response.body?.cancel();
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) {
      const { status } = response;
      const failure = new Error(`answered with status ${status}`);
      if ([404, 405, 410].includes(status)) elsewhere.add(failure);
      throw Object.assign(failure, {
        status,
        retryAfterMs: retryAfterMs(response.headers.get('retry-after')),
      });
    }
    url = new URL(location, url);
    if (url.origin !== start.origin || url.username !== '' || url.password !== '') {
      throw new Error('redirects to another origin');
    }
    if (!permits(url)) throw new Error('redirects to a path that the options do not list');
  }
  throw new Error('redirects too often');
}

/**
 * Reads the body, and stops at the limit, which is also that of the unpacked body: a small answer
 * may unpack to a large one.
 */
export async function readBounded(response: Received, maxBytes: number): Promise<Buffer> {
  const tooMuch = () => new Error(`answered with more than ${maxBytes} bytes`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooMuch();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks, size);
  if (response.packing === undefined) return body;
  try {
    return await unpack(body, response.packing, maxBytes);
  } catch (cause) {
    if (cause instanceof RangeError) throw tooMuch();
    throw new TypeError('terminated', { cause });
  }
}
