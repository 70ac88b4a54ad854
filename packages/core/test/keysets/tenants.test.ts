// Tenants that share the keys of their provider: which are welcome, which claim must name them, and
// whose tokens a key may verify. Tenants with keys of their own are in tenant-keysets.test.ts.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { generateSigningKey, type MintClaims, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AuthError } from '../../src/errors.ts';
import type { Authenticator, AuthenticatorOptions, KeysetOptions } from '../../src/index.ts';
import { startAuthenticator } from '../support/authenticators.ts';
import { warningsOf } from '../support/observed.ts';
import { outcome as settled } from '../support/outcome.ts';

const TEMPLATE = 'https://login.example.com/{tid}/v2.0';
const NOW = 1_800_000_000_000;

let key: SigningKey;
let other: SigningKey;
let timeMs = 0;
const clock = { now: () => NOW + timeMs, monotonic: () => timeMs };

beforeAll(async () => {
  [key, other] = await Promise.all([generateSigningKey('ES256', 'k'), generateSigningKey('ES256', 'k')]);
});
beforeEach(() => {
  timeMs = 0;
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  return () => vi.restoreAllMocks();
});

const issuerOf = (tenant: string) => `https://login.example.com/${tenant}/v2.0`;

function token(tenant: string, claims: MintClaims = {}, signer = key): Promise<string> {
  const iss = issuerOf(tenant);
  return mint(signer, { iss, tid: tenant, sub: 'alice', exp: NOW / 1000 + 86_400, ...claims });
}

function build(keyset: object, more: Partial<AuthenticatorOptions> = {}): Authenticator {
  const shared = { issuer: TEMPLATE, jwks: { keys: [key.publicJwk] }, ...keyset } as KeysetOptions;
  return startAuthenticator({ keySets: [shared], audience: null, clock, ...more });
}

const outcome = async (authenticator: Authenticator, presented: string | Promise<string>) =>
  settled(authenticator.verify(await presented));

