// lintDescriptor: each rule with a bad and a good case, secrets on a real disk, and options that
// core refuses, with their places in the file.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { parseDescriptor } from '../../src/descriptor/document.ts';
import type { Finding } from '../../src/tools/lint/rule.ts';
import { type LintContext, lintDescriptor, lintRules } from '../../src/tools/lint.ts';
import { BIG, SEEDS } from '../descriptor/descriptors.ts';

type Block = { readonly [name: string]: unknown };

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'k1' };
const privateJwk = { ...pair.privateKey.export({ format: 'jwk' }), kid: 'k1' };
const privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const oct = (bytes: number) => ({
  kty: 'oct',
  kid: 'o1',
  alg: 'HS256',
  k: randomBytes(bytes).toString('base64url'),
});

const A = { issuer: 'https://a.example', jwksUrl: 'https://a.example/jwks' };
const B = { issuer: 'https://b.example', jwksUrl: 'https://b.example/jwks' };
const GOOD: Block = { audience: 'api', keySets: [A] };

function lint(block: Block, context: LintContext = { environment: {} }): Promise<readonly Finding[]> {
  return lintDescriptor(parseDescriptor(stringify({ service: { jwt: block } }), 'service.yaml'), context);
}

const brief = (findings: readonly Finding[]) =>
  findings.map(({ rule, path }) => `${rule} ${path}`.trim()).sort();

let root: string;
let warnings: unknown[];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'latchkey-lint-'));
});
afterAll(() => rm(root, { recursive: true }));
beforeEach(() => {
  warnings = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(warning));
});
afterEach(() => void vi.restoreAllMocks());

/**
 * Members that are added to a good block: bad ones, with the places of all findings of the rule,
 * and similar ones without a finding.
 */
type Case = readonly [rule: string, bad: Block, at: string, good: Block];

const keysets = (...list: readonly Block[]): Block => ({ keySets: list });
const keyset = (more: Block): Block => keysets({ ...A, ...more });
const keysetOfA = (more: Block): Block => keysets({ issuer: 'a', ...more });
const secretKeyset = (more: Block = {}): Block => keysetOfA({ secret: { name: 's' }, ...more });
const remote = (more: Block): Block => ({
  remote: { url: 'https://r.example', onReject: 'deny', onError: 'deny', ...more },
});
const INTROSPECTS = { contract: 'introspection', client: { id: 'me', secret: { name: 'c', key: 'k' } } };
const groupsEndpoint = (endpoint: Block): Block => ({ groups: { endpoint } });
const signer = (more: Block): Block => ({ signing: { secret: { name: 's' }, maxLifetime: '1d', ...more } });
const key = (more: Block = {}) => ({ keyId: 'k', algorithm: 'RS256', secret: { name: 's' }, ...more });
const search = (pattern: string): Block => ({ claims: { sub: { pattern, match: 'search' } } });

const GOOGLE = { issuer: 'https://accounts.google.com', useOidcDiscovery: true };
const ENTRA = { issuer: 'https://login.microsoftonline.com/{tid}/v2.0', jwksUrl: 'https://a.example' };
const GITHUB = { issuer: 'https://token.actions.githubusercontent.com', useOidcDiscovery: true };
const FIREBASE = 'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com';
const RESOURCE = { url: 'https://api.example' };
const DPOP = { mode: 'allowed', publicUrl: 'https://api.example' };
const FORWARDED = { mode: 'allowed', header: 'Client-Cert' } as const;

