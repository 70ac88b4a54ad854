// Keys from where the token's own "jku" (JWK Set URL) Header Parameter says (RFC 7515 §4.1.2), if
// that is a host that the options list. The URL is the sender's: it is held to the list, to public
// addresses, and to a bounded number of fetches.
import { AuthError } from '../errors.ts';
import type { KeyPolicy } from '../jwk/import-jwks.ts';
import { type JsonFetcher, refuseUrl } from '../net/https.ts';
import { decodedPath } from '../net/paths.ts';
import type { UnverifiedHeader } from '../token/parse.ts';
import { createAdmission, WINDOW_MS } from './jku-admission.ts';
import { createSnapshot, type KeySelection, type KeySnapshot, type Keyset } from './keyset.ts';
import { createRefreshedKeyset, loadJwks } from './refreshed-keyset.ts';

/** A host that may be asked for keys. */
export interface JwksHost {
  /** With its port, if it is not 443. Compared exactly. */
  readonly host: string;
  /** What the path has to start with, decoded: `/` for any. */
  readonly pathPrefix: string;
}

/** What a keyset by `jku` is made of. */
interface JkuSettings {
  readonly name: string;
  readonly issuer: string | undefined;
  readonly policy: KeyPolicy;
  readonly selection: KeySelection;
  readonly hosts: readonly JwksHost[];
  readonly allowHttp: boolean;
  readonly fetcher: JsonFetcher;
  readonly refreshIntervalMs: number;
  readonly maxStaleMs: number;
}

const MAX_URL_LENGTH = 2048;
/** URLs whose keys are kept at a time. */
const MAX_URLS = 32;
const EMPTY = createSnapshot([]);

/**
 * Makes a keyset that asks the listed hosts. A token without a `jku`, or with one of another host,
 * finds no key in it.
 */
export function createJkuKeyset(settings: JkuSettings): Keyset {
  const { name, issuer, policy, selection, hosts, allowHttp, fetcher } = settings;
  /** By URL, the one used longest ago first. */
  const keysets = new Map<string, Keyset>();
  /** When each was first asked: what has just been read is not read again for an unknown kid. */
  const admittedAt = new WeakMap<Keyset, number>();
  const admission = createAdmission();

  function find(jku: string | undefined, issuer: string | undefined): Keyset | undefined {
    const url = jku === undefined ? undefined : acceptUrl(jku, hosts, allowHttp);
    if (url === undefined) return undefined;
    const found = keysets.get(url.href) ?? admit(url, issuer);
    keysets.delete(url.href);
    keysets.set(url.href, found);
    return found;
  }

  function admit(url: URL, ofToken: string | undefined): Keyset {
    const now = performance.now();
    const waitMs = admission.ask(url.href, ofToken);
    if (waitMs !== undefined) {
      throw new AuthError('keyset_unavailable', {
        detail: `${name}: too many key URLs that were not seen before`,
        retryAfterSeconds: waitMs / 1000,
      });
    }
    if (keysets.size >= MAX_URLS) evict();
    const keyset = createRefreshedKeyset({
      ...settings,
      allowed: policy.allowed,
      source: {
        description: `${url.origin}${url.pathname}`,
        // Not closed: the connections are shared by all URLs.
        load: (signal) => loadJwks({ url, policy, fetcher }, signal),
      },
    });
    admittedAt.set(keyset, now);
    // A URL that gives nothing is not tried again on its own: it may be nobody's but the sender's.
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
    const isNew = performance.now() - (admittedAt.get(keyset) ?? 0) < WINDOW_MS;
    return isNew ? keyset.keys(header) : keyset.refetch(header);
  }

  /**
   * URLs that never gave a key go first, then those whose keys never verified a token: they may be
   * nobody's but the sender's.
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
    report() {
      const reports = [...keysets.values()].map(({ report }) => report());
      return {
        keyset: name,
        issuer,
        source: `jku: ${hosts.map(({ host }) => host).join(', ')}`,
        state: reports.some(({ state }) => state === 'fresh') ? 'fresh' : (reports[0]?.state ?? 'empty'),
        kids: reports.flatMap(({ kids }) => kids),
        ageMs: undefined,
        failures: reports.reduce((sum, { failures }) => sum + failures, 0),
      };
    },
    async close() {
      await Promise.all([...keysets.values()].map((keyset) => keyset.close()));
      await fetcher.close();
    },
  });
}

/** The URL, if the list has its host and everything about it is plain. */
function acceptUrl(jku: string, hosts: readonly JwksHost[], allowHttp: boolean): URL | undefined {
  if (jku.length > MAX_URL_LENGTH || !URL.canParse(jku)) return undefined;
  const url = new URL(jku);
  if (refuseUrl(url, allowHttp) !== undefined || url.hash !== '') return undefined;
  return isListed(url, hosts) ? url : undefined;
}

/**
 * True for a URL of a listed host, under its prefix for a server that decodes the path and for one
 * that does not.
 */
export function isListed({ host, pathname }: URL, hosts: readonly JwksHost[]): boolean {
  const path = decodedPath(pathname);
  return (
    path !== undefined && hosts.some((listed) => listed.host === host && path.startsWith(listed.pathPrefix))
  );
}
