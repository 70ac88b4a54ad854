// Options of the protected resource that a service is, RFC 9728 §2. What clients get of it is made
// in metadata.ts.
import { isScopeToken } from '../challenge.ts';
import { ConfigError } from '../errors.ts';
import { isLoopback } from '../net/addresses.ts';
import { checkUrl } from '../net/options.ts';
import { type AlgorithmName, algorithmNames, findAlgorithm } from '../token/algorithms.ts';
import { coming, flag, members, named, other, replaced } from '../values/judge.ts';
import {
  boolean,
  byName,
  choice,
  defaulted,
  judgesOf,
  type Kind,
  list,
  needed,
  object,
  optional,
  patternSchema,
  type ReadBy,
  refined,
  type TableOf,
  text,
} from '../values/option.ts';

/**
 * The protected resource that the service is (RFC 9728): clients learn from it which authorization
 * servers issue tokens for the service. Publish it by `publishResource` of your framework.
 */
export interface ResourceOptions {
  /**
   * The URL of the service, as clients write it in the parameter `resource` (RFC 8707). It is the
   * default of `audience`, exactly as written. It never comes from the request, whatever `Host` or
   * `X-Forwarded-Host` says. https, or http to loopback; without a query.
   */
  readonly url: string;
  /** The name of the service, for people. Default: none. */
  readonly name?: string;
  /** The URL of a page for developers. Default: none. */
  readonly documentation?: string;
  /** The URL of a page about the use of data. Default: none. */
  readonly policy?: string;
  /** The URL of a page with the terms of service. Default: none. */
  readonly termsOfService?: string;
  /**
   * The scopes that clients may ask for. Default: the scopes that the rules of the options name, in
   * `claims` and in `routes`.
   */
  readonly scopes?: readonly string[];
  /** The issuers that clients get tokens from. Default: the issuers of the keysets. */
  readonly authorizationServers?: readonly string[];
  /** The URL of the keys that sign replies, where the application publishes them. Default: none. */
  readonly jwksUrl?: string;
  /** The algorithms of the signatures of replies. Default: none. */
  readonly signingAlgorithms?: readonly AlgorithmName[];
  /** Permits http in the URLs. Tokens then cross the network unencrypted. Default false. */
  readonly allowHttp?: boolean;
}

/** Those with public keys: a client has no secret of the service. */
const publicAlgorithms = algorithmNames.filter((name) => findAlgorithm(name)?.kty !== 'oct');

/** Longer than any URL of a service, and short enough for a header. */
const MAX_URL_CHARS = 512;

/** The form in which every client and every framework writes the same URL. */
const resourceUrl: Kind<string> = refined(
  text,
  (written, path) => {
    if (!URL.canParse(written)) throw new ConfigError(path, 'expected a URL, like https://api.example.com');
    const url = new URL(written);
    if (url.username !== '' || url.password !== '')
      throw new ConfigError(path, 'must not contain credentials');
    if (written.includes('#')) throw new ConfigError(path, 'must not have a fragment; remove it');
    if (written.includes('?'))
      throw new ConfigError(
        path,
        'must not have a query, because the path alone finds the metadata; remove it',
      );
    if (written.length > MAX_URL_CHARS)
      throw new ConfigError(path, `expected at most ${MAX_URL_CHARS} characters, got ${written.length}`);
    if (!/^(?:\/[\w.~-]+)*\/?$/.test(url.pathname))
      throw new ConfigError(path, 'expected a path of letters, digits and - . _ ~, between single slashes');
    // Clients and issuers compare character by character.
    if (![url.href, url.href.replace(/\/$/, '')].includes(written))
      throw new ConfigError(path, `expected the spelling that clients use; write ${url.href}`);
    return written;
  },
  patternSchema('^https?://[^/?#@A-Z]+(?:/[A-Za-z0-9_.~-]+)*/?$'),
);

/** A URL that is only passed on. */
const page: Kind<string> = refined(
  text,
  (written, path) => {
    if (!URL.canParse(written)) throw new ConfigError(path, 'expected a URL');
    return written;
  },
  patternSchema('^[hH][tT][tT][pP][sS]?://[^/?#@]+(?:[/?#]|$)'),
);

