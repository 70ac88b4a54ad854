// What an operator is told of sources that fail: one process warning when the state of a source
// changes, with its cause; the error of ready(); the report. Sources are real.
import { execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createIssuer, generateSigningKey, type TestIssuer } from '@latchkey/testing';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { requireAny } from '../../src/decision/combine.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import type { KeysetOptions } from '../../src/keysets/options.ts';
import { createDirectoryStore } from '../../src/secrets/directory.ts';
import { close, listen } from '../support/servers.ts';

const AUDIENCE = 'https://api.example.com';

let warnings: string[];

beforeEach(() => {
  warnings = [];
  vi.spyOn(process, 'emitWarning').mockImplementation(((text: string, { code }: { code: string }) => {
    warnings.push(`${code}: ${text}`);
  }) as typeof process.emitWarning);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function create(keySets: readonly KeysetOptions[], options: Partial<AuthenticatorOptions> = {}) {
  const authenticator = createAuthenticator({ keySets, audience: AUDIENCE, ...options });
  onTestFinished(() => authenticator.close());
  return authenticator;
}

async function start(): Promise<TestIssuer> {
  const issuer = await createIssuer({ audience: AUDIENCE });
  onTestFinished(() => issuer.close());
  return issuer;
}

/** The URL of a server that answers everything with a page for people. */
async function page(): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html; charset=utf-8').end('<!doctype html><p>Sign in');
  });
  const port = await listen(server);
  onTestFinished(() => close(server));
  return `http://127.0.0.1:${port}/`;
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'latchkey-outages-'));
  onTestFinished(() => rm(made, { recursive: true, force: true }));
  return made;
}

function nextEvent(name: string): Promise<unknown> {
  return new Promise((resolve) => {
    const listener = (event: unknown): void => {
      unsubscribe(name, listener);
      resolve(event);
    };
    subscribe(name, listener);
  });
}

const messageOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'resolved',
    (error: Error) => error.message,
  );

interface Outage {
  readonly keyset: KeysetOptions;
  readonly options?: Partial<AuthenticatorOptions>;
  /** What the warning says between the source and the next attempt. */
  readonly says: RegExp;
}

const OUTAGES: readonly [title: string, make: () => Promise<Outage>][] = [
  [
    'an issuer that cannot be reached',
    async () => {
      const issuer = `http://127.0.0.1:${await closedPort()}`;
      return {
        keyset: { issuer, useOidcDiscovery: true, allowHttp: true },
        says: /no keys from http:\/\/127\.0\.0\.1:\d+\/\.well-known\/openid-configuration: connect ECONNREFUSED 127\.0\.0\.1:\d+/,
      };
    },
  ],
  [
    'a JWK Set that does not exist, without the key in the query of its URL',
    async () => {
      const { issuer } = await start();
      return {
        keyset: { issuer, jwksUrl: `${issuer}/no-set?key=geheim`, allowHttp: true },
        says: /no keys from http:\/\/127\.0\.0\.1:\d+\/no-set: answered with status 404; for the URL of an issuer, write it as issuer, and useOidcDiscovery: true in place of jwksUrl/,
      };
    },
  ],
  [
    'the URL of an issuer in place of that of the keys, answered with a page',
    async () => {
      const url = await page();
      return {
        keyset: { issuer: url, jwksUrl: url, allowHttp: true },
        says: /no keys from http:\/\/127\.0\.0\.1:\d+\/: answered with HTML, not with JSON; for the URL of an issuer, write it as issuer, and useOidcDiscovery: true in place of jwksUrl/,
      };
    },
  ],
  [
    'an issuer without metadata',
    async () => {
      const url = await page();
      return {
        keyset: { issuer: url, useOidcDiscovery: true, allowHttp: true },
        says: /openid-configuration: answered with HTML, not with JSON; if the issuer publishes no metadata, write jwksUrl in place of useOidcDiscovery/,
      };
    },
  ],
  [
    'the URL of the metadata in place of that of the keys',
    async () => {
      const { issuer } = await start();
      return {
        keyset: { issuer, jwksUrl: `${issuer}/.well-known/openid-configuration`, allowHttp: true },
        says: /openid-configuration: expected a JWK Set, { keys: \[ … \] }, got the metadata of an issuer; write useOidcDiscovery: true, or its jwks_uri as jwksUrl/,
      };
    },
  ],
  [
    'an issuer with a slash too many',
    async () => {
      const { issuer } = await start();
      return {
        keyset: { issuer: `${issuer}/`, useOidcDiscovery: true, allowHttp: true },
        says: new RegExp(
          `keySets\\[0\\].issuer is '${issuer}/', and the metadata says '${issuer}'; they differ by the last slash`,
        ),
      };
    },
  ],
  [
    'a key file that is not there',
    async () => {
      const file = join(await folder(), 'public.pem');
      return {
        keyset: { issuer: 'https://a.example', publicKeys: [{ file, algorithm: 'ES256' }] },
        says: /no keys from publicKeys: no usable key: \S+public\.pem: the file does not exist \(ENOENT\)/,
      };
    },
  ],
  [
    'a secret that is not there',
    async () => ({
      keyset: { issuer: 'https://a.example', secret: { name: 'partner', key: 'jwks.json' } },
      options: { secrets: createDirectoryStore(await folder()) },
      says: /no keys from the entry jwks\.json of the secret partner \(\S+\/partner\/jwks\.json\): the secret partner has no entry jwks\.json/,
    }),
  ],
];

