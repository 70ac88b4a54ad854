// Object capabilities from both sides: one token per object, valid only together with the token of
// the caller that it was minted for. Other tests cover signing and verification in general.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { inspect } from 'node:util';
import { createClock, forge, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import type { Principal } from '../../src/decision/principal.ts';
import { ConfigError } from '../../src/errors.ts';
import { generateJwk, publicJwk } from '../../src/jwk/generate.ts';
import { createDirectoryStore } from '../../src/secrets/directory.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import {
  type Capability,
  type CapabilityIssuer,
  type CapabilityIssuerOptions,
  type CapabilityVerifier,
  type CapabilityVerifierOptions,
  createCapabilityIssuer,
  createCapabilityVerifier,
} from '../../src/signing/capability.ts';
import type { ClaimsToSign } from '../../src/signing/claims.ts';
import type { SignerOptions } from '../../src/signing/options.ts';
import { createSigner, type Signer } from '../../src/signing/signer.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { closing, temporaryFolder } from '../support/closing.ts';
import { defined } from '../support/defined.ts';
import { outcome } from '../support/outcome.ts';
import { configErrorOf, rejectionOf } from '../support/refusals.ts';
import { listen } from '../support/servers.ts';

const HOME = 'https://login.example.com';
const ELSEWHERE = 'https://login.example.org';
const AUDIENCE = 'https://api.example.com';
const FRIENDSHIP: Capability = {
  typ: 'friend+jwt',
  issuer: 'urn:example:friends',
  audience: 'urn:example:messages',
  relation: { friendOf: 'sub' },
};

/** The key of every login here, and the mint's own. */
let loginKey: SigningKey;
let jwk: JsonObject;
let alice: Principal;
let bob: Principal;

beforeAll(async () => {
  loginKey = await generateSigningKey();
  jwk = await generateJwk('ES256', 'mint');
  alice = await caller({ sub: 'alice' });
  bob = await caller({ sub: 'bob' });
});

/** A principal, made from a token that an authenticator verified. */
async function caller(claims: Readonly<Record<string, unknown>>, iss: string | undefined = HOME) {
  const jwks = { keys: [loginKey.publicJwk] };
  const authenticator = createAuthenticator({
    keySets: [
      { issuer: HOME, jwks },
      { issuer: ELSEWHERE, jwks },
      { jwks, unsafeOtherIssuers: true },
    ],
    audience: AUDIENCE,
    realm: 'api',
  });
  const all = { iss, aud: AUDIENCE, exp: seconds() + 300, ...(claims as JsonObject) };
  return authenticator.verify(await mint(loginKey, all));
}

/** A caller whose token has no issuer. */
function callerWithoutIssuer(claims: Readonly<Record<string, unknown>>): Promise<Principal> {
  return caller({ iss: undefined, ...claims });
}

function seconds(ms = Date.now()): number {
  return Math.floor(ms / 1000);
}

function minting(
  capability: Capability = FRIENDSHIP,
  options: Partial<CapabilityIssuerOptions> = {},
): CapabilityIssuer {
  return createCapabilityIssuer(capability, { jwks: { keys: [jwk] }, ...options } as CapabilityIssuerOptions);
}

function requiring(
  capability: Capability = FRIENDSHIP,
  options: Partial<CapabilityVerifierOptions> = {},
): CapabilityVerifier {
  return closing(createCapabilityVerifier(capability, { keySet: { jwks: publicKeys() }, ...options }));
}

function publicKeys(): { keys: JsonObject[] } {
  return { keys: [publicJwk(jwk) ?? {}] };
}

function related(relation: Readonly<Record<string, string>>): Capability {
  return { ...FRIENDSHIP, relation };
}

/** The path of the ConfigError. */
const complaint = (make: () => unknown) => configErrorOf(make)?.path;

