// Outbound proxies: which calls go through one, and what still holds inside its tunnel. The proxy
// and the TLS servers are real; only the proxy can resolve issuer.test.
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:https';
import { mint } from '@latchkey/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import { isAuthError } from '../../src/errors.ts';
import { createGroupEndpoint } from '../../src/groups/endpoint.ts';
import { readGroupEndpoint } from '../../src/groups/options.ts';
import { createSigner } from '../../src/signing/signer.ts';
import { startProxy } from '../support/proxy.ts';
import { listen } from '../support/servers.ts';
import { ca, certify, otherCa, pinOf, signing } from './tls-servers.ts';

const ISSUER = 'https://issuer.test';
const AUDIENCE = 'https://api.example.com';
const VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'];

beforeEach(() => {
  for (const name of VARIABLES.flatMap((variable) => [variable, variable.toLowerCase()]))
    vi.stubEnv(name, undefined);
});

const authenticators: Authenticator[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(authenticators.splice(0).map((authenticator) => authenticator.close()));
});

/** Serves metadata and keys of an issuer, and counts the requests. */
async function serveIssuer(name = 'issuer.test', issuer = ISSUER) {
  const certified = await certify({ name, by: ca });
  const requests: string[] = [];
  const server = createServer(certified, ({ url = '' }, response) => {
    requests.push(url);
    response.setHeader('content-type', 'application/json');
    const isMetadata = url.endsWith('openid-configuration');
    response.end(
      JSON.stringify(isMetadata ? { issuer, jwks_uri: `${issuer}/keys` } : { keys: [signing.publicJwk] }),
    );
  });
  const port = await listen(server);
  return { port, requests, pin: pinOf(certified).toString('base64') };
}

function create(keyset: object, more: object = {}): Authenticator {
  const keySets = [{ tls: { ca: { pem: ca.cert } }, ...keyset }] as never;
  const authenticator = createAuthenticator({ keySets, audience: AUDIENCE, ...more });
  authenticators.push(authenticator);
  return authenticator;
}

/** `accepted`, or the code of the refusal and the innermost cause. */
async function outcome(authenticator: Authenticator, iss = ISSUER, header: object = {}): Promise<string> {
  try {
    const claims = { iss, aud: AUDIENCE, sub: 'alice', exp: 4_000_000_000 };
    await authenticator.verify(await mint(signing, claims, header as never));
    return 'accepted';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    let cause: unknown = error;
    while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
    return `${error.code}: ${String(cause)}`;
  }
}

const discovered = { issuer: ISSUER, useOidcDiscovery: true };

describe('a proxy that the environment names', () => {
  it.each(['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY'])('reaches metadata and keys by %s', async (name) => {
    const issuer = await serveIssuer();
    const proxy = await startProxy({ 'issuer.test': issuer.port });
    vi.stubEnv(name, proxy.url);
    expect(await outcome(create(discovered))).toBe('accepted');
    expect(proxy.asked).toContain('issuer.test:443');
    expect(issuer.requests).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  it('is not used for a host in NO_PROXY', async () => {
    const proxy = await startProxy();
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    vi.stubEnv('NO_PROXY', 'other.test,issuer.test');
    expect(await outcome(create(discovered))).toMatch(/^keyset_unavailable: .*(ENOTFOUND|EAI_AGAIN)/);
    expect(proxy.asked).toEqual([]);
  });

  it('is not used for loopback', async () => {
    const { port } = await serveIssuer('localhost');
    const proxy = await startProxy();
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    expect(await outcome(create({ issuer: ISSUER, jwksUrl: `https://localhost:${port}/keys` }))).toBe(
      'accepted',
    );
    expect(proxy.asked).toEqual([]);
  });

  it('is not used by a source with proxy: false', async () => {
    const proxy = await startProxy();
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    expect(await outcome(create({ ...discovered, proxy: false }))).toMatch(/^keyset_unavailable/);
    expect(proxy.asked).toEqual([]);
  });

  it.each([
    ['HTTPS_PROXY', 'proxy.example.com:3128'],
    ['HTTPS_PROXY', 'http://user:%zz@proxy.example.com:3128'],
    ['http_proxy', 'socks5://user:hunter2@proxy.example.com'],
    ['HTTP_PROXY', 'nonsense'],
  ])('is refused at the start if %s is %s, without its value in the message', (name, value) => {
    vi.stubEnv(name, value);
    expect(() => create(discovered)).toThrow(
      `${name}: expected the URL of a proxy, like http://proxy.example.com:3128`,
    );
  });

  it('forwards plain http where allowHttp permits it', async () => {
    const server = createHttpServer((_, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ keys: [signing.publicJwk] }));
    });
    const proxy = await startProxy({ 'issuer.test': await listen(server) });
    vi.stubEnv('HTTP_PROXY', proxy.url);
    const keyset = { issuer: ISSUER, jwksUrl: 'http://issuer.test/keys', allowHttp: true };
    expect(await outcome(create(keyset))).toBe('accepted');
    expect(proxy.asked).toEqual(['http://issuer.test/keys']);
  });
});

