// Options of the places where a request may carry its token. Finding it there is in find.ts.
import { ConfigError } from '../errors.ts';
import { listed, replaced } from '../values/judge.ts';
import {
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
   * Before the token, compared without case. Default: `Bearer` in `Authorization`, and none in any
   * other header. Null: none.
   */
  readonly scheme?: string | null;
}

/** A token in a cookie. Name it `__Host-…`, so that no other subdomain can plant one. */
export interface CookieCarrier {
  readonly cookie: string;
  /**
   * Origins, beside the service's own, whose pages may send unsafe requests:
   * `https://app.example.com`. Default: none.
   */
  readonly allowedOrigins?: readonly string[];
}

/**
 * A token in the query. It ends up in logs, histories and referrers (RFC 9700 §4.3.2): the header
 * is the place for it.
 */
export interface QueryCarrier {
  readonly query: string;
}

/**
 * A token in a form (RFC 6750 §2.2). Needs a body parser before authentication, which then works
 * for anybody.
 */
export interface BodyCarrier {
  readonly body: string;
}

/** One place where a token may stand. */
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
    description: 'A name as HTTP has them: no spaces, no separators.',
    ...patternSchema("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
  }),
);

/**
 * Compared byte by byte with what is written in a URL, so a letter that only looks the same is
 * refused here.
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
      'What is before the token in the header. null: nothing. Default: Bearer in Authorization, nothing elsewhere.',
      replaced('another scheme is before the token'),
    ),
    cookie: optional(
      httpName,
      'The name of a cookie. With the prefix __Host-, no neighbouring host can set it.',
      replaced('tokens come in another cookie'),
    ),
    allowedOrigins: optional(
      list(origin),
      'Other origins whose pages may send requests that change something.',
      listed({ more: 'opens', thing: 'origin' }),
    ),
    query: optional(
      queryName,
      'The name of a query parameter. URLs end up in logs.',
      replaced('tokens come in another parameter'),
    ),
    body: optional(text, 'The name of a form field.', replaced('tokens come in another field')),
  } satisfies TableOf<Carrier>,
  {
    oneOf: ['header', 'cookie', 'query', 'body'].map((place) => ({ required: [place] })),
    dependentRequired: { scheme: ['header'], allowedOrigins: ['cookie'] },
  },
);
