// Descriptors that change while requests are under way: a change is taken whole or not at all, and
// no request that was good is refused for it.
import { spawn } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { mkdir, open, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { createIssuer, generateSigningKey, mint, type SigningKey, type TestIssuer } from '@latchkey/testing';
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  authorize,
  createAuthenticator,
  type DescribedAuthenticator,
  type DescriptorOptions,
  type GroupResolver,
  type LatchkeyEvents,
  route,
} from '../../src/index.ts';
import { closing, temporaryFolder } from '../support/closing.ts';
import { listen } from '../support/servers.ts';

type Told = { readonly applied: number; readonly refused: Error[] };

let key: SigningKey;
let other: SigningKey;
let directory: string;
let file: string;
let warnings: string[];
let told: { applied: number; refused: Error[] };

beforeAll(async () => {
  [key, other] = await Promise.all([
    generateSigningKey('ES256', 'one'),
    generateSigningKey('ES256', 'other'),
  ]);
});

beforeEach(async () => {
  directory = await temporaryFolder();
  file = join(directory, 'service.yaml');
  warnings = [];
  told = { applied: 0, refused: [] };
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
  const about = (event: unknown): event is LatchkeyEvents['latchkey:descriptor:refused'] =>
    (event as { readonly file?: unknown }).file === file;
  const applied = (event: unknown) => {
    if (about(event)) told.applied++;
  };
  const refused = (event: unknown) => {
    if (about(event)) told.refused.push(event.error);
  };
  subscribe('latchkey:descriptor:applied', applied);
  subscribe('latchkey:descriptor:refused', refused);
  onTestFinished(() => {
    unsubscribe('latchkey:descriptor:applied', applied);
    unsubscribe('latchkey:descriptor:refused', refused);
  });
});

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const keysetOf = (...keys: readonly SigningKey[]) => ({
  issuer: 'i',
  jwks: { keys: keys.map(({ publicJwk }) => publicJwk) },
});
const textOf = (jwt: Readonly<Record<string, unknown>>) =>
  JSON.stringify({ service: { jwt: { keySets: [keysetOf(key)], audience: 'me', ...jwt } } }, null, 2);
const tokenOf = (by: SigningKey, claims: Parameters<typeof mint>[1] = {}) =>
  mint(by, { iss: 'i', aud: 'me', sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300, ...claims });

/** Puts a text in the file's place at once. */
async function replaceBy(text: string): Promise<void> {
  const next = join(directory, `.next-${Math.random()}`);
  await writeFile(next, text);
  await rename(next, file);
}

async function start(text: string, more: Partial<DescriptorOptions> = {}): Promise<DescribedAuthenticator> {
  await writeFile(file, text);
  const made = createAuthenticator({ descriptor: file, ...more });
  closing(made);
  return made;
}

/** Waits for what the authenticator does by itself. */
const seen = (is: (now: Told) => boolean) => vi.waitUntil(() => is(told), { timeout: 15_000, interval: 5 });

const codeOf = (outcome: Promise<unknown>) =>
  outcome.then(
    () => 'good',
    (error: { readonly code?: string }) => error.code ?? String(error),
  );

/** Verifies and judges again and again, and counts what comes of it. */
function load(authenticator: DescribedAuthenticator, tokens: readonly string[]) {
  const outcomes = new Map<string, number>();
  let stopped = false;
  const loops = tokens.map(async (token) => {
    while (!stopped) {
      const request = { headers: { authorization: `Bearer ${token}` }, rawHeaders: [] };
      const outcome = await codeOf(
        authenticator.authenticate(request).then((principal) => authorize(principal, { sub: 'alice' })),
      );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      await nextTurn();
    }
  });
  return {
    async stop() {
      stopped = true;
      await Promise.all(loops);
      return Object.fromEntries(outcomes);
    },
  };
}