function payload(token: string): JsonObject {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

function header(token: string): JsonObject {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
}

/** A signer with the mint's key, for claims that the mint would not sign. */
function signerOf(options: Partial<SignerOptions> = {}): Signer {
  const { issuer, audience, typ } = FRIENDSHIP;
  const own = { jwks: { keys: [jwk] }, issuer, audience, typ, expiresIn: '5m' } as const;
  return createSigner(defined({ ...own, ...options }) as SignerOptions);
}

/** The claims of a capability of Alice. */
const OF_ALICE = { sub: 'carol', friendOf: 'alice', friendOf_iss: HOME };

/** A store with a secret for keys, in a new folder. */
const directory = async () => createDirectoryStore(await temporaryFolder());

describe('AK-3: one token per object, for one caller', () => {
  it('AK-3: the caller that it was minted for may use it, and learns what it is for', async () => {
    const token = await minting().issue(alice, { sub: 'carol', since: 2019 });
    const verified = await requiring().verify(token, alice);
    expect(verified.subject).toBe('carol');
    expect(verified.claims).toMatchObject({ since: 2019, friendOf: 'alice', friendOf_iss: HOME });
  });

  it('AK-3: another caller is a 403 in the realm of that caller', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    const challenge = expect.stringMatching(/^Bearer realm="api"$/);
    expect(await rejectionOf(requiring().verify(token, bob))).toMatchObject({
      code: 'claims_insufficient',
      status: 403,
      headers: { 'WWW-Authenticate': challenge },
    });
  });

  it('AK-3: the subject of a capability may not use it', async () => {
    const token = await minting().issue(alice, { sub: 'bob' });
    expect(await outcome(requiring().verify(token, bob))).toBe('claims_insufficient');
  });

  it('AK-3: each token has its own jti', async () => {
    const { issue } = minting();
    const tokens = await Promise.all([1, 2, 3].map(() => issue(alice, { sub: 'carol' })));
    expect(new Set(tokens.map((token) => payload(token).jti)).size).toBe(3);
  });

  it('says its type, issuer and audience', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    expect(header(token)).toMatchObject({ alg: 'ES256', kid: 'mint', typ: 'friend+jwt' });
    expect(payload(token)).toMatchObject({ iss: FRIENDSHIP.issuer, aud: FRIENDSHIP.audience });
  });

  it.each([
    [undefined, 600],
    ['30s', 30],
  ])('with expiresIn %s, lives for %d seconds', async (expiresIn, lifetime) => {
    const { issue } = minting(FRIENDSHIP, expiresIn === undefined ? {} : { expiresIn });
    const { iat, exp } = payload(await issue(alice, { sub: 'carol' }));
    expect(Number(exp) - Number(iat)).toBe(lifetime);
  });

  it('lives shorter where the claims say so, and not longer', async () => {
    const { issue } = minting();
    const exp = seconds() + 60;
    expect(payload(await issue(alice, { sub: 'carol', exp }))).toMatchObject({ exp });
    await expect(issue(alice, { sub: 'carol', exp: seconds() + 660 })).rejects.toThrow(TypeError);
  });

  it('does not change with its declaration after creation', async () => {
    const relation = { friendOf: 'sub' };
    const check = requiring({ ...FRIENDSHIP, relation });
    const token = await minting().issue(alice, { sub: 'carol' });
    Reflect.deleteProperty(relation, 'friendOf');
    expect(await outcome(check.verify(token, bob))).toBe('claims_insufficient');
  });

  it('both sides may read the keys from one secret', async () => {
    const secrets = createMemoryStore({ own: { 'jwks.json': JSON.stringify({ keys: [jwk] }) } });
    const secret = { name: 'own' };
    const { issue, signer } = createCapabilityIssuer(FRIENDSHIP, { secret, secrets });
    closing(signer);
    const { verify } = requiring(FRIENDSHIP, { keySet: { secret }, secrets });
    const token = await issue(alice, { sub: 'carol' });
    expect(await outcome(verify(token, alice))).toBe('accepted');
    expect(await outcome(verify(token, bob))).toBe('claims_insufficient');
  });
});

