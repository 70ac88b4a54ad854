// Object capabilities from both sides: one token per object, good only beside the token of the
// caller that it was minted for. How tokens are signed and verified in general is tested elsewhere.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { createClock, forge, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
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
import { createSigner, type Signer } from '../../src/signing/signer.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { outcome } from '../support/outcome.ts';

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

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

/** A principal, made as principals are: of a token that an authenticator verified. */
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
  return authenticator.verify(
    await mint(loginKey, { iss, aud: AUDIENCE, exp: seconds() + 300, ...(claims as JsonObject) }),
  );
}

/** A caller whose token says nothing of who gave it out. */
function callerOfNobody(claims: Readonly<Record<string, unknown>>): Promise<Principal> {
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
  const check = createCapabilityVerifier(capability, { keySet: { jwks: publicKeys() }, ...options });
  closing.push(check.close);
  return check;
}

function publicKeys(): { keys: JsonObject[] } {
  return { keys: [publicJwk(jwk) ?? {}] };
}

function related(relation: Readonly<Record<string, string>>): Capability {
  return { ...FRIENDSHIP, relation };
}

async function failure(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('was not refused');
}

/** The path that is complained of. */
function complaint(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    if (error instanceof ConfigError) return error.path;
    throw error;
  }
  throw new Error('was not refused');
}

function payload(token: string): JsonObject {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

function header(token: string): JsonObject {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
}

/** Signs by the mint's own key what the mint would not say. */
function signerOf(options: { readonly issuer: string; readonly typ?: string }): Signer {
  return createSigner({
    jwks: { keys: [jwk] },
    audience: FRIENDSHIP.audience,
    expiresIn: '5m',
    ...options,
  });
}

describe('AK-3: one token per object, for one caller', () => {
  it('AK-3: the caller that it was minted for may use it, and learns what it is for', async () => {
    const token = await minting().issue(alice, { sub: 'carol', since: 2019 });
    const verified = await requiring().verify(token, alice);
    expect(verified.subject).toBe('carol');
    expect(verified.claims).toMatchObject({ since: 2019, friendOf: 'alice', friendOf_iss: HOME });
  });

  it('AK-3: another caller is a 403 in the realm of that caller', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    const error = await failure(requiring().verify(token, bob));
    expect(error).toMatchObject({ code: 'claims_insufficient', status: 403 });
    expect(error).toMatchObject({
      headers: { 'WWW-Authenticate': expect.stringMatching(/realm="api".*error="insufficient_scope"/) },
    });
  });

  it('AK-3: the subject of a capability is nobody that may use it', async () => {
    const token = await minting().issue(alice, { sub: 'bob' });
    expect(await outcome(requiring().verify(token, bob))).toBe('claims_insufficient');
  });

  it('AK-3: every token is another one', async () => {
    const { issue } = minting();
    const tokens = await Promise.all([1, 2, 3].map(() => issue(alice, { sub: 'carol' })));
    expect(new Set(tokens.map((token) => payload(token).jti)).size).toBe(3);
  });

  it('says its type, issuer and audience', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    expect(header(token)).toMatchObject({ alg: 'ES256', kid: 'mint', typ: 'friend+jwt' });
    expect(payload(token)).toMatchObject({ iss: FRIENDSHIP.issuer, aud: FRIENDSHIP.audience });
  });

  it('lives for ten minutes where nothing is said', async () => {
    const { iat, exp } = payload(await minting().issue(alice, { sub: 'carol' }));
    expect(Number(exp) - Number(iat)).toBe(600);
  });

  it('lives as long as is said', async () => {
    const token = await minting(FRIENDSHIP, { expiresIn: '30s' }).issue(alice, { sub: 'carol' });
    expect(Number(payload(token).exp) - Number(payload(token).iat)).toBe(30);
  });

  it('lives shorter where the claims say so, and never longer', async () => {
    const { issue } = minting();
    const exp = seconds() + 60;
    expect(payload(await issue(alice, { sub: 'carol', exp }))).toMatchObject({ exp });
    await expect(issue(alice, { sub: 'carol', exp: seconds() + 660 })).rejects.toThrow(TypeError);
  });

  it('is no more than it was declared to be when it was made', async () => {
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
    closing.push(signer.close);
    const { verify } = requiring(FRIENDSHIP, { keySet: { secret }, secrets });
    const token = await issue(alice, { sub: 'carol' });
    expect(await outcome(verify(token, alice))).toBe('accepted');
    expect(await outcome(verify(token, bob))).toBe('claims_insufficient');
  });
});

