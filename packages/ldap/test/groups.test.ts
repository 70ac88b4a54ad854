// Groups from a real OpenLDAP: the groups of subjects, and that unusual subjects get no groups of
// others.
import { ConfigError, createAuthenticator } from '@latchkey/core';
import { ENTRIES, GROUPS, INJECTIONS, ODD, PEOPLE, person, unit } from '@latchkey/test-kit/directory';
import { hasSlapd, type LdifEntry, READER, type Slapd, SUFFIX, startSlapd } from '@latchkey/test-kit/slapd';
import { createIssuer, type MintClaims } from '@latchkey/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyOf, parseDn } from '../src/dn.ts';
import type { LdapGroupsOptions } from '../src/index.ts';
import { closeAll, create, failureOf, resolve, waiting } from './helpers.ts';

const MANY = Array.from({ length: 1_500 }, (_, index) => `many-${index}`);

const sorted = (names: readonly string[] | undefined) => names && [...names].sort();

beforeEach(() => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});

afterEach(async () => {
  vi.restoreAllMocks();
  await closeAll();
});

describe.skipIf(!hasSlapd)('a real OpenLDAP', () => {
  let slapd: Slapd;

  beforeAll(async () => {
    slapd = await startSlapd({ entries: withMemberOf([...ENTRIES, ...REFERRALS]) });
  });

  afterAll(() => slapd?.close());

  const make = (options: Partial<LdapGroupsOptions> = {}) =>
    create(slapd.url, { unsafeAllowCleartext: true, ...options });

  describe('OK-19 groups of a subject', () => {
    it('are those of its entry, and the groups of these groups, also if they contain each other', async () => {
      expect(sorted(await resolve(make(), 'alice'))).toEqual(['company', 'everybody', 'staff']);
    });

    it('are those that list it as a member, if groups are not nested', async () => {
      const groups = { base: GROUPS, nested: false };
      expect(sorted(await resolve(make({ groups }), 'alice'))).toEqual(['staff']);
    });

    it('are empty for a user without groups', async () => {
      expect(await resolve(make(), 'lonely')).toEqual([]);
    });

    it('are undefined for an unknown subject', async () => {
      expect(await resolve(make(), 'nobody')).toBeUndefined();
    });

    it('are the same with groups.via', async () => {
      const [searched, read] = [make(), make({ groups: { base: GROUPS, via: 'memberOf' } })];
      for (const subject of ['alice', 'bob', 'lonely', 'many', 'nobody', ...ODD]) {
        const expected = sorted(await resolve(searched, subject));
        expect([subject, sorted(await resolve(read, subject))]).toEqual([subject, expected]);
      }
    });

    it('are found with groups.via without nested groups', async () => {
      const groups = make({ groups: { base: GROUPS, via: 'memberOf', nested: false, name: 'dn' } });
      expect(await resolve(groups, 'alice')).toEqual([`cn=staff,${GROUPS}`]);
    });

    it('are those that satisfy the filter, with groups.member and groups.via', async () => {
      const filter = '(|(cn=staff)(cn=every*))';
      for (const via of [undefined, 'memberOf']) {
        const groups = make({ groups: { base: GROUPS, filter, ...(via && { via }) } });
        expect(sorted(await resolve(groups, 'alice'))).toEqual(['staff']);
      }
    });

    it('are those of users that satisfy users.filter', async () => {
      const users = { base: PEOPLE, filter: '(sn=Z\\c3\\bcrich)' };
      expect(await resolve(make({ users }), 'zurich')).toEqual([]);
      expect(await resolve(make({ users }), 'alice')).toBeUndefined();
    });

    it('are looked up for the issuers that are listed', async () => {
      const groups = make({ issuers: ['https://issuer.example'] });
      expect(await resolve(groups, 'alice')).toHaveLength(3);
      for (const issuer of ['https://partner.example', 'https://issuer.example/', undefined]) {
        expect(await groups.resolve({ subject: 'alice', issuer }, waiting())).toBeUndefined();
      }
    });

    it('are those of the principal, if its token has none', async () => {
      const issuer = await createIssuer();
      const authenticator = createAuthenticator({
        keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
        audience: issuer.audience,
        groups: { directory: make() },
      });
      try {
        const groupsOf = async (claims: MintClaims) =>
          (await authenticator.verify(await issuer.mint(claims))).groups;
        expect(sorted(await groupsOf({ sub: 'alice' }))).toEqual(['company', 'everybody', 'staff']);
        expect(await groupsOf({ sub: 'alice', groups: ['own'] })).toEqual(['own']);
        await expect(groupsOf({ sub: 'alice*' })).rejects.toMatchObject({ code: 'token_rejected' });
        await expect(groupsOf({ sub: 'twice' })).rejects.toMatchObject({ code: 'groups_unavailable' });
      } finally {
        await authenticator.close();
        await issuer.close();
      }
    });

    it('are found by any attribute with members', async () => {
      const groups = { base: `ou=unique,${SUFFIX}`, member: 'uniqueMember' };
      expect(await resolve(make({ groups }), 'alice')).toEqual(['unique', 'above']);
    });

    it('are named by any attribute', async () => {
      const users = { base: PEOPLE, attribute: 'cn' };
      expect(sorted(await resolve(make({ users }), 'alice'))).toEqual(['company', 'everybody', 'staff']);
    });
  });

  describe('row 156 row 157 R18 a subject is only a value', () => {
    it('a list of 60 or more', () => {
      expect(INJECTIONS.length).toBeGreaterThanOrEqual(60);
    });

    it.each(INJECTIONS.map((subject) => [subject]))('%j is unknown', async (subject) => {
      expect(await resolve(make(), subject)).toBeUndefined();
      expect(await resolve(make({ groups: { base: GROUPS, via: 'memberOf' } }), subject)).toBeUndefined();
    });

    it.each(ODD.map((uid, index) => [uid, index] as const))(
      '%j is a known subject, with its own groups',
      async (uid, index) => {
        expect(await resolve(make(), uid)).toEqual([`odd-${index}`]);
      },
    );

    it('other subjects do not get these groups', async () => {
      const groups = make();
      for (const subject of INJECTIONS) await resolve(groups, subject);
      expect(sorted(await resolve(groups, 'alice'))).toEqual(['company', 'everybody', 'staff']);
      expect(groups.report()).toMatchObject({ connected: true, failures: 0 });
    });

    it('an empty subject, a long one and a lone surrogate are unknown, without a request', async () => {
      const groups = make();
      for (const subject of ['', 'a'.repeat(1_025), '*'.repeat(65_536), 'alice\ud800']) {
        expect(await resolve(groups, subject)).toBeUndefined();
      }
      expect(groups.report().connected).toBe(false);
    });

    it('with ignoreCase, other cases are the same subject, and other widths are not', async () => {
      const groups = make({ users: { base: PEOPLE, ignoreCase: true } });
      for (const subject of ['ALICE', 'Alice', 'alice'])
        expect(await resolve(groups, subject)).toHaveLength(3);
      for (const subject of [' alice', 'ａｌｉｃｅ', 'al\u00adice', 'alice\0']) {
        expect(await resolve(groups, subject)).toBeUndefined();
      }
    });
  });

  describe('row 158 exactly one entry', () => {
    it('two entries of one subject are an error', async () => {
      const message = 'more than one entry has this subject';
      expect((await failureOf(resolve(make(), 'twice'))).message).toBe(message);
      expect((await failureOf(resolve(make(), 'thrice'))).message).toBe(message);
    });

    it('one of them is found with a narrower base', async () => {
      const users = { base: `ou=contractors,${PEOPLE}` };
      expect(await resolve(make({ users }), 'twice')).toEqual([]);
      expect(await resolve(make({ users }), 'alice')).toBeUndefined();
    });

    it('the connection works after an error', async () => {
      const groups = make();
      await failureOf(resolve(groups, 'twice'));
      expect(await resolve(groups, 'alice')).toHaveLength(3);
      expect(groups.report().connected).toBe(true);
    });

    it('groups nested deeper than the limit are an error, and those at the limit are not', async () => {
      expect((await failureOf(resolve(make(), 'deep'))).message).toBe('the groups are nested deeper than 16');
      expect((await failureOf(resolve(make({ maxDepth: 19 }), 'deep'))).message).toBe(
        'the groups are nested deeper than 19',
      );
      const viaMemberOf = { base: GROUPS, via: 'memberOf' };
      expect((await failureOf(resolve(make({ maxDepth: 19, groups: viaMemberOf }), 'deep'))).message).toBe(
        'the groups are nested deeper than 19',
      );
      expect(await resolve(make({ maxDepth: 20 }), 'deep')).toHaveLength(20);
      expect(await resolve(make({ maxDepth: 20, groups: viaMemberOf }), 'deep')).toHaveLength(20);
      expect(await resolve(make({ maxDepth: 3 }), 'alice')).toHaveLength(3);
      expect((await failureOf(resolve(make({ maxDepth: 2 }), 'alice'))).message).toContain('deeper than 2');
    });

    it('a group that is its own member is returned once', async () => {
      const groups = make({ groups: { base: GROUPS, filter: '(cn=itself)' }, maxDepth: 1 });
      expect(await resolve(groups, 'bob')).toEqual(['itself']);
    });

    it.each([['people'], ['groups']])(
      'a referral under %s is not followed, and is an error',
      async (tree) => {
        const base = `ou=${tree},ou=referring,${SUFFIX}`;
        const options = tree === 'people' ? { users: { base } } : { groups: { base } };
        const failure = await failureOf(resolve(make(options), 'alice'));
        expect(failure.message).toBe(
          'the directory answered with a referral, and referrals are not followed',
        );
      },
    );

    it('a base that is a referral is an error', async () => {
      const users = { base: `ou=away,ou=referring,${SUFFIX}` };
      const failure = await failureOf(resolve(make({ users }), 'alice'));
      expect(failure.message).toBe('the directory answered with a referral, and referrals are not followed');
    });
  });

  describe('row 159 names of groups', () => {
    it('are only those of groups under the base', async () => {
      const elsewhere = make({ groups: { base: `ou=elsewhere,${SUFFIX}` } });
      expect(await resolve(elsewhere, 'alice')).toEqual(['admins']);
      expect(await resolve(make(), 'alice')).not.toContain('admins');
    });

    it('are equal for two groups of one CN under the base, and differ as DNs', async () => {
      expect((await resolve(make(), 'bob'))?.filter((name) => name === 'admins')).toHaveLength(1);
      for (const via of [undefined, 'memberOf']) {
        const byDn = make({ groups: { base: GROUPS, name: 'dn', ...(via && { via }) } });
        expect(sorted(await resolve(byDn, 'bob'))).toEqual(
          sorted([
            `cn=admins,${GROUPS}`,
            `cn=admins,ou=emea,${GROUPS}`,
            `cn=company,${GROUPS}`,
            `cn=everybody,${GROUPS}`,
            `cn=itself,${GROUPS}`,
            `cn=R&D\\, \\"Core\\" \\+ \\<Tools\\>,${GROUPS}`,
            `cn=staff,${GROUPS}`,
          ]),
        );
      }
    });

    it('are all values of the attribute', async () => {
      const groups = make({ groups: { base: `ou=named,${SUFFIX}` } });
      expect(sorted(await resolve(groups, 'alice'))).toEqual(['one', 'two']);
    });

    it('are an error if a group does not have the attribute', async () => {
      const groups = make({ groups: { base: GROUPS, name: 'description' } });
      expect((await failureOf(resolve(groups, 'alice'))).message).toBe(
        'the entry of a group has no attribute with the name in groups.name',
      );
    });
  });

  describe('row 163 all groups or an error', () => {
    it('1,500 groups are read completely, in pages', async () => {
      for (const pageSize of [500, 77]) {
        const before = slapd.log.length;
        expect(sorted(await resolve(make({ pageSize }), 'many'))).toEqual(sorted(MANY));
        await vi.waitFor(() => {
          const pages = slapd.log.slice(before).filter((line) => line.includes(`nentries=${pageSize} `));
          // The first answer is the one without pages.
          expect(pages).toHaveLength(Math.floor(1_500 / pageSize) + (pageSize === 500 ? 1 : 0));
        });
      }
    });

    it('the lookup fails if the directory returns only a part', async () => {
      const failure = await failureOf(resolve(make({ pageSize: 1_501 }), 'many'));
      expect(failure.message).toBe(
        'the search for groups failed: result code 11, administrative limit exceeded',
      );
    });

    it('more groups than the limit are an error, and exactly the limit is not', async () => {
      for (const via of [undefined, 'memberOf']) {
        const groups = { base: GROUPS, ...(via && { via }) };
        expect(await resolve(make({ groups, maxGroups: 1_500 }), 'many')).toHaveLength(1_500);
        expect((await failureOf(resolve(make({ groups, maxGroups: 1_499 }), 'many'))).message).toBe(
          'the subject has more than 1499 groups',
        );
      }
    });

    it.each<[string, string, Partial<LdapGroupsOptions>]>([
      ['users.base', 'result code 32, no such object', { users: { base: `ou=gone,${SUFFIX}` } }],
      ['groups.base', 'result code 32, no such object', { groups: { base: `ou=gone,${SUFFIX}` } }],
      ['users.attribute', 'does not know it', { users: { base: PEOPLE, attribute: 'noSuchThing' } }],
      ['groups.member', 'does not know it', { groups: { base: GROUPS, member: 'noSuchThing' } }],
      ['users.attribute', 'does not know it', { groups: { base: GROUPS, via: 'noSuchThing' } }],
      ['groups.nested', 'for Active Directory', { groups: { base: GROUPS, nested: 'in-chain' } }],
    ])('%s that would find no entry is an error: %s', async (path, problem, options) => {
      const groups = make(options);
      const failure = await failureOf(groups.ready());
      expect(failure.message).toContain(path);
      expect(failure.message).toContain(problem);
      expect((await failureOf(resolve(groups, 'alice'))).message).toBe(failure.message);
      expect(groups.report()).toMatchObject({ connected: false, lastFailure: failure.message });
    });

    it('an attribute under another of its names is an error', async () => {
      const groups = make({ users: { base: PEOPLE, attribute: 'userid' } });
      expect((await failureOf(resolve(groups, 'alice'))).message).toBe(
        "the user's entry has no attribute with the name in users.attribute",
      );
    });
  });

  describe('the reader', () => {
    it('binds once, and is ready', async () => {
      const groups = make();
      const before = slapd.log.length;
      await groups.ready();
      await groups.ready();
      await resolve(groups, 'alice');
      await resolve(groups, 'bob');
      // Its log is written a little later than its answer.
      await vi.waitFor(() => expect(slapd.log.slice(before).join()).toContain('(uid=bob)'));
      const binds = slapd.log.slice(before).filter((line) => line.includes(`BIND dn="${READER}" method=128`));
      expect(binds).toHaveLength(1);
      expect(groups.report()).toEqual({
        url: slapd.url,
        security: 'none',
        connected: true,
        busy: 0,
        waiting: 0,
        failures: 0,
        lastFailure: undefined,
      });
    });

    it('row 161 all lookups share one connection, and do not wait for each other', async () => {
      const groups = make();
      const before = slapd.log.length;
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, n) => resolve(groups, n % 2 ? 'alice' : 'many')),
      );
      expect(answers.map((answer) => answer?.length)).toEqual(
        Array.from({ length: 60 }, (_, n) => (n % 2 ? 3 : 1_500)),
      );
      await vi.waitFor(() =>
        expect(slapd.log.slice(before).filter((line) => line.includes('ACCEPT'))).toHaveLength(1),
      );
      expect(
        slapd.log.slice(before).filter((line) => line.includes(`BIND dn="${READER}" method`)),
      ).toHaveLength(1);
      expect(groups.report()).toMatchObject({ connected: true, busy: 0, waiting: 0 });
    });

    it('row 158 is refused with a wrong password, once for a while', async () => {
      const reader = { dn: READER, password: { name: 'ldap', key: 'password' } };
      const read = vi.fn(async () => Buffer.from('canary-wrong'));
      const groups = make({ bind: reader, secrets: { description: 'test', read } });
      const first = await failureOf(resolve(groups, 'alice'));
      expect(first.message).toBe('the directory refused the bind: result code 49, invalid credentials');
      const second = await failureOf(resolve(groups, 'alice'));
      expect(second.message).toBe(first.message);
      expect(second.retryAfterMs).toBeGreaterThan(5_000);
      expect(read).toHaveBeenCalledTimes(1);
    });

    it('may be anonymous, and sees no entries here', async () => {
      const failure = await failureOf(make({ bind: 'anonymous' }).ready());
      expect(failure.message).toBe(
        'users.base: the reader does not see this entry: result code 32, no such object',
      );
    });
  });
});

