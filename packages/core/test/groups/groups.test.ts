// Groups through an authenticator: the first source that is defined says all of them, nothing is
// merged, and what cannot be said is a 503 and never "no groups".
import { createServer } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { z } from 'zod';
import {
  type Authenticator,
  allOf,
  anyOf,
  at,
  authorize,
  createAuthenticator,
  exactly,
  type GroupResolver,
  type GroupSubject,
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
import { listen } from '../support/servers.ts';

const ISSUER = 'https://issuer.example';
const PARTNER = 'https://partner.example';
const SYSTEM = 'https://system.example';

let keys: Readonly<Record<string, SigningKey>>;
beforeAll(async () => {
  const [ours, partner, system] = await Promise.all([
    generateSigningKey('ES256', 'ours'),
    generateSigningKey('ES256', 'partner'),
    generateSigningKey('ES256', 'system'),
  ]);
  keys = { [ISSUER]: ours, [PARTNER]: partner, [SYSTEM]: system };
});

const opened: Authenticator[] = [];
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

function start(groups: GroupsOptions | undefined, nestedClaimDelimiter?: string): Authenticator {
  const made = createAuthenticator({
    keySets: Object.entries(keys).map(([issuer, { publicJwk }]) => ({
      issuer,
      jwks: { keys: [publicJwk] },
      system: issuer === SYSTEM,
    })),
    audience: null,
    ...defined({ groups, nestedClaimDelimiter }),
  });
  opened.push(made);
  return made;
}

type Claims = { readonly [name: string]: JsonValue | undefined };

function token(claims: Claims = {}, issuer = ISSUER): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 300;
  return mint(keys[issuer] as SigningKey, { iss: issuer, sub: 'alice', exp, ...claims });
}

/** The groups of a token with these claims, or how it was refused. */
async function groupsOf(
  authenticator: Authenticator,
  claims: Claims = {},
  issuer = ISSUER,
): Promise<unknown> {
  try {
    return (await authenticator.verify(await token(claims, issuer))).groups;
  } catch (error) {
    if (isAuthError(error)) return `${error.status} ${error.code}`;
    throw error;
  }
}

/** A source that answers so. */
function source(
  answer: unknown,
  description = 'directory',
): GroupResolver & { readonly resolve: ReturnType<typeof vi.fn<GroupResolver['resolve']>> } {
  const resolve = vi.fn<GroupResolver['resolve']>(
    typeof answer === 'function'
      ? (answer as GroupResolver['resolve'])
      : async () => answer as readonly string[],
  );
  return { description, resolve };
}

const UNAVAILABLE = '503 groups_unavailable';
const INVALID = '401 token_claims_invalid';
const UNKNOWN = '401 token_rejected';

describe('OK-19: the order', () => {
  it('is claim, directory, endpoint', async () => {
    const directory = source(['from-directory']);
    const endpoint = source(['from-endpoint'], 'endpoint');
    const authenticator = start({ directory, endpoint });
    expect(await groupsOf(authenticator, { groups: ['from-claim'] })).toEqual(['from-claim']);
    expect(directory.resolve).not.toHaveBeenCalled();
    expect(await groupsOf(authenticator)).toEqual(['from-directory']);
    expect(directory.resolve).toHaveBeenCalledExactlyOnceWith(
      { subject: 'alice', issuer: ISSUER },
      expect.any(AbortSignal),
    );
    expect(endpoint.resolve).not.toHaveBeenCalled();
  });

  it('OK-4: of a claim alone is the claim', async () => {
    for (const authenticator of [start({}), start(undefined)]) {
      expect(await groupsOf(authenticator, { groups: ['a', 'b'] })).toEqual(['a', 'b']);
      expect(await groupsOf(authenticator)).toEqual([]);
      expect(await groupsOf(authenticator, { groups: null })).toEqual([]);
      expect(await groupsOf(authenticator, { groups: 'root' })).toBe(INVALID);
    }
  });

  it('is what the options say: the first source that is defined, and no union', async () => {
    const directory = source(({ subject }: GroupSubject) =>
      Promise.resolve(subject === 'alice' ? ['from-directory'] : undefined),
    );
    const endpoint = source(['from-endpoint'], 'endpoint');
    const authenticator = start({
      directory,
      endpoint,
      order: ['directory', 'endpoint', 'claim'],
      onUnknown: 'next',
    });
    expect(await groupsOf(authenticator, { groups: ['root'] })).toEqual(['from-directory']);
    expect(await groupsOf(authenticator, { groups: ['root'], sub: 'bob' })).toEqual(['from-endpoint']);
  });

  it('the claim comes last where it is named last', async () => {
    const authenticator = start({
      directory: source(undefined),
      order: ['directory', 'claim'],
      onUnknown: 'next',
    });
    expect(await groupsOf(authenticator, { groups: ['a'] })).toEqual(['a']);
    expect(await groupsOf(authenticator)).toEqual([]);
  });

  it('a claim that is not named is not looked at, whatever it is', async () => {
    const authenticator = start({ directory: source(['dev']), order: ['directory'] });
    expect(await groupsOf(authenticator, { groups: ['root'] })).toEqual(['dev']);
    expect(await groupsOf(authenticator, { groups: 'root' })).toEqual(['dev']);
    expect(await groupsOf(authenticator, { _claim_names: { groups: 'src1' } })).toEqual(['dev']);
  });
});

