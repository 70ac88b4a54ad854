// `enforce`: what would be refused passes, is told, and is refused from the date on.

import { seeded } from '@latchkey/test-kit/random';
import { createClock, generateSigningKey, mint } from '@latchkey/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  authorizeRequest,
  compileAccess,
  compileRules,
  decide,
  type RequestParameters,
  verifyRequest,
} from '../../src/adapter/index.ts';
import {
  type AuthenticatorOptions,
  authorize,
  ConfigError,
  type Enforcement,
  isAuthError,
  type NamedRoute,
  type RouteAccess,
  type Rule,
  type Rules,
  reportOnly,
  requireAll,
  route,
} from '../../src/index.ts';
import { requestWith, startAuthenticator } from '../support/authenticators.ts';
import { eventsOf } from '../support/observed.ts';

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
const tokenOf = (claims: Parameters<typeof mint>[1]) =>
  mint(key, { iss: 'i', sub: 'alice', exp: NOW + 86_400, ...claims });

const LATER = new Date((NOW + 3_600) * 1000).toISOString();
const afterDate = () => clock.set((NOW + 3_600) * 1000);

/** The code of a refusal; `passed` if there is none. */
async function outcome(deciding: unknown) {
  try {
    await deciding;
    return 'passed';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error.code;
  }
}

const told = (code: string, claims: readonly string[], name?: string) => ({
  ...{ code, claims, namedRoute: name, route: undefined, framework: undefined },
});

