// Plan: what each change opens and closes; that the way back says the opposite; and that no edit of
// a descriptor goes by in silence.
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { compileRules, firstFailure } from '../../src/claims/compile.ts';
import type { Rules } from '../../src/claims/rules.ts';
import { parseDescriptor } from '../../src/descriptor/document.ts';
import { type Change, planChange } from '../../src/tools/plan.ts';
import { optionTables } from '../../src/tools/schema.ts';
import { BIG, SEEDS } from '../descriptor/descriptors.ts';

type Block = { readonly [name: string]: unknown };

const documentOf = (block: unknown, file = 'service.yaml') =>
  parseDescriptor(stringify({ service: { jwt: block } }), file);
const plan = (before: unknown, after: unknown): readonly Change[] =>
  planChange(documentOf(before, 'old.yaml'), documentOf(after, 'new.yaml'));
const brief = (changes: readonly Change[]) => changes.map(({ effect, path }) => `${effect} ${path}`);

const A = { issuer: 'https://a.example', jwksUrl: 'https://a.example/jwks' };
const B = { issuer: 'https://b.example', jwksUrl: 'https://b.example/jwks' };
const A2 = { issuer: A.issuer, jwksUrl: 'https://a.example/more' };
const BASE: Block = { audience: 'api', keySets: [A] };
const [O, C, X] = ['opens', 'closes', 'changes'];

const keyset = (more: Block): Block => ({ keySets: [{ ...A, ...more }] });
const claims = (rule: unknown): Block => ({ claims: { dept: rule } });
const secret = { name: 's' };
const key = (more: Block = {}): Block => ({ keyId: 'k', algorithm: 'RS256', secret, ...more });

