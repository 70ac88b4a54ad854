// Options of groups: what could not be meant is a ConfigError with its path.
import { generateSigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { readGroups } from '../../src/groups/options.ts';
import { type AuthenticatorOptions, createAuthenticator, type JsonObject, present } from '../../src/index.ts';

const resolver = { description: 'test', resolve: async () => [] };
const endpoint = { url: 'https://people.example.com/{sub}' };

let publicJwk: JsonObject;
beforeAll(async () => {
  ({ publicJwk } = await generateSigningKey());
});

/** The path that an authenticator with these options complains of; undefined if they are fine. */
function complaint(options: object): string | undefined {
  try {
    createAuthenticator({
      keySets: [{ jwks: { keys: [publicJwk] } }],
      audience: null,
      ...options,
    } as AuthenticatorOptions);
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message.startsWith(`${error.path}: `)).toBe(true);
    return error.path;
  }
}

describe('groups', () => {
  it('has defaults', () => {
    expect(readGroups(undefined, undefined)).toBeUndefined();
    expect(readGroups({}, undefined)).toMatchObject({
      path: ['groups'],
      order: ['claim'],
      trust: undefined,
      reserved: new Set(),
      onUnknown: 'deny',
      cacheForMs: 60_000,
      timeoutMs: 2_000,
      ignoreCase: false,
    });
    expect(readGroups({ directory: resolver, endpoint }, undefined)?.order).toEqual([
      'claim',
      'directory',
      'endpoint',
    ]);
    expect(readGroups({ claim: 'realm.groups' }, undefined)?.path).toEqual(['realm.groups']);
    expect(readGroups({ claim: 'realm.groups' }, '.')?.path).toEqual(['realm', 'groups']);
  });

  it.each<[title: string, groups: unknown, path: string]>([
    ['null', null, 'groups'],
    ['a list', ['dev'], 'groups'],
    ['a word', 'claim', 'groups'],
    ['an unknown option', { resolvers: [] }, 'groups.resolvers'],
    ['another case', { Reserved: ['root'] }, 'groups.Reserved'],
    ['an empty claim', { claim: '' }, 'groups.claim'],
    ['a claim that is a list', { claim: ['realm', 'groups'] }, 'groups.claim'],
    ['an empty order', { order: [] }, 'groups.order'],
    ['an order that is a word', { order: 'claim' }, 'groups.order'],
    ['a source twice', { order: ['claim', 'claim'] }, 'groups.order'],
    ['a source that is unknown', { order: ['claim', 'ldap'] }, 'groups.order[1]'],
    ['a source that is nothing', { order: ['claim', undefined] }, 'groups.order[1]'],
    ['a hole', { order: Object.assign(new Array(2), { 0: 'claim' }) }, 'groups.order[1]'],
    ['a source that is not there', { order: ['directory', 'claim'] }, 'groups.order[0]'],
    ['a source that is never asked', { order: ['claim'], directory: resolver }, 'groups.order'],
    ['a directory that is none', { directory: { url: 'ldap://x' } }, 'groups.directory'],
    ['a directory that is a function', { directory: async () => [] }, 'groups.directory'],
    ['a directory that is null', { directory: null }, 'groups.directory'],
    ['an endpoint that is null', { endpoint: null }, 'groups.endpoint'],
    ['an endpoint without url', { endpoint: {} }, 'groups.endpoint.url'],
    [
      'an endpoint with a misspelled option',
      { endpoint: { ...endpoint, bearer: 'x' } },
      'groups.endpoint.bearer',
    ],
    ['another word', { onUnknown: 'allow' }, 'groups.onUnknown'],
    ['true', { onUnknown: true }, 'groups.onUnknown'],
    ['a number', { cacheFor: 60 }, 'groups.cacheFor'],
    ['no time', { timeout: '0s' }, 'groups.timeout'],
    ['too much time', { timeout: '1m' }, 'groups.timeout'],
    ['another case', { groupCase: 'lower' }, 'groups.groupCase'],
    ['reserved is a word', { reserved: 'root' }, 'groups.reserved'],
    ['reserved is empty', { reserved: [] }, 'groups.reserved'],
    ['a reserved group without a name', { reserved: ['root', ''] }, 'groups.reserved[1]'],
    ['a reserved group that is a number', { reserved: [0] }, 'groups.reserved[0]'],
    ['trust is a word', { trust: 'all' }, 'groups.trust'],
    ['trust is a list', { trust: ['https://a'] }, 'groups.trust'],
    ['trust is a Map', { trust: new Map([['a', 'all']]) }, 'groups.trust'],
    ['trust in another word', { trust: { 'https://a': 'some' } }, 'groups.trust.https://a'],
    ['trust is true', { trust: { a: true } }, 'groups.trust.a'],
    ['trust is null', { trust: { a: null } }, 'groups.trust.a'],
    ['trust is undefined', { trust: { a: undefined } }, 'groups.trust.a'],
    ['trust is a list of groups', { trust: { a: ['dev'] } }, 'groups.trust.a'],
    ['trust in something else', { trust: { a: { except: ['root'] } } }, 'groups.trust.a.except'],
    ['only is empty', { trust: { a: { only: [] } } }, 'groups.trust.a.only'],
    ['only is a word', { trust: { a: { only: 'dev' } } }, 'groups.trust.a.only'],
    ['an empty prefix', { trust: { a: { prefix: '' } } }, 'groups.trust.a.prefix'],
  ])('%s', (_, groups, path) => {
    expect(complaint({ groups })).toBe(path);
  });

  it.each<[title: string, groups: object]>([
    ['everything', { directory: resolver, endpoint, order: ['directory', 'endpoint', 'claim'] }],
    ['no claim', { directory: resolver, order: ['directory'] }],
    ['an endpoint of the application', { endpoint: resolver }],
    [
      'an instance of a class',
      {
        directory: new (class {
          readonly description = 'mine';
          resolve() {
            return Promise.resolve([]);
          }
        })(),
      },
    ],
    ['no cache', { directory: resolver, cacheFor: '0s' }],
    ['no issuer is trusted', { trust: {} }],
  ])('may have %s', (_, groups) => {
    expect(complaint({ groups })).toBeUndefined();
  });
});

describe('D17: trust', () => {
  it.each<[trust: object, path: string]>([
    [{}, 'groups.trust.a'],
    [{ only: undefined }, 'groups.trust.a.only'],
    [{ only: ['dev'], prefix: undefined }, 'groups.trust.a.prefix'],
  ])('is not given by saying nothing: %o', (trust, path) => {
    expect(complaint({ groups: { trust: { a: trust } } })).toBe(path);
  });
});

describe('claims.groups', () => {
  it.each<[title: string, claims: unknown]>([
    ['by name', { groups: 'dev' }],
    ['present', { groups: present() }],
    ['in a list of rules', [{ groups: 'dev' }]],
    ['by path', [{ path: ['groups'], rule: 'dev' }]],
    ['as a row', [{ name: 'groups', required: true }]],
  ])('next to groups is a mistake: %s', (_, claims) => {
    expect(complaint({ claims, groups: {} })).toBe('claims.groups');
  });

  it('without groups it is a rule like any other', () => {
    expect(complaint({ claims: { groups: 'dev' } })).toBeUndefined();
    expect(complaint({ claims: { 'realm.groups': 'dev' }, groups: {} })).toBeUndefined();
  });
});

describe('systemSubject', () => {
  it.each(['', ' ', 5, null, ['okera']])('%j is no subject', (systemSubject) => {
    expect(complaint({ systemSubject })).toBe('systemSubject');
  });
});
