// A kept token and the keys of its keyset: a kept token is as good as the key that verified it.
import './counted.ts';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateSigningKey, mint } from '@latchkey/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type AuthenticatorOptions, createMemoryStore, type KeysetOptions } from '../../src/index.ts';
import type { LegacyKeyOptions } from '../../src/keysets/legacy-options.ts';
import { startIssuer } from '../support/authenticators.ts';
import { defined } from '../support/defined.ts';
import { nextEvent } from '../support/observed.ts';
import { ask, askByRequest, build, outcome, publish, serve } from './kept.ts';
import { AUDIENCE, ISSUER, jwk, one, REF, SOON, secret, setOf, sign, two } from './mac-tokens.ts';

const [first, second] = [jwk(one, 'one'), jwk(two, 'two')];

describe('T-145, R3: the key of a kept token', () => {
  /** The first key, for each algorithm that its keyset allows. */
  const any = jwk(one, 'one', null);
  const keySets: readonly KeysetOptions[] = [
    { issuer: ISSUER, secret: { name: REF.name }, allowedAlgorithms: ['HS256', 'HS512'] },
  ];

  it.each<[title: string, after: string, expected: string]>([
    ['the same set, written again', setOf(any), 'kept'],
    ['another key joins', setOf(second, any), 'kept'],
    ['it is gone', setOf(second), 'token_key_unknown'],
    ['all are gone', setOf(), 'token_key_unknown'],
    ['another key has its kid', setOf(jwk(two, 'one', null)), 'token_signature_invalid'],
    ['it has another kid', setOf(jwk(one, 'uno', null)), 'token_key_unknown'],
    ['it has no kid', setOf(jwk(one, undefined, null)), 'token_key_unknown'],
    ['it is for another algorithm', setOf(jwk(one, 'one', 'HS512')), 'token_algorithm_refused'],
    ['it is for the algorithm of the token alone', setOf(jwk(one, 'one', 'HS256')), 'kept'],
    ['it is for another use', setOf({ ...any, use: 'enc' }), 'token_key_unknown'],
    ['it may not verify', setOf({ ...any, key_ops: ['sign'] }), 'token_key_unknown'],
  ])('T-145: %s', async (_, after, expected) => {
    const { authenticator, store } = serve(setOf(any, second), { keySets });
    const token = sign();
    expect(await ask(authenticator, token, token)).toBe('verified kept');
    await publish(store, after);
    expect(await ask(authenticator, token)).toBe(expected);
    expect(await askByRequest(authenticator, token)).toBe(expected);
    // Once the key is published again, it verifies again.
    await publish(store, setOf(any));
    expect(await outcome(authenticator.verify(token))).toBe('accepted');
    expect(await ask(authenticator, token)).toBe('kept');
  });

  it('T-145: many refreshes with the same key: verified once', async () => {
    const { authenticator, store } = serve();
    const token = sign();
    expect(await ask(authenticator, token)).toBe('verified');
    for (let round = 0; round < 20; round++) {
      await publish(store, setOf(jwk(secret(), `n${round}`), first));
      expect(await ask(authenticator, token)).toBe('kept');
    }
  });

  it('T-145: a set that cannot be read changes nothing; the next good set does', async () => {
    const { authenticator, store } = serve();
    const token = sign();
    await authenticator.verify(token);
    const failed = nextEvent('latchkey:keyset:failed');
    store.set(REF, 'junk');
    await failed;
    expect(await ask(authenticator, token)).toBe('kept');
    await publish(store, setOf(second));
    expect(await ask(authenticator, token)).toBe('token_key_unknown');
  });

  it('T-145: a token without a kid, and the order changes', async () => {
    const [a, b] = [jwk(one), jwk(two)];
    const { authenticator, store } = serve(setOf(a, b));
    const token = sign({}, { kid: undefined });
    expect(await ask(authenticator, token, token)).toBe('verified kept');
    await publish(store, setOf(b, a));
    const invalid = 'token_signature_invalid';
    expect(await ask(authenticator, token, token)).toBe(`${invalid} ${invalid}`);
    await publish(store, setOf(a, b));
    expect(await ask(authenticator, token, token)).toBe('verified kept');
    await publish(store, setOf(a, b));
    expect(await ask(authenticator, token, token)).toBe('kept kept');
  });

  it('T-145: the deprecated list: a key is replaced, and the others are not', async () => {
    const keys: readonly LegacyKeyOptions[] = [
      { keyId: 'one', issuer: ISSUER, algorithm: 'HS256', secret: { name: 'a' } },
      { keyId: 'two', issuer: 'https://b.example', algorithm: 'HS256', secret: { name: 'b' } },
    ];
    const store = createMemoryStore({ a: { 'secret.key': one }, b: { 'secret.key': two } });
    const authenticator = build({ keySets: [], keys, secrets: store });
    const byFirst = [sign(), sign({}, { kid: undefined }), sign({ iss: undefined })];
    const all = [...byFirst, sign({ iss: 'https://b.example' }, { kid: 'two' }, two)];
    expect(await ask(authenticator, ...all)).toBe('verified verified verified verified');
    expect(await ask(authenticator, ...all)).toBe('kept kept kept kept');
    const read = nextEvent('latchkey:keyset:refreshed');
    store.set({ name: 'a', key: 'secret.key' }, secret());
    await read;
    const bad = 'token_signature_invalid';
    expect(await ask(authenticator, ...all)).toBe(`${bad} ${bad} ${bad} kept`);
  });

  it('T-145: jwksUrl: a key is taken back', async () => {
    const issuer = await startIssuer({ audience: AUDIENCE });
    const { issuer: iss, jwksUrl } = issuer;
    const authenticator = build({ keySets: [{ issuer: iss, jwksUrl, allowHttp: true }], clock: Date });
    const token = await issuer.mint();
    expect(await ask(authenticator, token, token)).toBe('verified kept');
    issuer.publish([]);
    expect(await ask(authenticator, token)).toBe('kept');
    // An unknown kid causes a fetch.
    expect(await ask(authenticator, await issuer.mint({}, { kid: 'unknown' }))).toBe('token_key_unknown');
    expect(await ask(authenticator, token)).toBe('token_key_unknown');
  });

  it('T-145: useOidcDiscovery: the same key after a fetch, then another key with its kid', async () => {
    const issuer = await startIssuer({ audience: AUDIENCE });
    vi.useFakeTimers({ toFake: ['performance'] });
    const keySets = [{ issuer: issuer.issuer, useOidcDiscovery: true, allowHttp: true }] as const;
    const authenticator = build({ keySets, clock: Date });
    const token = await issuer.mint();
    expect(await ask(authenticator, token, token)).toBe('verified kept');
    const unknown = await issuer.mint({}, { kid: 'unknown' });
    expect(await ask(authenticator, unknown)).toBe('token_key_unknown');
    expect(issuer.requests.jwks).toBe(2);
    expect(await ask(authenticator, token)).toBe('kept');
    const another = await generateSigningKey('ES256', issuer.key.kid);
    issuer.publish([another.publicJwk]);
    vi.advanceTimersByTime(10_000);
    expect(await ask(authenticator, unknown)).toBe('token_key_unknown');
    expect(issuer.requests.jwks).toBe(3);
    expect(await ask(authenticator, token)).toBe('token_signature_invalid');
  });

  it('T-145: jku: each URL has its own keys, and a key that is gone there is gone here', async () => {
    const issuers = [
      await startIssuer({ audience: AUDIENCE }),
      await startIssuer({ audience: AUDIENCE }),
    ] as const;
    vi.useFakeTimers({ toFake: ['performance'] });
    const jwksHosts = issuers.map(({ jwksUrl }) => new URL(jwksUrl).host);
    const keySets = [{ issuer: ISSUER, jwksHosts, allowHttp: true, unsafeAllowPrivateAddresses: true }];
    const authenticator = build({ keySets, clock: Date });
    const tokens = await Promise.all(
      issuers.map((issuer) => issuer.mint({ iss: ISSUER }, { jku: issuer.jwksUrl })),
    );
    expect(await ask(authenticator, ...tokens, ...tokens)).toBe('verified verified kept kept');
    issuers[0].publish([]);
    vi.advanceTimersByTime(10_000);
    const unknown = await issuers[0].mint({ iss: ISSUER }, { kid: 'x', jku: issuers[0].jwksUrl });
    expect(await ask(authenticator, unknown)).toBe('token_key_unknown');
    expect(await ask(authenticator, ...tokens)).toBe('token_key_unknown kept');
  });

  it('T-145: publicKeys: a file is replaced, and tokens of the other key stay in the cache', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const [primary, backup, next] = [pair(), pair(), pair()];
    const place = async (name: string, { publicKey }: typeof primary) => {
      await writeFile(join(folder, 'tmp'), publicKey.export({ type: 'spki', format: 'pem' }));
      await rename(join(folder, 'tmp'), join(folder, name));
    };
    await place('primary.pem', primary);
    await place('backup.pem', backup);
    const publicKeys = ['primary.pem', 'backup.pem'].map((name) => ({
      file: join(folder, name),
      algorithm: 'ES256' as const,
    }));
    const authenticator = build({ keySets: [{ issuer: ISSUER, publicKeys }] });
    const by = ({ privateKey }: typeof primary, kid?: string) =>
      mint(
        { alg: 'ES256', kid: '', privateKey, publicJwk: {} } as never,
        { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: SOON },
        { kid },
      );
    const tokens = [await by(primary, 'any'), await by(primary), await by(backup, 'any'), await by(backup)];
    expect(await ask(authenticator, ...tokens)).toBe('verified verified verified verified');
    expect(await ask(authenticator, ...tokens)).toBe('kept kept kept kept');
    const removed = nextEvent('latchkey:keyset:key-removed');
    await place('primary.pem', next);
    await removed;
    // A token without a kid is verified again whenever the set changes.
    const bad = 'token_signature_invalid';
    await vi.waitFor(async () => expect(await ask(authenticator, ...tokens)).toMatch(`${bad} ${bad} `));
    expect(await ask(authenticator, ...tokens)).toBe(`${bad} ${bad} kept kept`);
  });
});