/** RFC 8414 §2: an issuer has no query and no fragment. */
const issuerUrl: Kind<string> = refined(
  page,
  (written, path) => {
    if (/[?#]/.test(written)) throw new ConfigError(path, 'must have neither a query nor a fragment');
    return written;
  },
  patternSchema('^[hH][tT][tT][pP][sS]?://[^/?#@]+(?:/[^?#]*)?$'),
);

const scope: Kind<string> = refined(
  text,
  (written, path) => {
    if (!isScopeToken(written))
      throw new ConfigError(path, 'expected one scope: ASCII without spaces, quotes and backslashes');
    // A client asks for it by itself, and no request needs it.
    if (written === 'offline_access')
      throw new ConfigError(path, 'is for clients that want refresh tokens, and no scope of a resource');
    return written;
  },
  patternSchema('^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$'),
);

/** The options of a protected resource. */
export const resourceOptions = object(
  {
    url: needed(
      resourceUrl,
      'The URL of the service, as clients name it. It is the default of audience.',
      other('clients are told of another resource'),
    ),
    name: optional(
      text,
      'The name of the service, for people.',
      other('the name of the service has changed'),
    ),
    documentation: optional(page, 'The URL of a page for developers.', other('another page is named')),
    policy: optional(page, 'The URL of a page about the use of data.', other('another page is named')),
    termsOfService: optional(
      page,
      'The URL of a page with the terms of service.',
      other('another page is named'),
    ),
    scopes: optional(
      list(scope),
      'The scopes that clients may ask for. Default: those that rules of the options name.',
      other('clients are told of other scopes'),
    ),
    authorizationServers: optional(
      list(issuerUrl),
      'The issuers that clients get tokens from. Default: the issuers of the keysets.',
      other('clients are told of other issuers'),
    ),
    jwksUrl: optional(
      page,
      'The URL of the keys that sign replies.',
      other('clients are told of other keys of replies'),
    ),
    signingAlgorithms: optional(
      list(choice(...publicAlgorithms)),
      'The algorithms of the signatures of replies.',
      other('clients are told of other algorithms of replies'),
    ),
    allowHttp: defaulted(
      boolean,
      false,
      'Whether the URLs may be plain http to other machines. Tokens then cross the network unencrypted.',
      flag('opens', 'plain http is allowed'),
    ),
  } satisfies TableOf<ResourceOptions>,
  {},
  { like: "a resource, such as { url: 'https://api.example.com' }" },
);

/** Checked options of a protected resource. */
export type ResourceSettings = ReadBy<typeof resourceOptions.table>;

/** `resource`. */
export const resource: Kind<ResourceSettings> = {
  schema: resourceOptions.schema,
  judge: coming(
    ['changes', 'clients are told of the resource'],
    ['changes', 'clients are no longer told of the resource'],
    resourceOptions.judge,
  ),
  read(value, path) {
    const read = resourceOptions.read(value, path);
    const {
      url,
      documentation,
      policy,
      termsOfService,
      jwksUrl,
      authorizationServers = [],
      allowHttp,
    } = read;
    const check = (written: string | undefined, name: string): void => {
      if (written === undefined) return;
      const checked = new URL(written);
      checkUrl(checked, allowHttp || isLoopback(checked.hostname), `${path}.${name}`);
    };
    const named = { url, documentation, policy, termsOfService, jwksUrl };
    for (const [name, written] of Object.entries(named)) check(written, name);
    for (const [index, issuer] of authorizationServers.entries())
      check(issuer, `authorizationServers[${index}]`);
    return read;
  },
};

/** `resources`: by the names that routes give. */
export const resources: Kind<ReadonlyMap<string, ResourceSettings>> = {
  ...byName(resource, "expected an object: name → { url }, such as { files: { url: 'https://…' } }"),
  judge: named(
    // Routes that name no resource no longer accept its tokens.
    { added: 'closes', thing: 'resource' },
    members({
      ...judgesOf(resourceOptions.table),
      url: replaced('tokens for another URL are accepted on the routes of the resource'),
    }),
  ),
};

/** True for an issuer that clients can be told of: an https URL, or http if it is permitted. */
export function isAuthorizationServer(issuer: string, allowHttp: boolean): boolean {
  if (!URL.canParse(issuer) || /[?#]/.test(issuer)) return false;
  const { protocol, hostname } = new URL(issuer);
  return protocol === 'https:' || (protocol === 'http:' && (allowHttp || isLoopback(hostname)));
}
