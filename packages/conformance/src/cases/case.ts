// The type of a case, and helpers that write cases. The cases themselves are next to this file.
import type { AuthErrorCode, DecisionEvent, JsonValue, LatchkeyEvents, Revocation } from '@latchkey/core';
import type { CertificateName } from '../certificates.ts';
import type { CaseProof } from '../proofs.ts';
import type { TokenName } from '../tokens.ts';

/** The authenticators of cases; variants.ts has their options. */
export type Variant =
  | 'strict'
  | 'optional'
  | 'permissive'
  | 'realm'
  | 'carriers'
  | 'nested'
  | 'profile'
  | 'https'
  | 'behind a proxy'
  | 'scopes'
  | 'resource'
  | 'resource, no cache'
  | 'resources'
  | 'resources, no cache'
  | 'resources, described'
  | 'described'
  | 'dpop'
  | 'dpop required'
  | 'dpop, described'
  | 'dpop, nonce'
  | 'dpop or mutual TLS'
  | 'mutual TLS'
  | 'mutual TLS, described'
  | 'mutual TLS, Client-Cert'
  | 'mutual TLS, Envoy'
  | 'mutual TLS, untrusted'
  | 'revocation'
  | 'revocation, described'
  | 'revocation, optional'
  | 'revocation, permissive'
  | 'revocation, stale'
  | 'only'
  | 'lifetime'
  | 'keysets'
  | 'keysets, uncached'
  | 'keysets, described'
  | 'uncached';

/** One case. */
export interface ConformanceCase {
  /** Starts with the requirement, threat or error code that it tests. */
  readonly name: string;
  /** The authenticator. Default `strict`. */
  readonly authenticator?: Variant | undefined;
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'OPTIONS' | undefined;
  /** `{name}` in it is replaced by that token. */
  readonly path: string;
  /** Sent unchanged, in this order. */
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
  /** The headers `DPoP`, after the others, in this order. Default: none. */
  readonly proofs?: readonly CaseProof[] | undefined;
  /** The certificate of the client on the TLS connection. Default: it has none. */
  readonly certificate?: CertificateName | undefined;
  /** A request that was accepted before with the same headers, proofs included. */
  readonly sentBefore?: Pick<ConformanceCase, 'path' | 'method'> | undefined;
  /**
   * `/token` has accepted the same headers three times before, so the token is in the cache. Where
   * the case has proofs, each of these requests has a good one, and where its server asks for
   * certificates, that of the token.
   */
  readonly isCached?: boolean | undefined;
  /**
   * Is revoked before the request, and after those that fill the cache. Default of its issuer: the
   * trusted one.
   */
  readonly revoke?: Partial<Revocation> | undefined;
  readonly expect: Expectation;
  /** What the event of the decision says besides the code of `expect`. */
  readonly decision?: CaseDecision | undefined;
}

/** Members of the event `latchkey:decision`. */
export interface CaseDecision extends Partial<Pick<DecisionEvent, 'outcome' | 'code' | 'cached'>> {
  /** The pattern of the route, where the framework has one. */
  readonly route: string;
  /** Whose keyset it is. Default: the trusted issuer's. */
  readonly issuer?: 'trusted' | 'down' | 'none';
}

/** A refusal by its code, any answer without a handler, or a certain answer. */
export type Expectation =
  | {
      readonly code: AuthErrorCode;
      /** The parameters of the challenge. */
      readonly scope?: string;
      /** Default: that of the authenticator. */
      readonly resourceMetadata?: string;
      readonly acrValues?: string;
      readonly maxAgeSeconds?: number;
      /** The scheme whose challenge has the error. Default: Bearer, or the only one. */
      readonly scheme?: 'DPoP';
    }
  /** In any reading of the request by the framework, no handler runs and no error is thrown. */
  | { readonly notHandled: true }
  | {
      readonly status: number;
      /** Members that the JSON body must have. */
      readonly body?: { readonly [name: string]: JsonValue } | undefined;
      /** Headers that the answer must have, by lower-case name. */
      readonly headers?: { readonly [name: string]: string };
      /** Headers that the answer must not have. */
      readonly without?: readonly string[];
      /** The media type of the Content-Type, without its parameters. */
      readonly mediaType?: string;
      /** The whole body. */
      readonly text?: string;
      /** The end of the body. */
      readonly ends?: string;
      /**
       * The event of a request that passes, although rules with `enforce` would refuse it. Default:
       * there is none.
       */
      readonly wouldRefuse?: Omit<LatchkeyEvents['latchkey:report-only'], 'route' | 'framework'>;
      /** Whether the handler ran. Default true. */
      readonly handled?: boolean;
      /**
       * Members of the JSON body that must be tokens, and claims that the tokens must have. The
       * body must not contain these claims in clear.
       */
      readonly signed?: { readonly [member: string]: { readonly [claim: string]: JsonValue } };
      /**
       * The format of `signed` members: a compact JWS, or a flattened JWS as a string or as an
       * object. Default `compact`.
       */
      readonly form?: 'compact' | 'text' | 'object';
      /** No part of the handler's reply was sent. */
      readonly conceals?: boolean;
    };

/** The Authorization header with a token. */
export const bearer = (token: TokenName) => [['Authorization', `Bearer {${token}}`]] as const;

/** Makes cases in which tokens are refused with a code. Each names its line of docs/spec. */
export const refused = (
  code: AuthErrorCode,
  names: { readonly [token in TokenName]?: string },
): readonly ConformanceCase[] =>
  (Object.entries(names) as [TokenName, string][]).map(([token, line]) => ({
    name: `${line}: ${code}, ${token}`,
    path: '/token',
    headers: bearer(token),
    expect: { code },
  }));

/** Makes a case with a token that satisfies the rules of a route. */
export const allowed = (path: string, token: TokenName, name = 'allowed'): ConformanceCase => ({
  name: `${name}: ${path}, ${token}`,
  path,
  headers: bearer(token),
  expect: { status: 200 },
});

/** Makes a case with a good token that does not satisfy the rules of a route. */
export const lacking = (path: string, token: TokenName, name = 'claims_insufficient'): ConformanceCase => ({
  name: `${name}: ${path}, ${token}`,
  path,
  headers: bearer(token),
  expect: { code: 'claims_insufficient' },
});

/** Makes a case that requests a route without rules, with these headers. */
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

/** Frequent expectations. */
export const ok = { status: 200, body: { subject: 'alice' } } as const;
export const missing = { code: 'credentials_missing' } as const;
export const malformed = { code: 'credentials_malformed' } as const;

export const ambiguous = { code: 'credentials_ambiguous' } as const;
export const refusedOrigin = { code: 'origin_refused' } as const;

/** Makes a case for the authenticator that reads tokens from several places. */
export const inCarriers = (
  name: string,
  rest: Pick<ConformanceCase, 'method' | 'headers' | 'expect'> & { readonly path?: string },
): ConformanceCase => ({ name, authenticator: 'carriers', path: '/token', ...rest });