describe('a change', () => {
  it('R20: is applied by itself, and said', async () => {
    const authenticator = await start(textOf({}));
    const [one, two] = [await tokenOf(key), await tokenOf(other)];
    expect([await codeOf(authenticator.verify(one)), await codeOf(authenticator.verify(two))]).toEqual([
      'good',
      'token_key_unknown',
    ]);
    expect(authenticator.report().descriptor).toEqual({ file, state: 'applied', problem: undefined });
    await replaceBy(textOf({ keySets: [keysetOf(key, other)] }));
    await seen(({ applied }) => applied === 1);
    expect([await codeOf(authenticator.verify(one)), await codeOf(authenticator.verify(two))]).toEqual([
      'good',
      'good',
    ]);
    expect(authenticator.report().descriptor).toEqual({ file, state: 'applied', problem: undefined });
    expect(told.refused).toEqual([]);
  });

  it('to the same text is none', async () => {
    const authenticator = await start(textOf({}));
    await replaceBy(textOf({}));
    await authenticator.reload();
    expect(told).toEqual({ applied: 0, refused: [] });
  });

  it('of everything: mode, places, rules, audience and routes', async () => {
    const authenticator = await start(textOf({ routes: { admin: { claims: { role: 'admin' } } } }));
    const admin = route('admin');
    const [one, two] = [
      await tokenOf(key, { role: 'admin' }),
      await tokenOf(key, { role: 'root', aud: 'you' }),
    ];
    const principal = await authenticator.verify(one);
    authorize(principal, admin);
    await replaceBy(
      textOf({
        audience: 'you',
        mode: 'optional',
        tokenFrom: [{ header: 'x-token' }],
        routes: { admin: { claims: { role: 'root' } } },
      }),
    );
    await authenticator.reload();
    expect(authenticator.mode).toBe('optional');
    expect(await codeOf(authenticator.verify(one))).toBe('token_audience_mismatch');
    const request = { headers: { 'x-token': two, authorization: 'x' }, rawHeaders: ['x-token', two] };
    const changed = await authenticator.authenticate(request);
    authorize(changed, admin);
    // One that was made before has to satisfy the route as it is now, too.
    expect(() => authorize(principal, admin)).toThrow(
      expect.objectContaining({ code: 'claims_insufficient' }),
    );
    await expect(authenticator.authenticate({ headers: {}, rawHeaders: [] })).resolves.toBeUndefined();
  });

  it('T-054: of the audience of a route, for tokens of the cache and principals from before', async () => {
    const routes = (audience: readonly string[]) => ({ routes: { orders: { audience } } });
    const authenticator = await start(textOf({ audience: ['me', 'you'], ...routes(['me', 'you']) }));
    const token = await tokenOf(key, { aud: 'you' });
    for (let count = 0; count < 3; count++) await authenticator.verify(token, route('orders'));
    const principal = await authenticator.verify(token);
    authorize(principal, route('orders'));
    await replaceBy(textOf({ audience: ['me', 'you'], ...routes(['me']) }));
    await authenticator.reload();
    expect(await codeOf(authenticator.verify(token, route('orders')))).toBe('token_audience_mismatch');
    expect(() => authorize(principal, route('orders'))).toThrow(
      expect.objectContaining({ code: 'token_audience_mismatch' }),
    );
    await authenticator.verify(token);
  });

  it('again and again takes no room for tokens that were not sent', async () => {
    const cache = { tokens: 1_000_000, bytes: 4_000_000_000 };
    const authenticator = await start(textOf({ cache }));
    const before = process.memoryUsage().arrayBuffers;
    for (let realm = 0; realm < 10; realm++) {
      await replaceBy(textOf({ cache, realm: `r${realm}` }));
      await authenticator.reload();
    }
    expect(told.applied).toBe(10);
    // Room for so many tokens is 15 MB each time.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(15_000_000);
  });

  it('takes a keyset away at once, for tokens that were seen before too', async () => {
    const authenticator = await start(
      textOf({ keySets: [keysetOf(key), { ...keysetOf(other), issuer: 'o' }] }),
    );
    const token = await tokenOf(other, { iss: 'o' });
    for (let time = 0; time < 3; time++) expect(await codeOf(authenticator.verify(token))).toBe('good');
    await replaceBy(textOf({}));
    await authenticator.reload();
    for (let time = 0; time < 3; time++)
      expect(await codeOf(authenticator.verify(token))).toBe('token_issuer_untrusted');
    await replaceBy(textOf({ keySets: [keysetOf(key), { ...keysetOf(key), issuer: 'o' }] }));
    await authenticator.reload();
    expect(await codeOf(authenticator.verify(token))).toBe('token_key_unknown');
  });

  it('of a request that is under way does not reach it', async () => {
    let answer: (groups: readonly string[]) => void = () => {};
    const resolver: GroupResolver = {
      description: 'slow',
      resolve: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    };
    const authenticator = await start(textOf({}), { directory: resolver });
    const pending = authenticator.verify(await tokenOf(key));
    await nextTurn();
    await replaceBy(textOf({ audience: 'you' }));
    await authenticator.reload();
    answer(['ops']);
    await expect(pending).resolves.toMatchObject({ groups: ['ops'] });
  });
});

