// The TLS versions and cipher suites that a keyset uses, against real servers on loopback.
import type { ServerOptions } from 'node:https';
import { connect, getCiphers } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { ask, ca, certify, create, faultOf, leaf, outcome, own, serve } from './tls-servers.ts';

const rsaCa = await certify({ kind: 'rsa', name: 'Latchkey RSA test CA', authority: true });
const rsaLeaf = await certify({ kind: 'rsa', by: rsaCa });

// Requirements §4: the IANA number, the name in OpenSSL, and the kind of certificate. Undefined:
// not in the OpenSSL 3 of Node.
const SUITES: readonly (readonly [number: number, name: string, kind: 'rsa' | 'ec' | 'any' | undefined])[] = [
  [5, 'RC4-SHA', undefined],
  [10, 'DES-CBC3-SHA', undefined],
  [47, 'AES128-SHA', 'rsa'],
  [53, 'AES256-SHA', 'rsa'],
  [60, 'AES128-SHA256', 'rsa'],
  [156, 'AES128-GCM-SHA256', 'rsa'],
  [157, 'AES256-GCM-SHA384', 'rsa'],
  [49159, 'ECDHE-ECDSA-RC4-SHA', undefined],
  [49161, 'ECDHE-ECDSA-AES128-SHA', 'ec'],
  [49162, 'ECDHE-ECDSA-AES256-SHA', 'ec'],
  [49169, 'ECDHE-RSA-RC4-SHA', undefined],
  [49170, 'ECDHE-RSA-DES-CBC3-SHA', undefined],
  [49171, 'ECDHE-RSA-AES128-SHA', 'rsa'],
  [49172, 'ECDHE-RSA-AES256-SHA', 'rsa'],
  [49187, 'ECDHE-ECDSA-AES128-SHA256', 'ec'],
  [49191, 'ECDHE-RSA-AES128-SHA256', 'rsa'],
  [49195, 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ec'],
  [49196, 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ec'],
  [49199, 'ECDHE-RSA-AES128-GCM-SHA256', 'rsa'],
  [49200, 'ECDHE-RSA-AES256-GCM-SHA384', 'rsa'],
  [52392, 'ECDHE-RSA-CHACHA20-POLY1305', 'rsa'],
  [52393, 'ECDHE-ECDSA-CHACHA20-POLY1305', 'ec'],
  [4865, 'TLS_AES_128_GCM_SHA256', 'any'],
  [4866, 'TLS_AES_256_GCM_SHA384', 'any'],
  [4867, 'TLS_CHACHA20_POLY1305_SHA256', 'any'],
];
const SPOKEN = SUITES.filter(([, , kind]) => kind !== undefined);
const GONE = SUITES.filter(([, , kind]) => kind === undefined);

describe('versions and cipher suites', () => {
  /** A server that accepts every suite that OpenSSL still has. */
  const everything: ServerOptions = { ciphers: 'ALL:@SECLEVEL=0' };

  it.each(SPOKEN)('KD-13: %i is %s, which Node supports', async (number, name, kind) => {
    expect(getCiphers()).toContain(name.toLowerCase());
    const served = kind === 'rsa' ? await serve(rsaLeaf, everything) : await serve(leaf, everything);
    const authority = kind === 'rsa' ? rsaCa : ca;
    const options = { ca: { pem: authority.cert }, cipherSuites: [number] };
    expect(await ask(served, options)).toBe('accepted');
    const protocol = name.startsWith('TLS_') ? 'TLSv1.3' : 'TLSv1.2';
    expect(served.connections).toEqual([{ protocol, cipher: name }]);
  });

  it.each(GONE)('S45: %i is %s, which Node does not support: a ConfigError that names it', (number, name) => {
    expect(getCiphers()).not.toContain(name.toLowerCase());
    const error = faultOf({ cipherSuites: [4865, number] });
    expect(error.path).toBe('tls.cipherSuites[1]');
    expect(error.message).toContain(name);
  });

  it('S45: [5, 10] of the seed is refused, not dropped', () => {
    expect(() => create('https://localhost/', { cipherSuites: [5, 10] })).toThrow(
      expect.objectContaining({
        name: 'ConfigError',
        path: 'keySets[0].tls.cipherSuites[0]',
        message: expect.stringContaining('RC4-SHA'),
      }),
    );
    expect(faultOf({ cipherSuites: [10] }).message).toContain('DES-CBC3-SHA');
  });

  it.each<[title: string, cipherSuites: unknown, path: string]>([
    ['not a list', 4865, 'tls.cipherSuites'],
    ['an empty list', [], 'tls.cipherSuites'],
    ['0', [0], 'tls.cipherSuites[0]'],
    ['an unknown number', [4865, 65_535], 'tls.cipherSuites[1]'],
    ['a number as a string', ['4865'], 'tls.cipherSuites[0]'],
    ['a name', ['TLS_AES_128_GCM_SHA256'], 'tls.cipherSuites[0]'],
    ['null', [null], 'tls.cipherSuites[0]'],
    ['NaN', [Number.NaN], 'tls.cipherSuites[0]'],
  ])('KD-13, T-140: %s is a ConfigError', (_, cipherSuites, path) => {
    expect(faultOf({ cipherSuites }).path).toBe(path);
  });

  it('KD-13: suites of both versions: either version', async () => {
    const options = { ...own, cipherSuites: [49195, 4866] };
    const modern = await serve(leaf, everything);
    expect(await ask(modern, options)).toBe('accepted');
    expect(modern.connections).toEqual([{ protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' }]);
    const old = await serve(leaf, { ...everything, maxVersion: 'TLSv1.2' });
    expect(await ask(old, options)).toBe('accepted');
    expect(old.connections).toEqual([{ protocol: 'TLSv1.2', cipher: 'ECDHE-ECDSA-AES128-GCM-SHA256' }]);
  });

  it.each<[title: string, cipherSuites: readonly number[], options: ServerOptions]>([
    ['a suite of TLS 1.2, and the server only 1.3', [49195], { minVersion: 'TLSv1.3' }],
    ['a suite of TLS 1.3, and the server only 1.2', [4865], { maxVersion: 'TLSv1.2' }],
    ['one suite, and the server only another', [49195], { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }],
  ])('KD-13: no other suite: %s', async (_, cipherSuites, options) => {
    const served = await serve(leaf, options);
    const authenticator = create(served.url, { ...own, cipherSuites });
    expect(await outcome(authenticator)).toMatch(/^keyset_unavailable: /);
    expect(served.requests()).toBe(0);
    // Without the suites it works.
    expect(await ask(served, own)).toBe('accepted');
  });

  it.each(['TLSv1', 'TLSv1.1'] as const)('T-120: refuses %s', async (version) => {
    const served = await serve(leaf, {
      ciphers: 'ALL:@SECLEVEL=0',
      minVersion: version,
      maxVersion: version,
    });
    expect(await ask(served, own)).toMatch(/^keyset_unavailable: /);
    expect(served.connections).toEqual([]);
    // A client that asks for the version gets it from the server.
    const socket = connect({
      host: '127.0.0.1',
      port: served.port,
      servername: 'localhost',
      ca: ca.cert,
      ciphers: 'ALL:@SECLEVEL=0',
      minVersion: version,
      maxVersion: version,
    });
    await new Promise<void>((resolve, reject) => {
      socket.on('secureConnect', resolve);
      socket.on('error', reject);
    });
    expect(socket.getProtocol()).toBe(version);
    socket.destroy();
  });
});