const CASES: readonly Case[] = [
  ['keys-deprecated', { keys: [key()] }, 'keys', {}],
  ['issuerless-keyset', keysets(A, { jwksUrl: 'https://b.example' }), 'keySets[1]', keysets(A, B)],
  [
    'issuerless-keyset',
    { keySets: [{ jwksUrl: 'https://b.example' }], keys: [key()] },
    'keySets[0]',
    keysets({ jwksUrl: 'https://b.example' }),
  ],
  [
    'issuer-open',
    keysets({ jwksUrl: 'https://b.example' }),
    'keySets[0]',
    { keySets: [{ jwksUrl: 'https://b.example' }], issuers: ['b'] },
  ],
  ['issuerless-token-reaches-keys', { keys: [key({ issuer: 'a' })] }, 'keys', { keys: [key()] }],
  ['issuer-duplicate', keysets(A, B, A), 'keySets[2].issuer', keysets(A, B)],
  [
    'issuer-look-alike',
    keysets(A, { ...B, issuer: 'https://A.example/' }),
    'keySets[1].issuer',
    keysets(A, A),
  ],
  ['unsafe-missing-issuer', { unsafeMissingIssuer: 'all-keysets' }, 'unsafeMissingIssuer', {}],
  [
    'unsafe-algorithm-match',
    keyset({ unsafeAlgorithmMatch: 'family' }),
    'keySets[0].unsafeAlgorithmMatch',
    keysets(A),
  ],
  [
    'unsafe-private-addresses',
    keysets({ jwksHosts: ['a.example/x/'], issuer: 'a', unsafeAllowPrivateAddresses: true }),
    'keySets[0].unsafeAllowPrivateAddresses',
    keysets({ jwksHosts: ['a.example/x/'], issuer: 'a', unsafeAllowPrivateAddresses: false }),
  ],
  [
    'hmd5-accepted',
    secretKeyset({ unsafeLegacyAlgorithms: ['HS224', 'HMD5'] }),
    'keySets[0].unsafeLegacyAlgorithms[1]',
    secretKeyset(),
  ],
  [
    'hs224-accepted',
    { keys: [key({ issuer: 'a', algorithm: 'HS224', unsafeLegacyAlgorithms: ['HS224'] })] },
    'keys[0].unsafeLegacyAlgorithms[0]',
    { keys: [key()] },
  ],
  [
    'symmetric-on-public-source',
    keyset({ allowedAlgorithms: ['RS256', 'HS256'] }),
    'keySets[0].allowedAlgorithms[1]',
    secretKeyset({ allowedAlgorithms: ['HS256'] }),
  ],
  [
    'algorithms-mixed',
    secretKeyset({ allowedAlgorithms: ['HS256', 'RS256'] }),
    'keySets[0].allowedAlgorithms',
    secretKeyset({ allowedAlgorithms: ['HS256', 'HS512'] }),
  ],
  [
    'algorithms-wide',
    keyset({ allowedAlgorithms: ['RS256', 'RS384', 'RS512', 'ES256', 'ES384'] }),
    'keySets[0].allowedAlgorithms',
    keyset({ allowedAlgorithms: ['RS256', 'ES256'] }),
  ],
  [
    'tenant-any',
    keysets(
      { issuer: 'https://id.example.com/realms/{realm}', useDiscovery: 'oidc', unsafeAnyTenant: true },
      { issuer: 'https://{t}.id.example.com', useDiscovery: 'oidc', tenants: { pattern: '.+' } },
    ),
    'keySets[0].unsafeAnyTenant keySets[1].tenants.pattern',
    keysets(
      { issuer: 'https://id.example.com/realms/{realm}', useDiscovery: 'oidc', tenants: ['acme'] },
      { issuer: 'https://{t}.id.example.com', useDiscovery: 'oidc', tenants: { pattern: 'a.+' } },
    ),
  ],
  [
    'tenant-unbound',
    keysets({
      issuer: 'https://login.microsoftonline.com/{tid}/v2.0',
      jwksUrl: 'https://login.microsoftonline.com/common/discovery/v2.0/keys',
      tenants: ['acme'],
    }),
    'keySets[0].issuer',
    keysets({
      issuer: 'https://login.microsoftonline.com/{tid}/v2.0',
      jwksUrl: 'https://login.microsoftonline.com/common/discovery/v2.0/keys',
      tenants: ['acme'],
      bind: { tid: 'tid' },
    }),
  ],
  [
    'jku-host-whole',
    keysetOfA({ jwksHosts: ['a.example', 'b.example/keys/'] }),
    'keySets[0].jwksHosts[0]',
    keysetOfA({ jwksHosts: ['b.example/keys/'] }),
  ],
  [
    'keys-in-clear',
    keyset({ jwksUrl: 'http://a.example/jwks', allowHttp: true }),
    'keySets[0].allowHttp',
    keyset({ jwksUrl: 'http://127.0.0.1:80/jwks', allowHttp: true }),
  ],
  [
    'keys-in-clear',
    keysets({ issuer: 'http://a.example', useOidcDiscovery: true, allowHttp: true }),
    'keySets[0].allowHttp',
    keysets({ issuer: 'http://localhost:9000', useOidcDiscovery: true, allowHttp: true }),
  ],
  [
    'keys-in-clear',
    keysetOfA({ jwksHosts: ['localhost:80', 'a.example'], allowHttp: true }),
    'keySets[0].allowHttp',
    keysetOfA({ jwksHosts: ['localhost:80'], allowHttp: true }),
  ],
  ['kidless-try-all', keyset({ kidless: 'try-all' }), 'keySets[0].kidless', keyset({ kidless: 'refuse' })],
  [
    'refresh-slow',
    keyset({ refreshInterval: '25h' }),
    'keySets[0].refreshInterval',
    keyset({ refreshInterval: '24h' }),
  ],
  [
    'validation-skipped',
    keyset({ skipValidation: true }),
    'keySets[0].skipValidation',
    keyset({ skipValidation: false }),
  ],
  ['stale-long', keyset({ maxStale: '8d' }), 'keySets[0].maxStale', keyset({ maxStale: '7d' })],
  [
    'system-issuerless',
    keysets({ jwksUrl: 'https://a.example', system: true }),
    'keySets[0]',
    keyset({ system: true }),
  ],
  ['audience-unset', { audience: undefined }, '', { audience: undefined, resource: RESOURCE }],
  [
    'resource-not-audience',
    { audience: ['api', 'https://api.example/'], resource: RESOURCE },
    'resource.url',
    { audience: ['api', RESOURCE.url], resource: RESOURCE },
  ],
  [
    'resource-without-issuers',
    {
      ...keysets({ issuer: 'a', jwksUrl: 'https://a.example/jwks' }),
      audience: undefined,
      resource: RESOURCE,
    },
    'resource',
    { ...keysets(A), audience: undefined, resource: RESOURCE },
  ],
  [
    'dpop-local-url',
    { dpop: { ...DPOP, publicUrl: ['https://api.example', 'http://localhost:3000'] } },
    'dpop.publicUrl',
    { dpop: DPOP },
  ],
  [
    'dpop-long-proofs',
    { dpop: { ...DPOP, maxAge: '3m' } },
    'dpop.maxAge',
    { dpop: { ...DPOP, maxAge: '2m' } },
  ],
  [
    'dpop-nonce-per-process',
    { dpop: { ...DPOP, nonce: { lifetime: '1m' } } },
    'dpop.nonce',
    { dpop: { mode: 'off', nonce: { lifetime: '1m' } } },
  ],
  [
    'dpop-unsafe-replay',
    { dpop: { ...DPOP, unsafeReplayFailure: 'accept' } },
    'dpop.unsafeReplayFailure',
    { dpop: DPOP },
  ],
  [
    'revocation-unsafe-stale',
    { revocation: { file: 'a.jsonl', unsafeStale: 'accept' } },
    'revocation.unsafeStale',
    { revocation: { file: 'a.jsonl' } },
  ],
  [
    'revocation-long-stale',
    { revocation: { file: 'a.jsonl', maxStale: '3m' } },
    'revocation.maxStale',
    { revocation: { file: 'a.jsonl', maxStale: '2m' } },
  ],
  [
    'bound-twice',
    { dpop: { ...DPOP, mode: 'required' }, mutualTls: { mode: 'required' } },
    'mutualTls.mode',
    { dpop: DPOP, mutualTls: { mode: 'allowed' }, senderConstrained: 'required' },
  ],
  [
    'mutual-tls-wide-peers',
    { mutualTls: { ...FORWARDED, trustedPeers: ['10.0.0.7', '128.0.0.0/1'] } },
    'mutualTls.trustedPeers',
    { mutualTls: { ...FORWARDED, trustedPeers: ['10.0.0.0/8', 'fc00::/7', '::1'] } },
  ],
  [
    'mutual-tls-wide-peers',
    { mutualTls: { ...FORWARDED, trustedPeers: ['2000::/3'] } },
    'mutualTls.trustedPeers',
    { mutualTls: { mode: 'allowed' } },
  ],
  [
    'resource-in-clear',
    { audience: undefined, resource: { url: 'http://api.example', allowHttp: true } },
    'resource.allowHttp',
    { audience: undefined, resource: { ...RESOURCE, allowHttp: false } },
  ],
  [
    'resource-in-clear',
    {
      audience: undefined,
      resource: RESOURCE,
      resources: { files: { url: 'http://api.example/files', allowHttp: true } },
    },
    'resources.files.allowHttp',
    { audience: undefined, resource: RESOURCE, resources: { files: { url: 'https://api.example/files' } } },
  ],
  [
    'resource-unreachable',
    {
      ...keysets({ ...A, audience: RESOURCE.url }),
      audience: undefined,
      resource: RESOURCE,
      resources: { files: { url: 'https://api.example/files' } },
    },
    'resources.files.url',
    {
      ...keysets({ ...A, audience: [RESOURCE.url, 'https://api.example/files'] }),
      audience: undefined,
      resource: RESOURCE,
      resources: { files: { url: 'https://api.example/files' } },
    },
  ],
  [
    'audience-unset',
    { audience: undefined, ...keysets(A, { ...B, audience: 'b' }) },
    '',
    { audience: undefined, ...keysets({ ...A, audience: 'a' }, { ...B, audience: 'b' }) },
  ],
  ['audience-null', { audience: null }, 'audience', {}],
  ['audience-null', keyset({ audience: null }), 'keySets[0].audience', keyset({ audience: 'a' })],
  [
    'audience-null',
    keyset({ audience: null, claims: { azp: { pattern: 'a' } } }),
    'keySets[0].audience',
    keyset({ audience: null, claims: { token_use: 'access', client_id: 'a' } }),
  ],
  [
    'audience-null',
    keyset({ audience: null, claims: { azp: { optional: 'a' } } }),
    'keySets[0].audience',
    { ...keyset({ audience: null }), claims: [{ name: 'azp', required: true, validate: true, value: 'a' }] },
  ],
  [
    'audience-null',
    keyset({ audience: null, claims: [{ name: 'azp', validate: true, value: 'a' }] }),
    'keySets[0].audience',
    keyset({ audience: null, claims: [{ path: ['azp'], rule: { anyOf: ['a', 'b'] } }] }),
  ],
  [
    'audience-null',
    { audience: null, ...keysets({ ...A, claims: { azp: 'a' } }, B) },
    'audience',
    { audience: null, ...keysets({ ...A, claims: { azp: 'a' } }, { ...B, audience: 'b' }) },
  ],
  [
    'audience-unset',
    { audience: undefined, routes: { all: { claims: { client_id: 'a' } } } },
    '',
    { audience: undefined, claims: { client_id: { anyOf: ['a', 'b'] } } },
  ],
  [
    'issuer-shared',
    keysets({ ...GOOGLE, audience: null }),
    'keySets[0]',
    { audience: null, ...keysets({ ...GOOGLE, claims: { azp: 'a' } }) },
  ],
  ['issuer-shared', { audience: null, ...keysets(GOOGLE, A) }, 'keySets[0]', keysets(GOOGLE)],
  [
    'issuer-shared',
    { audience: null, ...keysets({ jwksUrl: FIREBASE }) },
    'keySets[0]',
    { audience: null, ...keysets({ issuer: 'https://securetoken.google.com/p', jwksUrl: FIREBASE }) },
  ],
  [
    'issuer-shared',
    keysets({
      issuer: 'https://login.microsoftonline.com/common/v2.0',
      jwksUrl: 'https://a.example',
      audience: null,
    }),
    'keySets[0]',
    keysets({
      issuer: 'https://login.microsoftonline.com/7/v2.0',
      jwksUrl: 'https://a.example',
      audience: null,
    }),
  ],
  [
    'issuer-shared',
    keysets({ ...ENTRA, unsafeAnyTenant: true, audience: null }),
    'keySets[0]',
    keysets({ ...ENTRA, tenants: ['a'], audience: null }),
  ],
  ['issuer-shared', keysets(GITHUB), 'keySets[0]', keysets({ ...GITHUB, claims: { repository: 'a/b' } })],
  [
    'issuer-shared',
    keysets({ ...GITHUB, claims: { sub: { pattern: '.*' }, repository: { noneOf: ['c/d'] } } }),
    'keySets[0]',
    keysets({ ...GITHUB, claims: { sub: { pattern: 'repo:a@1/b@2:.*' } } }),
  ],
  [
    'audience-shared',
    { audience: ['a', 'b'], ...keysets(A, B) },
    'audience',
    { audience: ['a', 'b'], ...keysets({ ...A, audience: 'a' }, { ...B, audience: 'b' }) },
  ],
  ['audience-shared', { audience: ['a', 'b'], ...keysets(A, B) }, 'audience', { ...keysets(A, B) }],
  [
    'audience-of-route-unknown',
    { audMatch: 'only', routes: { orders: { audience: 'orders' } } },
    'routes.orders.audience',
    { routes: { orders: { audience: 'orders' } } },
  ],
  [
    'pattern-matches-all',
    keyset({ claims: { sub: { pattern: '.*' } } }),
    'keySets[0].claims.sub.pattern',
    keyset({ claims: { sub: { pattern: 'a.*' } } }),
  ],
  ['clock-skew-wide', { clockSkew: '31s' }, 'clockSkew', { clockSkew: '30s' }],
  ['mode-permissive', { mode: 'permissive' }, 'mode', { mode: 'strict' }],
  ['mode-optional', { mode: 'optional' }, 'mode', {}],
  [
    'report-only',
    { claims: { roles: { rule: 'admin', enforce: false } } },
    'claims.roles',
    { claims: { roles: 'admin' } },
  ],
  [
    'report-only',
    { claims: [{ path: ['a', 'b'], rule: 'x', enforce: { from: '2026-12-31' } }] },
    'claims[0]',
    { claims: [{ path: ['a', 'b'], rule: 'x' }] },
  ],
  [
    'report-only',
    { routes: { admin: { claims: { roles: 'admin' }, enforce: false } } },
    'routes.admin.enforce',
    { routes: { admin: { claims: { roles: 'admin' } } } },
  ],
  ['exp-not-required', { requireExp: false }, 'requireExp', { requireExp: false, maxTokenAge: '1h' }],
  [
    'exp-not-required',
    { requireExp: false, ...keysets({ ...A, maxTokenAge: '1h' }, B) },
    'requireExp',
    { requireExp: false, ...keysets({ ...A, maxTokenAge: '1h' }, { ...B, maxLifetime: '1h' }) },
  ],
  [
    'unsafe-sender-constrained',
    { unsafeAcceptSenderConstrained: true },
    'unsafeAcceptSenderConstrained',
    { unsafeAcceptSenderConstrained: false },
  ],
  [
    'token-in-query',
    { tokenFrom: [{ header: 'Authorization' }, { query: 'access_token' }] },
    'tokenFrom[1].query',
    { tokenFrom: [{ body: 'access_token' }] },
  ],
  [
    'cookie-without-host-prefix',
    { tokenFrom: [{ cookie: 'token' }] },
    'tokenFrom[0].cookie',
    { tokenFrom: [{ cookie: '__Host-token' }] },
  ],
  [
    'cookie-origin-in-clear',
    { tokenFrom: [{ cookie: '__Host-t', allowedOrigins: ['https://a.example', 'http://a.example'] }] },
    'tokenFrom[0].allowedOrigins[1]',
    { tokenFrom: [{ cookie: '__Host-t', allowedOrigins: ['http://localhost:3000'] }] },
  ],
  [
    'pattern-unanchored',
    search('my-subject-\\d+'),
    'claims.sub.pattern',
    { claims: { sub: { pattern: 'my-subject-\\d+' } } },
  ],
  ['pattern-unanchored', search('^a|b$'), 'claims.sub.pattern', search('^(?:a|b)$')],
  ['pattern-unanchored', search('^a\\$'), 'claims.sub.pattern', search('^[$|]a$')],
  [
    'pattern-unanchored',
    {
      routes: {
        admin: { claims: [{ path: ['a', 'b'], rule: { optional: { pattern: 'x', match: 'search' } } }] },
      },
    },
    'routes.admin.claims[0].rule.optional.pattern',
    {},
  ],
  [
    'pattern-matches-all',
    { claims: { sub: { pattern: '^.*$' } } },
    'claims.sub.pattern',
    { claims: { sub: { pattern: 'a.*' } } },
  ],
  [
    'pattern-matches-all',
    {
      issuers: ['a', { pattern: '.+' }],
      claims: [{ name: 'dept', type: 'regex', validate: true, value: '.*' }],
    },
    'issuers[1].pattern claims[0].value',
    { claims: [{ name: 'dept', validate: true, value: '.*' }] },
  ],
  [
    'id-tokens',
    { claims: { token_use: 'id', dept: 'IT' }, routes: { admin: { claims: { typ: 'ID' } } } },
    'claims.token_use routes.admin.claims.typ',
    { claims: { token_use: 'access', typ: 'Bearer', dept: 'id' } },
  ],
  [
    'id-tokens',
    { claims: [{ name: 'token_use', type: 'string', validate: true, value: 'id' }] },
    'claims[0]',
    { claims: [{ name: 'dept', type: 'string', validate: true }] },
  ],
  [
    'pattern-matches-all',
    { routes: { a: { actors: [false, { pattern: '.*' }, { subject: { pattern: '.+' }, issuer: 'i' }] } } },
    'routes.a.actors[1].pattern routes.a.actors[2].subject.pattern',
    { routes: { a: { actors: [{ pattern: 'a.*' }] } } },
  ],
  [
    'system-without-keys',
    { systemSubject: 'okera' },
    'systemSubject',
    { systemSubject: 'okera', keySets: [{ ...A, system: true }] },
  ],
  [
    'remote-reject-next',
    { remote: { url: 'https://r.example', onReject: 'next', onError: 'deny' } },
    'remote.onReject',
    { remote: { url: 'https://r.example', onReject: 'deny', onError: 'next' } },
  ],
  [
    'remote-in-clear',
    remote({ url: 'http://r.example', allowHttp: true }),
    'remote.allowHttp',
    remote({ url: 'http://[::1]/check' }),
  ],
  ['remote-cache-long', remote({ cacheFor: '6m' }), 'remote.cacheFor', remote({ cacheFor: '5m' })],
  ['remote-system', remote({ system: true }), 'remote.system', {}],
  [
    'remote-other-audiences',
    remote({ unsafeIgnoreTokenClaims: true }),
    'remote.unsafeIgnoreTokenClaims',
    remote({ unsafeIgnoreTokenClaims: false }),
  ],
  [
    'remote-missing-audience',
    remote({ ...INTROSPECTS, unsafeMissingAudience: true }),
    'remote.unsafeMissingAudience',
    remote({ ...INTROSPECTS, unsafeMissingAudience: false }),
  ],
  [
    'groups-trust-unset',
    { keySets: [A, B], groups: { reserved: ['root'] } },
    'groups',
    { keySets: [A, B], groups: { trust: { [A.issuer]: 'all' } } },
  ],
  [
    'groups-trust-unset',
    { keySets: [A, B], routes: { admin: { claims: { groups: ['admin'] } } } },
    'groups',
    { routes: { admin: { claims: { groups: ['admin'] } } } },
  ],
  [
    'groups-trust-stranger',
    { groups: { trust: { 'https://a.example/': 'all' } } },
    'groups.trust.https://a.example/',
    { groups: { trust: { 'https://a.example': 'all' } } },
  ],
  [
    'reserved-groups-unset',
    { systemSubject: 'okera', keySets: [{ ...A, system: true }] },
    'systemSubject',
    { systemSubject: 'okera', keySets: [{ ...A, system: true }], groups: { reserved: ['root'] } },
  ],
  [
    'groups-in-clear',
    groupsEndpoint({ url: 'http://g.example/{sub}', allowHttp: true }),
    'groups.endpoint.allowHttp',
    groupsEndpoint({ url: 'http://localhost/{sub}' }),
  ],
  ['groups-cache-long', { groups: { cacheFor: '2h' } }, 'groups.cacheFor', { groups: { cacheFor: '1h' } }],
  ['signing-without-exp', signer({ requireExp: false }), 'signing.requireExp', signer({})],
  ['signing-lifetime-open', { signing: { secret: { name: 's' } } }, 'signing', signer({})],
  [
    'signing-lifetime-long',
    signer({ maxLifetime: '91d' }),
    'signing.maxLifetime',
    signer({ expiresIn: '1h' }),
  ],
  [
    'signing-keys-in-clear',
    { signing: { jwkUrl: 'http://k.example', kid: 'k', allowHttp: true, expiresIn: '1h' } },
    'signing.allowHttp',
    { signing: { jwkUrl: 'http://127.0.0.1/k', kid: 'k', allowHttp: true, expiresIn: '1h' } },
  ],
  ['signing-keys-deprecated', { signing: { keys: [key()], expiresIn: '1h' } }, 'signing.keys', signer({})],
  [
    'tls-without-forward-secrecy',
    keyset({ tls: { cipherSuites: [49199, 156] } }),
    'keySets[0].tls.cipherSuites[1]',
    keyset({ tls: { cipherSuites: [49199] } }),
  ],
  [
    'private-key-in-descriptor',
    keysetOfA({ jwks: { keys: [jwk, privateJwk] } }),
    'keySets[0].jwks.keys[1]',
    keysetOfA({ jwks: { keys: [jwk] } }),
  ],
  [
    'private-key-in-descriptor',
    { signing: { jwks: { keys: [privateJwk] }, expiresIn: '1h' } },
    'signing.jwks.keys[0]',
    {},
  ],
  [
    'private-key-in-descriptor',
    keysetOfA({ publicKeys: [{ pem: privatePem, algorithm: 'ES256' }] }),
    'keySets[0].publicKeys[0].pem',
    keysetOfA({ publicKeys: [{ pem: publicPem, algorithm: 'ES256' }] }),
  ],
  [
    'token-in-descriptor',
    { realm: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.' },
    'realm',
    { realm: 'eyes.on.you' },
  ],
  [
    'password-in-url',
    remote({ url: 'https://me:pw@r.example' }),
    'remote.url',
    { issuers: ['https://a.example/?tenant=a'] },
  ],
  [
    'password-in-url',
    keyset({ jwksUrl: 'https://a.example/jwks?api_key=abc' }),
    'keySets[0].jwksUrl',
    keyset({ jwksUrl: 'https://a.example/jwks?api_key=${KEY}' }),
  ],
  [
    'secret-in-descriptor',
    remote({ contract: 'introspection', client: { id: 'me', secret: 'hunter2' } }),
    'remote.client.secret',
    { claims: { token: 'a', secret: 'b' } },
  ],
];

describe('the rules', () => {
  it.each(CASES.map((one, index) => [`${one[0]} (${index})`, ...one] as const))(
    '%s',
    async (_name, rule, bad, at, good) => {
      const found = (findings: readonly Finding[]) =>
        findings.filter((finding) => finding.rule === rule).map(({ path }) => path);
      expect(found(await lint({ ...GOOD, ...bad }))).toEqual(at.split(' '));
      expect(found(await lint({ ...GOOD, ...good }))).toEqual([]);
    },
  );

  it('each has a case, a unique name and a fix', () => {
    expect(new Set(CASES.map(([rule]) => rule))).toEqual(new Set(lintRules.map(({ id }) => id)));
    expect(new Set(lintRules.map(({ id }) => id)).size).toBe(lintRules.length);
    for (const { id, message, fix } of lintRules) {
      expect(id).toMatch(/^[a-z0-9]+(?:-[a-z0-9]+)*$/);
      expect(message).not.toBe('');
      expect(fix).not.toBe('');
    }
  });

  it('a good block has no finding, and linting emits no warning', async () => {
    expect(brief(await lint(GOOD))).toEqual([]);
    await lint({
      ...GOOD,
      ...keysets(A, { issuer: 'a', secret: { name: 's' }, unsafeLegacyAlgorithms: ['HMD5'] }),
      unsafeMissingIssuer: 'all-keysets',
      keys: [key()],
    });
    expect(warnings).toEqual([]);
  });

  it('a missing audience is said to matter more for an issuer of everyone', async () => {
    const [found] = await lint(keysets(GOOGLE));
    expect(found).toMatchObject({ rule: 'audience-unset' });
    expect(found?.message).toMatch(
      /^anyone can get tokens of https:\/\/accounts\.google\.com: there is no audience/,
    );
  });

  it('a CA file that is absent from this machine is a warning, since the platform may mount it', async () => {
    const tls = (file: string) => ({ ...GOOD, ...keyset({ tls: { ca: { file } } }) });
    const absent = await lint(tls('/var/run/latchkey-test/none/ca.crt'));
    expect(absent).toMatchObject([{ rule: 'file-absent', severity: 'warning', path: 'keySets[0].tls.ca' }]);
    const misspelt = await lint(tls('none/ca.crt'));
    expect(misspelt).toMatchObject([{ rule: 'refused', severity: 'error' }]);
  });

  it.each(SEEDS)('AK-29 %s of the seed: its only finding is the missing audience', async (_name, text) => {
    const findings = await lintDescriptor(parseDescriptor(text, 'service.yaml'), { environment: {} });
    expect(brief(findings)).toEqual(['audience-unset']);
  });

  it('a descriptor with every option has no error', async () => {
    const { service } = BIG({ pem: publicPem, jwk });
    const findings = await lint(service.jwt);
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  });
});

describe('places', () => {
  it('has line and column, in the order of the file', async () => {
    const text = `name: a
service:
  jwt:
    mode: optional
    keySets:
      - issuer: a
        jwksUrl: https://a.example
        maxStale: 30d
    audience: null
`;
    const findings = await lintDescriptor(parseDescriptor(text, 'x/service.yaml'), { environment: {} });
    expect(findings.map(({ rule, place }) => [rule, place.line])).toEqual([
      ['mode-optional', 4],
      ['stale-long', 8],
      ['audience-null', 9],
    ]);
    expect(findings.every(({ place }) => place.file === 'x/service.yaml' && place.column > 4)).toBe(true);
  });
});

describe('options that core refuses', () => {
  it('are found all at once, each at its place', async () => {
    const findings = await lint({
      audience: [],
      keySets: [{ issuer: 'a' }, A, { ...B, jwksUrl: 'http://b.example' }, 'nothing'],
      clockSkew: '2m',
      claims: { sub: { pattern: '(?=a)' }, iss: 'a' },
      routes: { admin: { claims: { x: { pattern: '(a)\\1' } } } },
      remote: { url: 'https://r.example' },
      signing: { secret: { name: 's' }, maxLifetime: '1d', alg: 'none' },
      bogus: true,
      clock: {},
    });
    expect(brief(findings.filter(({ rule }) => rule === 'refused'))).toEqual([
      'refused audience',
      'refused bogus',
      'refused claims.sub.pattern',
      'refused clock',
      'refused clockSkew',
      'refused keySets[0]',
      'refused keySets[2].jwksUrl',
      'refused keySets[3]',
      'refused remote.onReject',
      'refused routes.admin.claims.x.pattern',
      'refused signing.alg',
    ]);
  });

  it('D13 a pattern that is not linear is an error', async () => {
    const [finding] = await lint({ ...GOOD, claims: { sub: { pattern: '(a+)+\\1' } } });
    expect(finding).toMatchObject({ rule: 'refused', severity: 'error', path: 'claims.sub.pattern' });
  });

  it('options that belong together are read together', async () => {
    expect(brief(await lint({ ...GOOD, profile: 'at+jwt', typ: 'jwt' }))).toEqual(['refused typ']);
    expect(brief(await lint({ ...GOOD, groups: {}, claims: { groups: ['a'] } }))).toEqual([
      'refused claims.groups',
    ]);
    expect(brief(await lint({ audience: 'a', keySets: [] }))).toEqual(['refused keySets']);
  });

  it('are not reported twice where a rule reports them', async () => {
    expect(brief(await lint({ ...GOOD, ...keysets({ ...A, allowedAlgorithms: ['HS256'] }) }))).toEqual([
      'symmetric-on-public-source keySets[0].allowedAlgorithms[0]',
    ]);
    expect(brief(await lint({ ...GOOD, ...keysets({ issuer: 'a', jwks: { keys: [privateJwk] } }) }))).toEqual(
      ['private-key-in-descriptor keySets[0].jwks.keys[0]'],
    );
  });

  it('a directory and the tokens of endpoints may be missing, because code gives them', async () => {
    const groups = {
      order: ['claim', 'directory', 'endpoint'],
      endpoint: { url: 'https://g.example/{sub}', token: { name: 'a', key: 'b' } },
    };
    expect(brief(await lint({ ...GOOD, groups }))).toEqual([]);
  });

  it('an inline key that cannot be used is a warning next to one that can', async () => {
    const weak = {
      ...generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' }),
      kid: 'weak',
    };
    const findings = await lint({ ...GOOD, ...keysets({ issuer: 'a', jwks: { keys: [jwk, weak] } }) });
    expect(brief(findings)).toEqual(['key-unusable keySets[0].jwks']);
    expect(findings[0]?.message).toContain('weak: ');
  });
});

describe('S33 variables', () => {
  it('an unset variable is a warning, and hides no other fault', async () => {
    const block = {
      ...GOOD,
      clockSkew: '${SKEW}',
      keySets: [{ ...A, jwksUrl: 'https://${HOST}/jwks' }, { issuer: 'x' }],
      bogus: 1,
    };
    expect(brief(await lint(block))).toEqual([
      'refused bogus',
      'refused keySets[1]',
      'variable-unset clockSkew',
      'variable-unset keySets[0].jwksUrl',
    ]);
  });

  it('the value of a set variable is linted', async () => {
    const block = { ...GOOD, clockSkew: '${SKEW}' };
    expect(brief(await lint(block, { environment: { SKEW: '40s' } }))).toEqual(['clock-skew-wide clockSkew']);
    expect(brief(await lint(block, { environment: { SKEW: '5s' } }))).toEqual([]);
    expect(brief(await lint(block, { environment: { SKEW: 'x' } }))).toEqual(['refused clockSkew']);
  });

  it('a secret in a variable is not a secret in the descriptor', async () => {
    const token = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.';
    expect(brief(await lint({ ...GOOD, realm: '${TOKEN}' }, { environment: { TOKEN: token } }))).toEqual([]);
  });
});

describe('the directory of secrets', () => {
  const SECRET = keysets({ issuer: 'a', secret: { name: 'internal' } });

  async function directory(files: {
    readonly [path: string]: readonly [text: string | Uint8Array, mode: number];
  }): Promise<string> {
    const path = await mkdtemp(join(root, 'secrets-'));
    for (const [name, [text, mode]] of Object.entries(files)) {
      await mkdir(dirname(join(path, name)), { recursive: true, mode: 0o700 });
      await writeFile(join(path, name), text, { mode: 0o600 });
      await chmod(join(path, name), mode);
    }
    return path;
  }
  const set = (...keys: readonly unknown[]) => JSON.stringify({ keys });
  const lintIn = async (block: Block, files: Parameters<typeof directory>[0]) =>
    lint({ ...GOOD, ...block }, { environment: {}, secrets: await directory(files) });

  it('a private file with keys has no finding', async () => {
    expect(brief(await lintIn(SECRET, { 'internal/jwks.json': [set(privateJwk), 0o600] }))).toEqual([]);
  });

  it('a secret that is a text is read as one, and judged', async () => {
    const block = keysets({
      issuer: 'a',
      secret: { name: 'internal', key: 'text' },
      allowedAlgorithms: ['HS256'],
    });
    const lintText = async (text: string) => brief(await lintIn(block, { 'internal/text': [text, 0o600] }));
    expect(await lintText('kQ3tV9xZ2mN7pL5wR8yB4dF6hJ1sG0aC\n')).toEqual([]);
    expect(await lintText('short')).toEqual(['secret-without-keys keySets[0].secret']);
  });

  it('T-167 D18 a private file that others can read is an error', async () => {
    for (const mode of [0o640, 0o604, 0o620, 0o777]) {
      const findings = await lintIn(SECRET, { 'internal/jwks.json': [set(privateJwk), mode] });
      expect(brief(findings)).toEqual(['secret-readable-by-others keySets[0].secret']);
      expect(findings[0]).toMatchObject({ severity: 'error' });
    }
  });

  it('D18 so is a private key next to the entry that is named, and a raw secret', async () => {
    const files = {
      'internal/jwks.json': [set(jwk), 0o644],
      'internal/private.key': [privatePem, 0o644],
      'internal/secret.key': [randomBytes(32), 0o644],
      'internal/public.key': [publicPem, 0o644],
    } as const;
    const findings = await lintIn(SECRET, files);
    expect(findings.map(({ rule, message }) => [rule, message.split(':')[0]])).toEqual([
      ['secret-readable-by-others', 'internal/private.key'],
      ['secret-readable-by-others', 'internal/secret.key'],
    ]);
  });

  it('T-167 a public key that others can change is an error', async () => {
    for (const [file, content] of [
      ['internal/jwks.json', set(jwk)],
      ['internal/public.key', publicPem],
    ] as const)
      for (const mode of [0o620, 0o602, 0o666]) {
        const findings = await lintIn(SECRET, {
          'internal/jwks.json': [set(jwk), 0o644],
          [file]: [content, mode],
        });
        expect(brief(findings)).toEqual(['secret-writable-by-others keySets[0].secret']);
        expect(findings[0]).toMatchObject({ severity: 'error', message: expect.stringContaining(file) });
      }
  });

  it('T-167 so is a directory in which others can put another file', async () => {
    const secrets = await directory({ 'internal/jwks.json': [set(privateJwk), 0o600] });
    const found = () => lint({ ...GOOD, ...SECRET }, { environment: {}, secrets });
    for (const path of [secrets, join(secrets, 'internal')]) {
      for (const mode of [0o770, 0o777]) {
        await chmod(path, mode);
        expect(brief(await found())).toEqual(['secret-writable-by-others keySets[0].secret']);
      }
      // Kubernetes mounts secrets so: with the sticky bit, others cannot replace a file.
      await chmod(path, 0o1777);
      expect(brief(await found())).toEqual([]);
      await chmod(path, 0o700);
    }
  });

  it('a finding contains no part of a secret', async () => {
    const secret = oct(8);
    const findings = await lintIn(SECRET, { 'internal/jwks.json': [set(secret, privateJwk), 0o644] });
    expect(findings.length).toBeGreaterThan(1);
    expect(JSON.stringify(findings)).not.toContain(secret.k);
    expect(JSON.stringify(findings)).not.toContain(String(privateJwk.d));
  });

  it('a missing secret is an error, wherever it is named', async () => {
    const block = {
      ...SECRET,
      keys: [key({ secret: { name: 'old' } })],
      remote: {
        url: 'https://r.example',
        contract: 'introspection',
        client: { id: 'a', secret: { name: 'client', key: 'x' } },
        onReject: 'deny',
        onError: 'deny',
      },
      groups: { endpoint: { url: 'https://g.example/{sub}', token: { name: 'groups', key: 'x' } } },
      signing: { secret: { name: 'signing' }, maxLifetime: '1d' },
    };
    const findings = await lintIn(block, {});
    expect(brief(findings.filter(({ rule }) => rule === 'secret-missing'))).toEqual([
      'secret-missing groups.endpoint.token',
      'secret-missing keySets[0].secret',
      'secret-missing keys[0].secret',
      'secret-missing remote.client.secret',
      'secret-missing signing.secret',
    ]);
  });

  it('a private key is enough, for a key that verifies and for one that signs', async () => {
    const block = { keys: [key()], signing: { keys: [key()], maxLifetime: '1d' } };
    const findings = await lintIn(block, { 's/private.key': [privatePem, 0o600] });
    expect(findings.filter(({ rule }) => rule.startsWith('secret-'))).toEqual([]);
  });

  it('a path that is not a regular file cannot be read', async () => {
    const findings = await lintIn(SECRET, { 'internal/jwks.json/x': ['', 0o600] });
    expect(brief(findings)).toEqual(['secret-unreadable keySets[0].secret']);
  });

  it.each([
    ['not JSON', 'jwks', 'secret-without-keys'],
    ['not a set', '{"a":1}', 'secret-without-keys'],
    ['no key', '{"keys":[]}', 'keyset-empty'],
    ['D19 a key that is too short', set(oct(8)), 'secret-without-keys'],
    ['D19 a short key next to a good one', set(oct(8), oct(32)), 'key-unusable'],
    ['D6 secrets and public keys', set(oct(32), privateJwk), 'keys-mixed'],
  ])('%s', async (_name, text, rule) => {
    expect(brief(await lintIn(SECRET, { 'internal/jwks.json': [text, 0o600] }))).toEqual([
      `${rule} keySets[0].secret`,
    ]);
  });

  it('a key that the keyset does not allow is a finding', async () => {
    const block = keysets({ issuer: 'a', secret: { name: 'internal' }, allowedAlgorithms: ['RS256'] });
    expect(brief(await lintIn(block, { 'internal/jwks.json': [set(privateJwk), 0o600] }))).toEqual([
      'secret-without-keys keySets[0].secret',
    ]);
  });

  it('a name with a path is refused, and no other directory is read', async () => {
    const findings = await lintIn(keysets({ issuer: 'a', secret: { name: '../../etc' } }), {});
    expect(brief(findings)).toEqual(['refused keySets[0].secret.name']);
  });
});
