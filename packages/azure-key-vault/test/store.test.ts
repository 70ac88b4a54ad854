// Tests of the store with the real SDK and a local vault over TLS. They do not use Azure.
import { inspect } from 'node:util';
import { ConfigError, type SecretReference } from '@latchkey/core';
import { createAuthority } from '@latchkey/test-kit/certificate';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AzureKeyVaultStoreOptions, createAzureKeyVaultStore } from '../src/index.ts';
import {
  type Answer,
  createAgent,
  createCredential,
  sendBundle,
  sendError,
  startVault,
  TENANT,
  type TestVault,
  TOKEN,
} from './vault.ts';

const ENTRY: SecretReference = { name: 'internal-jwks', key: 'jwks.json' };
const SECRET = 'internal-jwks-jwks-json';
const V1 = '0123456789abcdef0123456789abcdef';
const V2 = 'fedcba9876543210fedcba9876543210';
const CANARY = 'canary-secret-91ab';

let vault: TestVault;

beforeAll(async () => {
  vault = await startVault();
});

afterAll(() => vault.close());

beforeEach(() => {
  vault.requests.length = 0;
  vault.secrets.clear();
  vault.answer = undefined;
  vault.resource = 'https://vault.azure.net';
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

function createStore(options: Partial<AzureKeyVaultStoreOptions> = {}) {
  return createAzureKeyVaultStore({
    vaultUrl: vault.url,
    credential: createCredential(),
    clientOptions: { agent: vault.agent },
    ...options,
  });
}

const waiting = () => new AbortController().signal;

async function readText(store = createStore(), reference = ENTRY): Promise<string | undefined> {
  const bytes = await store.read(reference, waiting());
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}

/**
 * The error of a read. It must be the store's own error, without text of the vault or the
 * credential.
 */
async function failureOf(read: Promise<unknown>): Promise<Error & { readonly retryAfterMs?: number }> {
  const error: unknown = await read.then(
    () => expect.unreachable('the read succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error('not an Error');
  for (const text of [
    inspect(error, { depth: 20, showHidden: true }),
    JSON.stringify(error),
    String(error.stack),
  ]) {
    expect(text).not.toContain('canary');
  }
  expect(error.cause).toBeUndefined();
  return error;
}

describe('AK-8 AK-15 an entry is a secret of the vault', () => {
  it('gives the UTF-8 bytes of the value', async () => {
    vault.secrets.set(SECRET, [{ value: '{"keys":["ключ"]}', version: V1 }]);
    const bytes = await createStore().read(ENTRY, waiting());
    expect(Buffer.from(bytes ?? [])).toEqual(Buffer.from('{"keys":["ключ"]}', 'utf8'));
  });

  it('answers the challenge with a token for the vault, and asks for the current version', async () => {
    vault.secrets.set(SECRET, [{ value: 'one', version: V1 }]);
    const credential = createCredential();
    await createStore({ credential }).read(ENTRY, waiting());
    expect(credential.asked).toEqual([{ scopes: ['https://vault.azure.net/.default'], tenantId: TENANT }]);
    expect(vault.requests.map(({ authorization }) => authorization)).toEqual([undefined, `Bearer ${TOKEN}`]);
    for (const { path, query } of vault.requests) {
      expect(path).toMatch(new RegExp(`^/secrets/${SECRET}/?$`));
      expect(query.get('api-version')).toMatch(/^\d/);
    }
  });

  it('reads the secret that is listed for an entry', async () => {
    vault.secrets.set('Keys-of-the-partner', [{ value: 'partner', version: V1 }]);
    vault.secrets.set(SECRET, [{ value: 'default', version: V1 }]);
    const store = createStore({
      objects: { partner: { 'jwks.json': { secretName: 'Keys-of-the-partner' } } },
    });
    expect(await readText(store, { name: 'partner', key: 'jwks.json' })).toBe('partner');
    expect(await readText(store)).toBe('default');
  });

  it.each([
    ['a.b_c', 'd e', 'a-b-c-d-e'],
    ['constructor', '__proto__', 'constructor---proto--'],
    ['naïve', '../x', 'na-ve----x'],
  ])('%s and %s are by default the secret %s', async (name, key, secretName) => {
    vault.secrets.set(secretName, [{ value: 'found', version: V1 }]);
    expect(await readText(createStore({ objects: { other: {} } }), { name, key })).toBe('found');
  });

  it('refuses an entry whose default name is too long, and sends no request', async () => {
    const read = createStore().read({ name: 'n'.repeat(100), key: 'k'.repeat(27) }, waiting());
    expect(await failureOf(read)).toBeInstanceOf(ConfigError);
    expect(vault.requests).toEqual([]);
  });

  it('reads the version that is pinned', async () => {
    vault.secrets.set('pinned', [
      { value: 'old', version: V1 },
      { value: 'new', version: V2 },
    ]);
    const objects = { [ENTRY.name]: { [ENTRY.key]: { secretName: 'pinned', version: V1 } } };
    expect(await readText(createStore({ objects }))).toBe('old');
    expect(vault.requests.at(-1)?.path).toBe(`/secrets/pinned/${V1}`);
  });

  it('sees a rotation at the next read', async () => {
    const store = createStore();
    vault.secrets.set(SECRET, [{ value: 'old', version: V1 }]);
    expect(await readText(store)).toBe('old');
    vault.secrets.get(SECRET)?.push({ value: 'new', version: V2 });
    expect(await readText(store)).toBe('new');
  });

  it('gives undefined when the secret does not exist', async () => {
    expect(await readText()).toBeUndefined();
  });

  it('has a description that names only the kind of store', () => {
    expect(createStore().description).toBe('azure-key-vault');
  });

  it('trusts the authority in tlsOptions', async () => {
    for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY']) {
      vi.stubEnv(name, undefined);
      vi.stubEnv(name.toLowerCase(), undefined);
    }
    vault.secrets.set(SECRET, [{ value: 'local', version: V1 }]);
    const clientOptions = { tlsOptions: { ca: vault.ca }, disableChallengeResourceVerification: true };
    expect(await readText(createStore({ vaultUrl: vault.localUrl, clientOptions }))).toBe('local');
  });
});

describe('T-139 a vault that does not give the secret', () => {
  const refusal =
    (status: number, headers: Readonly<Record<string, string>> = {}): Answer =>
    (response) => {
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      sendError(response, status, `${CANARY}-code`, `${CANARY}: caller appid=canary`);
    };

  it.each([400, 401, 403, 409, 429, 500, 502, 503])(
    'status %d: rejects with a constant message after one try',
    async (status) => {
      vault.answer = refusal(status);
      const error = await failureOf(createStore().read(ENTRY, waiting()));
      expect(error.message).toMatch(new RegExp(`^Azure Key Vault answered with status ${status}($|: )`));
      expect(error).not.toHaveProperty('retryAfterMs');
      expect(vault.requests).toHaveLength(2);
    },
  );

  it.each([
    ['another code', (response) => sendError(response, 404, 'canary', 'canary')],
    ['no body', (response) => response.writeHead(404).end()],
    ['a page', (response) => response.writeHead(404, { 'Content-Type': 'text/html' }).end('<p>canary')],
  ] satisfies [string, Answer][])(
    '404 with %s does not mean that the secret is missing',
    async (_, answer) => {
      vault.answer = answer;
      expect((await failureOf(createStore().read(ENTRY, waiting()))).message).toMatch(/status 404/);
    },
  );

  it('does not follow a redirect', async () => {
    vault.secrets.set('elsewhere', [{ value: CANARY, version: V1 }]);
    vault.answer = (response) =>
      response.writeHead(307, { Location: `${vault.url}/secrets/elsewhere/` }).end();
    expect((await failureOf(createStore().read(ENTRY, waiting()))).message).toMatch(/status 307/);
    expect(vault.requests).toHaveLength(2);
  });

  it.each([429, 503])('status %d: gives the time to wait before the next try', async (status) => {
    const at = Date.UTC(2026, 4, 1, 12);
    vi.useFakeTimers({ toFake: ['Date'], now: at });
    const retryAfterMs = async (value: string) => {
      vault.answer = refusal(status, { 'Retry-After': value });
      return (await failureOf(createStore().read(ENTRY, waiting()))).retryAfterMs;
    };
    expect(await retryAfterMs('7')).toBe(7_000);
    expect(await retryAfterMs('0')).toBe(0);
    expect(await retryAfterMs(new Date(at + 90_000).toUTCString())).toBe(90_000);
    expect(await retryAfterMs(new Date(at - 90_000).toUTCString())).toBe(0);
    expect(await retryAfterMs('86400')).toBe(3_600_000);
    expect(await retryAfterMs('9'.repeat(400))).toBe(3_600_000);
    expect(await retryAfterMs(new Date(at + 86_400_000).toUTCString())).toBe(3_600_000);
    for (const unreadable of ['-5', '1.5', 'soon', 'Someday, canary GMT']) {
      expect(await retryAfterMs(unreadable)).toBeUndefined();
    }
  });

  it('gives the time to wait also if the body is empty', async () => {
    vault.answer = (response) => response.writeHead(503, { 'Retry-After': '30' }).end();
    const error = await failureOf(createStore().read(ENTRY, waiting()));
    expect(error).toMatchObject({
      message: 'Azure Key Vault answered with status 503',
      retryAfterMs: 30_000,
    });
  });

  it.each([
    ['not JSON', `{"value":"${CANARY}"`],
    ['empty', ''],
    ['not an object', 'null'],
    ['without an id', JSON.stringify({ value: CANARY, attributes: {} })],
  ])('rejects an answer that is %s', async (_, body) => {
    vault.answer = (response) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(body);
    const error = await failureOf(createStore().read(ENTRY, waiting()));
    expect(error.message).toBe('Azure Key Vault gave an answer that cannot be read');
  });

  it('rejects an answer that breaks off', async () => {
    vault.answer = (response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '1000' });
      response.write(`{"value":"${CANARY}`, () => response.destroy());
    };
    expect((await failureOf(createStore().read(ENTRY, waiting()))).message).toMatch(
      /^Azure Key Vault gave no answer/,
    );
  });
});

describe('T-139 a secret that must not be used', () => {
  const soon = () => Math.floor(Date.now() / 1000) + 600;
  const past = () => Math.floor(Date.now() / 1000) - 600;
  const attempt = (value: unknown, attributes = {}) => {
    vault.answer = (response) => sendBundle(response, SECRET, { value, version: V1, attributes });
    return createStore().read(ENTRY, waiting());
  };

  it.each([
    ['disabled', { enabled: false }],
    ['disabled', { enabled: 'no' }],
    ['expired', { exp: past() }],
    ['expired', { exp: 0 }],
    ['expired', { exp: 'canary' }],
    ['not valid yet', { nbf: soon() }],
    ['not valid yet', { nbf: 'canary' }],
  ])('is %s: %o', async (problem, attributes) => {
    expect((await failureOf(attempt(CANARY, attributes))).message).toContain(problem);
  });

  it.each([[''], [null], [undefined], [0], [7], [true], [{ keys: CANARY }], [[CANARY]]])(
    'is not a text: %o',
    async (value) => {
      expect((await failureOf(attempt(value))).message).toBe('the secret is empty');
    },
  );

  it('is used between nbf and exp', async () => {
    await expect(attempt('x', { enabled: true, nbf: past(), exp: soon() })).resolves.toEqual(
      Buffer.from('x'),
    );
  });
});

describe('T-139 a vault or credential that hangs', () => {
  const hang: Answer = () => {};
  const drip: Answer = (response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.write(`{"value":"${CANARY}`);
  };
  const dripGzip: Answer = (response) => {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' });
    response.write(Buffer.from('1f8b0800000000000003', 'hex'));
  };

  it.each([
    ['an answer', hang],
    ['the rest of an answer', drip],
    ['the rest of a compressed answer', dripGzip],
  ])('is disconnected when the caller stops waiting for %s', async (_, answer) => {
    vault.answer = answer;
    const asked = vault.nextRequest();
    const caller = new AbortController();
    const failure = failureOf(createStore().read(ENTRY, caller.signal));
    const request = await asked;
    const closed = new Promise((resolve) => request.socket.once('close', resolve));
    caller.abort(new Error('the caller stopped'));
    expect((await failure).message).toBe('the caller stopped');
    await closed;
  });

  it('is not asked when the caller has stopped already', async () => {
    const read = createStore().read(ENTRY, AbortSignal.abort(new Error('the caller stopped')));
    expect((await failureOf(read)).message).toBe('the caller stopped');
    expect(vault.requests).toEqual([]);
  });

  it.each([
    ['an answer', hang],
    ['the rest of an answer', drip],
  ])('is disconnected after 5 s without %s', async (_, answer) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    vault.answer = answer;
    const asked = vault.nextRequest();
    let ended = false;
    const failure = failureOf(createStore().read(ENTRY, waiting())).finally(() => {
      ended = true;
    });
    const request = await asked;
    const closed = new Promise((resolve) => request.socket.once('close', resolve));
    await vi.advanceTimersByTimeAsync(4_999);
    expect(ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect((await failure).message).toBe('Azure Key Vault gave no answer within 5000 ms');
    await closed;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('stops waiting for a credential that ignores the signal, and asks it again at the next read', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    vault.secrets.set(SECRET, [{ value: 'found', version: V1 }]);
    const { getToken } = createCredential();
    let asked = () => {};
    const first = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const answers = [() => new Promise<never>(asked), getToken];
    const credential = { getToken: (scopes: string | string[]) => (answers.shift() ?? getToken)(scopes) };
    // The first promise never settles: its executor only reports that the credential was asked.
    const store = createStore({ credential });
    const failure = failureOf(store.read(ENTRY, waiting()));
    await first;
    await vi.advanceTimersByTimeAsync(5_000);
    expect((await failure).message).toMatch(/within 5000 ms/);
    expect(await readText(store)).toBe('found');
  });

  it('removes its timer and its listener', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    vault.secrets.set(SECRET, [{ value: 'found', version: V1 }]);
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    await createStore().read(ENTRY, signal);
    expect(vi.getTimerCount()).toBe(0);
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
      added.mock.calls.map(([, listener]) => listener),
    );
  });
});