/** From the one to the other, laid over a base. The way back has to say the opposite. */
const CASES: readonly (readonly [name: string, before: Block, after: Block, changes: readonly string[]])[] = [
  ['a keyset more', {}, { keySets: [A, B] }, [`${O} keySets[1]`]],
  ['a keyset before others', {}, { keySets: [B, A] }, [`${O} keySets[0]`]],
  ['another order', { keySets: [A, B] }, { keySets: [B, A] }, [`${X} keySets`]],
  [
    'another order of one issuer',
    { keySets: [A, A2] },
    { keySets: [A2, A] },
    [`${O} keySets`, `${C} keySets`],
  ],
  ['the first of one issuer', { keySets: [A2] }, { keySets: [A, A2] }, [`${O} keySets[0]`, `${C} keySets`]],
  ['the last of one issuer', { keySets: [A] }, { keySets: [A, A2] }, [`${O} keySets[1]`]],
  [
    'another order, of tokens that name no issuer',
    { keySets: [A, B], unsafeMissingIssuer: 'all-keysets' },
    { keySets: [B, A], unsafeMissingIssuer: 'all-keysets' },
    [`${O} keySets`, `${C} keySets`],
  ],
  [
    'another issuer',
    {},
    keyset({ issuer: 'https://c.example' }),
    [`${O} keySets[0].issuer`, `${C} keySets[0].issuer`],
  ],
  ['an issuer that was not said', keyset({ issuer: undefined }), {}, [`${C} keySets[0].issuer`]],
  [
    'another URL',
    {},
    keyset({ jwksUrl: 'https://a.example/other' }),
    [`${O} keySets[0].jwksUrl`, `${C} keySets[0].jwksUrl`],
  ],
  [
    'another source',
    {},
    { keySets: [{ issuer: A.issuer, useOidcDiscovery: true }] },
    [`${O} keySets[0]`, `${C} keySets[0]`],
  ],
  [
    'algorithms for the first time',
    {},
    keyset({ allowedAlgorithms: ['RS256'] }),
    [`${C} keySets[0].allowedAlgorithms`],
  ],
  [
    'an algorithm more',
    keyset({ allowedAlgorithms: ['RS256'] }),
    keyset({ allowedAlgorithms: ['ES256', 'RS256'] }),
    [`${O} keySets[0].allowedAlgorithms`],
  ],
  [
    'one algorithm for another',
    keyset({ allowedAlgorithms: ['RS256'] }),
    keyset({ allowedAlgorithms: ['ES256'] }),
    [`${O} keySets[0].allowedAlgorithms`, `${C} keySets[0].allowedAlgorithms`],
  ],
  ['a longer interval', {}, keyset({ refreshInterval: '2h' }), [`${O} keySets[0].refreshInterval`]],
  [
    'the default, said aloud',
    {},
    keyset({ refreshInterval: '60m', maxStale: '1d', kidless: 'first', system: false }),
    [],
  ],
  ['less staleness', {}, keyset({ maxStale: '1h' }), [`${C} keySets[0].maxStale`]],
  ['kidless', {}, keyset({ kidless: 'refuse' }), [`${C} keySets[0].kidless`]],
  ['plain http', {}, keyset({ allowHttp: true }), [`${O} keySets[0].allowHttp`]],
  ['family', {}, keyset({ unsafeAlgorithmMatch: 'family' }), [`${O} keySets[0].unsafeAlgorithmMatch`]],
  ['system', {}, keyset({ system: true }), [`${O} keySets[0].system`]],
  ['skipValidation', {}, keyset({ skipValidation: true }), [`${X} keySets[0].skipValidation`]],
  [
    'a fingerprint',
    keyset({ tls: {} }),
    keyset({ tls: { fingerprints: ['x'] } }),
    [`${C} keySets[0].tls.fingerprints`],
  ],
  ['a CA', {}, keyset({ tls: { ca: { file: 'a' } } }), [`${C} keySets[0].tls.ca`]],
  [
    'legacy algorithms',
    { keySets: [{ issuer: 'a', secret }] },
    { keySets: [{ issuer: 'a', secret, unsafeLegacyAlgorithms: ['HMD5'] }] },
    [`${O} keySets[0].unsafeLegacyAlgorithms`],
  ],
  [
    'private addresses',
    { keySets: [{ jwksHosts: ['a'] }] },
    { keySets: [{ jwksHosts: ['a', 'b'], unsafeAllowPrivateAddresses: true }] },
    [`${O} keySets[0].jwksHosts`, `${O} keySets[0].unsafeAllowPrivateAddresses`],
  ],
  [
    'an inline key',
    { keySets: [{ issuer: 'a', jwks: { keys: [{ kid: '1' }] } }] },
    { keySets: [{ issuer: 'a', jwks: { keys: [{ kid: '1' }, { kid: '2' }] } }] },
    [`${O} keySets[0].jwks.keys`],
  ],
  [
    'a backup key',
    { keySets: [{ publicKeys: [{ file: 'a', algorithm: 'RS256' }] }] },
    {
      keySets: [
        {
          publicKeys: [
            { file: 'a', algorithm: 'RS256' },
            { file: 'b', algorithm: 'RS256' },
          ],
        },
      ],
    },
    [`${O} keySets[0].publicKeys`],
  ],
  [
    'another secret',
    { keySets: [{ issuer: 'a', secret }] },
    { keySets: [{ issuer: 'a', secret: { name: 't' } }] },
    [`${O} keySets[0].secret`, `${C} keySets[0].secret`],
  ],
  ['a legacy key', {}, { keys: [key()] }, [`${O} keys[0]`]],
  ['a pinned legacy key', {}, { keys: [key({ issuer: 'a' })] }, [`${O} keys[0]`, `${O} keys`]],
  [
    'AK-27 keys moved into keysets',
    { keySets: [], keys: [key({ issuer: 'a' })] },
    { keySets: [{ issuer: 'a', secret, allowedAlgorithms: ['RS256'] }] },
    [`${O} keySets[0]`, `${C} keys[0]`, `${C} keys`],
  ],
  [
    'AK-34 keys in another order',
    { keys: [key(), key({ keyId: 'l' })] },
    { keys: [key({ keyId: 'l' }), key()] },
    [`${O} keys`, `${C} keys`],
  ],
  [
    'another algorithm of a key',
    { keys: [key()] },
    { keys: [key({ algorithm: 'RS512' })] },
    [`${O} keys[0].algorithm`, `${C} keys[0].algorithm`],
  ],
  ['an audience more', {}, { audience: ['api', 'web'] }, [`${O} audience`]],
  [
    'an audience more, of all',
    { audMatch: 'all' },
    { audMatch: 'all', audience: ['api', 'web'] },
    [`${C} audience`],
  ],
  ['another audience', {}, { audience: 'web' }, [`${O} audience`, `${C} audience`]],
  ['no audience', {}, { audience: null }, [`${O} audience`]],
  ['an audience that is not said any more', {}, { audience: undefined }, [`${O} audience`]],
  ['null, said or not', { audience: undefined }, { audience: null }, [`${X} audience`]],
  ['one audience, as a list', {}, { audience: ['api'] }, []],
  ['audMatch', {}, { audMatch: 'all' }, [`${C} audMatch`]],
  ['issuers', {}, { issuers: ['a'] }, [`${C} issuers`]],
  ['an issuer more', { issuers: ['a'] }, { issuers: ['a', { pattern: 'b.*' }] }, [`${O} issuers`]],
  ['mode', {}, { mode: 'optional' }, [`${O} mode`]],
  ['mode, further', { mode: 'optional' }, { mode: 'permissive' }, [`${O} mode`]],
  ['mode, said aloud', {}, { mode: 'strict' }, []],
  [
    'a cookie',
    {},
    { tokenFrom: [{ header: 'authorization' }, { cookie: '__Host-t' }] },
    [`${O} tokenFrom[1]`],
  ],
  ['a query for the header', {}, { tokenFrom: [{ query: 't' }] }, [`${O} tokenFrom[0]`, `${C} tokenFrom[0]`]],
  [
    'another scheme',
    {},
    { tokenFrom: [{ header: 'Authorization', scheme: 'JWT' }] },
    [`${O} tokenFrom[0].scheme`, `${C} tokenFrom[0].scheme`],
  ],
  [
    'an origin',
    { tokenFrom: [{ cookie: 'a' }] },
    { tokenFrom: [{ cookie: 'a', allowedOrigins: ['https://a'] }] },
    [`${O} tokenFrom[0].allowedOrigins`],
  ],
  ['a wider skew', {}, { clockSkew: '6s' }, [`${O} clockSkew`]],
  [
    'a duration that nobody knows',
    { clockSkew: '${SKEW}' },
    { clockSkew: '6s' },
    [`${O} clockSkew`, `${C} clockSkew`],
  ],
  ['a word that nobody knows', {}, { mode: '${MODE}' }, [`${O} mode`, `${C} mode`]],
  [
    'a duration of something that decides nothing',
    { groups: { timeout: '1s' } },
    { groups: { timeout: '${LONG}' } },
    [`${X} groups.timeout`],
  ],
  [
    'what becomes of a subject, which nobody knows',
    { groups: { claim: 'roles' } },
    { groups: { claim: 'roles', onUnknown: '${UNKNOWN}' } },
    [`${O} groups.onUnknown`, `${C} groups.onUnknown`],
  ],
  [
    'what a claim of groups is worth, which nobody knows',
    { groups: { trust: { a: 'none' } } },
    { groups: { trust: { a: '${TRUST}' } } },
    [`${O} groups.trust.a`, `${C} groups.trust.a`],
  ],
  [
    'a variable for what was excluded',
    claims({ noneOf: ['admin'] }),
    claims('${DEPT}'),
    [`${O} claims.dept`, `${C} claims.dept`],
  ],
  ['requireExp', {}, { requireExp: false }, [`${O} requireExp`]],
  ['treatIatAsNbf', {}, { treatIatAsNbf: true }, [`${C} treatIatAsNbf`]],
  ['maxTokenAge', {}, { maxTokenAge: '1h' }, [`${C} maxTokenAge`]],
  ['typ', {}, { typ: 'application/at+jwt' }, [`${C} typ`, `${C} typ`]],
  ['another typ', {}, { typ: 'secevent+jwt' }, [`${O} typ`, `${C} typ`, `${C} typ`, `${C} typ`]],
  ['profile', {}, { profile: 'at+jwt' }, [`${C} profile`]],
  ['unsafeMissingIssuer', {}, { unsafeMissingIssuer: 'all-keysets' }, [`${O} unsafeMissingIssuer`]],
  [
    'unsafeAcceptSenderConstrained',
    {},
    { unsafeAcceptSenderConstrained: true },
    [`${O} unsafeAcceptSenderConstrained`],
  ],
  ['cache', {}, { cache: false }, [`${X} cache`]],
  ['realm', {}, { realm: 'a' }, [`${X} realm`]],
  ['longer tokens', {}, { maxTokenBytes: 9000 }, [`${O} maxTokenBytes`]],
  [
    'a delimiter',
    {},
    { nestedClaimDelimiter: '.' },
    [`${O} nestedClaimDelimiter`, `${C} nestedClaimDelimiter`],
  ],
  [
    'a delimiter that goes',
    { nestedClaimDelimiter: '.' },
    {},
    [`${O} nestedClaimDelimiter`, `${C} nestedClaimDelimiter`],
  ],
  [
    'another delimiter',
    { nestedClaimDelimiter: '.' },
    { nestedClaimDelimiter: '/' },
    [`${O} nestedClaimDelimiter`, `${C} nestedClaimDelimiter`],
  ],
  [
    'another audience, and another match',
    {},
    { audience: 'web', audMatch: 'all' },
    [`${O} audience`, `${C} audience`, `${C} audMatch`],
  ],
  [
    'other issuers',
    { keySets: [A, { jwksUrl: 'https://c.example/jwks' }] },
    { keySets: [A, { jwksUrl: 'https://c.example/jwks', unsafeOtherIssuers: true }] },
    [`${O} keySets[1].unsafeOtherIssuers`],
  ],
  [
    'another system subject',
    { systemSubject: 'okera' },
    { systemSubject: 'system' },
    [`${O} systemSubject`, `${C} systemSubject`],
  ],
  [
    'fewer in none, of several types',
    claims({ noneOf: ['a', 'b', 1] }),
    claims({ noneOf: ['a'] }),
    [`${O} claims.dept`, `${C} claims.dept`],
  ],
  [
    'onUnknown, to the next source',
    { groups: { onUnknown: 'none' } },
    { groups: { onUnknown: 'next' } },
    [`${O} groups.onUnknown`],
  ],
  [
    'a claim of groups',
    { groups: {} },
    { groups: { claim: 'roles' } },
    [`${O} groups.claim`, `${C} groups.claim`],
  ],
  ['systemSubject', {}, { systemSubject: 'okera' }, [`${C} systemSubject`]],
  ['an option that nobody knows', {}, { bogus: 1 }, [`${X} bogus`]],

  ['a rule', {}, claims('IT'), [`${C} claims.dept`]],
  ['a literal more of any', claims({ anyOf: ['a'] }), claims({ anyOf: ['a', 'b'] }), [`${O} claims.dept`]],
  ['a literal more of all', claims(['a']), claims(['a', 'b']), [`${C} claims.dept`]],
  ['a literal more of none', claims({ noneOf: ['a'] }), claims({ noneOf: ['a', 'b'] }), [`${C} claims.dept`]],
  [
    'a literal of another type in none',
    claims({ noneOf: ['a'] }),
    claims({ noneOf: ['a', 1] }),
    // Numbers were never accepted before: they could not be compared.
    [`${O} claims.dept`],
  ],
  [
    'fewer in none, of a type that is gone',
    claims({ noneOf: ['a', 1] }),
    claims({ noneOf: ['a'] }),
    [`${C} claims.dept`],
  ],
  ['fewer in none', claims({ noneOf: ['a', 'b'] }), claims({ noneOf: ['a'] }), [`${O} claims.dept`]],
  [
    'a literal more exactly',
    claims({ exactly: ['a'] }),
    claims({ exactly: ['a', 'b'] }),
    [`${O} claims.dept`, `${C} claims.dept`],
  ],
  ['a value more', claims({ values: ['a', 'b'] }), claims({ values: ['a', 'b', 'c'] }), [`${C} claims.dept`]],
  ['all to any', claims(['a', 'b']), claims({ anyOf: ['b', 'c'] }), [`${O} claims.dept`]],
  ['exactly to all', claims({ exactly: ['a', 'b'] }), claims({ allOf: ['a'] }), [`${O} claims.dept`]],
  // A claim that is not a list cannot be two values.
  ['all to values', claims(['a', 'b']), claims({ values: ['a', 'b'] }), []],
  ['all to values, of one', claims(['a']), claims({ values: ['a'] }), [`${O} claims.dept`]],
  ['any to present', claims('a'), claims({ present: true }), [`${O} claims.dept`]],
  ['optional', claims('a'), claims({ optional: 'a' }), [`${O} claims.dept`]],
  [
    'optional, and otherwise',
    claims('a'),
    claims({ optional: { anyOf: ['b'] } }),
    [`${O} claims.dept`, `${C} claims.dept`],
  ],
  ['optional, and wider', claims('a'), claims({ optional: { anyOf: ['a', 'b'] } }), [`${O} claims.dept`]],
  ['one literal in other words', claims('a'), claims({ anyOf: ['a'] }), []],
  ['a list in other words', claims(['a', 'b']), claims({ allOf: ['b', 'a'] }), []],
  [
    'another pattern',
    claims({ pattern: 'a' }),
    claims({ pattern: 'b' }),
    [`${O} claims.dept`, `${C} claims.dept`],
  ],
  [
    'S22 a pattern that searches',
    claims({ pattern: 'a' }),
    claims({ pattern: 'a', match: 'search' }),
    [`${O} claims.dept`],
  ],
  [
    'another split',
    claims({ anyOf: ['a'] }),
    claims({ anyOf: ['a'], split: ',' }),
    [`${O} claims.dept`, `${C} claims.dept`],
  ],
  [
    'another parameter',
    claims({ fromRequest: 'params.a' }),
    claims({ fromRequest: 'params.b' }),
    [`${O} claims.dept`, `${C} claims.dept`],
  ],
  [
    'AM-13 a row says what a rule says',
    claims('a'),
    { claims: [{ name: 'dept', required: true, validate: true, value: 'a' }] },
    [],
  ],
  ['AM-14 a row that asks nothing', {}, { claims: [{ name: 'dept', required: false }] }, []],
  [
    'AM-22 a row of an array',
    claims(['a', 'b']),
    { claims: [{ name: 'dept', required: true, type: 'ARRAY', validate: true, value: ['a'] }] },
    [`${O} claims[0]`],
  ],
  [
    'AM-21 a row of an integer',
    claims(4),
    { claims: [{ name: 'dept', required: true, type: 'INTEGER', validate: true, value: '4' }] },
    [],
  ],
  [
    'AM-13 a row that is optional',
    claims({ present: true }),
    { claims: [{ name: 'dept', required: false, validate: true, value: 'a' }] },
    [`${O} claims[0]`, `${C} claims[0]`],
  ],
  ['a rule by path', {}, { claims: [{ path: ['a', 'b'], rule: 'x' }] }, [`${C} claims[0]`]],
  [
    'two rules on one claim',
    { claims: [{ dept: ['a'] }] },
    { claims: [{ dept: ['a'] }, { dept: { noneOf: ['b'] } }] },
    [`${C} claims[1].dept`],
  ],
  ['rules that are none', claims('a'), { claims: 'a' }, [`${X} claims`]],
  [
    'another variable for a number',
    { claims: [{ name: 'dept', validate: true, type: 'INTEGER', value: '${ONE}' }] },
    { claims: [{ name: 'dept', validate: true, type: 'INTEGER', value: '${OTHER}' }] },
    [`${O} claims[0]`, `${C} claims[0]`],
  ],
  [
    'another variable for a switch',
    { claims: [{ name: 'dept', validate: true, type: 'BOOLEAN', value: '${ONE}' }] },
    { claims: [{ name: 'dept', validate: true, type: 'BOOLEAN', value: '${OTHER}' }] },
    [`${O} claims[0]`, `${C} claims[0]`],
  ],
  [
    'a rule that cannot be read',
    claims({ oneOf: ['a'] }),
    claims({ oneOf: ['b'] }),
    [`${O} claims.dept`, `${C} claims.dept`],
  ],
  [
    'a rule next to one that cannot be read',
    { claims: { dept: 'a', team: { oneOf: ['a'] } } },
    { claims: { dept: { anyOf: ['a', 'b'] }, team: { oneOf: ['a'] } } },
    [`${O} claims.dept`],
  ],

  ['a route', {}, { routes: { admin: { claims: { a: 'b' } } } }, [`${C} routes.admin`]],
  [
    'a route that asks more',
    { routes: { admin: { claims: { a: 'b' } } } },
    { routes: { admin: { claims: { a: 'b', c: 'd' } } } },
    [`${C} routes.admin.claims.c`],
  ],
  [
    'issuers of a route',
    { routes: { admin: { claims: {} } } },
    { routes: { admin: { claims: {}, issuers: ['a'] } } },
    [`${C} routes.admin.issuers`],
  ],

  [
    'remote that denies',
    {},
    { remote: { url: 'https://r', onReject: 'deny' } },
    [`${O} remote`, `${C} remote`],
  ],
  ['remote that asks on', {}, { remote: { url: 'https://r', onReject: 'next' } }, [`${O} remote`]],
  [
    'S50 onReject',
    { remote: { url: 'r', onReject: 'deny' } },
    { remote: { url: 'r', onReject: 'next' } },
    [`${O} remote.onReject`],
  ],
  [
    'onError',
    { remote: { url: 'r', onError: 'deny' } },
    { remote: { url: 'r', onError: 'next' } },
    [`${O} remote.onError`],
  ],
  [
    'a longer yes',
    { remote: { url: 'r' } },
    { remote: { url: 'r', cacheFor: '1m' } },
    [`${O} remote.cacheFor`],
  ],
  [
    'an issuer of the endpoint',
    { remote: { url: 'r' } },
    { remote: { url: 'r', issuer: 'a' } },
    [`${C} remote.issuer`],
  ],
  [
    'another endpoint',
    { remote: { url: 'r' } },
    { remote: { url: 's' } },
    [`${O} remote.url`, `${C} remote.url`],
  ],
  [
    'tokens of other APIs at an endpoint',
    { remote: { url: 'r' } },
    { remote: { url: 'r', unsafeIgnoreTokenClaims: true } },
    [`${O} remote.unsafeIgnoreTokenClaims`],
  ],
  [
    'another contract',
    { remote: { url: 'r' } },
    { remote: { url: 'r', contract: 'introspection' } },
    [`${O} remote.contract`, `${C} remote.contract`],
  ],

  ['trust', { groups: {} }, { groups: { trust: { a: 'all' } } }, [`${C} groups.trust`]],
  [
    'trust in one more',
    { groups: { trust: { a: 'all' } } },
    { groups: { trust: { a: 'all', b: 'none' } } },
    [`${O} groups.trust.b`],
  ],
  [
    'less trust',
    { groups: { trust: { a: 'all' } } },
    { groups: { trust: { a: { only: ['x'] } } } },
    [`${C} groups.trust.a`],
  ],
  [
    'a trusted group',
    { groups: { trust: { a: { only: ['x'] } } } },
    { groups: { trust: { a: { only: ['x', 'y'] } } } },
    [`${O} groups.trust.a.only`],
  ],
  [
    'another prefix',
    { groups: { trust: { a: { prefix: 'x' } } } },
    { groups: { trust: { a: { prefix: 'y' } } } },
    [`${O} groups.trust.a`, `${C} groups.trust.a`],
  ],
  ['a reserved group', { groups: {} }, { groups: { reserved: ['root'] } }, [`${C} groups.reserved`]],
  ['groups at all', {}, { groups: {} }, [`${X} groups`]],
  ['an endpoint of groups', { groups: {} }, { groups: { endpoint: { url: 'g' } } }, [`${O} groups.endpoint`]],
  ['onUnknown', { groups: {} }, { groups: { onUnknown: 'none' } }, [`${O} groups.onUnknown`]],
  [
    'groupCase',
    { groups: {} },
    { groups: { groupCase: 'insensitive' } },
    [`${O} groups.groupCase`, `${C} groups.groupCase`],
  ],

  ['signing', {}, { signing: { secret } }, [`${O} signing`]],
  [
    'longer lives',
    { signing: { secret, expiresIn: '1h' } },
    { signing: { secret, expiresIn: '2h' } },
    [`${O} signing.expiresIn`],
  ],
  [
    'signing without exp',
    { signing: { secret } },
    { signing: { secret, requireExp: false } },
    [`${O} signing.requireExp`],
  ],
  ['another key', { signing: { secret } }, { signing: { secret: { name: 't' } } }, [`${X} signing.secret`]],
  [
    'a field more',
    { signing: { secret, keysToSign: ['a'] } },
    { signing: { secret, keysToSign: ['a', 'b'] } },
    [`${O} signing.keysToSign`],
  ],
];

