// Threats that no single room answers: what leaves with a refusal, what events say, what stays in
// memory, and what this package depends on.
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { inspect } from 'node:util';
import { createIssuer, forge, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import * as adapter from '../src/adapter/index.ts';
import * as core from '../src/index.ts';
import {
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
  createMemoryStore,
  isAuthError,
} from '../src/index.ts';
import * as ownKeys from '../src/own-keys/index.ts';
import * as signing from '../src/signing/index.ts';
import { outcome } from './support/outcome.ts';
import { ratioOf } from './support/ratio.ts';
import { listen } from './support/servers.ts';

const ISSUER = 'https://issuer.example';
const AUDIENCE = 'https://api.example.com';

let key: SigningKey;
let stranger: SigningKey;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  [key, stranger] = await Promise.all([generateSigningKey(), generateSigningKey()]);
});

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const close of closers.splice(0)) await close();
});

function build(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  const authenticator = createAuthenticator({
    keySets: [{ issuer: ISSUER, jwks: { keys: [key.publicJwk] } }],
    audience: AUDIENCE,
    ...options,
  });
  closers.push(authenticator.close);
  return authenticator;
}

const now = () => Math.floor(Date.now() / 1000);
const claimsOf = (more: object = {}) => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'alice',
  exp: now() + 300,
  ...more,
});

/** Everything that an object shows to a logger, its causes included. */
const shown = (value: unknown) =>
  `${inspect(value, { depth: 9, showHidden: true, getters: true })}${JSON.stringify(value)}${String(value)}`;

describe('T-035: only verified claims leave', () => {
  const MARKER = 'marker-of-unverified-claims';

  it.each<[string, (claims: object) => Promise<string> | string]>([
    ['a signature by another key', (claims) => mint(stranger, claimsOf(claims), { kid: key.kid })],
    ['no signature', (claims) => forge({ header: { alg: 'none' }, payload: claimsOf(claims) })],
    ['a kid that is not known', (claims) => mint(stranger, claimsOf(claims), { kid: 'other' })],
    ['an issuer without keys', (claims) => mint(key, claimsOf({ ...claims, iss: 'https://other.example' }))],
    ['another audience', (claims) => mint(key, claimsOf({ ...claims, aud: 'https://other.example' }))],
    ['an end that has come', (claims) => mint(key, claimsOf({ ...claims, exp: now() - 300 }))],
    [
      'a claim that a rule for every token refuses',
      (claims) => mint(key, claimsOf({ ...claims, dept: 'HR' })),
    ],
  ])('a refusal for %s shows no claim', async (_, make) => {
    const authenticator = build({ mode: 'permissive', claims: { dept: { optional: 'IT' } } });
    const token = await make({ name: MARKER, sub: MARKER, jti: MARKER });
    const refusal: unknown = await authenticator.verify(token).catch((error: unknown) => error);
    expect(isAuthError(refusal)).toBe(true);
    expect(shown(refusal)).not.toContain(MARKER);
    const request = { headers: { authorization: `Bearer ${token}` }, rawHeaders: [] };
    expect(await authenticator.authenticate(request)).toBeUndefined();
    expect(shown([core.refusalOf(request), request])).not.toContain(MARKER);
  });

  it('no function that a service imports reads a token without verifying it', async () => {
    const token = await mint(stranger, claimsOf({ name: MARKER }));
    const functions = [core, adapter, signing, ownKeys].flatMap((names) => Object.entries(names));
    for (const [name, value] of functions) {
      expect(name).not.toMatch(/decode|unverified|parse(?!Cookie)/i);
      if (typeof value !== 'function' || /^[A-Z]/.test(name)) continue;
      let given: unknown;
      try {
        given = await Reflect.apply(value, undefined, [token]);
      } catch {
        continue;
      }
      expect(inspect(given, { depth: 9 }), name).not.toContain(MARKER);
    }
  });
});

