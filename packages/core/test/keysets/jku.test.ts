// Keys from where the token's own "jku" says, against real servers on loopback: only listed hosts,
// only public addresses unless the options say otherwise, and a bounded number of fetches. What is
// refused causes no connection.
import { createServer, type IncomingMessage } from 'node:http';
import { createIssuer, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import {
  createAdmission,
  MAX_CONFIRMED_ISSUERS,
  MAX_CONFIRMED_URLS,
  MAX_FAILED_URLS,
  MAX_NEW_URLS,
  WINDOW_MS,
} from '../../src/keysets/jku-admission.ts';
import type { JkuKeysetOptions, KeysetOptions } from '../../src/keysets/options.ts';
import { isPublicAddress, lookupPublic } from '../../src/net/addresses.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import { closing } from '../support/closing.ts';
import { outcome as settled } from '../support/outcome.ts';
import { close, listen } from '../support/servers.ts';

const AUDIENCE = 'https://api.example.com';
const ISSUER = 'https://issuer.example';

let key: SigningKey;
let other: SigningKey;

beforeAll(async () => {
  key = await generateSigningKey('ES256', 'k');
  other = await generateSigningKey('ES256', 'other');
});

afterEach(async () => {
  vi.useRealTimers();
});

interface Listening {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly port: number;
  /** Connections that came about. */
  readonly connections: () => number;
  readonly close: () => Promise<void>;
  /** The paths that were asked for. */
  readonly paths: string[];
}

/** Serves a JWK Set on every path that starts with `/keys` or `/tenants/`; others are 404. */
async function serveKeys(
  keysOf: (request: IncomingMessage) => readonly object[] = () => [key.publicJwk],
): Promise<Listening> {
  const paths: string[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    paths.push(request.url ?? '');
    if (!/^\/(?:keys|tenants\/)/.test(request.url ?? '')) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ keys: keysOf(request) }));
  });
  server.on('connection', () => connections++);
  const port = await listen(server);
  return {
    host: `127.0.0.1:${port}`,
    port,
    connections: () => connections,
    close: () => close(server),
    paths,
  };
}

function create(keyset: KeysetOptions, stored: object = {}): Authenticator {
  const secrets = createMemoryStore({ jwks: { 'jwks.json': JSON.stringify(stored) } });
  return closing(createAuthenticator({ keySets: [keyset], secrets, audience: AUDIENCE }));
}

/** A keyset that may ask loopback over plain HTTP. */
function local(jwksHosts: readonly string[], more: Partial<JkuKeysetOptions> = {}): JkuKeysetOptions {
  return { issuer: ISSUER, jwksHosts, allowHttp: true, unsafeAllowPrivateAddresses: true, ...more };
}

const CLAIMS = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: 4_000_000_000 };

/** What comes of a token with this jku: `accepted`, or the code of the refusal. */
async function outcome(authenticator: Authenticator, jku: string | undefined, signer = key): Promise<string> {
  return settled(authenticator.verify(await mint(signer, CLAIMS, { jku })));
}

