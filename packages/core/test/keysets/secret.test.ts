// A JWK Set in a secret, end to end: where it is looked for, which of its keys verify what, and
// that a store which misbehaves neither grants nor hangs. Stores are the library's own, or objects
// written here where they have to misbehave.
import {
  createHmac,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { forge, generateSigningKey, type MintClaims, mint, type SigningKey } from '@latchkey/testing';
import { generate } from 'selfsigned';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { ConfigError } from '../../src/errors.ts';
import type { LatchkeyEvents } from '../../src/events.ts';
import type { KeysetOptions } from '../../src/keysets/options.ts';
import { createDirectoryStore } from '../../src/secrets/directory.ts';
import { createMemoryStore, type SecretReference, type SecretStore } from '../../src/secrets/store.ts';
import type { AlgorithmName } from '../../src/token/algorithms.ts';
import type { JsonObject } from '../../src/values/json.ts';
import { closing, temporaryFolder } from '../support/closing.ts';
import { eventsOf, nextEvent } from '../support/observed.ts';
import { outcome } from '../support/outcome.ts';

const AUDIENCE = 'https://api.example.com';
const ISSUER = 'internal';
const JWKS: SecretReference = { name: 'internal-jwks', key: 'jwks.json' };

let one: SigningKey;
let two: SigningKey;
/** The documents of these keys. */
let SET_OF_ONE: string;
let SET_OF_TWO: string;

beforeAll(async () => {
  one = await generateSigningKey('ES256', 'one');
  two = await generateSigningKey('ES256', 'two');
  [SET_OF_ONE, SET_OF_TWO] = [one, two].map(({ publicJwk }) => JSON.stringify({ keys: [publicJwk] })) as [
    string,
    string,
  ];
});

let skipped: LatchkeyEvents['latchkey:keyset:key-skipped'][];

beforeEach(() => {
  skipped = eventsOf('latchkey:keyset:key-skipped');
});
afterEach(() => void vi.useRealTimers());

function create(options: Partial<AuthenticatorOptions>): Authenticator {
  return closing(
    createAuthenticator({
      keySets: [{ issuer: ISSUER, secret: { name: JWKS.name } }],
      audience: AUDIENCE,
      ...options,
    }),
  );
}

const storeOf = (text: string | Uint8Array) => createMemoryStore({ [JWKS.name]: { [JWKS.key]: text } });

/** An authenticator over one secret in memory, of this content. */
function over(content: unknown, keyset: Partial<KeysetOptions> = {}): Authenticator {
  const text =
    typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content);
  return create({
    keySets: [{ issuer: ISSUER, secret: { name: JWKS.name }, ...keyset } as KeysetOptions],
    secrets: storeOf(text),
  });
}

function claims(more: MintClaims = {}): MintClaims {
  return { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: 4_000_000_000, ...more };
}

function privateJwk(key: SigningKey): JsonObject {
  return {
    ...(key.privateKey.export({ format: 'jwk' }) as JsonObject),
    kid: key.kid,
    alg: key.alg,
    use: 'sig',
  };
}

function raise(reason: unknown): never {
  throw reason;
}

/** A symmetric key, and its JWK. */
function symmetric(alg: AlgorithmName, bytes: Uint8Array, kid = 'shared') {
  const signing = { alg, kid, privateKey: createSecretKey(bytes), publicJwk: {} } satisfies SigningKey;
  const k = Buffer.from(bytes).toString('base64url');
  return { signing, jwk: { kty: 'oct', k, kid, alg } satisfies JsonObject, bare: { kty: 'oct', k, kid } };
}

/** The reasons for which keys were skipped, each once: a set may be read more than once. */
function reasons(): readonly string[] {
  return [...new Set(skipped.map(({ kid, reason }) => `${kid}: ${reason}`))];
}

async function verified(authenticator: Authenticator, key: SigningKey, header = {}): Promise<string> {
  return outcome(authenticator.verify(await mint(key, claims(), header)));
}