describe('T-139 a credential', () => {
  it.each([
    ['throws', () => Promise.reject(new Error(`canary: ${TOKEN}`))],
    ['rejects with undefined', () => Promise.reject()],
    [
      'throws an error that looks like an answer of the vault',
      () =>
        Promise.reject(
          Object.assign(new Error('canary'), { name: 'RestError', statusCode: 404, code: 'SecretNotFound' }),
        ),
    ],
    ['gives null', () => Promise.resolve(null)],
  ])('that %s', async (_, getToken) => {
    const error = await failureOf(createStore({ credential: { getToken } }).read(ENTRY, waiting()));
    expect(error.message).toBe('the credential gave no token for Azure Key Vault');
    expect(vault.requests).toHaveLength(1);
  });

  it('is asked at every read, so that the SDK never refreshes a token in the background', async () => {
    vault.secrets.set(SECRET, [{ value: 'found', version: V1 }]);
    const { getToken, asked } = createCredential();
    const brief = async (scopes: string | string[]) => {
      const token = await getToken(scopes);
      return token && { ...token, expiresOnTimestamp: Date.now() + 60_000 };
    };
    const store = createStore({ credential: { getToken: brief } });
    expect([await readText(store), await readText(store)]).toEqual(['found', 'found']);
    expect(asked).toHaveLength(2);
  });
});