describe('a rule', () => {
  it('lets pass what it would refuse, and tells of each request, cached ones too', async () => {
    const authenticator = create();
    const request = requestWith(await tokenOf({ roles: ['dev'] }));
    const events = eventsOf('latchkey:report-only');
    for (let time = 0; time < 3; time++)
      expect(
        await outcome(authenticator.authenticate(request, { claims: { roles: reportOnly(['admin']) } })),
      ).toBe('passed');
    expect(events).toEqual(Array(3).fill(told('claims_insufficient', ['roles'])));
  });

  it('tells where the request was made, with no listener of decisions', async () => {
    const authenticator = create();
    const token = await tokenOf({ roles: ['dev'] });
    const events = eventsOf('latchkey:report-only');
    const place = { framework: 'express', routeOf: ({ pattern }: { readonly pattern: string }) => pattern };
    const rules = { roles: reportOnly(['admin']) };
    const access = compileAccess({ claims: rules });
    const [request, other] = [requestWith(token), requestWith(token)];
    await decide(authenticator, request, access, place, { pattern: '/orders/:id' });
    const made = await decide(authenticator, other, compileAccess({}), place, { pattern: '/admin' });
    const principal = made.ok ? made.principal : undefined;
    authorizeRequest(other, principal, compileRules(rules));
    authorize(principal, rules, other as RequestParameters);
    authorize(principal, rules);
    await verifyRequest({ framework: 'mcp' }, () => authenticator.verify(token, rules));
    expect(events.map(({ framework, route }) => [framework, route])).toEqual([
      ['express', '/orders/:id'],
      ['express', '/admin'],
      ['express', '/admin'],
      [undefined, undefined],
      ['mcp', undefined],
    ]);
  });

  it('tells of no request that it would not refuse, and of none that another rule refuses', async () => {
    const authenticator = create();
    const request = requestWith(await tokenOf({ roles: ['admin'], dept: 'HR' }));
    const events = eventsOf('latchkey:report-only');
    const claims = { roles: reportOnly(['admin']), dept: 'HR' };
    expect(await outcome(authenticator.authenticate(request, { claims }))).toBe('passed');
    const others = { roles: reportOnly(['root']), dept: 'IT' };
    expect(await outcome(authenticator.authenticate(request, { claims: others }))).toBe(
      'claims_insufficient',
    );
    expect(events).toEqual([]);
  });

  it.each<[name: string, of: (enforce: Enforcement) => Rules]>([
    ['by name', (enforce) => ({ roles: { rule: ['admin'], enforce } })],
    ['optional', (enforce) => ({ roles: { rule: { optional: ['admin'] }, enforce } })],
    ['by path', (enforce) => [{ path: ['roles'], rule: ['admin'], enforce }]],
    ['inside a path', (enforce) => [{ path: ['roles'], rule: { rule: ['admin'], enforce } }]],
    ['a row', (enforce) => [{ name: 'roles', required: true, validate: true, value: 'admin', enforce }]],
  ])('%s, is enforced from its date on', async (_, of) => {
    const authenticator = create();
    const token = await tokenOf({ roles: ['dev'] });
    for (const claims of [of({ from: LATER }), compileRules(of({ from: LATER }))]) {
      clock.set(NOW * 1000);
      expect(await outcome(authenticator.verify(token, claims))).toBe('passed');
      afterDate();
      expect(await outcome(authenticator.verify(token, claims))).toBe('claims_insufficient');
    }
    expect(await outcome(authenticator.verify(token, of(false)))).toBe('passed');
  });

  it.each(['2026-12-31', '2026-12-31T00:00', '2026-12-31T00:00:00Z', '2026-12-31T02:00:00.000+02:00'])(
    'from %s: that is a time in UTC',
    async (from) => {
      const authenticator = create();
      const token = await tokenOf({ exp: NOW * 2, roles: ['dev'] });
      const rules = { roles: reportOnly(['admin'], { from }) };
      clock.set(Date.UTC(2026, 11, 31) - 1);
      expect(await outcome(authenticator.verify(token, rules))).toBe('passed');
      clock.set(Date.UTC(2026, 11, 31));
      expect(await outcome(authenticator.verify(token, rules))).toBe('claims_insufficient');
    },
  );

  it('on every token is told for cached tokens too, and enforced for them from its date on', async () => {
    const claims = { dept: reportOnly('IT', { from: LATER }), roles: reportOnly('admin') };
    const authenticator = create({ claims });
    const request = requestWith(await tokenOf({ dept: 'HR' }));
    const events = eventsOf('latchkey:report-only');
    for (let time = 0; time < 4; time++)
      expect(await outcome(authenticator.authenticate(request))).toBe('passed');
    expect(events).toEqual(Array(4).fill(told('token_claims_invalid', ['dept', 'roles'])));
    afterDate();
    for (let time = 0; time < 2; time++)
      expect(await outcome(authenticator.authenticate(request))).toBe('token_claims_invalid');
    expect(events).toHaveLength(4);
  });

  it('is one event with the rules of the route', async () => {
    const authenticator = create({ claims: { dept: reportOnly('IT') } });
    const events = eventsOf('latchkey:report-only');
    await authenticator.authenticate(requestWith(await tokenOf({})), {
      claims: { scope: reportOnly('read') },
    });
    expect(events).toEqual([told('token_claims_invalid', ['dept', 'scope'])]);
  });

  it('passes where it cannot be judged: a schema that throws, and no request to compare with', async () => {
    const authenticator = create();
    const events = eventsOf('latchkey:report-only');
    const thrower = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (): never => {
          throw new Error('broken');
        },
      },
    } as const;
    const rules = { a: reportOnly(thrower), b: reportOnly({ fromRequest: 'params.b' }) };
    expect(await outcome(authenticator.verify(await tokenOf({}), rules))).toBe('passed');
    expect(events).toEqual([told('claims_insufficient', ['a', 'b'])]);
  });

  it('keeps what its schema makes of a claim that it accepts', async () => {
    const authenticator = create();
    const doubled = {
      '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value: [value, value] }) },
    } as const;
    const { claims } = await authenticator.verify(await tokenOf({ a: 1 }), { a: reportOnly(doubled) });
    expect(claims.a).toEqual([1, 1]);
  });

  it('is not in a challenge, before its date', async () => {
    const authenticator = create({ realm: 'r' });
    const access = compileAccess({
      claims: [{ scope: 'read' }, { scope: reportOnly('write', { from: LATER }) }],
    });
    const challenge = async () => {
      const decision = await authenticator.decide(requestWith(), access);
      return decision.ok ? 'passed' : decision.error.headers['WWW-Authenticate'];
    };
    expect(await challenge()).toBe('Bearer realm="r", scope="read"');
    expect(await challenge()).toBe('Bearer realm="r", scope="read"');
    afterDate();
    expect(await challenge()).toBe('Bearer realm="r", scope="read write"');
  });

  it('needs a principal, as every set of rules does', async () => {
    const authenticator = create({ mode: 'optional' });
    const access = { claims: { roles: reportOnly('admin') } };
    expect(await outcome(authenticator.authenticate(requestWith(), access))).toBe('credentials_missing');
  });

  it('is told where a handler authorizes', async () => {
    const authenticator = create();
    const principal = await authenticator.authenticate(requestWith(await tokenOf({ roles: ['dev'] })));
    const events = eventsOf('latchkey:report-only');
    const rules = { roles: reportOnly('admin') };
    authorize(principal, rules);
    expect(authorizeRequest({}, principal, compileRules(rules))).toBe(principal);
    expect(events).toEqual(Array(2).fill(told('claims_insufficient', ['roles'])));
  });
});