describe('welcome tenants', () => {
  it.each<[title: string, keyset: object]>([
    ['a list', { tenants: ['acme', 'Beta-2'] }],
    ['a pattern', { tenants: { pattern: 'acme|Beta-\\d' } }],
    ['a RegExp', { tenants: /acme|beta-\d/i }],
    ['a RegExp as a pattern', { tenants: { pattern: /acme|Beta-\d/ } }],
    ['a function', { tenants: (tenant: string) => ['acme', 'Beta-2'].includes(tenant) }],
    ['an async function', { tenants: async (tenant: string) => ['acme', 'Beta-2'].includes(tenant) }],
    [
      'a function of the issuer',
      { tenants: (_: string, issuer: string) => [issuerOf('acme'), issuerOf('Beta-2')].includes(issuer) },
    ],
  ])('by %s: others are refused', async (_, keyset) => {
    const authenticator = build(keyset);
    expect(await outcome(authenticator, token('acme'))).toBe('accepted');
    expect(await outcome(authenticator, token('Beta-2'))).toBe('accepted');
    expect(await outcome(authenticator, token('gamma'))).toBe('token_issuer_untrusted');
    expect(await outcome(authenticator, token('acme', {}, other))).toBe('token_signature_invalid');
  });

  it('all of them, with unsafeAnyTenant, which warns', async () => {
    vi.restoreAllMocks();
    let authenticator: Authenticator | undefined;
    const warnings = await warningsOf(() => {
      authenticator = build({ unsafeAnyTenant: true });
    });
    expect(warnings).toEqual([
      'SecurityWarning LATCHKEY_UNSAFE: keySets[0].unsafeAnyTenant: any tenant of the provider may sign in',
    ]);
    expect(await outcome(authenticator as Authenticator, token('anyone'))).toBe('accepted');
  });

  it('a principal has the issuer of its tenant', async () => {
    const principal = await build({ tenants: ['acme'] }).verify(await token('acme'));
    expect(principal.issuer).toBe(issuerOf('acme'));
  });

  it('T-052: no other form of issuer, nor one without an issuer, is of a tenant', async () => {
    const authenticator = build({ unsafeAnyTenant: true }, { unsafeMissingIssuer: 'all-keysets' });
    for (const iss of [
      TEMPLATE,
      issuerOf('..'),
      issuerOf('%2e'),
      issuerOf('a/b'),
      `${issuerOf('acme')}/`,
      undefined,
    ])
      expect(await outcome(authenticator, token('acme', { iss }))).toBe('token_issuer_untrusted');
  });

  it('T-049: keysets of exact issuers come first, and no other keyset verifies tokens of tenants', async () => {
    const exact = { issuer: issuerOf('own'), jwks: { keys: [other.publicJwk] } };
    const any = { jwks: { keys: [other.publicJwk] }, unsafeOtherIssuers: true };
    const many: KeysetOptions = {
      issuer: TEMPLATE,
      jwks: { keys: [key.publicJwk] },
      tenants: ['acme', 'own'],
    };
    const authenticator = startAuthenticator({ keySets: [any, many, exact], audience: null, clock });
    expect(await outcome(authenticator, token('own', {}, other))).toBe('accepted');
    expect(await outcome(authenticator, token('own'))).toBe('token_signature_invalid');
    expect(await outcome(authenticator, token('acme'))).toBe('accepted');
    expect(await outcome(authenticator, token('acme', {}, other))).toBe('token_signature_invalid');
    expect(await outcome(authenticator, token('gamma', {}, other))).toBe('token_issuer_untrusted');
    expect(await outcome(authenticator, token('x', { iss: 'https://x.example' }, other))).toBe('accepted');
  });

  it('two keysets may have tenants of the same form, each with keys of its own', async () => {
    const one: KeysetOptions = { issuer: TEMPLATE, jwks: { keys: [key.publicJwk] }, tenants: ['a', 'both'] };
    const two: KeysetOptions = {
      issuer: TEMPLATE.replace('tid', 't'),
      jwks: { keys: [other.publicJwk] },
      tenants: ['b', 'both'],
      audience: 'b',
    };
    const authenticator = startAuthenticator({ keySets: [one, two], audience: null, clock });
    expect(await outcome(authenticator, token('a'))).toBe('accepted');
    expect(await outcome(authenticator, token('b'))).toBe('token_signature_invalid');
    expect(await outcome(authenticator, token('b', { aud: 'b' }, other))).toBe('accepted');
    expect(await outcome(authenticator, token('b', {}, other))).toBe('token_audience_mismatch');
    expect(await outcome(authenticator, token('both'))).toBe('accepted');
  });

  it('a refusal says which option refuses the tenant, and explain too', async () => {
    const authenticator = build({ tenants: ['acme'] });
    const refused = await token('gamma');
    await expect(authenticator.verify(refused)).rejects.toMatchObject({
      status: 401,
      detail: `keySets[0].tenants does not accept iss "${issuerOf('gamma')}"`,
    });
    const { checks, code } = await authenticator.explain(refused);
    expect(code).toBe('token_issuer_untrusted');
    expect(checks.find(({ check }) => check === 'issuer')).toMatchObject({
      outcome: 'failed',
      expected: `the issuer of a keyset: "${TEMPLATE}"`,
      detail: `keySets[0].tenants does not accept iss "${issuerOf('gamma')}"`,
    });
    const slash = await token('acme', { iss: `${issuerOf('acme')}/` });
    await expect(authenticator.verify(slash)).rejects.toMatchObject({
      detail: `iss "${issuerOf('acme')}/" differs from keySets[0].issuer by a trailing slash`,
    });
  });

  it('the metadata of a resource name the issuers of a list', () => {
    const resource = { url: 'https://api.example.com' };
    const serversOf = (keyset: object) =>
      build(keyset, { resource, audience: null }).resources?.[0]?.metadata.authorization_servers;
    expect(serversOf({ tenants: ['a', 'b'] })).toEqual([issuerOf('a'), issuerOf('b')]);
    expect(serversOf({ tenants: /a|b/ })).toBeUndefined();
  });
});