describe('a listed host', () => {
  it.each<[title: string, list: (host: string) => string, path: string]>([
    ['any path', (host) => host, '/keys'],
    ['any path, said explicitly', (host) => `${host}/`, '/keys'],
    ['a path under a prefix', (host) => `${host}/tenants/`, '/tenants/a/keys'],
    ['a query', (host) => host, '/keys?tenant=a'],
  ])('AM-4: is asked for keys: %s', async (_, list, path) => {
    const server = await serveKeys();
    const authenticator = create(local([list(server.host)]));
    expect(server.connections()).toBe(0);
    expect(await outcome(authenticator, `http://${server.host}${path}`)).toBe('accepted');
    expect(await outcome(authenticator, `http://${server.host}${path}`)).toBe('accepted');
    expect(server.paths).toEqual([path]);
  });

  it('AM-4: one of several, by a name too', async () => {
    const server = await serveKeys();
    const authenticator = create(local(['keys.example.com', `localhost:${server.port}`]));
    expect(await outcome(authenticator, `http://localhost:${server.port}/keys`)).toBe('accepted');
  });

  it('AM-4: each URL has keys of its own', async () => {
    const server = await serveKeys(({ url }) => [url === '/keys/other' ? other.publicJwk : key.publicJwk]);
    const authenticator = create(local([server.host]));
    const [ours, theirs] = [`http://${server.host}/keys`, `http://${server.host}/keys/other`];
    expect(await outcome(authenticator, ours, key)).toBe('accepted');
    expect(await outcome(authenticator, theirs, other)).toBe('accepted');
    expect(await outcome(authenticator, ours, other)).toBe('token_key_unknown');
    expect(await outcome(authenticator, theirs, { ...key, kid: 'other' })).toBe('token_signature_invalid');
    expect(authenticator.report().keysets).toMatchObject([
      { source: `jku: ${server.host}`, kids: [key.kid, other.kid], state: 'fresh' },
    ]);
  });

  it('D10: an unknown kid does not have a URL read again that has just been read; later it does, and finds new keys', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    let keys = [key.publicJwk];
    const server = await serveKeys(() => keys);
    const authenticator = create(local([server.host]));
    const jku = `http://${server.host}/keys`;
    expect(await outcome(authenticator, jku, other)).toBe('token_key_unknown');
    expect(server.paths).toEqual(['/keys']);
    keys = [key.publicJwk, other.publicJwk];
    vi.advanceTimersByTime(9_999);
    expect(await outcome(authenticator, jku, other)).toBe('token_key_unknown');
    expect(server.paths).toEqual(['/keys']);
    vi.advanceTimersByTime(1);
    expect(await outcome(authenticator, jku, other)).toBe('accepted');
    expect(server.paths).toEqual(['/keys', '/keys']);
  });

  it('T-125: a symmetric or private key there is never used', async () => {
    const secret = {
      kty: 'oct',
      k: Buffer.alloc(64, 'abcdefghijk').toString('base64url'),
      kid: 'k',
      alg: 'HS256',
    };
    const exposed = { ...key.privateKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256' };
    const server = await serveKeys(() => [secret, exposed]);
    expect(await outcome(create(local([server.host])), `http://${server.host}/keys`)).toBe(
      'token_key_unknown',
    );
  });

  it('T-118: a redirect off the host is not followed', async () => {
    const target = await serveKeys();
    const server = createServer((_, response) => {
      response.writeHead(302, { location: `http://${target.host}/keys` }).end();
    });
    const host = `127.0.0.1:${await listen(server)}`;
    const authenticator = create(local([host, target.host]));
    expect(await outcome(authenticator, `http://${host}/keys`)).toBe('keyset_unavailable');
    expect(target.connections()).toBe(0);
  });

  it.each([
    ['out of the prefix', '/keys'],
    ['to another tenant', '/tenants/b/keys'],
    ['by an encoded slash', '/tenants/a/..%2fb/keys'],
    ['by encoded dots', '/tenants/a/%2e%2e/b/keys'],
    ['relative', '../b/keys'],
  ])('T-118: a redirect %s is not followed', async (_, location) => {
    const paths: string[] = [];
    const server = createServer(({ url }, response) => {
      paths.push(url ?? '');
      if (url === '/tenants/a/keys') response.writeHead(302, { location }).end();
      else if (url === '/tenants/a/moved') response.writeHead(302, { location: 'new' }).end();
      else response.end(JSON.stringify({ keys: [key.publicJwk] }));
    });
    const host = `127.0.0.1:${await listen(server)}`;
    const authenticator = create(local([`${host}/tenants/a/`]));
    expect(await outcome(authenticator, `http://${host}/tenants/a/keys`)).toBe('keyset_unavailable');
    expect(paths.splice(0)).toEqual(['/tenants/a/keys']);
    // Within the prefix it is followed.
    expect(await outcome(authenticator, `http://${host}/tenants/a/moved`)).toBe('accepted');
    expect(paths).toEqual(['/tenants/a/moved', '/tenants/a/new']);
  });

  it('AM-4: a path is compared as it is after decoding', async () => {
    const server = await serveKeys();
    const authenticator = create(local([`${server.host}/tenants/a%20b/`]));
    expect(await outcome(authenticator, `http://${server.host}/tenants/a b/keys`)).toBe('accepted');
    expect(await outcome(authenticator, `http://${server.host}/tenants/%61%20b/keys?x=1`)).toBe('accepted');
    expect(await outcome(authenticator, `http://${server.host}/tenants/a/keys`)).toBe('token_key_unknown');
  });

  it('AM-4: a host that is down is 503, and the others go on', async () => {
    const server = await serveKeys();
    const gone = await serveKeys();
    await gone.close();
    const authenticator = create(local([server.host, gone.host]));
    expect(await outcome(authenticator, `http://${gone.host}/keys`)).toBe('keyset_unavailable');
    expect(await outcome(authenticator, `http://${server.host}/keys`)).toBe('accepted');
  });

  it('AK-18: ready() waits for nothing, and sends no request', async () => {
    const server = await serveKeys();
    await create(local([server.host])).ready();
    expect(server.connections()).toBe(0);
  });
});

