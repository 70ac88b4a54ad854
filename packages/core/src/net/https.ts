// Fetching JSON for keysets: whole-fetch deadline, size limit, redirects, cache headers. Knows
// nothing of keys.

import { isIP } from 'node:net';
import type { Agent, fetch, Headers, Response } from 'undici';
import { type JsonObject, parseJsonObject } from '../values/json.ts';
import { isPublicAddress, lookupPublic } from './addresses.ts';
import { withDeadline } from './deadline.ts';
import { DEADLINE_MS, MAX_DOCUMENT_BYTES } from './limits.ts';
import type { TlsSettings } from './tls.ts';

/** A document and how long its server says it may be used. */
interface FetchedJson {
  readonly json: JsonObject;
  /**
   * From Cache-Control or Expires; undefined if neither says anything. 0 if it must not be stored.
   */
  readonly lifetimeMs: number | undefined;
}

/** Fetches JSON documents for one keyset, over connections of its own. */
export interface JsonFetcher {
  /**
   * Rejects unless a 200 with a strict JSON object of bounded size has come whole within the
   * deadline.
   */
  fetch(url: URL, signal: AbortSignal): Promise<FetchedJson>;
  close(): Promise<void>;
}

/** How one keyset's documents are fetched. */
interface FetcherSettings {
  readonly tls: TlsSettings;
  /** Refuses hosts at private, loopback and link-local addresses. For URLs that a token names. */
  readonly publicOnly?: boolean | undefined;
  /** Which URLs a redirect may lead to, besides being on the same host. Default: any there. */
  readonly permits?: (url: URL) => boolean;
}

const MAX_REDIRECTS = 3;
const MAX_RETRY_AFTER_MS = 3_600_000;

/** Makes a fetcher. Its URLs must have passed `refuseUrl`. */
export function createJsonFetcher(settings: FetcherSettings): JsonFetcher {
  const { tls, publicOnly = false, permits = () => true } = settings;
  const connections = createConnections({
    connect: { ...tls, timeout: DEADLINE_MS, ...(publicOnly ? { lookup: lookupPublic } : {}) },
    keepAliveTimeout: 4_000,
  });
  return {
    fetch: (url, outer) =>
      // One deadline over everything, the body included: an idle timeout never ends a slow drip.
      withDeadline(DEADLINE_MS, outer, async (signal) => {
        // A host that is an address is never looked up.
        const host = url.hostname.replace(/^\[|\]$/g, '');
        if (publicOnly && isIP(host) !== 0 && !isPublicAddress(host)) {
          throw new Error('the host is at an address that is not public');
        }
        const response = await follow(url, await connections.open(), permits, signal);
        const json = parseJsonObject(await readBounded(response, MAX_DOCUMENT_BYTES));
        return { json, lifetimeMs: cacheLifetimeMs(response.headers, Date.now()) };
      }),
    close: connections.close,
  };
}

/** Connections to somewhere, and what fetches over them. */
interface Connections {
  open(): Promise<{ readonly agent: Agent; readonly fetch: typeof fetch }>;
  close(): Promise<void>;
}

/**
 * Makes connections. The library is loaded with the first: it takes longer than all else here, and
 * many services fetch nothing.
 */
export function createConnections(options: Agent.Options): Connections {
  let opened: ReturnType<Connections['open']> | undefined;
  return {
    open() {
      opened ??= import('undici').then((undici) => ({
        agent: new undici.Agent(options),
        fetch: undici.fetch,
      }));
      return opened;
    },
    close: async () => (await opened)?.agent.destroy(),
  };
}

/** Why a URL may not be fetched; undefined if it may. Plain HTTP only where the options say so. */
export function refuseUrl(url: URL, allowHttp: boolean): string | undefined {
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:')) {
    return url.protocol === 'http:' ? 'must be https (allowHttp permits http)' : 'must be https';
  }
  if (url.username !== '' || url.password !== '') return 'must not hold credentials';
  return undefined;
}

/**
 * The lifetime that a response's headers give it, RFC 9111 §4.2.1: max-age less Age, else Expires
 * less Date. What cannot be read counts as expired, as §4.2.1 advises.
 */
export function cacheLifetimeMs(headers: Pick<Headers, 'get'>, nowMs: number): number | undefined {
  const cacheControl = headers.get('cache-control')?.toLowerCase() ?? '';
  if (/(?:^|[\s,])no-(?:store|cache)(?:$|[\s,=])/.test(cacheControl)) return 0;
  // Where it is said twice, the shortest holds.
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

/** Retry-After in seconds, RFC 9110 §10.2.3: what a source asks for. The engine waits no longer than its longest pause. */
function retryAfterMs(value: string | null): number {
  return Math.min(MAX_RETRY_AFTER_MS, readSeconds(value ?? undefined) * 1000);
}

/** delta-seconds, RFC 9111 §1.2.2: larger ones count as 2^31, anything else as 0. */
function readSeconds(text: string | undefined): number {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), 2 ** 31) : 0;
}

/**
 * Follows redirects on the same host and scheme only: anywhere else is somewhere that the options
 * did not name.
 */
async function follow(
  start: URL,
  { agent, fetch: fetchOver }: Awaited<ReturnType<Connections['open']>>,
  permits: (url: URL) => boolean,
  signal: AbortSignal,
): Promise<Response> {
  let url = start;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const response = await fetchOver(url, {
      dispatcher: agent,
      signal,
      redirect: 'manual',
      headers: { accept: 'application/jwk-set+json, application/json' },
    });
    if (response.status === 200) return response;
    await response.body?.cancel();
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) {
      throw Object.assign(new Error(`answered with status ${response.status}`), {
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
 * Reads the body as it is decoded, and stops at the limit: a small answer may unpack to a large
 * one.
 */
export async function readBounded(response: Response, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new Error(`answered with more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