describe('RFC 8725 §3.11: a type of its own', () => {
  it.each([undefined, null, 'JWT', 'at+jwt', 'enemy+jwt', 'friend+jwt+jwt'])(
    'a token of typ %s of the same issuer, key and audience is not a capability',
    async (typ) => {
      const token = await signerOf({ typ } as object).sign(OF_ALICE);
      expect(await outcome(requiring().verify(token, alice))).toBe('token_type_refused');
    },
  );

  it('a capability is not an access token of the same issuer, key and audience', async () => {
    const authenticator = createAuthenticator({
      keySets: [{ issuer: FRIENDSHIP.issuer, jwks: publicKeys() }],
      audience: FRIENDSHIP.audience,
    });
    const access = await signerOf({ typ: 'JWT' }).sign({ sub: 'alice' });
    expect(await outcome(authenticator.verify(access))).toBe('accepted');
    const token = await minting().issue(alice, { sub: 'carol' });
    expect(await outcome(authenticator.verify(token))).toBe('token_type_refused');
  });

  it.each(['JWT', 'at+jwt', 'application/at+jwt'])(
    '%s, which access tokens have, is not a type for capabilities',
    (typ) => {
      expect(complaint(() => minting({ ...FRIENDSHIP, typ }))).toBe('capability.typ');
    },
  );
});

describe('issuer and audience', () => {
  it.each([
    ['type', { typ: 'photo+jwt' }, 'token_type_refused'],
    ['issuer', { issuer: 'urn:example:foes' }, 'token_issuer_untrusted'],
    ['audience', { audience: 'urn:example:photos' }, 'token_audience_mismatch'],
  ])('a capability of another %s is refused, though its key is the same', async (_, other, code) => {
    const token = await minting({ ...FRIENDSHIP, ...other }).issue(alice, { sub: 'carol' });
    expect(await outcome(requiring().verify(token, alice))).toBe(code);
  });

  it('the minter cannot make claims of another issuer', async () => {
    await expect(minting().issue(alice, { iss: 'urn:example:foes' })).rejects.toThrow(/^iss: /);
  });

  it('a capability for a caller of one issuer is refused for the same sub of another issuer', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    const namesake = await caller({ sub: 'alice' }, ELSEWHERE);
    expect(namesake.subject).toBe(alice.subject);
    expect(await outcome(requiring().verify(token, namesake))).toBe('claims_insufficient');
  });

  it('the issuer of the caller is recorded for sub, and for no other claim', async () => {
    const { issue } = minting(related({ friendOf: 'sub', tenant: 'tid' }));
    const claims = payload(await issue(await caller({ sub: 'alice', tid: 't1' }), { sub: 'carol' }));
    expect(claims).toMatchObject({ friendOf: 'alice', friendOf_iss: HOME, tenant: 't1' });
    expect(claims).not.toHaveProperty('tenant_iss');
  });
});

describe('callers without an issuer', () => {
  it('may use what was minted for them', async () => {
    const anonymous = await callerWithoutIssuer({ sub: 'alice' });
    const token = await minting().issue(anonymous, { sub: 'carol' });
    expect(payload(token)).not.toHaveProperty('friendOf_iss');
    expect(await outcome(requiring().verify(token, anonymous))).toBe('accepted');
  });

  it('are other callers than the same sub with an issuer, in both directions', async () => {
    const anonymous = await callerWithoutIssuer({ sub: 'alice' });
    const { issue } = minting();
    const { verify } = requiring();
    const [forAnonymous, forAlice] = [await issue(anonymous, {}), await issue(alice, {})];
    expect(await outcome(verify(forAnonymous, alice))).toBe('claims_insufficient');
    expect(await outcome(verify(forAlice, anonymous))).toBe('claims_insufficient');
  });

  it('do not get an issuer from the minter', async () => {
    const anonymous = await callerWithoutIssuer({ sub: 'alice' });
    await expect(minting().issue(anonymous, { sub: 'carol', friendOf_iss: HOME })).rejects.toThrow(TypeError);
  });
});

