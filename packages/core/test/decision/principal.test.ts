// The principal: what it takes from claims, what it refuses, and that code cannot change or forge
// one.
import { describe, expect, it } from 'vitest';
import { noneOf, optional, present, type Rules } from '../../src/claims/rules.ts';
import { authorize } from '../../src/decision/authorize.ts';
import { contextOf, createPrincipal, isPrincipal, signedClaims } from '../../src/decision/principal.ts';
import { AuthError } from '../../src/errors.ts';
import type { JsonObject, JsonValue } from '../../src/values/json.ts';

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
  ])('T-063: refuses %j', (claims) => {
    expect(codeOf(claims)).toBe('token_claims_invalid');
  });

  it.each<[groups: JsonValue, expected: readonly string[]]>([
    ['a', ['a']],
    ['a b,c', ['a b,c']],
    ['', []],
    [' ', []],
  ])('S52: groups %j are a list, in the claims too', (groups, expected) => {
    const principal = make({ ...CLAIMS, groups });
    expect(principal.groups).toEqual(expected);
    expect(principal.claims.groups).toEqual(expected);
    expect(signedClaims(principal).groups).toBe(groups);
    expect(Object.isFrozen(principal.claims.groups)).toBe(true);
  });

  it.each<[groups: JsonValue]>([
    [5],
    [0],
    [true],
    [false],
    [{}],
    [{ 0: 'a', length: 1 }],
    [['a', 5]],
    [[null]],
    [[['a']]],
  ])('S52: groups %j are none, and no rule on groups holds', (groups) => {
    const principal = make({ ...CLAIMS, groups });
    expect(principal.groups).toEqual([]);
    const [first] = [groups].flat();
    const literal = typeof first === 'string' || typeof first === 'number' ? first : 'a';
    for (const rule of [literal, [literal], noneOf('x'), optional(noneOf('x')), present(), /.*/])
      expect(() => authorize(principal, { groups: rule })).toThrow(
        expect.objectContaining({
          code: 'claims_insufficient',
          detail: 'groups is neither a list of texts nor one text, so it has no groups',
        }),
      );
    expect(() => authorize(principal, { sub: 'alice' })).not.toThrow();
  });

  it.each([
    ['admin dev', ' '],
    ['admin,dev', ','],
  ])('says of the groups %j that they are one text, and that split makes a list of it', (groups, split) => {
    const principal = make({ ...CLAIMS, groups });
    const refused = (detail: unknown) => expect.objectContaining({ code: 'claims_insufficient', detail });
    expect(() => authorize(principal, { groups: 'admin' })).toThrow(
      refused(expect.stringContaining('the claim is one text, so one group; to split it')),
    );
    expect(() => authorize(principal, { groups: { anyOf: ['root'], split } })).toThrow(
      refused('the rule on groups does not hold'),
    );
    authorize(principal, { groups: { anyOf: ['admin'], split } });
    authorize(principal, { groups });
  });

  it.each<[claims: { readonly [name: string]: JsonValue }]>([
    [{ _claim_names: { groups: 'src1' } }],
    [{ hasgroups: true }],
  ])('T-163: groups that are elsewhere are none, and no rule on groups holds: %j', (claims) => {
    const principal = make({ ...CLAIMS, ...claims });
    expect(principal.groups).toEqual([]);
    for (const rule of ['a', noneOf('x'), optional(noneOf('x'))])
      expect(() => authorize(principal, { groups: rule })).toThrow(
        expect.objectContaining({
          detail:
            'the groups are not in the token: _claim_names or hasgroups says that there are too many; get them from groups.directory or groups.endpoint',
        }),
      );
  });

  it('S52: a rule with split splits one text', () => {
    const principal = make({ ...CLAIMS, groups: 'a b' });
    const judge = (rule: unknown) => () => authorize(principal, { groups: rule } as Rules);
    expect(judge({ anyOf: ['b'], split: ' ' })).not.toThrow();
    expect(judge({ noneOf: ['b'], split: ' ' })).toThrow();
    expect(judge(['b'])).toThrow();
    expect(judge(['a b'])).not.toThrow();
    expect(judge({ exactly: ['a b'] })).not.toThrow();
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