describe('a source of keys that fails', () => {
  it.each(OUTAGES)('%s: one warning, and ready() and report() say the same', async (_, make) => {
    const { keyset, options, says } = await make();
    const authenticator = create([keyset], options);
    const ready = await messageOf(authenticator.ready());
    expect(ready).toMatch(
      new RegExp(`^keySets\\[0\\]: .*${says.source} \\(tried once; trying again in \\d+ s\\)$`),
    );
    // Nothing more, however often it is asked for.
    for (let asked = 0; asked < 3; asked++) await messageOf(authenticator.ready());
    expect(warnings).toEqual([
      expect.stringMatching(
        new RegExp(`^LATCHKEY_UNAVAILABLE: keySets\\[0\\]: .*${says.source}; trying again in \\d+ s$`),
      ),
    ]);
    const [report] = authenticator.report().keysets;
    expect(report).toMatchObject({ state: 'empty', failures: 1 });
    expect(ready).toContain(report?.lastError);
    expect(report?.nextAttemptInMs).toSatisfy(Number.isInteger);
    expect(`${ready}${warnings}${JSON.stringify(report)}`).not.toContain('geheim');
  });

  it('warns once more when it works again, and once for the next outage', async () => {
    const issuer = await start();
    issuer.fail({ kind: 'status', status: 500 });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const authenticator = create([
      { issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true, refreshInterval: '1m' },
    ]);
    await messageOf(authenticator.ready());
    const attempt = async (outcome: 'refreshed' | 'failed') => {
      const told = nextEvent(`latchkey:keyset:${outcome}`);
      vi.advanceTimersByTime((authenticator.report().keysets[0]?.nextAttemptInMs ?? 0) + 1);
      await told;
    };
    await attempt('failed');
    issuer.fail();
    await attempt('refreshed');
    // The URL was right, so the message does not ask for another one.
    issuer.fail({ kind: 'status', status: 404 });
    await attempt('failed');
    await attempt('failed');
    expect(warnings).toEqual([
      expect.stringContaining('answered with status 500; trying again in 1 s'),
      `LATCHKEY_RECOVERED: keySets[0]: keys from ${issuer.jwksUrl} again`,
      expect.stringMatching(/fails: answered with status 404; its last keys are used; trying again in 1 s$/),
    ]);
  });

  it('a set whose keys are all unusable names each key and the reason', async () => {
    const issuer = await start();
    const { publicJwk } = await generateSigningKey();
    issuer.publish([{ ...publicJwk, kid: 'one', use: 'enc' }]);
    const authenticator = create([{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }]);
    const says = `keySets[0]: no key from ${issuer.jwksUrl} can be used: kid one (`;
    expect(await messageOf(authenticator.ready())).toContain(says);
    expect(warnings).toEqual([expect.stringContaining(`LATCHKEY_UNAVAILABLE: ${says}`)]);
    expect(authenticator.report().keysets).toMatchObject([
      { state: 'empty', kids: [], skipped: [{ kid: 'one', reason: expect.any(String) }] },
    ]);
  });
});

