// Options of network calls that several rooms share: URLs, plain HTTP, timeouts. TLS is in tls.ts.
import { ConfigError } from '../errors.ts';
import { flag, other } from '../values/judge.ts';
import {
  boolean,
  defaulted,
  durationFrom,
  type Kind,
  type Option,
  patternSchema,
  refined,
  type Schema,
  shared,
  text,
} from '../values/option.ts';
import { isLoopback } from './addresses.ts';
import { refuseUrl } from './https.ts';

/** A URL. Whether http is permitted depends on `allowHttp`: see `checkUrl`. */
export const url: Kind<URL> = refined(
  text,
  (value, path) => {
    if (!URL.canParse(value)) throw new ConfigError(path, 'expected a URL');
    return new URL(value);
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
 * Like `checkUrl`, for an endpoint of the application, where http to loopback is permitted.
 * @throws ConfigError
 */
export function checkEndpointUrl(checked: URL, allowHttp: boolean, path: string): URL {
  return checkUrl(checked, allowHttp || isLoopback(checked.hostname), path);
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