describe('S52: the claim', () => {
  it('is defined when it is empty, and absent when it is null', async () => {
    const directory = source(['from-directory']);
    const authenticator = start({ directory });
    expect(await groupsOf(authenticator, { groups: [] })).toEqual([]);
    expect(directory.resolve).not.toHaveBeenCalled();
    expect(await groupsOf(authenticator, { groups: null })).toEqual(['from-directory']);
  });

  it.each<[claim: JsonValue]>([
    ['root'],
    [''],
    [{ 0: 'root', length: 1 }],
    [5],
    [true],
    [false],
    [0],
    [[5]],
    [[null]],
    [[['root']]],
    [['dev', { name: 'root' }]],
  ])('%j is no list of strings, and no source after it is asked', async (groups) => {
    const directory = source(['from-directory']);
    expect(await groupsOf(start({ directory }), { groups })).toBe(INVALID);
    expect(directory.resolve).not.toHaveBeenCalled();
  });

  it('is only a member of the claims themselves', async () => {
    const directory = source(['from-directory']);
    const inherited = JSON.parse('{"__proto__":{"groups":["root"]}}') as Claims;
    expect(await groupsOf(start({ directory }), inherited)).toEqual(['from-directory']);
    for (const claim of ['constructor', 'toString', '__proto__', 'hasOwnProperty'])
      expect(await groupsOf(start({ directory, claim }))).toEqual(['from-directory']);
  });

  it('may have another name, and be a path where there is a delimiter', async () => {
    const nested = { realm: { groups: ['a'] }, 'realm.groups': ['b'], 'https://x.com/groups': ['c'] };
    expect(await groupsOf(start({ claim: 'realm.groups' }), nested)).toEqual(['b']);
    expect(await groupsOf(start({ claim: 'realm.groups' }, '.'), nested)).toEqual(['a']);
    expect(await groupsOf(start({ claim: 'realm\\.groups' }, '.'), nested)).toEqual(['b']);
    expect(await groupsOf(start({ claim: 'https://x\\.com/groups' }, '.'), nested)).toEqual(['c']);
    expect(await groupsOf(start({ claim: 'realm:groups' }, ':'), nested)).toEqual(['a']);
    expect(await groupsOf(start({ claim: 'realm.groups' }, '.'), { groups: ['root'] })).toEqual([]);
    expect(await groupsOf(start({ claim: 'realm.groups' }, '.'), { realm: { groups: null } })).toEqual([]);
    expect(await groupsOf(start({ claim: 'realm.groups' }, '.'), { realm: { groups: 'root' } })).toBe(
      INVALID,
    );
    expect(await groupsOf(start({ claim: 'realm.groups' }, '.'), { realm: ['groups'] })).toEqual([]);
    expect(await groupsOf(start({ claim: 'realm.groups' }, '.'), { realm: null })).toEqual([]);
    expect(await groupsOf(start({ claim: 'realm.0' }, '.'), { realm: [['root']] })).toEqual([]);
  });
});