describe('services that are asked for each request', () => {
  const token = async (issuer: TestIssuer) => issuer.mint({ sub: 'alice' });

  it('a remote endpoint warns once, and once when it works again', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    let status = 500;
    const server = createServer((_, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end('{"sub":"alice"}');
    });
    const url = `http://127.0.0.1:${await listen(server)}/validate`;
    const authenticator = create([], { audience: null, remote: { url: `${url}?key=geheim` } });
    const ask = () => messageOf(authenticator.verify('a.b.c'));
    await ask();
    await ask();
    expect(authenticator.report().remote).toMatchObject({ lastError: 'answered with status 500' });
    status = 200;
    // One that fails now and then does not fill the log.
    expect(await ask()).toBe('resolved');
    expect(warnings).toHaveLength(1);
    vi.advanceTimersByTime(10_000);
    expect(await ask()).toBe('resolved');
    expect(warnings).toEqual([
      `LATCHKEY_UNAVAILABLE: remote: ${url} failed: answered with status 500; tokens are answered with 503`,
      `LATCHKEY_RECOVERED: remote: ${url} works again`,
    ]);
  });

  it('a source of groups warns once, without what its error quotes', async () => {
    const issuer = await start();
    const authenticator = create([{ issuer: issuer.issuer, jwks: issuer.jwks }], {
      groups: {
        order: ['directory'],
        directory: {
          description: 'people',
          resolve: async () => {
            throw new Error('bind of "cn=admin" at ldaps://admin:geheim@ldap.example failed', {
              cause: Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
            });
          },
        },
      },
    });
    for (let asked = 0; asked < 3; asked++) await messageOf(authenticator.verify(await token(issuer)));
    expect(warnings).toEqual([
      'LATCHKEY_UNAVAILABLE: groups.directory: people failed: bind of "…" at ldaps://ldap.example failed: ' +
        'connect ECONNREFUSED; requests that need it are answered with 503',
    ]);
  });
});

describe('start()', () => {
  it('loads every keyset in the background, and those behind a combination', async () => {
    const [one, two] = [await start(), await start()];
    const sources = [one, two].map(({ issuer, jwksUrl }) => create([{ issuer, jwksUrl, allowHttp: true }]));
    expect(sources.map((source) => source.report().keysets[0]?.state)).toEqual(['idle', 'idle']);
    const [first, second] = sources;
    if (first === undefined || second === undefined) throw new Error('two were made');
    const started = requireAny({ first, second }).start?.(10_000);
    expect(first.report().keysets[0]?.state).toBe('loading');
    await started;
    expect(sources.map((source) => source.report().keysets[0]?.state)).toEqual(['fresh', 'fresh']);
  });

  it('waits no longer than it is told, and never rejects', async () => {
    const issuer = await start();
    issuer.fail({ kind: 'hang' });
    const authenticator = create([{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }]);
    await authenticator.start(20);
    expect(authenticator.report().keysets[0]?.state).toBe('loading');
  });

  it('loadAtStart: false: keys are loaded with the first token', async () => {
    const issuer = await start();
    const authenticator = create([{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }], {
      loadAtStart: false,
    });
    await authenticator.start(1_000);
    expect([issuer.requests.jwks, authenticator.report().keysets[0]?.state]).toEqual([0, 'idle']);
    await authenticator.verify(await issuer.mint());
    expect(authenticator.report().keysets[0]?.state).toBe('fresh');
  });

  it('a keyset with jwksHosts stays idle, and ready() waits for nothing', async () => {
    const authenticator = create([{ issuer: 'https://a.example', jwksHosts: ['keys.example.com'] }]);
    await authenticator.start(1_000);
    await authenticator.ready();
    expect(authenticator.report().keysets).toMatchObject([{ state: 'idle', failures: 0 }]);
  });

  it.each([
    ['hangs', { kind: 'hang' }],
    ['fails', { kind: 'reset' }],
  ] as const)('a process ends although its source %s', async (_, fault) => {
    const issuer = await start();
    issuer.fail(fault);
    const file = join(await folder(), 'service.mjs');
    await writeFile(
      file,
      `import { createAuthenticator } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)};
      const keySets = [
        { issuer: 'https://a.example', jwksUrl: ${JSON.stringify(issuer.jwksUrl)}, allowHttp: true },
        { issuer: ${JSON.stringify(issuer.issuer)}, useOidcDiscovery: true, allowHttp: true },
      ];
      createAuthenticator({ keySets, audience: null }).start();
      // The requests are under way.
      setTimeout(() => console.log(performance.now()), 300);
      process.on('exit', () => console.log(performance.now()));`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=source', file], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      timeout: 15_000,
    });
    const [asked = 0, ended = Number.POSITIVE_INFINITY] = stdout.trim().split('\n').map(Number);
    expect(ended - asked).toBeLessThan(1_000);
  });
});
