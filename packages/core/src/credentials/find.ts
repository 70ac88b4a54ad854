// Where a request may carry its token, and finding it there. More than one token is refused.

import { AuthError, ConfigError, isAuthError } from '../errors.ts';
import { readList } from '../values/readers.ts';
import { checkOrigin, cookieReader } from './cookie.ts';
import { type CarrierReader, checkB64Token, headerReader } from './header.ts';
import { carrierOptions } from './options.ts';
import { bodyReader, queryReader } from './query.ts';
import type { RequestView } from './request.ts';

/** Finds tokens. */
export interface TokenFinder {
  /**
   * Does *not* look into the token. Where the token comes from a header and can be nowhere else,
   * its form is not checked either: see `check`.
   * @param note called for each place; where it is given, a place that cannot be read does not end
   *   the search
   * @returns the token; undefined if there is none
   * @throws AuthError `credentials_malformed`, `credentials_ambiguous`, `origin_refused`
   */
  find(request: RequestView, note?: NotePlace): string | undefined;
  /**
   * Checks what `find` left open, which a token that verified before need not go through.
   * @throws AuthError `credentials_malformed`
   */
  check(token: string): void;
  /** The query parameters that may hold a token. */
  readonly queryNames: readonly string[];
  /** A token may be in a parsed form, which is there only if a body parser ran before. */
  readonly readsBody: boolean;
}

/** Hears what one place has. */
export type NotePlace = (place: string, token: string | undefined, refusal: AuthError | undefined) => void;

interface CheckedCarrier {
  /** For people: `header Authorization`. */
  readonly place: string;
  readonly read: CarrierReader;
  readonly check: ((token: string) => void) | undefined;
  readonly allowedOrigins: ReadonlySet<string> | undefined;
  readonly queryName: string | undefined;
  readonly isBody: boolean;
}

// Each member is there, so that none is looked up in a prototype.
const PLAIN = { check: undefined, allowedOrigins: undefined, queryName: undefined, isBody: false } as const;

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
  const queryNames = carriers.flatMap(({ queryName }) => queryName ?? []);
  if (only?.check !== undefined && others.length === 0) {
    const { read, check } = only;
    return {
      queryNames,
      readsBody: false,
      check,
      find: (request, note) => (note === undefined ? read(request) : find([only], request, note)),
    };
  }
  const readsBody = carriers.some((carrier) => carrier.isBody === true);
  return { queryNames, readsBody, check: () => {}, find: (request, note) => find(carriers, request, note) };
}

function find(
  carriers: readonly CheckedCarrier[],
  request: RequestView,
  note: NotePlace | undefined,
): string | undefined {
  let found: string | undefined;
  let refusal: AuthError | undefined;
  for (const carrier of carriers) {
    const { place, read, check, allowedOrigins } = carrier;
    try {
      const token = read(request);
      if (token !== undefined) {
        check?.(token);
        // RFC 6750 §2: one method per request. More than one token is ambiguous.
        if (found !== undefined)
          throw new AuthError('credentials_ambiguous', { detail: 'tokens in several places' });
        if (allowedOrigins !== undefined) checkOrigin(request, allowedOrigins);
        found = token;
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
    throw new ConfigError(path, 'exactly one place is needed: header, cookie, query, body');
  if (scheme !== undefined && header === undefined)
    throw new ConfigError(`${path}.scheme`, 'goes with header only');
  if (allowedOrigins !== undefined && cookie === undefined) {
    throw new ConfigError(`${path}.allowedOrigins`, 'goes with cookie only');
  }
  if (header !== undefined) {
    const name = header.toLowerCase();
    const before = (scheme === undefined && name === 'authorization' ? 'Bearer' : scheme) ?? undefined;
    return { ...PLAIN, place: `header ${header}`, read: headerReader(name, before), check: checkB64Token };
  }
  if (cookie !== undefined)
    return {
      ...PLAIN,
      place: `cookie ${cookie}`,
      read: cookieReader(cookie),
      allowedOrigins: new Set(allowedOrigins),
    };
  if (query !== undefined)
    return { ...PLAIN, place: `query ${query}`, read: queryReader(query), queryName: query };
  return { ...PLAIN, place: `body ${body}`, read: bodyReader(body ?? ''), isBody: true };
}