const opposite = (changes: readonly Change[]) => ({
  opens: changes.filter(({ effect }) => effect === 'closes').length,
  closes: changes.filter(({ effect }) => effect === 'opens').length,
  changes: changes.filter(({ effect }) => effect === 'changes').length,
});
const count = (changes: readonly Change[]) => ({
  opens: changes.filter(({ effect }) => effect === 'opens').length,
  closes: changes.filter(({ effect }) => effect === 'closes').length,
  changes: changes.filter(({ effect }) => effect === 'changes').length,
});

describe('one change', () => {
  it.each(CASES)('%s', (_name, before, after, expected) => {
    const there = plan({ ...BASE, ...before }, { ...BASE, ...after });
    expect(brief(there)).toEqual(expected);
    expect(count(plan({ ...BASE, ...after }, { ...BASE, ...before }))).toEqual(opposite(there));
  });

  it('says where it stands, and for what is gone where it stood', () => {
    const old = parseDescriptor(
      'service:\n  jwt:\n    keySets:\n      - jwksUrl: https://a\n        issuer: a\n',
      'old.yaml',
    );
    const current = parseDescriptor('service:\n  jwt:\n    mode: optional\n    keySets: []\n', 'new.yaml');
    expect(planChange(old, current)).toMatchObject([
      { effect: 'opens', path: 'mode', place: { file: 'new.yaml', line: 3 } },
      { effect: 'closes', path: 'keySets[0]', place: { file: 'old.yaml', line: 4 } },
    ]);
  });

  it('says nothing secret', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'k' };
    const said = JSON.stringify([
      plan(BASE, { keySets: [{ issuer: 'a', jwks: { keys: [jwk] } }] }),
      plan(
        { keySets: [{ issuer: 'a', jwks: { keys: [] } }] },
        { keySets: [{ issuer: 'a', jwks: { keys: [jwk] } }] },
      ),
      plan(BASE, { ...BASE, ...keyset({ jwksUrl: 'https://me:hunter2@a.example/jwks?key=hunter2' }) }),
    ]);
    expect(said).toContain('key is new: k');
    expect(said).not.toContain(String(jwk.d));
    expect(said).not.toContain('hunter2');
  });
});