describe('under load', () => {
  const changes = 60;

  /** Texts that differ, and all take the same two tokens. */
  const textNumber = (number: number) =>
    textOf({ keySets: [keysetOf(...(number % 2 === 0 ? [key, other] : [other, key]))], realm: `r${number}` });

  async function underLoad(
    change: (number: number, authenticator: DescribedAuthenticator) => Promise<void>,
  ): Promise<DescribedAuthenticator> {
    const authenticator = await start(textNumber(0));
    const tokens = await Promise.all([tokenOf(key), tokenOf(other), tokenOf(key, { jti: 'x' })]);
    const running = load(authenticator, tokens);
    for (let number = 1; number <= changes; number++) await change(number, authenticator);
    const outcomes = await running.stop();
    expect(Object.keys(outcomes)).toEqual(['good']);
    expect(outcomes.good).toBeGreaterThan(changes);
    return authenticator;
  }

  const isAtLast = async (authenticator: DescribedAuthenticator) => {
    await authenticator.reload();
    expect(authenticator.report().descriptor).toMatchObject({ state: 'applied' });
    await expect(authenticator.verify('x')).rejects.toMatchObject({
      headers: { 'WWW-Authenticate': expect.stringContaining(`realm="r${changes}"`) },
    });
  };

  it('R20: files that are put in its place at once: each is applied, and no request fails', async () => {
    const authenticator = await underLoad(async (number, { reload }) => {
      await replaceBy(textNumber(number));
      await reload();
    });
    expect(told).toEqual({ applied: changes, refused: [] });
    await isAtLast(authenticator);
    // Each of the ones before is still there, for what it began.
    expect(warnings.filter((warning) => /MaxListeners/.test(warning))).toEqual([]);
  });

  it('R20: the same without a word to the authenticator: the last one is what holds', async () => {
    const authenticator = await underLoad((number) => replaceBy(textNumber(number)));
    await seen(({ applied }) => applied > 0);
    await isAtLast(authenticator);
    expect(told.refused).toEqual([]);
  });

  it('R20: written in its place in two halves: a half is never done', async () => {
    const authenticator = await underLoad(async (number, { reload }) => {
      const text = textNumber(number);
      const handle = await open(file, 'w');
      await handle.write(text.slice(0, text.length / 2));
      if (number % 5 === 0) await reload().catch(() => {});
      await handle.write(text.slice(text.length / 2));
      await handle.close();
      if (number % 3 === 0) await reload();
    });
    await isAtLast(authenticator);
  });

  it('R20: taken away and put back', async () => {
    const authenticator = await underLoad(async (number, { reload }) => {
      await unlink(file);
      await expect(reload()).rejects.toMatchObject({ path: 'descriptor' });
      await writeFile(file, textNumber(number));
      await reload();
    });
    await isAtLast(authenticator);
  });

  it('R20: every other one cannot be used, and is not', async () => {
    const bad = ['', '{', 'service: {}', textOf({ audiance: 'x' }), textOf({ keySets: [] }), '\0', '[[[['];
    const authenticator = await underLoad(async (number, { reload }) => {
      await replaceBy(bad[number % bad.length] ?? '');
      await expect(reload()).rejects.toThrow();
      await replaceBy(textNumber(number));
      await reload();
    });
    expect(told.applied).toBe(changes);
    await isAtLast(authenticator);
  });

  it.each<[title: string, prepare: () => Promise<unknown>, change: () => Promise<unknown>]>([
    [
      'a link to a file elsewhere, which is written',
      () => symlink(join(directory, 'real.json'), file),
      () => writeFile(join(directory, 'real.json'), textOf({ audience: 'you' })),
    ],
    [
      'a directory that another takes the place of',
      () => symlink(join(directory, 'real.json'), file),
      async () => {
        await rename(dirname(file), `${dirname(file)}.old`);
        await mkdir(dirname(file));
        await writeFile(file, textOf({ audience: 'you' }));
      },
    ],
  ])('R20: its directory does not tell of it: %s', async (_, prepare, change) => {
    file = join(directory, 'conf', 'service.json');
    await mkdir(dirname(file));
    await writeFile(join(directory, 'real.json'), textOf({}));
    await prepare();
    const authenticator = createAuthenticator({ descriptor: file });
    closing(authenticator);
    const token = await tokenOf(key);
    expect(await codeOf(authenticator.verify(token))).toBe('good');
    // The first look is what the others are compared with.
    await pause(100);
    await change();
    await seen(({ applied }) => applied === 1);
    expect(await codeOf(authenticator.verify(token))).toBe('token_audience_mismatch');
  });

  it('R20: as Kubernetes mounts it: all files swapped at once, by a link', async () => {
    const mount = join(directory, 'mount');
    let version = 0;
    const swap = async (text: string) => {
      const name = `..v${version++}`;
      await mkdir(join(mount, name), { recursive: true });
      await writeFile(join(mount, name, 'service.yaml'), text);
      await symlink(name, join(mount, '..data_tmp'));
      await rename(join(mount, '..data_tmp'), join(mount, '..data'));
    };
    await swap(textNumber(0));
    await symlink('..data/service.yaml', join(mount, 'service.yaml'));
    file = join(mount, 'service.yaml');
    const authenticator = createAuthenticator({ descriptor: file });
    closing(authenticator);
    const running = load(authenticator, [await tokenOf(key), await tokenOf(other)]);
    for (let number = 1; number <= 10; number++) await swap(textNumber(number));
    await seen(({ applied }) => applied > 0);
    // Only the link above it has changed: that is seen, too. Several of the ten may have been
    // applied, so how many were tells nothing of the last.
    await swap(textOf({}));
    const removed = await tokenOf(other);
    await vi.waitUntil(async () => (await codeOf(authenticator.verify(removed))) === 'token_key_unknown', {
      timeout: 15_000,
      interval: 5,
    });
    const outcomes = await running.stop();
    expect(outcomes.good).toBeGreaterThan(10);
  });
});

