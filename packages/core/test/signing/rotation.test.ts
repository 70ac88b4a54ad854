// Rotation of own keys, stepped through by the clock: a verifier has every key when its first token
// comes and until its last has expired, wherever a rotation stops and though other processes write.
// Stores are those of the library; one of them is a real directory.
import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createClock, mint, type TestClock } from '@latchkey/testing';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { isAuthError } from '../../src/errors.ts';
import { generateJwk, publicJwk } from '../../src/jwk/generate.ts';
import { MAX_KEYS } from '../../src/jwk/import-jwks.ts';
import { createDirectoryStore } from '../../src/secrets/directory.ts';
import { createMemoryStore, MAX_SECRET_BYTES, type SecretStore } from '../../src/secrets/store.ts';
import type { SignerOptions } from '../../src/signing/options.ts';
import { createSigner, type Signer } from '../../src/signing/signer.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { closing, temporaryFolder } from '../support/closing.ts';
import { defined } from '../support/defined.ts';
import { configRejectionOf, rejectionOf } from '../support/refusals.ts';
import { listen } from '../support/servers.ts';

const START = 1_800_000_000;
const SECOND = 1_000;
const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;
const ISSUER = 'https://issuer.example';
const REFERENCE = { name: 'signing', key: 'jwks.json' };
const NEVER = new AbortController().signal;

let clock: TestClock;
let storeFolder: string | undefined;

beforeEach(() => {
  // Loads are due by this clock, and made when somebody asks: background timers play no part here.
  vi.useFakeTimers({ toFake: ['performance'] });
  clock = createClock(START * SECOND);
});

afterEach(async () => {
  vi.useRealTimers();
  storeFolder = undefined;
});

/** Both clocks: the one on the wall and the one that loads are due by. */
function pass(seconds: number): void {
  clock.advance(seconds * SECOND);
  vi.advanceTimersByTime(seconds * SECOND);
}

const now = (): number => clock.now() / SECOND;

function signerOf(secrets: SecretStore, more: object = {}): Signer {
  const options = {
    secret: { name: REFERENCE.name },
    secrets,
    issuer: ISSUER,
    expiresIn: '1h',
    maxStale: '2h',
    alg: 'ES256',
    clock,
    ...more,
  };
  return closing(createSigner(defined(options) as SignerOptions));
}

async function documentOf(secrets: SecretStore): Promise<{ readonly keys: JsonObject[] } & JsonObject> {
  const bytes = await secrets.read(REFERENCE, NEVER);
  return JSON.parse(Buffer.from(bytes!).toString('utf8')) as { keys: JsonObject[] };
}

const put = (secrets: SecretStore, document: object) =>
  secrets.write!(REFERENCE, Buffer.from(JSON.stringify(document)), NEVER);

const kidsOf = async (secrets: SecretStore) => (await documentOf(secrets)).keys.map(({ kid }) => kid);
const kidOf = async (signer: Signer, claims = {}) => decodeProtectedHeader(await signer.sign(claims)).kid;
const publishedBy = async (signer: Signer) => (await signer.publish()).jwks.keys.map(({ kid }) => kid);

/** A store that cannot tell when it has changed. */
function withoutWatch(store: SecretStore): SecretStore {
  return { description: 'without watch', read: store.read, write: store.write!.bind(store) };
}

async function directoryStore(): Promise<SecretStore> {
  storeFolder = await temporaryFolder();
  return createDirectoryStore(storeFolder);
}

/** A store over another, one of whose moves is made otherwise. */
const overriding = (store: SecretStore, moves: Partial<SecretStore>): SecretStore => ({
  description: 'overriding',
  read: (reference, signal) => store.read(reference, signal),
  write: (reference, value, signal) => store.write!(reference, value, signal),
  ...moves,
});

/** A signer whose secret has one key, called old, that signs. */
async function withOldKey(more: object = {}, secrets: SecretStore = createMemoryStore()) {
  const old = await generateJwk('ES256', 'old');
  await put(secrets, { keys: [old] });
  const signer = signerOf(secrets, more);
  await signer.ready();
  return { signer, secrets, old };
}

const STORES = [
  ['in memory', async () => createMemoryStore()],
  ['in memory that tells nothing', async () => withoutWatch(createMemoryStore())],
  ['in a directory', directoryStore],
] as const satisfies readonly (readonly [string, () => Promise<SecretStore>])[];

