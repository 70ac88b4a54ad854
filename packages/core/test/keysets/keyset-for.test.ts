// Keysets that the application finds by the issuer of a token: when it is asked, how its answers
// are checked and how long they are used, and what they keep.
import { createServer } from 'node:http';
import { generateSigningKey, type MintClaims, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AuthError } from '../../src/errors.ts';
import type { Authenticator, AuthenticatorOptions, KeysetFor, KeysetOptions } from '../../src/index.ts';
import { MAX_FOUND, MAX_ISSUER_LENGTH } from '../../src/keysets/keyset-for.ts';
import { MAX_CANDIDATE_TENANTS, MAX_NEW_TENANTS } from '../../src/keysets/tenant-keysets.ts';
import { startAuthenticator } from '../support/authenticators.ts';
import { warningsOf } from '../support/observed.ts';
import { outcome as settled } from '../support/outcome.ts';
import { listen } from '../support/servers.ts';

const NOW = 1_800_000_000_000;
const ACME = 'https://acme.example/';

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

const keysetOf = (issuer: string, signer = key, more: object = {}) =>
  ({ issuer, jwks: { keys: [signer.publicJwk] }, ...more }) as KeysetOptions;
const token = (iss: string | undefined, signer = key, claims: MintClaims = {}) =>
  mint(signer, { iss, sub: 'alice', exp: NOW / 1000 + 86_400, ...claims });
const outcome = async (authenticator: Authenticator, presented: string | Promise<string>) =>
  settled(authenticator.verify(await presented));

function build(keysetFor: KeysetFor, more: Partial<AuthenticatorOptions> = {}): Authenticator {
  return startAuthenticator({
    keySets: [],
    keysetFor,
    audience: null,
    clock,
    ...more,
  } as AuthenticatorOptions);
}

