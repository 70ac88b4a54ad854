// The process warning about `enforce`: once for each authenticator, with the places that refuse
// nothing yet.
import { createClock, generateSigningKey, mint } from '@latchkey/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { authorizeRequest, compileRules, prepareAuthentication } from '../../src/adapter/index.ts';
import { type AuthenticatorOptions, authorize, type RouteAccess, reportOnly } from '../../src/index.ts';
import { startAuthenticator } from '../support/authenticators.ts';
import { warningsOf } from '../support/observed.ts';

const NOW = 1_800_000_000;
const key = await generateSigningKey('ES256', 'one');
const clock = createClock(NOW * 1000);
beforeEach(() => clock.set(NOW * 1000));

const create = (options: Partial<AuthenticatorOptions> = {}) =>
  startAuthenticator({
    keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }],
    audience: null,
    clock,
    ...options,
  });
const LATER = '2027-12-31T00:00:00.000Z';
const later = { from: LATER };
const told = (...places: readonly string[]) => [
  `SecurityWarning LATCHKEY_UNSAFE: enforce: callers pass that these rules would refuse: ${places.join(', ')}`,
];

describe('options', () => {
  it.each<[string, Partial<AuthenticatorOptions>, readonly string[]]>([
    [
      'rules on every token',
      { claims: { roles: reportOnly(['a']), dept: 'IT' } },
      ['claims.roles (report only)'],
    ],
    [
      'rules of a keyset',
      {
        keySets: [
          { issuer: 'i', jwks: { keys: [key.publicJwk] }, claims: { dept: reportOnly('IT', later) } },
        ],
      },
      [`keySets[0].claims.dept (report only until ${LATER})`],
    ],
    [
      'routes',
      {
        routes: {
          pay: { claims: { scope: 'pay' }, acr: ['mfa'], enforce: false },
          read: { claims: { scope: 'read', roles: reportOnly(['a']) } },
        },
      },
      [
        'routes.pay.claims.scope (report only)',
        'routes.pay.acr (report only)',
        'routes.read.claims.roles (report only)',
      ],
    ],
    [
      'many',
      { claims: Object.fromEntries('abcdefg'.split('').map((name) => [name, reportOnly('x')])) },
      [...'abcde'.split('').map((name) => `claims.${name} (report only)`), 'and 2 more'],
    ],
    ['a date that is past', { claims: { roles: reportOnly(['a'], { from: '2026-01-01' }) } }, []],
    ['none', { claims: { roles: ['a'] }, routes: { pay: { claims: { scope: 'pay' } } } }, []],
  ])('%s', async (_of, options, places) => {
    expect(await warningsOf(() => create(options))).toEqual(places.length === 0 ? [] : told(...places));
  });
});

it('the access of a route is told when it is prepared, and once for an authenticator', async () => {
  const authenticator = create();
  const access: RouteAccess = { claims: { scope: 'pay' }, enforce: false };
  const prepare = () => prepareAuthentication(authenticator, access);
  expect(await warningsOf(prepare)).toEqual(told('access.claims.scope (report only)'));
  expect(await warningsOf(prepare)).toEqual([]);
  expect(await warningsOf(() => prepareAuthentication(create(), access))).toHaveLength(1);
  const warnedBefore = create({ claims: { roles: reportOnly(['a']) } });
  expect(await warningsOf(() => prepareAuthentication(warnedBefore, access))).toEqual([]);
});

it('rules of a call are told when they have let a caller pass, once for an authenticator', async () => {
  const authenticator = create();
  const principal = await authenticator.verify(await mint(key, { iss: 'i', sub: 'alice', exp: NOW + 60 }));
  const rules = compileRules({ roles: reportOnly(['admin']) });
  const pass = () => authorizeRequest({}, principal, rules);
  expect(await warningsOf(pass)).toEqual(told('claims.roles (report only)'));
  expect(await warningsOf(pass)).toEqual([]);
  expect(await warningsOf(() => authorize(principal, { dept: reportOnly('IT') }))).toEqual([]);
});
