// What a route says for itself, and what surrounds the decision.
import { bearer, type ConformanceCase, malformed, missing, ok } from './case.ts';

/** What a route says for itself, and what surrounds the decision. */
export const routeCases: readonly ConformanceCase[] = [
  // Requirements of a route that replace those of the options.
  {
    name: 'S4: an issuer that this route does not accept',
    path: '/issuers',
    headers: bearer('good'),
    expect: { code: 'token_issuer_untrusted' },
  },
  ...(['/audience', '/audiences', '/named/orders'] as const).flatMap((path) =>
    [false, true].flatMap((isCached) =>
      ([undefined, 'described'] as const).flatMap((authenticator): readonly ConformanceCase[] => {
        const place = `on ${path}, ${isCached ? 'cached' : 'seen first'}, ${authenticator ?? 'in code'}`;
        const common = { authenticator, path, isCached };
        return [
          {
            ...common,
            name: `T-054: the audience of a route, a token that names it ${place}`,
            headers: bearer('good, also for orders'),
            expect: ok,
          },
          {
            ...common,
            name: `T-054: the audience of a route, a token without it ${place}`,
            headers: bearer('good'),
            expect: { code: 'token_audience_mismatch' },
          },
        ];
      }),
    ),
  ),
  ...['/audience', '/named/orders'].map((path) => ({
    name: `T-054: the audience of a route is not enough without that of the options: ${path}`,
    path,
    headers: bearer('only for orders'),
    expect: { code: 'token_audience_mismatch' } as const,
  })),
  {
    name: 'AM-9: a route in the mode optional, no token',
    path: '/may-be-anonymous',
    expect: { status: 200, body: { subject: null } },
  },
  {
    name: 'T-079: a route in the mode optional refuses a bad token',
    path: '/may-be-anonymous',
    headers: bearer('expired'),
    expect: { code: 'token_expired' },
  },
  {
    name: 'AM-9: a route in the mode optional accepts a good token',
    path: '/may-be-anonymous',
    headers: bearer('good'),
    expect: ok,
  },
  ...(['expired', 'alg none', 'stranger, known kid'] as const).map((token) => ({
    name: `D9: permissive, no principal of a bad token: ${token}`,
    path: '/may-be-bad',
    headers: bearer(token),
    expect: { status: 200, body: { subject: null, claims: null } } as const,
  })),
  {
    name: 'D9: permissive for the whole service',
    authenticator: 'permissive',
    path: '/token',
    headers: bearer('expired'),
    expect: { status: 200, body: { subject: null, claims: null } },
  },
  {
    name: 'D9: permissive, a bad token on a route with rules',
    authenticator: 'permissive',
    path: '/roles',
    headers: bearer('stranger, known kid'),
    expect: missing,
  },
  // Challenges, modes of the service, and handlers.
  {
    name: 'T-086: the realm is in the challenge',
    authenticator: 'realm',
    path: '/token',
    expect: missing,
  },
  {
    name: 'T-086: the realm is in the challenge of a rule',
    authenticator: 'realm',
    path: '/scope',
    headers: bearer('good'),
    expect: { code: 'scope_insufficient', scope: 'friends:read' },
  },
  {
    name: 'T-086: the realm is in the challenge of a rule in the mode optional',
    authenticator: 'realm',
    path: '/may-be-anonymous/roles',
    expect: missing,
  },
  {
    name: 'T-086: the realm is in the challenge of a named route in the mode optional',
    authenticator: 'described',
    path: '/named/may-be-anonymous',
    expect: missing,
  },
  {
    name: 'T-079: optional, no token',
    authenticator: 'optional',
    path: '/token',
    expect: { status: 200, body: { subject: null } },
  },
  {
    name: 'T-079: optional, a good token',
    authenticator: 'optional',
    path: '/token',
    headers: bearer('good'),
    expect: ok,
  },
  {
    name: 'T-079: optional, a bad token',
    authenticator: 'optional',
    path: '/token',
    headers: bearer('expired'),
    expect: { code: 'token_expired' },
  },
  {
    name: 'T-079: optional, a malformed credential',
    authenticator: 'optional',
    path: '/token',
    headers: [['Authorization', 'Bearer']],
    expect: malformed,
  },
  {
    name: 'T-079: optional, no token on a route with rules',
    authenticator: 'optional',
    path: '/roles',
    expect: missing,
  },
  {
    name: "T-099: a handler's own error is not changed",
    path: '/fault',
    headers: bearer('good'),
    expect: { status: 500 },
  },
  {
    name: 'T-107: a handler cannot change the principal',
    path: '/mutate',
    headers: bearer('good, admin only'),
    expect: { status: 200, body: { outcomes: ['refused', 'refused', 'refused'], subject: 'alice' } },
  },
  {
    name: 'T-109: an unknown path, no token',
    path: '/nowhere',
    expect: { status: 404, handled: false },
  },
];
