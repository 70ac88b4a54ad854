// Scopes: one set of all claims that have them, and challenges that a client can act on.
import { allowed, bearer, type ConformanceCase, lacking, ok, refused } from './case.ts';

const scoped = (
  name: string,
  rest: Pick<ConformanceCase, 'path' | 'headers' | 'expect'>,
): ConformanceCase => ({ name, authenticator: 'scopes', ...rest });

const READ = { code: 'scope_insufficient', scope: 'friends:read' } as const;
const BOTH = { code: 'scope_insufficient', scope: 'friends:read friends:write' } as const;

export const scopeCases: readonly ConformanceCase[] = [
  // One set.
  ...(['good, scp', 'good, scp as text', 'good, scope and scp'] as const).map((token) =>
    allowed('/scope', token, 'A21, a rule on scope'),
  ),
  allowed('/scopes', 'good, scope and scp', 'A21, scope and scp are one set'),
  allowed('/two-scopes', 'good, friends:read and friends:write', 'A21, a rule on scp'),
  ...refused('token_claims_invalid', { 'scp of numbers': 'T-066' }),
  {
    name: 'RFC 6750 §3: permissions are no scopes without the option',
    path: '/scope',
    headers: bearer('good, permissions'),
    expect: READ,
  },
  scoped('RFC 6750 §3: permissions are scopes by option', {
    path: '/scope',
    headers: bearer('good, permissions'),
    expect: ok,
  }),
  scoped('RFC 6750 §3: a scope has the scopes that it implies', {
    path: '/scopes',
    headers: bearer('good, friends:all'),
    expect: { status: 200, body: { scopes: ['friends:all', 'friends:read', 'friends:write'] } },
  }),
  scoped('RFC 6750 §3: an implied scope is excluded too', {
    path: '/no-scope',
    headers: bearer('good, friends:all'),
    expect: { code: 'claims_insufficient' },
  }),
  // Challenges.
  lacking('/no-scope', 'good, friends:read and friends:write', 'RFC 6750 §3.1: no scope helps'),
  lacking('/scope-and-role', 'good', 'RFC 6750 §3.1: a scope alone does not help'),
  lacking('/role-and-scope', 'good', 'RFC 6750 §3.1: a scope alone does not help'),
  lacking('/scope-and-role', 'good, friends:read', 'RFC 6750 §3.1: the scope is there'),
  ...(['/scope-and-role', '/role-and-scope'] as const).map((path) => ({
    name: `RFC 6750 §3.1: only the scope is missing: ${path}`,
    path,
    headers: bearer('good, admin only'),
    expect: READ,
  })),
  ...(['good', 'good, friends:read', 'good, scope as array'] as const).map((token) => ({
    name: `RFC 6750 §3: one challenge names all scopes of the route: ${token}`,
    path: '/two-scopes',
    headers: bearer(token),
    expect: BOTH,
  })),
  {
    name: 'RFC 6750 §3: of several, the first where none implies another',
    path: '/one-scope',
    headers: bearer('good'),
    expect: { code: 'scope_insufficient', scope: 'friends:all' },
  },
  scoped('RFC 6750 §3: of several, the one that implies least', {
    path: '/one-scope',
    headers: bearer('good'),
    expect: READ,
  }),
  ...(['credentials_missing', 'token_expired'] as const).map((code) => ({
    name: `RFC 6750 §3: a 401 names the scopes of the route: ${code}`,
    path: '/two-scopes',
    headers: code === 'token_expired' ? bearer('expired') : [],
    expect: { code, scope: 'friends:read friends:write' } as const,
  })),
  scoped('RFC 6750 §3: a 401 names the scopes of the route, in the realm', {
    path: '/one-scope',
    headers: [],
    expect: { code: 'credentials_missing', scope: 'friends:read' },
  }),
];