describe('T-050: a keyset without an issuer', () => {
  it('is for every issuer where it is the only one', async () => {
    const authenticator = build({ keySets: [{ jwks: { keys: [key.publicJwk] } }] });
    for (const iss of [ISSUER, 'https://other.example'])
      expect(await outcome(authenticator.verify(await mint(key, claimsOf({ iss }))))).toBe('accepted');
  });

  it('does not make any other keyset speak for more issuers', async () => {
    const authenticator = build();
    for (const iss of ['https://other.example', `${ISSUER}/`, 'https://ISSUER.example', undefined])
      expect(await outcome(authenticator.verify(await mint(key, claimsOf({ iss }))))).toBe(
        'token_issuer_untrusted',
      );
  });
});

describe('T-073: a token that comes again', () => {
  it('counts until it ends, whatever its jti', async () => {
    const authenticator = build();
    const token = await mint(key, claimsOf({ jti: 'once' }));
    for (let time = 0; time < 3; time++) expect(await outcome(authenticator.verify(token))).toBe('accepted');
    const other = await mint(key, claimsOf({ jti: 'once', sub: 'bob' }));
    expect(await outcome(authenticator.verify(other))).toBe('accepted');
  });

  it('is refused as soon as the endpoint refuses it, where there is one', async () => {
    let isRevoked = false;
    const server = createServer((_, response) => {
      const json = { 'content-type': 'application/json' };
      if (isRevoked) response.writeHead(401).end();
      else response.writeHead(200, json).end('{"sub":"alice"}');
    });
    const url = `http://127.0.0.1:${await listen(server)}/validate`;
    const remote = { url, allowHttp: true, onReject: 'deny', onError: 'deny' } as const;
    const authenticator = build({ remote });
    const token = await mint(key, claimsOf());
    expect(await outcome(authenticator.verify(token))).toBe('accepted');
    expect(await outcome(authenticator.verify(token))).toBe('accepted');
    isRevoked = true;
    expect(await outcome(authenticator.verify(token))).toBe('token_rejected');
  });
});

describe('T-088: what is in a token is in no event', () => {
  const HOSTILE = 'evil\r\nInjected: 1\u001b]0;title\u0007\u202e';
  const text = readFileSync(new URL('../src/events.ts', import.meta.url), 'utf8');
  const CHANNELS = new Set(Array.from(text.matchAll(/'(latchkey:[\w:-]+)'/g), ([, name = '']) => name));

  function listenToAll(): unknown[] {
    const events: unknown[] = [];
    const hear = (event: unknown) => void events.push(event);
    for (const name of CHANNELS) subscribe(name, hear);
    closers.push(async () => {
      for (const name of CHANNELS) unsubscribe(name, hear);
    });
    vi.spyOn(process, 'emitWarning').mockImplementation((...given) => void events.push(given));
    return events;
  }

  it.each([HOSTILE, 'x'.repeat(4_000)])(
    'nor in a warning or a detail, but for a printable start of iss: %j',
    async (text) => {
      const events = listenToAll();
      const issuer = await createIssuer();
      closers.push(issuer.close);
      const authenticator = build({
        keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
        audience: null,
      });
      await authenticator.ready();
      const before = events.length;
      const tokens = [
        await mint(stranger, claimsOf({ iss: issuer.issuer }), { kid: text.slice(0, 200) }),
        await mint(stranger, claimsOf({ iss: text }), {}),
        await mint(stranger, claimsOf({ iss: issuer.issuer, sub: text, jti: text })),
        await mint(stranger, claimsOf(), { typ: text }),
        forge({ header: { alg: text }, payload: claimsOf() }),
        forge({ header: { alg: 'ES256', [text]: text, crit: [text] }, payload: claimsOf() }),
      ];
      for (const token of tokens) {
        const refusal: unknown = await authenticator.verify(token).catch((error: unknown) => error);
        expect(isAuthError(refusal)).toBe(true);
        const { code, detail, message, headers } = refusal as core.AuthError;
        const told = `${detail}${message}${Object.values(headers).join('')}`;
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
        expect(told).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
        expect(told.length).toBeLessThan(400);
        if (code !== 'token_issuer_untrusted') expect(told).not.toContain(text.slice(0, 4));
      }
      expect(shown(events.slice(before))).not.toContain(text.slice(0, 4));
    },
  );

  it('a flood of kids makes no more events than one does', async () => {
    const events = listenToAll();
    const issuer = await createIssuer();
    closers.push(issuer.close);
    const authenticator = build({
      keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
      audience: null,
    });
    await authenticator.ready();
    const flood = async (count: number, name: string) => {
      const before = events.length;
      for (let index = 0; index < count; index++) {
        const header = { alg: 'ES256', kid: `${name}${index}` };
        const signature = Buffer.alloc(64, 1);
        const token = forge({
          header,
          payload: claimsOf({ iss: issuer.issuer }),
          signature: () => signature,
        });
        expect(await outcome(authenticator.verify(token))).toBe('token_key_unknown');
      }
      return events.length - before;
    };
    // The first one has the set read again; within the cooldown no other does.
    expect(await flood(1, 'first')).toBe(1);
    expect(await flood(2_000, 'next')).toBe(0);
    expect(JSON.stringify(authenticator.report()).length).toBeLessThan(500);
  });
});