describe('the option proxy', () => {
  it('counts before the environment', async () => {
    const issuer = await serveIssuer();
    const [unused, proxy] = [await startProxy(), await startProxy({ 'issuer.test': issuer.port })];
    vi.stubEnv('HTTPS_PROXY', unused.url);
    expect(await outcome(create({ ...discovered, proxy: proxy.url }))).toBe('accepted');
    expect(unused.asked).toEqual([]);
  });

  it('sends the credentials of its URL to the proxy', async () => {
    const issuer = await serveIssuer();
    const proxy = await startProxy({ 'issuer.test': issuer.port }, 'service:hunter2');
    const withPassword = proxy.url.replace('//', '//service:hunter2@');
    expect(await outcome(create({ ...discovered, proxy: withPassword }))).toBe('accepted');
    const refused = await outcome(
      create({ ...discovered, proxy: proxy.url.replace('//', '//service:wrong@') }),
    );
    expect(refused).toMatch(/^keyset_unavailable: .*407/);
    expect(refused).not.toContain('wrong');
  });

  it.each([['proxy.example.com:3128'], ['ftp://proxy.example.com'], [true], ['']])('refuses %j', (proxy) => {
    expect(() => create({ ...discovered, proxy })).toThrow(/^keySets\[0\]\.proxy: expected /);
  });

  it('carries calls of a remote endpoint, of groups, and of the keys of a signer', async () => {
    const certified = await certify({ name: 'internal.test', by: ca });
    const bodies: Record<string, object> = {
      '/validate': { sub: 'alice', aud: AUDIENCE },
      '/groups': { groups: ['admins'] },
      '/jwk': { keys: [{ ...signing.privateKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256' }] },
    };
    const server = createServer(certified, ({ url = '' }, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(bodies[url.replace(/\?.*/, '')]));
    });
    const { url: proxy, asked } = await startProxy({ 'internal.test': await listen(server) });
    const connection = { proxy, tls: { ca: { pem: ca.cert } } };

    const remote = { url: 'https://internal.test/validate', ...connection };
    const authenticator = createAuthenticator({ keySets: [], remote, audience: AUDIENCE });
    authenticators.push(authenticator);
    expect(await authenticator.verify('opaque')).toMatchObject({ subject: 'alice' });

    const endpoint = { url: 'https://internal.test/groups?of={sub}', ...connection };
    const groups = createGroupEndpoint(readGroupEndpoint(endpoint, 'groups.endpoint'));
    expect(await groups.resolve({ subject: 'alice' } as never, AbortSignal.timeout(5_000))).toEqual([
      'admins',
    ]);
    await groups.close?.();

    const signer = createSigner({
      jwkUrl: 'https://internal.test/jwk',
      kid: 'k',
      expiresIn: '5m',
      ...connection,
    });
    expect(await signer.sign({ sub: 'alice' })).toMatch(/^eyJ/);
    await signer.close();

    expect(new Set(asked)).toEqual(new Set(['internal.test:443']));
    expect(asked.length).toBeGreaterThanOrEqual(3);
  });

  it('does not carry a token over plain http away from this machine', () => {
    const remote = { url: 'http://localhost:8080/validate', proxy: 'http://proxy.example.com:3128' };
    expect(() => createAuthenticator({ keySets: [], remote, audience: AUDIENCE })).toThrow(
      'remote.url: must be https (allowHttp permits http)',
    );
  });
});

describe('inside the tunnel of a proxy', () => {
  it.each([
    ['another CA', () => ({ ca: { pem: otherCa.cert } }), /unable to verify|self.signed|UNABLE_TO_VERIFY/i],
    [
      'a pin of another key',
      () => ({ ca: { pem: ca.cert }, fingerprints: ['A'.repeat(43)] }),
      /pin|fingerprint/i,
    ],
  ])('refuses a server by %s', async (_, tls, text) => {
    const issuer = await serveIssuer();
    const { url: proxy } = await startProxy({ 'issuer.test': issuer.port });
    expect(await outcome(create({ ...discovered, proxy, tls: tls() }))).toMatch(text);
    expect(issuer.requests).toEqual([]);
  });

  it('accepts a server by its pin', async () => {
    const { port, pin } = await serveIssuer();
    const { url: proxy } = await startProxy({ 'issuer.test': port });
    const tls = { ca: { pem: ca.cert }, fingerprints: [pin] };
    expect(await outcome(create({ ...discovered, proxy, tls }))).toBe('accepted');
  });

  it('refuses a server that proves another name', async () => {
    const issuer = await serveIssuer('elsewhere.test');
    const { url: proxy } = await startProxy({ 'issuer.test': issuer.port });
    expect(await outcome(create({ ...discovered, proxy }))).toMatch(/altnames|ALTNAME|Host/);
    expect(issuer.requests).toEqual([]);
  });

  it.each(['localhost', '127.0.0.1'])('does not ask %s for keys that a token names', async (host) => {
    const { port, requests } = await serveIssuer('localhost');
    const proxy = await startProxy();
    const header = { jku: `https://${host}:${port}/keys` };
    const keyset = { issuer: ISSUER, jwksHosts: [`${host}:${port}`], proxy: proxy.url };
    expect(await outcome(create(keyset), ISSUER, header)).toMatch(/^keyset_unavailable/);
    expect([...proxy.asked, ...requests]).toEqual([]);
    if (host !== 'localhost') return;
    const opened = create({ ...keyset, unsafeAllowPrivateAddresses: true });
    expect(await outcome(opened, ISSUER, header)).toBe('accepted');
    expect(proxy.asked).toEqual([`localhost:${port}`]);
  });
});