describe('the relation', () => {
  it.each([
    ['a claim that is missing', {}],
    ['null', { sub: 'alice', tid: null }],
    ['an empty string', { sub: 'alice', tid: '' }],
    ['a list', { sub: 'alice', tid: ['t1'] }],
    ['an empty list', { sub: 'alice', tid: [] }],
    ['an object', { sub: 'alice', tid: { id: 't1' } }],
    ['true', { sub: 'alice', tid: true }],
  ])('nothing is minted for, nor accepted from, a caller with %s', async (_name, claims) => {
    const capability = related({ tenant: 'tid' });
    const principal = await caller(claims);
    const error = await rejectionOf(minting(capability).issue(principal, { sub: 'carol' }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toBe('issue: the caller does not have the claims of the relation');
    const token = await minting(capability).issue(await caller({ tid: 't1' }), { sub: 'carol' });
    expect(await outcome(requiring(capability).verify(token, principal))).toBe('claims_insufficient');
  });

  it('a caller without sub has no relation over sub', async () => {
    const principal = await caller({});
    await expect(minting().issue(principal, { sub: 'carol' })).rejects.toThrow(TypeError);
    const token = await minting().issue(alice, { sub: 'carol' });
    expect(await outcome(requiring().verify(token, principal))).toBe('claims_insufficient');
  });

  it('a member that every object inherits is not a claim of a caller', async () => {
    for (const of of ['toString', 'constructor', '__proto__', 'hasOwnProperty'])
      await expect(minting(related({ friendOf: of })).issue(alice, {})).rejects.toThrow(/^issue: /);
  });

  it('over several claims, each has to hold', async () => {
    const capability = related({ friendOf: 'sub', tenant: 'tid', shift: 'shift' });
    const token = await minting(capability).issue(await caller({ sub: 'alice', tid: 't1', shift: 2 }), {});
    const { verify } = requiring(capability);
    const outcomes = await Promise.all(
      [
        { sub: 'alice', tid: 't1', shift: 2 },
        { sub: 'bob', tid: 't1', shift: 2 },
        { sub: 'alice', tid: 't2', shift: 2 },
        { sub: 'alice', tid: 't1', shift: 3 },
        { sub: 'alice', tid: 't1' },
      ].map(async (claims) => outcome(verify(token, await caller(claims)))),
    );
    expect(outcomes).toEqual(['accepted', ...Array(4).fill('claims_insufficient')]);
  });

  it.each([
    [7, 7, 'accepted'],
    [7, '7', 'claims_insufficient'],
    [7, 8, 'claims_insufficient'],
    [0, 0, 'accepted'],
  ])('a number is compared as a number: %j minted, %j asked', async (minted, asked, expected) => {
    const capability = related({ account: 'uid' });
    const token = await minting(capability).issue(await caller({ uid: minted }), {});
    expect(payload(token).account).toBe(minted);
    expect(await outcome(requiring(capability).verify(token, await caller({ uid: asked })))).toBe(expected);
  });

  it('a list where the relation has one value is refused, though the value is in it', async () => {
    const token = await signerOf().sign({ friendOf: ['alice', 'bob'], friendOf_iss: HOME });
    expect(await outcome(requiring().verify(token, alice))).toBe('claims_insufficient');
  });

  it('a capability without the relation is refused', async () => {
    const { sign } = signerOf();
    const { verify } = requiring();
    for (const claims of [{ sub: 'alice' }, { friendOf: 'alice' }, { friendOf_iss: HOME }])
      expect(await outcome(verify(await sign(claims), alice))).toBe('claims_insufficient');
  });

  it('claims compare by their exact text: no case folding, trimming or normal form', async () => {
    const token = await minting().issue(await caller({ sub: 'zo\u00eb' }), {});
    const { verify } = requiring();
    for (const sub of ['Zo\u00eb', 'zo\u00eb ', 'zoe\u0308'])
      expect(await outcome(verify(token, await caller({ sub })))).toBe('claims_insufficient');
  });

  it.each(['friendOf', 'friendOf_iss'])('the minter does not set %s', async (claim) => {
    for (const value of ['mallory', 'alice', undefined])
      await expect(minting().issue(alice, { sub: 'carol', [claim]: value })).rejects.toThrow(
        `issue: ${claim} is set by the relation`,
      );
  });

  it.each(['tid', 'sub'])('a relation of a claim called __proto__ to %s is refused', (of) => {
    const capability = related(JSON.parse(`{"__proto__":"${of}"}`));
    expect(complaint(() => minting(capability))).toBe('capability.relation.__proto__');
    expect(complaint(() => requiring(capability))).toBe('capability.relation.__proto__');
  });

  it('over constructor, which is an ordinary claim, it holds for its caller alone', async () => {
    const capability = related({ constructor: 'sub' });
    const token = await minting(capability).issue(alice, { sub: 'carol' });
    const { verify } = requiring(capability);
    expect(await outcome(verify(token, alice))).toBe('accepted');
    expect(await outcome(verify(token, bob))).toBe('claims_insufficient');
  });
});

describe('what is not a capability', () => {
  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['true', true],
    ['an object', { token: 'a.b.c' }],
    ['an object that says that it is one', { toString: () => 'a.b.c' }],
    ['a list', ['a.b.c']],
    ['an empty list', []],
    ['a symbol', Symbol('a.b.c')],
    ['a bigint', 5n],
    ['a function', () => 'a.b.c'],
    ['an empty string', ''],
    ['text', 'carol'],
    ['two dots', '..'],
    ['the longest text that is not read', 'x'.repeat(8193)],
  ])('%s is refused as a token that is malformed', async (_name, token) => {
    expect(await outcome(requiring().verify(token, alice))).toBe('token_malformed');
  });

  it('a good token in a list or an object is not a string', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    for (const wrapped of [[token], { token }, new String(token), Buffer.from(token)])
      expect(await outcome(requiring().verify(wrapped, alice))).toBe('token_malformed');
  });

  it('a payload that was changed is refused', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    const [head, , signature] = token.split('.');
    const changed = Buffer.from(JSON.stringify({ ...payload(token), friendOf: 'bob' })).toString('base64url');
    expect(await outcome(requiring().verify(`${head}.${changed}.${signature}`, bob))).toBe(
      'token_signature_invalid',
    );
  });

  it.each([
    ['the same kid', 'mint', 'token_signature_invalid'],
    ['another kid', 'stranger', 'token_key_unknown'],
  ])('one by another key of %s is refused', async (_, kid, code) => {
    const stranger = await generateJwk('ES256', kid);
    const forged = await minting(FRIENDSHIP, { jwks: { keys: [stranger] } } as object).issue(alice, {});
    expect(await outcome(requiring().verify(forged, alice))).toBe(code);
  });

  it('one without a signature is refused', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    const unsigned = forge({ header: { alg: 'none', typ: 'friend+jwt' }, payload: payload(token) });
    expect(await outcome(requiring().verify(unsigned, alice))).not.toBe('accepted');
  });

  it('one that has expired is refused, and one that has not is not', async () => {
    const clock = createClock();
    const token = await minting(FRIENDSHIP, { clock }).issue(alice, { sub: 'carol' });
    const { verify } = requiring(FRIENDSHIP, { clock, clockSkew: '0s' });
    clock.advance(599_000);
    expect(await outcome(verify(token, alice))).toBe('accepted');
    clock.advance(1_000);
    expect(await outcome(verify(token, alice))).toBe('token_expired');
  });

  it('clockSkew is added to that', async () => {
    const clock = createClock();
    const token = await minting(FRIENDSHIP, { clock }).issue(alice, { sub: 'carol' });
    clock.advance(620_000);
    const lenient = requiring(FRIENDSHIP, { clock, clockSkew: '30s' });
    expect(await outcome(lenient.verify(token, alice))).toBe('accepted');
    expect(await outcome(requiring(FRIENDSHIP, { clock }).verify(token, alice))).toBe('token_expired');
  });

  it('one without exp is refused', async () => {
    const token = await signerOf({ expiresIn: undefined, requireExp: false } as object).sign(OF_ALICE);
    expect(await outcome(requiring().verify(token, alice))).toBe('token_claims_invalid');
  });
});

