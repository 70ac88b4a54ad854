// Fingerprints of TLS keys that a keyset pins, against real servers on loopback.
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  ask,
  type Certified,
  ca,
  certify,
  create,
  DAY,
  faultOf,
  leaf,
  otherCa,
  own,
  pinOf,
  serve,
  type Wanted,
} from './tls-servers.ts';

const otherLeaf = await certify({});

describe('pins', () => {
  it.each<[title: string, pinned: () => Certified]>([
    ['the server', () => leaf],
    ['the CA', () => ca],
  ])('KD-12, S43: the certificate of %s', async (_, pinned) => {
    const served = await serve(leaf);
    const options = { ...own, fingerprints: [pinOf(pinned()).toString('base64')] };
    expect(await ask(served, options)).toBe('accepted');
  });

  it.each<[title: string, write: (pin: Buffer) => string]>([
    ['base64', (pin) => pin.toString('base64')],
    ['base64 without padding', (pin) => pin.toString('base64').replace('=', '')],
    ['base64url', (pin) => pin.toString('base64url')],
    ['base64url with padding', (pin) => `${pin.toString('base64url')}=`],
  ])('S43: written as %s', async (_, write) => {
    // A key whose pin is different in the two alphabets.
    let certified = leaf;
    while (!/[+/]/.test(pinOf(certified).toString('base64'))) certified = await certify({ by: ca });
    const served = await serve(certified);
    const fingerprints = [write(pinOf(certified))];
    expect(await ask(served, { ...own, fingerprints })).toBe('accepted');
  });

  it('KD-12: one of several is enough', async () => {
    const served = await serve(leaf);
    const fingerprints = [pinOf(otherCa), pinOf(leaf)].map((pin) => pin.toString('base64'));
    expect(await ask(served, { ...own, fingerprints })).toBe('accepted');
  });

  it.each<[title: string, pin: () => Buffer]>([
    ['another certificate', () => pinOf(otherLeaf)],
    ['another CA', () => pinOf(otherCa)],
    [
      'the whole certificate',
      () => Buffer.from(new X509Certificate(leaf.cert).fingerprint256.replaceAll(':', ''), 'hex'),
    ],
    ['zeros', () => Buffer.alloc(32)],
  ])('KD-12, S43: the fingerprint of %s is refused', async (_, pin) => {
    const served = await serve(leaf);
    const fingerprints = [pin().toString('base64')];
    expect(await ask(served, { ...own, fingerprints })).toBe(
      'keyset_unavailable: no certificate of the chain has a pinned fingerprint',
    );
    expect(served.requests()).toBe(0);
  });

  it.each<[title: string, wanted: Wanted]>([
    ['with the name of the CA', { name: 'Latchkey test CA', authority: true }],
    ['with the name of the CA, that is not one', { name: 'Latchkey test CA' }],
    ['with another name', { name: 'Pinned CA', authority: true }],
  ])('S43: a certificate %s that the server sends along does not count', async (_, wanted) => {
    const added = await certify(wanted);
    const pinned = { ...own, fingerprints: [pinOf(added).toString('base64')] };
    for (const chain of [leaf.cert + added.cert, leaf.cert + added.cert + ca.cert]) {
      const served = await serve({ cert: chain, key: leaf.key });
      expect(await ask(served, pinned)).toBe(
        'keyset_unavailable: no certificate of the chain has a pinned fingerprint',
      );
      expect(served.requests()).toBe(0);
    }
  });

  it.each<[title: string, wanted: Wanted, expected: string]>([
    ['that signed the CA', { authority: true }, 'accepted'],
    [
      'that signed the CA and has expired',
      { authority: true, fromMs: -2 * DAY, untilMs: -DAY },
      'keyset_unavailable: no certificate of the chain has a pinned fingerprint',
    ],
    [
      'that signed the CA without being one',
      {},
      'keyset_unavailable: no certificate of the chain has a pinned fingerprint',
    ],
  ])('S43: a certificate %s, next to a CA that is trusted itself', async (_, wanted, expected) => {
    const above = await certify({ name: 'Above', ...wanted });
    const { publicKey } = new X509Certificate(ca.cert);
    const cross = await certify({
      name: 'Latchkey test CA',
      authority: true,
      by: above,
      keys: {
        privateKey: ca.key,
        publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      },
    });
    const served = await serve({ cert: leaf.cert + cross.cert + above.cert, key: leaf.key });
    const pinned = { ...own, fingerprints: [pinOf(above).toString('base64')] };
    expect(await ask(served, pinned)).toBe(expected);
  });

  it('KD-12: the chain and the host are verified too', async () => {
    const alone = await certify({});
    const selfSigned = await serve(alone);
    const pinned = { fingerprints: [pinOf(alone).toString('base64')] };
    expect(await ask(selfSigned, pinned)).toMatch(/DEPTH_ZERO_SELF_SIGNED_CERT/);
    const elsewhere = await certify({ by: ca, name: 'other.example' });
    const wrongHost = await serve(elsewhere);
    const both = { ...own, fingerprints: [pinOf(elsewhere).toString('base64')] };
    expect(await ask(wrongHost, both)).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID/);
    expect([selfSigned.requests(), wrongHost.requests()]).toEqual([0, 0]);
  });

  it('S43: the sample of the seed is a text of 44 bytes, and the error says so', () => {
    const sample = 'S3Jha2VuRCBpcyB0aGUgYmVzdCBnYXRld2F5LCBhbmQgeW91IGtub3cgaXQ==';
    const error = faultOf({ fingerprints: [sample] });
    expect(error.path).toBe('tls.fingerprints[0]');
    expect(error.message).toMatch(/32 bytes/);
    expect(error.message).toMatch(/44/);
    expect(error.message).toMatch(/text/);
    expect(() => create('https://localhost/', { fingerprints: [sample] })).toThrow(
      expect.objectContaining({ name: 'ConfigError', path: 'keySets[0].tls.fingerprints[0]' }),
    );
  });

  const random = Buffer.alloc(64, 0x9c);

  it.each<[title: string, fingerprints: unknown, path: string]>([
    ['not a list', random.subarray(0, 32).toString('base64'), 'tls.fingerprints'],
    ['an empty list', [], 'tls.fingerprints'],
    ['20 bytes, as of SHA-1', [random.subarray(0, 20).toString('base64')], 'tls.fingerprints[0]'],
    ['31 bytes', [random.subarray(0, 31).toString('base64')], 'tls.fingerprints[0]'],
    ['33 bytes', [random.subarray(0, 33).toString('base64')], 'tls.fingerprints[0]'],
    ['64 bytes', [random.toString('base64')], 'tls.fingerprints[0]'],
    ['hex', [random.subarray(0, 32).toString('hex')], 'tls.fingerprints[0]'],
    ['hex with colons', ['9C:9C:9C'], 'tls.fingerprints[0]'],
    ['a prefix', [`sha256/${random.subarray(0, 32).toString('base64')}`], 'tls.fingerprints[0]'],
    ['an empty text', [''], 'tls.fingerprints[0]'],
    ['a number', [5], 'tls.fingerprints[0]'],
    ['one good and one bad', [random.subarray(0, 32).toString('base64'), 'x'], 'tls.fingerprints[1]'],
  ])('S43, T-140: %s is a ConfigError', (_, fingerprints, path) => {
    expect(faultOf({ fingerprints }).path).toBe(path);
  });
});
