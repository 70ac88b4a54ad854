// The route report: what marks on the way to a route come to, in any number and order. A route must
// not be reported as more guarded than it is, nor an undecided one as decided.
import { generateSigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  authenticateMarks,
  checkRoutes,
  type PassedMark,
  type RouteMark,
  type RouteReport,
  reportRoute,
} from '../../src/adapter/route-report.ts';
import type { AuthenticationMode } from '../../src/decision/access.ts';
import { compileAccess } from '../../src/decision/access.ts';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { requireAll, requireAny } from '../../src/decision/combine.ts';
import { ConfigError } from '../../src/errors.ts';
import { defined } from '../support/defined.ts';

type Name = 'strict' | 'optional' | 'permissive' | 'claims' | 'public';
type From = PassedMark['from'];

const MARKS: { readonly [N in Name]: RouteMark } = {
  strict: { kind: 'authenticate', mode: 'strict' },
  optional: { kind: 'authenticate', mode: 'optional' },
  permissive: { kind: 'authenticate', mode: 'permissive' },
  claims: { kind: 'claims', claims: ['dept', 'scope'] },
  public: { kind: 'public' },
};
const NAMES = Object.keys(MARKS) as Name[];
const FROMS: readonly From[] = ['application', 'router', 'route'];
const ROUTE = { method: 'GET', path: '/friends/:id' };

function report(...passed: readonly (readonly [name: Name, from: From])[]): RouteReport {
  return reportRoute(
    ROUTE,
    passed.map(([name, from]) => ({ mark: MARKS[name], from })),
  );
}

/** Every sequence of this many items. */
function sequences<T>(items: readonly T[], length: number): readonly (readonly T[])[] {
  if (length === 0) return [[]];
  return sequences(items, length - 1).flatMap((head) => items.map((item) => [...head, item]));
}