describe('what is not a caller', () => {
  it('without a principal, credentials are missing, whatever the token', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    const { verify } = requiring();
    expect(await outcome(verify(token, undefined))).toBe('credentials_missing');
    expect(await outcome(verify(undefined, undefined))).toBe('credentials_missing');
  });

  it('an imitation of a principal is a TypeError, not a refusal', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    const { verify } = requiring();
    const { issue } = minting();
    for (const imitation of [
      {},
      null,
      'alice',
      { ...alice },
      structuredClone(alice),
      JSON.parse(JSON.stringify(alice)),
      { issuer: HOME, subject: 'alice', scopes: [], groups: [], claims: { iss: HOME, sub: 'alice' } },
      alice.claims,
    ] as Principal[]) {
      expect(await rejectionOf(verify(token, imitation))).toBeInstanceOf(TypeError);
      expect(await rejectionOf(issue(imitation, { sub: 'carol' }))).toBeInstanceOf(TypeError);
    }
    await expect(issue(undefined as never, {})).rejects.toThrow(TypeError);
  });

  it('so is an object that inherits from a principal', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    const imitation: Principal = Object.create(bob, {
      claims: { value: alice.claims },
      issuer: { value: HOME },
    });
    expect(await rejectionOf(requiring().verify(token, imitation))).toBeInstanceOf(TypeError);
  });
});