describe('what cannot be followed', () => {
  it('a place of tokens that the framework cannot read, at the start and in a changed file', async () => {
    const body = textOf({ tokenFrom: [{ header: 'Authorization' }, { body: 'access_token' }] });
    await writeFile(file, body);
    expect(() => createAuthenticator({ descriptor: file }, { bodies: 'never' })).toThrow('tokenFrom');
    await writeFile(file, textOf({}));
    const authenticator = createAuthenticator({ descriptor: file }, { bodies: 'never' });
    closing(authenticator);
    await writeFile(file, body);
    await expect(authenticator.reload()).rejects.toThrow('expected no body');
    expect(authenticator.report().descriptor.state).toBe('refused');
    expect(await codeOf(authenticator.verify(await tokenOf(key)))).toBe('good');
  });

  it.each<[title: string, text: () => string, place: string]>([
    ['an unknown option', () => textOf({ audiance: 'x' }), ':23:7: audiance'],
    ['no YAML', () => 'service: [', ':1:11'],
    ['nothing', () => '', ':1:1'],
  ])('%s: what was done is done on, and it is said once, with the place', async (_, text, place) => {
    const authenticator = await start(textOf({}));
    const token = await tokenOf(key);
    await replaceBy(text());
    for (let time = 0; time < 3; time++)
      await expect(authenticator.reload()).rejects.toMatchObject({ name: 'ConfigError' });
    expect(await codeOf(authenticator.verify(token))).toBe('good');
    expect(told.applied).toBe(0);
    expect(told.refused).toHaveLength(1);
    expect(told.refused[0]?.message).toContain(`${file}${place}`);
    expect(warnings.filter((warning) => warning.includes('cannot be used'))).toHaveLength(1);
    const { descriptor } = authenticator.report();
    expect(descriptor).toEqual({ file, state: 'refused', problem: told.refused[0]?.message });
    await replaceBy(textOf({ realm: 'x' }));
    await authenticator.reload();
    expect(authenticator.report().descriptor).toEqual({ file, state: 'applied', problem: undefined });
    expect(told).toMatchObject({ applied: 1, refused: [{}] });
  });

  it('another fault is said again, and going back needs no change', async () => {
    const text = textOf({});
    const authenticator = await start(text);
    for (const bad of ['a', 'b', 'a']) {
      await replaceBy(bad);
      await expect(authenticator.reload()).rejects.toThrow();
    }
    expect(told.refused).toHaveLength(3);
    await replaceBy(text);
    await authenticator.reload();
    expect(authenticator.report().descriptor).toMatchObject({ state: 'applied', problem: undefined });
    expect(told.applied).toBe(0);
  });

  it('a variable that has gone', async () => {
    const environment: Record<string, string> = { REALM: 'r' };
    const authenticator = await start(textOf({ realm: '${REALM}' }), { environment });
    delete environment.REALM;
    await replaceBy(textOf({ realm: '${REALM}x' }));
    await expect(authenticator.reload()).rejects.toMatchObject({ path: 'realm', place: { file } });
  });

  it('is a fault at the start, when nothing is done yet', async () => {
    await writeFile(file, textOf({ audiance: 'x' }));
    expect(() => createAuthenticator({ descriptor: file })).toThrow(/^\/.*service\.yaml:23:7: audiance/);
  });

  it('a file that is not there any more does not stop anybody', async () => {
    const authenticator = await start(textOf({}));
    const token = await tokenOf(key);
    await unlink(file);
    await expect(authenticator.reload()).rejects.toMatchObject({ path: 'descriptor' });
    expect(await codeOf(authenticator.verify(token))).toBe('good');
    expect(authenticator.report().descriptor).toMatchObject({ state: 'refused' });
  });

  it('a file that is not there any more is said once', async () => {
    const authenticator = await start(textOf({}));
    await unlink(file);
    for (let time = 0; time < 3; time++) await authenticator.reload().catch(() => {});
    expect(told.refused).toHaveLength(1);
  });
});