describe('S53: a subject that a source does not know', () => {
  it.each<[onUnknown: GroupsOptions['onUnknown'], expected: unknown]>([
    [undefined, UNKNOWN],
    ['deny', UNKNOWN],
    ['none', []],
    ['next', ['from-endpoint']],
  ])('onUnknown %s', async (onUnknown, expected) => {
    const endpoint = source(['from-endpoint'], 'endpoint');
    const authenticator = start({ directory: source(undefined), endpoint, ...defined({ onUnknown }) });
    expect(await groupsOf(authenticator)).toEqual(expected);
    expect(endpoint.resolve).toHaveBeenCalledTimes(onUnknown === 'next' ? 1 : 0);
  });

  it('next, and nobody after it: no groups', async () => {
    expect(await groupsOf(start({ directory: source(undefined), onUnknown: 'next' }))).toEqual([]);
  });

  it('no groups is an answer, and the next source is not asked', async () => {
    const endpoint = source(['from-endpoint'], 'endpoint');
    expect(await groupsOf(start({ directory: source([]), endpoint, onUnknown: 'next' }))).toEqual([]);
    expect(endpoint.resolve).not.toHaveBeenCalled();
  });

  it.each<[onUnknown: GroupsOptions['onUnknown'], expected: unknown]>([
    ['deny', UNKNOWN],
    ['none', []],
    ['next', []],
  ])(
    'row 158: a token without sub is a subject that nobody knows, and nobody is asked: %s',
    async (onUnknown, expected) => {
      const directory = source(['root']);
      const authenticator = start({ directory, ...defined({ onUnknown }) });
      expect(await groupsOf(authenticator, { sub: undefined })).toEqual(expected);
      expect(await groupsOf(authenticator, { sub: '' })).toBe(INVALID);
      expect(await groupsOf(authenticator, { sub: ' ' })).toBe(INVALID);
      expect(await groupsOf(authenticator, { sub: null })).toBe(INVALID);
      expect(directory.resolve).not.toHaveBeenCalled();
    },
  );

  it('a token that is not good asks nobody', async () => {
    const directory = source(['root']);
    const authenticator = start({ directory });
    expect(await groupsOf(authenticator, { exp: 1_000_000_000 })).toBe('401 token_expired');
    await expect(authenticator.verify(`${await token()}A`)).rejects.toMatchObject({ status: 401 });
    expect(directory.resolve).not.toHaveBeenCalled();
  });
});

