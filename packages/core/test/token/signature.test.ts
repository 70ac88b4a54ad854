// Signatures: what jose signs verifies, what is off by a bit or a byte does not, and no signature
// makes the verifier throw. What is made here is what Node and the verifier take, to the byte.
import {
  constants,
  createHmac,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { forge, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { type AlgorithmName, algorithmNames, findAlgorithm } from '../../src/token/algorithms.ts';
import {
  createSignatureMaker,
  createSignatureVerifier,
  type SignatureVerifier,
} from '../../src/token/signature.ts';

interface Case {
  readonly key: SigningKey;
  readonly publicKey: KeyObject;
  readonly verifier: SignatureVerifier;
  readonly input: Buffer;
  readonly signature: Buffer;
}

const CURVES = [
  // FIPS 186-5 / SP 800-186: the order of each curve.
  ['ES256', 'P-256', 32, 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'],
  [
    'ES384',
    'P-384',
    48,
    'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  ],
  [
    'ES512',
    'P-521',
    66,
    '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
  ],
] as const satisfies readonly (readonly [AlgorithmName, string, number, string])[];

const cases = new Map<AlgorithmName, Case>();
const caseOf = (name: AlgorithmName): Case => cases.get(name)!;

function verifierOf(name: AlgorithmName, publicKey: KeyObject): SignatureVerifier {
  return createSignatureVerifier(findAlgorithm(name)!, publicKey);
}

function split(token: string): { input: Buffer; signature: Buffer } {
  const at = token.lastIndexOf('.');
  return { input: Buffer.from(token.slice(0, at)), signature: Buffer.from(token.slice(at + 1), 'base64url') };
}

/** A big-endian integer at full length. */
const toBytes = (value: bigint, length: number): Buffer =>
  Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex');

const flip = (bytes: Buffer, bit: number): Buffer => {
  const changed = Buffer.from(bytes);
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return changed;
};

/** Throws are failures of their own: the answer has to be false. */
const expectRefused = ({ verifier, input }: Pick<Case, 'verifier' | 'input'>, signature: Uint8Array) =>
  expect(verifier(input, signature)).toBe(false);

/** A pair of keys, or for HMAC one secret key twice. */
async function generate(name: AlgorithmName): Promise<{ key: SigningKey; publicKey: KeyObject }> {
  if (findAlgorithm(name)?.kty === 'oct') {
    const secret = createSecretKey(randomBytes(64));
    return { key: { alg: name, kid: name, privateKey: secret, publicJwk: {} }, publicKey: secret };
  }
  const key = await generateSigningKey(name);
  return { key, publicKey: createPublicKey(key.privateKey) };
}

/** Signs with jose, which knows all of these but two that are registered nowhere. */
async function signed(key: SigningKey, claims: { readonly sub: string }): Promise<ReturnType<typeof split>> {
  const hash = new Map<string, string>([
    ['HMD5', 'md5'],
    ['HS224', 'sha224'],
  ]).get(key.alg);
  if (hash === undefined) return split(await mint(key, claims));
  const signature = (input: Buffer) => createHmac(hash, key.privateKey).update(input).digest();
  return split(forge({ header: { alg: key.alg }, payload: claims, signature }));
}

beforeAll(async () => {
  for (const name of algorithmNames) {
    const { key, publicKey } = await generate(name);
    cases.set(name, {
      key,
      publicKey,
      verifier: verifierOf(name, publicKey),
      ...(await signed(key, { sub: 'alice' })),
    });
  }
});

describe.each(algorithmNames)('%s', (name) => {
  it(`RFC 7515 §5.2: a token that jose signed with ${name} verifies`, async () => {
    const { key, verifier } = caseOf(name);
    for (const sub of ['', 'alice', 'é'.repeat(500)]) {
      const { input, signature } = await signed(key, { sub });
      expect(verifier(input, signature)).toBe(true);
    }
  });

  it(`RFC 7515 §5.2: ${name} with one bit of the signature flipped does not verify`, () => {
    const tried = caseOf(name);
    const bits = tried.signature.length * 8;
    // Odd, so that every place within a byte has its turn; the signatures of ML-DSA are long.
    const step = Math.max(3, Math.ceil(bits / 400) | 1);
    for (let bit = 0; bit < bits; bit += step) expectRefused(tried, flip(tried.signature, bit));
    expectRefused(tried, flip(tried.signature, bits - 1));
  });

  it(`RFC 7515 §5.2: ${name} with one bit of the signing input flipped does not verify`, () => {
    const { verifier, input, signature } = caseOf(name);
    for (let bit = 0; bit < input.length * 8; bit += 11) {
      expect(verifier(flip(input, bit), signature)).toBe(false);
    }
    expect(verifier(input.subarray(1), signature)).toBe(false);
    expect(verifier(Buffer.concat([input, Buffer.from('.')]), signature)).toBe(false);
    expect(verifier(Buffer.alloc(0), signature)).toBe(false);
  });

  it(`T-023: ${name} with a signature of another length is false and does not throw`, () => {
    const tried = caseOf(name);
    const { signature } = tried;
    for (let length = 0; length < signature.length; length++)
      expectRefused(tried, signature.subarray(0, length));
    expectRefused(tried, signature.subarray(1));
    expectRefused(tried, Buffer.concat([signature, Buffer.alloc(1)]));
    expectRefused(tried, Buffer.concat([Buffer.alloc(1), signature]));
    expectRefused(tried, Buffer.concat([signature, Buffer.from([0xff])]));
    expectRefused(tried, Buffer.concat([signature, signature]));
    expectRefused(tried, Buffer.alloc(100_000));
  });

  it(`T-023: ${name} with zeros, ones or noise for a signature is false and does not throw`, () => {
    const tried = caseOf(name);
    const { length } = tried.signature;
    expectRefused(tried, Buffer.alloc(length));
    expectRefused(tried, Buffer.alloc(length, 0xff));
    expectRefused(tried, Buffer.from(tried.signature).reverse());
    for (let round = 0; round < 20; round++) expectRefused(tried, randomBytes(length));
  });

  it(`RFC 7515 §5.2: ${name} by another key of the same kind does not verify`, async () => {
    const { verifier } = caseOf(name);
    const stranger = await generate(name);
    const theirs = await signed(stranger.key, { sub: 'alice' });
    expect(verifier(theirs.input, theirs.signature)).toBe(false);
    expect(verifierOf(name, stranger.publicKey)(theirs.input, theirs.signature)).toBe(true);
  });

  it(`T-021: ${name} accepts no signature of another algorithm`, () => {
    const { verifier } = caseOf(name);
    for (const other of algorithmNames) {
      const { input, signature } = caseOf(other);
      // EdDSA and Ed25519 are one algorithm, but their keys differ here.
      expect([other, verifier(input, signature)]).toEqual([other, other === name]);
    }
  });

  it(`RFC 7515 §5.2: ${name} keeps no state from one signature to the next`, () => {
    const { verifier, input, signature } = caseOf(name);
    for (let round = 0; round < 10; round++) {
      expect(verifier(input, signature)).toBe(true);
      expect(verifier(input, flip(signature, round))).toBe(false);
    }
  });
});

describe.each(CURVES)('%s over %s', (name, namedCurve, length, orderHex) => {
  const order = BigInt(`0x${orderHex}`);
  const odd = [
    ['0', 0n],
    ['1', 1n],
    ['n-1', order - 1n],
    ['n', order],
    ['n+1', order + 1n],
    ['all ones', 2n ** BigInt(8 * length) - 1n],
  ] as const;

  it.each(odd.flatMap(([r, rValue]) => odd.map(([s, sValue]) => [r, s, rValue, sValue] as const)))(
    `T-024: ${name} with r = %s and s = %s does not verify`,
    (_r, _s, r, s) => {
      expectRefused(caseOf(name), Buffer.concat([toBytes(r, length), toBytes(s, length)]));
    },
  );

  it.each(odd)(
    `T-024: ${name} with a good r and s = %s, and the other way round, does not verify`,
    (_, value) => {
      const tried = caseOf(name);
      const { signature } = tried;
      expectRefused(tried, Buffer.concat([signature.subarray(0, length), toBytes(value, length)]));
      expectRefused(tried, Buffer.concat([toBytes(value, length), signature.subarray(length)]));
    },
  );

  it(`T-024: ${name} with r or s taken beyond the order does not verify`, () => {
    const tried = caseOf(name);
    const limit = 2n ** BigInt(8 * length);
    const [r, s] = [tried.signature.subarray(0, length), tried.signature.subarray(length)];
    const beyond = (part: Buffer) => BigInt(`0x${part.toString('hex')}`) + order;
    // Where it does not fit any more there is no such encoding.
    if (beyond(r) < limit) expectRefused(tried, Buffer.concat([toBytes(beyond(r), length), s]));
    if (beyond(s) < limit) expectRefused(tried, Buffer.concat([r, toBytes(beyond(s), length)]));
    expectRefused(tried, Buffer.concat([s, r]));
  });

  it(`T-025: ${name} does not take a DER-encoded signature`, () => {
    const { key, input, verifier } = caseOf(name);
    const algorithm = findAlgorithm(name)!;
    const hash = 'hash' in algorithm ? algorithm.hash : null;
    for (let round = 0; round < 20; round++) {
      const der = sign(hash, input, { key: key.privateKey, dsaEncoding: 'der' });
      expect(verifier(input, der)).toBe(false);
      // Filled up or cut to the length of a raw one.
      const fitted = Buffer.alloc(2 * length);
      der.copy(fitted);
      expect(verifier(input, fitted)).toBe(false);
    }
  });

  it(`RFC 7518 §3.4: ${name} verifies where r or s has leading zero bytes`, () => {
    const { key, input, verifier } = caseOf(name);
    const algorithm = findAlgorithm(name)!;
    const hash = 'hash' in algorithm ? algorithm.hash : null;
    // r and s of P-521 have a top byte of 0 or 1: there the second byte tells.
    const top = name === 'ES512' ? 2 : 1;
    const zeros = (part: Buffer) => part.subarray(0, top).every((byte) => byte === 0);
    const found = { r: 0, s: 0 };
    for (let round = 0; round < 20_000 && (found.r === 0 || found.s === 0); round++) {
      const signature = sign(hash, input, { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
      const [r, s] = [signature.subarray(0, length), signature.subarray(length)];
      if (!zeros(r) && !zeros(s)) continue;
      if (zeros(r)) found.r++;
      if (zeros(s)) found.s++;
      expect(verifier(input, signature)).toBe(true);
      // The same number without its zeros is another byte string, and no signature.
      const short = Buffer.concat([zeros(r) ? r.subarray(1) : r, zeros(s) ? s.subarray(1) : s]);
      expect(verifier(input, short)).toBe(false);
    }
    expect(found.r).toBeGreaterThan(0);
    expect(found.s).toBeGreaterThan(0);
  });

  it(`RFC 7518 §3.4: ${name} agrees with node's ieee-p1363 on 200 signatures and their neighbours`, () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
    const verifier = verifierOf(name, publicKey);
    const algorithm = findAlgorithm(name)!;
    const hash = 'hash' in algorithm ? algorithm.hash : null;
    const reference = (input: Buffer, signature: Buffer) =>
      verify(hash, input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
    for (let round = 0; round < 200; round++) {
      const input = randomBytes(1 + round);
      const good = sign(hash, input, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      const bad = flip(good, (round * 37) % (good.length * 8));
      const negated = Buffer.concat([
        good.subarray(0, length),
        toBytes(order - BigInt(`0x${good.subarray(length).toString('hex')}`), length),
      ]);
      expect([verifier(input, good), reference(input, good)]).toEqual([true, true]);
      expect([verifier(input, bad), reference(input, bad)]).toEqual([false, false]);
      // T-026: n - s verifies too. That is the standard.
      expect([verifier(input, negated), reference(input, negated)]).toEqual([true, true]);
    }
  });
});

describe.each(['PS256', 'PS384', 'PS512'] as const)('%s', (name) => {
  const size = { PS256: 32, PS384: 48, PS512: 64 }[name];
  const others = { PS256: 'sha1', PS384: 'sha256', PS512: 'sha256' } as const;

  const signPss = (hash: string, saltLength: number) => {
    const { key, input } = caseOf(name);
    return sign(hash, input, { key: key.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });
  };
  const hash = `sha${name.slice(2)}`;

  it(`RFC 7518 §3.5: ${name} takes a salt as long as the hash`, () => {
    const { verifier, input } = caseOf(name);
    expect(verifier(input, signPss(hash, size))).toBe(true);
  });

  it.each([0, 1, 20, size - 1, size + 1, 100, constants.RSA_PSS_SALTLEN_MAX_SIGN])(
    `T-028: ${name} takes no salt of length %i`,
    (saltLength) => {
      expectRefused(caseOf(name), signPss(hash, saltLength));
    },
  );

  it(`T-028: ${name} takes no other hash`, () => {
    expectRefused(caseOf(name), signPss(others[name], size));
  });

  it(`T-021: ${name} takes no PKCS #1 v1.5 signature of the same key`, () => {
    const tried = caseOf(name);
    expectRefused(tried, sign(hash, tried.input, tried.key.privateKey));
  });
});

describe.each(['RS256', 'RS384', 'RS512'] as const)('%s', (name) => {
  const hash = `sha${name.slice(2)}`;

  it(`T-021: ${name} takes no RSASSA-PSS signature of the same key`, () => {
    const tried = caseOf(name);
    const pss = sign(hash, tried.input, {
      key: tried.key.privateKey,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    });
    expectRefused(tried, pss);
  });

  it.each(['sha1', 'sha224', 'sha256', 'sha384', 'sha512'])(
    `T-021: ${name} takes a signature with %s only if it is its own`,
    (other) => {
      const { verifier, key, input } = caseOf(name);
      expect(verifier(input, sign(other, input, key.privateKey))).toBe(other === hash);
    },
  );

  it(`T-027: ${name} takes a signature over the number modulo n only`, () => {
    const tried = caseOf(name);
    const modulus = BigInt(`0x${Buffer.from(tried.key.publicJwk.n as string, 'base64url').toString('hex')}`);
    const { length } = tried.signature;
    const more = BigInt(`0x${tried.signature.toString('hex')}`) + modulus;
    expectRefused(tried, toBytes(more, length + 1));
    if (more < 2n ** BigInt(8 * length)) expectRefused(tried, toBytes(more, length));
  });
});

describe.each(['EdDSA', 'Ed25519'] as const)('%s', (name) => {
  // RFC 8032 §5.1: the order of the base point.
  const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

  it(`RFC 8032 §5.1.7: ${name} takes no S beyond the order`, () => {
    const tried = caseOf(name);
    const s = BigInt(`0x${Buffer.from(tried.signature.subarray(32)).reverse().toString('hex')}`);
    const beyond = toBytes(s + ORDER, 32).reverse();
    expectRefused(tried, Buffer.concat([tried.signature.subarray(0, 32), beyond]));
  });

  it(`RFC 9864 §2.2: ${name} is the same algorithm under both names`, () => {
    const { publicKey, input, signature } = caseOf(name);
    expect(verifierOf('EdDSA', publicKey)(input, signature)).toBe(true);
    expect(verifierOf('Ed25519', publicKey)(input, signature)).toBe(true);
  });
});

describe('plain bytes', () => {
  it('RFC 7515 §5.2: a Uint8Array is as good as a Buffer', () => {
    for (const name of algorithmNames) {
      const { verifier, input, signature } = caseOf(name);
      expect([name, verifier(new Uint8Array(input), new Uint8Array(signature))]).toEqual([name, true]);
    }
  });
});

describe.each(algorithmNames)('a maker of %s', (name) => {
  const algorithm = findAlgorithm(name)!;
  const makerOf = ({ key }: Case) => createSignatureMaker(algorithm, key.privateKey);

  it(`RFC 7515 §5.1: ${name} makes signatures that its verifier takes, for its own bytes only`, () => {
    const tried = caseOf(name);
    const make = makerOf(tried);
    for (const input of [Buffer.alloc(0), Buffer.from('a.b'), tried.input, randomBytes(100_000)]) {
      const signature = make(input);
      expect(signature).toHaveLength(tried.signature.length);
      expect(tried.verifier(input, signature)).toBe(true);
      expect(tried.verifier(Buffer.concat([input, Buffer.from('.')]), signature)).toBe(false);
      expect(tried.verifier(input, flip(signature, 9))).toBe(false);
    }
  });

  it(`RFC 7515 §5.1: ${name} signs a Uint8Array like a Buffer, and leaves it as it is`, () => {
    const tried = caseOf(name);
    const input = new Uint8Array(tried.input);
    expect(tried.verifier(tried.input, makerOf(tried)(input))).toBe(true);
    expect(Buffer.from(input).equals(tried.input)).toBe(true);
  });

  it(`RFC 7515 §5.1: ${name} signs nothing with a public key`, () => {
    const tried = caseOf(name);
    if (tried.publicKey.type !== 'public') return;
    expect(() => createSignatureMaker(algorithm, tried.publicKey)(tried.input)).toThrow();
  });
});

describe('signatures without a grain of chance', () => {
  it.each(['RS256', 'RS384', 'RS512', 'HS256', 'HS384', 'HS512', 'EdDSA', 'Ed25519'] as const)(
    'RFC 7515 Appendix A: %s makes what jose makes, byte by byte',
    (name) => {
      const { key, input, signature } = caseOf(name);
      expect(createSignatureMaker(findAlgorithm(name)!, key.privateKey)(input).equals(signature)).toBe(true);
    },
  );
});

describe.each(CURVES)('a maker of %s over %s', (name, namedCurve, length) => {
  const algorithm = findAlgorithm(name)!;
  const hash = 'hash' in algorithm ? algorithm.hash : null;

  it(`RFC 7518 §3.4: ${name} makes 500 signatures in a row that node takes as ieee-p1363`, () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
    const make = createSignatureMaker(algorithm, privateKey);
    const verifier = verifierOf(name, publicKey);
    for (let round = 0; round < 500; round++) {
      const input = randomBytes(1 + (round % 64));
      const signature = make(input);
      expect(signature).toHaveLength(2 * length);
      expect(verify(hash, input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
      expect(verifier(input, signature)).toBe(true);
    }
  });

  it(`RFC 7518 §3.4: ${name} fills a short r or s up with zeros`, () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
    const make = createSignatureMaker(algorithm, privateKey);
    // r and s of P-521 have a top byte of 0 or 1: there the second byte tells.
    const top = name === 'ES512' ? 2 : 1;
    const zeros = (part: Buffer) => part.subarray(0, top).every((byte) => byte === 0);
    const input = randomBytes(32);
    const found = { r: 0, s: 0 };
    for (let round = 0; round < 20_000 && (found.r < 2 || found.s < 2); round++) {
      const signature = make(input);
      const [r, s] = [signature.subarray(0, length), signature.subarray(length)];
      if (!zeros(r) && !zeros(s)) continue;
      if (zeros(r)) found.r++;
      if (zeros(s)) found.s++;
      expect(verify(hash, input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    }
    expect([found.r > 0, found.s > 0]).toEqual([true, true]);
  });
});

describe.each(['PS256', 'PS384', 'PS512'] as const)('a maker of %s', (name) => {
  it(`RFC 7518 §3.5: ${name} has a salt as long as its hash, and no other`, () => {
    const { key, publicKey, input } = caseOf(name);
    const signature = createSignatureMaker(findAlgorithm(name)!, key.privateKey)(input);
    const size = { PS256: 32, PS384: 48, PS512: 64 }[name];
    const takes = (saltLength: number) =>
      verify(
        `sha${name.slice(2)}`,
        input,
        { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength },
        signature,
      );
    expect([takes(size), takes(size - 1), takes(size + 1), takes(0), takes(20)]).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});