describe.each(STORES)('a secret %s', (_, createStore) => {
  it('the first key signs at once', async () => {
    const secrets = await createStore();
    const signer = signerOf(secrets);
    await rejectionOf(signer.sign({}));
    const { kid, signsFrom } = await signer.rotate();
    expect(signsFrom).toBeUndefined();
    expect(await kidOf(signer)).toBe(kid);
    expect(await publishedBy(signer)).toEqual([kid]);
    expect((await documentOf(secrets)).keys).toEqual([
      expect.objectContaining({ kid, alg: 'ES256', use: 'sig', kty: 'EC' }),
    ]);
    expect((await documentOf(secrets)).keys[0]).not.toHaveProperty('nbf');
  });

  it('the next key is published at once, and signs from its time on', async () => {
    const secrets = await createStore();
    const { signer } = await withOldKey({}, secrets);
    const next = await signer.rotate();
    expect(next.signsFrom).toBe(START + 15 * MINUTE);
    expect(await publishedBy(signer)).toEqual(['old', next.kid]);
    expect(await kidOf(signer)).toBe('old');
    pass(15 * MINUTE - 1);
    expect(await kidOf(signer)).toBe('old');
    clock.advance(SECOND - 1);
    expect(await kidOf(signer)).toBe('old');
    clock.advance(1);
    expect(await kidOf(signer)).toBe(next.kid);
    expect(await publishedBy(signer)).toEqual(['old', next.kid]);
    expect((await signer.publish()).body).not.toMatch(/"(nbf|exp|d)"/);
  });

  it('two signers take turns at the same reading of the clock', async () => {
    const secrets = await createStore();
    const { signer } = await withOldKey({}, secrets);
    const other = signerOf(secrets);
    expect(await kidOf(other)).toBe('old');
    const { kid } = await signer.rotate();
    // As long as a load is due at the latest.
    pass(5 * MINUTE);
    expect(await publishedBy(other)).toEqual(['old', kid]);
    for (const [seconds, expected] of [
      [10 * MINUTE - 1, 'old'],
      [1, kid],
      [-1, 'old'],
      [1, kid],
      [DAY, kid],
    ] as const) {
      clock.advance(seconds * SECOND);
      expect([await kidOf(signer), await kidOf(other)]).toEqual([expected, expected]);
    }
  });

  it('every token is verified at every moment, from before the rotation until after the retirement', async () => {
    const secrets = await createStore();
    const { signer, old } = await withOldKey({ audience: 'api' }, secrets);
    const other = signerOf(secrets, { audience: 'api' });
    const url = await serve(signer);
    const verifiers = [
      verifierBySecret(secrets, 'api'),
      verifierOf({ keySets: [{ issuer: ISSUER, jwksUrl: url, allowHttp: true }] }),
    ];
    let tokens: string[] = [];
    const signedBy = new Set<unknown>();
    const dropped: { readonly kid: string | undefined; readonly at: number }[] = [];
    let next: string | undefined;
    for (let at = 0; at <= 5 * HOUR + 30 * MINUTE; at += 150) {
      // Two rotations, the second while the first one's old key is still there.
      if (at === 10 * MINUTE) next = (await signer.rotate()).kid;
      if (at === 90 * MINUTE) await other.rotate();
      for (const one of [signer, other]) {
        const token = await one.sign({ sub: 'alice', at });
        signedBy.add(decodeProtectedHeader(token).kid);
        tokens.push(token);
      }
      tokens = tokens.filter((token) => decodeJwt(token).exp! > now());
      for (const verifier of verifiers) {
        for (const token of tokens) await verifier.verify(token);
      }
      for (const kid of (await signer.retire()).dropped) dropped.push({ kid, at });
      pass(150);
    }
    // The old key signed until 10 + 15 minutes, in a process that could not read for 2 h more. Its
    // tokens live for 1 h, and clocks may differ by a minute.
    expect(dropped[0]).toEqual({ kid: 'old', at: Math.ceil((25 * MINUTE + 3 * HOUR + MINUTE) / 150) * 150 });
    expect(dropped[1]?.kid).toBe(next);
    expect(signedBy.size).toBe(3);
    expect(await kidsOf(secrets)).toHaveLength(1);

    const privateKey = createPrivateKey({ key: old as JsonWebKey, format: 'jwk' });
    const key = { alg: 'ES256', kid: 'old', publicJwk: {}, privateKey } as const;
    const late = await mint(key, { iss: ISSUER, aud: 'api', sub: 'alice', exp: now() + HOUR });
    for (const verifier of verifiers)
      await expect(verifier.verify(late)).rejects.toMatchObject({ code: 'token_key_unknown' });
  });

  it('a second rotate() while a key is waiting makes nothing, and says which one waits', async () => {
    const secrets = await createStore();
    const { signer } = await withOldKey({}, secrets);
    const first = await signer.rotate();
    const before = await documentOf(secrets);
    pass(15 * MINUTE - 1);
    for (const one of [signer, signerOf(secrets)]) expect(await one.rotate()).toEqual(first);
    expect(await documentOf(secrets)).toEqual(before);
    pass(1);
    const second = await signer.rotate();
    expect(second.kid).not.toBe(first.kid);
    expect(await kidsOf(secrets)).toEqual(['old', first.kid, second.kid]);
  });

  it('rotate() by many at once in one process makes one key', async () => {
    const secrets = await createStore();
    const { signer } = await withOldKey({}, secrets);
    const rotated = await Promise.all(Array.from({ length: 20 }, () => signer.rotate()));
    expect(new Set(rotated.map(({ kid }) => kid)).size).toBe(1);
    expect(await kidsOf(secrets)).toHaveLength(2);
    const empty = await createStore();
    const first = signerOf(empty);
    await Promise.all(Array.from({ length: 5 }, () => first.rotate()));
    // The first signs at once, and after it there is one that waits.
    expect(await kidsOf(empty)).toHaveLength(2);
  });

  it('sign() never fails meanwhile', async () => {
    const secrets = await createStore();
    const { signer } = await withOldKey({}, secrets);
    let busy = true;
    let signed = 0;
    const signing = (async () => {
      while (busy) {
        await Promise.all([signer.sign({}), signer.sign({}), signer.publish()]);
        signed++;
        await new Promise(setImmediate);
      }
    })();
    for (let round = 0; round < 5; round++) {
      await signer.rotate();
      pass(15 * MINUTE);
      await signer.retire();
      pass(4 * HOUR);
      await signer.retire();
    }
    busy = false;
    await signing;
    expect(signed).toBeGreaterThan(5);
    expect(await kidsOf(secrets)).toHaveLength(1);
  });

  it('D18: what it writes is a JWK Set with the private half, for its owner alone', async () => {
    const secrets = await createStore();
    await signerOf(secrets).rotate();
    const [key] = (await documentOf(secrets)).keys;
    expect(key).toHaveProperty('d');
    if (storeFolder === undefined) return;
    const file = join(storeFolder, REFERENCE.name, REFERENCE.key);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(storeFolder, REFERENCE.name))).mode & 0o777).toBe(0o700);
    expect((await readFile(file, 'utf8')).endsWith('}\n')).toBe(true);
  });
});