describe('row 163: a source that cannot say is a 503, and never "no groups"', () => {
  it.each<[title: string, answer: unknown]>([
    ['null', null],
    ['a string', 'root'],
    ['an empty string', ''],
    ['a number', 0],
    ['true', true],
    ['false', false],
    ['an object', { groups: ['root'] }],
    ['something like a list', { length: 0 }],
    ['a Set', new Set(['root'])],
    ['a Map', new Map()],
    ['bytes', new Uint8Array()],
    ['a list of numbers', [5]],
    ['a list with null', ['dev', null]],
    ['a list with undefined', [undefined]],
    ['a list of lists', [['root']]],
    ['a list of Strings', [Object('root')]],
    ['more than anybody has', Array.from({ length: 10_001 }, (_, index) => `g${index}`)],
    ['an error', () => Promise.reject(new Error('LDAP is gone'))],
    ['nothing, rejected', () => Promise.reject(undefined)],
    ['null, rejected', () => Promise.reject(null)],
    [
      'an error that is thrown at once',
      () => {
        throw new Error('LDAP is gone');
      },
    ],
  ])('%s', async (_, answer) => {
    for (const onUnknown of ['deny', 'next', 'none'] as const) {
      const endpoint = source(['root'], 'endpoint');
      const authenticator = start({ directory: source(answer), endpoint, onUnknown });
      expect(await groupsOf(authenticator)).toBe(UNAVAILABLE);
      expect(endpoint.resolve).not.toHaveBeenCalled();
    }
  });

  it('a list of holes', async () => {
    expect(await groupsOf(start({ directory: source(new Array(2)) }))).toBe(UNAVAILABLE);
  });

  it('as many as anybody has', async () => {
    const many = Array.from({ length: 10_000 }, (_, index) => `g${index}`);
    expect(await groupsOf(start({ directory: source(many) }))).toHaveLength(10_000);
  });

  it('an answer that is not a promise will do', async () => {
    expect(await groupsOf(start({ directory: source(() => ['dev']) }))).toEqual(['dev']);
  });

  it('says so as a 503 does, with the cause for logs', async () => {
    const gone = new Error('LDAP is gone');
    const authenticator = start({ directory: source(() => Promise.reject(gone)) });
    await expect(authenticator.verify(await token())).rejects.toMatchObject({
      status: 503,
      code: 'groups_unavailable',
      detail: 'directory failed',
      cause: gone,
      headers: { 'Retry-After': '1' },
    });
  });

  it('a source that hangs is told to stop, and is not waited for any longer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const asked = Promise.withResolvers<AbortSignal>();
    const directory = source((_: GroupSubject, signal: AbortSignal) => {
      asked.resolve(signal);
      return new Promise(() => {});
    });
    const verdict = groupsOf(start({ directory }));
    const signal = await asked.promise;
    vi.advanceTimersByTime(1_999);
    await nextTurn();
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(await verdict).toBe(UNAVAILABLE);
    expect(signal.aborted).toBe(true);
  });

  it('timeout is another bound', async () => {
    const directory = source(() => new Promise(() => {}));
    expect(await groupsOf(start({ directory, timeout: '10ms' }))).toBe(UNAVAILABLE);
  });

  it('what comes too late is not used', async () => {
    const late = Promise.withResolvers<string[]>();
    const answers = [late.promise, Promise.reject(new Error('gone'))];
    answers[1]?.catch(() => {});
    const authenticator = start({ directory: source(() => answers.shift()), timeout: '10ms' });
    expect(await groupsOf(authenticator)).toBe(UNAVAILABLE);
    late.resolve(['root']);
    await nextTurn();
    expect(await groupsOf(authenticator)).toBe(UNAVAILABLE);
  });

  it('R18: a source that is down is asked once a second, and everybody passes after the first success', async () => {
    let nowMs = Math.round(performance.now());
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    let isUp = false;
    const directory = source(async ({ subject }: GroupSubject) => {
      if (!isUp) throw new Error('LDAP is gone');
      return [`of-${subject}`];
    });
    const authenticator = start({ directory });
    for (let index = 0; index < 50; index++)
      expect(await groupsOf(authenticator, { sub: `u${index}` })).toBe(UNAVAILABLE);
    expect(directory.resolve).toHaveBeenCalledTimes(5);
    expect(authenticator.report().groups).toEqual([{ source: 'directory', state: 'open', failures: 5 }]);
    isUp = true;
    expect(await groupsOf(authenticator)).toBe(UNAVAILABLE);
    nowMs += 1_000;
    expect(await groupsOf(authenticator)).toEqual(['of-alice']);
    expect(await groupsOf(authenticator, { sub: 'bob' })).toEqual(['of-bob']);
    expect(authenticator.report().groups).toEqual([{ source: 'directory', state: 'closed', failures: 0 }]);
  });

  it('R18: ten thousand requests while it is down: none is without groups', async () => {
    const authenticator = start({
      directory: source(() => Promise.reject(new Error('gone'))),
      onUnknown: 'none',
    });
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, index) => token({ sub: `u${index}` })));
    const codes = new Set<string>();
    for (let index = 0; index < 10_000; index++) {
      await authenticator.verify(tokens[index % 20] as string).then(
        () => codes.add('passed'),
        (error: unknown) => codes.add(isAuthError(error) ? error.code : 'broke'),
      );
    }
    expect(codes).toEqual(new Set(['groups_unavailable']));
  });

  it('an endpoint that fails for one subject does not shut out the others', async () => {
    const server = createServer(({ url }, response) => {
      if (url === '/odd') response.writeHead(500).end();
      else response.writeHead(200, { 'content-type': 'application/json' }).end('{"groups":["dev"]}');
    });
    const url = `http://127.0.0.1:${await listen(server)}/{sub}`;
    const authenticator = start({ endpoint: { url } });
    for (let count = 0; count < 20; count++)
      expect(await groupsOf(authenticator, { sub: 'odd' })).toBe(UNAVAILABLE);
    expect(authenticator.report().groups).toEqual([{ source: 'endpoint', state: 'closed', failures: 1 }]);
    expect(await groupsOf(authenticator, { sub: 'alice' })).toEqual(['dev']);
  });

  it('one source that is down does not open the other', async () => {
    const directory = source(() => Promise.reject(new Error('gone')));
    const endpoint = source(['e'], 'endpoint');
    const authenticator = start({ directory, endpoint, order: ['endpoint', 'directory'] });
    expect(await groupsOf(authenticator)).toEqual(['e']);
    expect(authenticator.report().groups).toEqual([
      { source: 'directory', state: 'closed', failures: 0 },
      { source: 'endpoint', state: 'closed', failures: 0 },
    ]);
  });

  it('permissive does not make it anonymous', async () => {
    const authenticator = createAuthenticator({
      keySets: [{ issuer: ISSUER, jwks: { keys: [(keys[ISSUER] as SigningKey).publicJwk] } }],
      audience: null,
      mode: 'permissive',
      groups: { directory: source(null) },
    });
    opened.push(authenticator);
    const authorization = `Bearer ${await token()}`;
    await expect(
      authenticator.authenticate({
        headers: { authorization },
        rawHeaders: ['Authorization', authorization],
      }),
    ).rejects.toMatchObject({ code: 'groups_unavailable' });
  });

  it('close() ends what is under way', async () => {
    const asked = Promise.withResolvers<void>();
    const close = vi.fn(async () => {});
    const directory = {
      ...source(() => {
        asked.resolve();
        return new Promise(() => {});
      }),
      close,
    };
    const authenticator = start({ directory });
    const verdict = groupsOf(authenticator);
    await asked.promise;
    await authenticator.close();
    expect(await verdict).toBe(UNAVAILABLE);
    expect(close).toHaveBeenCalledTimes(1);
    expect(await groupsOf(authenticator)).toBe(UNAVAILABLE);
  });
});