describe('T-095, route report: reportRoute()', () => {
  it('T-095: a route that nothing is said of is undecided', () => {
    expect(report()).toEqual({ ...ROUTE, requirement: 'UNDECIDED', claims: [], from: undefined });
  });

  const SINGLE: { readonly [N in Name]: readonly [RouteReport['requirement'], decides: boolean] } = {
    strict: ['token', true],
    optional: ['optional token', true],
    permissive: ['optional token', true],
    // Rules judge a principal. Where nothing authenticates, there is none.
    claims: ['UNDECIDED', false],
    public: ['public', true],
  };

  it.each(NAMES.flatMap((name) => FROMS.map((from) => [name, from] as const)))(
    'T-095: %s alone, on the %s',
    (name, from) => {
      const [requirement, decides] = SINGLE[name];
      expect(report([name, from])).toEqual({
        ...ROUTE,
        requirement,
        claims: name === 'claims' ? ['dept', 'scope'] : [],
        from: decides ? from : undefined,
      });
    },
  );

  // The first is on the application, the second on the route: so `from` says which of them
  // decided.
  it.each<[Name, Name, RouteReport['requirement'], From | undefined]>([
    ['strict', 'strict', 'token', 'route'],
    ['strict', 'optional', 'token', 'application'],
    ['strict', 'permissive', 'token', 'application'],
    ['strict', 'claims', 'token', 'application'],
    ['strict', 'public', 'token', 'application'],
    ['optional', 'strict', 'token', 'route'],
    ['optional', 'optional', 'optional token', 'route'],
    ['optional', 'permissive', 'optional token', 'route'],
    ['optional', 'claims', 'token', 'route'],
    ['optional', 'public', 'optional token', 'application'],
    ['permissive', 'strict', 'token', 'route'],
    ['permissive', 'optional', 'optional token', 'route'],
    ['permissive', 'permissive', 'optional token', 'route'],
    ['permissive', 'claims', 'token', 'route'],
    ['permissive', 'public', 'optional token', 'application'],
    ['claims', 'strict', 'token', 'route'],
    ['claims', 'optional', 'token', 'application'],
    ['claims', 'permissive', 'token', 'application'],
    ['claims', 'claims', 'UNDECIDED', undefined],
    ['public', 'strict', 'token', 'route'],
    ['public', 'optional', 'optional token', 'route'],
    ['public', 'permissive', 'optional token', 'route'],
    ['public', 'public', 'public', 'route'],
  ])(
    'T-095: %s on the application, then %s on the route: %s, from the %s',
    (first, second, requirement, from) => {
      expect(report([first, 'application'], [second, 'route'])).toEqual({
        ...ROUTE,
        requirement,
        claims: [first, second].flatMap((name) => (name === 'claims' ? ['dept', 'scope'] : [])),
        from,
      });
    },
  );

  it.each<[names: readonly [Name, Name, Name], RouteReport['requirement'], From | undefined]>([
    [['strict', 'strict', 'optional'], 'token', 'router'],
    [['strict', 'optional', 'claims'], 'token', 'application'],
    [['strict', 'public', 'strict'], 'token', 'route'],
    [['optional', 'strict', 'claims'], 'token', 'router'],
    [['optional', 'claims', 'claims'], 'token', 'route'],
    [['optional', 'claims', 'public'], 'token', 'router'],
    [['claims', 'public', 'optional'], 'token', 'application'],
    [['optional', 'permissive', 'public'], 'optional token', 'router'],
    [['public', 'optional', 'public'], 'optional token', 'router'],
    [['public', 'public', 'optional'], 'optional token', 'route'],
    [['claims', 'claims', 'claims'], 'UNDECIDED', undefined],
  ])(
    'T-095: %j on application, router and route: %s, from the %s',
    ([one, two, three], requirement, from) => {
      const found = report([one, 'application'], [two, 'router'], [three, 'route']);
      expect([found.requirement, found.from]).toEqual([requirement, from]);
    },
  );

  const WAYS = [0, 1, 2, 3, 4].flatMap((length) => sequences(NAMES, length));
  const requirementOf = (names: readonly Name[]) =>
    report(...names.map((name) => [name, 'route'] as const)).requirement;

  it('T-095: the order of marks does not change what is required', () => {
    const differing = WAYS.filter((names) => requirementOf(names) !== requirementOf([...names].sort()));
    expect(differing).toEqual([]);
    expect(WAYS).toHaveLength(781);
  });

  it('T-095: one strict mark on the way is enough, whatever else is there', () => {
    const strict = WAYS.filter((names) => names.includes('strict'));
    expect(new Set(strict.map(requirementOf))).toEqual(new Set(['token']));
  });

  it('T-095: one more mark that authenticates or is public never makes a decided route ask for less', () => {
    const rank = { UNDECIDED: 0, public: 1, 'optional token': 2, token: 3 } as const;
    const loosened = WAYS.flatMap((names) =>
      NAMES.map((more) => [...names, more]).filter(
        (longer) => rank[requirementOf(longer)] < rank[requirementOf(names)],
      ),
    );
    expect(loosened).toEqual([]);
  });

  it('T-095: only what authenticates makes a route ask for a token', () => {
    const without = WAYS.filter((names) => names.every((name) => name === 'claims' || name === 'public'));
    expect(new Set(without.map(requirementOf))).toEqual(new Set(['UNDECIDED', 'public']));
  });

  it('T-095: claims are listed in the order in which they are asked for, each time', () => {
    const passed: readonly PassedMark[] = [
      { mark: { kind: 'claims', claims: ['b', 'a'] }, from: 'application' },
      { mark: MARKS.strict, from: 'router' },
      { mark: { kind: 'claims', claims: [] }, from: 'router' },
      { mark: { kind: 'claims', claims: ['c', 'a'] }, from: 'route' },
    ];
    expect(reportRoute(ROUTE, passed).claims).toEqual(['b', 'a', 'c', 'a']);
  });

  it.each([
    { method: 'ALL', path: '' },
    { method: 'M-SEARCH', path: '//Odd/:x(\\d+)?#' },
  ])('T-095: %j is reported as it was written, and nothing else of it', (route) => {
    const passed: readonly PassedMark[] = [{ mark: MARKS.public, from: 'route' }];
    expect(reportRoute({ ...route, handler: 'x' } as typeof route, passed)).toEqual({
      ...route,
      requirement: 'public',
      claims: [],
      from: 'route',
    });
  });
});

