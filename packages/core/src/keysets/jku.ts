// Keys from the URL in the token's own "jku" (JWK Set URL) Header Parameter, RFC 7515 §4.1.2, if
// the options list its host. The sender chooses the URL, so it must match the list, resolve to a
// public address, and pass a limit on new fetches (jku-admission.ts).
import { AuthError } from '../errors.ts';
import type { KeyPolicy } from '../jwk/import-jwks.ts';
import { type JsonFetcher, refuseUrl } from '../net/https.ts';
import { createCallNotice } from '../net/outage.ts';
import { decodedPath } from '../net/paths.ts';
import type { UnverifiedHeader } from '../token/parse.ts';
import { createAdmission, WINDOW_MS } from './jku-admission.ts';
import { createSnapshot, type KeySelection, type KeySnapshot, type Keyset } from './keyset.ts';
import { createRefreshedKeyset, loadJwks } from './refreshed-keyset.ts';

/** A host that keys may be fetched from. */
export interface JwksHost {
  /** With its port, if that is not 443. Compared exactly. */
  readonly host: string;
  /** The decoded path must start with this: `/` for any path. */
  readonly pathPrefix: string;
}

/** The settings of a `jku` keyset. */
interface JkuSettings {
  readonly name: string;
  readonly issuer: string | undefined;
  readonly policy: KeyPolicy;
  readonly selection: KeySelection;
  readonly hosts: readonly JwksHost[];
  readonly allowHttp: boolean;
  readonly fetcher: JsonFetcher;
  readonly monotonic: () => number;
  readonly refreshIntervalMs: number;
  readonly maxStaleMs: number;
}

const MAX_URL_LENGTH = 2048;
/** URLs whose keys are kept at the same time. */
const MAX_URLS = 32;
const EMPTY = createSnapshot([]);

/**
 * Makes a keyset that fetches from the listed hosts. It has no key for a token without a `jku`, or
 * with one on another host.
 */
export function createJkuKeyset(settings: JkuSettings): Keyset {
  const { name, issuer, policy, selection, hosts, allowHttp, fetcher, monotonic } = settings;
  /** By URL, the least recently used first. */
  const keysets = new Map<string, Keyset>();
  /**
   * When each URL was first fetched: keys that were just read are not read again for an unknown
   * kid.
   */
  const admittedAt = new WeakMap<Keyset, number>();
  const admission = createAdmission(monotonic);
  const stopping = new AbortController();
  const from = hosts.map(({ host }) => host).join(', ');
  const notice = createCallNotice(
    `${name}: a JWK Set at ${from}`,
    'tokens that name its URL are answered with 503',
    stopping.signal,
    monotonic,
  );

  function find(jku: string | undefined, issuer: string | undefined): Keyset | undefined {
    const url = jku === undefined ? undefined : acceptUrl(jku, hosts, allowHttp);
    if (url === undefined) return undefined;
    const found = keysets.get(url.href) ?? admit(url, issuer);
    keysets.delete(url.href);
    keysets.set(url.href, found);
    return found;
  }

  function admit(url: URL, ofToken: string | undefined): Keyset {
    const now = monotonic();
    const waitMs = admission.ask(url.href, ofToken);
    if (waitMs !== undefined) {
      throw new AuthError('keyset_unavailable', {
        detail: `${name}: too many new key URLs`,
        retryAfterSeconds: waitMs / 1000,
      });
    }
    if (keysets.size >= MAX_URLS) evict();
    const keyset = createRefreshedKeyset({
      ...settings,
      // A sender may have made the URL up, so all URLs of the keyset are one source.
      tell: () => {},
      allowed: policy.allowed,
      source: {
        description: `${url.origin}${url.pathname}`,
        // The source is not closed: all URLs share the connections.
        load: (signal) => notice.watch(() => loadJwks({ url, policy, fetcher }, signal)),
      },
    });
    admittedAt.set(keyset, now);
    // A URL that gives no keys is not retried on its own: the sender may have made it up.
    keyset.ready().catch(() => {
      admission.failed(url.href);
      if (keysets.get(url.href) === keyset) keysets.delete(url.href);
      return keyset.close();
    });
    return keyset;
  }

  function refetch(header: UnverifiedHeader, ofToken?: string): KeySnapshot | Promise<KeySnapshot> {
    const keyset = find(header.jku, ofToken);
    if (keyset === undefined) return EMPTY;
    const isNew = monotonic() - (admittedAt.get(keyset) ?? 0) < WINDOW_MS;
    return isNew ? keyset.keys(header) : keyset.refetch(header);
  }

  /**
   * Removes one URL: first one that never gave a key, then one whose keys never verified a token.
   * The sender may have made those up.
   */
  function evict(): void {
    const entries = [...keysets];
    const [url, keyset] =
      entries.find(([, { report }]) => report().kids.length === 0) ??
      entries.find(([href]) => !admission.isConfirmed(href)) ??
      entries[0] ??
      [];
    if (url !== undefined) keysets.delete(url);
    void keyset?.close();
  }

  return Object.freeze<Keyset>({
    name,
    issuer,
    allowed: policy.allowed,
    selection,
    keys: (header, ofToken) => find(header.jku, ofToken)?.keys(header) ?? EMPTY,
    refetch,
    confirm({ jku }, ofToken) {
      const url = jku === undefined ? undefined : acceptUrl(jku, hosts, allowHttp);
      if (url !== undefined) admission.confirm(url.href, ofToken);
    },
    ready: () => Promise.resolve(),
    isLoaded: () => true,
    report() {
      const reports = [...keysets.values()].map(({ report }) => report());
      return {
        keyset: name,
        issuer,
        source: `jku: ${from}`,
        state: reports.some(({ state }) => state === 'fresh') ? 'fresh' : (reports[0]?.state ?? 'idle'),
        kids: reports.flatMap(({ kids }) => kids),
        skipped: reports.flatMap(({ skipped }) => skipped),
        ageMs: undefined,
        failures: reports.reduce((sum, { failures }) => sum + failures, 0),
        lastError: notice.lastError(),
        nextAttemptInMs: undefined,
      };
    },
    async close() {
      stopping.abort();
      await Promise.all([...keysets.values()].map((keyset) => keyset.close()));
      await fetcher.close();
    },
  });
}

/**
 * Parses the URL. Returns undefined if it is too long or invalid, has credentials or a fragment,
 * uses plain HTTP without `allowHttp`, or is not on a listed host.
 */
function acceptUrl(jku: string, hosts: readonly JwksHost[], allowHttp: boolean): URL | undefined {
  if (jku.length > MAX_URL_LENGTH || !URL.canParse(jku)) return undefined;
  const url = new URL(jku);
  if (refuseUrl(url, allowHttp) !== undefined || url.hash !== '') return undefined;
  return isListed(url, hosts) ? url : undefined;
}

/**
 * True for a URL of a listed host, if the path is under the prefix both decoded and as written:
 * servers differ in whether they decode it.
 */
export function isListed({ host, pathname }: URL, hosts: readonly JwksHost[]): boolean {
  const path = decodedPath(pathname);
  return (
    path !== undefined && hosts.some((listed) => listed.host === host && path.startsWith(listed.pathPrefix))
  );
}