describe('claims of the minter', () => {
  it.each([
    ['a date', new Date()],
    ['a bigint', 5n],
    ['a function', () => 1],
    ['NaN', Number.NaN],
    ['a lone surrogate', '\ud800'],
  ])('%s is not signed', async (_name, since) => {
    await expect(minting().issue(alice, { sub: 'carol', since })).rejects.toThrow(/^since: /);
  });

  it('no claims are allowed: a capability may name only the caller', async () => {
    const verified = await requiring().verify(await minting().issue(alice, {}), alice);
    expect(verified.subject).toBeUndefined();
  });

  it.each([
    ['a list', ['carol']],
    ['text', 'carol'],
    ['a Map', new Map([['sub', 'carol']])],
    ['a number', 5],
  ])('%s of claims is refused, as by sign()', async (_name, claims) => {
    await expect(minting().issue(alice, claims as unknown as ClaimsToSign)).rejects.toThrow(TypeError);
  });
});

describe('options', () => {
  const capabilities: readonly (readonly [string, unknown, string])[] = [
    ['no object', null, 'capability'],
    ['a list', [], 'capability'],
    ['no typ', { ...FRIENDSHIP, typ: undefined }, 'capability.typ'],
    ['an empty typ', { ...FRIENDSHIP, typ: '' }, 'capability.typ'],
    ['no issuer', { ...FRIENDSHIP, issuer: undefined }, 'capability.issuer'],
    ['no audience', { ...FRIENDSHIP, audience: undefined }, 'capability.audience'],
    ['null for the audience', { ...FRIENDSHIP, audience: null }, 'capability.audience'],
    ['several audiences', { ...FRIENDSHIP, audience: ['a', 'b'] }, 'capability.audience'],
    ['no relation', { ...FRIENDSHIP, relation: undefined }, 'capability.relation'],
    ['an empty relation', related({}), 'capability.relation'],
    ['a list for the relation', { ...FRIENDSHIP, relation: ['friendOf', 'sub'] }, 'capability.relation'],
    ['text for the relation', { ...FRIENDSHIP, relation: 'friendOf' }, 'capability.relation'],
    ['a relation to no claim', related({ friendOf: '' }), 'capability.relation.friendOf'],
    ['a relation to a rule', related({ friendOf: ['sub'] as never }), 'capability.relation.friendOf'],
    ...['iss', 'aud', 'exp', 'nbf', 'iat', 'jti'].map(
      (claim) =>
        [`a relation over ${claim}`, related({ [claim]: 'sub' }), `capability.relation.${claim}`] as const,
    ),
    ['a misspelt name', { ...FRIENDSHIP, relations: {} }, 'capability.relations'],
    ['another case', { ...FRIENDSHIP, Audience: 'a' }, 'capability.Audience'],
  ];

  it.each(capabilities)('%s is refused by both sides', (_name, capability, path) => {
    expect(complaint(() => minting(capability as Capability))).toBe(path);
    expect(complaint(() => requiring(capability as Capability))).toBe(path);
  });

  it('the claim that the relation keeps the issuer in is not free for another claim', () => {
    expect(complaint(() => minting(related({ friendOf: 'sub', friendOf_iss: 'tid' })))).toBe(
      'capability.relation.friendOf_iss',
    );
  });

  it.each([
    ['expiresin', { expiresin: '5m' }, 'expiresin'],
    ['a store in addition to keys', { secrets: createMemoryStore() }, 'secrets'],
    ['a duration without a unit', { expiresIn: 5 }, 'expiresIn'],
    ['a legacy algorithm', { alg: 'HS224' }, 'alg'],
  ])('the mint: %s', (_name, options, path) => {
    expect(complaint(() => minting(FRIENDSHIP, options as object))).toBe(path);
  });

  it('the mint: no source of keys, and no options at all', () => {
    expect(complaint(() => createCapabilityIssuer(FRIENDSHIP, {} as CapabilityIssuerOptions))).toBe('signer');
    expect(complaint(() => createCapabilityIssuer(FRIENDSHIP, undefined as never))).toBe('options');
  });

  it.each([
    ['a misspelt name', { clockskew: '5s' }, 'clockskew'],
    ['keySets', { keySets: [] }, 'keySets'],
    ['an audience of its own', { audience: 'urn:example:photos' }, 'audience'],
    ['too much skew', { clockSkew: '5m' }, 'clockSkew'],
  ])('the check: %s', (_name, options, path) => {
    expect(complaint(() => requiring(FRIENDSHIP, options as object))).toBe(path);
  });

  it('the check: no options at all', () => {
    expect(complaint(() => createCapabilityVerifier(FRIENDSHIP, undefined as never))).toBe('options');
  });

  it('the check: a source of keys that cannot be', () => {
    const url = 'http://example.com/jwks.json';
    for (const keySet of [undefined, {}, { jwksUrl: url }, { jwksUri: 'https://a' }])
      expect(() => requiring(FRIENDSHIP, { keySet: keySet as never })).toThrow(ConfigError);
  });

  it('the check: the path is that of the input', () => {
    const keySet = { jwksUri: 'https://a' } as never;
    expect(complaint(() => requiring(FRIENDSHIP, { keySet }))).toBe('keySet.jwksUri');
  });

  it('an option cannot contradict the capability', () => {
    const keySet = { issuer: ELSEWHERE, jwks: publicKeys() } as never;
    expect(complaint(() => requiring(FRIENDSHIP, { keySet }))).toBe('keySet.issuer');
    expect(complaint(() => minting(FRIENDSHIP, { issuer: ELSEWHERE } as object))).toBe('issuer');
  });
});