describe('T-095, route report: checkRoutes()', () => {
  const of = (method: string, path: string, ...names: readonly Name[]) =>
    reportRoute(
      { method, path },
      names.map((name) => ({ mark: MARKS[name], from: 'route' as const })),
    );
  const DECIDED = [of('GET', '/a', 'strict'), of('GET', '/b', 'optional'), of('GET', '/c', 'public')];
  const OPEN = [of('POST', '/open'), of('ALL', '/ruled', 'claims')];

  it.each<[what: string, reports: readonly RouteReport[], options: { readonly failOnUndecided?: boolean }]>([
    ['no routes, asked to fail', [], { failOnUndecided: true }],
    ['decided routes, asked to fail', DECIDED, { failOnUndecided: true }],
    ['undecided routes, asked not to fail', [...DECIDED, ...OPEN], { failOnUndecided: false }],
    ['undecided routes, asked for nothing', [...DECIDED, ...OPEN], {}],
  ])('T-095: %s: the reports are given back', (_, reports, options) => {
    expect(checkRoutes(reports, options)).toBe(reports);
  });

  it.each<[what: string, reports: readonly RouteReport[], names: string]>([
    ['one alone', OPEN.slice(0, 1), 'POST /open'],
    ['one among decided ones', [...DECIDED, ...OPEN.slice(1)], 'ALL /ruled'],
    [
      'two between decided ones',
      [...OPEN.slice(0, 1), ...DECIDED, ...OPEN.slice(1)],
      'POST /open, ALL /ruled',
    ],
  ])('T-095: asked to fail: %s is a ConfigError that names them and no other', (_, reports, names) => {
    const check = () => checkRoutes(reports, { failOnUndecided: true });
    expect(check).toThrow(ConfigError);
    expect(check).toThrow(`routes: undecided: ${names}; `);
  });
});

describe('T-095, route report: authenticateMarks()', () => {
  const MODES = ['strict', 'optional', 'permissive'] as const satisfies readonly AuthenticationMode[];
  let create: (mode?: AuthenticationMode) => Authenticator;

  beforeAll(async () => {
    const { publicJwk } = await generateSigningKey();
    create = (mode) =>
      createAuthenticator({
        keySets: [{ issuer: 'https://issuer.example', jwks: { keys: [publicJwk] } }],
        audience: null,
        ...defined({ mode }),
      });
  });

  it.each(
    [undefined, ...MODES].flatMap((mode) =>
      [undefined, ...MODES].map((override) => [mode, override, override ?? mode ?? 'strict'] as const),
    ),
  )('T-095: an authenticator of mode %s, overridden by %s: %s', (mode, override, expected) => {
    expect(authenticateMarks(create(mode), compileAccess(defined({ mode: override })))).toEqual([
      { kind: 'authenticate', mode: expected, by: expect.anything() },
    ]);
  });

  it.each(
    [undefined, ...MODES].flatMap((mode) =>
      [undefined, ...MODES].map((override) => [mode, override] as const),
    ),
  )('T-095: a tree over mode %s, overridden by %s, is strict all the same', (mode, override) => {
    const trees = [
      requireAll({ a: create(mode) }),
      requireAny({ a: create(mode), b: requireAll({ c: create(mode) }) }),
    ];
    for (const tree of trees) {
      expect(authenticateMarks(tree, compileAccess(defined({ mode: override })))).toEqual([
        { ...MARKS.strict, by: tree },
      ]);
    }
  });
});
