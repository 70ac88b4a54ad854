// Finds the token of a request in the places of `tokenFrom`. More than one token is refused.

import { AuthError, ConfigError, isAuthError } from '../errors.ts';
import { readList } from '../values/readers.ts';
import { checkOrigin, cookieReader } from './cookie.ts';
import { type CarrierReader, checkB64Token, headerReader } from './header.ts';
import { carrierOptions } from './options.ts';
import { bodyReader, missingInBody, queryReader } from './query.ts';
import { headerOf, type RequestView } from './request.ts';

/** How any client may send a token, RFC 6750 §2. */
export type BearerMethod = 'header' | 'body' | 'query';

/** Finds the tokens of requests. */
export interface TokenFinder {
  /**
   * Finds the token. Does *not* read what is inside it. If only a header can contain the token, its
   * form is not checked either: see `check`.
   * @param note called for each place; if given, the search goes on after a place that cannot be
   *   read
   * @returns the token; undefined if there is none
   * @throws AuthError `credentials_malformed`, `credentials_ambiguous`, `origin_refused`
   */
  find(request: RequestView, note?: NotePlace): string | undefined;
  /**
   * Checks the form of a token that `find` did not check. Not needed for a token that has verified
   * before.
   * @throws AuthError `credentials_malformed`
   */
  check(token: string): void;
  /** Says why there is no token in any place. For logs: has nothing that the client sent. */
  missing(request: RequestView): string;
  /** The query parameters that may contain a token. */
  readonly queryNames: readonly string[];
  /** A token may be in a parsed form, which exists only if a body parser ran before. */
  readonly readsBody: boolean;
  /** The places that every client knows. Another header, name or cookie is none. */
  readonly bearerMethods: readonly BearerMethod[];
  /** A place reads `Authorization` with the scheme DPoP, or without a scheme. */
  readonly readsAnyScheme: boolean;
  /** Where a token may be, for descriptions. The scheme DPoP, which `dpop` adds, is not in it. */
  readonly places: readonly TokenPlace[];
}

/** One place where a token may be. */
export interface TokenPlace {
  readonly in: 'header' | 'cookie' | 'query' | 'body';
  readonly name: string;
  /** The scheme before the token in a header. */
  readonly scheme: string | undefined;
}

/** Called with the result of one place. */
export type NotePlace = (place: string, token: string | undefined, refusal: AuthError | undefined) => void;

/** The name of the parameter with a token, RFC 6750 §2.2 and §2.3. */
const PARAMETER = 'access_token';

interface CheckedCarrier {
  /** Shown in messages: `header Authorization`. */
  readonly place: string;
  readonly at: TokenPlace;
  readonly read: CarrierReader;
  readonly check: ((token: string) => void) | undefined;
  /** Says why there is no token here. */
  readonly missing: (request: RequestView) => string;
  readonly allowedOrigins: ReadonlySet<string> | undefined;
  readonly queryName: string | undefined;
  readonly isBody: boolean;
  readonly method: BearerMethod | undefined;
  readonly readsAnyScheme: boolean;
}

// Every member is an own one, so that none is read from a polluted prototype.
const PLAIN = {
  check: undefined,
  allowedOrigins: undefined,
  queryName: undefined,
  isBody: false,
  method: undefined,
  readsAnyScheme: false,
} as const;

/**
 * Checks `tokenFrom` and makes a finder.
 * @throws ConfigError
 */
export function readTokenFrom(value: unknown): TokenFinder {
  const carriers =
    value === undefined
      ? [readCarrier({ header: 'Authorization' }, 'tokenFrom')]
      : readList(value, readCarrier, 'tokenFrom');
  const [only, ...others] = carriers;
  const missing = (request: RequestView) => carriers.map((carrier) => carrier.missing(request)).join('; ');
  const queryNames = carriers.flatMap(({ queryName }) => queryName ?? []);
  const bearerMethods = carriers.flatMap(({ method }) => method ?? []);
  const readsAnyScheme = carriers.some((carrier) => carrier.readsAnyScheme);
  const places = Object.freeze(carriers.map(({ at }) => at));
  if (only?.check !== undefined && others.length === 0) {
    const { read, check } = only;
    return {
      readsAnyScheme,
      places,
      queryNames,
      bearerMethods,
      readsBody: false,
      check,
      missing,
      find: (request, note) => (note === undefined ? read(request) : find([only], request, note)),
    };
  }
  const readsBody = carriers.some((carrier) => carrier.isBody === true);
  return {
    readsAnyScheme,
    places,
    queryNames,
    bearerMethods,
    readsBody,
    check: () => {},
    missing,
    find: (request, note) => find(carriers, request, note),
  };
}

