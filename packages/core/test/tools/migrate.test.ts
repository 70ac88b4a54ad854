// The way out of the deprecated keys: the same decisions before and after, and nothing that is lost
// on the way.
import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign as signBytes } from 'node:crypto';
import { seeded } from '@latchkey/test-kit/random';
import { forge } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { parseDescriptor } from '../../src/descriptor/document.ts';
import { loadText } from '../../src/descriptor/load.ts';
import { ConfigError, isAuthError } from '../../src/errors.ts';
import { createMemoryStore, type MemoryStore } from '../../src/secrets/store.ts';
import { createSigner } from '../../src/signing/signer.ts';
import type { AlgorithmName } from '../../src/token/algorithms.ts';
import { finishMigration, type Migration, planMigration } from '../../src/tools/migrate.ts';

const FILE = 'service.yaml';
const ENVIRONMENT = { ISSUER_A: 'https://a.example' };
const SIGNAL = new AbortController().signal;

type Half = 'pair' | 'public' | 'private';

interface PoolKey {
  readonly algorithm: AlgorithmName;
  sign(input: Buffer): Buffer;
  entries(half: Half): Readonly<Record<string, string | Uint8Array>>;
}

function asymmetric(
  algorithm: AlgorithmName,
  hash: string | null,
  pair: { privateKey: KeyObject; publicKey: KeyObject },
): PoolKey {
  const privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return {
    algorithm,
    sign: (input) => signBytes(hash, input, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }),
    entries: (half) => ({
      ...(half === 'public' ? {} : { 'private.key': privatePem }),
      ...(half === 'private' ? {} : { 'public.key': publicPem }),
    }),
  };
}

function symmetric(algorithm: AlgorithmName, hash: string): PoolKey {
  const secret = Buffer.concat([randomBytes(63), Buffer.from('!')]);
  return {
    algorithm,
    sign: (input) => createHmac(hash, secret).update(input).digest(),
    entries: () => ({ 'secret.key': secret }),
  };
}

const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const POOL: readonly PoolKey[] = [
  asymmetric('RS256', 'sha256', rsa()),
  asymmetric('RS256', 'sha256', rsa()),
  asymmetric('RS512', 'sha512', rsa()),
  asymmetric('ES256', 'sha256', ec()),
  asymmetric('ES256', 'sha256', ec()),
  asymmetric('EdDSA', null, generateKeyPairSync('ed25519')),
  symmetric('HS256', 'sha256'),
  symmetric('HS256', 'sha256'),
  symmetric('HMD5', 'md5'),
];

interface ListedKey {
  readonly keyId: string;
  /** As it is written. */
  readonly issuer: string | undefined;
  readonly key: PoolKey;
  readonly half: Half;
}

/** A list as a descriptor, and its secrets. */
function setUp(
  list: readonly ListedKey[],
  more: Record<string, unknown> = {},
): { text: string; store: MemoryStore } {
  const keys = list.map(({ keyId, issuer, key }) => ({
    keyId,
    ...(issuer === undefined ? {} : { issuer }),
    algorithm: key.algorithm,
    secret: { name: `old-${keyId}` },
    ...(key.algorithm === 'HMD5' ? { unsafeLegacyAlgorithms: ['HMD5'] } : {}),
  }));
  const text = JSON.stringify({ name: 'shop', service: { jwt: { ...more, audience: null, keys } } }, null, 2);
  const stored = Object.fromEntries(list.map(({ keyId, key, half }) => [`old-${keyId}`, key.entries(half)]));
  return { text, store: createMemoryStore(stored) };
}

const optionsFor = (store: MemoryStore) => ({ store, prefix: 'shop', environment: ENVIRONMENT });

async function migrate(
  text: string,
  store: MemoryStore,
): Promise<{ plan: Migration; between: string; after: string }> {
  const plan = await planMigration(parseDescriptor(text, FILE), optionsFor(store));
  if (plan === undefined) throw new Error('nothing to migrate');
  for (const { reference, bytes } of plan.secrets) store.set(reference, bytes);
  const after = await finishMigration(parseDescriptor(plan.text, FILE), optionsFor(store));
  return { plan, between: plan.text, after };
}

function authenticatorOf(text: string, store: MemoryStore) {
  return createAuthenticator(
    loadText(text, { descriptor: FILE, secrets: store, environment: ENVIRONMENT }).loaded.options,
  );
}

interface TokenParts {
  readonly key: PoolKey;
  readonly kid: string | undefined;
  readonly iss: string | undefined;
}