describe('what is not listed', () => {
  it.each<[title: string, jku: (server: Listening) => string | undefined]>([
    ['no jku', () => undefined],
    ['another host', ({ port }) => `http://localhost:${port}/tenants/keys`],
    ['another spelling of the host', ({ port }) => `http://127.0.0.2:${port}/tenants/keys`],
    ['the host with a dot at the end', ({ port }) => `http://localhost.:${port}/tenants/keys`],
    ['the host as a part of a name', ({ port }) => `http://127.0.0.1.example.com:${port}/tenants/keys`],
    ['another port', ({ port }) => `http://127.0.0.1:${port === 65_535 ? 65_534 : port + 1}/tenants/keys`],
    ['no port', () => 'http://127.0.0.1/tenants/keys'],
    ['a user', ({ host }) => `http://user@${host}/tenants/keys`],
    ['a password', ({ host }) => `http://user:pass@${host}/tenants/keys`],
    ['an empty user with a password', ({ host }) => `http://:pass@${host}/tenants/keys`],
    ['the host as a user', ({ host }) => `http://${host}@evil.example/tenants/keys`],
    ['a fragment', ({ host }) => `http://${host}/tenants/keys#a`],
    ['a path outside of the prefix', ({ host }) => `http://${host}/keys`],
    ['the prefix without its slash', ({ host }) => `http://${host}/tenants`],
    ['a longer name than the prefix', ({ host }) => `http://${host}/tenantsevil/keys`],
    ['the prefix in upper case', ({ host }) => `http://${host}/Tenants/keys`],
    ['dots out of the prefix', ({ host }) => `http://${host}/tenants/../keys`],
    ['encoded dots out of the prefix', ({ host }) => `http://${host}/tenants/%2e%2e/keys`],
    ['a backslash out of the prefix', ({ host }) => `http://${host}/tenants/..\\keys`],
    ['an encoded slash after dots', ({ host }) => `http://${host}/tenants/..%2fkeys`],
    ['an encoded slash in upper case', ({ host }) => `http://${host}/tenants/..%2Fkeys`],
    ['an encoded slash without dots', ({ host }) => `http://${host}/tenants/a%2fkeys`],
    ['an encoded backslash', ({ host }) => `http://${host}/tenants/..%5ckeys`],
    ['dots that are encoded twice', ({ host }) => `http://${host}/tenants/%252e%252e/keys`],
    ['a slash that is encoded twice', ({ host }) => `http://${host}/tenants/..%252fkeys`],
    ['dots with a path parameter', ({ host }) => `http://${host}/tenants/..;/keys`],
    ['dots with an encoded path parameter', ({ host }) => `http://${host}/tenants/..%3ba/keys`],
    ['dots and a space', ({ host }) => `http://${host}/tenants/..%20/keys`],
    ['three dots', ({ host }) => `http://${host}/tenants/.../keys`],
    ['overlong dots', ({ host }) => `http://${host}/tenants/%c0%ae%c0%ae/keys`],
    ['wide dots', ({ host }) => `http://${host}/tenants/．．/keys`],
    ['an encoded NUL', ({ host }) => `http://${host}/tenants/..%00/keys`],
    ['an encoded question mark', ({ host }) => `http://${host}/tenants/a%3f/keys`],
    ['a percent sign alone', ({ host }) => `http://${host}/tenants/%/keys`],
    ['a query in the place of a path', ({ host }) => `http://${host}?/tenants/keys`],
    ['file', () => 'file:///tenants/keys'],
    ['data', () => 'data:application/json,{"keys":[]}'],
    ['ftp', ({ host }) => `ftp://${host}/tenants/keys`],
    ['no scheme', ({ host }) => `//${host}/tenants/keys`],
    ['a relative URL', () => '/tenants/keys'],
    ['no URL', () => 'keys'],
    ['more than 2048 characters', ({ host }) => `http://${host}/tenants/${'a'.repeat(2048)}`],
  ])('S38, T-119: %s: no connection', async (_, jku) => {
    const server = await serveKeys();
    const authenticator = create(local([`${server.host}/tenants/`]));
    expect(await outcome(authenticator, jku(server))).toBe('token_key_unknown');
    expect(server.connections()).toBe(0);
    // The host does answer: it is the URL that does not lead there.
    expect(await outcome(authenticator, `http://${server.host}/tenants/keys`)).toBe('accepted');
  });

  it('S38, T-119: plain HTTP without allowHttp: no connection', async () => {
    const server = await serveKeys();
    const authenticator = create({
      issuer: ISSUER,
      jwksHosts: [server.host],
      unsafeAllowPrivateAddresses: true,
    });
    expect(await outcome(authenticator, `http://${server.host}/keys`)).toBe('token_key_unknown');
    expect(server.connections()).toBe(0);
  });

  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['localhost', 'localhost'],
    ['an IPv6 address with the IPv4 one in it', '[::ffff:7f00:1]'],
  ])('D10, T-119: %s, without unsafeAllowPrivateAddresses: no connection', async (_, name) => {
    const server = await serveKeys();
    const host = `${name}:${server.port}`;
    const authenticator = create({ issuer: ISSUER, jwksHosts: [host], allowHttp: true });
    expect(await outcome(authenticator, `http://${host}/keys`)).toBe('keyset_unavailable');
    expect(server.connections()).toBe(0);
    // It is the address: with the permission, it is asked.
    expect(await outcome(create(local([host])), `http://${host}/keys`)).toBe('accepted');
  });

  it('T-037: every other kind of keyset ignores the jku', async () => {
    const attacker = await serveKeys(() => [other.publicJwk]);
    const issuer = await createIssuer({ audience: AUDIENCE });
    try {
      const jku = `http://${attacker.host}/keys`;
      const keySets: readonly KeysetOptions[] = [
        { issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true },
        { issuer: issuer.issuer, useOidcDiscovery: true, allowHttp: true },
        { issuer: issuer.issuer, jwks: issuer.jwks },
        { issuer: issuer.issuer, secret: { name: 'jwks' } },
      ];
      for (const keyset of keySets) {
        const authenticator = create(keyset, issuer.jwks);
        expect(await settled(authenticator.verify(await issuer.mint({}, { jku })))).toBe('accepted');
        const forged = await mint(other, { ...CLAIMS, iss: issuer.issuer }, { jku });
        expect(await settled(authenticator.verify(forged))).toBe('token_key_unknown');
        const renamed = await mint(
          { ...other, kid: issuer.key.kid },
          { ...CLAIMS, iss: issuer.issuer },
          { jku },
        );
        expect(await settled(authenticator.verify(renamed))).toBe('token_signature_invalid');
      }
      expect(attacker.connections()).toBe(0);
    } finally {
      await issuer.close();
    }
  });

  it('T-036, T-037: a token of an issuer that no keyset names causes no connection', async () => {
    const server = await serveKeys();
    const authenticator = create(local([server.host]));
    const token = await mint(
      key,
      { ...CLAIMS, iss: 'https://evil.example' },
      { jku: `http://${server.host}/keys` },
    );
    expect(await settled(authenticator.verify(token))).toBe('token_issuer_untrusted');
    expect(server.connections()).toBe(0);
  });
});