describe('messages', () => {
  it('contain nothing of tokens, claims or keys', async () => {
    const secret = 'hunter2-hunter2';
    const principal = await caller({ sub: secret });
    const withoutSubject = await caller({ tid: secret });
    const { issue } = minting();
    const { verify } = requiring();
    const token = await issue(principal, { sub: `${secret}-friend` });
    const [head = '', body = '', signature = ''] = token.split('.');
    const errors = await Promise.all(
      [
        verify(token, alice),
        verify(`${head}.${body}.${signature.slice(0, -4)}AAAA`, principal),
        verify(`${token}.${signature}`, principal),
        verify({ token }, principal),
        verify(token, { ...principal }),
        requiring({ ...FRIENDSHIP, typ: 'photo+jwt' }).verify(token, principal),
        requiring({ ...FRIENDSHIP, issuer: 'urn:a' }).verify(token, principal),
        requiring({ ...FRIENDSHIP, audience: 'urn:a' }).verify(token, principal),
        requiring(FRIENDSHIP, { clock: { now: () => Date.now() + 3_600_000 } }).verify(token, principal),
        issue(principal, { friendOf: secret }),
        issue(principal, { sub: secret, exp: 5 }),
        issue(principal, { sub: secret, iss: secret }),
        issue(withoutSubject, { sub: secret }),
      ].map(rejectionOf),
    );
    for (const error of errors) {
      const told = `${inspect(error, { depth: 9, showHidden: true })} ${JSON.stringify(error)}`;
      for (const part of [secret, body, signature, String(jwk.d)]) expect(told).not.toContain(part);
      expect(error.message).not.toMatch(/alice|bob|urn:/);
    }
  });
});