// Properties, over a descriptor with everything.

const pem = '-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n';
const TEMPLATE = documentOf({});
/** The same without a file: there are thousands. */
const compare = (before: unknown, after: unknown): readonly Change[] =>
  planChange({ ...TEMPLATE, jwt: before as Block }, { ...TEMPLATE, jwt: after as Block });
const EVERYTHING: unknown = BIG({ pem, jwk: { kty: 'EC', kid: 'k', x: 'a', y: 'b' } }).service.jwt;

interface Edit {
  readonly path: string;
  readonly block: unknown;
}

/** Every single edit: each value replaced, each member and item taken away. */
function edits(value: unknown, path = ''): readonly Edit[] {
  if (Array.isArray(value))
    return value.flatMap((item: unknown, index) => [
      { path: `-${path}[${index}]`, block: value.toSpliced(index, 1) },
      ...edits(item, `${path}[${index}]`).map((edit) => ({ ...edit, block: value.with(index, edit.block) })),
    ]);
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, member]) => {
      const at = path === '' ? name : `${path}.${name}`;
      const { [name]: _gone, ...rest } = value as Block;
      return [
        { path: `-${at}`, block: rest },
        ...edits(member, at).map((edit) => ({ ...edit, block: { ...value, [name]: edit.block } })),
      ];
    });
  const other =
    typeof value === 'boolean'
      ? !value
      : typeof value === 'number'
        ? value + 1
        : value === null
          ? 'x'
          : `${value}x`;
  return [{ path, block: other }];
}

