// Lint: every rule with what it finds and what it lets be, secrets on a real disk, and what core
// refuses at its place in the file.
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

interface Case {
  readonly rule: string;
  /** Laid over a good block. */
  readonly bad: Block;
  /** Every finding of the rule. */
  readonly at: readonly string[];
  /** Close to it, and fine. */
  readonly good: Block;
}

const keysets = (...list: readonly Block[]): Block => ({ keySets: list });
const signer = (more: Block): Block => ({ signing: { secret: { name: 's' }, maxLifetime: '1d', ...more } });
const key = (more: Block = {}) => ({ keyId: 'k', algorithm: 'RS256', secret: { name: 's' }, ...more });
const search = (pattern: string): Block => ({ claims: { sub: { pattern, match: 'search' } } });

const CASES: readonly Case[] = [
  { rule: 'keys-deprecated', bad: { keys: [key()] }, at: ['keys'], good: {} },
  {
    rule: 'issuerless-keyset',
    bad: keysets(A, { jwksUrl: 'https://b.example' }),
    at: ['keySets[1]'],
    good: keysets(A, B),
  },
  {
    rule: 'issuerless-keyset',
    bad: { keySets: [{ jwksUrl: 'https://b.example' }], keys: [key()] },
    at: ['keySets[0]'],
    good: keysets({ jwksUrl: 'https://b.example' }),
  },
  {
    rule: 'issuer-open',
    bad: keysets({ jwksUrl: 'https://b.example' }),
    at: ['keySets[0]'],
    good: { keySets: [{ jwksUrl: 'https://b.example' }], issuers: ['b'] },
  },
  {
    rule: 'issuerless-token-reaches-keys',
    bad: { keys: [key({ issuer: 'a' })] },
    at: ['keys'],
    good: { keys: [key()] },
  },
  { rule: 'issuer-duplicate', bad: keysets(A, B, A), at: ['keySets[2].issuer'], good: keysets(A, B) },
  {
    rule: 'issuer-look-alike',
    bad: keysets(A, { ...B, issuer: 'https://A.example/' }),
    at: ['keySets[1].issuer'],
    good: keysets(A, A),
  },
  {
    rule: 'unsafe-missing-issuer',
    bad: { unsafeMissingIssuer: 'all-keysets' },
    at: ['unsafeMissingIssuer'],
    good: {},
  },
  {
    rule: 'unsafe-algorithm-match',
    bad: keysets({ ...A, unsafeAlgorithmMatch: 'family' }),
    at: ['keySets[0].unsafeAlgorithmMatch'],
    good: keysets(A),
  },
  {
    rule: 'unsafe-private-addresses',
    bad: keysets({ jwksHosts: ['a.example/x/'], issuer: 'a', unsafeAllowPrivateAddresses: true }),
    at: ['keySets[0].unsafeAllowPrivateAddresses'],
    good: keysets({ jwksHosts: ['a.example/x/'], issuer: 'a', unsafeAllowPrivateAddresses: false }),
  },
  {
    rule: 'hmd5-accepted',
    bad: keysets({ issuer: 'a', secret: { name: 's' }, unsafeLegacyAlgorithms: ['HS224', 'HMD5'] }),
    at: ['keySets[0].unsafeLegacyAlgorithms[1]'],
    good: keysets({ issuer: 'a', secret: { name: 's' } }),
  },
  {
    rule: 'hs224-accepted',
    bad: { keys: [key({ issuer: 'a', algorithm: 'HS224', unsafeLegacyAlgorithms: ['HS224'] })] },
    at: ['keys[0].unsafeLegacyAlgorithms[0]'],
    good: { keys: [key()] },
  },
  {
    rule: 'symmetric-on-public-source',
    bad: keysets({ ...A, allowedAlgorithms: ['RS256', 'HS256'] }),
    at: ['keySets[0].allowedAlgorithms[1]'],
    good: keysets({ issuer: 'a', secret: { name: 's' }, allowedAlgorithms: ['HS256'] }),
  },
  {
    rule: 'algorithms-mixed',
    bad: keysets({ issuer: 'a', secret: { name: 's' }, allowedAlgorithms: ['HS256', 'RS256'] }),
    at: ['keySets[0].allowedAlgorithms'],
    good: keysets({ issuer: 'a', secret: { name: 's' }, allowedAlgorithms: ['HS256', 'HS512'] }),
  },
  {
    rule: 'algorithms-wide',
    bad: keysets({ ...A, allowedAlgorithms: ['RS256', 'RS384', 'RS512', 'ES256', 'ES384'] }),
    at: ['keySets[0].allowedAlgorithms'],
    good: keysets({ ...A, allowedAlgorithms: ['RS256', 'ES256'] }),
  },
  {
    rule: 'jku-host-whole',
    bad: keysets({ issuer: 'a', jwksHosts: ['a.example', 'b.example/keys/'] }),
    at: ['keySets[0].jwksHosts[0]'],
    good: keysets({ issuer: 'a', jwksHosts: ['b.example/keys/'] }),
  },
  {
    rule: 'keys-in-clear',
    bad: keysets({ ...A, jwksUrl: 'http://a.example/jwks', allowHttp: true }),
    at: ['keySets[0].allowHttp'],
    good: keysets({ ...A, jwksUrl: 'http://127.0.0.1:80/jwks', allowHttp: true }),
  },
  {
    rule: 'keys-in-clear',
    bad: keysets({ issuer: 'http://a.example', useOidcDiscovery: true, allowHttp: true }),
    at: ['keySets[0].allowHttp'],
    good: keysets({ issuer: 'http://localhost:9000', useOidcDiscovery: true, allowHttp: true }),
  },
  {
    rule: 'keys-in-clear',
    bad: keysets({ issuer: 'a', jwksHosts: ['localhost:80', 'a.example'], allowHttp: true }),
    at: ['keySets[0].allowHttp'],
    good: keysets({ issuer: 'a', jwksHosts: ['localhost:80'], allowHttp: true }),
  },
  {
    rule: 'kidless-try-all',
    bad: keysets({ ...A, kidless: 'try-all' }),
    at: ['keySets[0].kidless'],
    good: keysets({ ...A, kidless: 'refuse' }),
  },
  {
    rule: 'refresh-slow',
    bad: keysets({ ...A, refreshInterval: '25h' }),
    at: ['keySets[0].refreshInterval'],
    good: keysets({ ...A, refreshInterval: '24h' }),
  },
  {
    rule: 'validation-skipped',
    bad: keysets({ ...A, skipValidation: true }),
    at: ['keySets[0].skipValidation'],
    good: keysets({ ...A, skipValidation: false }),
  },
  {
    rule: 'stale-long',
    bad: keysets({ ...A, maxStale: '8d' }),
    at: ['keySets[0].maxStale'],
    good: keysets({ ...A, maxStale: '7d' }),
  },
  {
    rule: 'system-issuerless',
    bad: keysets({ jwksUrl: 'https://a.example', system: true }),
    at: ['keySets[0]'],
    good: keysets({ ...A, system: true }),
  },
  { rule: 'audience-unset', bad: { audience: undefined }, at: [''], good: {} },
  { rule: 'audience-null', bad: { audience: null }, at: ['audience'], good: {} },
  { rule: 'clock-skew-wide', bad: { clockSkew: '31s' }, at: ['clockSkew'], good: { clockSkew: '30s' } },
  { rule: 'mode-permissive', bad: { mode: 'permissive' }, at: ['mode'], good: { mode: 'strict' } },
  { rule: 'mode-optional', bad: { mode: 'optional' }, at: ['mode'], good: {} },
  {
    rule: 'exp-not-required',
    bad: { requireExp: false },
    at: ['requireExp'],
    good: { requireExp: false, maxTokenAge: '1h' },
  },
  {
    rule: 'unsafe-sender-constrained',
    bad: { unsafeAcceptSenderConstrained: true },
    at: ['unsafeAcceptSenderConstrained'],
    good: { unsafeAcceptSenderConstrained: false },
  },
  {
    rule: 'token-in-query',
    bad: { tokenFrom: [{ header: 'Authorization' }, { query: 'access_token' }] },
    at: ['tokenFrom[1].query'],
    good: { tokenFrom: [{ body: 'access_token' }] },
  },
  {
    rule: 'cookie-without-host-prefix',
    bad: { tokenFrom: [{ cookie: 'token' }] },
    at: ['tokenFrom[0].cookie'],
    good: { tokenFrom: [{ cookie: '__Host-token' }] },
  },
  {
    rule: 'cookie-origin-in-clear',
    bad: { tokenFrom: [{ cookie: '__Host-t', allowedOrigins: ['https://a.example', 'http://a.example'] }] },
    at: ['tokenFrom[0].allowedOrigins[1]'],
    good: { tokenFrom: [{ cookie: '__Host-t', allowedOrigins: ['http://localhost:3000'] }] },
  },
  {
    rule: 'pattern-unanchored',
    bad: search('my-subject-\\d+'),
    at: ['claims.sub.pattern'],
    good: { claims: { sub: { pattern: 'my-subject-\\d+' } } },
  },
  { rule: 'pattern-unanchored', bad: search('^a|b$'), at: ['claims.sub.pattern'], good: search('^(?:a|b)$') },
  { rule: 'pattern-unanchored', bad: search('^a\\$'), at: ['claims.sub.pattern'], good: search('^[$|]a$') },
  {
    rule: 'pattern-unanchored',
    bad: {
      routes: {
        admin: { claims: [{ path: ['a', 'b'], rule: { optional: { pattern: 'x', match: 'search' } } }] },
      },
    },
    at: ['routes.admin.claims[0].rule.optional.pattern'],
    good: {},
  },
  {
    rule: 'pattern-matches-all',
    bad: { claims: { sub: { pattern: '^.*$' } } },
    at: ['claims.sub.pattern'],
    good: { claims: { sub: { pattern: 'a.*' } } },
  },
  {
    rule: 'pattern-matches-all',
    bad: {
      issuers: ['a', { pattern: '.+' }],
      claims: [{ name: 'dept', type: 'regex', validate: true, value: '.*' }],
    },
    at: ['issuers[1].pattern', 'claims[0].value'],
    good: { claims: [{ name: 'dept', validate: true, value: '.*' }] },
  },
  {
    rule: 'system-without-keys',
    bad: { systemSubject: 'okera' },
    at: ['systemSubject'],
    good: { systemSubject: 'okera', keySets: [{ ...A, system: true }] },
  },
  {
    rule: 'remote-reject-next',
    bad: { remote: { url: 'https://r.example', onReject: 'next', onError: 'deny' } },
    at: ['remote.onReject'],
    good: { remote: { url: 'https://r.example', onReject: 'deny', onError: 'next' } },
  },
  {
    rule: 'remote-in-clear',
    bad: { remote: { url: 'http://r.example', allowHttp: true, onReject: 'deny', onError: 'deny' } },
    at: ['remote.allowHttp'],
    good: { remote: { url: 'http://[::1]/check', onReject: 'deny', onError: 'deny' } },
  },
  {
    rule: 'remote-cache-long',
    bad: { remote: { url: 'https://r.example', cacheFor: '6m', onReject: 'deny', onError: 'deny' } },
    at: ['remote.cacheFor'],
    good: { remote: { url: 'https://r.example', cacheFor: '5m', onReject: 'deny', onError: 'deny' } },
  },
  {
    rule: 'remote-system',
    bad: { remote: { url: 'https://r.example', system: true, onReject: 'deny', onError: 'deny' } },
    at: ['remote.system'],
    good: {},
  },
  {
    rule: 'remote-other-audiences',
    bad: {
      remote: { url: 'https://r.example', unsafeIgnoreTokenClaims: true, onReject: 'deny', onError: 'deny' },
    },
    at: ['remote.unsafeIgnoreTokenClaims'],
    good: {
      remote: { url: 'https://r.example', unsafeIgnoreTokenClaims: false, onReject: 'deny', onError: 'deny' },
    },
  },
  {
    rule: 'groups-trust-unset',
    bad: { keySets: [A, B], groups: { reserved: ['root'] } },
    at: ['groups'],
    good: { keySets: [A, B], groups: { trust: { [A.issuer]: 'all' } } },
  },
  {
    rule: 'groups-trust-unset',
    bad: { keySets: [A, B], routes: { admin: { claims: { groups: ['admin'] } } } },
    at: ['groups'],
    good: { routes: { admin: { claims: { groups: ['admin'] } } } },
  },
  {
    rule: 'groups-trust-stranger',
    bad: { groups: { trust: { 'https://a.example/': 'all' } } },
    at: ['groups.trust.https://a.example/'],
    good: { groups: { trust: { 'https://a.example': 'all' } } },
  },
  {
    rule: 'reserved-groups-unset',
    bad: { systemSubject: 'okera', keySets: [{ ...A, system: true }] },
    at: ['systemSubject'],
    good: { systemSubject: 'okera', keySets: [{ ...A, system: true }], groups: { reserved: ['root'] } },
  },
  {
    rule: 'groups-in-clear',
    bad: { groups: { endpoint: { url: 'http://g.example/{sub}', allowHttp: true } } },
    at: ['groups.endpoint.allowHttp'],
    good: { groups: { endpoint: { url: 'http://localhost/{sub}' } } },
  },
  {
    rule: 'groups-cache-long',
    bad: { groups: { cacheFor: '2h' } },
    at: ['groups.cacheFor'],
    good: { groups: { cacheFor: '1h' } },
  },
  {
    rule: 'signing-without-exp',
    bad: signer({ requireExp: false }),
    at: ['signing.requireExp'],
    good: signer({}),
  },
  {
    rule: 'signing-lifetime-open',
    bad: { signing: { secret: { name: 's' } } },
    at: ['signing'],
    good: signer({}),
  },
  {
    rule: 'signing-lifetime-long',
    bad: signer({ maxLifetime: '91d' }),
    at: ['signing.maxLifetime'],
    good: signer({ expiresIn: '1h' }),
  },
  {
    rule: 'signing-keys-in-clear',
    bad: { signing: { jwkUrl: 'http://k.example', kid: 'k', allowHttp: true, expiresIn: '1h' } },
    at: ['signing.allowHttp'],
    good: { signing: { jwkUrl: 'http://127.0.0.1/k', kid: 'k', allowHttp: true, expiresIn: '1h' } },
  },
  {
    rule: 'signing-keys-deprecated',
    bad: { signing: { keys: [key()], expiresIn: '1h' } },
    at: ['signing.keys'],
    good: signer({}),
  },
  {
    rule: 'tls-without-forward-secrecy',
    bad: keysets({ ...A, tls: { cipherSuites: [49199, 156] } }),
    at: ['keySets[0].tls.cipherSuites[1]'],
    good: keysets({ ...A, tls: { cipherSuites: [49199] } }),
  },
  {
    rule: 'private-key-in-descriptor',
    bad: keysets({ issuer: 'a', jwks: { keys: [jwk, privateJwk] } }),
    at: ['keySets[0].jwks.keys[1]'],
    good: keysets({ issuer: 'a', jwks: { keys: [jwk] } }),
  },
  {
    rule: 'private-key-in-descriptor',
    bad: { signing: { jwks: { keys: [privateJwk] }, expiresIn: '1h' } },
    at: ['signing.jwks.keys[0]'],
    good: {},
  },
  {
    rule: 'private-key-in-descriptor',
    bad: keysets({ issuer: 'a', publicKeys: [{ pem: privatePem, algorithm: 'ES256' }] }),
    at: ['keySets[0].publicKeys[0].pem'],
    good: keysets({ issuer: 'a', publicKeys: [{ pem: publicPem, algorithm: 'ES256' }] }),
  },
  {
    rule: 'token-in-descriptor',
    bad: { realm: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.' },
    at: ['realm'],
    good: { realm: 'eyes.on.you' },
  },
  {
    rule: 'password-in-url',
    bad: { remote: { url: 'https://me:pw@r.example', onReject: 'deny', onError: 'deny' } },
    at: ['remote.url'],
    good: { issuers: ['https://a.example/?tenant=a'] },
  },
  {
    rule: 'password-in-url',
    bad: keysets({ ...A, jwksUrl: 'https://a.example/jwks?api_key=abc' }),
    at: ['keySets[0].jwksUrl'],
    good: keysets({ ...A, jwksUrl: 'https://a.example/jwks?api_key=${KEY}' }),
  },
  {
    rule: 'secret-in-descriptor',
    bad: {
      remote: {
        url: 'https://r.example',
        contract: 'introspection',
        client: { id: 'me', secret: 'hunter2' },
        onReject: 'deny',
        onError: 'deny',
      },
    },
    at: ['remote.client.secret'],
    good: { claims: { token: 'a', secret: 'b' } },
  },
];

describe('the rules', () => {
  it.each(CASES.map((one, index) => [`${one.rule} (${index})`, one] as const))(
    '%s',
    async (_name, { rule, bad, at, good }) => {
      const found = (findings: readonly Finding[]) =>
        findings.filter((finding) => finding.rule === rule).map(({ path }) => path);
      expect(found(await lint({ ...GOOD, ...bad }))).toEqual(at);
      expect(found(await lint({ ...GOOD, ...good }))).toEqual([]);
    },
  );

  it('each has a case, a name of its own and a fix', () => {
    expect(new Set(CASES.map(({ rule }) => rule))).toEqual(new Set(lintRules.map(({ id }) => id)));
    expect(new Set(lintRules.map(({ id }) => id)).size).toBe(lintRules.length);
    for (const { id, message, fix } of lintRules) {
      expect(id).toMatch(/^[a-z0-9]+(?:-[a-z0-9]+)*$/);
      expect(message).not.toBe('');
      expect(fix).not.toBe('');
    }
  });

  it('a good block has nothing, and nothing is warned of while it is looked at', async () => {
    expect(brief(await lint(GOOD))).toEqual([]);
    await lint({
      ...GOOD,
      ...keysets(A, { issuer: 'a', secret: { name: 's' }, unsafeLegacyAlgorithms: ['HMD5'] }),
      unsafeMissingIssuer: 'all-keysets',
      keys: [key()],
    });
    expect(warnings).toEqual([]);
  });

  it.each(SEEDS)('AK-29 %s of the seed: only that it has no audience', async (_name, text) => {
    const findings = await lintDescriptor(parseDescriptor(text, 'service.yaml'), { environment: {} });
    expect(brief(findings)).toEqual(['audience-unset']);
  });

  it('refuses nothing of a descriptor with everything', async () => {
    const { service } = BIG({ pem: publicPem, jwk });
    const findings = await lint(service.jwt);
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  });
});

describe('places', () => {
  it('says line and column, in the order of the file', async () => {
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

describe('what core refuses', () => {
  it('is found all at once, each at its place', async () => {
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

  it('what belongs together is read together', async () => {
    expect(brief(await lint({ ...GOOD, profile: 'at+jwt', typ: 'jwt' }))).toEqual(['refused typ']);
    expect(brief(await lint({ ...GOOD, groups: {}, claims: { groups: ['a'] } }))).toEqual([
      'refused claims.groups',
    ]);
    expect(brief(await lint({ audience: 'a', keySets: [] }))).toEqual(['refused keySets']);
  });

  it('is not said again where a rule has said it', async () => {
    expect(brief(await lint({ ...GOOD, ...keysets({ ...A, allowedAlgorithms: ['HS256'] }) }))).toEqual([
      'symmetric-on-public-source keySets[0].allowedAlgorithms[0]',
    ]);
    expect(brief(await lint({ ...GOOD, ...keysets({ issuer: 'a', jwks: { keys: [privateJwk] } }) }))).toEqual(
      ['private-key-in-descriptor keySets[0].jwks.keys[0]'],
    );
  });

  it('a directory and the tokens of endpoints are for others to give', async () => {
    const groups = {
      order: ['claim', 'directory', 'endpoint'],
      endpoint: { url: 'https://g.example/{sub}', token: { name: 'a', key: 'b' } },
    };
    expect(brief(await lint({ ...GOOD, groups }))).toEqual([]);
  });

  it('an inline key that cannot be used is a warning beside one that can', async () => {
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
  it('one that is not set is a warning, and hides no other fault', async () => {
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

  it('one that is set is looked into', async () => {
    const block = { ...GOOD, clockSkew: '${SKEW}' };
    expect(brief(await lint(block, { environment: { SKEW: '40s' } }))).toEqual(['clock-skew-wide clockSkew']);
    expect(brief(await lint(block, { environment: { SKEW: '5s' } }))).toEqual([]);
    expect(brief(await lint(block, { environment: { SKEW: 'x' } }))).toEqual(['refused clockSkew']);
  });

  it('a secret in a variable is none in the descriptor', async () => {
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

  it('nothing is said of a private file with keys in it', async () => {
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

  it('D18 so is a private key beside the entry that is named, and a raw secret', async () => {
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
      // As Kubernetes mounts them: there nobody takes away what is another's.
      await chmod(path, 0o1777);
      expect(brief(await found())).toEqual([]);
      await chmod(path, 0o700);
    }
  });

  it('nothing of a secret is in a finding', async () => {
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

  it('a key that only signs is there, for a key that verifies and for one that signs', async () => {
    const block = { keys: [key()], signing: { keys: [key()], maxLifetime: '1d' } };
    const findings = await lintIn(block, { 's/private.key': [privatePem, 0o600] });
    expect(findings.filter(({ rule }) => rule.startsWith('secret-'))).toEqual([]);
  });

  it('what is no regular file cannot be read', async () => {
    const findings = await lintIn(SECRET, { 'internal/jwks.json/x': ['', 0o600] });
    expect(brief(findings)).toEqual(['secret-unreadable keySets[0].secret']);
  });

  it.each([
    ['no JSON', 'jwks', 'secret-without-keys'],
    ['no set', '{"a":1}', 'secret-without-keys'],
    ['no key', '{"keys":[]}', 'keyset-empty'],
    ['D19 a key that is too short', set(oct(8)), 'secret-without-keys'],
    ['D19 a short key beside a good one', set(oct(8), oct(32)), 'key-unusable'],
    ['D6 secrets and public keys', set(oct(32), privateJwk), 'keys-mixed'],
  ])('%s', async (_name, text, rule) => {
    expect(brief(await lintIn(SECRET, { 'internal/jwks.json': [text, 0o600] }))).toEqual([
      `${rule} keySets[0].secret`,
    ]);
  });

  it('a key that the keyset does not allow is of no use', async () => {
    const block = keysets({ issuer: 'a', secret: { name: 'internal' }, allowedAlgorithms: ['RS256'] });
    expect(brief(await lintIn(block, { 'internal/jwks.json': [set(privateJwk), 0o600] }))).toEqual([
      'secret-without-keys keySets[0].secret',
    ]);
  });

  it('is not left: a name with a path is refused, and leads nowhere', async () => {
    const findings = await lintIn(keysets({ issuer: 'a', secret: { name: '../../etc' } }), {});
    expect(brief(findings)).toEqual(['refused keySets[0].secret.name']);
  });
});