describe('a function that says which tenants are welcome', () => {
  it('is asked once a minute for each tenant, ahead of time, and every ten seconds after a no', async () => {
    const asked: string[] = [];
    const tenants = async (tenant: string) => asked.push(tenant) > 0 && tenant === 'acme';
    const authenticator = build({ tenants });
    const [good, bad] = [await token('acme'), await token('gamma')];
    const both = async () => [await outcome(authenticator, good), await outcome(authenticator, bad)];
    const refused = ['accepted', 'token_issuer_untrusted'];
    expect(await both()).toEqual(refused);
    expect(await both()).toEqual(refused);
    expect(asked.splice(0)).toEqual(['acme', 'gamma']);
    timeMs = 10_000;
    expect(await both()).toEqual(refused);
    expect(asked.splice(0)).toEqual(['gamma']);
    timeMs = 45_000;
    expect(await both()).toEqual(refused);
    expect(asked.splice(0)).toEqual(['acme', 'gamma']);
    timeMs = 104_999;
    expect(await outcome(authenticator, good)).toBe('accepted');
  });

  it.each([
    ['with a cache', {}],
    ['without one', { cache: false as const }],
  ])('T-144: a tenant that is no longer welcome is refused after a minute: %s', async (_, more) => {
    let isWelcome = true;
    const authenticator = build({ tenants: () => isWelcome }, more);
    const good = await token('acme');
    // Cached from the second time on.
    for (let time = 0; time < 3; time++) expect(await outcome(authenticator, good)).toBe('accepted');
    isWelcome = false;
    timeMs = 44_999;
    expect(await outcome(authenticator, good)).toBe('accepted');
    timeMs = 60_000;
    expect(await outcome(authenticator, good)).toBe('token_issuer_untrusted');
    isWelcome = true;
    timeMs = 70_000;
    expect(await outcome(authenticator, good)).toBe('accepted');
  });

  it('an answer that comes after a request for it counts from the question', async () => {
    const answers: ((is: boolean) => void)[] = [];
    const authenticator = build({ tenants: () => new Promise<boolean>((resolve) => answers.push(resolve)) });
    const good = await token('acme');
    const [first, second] = [outcome(authenticator, good), outcome(authenticator, good)];
    await vi.waitFor(() => expect(answers).toHaveLength(1));
    timeMs = 4_000;
    answers[0]?.(true);
    expect(await Promise.all([first, second])).toEqual(['accepted', 'accepted']);
    timeMs = 60_000;
    const third = outcome(authenticator, good);
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    answers[1]?.(false);
    expect(await third).toBe('token_issuer_untrusted');
  });

  it.each<[title: string, answer: () => unknown, cause: string]>([
    [
      'throws',
      () => {
        throw new Error('no database');
      },
      'no database',
    ],
    ['rejects', () => Promise.reject(new Error('no database')), 'no database'],
    [
      'rejects with a refusal',
      () => Promise.reject(new AuthError('claims_insufficient', { detail: 'no' })),
      'claims_insufficient The token lacks a claim that this request needs',
    ],
    ['gives a word', () => 'yes', 'expected true or false, got a string'],
    ['gives nothing', async () => undefined, 'expected true or false, got undefined'],
    ['gives a number', async () => 1, 'expected true or false, got a number'],
  ])(
    'T-144: is never taken for a yes when it %s: 503, and a warning for each outage',
    async (_, answer, cause) => {
      vi.restoreAllMocks();
      let isWell = false;
      const authenticator = build({ tenants: () => (isWell ? true : answer()) });
      const good = await token('acme');
      const attempt = async () => {
        const failure = await authenticator.verify(good).catch((error: unknown) => error);
        expect(failure).toMatchObject({
          code: 'keyset_unavailable',
          status: 503,
          headers: { 'Retry-After': '1' },
        });
        return failure;
      };
      const warnings = await warningsOf(async () => {
        await attempt();
        await attempt();
        timeMs = 1_000;
        await attempt();
      });
      expect(warnings).toEqual([
        `Warning LATCHKEY_UNAVAILABLE: keySets[0].tenants: the function failed: ${cause}; tokens that need it are answered with 503`,
      ]);
      isWell = true;
      timeMs = 60_000;
      const after = await warningsOf(async () => expect(await outcome(authenticator, good)).toBe('accepted'));
      expect(after).toEqual(['Warning LATCHKEY_RECOVERED: keySets[0].tenants: the function works again']);
    },
  );

  it('answers 503 when it takes longer than five seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const authenticator = build({ tenants: () => new Promise<boolean>(() => {}) });
      const waiting = authenticator.verify(await token('acme')).catch((error: unknown) => error);
      await vi.waitFor(async () => {
        await vi.advanceTimersByTimeAsync(5_000);
        expect(vi.getTimerCount()).toBe(0);
      });
      expect(await waiting).toMatchObject({ code: 'keyset_unavailable' });
    } finally {
      vi.useRealTimers();
    }
  });

  it('T-134: fails for two keysets at different moments, and no rejection is unhandled', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    try {
      const keyset = (tenants: () => Promise<boolean>): KeysetOptions => ({
        issuer: TEMPLATE,
        jwks: { keys: [key.publicJwk] },
        tenants,
      });
      const down = () => Promise.reject(new Error('no database'));
      const authenticator = startAuthenticator({
        keySets: [
          keyset(down),
          keyset(async () => {
            // Its failure comes later than that of the other one, and is remembered for longer.
            await nextTurn();
            timeMs += 500;
            return down();
          }),
        ],
        audience: null,
        clock,
      });
      const good = await token('acme');
      expect(await outcome(authenticator, good)).toBe('keyset_unavailable');
      await nextTurn();
      await nextTurn();
      expect(timeMs).toBe(500);
      timeMs = 1_200;
      expect(await outcome(authenticator, good)).toBe('keyset_unavailable');
      await nextTurn();
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', note);
    }
  });

  it('keeps a tenant for its minute while it fails', async () => {
    let isWell = true;
    const authenticator = build({
      tenants: async () => {
        if (isWell) return true;
        throw new Error('no database');
      },
    });
    const good = await token('acme');
    expect(await outcome(authenticator, good)).toBe('accepted');
    isWell = false;
    timeMs = 59_999;
    expect(await outcome(authenticator, good)).toBe('accepted');
    timeMs = 61_000;
    expect(await outcome(authenticator, good)).toBe('keyset_unavailable');
  });

  it('is not asked about issuers that the options refuse, nor about a token of another form', async () => {
    const tenants = vi.fn(() => true);
    const authenticator = build({ tenants }, { issuers: [issuerOf('acme')] });
    expect(await outcome(authenticator, token('gamma'))).toBe('token_issuer_untrusted');
    expect(await outcome(authenticator, token('x', { iss: `${TEMPLATE}/x` }))).toBe('token_issuer_untrusted');
    expect(tenants).not.toHaveBeenCalled();
    expect(await outcome(authenticator, token('acme'))).toBe('accepted');
    expect(tenants.mock.calls).toEqual([['acme', issuerOf('acme')]]);
  });

  it('ends with the authenticator', async () => {
    const authenticator = build({ tenants: () => new Promise<boolean>(() => {}) });
    const waiting = outcome(authenticator, token('acme'));
    await vi.waitFor(async () => {
      await authenticator.close();
      expect(await Promise.race([waiting, Promise.resolve('pending')])).not.toBe('pending');
    });
    expect(await waiting).toBe('keyset_unavailable');
  });
});