describe('a flood of URLs', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] });
  });

  async function flood(
    authenticator: Authenticator,
    host: string,
    size: number,
    round = 0,
    iss = ISSUER,
  ): Promise<Set<string>> {
    const token = await mint(key, { ...CLAIMS, iss });
    const payload = token.split('.')[1];
    const results = await Promise.all(
      Array.from({ length: size }, (_, index) => {
        const jku = `http://${host}/keys/${round}/${index}?${encodeURIComponent(iss)}`;
        const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: 'k', jku })).toString('base64url');
        return settled(
          authenticator.verify(`${header}.${payload}.${Buffer.alloc(64, 1).toString('base64url')}`),
        );
      }),
    );
    return new Set(results);
  }

  it('D10: 1,000 new paths are at most four fetches in ten seconds, and a known URL stays usable', async () => {
    const server = await serveKeys();
    const authenticator = create(local([server.host]));
    const known = `http://${server.host}/keys`;
    expect(await outcome(authenticator, known)).toBe('accepted');
    expect(server.paths).toEqual(['/keys']);
    vi.advanceTimersByTime(10_000);
    for (let round = 1; round <= 3; round++) {
      const results = await flood(authenticator, server.host, 1_000, round);
      expect(results).toEqual(new Set(['token_signature_invalid', 'keyset_unavailable']));
      expect(server.paths).toHaveLength(1 + 4 * round);
      expect(await outcome(authenticator, known)).toBe('accepted');
      vi.advanceTimersByTime(9_999);
      expect(await flood(authenticator, server.host, 100, round + 10)).toEqual(
        new Set(['keyset_unavailable']),
      );
      expect(server.paths).toHaveLength(1 + 4 * round);
      vi.advanceTimersByTime(1);
    }
    expect(server.paths.filter((path) => path === '/keys')).toHaveLength(1);
  });

  it('D10: paths that give nothing are at most four at a time, and the known URL keeps its keys through many of them', async () => {
    const server = await serveKeys(({ url }) => (url === '/keys' ? [key.publicJwk] : []));
    const authenticator = create(local([server.host]));
    const known = `http://${server.host}/keys`;
    expect(await outcome(authenticator, known)).toBe('accepted');
    for (let round = 1; round <= 12; round++) {
      vi.advanceTimersByTime(10_000);
      await flood(authenticator, server.host, 100, round);
      const distinct = new Set(server.paths.filter((path) => path.startsWith(`/keys/${round}/`)));
      expect(distinct.size).toBe(4);
    }
    // 48 others have come since, more than are kept at a time.
    expect(await outcome(authenticator, known)).toBe('accepted');
    expect(server.paths.filter((path) => path === '/keys')).toHaveLength(1);
    expect(authenticator.report().keysets).toMatchObject([{ kids: ['k'] }]);
  });

  it('D10: a good URL that was not read before is read in spite of it, when it is asked for again', async () => {
    const server = await serveKeys();
    const authenticator = create(local([server.host]));
    const good = `http://${server.host}/keys/of-a-new-tenant`;
    for (let round = 1; ; round++) {
      // Without a key at all, and always first.
      await flood(authenticator, server.host, 1_000, round);
      const results: string[] = [];
      for (let count = 0; count < 5; count++) results.push(await outcome(authenticator, good));
      expect(server.paths.length).toBeLessThanOrEqual(8 * round);
      if (results.includes('accepted')) {
        expect(round).toBe(2);
        break;
      }
      expect(new Set(results)).toEqual(new Set(['keyset_unavailable']));
      expect(round).toBeLessThan(2);
      vi.advanceTimersByTime(10_000);
    }
    expect(await outcome(authenticator, good)).toBe('accepted');
  });

  it('D10: tokens of one issuer do not use up what those of another may cause', async () => {
    const server = await serveKeys();
    const authenticator = create({
      jwksHosts: [server.host],
      allowHttp: true,
      unsafeAllowPrivateAddresses: true,
    });
    const of = async (iss: string, path: string) =>
      settled(
        authenticator.verify(
          await mint(key, { ...CLAIMS, iss }, { jku: `http://${server.host}/keys/${path}` }),
        ),
      );
    expect(await of('https://a.example', 'a1')).toBe('accepted');
    expect(await of('https://b.example', 'b1')).toBe('accepted');
    vi.advanceTimersByTime(10_000);
    // Made up: of an issuer whose tokens have verified, and of one whose tokens never did.
    for (const iss of ['https://a.example', 'https://evil.example'])
      expect(await flood(authenticator, server.host, 100, 1, iss)).toContain('keyset_unavailable');
    expect(await of('https://b.example', 'b2')).toBe('accepted');
    expect(await of('https://a.example', 'a2')).toBe('keyset_unavailable');
    expect(await of('https://new.example', 'n1')).toBe('keyset_unavailable');
  });

  it('D10: a URL whose keys have verified a token is read again at once, though others came since', async () => {
    const server = await serveKeys();
    const authenticator = create(local([server.host]));
    const urls = Array.from({ length: 40 }, (_, index) => `http://${server.host}/keys/${index}`);
    for (const url of urls) {
      expect(await outcome(authenticator, url)).toBe('accepted');
      vi.advanceTimersByTime(3_000);
    }
    await flood(authenticator, server.host, 100, 99);
    server.paths.length = 0;
    // It made room for those that came after it.
    expect(await outcome(authenticator, urls[0])).toBe('accepted');
    expect(server.paths).toEqual(['/keys/0']);
  });

  it('D10: a URL that gave nothing is not read again within ten seconds', async () => {
    const server = await serveKeys();
    const authenticator = create(local([server.host]));
    const bad = `http://${server.host}/nothing`;
    for (let count = 0; count < 20; count++)
      expect(await outcome(authenticator, bad)).toBe('keyset_unavailable');
    expect(server.paths).toEqual(['/nothing']);
    // It has used up one fetch, and no more.
    for (let count = 0; count < 3; count++)
      expect(await outcome(authenticator, `http://${server.host}/keys/${count}`)).toBe('accepted');
    vi.advanceTimersByTime(10_000);
    expect(await outcome(authenticator, bad)).toBe('keyset_unavailable');
    expect(server.paths.filter((path) => path === '/nothing')).toHaveLength(2);
  });

  it('D10: what is remembered of URLs and issuers is bounded', () => {
    const admission = createAdmission();
    for (let index = 0; index <= MAX_CONFIRMED_URLS; index++)
      admission.confirm(`https://a/${index}`, `https://issuer/${index}`);
    expect(admission.isConfirmed('https://a/0')).toBe(false);
    expect(admission.isConfirmed('https://a/1')).toBe(true);
    // Each of the last 32 issuers has four fetches of its own; the others share four.
    const fetched = (issuer: number) =>
      Array.from({ length: 10 }, (_, url) =>
        admission.ask(`https://b/${issuer}/${url}`, `https://issuer/${issuer}`),
      ).filter((wait) => wait === undefined).length;
    const all = Array.from({ length: MAX_CONFIRMED_URLS + 1 }, (_, issuer) => fetched(issuer));
    expect(all.reduce((sum, count) => sum + count, 0)).toBe((MAX_CONFIRMED_ISSUERS + 1) * MAX_NEW_URLS);
    expect(all.slice(-MAX_CONFIRMED_ISSUERS)).toEqual(Array(MAX_CONFIRMED_ISSUERS).fill(MAX_NEW_URLS));
    // A confirmed URL that gave nothing is left alone, and the oldest of many such is forgotten.
    for (let index = 0; index <= MAX_FAILED_URLS; index++)
      admission.failed(index === 0 ? 'https://a/1' : `https://c/${index}`);
    expect(admission.ask('https://a/1', undefined)).toBeUndefined();
    admission.failed('https://a/1');
    expect(admission.ask('https://a/1', undefined)).toBe(WINDOW_MS);
  });

  it('D10: a refusal says when a new URL may be asked for', async () => {
    const server = await serveKeys();
    const authenticator = create(local([server.host]));
    await flood(authenticator, server.host, 5);
    vi.advanceTimersByTime(4_000);
    const token = await mint(key, CLAIMS, { jku: `http://${server.host}/keys/new` });
    await expect(authenticator.verify(token)).rejects.toMatchObject({
      code: 'keyset_unavailable',
      headers: { 'Retry-After': '6' },
    });
    vi.advanceTimersByTime(6_000);
    expect(await settled(authenticator.verify(token))).toBe('accepted');
  });
});

