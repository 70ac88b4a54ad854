// Who calls, and how the user has authenticated: actors and step-up of routes, and what a handler
// gets of the caller.
import type { TokenName } from '../tokens.ts';
import { bearer, type ConformanceCase, type Expectation, missing, ok } from './case.ts';

const STEP_UP = { acrValues: 'urn:example:mfa urn:example:hw', maxAgeSeconds: 3600 };
const code = 'authentication_insufficient';

/** A token on a path: with options in code, in a file, and without a cache. */
const everywhere = (
  name: string,
  path: string,
  token: TokenName,
  expect: Expectation,
): readonly ConformanceCase[] =>
  (['strict', 'described', 'uncached'] as const).map((authenticator) => ({
    name: `${name}: ${path}, ${token}, ${authenticator}`,
    authenticator,
    path,
    headers: bearer(token),
    expect,
  }));

/** Who calls, and how the user has authenticated. */
export const callerCases: readonly ConformanceCase[] = [
  // RFC 9470.
  ...['/step-up/both', '/named/pay'].flatMap((path) => [
    ...everywhere('RFC 9470', path, 'good, mfa', ok),
    ...everywhere(code, path, 'good', { code, ...STEP_UP }),
    ...everywhere(code, path, 'good, mfa long ago', { code, ...STEP_UP }),
    ...everywhere(code, path, 'good, password', { code, ...STEP_UP }),
    ...everywhere(code, path, 'good, mfa in the future', { code, ...STEP_UP }),
  ]),
  ...everywhere(code, '/step-up/acr', 'good, password', { code, acrValues: STEP_UP.acrValues }),
  ...everywhere('RFC 9470', '/step-up/acr', 'good, mfa long ago', ok),
  ...everywhere(code, '/step-up/recent', 'good, mfa long ago', { code, maxAgeSeconds: 3600 }),
  ...everywhere('RFC 9470', '/step-up/recent', 'good, password', ok),
  { name: 'RFC 9470: no token', path: '/step-up/both', expect: missing },
  ...(['optional', 'permissive'] as const).flatMap((authenticator): readonly ConformanceCase[] => [
    { name: `RFC 9470: ${authenticator}, no token`, authenticator, path: '/step-up/both', expect: missing },
    {
      name: `${code}: ${authenticator}`,
      authenticator,
      path: '/step-up/both',
      headers: bearer('good'),
      expect: { code, ...STEP_UP },
    },
  ]),
  // RFC 8693.
  ...['/actors', '/named/acting'].flatMap((path) => [
    ...everywhere('RFC 8693', path, 'good, by the gateway', ok),
    ...everywhere('RFC 8693', path, 'good, by another', { code: 'claims_insufficient' }),
    ...everywhere('RFC 8693', path, 'good', { code: 'claims_insufficient' }),
  ]),
  ...everywhere('RFC 8693', '/actors/or-none', 'good', ok),
  ...everywhere('RFC 8693', '/actors/or-none', 'good, by another', { code: 'claims_insufficient' }),
  ...everywhere('RFC 8693', '/actors/none', 'good', ok),
  ...everywhere('RFC 8693', '/actors/none', 'good, by the gateway', { code: 'claims_insufficient' }),
  ...everywhere('token_claims_invalid', '/token', 'act as text', { code: 'token_claims_invalid' }),
  // What a handler gets.
  ...everywhere('RFC 8693', '/caller', 'good, by the gateway', {
    status: 200,
    body: { clientId: 'app', expires: 300, actor: 'gateway', chain: ['web'], token: 'verified' },
  }),
  ...everywhere('RFC 8693', '/caller', 'good', {
    status: 200,
    body: { clientId: null, expires: 300, actor: null, chain: null, token: 'verified' },
  }),
  {
    name: 'T-093: a handler gets the token that was in the query',
    authenticator: 'carriers',
    path: '/caller?access_token={good}',
    expect: { status: 200, body: { token: 'verified' } },
  },
  {
    name: 'D9: permissive, a handler gets no token that was refused',
    path: '/caller/may-be-bad',
    headers: bearer('expired'),
    expect: { status: 200, body: { token: 'none' } },
  },
];