describe('a bound claim', () => {
  it.each<[title: string, claims: MintClaims, expected: string]>([
    ['the same', {}, 'accepted'],
    ['another tenant', { tid: 'beta' }, 'token_claims_invalid'],
    ['another case', { tid: 'ACME' }, 'token_claims_invalid'],
    ['no claim', { tid: undefined }, 'token_claims_invalid'],
    ['null', { tid: null }, 'token_claims_invalid'],
    ['a list', { tid: ['acme'] }, 'token_claims_invalid'],
    ['a number', { tid: 1 }, 'token_claims_invalid'],
  ])('must equal the placeholder: %s', async (_, claims, expected) => {
    const authenticator = build({ tenants: ['acme', 'beta'], bind: { tid: 'tid' } });
    const presented = await token('acme', claims);
    expect(await outcome(authenticator, presented)).toBe(expected);
    expect(await outcome(authenticator, presented)).toBe(expected);
    const { checks } = await authenticator.explain(presented);
    expect(checks.find(({ about }) => about === 'tid')).toMatchObject({
      check: 'registered claims',
      expected: 'the value of {tid} in iss',
      outcome: expected === 'accepted' ? 'passed' : 'failed',
    });
  });

  it('is not asked for by default, and concerns its keyset only', async () => {
    const beta = { tid: 'beta' };
    expect(await outcome(build({ tenants: ['acme'] }), token('acme', beta))).toBe('accepted');
    const bound: KeysetOptions = {
      issuer: TEMPLATE,
      jwks: { keys: [key.publicJwk] },
      tenants: ['acme'],
      bind: { tid: 'tid' },
    };
    const exact = { issuer: 'https://x.example', jwks: { keys: [key.publicJwk] } };
    const authenticator = startAuthenticator({ keySets: [bound, exact], audience: null, clock });
    expect(await outcome(authenticator, token('acme', beta))).toBe('token_claims_invalid');
    expect(await outcome(authenticator, token('x', { iss: 'https://x.example', ...beta }))).toBe('accepted');
  });
});