function find(
  carriers: readonly CheckedCarrier[],
  request: RequestView,
  note: NotePlace | undefined,
): string | undefined {
  let found: string | undefined;
  let foundAt = '';
  let refusal: AuthError | undefined;
  for (const carrier of carriers) {
    const { place, read, check, allowedOrigins } = carrier;
    try {
      const token = read(request);
      if (token !== undefined) {
        check?.(token);
        // RFC 6750 §2: one method per request. More than one token is ambiguous, even if they are
        // the same: a proxy that checked one of them need not have checked the other.
        if (found !== undefined)
          throw new AuthError('credentials_ambiguous', {
            detail: `tokens in ${foundAt} and ${place}; a request may have one (RFC 6750 §2)`,
          });
        if (allowedOrigins !== undefined) checkOrigin(request, allowedOrigins);
        found = token;
        foundAt = place;
      }
      note?.(place, token, undefined);
    } catch (error) {
      if (note === undefined || !isAuthError(error)) throw error;
      note(place, undefined, error);
      refusal ??= error;
    }
  }
  if (refusal !== undefined) throw refusal;
  return found;
}

function readCarrier(value: unknown, path: string): CheckedCarrier {
  const { header, scheme, cookie, allowedOrigins, query, body } = carrierOptions.read(value, path);
  const given = [header, cookie, query, body].filter((place) => place !== undefined);
  if (given.length !== 1)
    throw new ConfigError(path, 'expected exactly one place: header, cookie, query or body');
  if (scheme !== undefined && header === undefined)
    throw new ConfigError(`${path}.scheme`, 'is allowed next to header only');
  if (allowedOrigins !== undefined && cookie === undefined) {
    throw new ConfigError(`${path}.allowedOrigins`, 'is allowed next to cookie only');
  }
  if (header !== undefined) {
    const name = header.toLowerCase();
    const before = (scheme === undefined && name === 'authorization' ? 'Bearer' : scheme) ?? undefined;
    return {
      ...PLAIN,
      place: `header ${header}`,
      at: { in: 'header', name: header, scheme: before },
      read: headerReader(name, before),
      check: checkB64Token,
      missing: ({ headers }) =>
        (headerOf(headers, name) ?? '') === '' ? `no header ${header}` : `${header} has no scheme ${before}`,
      method: name === 'authorization' && before?.toLowerCase() === 'bearer' ? 'header' : undefined,
      readsAnyScheme: name === 'authorization' && (before === undefined || before.toLowerCase() === 'dpop'),
    };
  }
  if (cookie !== undefined)
    return {
      ...PLAIN,
      place: `cookie ${cookie}`,
      at: { in: 'cookie', name: cookie, scheme: undefined },
      read: cookieReader(cookie),
      missing: () => `no cookie ${cookie}`,
      allowedOrigins: new Set(allowedOrigins),
    };
  if (query !== undefined)
    return {
      ...PLAIN,
      place: `query ${query}`,
      at: { in: 'query', name: query, scheme: undefined },
      read: queryReader(query),
      missing: () => `no query parameter ${query}`,
      queryName: query,
      method: query === PARAMETER ? 'query' : undefined,
    };
  const field = body ?? '';
  return {
    ...PLAIN,
    place: `body ${field}`,
    at: { in: 'body', name: field, scheme: undefined },
    read: bodyReader(field),
    missing: (request) => missingInBody(request, field),
    isBody: true,
    method: field === PARAMETER ? 'body' : undefined,
  };
}