describe('T-129: another key under the same kid', () => {
  it('counts from the next reading on, and the key before does not any more', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const [first, second] = [await generateSigningKey('ES256', 'k'), await generateSigningKey('ES256', 'k')];
    let published = first;
    let reads = 0;
    const server = createServer((_, response) => {
      reads++;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ keys: [published.publicJwk] }));
    });
    const jwksUrl = `http://127.0.0.1:${await listen(server)}/keys`;
    const authenticator = build({
      keySets: [{ issuer: ISSUER, jwksUrl, allowHttp: true, refreshInterval: '2m' }],
    });
    const [old, fresh] = [await mint(first, claimsOf()), await mint(second, claimsOf())];
    const both = async () => [
      await outcome(authenticator.verify(old)),
      await outcome(authenticator.verify(fresh)),
    ];
    expect(await both()).toEqual(['accepted', 'token_signature_invalid']);
    published = second;
    vi.advanceTimersByTime(119_999);
    // A signature that is wrong is no reason to read a set again that knows the kid: floods of them
    // are.
    for (let time = 0; time < 20; time++)
      expect(await both()).toEqual(['accepted', 'token_signature_invalid']);
    expect(reads).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await both()).toEqual(['token_signature_invalid', 'accepted']);
    expect(reads).toBe(2);
  });
});

describe('T-150: tokens in memory', () => {
  it('are those that verified, until the authenticator is closed', async () => {
    const index = new URL('../src/index.ts', import.meta.url).href;
    // A token is written backwards here, so that the list of them has none.
    const program = `
      import { createAuthenticator, createMemoryStore } from ${JSON.stringify(index)};
      import { createHmac, randomBytes } from 'node:crypto';
      import { writeHeapSnapshot } from 'node:v8';
      import { readFileSync, rmSync, mkdtempSync } from 'node:fs';
      import { join } from 'node:path';
      import { tmpdir } from 'node:os';
      const secret = randomBytes(64);
      const jwk = { kty: 'oct', kid: 'k', alg: 'HS256', k: secret.toString('base64url') };
      const authenticator = createAuthenticator({
        keySets: [{ issuer: 'i', secret: { name: 'keys' } }],
        secrets: createMemoryStore({ keys: { 'jwks.json': JSON.stringify({ keys: [jwk] }) } }),
        audience: null,
      });
      const backwards = (text) => [...text].reverse().join('');
      async function send(by) {
        const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
        const input = encode({ alg: 'HS256', kid: 'k' }) + '.' +
          encode({ iss: 'i', exp: Math.floor(Date.now() / 1000) + 300, n: Math.random() });
        const token = input + '.' + createHmac('sha256', by).update(input).digest('base64url');
        for (let time = 0; time < 3; time++) await authenticator.verify(token).catch(() => {});
        return backwards(token.slice(-40));
      }
      const directory = mkdtempSync(join(tmpdir(), 'latchkey-heap-'));
      async function isInHeap(list) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        const heap = readFileSync(writeHeapSnapshot(join(directory, 'heap')));
        return list.map((each) => heap.includes(Buffer.from(each).reverse()));
      }
      const list = [await send(secret), await send(randomBytes(64))];
      await send(secret);
      const open = await isInHeap(list);
      await authenticator.close();
      const closed = await isInHeap(list);
      rmSync(directory, { recursive: true });
      console.log(JSON.stringify({ open, closed }));`;
    const options = ['--conditions=source', '--no-warnings', '--input-type=module', '--eval', program];
    const child = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += String(chunk);
    });
    await once(child, 'close');
    expect(JSON.parse(text)).toEqual({ open: [true, false], closed: [false, false] });
  });
});