describe('AK-8 AK-22 an entry that is written', () => {
  async function writeText(
    text: string | Uint8Array,
    store = createStore(),
    reference = ENTRY,
  ): Promise<void> {
    await store.write?.(reference, Buffer.from(text), waiting());
  }

  it('creates a secret, then its next version, and is read back', async () => {
    const store = createStore();
    await writeText('{"keys":["ключ"]}', store);
    expect(await readText(store)).toBe('{"keys":["ключ"]}');
    await writeText('\uFEFFtwo', store);
    expect(await readText(store)).toBe('\uFEFFtwo');
    expect(vault.secrets.get(SECRET)?.map(({ value }) => value)).toEqual(['{"keys":["ключ"]}', '\uFEFFtwo']);
  });

  it('goes to the secret that is listed for it', async () => {
    const store = createStore({
      objects: { partner: { 'jwks.json': { secretName: 'Keys-of-the-partner' } } },
    });
    await writeText('partner', store, { name: 'partner', key: 'jwks.json' });
    expect([...vault.secrets.keys()]).toEqual(['Keys-of-the-partner']);
  });

  it('is sent only after the challenge, with the token', async () => {
    const credential = createCredential();
    await writeText(CANARY, createStore({ credential }));
    expect(credential.asked).toEqual([{ scopes: ['https://vault.azure.net/.default'], tenantId: TENANT }]);
    expect(
      vault.requests.map(({ method, authorization, body }) => [method, authorization, body.includes(CANARY)]),
    ).toEqual([
      ['PUT', undefined, false],
      ['PUT', `Bearer ${TOKEN}`, true],
    ]);
  });

  it.each<[string, string | Uint8Array, string]>([
    ['an empty value', '', 'expected a value that is not empty'],
    [
      'bytes that are not UTF-8',
      Buffer.from([0x6b, 0xff]),
      'expected UTF-8 text; a vault stores nothing else',
    ],
  ])('cannot be %s; no request is sent', async (_, value, message) => {
    expect((await failureOf(writeText(value))).message).toBe(message);
    expect(vault.requests).toEqual([]);
  });

  it('cannot be pinned to a version', async () => {
    const objects = { [ENTRY.name]: { [ENTRY.key]: { secretName: 'pinned', version: V1 } } };
    const error = await failureOf(writeText(CANARY, createStore({ objects })));
    expect(error.message).toBe(
      'expected an entry without a version: a pinned entry would not read the new value',
    );
    expect(vault.requests).toEqual([]);
  });

  it('cannot have a default name that is too long', async () => {
    const reference = { name: 'n'.repeat(100), key: 'k'.repeat(27) };
    expect(await failureOf(writeText(CANARY, createStore(), reference))).toBeInstanceOf(ConfigError);
    expect(vault.requests).toEqual([]);
  });

  it.each([
    [400, ''],
    [401, ': the token was not accepted'],
    [403, ': the identity may not write this secret, or the vault does not admit this network'],
    [404, ', and not because the secret is missing; check that vaultUrl is a vault'],
    [409, ': a deleted secret of this name can still be recovered, or another client is writing it'],
    [500, ''],
  ])('T-139: status %d rejects with a constant message after one try', async (status, hint) => {
    vault.answer = (response) =>
      sendError(response, status, status === 404 ? 'SecretNotFound' : 'canary', `canary: ${CANARY}`);
    const error = await failureOf(writeText(CANARY));
    expect(error.message).toBe(`Azure Key Vault answered with status ${status}${hint}`);
    expect(vault.requests).toHaveLength(2);
  });

  it('T-139: gives the time to wait before the next try', async () => {
    vault.answer = (response) => response.writeHead(429, { 'Retry-After': '7' }).end();
    expect((await failureOf(writeText(CANARY))).retryAfterMs).toBe(7_000);
  });

  it('T-139: rejects if the answer cannot be read', async () => {
    vault.answer = (response) => response.writeHead(200).end(CANARY);
    expect((await failureOf(writeText(CANARY))).message).toBe(
      'Azure Key Vault gave an answer that cannot be read',
    );
  });

  it('T-139: rejects if the credential gives no token', async () => {
    const credential = { getToken: () => Promise.reject(new Error(`canary: ${TOKEN}`)) };
    expect((await failureOf(writeText(CANARY, createStore({ credential })))).message).toBe(
      'the credential gave no token for Azure Key Vault',
    );
  });

  it('T-139: ends when the caller stops waiting, and does not begin when the caller has stopped', async () => {
    vault.answer = () => {};
    const asked = vault.nextRequest();
    const caller = new AbortController();
    const failure = failureOf(
      Promise.resolve(createStore().write?.(ENTRY, Buffer.from(CANARY), caller.signal)),
    );
    const request = await asked;
    const closed = new Promise((resolve) => request.socket.once('close', resolve));
    caller.abort(new Error('the caller stopped'));
    expect((await failure).message).toBe('the caller stopped');
    await closed;
    const before = vault.requests.length;
    const again = Promise.resolve(createStore().write?.(ENTRY, Buffer.from(CANARY), caller.signal));
    expect((await failureOf(again)).message).toBe('the caller stopped');
    expect(vault.requests).toHaveLength(before);
  });

  it('T-139: ends after 5 s without an answer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    vault.answer = () => {};
    const asked = vault.nextRequest();
    const failure = failureOf(writeText(CANARY));
    await asked;
    await vi.advanceTimersByTimeAsync(5_000);
    expect((await failure).message).toBe('Azure Key Vault gave no answer within 5000 ms');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a server that is not the vault', () => {
  it('is refused for a certificate of another authority, before a token is asked for', async () => {
    const credential = createCredential();
    const agent = createAgent(createAuthority('Another authority').cert);
    const error = await failureOf(
      createStore({ credential, clientOptions: { agent } }).read(ENTRY, waiting()),
    );
    expect(error.message).toMatch(
      /^Azure Key Vault gave no answer: [A-Z_]*(?:CERT|ISSUER|SIGNATURE)[A-Z_]*$/,
    );
    expect(credential.asked).toEqual([]);
    expect(vault.requests).toEqual([]);
  });

  it('gets no token for another resource', async () => {
    vault.resource = 'https://canary.example';
    const credential = createCredential();
    await failureOf(createStore({ credential }).read(ENTRY, waiting()));
    expect(credential.asked).toEqual([]);
  });
});

describe('options that are refused', () => {
  const good = { vaultUrl: 'https://name.vault.azure.net', credential: createCredential() };
  const listing = (object: unknown) => ({ ...good, objects: { 'my.name': { 'a.key': object } } });
  const listed = 'objects["my.name"]["a.key"]';

  it.each<[string, unknown]>([
    ['options', undefined],
    ['options', []],
    ['vaulturl', { ...good, vaulturl: good.vaultUrl }],
    ['vaultUrl', { credential: good.credential }],
    ['vaultUrl', { ...good, vaultUrl: 'name' }],
    ['vaultUrl', { ...good, vaultUrl: 'http://name.vault.azure.net' }],
    ['vaultUrl', { ...good, vaultUrl: 'https://user:canary@name.vault.azure.net' }],
    ['vaultUrl', { ...good, vaultUrl: 'https://name.vault.azure.net/secrets/x' }],
    ['vaultUrl', { ...good, vaultUrl: 'https://name.vault.azure.net?x' }],
    ['vaultUrl', { ...good, vaultUrl: 'https://name.vault.azure.net#x' }],
    ['credential', { vaultUrl: good.vaultUrl }],
    ['credential', { ...good, credential: 'canary' }],
    ['clientOptions', { ...good, clientOptions: null }],
    ['clientOptions.retryOptions', { ...good, clientOptions: { retryOptions: { maxRetries: 9 } } }],
    [
      'clientOptions.disableChallengeResourceVerification',
      { ...good, clientOptions: { disableChallengeResourceVerification: 'false' } },
    ],
    ['objects', { ...good, objects: [] }],
    ['objects["my.name"]', { ...good, objects: { 'my.name': 'canary' } }],
    [listed, listing('canary')],
    [`${listed}.secret`, listing({ secretName: 'x', secret: 'canary' })],
    [`${listed}.secretName`, listing({})],
    [`${listed}.secretName`, listing({ secretName: '' })],
    [`${listed}.secretName`, listing({ secretName: 'a_b' })],
    [`${listed}.secretName`, listing({ secretName: 'a\n' })],
    [`${listed}.secretName`, listing({ secretName: 'a/b' })],
    [`${listed}.secretName`, listing({ secretName: 'x'.repeat(128) })],
    [`${listed}.version`, listing({ secretName: 'x', version: '' })],
    [`${listed}.version`, listing({ secretName: 'x', version: '../x' })],
  ])('%s', (path, options) => {
    let thrown: unknown;
    try {
      createAzureKeyVaultStore(options as AzureKeyVaultStoreOptions);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigError);
    expect(thrown).toMatchObject({ path });
    expect(String(thrown)).not.toContain('canary');
  });

  it('are read once: later changes have no effect', async () => {
    vault.secrets.set('before', [{ value: 'before', version: V1 }]);
    const object = { secretName: 'before' };
    const store = createStore({ objects: { [ENTRY.name]: { [ENTRY.key]: object } } });
    object.secretName = 'after';
    expect(await readText(store)).toBe('before');
  });
});