describe('several services', () => {
  /** Serves the public halves of a signer's keys, and counts requests. */
  async function publishing(
    signer: Signer,
  ): Promise<{ readonly jwksUrl: string; readonly asked: () => number }> {
    let asked = 0;
    const server = createServer((_request, response) => {
      asked++;
      signer.publish().then(
        ({ headers, body }) => response.writeHead(200, headers).end(body),
        () => response.writeHead(503).end(),
      );
    });
    return { jwksUrl: `http://127.0.0.1:${await listen(server)}/jwks.json`, asked: () => asked };
  }

  const secret = { name: 'friends' };

  it.each([
    ['a directory', directory],
    ['memory', async () => createMemoryStore()],
  ])(
    'AK-3: one mints from keys in %s, another requires by the URL of the public halves',
    async (_, store) => {
      const options = { secret, secrets: await store(), alg: 'ES256' } as const;
      const { issue, signer } = createCapabilityIssuer(FRIENDSHIP, options);
      closing(signer);
      const { kid } = await signer.rotate();
      const { jwksUrl, asked } = await publishing(signer);
      const check = requiring(FRIENDSHIP, { keySet: { jwksUrl, allowHttp: true } });
      await check.ready();
      const token = await issue(alice, { sub: 'carol' });
      expect(header(token).kid).toBe(kid);
      expect((await check.verify(token, alice)).subject).toBe('carol');
      expect(await outcome(check.verify(token, bob))).toBe('claims_insufficient');
      expect(asked()).toBe(1);
    },
  );

  it('a key that was published ahead signs when its time has come, without another request', async () => {
    const clock = createClock();
    const options = { secret, secrets: await directory(), alg: 'EdDSA', clock, publishAhead: '1h' } as const;
    const { issue, signer } = createCapabilityIssuer(FRIENDSHIP, options);
    closing(signer);
    const first = await signer.rotate();
    const next = await signer.rotate();
    const { jwksUrl, asked } = await publishing(signer);
    const { verify } = requiring(FRIENDSHIP, { keySet: { jwksUrl, allowHttp: true }, clock });
    const before = await issue(alice, { sub: 'carol' });
    clock.advance(3_601_000);
    const after = await issue(alice, { sub: 'carol' });
    expect([before, after].map((token) => header(token).kid)).toEqual([first.kid, next.kid]);
    expect(await outcome(verify(after, alice))).toBe('accepted');
    expect(await outcome(verify(after, bob))).toBe('claims_insufficient');
    // The key of the first token is still good.
    expect(await outcome(verify(before, alice))).toBe('token_expired');
    expect(asked()).toBe(1);
  });

  it.each([
    ['', false],
    [', also after a request before the secret was there', true],
  ])('a mint publishes the key that another one over the same directory has made%s', async (_, isEarly) => {
    const secrets = await directory();
    const clock = createClock();
    const options = { secret, secrets, alg: 'ES256', clock, publishAhead: '1h' } as const;
    const mint = () => closing(createCapabilityIssuer(FRIENDSHIP, options).signer);
    const [one, other] = [mint(), mint()];
    if (isEarly) await expect(other.ready()).rejects.toThrow('no usable keys');
    await one.rotate();
    // A rotation reads the keys.
    await other.rotate();
    clock.advance(3_601_000);
    const { kid } = await one.rotate();
    await vi.waitFor(async () =>
      expect((await other.publish()).jwks.keys.map((key) => key.kid)).toContain(kid),
    );
  });

  it('while the minting side is down, a capability is a 503', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    const keySet = { jwksUrl: 'http://127.0.0.1:1/jwks.json', allowHttp: true };
    const { verify } = requiring(FRIENDSHIP, { keySet });
    expect(await outcome(verify(token, alice))).toBe('keyset_unavailable');
  });

  it('the requiring side has nothing to mint with', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const own = { ...privateKey.export({ format: 'jwk' }), kid: 'mint' } as JsonObject;
    const { signer } = createCapabilityIssuer(FRIENDSHIP, { jwks: { keys: [own] } });
    const { keys } = (await signer.publish()).jwks;
    expect(complaint(() => createCapabilityIssuer(FRIENDSHIP, { jwks: { keys } }))).toBe('jwks');
  });
});
