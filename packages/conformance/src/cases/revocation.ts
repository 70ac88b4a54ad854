// Tokens that are ended before they expire: by each claim that a revocation can name, from the
// cache, in each mode, and while the list of revocations is not current.
import type { Revocation } from '@latchkey/core';
import type { TokenName } from '../tokens.ts';
import { bearer, type ConformanceCase, type Expectation, ok, type Variant } from './case.ts';

const revoked = { code: 'token_revoked' } as const;
const unavailable = { code: 'revocation_unavailable' } as const;
const LONG_AGO = Date.now() - 3_600_000;

/** A token, what is revoked before it is sent, and the answer. The issuer is the trusted one. */
type Row = readonly [
  title: string,
  token: TokenName,
  expect: Expectation,
  revoke: Partial<Revocation>,
  asked?: Partial<Pick<ConformanceCase, 'path' | 'isCached'>>,
];

const rows: readonly Row[] = [
  ['its jti', 'revocable, by jti', revoked, { jti: 'r-jti' }],
  ['its sid', 'revocable, by sid', revoked, { sid: 'r-sid' }],
  ['its sub', 'revocable, by sub', revoked, { sub: 'r-sub' }],
  ['its client_id', 'revocable, by client_id', revoked, { client: 'r-client' }],
  ['its azp', 'revocable, by azp', revoked, { client: 'r-azp' }],
  ['its jti, from the cache', 'revocable, from the cache', revoked, { jti: 'r-cached' }, { isCached: true }],
  [
    'its jti, on a route with rules',
    'revocable, by jti',
    { ...revoked, scope: 'friends:read' },
    { jti: 'r-jti' },
    { path: '/scope' },
  ],
  ['another jti', 'good', ok, { jti: 'r-other' }],
  ['another jti, from the cache', 'good', ok, { jti: 'r-other' }, { isCached: true }],
  [
    'the same jti of another issuer',
    'revocable, of another issuer',
    ok,
    { issuer: 'https://b.example', jti: 'r-issuer' },
  ],
  ['another kind with the same id', 'revocable, of another kind', ok, { sid: 'r-kind' }],
  ['older tokens of its sub', 'good', ok, { sub: 'alice', issuedBefore: LONG_AGO }],
  ['older tokens of its issuer', 'good', ok, { issuedBefore: LONG_AGO }],
];

const casesOf = (authenticator: Variant, all: readonly Row[]): readonly ConformanceCase[] =>
  all.map(([title, token, expect, revoke, asked = {}]) => ({
    name: `${expect === ok ? 'not revoked' : 'token_revoked'}: ${authenticator}: ${title}`,
    authenticator,
    path: '/token',
    headers: bearer(token),
    revoke,
    expect,
    ...asked,
  }));

/** While nothing has confirmed the list. */
const stale = (title: string, path: string, headers: ConformanceCase['headers'], expect: Expectation) => ({
  name: `revocation_unavailable: ${title}`,
  authenticator: 'revocation, stale' as const,
  path,
  headers,
  expect,
});

/** All cases of revoked tokens. */
export const revocationCases: readonly ConformanceCase[] = [
  ...casesOf('revocation', rows),
  ...casesOf('revocation, described', rows.slice(0, 6)),
  ...casesOf('revocation, optional', rows.slice(0, 1)),
  {
    name: 'token_revoked: permissive: the request is anonymous',
    authenticator: 'revocation, permissive',
    path: '/token',
    headers: bearer('revocable, by jti'),
    revoke: { jti: 'r-jti' },
    expect: { status: 200, body: { subject: null } },
  },
  stale('a good token', '/token', bearer('good'), unavailable),
  stale('a good token, where others are anonymous', '/may-be-anonymous', bearer('good'), unavailable),
  stale('no token, where it may be anonymous', '/may-be-anonymous', [], {
    status: 200,
    body: { subject: null },
  }),
  stale('a bad token is refused as before', '/token', bearer('expired'), { code: 'token_expired' }),
];
