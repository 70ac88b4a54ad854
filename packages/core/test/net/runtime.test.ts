// Options that the HTTP clients of Bun and Deno ignore.
import process from 'node:process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createAuthenticator } from '../../src/decision/authenticator.ts';

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
});

it('on Node they are accepted', async () => {
  await create({ ...url, tls: { fingerprints: [pin] }, proxy: false }).close();
});
