// `enforce`: what rules and routes would refuse passes, and is told once for each request.
import { bearer, type ConformanceCase, lacking, missing, type Variant } from './case.ts';

type Told = Pick<Extract<ConformanceCase['expect'], { readonly status: number }>, 'wouldRefuse'>;

const told = (code: NonNullable<Told['wouldRefuse']>['code'], ...claims: readonly string[]): Told => ({
  wouldRefuse: { code, claims, namedRoute: undefined },
});

/** Makes a case in which a request passes. */
const passes = (
  path: string,
  headers: ConformanceCase['headers'],
  expected: Told = {},
  authenticator?: Variant,
): ConformanceCase => ({
  name: `report-only: ${path}, ${headers?.[0]?.[1] ?? 'no token'}${authenticator === undefined ? '' : `, ${authenticator}`}, passes`,
  authenticator,
  path: `/report-only${path}`,
  headers,
  expect: { status: 200, ...expected },
});

const NAMED = '/named/reporting';
const REPORTING = {
  code: 'authentication_insufficient',
  claims: ['roles'],
  namedRoute: 'reporting',
} as const;

/** The cases of \`enforce\`. */
export const reportOnlyCases: readonly ConformanceCase[] = [
  passes('/rule', bearer('good'), told('claims_insufficient', 'roles', 'scope')),
  passes('/rule', bearer('good, admin only'), told('scope_insufficient', 'scope')),
  passes('/one-of-two', bearer('good, admin only'), told('claims_insufficient', 'dept')),
  lacking('/report-only/one-of-two', 'good', 'report-only: a rule next to it is enforced'),
  passes('/tenants/acme', bearer('good, tenant acme')),
  passes('/tenants/other', bearer('good, tenant acme'), told('claims_insufficient', 'tenant')),
  passes('/soon', bearer('good'), told('claims_insufficient', 'roles')),
  lacking('/report-only/past', 'good', 'report-only: until a date that is past'),
  lacking('/report-only/past-access', 'good', 'report-only: until a date that is past'),
  passes('/access', bearer('good'), told('authentication_insufficient', 'roles')),
  passes('/access', bearer('good, admin only'), told('authentication_insufficient')),
  passes('/may-be-anonymous', [], told('credentials_missing')),
  passes('/may-be-anonymous', bearer('good'), told('claims_insufficient', 'roles')),
  passes('/may-be-anonymous', bearer('good, admin only')),
  passes('/may-be-bad', bearer('expired'), told('credentials_missing')),
  {
    name: 'report-only: an access in the mode strict needs a token',
    path: '/report-only/access',
    expect: missing,
  },
  {
    name: 'report-only: rules need a principal',
    path: '/report-only/rule/may-be-anonymous',
    expect: missing,
  },
  ...(['/rule', '/access', '/may-be-anonymous'] as const).flatMap((path) =>
    (['expired', 'other audience', 'other issuer'] as const).map((token): ConformanceCase => {
      const codes = {
        expired: 'token_expired',
        'other audience': 'token_audience_mismatch',
        'other issuer': 'token_issuer_untrusted',
      } as const;
      return {
        name: `report-only: ${path} accepts no invalid token: ${token}`,
        path: `/report-only${path}`,
        headers: bearer(token),
        expect: { code: codes[token] },
      };
    }),
  ),
  ...([undefined, 'described'] as const).flatMap((authenticator): readonly ConformanceCase[] => [
    {
      name: `report-only: a named route lets pass, ${authenticator ?? 'in code'}`,
      authenticator,
      path: NAMED,
      headers: bearer('good'),
      expect: { status: 200, wouldRefuse: REPORTING },
    },
    {
      name: `report-only: a named route needs a principal, ${authenticator ?? 'in code'}`,
      authenticator,
      path: NAMED,
      expect: missing,
    },
  ]),
  {
    name: 'report-only: each request is told, cached tokens too',
    path: '/report-only/rule',
    headers: bearer('good'),
    isCached: true,
    expect: { status: 200, ...told('claims_insufficient', 'roles', 'scope') },
  },
];