describe('where the document is', () => {
  const EXTERNAL = 'external-secret: a';
  it.each<[title: string, where: KeysetOptions, option: 'secrets' | 'externalSecrets', source: string]>([
    ['AK-14: jwks.json of a secret, by default', { secret: { name: 'a' } }, 'secrets', 'secret: a'],
    ['AK-14: the entry that key names', { secret: { name: 'a', key: 'other.json' } }, 'secrets', 'secret: a'],
    [
      'AK-15: jwks.json of an external secret',
      { externalSecret: { name: 'a' } },
      'externalSecrets',
      EXTERNAL,
    ],
    [
      'AK-15: another entry of one',
      { externalSecret: { name: 'a', key: 'other.json' } },
      'externalSecrets',
      EXTERNAL,
    ],
  ])('%s', async (_, where, option, source) => {
    const keyset: KeysetOptions = { issuer: ISSUER, ...where };
    const key = keyset.secret?.key ?? keyset.externalSecret?.key ?? 'jwks.json';
    const empty = '{"keys":[]}';
    const entries = { 'jwks.json': empty, 'other.json': empty, [key]: SET_OF_ONE };
    const good = createMemoryStore({ a: entries, b: { [key]: empty } });
    const other = createMemoryStore({ a: { [key]: empty } });
    const authenticator = create({
      keySets: [keyset],
      secrets: option === 'secrets' ? good : other,
      externalSecrets: option === 'secrets' ? other : good,
    });
    await authenticator.ready();
    expect(await verified(authenticator, one)).toBe('accepted');
    expect(authenticator.report().keysets).toMatchObject([{ source, kids: ['one'], state: 'fresh' }]);
  });

  it('AK-8, AK-14: a file in a directory', async () => {
    const root = await temporaryFolder();
    await mkdir(join(root, JWKS.name));
    await writeFile(join(root, JWKS.name, JWKS.key), SET_OF_ONE);
    const authenticator = create({ secrets: createDirectoryStore(root) });
    expect(await verified(authenticator, one)).toBe('accepted');
    expect(await verified(authenticator, two)).toBe('token_key_unknown');
  });

  it.each<[title: string, keyset: KeysetOptions, stores: Partial<AuthenticatorOptions>, message: string]>([
    ['no store at all', { secret: { name: 'a' } }, {}, 'secrets'],
    ['only the other store', { secret: { name: 'a' } }, { externalSecrets: createMemoryStore() }, 'secrets'],
    ['no external store', { externalSecret: { name: 'a' } }, {}, 'externalSecrets'],
    [
      'only the other',
      { externalSecret: { name: 'a' } },
      { secrets: createMemoryStore() },
      'externalSecrets',
    ],
  ])('AK-8, T-140: %s is a ConfigError', (_, keyset, stores, option) => {
    const build = () => create({ keySets: [keyset], ...stores });
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(`keySets[0]: expected a secret store; pass one in ${option}`);
  });

  it.each<[path: string, keyset: unknown]>([
    ['keySets[0]', { issuer: ISSUER, secret: { name: 'a' }, externalSecret: { name: 'a' } }],
    ['keySets[0]', { issuer: ISSUER, secret: { name: 'a' }, jwks: { keys: [] } }],
    ['keySets[0].secret.name', { secret: {} }],
    ['keySets[0].secret.name', { secret: { name: '' } }],
    ['keySets[0].secret.name', { secret: { name: '../a' } }],
    ['keySets[0].secret.name', { secret: { name: 'a/b' } }],
    ['keySets[0].secret.key', { secret: { name: 'a', key: '..' } }],
    ['keySets[0].secret.key', { secret: { name: 'a', key: '' } }],
    ['keySets[0].secret.Key', { secret: { name: 'a', Key: 'x' } }],
    ['keySets[0].secret', { secret: 'a' }],
    ['keySets[0].externalSecret.name', { externalSecret: { name: 5 } }],
    ['keySets[0].jwksUrl', { jwksUrl: 'a secret' }],
    ['keySets[0].allowHttp', { secret: { name: 'a' }, allowHttp: true }],
    ['keySets[0].allowedAlgorithms', { secret: { name: 'a' }, allowedAlgorithms: [] }],
    ['keySets[0].allowedAlgorithms[0]', { secret: { name: 'a' }, allowedAlgorithms: ['none'] }],
  ])('T-140: the fault in %s of %j', (path, keyset) => {
    const build = () => create({ keySets: [keyset as KeysetOptions], secrets: createMemoryStore() });
    expect(build).toThrow(expect.objectContaining({ name: 'ConfigError', path }));
  });
});

describe('private keys', () => {
  const PAIRS: readonly AlgorithmName[] = ['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'];
  it.each(PAIRS)('AK-22: a private %s key verifies by its public half', async (alg) => {
    const key = await generateSigningKey(alg, 'k');
    const authenticator = over({ keys: [privateJwk(key)] });
    expect(await verified(authenticator, key)).toBe('accepted');
    const stranger = await generateSigningKey(alg, 'k');
    expect(await verified(authenticator, stranger)).toBe('token_signature_invalid');
  });

  it('AK-22: the one document serves signer and verifier, and its private member is not in the report', async () => {
    const jwk = privateJwk(one);
    const authenticator = over({ keys: [jwk, two.publicJwk] });
    expect(await verified(authenticator, one)).toBe('accepted');
    expect(await verified(authenticator, two)).toBe('accepted');
    expect(JSON.stringify(authenticator.report())).not.toContain(jwk.d);
  });
});