/** Repeatable, so that a failure can be looked at. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('every option', () => {
  it('has a judgement, or is judged with what belongs to it', () => {
    const unjudged = optionTables().flatMap(({ title, rows }) =>
      rows.filter(({ isJudged }) => !isJudged).map(({ name }) => `${title}: ${name}`),
    );
    // In the order of the tables: those without a reason are judged in tools/plan.
    expect(unjudged).toEqual(UNJUDGED);
  });
});

const UNJUDGED: readonly string[] = [
  'An authenticator: keySets',
  'An authenticator: keys',
  // For code alone.
  'An authenticator: secrets',
  'An authenticator: externalSecrets',
  'An authenticator: audience',
  'An authenticator: tokenFrom',
  'An authenticator: claims',
  'An authenticator: routes',
  'An authenticator: typ',
  // For code alone.
  'An authenticator: clock',
  'Groups: `groups`: trust',
  // For code alone.
  'Groups: `groups`: directory',
  // What is remembered decides nothing.
  'The token cache: `cache`: tokens',
  'The token cache: `cache`: bytes',
  'A named route: `routes`: claims',
  'Signing: `createSigner`, `signing`: keys',
  // For code alone.
  'Signing: `createSigner`, `signing`: clock',
  'Signing: `createSigner`, `signing`: secrets',
  'Signing: `createSigner`, `signing`: externalSecrets',
];

describe('properties', () => {
  it.each([
    ...SEEDS.map(([name, text]) => [name, parseDescriptor(text, 'a')] as const),
    ['everything', documentOf(EVERYTHING)] as const,
  ])('of what is the same, there is no change: %s', (_name, document) =>
    expect(planChange(document, document)).toEqual([]),
  );

  it('every edit is told, but those that say aloud what goes without saying', () => {
    const silent = edits(EVERYTHING)
      .filter(({ block }) => compare(EVERYTHING, block).length === 0)
      .map(({ path }) => path);
    expect(silent).toEqual([
      '-audMatch',
      '-keySets[0].allowHttp',
      '-keySets[1].tls',
      '-remote.system',
      '-remote.unsafeIgnoreTokenClaims',
      '-remote.allowHttp',
      '-remote.tls',
      '-groups.endpoint.allowHttp',
      '-groups.endpoint.tls',
      '-groups.cacheFor',
      '-claims[3].required',
      '-mode',
      '-requireExp',
      '-unsafeAcceptSenderConstrained',
      '-signing.requireExp',
      '-signing.maxTokenBytes',
      '-signing.maxStale',
    ]);
  });

  it('the way back opens what the way there closes, whatever is changed', () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = createRandom(seed);
      const edited = (block: unknown): unknown => {
        const all = edits(block);
        return all[random(all.length)]?.block ?? block;
      };
      let [one, other] = [EVERYTHING, EVERYTHING];
      for (let times = random(4); times >= 0; times--) [one, other] = [edited(one), edited(other)];
      const there = compare(one, other);
      expect(count(compare(other, one)), `seed ${seed}`).toEqual(opposite(there));
    }
  });

  it('what is told of two rules is true of every claim', () => {
    const lists = [['a'], ['b'], ['a', 'b'], ['a', 'b', 'c'], [1], ['a', 1], [true, 'b']];
    const forms = [
      'a',
      1,
      ...lists,
      ...lists.flatMap((list) =>
        ['anyOf', 'allOf', 'noneOf', 'exactly', 'values'].map((form) => ({ [form]: list })),
      ),
      { anyOf: ['a'], split: ',' },
      { pattern: 'a' },
      { pattern: 'a', match: 'search' },
      { pattern: '[ab]' },
      { present: true },
    ];
    const rules = [
      ...forms,
      ...forms.filter((_form, index) => index % 3 === 0).map((form) => ({ optional: form })),
    ].map((rule) => ({ claims: { x: rule } as Rules, holds: holds({ x: rule } as Rules) }));
    const rows = [
      { name: 'x', required: true },
      { name: 'x', required: true, validate: true, value: 'a' },
      { name: 'x', validate: true, value: 'a' },
      { name: 'x', validate: true, type: 'ARRAY', value: ['a', 'b'] },
      { name: 'x', required: true, validate: true, type: 'REGEX', value: '[ab]' },
      { name: 'x', required: true, validate: true, type: 'INTEGER', value: '1' },
    ].map((row) => ({ claims: [row] as Rules, holds: holds([row] as Rules) }));
    const effects = new Set<string>();
    for (const before of [...rules, ...rows]) {
      for (const after of [...rules, ...rows]) {
        const told = compare({ claims: before.claims }, { claims: after.claims }).map(({ effect }) => effect);
        for (const effect of told.length === 0 ? ['none'] : told) effects.add(effect);
        const said = `${JSON.stringify(before.claims)} → ${JSON.stringify(after.claims)}`;
        const lets = before.holds.map((held, index) => [held, after.holds[index]]);
        if (!told.includes('opens'))
          expect(
            lets.some(([was, is]) => is === true && was === false),
            said,
          ).toBe(false);
        if (!told.includes('closes'))
          expect(
            lets.some(([was, is]) => was === true && is === false),
            said,
          ).toBe(false);
      }
    }
    expect([...effects].sort()).toEqual(['closes', 'none', 'opens']);
  });
});

const VALUES = [
  undefined,
  null,
  'a',
  'b',
  'c',
  'ab',
  'a,b',
  '',
  1,
  2,
  '1',
  true,
  false,
  [],
  ['a'],
  ['b'],
  ['a', 'b'],
  ['a', 'b', 'c'],
  ['c'],
  [1],
  ['a', 1],
  [true],
  [true, 'b'],
  [null],
  {},
  [['a']],
];

/** What rules say of each value of a claim. */
function holds(rules: Rules): readonly boolean[] {
  const compiled = compileRules(rules);
  return VALUES.map(
    (value) => firstFailure(compiled, (value === undefined ? {} : { x: value }) as never) === undefined,
  );
}
