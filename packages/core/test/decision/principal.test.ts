// The principal: what it takes from claims, what it refuses, and that code cannot change or forge
// one.
import { describe, expect, it } from 'vitest';
import { contextOf, createPrincipal, isPrincipal } from '../../src/decision/principal.ts';
import { AuthError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/values/json.ts';

const CONTEXT = { space: undefined, delimiter: undefined, routes: new Map() };

const CLAIMS = { iss: 'https://issuer.example', sub: 'alice', exp: 1 };

function codeOf(claims: unknown): string | undefined {
  try {
    createPrincipal(claims as JsonObject, CONTEXT);
    return undefined;
  } catch (error) {
    if (error instanceof AuthError) return error.code;
    throw error;
  }
}

const make = (claims: unknown) => createPrincipal(claims as JsonObject, CONTEXT);

describe('what it takes from claims', () => {
  it('AK-1: issuer, subject and all claims', () => {
    const principal = make({ ...CLAIMS, dept: 'IT' });
    expect(principal.issuer).toBe('https://issuer.example');
    expect(principal.subject).toBe('alice');
    expect(principal.claims).toEqual({ ...CLAIMS, dept: 'IT' });
    expect(principal.scopes).toEqual([]);
    expect(principal.groups).toEqual([]);
  });

  it('AK-1: a token without iss and sub has neither', () => {
    const principal = make({});
    expect([principal.issuer, principal.subject]).toEqual([undefined, undefined]);
  });

  it.each<[claims: object, clientId: string | undefined]>([
    [{ client_id: 'app' }, 'app'],
    [{ azp: 'app' }, 'app'],
    [{ client_id: 'app', azp: 'other' }, 'app'],
    [{}, undefined],
  ])('RFC 9068 §2.2: the client of %o is %s', (claims, clientId) => {
    expect(make(claims).clientId).toBe(clientId);
    expect(Object.hasOwn(make(claims), 'clientId')).toBe(true);
  });

  it.each<[claims: object, maxTokenAgeMs: number | undefined, expiresAt: number | undefined]>([
    [{ exp: 2_000 }, undefined, 2_000],
    [{ exp: 2_000.5 }, undefined, 2_000.5],
    [{ exp: 2_000, iat: 1_000 }, 60_000, 1_060],
    [{ exp: 1_030, iat: 1_000 }, 60_000, 1_030],
    [{ iat: 1_000 }, 60_000, 1_060],
    [{ iat: 1_000 }, undefined, undefined],
    [{}, undefined, undefined],
  ])('%o with a maxTokenAge of %s ms expires at %s', (claims, maxTokenAgeMs, expiresAt) => {
    const principal = createPrincipal(claims as JsonObject, { ...CONTEXT, maxTokenAgeMs });
    expect(principal.expiresAt).toBe(expiresAt);
    expect(Object.hasOwn(principal, 'expiresAt')).toBe(true);
  });

  it('RFC 8693 §4.1: the outermost actor is the current one; the others are the chain', () => {
    const act = {
      sub: 'gateway',
      iss: 'https://i.example',
      client_id: 'gw',
      email: 'x',
      act: { sub: 'bff', act: { sub: 'app', iss: 'j' } },
    };
    const { actor } = make({ act });
    expect(actor).toEqual({
      subject: 'gateway',
      issuer: 'https://i.example',
      clientId: 'gw',
      chain: [
        { subject: 'bff', issuer: undefined, clientId: undefined },
        { subject: 'app', issuer: 'j', clientId: undefined },
      ],
    });
    for (const part of [actor, actor?.chain, ...(actor?.chain ?? [])])
      expect(part).toSatisfy(Object.isFrozen);
    expect(make({ act: { sub: 'gateway' } }).actor).toEqual({
      subject: 'gateway',
      issuer: undefined,
      clientId: undefined,
      chain: undefined,
    });
    expect(make({}).actor).toBeUndefined();
    expect(make(JSON.parse('{"__proto__":{"act":{"sub":"root"}}}')).actor).toBeUndefined();
  });

  it.each([
    null,
    'gateway',
    5,
    [],
    [{ sub: 'gateway' }],
    {},
    { iss: 'i' },
    { sub: '' },
    { sub: ' ' },
    { sub: 5 },
    { sub: 'a\nb' },
    { sub: 'a', iss: null },
    { sub: 'a', client_id: 5 },
    { sub: 'a', act: null },
    { sub: 'a', act: { sub: 'b', act: 'c' } },
    { sub: 'a', act: { iss: 'b' } },
  ])('act %o is refused', (act) => {
    expect(codeOf({ act })).toBe('token_claims_invalid');
  });

  it('T-014: inherited claims are none', () => {
    const inherited = Object.create({
      iss: 'x',
      sub: 'root',
      scope: 'admin',
      scp: ['admin'],
      groups: ['root'],
    });
    for (const claims of [
      inherited,
      JSON.parse('{"__proto__":{"sub":"root","scope":"admin","groups":["root"]}}'),
    ]) {
      const principal = make(claims);
      expect([principal.issuer, principal.subject]).toEqual([undefined, undefined]);
      expect([principal.scopes, principal.groups]).toEqual([[], []]);
    }
  });

  it.each<[unknown, readonly string[]]>([
    [{ scope: 'a b' }, ['a', 'b']],
    [{ scope: '' }, []],
    [{ scope: ' ' }, []],
    [{ scope: 'a  b ' }, ['a', 'b']],
    [{ scope: 'a\tb\nc\u00a0d' }, ['a\tb\nc\u00a0d']],
    [{ scope: 'a,b' }, ['a,b']],
    [{ scope: ['a', 'b'] }, ['a', 'b']],
    [{ scope: ['a b'] }, ['a b']],
    [{ scope: [] }, []],
    [{ scp: 'a b' }, ['a', 'b']],
    [{ scp: ['a', 'b'] }, ['a', 'b']],
    [{ scope: 'a', scp: 'b' }, ['a', 'b']],
    [{ scope: null, scp: 'b' }, ['b']],
    [{ scope: null }, []],
    [{ permissions: 'a b' }, []],
  ])('T-063: %j has the scopes %j', (claims, scopes) => {
    expect(make(claims).scopes).toEqual(scopes);
  });

  it.each<[unknown, readonly string[]]>([
    [{ groups: ['a', 'b'] }, ['a', 'b']],
    [{ groups: [] }, []],
    [{ groups: null }, []],
    [{}, []],
    [{ groups: ['a b'] }, ['a b']],
  ])('S52: %j has the groups %j', (claims, groups) => {
    expect(make(claims).groups).toEqual(groups);
  });

  it.each<[unknown]>([
    [{ scope: 5 }],
    [{ scope: 0 }],
    [{ scope: true }],
    [{ scope: false }],
    [{ scope: {} }],
    [{ scope: ['a', 5] }],
    [{ scope: ['a', null] }],
    [{ scope: [['a']] }],
    [{ scp: 5 }],
    [{ scp: [1] }],
    [{ groups: 'a' }],
    [{ groups: '' }],
    [{ groups: 'a b' }],
    [{ groups: 5 }],
    [{ groups: false }],
    [{ groups: {} }],
    [{ groups: { 0: 'a', length: 1 } }],
    [{ groups: ['a', 5] }],
    [{ groups: [null] }],
    [{ groups: [['a']] }],
  ])('S52, T-063: refuses %j', (claims) => {
    expect(codeOf(claims)).toBe('token_claims_invalid');
  });
});

describe('it cannot be changed', () => {
  it('T-107: it is frozen to its leaves', () => {
    const principal = make({ ...CLAIMS, scope: 'a', groups: ['g'], nested: { list: [{ deep: [1] }] } });
    const walk = (value: unknown): unknown[] =>
      typeof value === 'object' && value !== null ? [value, ...Object.values(value).flatMap(walk)] : [];
    const objects = walk(principal);
    expect(objects).toHaveLength(9);
    expect(objects.every((value) => Object.isFrozen(value))).toBe(true);
  });

  it.each<[string, (principal: ReturnType<typeof make>) => void]>([
    ['the subject', (principal) => Object.assign(principal, { subject: 'root' })],
    ['a scope', (principal) => (principal.scopes as string[]).push('admin')],
    ['a group', (principal) => (principal.groups as string[]).push('root')],
    ['a claim', (principal) => Object.assign(principal.claims, { admin: true })],
    ['an item of a claim', (principal) => (principal.claims.groups as string[]).push('root')],
  ])('T-107: setting %s throws', (_, change) => {
    const principal = make({ ...CLAIMS, scope: 'a', groups: ['g'] });
    expect(() => change(principal)).toThrow(TypeError);
  });
});

describe('it cannot be forged', () => {
  it('T-108: what an authenticator made is known', () => {
    expect(isPrincipal(make(CLAIMS))).toBe(true);
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'alice'],
    ['an object with the same members', { issuer: 'x', subject: 'root', scopes: [], groups: [], claims: {} }],
    ['a copy', { ...make(CLAIMS) }],
    ['what came through JSON', JSON.parse(JSON.stringify(make(CLAIMS)))],
    ['a structured clone', structuredClone({ ...make(CLAIMS) })],
    ['the claims', make(CLAIMS).claims],
    [
      'an object with the name of the symbol',
      { '@latchkey/Principal': null, 'Symbol(@latchkey/Principal)': null },
    ],
  ])('T-108: %s is no principal', (_, value) => {
    expect(isPrincipal(value)).toBe(false);
  });

  it.each([
    ['api', 'api'],
    [undefined, undefined],
  ])('RFC 9110 §11.5: remembers the realm %s', (realm, expected) => {
    const principal = createPrincipal(CLAIMS, {
      ...CONTEXT,
      space: { realm, resourceMetadata: undefined, isExposed: false },
    });
    expect(contextOf(principal)?.space?.realm).toBe(expected);
    expect(JSON.stringify(principal)).not.toContain('api');
    expect(Object.keys(principal).join(' ')).toBe(
      'issuer subject clientId expiresAt actor scopes groups claims',
    );
  });
});