describe('symmetric keys', () => {
  const hmac = [
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ] as const;

  it.each(hmac)('AK-4, AK-14: an oct key that says %s verifies it and nothing else', async (alg, length) => {
    const { jwk, signing } = symmetric(alg, randomBytes(length));
    const authenticator = over({ keys: [jwk] });
    expect(await verified(authenticator, signing)).toBe('accepted');
    for (const [other] of hmac) {
      if (other === alg) continue;
      const token = forgeHmac({ alg: other, kid: 'shared' }, signing.privateKey.export());
      expect(await outcome(authenticator.verify(token))).toBe('token_algorithm_refused');
    }
    const stranger = symmetric(alg, randomBytes(length)).signing;
    expect(await verified(authenticator, stranger)).toBe('token_signature_invalid');
  });

  it.each(hmac)('S8, AK-16: an oct key without alg takes %s from allowedAlgorithms', async (alg, length) => {
    const { bare, signing } = symmetric(alg, randomBytes(length));
    expect(await verified(over({ keys: [bare] }, { allowedAlgorithms: [alg] }), signing)).toBe('accepted');
  });

  it.each(hmac)('S8: an oct key without any algorithm named verifies no %s', async (alg, length) => {
    const { bare, signing } = symmetric(alg, randomBytes(length));
    const authenticator = over({ keys: [bare, one.publicJwk] });
    expect(await verified(authenticator, signing)).toMatch(/^token_(?:key_unknown|algorithm_refused)$/);
    expect(reasons()).toEqual(['shared: no supported and allowed algorithm fits the key']);
    // It does not spoil its neighbours.
    expect(await verified(authenticator, one)).toBe('accepted');
  });

  it('S7, S8: allowedAlgorithms with several hashes ask for a secret as long as the longest', async () => {
    const { bare, signing } = symmetric('HS256', randomBytes(32));
    const authenticator = over({ keys: [bare] }, { allowedAlgorithms: ['HS256', 'HS512'] });
    expect(await verified(authenticator, signing)).not.toBe('accepted');
    expect(reasons()).toEqual(['shared: the secret has 32 bytes; HS512 needs at least 64']);
  });

  it.each<[title: string, bytes: Uint8Array, reason: RegExp]>([
    ['nothing', Buffer.alloc(0), / bytes; HS256 needs at least 32$/],
    ['31 bytes', randomBytes(31), / bytes; HS256 needs at least 32$/],
    ['the word secret', Buffer.from('secret'), / bytes; HS256 needs at least 32$/],
    ['white space', Buffer.alloc(64, ' '), /distinct/],
    ['zeros', Buffer.alloc(64), /distinct/],
    ['one letter', Buffer.alloc(64, 'a'), /distinct/],
    ['a word repeated', Buffer.from('secret'.repeat(20)), /distinct/],
    ['a short pattern', Buffer.from('0123456'.repeat(10)), /distinct/],
  ])('T-033, D19: %s as a secret is refused', async (_, bytes, reason) => {
    const { jwk } = symmetric('HS256', bytes);
    const authenticator = over({ keys: [jwk] });
    const token = forgeHmac({ alg: 'HS256', kid: 'shared' }, bytes);
    expect(await outcome(authenticator.verify(token))).toBe('token_key_unknown');
    expect(reasons()).toEqual([expect.stringMatching(reason)]);
  });

  it.each([
    ['HS256', 31],
    ['HS384', 47],
    ['HS512', 63],
  ] as const)('T-033: %s with %i random bytes is refused', async (alg, length) => {
    const bytes = randomBytes(length);
    const authenticator = over({ keys: [symmetric(alg, bytes).jwk] });
    const token = forgeHmac({ alg, kid: 'shared' }, bytes);
    expect(await outcome(authenticator.verify(token))).toBe('token_key_unknown');
  });

  it.each<[title: string, k: unknown]>([
    ['missing', undefined],
    ['null', null],
    ['a number', 5],
    ['an array', ['a']],
    ['not base64url', `${'a+/='.repeat(12)}`],
    ['padded', `${randomBytes(32).toString('base64')}`],
    ['with spaces', ` ${randomBytes(32).toString('base64url')}`],
  ])('T-033: k that is %s is refused', async (_, k) => {
    const header = { kid: 'shared', alg: 'HS256' };
    const authenticator = over({ keys: [{ kty: 'oct', ...header, ...(k !== undefined && { k }) }] });
    for (const secret of [Buffer.alloc(0), Buffer.from('undefined'), Buffer.from(String(k))])
      expect(await outcome(authenticator.verify(forgeHmac(header, secret)))).toBe('token_key_unknown');
    expect(reasons()).toEqual([expect.stringMatching(/^shared: k is not /)]);
  });
});