describe('an issuer that no keyset names', () => {
  it.each<[title: string, find: KeysetFor]>([
    ['async', async (issuer) => (issuer === ACME ? keysetOf(issuer) : undefined)],
    ['sync', (issuer) => (issuer === ACME ? keysetOf(issuer) : undefined)],
  ])('has the keyset that the application finds: %s', async (_, find) => {
    const authenticator = build(find);
    await authenticator.ready();
    expect(await outcome(authenticator, token(ACME))).toBe('accepted');
    expect(await outcome(authenticator, token(ACME, other))).toBe('token_signature_invalid');
    expect(await outcome(authenticator, token('https://beta.example/'))).toBe('token_issuer_untrusted');
    expect(authenticator.report().keysetFor).toEqual({ keysets: 1, failing: 0, lastError: undefined });
    const { checks } = await authenticator.explain(await token(ACME));
    expect(checks.find(({ about }) => about === 'the signature')).toMatchObject({
      outcome: 'passed',
      actual: `signed by keysetFor(${ACME})`,
    });
  });

  it('is asked for once while it waits, and an answer is used for a minute', async () => {
    const find = vi.fn(async (issuer: string) => (issuer === ACME ? keysetOf(issuer) : undefined));
    const authenticator = build(find);
    const good = await token(ACME);
    const all = await Promise.all([1, 2, 3].map(() => outcome(authenticator, good)));
    expect(all).toEqual(['accepted', 'accepted', 'accepted']);
    expect(find.mock.calls).toEqual([[ACME]]);
    timeMs = 44_999;
    await outcome(authenticator, good);
    expect(find).toHaveBeenCalledTimes(1);
    timeMs = 45_000;
    expect(await outcome(authenticator, good)).toBe('accepted');
    expect(find).toHaveBeenCalledTimes(2);
  });

  it.each([
    ['with a cache', {}],
    ['without one', { cache: false as const }],
  ])('T-144: that is gone is refused after a minute: %s', async (_, more) => {
    let isThere = true;
    const authenticator = build((issuer) => (isThere ? keysetOf(issuer) : undefined), more);
    const good = await token(ACME);
    for (let round = 0; round < 3; round++) expect(await outcome(authenticator, good)).toBe('accepted');
    isThere = false;
    timeMs = 44_999;
    expect(await outcome(authenticator, good)).toBe('accepted');
    timeMs = 60_000;
    expect(await outcome(authenticator, good)).toBe('token_issuer_untrusted');
    isThere = true;
    timeMs = 69_999;
    expect(await outcome(authenticator, good)).toBe('token_issuer_untrusted');
    timeMs = 70_000;
    expect(await outcome(authenticator, good)).toBe('accepted');
  });

  it('T-144: new keys and new options apply after a minute, also to cached tokens', async () => {
    let now = keysetOf(ACME);
    const authenticator = build(() => now);
    const good = await token(ACME, key, { aud: 'a' });
    for (let round = 0; round < 3; round++) expect(await outcome(authenticator, good)).toBe('accepted');
    now = keysetOf(ACME, key, { audience: 'b' });
    timeMs = 60_000;
    expect(await outcome(authenticator, good)).toBe('token_audience_mismatch');
    now = keysetOf(ACME, other);
    timeMs = 120_000;
    expect(await outcome(authenticator, good)).toBe('token_signature_invalid');
    expect(await outcome(authenticator, token(ACME, other))).toBe('accepted');
  });

  it('keeps its keys while only other options change', async () => {
    let reads = 0;
    const server = createServer((_, response) => {
      reads++;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ keys: [key.publicJwk] }));
    });
    const jwksUrl = `http://127.0.0.1:${await listen(server)}/keys`;
    let audience: string | null = null;
    const find: KeysetFor = (issuer) => ({ issuer, jwksUrl, allowHttp: true, audience });
    const authenticator = build(find);
    const good = await token(ACME);
    expect(await outcome(authenticator, good)).toBe('accepted');
    audience = 'api';
    timeMs = 60_000;
    expect(await outcome(authenticator, good)).toBe('token_audience_mismatch');
    expect(await outcome(authenticator, token(ACME, key, { aud: 'api' }))).toBe('accepted');
    expect(reads).toBe(1);
  });

  it('has options of its own: rules, typ and age', async () => {
    const more = { claims: { tenant: 'acme' }, typ: 'acme+jwt', maxTokenAge: '1h' };
    const authenticator = build((issuer) => keysetOf(issuer, key, more));
    const iat = NOW / 1000;
    const claims = { iss: ACME, sub: 'a', exp: iat + 60, iat, tenant: 'acme' };
    const typ = 'acme+jwt';
    expect(await outcome(authenticator, mint(key, claims, { typ }))).toBe('accepted');
    expect(await outcome(authenticator, mint(key, claims))).toBe('token_type_refused');
    expect(await outcome(authenticator, mint(key, { ...claims, tenant: 'b' }, { typ }))).toBe(
      'token_claims_invalid',
    );
    expect(await outcome(authenticator, mint(key, { ...claims, iat: iat - 4_000 }, { typ }))).toBe(
      'token_expired',
    );
  });
});

describe('the application is not asked about', () => {
  it.each<[title: string, iss: string | undefined]>([
    ['a token without an issuer', undefined],
    ['plain http', 'http://acme.example/'],
    ['a name', 'acme'],
    ['a URN', 'urn:acme'],
    ['an empty host', 'https://'],
    ['a user name', 'https://a@acme.example/'],
    ['a query', 'https://acme.example/?a'],
    ['a fragment', 'https://acme.example/#a'],
    ['a blank', 'https://acme.example/ '],
    ['another letter', 'https://acme.example/é'],
    ['a line feed', 'https://acme.example/\n'],
    ['a backslash', 'https://acme.example\\'],
    ['a long one', `https://acme.example/${'a'.repeat(MAX_ISSUER_LENGTH)}`],
    ['an issuer of a keyset', 'https://own.example'],
    ['a tenant of a template', 'https://id.example.com/realms/gamma'],
  ])('%s', async (_, iss) => {
    const find = vi.fn((issuer: string) => keysetOf(issuer));
    const authenticator = build(find, {
      keySets: [
        keysetOf('https://own.example', other),
        keysetOf('https://id.example.com/realms/{realm}', other, { tenants: ['acme'] }),
      ],
    });
    expect(await outcome(authenticator, token(iss))).not.toBe('accepted');
    expect(find).not.toHaveBeenCalled();
  });

  it('an issuer that the options refuse', async () => {
    const find = vi.fn((issuer: string) => keysetOf(issuer));
    const authenticator = build(find, { issuers: ['https://beta.example/'] });
    expect(await outcome(authenticator, token(ACME))).toBe('token_issuer_untrusted');
    expect(find).not.toHaveBeenCalled();
  });

  it('an issuer of 512 characters is the longest', async () => {
    const longest = `https://acme.example/${'a'.repeat(MAX_ISSUER_LENGTH - 21)}`;
    const authenticator = build((issuer) => keysetOf(issuer));
    expect(await outcome(authenticator, token(longest))).toBe('accepted');
    expect(await outcome(authenticator, token(`${longest}a`))).toBe('token_issuer_untrusted');
  });
});

