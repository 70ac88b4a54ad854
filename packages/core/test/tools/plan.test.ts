// planChange: what each change of a descriptor opens and closes, that the way back says the
// opposite, and that every edit is a change.
import { generateKeyPairSync } from 'node:crypto';
import { seeded } from '@latchkey/test-kit/random';
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

const A = { issuer: 'https://a.example', jwksUrl: 'https://a.example/jwks' };
const B = { issuer: 'https://b.example', jwksUrl: 'https://b.example/jwks' };
const A2 = { issuer: A.issuer, jwksUrl: 'https://a.example/more' };
const BASE: Block = { audience: 'api', keySets: [A] };

const keyset = (more: Block): Block => ({ keySets: [{ ...A, ...more }] });
const secret = { name: 's' };
const key = (more: Block = {}): Block => ({ keyId: 'k', algorithm: 'RS256', secret, ...more });
const row = (more: Block): Block => ({ claims: [{ name: 'dept', ...more }] });
/** The second of two keysets, after one that stays. */
const second = (more: Block = {}) => ({ keySets: [A, { jwksUrl: 'https://c.example/jwks', ...more }] });
const itself = (block: unknown) => block as Block;

/**
 * Changes as text: what opens has a +, what closes has a -, and other changes have a ~. The rows of
 * a group are blocks as `of` makes them, and their paths begin with `at`. The way back must say the
 * opposite.
 */
interface Group {
  readonly of: (block: unknown) => Block;
  readonly at: string;
  readonly rows: readonly (readonly [name: string, before: unknown, after: unknown, changes: string])[];
}