describe.skipIf(!hasSlapd)('an OpenLDAP that hides entries', () => {
  it('row 163 OpenLDAP returns 500 entries by default: more are an error', async () => {
    const slapd = await startSlapd({ entries: ENTRIES, database: 'access to * by * read' });
    try {
      const groups = create(slapd.url, { unsafeAllowCleartext: true, bind: 'anonymous', pageSize: 100 });
      expect(await resolve(groups, 'alice')).toHaveLength(3);
      const many = await resolve(groups, 'many').then(
        (names) => names?.length,
        (error: Error) => error.message,
      );
      expect(many).toBe('the search for groups failed: result code 4, size limit exceeded');
    } finally {
      await slapd.close();
    }
  });

  it.each<[string, string, string]>([
    [
      'the members of groups',
      `access to attrs=member by * none`,
      'groups.member: the directory does not know it',
    ],
    [
      'the subjects',
      `access to attrs=uid by * search`,
      "the user's entry has no attribute with the name in users.attribute",
    ],
    [
      'the names of groups',
      `access to attrs=cn by * search`,
      'the entry of a group has no attribute with the name in groups.name',
    ],
  ])('row 163 %s', async (_, rule, message) => {
    const slapd = await startSlapd({
      entries: ENTRIES.slice(0, 60),
      database: `${rule}\naccess to attrs=userPassword by anonymous auth by * none\naccess to * by * read`,
    });
    try {
      const groups = create(slapd.url, { unsafeAllowCleartext: true });
      expect((await failureOf(resolve(groups, PROBE))).message).toContain(message);
    } finally {
      await slapd.close();
    }
  });

  it('row 158 everything: every lookup fails', async () => {
    const slapd = await startSlapd({ entries: ENTRIES.slice(0, 60), database: 'access to * by * read' });
    try {
      const groups = create(slapd.url, { unsafeAllowCleartext: true, bind: 'anonymous' });
      expect(await resolve(groups, 'lonely')).toEqual([]);
      expect(await resolve(groups, 'nobody')).toBeUndefined();
    } finally {
      await slapd.close();
    }
  });
});