describe('what cannot be decided', () => {
  it.each<[title: string, find: (issuer: string) => unknown, cause: string]>([
    [
      'throws',
      () => {
        throw new Error('no database');
      },
      'keysetFor failed: no database; tokens that need it are answered with 503',
    ],
    [
      'rejects',
      () => Promise.reject(new Error('no database')),
      'keysetFor failed: no database; tokens that need it are answered with 503',
    ],
    [
      'rejects with a refusal',
      () => Promise.reject(new AuthError('token_rejected')),
      'keysetFor failed: token_rejected The token was rejected; tokens that need it are answered with 503',
    ],
    [
      'gives null',
      () => null,
      `keysetFor(${ACME}): expected a keyset, or undefined for an issuer that has none`,
    ],
    [
      'gives another issuer',
      () => keysetOf('https://beta.example/'),
      `keysetFor(${ACME}).issuer: expected the issuer that was asked for; its tokens are answered with 503`,
    ],
    [
      'gives no issuer',
      () => ({ jwks: { keys: [key.publicJwk] } }),
      `keysetFor(${ACME}).issuer: expected the issuer that was asked for`,
    ],
    ['gives no source', (issuer) => ({ issuer }), `keysetFor(${ACME}): exactly one source is needed`],
    [
      'gives a misspelt option',
      (issuer) => keysetOf(issuer, key, { audiance: 'a' }),
      `keysetFor(${ACME}).audiance: unknown option`,
    ],
    [
      'gives a keyset of the system',
      (issuer) => keysetOf(issuer, key, { system: true }),
      `keysetFor(${ACME}).system: is for keysets of the options; move the keyset to keySets`,
    ],
    [
      'gives plain http',
      (issuer) => ({ issuer, jwksUrl: 'http://a.example' }),
      `keysetFor(${ACME}).jwksUrl: must be https`,
    ],
    [
      'gives a key that cannot be used',
      (issuer) => ({ issuer, jwks: { keys: [{ kty: 'RSA' }] } }),
      `keysetFor(${ACME}).jwks: no usable key`,
    ],
  ])('is a 503, and warned of once, if it %s', async (_, find, text) => {
    vi.restoreAllMocks();
    const authenticator = build(find as KeysetFor);
    const good = await token(ACME);
    const warnings = await warningsOf(async () => {
      for (timeMs of [0, 500, 1_000, 5_000]) {
        const failure = await authenticator.verify(good).catch((error: unknown) => error);
        expect(failure).toMatchObject({ code: 'keyset_unavailable', status: 503 });
        expect(Reflect.get(failure as object, 'headers')).toMatchObject({ 'Retry-After': '1' });
      }
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`Warning LATCHKEY_UNAVAILABLE: ${text}`);
    expect(JSON.stringify(warnings)).not.toContain(good.split('.')[2]);
  });

  it('a keyset needs an audience of its own if the options have none', async () => {
    const keySets = [keysetOf('https://own.example', key, { audience: 'own' })];
    const find: KeysetFor = (issuer) => keysetOf(issuer, key, issuer === ACME ? { audience: 'api' } : {});
    const authenticator = startAuthenticator({ keySets, keysetFor: find, clock } as AuthenticatorOptions);
    expect(await outcome(authenticator, token(ACME, key, { aud: 'api' }))).toBe('accepted');
    expect(await outcome(authenticator, token('https://beta.example/', key, { aud: 'own' }))).toBe(
      'keyset_unavailable',
    );
  });

  it('keeps a keyset for its minute while the application fails', async () => {
    let isWell = true;
    const authenticator = build(async (issuer) => {
      if (!isWell) throw new Error('no database');
      return keysetOf(issuer);
    });
    const good = await token(ACME);
    expect(await outcome(authenticator, good)).toBe('accepted');
    isWell = false;
    timeMs = 59_999;
    expect(await outcome(authenticator, good)).toBe('accepted');
    timeMs = 61_000;
    expect(await outcome(authenticator, good)).toBe('keyset_unavailable');
  });

  it('new issuers are a fixed number a minute, and push none out that is in use', async () => {
    const find = vi.fn((issuer: string) => keysetOf(issuer));
    const authenticator = build(find);
    const good = await token(ACME);
    expect(await outcome(authenticator, good)).toBe('accepted');
    const flood = async (round: number) => {
      const outcomes: string[] = [];
      for (let index = 0; index < MAX_NEW_TENANTS + 5; index++)
        outcomes.push(
          await outcome(authenticator, token(`https://made-up.example/${round}/${index}`, other)),
        );
      return outcomes.filter((one) => one === 'keyset_unavailable').length;
    };
    expect(await flood(0)).toBe(5);
    timeMs = 60_000;
    expect(await outcome(authenticator, good)).toBe('accepted');
    expect(await flood(1)).toBe(5);
    timeMs = 120_000;
    expect(await flood(2)).toBe(5);
    expect(authenticator.report().keysetFor?.keysets).toBeLessThanOrEqual(MAX_CANDIDATE_TENANTS + 1);
    const asked = find.mock.calls.filter(([issuer]) => issuer === ACME).length;
    expect(await outcome(authenticator, good)).toBe('accepted');
    expect(find.mock.calls.filter(([issuer]) => issuer === ACME).length - asked).toBeLessThanOrEqual(1);
  });
});

it('of more issuers than there is room for, the one used longest ago leaves', async () => {
  const find = vi.fn((issuer: string) => keysetOf(issuer));
  const authenticator = build(find);
  const issuers = Array.from({ length: MAX_FOUND + 1 }, (_, index) => `https://t.example/${index}`);
  for (const issuer of issuers) expect(await outcome(authenticator, token(issuer))).toBe('accepted');
  expect(authenticator.report().keysetFor?.keysets).toBe(MAX_FOUND);
  find.mockClear();
  expect(await outcome(authenticator, token('https://t.example/1'))).toBe('accepted');
  expect(find).not.toHaveBeenCalled();
  expect(await outcome(authenticator, token('https://t.example/0'))).toBe('accepted');
  expect(find).toHaveBeenCalledTimes(1);
});

describe('options', () => {
  it('must be a function, and only code gives it', () => {
    expect(() => build('https://a.example' as never)).toThrow(
      'keysetFor: expected a function; it gets an issuer, and returns a keyset or undefined',
    );
  });

  it('keySets may be empty next to it; a keyset without an issuer must say that it is for others', async () => {
    expect(() => startAuthenticator({ keySets: [], audience: null })).toThrow(
      'keySets: expected at least one keyset',
    );
    const open = { jwks: { keys: [other.publicJwk] } };
    expect(() => build(() => undefined, { keySets: [open] })).toThrow(
      'keySets[0].issuer: is required next to keysets',
    );
    const authenticator = build((issuer) => (issuer === ACME ? keysetOf(issuer) : undefined), {
      keySets: [{ ...open, unsafeOtherIssuers: true }],
    });
    expect(await outcome(authenticator, token('https://beta.example/', other))).toBe('accepted');
    expect(await outcome(authenticator, token(ACME, other))).toBe('token_signature_invalid');
  });

  it('it ends with the authenticator', async () => {
    const find = vi.fn((issuer: string) => keysetOf(issuer));
    const authenticator = build(find);
    expect(await outcome(authenticator, token(ACME))).toBe('accepted');
    await authenticator.close();
    expect(await outcome(authenticator, token(ACME))).toBe('keyset_unavailable');
    expect(find).toHaveBeenCalledTimes(1);
  });
});
