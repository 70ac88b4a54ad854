// HMAC by two hashes is what createHmac of Node makes, for every hash, key and input.
import { createHmac, createSecretKey, randomBytes, randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createHmacVerifier } from '../../src/token/hmac.ts';

const HASHES = ['md5', 'sha224', 'sha256', 'sha384', 'sha512'] as const;

describe.each(HASHES)('HMAC with %s', (hash) => {
  const macOf = (secret: Uint8Array, input: Uint8Array) => createHmac(hash, secret).update(input).digest();

  it('is that of Node, for keys and inputs of all lengths', () => {
    const lengths = [1, 16, 28, 32, 63, 64, 65, 127, 128, 129, 200];
    for (const keyBytes of [...lengths, ...Array.from({ length: 50 }, () => randomInt(1, 300))]) {
      const secret = randomBytes(keyBytes);
      const verifies = createHmacVerifier(hash, createSecretKey(secret));
      // The longest ones do not fit in the buffer that calls share.
      for (const length of [0, 1, 500, 8063, 8064, 8065, 8127, 8128, 8129, 20_000, randomInt(1, 9_000)]) {
        const input = randomBytes(length);
        const mac = macOf(secret, input);
        expect(verifies(input, mac), `${keyBytes} ${length}`).toBe(true);
        for (const at of [0, mac.length - 1]) {
          const wrong = Buffer.from(mac);
          wrong.writeUInt8(wrong.readUInt8(at) ^ 1, at);
          expect(verifies(input, wrong)).toBe(false);
        }
        expect(verifies(input, mac.subarray(1))).toBe(false);
        expect(verifies(input, Buffer.concat([mac, Buffer.alloc(1)]))).toBe(false);
        expect(verifies(input, Buffer.alloc(0))).toBe(false);
      }
    }
  });

  it('with one key does not depend on what another key verified before', () => {
    const secrets = [randomBytes(32), randomBytes(32)];
    const verifiers = secrets.map((secret) => createHmacVerifier(hash, createSecretKey(secret)));
    const input = randomBytes(300);
    for (let round = 0; round < 4; round++) {
      const results = verifiers.map((verifies) => verifies(input, macOf(secrets[round % 2] ?? input, input)));
      expect(results).toEqual([round % 2 === 0, round % 2 === 1]);
    }
  });

  it('leaves the key as it is', () => {
    const key = createSecretKey(randomBytes(32));
    const before = key.export().toString('hex');
    createHmacVerifier(hash, key)(randomBytes(10), randomBytes(32));
    expect(key.export().toString('hex')).toBe(before);
  });
});

it('RFC 4231 §4.3: test case 2', () => {
  const mac = Buffer.from('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'hex');
  const key = createSecretKey(Buffer.from('Jefe'));
  expect(createHmacVerifier('sha256', key)(Buffer.from('what do ya want for nothing?'), mac)).toBe(true);
});