describe('RFC 8725 §3.11: a type of its own', () => {
  it.each([undefined, 'JWT', 'at+jwt', 'enemy+jwt', 'friend+jwt+jwt'])(
    'typ %s of the same issuer, key and audience is no capability',
    async (typ) => {
      const { sign } = signerOf({ issuer: FRIENDSHIP.issuer, ...(typ === undefined ? {} : { typ }) });
      const token = await sign({ sub: 'carol', friendOf: 'alice', friendOf_iss: HOME });
      expect(await outcome(requiring().verify(token, alice))).toBe('token_type_refused');
    },
  );

  it('a token without typ is no capability', async () => {
    const { sign } = createSigner({
      jwks: { keys: [jwk] },
      issuer: FRIENDSHIP.issuer,
      audience: FRIENDSHIP.audience,
      expiresIn: '5m',
      typ: null,
    });
    const token = await sign({ sub: 'carol', friendOf: 'alice', friendOf_iss: HOME });
    expect(await outcome(requiring().verify(token, alice))).toBe('token_type_refused');
  });

  it('a capability is no access token of the same issuer, key and audience', async () => {
    const authenticator = createAuthenticator({
      keySets: [{ issuer: FRIENDSHIP.issuer, jwks: publicKeys() }],
      audience: FRIENDSHIP.audience,
    });
    const access = await signerOf({ issuer: FRIENDSHIP.issuer }).sign({ sub: 'alice' });
    expect(await outcome(authenticator.verify(access))).toBe('accepted');
    const token = await minting().issue(alice, { sub: 'carol' });
    expect(await outcome(authenticator.verify(token))).toBe('token_type_refused');
  });

  it('one kind of capability is no other, be everything else the same', async () => {
    const token = await minting({ ...FRIENDSHIP, typ: 'photo+jwt' }).issue(alice, { sub: 'carol' });
    expect(await outcome(requiring().verify(token, alice))).toBe('token_type_refused');
  });

  it.each(['JWT', 'at+jwt', 'application/at+jwt'])('%s, which access tokens have, is none', (typ) => {
    expect(complaint(() => minting({ ...FRIENDSHIP, typ }))).toBe('capability.typ');
  });
});

describe('issuer and audience', () => {
  it('a capability of another issuer is refused, be the key the same', async () => {
    const token = await minting({ ...FRIENDSHIP, issuer: 'urn:example:foes' }).issue(alice, {});
    expect(await outcome(requiring().verify(token, alice))).toBe('token_issuer_untrusted');
  });

  it('a capability for another audience is refused', async () => {
    const token = await minting({ ...FRIENDSHIP, audience: 'urn:example:photos' }).issue(alice, {});
    expect(await outcome(requiring().verify(token, alice))).toBe('token_audience_mismatch');
  });

  it('the minter cannot make claims of another issuer', async () => {
    await expect(minting().issue(alice, { iss: 'urn:example:foes' })).rejects.toThrow(/^iss: /);
  });

  it('a capability that was minted for a caller of one issuer is nothing to the same sub of another', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    const namesake = await caller({ sub: 'alice' }, ELSEWHERE);
    expect(namesake.subject).toBe(alice.subject);
    expect(await outcome(requiring().verify(token, namesake))).toBe('claims_insufficient');
  });

  it('the issuer of the caller is kept beside sub, and beside nothing else', async () => {
    const { issue } = minting(related({ friendOf: 'sub', tenant: 'tid' }));
    const claims = payload(await issue(await caller({ sub: 'alice', tid: 't1' }), { sub: 'carol' }));
    expect(claims).toMatchObject({ friendOf: 'alice', friendOf_iss: HOME, tenant: 't1' });
    expect(claims).not.toHaveProperty('tenant_iss');
  });
});