describe('a new keyset', () => {
  let issuer: TestIssuer;
  beforeEach(async () => {
    issuer = await createIssuer({ audience: 'me' });
    closing(issuer);
  });

  const withIssuer = (more: Readonly<Record<string, unknown>> = {}) =>
    textOf({
      keySets: [keysetOf(key), { issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true, ...more }],
    });

  it('R20: whose source cannot be reached is not applied until it can be', async () => {
    const authenticator = await start(textOf({}));
    const [old, fresh] = [await tokenOf(key), await issuer.mint()];
    issuer.fail({ kind: 'status', status: 500 });
    await replaceBy(withIssuer());
    await expect(authenticator.reload()).rejects.toMatchObject({ code: 'keyset_unavailable' });
    expect(authenticator.report()).toMatchObject({
      keysets: [{ keyset: 'keySets[0]' }],
      descriptor: { state: 'refused' },
    });
    expect(await codeOf(authenticator.verify(old))).toBe('good');
    expect(await codeOf(authenticator.verify(fresh))).toBe('token_issuer_untrusted');
    issuer.fail();
    await authenticator.reload();
    const asked = issuer.requests.jwks;
    expect(await codeOf(authenticator.verify(fresh))).toBe('good');
    // Its keys were at hand before anybody waited for them.
    expect(issuer.requests.jwks).toBe(asked);
    expect(told).toMatchObject({ applied: 1, refused: [{}] });
  });

  it.each([
    ['the text before', () => textOf({}), 0],
    ['another text', () => textOf({ audience: ['me', 'too'] }), 1],
  ])('R20: that is written on while its keys are waited for is not applied: %s', async (_, next, applied) => {
    const { promise: release, resolve: answer } = Promise.withResolvers<void>();
    let asked = 0;
    const server = createServer(async (_request, response) => {
      asked++;
      await release;
      response.end(JSON.stringify({ keys: [other.publicJwk] }));
    });
    const port = await listen(server);
    const authenticator = await start(textOf({}));
    const slow = { issuer: 'slow', jwksUrl: `http://127.0.0.1:${port}/`, allowHttp: true };
    await writeFile(file, textOf({ keySets: [keysetOf(key), slow] }));
    const reloading = codeOf(authenticator.reload());
    await vi.waitUntil(() => asked > 0, { interval: 5 });
    await writeFile(file, next());
    answer();
    await reloading;
    await authenticator.reload();
    expect(told.applied).toBe(applied);
    expect(await codeOf(authenticator.verify(await tokenOf(other, { iss: 'slow' })))).toBe(
      'token_issuer_untrusted',
    );
  });

  it('R20: is looked at again every half minute, by itself', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const authenticator = await start(textOf({}));
    issuer.fail({ kind: 'reset' });
    await replaceBy(withIssuer());
    await seen(({ refused }) => refused.length === 1);
    issuer.fail();
    vi.advanceTimersByTime(30_000);
    await seen(({ applied }) => applied === 1);
    expect(await codeOf(authenticator.verify(await issuer.mint()))).toBe('good');
  });

  it('that says skipValidation is not waited for', async () => {
    const authenticator = await start(textOf({}));
    issuer.fail({ kind: 'status', status: 500 });
    await replaceBy(withIssuer({ skipValidation: true }));
    await authenticator.reload();
    expect(await codeOf(authenticator.verify(await issuer.mint()))).toBe('keyset_unavailable');
    expect(await codeOf(authenticator.verify(await tokenOf(key)))).toBe('good');
  });

  it('that cannot be reached is named where people look', async () => {
    const authenticator = await start(textOf({}));
    issuer.fail({ kind: 'status', status: 500 });
    await replaceBy(withIssuer());
    await authenticator.reload().catch(() => {});
    expect(authenticator.report().descriptor?.problem).toContain('keySets[1]');
    expect(warnings.join('\n')).toContain('keySets[1]');
  });

  it('that takes its time stops no request, and close() does not wait for it to be good', async () => {
    const authenticator = await start(textOf({}));
    const token = await tokenOf(key);
    issuer.fail({ kind: 'hang' });
    await replaceBy(withIssuer());
    const reloading = codeOf(authenticator.reload());
    await vi.waitUntil(() => issuer.requests.jwks > 0, { interval: 5 });
    expect(await codeOf(authenticator.verify(token))).toBe('good');
    await authenticator.close();
    issuer.fail();
    await issuer.close();
    expect(await reloading).not.toBe('');
    expect(told.applied).toBe(0);
  });
});

