// Which groups of a claim count (trust, reserved, groupCase), and rules on groups.
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import {
  allOf,
  anyOf,
  at,
  authorize,
  createAuthenticator,
  exactly,
  type GroupsOptions,
  isAuthError,
  noneOf,
  optional,
  type Principal,
  present,
  type Rules,
} from '../../src/index.ts';
import type { JsonValue } from '../../src/values/json.ts';
import { defined } from '../support/defined.ts';
import { groupsOf, ISSUER, PARTNER, SYSTEM, source, start, startForAll, token } from './sources.ts';

describe('D17: trust, for the claims of an issuer', () => {
  it.each<[title: string, trust: GroupsOptions['trust'], expected: readonly string[]]>([
    ['every issuer, by default', undefined, ['admins', 'dev']],
    ['all', { [ISSUER]: 'all' }, ['admins', 'dev']],
    ['only', { [ISSUER]: { only: ['dev', 'ops'] } }, ['dev']],
    ['prefix', { [ISSUER]: { prefix: 'idp:' } }, ['idp:admins', 'idp:dev']],
    ['only and prefix', { [ISSUER]: { only: ['dev'], prefix: 'idp:' } }, ['idp:dev']],
    ['only others', { [ISSUER]: { only: ['idp:dev', 'de', 'DEV'] } }, []],
  ])('%s', async (_, trust, expected) => {
    expect(await groupsOf(start(defined({ trust })), { groups: ['admins', 'dev'] })).toEqual(expected);
  });

  it.each<[title: string, trust: NonNullable<GroupsOptions['trust']>]>([
    ['none', { [ISSUER]: 'none' }],
    ['another one', { [PARTNER]: 'all' }],
    ['no issuer', {}],
    ['similar names', { [`${ISSUER}/`]: 'all', 'https://ISSUER.example': 'all' }],
    [
      'names that every object inherits',
      JSON.parse('{"toString":"all","constructor":"all","__proto__":"all"}'),
    ],
  ])('an issuer without trust: its claim is not read: %s', async (_, trust) => {
    const directory = source(['from-directory']);
    for (const groups of [['root'], 'root', 5, null]) {
      expect(await groupsOf(start(defined({ trust })), { groups })).toEqual([]);
      expect(await groupsOf(start({ trust, directory }), { groups })).toEqual(['from-directory']);
    }
  });

  it('without trust, groups elsewhere are not a 503', async () => {
    expect(await groupsOf(start({ trust: {} }), { hasgroups: true })).toEqual([]);
  });

  it('each issuer has its own trust', async () => {
    const authenticator = start({ trust: { [ISSUER]: 'all', [PARTNER]: { prefix: 'partner:' } } });
    expect(await groupsOf(authenticator, { groups: ['dev'] })).toEqual(['dev']);
    expect(await groupsOf(authenticator, { groups: ['dev'] }, PARTNER)).toEqual(['partner:dev']);
  });

  it('a token without issuer has no trust', async () => {
    const trust = { undefined: 'all', '': 'all', null: 'all', [ISSUER]: 'all' } as const;
    expect(await groupsOf(startForAll({ trust }), { iss: undefined, groups: ['root'] })).toEqual([]);
  });

  it('a keyset of the system needs no trust', async () => {
    const authenticator = start({ trust: {}, reserved: ['root'] });
    expect(await groupsOf(authenticator, { groups: ['root', 'dev'] }, SYSTEM)).toEqual(['root', 'dev']);
  });
});

describe('D16, D17: reserved groups', () => {
  it('are taken out of every claim but that of the system; a directory may grant them', async () => {
    const reserved = ['root', 'wheel'];
    const directory = source(['root', 'dev']);
    for (const trust of [undefined, { [ISSUER]: 'all', [PARTNER]: 'all' }] as const) {
      const authenticator = start({ reserved, ...defined({ trust }), directory });
      expect(await groupsOf(authenticator, { groups: ['root', 'dev', 'wheel'] })).toEqual(['dev']);
      expect(await groupsOf(authenticator, { groups: ['root'] }, PARTNER)).toEqual([]);
      expect(await groupsOf(authenticator, { groups: ['root'] }, SYSTEM)).toEqual(['root']);
      expect(await groupsOf(authenticator)).toEqual(['root', 'dev']);
    }
  });

  it('cannot be put together from a prefix', async () => {
    const authenticator = start({ reserved: ['root'], trust: { [ISSUER]: { prefix: 'ro' } } });
    expect(await groupsOf(authenticator, { groups: ['ot', 'root'] })).toEqual(['roroot']);
  });

  it('are reserved in any case, where groupCase is insensitive', async () => {
    const authenticator = start({ reserved: ['Root'], groupCase: 'insensitive' });
    expect(await groupsOf(authenticator, { groups: ['root', 'ROOT', 'rOOt', 'dev'] })).toEqual(['dev']);
    const trust = { [ISSUER]: { prefix: 'RO' } };
    const prefixed = start({ reserved: ['ROOT'], groupCase: 'insensitive', trust });
    expect(await groupsOf(prefixed, { groups: ['Ot'] })).toEqual([]);
  });

  it('a group that looks like a reserved one is another, and satisfies no rule on it', async () => {
    const authenticator = start({ reserved: ['root'] });
    for (const group of ['Root', 'root ', ' root', 'roοt', 'ｒoot', 'root\u200b', 'root\0']) {
      const one = await token({ groups: [group] });
      expect((await authenticator.verify(one)).groups).toEqual([group]);
      await expect(authenticator.verify(one, { groups: 'root' })).rejects.toMatchObject({ status: 403 });
    }
  });
});

