// Answers requests for the metadata of protected resources, RFC 9728 §3, for all adapters. Needs no
// token, and reads neither Host nor X-Forwarded-Host.
import type { Authenticator } from '../decision/authenticator.ts';
import type { CombinedAuthenticator } from '../decision/combine.ts';
import { ConfigError } from '../errors.ts';
import { METADATA_PATH, type ProtectedResource } from '../resource/metadata.ts';
import { refuseRequest } from './misuse.ts';

/** What is sent. */
export interface ResourceAnswer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

/** Answers requests for the metadata of resources. */
export interface ResourcePublisher {
  /**
   * Returns the answer to a request; undefined for any other path or method.
   * @param url the URL of the request as it came, before a router has shortened it
   */
  answer(method: string | undefined, url: string | undefined): ResourceAnswer | undefined;
  /** The paths of the metadata, which change with the options. */
  paths(): readonly string[];
}

type Source = Authenticator | CombinedAuthenticator;

/** Short, because options can change while a service runs. In seconds. */
const MAX_AGE_SECONDS = 300;
const METHODS = 'GET, HEAD, OPTIONS';
// The document is for everybody, so pages of any origin may read it. Clients in browsers send
// headers that need a preflight, such as MCP-Protocol-Version.
const SHARED = Object.freeze({
  'Access-Control-Allow-Origin': '*',
  'Cache-Control': `public, max-age=${MAX_AGE_SECONDS}`,
});
const PREFLIGHT: ResourceAnswer = Object.freeze({
  status: 204,
  headers: Object.freeze({
    ...SHARED,
    Allow: METHODS,
    'Access-Control-Allow-Methods': METHODS,
    'Access-Control-Allow-Headers': '*',
    'Access-Control-Max-Age': String(MAX_AGE_SECONDS),
  }),
  body: '',
});

/**
 * Makes the publisher of the resources of authenticators.
 * @throws ConfigError if one of them has no `resource`, and if two resources have the same path
 */
export function resourcePublisher(...authenticators: readonly Source[]): ResourcePublisher {
  if (authenticators.length === 0)
    throw new ConfigError('publishResource', 'expected an authenticator; make one with createAuthenticator');
  for (const authenticator of authenticators) {
    refuseRequest(authenticator, 'publishResource', 'an authenticator');
    if (typeof authenticator?.decide !== 'function')
      throw new ConfigError(
        'publishResource',
        'expected an authenticator; make one with createAuthenticator',
      );
    if ((authenticator.resources ?? []).length === 0)
      throw new ConfigError('resource', "publishResource needs it; add resource: { url: 'https://…' }");
  }
  const resources = () => authenticators.flatMap(({ resources: own = [] }) => own);
  refuseSamePath(resources());
  return {
    answer(method, url) {
      const path = pathOf(url);
      if (!path.startsWith(METADATA_PATH)) return undefined;
      const found = resources().find((one) => pathOf(one.metadataUrl) === path);
      if (found === undefined) return undefined;
      if (method === 'OPTIONS') return PREFLIGHT;
      if (method !== 'GET' && method !== 'HEAD') return undefined;
      const body = JSON.stringify(found.metadata);
      return { status: 200, headers: { ...SHARED, 'Content-Type': 'application/json' }, body };
    },
    paths: () => resources().map(({ metadataUrl }) => pathOf(metadataUrl)),
  };
}

/** The path of a URL in origin or absolute form, without the query. */
function pathOf(url = ''): string {
  const [target = ''] = url.split('?');
  return target.replace(/^https?:\/\/[^/]*/i, '');
}

/** Two documents cannot be at one path, whatever their hosts are. @throws ConfigError */
function refuseSamePath(resources: readonly ProtectedResource[]): void {
  const paths = new Map<string, string>();
  for (const { url, metadataUrl } of resources) {
    const path = pathOf(metadataUrl);
    const other = paths.get(path) ?? url;
    if (other !== url)
      throw new ConfigError(
        'resource.url',
        `${url} and ${other} have their metadata at the same path; publish each in its own application`,
      );
    paths.set(path, url);
  }
}