describe('T-145: two keysets of one issuer', () => {
  /** An authenticator over two keysets with these keys and options, and the store of the keys. */
  function serveTwo(
    keys: readonly [string, string],
    more: readonly [object, object] = [{}, {}],
    options: Partial<AuthenticatorOptions> = {},
  ) {
    const store = createMemoryStore({ a: { [REF.key]: keys[0] }, b: { [REF.key]: keys[1] } });
    const keySets: readonly KeysetOptions[] = [
      { issuer: ISSUER, secret: { name: 'a' }, ...more[0] },
      { issuer: ISSUER, secret: { name: 'b' }, ...more[1] },
    ];
    const put = (name: 'a' | 'b', keys: string) => publish(store, keys, { name, key: REF.key });
    return { authenticator: build({ keySets, secrets: store, ...options }), put };
  }

  it('T-145: the second keyset loses the key, and the first one has it', async () => {
    const { authenticator, put } = serveTwo([setOf(first), setOf(second)]);
    const token = sign({}, { kid: 'two' }, two);
    expect(await ask(authenticator, token, token)).toBe('verified kept');
    await put('a', setOf(second));
    await put('b', setOf());
    expect(await ask(authenticator, token, token)).toBe('verified kept');
    await put('a', setOf());
    expect(await ask(authenticator, token)).toBe('token_key_unknown');
  });

  // A token without a kid belongs to the first keyset that has a key for its algorithm.
  it.each([undefined, false] as const)(
    'T-145: a token without a kid, and the first keyset gets a key for it: cache %s',
    async (cache) => {
      const before = setOf(jwk(two, 'two', 'HS512'));
      const { authenticator, put } = serveTwo([before, setOf(first)], undefined, defined({ cache }));
      const token = sign({}, { kid: undefined });
      expect(await outcome(authenticator.verify(token))).toBe('accepted');
      await put('a', setOf(jwk(two, 'two', 'HS256')));
      expect(await outcome(authenticator.verify(token))).toBe('token_signature_invalid');
    },
  );

  // The first keyset that has the key of a token decides whether the token is of the system.
  it.each([undefined, false] as const)(
    'D16, T-145: a token of the system, and a keyset not of the system gets its key: cache %s',
    async (cache) => {
      const keys = [setOf(second), setOf(first)] as const;
      const options = { systemSubject: 'system', ...defined({ cache }) };
      const { authenticator, put } = serveTwo(keys, [{}, { system: true }], options);
      const token = sign({ sub: 'system' });
      expect(await outcome(authenticator.verify(token))).toBe('accepted');
      await put('a', setOf(first));
      expect(await outcome(authenticator.verify(token))).toBe('token_claims_invalid');
    },
  );
});
