// Groups through an authenticator: which source is asked, what a source that fails or does not know
// the subject means, and the cache. Failures are a 503 and never "no groups".
import { createServer } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import {
  createAuthenticator,
  type GroupResolver,
  type GroupSubject,
  type GroupsOptions,
  isAuthError,
  noneOf,
  optional,
  type Principal,
  present,
} from '../../src/index.ts';
import type { JsonValue } from '../../src/values/json.ts';
import { requestWith } from '../support/authenticators.ts';
import { defined } from '../support/defined.ts';
import { warningsOf } from '../support/observed.ts';
import { listen } from '../support/servers.ts';
import {
  type Claims,
  groupsOf,
  INVALID,
  ISSUER,
  PARTNER,
  source,
  start,
  startForAll,
  token,
  UNAVAILABLE,
  UNKNOWN,
} from './sources.ts';

function gone(): never {
  throw new Error('LDAP is gone');
}

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

  it('OK-4: without a source is the claim', async () => {
    for (const authenticator of [start({}), start(undefined)]) {
      expect(await groupsOf(authenticator, { groups: ['a', 'b'] })).toEqual(['a', 'b']);
      expect(await groupsOf(authenticator)).toEqual([]);
      expect(await groupsOf(authenticator, { groups: null })).toEqual([]);
      expect(await groupsOf(authenticator, { groups: 'root' })).toEqual(['root']);
      expect(await groupsOf(authenticator, { groups: { root: 'root' } })).toEqual([]);
    }
  });

  it('is the option order: the first source that is defined, and no union', async () => {
    const directory = source(({ subject }: GroupSubject) =>
      Promise.resolve(subject === 'alice' ? ['from-directory'] : undefined),
    );
    const endpoint = source(['from-endpoint'], 'endpoint');
    const order = ['directory', 'endpoint', 'claim'] as const;
    const authenticator = start({ directory, endpoint, order, onUnknown: 'next' });
    expect(await groupsOf(authenticator, { groups: ['root'] })).toEqual(['from-directory']);
    expect(await groupsOf(authenticator, { groups: ['root'], sub: 'bob' })).toEqual(['from-endpoint']);
  });

  it('puts the claim last where it is named last', async () => {
    const order = ['directory', 'claim'] as const;
    const authenticator = start({ directory: source(undefined), order, onUnknown: 'next' });
    expect(await groupsOf(authenticator, { groups: ['a'] })).toEqual(['a']);
    expect(await groupsOf(authenticator)).toEqual([]);
  });

  it('without the claim: the claim is not read, whatever it is', async () => {
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
    [{ 0: 'root', length: 1 }],
    [5],
    [true],
    [false],
    [0],
    [[5]],
    [[null]],
    [[['root']]],
    [['dev', { name: 'root' }]],
  ])('%j is no groups, the next source is not asked, and no rule on groups holds', async (groups) => {
    const directory = source(['from-directory']);
    const authenticator = start({ directory });
    expect(await groupsOf(authenticator, { groups })).toEqual([]);
    expect(directory.resolve).not.toHaveBeenCalled();
    for (const rule of ['root', noneOf('x'), optional(noneOf('x')), present()])
      await expect(authenticator.verify(await token({ groups }), { groups: rule })).rejects.toMatchObject({
        code: 'claims_insufficient',
        detail: 'groups is neither a list of texts nor one text, so it has no groups',
      });
  });

  it.each<[claim: string, groups: readonly string[]]>([
    ['root', []],
    ['dev', ['dev']],
    ['dev root', ['dev root']],
    ['', []],
  ])('%j is one text: %j', async (claim, expected) => {
    const directory = source(['from-directory']);
    expect(await groupsOf(start({ directory, reserved: ['root'] }), { groups: claim })).toEqual(expected);
    expect(directory.resolve).not.toHaveBeenCalled();
  });

  it('is an own member of the claims', async () => {
    const directory = source(['from-directory']);
    const inherited = JSON.parse('{"__proto__":{"groups":["root"]}}') as Claims;
    expect(await groupsOf(start({ directory }), inherited)).toEqual(['from-directory']);
    for (const claim of ['constructor', 'toString', '__proto__', 'hasOwnProperty'])
      expect(await groupsOf(start({ directory, claim }))).toEqual(['from-directory']);
  });

  it('may have another name, and is a path where there is a delimiter', async () => {
    const nested = { realm: { groups: ['a'] }, 'realm.groups': ['b'], 'https://x.com/groups': ['c'] };
    const rows: readonly [claim: string, delimiter: string | undefined, claims: Claims, unknown][] = [
      ['realm.groups', undefined, nested, ['b']],
      ['realm.groups', '.', nested, ['a']],
      ['realm\\.groups', '.', nested, ['b']],
      ['https://x\\.com/groups', '.', nested, ['c']],
      ['realm:groups', ':', nested, ['a']],
      ['realm.groups', '.', { groups: ['root'] }, []],
      ['realm.groups', '.', { realm: { groups: null } }, []],
      ['realm.groups', '.', { realm: { groups: 'root' } }, ['root']],
      ['realm.groups', '.', { realm: ['groups'] }, []],
      ['realm.groups', '.', { realm: null }, []],
      ['realm.0', '.', { realm: [['root']] }, []],
    ];
    for (const [claim, delimiter, claims, expected] of rows)
      expect(await groupsOf(start({ claim }, delimiter), claims), claim).toEqual(expected);
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

  it('next, and no source after it: no groups', async () => {
    expect(await groupsOf(start({ directory: source(undefined), onUnknown: 'next' }))).toEqual([]);
  });

  it('an empty list is an answer, and the next source is not asked', async () => {
    const endpoint = source(['from-endpoint'], 'endpoint');
    expect(await groupsOf(start({ directory: source([]), endpoint, onUnknown: 'next' }))).toEqual([]);
    expect(endpoint.resolve).not.toHaveBeenCalled();
  });

  it.each<[onUnknown: GroupsOptions['onUnknown'], expected: unknown]>([
    ['deny', UNKNOWN],
    ['none', []],
    ['next', []],
  ])(
    'row 158: a token without sub is an unknown subject, and no source is asked: %s',
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

  it('no source is asked about a token that is refused', async () => {
    const directory = source(['root']);
    const authenticator = start({ directory });
    expect(await groupsOf(authenticator, { exp: 1_000_000_000 })).toBe('401 token_expired');
    await expect(authenticator.verify(`${await token()}A`)).rejects.toMatchObject({ status: 401 });
    expect(directory.resolve).not.toHaveBeenCalled();
  });
});

describe('row 163: a source that fails is a 503, and never "no groups"', () => {
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
    ['an error that is thrown at once', gone],
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

  it('as many as are allowed', async () => {
    const many = Array.from({ length: 10_000 }, (_, index) => `g${index}`);
    expect(await groupsOf(start({ directory: source(many) }))).toHaveLength(10_000);
  });

  it('an answer that is not a promise is accepted', async () => {
    expect(await groupsOf(start({ directory: source(() => ['dev']) }))).toEqual(['dev']);
  });

  it('the error has the headers of a 503, and the cause for logs', async () => {
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

  it('a source that gives no list is one that fails, for the operator too', async () => {
    const directory = source('readers');
    const authenticator = start({ directory });
    const warnings = await warningsOf(async () => {
      for (let index = 0; index < 10; index++)
        expect(await groupsOf(authenticator, { sub: `u${index}` })).toBe(UNAVAILABLE);
    });
    expect(warnings).toEqual([
      'Warning LATCHKEY_UNAVAILABLE: groups.directory: directory failed: expected a list of groups from the resolver; requests that need it are answered with 503',
    ]);
    expect(authenticator.report().groups).toMatchObject([
      { state: 'closed', lastError: 'expected a list of groups from the resolver' },
    ]);
  });

  it('a source that hangs is told to stop after the timeout', async () => {
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

  it('the option timeout changes that time', async () => {
    const directory = source(() => new Promise(() => {}));
    expect(await groupsOf(start({ directory, timeout: '10ms' }))).toBe(UNAVAILABLE);
  });

  it('an answer after the timeout is not used', async () => {
    const late = Promise.withResolvers<string[]>();
    const answers = [late.promise, Promise.reject(new Error('gone'))];
    answers[1]?.catch(() => {});
    const authenticator = start({ directory: source(() => answers.shift()), timeout: '10ms' });
    expect(await groupsOf(authenticator)).toBe(UNAVAILABLE);
    late.resolve(['root']);
    await nextTurn();
    expect(await groupsOf(authenticator)).toBe(UNAVAILABLE);
  });

  it('R18: a source that is down is asked once a second, and every request passes after the first success', async () => {
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
    expect(authenticator.report().groups).toMatchObject([
      { source: 'directory', state: 'open', failures: 5 },
    ]);
    isUp = true;
    expect(await groupsOf(authenticator)).toBe(UNAVAILABLE);
    nowMs += 1_000;
    expect(await groupsOf(authenticator)).toEqual(['of-alice']);
    expect(await groupsOf(authenticator, { sub: 'bob' })).toEqual(['of-bob']);
    expect(authenticator.report().groups).toMatchObject([
      { source: 'directory', state: 'closed', failures: 0 },
    ]);
  });

  // 30 s: the test verifies ten thousand tokens.
  it('R18: ten thousand requests while it is down: each is refused', { timeout: 30_000 }, async () => {
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

  it('an endpoint that fails for one subject is still asked about the others', async () => {
    const server = createServer(({ url }, response) => {
      if (url === '/odd') response.writeHead(500).end();
      else response.writeHead(200, { 'content-type': 'application/json' }).end('{"groups":["dev"]}');
    });
    const url = `http://127.0.0.1:${await listen(server)}/{sub}`;
    const authenticator = start({ endpoint: { url } });
    for (let count = 0; count < 20; count++)
      expect(await groupsOf(authenticator, { sub: 'odd' })).toBe(UNAVAILABLE);
    expect(authenticator.report().groups).toMatchObject([
      { source: 'endpoint', state: 'closed', failures: 1 },
    ]);
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
    const authenticator = startForAll({ directory: source(null) }, { mode: 'permissive' });
    const decision = authenticator.authenticate(requestWith(await token()));
    await expect(decision).rejects.toMatchObject({ code: 'groups_unavailable' });
  });

  it('close() closes every source, also if one throws, and ends within a second', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const directory = Object.assign(source(['a']), {
      close: () => {
        throw 'it is closed';
      },
    });
    const close = vi.fn(() => new Promise<void>(() => {}));
    const endpoint = Object.assign(source(['a'], 'endpoint'), { close });
    const authenticator = createAuthenticator({
      keySets: [],
      remote: { url: 'https://remote.example' },
      audience: null,
      groups: { directory, endpoint },
    });
    await expect(authenticator.close()).rejects.toThrow('a non-Error value was thrown');
    expect(close).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('close() ends a question under way', async () => {
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

  it.each(OVERAGE)('%s: the claim alone is a 503', async (_, claims) => {
    for (const onUnknown of ['deny', 'next', 'none'] as const)
      expect(await groupsOf(start({ onUnknown }), claims)).toBe(UNAVAILABLE);
  });

  it.each(OVERAGE)('%s: a directory answers', async (_, claims) => {
    expect(await groupsOf(start({ directory: source(['dev']) }), claims)).toEqual(['dev']);
  });

  it.each(OVERAGE)('%s: a 503 where the claim comes after the directory', async (_, claims) => {
    const order = ['directory', 'claim'] as const;
    const authenticator = start({ directory: source(undefined), order, onUnknown: 'next' });
    expect(await groupsOf(authenticator, claims)).toBe(UNAVAILABLE);
  });

  it.each(OVERAGE)(
    '%s: a 503 if the directory after the claim does not know the subject',
    async (_, claims) => {
      const authenticator = start({ directory: source(undefined), onUnknown: 'next' });
      expect(await groupsOf(authenticator, claims)).toBe(UNAVAILABLE);
    },
  );

  it('a rule against a group does not let it pass', async () => {
    const authenticator = start({ directory: source(undefined), onUnknown: 'next' });
    const claims = { _claim_names: { groups: 'src1' } };
    await expect(
      authenticator.verify(await token(claims), { groups: noneOf('suspended') }),
    ).rejects.toBeDefined();
  });

  it('onUnknown none does not let it pass', async () => {
    const authenticator = start({ directory: source(undefined), onUnknown: 'none' });
    expect(await groupsOf(authenticator, { hasgroups: true })).toBe(UNAVAILABLE);
  });

  it('a claim that is a path counts by its first name', async () => {
    const authenticator = start({ claim: 'realm.groups' }, '.');
    expect(await groupsOf(authenticator, { _claim_names: { realm: 'src1' } })).toBe(UNAVAILABLE);
  });

  it('a list in the token with more groups elsewhere is a 503', async () => {
    const claims = { groups: ['dev'], _claim_names: { groups: 'src1' } };
    expect(await groupsOf(start({}), claims)).toBe(UNAVAILABLE);
  });

  it.each<[title: string, claims: Claims]>([
    ['of another claim', { _claim_names: { roles: 'src1' } }],
    ['empty', { _claim_names: {} }],
    ['no object', { _claim_names: 'groups' }],
    ['hasgroups false', { hasgroups: false }],
  ])('%s: no groups are elsewhere', async (_, claims) => {
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

  it('row 162: does not confuse subjects of two issuers', async () => {
    const directory = source(async (subject: GroupSubject) => [JSON.stringify(subject)]);
    const authenticator = startForAll({ directory });
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
      const { groups } = await authenticator.verify(await token({ iss, sub }));
      expect(groups).toEqual([JSON.stringify({ subject: sub, issuer: iss })]);
    }
    expect(directory.resolve).toHaveBeenCalledTimes(pairs.length);
  });

  it('is used for a minute by default', async () => {
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

  it("cacheFor '0s': the source is asked each time", async () => {
    const directory = source(['a']);
    const authenticator = start({ directory, cacheFor: '0s' });
    for (let count = 0; count < 3; count++) expect(await groupsOf(authenticator)).toEqual(['a']);
    expect(directory.resolve).toHaveBeenCalledTimes(3);
  });

  it('keeps no failure, no wrong answer and no unknown subject', async () => {
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

  it('a source is asked once for many requests at once', async () => {
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

  it('belongs to one authenticator and one source', async () => {
    const one = source(['one']);
    const other = source(['other']);
    const [first, second] = [start({ directory: one }), start({ directory: other })];
    expect(await groupsOf(first)).toEqual(['one']);
    expect(await groupsOf(second)).toEqual(['other']);
  });

  it('its lists cannot be changed, also not by the source', async () => {
    const mine = ['a'];
    const authenticator = start({ directory: source(() => mine) });
    const principal = await authenticator.verify(await token());
    expect(() => (principal.groups as string[]).push('root')).toThrow(TypeError);
    mine.push('root');
    expect(await groupsOf(authenticator)).toEqual(['a']);
  });
});

describe('the report', () => {
  it('names sources, and no subject', async () => {
    const authenticator = start({ directory: source(['dev'], 'ldap'), endpoint: source(['dev'], 'people') });
    await groupsOf(authenticator);
    expect(authenticator.report().groups).toEqual([
      { source: 'ldap', state: 'closed', failures: 0, lastError: undefined },
      { source: 'people', state: 'closed', failures: 0, lastError: undefined },
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