describe('row 163: groups that did not fit into the token', () => {
  const OVERAGE: readonly [title: string, claims: Claims][] = [
    [
      '_claim_names',
      { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://x' } } },
    ],
    ['hasgroups', { hasgroups: true }],
  ];

  it.each(OVERAGE)('%s: the claim alone cannot say', async (_, claims) => {
    for (const onUnknown of ['deny', 'next', 'none'] as const)
      expect(await groupsOf(start({ onUnknown }), claims)).toBe(UNAVAILABLE);
  });

  it.each(OVERAGE)('%s: a directory can', async (_, claims) => {
    expect(await groupsOf(start({ directory: source(['dev']) }), claims)).toEqual(['dev']);
  });

  it.each(OVERAGE)('%s: and where the claim comes after it', async (_, claims) => {
    const authenticator = start({
      directory: source(undefined),
      order: ['directory', 'claim'],
      onUnknown: 'next',
    });
    expect(await groupsOf(authenticator, claims)).toBe(UNAVAILABLE);
  });

  it.each(OVERAGE)(
    '%s: a directory after the claim that does not know the subject does not make it "no groups"',
    async (_, claims) => {
      const authenticator = start({ directory: source(undefined), onUnknown: 'next' });
      expect(await groupsOf(authenticator, claims)).toBe(UNAVAILABLE);
    },
  );

  it('and a rule against a group does not pass by it', async () => {
    const authenticator = start({ directory: source(undefined), onUnknown: 'next' });
    const claims = { _claim_names: { groups: 'src1' } };
    await expect(
      authenticator.verify(await token(claims), { groups: noneOf('suspended') }),
    ).rejects.toBeDefined();
  });

  it('nor does onUnknown none', async () => {
    const authenticator = start({ directory: source(undefined), onUnknown: 'none' });
    expect(await groupsOf(authenticator, { hasgroups: true })).toBe(UNAVAILABLE);
  });

  it('a claim that is a path is elsewhere with its first name', async () => {
    const authenticator = start({ claim: 'realm.groups' }, '.');
    expect(await groupsOf(authenticator, { _claim_names: { realm: 'src1' } })).toBe(UNAVAILABLE);
  });

  it('a claim of which there is more elsewhere is not all of it', async () => {
    const claims = { groups: ['dev'], _claim_names: { groups: 'src1' } };
    expect(await groupsOf(start({}), claims)).toBe(UNAVAILABLE);
  });

  it.each<[title: string, claims: Claims]>([
    ['of another claim', { _claim_names: { roles: 'src1' } }],
    ['empty', { _claim_names: {} }],
    ['no object', { _claim_names: 'groups' }],
    ['hasgroups false', { hasgroups: false }],
  ])('%s: these are no groups', async (_, claims) => {
    expect(await groupsOf(start({}), claims)).toEqual([]);
  });
});

describe('the cache', () => {
  it('R13: is bounded by bytes: the longest lists are not all kept', async () => {
    const names = Array.from({ length: 5_000 }, (_, index) => `a-group-with-a-rather-long-name-${index}`);
    const directory = source(async ({ subject }: GroupSubject) => [subject, ...names]);
    const authenticator = start({ directory, cacheFor: '1h' });
    const ask = async (index: number) => void (await groupsOf(authenticator, { sub: `s${index}` }));
    for (let index = 0; index < 100; index++) await ask(index);
    expect(directory.resolve).toHaveBeenCalledTimes(100);
    await ask(99);
    expect(directory.resolve).toHaveBeenCalledTimes(100);
    await ask(0);
    expect(directory.resolve).toHaveBeenCalledTimes(101);
  });

  it('row 162: is by issuer and subject', async () => {
    const directory = source(async ({ issuer, subject }: GroupSubject) => [`${issuer}|${subject}`]);
    const authenticator = start({ directory });
    for (let count = 0; count < 2; count++) {
      for (const issuer of [ISSUER, PARTNER]) {
        for (const sub of ['alice', 'bob', 'Alice', '__proto__'])
          expect(await groupsOf(authenticator, { sub }, issuer)).toEqual([`${issuer}|${sub}`]);
      }
    }
    expect(directory.resolve).toHaveBeenCalledTimes(8);
  });

  it('row 162: no subject can pass for another of another issuer', async () => {
    const key = keys[ISSUER] as SigningKey;
    const directory = source(async (subject: GroupSubject) => [JSON.stringify(subject)]);
    const authenticator = createAuthenticator({
      keySets: [{ jwks: { keys: [key.publicJwk] } }],
      audience: null,
      groups: { directory },
    });
    opened.push(authenticator);
    const exp = Math.floor(Date.now() / 1000) + 300;
    const seen = new Set<string>();
    const pairs = [
      [undefined, 'b'],
      ['null', 'b'],
      ['a', 'b'],
      ['a","b', 'b'],
      ['a', '","b'],
      ['a|b', 'c'],
      ['a', 'b|c'],
      ['ab', 'c'],
      ['a', 'bc'],
    ] as const;
    for (const [iss, sub] of pairs) {
      const { groups } = await authenticator.verify(await mint(key, { iss, sub, exp }));
      expect(groups).toEqual([JSON.stringify({ subject: sub, issuer: iss })]);
      seen.add(groups[0] as string);
    }
    expect(directory.resolve).toHaveBeenCalledTimes(pairs.length);
  });

  it('is used for a minute, and not longer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let nowMs = Math.round(performance.now());
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    const pass = (ms: number) => {
      nowMs += ms;
      vi.advanceTimersByTime(ms);
    };
    let groups = ['a'];
    const directory = source(async () => groups);
    const authenticator = start({ directory });
    expect(await groupsOf(authenticator)).toEqual(['a']);
    groups = ['b'];
    for (let count = 0; count < 6; count++) {
      pass(10_000);
      expect(await groupsOf(authenticator)).toEqual(['a']);
    }
    pass(2);
    expect(await groupsOf(authenticator)).toEqual(['b']);
    expect(directory.resolve).toHaveBeenCalledTimes(2);
  });

  it("cacheFor '0s': each time anew", async () => {
    const directory = source(['a']);
    const authenticator = start({ directory, cacheFor: '0s' });
    for (let count = 0; count < 3; count++) expect(await groupsOf(authenticator)).toEqual(['a']);
    expect(directory.resolve).toHaveBeenCalledTimes(3);
  });

  it('holds no failure, no garbage, and nobody who is not known', async () => {
    const answers: unknown[] = [undefined, null, Promise.reject(new Error('gone')), ['a']];
    (answers[2] as Promise<unknown>).catch(() => {});
    const directory = source(() => answers.shift());
    const authenticator = start({ directory });
    expect(await groupsOf(authenticator)).toBe(UNKNOWN);
    expect(await groupsOf(authenticator)).toBe(UNAVAILABLE);
    expect(await groupsOf(authenticator)).toBe(UNAVAILABLE);
    expect(await groupsOf(authenticator)).toEqual(['a']);
    expect(await groupsOf(authenticator)).toEqual(['a']);
    expect(directory.resolve).toHaveBeenCalledTimes(4);
  });

  it('a source is asked once for all that come at the same time', async () => {
    const answer = Promise.withResolvers<string[]>();
    const directory = source(() => answer.promise);
    const authenticator = start({ directory, cacheFor: '0s' });
    const tokens = await Promise.all(Array.from({ length: 100 }, (_, index) => token({ jti: `j${index}` })));
    const verdicts = tokens.map((one) => authenticator.verify(one));
    while (directory.resolve.mock.calls.length === 0) await nextTurn();
    answer.resolve(['a']);
    for (const { groups } of await Promise.all(verdicts)) expect(groups).toEqual(['a']);
    expect(directory.resolve).toHaveBeenCalledTimes(1);
    await authenticator.verify(tokens[0] as string);
    expect(directory.resolve).toHaveBeenCalledTimes(2);
  });

  it('is of one authenticator, and of one source', async () => {
    const one = source(['one']);
    const other = source(['other']);
    const [first, second] = [start({ directory: one }), start({ directory: other })];
    expect(await groupsOf(first)).toEqual(['one']);
    expect(await groupsOf(second)).toEqual(['other']);
  });

  it('nobody can change what is in it, not the source either', async () => {
    const mine = ['a'];
    const authenticator = start({ directory: source(() => mine) });
    const principal = await authenticator.verify(await token());
    expect(() => (principal.groups as string[]).push('root')).toThrow(TypeError);
    mine.push('root');
    expect(await groupsOf(authenticator)).toEqual(['a']);
  });
});