function tokenOf({ key, kid, iss }: TokenParts): string {
  return forge({
    header: { alg: key.algorithm, ...(kid === undefined ? {} : { kid }) },
    payload: { ...(iss === undefined ? {} : { iss }), sub: 'ada', exp: Math.floor(Date.now() / 1000) + 600 },
    signature: (input) => key.sign(input),
  });
}

/** 200, or the status of the refusal. */
async function statusOf(
  authenticator: ReturnType<typeof createAuthenticator>,
  token: string,
): Promise<number> {
  try {
    await authenticator.verify(token);
    return 200;
  } catch (error) {
    if (isAuthError(error)) return error.status;
    throw error;
  }
}

/** The same choices at every run. */
function randomOf(seed: number): <T>(items: readonly T[]) => T {
  const next = seeded(seed);
  return (items) => items[Math.floor(next() * items.length)] as never;
}

const effective = (issuer: string | undefined) => (issuer === '${ISSUER_A}' ? ENVIRONMENT.ISSUER_A : issuer);

function randomList(pick: ReturnType<typeof randomOf>): readonly ListedKey[] {
  const pool = [...POOL].sort(() => pick([-1, 1]));
  return pool.slice(0, pick([1, 2, 3, 5, 7])).map((key, index) => ({
    keyId: `k${index}`,
    issuer: pick(
      key.algorithm === 'HMD5'
        ? ['https://a.example', 'b']
        : [undefined, 'https://a.example', '${ISSUER_A}', 'b', undefined],
    ),
    key,
    half: pick(['pair', 'public', 'private', 'pair']),
  }));
}

describe('decisions', () => {
  it.each([1, 2, 3, 4])(
    'S18 are the same before and after, for random lists and tokens (%i)',
    async (seed) => {
      const pick = randomOf(seed);
      const seen = new Map<number, number>();
      for (let round = 0; round < 12; round++) {
        const list = randomList(pick);
        const { text, store } = setUp(list);
        const { between, after } = await migrate(text, store);
        const [old, middle, now] = [text, between, after].map((one) => authenticatorOf(one, store));
        for (let attempt = 0; attempt < 40; attempt++) {
          const key = pick([...list.map((listed) => listed.key), pick(POOL)]);
          const own = list.find((listed) => listed.key === key);
          const parts = {
            key,
            kid: pick([own?.keyId, own?.keyId, undefined, undefined, pick(list).keyId, 'unknown']),
            iss: pick([
              effective(own?.issuer),
              effective(own?.issuer),
              undefined,
              'https://a.example',
              'b',
              'stranger',
            ]),
          };
          const token = tokenOf(parts);
          const [before, during, afterwards] = await Promise.all(
            [old, middle, now].map((authenticator) => statusOf(authenticator as never, token)),
          );
          const about = JSON.stringify({ seed, round, list, parts }, (name, value) =>
            name === 'key' ? value.algorithm : value,
          );
          seen.set(afterwards ?? 0, (seen.get(afterwards ?? 0) ?? 0) + 1);
          expect([before, afterwards], about).toContain(during);
          expect(afterwards, about).toBe(
            parts.iss === undefined ? expectedWithoutIssuer(list, parts) : before,
          );
        }
        await Promise.all([old, middle, now].map((authenticator) => authenticator?.close()));
      }
      // Not all of one kind, or nothing was compared.
      expect(Math.min(seen.get(200) ?? 0, seen.get(401) ?? 0)).toBeGreaterThan(50);
    },
  );

  /** What a keyset without an issuer does: the only difference that there is (D3). */
  function expectedWithoutIssuer(list: readonly ListedKey[], { key, kid }: TokenParts): number {
    const reached = list.filter(({ issuer, half, key: { algorithm } }) => {
      const verifies = half !== 'private' || algorithm.startsWith('H');
      return issuer === undefined && verifies && algorithm === key.algorithm;
    });
    const [first] = kid === undefined ? reached : reached.filter(({ keyId }) => keyId === kid);
    return first?.key === key ? 200 : 401;
  }
});

const [RSA, RSA_2, , EC, , , HS] = POOL as [PoolKey, PoolKey, PoolKey, PoolKey, PoolKey, PoolKey, PoolKey];