describe('the access of a route', () => {
  const access: RouteAccess = {
    claims: { roles: ['admin'], dept: 'IT' },
    actors: false,
    acr: ['urn:mfa'],
    maxAge: '5m',
  };

  it('lets pass what its claims and requirements would refuse, until its date', async () => {
    const authenticator = create();
    const request = requestWith(await tokenOf({ act: { sub: 'gateway' }, dept: 'IT' }));
    const events = eventsOf('latchkey:report-only');
    const dated = compileAccess({ ...access, enforce: { from: LATER } });
    expect(await outcome(authenticator.authenticate(request, dated))).toBe('passed');
    expect(events).toEqual([told('claims_insufficient', ['roles'])]);
    afterDate();
    expect(await outcome(authenticator.authenticate(request, dated))).toBe('claims_insufficient');
    expect(events).toHaveLength(1);
  });

  it('lets an anonymous request pass where the mode does, and no invalid token', async () => {
    const authenticator = create();
    const events = eventsOf('latchkey:report-only');
    const forger = await generateSigningKey('ES256', 'one');
    const forged = requestWith(
      await mint(forger, { iss: 'i', sub: 'alice', exp: NOW + 60, roles: ['admin'] }),
    );
    const asked = { claims: { roles: ['admin'] }, enforce: false } as const;
    const ask = (request: typeof forged, mode: 'strict' | 'optional' | 'permissive') =>
      outcome(authenticator.authenticate(request, { ...asked, mode }));
    expect(await ask(requestWith(), 'strict')).toBe('credentials_missing');
    expect(await ask(forged, 'optional')).toBe('token_signature_invalid');
    expect(events).toEqual([]);
    expect(await ask(requestWith(), 'optional')).toBe('passed');
    expect(await ask(forged, 'permissive')).toBe('passed');
    expect(events).toEqual(Array(2).fill(told('credentials_missing', [])));
  });

  it('refuses an anonymous request from its date on, by the clock of the options', async () => {
    const authenticator = create({ mode: 'optional' });
    const dated = compileAccess({ claims: { roles: ['admin'] }, enforce: { from: LATER } });
    expect(await outcome(authenticator.authenticate(requestWith(), dated))).toBe('passed');
    afterDate();
    expect(await outcome(authenticator.authenticate(requestWith(), dated))).toBe('credentials_missing');
  });

  it('gives a handler the claims as if there were no rules', async () => {
    const authenticator = create();
    const text = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) => ({ value: String(value) }),
      },
    } as const;
    const request = requestWith(await tokenOf({ level: 4 }));
    const claims = { level: text, roles: ['admin'] };
    const principal = await authenticator.authenticate(request, { claims, enforce: false });
    expect(principal?.claims.level).toBe(4);
  });

  it('counts for a named route, which needs a principal', async () => {
    const admin: NamedRoute = { claims: { roles: ['admin'] }, acr: ['urn:mfa'], enforce: { from: LATER } };
    const authenticator = create({ routes: { admin }, mode: 'optional', realm: 'r' });
    const request = requestWith(await tokenOf({}));
    const events = eventsOf('latchkey:report-only');
    expect(await outcome(authenticator.authenticate(request, { claims: route('admin') }))).toBe('passed');
    expect(events).toEqual([told('authentication_insufficient', ['roles'], 'admin')]);
    const anonymous = authenticator.authenticate(requestWith(), { claims: route('admin') });
    expect(await outcome(anonymous)).toBe('credentials_missing');
    afterDate();
    expect(await outcome(authenticator.authenticate(request, { claims: route('admin') }))).toBe(
      'authentication_insufficient',
    );
  });

  it('may report a named route in one place', async () => {
    const authenticator = create({ routes: { admin: { claims: { roles: ['admin'] } } } });
    const request = requestWith(await tokenOf({}));
    const asked = { claims: route('admin'), enforce: false } as const;
    expect(await outcome(authenticator.authenticate(request, asked))).toBe('passed');
    expect(await outcome(authenticator.authenticate(request, { claims: route('admin') }))).toBe(
      'claims_insufficient',
    );
  });
});