describe('D17: whose claim is believed', () => {
  it.each<[title: string, trust: GroupsOptions['trust'], expected: readonly string[]]>([
    ['everybody, by default', undefined, ['admins', 'dev']],
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
    ['nobody', {}],
    ['nearly that', { [`${ISSUER}/`]: 'all', 'https://ISSUER.example': 'all' }],
    ['what everything inherits', JSON.parse('{"toString":"all","constructor":"all","__proto__":"all"}')],
  ])('an issuer without trust has none, and its claim is not looked at: %s', async (_, trust) => {
    const directory = source(['from-directory']);
    for (const groups of [['root'], 'root', 5, null]) {
      expect(await groupsOf(start(defined({ trust })), { groups })).toEqual([]);
      expect(await groupsOf(start({ trust, directory }), { groups })).toEqual(['from-directory']);
    }
  });

  it('nor is it looked at whether it is elsewhere', async () => {
    expect(await groupsOf(start({ trust: {} }), { hasgroups: true })).toEqual([]);
  });

  it('each issuer has its own', async () => {
    const authenticator = start({ trust: { [ISSUER]: 'all', [PARTNER]: { prefix: 'partner:' } } });
    expect(await groupsOf(authenticator, { groups: ['dev'] })).toEqual(['dev']);
    expect(await groupsOf(authenticator, { groups: ['dev'] }, PARTNER)).toEqual(['partner:dev']);
  });

  it('a token without issuer is of nobody', async () => {
    const key = keys[ISSUER] as SigningKey;
    const authenticator = createAuthenticator({
      keySets: [{ jwks: { keys: [key.publicJwk] } }],
      audience: null,
      groups: { trust: { undefined: 'all', '': 'all', null: 'all', [ISSUER]: 'all' } },
    });
    opened.push(authenticator);
    const exp = Math.floor(Date.now() / 1000) + 300;
    const { groups } = await authenticator.verify(await mint(key, { sub: 'alice', exp, groups: ['root'] }));
    expect(groups).toEqual([]);
  });

  it('system keysets may say all', async () => {
    const authenticator = start({ trust: {}, reserved: ['root'] });
    expect(await groupsOf(authenticator, { groups: ['root', 'dev'] }, SYSTEM)).toEqual(['root', 'dev']);
  });
});