/** A token with an HMAC by any bytes, also those that jose would not sign with. */
function forgeHmac(header: { readonly alg: string; readonly kid?: string }, secret: Uint8Array): string {
  const hash = `sha${header.alg.slice(2)}`;
  return forge({
    header,
    payload: claims(),
    signature: (input) => createHmac(hash, secret).update(input).digest(),
  });
}

/** Every way in which a public key is written down and might be taken for a secret (T-018). */
async function formsOf(kind: 'rsa' | 'ec'): Promise<{
  readonly jwk: JsonObject;
  readonly spki: string;
  readonly forms: ReadonlyMap<string, Buffer>;
}> {
  const { publicKey, privateKey } =
    kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const { cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    algorithm: 'sha256',
    keyType: kind,
    keyPair: { privateKey: pkcs8, publicKey: spki },
  });
  expect(new X509Certificate(cert).publicKey.equals(publicKey)).toBe(true);
  const jwk = publicKey.export({ format: 'jwk' }) as JsonObject;
  const named = { ...jwk, kid: 'shared', alg: kind === 'rsa' ? 'RS256' : 'ES256', use: 'sig' };
  const texts: readonly (readonly [what: string, text: string])[] = [
    ['SPKI PEM', spki],
    ['certificate PEM', cert],
    ...(kind === 'rsa'
      ? [['PKCS#1 PEM', publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()] as const]
      : []),
    ['JWK', JSON.stringify(jwk)],
    ['JWK with kid, alg and use', JSON.stringify(named)],
    ['JWK, indented', JSON.stringify(named, null, 2)],
    ['JWK Set', JSON.stringify({ keys: [named] })],
    ['JWK Set, indented', JSON.stringify({ keys: [named] }, null, 2)],
    ['array of JWKs', JSON.stringify([named])],
  ];
  const changes: readonly (readonly [how: string, change: (text: string) => string])[] = [
    ['as it is', (text) => text],
    ['CRLF', (text) => text.replaceAll('\n', '\r\n')],
    ['no final newline', (text) => text.trimEnd()],
    ['one more final newline', (text) => `${text}\n`],
    ['a single line', (text) => text.replaceAll('\n', '')],
    ['escaped newlines', (text) => text.replaceAll('\n', '\\n')],
    ['a leading space', (text) => ` ${text}`],
    ['a leading newline', (text) => `\n${text}`],
  ];
  const forms = new Map<string, Buffer>();
  for (const [what, text] of texts) {
    for (const [how, change] of changes) {
      // What a change leaves as it was is no other form.
      if (how === 'as it is' || change(text) !== text)
        forms.set(`${what}, ${how}`, Buffer.from(change(text)));
    }
  }
  return { jwk, spki, forms };
}

/**
 * More of them, which no reader could tell from a secret of the same bytes: they are only ever
 * tried by somebody else.
 */
function disguised(forms: ReadonlyMap<string, Buffer>, spki: string): ReadonlyMap<string, Buffer> {
  const der = createPublicKey(spki).export({ type: 'spki', format: 'der' });
  const more = new Map<string, Buffer>([['SPKI DER', der]]);
  for (const [form, bytes] of forms) {
    more.set(form, bytes);
    for (const prefix of ['\uFEFF', '\u200B', '# our key\n'])
      more.set(`${form}, after ${JSON.stringify(prefix)}`, Buffer.concat([Buffer.from(prefix), bytes]));
  }
  for (const [form, bytes] of [...more]) {
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      more.set(`${form}, ${encoding}`, Buffer.from(bytes.toString(encoding)));
  }
  return more;
}

