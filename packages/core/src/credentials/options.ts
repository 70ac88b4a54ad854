// Options of the places where a request may have its token. The search for the token is in find.ts.
import { ConfigError } from '../errors.ts';
import { listed, replaced } from '../values/judge.ts';
import {
  exactlyOne,
  type Kind,
  list,
  object,
  optional,
  orNull,
  patternSchema,
  refined,
  shared,
  type TableOf,
  text,
} from '../values/option.ts';

/** A token in a header. */
export interface HeaderCarrier {
  readonly header: string;
  /**
   * The scheme before the token, compared without case. Default: `Bearer` in `Authorization`, none
   * in any other header. Null: none.
   */
  readonly scheme?: string | null;
}

/** A token in a cookie. Name it `__Host-…`, so that another subdomain cannot plant it. */
export interface CookieCarrier {
  readonly cookie: string;
  /**
   * Origins, in addition to that of the service, whose pages may send unsafe requests:
   * `https://app.example.com`. Default: none.
   */
  readonly allowedOrigins?: readonly string[];
}

/**
 * A token in the query. URLs end up in logs, histories and referrers (RFC 9700 §4.3.2), so prefer a
 * header.
 */
export interface QueryCarrier {
  readonly query: string;
}

/**
 * A token in a form (RFC 6750 §2.2). A body parser must run before authentication, and so parses
 * the bodies of unauthenticated clients too.
 */
export interface BodyCarrier {
  readonly body: string;
}

/** One place where a token may be. */
export type Carrier = HeaderCarrier | CookieCarrier | QueryCarrier | BodyCarrier;

/** RFC 9110 §5.6.2: the names of headers, schemes and cookies. */
const httpName: Kind<string> = refined(
  text,
  (name, path) => {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name))
      throw new ConfigError(path, 'expected a name of letters, digits and -');
    return name;
  },
  shared('httpName', {
    description: 'A name in HTTP: no spaces, no separators.',
    ...patternSchema("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
  }),
);

/**
 * Must be ASCII: the name is compared byte by byte with the URL, and a letter that only looks the
 * same would never match.
 */
const queryName: Kind<string> = refined(
  text,
  (name, path) => {
    if (!/^[ -~]+$/.test(name)) throw new ConfigError(path, 'expected a name of ASCII characters');
    return name;
  },
  patternSchema('^[ -~]+$'),
);

const origin: Kind<string> = refined(
  text,
  (value, path) => {
    if (!URL.canParse(value) || new URL(value).origin !== value)
      throw new ConfigError(path, 'expected an origin, like https://app.example.com');
    return value;
  },
  patternSchema('^https?://[^/?#@]+$'),
);

/** The options of one place. Exactly one place is needed: see `readTokenFrom`. */
export const carrierOptions = object(
  {
    header: optional(httpName, 'The name of a header.', () => []),
    scheme: optional(
      orNull(httpName),
      'The scheme before the token in the header. null: none. Default: Bearer in Authorization, none in other headers.',
      replaced('the scheme before the token has changed'),
    ),
    cookie: optional(
      httpName,
      'The name of a cookie. With the prefix __Host-, other subdomains cannot set it.',
      replaced('tokens are read from another cookie'),
    ),
    allowedOrigins: optional(
      list(origin),
      'Other origins whose pages may send unsafe requests, such as POST.',
      listed({ more: 'opens', thing: 'origin' }),
    ),
    query: optional(
      queryName,
      'The name of a query parameter. URLs end up in logs.',
      replaced('tokens are read from another parameter'),
    ),
    body: optional(text, 'The name of a form field.', replaced('tokens are read from another field')),
  } satisfies TableOf<Carrier>,
  {
    ...exactlyOne(['header', 'cookie', 'query', 'body']),
    dependentRequired: { scheme: ['header'], allowedOrigins: ['cookie'] },
  },
);
