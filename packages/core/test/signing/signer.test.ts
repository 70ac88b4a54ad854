// The signer end to end: what it signs is read back by jose and by this library's own verifier, for
// every algorithm; what it publishes is public; and what it cannot sign it refuses without a word
// of what is secret.
import {
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { createClock } from '@latchkey/testing';
import { createLocalJWKSet, decodeProtectedHeader, type JWK, jwtVerify } from 'jose';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { ConfigError, isAuthError } from '../../src/errors.ts';
import { generateJwk, publicJwk } from '../../src/jwk/generate.ts';
import { createMemoryStore, type SecretStore } from '../../src/secrets/store.ts';
import type { SignerOptions, SigningAlgorithm } from '../../src/signing/options.ts';
import { createSigner, type Signer, type SignOptions } from '../../src/signing/signer.ts';
import { type AlgorithmName, algorithmNames } from '../../src/token/algorithms.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { closing } from '../support/closing.ts';
import { defined } from '../support/defined.ts';
import { rejectionOf } from '../support/refusals.ts';

const SIGNED = algorithmNames.filter((name): name is SigningAlgorithm => name !== 'HMD5' && name !== 'HS224');
const SYMMETRIC = SIGNED.filter((name) => name.startsWith('HS'));
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const CLAIMS = {
  iss: 'https://issuer.example',
  aud: ['https://api.example.com', 'urn:b'],
  sub: 'alice',
  roles: ['role_a', 'role_b'],
  nested: { list: [1, null, { é: '\u{1f511}' }], __proto__x: 0.5 },
};

const hasMlDsa = (() => {
  try {
    generateKeyPairSync('ml-dsa-44' as 'ed25519');
    return true;
  } catch {
    return false;
  }
})();
const isMissing = (name: AlgorithmName) => name.startsWith('ML-DSA') && !hasMlDsa;

const keys = new Map<SigningAlgorithm, JsonObject>();
const keyOf = (name: SigningAlgorithm): JsonObject => keys.get(name)!;

beforeAll(async () => {
  const rsa = await generateJwk('RS256', 'k');
  for (const name of SIGNED) {
    if (isMissing(name)) continue;
    keys.set(
      name,
      /^[RP]S/.test(name) ? { ...rsa, alg: name } : { ...(await generateJwk(name, 'k')), alg: name },
    );
  }
});

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function signerOf(options: SignerOptions | object): Signer {
  return closing(createSigner(defined({ expiresIn: '5m', ...options }) as SignerOptions));
}

function verifierOf(options: object): Authenticator {
  return closing(createAuthenticator({ keySets: [], audience: null, ...options }));
}

const storeOf = (...jwks: JsonObject[]) =>
  createMemoryStore({ s: { 'jwks.json': JSON.stringify({ keys: jwks }) } });

/** What jose verifies with. */
function joseKey(jwk: JsonObject): KeyObject {
  return jwk.kty === 'oct'
    ? createSecretKey(Buffer.from(String(jwk.k), 'base64url'))
    : createPublicKey({ key: publicJwk(jwk) as JsonWebKey, format: 'jwk' });
}

/** A verifier by the public halves that the signer publishes; of symmetric keys, by the secret. */
async function readBackBy(signer: Signer, jwk: JsonObject): Promise<Authenticator> {
  if (jwk.kty === 'oct') {
    return verifierOf({ keySets: [{ issuer: CLAIMS.iss, secret: { name: 's' } }], secrets: storeOf(jwk) });
  }
  return verifierOf({ keySets: [{ issuer: CLAIMS.iss, jwks: (await signer.publish()).jwks }] });
}

/** Fails if any of these texts is told, to any depth. */
function expectSilent(value: unknown, ...secrets: readonly unknown[]): void {
  const told = inspect(value, { depth: 30, showHidden: true, maxStringLength: null, maxArrayLength: null });
  for (const secret of secrets.flatMap((one) => (typeof one === 'string' ? [one] : [])))
    expect(told).not.toContain(secret);
}

const secretsOf = (jwk: JsonObject): readonly unknown[] => PRIVATE_MEMBERS.map((name) => jwk[name]);

describe.each(SIGNED)('%s', (name) => {
  const itSigns = it.skipIf(isMissing(name));
  const itIsSymmetric = it.skipIf(isMissing(name) || !SYMMETRIC.includes(name));
  const itIsAPair = it.skipIf(isMissing(name) || SYMMETRIC.includes(name));

  itSigns('KD-5, KD-6: is read back by jose and by this library with equal claims', async () => {
    const jwk = keyOf(name);
    const signer = signerOf({ jwks: { keys: [jwk] } });
    const verifier = await readBackBy(signer, jwk);
    for (const claims of [CLAIMS, { iss: CLAIMS.iss }, { ...CLAIMS, text: 'é'.repeat(300) }]) {
      const token = await signer.sign(claims);
      const added = { iat: expect.any(Number), exp: expect.any(Number), jti: expect.any(String) };
      const byJose = await jwtVerify(token, joseKey(jwk), { algorithms: [name] });
      expect(byJose.payload).toEqual({ ...claims, ...added });
      expect(byJose.protectedHeader).toEqual({ alg: name, kid: 'k', typ: 'JWT' });
      const principal = await verifier.verify(token);
      expect(principal.claims).toEqual(byJose.payload);
    }
  });

  itSigns('AK-22: is read back by a keyset over the very same secret', async () => {
    const secrets = storeOf(keyOf(name));
    const signer = signerOf({ secret: { name: 's' }, secrets, alg: name, kid: 'k' });
    const verifier = verifierOf({ keySets: [{ issuer: CLAIMS.iss, secret: { name: 's' } }], secrets });
    const token = await signer.sign(CLAIMS);
    expect((await verifier.verify(token)).claims).toMatchObject(CLAIMS);
    // One bit of the claims, and of the signature.
    const [header, payload = '', signature = ''] = token.split('.');
    const other = Buffer.from(payload, 'base64url');
    other.write('bob..', other.indexOf('alice'));
    const forged = [header, other.toString('base64url'), signature].join('.');
    await expect(verifier.verify(forged)).rejects.toMatchObject({ code: 'token_signature_invalid' });
  });

  itIsAPair('D18: publishes nothing that is not public', async () => {
    const others = { nbf: 1, exp: 4_000_000_000, key_ops: ['sign'], 'x-note': 'hunter2', iss: 'i' };
    const jwk = { ...keyOf(name), ...others };
    const signer = signerOf({ jwks: { keys: [jwk] } });
    const { jwks, headers, body } = await signer.publish();
    expect(JSON.parse(body)).toEqual(jwks);
    expect(headers['Content-Type']).toBe('application/jwk-set+json');
    expectSilent(await signer.publish(), ...secretsOf(jwk), 'hunter2');
    const allowed = ['use', 'kty', 'kid', 'alg', 'n', 'e', 'crv', 'x', 'y', 'pub'];
    JSON.parse(body, (member, value: unknown) => {
      if (member !== '' && member !== 'keys' && !/^\d+$/.test(member)) expect(allowed).toContain(member);
      return value;
    });
    expect(jwks.keys).toEqual([publicJwk(keyOf(name))]);
  });

  itIsSymmetric('D18: has no public half, and publishes none', async () => {
    const signer = signerOf({ jwks: { keys: [keyOf(name)] } });
    const error = await rejectionOf(signer.publish());
    expect(isAuthError(error)).toBe(false);
    expect(error.message).toBe('signer: the keys are symmetric and have no public half');
    expectSilent(error, ...secretsOf(keyOf(name)));
  });

  itSigns('D18: neither report, error nor the signer itself tell of the key', async () => {
    const jwk = keyOf(name);
    const signer = signerOf({ secret: { name: 's' }, secrets: storeOf(jwk) });
    await signer.ready();
    const report = { kid: 'k', alg: name, signsFrom: undefined, greatestExp: undefined };
    expect(signer.report().keys).toEqual([report]);
    expectSilent([signer.report(), signer, await rejectionOf(signer.sign({ exp: 5 }))], ...secretsOf(jwk));
  });
});

describe('ECDSA', () => {
  it.each(['ES256', 'ES384', 'ES512'] as const)(
    'RFC 7518 §3.4: 250 tokens in a row of %s are read back, short r and s included',
    async (name) => {
      const signer = signerOf({ jwks: { keys: [keyOf(name)] } });
      const verifier = await readBackBy(signer, keyOf(name));
      const key = joseKey(keyOf(name));
      const bytes = { ES256: 64, ES384: 96, ES512: 132 }[name];
      for (let round = 0; round < 250; round++) {
        const token = await signer.sign({ iss: CLAIMS.iss, round });
        expect(Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url')).toHaveLength(bytes);
        expect((await verifier.verify(token)).claims).toMatchObject({ round });
        expect((await jwtVerify(token, key)).payload).toMatchObject({ round });
      }
    },
  );
});

describe('EdDSA and Ed25519', () => {
  it('RFC 9864 §2.2: the published key says the name that its tokens say, for verifiers that compare', async () => {
    // As `latchkey` itself makes it.
    const jwk = await generateJwk('Ed25519', 'k');
    const signer = signerOf({ jwks: { keys: [jwk] }, alg: 'Ed25519' });
    const { jwks } = await signer.publish();
    await jwtVerify(await signer.sign(CLAIMS), createLocalJWKSet({ keys: jwks.keys as unknown as JWK[] }));
  });
});

describe('the header', () => {
  it('settlement 48, KD-16: typ is JWT, another, or none', async () => {
    const jwks = { keys: [keyOf('HS256')] };
    const headerOf = async (more: object) =>
      decodeProtectedHeader(await signerOf({ jwks, ...more }).sign({}));
    expect(await headerOf({})).toEqual({ alg: 'HS256', kid: 'k', typ: 'JWT' });
    expect(await headerOf({ typ: 'at+jwt' })).toEqual({ alg: 'HS256', kid: 'k', typ: 'at+jwt' });
    expect(await headerOf({ typ: null })).toEqual({ alg: 'HS256', kid: 'k' });
  });

  it('row 165: nothing in claims reaches it', async () => {
    const parameters = { alg: 'none', kid: 'evil', jku: 'https://evil.example', crit: ['exp'], typ: 'x' };
    const claims = { ...parameters, header: { alg: 'none' }, protected: {} };
    const token = await signerOf({ jwks: { keys: [keyOf('ES256')] } }).sign(claims);
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', kid: 'k', typ: 'JWT' });
    expect((await jwtVerify(token, joseKey(keyOf('ES256')))).payload).toMatchObject(claims);
  });

  const OF_THE_HEADER = ['alg', 'kid', 'jku', 'crit', 'header', 'typ'];
  const OF_OTHERS = ['secret', 'key', 'exp', 'algorithm', 'expiresIN', 'noTimestamp'];
  it.each([...OF_THE_HEADER, ...OF_OTHERS])('row 165: %s is not an option of a call', async (name) => {
    const signer = signerOf({ jwks: { keys: [keyOf('ES256')] } });
    const error = await rejectionOf(signer.sign({}, { [name]: 'hunter2' } as SignOptions));
    expect(error).toMatchObject({ name: 'TypeError', message: expect.stringContaining(`sign.${name}`) });
    expectSilent(error, 'hunter2');
  });

  it('RFC 8259 §8.2: a typ with a lone surrogate, which parsers refuse, is refused', () => {
    expect(() => signerOf({ jwks: { keys: [keyOf('ES256')] }, typ: '\ud800' })).toThrow(ConfigError);
  });
});

describe('a call', () => {
  const clock = createClock(1_800_000_000_000);
  const signer = (more: object = {}) => signerOf({ jwks: { keys: [keyOf('HS256')] }, clock, ...more });
  const payloadOf = (token: string) =>
    JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as JsonObject;

  it('says how long its token lives', async () => {
    const made = signer({ maxLifetime: '2h' });
    expect(payloadOf(await made.sign({}))).toMatchObject({ iat: 1_800_000_000, exp: 1_800_000_300 });
    expect(payloadOf(await made.sign({}, { expiresIn: '1h' })).exp).toBe(1_800_003_600);
    await expect(made.sign({}, { expiresIn: undefined } as never)).rejects.toThrow('sign.expiresIn');
    expect(payloadOf(await made.sign({}, {})).exp).toBe(1_800_000_300);
  });

  it('D24: but not longer than any may', async () => {
    const made = signer({ maxLifetime: '2h' });
    for (const signing of [
      () => made.sign({}, { expiresIn: '3h' }),
      () => signer().sign({}, { expiresIn: '6m' }),
      () => made.sign({ exp: 1_800_007_201 }),
    ])
      expect((await rejectionOf(signing())).message).toMatch(
        /^exp: expected a lifetime of at most maxLifetime/,
      );
  });

  it('row 165: with exp among the claims too is refused', async () => {
    const error = await rejectionOf(signer().sign({ exp: 1_800_000_001 }, { expiresIn: '5m' }));
    expect(error.message).toMatch(/^exp is already among the claims/);
    expect(payloadOf(await signer().sign({ exp: 1_800_000_001 })).exp).toBe(1_800_000_001);
  });

  const NO_DURATIONS = [300, '300', '0s', '-5m', null, '999ms', {}];
  it.each(NO_DURATIONS)('row 165: %j is not a duration', async (expiresIn) => {
    const error = await rejectionOf(signer().sign({}, { expiresIn } as unknown as SignOptions));
    expect(error.message).toMatch(/^sign\.expiresIn: /);
  });

  it.each([[null], [[]], ['5m'], [7]])('row 165: %j is not an object of options', async (options) => {
    expect(await rejectionOf(signer().sign({}, options as never))).toBeInstanceOf(Error);
  });

  it('row 165: no exp is refused, unless requireExp is false', async () => {
    const without = { expiresIn: undefined };
    expect((await rejectionOf(signer(without).sign({}))).message).toMatch(/^exp is required/);
    const open = signer({ ...without, requireExp: false });
    expect(payloadOf(await open.sign({}))).not.toHaveProperty('exp');
    expect(open.report().keys[0]?.greatestExp).toBe(Number.POSITIVE_INFINITY);
  });

  it('row 165: another issuer is refused', async () => {
    const made = signer({ issuer: 'A', audience: 'b' });
    expect((await rejectionOf(made.sign({ iss: 'B' }))).message).toBe(
      'iss: expected the issuer of this signer',
    );
    expect(payloadOf(await made.sign({ iss: 'A' }))).toMatchObject({ iss: 'A', aud: 'b' });
  });

  it('refuses bad claims before it asks for a key', async () => {
    const read = vi.fn<SecretStore['read']>();
    const made = signerOf({ secret: { name: 's' }, secrets: { description: 'none', read } });
    await rejectionOf(made.sign({ exp: 5 }));
    await rejectionOf(made.sign(null as never));
    expect(read).not.toHaveBeenCalled();
  });

  it('a token that verifiers refuse for its length is not made', async () => {
    const made = signer();
    const empty = (await made.sign({ x: '' })).length;
    // base64url: four characters for three bytes.
    const longest = Math.floor(((8192 - empty) * 3) / 4);
    expect((await made.sign({ x: 'a'.repeat(longest) })).length).toBeLessThanOrEqual(8192);
    const error = await rejectionOf(made.sign({ x: 'hunter2'.repeat(1171) }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toBe('claims: the token would be longer than 8192 bytes');
    expectSilent(error, 'hunter2');
    const short = signer({ maxTokenBytes: 256 });
    await rejectionOf(short.sign({ x: 'a'.repeat(100) }));
    expect((await short.sign({})).length).toBeLessThanOrEqual(256);
    // A token that was not signed is not in the report.
    const fresh = signer({ maxTokenBytes: 256 });
    await rejectionOf(fresh.sign({ x: 'a'.repeat(100) }));
    expect(fresh.report().keys[0]?.greatestExp).toBeUndefined();
  });

  it('exactly maxTokenBytes is allowed, for the verifier too', async () => {
    const jwk = keyOf('HS256');
    const verifier = await readBackBy(signer(), jwk);
    const lengths = new Set<number>();
    const made = signerOf({ jwks: { keys: [jwk] }, issuer: CLAIMS.iss });
    for (let size = 5_700; size < 6_200; size++) {
      const token = await made.sign({ x: 'a'.repeat(size) }).catch(() => undefined);
      if (token === undefined || token.length < 8_180) continue;
      lengths.add(token.length);
      await verifier.verify(token);
    }
    expect(Math.max(...lengths)).toBeGreaterThanOrEqual(8191);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(8192);
  });

  /** A clock that is right when the signer is made, and gives this value later. */
  function breaking(value: unknown): { now(): unknown } {
    let calls = 0;
    return { now: () => (calls++ === 0 ? 1_800_000_000_000 : value) };
  }

  it('row 165: a clock that comes to give no time signs nothing', async () => {
    await rejectionOf(signer({ clock: breaking(Number.POSITIVE_INFINITY) }).sign({}));
  });

  it('row 165: a clock that comes to give no number signs nothing', async () => {
    for (const now of [Number.NaN, undefined, 'noon', {}, Number.NEGATIVE_INFINITY, 0])
      await rejectionOf(signer({ clock: breaking(now) }).sign({}));
  });

  it('what the caller does to the claims meanwhile is not signed', async () => {
    const read = Promise.withResolvers<Uint8Array>();
    const made = signerOf({
      secret: { name: 's' },
      secrets: { description: 'slow', read: () => read.promise },
    });
    const claims: Record<string, unknown> = { sub: 'alice', roles: ['user'] };
    const token = made.sign(claims);
    claims.sub = 'root';
    (claims.roles as string[]).push('admin');
    read.resolve(Buffer.from(JSON.stringify({ keys: [keyOf('ES256')] })));
    expect(payloadOf(await token)).toMatchObject({ sub: 'alice', roles: ['user'] });
  });
});

describe('which key', () => {
  const clock = createClock(1_800_000_000_000);
  const kidOf = async (signer: Signer, claims = {}) => decodeProtectedHeader(await signer.sign(claims)).kid;
  const named = (kid: string, more: JsonObject = {}): JsonObject => ({ ...keyOf('HS256'), kid, ...more });
  const signer = (jwks: readonly JsonObject[], more: object = {}) =>
    signerOf({ jwks: { keys: jwks }, clock, ...more });

  it('the first, where nothing is said', async () => {
    expect(await kidOf(signer([named('a'), named('b')]))).toBe('a');
  });

  it('KD-8: the one that is named', async () => {
    expect(await kidOf(signer([named('a'), named('b')], { kid: 'b' }))).toBe('b');
  });

  it('the one whose time came last', async () => {
    const now = 1_800_000_000;
    const all = [
      named('old'),
      named('next', { nbf: now + 60 }),
      named('now', { nbf: now }),
      named('before', { nbf: now - 9 }),
    ];
    const made = signer(all);
    expect(await kidOf(made)).toBe('now');
    clock.advance(60_000);
    expect(await kidOf(made)).toBe('next');
    clock.advance(-1);
    expect(await kidOf(made)).toBe('now');
    clock.advance(-60_000);
    expect(await kidOf(made)).toBe('before');
    clock.set(1_800_000_000_000);
  });

  it('none, while no key’s time has come', async () => {
    const made = signer([named('next', { nbf: 1_800_000_001 })]);
    expect((await rejectionOf(made.sign({}))).message).toBe('signer: no active key for this issuer');
  });

  it('ready() says that there is no key to sign with while no key’s time has come', async () => {
    await rejectionOf(signer([named('next', { nbf: 1_800_000_001 })]).ready());
  });

  it('a token does not outlive what its key says of itself', async () => {
    const made = signer([named('a', { exp: 1_800_000_100 })]);
    expect((await rejectionOf(made.sign({}))).message).toMatch(/^signer: the token would outlive its key/);
    expect((await rejectionOf(made.sign({ exp: 1_800_000_101 }))).message).toMatch(/outlive its key/);
    expect(await kidOf(made, { exp: 1_800_000_100 })).toBe('a');
    const open = signer([named('a', { exp: 1_800_000_100 })], { expiresIn: undefined, requireExp: false });
    expect((await rejectionOf(open.sign({}))).message).toMatch(/outlive its key/);
  });
});

describe('what is published', () => {
  it('every key at the source, also those that do not sign yet or any more', async () => {
    const { d: _, ...half } = keyOf('ES256');
    const old = { ...half, kid: 'old' };
    const set = [
      old,
      { ...keyOf('ES256'), kid: 'now' },
      { ...keyOf('ES384'), kid: 'next', nbf: 9_000_000_000 },
      { ...keyOf('RS256'), kid: 'enc', use: 'enc' },
      { ...keyOf('HS256'), kid: 'symmetric' },
      { kty: 'NTRU', kid: 'odd' },
    ];
    const signer = signerOf({ secret: { name: 's' }, secrets: storeOf(...set) });
    const { jwks, body } = await signer.publish();
    expect(jwks.keys.map(({ kid }) => kid)).toEqual(['now', 'next', 'old']);
    // With its quotes: the letters alone may occur in a key.
    expectSilent(body, ...set.flatMap(secretsOf), 'symmetric', '"nbf"');
  });

  it.each([
    [undefined, 300],
    ['15m', 300],
    ['1h', 1200],
    ['10s', 3],
  ])('says for how long: a third of publishAhead %s', async (publishAhead, seconds) => {
    const signer = signerOf({
      secret: { name: 's' },
      secrets: storeOf(keyOf('ES256')),
      ...defined({ publishAhead }),
    });
    expect((await signer.publish()).headers['Cache-Control']).toBe(`public, max-age=${seconds}`);
  });

  it('a caller cannot change the keys that the next caller gets', async () => {
    const signer = signerOf({ jwks: { keys: [keyOf('ES256')] } });
    const evil = { kty: 'EC', kid: 'evil' };
    try {
      ((await signer.publish()).jwks.keys as JsonObject[]).push(evil);
    } catch {
      // Frozen is as good as a copy.
    }
    expect((await signer.publish()).body).not.toContain('evil');
  });

  it('settlement 46: a source that is down is a 503, and no empty set', async () => {
    const secrets: SecretStore = { description: 'down', read: () => Promise.reject(new Error('sealed')) };
    const signer = signerOf({ secret: { name: 's' }, secrets });
    const error = await rejectionOf(signer.publish());
    expect(isAuthError(error)).toBe(true);
    expect(error).toMatchObject({ code: 'keyset_unavailable', status: 503 });
    expect((error as Error & { headers: object }).headers).toHaveProperty('Retry-After');
    expect(isAuthError(await rejectionOf(signer.sign({})))).toBe(false);
    expect((await rejectionOf(signer.publish())).message).toBe('The token cannot be checked at the moment');
  });
});

describe('a source that fails', () => {
  const seen: { readonly name: string | symbol; readonly event: unknown }[] = [];
  const remember = (event: unknown, name: string | symbol) => seen.push({ name, event });
  const CHANNELS = ['latchkey:signer:refreshed', 'latchkey:signer:failed', 'latchkey:signer:stale'] as const;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    for (const name of CHANNELS) subscribe(name, remember);
  });

  afterEach(() => {
    for (const name of CHANNELS) unsubscribe(name, remember);
    seen.length = 0;
  });

  function failing(jwk: JsonObject) {
    const state = { down: false, document: JSON.stringify({ keys: [jwk] }) };
    const secrets: SecretStore = {
      description: 'now and then',
      read: async () => {
        if (state.down) throw new Error('the vault is sealed');
        return Buffer.from(state.document);
      },
    };
    return { state, secrets };
  }

  it('later: keys stay in use up to maxStale, and then nothing is signed', async () => {
    const jwk = keyOf('ES256');
    const { state, secrets } = failing(jwk);
    const signer = signerOf({ secret: { name: 's' }, secrets, maxStale: '1h' });
    await signer.ready();
    state.down = true;
    await vi.advanceTimersByTimeAsync(59 * MINUTE);
    expect(signer.report()).toMatchObject({ state: 'stale' });
    await signer.sign({});
    await signer.publish();
    await vi.advanceTimersByTimeAsync(MINUTE + 1);
    expect(signer.report()).toMatchObject({ state: 'empty' });
    const error = await rejectionOf(signer.sign({}));
    expect(error.message).toBe('signer: no usable keys from secret: s: the vault is sealed');
    expect(error.cause).toMatchObject({ message: 'the vault is sealed' });
    expect(await rejectionOf(signer.publish())).toMatchObject({ code: 'keyset_unavailable' });
    await rejectionOf(signer.ready());
    state.down = false;
    await vi.advanceTimersByTimeAsync(MINUTE);
    await signer.sign({});
    expect(new Set(seen.map(({ name }) => name))).toEqual(new Set(CHANNELS));
    expect(seen.filter(({ name }) => name === 'latchkey:signer:stale')).toHaveLength(1);
    expect(seen.every(({ event }) => (event as { signer: unknown }).signer === 'secret: s')).toBe(true);
    expectSilent(seen, ...secretsOf(jwk));
  });

  it.each([
    ['a text', 'hello'],
    ['a set without private keys', JSON.stringify({ keys: [{ kty: 'EC' }] })],
    ['an empty set', '{"keys":[]}'],
    ['a set cut off', '{"keys":[{"kty":"EC","d":"hunter2hunter2"'],
    [
      'a damaged key',
      '{"keys":[{"kty":"EC","crv":"P-256","x":"hunter2hunter2","y":"AA","d":"hunter2hunter2"}]}',
    ],
  ])('by giving %s: the keys from before sign on, and no error quotes the document', async (_, document) => {
    const jwk = keyOf('ES256');
    const { state, secrets } = failing(jwk);
    const signer = signerOf({ secret: { name: 's' }, secrets });
    await signer.ready();
    state.document = document;
    await vi.advanceTimersByTimeAsync(HOUR);
    expect(signer.report()).toMatchObject({ state: 'stale', keys: [{ kid: 'k' }] });
    await signer.sign({});
    expect(seen.some(({ name }) => name === 'latchkey:signer:failed')).toBe(true);
    expectSilent(seen, 'hunter2', ...secretsOf(jwk));
  });

  it('a key that left the source signs nothing any more', async () => {
    const { state, secrets } = failing({ ...keyOf('ES256'), kid: 'old' });
    const signer = signerOf({ secret: { name: 's' }, secrets });
    expect(decodeProtectedHeader(await signer.sign({})).kid).toBe('old');
    state.document = JSON.stringify({ keys: [{ ...keyOf('ES384'), kid: 'new' }] });
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    expect(decodeProtectedHeader(await signer.sign({})).kid).toBe('new');
  });

  it('close() ends all of it', async () => {
    const { secrets } = failing(keyOf('ES256'));
    const signer = signerOf({ secret: { name: 's' }, secrets });
    await signer.ready();
    expect(vi.getTimerCount()).toBe(1);
    await signer.close();
    expect(vi.getTimerCount()).toBe(0);
    await signer.close();
    const never = signerOf({ secret: { name: 's' }, secrets });
    await never.close();
    await rejectionOf(never.sign({}));
    expect(vi.getTimerCount()).toBe(0);
  });
});
