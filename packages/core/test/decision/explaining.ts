// What the tests of explanations share: keys, tokens, requests, remote endpoints, and `agreed`,
// which compares an explanation with the decision.
import { createServer } from 'node:http';
import { forge, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import type { CompiledRules, RequestView } from '../../src/adapter/index.ts';
import {
  type Authenticator,
  type AuthenticatorOptions,
  authorize,
  type ExplainedCheck,
  type Explanation,
  isAuthError,
  type JsonValue,
  type KeysetOptions,
  type Rules,
} from '../../src/index.ts';
import { startAuthenticator } from '../support/authenticators.ts';
import { given } from '../support/defined.ts';
import { listen } from '../support/servers.ts';

export type Claims = { readonly [name: string]: JsonValue | undefined };

export const now = () => Math.floor(Date.now() / 1000);
export const [key, rsa, stranger] = await Promise.all([
  generateSigningKey('ES256', 'one'),
  generateSigningKey('RS256', 'two'),
  generateSigningKey('ES256', 'stranger'),
]);
export const down: KeysetOptions = { issuer: 'i', jwksUrl: 'http://127.0.0.1:1/', allowHttp: true };

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

/** A remote endpoint with this answer, until the test ends. */
export async function endpoint({ status, body = {} }: Answer): Promise<string> {
  const server = createServer((_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  return `http://127.0.0.1:${await listen(server)}/validate`;
}

/** The options of an endpoint that decides, also where keysets are. */
export const decides = (url: string) => ({ url, onReject: 'deny', onError: 'deny' }) as const;

beforeEach(() => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
});

export const inline = (by: SigningKey, more: Partial<KeysetOptions> = {}) =>
  ({ issuer: 'i', jwks: { keys: [by.publicJwk] }, ...more }) as KeysetOptions;
export const forEveryIssuer = (by: SigningKey) =>
  ({ jwks: { keys: [by.publicJwk] }, unsafeOtherIssuers: true }) as KeysetOptions;

export function start(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  return startAuthenticator({ keySets: [inline(key)], audience: 'me', ...options });
}

export const claimsOf = (claims: Claims = {}): Claims => ({
  iss: 'i',
  aud: 'me',
  sub: 'alice',
  exp: now() + 300,
  ...claims,
});
export const tokenOf = (claims: Claims = {}, by = key, header: Claims = {}) =>
  mint(by, claimsOf(claims), header);

/** A token with a signature that is not valid. */
export const forged = (header: object, signature: Uint8Array = Buffer.alloc(64)) =>
  forge({ header, payload: claimsOf(), signature });

export interface Outcome {
  readonly allowed: boolean;
  readonly status: number;
  readonly code: string | undefined;
}

/** The verdict of the pipeline, as for any request. */
export async function decide(
  authenticator: Authenticator,
  subject: string | RequestView,
  rules: Rules | CompiledRules | undefined,
): Promise<Outcome> {
  try {
    if (typeof subject === 'string') await authenticator.verify(subject, ...given(rules));
    else {
      const principal = await authenticator.authenticate(subject);
      const { method, headers, params = {} } = subject;
      if (rules !== undefined)
        authorize(principal, rules as Rules, { method, headers, params: params as never });
    }
    return { allowed: true, status: 200, code: undefined };
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return { allowed: false, status: error.status, code: error.code };
  }
}

export function schemaOf(validate: (value: unknown) => unknown) {
  return { '~standard': { version: 1, vendor: 'test', validate } } as never;
}

export const firstCode = ({ checks }: Explanation) =>
  checks.find(({ outcome, code }) => (outcome === 'failed' || outcome === 'unknown') && code !== undefined)
    ?.code;

/** Explains, and compares that with the decisions before and after it. */
export async function agreed(
  authenticator: Authenticator,
  subject: string | RequestView,
  rules?: Rules | CompiledRules,
): Promise<Explanation> {
  const before = await decide(authenticator, subject, rules);
  const explanation = await authenticator.explain(subject, ...given(rules));
  const after = await decide(authenticator, subject, rules);
  const { allowed, status, code } = explanation;
  expect({ allowed, status, code }).toEqual(before);
  expect(after).toEqual(before);
  expect(firstCode(explanation), JSON.stringify(explanation.checks, null, 1)).toBe(code);
  return explanation;
}

export const flat = (checks: readonly ExplainedCheck[]): readonly ExplainedCheck[] =>
  checks.flatMap((check) => [check, ...flat(check.checks ?? [])]);

export function requestOf(
  headers: readonly (readonly [name: string, value: string])[],
  more: Partial<RequestView> = {},
): RequestView {
  const given: Record<string, string> = {};
  for (const [name, value] of headers) given[name.toLowerCase()] ??= value;
  return { method: 'GET', url: '/', headers: given, rawHeaders: headers.flat(), ...more };
}

export const bearer = (token: string) => requestOf([['Authorization', `Bearer ${token}`]]);