describe('explain', () => {
  it('shows each check that would refuse, and tells no event', async () => {
    const authenticator = create({ claims: { dept: reportOnly('IT') } });
    const events = eventsOf('latchkey:report-only');
    const access = compileAccess({
      claims: { roles: ['admin'], sub: 'alice' },
      acr: ['urn:mfa'],
      enforce: false,
    });
    const { allowed, code, checks } = await authenticator.explain(await tokenOf({ roles: ['dev'] }), access);
    expect({ allowed, code }).toEqual({ allowed: true, code: undefined });
    expect(checks.filter(({ outcome: is }) => is === 'would refuse')).toEqual([
      expect.objectContaining({ check: 'claims', about: 'dept', code: 'token_claims_invalid' }),
      expect.objectContaining({ check: 'route', about: 'acr', code: 'authentication_insufficient' }),
      expect.objectContaining({ check: 'route', about: 'roles', code: 'claims_insufficient' }),
    ]);
    expect(checks.find(({ about }) => about === 'dept')?.expected).toBe('"IT" (report only)');
    expect(events).toEqual([]);
  });

  it('shows that an anonymous request would be refused', async () => {
    const authenticator = create({ mode: 'optional' });
    const access = compileAccess({ claims: { roles: ['admin'] }, enforce: false });
    const { allowed, checks } = await authenticator.explain(requestWith(), access);
    expect(allowed).toBe(true);
    expect(checks.at(-1)).toMatchObject({
      about: 'the caller',
      outcome: 'would refuse',
      code: 'credentials_missing',
    });
  });
});

describe('wrong values', () => {
  const refusal = (make: () => unknown): string => {
    try {
      make();
      return 'accepted';
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.message;
    }
  };

  it.each([
    ['true', true, "roles.enforce: expected false, or { from: '2026-12-31' }; leave it out"],
    ['a text', 'false', "roles.enforce: expected false, or { from: '2026-12-31' }, got a string"],
    ['no date', {}, 'roles.enforce.from: expected a date'],
    ['a day that is none', { from: '2026-02-30' }, 'roles.enforce.from: expected a date'],
    ['a date with a zone', { from: '2026-12-31Z' }, 'roles.enforce.from: expected a date'],
    ['another form of a date', { from: '31.12.2026' }, 'roles.enforce.from: expected a date'],
    ['an hour that is none', { from: '2026-12-31T25:00Z' }, 'roles.enforce.from: expected a date'],
    ['another member', { until: '2026-12-31' }, 'roles.enforce.until: unknown option'],
  ])('enforce is %s', (_, enforce, text) => {
    expect(refusal(() => compileRules({ roles: { rule: 'admin', enforce } as never }))).toContain(text);
  });

  it.each<[name: string, rules: unknown, text: string]>([
    ['next to a form', { a: { anyOf: ['b'], enforce: false } }, 'put the rule itself into rule'],
    ['in place of a rule', { a: 'b', enforce: false }, 'is read as a rule on a claim of this name'],
    ['with a date, in place of a rule', { enforce: { from: '2026-12-31' } }, 'is read as a rule'],
    [
      'inside itself',
      { a: { rule: { rule: 'b', enforce: false }, enforce: false } },
      'rule: expected one of',
    ],
    ...['aud', 'exp', 'nbf', 'iat', 'cnf'].flatMap((claim): [string, unknown, string][] => [
      [`on ${claim}`, { [claim]: { rule: 'b', enforce: false } }, `${claim} is always enforced`],
      [`on ${claim} by path`, [{ path: [claim], rule: 'b', enforce: false }], `${claim} is always enforced`],
    ]),
    ['on the time of a row', [{ name: 'exp', required: true, enforce: false }], 'exp is always enforced'],
  ])('a rule %s', (_, rules, text) => {
    expect(refusal(() => compileRules(rules as Rules))).toContain(text);
  });

  it.each<[access: NamedRoute, text: string]>([
    [{ issuers: ['i'] }, 'is not allowed next to issuers, which is always enforced'],
    [{ audience: 'a' }, 'is not allowed next to audience, which is always enforced'],
    [{ resource: 'a' }, 'is not allowed next to resource, which is always enforced'],
    [{ dpop: 'required' }, 'is not allowed next to dpop, which is always enforced'],
    [{ mutualTls: 'required' }, 'is not allowed next to mutualTls, which is always enforced'],
    [{ senderConstrained: 'allowed' }, 'is not allowed next to senderConstrained, which is always'],
    [{}, 'expected claims, actors, acr, maxAge next to it, got none'],
  ])('next to %o', (more, text) => {
    const claims = Object.keys(more).length === 0 ? {} : { claims: {} };
    const asked = { ...claims, ...more, enforce: false } as const;
    expect(refusal(() => compileAccess(asked))).toContain(`access.enforce: ${text}`);
    expect(refusal(() => create({ routes: { a: asked } }))).toContain(`routes.a.enforce: ${text}`);
  });

  it('is not for the rules of the sources of a combination', async () => {
    const combined = requireAll({ user: { from: create(), claims: { roles: ['admin'] } } });
    const request = requestWith(await tokenOf({ acr: 'urn:mfa' }));
    const asked: RouteAccess = { acr: ['urn:mfa'], enforce: false };
    expect(await outcome(combined.authenticate(request, asked))).toBe('claims_insufficient');
  });
});

