// Other runtimes: options that their HTTP clients ignore, and proxies that their fetch uses.
import process from 'node:process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { isProxied, isProxiedBy } from '../../src/net/proxy.ts';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const create = (keyset: object) =>
  createAuthenticator({
    keySets: [{ issuer: 'https://issuer.example', ...keyset }] as never,
    audience: 'api',
  });
const url = { jwksUrl: 'https://issuer.example/keys' };
const pin = 'A'.repeat(43);

describe.each([
  ['Bun', () => vi.spyOn(process, 'versions', 'get').mockReturnValue({ ...process.versions, bun: '1.3.0' })],
  ['Deno', () => vi.stubGlobal('Deno', {})],
  ['Workers', () => vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' })],
] as const)('on %s', (name, start) => {
  it.each<[string, object]>([
    ['tls', { ...url, tls: { fingerprints: [pin] } }],
    ['tls', { ...url, tls: { cipherSuites: [4865] } }],
    ['proxy', { ...url, proxy: 'http://proxy.example.com:3128' }],
    ['proxy', { ...url, proxy: false }],
    ['jwksHosts', { jwksHosts: ['keys.example.com'] }],
  ])('%s is refused', (option, keyset) => {
    start();
    expect(() => create(keyset)).toThrow(`keySets[0].${option}: not on ${name}`);
  });

  it('a keyset without them is accepted', async () => {
    start();
    await create(url).close();
  });

  it.each<[isExpected: boolean, environment: NodeJS.ProcessEnv, of?: string]>([
    [false, {}],
    [false, { HTTPS_PROXY: 'http://p' }],
    [true, { HTTP_PROXY: 'http://p' }],
    [true, { http_proxy: '', HTTP_PROXY: 'http://p' }],
    [true, { all_proxy: 'http://p' }],
    [false, { HTTP_PROXY: 'http://p', NO_PROXY: 'a.example, friends' }],
    // Not all of them read these alike.
    [true, { HTTP_PROXY: 'http://p', NO_PROXY: '*' }],
    [true, { HTTP_PROXY: 'http://p', NO_PROXY: 'a.example friends' }],
    [true, { HTTP_PROXY: 'http://p', NO_PROXY: 'friends:8080' }],
    [true, { HTTP_PROXY: 'http://p', NO_PROXY: 'friends', no_proxy: 'a.example' }],
    [true, { HTTP_PROXY: 'http://p', NO_PROXY: '[::1]' }, 'http://[::1]:8080/'],
  ])('a proxy may read plain http: %s with %j', (isExpected, environment, of = 'http://friends:8080/') => {
    start();
    expect(isProxied(new URL(of), environment)).toBe(isExpected);
  });

  it('a call may have a proxy of its own', () => {
    start();
    expect([undefined, {}, { proxy: 'http://p' }, { client: {} }].map(isProxiedBy)).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });
});

it('on Node they are accepted', async () => {
  await create({ ...url, tls: { fingerprints: [pin] }, proxy: false }).close();
});