describe('isPublicAddress()', () => {
  it.each<[range: string, addresses: readonly string[]]>([
    ['this network, 0.0.0.0/8', ['0.0.0.0', '0.255.255.255']],
    ['private, 10.0.0.0/8', ['10.0.0.0', '10.255.255.255']],
    ['shared, 100.64.0.0/10', ['100.64.0.0', '100.127.255.255']],
    ['loopback, 127.0.0.0/8', ['127.0.0.1', '127.255.255.255']],
    ['link-local, 169.254.0.0/16', ['169.254.0.0', '169.254.169.254', '169.254.255.255']],
    ['private, 172.16.0.0/12', ['172.16.0.0', '172.31.255.255']],
    ['protocol assignments, 192.0.0.0/24', ['192.0.0.0', '192.0.0.255']],
    ['documentation', ['192.0.2.1', '198.51.100.1', '203.0.113.255']],
    ['private, 192.168.0.0/16', ['192.168.0.0', '192.168.255.255']],
    ['benchmarks, 198.18.0.0/15', ['198.18.0.0', '198.19.255.255']],
    ['multicast, 224.0.0.0/4', ['224.0.0.1', '239.255.255.255']],
    ['reserved and broadcast, 240.0.0.0/4', ['240.0.0.0', '255.255.255.255']],
    ['unspecified and loopback, IPv6', ['::', '::1', '0:0:0:0:0:0:0:1']],
    [
      'IPv4-mapped, of reserved ones',
      [
        '::ffff:127.0.0.1',
        '::ffff:7f00:1',
        '::ffff:10.1.2.3',
        '::ffff:169.254.169.254',
        '::FFFF:192.168.0.1',
      ],
    ],
    ['IPv4-compatible', ['::127.0.0.1', '::10.0.0.1', '::8.8.8.8']],
    ['NAT64', ['64:ff9b::7f00:1', '64:ff9b::10.0.0.1', '64:ff9b::8.8.8.8', '64:ff9b:1::1']],
    ['discard only, 100::/64', ['100::', '100::ffff:ffff:ffff:ffff']],
    ['protocol assignments with Teredo, 2001::/23', ['2001::1', '2001:0:7f00:1::', '2001:1ff:ffff::1']],
    ['documentation, 2001:db8::/32', ['2001:db8::', '2001:db8:ffff::1']],
    ['6to4, 2002::/16', ['2002:7f00:1::', '2002:a00:1::1', '2002:808:808::1']],
    ['unique local, fc00::/7', ['fc00::', 'fd00::1', 'fdff:ffff::1']],
    ['link-local, fe80::/10', ['fe80::1', 'febf:ffff::1', 'fe80::1%eth0']],
    ['site-local, fec0::/10', ['fec0::1', 'feff::1']],
    ['multicast, ff00::/8', ['ff00::', 'ff02::1', 'ffff::1']],
    [
      'no address',
      ['', 'localhost', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '[::1]', '8.8.8.8:53'],
    ],
  ])('T-119, D10: not %s', (_, addresses) => {
    expect(addresses.filter(isPublicAddress)).toEqual([]);
  });

  it('T-119: the neighbours of the reserved ranges, and those of the internet', () => {
    const addresses = [
      '1.0.0.0',
      '8.8.8.8',
      '9.255.255.255',
      '11.0.0.0',
      '100.63.255.255',
      '100.128.0.0',
      '126.255.255.255',
      '128.0.0.0',
      '169.253.255.255',
      '169.255.0.0',
      '172.15.255.255',
      '172.32.0.0',
      '191.255.255.255',
      '192.0.1.0',
      '192.167.255.255',
      '192.169.0.0',
      '198.17.255.255',
      '198.20.0.0',
      '223.255.255.255',
      '2001:200::1',
      '2001:4860:4860::8888',
      '2606:4700:4700::1111',
      '2a00:1450:4001:800::200e',
      '::ffff:8.8.8.8',
    ];
    expect(addresses.filter((address) => !isPublicAddress(address))).toEqual([]);
  });

  it.each([{ all: true }, { all: false }, {}])(
    'T-119: lookupPublic refuses what resolves to loopback: %j',
    async (options) => {
      const error = await new Promise<Error | null>((resolve) => lookupPublic('localhost', options, resolve));
      expect(error).toMatchObject({ message: 'the address of the host is not public' });
    },
  );
});

