// The event `latchkey:decision`: what it says of the token and of the route. That each request has
// one, and that it has the code of the answer, is checked for every case.
import { bearer, type ConformanceCase, missing, ok } from './case.ts';

const told = (name: string, rest: Omit<ConformanceCase, 'name'>): ConformanceCase => ({
  name: `event: ${name}`,
  ...rest,
});

const tenant = { path: '/tenants/acme', headers: bearer('good, tenant acme') } as const;
const route = '/tenants/:tenant';

/** The event `latchkey:decision`. */
export const decisionCases: readonly ConformanceCase[] = [
  told('a token that is accepted', {
    ...tenant,
    authenticator: 'uncached',
    expect: { status: 200 },
    decision: { outcome: 'accepted', route, cached: false },
  }),
  told('a token of the cache', {
    ...tenant,
    isCached: true,
    expect: { status: 200 },
    decision: { outcome: 'accepted', route, cached: true },
  }),
  told('a token of the cache that lacks a claim', {
    ...tenant,
    path: '/tenants/other',
    isCached: true,
    expect: { code: 'claims_insufficient' },
    decision: { outcome: 'refused', route, cached: true },
  }),
  told('a token that lacks a scope', {
    path: '/scope',
    headers: bearer('good'),
    authenticator: 'uncached',
    expect: { code: 'scope_insufficient', scope: 'friends:read' },
    decision: { outcome: 'refused', route: '/scope', cached: false },
  }),
  told('no token', {
    path: '/tenants/acme',
    expect: missing,
    decision: { outcome: 'refused', route, issuer: 'none', cached: false },
  }),
  told('an expired token', {
    path: '/token',
    headers: bearer('expired'),
    expect: { code: 'token_expired' },
    decision: { outcome: 'refused', route: '/token', cached: false },
  }),
  told('an issuer that is not trusted has no name', {
    path: '/token',
    headers: bearer('other issuer'),
    expect: { code: 'token_issuer_untrusted' },
    decision: { outcome: 'refused', route: '/token', issuer: 'none', cached: false },
  }),
  told('keys that cannot be fetched', {
    path: '/may-be-bad',
    headers: bearer('issuer down'),
    expect: { code: 'keyset_unavailable' },
    decision: { outcome: 'refused', route: '/may-be-bad', issuer: 'down', cached: false },
  }),
  told('optional, no token', {
    path: '/may-be-anonymous',
    expect: { status: 200, body: { subject: null } },
    decision: { outcome: 'anonymous', code: undefined, route: '/may-be-anonymous', issuer: 'none' },
  }),
  told('permissive, a bad token', {
    path: '/may-be-bad',
    headers: bearer('expired'),
    expect: { status: 200, body: { subject: null } },
    decision: { outcome: 'anonymous', code: 'token_expired', route: '/may-be-bad' },
  }),
  told('permissive, a good token', {
    path: '/may-be-bad',
    headers: bearer('good'),
    expect: ok,
    decision: { outcome: 'accepted', code: undefined, route: '/may-be-bad' },
  }),
  told('a handler that fails', {
    path: '/fault',
    headers: bearer('good'),
    expect: { status: 500 },
    decision: { outcome: 'accepted', route: '/fault' },
  }),
];