describe('report-only on and off differ in nothing but the enforcement', () => {
  const CLAIMS = ['scope', 'roles', 'dept', 'floor'] as const;
  const RULES: readonly Rule[] = [
    'read',
    ['read', 'write'],
    4,
    { anyOf: ['read', 'admin'] },
    { noneOf: ['banned'] },
    { exactly: ['read'] },
    { pattern: '[a-m].*' },
    { present: true },
    { optional: 'read' },
  ];
  const VALUES = ['read', 'read write', ['read'], ['read', 'write'], ['banned'], 4, null, undefined, 'admin'];
  const random = seeded(24);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;

  /** Some rules, and which of them only report. */
  const draw = () => {
    const chosen = CLAIMS.filter(() => random() < 0.6).map((claim) => [claim, pick(RULES)] as const);
    const reporting = new Set(chosen.filter(() => random() < 0.5).map(([claim]) => claim));
    const all = Object.fromEntries(chosen);
    const enforced = Object.fromEntries(chosen.filter(([claim]) => !reporting.has(claim)));
    const marked = Object.fromEntries(
      chosen.map(([claim, rule]) => [claim, reporting.has(claim) ? { rule, enforce: false } : rule]),
    ) as Rules;
    return { all, enforced, marked };
  };

  it('for 600 drawn rules and tokens, alone and in the options', async () => {
    const authenticator = create();
    const events = eventsOf('latchkey:report-only');
    let reported = 0;
    for (let round = 0; round < 600; round++) {
      const { all, enforced, marked } = draw();
      const claims = Object.fromEntries(
        CLAIMS.map((claim) => [claim, pick(VALUES)] as const).filter(([, value]) => value !== undefined),
      );
      const token = await tokenOf({
        ...claims,
        scope: typeof claims.scope === 'string' ? claims.scope : 'read',
      });
      const deciders: ((rules: Rules) => Promise<unknown>)[] = [
        (rules) => authenticator.verify(token, rules),
      ];
      // The rules on every token are judged by the same code; fewer rounds are enough.
      if (round % 10 === 0)
        deciders.push(async (rules) => {
          const one = create({ claims: rules });
          return one.verify(token);
        });
      // As the access of a route, all of the rules report.
      const request = requestWith(token);
      events.length = 0;
      const asked = { claims: compileRules(all as Rules), enforce: false } as const;
      const passing = await authenticator.authenticate(request, asked);
      expect(passing).toEqual(await authenticator.authenticate(request));
      const strictly = await outcome(authenticator.authenticate(request, { claims: asked.claims }));
      expect(events.map((event) => event.code)).toEqual(strictly === 'passed' ? [] : [strictly]);
      for (const decide of deciders) {
        events.length = 0;
        const [off, without, on] = await Promise.allSettled([decide(all), decide(enforced), decide(marked)]);
        const code = (one: PromiseSettledResult<unknown>) =>
          one.status === 'fulfilled' ? 'passed' : (one.reason as { readonly code: string }).code;
        // As if there were only the rules that are enforced, down to the principal and the detail.
        expect(on).toEqual(without);
        const wouldRefuse = code(on) === 'passed' && code(off) !== 'passed';
        expect(events.map((event) => event.code)).toEqual(wouldRefuse ? [code(off)] : []);
        reported += events.length;
      }
    }
    // The draw reaches both sides.
    expect(reported).toBeGreaterThan(100);
  });
});