const GROUPS: Readonly<Record<string, Group>> = {
  'the list of keysets': {
    of: itself,
    at: '',
    rows: [
      ['a keyset more', {}, { keySets: [A, B] }, '+keySets[1]'],
      ['a keyset before others', {}, { keySets: [B, A] }, '+keySets[0]'],
      ['another order', { keySets: [A, B] }, { keySets: [B, A] }, '~keySets'],
      ['another order of one issuer', { keySets: [A, A2] }, { keySets: [A2, A] }, '+keySets -keySets'],
      ['the first of one issuer', { keySets: [A2] }, { keySets: [A, A2] }, '+keySets[0] -keySets'],
      ['the last of one issuer', { keySets: [A] }, { keySets: [A, A2] }, '+keySets[1]'],
      [
        'another order, of tokens without an issuer',
        { keySets: [A, B], unsafeMissingIssuer: 'all-keysets' },
        { keySets: [B, A], unsafeMissingIssuer: 'all-keysets' },
        '+keySets -keySets',
      ],
      [
        'another source',
        {},
        { keySets: [{ issuer: A.issuer, useOidcDiscovery: true }] },
        '+keySets[0] -keySets[0]',
      ],
      [
        'another discovery',
        { keySets: [{ issuer: A.issuer, useDiscovery: 'oauth' }] },
        { keySets: [{ issuer: A.issuer, useDiscovery: 'any' }] },
        '+keySets[0].useDiscovery -keySets[0].useDiscovery',
      ],
      ['other issuers', second(), second({ unsafeOtherIssuers: true }), '+keySets[1].unsafeOtherIssuers'],
    ],
  },
  'bound tokens': {
    of: (dpop) =>
      dpop === undefined ? {} : { dpop: { publicUrl: 'https://api.example', ...(dpop as Block) } },
    at: 'dpop',
    rows: [
      ['for the first time', undefined, { mode: 'allowed' }, '+.mode ~.publicUrl'],
      ['required for the first time', undefined, { mode: 'required' }, '+.mode -.mode ~.publicUrl'],
      ['allowed', { mode: 'off' }, { mode: 'allowed' }, '+.mode'],
      ['required', { mode: 'allowed' }, { mode: 'required' }, '-.mode'],
      [
        'another URL',
        { mode: 'allowed' },
        { mode: 'allowed', publicUrl: 'https://b.example' },
        '+.publicUrl -.publicUrl',
      ],
      [
        'an algorithm less',
        { mode: 'allowed' },
        { mode: 'allowed', algorithms: ['ES256', 'EdDSA', 'Ed25519', 'PS256'] },
        '-.algorithms',
      ],
      [
        'another algorithm',
        { mode: 'allowed', algorithms: ['ES256'] },
        { mode: 'allowed', algorithms: ['ES384'] },
        '+.algorithms -.algorithms',
      ],
      ['longer', { mode: 'allowed' }, { mode: 'allowed', maxAge: '2m' }, '+.maxAge'],
      ['other clocks', { mode: 'allowed' }, { mode: 'allowed', clockSkew: '10s' }, '+.clockSkew'],
      ['nonces', { mode: 'allowed' }, { mode: 'allowed', nonce: {} }, '-.nonce'],
      [
        'older nonces',
        { mode: 'allowed', nonce: {} },
        { mode: 'allowed', nonce: { lifetime: '10m' } },
        '+.nonce.lifetime',
      ],
      ['more entries', { mode: 'allowed' }, { mode: 'allowed', replayEntries: 10 }, '~.replayEntries'],
      [
        'the unsafe way',
        { mode: 'allowed' },
        { mode: 'allowed', unsafeReplayFailure: 'accept' },
        '+.unsafeReplayFailure',
      ],
    ],
  },
  'revoked tokens': {
    of: (revocation) => (revocation === undefined ? {} : { revocation }),
    at: 'revocation',
    rows: [
      ['for the first time', undefined, {}, '-'],
      ['no longer', { file: 'a.jsonl' }, undefined, '+'],
      ['in a file', {}, { file: 'a.jsonl' }, '-.file'],
      ['in memory', { file: 'a.jsonl' }, {}, '+.file'],
      ['in another file', { file: 'a.jsonl' }, { file: 'b.jsonl' }, '+.file -.file'],
      ['an older list', {}, { maxStale: '1m' }, '+.maxStale'],
      ['a younger list', {}, { maxStale: '10s' }, '-.maxStale'],
      ['remembered for longer', {}, { remember: '48h' }, '-.remember'],
      ['remembered for a shorter time', {}, { remember: '1h' }, '+.remember'],
      ['another number', {}, { entries: 10 }, '~.entries'],
      ['the unsafe way', {}, { unsafeStale: 'accept' }, '+.unsafeStale'],
      ['the safe way', { unsafeStale: 'accept' }, {}, '-.unsafeStale'],
    ],
  },
  'certificates of clients': {
    of: (mutualTls) => (mutualTls === undefined ? {} : { mutualTls: mutualTls as Block }),
    at: 'mutualTls',
    rows: [
      ['for the first time', undefined, { mode: 'allowed' }, '+.mode'],
      ['required', { mode: 'allowed' }, { mode: 'required' }, '-.mode'],
      ['off', { mode: 'allowed' }, { mode: 'off' }, '-.mode'],
      [
        'of a proxy',
        { mode: 'allowed' },
        { mode: 'allowed', header: 'Client-Cert', trustedPeers: ['10.0.0.0/8'] },
        '+.header +.trustedPeers',
      ],
      [
        'in another header',
        { mode: 'allowed', header: 'Client-Cert', trustedPeers: ['10.0.0.7'] },
        { mode: 'allowed', header: 'X-Forwarded-Client-Cert', trustedPeers: ['10.0.0.7', '10.0.0.8'] },
        '+.header +.trustedPeers -.header',
      ],
    ],
  },
  'tokens that must be bound': {
    of: (more) => ({ mutualTls: { mode: 'allowed' }, ...(more as Block) }),
    at: '',
    rows: [
      ['required', {}, { senderConstrained: 'required' }, '-mutualTls.mode -senderConstrained'],
      [
        'no longer',
        { senderConstrained: 'required' },
        { senderConstrained: 'allowed' },
        '+mutualTls.mode +senderConstrained',
      ],
    ],
  },
  'a route with bound tokens': {
    of: (route) => ({
      dpop: { mode: 'allowed', publicUrl: 'https://api.example' },
      mutualTls: { mode: 'allowed' },
      routes: { pay: { claims: {}, ...(route as Block) } },
    }),
    at: 'routes.pay',
    rows: [
      ['required', {}, { dpop: 'required' }, '-.dpop'],
      ['allowed', {}, { dpop: 'allowed' }, '~.dpop'],
      ['tightened', { dpop: 'allowed' }, { dpop: 'required' }, '-.dpop'],
      ['a certificate', { mutualTls: 'allowed' }, { mutualTls: 'required' }, '-.mutualTls'],
      ['either', { senderConstrained: 'required' }, {}, '+.senderConstrained'],
    ],
  },
  'a keyset for tenants': {
    of: (more) => keyset({ issuer: 'https://a.example/{t}', tenants: ['a', 'b'], ...(more as Block) }),
    at: 'keySets[0]',
    rows: [
      ['a tenant more', {}, { tenants: ['a', 'b', 'c'] }, '+.tenants'],
      ['a tenant less', {}, { tenants: ['a'] }, '-.tenants'],
      ['another order', {}, { tenants: ['b', 'a'] }, ''],
      ['a pattern', {}, { tenants: { pattern: 'a|b' } }, '+.tenants -.tenants'],
      ['any tenant', {}, { tenants: undefined, unsafeAnyTenant: true }, '+.tenants +.unsafeAnyTenant'],
      ['a bound claim', {}, { bind: { t: 'tid' } }, '-.bind'],
      ['no bound claim any more', { bind: { t: 'tid' } }, {}, '+.bind'],
      ['another bound claim', { bind: { t: 'tid' } }, { bind: { t: 'org' } }, '+.bind -.bind'],
      ['more tenants at the same time', {}, { maxTenants: 2000 }, '~.maxTenants'],
      [
        'tenants in place of one issuer',
        { issuer: 'https://a.example/a', tenants: undefined },
        {},
        '+.issuer -.issuer -.tenants',
      ],
    ],
  },
  'a keyset with a URL': {
    of: (more) => keyset(more as Block),
    at: 'keySets[0]',
    rows: [
      ['another issuer', {}, { issuer: 'https://c.example' }, '+.issuer -.issuer'],
      ['an issuer that was not given', { issuer: undefined }, {}, '-.issuer'],
      ['another URL', {}, { jwksUrl: 'https://a.example/other' }, '+.jwksUrl -.jwksUrl'],
      ['algorithms for the first time', {}, { allowedAlgorithms: ['RS256'] }, '-.allowedAlgorithms'],
      [
        'an algorithm more',
        { allowedAlgorithms: ['RS256'] },
        { allowedAlgorithms: ['ES256', 'RS256'] },
        '+.allowedAlgorithms',
      ],
      [
        'one algorithm for another',
        { allowedAlgorithms: ['RS256'] },
        { allowedAlgorithms: ['ES256'] },
        '+.allowedAlgorithms -.allowedAlgorithms',
      ],
      ['a longer interval', {}, { refreshInterval: '2h' }, '+.refreshInterval'],
      [
        'the defaults, written out',
        {},
        { refreshInterval: '60m', maxStale: '1d', kidless: 'first', system: false },
        '',
      ],
      ['less staleness', {}, { maxStale: '1h' }, '-.maxStale'],
      ['kidless', {}, { kidless: 'refuse' }, '-.kidless'],
      ['the same audience', {}, { audience: 'api' }, ''],
      ['an audience more', {}, { audience: ['api', 'web'] }, '+.audience'],
      ['another audience', { audience: 'a' }, { audience: 'b' }, '+.audience -.audience'],
      ['no audience', {}, { audience: null }, '+.audience'],
      ['no audience any more', { audience: 'a' }, { audience: null }, '+.audience'],
      ['rules', {}, { claims: { dept: 'IT' } }, '-.claims.dept'],
      [
        'weaker rules',
        { claims: { dept: 'IT' } },
        { claims: { dept: { anyOf: ['IT', 'HR'] } } },
        '+.claims.dept',
      ],
      ['a type', {}, { typ: 'at+jwt' }, '-.typ -.typ'],
      ['a type more', { typ: 'at+jwt' }, { typ: ['at+jwt', 'x'] }, '+.typ'],
      ['an age', {}, { maxTokenAge: '1h' }, '-.maxTokenAge'],
      ['a longer age', { maxTokenAge: '1h' }, { maxTokenAge: '2h' }, '+.maxTokenAge'],
      ['a lifetime', {}, { maxLifetime: '1h' }, '-.maxLifetime'],
      ['numbers in sub', {}, { numericSub: true }, '+.numericSub'],
      ['a profile', {}, { profile: 'at+jwt' }, '-.profile'],
      ['plain http', {}, { allowHttp: true }, '+.allowHttp'],
      ['family', {}, { unsafeAlgorithmMatch: 'family' }, '+.unsafeAlgorithmMatch'],
      ['system', {}, { system: true }, '+.system'],
      ['skipValidation', {}, { skipValidation: true }, '~.skipValidation'],
      ['a fingerprint', { tls: {} }, { tls: { fingerprints: ['x'] } }, '-.tls.fingerprints'],
      ['a CA', {}, { tls: { ca: { file: 'a' } } }, '-.tls.ca'],
    ],
  },
  'a keyset with another source': {
    of: (one) => ({ keySets: [one] }),
    at: 'keySets[0]',
    rows: [
      [
        'legacy algorithms',
        { issuer: 'a', secret },
        { issuer: 'a', secret, unsafeLegacyAlgorithms: ['HMD5'] },
        '+.unsafeLegacyAlgorithms',
      ],
      [
        'private addresses',
        { jwksHosts: ['a'] },
        { jwksHosts: ['a', 'b'], unsafeAllowPrivateAddresses: true },
        '+.jwksHosts +.unsafeAllowPrivateAddresses',
      ],
      [
        'an inline key',
        { issuer: 'a', jwks: { keys: [{ kid: '1' }] } },
        { issuer: 'a', jwks: { keys: [{ kid: '1' }, { kid: '2' }] } },
        '+.jwks.keys',
      ],
      [
        'a backup key',
        { publicKeys: [{ file: 'a', algorithm: 'RS256' }] },
        { publicKeys: ['a', 'b'].map((file) => ({ file, algorithm: 'RS256' })) },
        '+.publicKeys',
      ],
      [
        'another secret',
        { issuer: 'a', secret },
        { issuer: 'a', secret: { name: 't' } },
        '+.secret -.secret',
      ],
    ],
  },
  'the deprecated list of keys': {
    of: itself,
    at: '',
    rows: [
      ['a legacy key', {}, { keys: [key()] }, '+keys[0]'],
      ['a pinned legacy key', {}, { keys: [key({ issuer: 'a' })] }, '+keys[0] +keys'],
      [
        'AK-27 keys moved into keysets',
        { keySets: [], keys: [key({ issuer: 'a' })] },
        { keySets: [{ issuer: 'a', secret, allowedAlgorithms: ['RS256'] }] },
        '+keySets[0] -keys[0] -keys',
      ],
      [
        'AK-34 keys in another order',
        { keys: [key(), key({ keyId: 'l' })] },
        { keys: [key({ keyId: 'l' }), key()] },
        '+keys -keys',
      ],
      [
        'another algorithm of a key',
        { keys: [key()] },
        { keys: [key({ algorithm: 'RS512' })] },
        '+keys[0].algorithm -keys[0].algorithm',
      ],
    ],
  },
  'an authenticator': {
    of: itself,
    at: '',
    rows: [
      ['an audience more', {}, { audience: ['api', 'web'] }, '+audience'],
      [
        'an audience more, of all',
        { audMatch: 'all' },
        { audMatch: 'all', audience: ['api', 'web'] },
        '-audience',
      ],
      ['another audience', {}, { audience: 'web' }, '+audience -audience'],
      [
        'another audience, and another match',
        {},
        { audience: 'web', audMatch: 'all' },
        '+audience -audience -audMatch',
      ],
      ['no audience', {}, { audience: null }, '+audience'],
      ['an audience that is left out', {}, { audience: undefined }, '+audience'],
      ['null, written or not', { audience: undefined }, { audience: null }, '~audience'],
      ['one audience, as a list', {}, { audience: ['api'] }, ''],
      ['audMatch', {}, { audMatch: 'all' }, '-audMatch'],
      ['audMatch only', {}, { audMatch: 'only' }, '-audMatch'],
      ['audMatch only for all', { audMatch: 'all' }, { audMatch: 'only' }, '+audMatch -audMatch'],
      ['audMatch, written out', {}, { audMatch: 'any' }, ''],
      ['audMatch, unknown', {}, { audMatch: '${MATCH}' }, '+audMatch -audMatch'],
      ['a lifetime', {}, { maxLifetime: '1h' }, '-maxLifetime'],
      ['numbers in sub', {}, { numericSub: true }, '+numericSub'],
      ['no numbers in sub, written out', {}, { numericSub: false }, ''],
      ['a longer lifetime', { maxLifetime: '1h' }, { maxLifetime: '2h' }, '+maxLifetime'],
      [
        'an audience of each keyset, in place of one',
        { audience: ['api', 'web'], keySets: [A, B] },
        {
          audience: undefined,
          keySets: [
            { ...A, audience: 'api' },
            { ...B, audience: 'web' },
          ],
        },
        '-keySets[0].audience -keySets[1].audience',
      ],
      [
        'one audience where each keyset has its own',
        { keySets: [{ ...A, audience: 'a' }] },
        { audience: ['api', 'web'], keySets: [{ ...A, audience: 'a' }] },
        '',
      ],
      [
        'one audience where a keyset has none of its own',
        { keySets: [{ ...A, audience: 'a' }, B] },
        { audience: ['api', 'web'], keySets: [{ ...A, audience: 'a' }, B] },
        '+audience',
      ],
      ['issuers', {}, { issuers: ['a'] }, '-issuers'],
      ['an issuer more', { issuers: ['a'] }, { issuers: ['a', { pattern: 'b.*' }] }, '+issuers'],
      ['mode', {}, { mode: 'optional' }, '+mode'],
      ['mode, further', { mode: 'optional' }, { mode: 'permissive' }, '+mode'],
      ['mode, written out', {}, { mode: 'strict' }, ''],
      ['a cookie', {}, { tokenFrom: [{ header: 'authorization' }, { cookie: '__Host-t' }] }, '+tokenFrom[1]'],
      ['a query for the header', {}, { tokenFrom: [{ query: 't' }] }, '+tokenFrom[0] -tokenFrom[0]'],
      [
        'another scheme',
        {},
        { tokenFrom: [{ header: 'Authorization', scheme: 'JWT' }] },
        '+tokenFrom[0].scheme -tokenFrom[0].scheme',
      ],
      [
        'an origin',
        { tokenFrom: [{ cookie: 'a' }] },
        { tokenFrom: [{ cookie: 'a', allowedOrigins: ['https://a'] }] },
        '+tokenFrom[0].allowedOrigins',
      ],
      ['a wider skew', {}, { clockSkew: '6s' }, '+clockSkew'],
      ['an unknown duration', { clockSkew: '${SKEW}' }, { clockSkew: '6s' }, '+clockSkew -clockSkew'],
      ['an unknown word', {}, { mode: '${MODE}' }, '+mode -mode'],
      ['requireExp', {}, { requireExp: false }, '+requireExp'],
      ['treatIatAsNbf', {}, { treatIatAsNbf: true }, '-treatIatAsNbf'],
      ['maxTokenAge', {}, { maxTokenAge: '1h' }, '-maxTokenAge'],
      ['typ', {}, { typ: 'application/at+jwt' }, '-typ -typ'],
      ['another typ', {}, { typ: 'secevent+jwt' }, '+typ -typ -typ -typ'],
      ['profile', {}, { profile: 'at+jwt' }, '-profile'],
      [
        'the profile of FAPI 2.0',
        { keySets: [{ issuer: 'https://a', useDiscovery: true }] },
        { keySets: [{ issuer: 'https://a', useDiscovery: true }], profile: 'fapi2' },
        '+clockSkew -keySets[0].allowedAlgorithms -senderConstrained',
      ],
      [
        'one kind of bound tokens, where bound tokens are required',
        { senderConstrained: 'required', dpop: { mode: 'required', publicUrl: 'https://api.example' } },
        { senderConstrained: 'required', dpop: { mode: 'allowed', publicUrl: 'https://api.example' } },
        '',
      ],
      ['unsafeMissingIssuer', {}, { unsafeMissingIssuer: 'all-keysets' }, '+unsafeMissingIssuer'],
      [
        'unsafeAcceptSenderConstrained',
        {},
        { unsafeAcceptSenderConstrained: true },
        '+unsafeAcceptSenderConstrained',
      ],
      ['cache', {}, { cache: false }, '~cache'],
      ['realm', {}, { realm: 'a' }, '~realm'],
      ['a resource', {}, { resource: { url: 'https://a.example' } }, '~resource'],
      ['no resource', { resource: { url: 'https://a.example' } }, {}, '~resource'],
      [
        'another URL of a resource, next to audience',
        { resource: { url: 'https://a.example' } },
        { resource: { url: 'https://b.example' } },
        '~resource.url',
      ],
      [
        'what clients are told',
        { resource: { url: 'https://a.example' } },
        { resource: { url: 'https://a.example', name: 'a', scopes: ['a'], allowHttp: true } },
        '+resource.allowHttp ~resource.name ~resource.scopes',
      ],
      [
        'a resource that routes name',
        { resources: { a: { url: 'https://a.example/a' } } },
        { resources: { a: { url: 'https://a.example/a' }, b: { url: 'https://a.example/b' } } },
        '-resources.b',
      ],
      [
        'one less',
        { resources: { a: { url: 'https://a.example/a' }, b: { url: 'https://a.example/b' } } },
        { resources: { a: { url: 'https://a.example/a' } } },
        '+resources.b',
      ],
      [
        'another URL of a resource that routes name, and its name for people',
        { resources: { a: { url: 'https://a.example/a' } } },
        { resources: { a: { url: 'https://a.example/b', name: 'A' } } },
        '+resources.a.url -resources.a.url ~resources.a.name',
      ],
      [
        'the resource of a route',
        { routes: { a: { claims: {}, resource: 'a' } } },
        { routes: { a: { claims: {}, resource: 'b' } } },
        '+routes.a.resource -routes.a.resource',
      ],
      [
        'implied scopes: a rule that excludes one then refuses more',
        {},
        { scopes: { implies: { a: ['b'] } } },
        '+scopes.implies.a -scopes.implies.a',
      ],
      [
        'an implied scope less: a rule that excludes it then lets more pass',
        { scopes: { implies: { a: ['b', 'c'] } } },
        { scopes: { implies: { a: ['b'] } } },
        '+scopes.implies.a -scopes.implies.a',
      ],
      [
        'permissions that are no longer scopes',
        { scopes: { permissions: true } },
        { scopes: { permissions: false } },
        '+scopes.permissions -scopes.permissions',
      ],
      ['longer tokens', {}, { maxTokenBytes: 17_000 }, '+maxTokenBytes'],
      ['a delimiter', {}, { nestedClaimDelimiter: '.' }, '+nestedClaimDelimiter -nestedClaimDelimiter'],
      [
        'a delimiter that is removed',
        { nestedClaimDelimiter: '.' },
        {},
        '+nestedClaimDelimiter -nestedClaimDelimiter',
      ],
      [
        'another delimiter',
        { nestedClaimDelimiter: '.' },
        { nestedClaimDelimiter: '/' },
        '+nestedClaimDelimiter -nestedClaimDelimiter',
      ],
      ['systemSubject', {}, { systemSubject: 'okera' }, '-systemSubject'],
      [
        'another system subject',
        { systemSubject: 'okera' },
        { systemSubject: 'system' },
        '+systemSubject -systemSubject',
      ],
      ['an unknown option', {}, { bogus: 1 }, '~bogus'],
    ],
  },
  'a rule': {
    of: (rule) => (rule === undefined ? {} : { claims: { dept: rule } }),
    at: 'claims.dept',
    rows: [
      ['a rule', undefined, 'IT', '-'],
      ['a literal more of any', { anyOf: ['a'] }, { anyOf: ['a', 'b'] }, '+'],
      ['a literal more of all', ['a'], ['a', 'b'], '-'],
      ['a literal more of none', { noneOf: ['a'] }, { noneOf: ['a', 'b'] }, '-'],
      // Numbers were never accepted before: they could not be compared.
      ['a literal of another type in none', { noneOf: ['a'] }, { noneOf: ['a', 1] }, '+'],
      ['fewer in none, of a type that is gone', { noneOf: ['a', 1] }, { noneOf: ['a'] }, '-'],
      ['fewer in none, of several types', { noneOf: ['a', 'b', 1] }, { noneOf: ['a'] }, '+ -'],
      ['fewer in none', { noneOf: ['a', 'b'] }, { noneOf: ['a'] }, '+'],
      ['a literal more exactly', { exactly: ['a'] }, { exactly: ['a', 'b'] }, '+ -'],
      ['a value more', { values: ['a', 'b'] }, { values: ['a', 'b', 'c'] }, '-'],
      ['all to any', ['a', 'b'], { anyOf: ['b', 'c'] }, '+'],
      ['exactly to all', { exactly: ['a', 'b'] }, { allOf: ['a'] }, '+'],
      // A claim that is not a list cannot be two values.
      ['all to values', ['a', 'b'], { values: ['a', 'b'] }, ''],
      ['all to values, of one', ['a'], { values: ['a'] }, '+'],
      ['any to present', 'a', { present: true }, '+'],
      ['optional', 'a', { optional: 'a' }, '+'],
      ['optional, and otherwise', 'a', { optional: { anyOf: ['b'] } }, '+ -'],
      ['optional, and wider', 'a', { optional: { anyOf: ['a', 'b'] } }, '+'],
      ['one literal in other words', 'a', { anyOf: ['a'] }, ''],
      ['a list in other words', ['a', 'b'], { allOf: ['b', 'a'] }, ''],
      ['another pattern', { pattern: 'a' }, { pattern: 'b' }, '+ -'],
      ['S22 a pattern that searches', { pattern: 'a' }, { pattern: 'a', match: 'search' }, '+'],
      ['another split', { anyOf: ['a'] }, { anyOf: ['a'], split: ',' }, '+ -'],
      ['another parameter', { fromRequest: 'params.a' }, { fromRequest: 'params.b' }, '+ -'],
      ['a variable for what was excluded', { noneOf: ['admin'] }, '${DEPT}', '+ -'],
      ['a rule that only reports', 'IT', { rule: 'IT', enforce: false }, '+'],
      ['a rule that only reports until a date', 'IT', { rule: 'IT', enforce: { from: '2026-12-31' } }, '+'],
      [
        'a rule that reports for longer',
        { rule: 'IT', enforce: { from: '2026-12-31' } },
        { rule: 'IT', enforce: { from: '2027-12-31' } },
        '+',
      ],
      [
        'a rule that reports until a date, and no longer always',
        { rule: 'IT', enforce: false },
        { rule: 'HR', enforce: { from: '2026-12-31' } },
        '-',
      ],
      ['a rule that is new, and reports', undefined, { rule: 'IT', enforce: false }, '~'],
      [
        'a rule that changes, and reports',
        { rule: 'IT', enforce: false },
        { rule: 'HR', enforce: false },
        '~',
      ],
      [
        'a rule that changes, and reports until a date',
        { rule: { anyOf: ['IT', 'HR'] }, enforce: { from: '2026-12-31' } },
        { rule: 'IT', enforce: { from: '2027-12-31' } },
        '+ -',
      ],
      ['a rule that cannot be read', { oneOf: ['a'] }, { oneOf: ['b'] }, '+ -'],
    ],
  },
  'all rules': {
    of: itself,
    at: 'claims',
    rows: [
      [
        'AM-13 a row that means the same as a rule',
        { claims: { dept: 'a' } },
        row({ required: true, validate: true, value: 'a' }),
        '',
      ],
      ['AM-14 a row without a condition', {}, row({ required: false }), ''],
      [
        'AM-22 a row of an array',
        { claims: { dept: ['a', 'b'] } },
        row({ required: true, type: 'ARRAY', validate: true, value: ['a'] }),
        '+[0]',
      ],
      [
        'AM-21 a row of an integer',
        { claims: { dept: 4 } },
        row({ required: true, type: 'INTEGER', validate: true, value: '4' }),
        '',
      ],
      [
        'AM-13 a row that is optional',
        { claims: { dept: { present: true } } },
        row({ required: false, validate: true, value: 'a' }),
        '+[0] -[0]',
      ],
      ['a rule by path', {}, { claims: [{ path: ['a', 'b'], rule: 'x' }] }, '-[0]'],
      [
        'two rules on one claim',
        { claims: [{ dept: ['a'] }] },
        { claims: [{ dept: ['a'] }, { dept: { noneOf: ['b'] } }] },
        '-[1].dept',
      ],
      ['rules that are not an object or a list', { claims: { dept: 'a' } }, { claims: 'a' }, '~'],
      [
        'another variable for a number',
        row({ validate: true, type: 'INTEGER', value: '${ONE}' }),
        row({ validate: true, type: 'INTEGER', value: '${OTHER}' }),
        '+[0] -[0]',
      ],
      [
        'another variable for a switch',
        row({ validate: true, type: 'BOOLEAN', value: '${ONE}' }),
        row({ validate: true, type: 'BOOLEAN', value: '${OTHER}' }),
        '+[0] -[0]',
      ],
      [
        'a rule next to one that cannot be read',
        { claims: { dept: 'a', team: { oneOf: ['a'] } } },
        { claims: { dept: { anyOf: ['a', 'b'] }, team: { oneOf: ['a'] } } },
        '+.dept',
      ],
    ],
  },
  'a route': {
    of: (admin) => (admin === undefined ? {} : { routes: { admin } }),
    at: 'routes.admin',
    rows: [
      ['a route', undefined, { claims: { a: 'b' } }, '-'],
      [
        'a route that only reports',
        { claims: { a: 'b' } },
        { claims: { a: 'b' }, enforce: false },
        '+.enforce',
      ],
      [
        'a route that only reports until a date',
        { claims: { a: 'b' } },
        { claims: { a: 'b' }, enforce: { from: '2026-12-31' } },
        '+.enforce',
      ],
      [
        'a route with a rule more, which only reports',
        { claims: { a: 'b' }, enforce: false },
        { claims: { a: 'b', c: 'd' }, enforce: false },
        '~.claims.c',
      ],
      ['a route with a rule more', { claims: { a: 'b' } }, { claims: { a: 'b', c: 'd' } }, '-.claims.c'],
      ['an audience of a route', { claims: {} }, { claims: {}, audience: 'a' }, '-.audience'],
      ['no audience of a route', { claims: {}, audience: 'a' }, { claims: {} }, '+.audience'],
      ['an audience more of a route', { audience: 'a' }, { audience: ['a', 'b'] }, '+.audience'],
      ['an audience less of a route', { audience: ['a', 'b'] }, { audience: ['b'] }, '-.audience'],
      ['issuers of a route', { claims: {} }, { claims: {}, issuers: ['a'] }, '-.issuers'],
      ['actors of a route', { claims: {} }, { claims: {}, actors: false }, '-.actors'],
      ['an actor more', { actors: false }, { actors: [false, 'a'] }, '+.actors'],
      ['no token without an actor', { actors: [false, 'a'] }, { actors: ['a'] }, '-.actors'],
      ['acr of a route', { claims: {} }, { claims: {}, acr: ['a'] }, '-.acr'],
      ['an acr more', { acr: ['a'] }, { acr: ['b', 'a'] }, '+.acr'],
      ['another order of acr', { acr: ['a', 'b'] }, { acr: ['b', 'a'] }, ''],
      ['maxAge of a route', { claims: {} }, { claims: {}, maxAge: '5m' }, '-.maxAge'],
      ['a longer maxAge', { maxAge: '5m' }, { maxAge: '10m' }, '+.maxAge'],
      ['the same maxAge', { maxAge: '5m' }, { maxAge: '300s' }, ''],
    ],
  },
  'remote validation': {
    of: (more) => (more === undefined ? {} : { remote: { url: 'r', ...(more as Block) } }),
    at: 'remote',
    rows: [
      ['remote that denies', undefined, { url: 'https://r', onReject: 'deny' }, '+ -'],
      ['remote that asks on', undefined, { url: 'https://r', onReject: 'next' }, '+'],
      ['S50 onReject', { onReject: 'deny' }, { onReject: 'next' }, '+.onReject'],
      ['onError', { onError: 'deny' }, { onError: 'next' }, '+.onError'],
      ['a longer yes', {}, { cacheFor: '1m' }, '+.cacheFor'],
      ['an issuer of the endpoint', {}, { issuer: 'a' }, '-.issuer'],
      ['another endpoint', {}, { url: 's' }, '+.url -.url'],
      [
        'tokens of other APIs at an endpoint',
        {},
        { unsafeIgnoreTokenClaims: true },
        '+.unsafeIgnoreTokenClaims',
      ],
      [
        'tokens without an audience at an endpoint',
        {},
        { unsafeMissingAudience: true },
        '+.unsafeMissingAudience',
      ],
      ['another contract', {}, { contract: 'introspection' }, '+.contract -.contract'],
    ],
  },
  groups: {
    of: (groups) => (groups === undefined ? {} : { groups }),
    at: 'groups',
    rows: [
      ['groups at all', undefined, {}, '~'],
      ['trust', {}, { trust: { a: 'all' } }, '-.trust'],
      ['trust in one more', { trust: { a: 'all' } }, { trust: { a: 'all', b: 'none' } }, '+.trust.b'],
      ['less trust', { trust: { a: 'all' } }, { trust: { a: { only: ['x'] } } }, '-.trust.a'],
      [
        'a trusted group',
        { trust: { a: { only: ['x'] } } },
        { trust: { a: { only: ['x', 'y'] } } },
        '+.trust.a.only',
      ],
      [
        'another prefix',
        { trust: { a: { prefix: 'x' } } },
        { trust: { a: { prefix: 'y' } } },
        '+.trust.a -.trust.a',
      ],
      [
        'unknown trust in an issuer',
        { trust: { a: 'none' } },
        { trust: { a: '${TRUST}' } },
        '+.trust.a -.trust.a',
      ],
      ['a reserved group', {}, { reserved: ['root'] }, '-.reserved'],
      ['an endpoint of groups', {}, { endpoint: { url: 'g' } }, '+.endpoint'],
      ['onUnknown', {}, { onUnknown: 'none' }, '+.onUnknown'],
      ['onUnknown, to the next source', { onUnknown: 'none' }, { onUnknown: 'next' }, '+.onUnknown'],
      [
        'onUnknown, unknown',
        { claim: 'roles' },
        { claim: 'roles', onUnknown: '${UNKNOWN}' },
        '+.onUnknown -.onUnknown',
      ],
      ['a claim of groups', {}, { claim: 'roles' }, '+.claim -.claim'],
      ['groupCase', {}, { groupCase: 'insensitive' }, '+.groupCase -.groupCase'],
      ['an unknown duration that decides nothing', { timeout: '1s' }, { timeout: '${LONG}' }, '~.timeout'],
    ],
  },
  signing: {
    of: (more) => (more === undefined ? {} : { signing: { secret, ...(more as Block) } }),
    at: 'signing',
    rows: [
      ['signing', undefined, {}, '+'],
      ['longer lives', { expiresIn: '1h' }, { expiresIn: '2h' }, '+.expiresIn'],
      ['signing without exp', {}, { requireExp: false }, '+.requireExp'],
      ['another key', {}, { secret: { name: 't' } }, '~.secret'],
      ['a field more', { keysToSign: ['a'] }, { keysToSign: ['a', 'b'] }, '+.keysToSign'],
    ],
  },
};