describe('reload()', () => {
  it('two at once: the later text is what holds, and each is told what came of it', async () => {
    const authenticator = await start(textOf({}));
    await replaceBy(textOf({ realm: 'one' }));
    const first = authenticator.reload();
    const second = authenticator.reload();
    await Promise.all([first, second]);
    expect(told).toEqual({ applied: 1, refused: [] });
    await replaceBy('bad');
    const outcomes = await Promise.allSettled([authenticator.reload(), authenticator.reload()]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(told.refused).toHaveLength(1);
  });

  it('after one that failed works, also while that one is under way', async () => {
    const authenticator = await start(textOf({}));
    await replaceBy('bad');
    const first = codeOf(authenticator.reload());
    await replaceBy(textOf({ realm: 'two' }));
    await authenticator.reload();
    expect(await first).not.toBe('good');
    expect(authenticator.report().descriptor?.state).toBe('applied');
  });

  it('after close() does nothing', async () => {
    const authenticator = await start(textOf({}));
    await authenticator.close();
    await replaceBy(textOf({ realm: 'x' }));
    await authenticator.reload();
    expect(told).toEqual({ applied: 0, refused: [] });
  });
});

describe('what was done before', () => {
  let port: number;
  let connections: number;
  beforeEach(async () => {
    connections = 0;
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"sub":"alice"}');
    });
    server.on('connection', (socket) => {
      connections++;
      socket.on('close', () => connections--);
    });
    port = await listen(server);
  });

  const remote = (more: Readonly<Record<string, unknown>> = {}) =>
    JSON.stringify({
      service: {
        jwt: {
          remote: { url: `http://127.0.0.1:${port}/` },
          audience: 'me',
          ...more,
        },
      },
    });

  it('is closed with the authenticator, however many there were', async () => {
    const authenticator = await start(remote());
    for (let number = 0; number < 5; number++) {
      await authenticator.verify('opaque');
      await replaceBy(remote({ realm: `r${number}` }));
      await authenticator.reload();
    }
    expect(connections).toBeGreaterThan(1);
    await authenticator.close();
    await vi.waitUntil(() => connections === 0, { interval: 5 });
  });

  it('is closed when what it began has had its time, and not before', async () => {
    const authenticator = await start(remote());
    await authenticator.verify('opaque');
    expect(connections).toBe(1);
    await replaceBy(remote({ realm: 'x' }));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await authenticator.reload();
    await nextTurn();
    expect(connections).toBe(1);
    vi.advanceTimersByTime(34_000);
    await nextTurn();
    expect(connections).toBe(1);
    vi.advanceTimersByTime(2_000);
    vi.useRealTimers();
    await vi.waitUntil(() => connections === 0, { interval: 5 });
    // The one that is in force works on.
    await expect(authenticator.verify('opaque')).resolves.toMatchObject({ subject: 'alice' });
  });

  describe('the directory that code gave', () => {
    let closed: number;
    const resolver: GroupResolver = {
      description: 'test',
      resolve: async () => ['ops'],
      close: async () => void closed++,
    };
    beforeEach(() => {
      closed = 0;
    });

    it('is not closed with a text that is refused', async () => {
      const authenticator = await start(textOf({}), { directory: resolver });
      const down = { issuer: 'https://i.example', jwksUrl: 'http://127.0.0.1:1/', allowHttp: true };
      await replaceBy(textOf({ keySets: [keysetOf(key), down] }));
      await authenticator.reload().catch(() => {});
      expect(authenticator.report().descriptor?.state).toBe('refused');
      expect(closed).toBe(0);
    });

    it('is not closed with a text that is replaced', async () => {
      const authenticator = await start(textOf({}), { directory: resolver });
      await replaceBy(textOf({ realm: 'x' }));
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      await authenticator.reload();
      vi.advanceTimersByTime(60_000);
      await nextTurn();
      expect(closed).toBe(0);
    });

    it('is closed with the authenticator', async () => {
      const authenticator = await start(textOf({}), { directory: resolver });
      await authenticator.close();
      expect(closed).toBe(1);
    });
  });
});