describe('T-166: a secret that is not found', () => {
  const SECRET = Buffer.alloc(64, 7);
  const EMPTY = ['', '\0', 'undefined', 'null', '[object Object]', 'k', ISSUER, '{}'];
  const sign = (secret: string, header: object, claims: object = {}) =>
    forge({
      header: { alg: 'HS256', ...header },
      payload: claimsOf(claims),
      signature: (input) => createHmac('sha256', secret).update(input).digest(),
    });

  it.each<[string, object, object]>([
    ['a kid that is not there', { kid: 'other' }, {}],
    ['a kid of every object', { kid: 'constructor' }, {}],
    ['a kid of every prototype', { kid: '__proto__' }, {}],
    ['a kid that is a path', { kid: '../../dev/null' }, {}],
    ['a kid that is empty', { kid: '' }, {}],
    ['no kid', {}, {}],
    ['an issuer that is not there', { kid: 'k' }, { iss: 'https://other.example' }],
    ['an issuer of every object', { kid: 'k' }, { iss: '__proto__' }],
    ['no issuer', { kid: 'k' }, { iss: undefined }],
    ['its kid', { kid: 'k' }, {}],
  ])('is not an empty one: %s', async (_, header, claims) => {
    const jwk = { kty: 'oct', kid: 'k', alg: 'HS256', k: SECRET.toString('base64url') };
    const authenticator = build({
      keySets: [{ issuer: ISSUER, secret: { name: 'keys' } }],
      secrets: createMemoryStore({ keys: { 'jwks.json': JSON.stringify({ keys: [jwk] }) } }),
    });
    for (const secret of EMPTY)
      expect(await outcome(authenticator.verify(sign(secret, header, claims)))).toMatch(/^token_/);
  });

  it.each([
    ['no keys', '{"keys":[]}'],
    ['a key without bytes', '{"keys":[{"kty":"oct","kid":"k","alg":"HS256","k":""}]}'],
    ['a key that says none', '{"keys":[{"kty":"oct","kid":"k","alg":"HS256"}]}'],
  ])('is not an empty one: a set of %s', async (_, text) => {
    const authenticator = build({
      keySets: [{ issuer: ISSUER, secret: { name: 'keys' }, skipValidation: true }],
      secrets: createMemoryStore({ keys: { 'jwks.json': text } }),
    });
    for (const secret of EMPTY)
      expect(await outcome(authenticator.verify(sign(secret, { kid: 'k' })))).toMatch(/^(?:token_|keyset_)/);
  });
});