describe('keysets', () => {
  const list: readonly ListedKey[] = [
    { keyId: 'a1', issuer: 'https://a.example/', key: RSA, half: 'pair' },
    { keyId: 'n1', issuer: undefined, key: HS, half: 'pair' },
    { keyId: 'a2', issuer: 'https://a.example/', key: EC, half: 'public' },
    { keyId: 'b1', issuer: 'partner', key: RSA_2, half: 'private' },
    { keyId: 'n2', issuer: undefined, key: POOL[5] as PoolKey, half: 'public' },
  ];

  it('AK-27 are one for each issuer, in the order of the list, and one for the keys without', async () => {
    const { text, store } = setUp(list);
    const { plan, after } = await migrate(text, store);
    const { jwt } = parseDescriptor(after, FILE);
    expect(jwt.keys).toBeUndefined();
    expect(jwt.keySets).toEqual([
      {
        issuer: 'https://a.example/',
        secret: { name: expect.stringMatching(/^shop-a-example-[0-9a-f]{8}$/), key: 'jwks.json' },
        allowedAlgorithms: ['RS256', 'ES256'],
      },
      {
        secret: { name: 'shop-any-issuer', key: 'jwks.json' },
        allowedAlgorithms: ['HS256', 'EdDSA'],
        unsafeOtherIssuers: true,
      },
      { issuer: 'partner', secret: { name: 'shop-partner', key: 'jwks.json' }, allowedAlgorithms: ['RS256'] },
    ]);
    expect(plan.keySets.map(({ keyIds }) => keyIds)).toEqual([['a1', 'a2'], ['n1', 'n2'], ['b1']]);
  });

  it('AK-27 hold private halves where there are any, and public ones where not', async () => {
    const { text, store } = setUp(list);
    const { plan } = await migrate(text, store);
    const [{ secretName = '' } = {}] = plan.keySets;
    const jwks = JSON.parse(
      Buffer.from((await store.read({ name: secretName, key: 'jwks.json' }, SIGNAL)) ?? []).toString(),
    );
    expect(jwks.keys.map((key: Record<string, unknown>) => [key.kid, key.alg, 'd' in key])).toEqual([
      ['a1', 'RS256', true],
      ['a2', 'ES256', false],
    ]);
    const signer = createSigner({ secret: { name: secretName }, secrets: store, expiresIn: '1h', kid: 'a1' });
    expect(await signer.sign({ iss: 'https://a.example/', sub: 'ada' })).toMatch(/^ey/);
    await signer.close();
  });

  it('S20 a private key alone goes on signing, and goes on verifying nothing', async () => {
    const { text, store } = setUp(list);
    const { plan, after } = await migrate(text, store);
    expect(plan.keySets.map(({ signingKeyIds }) => signingKeyIds)).toEqual([[], [], ['b1']]);
    const signer = createSigner({
      secret: { name: 'shop-partner', key: 'signing.json' },
      secrets: store,
      expiresIn: '1h',
    });
    const authenticator = authenticatorOf(after, store);
    expect(await statusOf(authenticator, await signer.sign({ iss: 'partner', sub: 'ada' }))).toBe(401);
    await Promise.all([signer.close(), authenticator.close()]);
  });

  it('AK-29 a variable in an issuer goes on being one', async () => {
    const { text, store } = setUp([{ keyId: 'a', issuer: '${ISSUER_A}', key: RSA, half: 'pair' }]);
    const { after, plan } = await migrate(text, store);
    expect(parseDescriptor(after, FILE).jwt.keySets).toMatchObject([{ issuer: '${ISSUER_A}' }]);
    expect(plan.keySets).toMatchObject([{ issuer: ENVIRONMENT.ISSUER_A }]);
  });

  it('D1 keep what was asked for explicitly', async () => {
    const { text, store } = setUp([{ keyId: 'old', issuer: 'b', key: POOL[8] as PoolKey, half: 'pair' }]);
    const { after } = await migrate(text, store);
    expect(parseDescriptor(after, FILE).jwt.keySets).toMatchObject([
      { allowedAlgorithms: ['HMD5'], unsafeLegacyAlgorithms: ['HMD5'] },
    ]);
  });

  it('AK-27 have secrets with names of their own, whatever issuers are called', async () => {
    const issuers = [
      'https://a.example',
      'https://a.example/',
      'a-example',
      'any-issuer',
      '日本',
      '../..',
      'A-Example',
      undefined,
    ];
    const { text, store } = setUp(
      issuers.map((issuer, index) => ({ keyId: `k${index}`, issuer, key: RSA, half: 'public' as const })),
    );
    const { plan } = await migrate(text, store);
    const names = plan.keySets.map(({ secretName }) => secretName);
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(issuers.length);
    for (const name of names) expect(name).toMatch(/^shop-[a-z0-9-]+$/);
    // Alone or with others: the same, or a run that was stopped would not be taken up again.
    const alone = setUp([{ keyId: 'k0', issuer: 'https://a.example', key: RSA, half: 'public' }]);
    expect((await migrate(alone.text, alone.store)).plan.keySets[0]?.secretName).toBe(names[0]);
  });
});