describe('T-049: a key with an issuer', () => {
  const CONSUMERS = '9188040d-6c67-4c5b-b112-36a304b66dad';
  it.each<[title: string, issuer: unknown, acme: string, consumers: string]>([
    ['none', undefined, 'accepted', 'accepted'],
    ['all tenants', 'https://login.example.com/{tenantid}/v2.0', 'accepted', 'accepted'],
    ['one tenant', issuerOf(CONSUMERS), 'token_key_unknown', 'accepted'],
    ['another form', 'https://sts.example.com/{tenantid}/', 'token_key_unknown', 'token_key_unknown'],
    ['another placeholder', TEMPLATE, 'token_key_unknown', 'token_key_unknown'],
    ['a list', [issuerOf('acme')], 'token_key_unknown', 'token_key_unknown'],
    ['an empty text', '', 'token_key_unknown', 'token_key_unknown'],
    ['null', null, 'token_key_unknown', 'token_key_unknown'],
  ])('verifies only tokens of that issuer: %s', async (_, issuer, acme, consumers) => {
    const jwk = issuer === undefined ? key.publicJwk : { ...key.publicJwk, issuer };
    const spare = { ...other.publicJwk, kid: 'spare' };
    const authenticator = build({ unsafeAnyTenant: true, jwks: { keys: [jwk, spare] } });
    expect(await outcome(authenticator, token('acme'))).toBe(acme);
    expect(await outcome(authenticator, token(CONSUMERS))).toBe(consumers);
    // And again, from the cache.
    expect(await outcome(authenticator, token('acme'))).toBe(acme);
  });

  it('leaves the keys of all tenants with the same kid', async () => {
    const jwks = { keys: [{ ...other.publicJwk, issuer: issuerOf('beta') }, key.publicJwk] };
    const authenticator = build({ unsafeAnyTenant: true, jwks });
    expect(await outcome(authenticator, token('acme'))).toBe('accepted');
    expect(await outcome(authenticator, token('acme', {}, other))).toBe('token_signature_invalid');
    expect(await outcome(authenticator, token('beta', {}, other))).toBe('accepted');
  });

  it('counts for one issuer, which the options name, without that member', async () => {
    const jwks = { keys: [{ ...key.publicJwk, issuer: 'https://sts.example.com/{tenantid}/' }] };
    const authenticator = startAuthenticator({
      keySets: [{ issuer: issuerOf('acme'), jwks }],
      audience: null,
      clock,
    });
    expect(await outcome(authenticator, token('acme'))).toBe('accepted');
  });
});