describe('public keys as secrets', () => {
  const ENCODED = 'the secret is an encoded key (PEM, JWK, DER or SSH)';
  const keysets: readonly (readonly [
    title: string,
    keyset: (key: { readonly jwk: JsonObject; readonly spki: string }) => Partial<AuthenticatorOptions>,
  ])[] = [
    ['a secret', ({ jwk }) => ({ secrets: stored({ keys: [{ ...jwk, kid: 'shared' }] }) })],
    [
      'a secret that allows HS* too',
      ({ jwk }) => ({
        secrets: stored({ keys: [{ ...jwk, kid: 'shared' }] }),
        keySets: [
          {
            issuer: ISSUER,
            secret: { name: JWKS.name },
            allowedAlgorithms: ['RS256', 'ES256', 'HS256', 'HS384', 'HS512'],
          },
        ],
      }),
    ],
    [
      'a secret with an oct key of the same kid',
      ({ jwk }) => ({
        secrets: stored({ keys: [{ ...jwk, kid: 'shared' }, symmetric('HS256', randomBytes(64)).jwk] }),
      }),
    ],
    [
      'a set in place',
      ({ jwk }) => ({ keySets: [{ issuer: ISSUER, jwks: { keys: [{ ...jwk, kid: 'shared' }] } }] }),
    ],
    [
      'PEM in place',
      ({ jwk, spki }) => ({
        keySets: [
          { issuer: ISSUER, publicKeys: [{ pem: spki, algorithm: jwk.kty === 'RSA' ? 'RS256' : 'ES256' }] },
        ],
      }),
    ],
  ];

  const stored = (document: unknown) => storeOf(JSON.stringify(document));

  describe.each(['rsa', 'ec'] as const)('%s', (kind) => {
    it.each(keysets)('T-018: no form of the key signs for %s', async (_, keyset) => {
      const key = await formsOf(kind);
      const forms = disguised(key.forms, key.spki);
      expect(forms.size).toBeGreaterThanOrEqual(40);
      const authenticator = create(keyset(key));
      const wrong: string[] = [];
      for (const [form, bytes] of forms) {
        for (const alg of ['HS256', 'HS384', 'HS512']) {
          for (const header of [{ alg, kid: 'shared' }, { alg }]) {
            const result = await outcome(authenticator.verify(forgeHmac(header, bytes)));
            if (!/^token_(?:algorithm_refused|signature_invalid)$/.test(result)) {
              wrong.push(`${form}, ${JSON.stringify(header)}: ${result}`);
            }
          }
        }
      }
      expect(wrong).toEqual([]);
    });

    it('T-018, T-019: no written form of a public key is taken for a secret', async () => {
      const { forms } = await formsOf(kind);
      expect(forms.size).toBeGreaterThanOrEqual(40);
      const keys = [...forms].map(([kid, bytes]) => symmetric('HS256', bytes, kid).jwk);
      const authenticator = over({ keys });
      await expect(authenticator.ready()).rejects.toThrow('no key from');
      expect(authenticator.report().keysets[0]?.kids).toEqual([]);
      const refused = { keyset: 'keySets[0]', issuer: ISSUER, reason: ENCODED };
      expect(skipped).toEqual([...forms.keys()].map((kid) => ({ ...refused, kid })));
    });
  });

  it('T-019: nor is that of a private key, or PEM anywhere in it', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const keys = [
      pem,
      JSON.stringify(privateKey.export({ format: 'jwk' })),
      `${randomBytes(32).toString('latin1')}${pem}`,
      `our key:\n${pem}`,
    ].map((text, index) => symmetric('HS256', Buffer.from(text, 'latin1'), `k${index}`).jwk);
    const authenticator = over({ keys });
    await expect(authenticator.ready()).rejects.toThrow('no key from');
    expect(authenticator.report().keysets[0]?.kids).toEqual([]);
    expect(skipped.map(({ reason }) => reason)).toEqual(keys.map(() => ENCODED));
  });
});