describe('S53: groupCase', () => {
  it('sensitive by default', async () => {
    const authenticator = start({ directory: source(['Dev', 'dev']) });
    expect(await groupsOf(authenticator, { groups: ['Dev', 'dev'] })).toEqual(['Dev', 'dev']);
    expect(await groupsOf(authenticator)).toEqual(['Dev', 'dev']);
  });

  it('insensitive: lower case, once each, whatever their source', async () => {
    const authenticator = start({ directory: source(['Dev', 'DEV', 'Ops']), groupCase: 'insensitive' });
    expect(await groupsOf(authenticator, { groups: ['Dev', 'dev'] })).toEqual(['dev']);
    expect(await groupsOf(authenticator)).toEqual(['dev', 'ops']);
    await expect(authenticator.verify(await token(), { groups: 'dev' })).resolves.toBeDefined();
  });

  it('insensitive: `only` names groups in any case too', async () => {
    const authenticator = start({ groupCase: 'insensitive', trust: { [ISSUER]: { only: ['Dev'] } } });
    expect(await groupsOf(authenticator, { groups: ['DEV'] })).toEqual(['dev']);
  });
});

describe('S53: a rule on groups in another case than groupCase makes', () => {
  const groups = { groupCase: 'insensitive' } as const;

  it.each<Rules>([{ groups: { noneOf: ['Banned'] } }, { groups: 'Banned' }, { groups: ['dev', 'Banned'] }])(
    'lets no token pass: %j',
    async (rules) => {
      const one = await token({ groups: ['banned'] });
      const authenticator = start(groups);
      await expect(authenticator.verify(one, rules)).rejects.toThrow("write 'banned' for 'Banned'");
      const principal = await authenticator.verify(one);
      expect(() => authorize(principal, rules)).toThrow(TypeError);
      // Without groupCase 'Banned' is another group.
      await expect(start({}).verify(one, { groups: { noneOf: ['Banned'] } })).resolves.toBeDefined();
    },
  );

  it('of a named route is refused at start', () => {
    const routes = { members: { claims: { groups: { noneOf: ['Banned'] } } } };
    const build = () =>
      createAuthenticator({
        keySets: [{ issuer: 'https://issuer.example', useOidcDiscovery: true }],
        audience: null,
        groups,
        routes,
      });
    expect(build).toThrow('routes.members.claims.groups: expected groups in lower case');
  });
});

describe('S53: characters that look like a letter', () => {
  it.each([
    ['KELVIN SIGN', 'tas\u212as', 'tasks'],
    ['LATIN SMALL LETTER LONG S', 'task\u017f', 'tasks'],
    ['LATIN CAPITAL LETTER SHARP S', 'stra\u1e9ee', 'straße'],
    ['OHM SIGN', '\u2126mega', 'ωmega'],
    ['LATIN CAPITAL LETTER I WITH DOT ABOVE', 'adm\u0130n', 'admin'],
    ['LATIN SMALL LETTER DOTLESS I', 'adm\u0131n', 'admin'],
  ])('%s is not that letter', async (_, lookalike, group) => {
    const options = { groupCase: 'insensitive' } as const;
    expect(await groupsOf(start(options), { groups: [lookalike] })).not.toContain(group);
    const looked = start({ ...options, directory: source([lookalike]), order: ['directory'] });
    expect(await groupsOf(looked)).not.toContain(group);
    const trusting = start({ ...options, trust: { [ISSUER]: { only: [group] } } });
    expect(await groupsOf(trusting, { groups: [lookalike] })).toEqual([]);
  });

  it('letters beyond ASCII have two cases too', async () => {
    const authenticator = start({ groupCase: 'insensitive', reserved: ['Ärzte'] });
    expect(await groupsOf(authenticator, { groups: ['ÄRZTE', 'ärzte', 'ΩMEGA', 'Ωmega'] })).toEqual([
      'ωmega',
    ]);
  });
});