/** A user among the first entries, and in a group there. */
const PROBE = 'alice';

const REFERRALS: readonly LdifEntry[] = [
  unit('referring'),
  unit('people', `ou=referring,${SUFFIX}`),
  unit('groups', `ou=referring,${SUFFIX}`),
  referral(`ou=away,ou=referring,${SUFFIX}`),
  referral(`cn=away,ou=people,ou=referring,${SUFFIX}`),
  referral(`cn=away,ou=groups,ou=referring,${SUFFIX}`),
  unit('unique'),
  [
    `cn=unique,ou=unique,${SUFFIX}`,
    { objectClass: 'groupOfUniqueNames', cn: 'unique', uniqueMember: `cn=Alice, ${PEOPLE}` },
  ],
  [
    `cn=above,ou=unique,${SUFFIX}`,
    { objectClass: 'groupOfUniqueNames', cn: 'above', uniqueMember: `cn=unique,ou=unique,${SUFFIX}` },
  ],
  unit('named'),
  [
    `cn=one,ou=named,${SUFFIX}`,
    { objectClass: 'groupOfNames', cn: ['one', 'two'], 'cn;lang-de': 'eins', member: `cn=alice,${PEOPLE}` },
  ],
  ['cn=zurich,'.concat(PEOPLE), { objectClass: 'inetOrgPerson', cn: 'zurich', sn: 'Zürich', uid: 'zurich' }],
  unit('more', PEOPLE),
  unit('most', PEOPLE),
  person('thrice'),
  person('thrice', `ou=more,${PEOPLE}`),
  person('thrice', `ou=most,${PEOPLE}`),
];

function referral(dn: string): LdifEntry {
  const [name = '', value = ''] = dn.split(',')[0]?.split('=') ?? [];
  return [
    dn,
    { objectClass: ['referral', 'extensibleObject'], [name]: value, ref: `ldap://127.0.0.1:1/dc=canary` },
  ];
}

/**
 * The attribute that the memberof overlay would write; the overlay does not process entries of
 * slapadd.
 */
function withMemberOf(entries: readonly LdifEntry[]): readonly LdifEntry[] {
  const key = (dn: string) => {
    const parsed = parseDn(dn);
    if (parsed === undefined) throw new ConfigError('dn', 'is none');
    return keyOf(parsed);
  };
  const groupsOf = new Map<string, string[]>();
  for (const [dn, { member = [] }] of entries) {
    for (const value of typeof member === 'string' ? [member] : member) {
      groupsOf.set(key(value), [...(groupsOf.get(key(value)) ?? []), dn]);
    }
  }
  return entries.map(([dn, attributes]) => {
    const memberOf = groupsOf.get(key(dn));
    return memberOf === undefined ? [dn, attributes] : [dn, { ...attributes, memberOf }];
  });
}