describe('rotation', () => {
  it('AK-9, S17: a new document in a store that can be watched is read at once', async () => {
    const store = storeOf(SET_OF_ONE);
    const authenticator = create({ secrets: store });
    await authenticator.ready();
    const refreshed = nextEvent('latchkey:keyset:refreshed');
    store.set(JWKS, SET_OF_TWO);
    await refreshed;
    expect(authenticator.report().keysets).toMatchObject([{ kids: ['two'], state: 'fresh' }]);
    expect(await verified(authenticator, two)).toBe('accepted');
    expect(await verified(authenticator, one)).toBe('token_key_unknown');
  });

  it('AK-9, S17, T-138: so is a Kubernetes secret that is swapped', async () => {
    const root = await temporaryFolder();
    const at = (...segments: readonly string[]) => join(root, JWKS.name, ...segments);
    const publish = async (version: string, key: SigningKey) => {
      await mkdir(at(`..${version}`), { recursive: true });
      await writeFile(at(`..${version}`, JWKS.key), JSON.stringify({ keys: [key.publicJwk] }));
      await symlink(`..${version}`, at('..data_tmp'));
      await rename(at('..data_tmp'), at('..data'));
    };
    await publish('2026_01', one);
    await symlink(join('..data', JWKS.key), at(JWKS.key));
    const authenticator = create({ secrets: createDirectoryStore(root) });
    await authenticator.ready();
    const added = nextEvent('latchkey:keyset:key-added');
    await publish('2026_02', two);
    expect(await added).toMatchObject({ kid: 'two' });
    expect(await verified(authenticator, two)).toBe('accepted');
    expect(await verified(authenticator, one)).toBe('token_key_unknown');
  });

  it('AK-17: a store that cannot be watched is read again ahead of the interval', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    let document = SET_OF_ONE;
    let reads = 0;
    const read = async () => {
      reads++;
      return Buffer.from(document);
    };
    const authenticator = create({
      keySets: [{ issuer: ISSUER, secret: { name: 'a' }, refreshInterval: '10m' }],
      secrets: { description: 'a test store', read },
    });
    await authenticator.ready();
    document = SET_OF_TWO;
    await vi.advanceTimersByTimeAsync(479_999);
    expect([reads, authenticator.report().keysets[0]?.kids]).toEqual([1, ['one']]);
    await vi.advanceTimersByTimeAsync(1);
    expect([reads, authenticator.report().keysets[0]?.kids]).toEqual([2, ['two']]);
  });

  it('R19: nothing is read or watched after the end, and the store is left open', async () => {
    const calls: string[] = [];
    const memory = storeOf(SET_OF_ONE);
    const authenticator = create({
      secrets: {
        ...memory,
        read: (...given) => {
          calls.push('read');
          return memory.read(...given);
        },
        watch: () => () => calls.push('unwatch'),
        close: async () => void calls.push('close'),
      },
    });
    expect(calls).toEqual([]);
    await authenticator.ready();
    await authenticator.close();
    expect(calls).toEqual(['read', 'unwatch']);
  });

  const MISSING = new Error('/secret/path is not there');
  it.each<[title: string, watch: () => unknown]>([
    ['throws', () => raise(MISSING)],
    ['rejects', () => Promise.reject(MISSING)],
    ['gives no function', () => 5],
    ['gives a function that throws', () => () => raise(MISSING)],
    ['gives a function that rejects', () => () => Promise.reject(MISSING)],
  ])('R19: a store whose watch() %s is read all the same, and said to be unwatched', async (_, watch) => {
    const warnings: string[] = [];
    vi.spyOn(process, 'emitWarning').mockImplementation((text) => void warnings.push(String(text)));
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', onUnhandled);
    try {
      const authenticator = create({ secrets: { ...storeOf(SET_OF_ONE), watch: watch as never } });
      expect(await verified(authenticator, one)).toBe('accepted');
      await authenticator.close();
      // Node reports an unhandled rejection once the microtasks have run.
      await nextTurn();
      await nextTurn();
      expect(unhandled).toEqual([]);
      expect(warnings.filter((text) => text.includes('cannot watch')).length).toBeLessThanOrEqual(1);
      expect(warnings.join()).not.toContain('/secret');
    } finally {
      process.off('unhandledRejection', onUnhandled);
      vi.restoreAllMocks();
    }
  });

  it.each<[title: string, document: (text: string) => string | Uint8Array | undefined]>([
    ['nothing', () => ''],
    ['taken away', () => undefined],
    ['no JSON', () => 'keys: []'],
    ['half of it', (text) => text.slice(0, text.length / 2)],
    ['a byte order mark before it', (text) => `\uFEFF${text}`],
    ['something after it', (text) => `${text}x`],
    ['a repeated member', (text) => text.replace('{', '{"keys":[],')],
    ['no UTF-8', (text) => Buffer.concat([Buffer.from(text), Buffer.from([0xff])])],
    ['UTF-16', (text) => Buffer.from(text, 'utf16le')],
    ['an array', () => '[]'],
    ['a string', () => '"keys"'],
    ['null', () => 'null'],
    ['no keys', () => '{}'],
    ['keys that are null', () => '{"keys":null}'],
    ['keys that are no array', () => '{"keys":{}}'],
    ['201 keys', () => JSON.stringify({ keys: Array.from({ length: 201 }, () => ({ kty: 'x' })) })],
    ['more than 512 KiB', (text) => text.padEnd(512 * 1024 + 1)],
    ['a JWK without its set', () => JSON.stringify(one.publicJwk)],
    ['PEM', () => one.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
  ])('T-138: a document that is %s: cold 503, warm the last good keys', async (_, document) => {
    const store = createMemoryStore();
    store.set(JWKS, document(SET_OF_ONE));
    const cold = create({ secrets: store });
    expect(await verified(cold, one)).toBe('keyset_unavailable');
    store.set(JWKS, SET_OF_ONE);
    const warm = create({ secrets: store });
    expect(await verified(warm, one)).toBe('accepted');
    await cold.close();

    const failed = nextEvent('latchkey:keyset:failed');
    store.set(JWKS, document(SET_OF_ONE));
    const { error } = await failed;
    // Nothing of the document is in the error.
    for (const name of ['x', 'y']) expect(error.message).not.toContain(one.publicJwk[name]);
    expect(warm.report().keysets).toMatchObject([{ kids: ['one'], failures: 1, state: 'fresh' }]);
    expect(await verified(warm, one)).toBe('accepted');
    expect(await verified(warm, two)).toBe('keyset_unavailable');

    const refreshed = nextEvent('latchkey:keyset:refreshed');
    store.set(JWKS, SET_OF_TWO);
    await refreshed;
    expect(await verified(warm, two)).toBe('accepted');
    expect(await verified(warm, one)).toBe('token_key_unknown');
  });

  it.each<[title: string, change: (text: string) => string]>([
    ['a trailing newline', (text) => `${text}\n`],
    ['white space around it', (text) => `\r\n ${text}\t\n`],
    ['512 KiB', (text) => text.padEnd(512 * 1024)],
  ])('T-138: a document with %s is good', async (_, change) => {
    expect(await verified(over(change(SET_OF_ONE)), one)).toBe('accepted');
  });

  it('T-123: an empty set withdraws all: 401, not 503', async () => {
    const store = storeOf(SET_OF_ONE);
    const authenticator = create({ secrets: store });
    expect(await verified(authenticator, one)).toBe('accepted');
    const refreshed = nextEvent('latchkey:keyset:refreshed');
    store.set(JWKS, '{"keys":[]}');
    await refreshed;
    expect(await verified(authenticator, one)).toBe('token_key_unknown');
  });
});