const SIGNS = { opens: '+', closes: '-', changes: '~' } as const;
/** How many changes have each sign. */
const count = (changes: readonly Change[]) => {
  const of = (effect: Change['effect']) => changes.filter((change) => change.effect === effect).length;
  return { opens: of('opens'), closes: of('closes'), changes: of('changes') };
};
const opposite = (changes: readonly Change[]) => {
  const { opens, closes, changes: others } = count(changes);
  return { opens: closes, closes: opens, changes: others };
};

describe.each(Object.entries(GROUPS))('one change of %s', (_, { of, at, rows }) => {
  it.each(rows)('%s', (_name, before, after, expected) => {
    const [old, current] = [
      { ...BASE, ...of(before) },
      { ...BASE, ...of(after) },
    ];
    const there = plan(old, current);
    const said = there.map(({ effect, path }) => `${SIGNS[effect]}${path}`).join(' ');
    expect(said).toBe(expected.replace(/[-+~]/g, (sign) => `${sign}${at}`));
    expect(count(plan(current, old))).toEqual(opposite(there));
  });
});

describe('a list of changes', () => {
  it('has the place in the new file, and in the old file for what is gone', () => {
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

  it('contains no secret', () => {
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

// Properties, over a descriptor with every option.

const pem = '-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n';
const TEMPLATE = documentOf({});
/** The same without a file, because there are thousands. */
const compare = (before: unknown, after: unknown): readonly Change[] =>
  planChange({ ...TEMPLATE, jwt: before as Block }, { ...TEMPLATE, jwt: after as Block });
const EVERYTHING: unknown = BIG({ pem, jwk: { kty: 'EC', kid: 'k', x: 'a', y: 'b' } }).service.jwt;

interface Edit {
  readonly path: string;
  readonly block: unknown;
}

/** Every single edit: each value replaced, each member and item removed. */
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
  if (typeof value === 'boolean') return [{ path, block: !value }];
  return [{ path, block: typeof value === 'number' ? value + 1 : value === null ? 'x' : `${value}x` }];
}

describe('every option', () => {
  it('is judged by its table, or is in this list', () => {
    const unjudged = optionTables().flatMap(({ title, rows }) =>
      rows.filter(({ isJudged }) => !isJudged).map(({ name }) => `${title}: ${name}`),
    );
    // In the order of the tables. Options without a reason here are judged in tools/plan.
    expect(unjudged).toEqual(UNJUDGED);
  });
});

const UNJUDGED: readonly string[] = [
  'An authenticator: keySets',
  // For code alone.
  'An authenticator: keysetFor',
  'An authenticator: keys',
  // For code alone.
  'An authenticator: secrets',
  'An authenticator: externalSecrets',
  'An authenticator: audience',
  'An authenticator: tokenFrom',
  'An authenticator: claims',
  'An authenticator: routes',
  // For code alone.
  'An authenticator: replayStore',
  'An authenticator: revocationFeed',
  'An authenticator: onRefusal',
  'An authenticator: clock',
  'A keyset: `keySets`: audience',
  'A keyset: `keySets`: claims',
  'Groups: `groups`: trust',
  // For code alone.
  'Groups: `groups`: directory',
  // What the cache keeps decides nothing.
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
  ])('of the same descriptor there is no change: %s', (_name, document) =>
    expect(planChange(document, document)).toEqual([]),
  );

  it('every edit is a change, except the removal of a default that was written out', () => {
    const silent = edits(EVERYTHING)
      .filter(({ block }) => compare(EVERYTHING, block).length === 0)
      .map(({ path }) => path);
    expect(silent).toEqual([
      '-audMatch',
      '-resource.allowHttp',
      '-keySets[0].allowHttp',
      '-keySets[1].tls',
      '-keySets[7].unsafeAnyTenant',
      '-remote.system',
      '-remote.unsafeIgnoreTokenClaims',
      '-remote.unsafeMissingAudience',
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

  // 20 s: the test compares 150 pairs of large descriptors.
  it('the way back opens what the way there closes, for random edits', { timeout: 20_000 }, () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = seeded(seed);
      const edited = (block: unknown): unknown => {
        const all = edits(block);
        return all[Math.floor(random() * all.length)]?.block ?? block;
      };
      let [one, other] = [EVERYTHING, EVERYTHING];
      for (let times = Math.floor(random() * 4); times >= 0; times--)
        [one, other] = [edited(one), edited(other)];
      const there = compare(one, other);
      expect(count(compare(other, one)), `seed ${seed}`).toEqual(opposite(there));
    }
  });

  it('the changes of two rules are true for every claim', () => {
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
        const opens = lets.some(([was, is]) => is === true && was === false);
        const closes = lets.some(([was, is]) => was === true && is === false);
        if (!told.includes('opens')) expect(opens, said).toBe(false);
        if (!told.includes('closes')) expect(closes, said).toBe(false);
      }
    }
    expect([...effects].sort()).toEqual(['closes', 'none', 'opens']);
  });
});

const SCALARS = [undefined, null, 'a', 'b', 'c', 'ab', 'a,b', '', 1, 2, '1', true, false, {}];
const LISTS = [[], ['a'], ['b'], ['a', 'b'], ['a', 'b', 'c'], ['c'], [1], ['a', 1], [true], [true, 'b']];
const VALUES = [...SCALARS, ...LISTS, [null], [['a']]];

/** What rules say of each value of a claim. */
function holds(rules: Rules): readonly boolean[] {
  const compiled = compileRules(rules);
  return VALUES.map(
    (value) => firstFailure(compiled, (value === undefined ? {} : { x: value }) as never) === undefined,
  );
}