describe('callers without an issuer', () => {
  it('one may use what was minted for them', async () => {
    const nobody = await callerOfNobody({ sub: 'alice' });
    const token = await minting().issue(nobody, { sub: 'carol' });
    expect(payload(token)).not.toHaveProperty('friendOf_iss');
    expect(await outcome(requiring().verify(token, nobody))).toBe('accepted');
  });

  it('the same sub with an issuer is somebody else, in both directions', async () => {
    const nobody = await callerOfNobody({ sub: 'alice' });
    const { issue } = minting();
    const { verify } = requiring();
    const [forNobody, forAlice] = [await issue(nobody, {}), await issue(alice, {})];
    expect(await outcome(verify(forNobody, alice))).toBe('claims_insufficient');
    expect(await outcome(verify(forAlice, nobody))).toBe('claims_insufficient');
  });

  it('the minter cannot say for them whose they are', async () => {
    const nobody = await callerOfNobody({ sub: 'alice' });
    await expect(minting().issue(nobody, { sub: 'carol', friendOf_iss: HOME })).rejects.toThrow(TypeError);
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
    const error = await failure(minting(capability).issue(principal, { sub: 'carol' }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toBe('issue: the caller does not have the claims of the relation');
    const token = await minting(capability).issue(await caller({ tid: 't1' }), { sub: 'carol' });
    expect(await outcome(requiring(capability).verify(token, principal))).toBe('claims_insufficient');
  });

  it('a caller without sub stands in no relation over sub', async () => {
    const principal = await caller({});
    await expect(minting().issue(principal, { sub: 'carol' })).rejects.toThrow(TypeError);
    const token = await minting().issue(alice, { sub: 'carol' });
    expect(await outcome(requiring().verify(token, principal))).toBe('claims_insufficient');
  });

  it('what every object inherits is no claim of a caller', async () => {
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

  it('a number is a number', async () => {
    const capability = related({ account: 'uid' });
    const token = await minting(capability).issue(await caller({ uid: 7 }), {});
    expect(payload(token).account).toBe(7);
    const { verify } = requiring(capability);
    expect(await outcome(verify(token, await caller({ uid: 7 })))).toBe('accepted');
    expect(await outcome(verify(token, await caller({ uid: '7' })))).toBe('claims_insufficient');
    expect(await outcome(verify(token, await caller({ uid: 8 })))).toBe('claims_insufficient');
  });

  it('zero is a number too', async () => {
    const capability = related({ account: 'uid' });
    const token = await minting(capability).issue(await caller({ uid: 0 }), {});
    expect(await outcome(requiring(capability).verify(token, await caller({ uid: 0 })))).toBe('accepted');
  });

  it('a capability with a list where the relation has one value is refused, be the value in it', async () => {
    const { sign } = signerOf({ issuer: FRIENDSHIP.issuer, typ: FRIENDSHIP.typ });
    const token = await sign({ friendOf: ['alice', 'bob'], friendOf_iss: HOME });
    expect(await outcome(requiring().verify(token, alice))).toBe('claims_insufficient');
  });

  it('a capability without the relation is refused', async () => {
    const { sign } = signerOf({ issuer: FRIENDSHIP.issuer, typ: FRIENDSHIP.typ });
    const { verify } = requiring();
    for (const claims of [{ sub: 'alice' }, { friendOf: 'alice' }, { friendOf_iss: HOME }])
      expect(await outcome(verify(await sign(claims), alice))).toBe('claims_insufficient');
  });

  it('claims compare whole: no case, no spaces, no normal form', async () => {
    const token = await minting().issue(await caller({ sub: 'zo\u00eb' }), {});
    const { verify } = requiring();
    for (const sub of ['Zo\u00eb', 'zo\u00eb ', 'zoe\u0308'])
      expect(await outcome(verify(token, await caller({ sub })))).toBe('claims_insufficient');
  });

  it.each(['friendOf', 'friendOf_iss'])('the minter does not say %s', async (claim) => {
    for (const value of ['mallory', 'alice', undefined])
      await expect(minting().issue(alice, { sub: 'carol', [claim]: value })).rejects.toThrow(
        `issue: ${claim} is set by the relation`,
      );
  });

  it.each(['tid', 'sub'])(
    'a claim called __proto__ expected another claim; this one has a fixed meaning over %s',
    (of) => {
      const capability = related(JSON.parse(`{"__proto__":"${of}"}`));
      expect(complaint(() => minting(capability))).toBe('capability.relation.__proto__');
      expect(complaint(() => requiring(capability))).toBe('capability.relation.__proto__');
    },
  );

  it('over constructor, a claim like any other, it holds for its caller alone', async () => {
    const capability = related({ constructor: 'sub' });
    const token = await minting(capability).issue(alice, { sub: 'carol' });
    const { verify } = requiring(capability);
    expect(await outcome(verify(token, alice))).toBe('accepted');
    expect(await outcome(verify(token, bob))).toBe('claims_insufficient');
  });
});

describe('what is no capability', () => {
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

  it('a good token in a list or an object is no string', async () => {
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

  it('one by another key of the same name is refused', async () => {
    const stranger = await generateJwk('ES256', 'mint');
    const forged = await createCapabilityIssuer(FRIENDSHIP, { jwks: { keys: [stranger] } }).issue(alice, {});
    expect(await outcome(requiring().verify(forged, alice))).toBe('token_signature_invalid');
  });

  it('one by a key of another name is refused', async () => {
    const stranger = await generateJwk('ES256', 'stranger');
    const forged = await createCapabilityIssuer(FRIENDSHIP, { jwks: { keys: [stranger] } }).issue(alice, {});
    expect(await outcome(requiring().verify(forged, alice))).toBe('token_key_unknown');
  });

  it('one that nobody signed is refused', async () => {
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

  it('clockSkew is how much later than that', async () => {
    const clock = createClock();
    const token = await minting(FRIENDSHIP, { clock }).issue(alice, { sub: 'carol' });
    clock.advance(620_000);
    const lenient = requiring(FRIENDSHIP, { clock, clockSkew: '30s' });
    expect(await outcome(lenient.verify(token, alice))).toBe('accepted');
    expect(await outcome(requiring(FRIENDSHIP, { clock }).verify(token, alice))).toBe('token_expired');
  });

  it('one without exp is refused', async () => {
    const { sign } = createSigner({
      jwks: { keys: [jwk] },
      issuer: FRIENDSHIP.issuer,
      audience: FRIENDSHIP.audience,
      typ: FRIENDSHIP.typ,
      requireExp: false,
    });
    const token = await sign({ friendOf: 'alice', friendOf_iss: HOME });
    expect(await outcome(requiring().verify(token, alice))).toBe('token_claims_invalid');
  });
});

describe('who is no caller', () => {
  it('without a principal, credentials are missing, whatever the token', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    const { verify } = requiring();
    expect(await outcome(verify(token, undefined))).toBe('credentials_missing');
    expect(await outcome(verify(undefined, undefined))).toBe('credentials_missing');
  });

  it('what imitates a principal is a fault of the program and no refusal', async () => {
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
      expect(await failure(verify(token, imitation))).toBeInstanceOf(TypeError);
      expect(await failure(issue(imitation, { sub: 'carol' }))).toBeInstanceOf(TypeError);
    }
    await expect(issue(undefined as never, {})).rejects.toThrow(TypeError);
  });

  it('what inherits from a principal, and says otherwise, is one that imitates it', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    const imitation: Principal = Object.create(bob, {
      claims: { value: alice.claims },
      issuer: { value: HOME },
    });
    expect(await failure(requiring().verify(token, imitation))).toBeInstanceOf(TypeError);
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

  it('no claims are fine: a capability may be for nothing but the caller', async () => {
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

  it('a claim that the relation keeps the issuer in is not free for another one', () => {
    expect(complaint(() => minting(related({ friendOf: 'sub', friendOf_iss: 'tid' })))).toBe(
      'capability.relation.friendOf_iss',
    );
  });

  it.each([
    ['expiresin', { expiresin: '5m' }, 'expiresin'],
    ['a store where the keys stand here', { secrets: createMemoryStore() }, 'secrets'],
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
    for (const keySet of [
      undefined,
      {},
      { jwksUrl: 'http://example.com/jwks.json' },
      { jwksUri: 'https://a' },
    ])
      expect(() => requiring(FRIENDSHIP, { keySet: keySet as never })).toThrow(ConfigError);
  });

  it('the check: the path is that of what was written', () => {
    expect(complaint(() => requiring(FRIENDSHIP, { keySet: { jwksUri: 'https://a' } as never }))).toBe(
      'keySet',
    );
  });

  it('what the capability says is not said again otherwise', () => {
    const jwks = publicKeys();
    expect(complaint(() => requiring(FRIENDSHIP, { keySet: { issuer: ELSEWHERE, jwks } as never }))).toBe(
      'keySet.issuer',
    );
    expect(complaint(() => minting(FRIENDSHIP, { issuer: ELSEWHERE } as object))).toBe('issuer');
  });
});

describe('what messages tell', () => {
  it('nothing of tokens, claims or keys', async () => {
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
      ].map(failure),
    );
    for (const error of errors) {
      const told = `${inspect(error, { depth: 9, showHidden: true })} ${JSON.stringify(error)}`;
      for (const part of [secret, body, signature, String(jwk.d)]) expect(told).not.toContain(part);
      expect(error.message).not.toMatch(/alice|bob|urn:/);
    }
  });
});

describe('several services', () => {
  /** Serves the public halves of a signer's keys, as a service would, and counts who asks. */
  async function publishing(
    signer: Signer,
  ): Promise<{ readonly jwksUrl: string; readonly asked: () => number }> {
    let asked = 0;
    const server: Server = createServer((_request, response) => {
      asked++;
      signer.publish().then(
        ({ headers, body }) => response.writeHead(200, headers).end(body),
        () => response.writeHead(503).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(
      () =>
        new Promise((resolve) => {
          server.close(resolve);
          server.closeAllConnections();
        }),
    );
    return {
      jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
      asked: () => asked,
    };
  }

  async function temporaryDirectory(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'latchkey-capability-'));
    closing.push(() => rm(directory, { recursive: true, force: true }));
    return directory;
  }

  const secret = { name: 'friends' };

  it.each([
    ['a directory', async () => createDirectoryStore(await temporaryDirectory())],
    ['memory', async () => createMemoryStore()],
  ])(
    'AK-3: one mints from keys in %s, another requires by the URL of the public halves',
    async (_name, store) => {
      const { issue, signer } = createCapabilityIssuer(FRIENDSHIP, {
        secret,
        secrets: await store(),
        alg: 'ES256',
      });
      closing.push(signer.close);
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

  it('a key that was published ahead signs when its time has come, and nobody has to ask again', async () => {
    const clock = createClock();
    const { issue, signer } = createCapabilityIssuer(FRIENDSHIP, {
      secret,
      secrets: createDirectoryStore(await temporaryDirectory()),
      alg: 'EdDSA',
      clock,
      publishAhead: '1h',
    });
    closing.push(signer.close);
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
    // The other one is as old as the clock is now ahead, and has expired; nothing is wrong with its
    // key.
    expect(await outcome(verify(before, alice))).toBe('token_expired');
    expect(asked()).toBe(1);
  });

  /** Two mints over one directory: one makes a key, the other has to publish it. */
  async function publishesWhatAnotherMakes({ askedTooEarly }: { readonly askedTooEarly: boolean }) {
    const secrets = createDirectoryStore(await temporaryDirectory());
    const clock = createClock();
    const mint = () =>
      createCapabilityIssuer(FRIENDSHIP, { secret, secrets, alg: 'ES256', clock, publishAhead: '1h' }).signer;
    const [one, other] = [mint(), mint()];
    closing.push(one.close, other.close);
    if (askedTooEarly) await expect(other.ready()).rejects.toThrow('no usable keys');
    await one.rotate();
    // Rotating reads the keys, whatever went before.
    await other.rotate();
    clock.advance(3_601_000);
    const { kid } = await one.rotate();
    await vi.waitFor(async () =>
      expect((await other.publish()).jwks.keys.map((key) => key.kid)).toContain(kid),
    );
  }

  it('a mint publishes the key that another one over the same directory has made', () =>
    publishesWhatAnotherMakes({ askedTooEarly: false }));

  it('it does, too, if it was asked once before the secret was there', () =>
    publishesWhatAnotherMakes({ askedTooEarly: true }));

  it('while the minting side cannot be asked, nobody says that a capability is bad', async () => {
    const token = await minting().issue(alice, { sub: 'carol' });
    const { verify } = requiring(FRIENDSHIP, {
      keySet: { jwksUrl: 'http://127.0.0.1:1/jwks.json', allowHttp: true },
    });
    expect(await outcome(verify(token, alice))).toBe('keyset_unavailable');
  });

  it('the requiring side has nothing to mint with', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { signer } = createCapabilityIssuer(FRIENDSHIP, {
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'mint' } as JsonObject] },
    });
    const { keys } = (await signer.publish()).jwks;
    expect(complaint(() => createCapabilityIssuer(FRIENDSHIP, { jwks: { keys } }))).toBe('jwks');
  });
});