describe('D16, D17: reserved groups', () => {
  it('are taken out of every claim but the system’s; a directory may grant them', async () => {
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

  it('are so in any case, where case does not count', async () => {
    const authenticator = start({ reserved: ['Root'], groupCase: 'insensitive' });
    expect(await groupsOf(authenticator, { groups: ['root', 'ROOT', 'rOOt', 'dev'] })).toEqual(['dev']);
    const prefixed = start({
      reserved: ['ROOT'],
      groupCase: 'insensitive',
      trust: { [ISSUER]: { prefix: 'RO' } },
    });
    expect(await groupsOf(prefixed, { groups: ['Ot'] })).toEqual([]);
  });

  it('a group that only looks like it is another, and satisfies no rule on it', async () => {
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
    'lets nobody in: %j',
    async (rules) => {
      const one = await token({ groups: ['banned'] });
      const authenticator = start(groups);
      await expect(authenticator.verify(one, rules)).rejects.toThrow("write 'banned' for 'Banned'");
      const principal = await authenticator.verify(one);
      expect(() => authorize(principal, rules)).toThrow(TypeError);
      // Without groupCase, it is another group.
      await expect(start({}).verify(one, { groups: { noneOf: ['Banned'] } })).resolves.toBeDefined();
    },
  );

  it('is refused at start where a named route has it', () => {
    const routes = { members: { claims: { groups: { noneOf: ['Banned'] } } } };
    const build = () =>
      createAuthenticator({ keySets: [{ jwks: { keys: [] } }], audience: null, groups, routes });
    expect(build).toThrow('routes.members.claims.groups: expected groups in lower case');
  });
});

describe('S53: what only looks like a letter', () => {
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

  it('of a route is judged by the groups that were found, and never by a claim without trust', async () => {
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

  it('judges no groups as no groups: what keeps somebody out lets nobody in by a lack of them', async () => {
    const principal = await start({ directory: source([]), trust: {} }).verify(
      await token({ groups: ['dev'] }),
    );
    expect(judge(principal, { groups: 'dev' })).toBe(false);
    expect(judge(principal, { groups: anyOf('dev') })).toBe(false);
    expect(judge(principal, { groups: allOf('dev') })).toBe(false);
    // These are all of the subject's groups, and this is none of them.
    expect(judge(principal, { groups: noneOf('dev') })).toBe(true);
  });

  it('reserved groups satisfy nothing but for the system', async () => {
    const authenticator = start({ reserved: ['root'] });
    const verify = async (issuer: string) =>
      authenticator.verify(await token({ groups: ['root'] }, issuer), { groups: 'root' });
    await expect(verify(ISSUER)).rejects.toMatchObject({ code: 'claims_insufficient' });
    await expect(verify(SYSTEM)).resolves.toMatchObject({ groups: ['root'] });
  });

  it('is judged by the claim under its own name, where groups are found by another', async () => {
    const authenticator = start({ claim: 'roles', reserved: ['root'] });
    const principal = await authenticator.verify(await token({ roles: ['root', 'dev'], groups: ['root'] }));
    expect(principal.groups).toEqual(['dev']);
    expect(judge(principal, { groups: 'root' })).toBe(false);
    expect(judge(principal, { groups: 'dev' })).toBe(true);
  });

  it.each<[title: string, groups: JsonValue | undefined]>([
    ['a claim without trust', ['root']],
    ['no claim at all', undefined],
  ])('what the types promise after it is what it was judged by: %s', async (_, groups) => {
    const authenticator = start({ directory: source(['dev']), trust: {} });
    const principal = await authenticator.verify(await token({ groups }), { groups: allOf('dev') });
    expectTypeOf(principal.claims.groups).toExtend<readonly unknown[]>();
    expect(principal.claims.groups).toEqual(['dev']);
  });

  it('nothing but the groups is changed in what is judged', async () => {
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

describe('what is told', () => {
  it('the report names sources, and no subject', async () => {
    const authenticator = start({
      directory: source(['dev'], 'ldap'),
      endpoint: source(['dev'], 'people'),
    });
    await groupsOf(authenticator);
    expect(authenticator.report().groups).toEqual([
      { source: 'ldap', state: 'closed', failures: 0 },
      { source: 'people', state: 'closed', failures: 0 },
    ]);
    expect(inspect(authenticator.report(), { depth: 10 })).not.toContain('alice');
    expect(start(undefined).report().groups).toEqual([]);
  });
});

describe('types', () => {
  it('of options and principals', () => {
    expectTypeOf<Principal['groups']>().toEqualTypeOf<readonly string[]>();
    expectTypeOf<{ trust: { a: 'all' | 'none' } }>().toExtend<GroupsOptions>();
    expectTypeOf<{ trust: { a: 'some' } }>().not.toExtend<GroupsOptions>();
    expectTypeOf<{ order: ['claim', 'ldap'] }>().not.toExtend<GroupsOptions>();
    expectTypeOf<{ onUnknown: 'allow' }>().not.toExtend<GroupsOptions>();
    expectTypeOf<Awaited<ReturnType<GroupResolver['resolve']>>>().toEqualTypeOf<
      readonly string[] | undefined
    >();
  });
});