describe('the process', () => {
  /** Runs a program in a process of its own, and waits for its end. */
  async function run(program: string): Promise<{ readonly code: number | null; readonly text: string }> {
    const core = new URL('../../src/index.ts', import.meta.url).href;
    const source = `import { createAuthenticator } from ${JSON.stringify(core)};
      import { writeFileSync } from 'node:fs';
      const file = ${JSON.stringify(file)};
      const text = ${JSON.stringify(textOf({}))};
      ${program}`;
    const child = spawn(
      process.execPath,
      ['--conditions=source', '--no-warnings', '--input-type=module', '--eval', source],
      { stdio: ['ignore', 'pipe', 'inherit'], timeout: 15_000 },
    );
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += String(chunk);
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, text };
  }

  it('R20: ends by itself, also without close(): a descriptor that is followed keeps no process alive', async () => {
    const { code, text } = await run(`
      writeFileSync(file, text);
      const authenticator = createAuthenticator({ descriptor: file });
      writeFileSync(file, text.replace('"me"', '"you"'));
      await authenticator.reload();
      writeFileSync(file, text);
      console.log('done');`);
    expect([code, text]).toEqual([0, 'done\n']);
  });

  it('ends at once after close(), also while a new keyset is waited for', async () => {
    const silent = createServer(() => {});
    const jwksUrl = `http://127.0.0.1:${await listen(silent)}/`;
    const { code, text } = await run(`
      import { subscribe } from 'node:diagnostics_channel';
      writeFileSync(file, text);
      const authenticator = createAuthenticator({ descriptor: file });
      writeFileSync(file, ${JSON.stringify(textOf({ keySets: [{ issuer: 'j', jwksUrl, allowHttp: true }] }))});
      const connecting = new Promise((resolve) => subscribe('net.client.socket', resolve));
      const reloading = authenticator.reload().catch(() => {});
      await connecting;
      const began = performance.now();
      await authenticator.close();
      await reloading;
      console.log(performance.now() - began < 1000 ? 'at once' : 'late');`);
    expect([code, text]).toEqual([0, 'at once\n']);
  });

  it('R20: ends at once after close(), whatever was replaced before', async () => {
    const { code, text } = await run(`
      writeFileSync(file, text);
      const authenticator = createAuthenticator({ descriptor: file });
      for (let number = 0; number < 20; number++) {
        writeFileSync(file, text.replace('"me"', JSON.stringify('r' + number)));
        await authenticator.reload();
      }
      await authenticator.close();
      await authenticator.close();
      console.log(process.getActiveResourcesInfo().filter((name) => /Timeout|FSEvent|TCP/.test(name)).length);`);
    expect([code, text]).toEqual([0, '0\n']);
  });
});