describe('options', () => {
  it.each<[title: string, keyset: object, message: string]>([
    [
      'no tenants',
      {},
      "keySets[0].tenants: is required for an issuer with a placeholder; name the values of {tid} that are welcome, like ['acme']",
    ],
    [
      'both',
      { tenants: ['a'], unsafeAnyTenant: true },
      'keySets[0].unsafeAnyTenant: is not allowed next to tenants; remove one',
    ],
    [
      'the system',
      { tenants: ['a'], system: true },
      'keySets[0].system: is not allowed for many tenants: each could sign as the system',
    ],
    ['unsafeAnyTenant: false', { unsafeAnyTenant: false }, 'keySets[0].tenants: is required for'],
    ['an empty list', { tenants: [] }, 'keySets[0].tenants: expected'],
    [
      'an odd name',
      { tenants: ['a', 'a.b'] },
      'keySets[0].tenants[1]: expected the value of the placeholder: at most 64 letters, digits and hyphens, got a string',
    ],
    [
      'an issuer as a name',
      { tenants: [issuerOf('a')] },
      'keySets[0].tenants[0]: expected the value of the placeholder',
    ],
    [
      'one name',
      { tenants: 'acme' },
      "keySets[0].tenants: expected a list of tenants, { pattern: '…' } or a function, got a string",
    ],
    [
      'null',
      { tenants: null },
      "keySets[0].tenants: expected a list of tenants, { pattern: '…' } or a function, got null",
    ],
    [
      'a wrong pattern',
      { tenants: { pattern: '(' } },
      'keySets[0].tenants.pattern: cannot be matched in linear time',
    ],
    [
      'an unknown member',
      { tenants: { pattern: 'a', flags: 'i' } },
      'keySets[0].tenants.flags: unknown option',
    ],
    ['a look-behind', { tenants: /(?<=a)b/ }, 'keySets[0].tenants: cannot be matched in linear time'],
    [
      'another placeholder',
      { tenants: ['a'], bind: { tenant: 'tid' } },
      "keySets[0].bind: expected the one placeholder of issuer, like { tid: 'tid' }",
    ],
    [
      'more placeholders',
      { tenants: ['a'], bind: { tid: 'tid', a: 'b' } },
      'keySets[0].bind: expected the one placeholder of issuer',
    ],
    ['an empty claim', { tenants: ['a'], bind: { tid: '' } }, 'keySets[0].bind.tid: expected'],
    [
      'a claim alone',
      { tenants: ['a'], bind: 'tid' },
      'keySets[0].bind: expected the name of a claim by that of the placeholder, got a string',
    ],
    [
      'no tenants at all',
      { tenants: ['a'], maxTenants: 0 },
      'keySets[0].maxTenants: expected a whole number from 1 to 100000, got 0',
    ],
    [
      'a name that no host has',
      { issuer: 'https://{t}.id.example.com', tenants: ['acme', 'Acme'] },
      'keySets[0].tenants: expected labels of a host, in lower case, because the placeholder is one; Acme is never in an issuer',
    ],
    [
      'tenants of one issuer',
      { issuer: 'https://a.example', tenants: ['a'] },
      "keySets[0].tenants: needs an issuer with a placeholder, like 'https://id.example.com/realms/{realm}'",
    ],
    [
      'bind of one issuer',
      { issuer: 'https://a.example', bind: { tid: 'tid' } },
      'keySets[0].bind: needs an issuer with a placeholder',
    ],
    [
      'maxTenants of one issuer',
      { issuer: 'https://a.example', maxTenants: 10 },
      'keySets[0].maxTenants: needs an issuer with a placeholder',
    ],
    [
      'unsafeAnyTenant of one issuer',
      { issuer: 'https://a.example', unsafeAnyTenant: true },
      'keySets[0].unsafeAnyTenant: needs an issuer with a placeholder',
    ],
    [
      'a literal brace',
      { issuer: 'https://a.example/{', tenants: ['a'] },
      'keySets[0].issuer: expected the issuers of tenants, got other braces than one placeholder; write the placeholder once',
    ],
    [
      'a registrable host',
      { issuer: 'https://{t}.com', tenants: ['a'] },
      'keySets[0].issuer: expected the issuers of tenants, got a placeholder in the domain itself',
    ],
    [
      'plain http',
      { issuer: 'http://a.example/{t}', tenants: ['a'] },
      'keySets[0].issuer: must be https (allowHttp permits http)',
    ],
  ])('are refused: %s', (_, keyset, message) => {
    expect(() => build(keyset)).toThrow(message);
  });

  it('of a keyset with one URL of keys have no placeholder in it', () => {
    const jwksUrl = 'https://login.example.com/{tid}/keys';
    const keySets = [{ issuer: TEMPLATE, tenants: ['a'], jwksUrl }];
    expect(() => startAuthenticator({ keySets, audience: null, clock })).toThrow(
      'keySets[0].jwksUrl: expected one URL, got a placeholder; useDiscovery finds the keys of each tenant',
    );
  });

  it('keys that tokens choose, and headers for servers of tenants, are refused', () => {
    const start = (keyset: object) => () =>
      startAuthenticator({ keySets: [keyset as KeysetOptions], audience: null });
    expect(start({ issuer: TEMPLATE, jwksHosts: ['keys.example.com'] })).toThrow(
      'keySets[0].issuer: expected one issuer next to jwksHosts: a tenant could sign tokens of another one',
    );
    expect(start({ issuer: TEMPLATE, jwksHosts: ['keys.example.com'], tenants: ['a'] })).toThrow(
      'keySets[0].tenants: is not allowed next to jwksHosts',
    );
    const headers = { authorization: { file: '/nowhere' } };
    const found = { tenants: ['a'], useDiscovery: 'oidc', headers };
    expect(start({ issuer: 'https://{t}.example.com', ...found })).toThrow(
      'keySets[0].headers: is not allowed for tenants with servers of their own: each could read them',
    );
    expect(start({ issuer: TEMPLATE, ...found })).not.toThrow();
  });
});
