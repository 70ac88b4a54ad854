// The shape of a case, and short ways of writing one.
import type { AuthErrorCode, JsonValue } from '@latchkey/core';
import type { TokenName } from '../tokens.ts';

/** The authenticators that cases ask; variants.ts has their options. */
export type Variant =
  | 'strict'
  | 'optional'
  | 'permissive'
  | 'realm'
  | 'carriers'
  | 'nested'
  | 'profile'
  | 'described';

/** One case. */
export interface ConformanceCase {
  /** Starts with the requirement, row or code that it is for. */
  readonly name: string;
  /** Which authenticator is asked. Default `strict`. */
  readonly authenticator?: Variant | undefined;
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'OPTIONS' | undefined;
  /** `{name}` in it stands for that token. */
  readonly path: string;
  /** Sent as written, in this order. */
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
  readonly expect: Expectation;
}

/** A refusal by its code, anything but a handler, or an answer. */
export type Expectation =
  | { readonly code: AuthErrorCode; readonly scope?: string }
  /** However the framework reads the request: no handler runs, and nothing breaks. */
  | { readonly notHandled: true }
  | {
      readonly status: number;
      /** Members that the JSON body must have. */
      readonly body?: { readonly [name: string]: JsonValue };
      /** Headers that the answer must have, by lower-case name. */
      readonly headers?: { readonly [name: string]: string };
      /** Headers that the answer must not have. */
      readonly without?: readonly string[];
      /** Of the Content-Type, what stands before its parameters. */
      readonly mediaType?: string;
      /** The whole body. */
      readonly text?: string;
      /** The end of the body. */
      readonly ends?: string;
      /** Whether the handler ran. Default: it did. */
      readonly handled?: boolean;
      /**
       * Members of the JSON body that must be tokens, and claims that they must have. Nothing that
       * they hold stands there in clear.
       */
      readonly signed?: { readonly [member: string]: { readonly [claim: string]: JsonValue } };
      /**
       * How `signed` members are written: a compact JWS, or a flattened one as text or as an
       * object. Default `compact`.
       */
      readonly form?: 'compact' | 'text' | 'object';
      /** Nothing of what the handler replied has left. */
      readonly conceals?: boolean;
    };

/** The header that carries a token. */
export const bearer = (token: TokenName) => [['Authorization', `Bearer {${token}}`]] as const;

/** A token on a route, and the code that refuses it. */
export const refused = (code: AuthErrorCode, ...names: readonly TokenName[]): readonly ConformanceCase[] =>
  names.map((token) => ({
    name: `${code}: ${token}`,
    path: '/token',
    headers: bearer(token),
    expect: { code },
  }));

/** A token that satisfies the rules of a route. */
export const allowed = (path: string, token: TokenName, name = 'allowed'): ConformanceCase => ({
  name: `${name}: ${path}, ${token}`,
  path,
  headers: bearer(token),
  expect: { status: 200 },
});

/** A good token that does not. */
export const lacking = (path: string, token: TokenName, name = 'claims_insufficient'): ConformanceCase => ({
  name: `${name}: ${path}, ${token}`,
  path,
  headers: bearer(token),
  expect: { code: 'claims_insufficient' },
});

/** A request for any principal, with these headers. */
export const carried = (
  name: string,
  headers: ConformanceCase['headers'],
  expect: Expectation,
): ConformanceCase => ({
  name,
  path: '/token',
  headers,
  expect,
});

/** What comes of requests, by short names. */
export const ok = { status: 200, body: { subject: 'alice' } } as const;
export const missing = { code: 'credentials_missing' } as const;
export const malformed = { code: 'credentials_malformed' } as const;

export const ambiguous = { code: 'credentials_ambiguous' } as const;
export const refusedOrigin = { code: 'origin_refused' } as const;

/** A request to the authenticator that looks in many places. */
export const inCarriers = (
  name: string,
  rest: Pick<ConformanceCase, 'method' | 'headers' | 'expect'> & { readonly path?: string },
): ConformanceCase => ({ name, authenticator: 'carriers', path: '/token', ...rest });
