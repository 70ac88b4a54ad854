// TLS options of a keyset against real servers on loopback: which certificates are trusted. Pins
// and cipher suites are in the other files whose names begin with "tls".
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { mint } from '@latchkey/testing';
import { generate } from 'selfsigned';
import { describe, expect, it, vi } from 'vitest';
import { readTls, type TlsOptions } from '../../src/net/tls.ts';
import {
  AUDIENCE,
  ask,
  type Certified,
  ca,
  certify,
  create,
  DAY,
  faultOf,
  folder,
  ISSUER,
  leaf,
  otherCa,
  outcome,
  own,
  pinOf,
  serve,
  signing,
} from './tls-servers.ts';

writeFileSync(join(folder, 'ca.pem'), ca.cert);
writeFileSync(join(folder, 'two.pem'), otherCa.cert + ca.cert);
writeFileSync(join(folder, 'key.pem'), ca.key);

/** The path of a new FIFO. Where there is no mkfifo, no file is there. */
function fifo(): string {
  const path = join(folder, `fifo-${randomUUID()}`);
  const mkfifo = ['/usr/bin/mkfifo', '/bin/mkfifo'].find((program) => existsSync(program));
  if (mkfifo !== undefined) execFileSync(mkfifo, [path]);
  return path;
}

describe('trust', () => {
  it.each<[title: string, options: () => TlsOptions]>([
    ['in place', () => own],
    ['in a file', () => ({ ca: { file: join(folder, 'ca.pem') } })],
    ['among others in place', () => ({ ca: { pem: otherCa.cert + ca.cert } })],
    ['among others in a file', () => ({ ca: { file: join(folder, 'two.pem') } })],
  ])('KD-14: the CA of the options, %s', async (_, options) => {
    const served = await serve(leaf);
    expect(await ask(served, options())).toBe('accepted');
    expect(served.requests()).toBe(1);
  });

  it('KD-14: a CA is for one keyset only', async () => {
    const served = await serve(leaf);
    expect(await ask(served, own)).toBe('accepted');
    expect(await ask(served)).toBe('keyset_unavailable: UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });

  const REFUSED: readonly (readonly [
    title: string,
    reason: RegExp,
    certified: () => Certified | Promise<Certified>,
    options: () => TlsOptions | undefined,
  ])[] = [
    ['an unknown CA', /UNABLE_TO_VERIFY_LEAF_SIGNATURE/, () => leaf, () => undefined],
    [
      'another CA than that of the options',
      /UNABLE_TO_(?:VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT)/,
      () => leaf,
      () => ({ ca: { pem: otherCa.cert } }),
    ],
    ['a certificate signed by itself', /DEPTH_ZERO_SELF_SIGNED_CERT/, () => certify({}), () => undefined],
    [
      'a certificate signed by itself, next to the CA of the options',
      /DEPTH_ZERO_SELF_SIGNED_CERT/,
      () => certify({}),
      () => own,
    ],
    [
      'an expired certificate',
      /CERT_HAS_EXPIRED/,
      () => certify({ by: ca, fromMs: -2 * DAY, untilMs: -60_000 }),
      () => own,
    ],
    [
      'a certificate that is not valid yet',
      /CERT_NOT_YET_VALID/,
      () => certify({ by: ca, fromMs: 3_600_000 }),
      () => own,
    ],
    [
      'a certificate for another host',
      /ERR_TLS_CERT_ALTNAME_INVALID/,
      () => certify({ by: ca, name: 'other.example' }),
      () => own,
    ],
    [
      'a certificate that the key of a server signed',
      /INVALID_(?:CA|PURPOSE)/,
      async () => {
        const middle = await certify({ by: ca, name: 'middle.example' });
        const last = await certify({ by: middle });
        return { key: last.key, cert: last.cert + middle.cert };
      },
      () => own,
    ],
  ];

  it.each(REFUSED)('T-120: refuses %s', async (_, reason, certified, options) => {
    const served = await serve(await certified());
    const result = await ask(served, options());
    expect(result).toMatch(/^keyset_unavailable: /);
    expect(result).toMatch(reason);
    expect(served.requests()).toBe(0);
  });

  it.each(REFUSED)(
    'T-120: refuses it with NODE_TLS_REJECT_UNAUTHORIZED=0 too: %s',
    async (_, reason, certified, options) => {
      vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
      vi.spyOn(process, 'emitWarning').mockReturnValue();
      const served = await serve(await certified());
      expect(await ask(served, options())).toMatch(reason);
      expect(served.requests()).toBe(0);
      // A plain connection shows that the variable has its effect.
      await new Promise<void>((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port: served.port, servername: 'localhost' }, () => {
          socket.destroy();
          resolve();
        });
        socket.on('error', reject);
      });
    },
  );

  it.each(REFUSED)(
    'KD-11, S44: refuses it with allowHttp too, which does not change TLS: %s',
    async (_, reason, certified, options) => {
      const served = await serve(await certified());
      expect(await ask(served, options(), { allowHttp: true })).toMatch(reason);
      expect(served.requests()).toBe(0);
    },
  );

  it('T-113: the keys in use stay while the certificate is bad', async () => {
    const served = await serve(leaf);
    const authenticator = create(served.url, own);
    expect(await outcome(authenticator)).toBe('accepted');
    served.server.setSecureContext(await certify({}));
    served.server.closeAllConnections();
    const unknown = await mint(
      { ...signing, kid: 'unknown' },
      { iss: ISSUER, aud: AUDIENCE, exp: 4_000_000_000 },
    );
    await expect(authenticator.verify(unknown)).rejects.toMatchObject({ code: 'keyset_unavailable' });
    expect(authenticator.report().keysets).toMatchObject([{ failures: 1 }]);
    expect(await outcome(authenticator)).toBe('accepted');
  });

  it.each<[title: string, path: string, ca: () => unknown]>([
    ['a file that is not there', 'tls.ca', () => ({ file: join(folder, 'absent.pem') })],
    ['a folder', 'tls.ca', () => ({ file: folder })],
    ['a FIFO, without waiting for a writer', 'tls.ca', () => ({ file: fifo() })],
    ['a device without end', 'tls.ca', () => ({ file: '/dev/zero' })],
    ['a file with a key in it', 'tls.ca', () => ({ file: join(folder, 'key.pem') })],
    ['a key', 'tls.ca', () => ({ pem: ca.key })],
    ['not PEM', 'tls.ca', () => ({ pem: 'our CA' })],
    ['empty', 'tls.ca', () => ({ pem: '' })],
    ['half of it', 'tls.ca', () => ({ pem: ca.cert.slice(0, ca.cert.length / 2) })],
    ['both', 'tls.ca', () => ({ pem: ca.cert, file: join(folder, 'ca.pem') })],
    ['neither', 'tls.ca', () => ({})],
    ['a string', 'tls.ca', () => ca.cert],
    ['a misspelled option', 'tls.ca.PEM', () => ({ PEM: ca.cert })],
  ])('T-140: a CA that is %s is a ConfigError', (_, path, value) => {
    const error = faultOf({ ca: value() });
    expect(error.path).toBe(path);
    expect(error.message).not.toContain(ca.key.slice(30, 90));
  });

  it('T-140: a CA file of 1 MiB is read, and a byte more is a ConfigError', () => {
    const file = join(folder, 'long.pem');
    writeFileSync(file, ca.cert.padEnd(1024 * 1024, '\n'));
    create('https://localhost', { ca: { file } });
    writeFileSync(file, '\n', { flag: 'a' });
    expect(faultOf({ ca: { file } }).path).toBe('tls.ca');
  });
});

describe('options', () => {
  it.each<[title: string, options: () => TlsOptions | undefined]>([
    ['no options', () => undefined],
    ['none of them', () => ({})],
    ['an own CA', () => own],
    ['pins', () => ({ fingerprints: [pinOf(ca).toString('base64')] })],
    ['suites of TLS 1.2', () => ({ cipherSuites: [49195] })],
  ])('T-120: with %s, verification and TLS 1.2 are set explicitly', (_, options) => {
    // They do not depend on the security level of OpenSSL.
    expect(readTls(options(), 'tls')).toMatchObject({ rejectUnauthorized: true, minVersion: 'TLSv1.2' });
  });

  it.each<[options: unknown, path: string]>([
    [null, 'tls'],
    ['strict', 'tls'],
    [[], 'tls'],
    [{ rejectUnauthorized: false }, 'tls.rejectUnauthorized'],
    [{ checkServerIdentity: () => undefined }, 'tls.checkServerIdentity'],
    [{ CA: { pem: '' } }, 'tls.CA'],
    [{ cert: '' }, 'tls.cert'],
  ])('T-140: %j is a ConfigError at %s', (options, path) => {
    expect(faultOf(options).path).toBe(path);
  });

  it('KD-11: plain HTTP needs allowHttp', () => {
    expect(() => create('http://localhost/')).toThrow(
      expect.objectContaining({ path: 'keySets[0].jwksUrl', message: expect.stringContaining('https') }),
    );
    expect(() => create('http://localhost/', undefined, { allowHttp: true })).not.toThrow();
  });

  it('KD-14: the CA file is read with the options, and not later', async () => {
    const file = join(folder, 'gone.pem');
    writeFileSync(file, ca.cert);
    const served = await serve(leaf);
    const authenticator = create(served.url, { ca: { file } });
    rmSync(file);
    expect(await outcome(authenticator)).toBe('accepted');
  });

  it('S43: a pin is of a key, so a new certificate of the same key is accepted', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    const pin = createHash('sha256').update(spki).digest('base64');
    for (let round = 0; round < 2; round++) {
      const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
        keyType: 'ec',
        algorithm: 'sha256',
        ca,
        keyPair: {
          privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
          publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
        },
      });
      const served = await serve({ cert, key });
      const options = { ...own, fingerprints: [pin] };
      expect(await ask(served, options)).toBe('accepted');
    }
  });
});