describe('a rule on groups', () => {
  const judge = (principal: Principal, rules: Rules) => {
    try {
      authorize(principal, rules);
      return true;
    } catch (error) {
      if (isAuthError(error)) return false;
      throw error;
    }
  };

  it('compares the groups that were found, and never a claim without trust', async () => {
    const directory = source(['dev', 'ops']);
    for (const groups of [['root'], 'root', null, undefined]) {
      const principal = await start({ directory, trust: {} }).verify(await token({ groups }));
      expect(principal.groups).toEqual(['dev', 'ops']);
      const table: readonly [rules: Rules, holds: boolean][] = [
        [{ groups: 'root' }, false],
        [{ groups: 'dev' }, true],
        [{ groups: ['dev', 'ops'] }, true],
        [{ groups: ['dev', 'root'] }, false],
        [{ groups: allOf('dev', 'ops') }, true],
        [{ groups: allOf('root') }, false],
        [{ groups: anyOf('root', 'ops') }, true],
        [{ groups: anyOf('root', 'admin') }, false],
        [{ groups: noneOf('root') }, true],
        [{ groups: noneOf('dev') }, false],
        [{ groups: exactly('ops', 'dev') }, true],
        [{ groups: exactly('dev') }, false],
        [{ groups: /^d.*$/ }, true],
        [{ groups: /^r.*$/ }, false],
        [{ groups: present() }, true],
        [{ groups: optional(allOf('root')) }, false],
        [at(['groups'], 'root') as unknown as Rules, false],
        [[{ path: ['groups'], rule: 'root' }] as unknown as Rules, false],
        [[{ path: ['groups'], rule: 'dev' }] as unknown as Rules, true],
        [z.object({ groups: z.array(z.literal('root')) }) as unknown as Rules, false],
        [z.object({ groups: z.array(z.enum(['dev', 'ops'])) }) as unknown as Rules, true],
      ];
      for (const [index, [rules, holds]] of table.entries())
        expect(judge(principal, rules), `rule ${index}`).toBe(holds);
    }
  });

  it('without groups: rules that need a group fail, and noneOf holds', async () => {
    const principal = await start({ directory: source([]), trust: {} }).verify(
      await token({ groups: ['dev'] }),
    );
    expect(judge(principal, { groups: 'dev' })).toBe(false);
    expect(judge(principal, { groups: anyOf('dev') })).toBe(false);
    expect(judge(principal, { groups: allOf('dev') })).toBe(false);
    // The subject has no groups, which is known here.
    expect(judge(principal, { groups: noneOf('dev') })).toBe(true);
  });

  it('reserved groups satisfy a rule only for the system', async () => {
    const authenticator = start({ reserved: ['root'] });
    const verify = async (issuer: string) =>
      authenticator.verify(await token({ groups: ['root'] }, issuer), { groups: 'root' });
    await expect(verify(ISSUER)).rejects.toMatchObject({ code: 'claims_insufficient' });
    await expect(verify(SYSTEM)).resolves.toMatchObject({ groups: ['root'] });
  });

  it('is named groups, also if the option claim has another name', async () => {
    const authenticator = start({ claim: 'roles', reserved: ['root'] });
    const principal = await authenticator.verify(await token({ roles: ['root', 'dev'], groups: ['root'] }));
    expect(principal.groups).toEqual(['dev']);
    expect(judge(principal, { groups: 'root' })).toBe(false);
    expect(judge(principal, { groups: 'dev' })).toBe(true);
  });

  it.each<[title: string, groups: JsonValue | undefined]>([
    ['a claim without trust', ['root']],
    ['no claim at all', undefined],
  ])('the types of claims.groups fit what was compared: %s', async (_, groups) => {
    const authenticator = start({ directory: source(['dev']), trust: {} });
    const principal = await authenticator.verify(await token({ groups }), { groups: allOf('dev') });
    expectTypeOf(principal.claims.groups).toExtend<readonly unknown[]>();
    expect(principal.claims.groups).toEqual(['dev']);
  });

  it('leaves the other claims unchanged', async () => {
    const one = await token({ dept: 'IT', scope: 'a b' });
    const principal = await start({ directory: source(['dev']) }).verify(one, {
      dept: 'IT',
      scope: 'a',
      groups: 'dev',
    });
    expect(principal).toMatchObject({ subject: 'alice', issuer: ISSUER, scopes: ['a', 'b'] });
    expect(Object.isFrozen(principal.groups)).toBe(true);
  });
});