describe('options', () => {
  it.each<[title: string, host: unknown]>([
    ['a wildcard', '*.example.com'],
    ['a wildcard in the path', 'example.com/*/'],
    ['upper case', 'Keys.example.com'],
    ['a scheme', 'https://keys.example.com'],
    ['a user', 'user@keys.example.com'],
    ['a user and a password', 'user:pass@keys.example.com'],
    ['a path without a slash at its end', 'keys.example.com/tenants'],
    ['a path with dots in it', 'keys.example.com/tenants/../'],
    ['encoded dots', 'keys.example.com/%2e%2e/tenants/'],
    ['an encoded slash', 'keys.example.com/a%2fb/'],
    ['a percent sign that is encoded', 'keys.example.com/a%25/'],
    ['a path parameter', 'keys.example.com/a;b/'],
    ['letters in the path that are none of ASCII', 'keys.example.com/m%C3%BCnchen/'],
    ['a query', 'keys.example.com/?a/'],
    ['a fragment', 'keys.example.com/#/'],
    ['the default port', 'keys.example.com:443'],
    ['a port that is none', 'keys.example.com:65536'],
    ['port and nothing', 'keys.example.com:'],
    ['a short address', '127.1'],
    ['a number', '2130706433'],
    ['hex', '0x7f000001'],
    ['an IPv6 address without brackets', '::1'],
    ['a space', ' keys.example.com'],
    ['a tab', 'keys.\texample.com'],
    ['a backslash', 'keys.example.com\\tenants\\'],
    ['letters that are none of ASCII', 'kéys.example.com'],
    ['nothing', ''],
    ['a slash', '/'],
    ['no string', 5],
  ])('D10, T-140: %s is a ConfigError', (_, host) => {
    expect(() => create({ issuer: ISSUER, jwksHosts: ['good.example.com', host as string] })).toThrow(
      expect.objectContaining({ name: 'ConfigError', path: 'keySets[0].jwksHosts[1]' }),
    );
  });

  it.each([
    'keys.example.com',
    'keys.example.com:8443',
    'keys.example.com/',
    'keys.example.com/a/b/',
    '[2001:db8::1]',
    'xn--kys-bma.example.com',
    '192.0.2.1:8443/a/',
  ])('AM-4: %s is none', (host) => {
    expect(() => create({ issuer: ISSUER, jwksHosts: [host] })).not.toThrow();
  });

  it.each<[path: string, keyset: object]>([
    ['jwksHosts', { jwksHosts: [] }],
    ['jwksHosts', { jwksHosts: 'keys.example.com' }],
    ['unsafeAllowPrivateAddresses', { jwksHosts: ['a.example'], unsafeAllowPrivateAddresses: 'yes' }],
    ['allowHttp', { jwksHosts: ['a.example'], allowHttp: 1 }],
    ['unsafeAllowPrivateAddresses', { jwksUrl: 'https://a.example/', unsafeAllowPrivateAddresses: true }],
    ['unsafeLegacyAlgorithms', { jwksHosts: ['a.example'], unsafeLegacyAlgorithms: ['HMD5'] }],
  ])('T-140: the fault in %s of %j', (path, keyset) => {
    expect(() => create({ issuer: ISSUER, ...keyset } as KeysetOptions)).toThrow(
      expect.objectContaining({ name: 'ConfigError', path: `keySets[0].${path}` }),
    );
  });

  it('AM-4: a fixed URL and hosts exclude each other', () => {
    const keyset = { issuer: ISSUER, jwksUrl: 'https://a.example/', jwksHosts: ['a.example'] };
    expect(() => create(keyset as never)).toThrow(expect.objectContaining({ path: 'keySets[0]' }));
  });
});
