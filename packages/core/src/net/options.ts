// Options of network calls that several rooms share: URLs, plain HTTP, timeouts. TLS is in tls.ts.
import { ConfigError } from '../errors.ts';
import { flag, other } from '../values/judge.ts';
import {
  boolean,
  defaulted,
  durationFrom,
  type Kind,
  type Option,
  optional,
  patternSchema,
  refined,
  type Schema,
  shared,
  text,
} from '../values/option.ts';
import { readText } from '../values/readers.ts';
import { isLoopback } from './addresses.ts';
import { type ProxyChoice, readProxyUrl } from './connections.ts';
import { refuseUrl } from './https.ts';
import { requireNode } from './runtime.ts';

/** A URL. Whether http is permitted depends on `allowHttp`: see `checkUrl`. */
export const url: Kind<URL> = refined(
  text,
  (value, path) => {
    if (URL.canParse(value)) return new URL(value);
    const from = /^https?:/i.test(value) ? 'that is not a URL' : 'without https://';
    throw new ConfigError(
      path,
      `expected a URL, like 'https://login.example.com/jwks.json', got a string ${from}`,
    );
  },
  shared('url', {
    description: 'An http or https URL without a user name or password.',
    ...patternSchema('^[hH][tT][tT][pP][sS]?://[^/?#@]+(?:[/?#]|$)'),
  }),
);

/** Refuses plain HTTP without `allowHttp`, and credentials in a URL. @throws ConfigError */
export function checkUrl(checked: URL, allowHttp: boolean, path: string): URL {
  const refusal = refuseUrl(checked, allowHttp);
  if (refusal !== undefined) throw new ConfigError(path, refusal);
  return checked;
}

/**
 * Like `checkUrl`, for an endpoint of the application, where http to loopback is permitted, unless
 * a proxy would carry it to another machine.
 * @throws ConfigError
 */
export function checkEndpointUrl(
  checked: URL,
  { allowHttp, proxy }: { readonly allowHttp: boolean; readonly proxy: ProxyChoice },
  path: string,
): URL {
  const isHere = isLoopback(checked.hostname) && !(proxy instanceof URL);
  return checkUrl(checked, allowHttp || isHere, path);
}

/** `proxy` of a source that is fetched over HTTP. */
export const proxy: Option<ProxyChoice> = {
  ...optional(
    {
      read: readProxy,
      schema: { anyOf: [{ const: false }, patternSchema('^[hH][tT][tT][pP][sS]?://')] },
    },
    'The outbound proxy, an http or https URL; false for none. Default: the one in HTTPS_PROXY or HTTP_PROXY, except for hosts in NO_PROXY and for loopback.',
    // A proxy sees no more than the network does. Its URL may hold a password, so it is not shown.
    other('another outbound proxy is used, or none'),
  ),
  read: readProxy,
};

function readProxy(value: unknown, path: string): ProxyChoice {
  if (value === undefined) return 'environment';
  requireNode(path);
  return value === false ? 'none' : readProxyUrl(readText(value, path), path);
}

/**
 * The schema of `checkUrl`: the option `name` is an https URL, unless `allowHttp: true` is next to
 * it.
 */
export function httpsUnlessAllowed(name: string): Schema {
  const httpsUrl = shared('httpsUrl', {
    description: 'An https URL. Plain http needs allowHttp: true next to it.',
    ...patternSchema('^[hH][tT][tT][pP][sS]://'),
  });
  return {
    if: { properties: { allowHttp: { const: true } }, required: ['allowHttp'] },
    then: true,
    else: { properties: { [name]: httpsUrl } },
  };
}

/** `allowHttp` of an endpoint of the application. */
export const allowHttp: Option<boolean> = defaulted(
  boolean,
  false,
  'Whether plain http to another machine is allowed. Tokens then cross the network unencrypted.',
  flag('opens', 'plain http to other machines is allowed'),
);

/** `timeout`: the limit for one call, in milliseconds. */
export function timeout(doc: string, says: string): Option<number> {
  return defaulted(durationFrom('1ms', '30s'), '2s', `${doc} 1ms to 30s.`, other(says));
}