describe('what this package is made of', () => {
  const root = new URL('../../../', import.meta.url);
  const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
  const packages = readdirSync(new URL('packages/', root))
    .map((name) => ({ name, manifest: JSON.parse(read(`packages/${name}/package.json`)) as Manifest }))
    .filter(({ manifest }) => manifest.private !== true);

  interface Manifest {
    readonly private?: boolean;
    readonly scripts?: Readonly<Record<string, string>>;
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly optionalDependencies?: object;
    readonly bundledDependencies?: unknown;
    readonly gypfile?: boolean;
  }

  it('T-096: no expression of its own is ever matched against a path', () => {
    for (const { name, manifest } of packages) {
      expect(Object.keys(manifest.dependencies ?? {})).not.toContain('path-to-regexp');
      const sources = readdirSync(new URL(`packages/${name}/src/`, root), { recursive: true });
      for (const file of sources.map(String).filter((one) => one.endsWith('.ts'))) {
        // The command line and its tools read files of their user, and no requests; ldap reads DNs.
        if (name === 'cli' || name === 'ldap' || file.startsWith('tools/')) continue;
        const source = read(`packages/${name}/src/${file}`);
        // Patterns of options go to RE2, in one file. Those of sources are literals.
        expect(source, `${name}/${file}`).not.toMatch(/\bRegExp\(/);
      }
    }
  });

  it('T-096: a long path costs a decision nothing', async () => {
    const authenticator = build({ tokenFrom: [{ header: 'Authorization' }, { query: 'access_token' }] });
    const token = await mint(key, claimsOf());
    const headers = { authorization: `Bearer ${token}` };
    const ask = (url: string) => authenticator.authenticate({ method: 'GET', url, headers, rawHeaders: [] });
    // A request is cheap, and 16,000 characters are looked at for a question mark.
    for (const part of ['/a', '/%2e%2e', '//', '/:a(.*)*', '/a-a', ';a=b'])
      expect(
        await ratioOf(
          () => ask(part.repeat(16_000 / part.length)),
          () => ask('/'),
        ),
        part,
      ).toBeLessThan(50);
  });

  it('T-170: no package runs anything when it is installed, or brings native code', () => {
    expect(packages.map(({ name }) => name)).toContain('core');
    for (const { name, manifest } of packages) {
      const scripts = Object.keys(manifest.scripts ?? {});
      expect(
        scripts.filter((one) => /^(?:pre|post)?(?:install|prepare)$/.test(one)),
        name,
      ).toEqual([]);
      const { optionalDependencies, bundledDependencies, gypfile } = manifest;
      expect({ optionalDependencies, bundledDependencies, gypfile }, name).toEqual({});
    }
  });

  it('T-170: what core depends on is known, and has no dependencies of its own', () => {
    const core = packages.find(({ name }) => name === 'core');
    const dependencies = Object.keys(core?.manifest.dependencies ?? {});
    expect(dependencies.sort()).toEqual(['lru-cache', 're2js', 'undici', 'yaml']);
    for (const name of dependencies) {
      const manifest = JSON.parse(read(`packages/core/node_modules/${name}/package.json`)) as Manifest;
      expect(Object.keys(manifest.dependencies ?? {}), name).toEqual([]);
      const scripts = Object.keys(manifest.scripts ?? {});
      expect(
        scripts.filter((one) => /^(?:pre|post)?install$/.test(one)),
        name,
      ).toEqual([]);
    }
  });

  it('T-170: the lock file says what each dependency is, by its hash', () => {
    const lock = read('pnpm-lock.yaml');
    const [, list = ''] = lock.split(/^packages:$/m);
    const resolutions = list.match(/^ {4}resolution: .*$/gm) ?? [];
    expect(resolutions.length).toBeGreaterThan(100);
    for (const one of resolutions) expect(one).toMatch(/integrity: sha512-/);
    // Of all packages, only "node" may run something when it is installed.
    const [, builds = ''] = /^allowBuilds:\n((?: .*\n)+)/m.exec(read('pnpm-workspace.yaml')) ?? [];
    expect(builds.match(/^ {2}[^#].*: (?!false$).*$/gm)).toEqual(['  node: true']);
  });
});
