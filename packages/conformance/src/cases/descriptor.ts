// Cases for an authenticator whose options are in a file, and for routes whose rules are in that
// file. variants.ts writes the file.
import { bearer, type ConformanceCase, type Expectation, missing, ok } from './case.ts';

const described = (
  name: string,
  path: string,
  headers: ConformanceCase['headers'],
  expect: Expectation,
): ConformanceCase => ({ name, authenticator: 'described', path, headers, expect });

/** The cases of options in a descriptor, and of its named routes. */
export const descriptorCases: readonly ConformanceCase[] = [
  described('AK-7: a token of an issuer in the file passes', '/token', bearer('good'), ok),
  described('AK-7: no token', '/token', [], missing),
  described('AK-7: another issuer', '/token', bearer('other issuer'), { code: 'token_issuer_untrusted' }),
  described('AK-7: another audience', '/token', bearer('other audience'), {
    code: 'token_audience_mismatch',
  }),
  described('AK-7: keys that cannot be fetched', '/token', bearer('issuer down'), {
    code: 'keyset_unavailable',
  }),
  described('S33: the realm of a variable is in the challenge', '/token', bearer('expired'), {
    code: 'token_expired',
  }),
  described('Rules in code apply in addition to those of the file', '/roles', bearer('good'), {
    code: 'claims_insufficient',
  }),

  // Routes by name.
  ...(['good, admin and dev', 'good, admin only'] as const).map((token) =>
    described(`AK-42: a named route, ${token}`, '/named/admin', bearer(token), ok),
  ),
  ...(['good', 'good, roles as text', 'good, banned'] as const).map((token) =>
    described(`AK-42: a named route, claims_insufficient: ${token}`, '/named/admin', bearer(token), {
      code: 'claims_insufficient',
    }),
  ),
  described('AK-42: a named route needs a token', '/named/admin', [], missing),
  described('AK-42: a named route and a bad token', '/named/admin', bearer('expired'), {
    code: 'token_expired',
  }),
  {
    name: 'AK-42: a named route refuses an anonymous request',
    path: '/named/may-be-anonymous',
    expect: missing,
  },
  described('AK-42: a named route in the mode optional', '/named/may-be-anonymous', bearer('good'), {
    code: 'claims_insufficient',
  }),
  described('AK-42: a named route names its scope', '/named/writers', bearer('good, friends:read'), {
    code: 'scope_insufficient',
    scope: 'friends:write',
  }),
  described(
    'AK-42: a named route, and its scope',
    '/named/writers',
    bearer('good, friends:read and friends:write'),
    ok,
  ),
  described('AK-42: an issuer that a named route does not accept', '/named/partner', bearer('good'), {
    code: 'token_issuer_untrusted',
  }),
  described('AK-42: the issuer is checked before the claims', '/named/partner', bearer('good, admin only'), {
    code: 'token_issuer_untrusted',
  }),
  described(
    'S32: a named route compares with the request',
    '/named/tenants/acme',
    bearer('good, tenant acme'),
    ok,
  ),
  described('S32: a named route, and another tenant', '/named/tenants/other', bearer('good, tenant acme'), {
    code: 'claims_insufficient',
  }),
];