function verifierOf(options: object): Authenticator {
  return closing(createAuthenticator({ keySets: [], audience: 'api', clock, ...options }));
}

function verifierBySecret(secrets: SecretStore, audience: string | null = null): Authenticator {
  return verifierOf({ keySets: [{ issuer: ISSUER, secret: { name: REFERENCE.name } }], secrets, audience });
}

/** Serves what publish() gives, as a service does. */
async function serve(signer: Signer): Promise<string> {
  const server = createServer((_, response) => {
    signer.publish().then(
      ({ headers, body }) => response.writeHead(200, headers).end(body),
      () => response.writeHead(503).end(),
    );
  });
  return `http://127.0.0.1:${await listen(server)}/jwks.json`;
}

describe('a rotation that stops', () => {
  it('before it has written: the old document stays, the signer signs, and rotate() again completes', async () => {
    const secrets = createMemoryStore();
    let full = true;
    const store = overriding(secrets, {
      write: async (reference, value, signal) => {
        if (full) throw new Error('ENOSPC');
        await secrets.write!(reference, value, signal);
      },
    });
    await put(secrets, { keys: [await generateJwk('ES256', 'old')] });
    const before = await documentOf(secrets);
    const signer = signerOf(store);
    expect((await rejectionOf(signer.rotate())).message).toBe('ENOSPC');
    expect(await documentOf(secrets)).toEqual(before);
    expect([await kidOf(signer), await publishedBy(signer)]).toEqual(['old', ['old']]);
    pass(HOUR);
    expect(await kidOf(signer)).toBe('old');
    full = false;
    const { kid, signsFrom } = await signer.rotate();
    expect(signsFrom).toBe(now() + 15 * MINUTE);
    expect(await publishedBy(signer)).toEqual(['old', kid]);
  });

  it('after it has written: rotate() again finds what is waiting', async () => {
    const secrets = createMemoryStore();
    const store = overriding(secrets, {
      write: async (reference, value, signal) => {
        await secrets.write!(reference, value, signal);
        throw new Error('the file is in place, but may not outlive a crash');
      },
    });
    await put(secrets, { keys: [await generateJwk('ES256', 'old')] });
    const signer = signerOf(store);
    await rejectionOf(signer.rotate());
    const waiting = (await kidsOf(secrets))[1];
    expect(await signer.rotate()).toEqual({ kid: waiting, signsFrom: START + 15 * MINUTE });
    expect(await kidsOf(secrets)).toHaveLength(2);
    expect(await publishedBy(signer)).toEqual(['old', waiting]);
  });

  it('before it could see what it has written: rotate() again finds what is waiting', async () => {
    const secrets = createMemoryStore();
    let reads = 0;
    const store = overriding(secrets, {
      read: async (reference, signal) => {
        if (++reads === 2) throw new Error('ETIMEDOUT');
        return secrets.read(reference, signal);
      },
    });
    await put(secrets, { keys: [await generateJwk('ES256', 'old')] });
    const signer = signerOf(store);
    expect((await rejectionOf(signer.rotate())).message).toBe('ETIMEDOUT');
    expect((await signer.rotate()).kid).toBe((await kidsOf(secrets))[1]);
    expect(await kidsOf(secrets)).toHaveLength(2);
  });

  it('in retire(): the old document stays, and retire() again completes', async () => {
    const secrets = createMemoryStore();
    let full = false;
    const store = overriding(secrets, {
      write: async (reference, value, signal) => {
        if (full) throw new Error('ENOSPC');
        await secrets.write!(reference, value, signal);
      },
    });
    const { signer } = await withOldKey({}, store);
    const { kid } = await signer.rotate();
    pass(DAY);
    full = true;
    expect((await rejectionOf(signer.retire())).message).toBe('ENOSPC');
    expect(await kidsOf(secrets)).toEqual(['old', kid]);
    expect(await kidOf(signer)).toBe(kid);
    full = false;
    expect(await signer.retire()).toEqual({ dropped: ['old'], kept: [] });
    expect(await kidsOf(secrets)).toEqual([kid]);
  });

  it('with an error does not stop those that come after it', async () => {
    const { signer, secrets } = await withOldKey();
    await put(secrets, { keys: 'hello' });
    const results = await Promise.allSettled([signer.rotate(), signer.retire(), signer.rotate()]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    await put(secrets, { keys: [await generateJwk('ES256', 'new')] });
    await signer.rotate();
    expect(await kidsOf(secrets)).toHaveLength(2);
  });

  it('because the store never answers a write ends with an error in bounded time', async () => {
    vi.useRealTimers();
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
    const secrets = createMemoryStore();
    await put(secrets, { keys: [await generateJwk('ES256', 'old')] });
    let isWriting = () => {};
    const writing = new Promise<void>((resolve) => (isWriting = resolve));
    const write = () => {
      isWriting();
      return new Promise<never>(() => {});
    };
    const refused = rejectionOf(signerOf(overriding(secrets, { write })).rotate());
    await writing;
    await vi.advanceTimersByTimeAsync(50 * MINUTE * SECOND);
    await refused;
  });
});

describe('others that write', () => {
  it('a write that is lost to another process: theirs is the one that waits', async () => {
    const secrets = createMemoryStore();
    const theirs = { ...(await generateJwk('ES256', 'theirs')), nbf: START + 20 * MINUTE };
    const { signer: _, old } = await withOldKey({}, secrets);
    const store = overriding(secrets, {
      write: async (reference, value, signal) => {
        await secrets.write!(reference, value, signal);
        await put(secrets, { keys: [old, theirs] });
      },
    });
    const signer = signerOf(store);
    expect(await signer.rotate()).toEqual({ kid: 'theirs', signsFrom: START + 20 * MINUTE });
    expect(await publishedBy(signer)).toEqual(['old', 'theirs']);
    pass(20 * MINUTE);
    expect(await kidOf(signer)).toBe('theirs');
  });

  it('a write that is lost to another process that made no key: try again', async () => {
    const secrets = createMemoryStore();
    const { old } = await withOldKey({}, secrets);
    let once = true;
    const store = overriding(secrets, {
      write: async (reference, value, signal) => {
        await secrets.write!(reference, value, signal);
        if (once) await put(secrets, { keys: [old] });
        once = false;
      },
    });
    const signer = signerOf(store);
    expect((await rejectionOf(signer.rotate())).message).toMatch(
      /another process changed the secret at the same time; try again$/,
    );
    expect(await kidOf(signer)).toBe('old');
    await signer.rotate();
    expect(await kidsOf(secrets)).toHaveLength(2);
  });

  it('two processes that rotate at once end with one key that waits, which both know', async () => {
    const secrets = createMemoryStore();
    const { signer } = await withOldKey({}, secrets);
    const other = signerOf(secrets);
    await Promise.allSettled([signer.rotate(), other.rotate()]);
    const kids = await kidsOf(secrets);
    expect(kids).toHaveLength(2);
    expect((await signer.rotate()).kid).toBe(kids[1]);
    expect((await other.rotate()).kid).toBe(kids[1]);
    pass(15 * MINUTE);
    expect([await kidOf(signer), await kidOf(other)]).toEqual([kids[1], kids[1]]);
  });

  it('two processes that make the first key at once: what either signs is verified', async () => {
    const secrets = createMemoryStore();
    const tokens = await Promise.all(
      [signerOf(secrets), signerOf(secrets)].map(async (signer) => {
        await signer.rotate().catch(() => {});
        return signer.sign({});
      }),
    );
    const verifier = verifierBySecret(secrets);
    for (const token of tokens) await verifier.verify(token);
  });

  it('a next key that is taken away: the old one goes on, and the next rotation counts from its own time', async () => {
    const { signer, secrets } = await withOldKey();
    await signer.rotate();
    const [old] = (await documentOf(secrets)).keys;
    const firstEnd = old!.exp as number;
    await put(secrets, { keys: [old] });
    pass(HOUR);
    expect([await kidOf(signer), await publishedBy(signer)]).toEqual(['old', ['old']]);
    const { kid, signsFrom } = await signer.rotate();
    expect(signsFrom).toBe(START + HOUR + 15 * MINUTE);
    const [dated] = (await documentOf(secrets)).keys;
    expect(dated!.exp).toBe(firstEnd + HOUR);
    pass(15 * MINUTE);
    expect(await kidOf(signer)).toBe(kid);
    // Not at the first end, but at the second.
    pass(firstEnd - now());
    expect((await signer.retire()).dropped).toEqual([]);
    pass(HOUR);
    expect((await signer.retire()).dropped).toEqual(['old']);
  });

  it('a next key that is taken away unnoticed: no token outlives its key', async () => {
    const { signer, secrets } = await withOldKey();
    await signer.rotate();
    const [old] = (await documentOf(secrets)).keys;
    await put(secrets, { keys: [old] });
    await signer.ready();
    const tokens: (string | undefined)[] = [];
    for (; now() < (old!.exp as number) + HOUR; pass(10 * MINUTE))
      tokens.push(await signer.sign({}).catch(() => undefined));
    const signed = tokens.filter((token) => token !== undefined);
    for (const token of signed) expect(decodeJwt(token).exp).toBeLessThanOrEqual(old!.exp as number);
    expect([signed.length > 10, signed.length < tokens.length]).toEqual([true, true]);
    // A rotation gives the old key its time back, or makes one that signs at once.
    await signer.rotate();
    await signer.sign({});
  });

  it('a shorter maxLifetime does not move the end of a key nearer that somebody has written', async () => {
    const secrets = createMemoryStore();
    const { signer } = await withOldKey({ expiresIn: '30d' }, secrets);
    const token = await signer.sign({});
    await signer.rotate();
    await put(secrets, { keys: [(await documentOf(secrets)).keys[0]] });
    const shorter = signerOf(secrets, { expiresIn: '5m' });
    await shorter.rotate();
    pass(DAY);
    await shorter.retire();
    const verifier = verifierBySecret(secrets);
    await verifier.verify(token);
  });

  it('members that this library does not know survive, of the document and of its keys', async () => {
    const secrets = createMemoryStore();
    const unknown = { 'x-team': 'blue', x5t: 'AAAA', nested: { a: [1, null] } };
    const old: JsonObject = { ...(await generateJwk('ES256', 'old')), ...unknown };
    const partner = { kty: 'EC', kid: 'partner', crv: 'P-256', x: old.x, y: old.y, 'x-note': 'verify only' };
    const odd = { kty: 'NTRU', kid: 'odd', whatever: true };
    await put(secrets, { version: 7, meta: { owner: 'auth' }, keys: [old, partner, odd], after: [] });
    const signer = signerOf(secrets);
    const { kid } = await signer.rotate();
    const rotated = await documentOf(secrets);
    expect(rotated).toMatchObject({ version: 7, meta: { owner: 'auth' }, after: [] });
    expect(rotated.keys.slice(0, 3)).toEqual([{ ...old, exp: expect.any(Number) as number }, partner, odd]);
    pass(DAY);
    expect((await signer.retire()).dropped).toEqual(['old']);
    const retired = await documentOf(secrets);
    expect(retired).toMatchObject({ version: 7, meta: { owner: 'auth' }, after: [] });
    expect(retired.keys.map((key) => key.kid)).toEqual(['partner', 'odd', kid]);
    expect(retired.keys.slice(0, 2)).toEqual([partner, odd]);
  });

  it('a key for another use in the same set is not dropped', async () => {
    const secrets = createMemoryStore();
    const decrypting = { ...(await generateJwk('ES256', 'decrypting')), use: 'enc', alg: 'ECDH-ES' };
    await put(secrets, { keys: [decrypting, await generateJwk('ES256', 'old')] });
    const signer = signerOf(secrets);
    await signer.rotate();
    pass(30 * DAY);
    await signer.retire();
    expect(await kidsOf(secrets)).toContain('decrypting');
  });

  it('a key of another algorithm in the same set, with which another signer signs, signs on', async () => {
    const secrets = createMemoryStore();
    await put(secrets, { keys: [await generateJwk('ES384', 'theirs'), await generateJwk('ES256', 'old')] });
    const signer = signerOf(secrets, { alg: 'ES256' });
    const other = signerOf(secrets, { alg: 'ES384' });
    await signer.rotate();
    pass(30 * DAY);
    expect(await kidOf(other)).toBe('theirs');
    await signer.retire();
    expect(await kidsOf(secrets)).toContain('theirs');
  });

  it('a key for another use in the same set does not hold up a rotation', async () => {
    const secrets = createMemoryStore();
    const decrypting = { ...(await generateJwk('ES256', 'decrypting')), use: 'enc', alg: 'ECDH-ES' };
    await put(secrets, { keys: [await generateJwk('ES256', 'old'), decrypting] });
    const signer = signerOf(secrets, { alg: undefined });
    const { kid } = await signer.rotate();
    pass(15 * MINUTE);
    expect(await kidOf(signer)).toBe(kid);
  });

  it('a public key whose time has not come is not taken for the next one', async () => {
    const secrets = createMemoryStore();
    const { d: _, ...half } = await generateJwk('ES256', 'partner');
    const partner = { ...half, nbf: START + DAY };
    await put(secrets, { keys: [await generateJwk('ES256', 'old'), partner] });
    const signer = signerOf(secrets);
    expect((await signer.rotate()).kid).not.toBe('partner');
  });

  it('a signer that looks more rarely than publishAhead is refused, or publishes the next key before it signs', async () => {
    const secrets = withoutWatch(createMemoryStore());
    const { signer } = await withOldKey({}, secrets);
    let other: Signer;
    try {
      other = signerOf(secrets, { refreshInterval: '12h' });
    } catch (error) {
      expect(error).toMatchObject({ name: 'ConfigError', path: 'refreshInterval' });
      return;
    }
    await other.ready();
    const { kid } = await signer.rotate();
    pass(15 * MINUTE);
    expect(await kidOf(signer)).toBe(kid);
    // It is what verifiers may ask.
    expect(await publishedBy(other)).toContain(kid);
  });
});

describe('retire()', () => {
  it('says of each key that signs no more when it can go, and lets it go then', async () => {
    const { signer, secrets } = await withOldKey();
    expect(await signer.retire()).toEqual({ dropped: [], kept: [] });
    const { kid } = await signer.rotate();
    const end = START + 15 * MINUTE + 2 * HOUR + HOUR + MINUTE;
    expect(await signer.retire()).toEqual({ dropped: [], kept: [{ kid: 'old', safeToDropAt: end }] });
    pass(end - START - 1);
    expect((await signer.retire()).dropped).toEqual([]);
    expect(await kidsOf(secrets)).toEqual(['old', kid]);
    pass(1);
    expect(await signer.retire()).toEqual({ dropped: ['old'], kept: [] });
    expect([await kidsOf(secrets), await publishedBy(signer)]).toEqual([[kid], [kid]]);
    expect(await signer.retire()).toEqual({ dropped: [], kept: [] });
  });

  it('waits for what this process has signed, also beyond what was recorded', async () => {
    const { signer, secrets } = await withOldKey({ expiresIn: '30d' });
    const token = await signer.sign({});
    const { exp = 0 } = decodeJwt(token);
    expect(exp).toBe(START + 30 * DAY);
    const report = { kid: 'old', alg: 'ES256', signsFrom: undefined, greatestExp: exp };
    expect(signer.report().keys).toEqual([report]);
    await signer.sign({}, { expiresIn: '1h' });
    expect(signer.report().keys[0]?.greatestExp).toBe(exp);
    // Recorded by another process, whose tokens live shorter.
    await signerOf(secrets, { expiresIn: '5m' }).rotate();
    pass(29 * DAY);
    expect(await signer.retire()).toEqual({ dropped: [], kept: [{ kid: 'old', safeToDropAt: exp }] });
    const verifier = verifierBySecret(secrets);
    await verifier.verify(token);
    pass(DAY);
    expect((await signer.retire()).dropped).toEqual(['old']);
  });

  it('a process that has the longer life does not sign beyond what was recorded', async () => {
    const { signer, secrets } = await withOldKey({ expiresIn: '30d' });
    await signerOf(secrets, { expiresIn: '5m' }).rotate();
    await signer.ready();
    await vi.waitFor(async () =>
      expect((await rejectionOf(signer.sign({}))).message).toMatch(
        /^signer: the token would outlive its key/,
      ),
    );
    await signer.sign({}, { expiresIn: '1h' });
    pass(15 * MINUTE);
    await signer.sign({});
  });

  it('keys whose tokens never expire are kept for ever', async () => {
    const { signer, secrets } = await withOldKey({ expiresIn: undefined, requireExp: false });
    await signer.sign({});
    const { kid } = await signer.rotate();
    expect((await documentOf(secrets)).keys[0]).not.toHaveProperty('exp');
    pass(3_650 * DAY);
    expect(await signer.retire()).toEqual({ dropped: [], kept: [] });
    expect(await kidOf(signer)).toBe(kid);
    expect(await publishedBy(signer)).toEqual(['old', kid]);
  });

  it('a token that never expires keeps its key here, whatever another process has recorded', async () => {
    const { signer, secrets } = await withOldKey({ expiresIn: undefined, requireExp: false });
    await signer.sign({});
    await signerOf(secrets).rotate();
    pass(365 * DAY);
    const kept = [{ kid: 'old', safeToDropAt: Number.POSITIVE_INFINITY }];
    expect(await signer.retire()).toEqual({ dropped: [], kept });
  });

  it('leaves an empty secret empty', async () => {
    const secrets = createMemoryStore();
    expect(await signerOf(secrets).retire()).toEqual({ dropped: [], kept: [] });
    expect(await secrets.read(REFERENCE, NEVER)).toBeUndefined();
  });

  it('drops several at once, and touches nothing else', async () => {
    const { signer, secrets } = await withOldKey();
    const kids: string[] = [];
    for (let round = 0; round < 4; round++) {
      kids.push((await signer.rotate()).kid!);
      pass(20 * MINUTE);
    }
    expect((await signer.retire()).kept.map(({ kid }) => kid)).toEqual(['old', ...kids.slice(0, 3)]);
    pass(DAY);
    expect((await signer.retire()).dropped).toEqual(['old', ...kids.slice(0, 3)]);
    expect(await kidsOf(secrets)).toEqual(kids.slice(3));
  });
});

describe('what the next key is', () => {
  it.each(['ES256', 'ES512', 'EdDSA', 'HS256', 'HS512', 'RS256'] as const)(
    'of the kind of the last one: %s',
    async (alg) => {
      const secrets = createMemoryStore();
      await put(secrets, { keys: [await generateJwk(alg, 'old')] });
      const signer = signerOf(secrets, { alg: undefined });
      const { kid } = await signer.rotate();
      const [old, next] = (await documentOf(secrets)).keys;
      expect([next?.kty, next?.alg, next?.kid]).toEqual([old?.kty, alg, kid]);
      const token = await signer.sign({});
      pass(15 * MINUTE);
      const verifier = verifierBySecret(secrets);
      const nextToken = await signer.sign({});
      expect(decodeProtectedHeader(nextToken)).toMatchObject({ alg, kid });
      await verifier.verify(token);
      await verifier.verify(nextToken);
    },
  );

  it('alg is required where no key says it', async () => {
    const secrets = createMemoryStore();
    const signer = signerOf(secrets, { alg: undefined });
    expect(await rejectionOf(signer.rotate())).toMatchObject({ name: 'ConfigError', path: 'alg' });
    expect(await secrets.read(REFERENCE, NEVER)).toBeUndefined();
  });

  it('an external secret is rotated in the other store', async () => {
    const externalSecrets = createMemoryStore();
    const where = { externalSecret: { name: REFERENCE.name }, externalSecrets };
    const signer = closing(createSigner({ ...where, alg: 'ES256', expiresIn: '1h', clock }));
    const { kid } = await signer.rotate();
    expect(await kidsOf(externalSecrets)).toEqual([kid]);
  });
});

describe('keys that cannot be rotated here', () => {
  const store = createMemoryStore();
  const readOnly: SecretStore = { description: 'read only', read: store.read };
  const secret = { name: 's' };

  it.each<[title: string, options: object, path: string]>([
    ['behind a URL', { jwkUrl: 'https://keys.example/', kid: 'k' }, 'jwkUrl'],
    [
      'in the deprecated list',
      { keys: [{ keyId: 'k', algorithm: 'ES256', secret }], secrets: store },
      'keys',
    ],
    ['pem has no place for two', { secret: { name: 's', format: 'pem' }, secrets: store }, 'secret.format'],
    [
      'symmetric has no place for two',
      { secret: { name: 's', format: 'symmetric' }, secrets: store },
      'secret.format',
    ],
    [
      'external pem',
      { externalSecret: { name: 's', format: 'pem' }, externalSecrets: store },
      'externalSecret.format',
    ],
    [
      'external symmetric',
      { externalSecret: { name: 's', format: 'symmetric' }, externalSecrets: store },
      'externalSecret.format',
    ],
    ['pinned to one by kid', { secret, secrets: store, kid: 'k' }, 'kid'],
    ['in a store that cannot be written', { secret, secrets: readOnly }, 'secrets'],
    [
      'in an external store that cannot be written',
      { externalSecret: secret, externalSecrets: readOnly },
      'externalSecrets',
    ],
  ])('ConfigError: %s', async (_, options, path) => {
    const signer = closing(createSigner({ expiresIn: '1h', alg: 'ES256', ...options } as SignerOptions));
    for (const move of [signer.rotate, signer.retire])
      expect((await configRejectionOf(move())).path).toBe(path);
  });

  it('ConfigError: in the options', async () => {
    const jwks = { keys: [await generateJwk('ES256', 'k')] };
    const signer = closing(createSigner({ expiresIn: '1h', alg: 'ES256', jwks }));
    for (const move of [signer.rotate, signer.retire])
      expect((await configRejectionOf(move())).path).toBe('jwks');
  });

  it('beyond what a set may hold is refused, and the set is read on', async () => {
    const secrets = createMemoryStore();
    const { kid: _, ...one } = publicJwk(await generateJwk('EdDSA', 'k'))!;
    await put(secrets, { keys: Array.from({ length: MAX_KEYS - 1 }, (_, n) => ({ ...one, kid: `k${n}` })) });
    const signer = signerOf(secrets);
    await signer.rotate();
    pass(HOUR);
    const before = await documentOf(secrets);
    expect(before.keys).toHaveLength(MAX_KEYS);
    expect((await rejectionOf(signer.rotate())).message).toMatch(/retire\(\) first/);
    expect(await documentOf(secrets)).toEqual(before);
    await expect(kidOf(signerOf(secrets))).resolves.toBe(before.keys.at(-1)?.kid);
  });

  it('beyond the bytes of a secret is refused, whatever the store would take', async () => {
    const secrets = createMemoryStore();
    const signer = signerOf(secrets);
    await signer.rotate();
    const document = await documentOf(secrets);
    await put(secrets, { ...document, note: 'x'.repeat(MAX_SECRET_BYTES - 500) });
    pass(HOUR);
    expect((await rejectionOf(signer.rotate())).message).toMatch(/longer than 524288 bytes/);
    await expect(kidOf(signerOf(secrets))).resolves.toBe(document.keys[0]?.kid);
  });

  it.each([
    ['a text', 'hello'],
    ['a list', '[]'],
    ['no set', '{"kty":"EC"}'],
    ['a set of what is no key', '{"keys":[7]}'],
    ['a set cut off', '{"keys":[{"kty":"EC","d":"hunter2hunter2'],
    ['a set that says things twice', '{"keys":[],"keys":[]}'],
  ])('%s is left as it is', async (_, text) => {
    const secrets = createMemoryStore({ signing: { 'jwks.json': text } });
    const signer = signerOf(secrets);
    for (const move of [signer.rotate, signer.retire]) {
      const error = await rejectionOf(move());
      expect(isAuthError(error)).toBe(false);
      expect(String(error)).not.toContain('hunter2');
    }
    expect(Buffer.from((await secrets.read(REFERENCE, NEVER))!).toString()).toBe(text);
  });

  it('a key without a kid is not called “undefined” when it is dropped', async () => {
    const secrets = createMemoryStore();
    const { kid: _, ...old } = await generateJwk('ES256', 'old');
    await put(secrets, { keys: [old] });
    const signer = signerOf(secrets);
    await signer.rotate();
    pass(DAY);
    expect((await signer.retire()).dropped).not.toContain('undefined');
  });
});