describe('a second run', () => {
  const list: readonly ListedKey[] = [
    { keyId: 'a', issuer: 'a', key: RSA, half: 'pair' },
    { keyId: 'b', issuer: 'b', key: HS, half: 'pair' },
  ];

  it('S18 has nothing to do', async () => {
    const { text, store } = setUp(list);
    const { after } = await migrate(text, store);
    expect(await planMigration(parseDescriptor(after, FILE), optionsFor(store))).toBeUndefined();
  });

  it('S18 takes as done what a run before it has done', async () => {
    const { text, store } = setUp(list);
    const { plan, after } = await migrate(text, store);
    const again = await planMigration(parseDescriptor(plan.text, FILE), optionsFor(store));
    expect(again?.secrets).toEqual([]);
    expect(again?.text).toBe(plan.text);
    expect(await finishMigration(parseDescriptor(again?.text ?? '', FILE), optionsFor(store))).toBe(after);
  });
});

describe('stops, with everything as it was', () => {
  const one: ListedKey = { keyId: 'a', issuer: 'a', key: RSA, half: 'pair' };
  const reasonOf = (text: string, store: MemoryStore) =>
    planMigration(parseDescriptor(text, FILE), optionsFor(store)).then(
      () => 'planned',
      (error: unknown) => (error instanceof ConfigError ? error.message : String(error)),
    );

  it('S18 before a secret that holds something else', async () => {
    const { text, store } = setUp([one]);
    store.set({ name: 'shop-a', key: 'jwks.json' }, '{"keys":[]}');
    expect(await reasonOf(text, store)).toMatch(/^service\.yaml:\d+:\d+: keys: .*shop-a.*--secret-prefix/);
  });

  it('S18 before a keyset of that secret that is another one', async () => {
    const keySets = [{ issuer: 'other', secret: { name: 'shop-a' } }];
    const { text, store } = setUp([one], { keySets });
    expect(await reasonOf(text, store)).toMatch(/keySets\[0\].*--secret-prefix/);
  });

  it.each<[string, (store: MemoryStore) => void, RegExp]>([
    [
      'that is not there',
      (store) => {
        store.set({ name: 'old-a', key: 'public.key' }, undefined);
        store.set({ name: 'old-a', key: 'private.key' }, undefined);
      },
      /no entry public\.key or private\.key/,
    ],
    [
      'of two pairs',
      (store) => store.set({ name: 'old-a', key: 'private.key' }, RSA_2.entries('private')['private.key']),
      /does not match/,
    ],
    [
      'of another type',
      (store) => store.set({ name: 'old-a', key: 'public.key' }, EC.entries('public')['public.key']),
      /does not fit/,
    ],
    ['that is no PEM', (store) => store.set({ name: 'old-a', key: 'public.key' }, 'hello'), /one PEM block/],
    [
      'that is weak',
      (store) => {
        const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
        store.set({ name: 'old-a', key: 'private.key' }, undefined);
        store.set(
          { name: 'old-a', key: 'public.key' },
          publicKey.export({ type: 'spki', format: 'pem' }).toString(),
        );
      },
      /2048 bits/,
    ],
  ])('D19 at a key %s', async (_what, change, reason) => {
    const { text, store } = setUp([one]);
    change(store);
    expect(await reasonOf(text, store)).toMatch(reason);
    expect(await reasonOf(text, store)).toMatch(/^service\.yaml:\d+:\d+: keys\[0\]: .*fix its secret/);
  });

  it('S18 at one key id with two keys', async () => {
    const { text, store } = setUp([one, { ...one, key: RSA_2 }]);
    expect(await reasonOf(text, store)).toMatch(
      /keys\[1\]\.keyId: expected a unique keyId, got that of keys\[0\]/,
    );
  });

  it('S18 when what was written does not read back as the same', async () => {
    const { text, store } = setUp([one]);
    const plan = await planMigration(parseDescriptor(text, FILE), optionsFor(store));
    const read = () => finishMigration(parseDescriptor(plan?.text ?? '', FILE), optionsFor(store));
    await expect(read()).rejects.toThrow(/nothing was removed/);
    for (const { reference, bytes } of plan?.secrets ?? []) store.set(reference, bytes);
    await expect(finishMigration(parseDescriptor(text, FILE), optionsFor(store))).rejects.toThrow(
      /nothing was removed/,
    );
    store.set({ name: 'shop-a', key: 'jwks.json' }, '{"keys":[]}');
    await expect(read()).rejects.toThrow(ConfigError);
  });
});