describe('stores that misbehave', () => {
  const good = () => Buffer.from(SET_OF_ONE);
  const external: KeysetOptions = { issuer: ISSUER, externalSecret: { name: 'a' } };

  /** An authenticator over an external store that answers as told. */
  function withStore(read: (signal: AbortSignal) => unknown, more: Partial<SecretStore> = {}): Authenticator {
    const externalSecrets = {
      description: 'a test store',
      read: (_: SecretReference, signal: AbortSignal) => read(signal),
      ...more,
    };
    return create({ keySets: [external], externalSecrets: externalSecrets as SecretStore });
  }

  const FAULTS: readonly (readonly [title: string, read: () => unknown])[] = [
    ["returns ''", async () => ''],
    ['returns a good document as a string', async () => good().toString()],
    ['returns null', async () => null],
    ['returns undefined', async () => undefined],
    ['returns no bytes', async () => Buffer.alloc(0)],
    ['returns a number', async () => 5],
    ['returns true', async () => true],
    ['returns an object', async () => ({ keys: [one.publicJwk] })],
    ['returns an array of bytes', async () => [...good()]],
    ['returns an ArrayBuffer', async () => good().buffer],
    ['returns a key', async () => createSecretKey(good())],
    ['returns more than 512 KiB', async () => Buffer.alloc(512 * 1024 + 1, 0x20)],
    ['returns null at once', () => null],
    ['rejects with an error', () => Promise.reject(new Error('vault sealed'))],
    ['rejects with undefined', () => Promise.reject(undefined)],
    ['rejects with null', () => Promise.reject(null)],
    ['rejects with a string', () => Promise.reject('vault sealed')],
    ['throws at once', () => raise(new Error('vault sealed'))],
    ['throws undefined at once', () => raise(undefined)],
  ];

  it.each(FAULTS)('T-139: %s: cold, 503', async (_, read) => {
    const authenticator = withStore(read);
    const error = await authenticator.verify(await mint(one, claims())).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'keyset_unavailable', status: 503 });
    expect((error as Error).cause).toBeInstanceOf(Error);
    await expect(authenticator.ready()).rejects.toMatchObject({ code: 'keyset_unavailable' });
  });

  it.each(FAULTS)('T-139: %s: warm, the last good keys', async (_, read) => {
    let answer: () => unknown = async () => good();
    let reads = 0;
    const authenticator = withStore(() => {
      reads++;
      return answer();
    });
    expect(await verified(authenticator, one)).toBe('accepted');
    answer = read;
    // An unknown kid asks the store again.
    expect(await verified(authenticator, two)).toBe('keyset_unavailable');
    expect(reads).toBe(2);
    expect(authenticator.report().keysets).toMatchObject([{ kids: ['one'], failures: 1 }]);
    expect(await verified(authenticator, one)).toBe('accepted');
  });

  it.each<[answer: unknown, message: string]>([
    [undefined, 'the secret a has no entry jwks.json'],
    [null, 'the secret a has something else than bytes in jwks.json'],
    ['', 'the secret a has something else than bytes in jwks.json'],
    ['hunter2', 'the secret a has something else than bytes in jwks.json'],
    [Buffer.alloc(0), 'the secret a has nothing in jwks.json'],
    [Buffer.alloc(512 * 1024 + 1), `the secret a has more than ${512 * 1024} bytes in jwks.json`],
  ])('T-139: what is wrong is said, and nothing of the answer: case %#', async (answer, message) => {
    await expect(withStore(async () => answer).ready()).rejects.toMatchObject({ cause: new Error(message) });
  });

  it('T-139: bytes that are returned at once are as good as any', async () => {
    expect(await verified(withStore(good), one)).toBe('accepted');
    const asynchronous = withStore(async () => new Uint8Array(good()));
    expect(await verified(asynchronous, one)).toBe('accepted');
  });

  it('T-139: hangs: 503 after 5 s, and the store is told to stop', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const signals: AbortSignal[] = [];
    const authenticator = withStore((signal) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    let settled = false;
    const waiting = verified(authenticator, one).finally(() => {
      settled = true;
    });
    while (signals.length === 0) await nextTurn();
    await vi.advanceTimersByTimeAsync(4_999);
    await nextTurn();
    expect([settled, signals[0]?.aborted]).toEqual([false, false]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await waiting).toBe('keyset_unavailable');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    // The next request does not wait.
    expect(await verified(authenticator, one)).toBe('keyset_unavailable');
    expect(signals).toHaveLength(1);
  });

  it('T-139: hangs when it is warm: known keys wait for nothing', async () => {
    let hangs = false;
    const authenticator = withStore(async () => (hangs ? new Promise(() => {}) : good()));
    expect(await verified(authenticator, one)).toBe('accepted');
    hangs = true;
    let settled = false;
    const unknown = verified(authenticator, two).finally(() => {
      settled = true;
    });
    for (let request = 0; request < 20; request++)
      expect(await verified(authenticator, one)).toBe('accepted');
    expect(settled).toBe(false);
    await authenticator.close();
    expect(await unknown).toBe('keyset_unavailable');
  });

  it('T-139, T-132: a hundred requests at once are one read', async () => {
    let reads = 0;
    const authenticator = withStore(async () => {
      reads++;
      return good();
    });
    const token = await mint(one, claims());
    const results = Array.from({ length: 100 }, () => outcome(authenticator.verify(token)));
    expect(new Set(await Promise.all(results))).toEqual(new Set(['accepted']));
    expect(reads).toBe(1);
  });

  it('T-139: returns previous: nothing is lost, and the new key passes once the store has it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    let document = good();
    let reads = 0;
    const authenticator = withStore(async () => {
      reads++;
      return document;
    });
    expect(await verified(authenticator, one)).toBe('accepted');
    expect(await verified(authenticator, two)).toBe('token_key_unknown');
    expect(await verified(authenticator, one)).toBe('accepted');
    document = Buffer.from(SET_OF_TWO);
    await vi.advanceTimersByTimeAsync(9_999);
    expect(await verified(authenticator, two)).toBe('token_key_unknown');
    expect(reads).toBe(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(await verified(authenticator, two)).toBe('accepted');
    expect(await verified(authenticator, one)).toBe('token_key_unknown');
    expect(reads).toBe(3);
  });

  it('T-139, T-133: rotates while it is read: it is read once more, and the newer set stays', async () => {
    const answers: ((bytes: Buffer) => void)[] = [];
    let changed = () => {};
    const authenticator = withStore(() => new Promise((resolve) => answers.push(resolve)), {
      watch(_, told) {
        changed = told;
        return () => {};
      },
    });
    const waiting = verified(authenticator, one);
    while (answers.length < 1) await nextTurn();
    changed();
    changed();
    answers[0]?.(good());
    expect(await waiting).toBe('accepted');
    while (answers.length < 2) await nextTurn();
    const refreshed = nextEvent('latchkey:keyset:refreshed');
    answers[1]?.(Buffer.from(SET_OF_TWO));
    await refreshed;
    expect(authenticator.report().keysets[0]?.kids).toEqual(['two']);
    expect(answers).toHaveLength(2);
  });

  it('T-139: asks for time: it is not asked again before that, and 503 says when', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    let reads = 0;
    const authenticator = withStore(async () => {
      if (++reads > 1) return good();
      throw Object.assign(new Error('too many requests'), { retryAfterMs: 20_000 });
    });
    const error = await authenticator.verify(await mint(one, claims())).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'keyset_unavailable', headers: { 'Retry-After': '20' } });
    await vi.advanceTimersByTimeAsync(19_999);
    expect(await verified(authenticator, one)).toBe('keyset_unavailable');
    expect(reads).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await verified(authenticator, one)).toBe('accepted');
    expect(reads).toBe(2);
  });

  it.each([null, 5, 'directory', {}, { read: true }, []])('T-140: the store %j is a ConfigError', (store) => {
    expect(() => create({ keySets: [external], externalSecrets: store as never })).toThrow(
      expect.objectContaining({ name: 'ConfigError', path: 'externalSecrets' }),
    );
  });
});
